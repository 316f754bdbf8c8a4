"""Checks of arguments, so that every function of this folder refuses in the same words."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

Seed: TypeAlias = int | np.random.Generator | None
"""What every random function here takes: a seed, a generator to draw from, or None (unseeded)."""


def whole(value: object, name: str, *, least: int = 1) -> int:
    """Return `value` as an int of at least `least`.

    Raises:
        TypeError: `value` is not an integer (a bool is not one).
        ValueError: `value` is below `least`.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(
            f"{name}: expected an integer of at least {least}, got {value!r}; "
            f"pass a whole number, such as {name}={max(least, 1)}"
        )
    if value < least:
        raise ValueError(
            f"{name}: expected an integer of at least {least}, got {value}; pass a larger one"
        )
    return int(value)


def real(value: object, name: str, *, below: float = math.inf) -> float:
    """Return `value` as a finite float in [0, `below`).

    Raises:
        TypeError: `value` is not a number (a bool is not one).
        ValueError: `value` is NaN, infinite, negative, or not under `below`.
    """
    wanted = "a finite number of at least 0" if below == math.inf else f"a number in [0, {below})"
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name}: expected {wanted}, got {value!r}; pass a number")
    number = float(value)
    if not (math.isfinite(number) and 0.0 <= number < below):
        raise ValueError(f"{name}: expected {wanted}, got {value}; pass one in that range")
    return number
