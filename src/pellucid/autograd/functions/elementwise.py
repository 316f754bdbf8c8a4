"""Functions of each element by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.autograd.functions.operands import pair
from pellucid.autograd.tensor import Tensor, apply, as_tensor
from pellucid.ops import compare, elementwise


def abs(x: Any, /) -> Tensor:
    """Return |x|, with slope 0 at 0.

    >>> import pellucid
    >>> pellucid.abs([-2.0, 3.0])
    Tensor([2., 3.])
    """
    return apply(elementwise.Abs, as_tensor(x))


def sign(x: Any, /) -> Tensor:
    """Return -1, 0 or 1; no gradient passes.

    >>> import pellucid
    >>> pellucid.sign([-2.5, 0.0, 7.0])
    Tensor([-1.,  0.,  1.])
    """
    return apply(compare.Sign, as_tensor(x))


def exp(x: Any, /) -> Tensor:
    """Return e^x.

    >>> import pellucid
    >>> pellucid.exp([0.0, 1.0])
    Tensor([1.    , 2.7183])
    """
    return apply(elementwise.Exp, as_tensor(x))


def expm1(x: Any, /) -> Tensor:
    """Return e^x - 1, exact near 0.

    >>> import pellucid
    >>> x = pellucid.Tensor(1e-10)
    >>> pellucid.exp(x) - 1, pellucid.expm1(x)
    (Tensor(0.), Tensor(1.e-10))
    """
    return apply(elementwise.Expm1, as_tensor(x))


def log(x: Any, /) -> Tensor:
    """Return ln x: minus infinity at 0, NaN below.

    >>> import pellucid
    >>> pellucid.log([1.0, 10.0])
    Tensor([0.    , 2.3026])
    """
    return apply(elementwise.Log, as_tensor(x))


def log1p(x: Any, /) -> Tensor:
    """Return ln(1 + x), exact near 0.

    >>> import pellucid
    >>> x = pellucid.Tensor(1e-10)
    >>> pellucid.log(1 + x), pellucid.log1p(x)
    (Tensor(0.), Tensor(1.e-10))
    """
    return apply(elementwise.Log1p, as_tensor(x))


def sqrt(x: Any, /) -> Tensor:
    """Return the square root, with infinite slope at 0; NaN below 0.

    >>> import pellucid
    >>> pellucid.sqrt([4.0, 9.0])
    Tensor([2., 3.])
    """
    return apply(elementwise.Sqrt, as_tensor(x))


def square(x: Any, /) -> Tensor:
    """Return x^2.

    >>> import pellucid
    >>> pellucid.square([2.0, -3.0])
    Tensor([4., 9.])
    """
    return apply(elementwise.Square, as_tensor(x))


def sin(x: Any, /) -> Tensor:
    """Return sin x, x in radians.

    >>> import numpy as np
    >>> import pellucid
    >>> pellucid.sin([0.0, np.pi / 2])
    Tensor([0., 1.])
    """
    return apply(elementwise.Sin, as_tensor(x))


def cos(x: Any, /) -> Tensor:
    """Return cos x, x in radians.

    >>> import numpy as np
    >>> import pellucid
    >>> pellucid.cos([0.0, np.pi])
    Tensor([ 1., -1.])
    """
    return apply(elementwise.Cos, as_tensor(x))


def tanh(x: Any, /) -> Tensor:
    """Return tanh x = (e^x - e^-x) / (e^x + e^-x), between -1 and 1.

    >>> import pellucid
    >>> pellucid.tanh([-100.0, 0.0, 1.0])
    Tensor([-1.    ,  0.    ,  0.7616])
    """
    return apply(elementwise.Tanh, as_tensor(x))


def floor(x: Any, /) -> Tensor:
    """Return the largest integer <= x; no gradient passes.

    >>> import pellucid
    >>> pellucid.floor([1.5, -1.5])
    Tensor([ 1., -2.])
    """
    return apply(compare.Floor, as_tensor(x))


def ceil(x: Any, /) -> Tensor:
    """Return the smallest integer >= x; no gradient passes.

    >>> import pellucid
    >>> pellucid.ceil([1.5, -1.5])
    Tensor([ 2., -1.])
    """
    return apply(compare.Ceil, as_tensor(x))


def round(x: Any, /) -> Tensor:
    """Return the nearest integer, halves to even; no gradient passes.

    >>> import pellucid
    >>> pellucid.round([0.5, 1.5, 2.4])
    Tensor([0., 2., 2.])
    """
    return apply(compare.Round, as_tensor(x))


def power(a: Any, b: Any, /) -> Tensor:
    """Return a ** b; 0 ** 0 is 1.

    >>> import pellucid
    >>> pellucid.power([2.0, 3.0], [3.0, 2.0])
    Tensor([8., 9.])
    """
    if isinstance(b, int | float | np.number):
        return as_tensor(a).__pow__(b)
    return as_tensor(a) ** b if type(b) is not Tensor or type(a) is Tensor else b.__rpow__(a)


def maximum(a: Any, b: Any, /) -> Tensor:
    """Return the larger of two, element by element; if they are equal, each has half the gradient.

    >>> import pellucid
    >>> pellucid.maximum([1.0, 5.0], [4.0, 2.0])
    Tensor([4., 5.])
    """
    return apply(elementwise.Maximum, *pair(a, b))


def minimum(a: Any, b: Any, /) -> Tensor:
    """Return the smaller of two, element by element; if they are equal, each has half the gradient.

    >>> import pellucid
    >>> pellucid.minimum([1.0, 5.0], 3.0)
    Tensor([1., 3.])
    """
    return apply(elementwise.Minimum, *pair(a, b))


def clip(x: Any, /, min: float | None = None, max: float | None = None) -> Tensor:
    """Return x held between two bounds, of which one may be None; the gradient passes between them.

    Raises:
        TypeError: a bound is no number.

    >>> import pellucid
    >>> pellucid.clip([-3.0, 0.5, 3.0], -1, 1)
    Tensor([-1. ,  0.5,  1. ])
    """
    return as_tensor(x).clip(min, max)


def where(condition: Any, a: Any, b: Any, /) -> Tensor:
    """Return a where the condition holds, b elsewhere; no gradient reaches the one not chosen.

    >>> import pellucid
    >>> pellucid.where([True, False], [1.0, 2.0], [10.0, 20.0])
    Tensor([ 1., 20.])
    """
    return apply(elementwise.Where, as_tensor(condition), *pair(a, b))


def identity(x: Any, /) -> Tensor:
    """Return x as a new tensor of the graph, with a gradient of its own.

    >>> import pellucid
    >>> x = pellucid.Tensor([1.0, 2.0], requires_grad=True)
    >>> copy = pellucid.identity(x)
    >>> copy is x, copy.is_leaf
    (False, False)
    """
    return apply(elementwise.Identity, as_tensor(x))


def isfinite(x: Any, /) -> Tensor:
    """Return whether x is neither NaN nor infinite.

    >>> import pellucid
    >>> pellucid.isfinite([1.0, float("nan"), float("inf")])
    Tensor([ True, False, False], dtype=bool)
    """
    return apply(compare.IsFinite, as_tensor(x))


def isnan(x: Any, /) -> Tensor:
    """Return whether x is NaN.

    >>> import pellucid
    >>> pellucid.isnan([1.0, float("nan"), float("inf")])
    Tensor([False,  True, False], dtype=bool)
    """
    return apply(compare.IsNan, as_tensor(x))


def logical_and(a: Any, b: Any, /) -> Tensor:
    """Return whether both are true, element by element.

    >>> import pellucid
    >>> x = pellucid.Tensor([-1.0, 0.5, 2.0])
    >>> pellucid.logical_and(x > 0, x < 1)
    Tensor([False,  True, False], dtype=bool)
    """
    return apply(compare.LogicalAnd, *pair(a, b))


def logical_or(a: Any, b: Any, /) -> Tensor:
    """Return whether one or both are true, element by element.

    >>> import pellucid
    >>> x = pellucid.Tensor([-1.0, 0.5, 2.0])
    >>> pellucid.logical_or(x < 0, x > 1)
    Tensor([ True, False,  True], dtype=bool)
    """
    return apply(compare.LogicalOr, *pair(a, b))


def logical_not(x: Any, /) -> Tensor:
    """Return whether x is false, element by element.

    >>> import pellucid
    >>> pellucid.logical_not([True, False])
    Tensor([False,  True], dtype=bool)
    """
    return apply(compare.LogicalNot, as_tensor(x))
