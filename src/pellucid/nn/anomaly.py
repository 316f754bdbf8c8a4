"""Where NaN and infinity come from: the first operation that made them, and why it usually does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from pellucid.arrays import Array, namespace, quiet
from pellucid.autograd import Tensor, tape
from pellucid.compiler.trace import origin
from pellucid.errors import AnomalyError
from pellucid.nn.module import Module

DIVERGED = (
    "numbers have grown too large; lower the learning rate, clip gradients with clip_norm=1.0, or "
    "scale the inputs"
)
CAUSES = {  # of NaN or infinity in a value, by operation
    "Log": "the logarithm of 0 or of a negative number; train on logits with a loss that takes "
    "them, or keep the argument above 0 with clip(1e-7)",
    "Log1p": "the logarithm of 0 or of a negative number; keep the argument above -1",
    "Exp": "e to a large number, above 88 in float32; subtract the maximum first, or use softmax, "
    "logsumexp or softplus, which do",
    "Expm1": "e to a large number, above 88 in float32; bound the argument",
    "Divide": "a division by 0; add a small number such as 1e-7 to what is divided by",
    "Sqrt": "the root of a negative number, often a variance that was computed as a difference; "
    "keep the argument at 0 or above",
    "Power": "a power of 0 or of a negative number that is not defined; keep the base above 0",
    "Softmax": "softmax of a row that is -infinity throughout: everything was masked; leave one "
    "place open",
    "LogSoftmax": "log_softmax of a row that is -infinity throughout; leave one place open",
}
SLOPES = {  # of NaN or infinity in a gradient
    "Sqrt": "the slope of the root is infinite at 0; take the root of x + 1e-12",
    "Power": "the slope of such a power is infinite at 0; add a small number to the base",
    "Log": "the slope of the logarithm is infinite at 0; keep the argument above 0",
    "Divide": "the slope of a quotient grows with 1 / x^2; keep what is divided by away from 0",
}


class Anomaly(NamedTuple):
    """The operation that made the first number that is not finite.

    Attributes:
        op: its name; "" for a parameter, input or constant that was not finite before.
        direction: "forward" if its value was not finite, "backward" if a gradient from it.
        path: of the innermost layer it ran in, or of the parameter; "" outside of layers.
        line: ``file.py:12`` where the user's code asked for it; "" where that is not known.
        inputs: shape and range of each operand, and going backward of the gradient that arrived.
        cause: what is usually the reason, and what to do.
    """

    op: str
    direction: str
    path: str
    line: str
    inputs: tuple[str, ...]
    cause: str

    def __str__(self) -> str:
        where = f" in {self.path}" if self.path else ""
        line = f", at {self.line}" if self.line else ""
        made = "its gradient" if self.direction == "backward" else "its value"
        if not self.op:
            first = f"{self.path or 'an input or constant'} is not finite itself"
        else:
            first = f"{self.op} ({self.direction}){where}{line} was the first: {made} is not finite"
        return "\n".join([first, *(f"  {text}" for text in self.inputs), f"  cause: {self.cause}"])


class _Place(NamedTuple):
    line: str
    layer: Module | None
    network: Module | None

    @property
    def path(self) -> str:
        if self.network is None or self.layer is None:
            return ""
        paths = (path for path, module in self.network.modules().items() if module is self.layer)
        kind = type(self.layer).__name__
        path = next(paths, "")
        return f"{path} ({kind})" if path else kind


class _Watcher:
    """Notes where each operation ran; before a backward pass, says what is not finite."""

    def __init__(self) -> None:
        self.places: dict[int, _Place] = {}

    def note(self, node: tape.Node) -> None:
        self.places[node.serial] = _place()

    def examine(self, output: tape.Node, seed: Array) -> None:
        found = forward(output, self.places) or backward(output, seed, self.places)
        self.places = {}
        if found is not None:
            what = "the output" if found.direction == "forward" else "a gradient"
            text = f"expected finite numbers, got NaN or infinity in {what}; {found}"
            raise AnomalyError(text, found)


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Within this context a backward pass first looks for NaN and infinity, and says who made them.

    It follows what is not finite from the output back to the first operation that made it from
    finite numbers; if there is none, it does the same with gradients. The error names operation,
    layer, line of yours, the ranges of its inputs, and the usual cause. It is slow: for finding a
    fault, not for training. Compiled functions are not looked into: call the function itself.
    `Model.fit`, compiled or not, does it by itself for a batch whose update is not finite.

    Raises:
        AnomalyError: in ``backward`` or `grad`: something is not finite.

    >>> import pellucid
    >>> x = pellucid.Tensor([1.0, 0.0], requires_grad=True)
    >>> try:
    ...     with pellucid.detect_anomaly():
    ...         x.log().sum().backward()
    ... except pellucid.AnomalyError as error:
    ...     print(error)
    expected finite numbers, got NaN or infinity in the output; Log (forward), ...
      input 0: (2,) float32 from 0 to 1, 1 of 2 are 0
      cause: the logarithm of 0 or of a negative number; ...
    """
    with tape.recording(_Watcher()), quiet():
        yield


def forward(output: tape.Node, places: dict[int, _Place]) -> Anomaly | None:
    """Return what made an output that is not finite; None where it is finite."""
    if _is_finite(output.data):
        return None
    node, turned = output, None  # where infinity was turned into NaN
    while True:
        broken = [x for x in node.inputs if isinstance(x, Tensor) and not _is_finite(x.data)]
        if not broken:
            break
        if np.isnan(node.data).any() and not any(np.isnan(x.data).any() for x in broken):
            turned = node
        node = min(broken, key=lambda x: (not np.isnan(x.data).any(), x.serial))  # NaN first
    if turned is not None and _is_meant(node):
        node = turned
    if node.op is None:
        inputs = (f"it has {_range(node.data)}",)
        cause = "it was so before; look at the data, or at the update before this one"
        return Anomaly("", "forward", _name(node, places), "", inputs, cause)
    name, place = node.op.__name__, places.get(node.serial, _Place("", None, None))
    cause = CAUSES.get(name, DIVERGED)
    return Anomaly(name, "forward", place.path, place.line, _inputs(node), cause)


def backward(output: tape.Node, seed: Array, places: dict[int, _Place]) -> Anomaly | None:
    """Return what made the first gradient that is not finite; None where all are finite."""
    arrived: list[tuple[tape.Node, Array]] = []
    for node, g in tape.propagate(tape.ancestors(output), seed, create_graph=False, hooks=False):
        if not _is_finite(g):
            guilty, before = _sender(node, arrived)
            name = "" if guilty.op is None else guilty.op.__name__
            place = places.get(guilty.serial, _Place("", None, None))
            inputs = (*_inputs(guilty), f"the gradient that arrives: {_range(before)}")
            cause = SLOPES.get(name, DIVERGED)
            return Anomaly(name, "backward", place.path, place.line, inputs, cause)
        arrived.append((node, g))
    return None


def _name(leaf: tape.Node, places: dict[int, _Place]) -> str:
    """Return the path of a parameter or buffer of a network that ran; "" of anything else."""
    networks = {id(place.network): place.network for place in places.values() if place.network}
    for network in networks.values():
        for path, tensor in network.named_tensors().items():
            if tensor is leaf:
                return path
    return ""


def _sender(receiver: tape.Node, arrived: list[tuple[tape.Node, Array]]) -> tuple[tape.Node, Array]:
    """Return the operation whose rule gave a receiver what is not finite, and what it was given."""
    users = [(node, g) for node, g in arrived if any(x is receiver for x in node.inputs)]
    for node, g in users:
        arrays = [x.data if isinstance(x, Tensor) else x for x in node.inputs]
        parts = node.op.vjp(namespace(node.data), g, node.data, *arrays, **node.params)  # type: ignore[union-attr]
        for x, part in zip(node.inputs, parts, strict=True):
            part = part() if callable(part) else part
            if x is receiver and part is not None and not _is_finite(part):
                return node, g
    return users[-1]  # their sum overflowed


def _place() -> _Place:
    """Return the line of the user's that runs, its innermost layer and the outermost network."""
    layers, line = [], ""
    frame: Any = sys._getframe(1)
    while frame is not None:
        name, is_users, _ = origin(frame.f_code.co_filename)
        if is_users and not line:
            line = f"{name}:{frame.f_lineno}"
        if frame.f_code.co_name in ("forward", "preactivation"):
            owner = frame.f_locals.get("self")
            if isinstance(owner, Module):
                layers.append(owner)
        frame = frame.f_back
    return _Place(line, *((layers[0], layers[-1]) if layers else (None, None)))


def _is_meant(node: tape.Node) -> bool:
    """Whether somebody wrote infinity down, as masks do."""
    written = [x for x in node.inputs if not isinstance(x, Tensor) or x.op is None]
    values = [x.data if isinstance(x, Tensor) else x for x in written]
    constant = node.op is None and not node.requires_grad
    return constant or any(np.isinf(x).any() for x in values if x is not None)


def _is_finite(array: Array) -> bool:
    """Whether there is no NaN and no infinity; symbols, of code that is compiled, have neither."""
    return not isinstance(array, np.ndarray | np.generic) or bool(np.isfinite(array).all())


def _inputs(node: tape.Node) -> tuple[str, ...]:
    arrays = [x.data if isinstance(x, Tensor) else x for x in node.inputs]
    return tuple(f"input {i}: {_range(x)}" for i, x in enumerate(arrays) if x is not None)


def _range(x: Any) -> str:
    """Return an array's shape, kind and range."""
    array = np.asarray(x)
    if array.dtype.kind != "f" or not array.size:
        return f"{array.shape} {array.dtype}"
    finite = array[np.isfinite(array)]
    limits = f"from {finite.min():.4g} to {finite.max():.4g}" if finite.size else "nothing finite"
    nan, infinite = int(np.isnan(array).sum()), int(np.isinf(array).sum())
    notes = [f"{nan:,} NaN"] * bool(nan) + [f"{infinite:,} infinite"] * bool(infinite)
    zeros = int((array == 0).sum())
    notes += [f"{zeros:,} of {array.size:,} are 0"] * bool(zeros)
    return ", ".join([f"{array.shape} {array.dtype} {limits}", *notes])
