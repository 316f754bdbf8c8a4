"""Functions of each element by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.autograd.functions.operands import pair
from pellucid.autograd.tensor import Tensor, apply, as_tensor
from pellucid.ops import compare, elementwise


def abs(x: Any, /) -> Tensor:
    """Return |x|."""
    return apply(elementwise.Abs, as_tensor(x))


def sign(x: Any, /) -> Tensor:
    """Return -1, 0 or 1."""
    return apply(compare.Sign, as_tensor(x))


def exp(x: Any, /) -> Tensor:
    """Return e^x."""
    return apply(elementwise.Exp, as_tensor(x))


def expm1(x: Any, /) -> Tensor:
    """Return e^x - 1, exact near 0."""
    return apply(elementwise.Expm1, as_tensor(x))


def log(x: Any, /) -> Tensor:
    """Return ln x."""
    return apply(elementwise.Log, as_tensor(x))


def log1p(x: Any, /) -> Tensor:
    """Return ln(1 + x), exact near 0."""
    return apply(elementwise.Log1p, as_tensor(x))


def sqrt(x: Any, /) -> Tensor:
    """Return the square root."""
    return apply(elementwise.Sqrt, as_tensor(x))


def square(x: Any, /) -> Tensor:
    """Return x^2."""
    return apply(elementwise.Square, as_tensor(x))


def sin(x: Any, /) -> Tensor:
    """Return sin x."""
    return apply(elementwise.Sin, as_tensor(x))


def cos(x: Any, /) -> Tensor:
    """Return cos x."""
    return apply(elementwise.Cos, as_tensor(x))


def tanh(x: Any, /) -> Tensor:
    """Return tanh x."""
    return apply(elementwise.Tanh, as_tensor(x))


def floor(x: Any, /) -> Tensor:
    """Return the largest integer <= x."""
    return apply(compare.Floor, as_tensor(x))


def ceil(x: Any, /) -> Tensor:
    """Return the smallest integer >= x."""
    return apply(compare.Ceil, as_tensor(x))


def round(x: Any, /) -> Tensor:
    """Return the nearest integer, halves to even."""
    return apply(compare.Round, as_tensor(x))


def power(a: Any, b: Any, /) -> Tensor:
    """Return a ** b."""
    if isinstance(b, int | float | np.number):
        return as_tensor(a).__pow__(b)
    return as_tensor(a) ** b if type(b) is not Tensor or type(a) is Tensor else b.__rpow__(a)


def maximum(a: Any, b: Any, /) -> Tensor:
    """Return the larger of two, element by element."""
    return apply(elementwise.Maximum, *pair(a, b))


def minimum(a: Any, b: Any, /) -> Tensor:
    """Return the smaller of two, element by element."""
    return apply(elementwise.Minimum, *pair(a, b))


def clip(x: Any, /, min: float | None = None, max: float | None = None) -> Tensor:
    """Return x held between two bounds."""
    return as_tensor(x).clip(min, max)


def where(condition: Any, a: Any, b: Any, /) -> Tensor:
    """Return a where the condition holds, b elsewhere; no gradient reaches the one not chosen."""
    return apply(elementwise.Where, as_tensor(condition), *pair(a, b))


def identity(x: Any, /) -> Tensor:
    """Return x as a new tensor of the graph."""
    return apply(elementwise.Identity, as_tensor(x))


def isfinite(x: Any, /) -> Tensor:
    """Return whether x is neither NaN nor infinite."""
    return apply(compare.IsFinite, as_tensor(x))


def isnan(x: Any, /) -> Tensor:
    """Return whether x is NaN."""
    return apply(compare.IsNan, as_tensor(x))


def logical_and(a: Any, b: Any, /) -> Tensor:
    """Return a and b."""
    return apply(compare.LogicalAnd, *pair(a, b))


def logical_or(a: Any, b: Any, /) -> Tensor:
    """Return a or b."""
    return apply(compare.LogicalOr, *pair(a, b))


def logical_not(x: Any, /) -> Tensor:
    """Return not x."""
    return apply(compare.LogicalNot, as_tensor(x))
