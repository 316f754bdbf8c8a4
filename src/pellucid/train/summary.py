"""The layers of a network as a table: output shapes, parameters, operations and memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from pellucid.arrays import Shape
from pellucid.figures.html import table
from pellucid.figures.units import count, size
from pellucid.nn import Dense, Module
from pellucid.nn.capture import Recording, layers_of, owner_of, record
from pellucid.train.inputs import dtype_of

_HEADERS = ("path", "layer", "output", "parameters", "FLOPs forward", "backward", "activations")
_LEFT = 3  # columns of text


@dataclass(frozen=True)
class Row:
    """One layer: path, description, and what is its own.

    Attributes:
        output: Shape of its output for one example, without the batch axis.
        parameters: Numbers that training changes.
        forward: Floating-point operations of one example's forward pass.
        backward: Those of its backward pass, for the gradients that training needs.
        activations: Bytes of one example's results that stay in memory until the backward pass.
    """

    path: str
    layer: str
    output: Shape | None
    parameters: int
    forward: int | None = None
    backward: int | None = None
    activations: int | None = None


@dataclass(frozen=True)
class Summary:
    """A table of layers; ``str`` draws it, and a notebook shows it.

    ``total`` and ``trainable`` count numbers, not tensors. FLOPs are those of `compiler.flops`, a
    multiply and an add being two, without loss and optimiser. Activations are what the tape keeps
    of a batch of ``batch_size``, in evaluation mode, so without the masks of dropout.
    """

    rows: tuple[Row, ...]
    total: int
    trainable: int
    batch_size: int = 32

    @property
    def forward(self) -> int | None:
        """Floating-point operations of the forward pass of one example."""
        return _sum([row.forward for row in self.rows])

    @property
    def backward(self) -> int | None:
        """Floating-point operations of the backward pass of one example."""
        return _sum([row.backward for row in self.rows])

    @property
    def activations(self) -> int | None:
        """Bytes that the results of a batch take until the backward pass."""
        one = _sum([row.activations for row in self.rows])
        return None if one is None else one * self.batch_size

    def __str__(self) -> str:
        header, body = self._headers(), self._cells()
        widths = [max(len(line[i]) for line in [header, *body]) for i in range(len(header))]

        def draw(line: Sequence[str]) -> str:
            return "  ".join(
                cell.ljust(width) if i < _LEFT else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )

        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
        return "\n".join([draw(header), rule, *map(draw, body), rule, *self._totals()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        totals = "<br>".join(self._totals())
        return f"{table(self._headers(), self._cells(), _LEFT)}<p>{totals}</p>"

    def _headers(self) -> tuple[str, ...]:
        return _HEADERS if self.forward is not None else _HEADERS[:4]

    def _cells(self) -> list[tuple[str, ...]]:
        rows = []
        for row in self.rows:
            cells = [row.path, row.layer, _shape(row.output), f"{row.parameters:,}"]
            if self.forward is not None:
                cells += [count(row.forward or 0), count(row.backward or 0)]
                cells.append(size(self.batch_size * (row.activations or 0)))
            rows.append(tuple(cells))
        return rows

    def _totals(self) -> list[str]:
        fixed = self.total - self.trainable
        lines = [
            f"parameters: {self.trainable:,}" + (f" and {fixed:,} not trained" if fixed else "")
        ]
        if self.forward is not None and self.activations is not None:
            passes = f"{count(self.forward)} forward, {count(self.backward or 0)} backward"
            lines.append(f"FLOPs for one example: {passes}")
            lines.append(f"activations of a batch of {self.batch_size}: {size(self.activations)}")
        return lines


def summarise(network: Module, input_shape: Shape | None = None, batch_size: int = 32) -> Summary:
    """Return the table of a network's layers.

    Args:
        network: what to describe.
        input_shape: shape of one example; without it, shapes and costs are left out unless a first
            `Dense` layer tells it.
        batch_size: examples whose activations are counted.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(
            f"expected batch_size to be a whole number of at least 1, got {batch_size!r}"
        )
    run = None
    if input_shape is not None:
        run = run_once(network, input_shape)
    elif (guess := expected_input(network)) is not None:
        with suppress(Exception):  # a network that prepares its input otherwise
            run = run_once(network, guess)
    return Summary(
        tuple(_rows(network, run)), _count(network, False), _count(network, True), batch_size
    )


def run_once(network: Module, input_shape: Shape) -> Recording:
    """Return the record of a run on one example of zeros, or of tokens 0 where it takes those."""
    try:
        return record(network, np.zeros((1, *input_shape), dtype_of(network)))
    except TypeError:  # a network that takes whole numbers, such as tokens
        return record(network, np.zeros((1, *input_shape), np.int64))


def _rows(network: Module, run: Recording | None) -> list[Row]:
    """Return a row for each module that holds tensors, has no parts, or computes by itself."""
    modules = network.modules()
    counts: dict[str, int] = {}  # of each module that has tensors of its own
    for path, tensor in network.named_tensors().items():
        owner = owner_of(path, modules)
        counts[owner] = counts.get(owner, 0) + (tensor.size if tensor.requires_grad else 0)
    layers = layers_of(network)
    costs = {} if run is None else _costs(run, layers, modules)
    shapes = {} if run is None else run.shapes()
    rows = []
    for path, module in layers.items():
        if path in counts or len(module.modules()) == 1 or any(costs.get(path, ())):
            layer = repr(module) if "\n" not in repr(module) else type(module).__name__
            output = shapes.get(path)
            rows.append(
                Row(
                    path,
                    layer,
                    output if output is None else output[1:],
                    counts.get(path, 0),
                    *(costs.get(path, (0, 0, 0)) if run else ()),
                )
            )
    return rows


def _costs(
    run: Recording, layers: Mapping[str, Module], modules: Mapping[str, Module]
) -> dict[str, tuple[int, int, int]]:
    """Return FLOPs forward and backward and bytes by path.

    What a layer keeps to itself, such as its activation, adds to the layer.
    """
    owners, flops, kept = run.owners(), run.flops(), run.kept()
    totals: dict[str, tuple[int, int, int]] = {}
    for node in run.nodes:
        if node.op is not None:
            path = owners[id(node)]
            path = path if path in layers else owner_of(path, modules)
            a, b, c = totals.get(path, (0, 0, 0))
            cost = flops[id(node)]
            totals[path] = (a + cost.forward, b + cost.backward, c + kept[id(node)])
    return totals


def _count(network: Module, trainable: bool) -> int:
    tensors = network.named_parameters() if trainable else network.named_tensors()
    return sum(t.size for t in tensors.values() if t.dtype.kind == "f")


def expected_input(network: Module) -> Shape | None:
    """Return the shape of one example that a network beginning with Dense takes."""
    for module in network.modules().values():
        if isinstance(module, Dense):
            return (module.in_features,)
    return None


def _sum(numbers: Sequence[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _shape(shape: Shape | None) -> str:
    return "?" if shape is None else f"({', '.join(['N', *map(str, shape)])})"
