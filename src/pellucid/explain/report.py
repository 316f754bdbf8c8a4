"""The backward pass as a page to read: equations, shapes, numbers, and what autograd says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

import numpy as np

from pellucid.explain.rule import Numbers
from pellucid.figures.html import table

TOLERANCE = 1e-9  # relative: both sides compute in float64
HEADER = ("", "shape", "by hand", "autograd", "difference")
_SHOWN = 3  # numbers of a long array


@dataclass(frozen=True)
class Gradient:
    """One gradient: as derived by hand, and as autograd computed it.

    Attributes:
        symbol: as the equations call it, such as "dW".
        name: the parameter's dotted path, "" for the gradient of an input.
    """

    symbol: str
    name: str
    by_hand: Numbers
    autograd: Numbers

    @property
    def difference(self) -> float:
        """The largest difference of two elements."""
        if self.by_hand.shape != self.autograd.shape:
            return float("inf")
        return float(np.abs(self.by_hand - self.autograd).max(initial=0.0))

    @property
    def ok(self) -> bool:
        """Whether the two agree up to rounding."""
        size = float(np.abs(self.autograd).max(initial=0.0))
        return self.difference <= TOLERANCE * max(size, 1e-3)


@dataclass(frozen=True)
class Step:
    """One layer of the backward pass.

    Attributes:
        path: where the layer is in the network; "loss" for the loss.
        layer: what it is.
        value: the equation of its output.
        shapes: of input, parameters and output, by the letters of the equations.
        equations: those of the gradients.
        gradients: what they come to.
        difference: the largest between the two forward passes.
    """

    path: str
    layer: str
    value: str
    shapes: dict[str, tuple[int, ...]]
    equations: tuple[str, ...]
    gradients: tuple[Gradient, ...]
    difference: float

    def __str__(self) -> str:
        shapes = "   ".join(f"{letter} {shape}" for letter, shape in self.shapes.items())
        lines = [f"{self.path}  {self.layer}" if self.path else self.layer]
        lines += [f"    {self.value}", f"        {shapes}"]
        if self.difference > TOLERANCE:
            lines.append(f"        FORWARD PASSES DIFFER by {self.difference:.1e}")
        lines += [f"    {equation}" for equation in self.equations]
        return "\n".join([*lines, *_table(self.gradients)])

    def _repr_html_(self) -> str:
        head, *lines = replace(self, gradients=()).__str__().split("\n")
        rows = table(HEADER, _rows(self.gradients), len(HEADER)) if self.gradients else ""
        equations = escape("\n".join(line.removeprefix("    ") for line in lines))
        return f"<h4>{escape(head)}</h4>\n<pre>{equations}</pre>\n{rows}"


@dataclass(frozen=True)
class BackwardReport:
    """The backward pass, layer by layer, from the loss to the input; ``str`` prints it.

    Attributes:
        loss: L, computed by hand.
        steps: the layers, the last one first.
    """

    loss: float
    steps: tuple[Step, ...]

    @property
    def ok(self) -> bool:
        """Whether hand and autograd agree everywhere, forward and backward."""
        forward = all(step.difference <= TOLERANCE for step in self.steps)
        return forward and all(g.ok for step in self.steps for g in step.gradients)

    @property
    def gradients(self) -> dict[str, Gradient]:
        """The gradients of parameters by their path."""
        return {g.name: g for step in self.steps for g in step.gradients if g.name}

    def __str__(self) -> str:
        worst = max((g.difference for step in self.steps for g in step.gradients), default=0.0)
        verdict = "agree" if self.ok else "DO NOT AGREE"
        end = f"by hand and autograd {verdict}: the largest difference is {worst:.1e}"
        return "\n\n".join([f"L = {self.loss:.6g}", *map(str, self.steps), end])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        begin, *_, end = str(self).split("\n\n")
        parts = "\n".join(step._repr_html_() for step in self.steps)
        return f"<p>{escape(begin)}</p>\n{parts}\n<p>{escape(end)}</p>"


def _table(gradients: Sequence[Gradient]) -> list[str]:
    rows = [HEADER, *_rows(gradients)] if gradients else []
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(len(HEADER))]
    return [
        "        "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _rows(gradients: Sequence[Gradient]) -> list[tuple[str, ...]]:
    return [
        (g.symbol, str(g.by_hand.shape), _numbers(g.by_hand), _numbers(g.autograd), _judged(g))
        for g in gradients
    ]


def _numbers(array: Numbers) -> str:
    flat = array.reshape(-1)
    more = " ..." if flat.size > _SHOWN else ""
    return " ".join(f"{number:.5g}" for number in flat[:_SHOWN] + 0.0) + more


def _judged(gradient: Gradient) -> str:
    return f"{gradient.difference:.1e}" + ("" if gradient.ok else "  WRONG")
