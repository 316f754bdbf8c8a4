"""Slopes of a function along lines, measured by differences, and whether a given gradient agrees.

A curve is ``phi(t) = f(x + t d) - f(x)`` for a point x and a direction d. Its central difference
``(phi(h) - phi(-h)) / 2h`` is off by h^2/6 times the third derivative, where the Taylor series was
cut short, and by about 1/h times the rounding error of f: the best h is near the cube root of
machine epsilon. Press, Teukolsky, Vetterling and Flannery, "Numerical Recipes", 3rd edition,
section 5.7.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pellucid.arrays import Array

Curve = Callable[[float], float]

STEP = 2.0**-17  # a power of two, so that x + h is exact; the cube root of epsilon is 6.1e-6
SHRINK = 8.0
SCALES = 4  # the smallest step is STEP / 8^3 = 1.5e-8
ROUNDINGS = 16.0  # how many times its estimated rounding error a value may be off
PROJECTIONS = 10


@dataclass(frozen=True)
class Tolerance:
    """How far slopes may lie apart.

    By the largest of ``relative * larger slope``, ``absolute`` and ``ROUNDINGS * noise / step``,
    where noise is the rounding error expected in one value of the function: what that does to a
    difference is no error of the gradient.
    """

    relative: float
    absolute: float
    noise: float

    def floor(self, step: float) -> float:
        """Return the smallest difference of slopes that the step can tell from rounding."""
        return max(self.absolute, ROUNDINGS * self.noise / step)

    def limit(self, step: float, a: float, b: float, scale: float | None = None) -> float:
        """Return how far a and b may lie apart: not at all if one is not finite."""
        if not math.isfinite(a - b):
            return 0.0
        larger = max(abs(a), abs(b)) if scale is None else scale
        return max(self.relative * larger, self.floor(step))

    def error(self, step: float, a: float, b: float) -> float:
        """Return ``|a - b| / max(|a|, |b|, floor / relative)``, infinite unless both are finite."""
        if a == b:
            return 0.0
        if not math.isfinite(a - b):
            return math.inf
        return abs(a - b) / max(abs(a), abs(b), self.floor(step) / self.relative)


class Verdict(NamedTuple):
    """Whether the analytic slope agrees, the numerical one, and their relative error.

    At a ``kink`` there is no single slope, and the analytic one lies between those of the two
    sides. ``note`` says what is known about a disagreement.
    """

    ok: bool
    numerical: float
    error: float
    kink: bool = False
    note: str = ""


class Slopes(NamedTuple):
    """Slopes of a curve at 0: of the left and the right side, and central with steps h and h/2.

    The one-sided ones are extrapolated from h and h/2 to a step of 0 (Richardson), so that
    curvature cancels: for a smooth curve ``right - left`` is of order h^3.
    """

    left: float
    right: float
    coarse: float
    fine: float

    @property
    def central(self) -> float:
        """The central slope, extrapolated likewise: off by order h^4 for a smooth curve."""
        return (4 * self.fine - self.coarse) / 3

    @property
    def gap(self) -> float:
        """By how much the curve turns at 0."""
        return abs(self.right - self.left)

    @property
    def steepest(self) -> float:
        """The size of the steeper side's slope."""
        return max(abs(self.left), abs(self.right))

    def are_smooth(self, limit: float) -> bool:
        """Whether they are one slope, from either side and for either step."""
        return self.gap <= limit and abs(self.fine - self.coarse) <= limit


def measure(curve: Curve, h: float) -> Slopes:
    """Return the slopes at 0 that the values at -h, -h/2, h/2 and h show."""
    far_left, left, right, far_right = curve(-h), curve(-h / 2), curve(h / 2), curve(h)
    return Slopes(
        left=(far_left - 4 * left) / h,
        right=(4 * right - far_right) / h,
        coarse=(far_right - far_left) / (2 * h),
        fine=(right - left) / h,
    )


def judge(
    analytic: float, curve: Curve, step: float, tolerance: Tolerance, scale: float | None = None
) -> Verdict:
    """Compare the slope of a curve at 0 with its central difference.

    Where they disagree, the step shrinks until the curve is smooth on its scale: a kink merely near
    the point is out of reach then, and a disagreement that is left is an error. A curve that is
    smooth on no scale has a kink at the point itself, and there the slope must lie between those of
    the two sides.

    Args:
        analytic: the slope to judge.
        curve: phi, with phi(0) = 0.
        step: h to start from.
        tolerance: how far slopes may lie apart.
        scale: what ``tolerance.relative`` refers to, if not to the two slopes themselves.
    """
    numerical = (curve(step) - curve(-step)) / (2 * step)
    limit = tolerance.limit(step, analytic, numerical, scale)
    if analytic == numerical or abs(analytic - numerical) <= limit:
        return Verdict(True, numerical, tolerance.error(step, analytic, numerical))
    if not math.isfinite(analytic):
        return Verdict(False, numerical, math.inf, note="the analytic gradient is not finite")
    slopes = Slopes(math.nan, math.nan, math.nan, math.nan)
    for _ in range(SCALES):
        before, slopes = slopes, measure(curve, step)
        limit = tolerance.limit(step, analytic, slopes.central, scale)
        error = tolerance.error(step, analytic, slopes.central)
        agrees = abs(analytic - slopes.central) <= limit
        if agrees or slopes.are_smooth(limit):
            return Verdict(agrees, slopes.central, error)
        step /= SHRINK
    return _judge_rough(analytic, before, slopes, limit, error)


def _judge_rough(
    analytic: float, before: Slopes, slopes: Slopes, limit: float, error: float
) -> Verdict:
    """Judge a curve that is smooth on no scale, by its slopes on the last two of them."""
    left, right = slopes.left, slopes.right
    note = ""
    if not math.isfinite(slopes.central):
        note = "the difference is not finite"
    elif slopes.steepest > 2 * before.steepest:
        note = "slopes grow as the step shrinks: the function jumps here, or is infinitely steep"
    elif slopes.gap > limit:
        if min(left, right) - limit <= analytic <= max(left, right) + limit:
            return Verdict(True, slopes.central, 0.0, kink=True)
        note = (
            f"a kink, with slopes of {left:.6g} and {right:.6g} on its sides; if several kinks "
            "meet here, such as relu at many zeros, check at random inputs instead"
        )
    return Verdict(False, slopes.central, error, note=note)


class Comparison:
    """The gradient of one tensor, compared along lines through the point.

    Args:
        x: the point.
        gradient: what backward says, in the shape of x.
        change: ``f(y) - f(x)`` for another point y.
        step: h for |x| <= 1.
        tolerance: how far slopes may lie apart.
    """

    def __init__(
        self,
        x: Array,
        gradient: Array,
        change: Callable[[Array], float],
        step: float,
        tolerance: Tolerance,
    ) -> None:
        self.x, self.change, self.step, self.tolerance = x, change, step, tolerance
        self.gradient = np.asarray(gradient, np.float64).reshape(-1)
        size = np.where(np.isfinite(x), np.abs(x), 1.0).reshape(-1)
        self.unit = np.exp2(np.ceil(np.log2(np.maximum(size, 1.0))))  # a power of two >= |x|
        self.verdicts: dict[int, Verdict] = {}
        self.projected = False

    def run(self, max_entries: int, rng: np.random.Generator) -> None:
        """Judge all elements; of more than ``max_entries``, a random choice and projections."""
        if self.x.size <= max_entries:
            chosen = np.arange(self.x.size)
        else:
            chosen = np.sort(rng.choice(self.x.size, max_entries, replace=False))
        verdicts = [self.element(int(i)) for i in chosen]
        if self.x.size > max_entries and all(verdict.ok for verdict in verdicts):
            self.project(rng)

    def element(self, i: int) -> Verdict:
        """Judge one element of the gradient."""
        if i not in self.verdicts:
            direction = np.zeros(self.x.size)
            direction[i] = 1.0
            step = self.step * float(self.unit[i])
            self.verdicts[i] = judge(
                float(self.gradient[i]), self._curve(direction), step, self.tolerance
            )
        return self.verdicts[i]

    def project(self, rng: np.random.Generator) -> None:
        """Move all elements at once in random directions of +-1, in units of their steps.

        Where a slope disagrees, the elements are halved until those at fault are found, as in group
        testing: Dorfman, "The detection of defective members of large populations", 1943. Those at
        a kink are found likewise; if they are right, they no longer move.
        """
        self.projected = True
        for _ in range(PROJECTIONS):
            signs = rng.choice((-1.0, 1.0), self.x.size)
            settled = [i for i, verdict in self.verdicts.items() if verdict.kink]
            groups = [np.setdiff1d(np.arange(self.x.size), settled)]
            while groups:
                group = groups.pop()
                if len(group) == 1:
                    if not self.element(int(group[0])).ok:
                        return
                elif not self._is_right(group, signs):
                    groups += np.array_split(group, 2)

    def _is_right(self, group: Array, signs: Array) -> bool:
        """Whether the slope agrees along the direction that moves a group of elements."""
        direction = np.zeros(self.x.size)
        direction[group] = (signs * self.unit)[group]
        slopes = self.gradient * self.unit
        finite = slopes[np.isfinite(slopes)]
        scale = float(np.linalg.norm(finite)) / math.sqrt(len(slopes))
        slope = float(self.gradient[group] @ direction[group])
        verdict = judge(slope, self._curve(direction), self.step, self.tolerance, scale)
        return verdict.ok and not verdict.kink

    def _curve(self, direction: Array) -> Curve:
        d = direction.reshape(self.x.shape)
        return lambda t: self.change(self.x + t * d)
