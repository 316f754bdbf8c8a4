"""The backward pass one value at a time, in words and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Self

from pellucid.scalar.drawing import draw
from pellucid.scalar.engine import Value, history
from pellucid.scalar.naming import formula, names
from pellucid.scalar.picture import Drawing
from pellucid.scalar.why import Explanation, why


@dataclass(frozen=True)
class Pass:
    """What one value hands to one of its parents: ``product = local * upstream``.

    ``local`` is d child / d parent, ``upstream`` d out / d child; ``before`` and ``after`` are the
    parent's gradient.
    """

    parent: Value
    local: float
    upstream: float
    before: float

    @property
    def product(self) -> float:
        """What is added to the parent's gradient; 0 as soon as one factor is."""
        return self.local * self.upstream if self.local and self.upstream else 0.0

    @property
    def after(self) -> float:
        """The parent's gradient from now on."""
        return self.before + self.product


@dataclass(frozen=True)
class Step:
    """One step of a backward pass: ``child`` hands its gradient to its parents.

    Printing it says what is multiplied by what and where it goes; `draw` shows it, and so does a
    notebook.

    >>> from pellucid.scalar import Value, backprop
    >>> x, w = Value(2.0, "x"), Value(-3.0, "w")
    >>> step = next(backprop(x * w))
    >>> step
    step 1 of 1: v1 = x * w = -6, d v1 / d v1 = 1
      d v1 / d x * d v1 / d v1 = -3 * 1 = -3: d v1 / d x = -3
      d v1 / d w * d v1 / d v1 = 2 * 1 = 2: d v1 / d w = 2
    >>> [p.after for p in step.passes]
    [-3.0, 2.0]
    """

    walk: Backprop
    number: int
    child: Value
    passes: tuple[Pass, ...]

    def draw(self, format: str = "svg") -> Drawing:  # noqa: A002
        """Return the graph with this step lit up and the gradients as they are after it."""
        edges = [(p.parent, self.child) for p in self.passes]
        notes: dict[tuple[Value, Value], str] = {}
        for edge, p in zip(edges, self.passes, strict=True):
            text = f"{p.local:.4g} * {p.upstream:.4g} = {p.product:.4g}"
            notes[edge] = f"{notes[edge]}, {text}" if edge in notes else text
        names, grads = self.walk.names, self.walk.grads_after(self.number)
        out = self.walk.out
        return draw(out, called=names, grads=grads, lit=edges, notes=notes, format=format)

    def _repr_svg_(self) -> str | None:
        return self.draw()._repr_svg_()

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        out, child = (self.walk.names[value] for value in (self.walk.out, self.child))
        upstream = self.passes[0].upstream
        made = formula(self.child, self.walk.names)
        lines = [
            f"step {self.number} of {len(self.walk)}: {child} = {made} = {self.child.data:.4g}, "
            f"d {out} / d {child} = {upstream:.4g}"
        ]
        for p in self.passes:
            name = self.walk.names[p.parent]
            line = (
                f"  d {child} / d {name} * d {out} / d {child} = "
                f"{p.local:.4g} * {p.upstream:.4g} = {p.product:.4g}"
            )
            goes = f"d {out} / d {name} = {p.after:.4g}"
            lines.append(
                f"{line}, added to {p.before:.4g}: {goes}" if p.before else f"{line}: {goes}"
            )
        return "\n".join(lines)


class Backprop:
    """The backward pass of a value, as an iterator over its steps (`Step`), from the output back.

    It does what `Value.backward` does and leaves the same gradients behind. A value without a label
    is called v1, v2, ..., parents before their children. It can be gone through once.

    >>> from pellucid.scalar import Value, backprop
    >>> x = Value(3.0, "x")
    >>> walk = backprop(x * x + 1)
    >>> len(walk), next(walk).number, walk
    (2, 1, Backprop(v2, 1 of 2 steps taken))
    """

    def __init__(self, out: Value) -> None:
        if not isinstance(out, Value):
            raise TypeError(f"expected a value to go back from, got {type(out).__name__}")
        self.out = out
        self.results = history(out)
        self.names = names(out)
        self.taken = 0
        self._started = False
        self._at_start: dict[Value, float] = {}

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Step:
        if not self._started:
            self._started = True
            self._begin()
        if self.taken == len(self.results):
            raise StopIteration
        child = self.results[self.taken]
        passes = []
        for parent, slope in zip(child.parents, child.slopes, strict=True):
            passes.append(Pass(parent, slope, child.grad, parent.grad))
            parent.grad = passes[-1].after
        self.taken += 1
        return Step(self, self.taken, child, tuple(passes))

    def __repr__(self) -> str:
        return f"Backprop({self.names[self.out]}, {self.taken} of {len(self)} steps taken)"

    def why(self, node: Value, paths: int = 5) -> Explanation:
        """Explain the derivative of the output with respect to a value; see `why`."""
        return why(node, self.out, paths)

    def __len__(self) -> int:
        """The number of steps in all."""
        return len(self.results)

    def _begin(self) -> None:
        """Set the gradients as `Value.backward` does before its first step."""
        for result in self.results:
            result.grad = 0.0
        self.out.grad += 1.0
        leaves = {p for result in self.results for p in result.parents if not p.parents}
        self._at_start = {self.out: self.out.grad} | {leaf: leaf.grad for leaf in leaves}

    def grads_after(self, steps: int) -> dict[Value, float]:
        """Return the gradients that are known after so many steps, computed anew."""
        grads = dict(self._at_start)
        for child in islice(self.results, steps):
            g = grads.setdefault(child, 0.0)
            for parent, slope in zip(child.parents, child.slopes, strict=True):
                grads[parent] = grads.get(parent, 0.0) + (slope * g if slope and g else 0.0)
        return grads


def backprop(out: Value) -> Backprop:
    """Return the backward pass of a value, to be taken one step at a time.

    >>> from pellucid.scalar import Value, backprop
    >>> x = Value(-3.0, "x")
    >>> for step in backprop((x * x).relu()):
    ...     print(step)
    step 1 of 2: v2 = relu(v1) = 9, d v2 / d v2 = 1
      d v2 / d v1 * d v2 / d v2 = 1 * 1 = 1: d v2 / d v1 = 1
    step 2 of 2: v1 = x * x = 9, d v2 / d v1 = 1
      d v1 / d x * d v2 / d v1 = -3 * 1 = -3: d v2 / d x = -3
      d v1 / d x * d v2 / d v1 = -3 * 1 = -3, added to -3: d v2 / d x = -6
    """
    return Backprop(out)
