"""The layers of a network as a table: output shapes and parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.arrays import Shape
from pellucid.autograd import Tensor, no_grad
from pellucid.nn import Dense, Module
from pellucid.train.inputs import dtype_of


@dataclass(frozen=True)
class Row:
    """One layer: path, description, shape of its output for one example, parameters of its own."""

    path: str
    layer: str
    output: Shape | None
    parameters: int


@dataclass(frozen=True)
class Summary:
    """A table of layers; ``str`` draws it. Counts are of numbers, not of tensors."""

    rows: tuple[Row, ...]
    total: int
    trainable: int

    def __str__(self) -> str:
        header = ("path", "layer", "output", "parameters")
        body = [
            (row.path, row.layer, _shape(row.output), f"{row.parameters:,}") for row in self.rows
        ]
        widths = [max(len(line[i]) for line in [header, *body]) for i in range(4)]

        def draw(line: tuple[str, ...]) -> str:
            left = "  ".join(
                cell.ljust(width) for cell, width in zip(line[:3], widths, strict=False)
            )
            return f"{left}  {line[3]:>{widths[3]}}"

        rule = "-" * (sum(widths) + 6)
        fixed = self.total - self.trainable
        totals = f"parameters: {self.trainable:,}" + (
            f" and {fixed:,} not trained" if fixed else ""
        )
        return "\n".join([draw(header), rule, *map(draw, body), rule, totals])

    __repr__ = __str__


def summarise(network: Module, input_shape: Shape | None = None) -> Summary:
    """Return the table of a network's layers.

    Args:
        network: what to describe.
        input_shape: shape of one example; without it, output shapes are left out unless a first
            `Dense` layer tells it.
    """
    outputs: dict[int, Shape] = {}
    if input_shape is not None:
        outputs = _output_shapes(network, input_shape)
    elif (guess := _expected_input(network)) is not None:
        with suppress(Exception):  # a network that prepares its input otherwise
            outputs = _output_shapes(network, guess)

    modules = network.modules()
    counts: dict[str, int] = {}  # of each module that has tensors of its own
    for path, tensor in network.named_tensors().items():
        owner = _parent(path, modules)
        counts[owner] = counts.get(owner, 0) + (tensor.size if tensor.requires_grad else 0)
    rows = []
    for path, module in modules.items():
        is_leaf = len(module.modules()) == 1 and (not path or _parent(path, modules) not in counts)
        if path in counts or is_leaf:
            layer = repr(module) if "\n" not in repr(module) else type(module).__name__
            rows.append(Row(path, layer, outputs.get(id(module)), counts.get(path, 0)))
    return Summary(tuple(rows), _count(network, False), _count(network, True))


def _parent(path: str, modules: Mapping[str, Module]) -> str:
    """Return the path of the module that holds what is at a path."""
    above = path.rpartition(".")[0]
    return above if above in modules else _parent(above, modules)


def _count(network: Module, trainable: bool) -> int:
    tensors = network.named_parameters() if trainable else network.named_tensors()
    return sum(t.size for t in tensors.values() if t.dtype.kind == "f")


def _expected_input(network: Module) -> Shape | None:
    """Return the shape of one example that a network beginning with Dense takes."""
    for module in network.modules().values():
        if isinstance(module, Dense):
            return (module.in_features,)
    return None


def _output_shapes(network: Module, input_shape: Shape) -> dict[int, Shape]:
    """Return the shape of each module's output, without the batch axis, by its identity."""
    shapes: dict[int, Shape] = {}
    state = network.state()
    modes = [(module, module.training) for module in network.modules().values()]
    network.eval()
    try:
        with _observed(network, shapes), no_grad():
            try:
                network(Tensor(np.zeros((1, *input_shape), dtype_of(network))))
            except TypeError:  # a network that takes whole numbers, such as tokens
                network(Tensor(np.zeros((1, *input_shape), np.int64)))
    finally:
        for module, training in modes:
            module.training = training
        network.load_state(state)
    return shapes


@contextmanager
def _observed(network: Module, shapes: dict[int, Shape]) -> Iterator[None]:
    """Note the shape of what each module returns."""
    modules = list(network.modules().values())

    def watch(module: Module) -> Callable[..., Tensor]:
        forward = module.forward

        def observed(*inputs: Any, **options: Any) -> Tensor:
            out = forward(*inputs, **options)
            if isinstance(out, Tensor):
                shapes[id(module)] = out.shape[1:]
            return out

        return observed

    for module in modules:
        vars(module)["forward"] = watch(module)
    try:
        yield
    finally:
        for module in modules:
            del vars(module)["forward"]


def _shape(shape: Shape | None) -> str:
    return "?" if shape is None else f"({', '.join(['N', *map(str, shape)])})"
