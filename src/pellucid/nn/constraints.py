"""Constraints: what weights may not exceed, enforced after every update."""

from __future__ import annotations

import math

from pellucid.arrays import Array, Axis, namespace
from pellucid.calls import Helpful
from pellucid.nn.losses.checks import is_number


class Constraint(Helpful):
    """A projection of a parameter's array onto what is allowed; each kind defines ``__call__``.

    `train.Model` applies it after every update to all weights, or to those that it is given by
    path.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> class NonNegative(nn.Constraint):
    ...     def __call__(self, w):
    ...         return np.maximum(w, 0.0)
    >>> NonNegative()(np.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def __call__(self, w: Array) -> Array:
        """Return the nearest array that is allowed."""
        raise TypeError(f"{type(self).__name__} has no __call__(); define it in the class")


class MaxNorm(Constraint):
    """w <- w * min(1, c / |w|), |w| the length of the weights that lead into one unit.

    A unit's weights that are short enough stay exactly as they are. Srivastava et al., "Dropout: a
    simple way to prevent neural networks from overfitting", JMLR 2014, section 5.1.

    Args:
        limit: the largest length c.
        axis: the axes that a unit's weights lie along; by default all but the last, which is right
            for `Dense` ``(in, out)`` and for convolutions ``(*kernel, in, out)``. A transposed
            convolution ``(*kernel, out, in)`` and an embedding ``(rows, features)`` want others,
            such as (0, 1, 3) and 1: give these constraints by path.

    Raises:
        ValueError: ``limit`` is no positive number.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> w = np.array([[3.0, 0.3], [4.0, 0.4]])  # two units, of length 5 and 0.5
    >>> nn.MaxNorm(1.0)(w).round(2).tolist()
    [[0.6, 0.3], [0.8, 0.4]]
    """

    def __init__(self, limit: float = 3.0, axis: Axis = None) -> None:
        if not is_number(limit) or not 0 < limit < math.inf:
            raise ValueError(f"MaxNorm: expected limit to be a positive number, got {limit!r}")
        self.limit = float(limit)
        self.axis = axis

    def __call__(self, w: Array) -> Array:
        """Return w with the lengths along ``axis`` at most ``limit``."""
        xp = namespace(w)
        axis = tuple(range(max(w.ndim - 1, 1))) if self.axis is None else self.axis
        length = xp.sqrt(xp.sum(w * w, axis=axis, keepdims=True))
        is_long = length > self.limit
        return xp.where(is_long, w * (self.limit / xp.where(is_long, length, 1.0)), w)

    def __repr__(self) -> str:
        return f"MaxNorm({self.limit}{'' if self.axis is None else f', axis={self.axis}'})"
