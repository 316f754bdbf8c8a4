"""The layers of a network as a table: output shapes and parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.arrays import Shape
from pellucid.autograd import Tensor, no_grad
from pellucid.nn import Dense, Module


@dataclass(frozen=True)
class Row:
    """One layer: its path, its description, the shape of its output for one example, parameters."""

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
        input_shape: shape of one example; output shapes are left out where it is neither given nor
            known from a first `Dense` layer.
    """
    shape = input_shape or _expected_input(network)
    outputs = _output_shapes(network, shape) if shape is not None else {}
    seen: set[int] = set()
    rows: list[Row] = []
    owners: list[str] = []  # what belongs to a layer with tensors of its own is part of its row
    for path, module in network.modules().items():
        own = [t for t in vars(module).values() if isinstance(t, Tensor)]
        is_whole = not own and len(module.modules()) > 1
        if not path or is_whole or any(path.startswith(f"{owner}.") for owner in owners):
            continue
        if own:
            owners.append(path)
        new = {id(t): t for t in module.parameters() if id(t) not in seen}
        seen.update(new)
        size = sum(t.size for t in new.values())
        rows.append(Row(path, repr(module), outputs.get(id(module)), size))
    if not rows:
        rows = [Row("", repr(network), outputs.get(id(network)), _count(network, True))]
    return Summary(tuple(rows), _count(network, False), _count(network, True))


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
            network(Tensor(np.zeros((1, *input_shape), network.parameters()[0].dtype)))
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

        def observed(*inputs: Any) -> Tensor:
            out = forward(*inputs)
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
