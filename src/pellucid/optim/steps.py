"""Functions of a step, which may be a number or an array of any backend: schedules use them."""

from __future__ import annotations

import math
from typing import Any

from pellucid.arrays import namespace
from pellucid.optim.checks import is_number


def wave(a: float, b: float, share: Any) -> Any:
    """Return what is half a cosine wave from a to b, at a share of the way."""
    cos = math.cos if is_number(share) else namespace(share).cos
    return b + (a - b) * (1 + cos(math.pi * share)) / 2


def floor(x: Any) -> Any:
    """Return the largest whole number that is at most x."""
    return math.floor(x) if is_number(x) else namespace(x).floor(x)


def log(x: Any) -> Any:
    """Return the natural logarithm."""
    return math.log(x) if is_number(x) else namespace(x).log(x)


def minimum(x: Any, limit: float) -> Any:
    """Return x, or the limit where x is larger."""
    return min(x, limit) if is_number(x) else namespace(x).minimum(x, limit)


def maximum(x: Any, limit: float) -> Any:
    """Return x, or the limit where x is smaller."""
    return max(x, limit) if is_number(x) else namespace(x).maximum(x, limit)


def where(step: Any, condition: Any, a: Any, b: Any) -> Any:
    """Return a where the condition on the step holds, else b; in the step's dtype."""
    if is_number(step):
        return a if condition else b
    zero = 0.0 * step
    return namespace(step).where(condition, a + zero, b + zero)
