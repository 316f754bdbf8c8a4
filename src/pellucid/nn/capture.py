"""Looking into a network as it runs: outputs by path, and every operation with its module."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import tree
from pellucid.arrays import Shape, quiet
from pellucid.autograd import Tensor
from pellucid.autograd.tape import recording, serials
from pellucid.compiler.flops import Flops, flops_of
from pellucid.errors import unknown
from pellucid.nn.module import Module

Watch = Callable[[str, Module, tuple[Any, ...], Callable[[], Any]], Any]


@contextmanager
def capture(network: Module, paths: str | Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Within this context, keep what modules return, by path; of several calls, the last.

    The outputs are still part of their graph. A tensor's gradient is kept by
    ``outputs[path].retain_grad()`` before the backward pass. The weights of a `MultiHeadAttention`
    are what its ``dropout`` returns, ``(N, h, T, S)``. `Model` trains a network that ends in
    softmax or sigmoid on what comes before that, so in `fit` the last layer is not called.

    Args:
        network: what will be called.
        paths: of modules, as `Module.modules` names them; by default all of them, the network
            itself under "".

    Raises:
        ValueError: there is no module of that path.

    >>> from pellucid import nn
    >>> layers = nn.Dense(2, 3, "relu", init="ones"), nn.Dense(3, 1, init="ones")
    >>> network = nn.Sequential(*layers)
    >>> with nn.capture(network) as outputs:
    ...     _ = network([[1.0, 2.0]])
    >>> outputs["layers.0"].tolist(), outputs["layers.1"].tolist()
    ([[3.0, 3.0, 3.0]], [[9.0]])
    """
    modules = network.modules()
    wanted = [paths] if isinstance(paths, str) else list(modules if paths is None else paths)
    for path in wanted:
        if path not in modules:
            raise unknown("path of a module", path, [known for known in modules if known])
    outputs: dict[str, Any] = {}

    def keep(path: str, module: Module, inputs: tuple[Any, ...], run: Callable[[], Any]) -> Any:
        outputs[path] = run()
        return outputs[path]

    with _watched({path: modules[path] for path in wanted}, keep):
        yield outputs


@contextmanager
def _watched(modules: dict[str, Module], watch: Watch) -> Iterator[None]:
    """Send every call of these modules' ``forward`` through ``watch``."""

    def through(path: str, module: Module) -> Callable[..., Any]:
        forward = module.forward

        def watched(*inputs: Any, **options: Any) -> Any:
            return watch(path, module, inputs, lambda: forward(*inputs, **options))

        return watched

    before = [(module, vars(module).get("forward")) for module in modules.values()]
    for path, module in modules.items():
        vars(module)["forward"] = through(path, module)
    try:
        yield
    finally:
        for module, forward in before:
            del vars(module)["forward"]
            if forward is not None:
                vars(module)["forward"] = forward


def owner_of(path: str, modules: Mapping[str, Module]) -> str:
    """Return the path of the module that holds what is at a path; that of the network is ""."""
    above = path.rpartition(".")[0]
    return above if above in modules else owner_of(above, modules)


def layers_of(network: Module) -> dict[str, Module]:
    """Return the modules that make up a network's structure, by path.

    Those are all but what a layer keeps to itself: parts without tensors of a module that has
    some, such as the ReLU of ``Dense(4, 8, "relu")``.
    """
    modules = network.modules()
    holders = {owner_of(path, modules) for path in network.named_tensors()}
    return {
        path: module
        for path, module in modules.items()
        if not path
        or path in holders
        or len(module.modules()) > 1
        or owner_of(path, modules) not in holders
    }


@dataclass(frozen=True)
class Call:
    """One call of a module: the serials of the tensors made in it, [first, last), its output."""

    path: str
    module: Module
    first: int
    last: int
    output: Any


@dataclass(frozen=True)
class Recording:
    """One run of a network: its calls in the order they began, and all that led to the outputs.

    ``nodes`` are the tensors, oldest first; ``names`` what parameters, buffers and inputs are
    called, by identity; ``trained`` the identities of what is moved in training.
    """

    calls: tuple[Call, ...]
    nodes: tuple[Tensor, ...]
    inputs: tuple[Tensor, ...]
    names: dict[int, str]
    trained: frozenset[int]
    outputs: tuple[Tensor, ...]

    def owners(self) -> dict[int, str]:
        """Return the path of the innermost module that each operation ran in, by identity."""
        starts = [call.first for call in self.calls]
        found = {}
        for node in self.nodes:
            if node.op is not None:
                at = bisect_right(starts, node.serial) - 1
                while at >= 0 and self.calls[at].last <= node.serial:
                    at -= 1
                found[id(node)] = self.calls[at].path if at >= 0 else ""
        return found

    def flops(self) -> dict[int, Flops]:
        """Return what each operation costs by identity: of the rules, what training needs."""
        moved, found = set(self.trained), {}
        for node in self.nodes:
            wanted = [id(x) in moved for x in node.inputs]
            if any(wanted):
                moved.add(id(node))
            found[id(node)] = flops_of(node, wanted)
        return found

    def kept(self) -> dict[int, int]:
        """Return the bytes that each operation's result takes until the backward pass.

        Views of what is in memory already take none.
        """
        known = {id(root(node.data)) for node in self.nodes if node.op is None}
        found = {}
        for node in self.nodes:
            if node.op is not None:
                buffer = root(node.data)
                found[id(node)] = 0 if id(buffer) in known else buffer.nbytes
                known.add(id(buffer))
        return found

    def shapes(self) -> dict[str, Shape]:
        """Return the shape of each module's output, of the last call that returned a tensor."""
        return {
            call.path: call.output.shape for call in self.calls if isinstance(call.output, Tensor)
        }


def record(network: Module, *inputs: Any) -> Recording:
    """Run a network once in evaluation mode and return all that happened; it is left as it was.

    Everything in floating point is recorded, whether it is trained or not.

    Raises:
        TypeError: it returns no tensor, nor a list, tuple or dictionary of some.
    """
    given = [x if isinstance(x, Tensor) else Tensor(np.asarray(x)) for x in inputs]
    given = [Tensor(x.data, requires_grad=x.dtype.kind == "f") for x in given]
    tensors = network.named_tensors()
    modes = [(module, module.training) for module in network.modules().values()]
    before = [(t, t.data, t.data.copy(), t.requires_grad) for t in tensors.values()]
    calls: list[Call] = []

    def note(path: str, module: Module, _: tuple[Any, ...], run: Callable[[], Any]) -> Any:
        place, first = len(calls), next(serials)
        calls.append(Call(path, module, first, first, None))
        output = run()
        calls[place] = Call(path, module, first, next(serials), output)
        return output

    network.eval()
    for tensor in tensors.values():
        tensor.requires_grad = tensor.dtype.kind == "f"
    try:
        with _watched(network.modules(), note), recording(True), quiet():
            output = network(*given)
    finally:
        for module, training in modes:
            module.training = training
        for tensor, array, values, wants in before:
            tensor.data, tensor.requires_grad = array, wants
            if not np.array_equal(array, values, equal_nan=True):  # changed in place
                array[...] = values
    outputs = tuple(x for _, x in tree.walk(output) if isinstance(x, Tensor))
    if not outputs:
        raise TypeError(
            f"expected {type(network).__name__} to return a tensor, got {type(output).__name__}; "
            "return tensors from forward()"
        )
    names = {id(tensor): path for path, tensor in tensors.items()}
    names |= {id(x): "input" if len(given) == 1 else f"input {i}" for i, x in enumerate(given)}
    trained = frozenset(id(tensor) for tensor, *_, wants in before if wants)
    nodes = tuple(everything(*outputs))
    return Recording(tuple(calls), nodes, tuple(given), names, trained, outputs)


def everything(*outputs: Tensor) -> list[Tensor]:
    """Return all that tensors were computed from, constants and themselves too, oldest first."""
    found = {id(output): output for output in outputs}
    stack = list(outputs)
    while stack:
        for x in stack.pop().inputs:
            if isinstance(x, Tensor) and id(x) not in found:
                found[id(x)] = x
                stack.append(x)
    return sorted(found.values(), key=lambda tensor: tensor.serial)


def root(array: Any) -> Any:
    """Return the array that owns the memory of a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
