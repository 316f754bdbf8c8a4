"""Operations that fold axes away. ``axis`` is None (all axes), one axis or several.

Extrema give equal shares of the gradient to elements that tie, as `maximum` does.
"""

from __future__ import annotations

import math

from pellucid.arrays import Array, Axis, Namespace, Shape
from pellucid.ops.op import Gradients, Op


def axes_of(ndim: int, axis: Axis) -> tuple[int, ...]:
    """Return the reduced axes as non-negative numbers."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(a % ndim for a in (axis if isinstance(axis, tuple) else (axis,)))


def kept_shape(shape: Shape, axis: Axis) -> Shape:
    """Return the shape with the reduced axes kept at size 1."""
    reduced = axes_of(len(shape), axis)
    return tuple(1 if a in reduced else n for a, n in enumerate(shape))


def count(shape: Shape, axis: Axis) -> int:
    """Return how many elements are folded into one."""
    return math.prod(shape[a] for a in axes_of(len(shape), axis))


class Sum(Op):
    """out = sum of x over axes;  dx = g, repeated along them."""

    @staticmethod
    def forward(xp: Namespace, x: Array, *, axis: Axis, keepdims: bool) -> Array:
        return xp.sum(x, axis=axis, keepdims=keepdims)

    @staticmethod
    def vjp(
        xp: Namespace, g: Array, out: Array, x: Array, *, axis: Axis, keepdims: bool
    ) -> Gradients:
        return (xp.broadcast_to(xp.reshape(g, kept_shape(x.shape, axis)), x.shape),)


class Mean(Op):
    """out = (1/n) * sum of x over axes of n elements;  dx = g / n, repeated along them."""

    casts = "float"

    @staticmethod
    def forward(xp: Namespace, x: Array, *, axis: Axis, keepdims: bool) -> Array:
        return xp.sum(x, axis=axis, keepdims=keepdims) / count(x.shape, axis)

    @staticmethod
    def vjp(
        xp: Namespace, g: Array, out: Array, x: Array, *, axis: Axis, keepdims: bool
    ) -> Gradients:
        share = xp.reshape(g / count(x.shape, axis), kept_shape(x.shape, axis))
        return (xp.broadcast_to(share, x.shape),)


class Var(Op):
    """out = sum of (x - mean)^2 / (n - ddof);  dx = 2 g (x - mean) / (n - ddof)."""

    casts = "float"

    @staticmethod
    def forward(xp: Namespace, x: Array, *, axis: Axis, keepdims: bool, ddof: int) -> Array:
        n = count(x.shape, axis)
        deviation = x - xp.sum(x, axis=axis, keepdims=True) / n
        return xp.sum(deviation * deviation, axis=axis, keepdims=keepdims) / (n - ddof)

    @staticmethod
    def vjp(
        xp: Namespace, g: Array, out: Array, x: Array, *, axis: Axis, keepdims: bool, ddof: int
    ) -> Gradients:
        n = count(x.shape, axis)
        deviation = x - xp.sum(x, axis=axis, keepdims=True) / n
        return (xp.reshape(2 * g / (n - ddof), kept_shape(x.shape, axis)) * deviation,)


class Extremum(Op):
    """What the largest and the smallest element share."""

    @staticmethod
    def vjp(
        xp: Namespace, g: Array, out: Array, x: Array, *, axis: Axis, keepdims: bool
    ) -> Gradients:
        kept = kept_shape(x.shape, axis)
        chosen = xp.astype(x == xp.reshape(out, kept), g.dtype)
        share = xp.reshape(g, kept) / xp.sum(chosen, axis=axis, keepdims=True)
        return (share * chosen,)


class Max(Extremum):
    """out = the largest element over axes;  dx = g / ties where x = out, else 0."""

    @staticmethod
    def forward(xp: Namespace, x: Array, *, axis: Axis, keepdims: bool) -> Array:
        return xp.max(x, axis=axis, keepdims=keepdims)


class Min(Extremum):
    """out = the smallest element over axes;  dx = g / ties where x = out, else 0."""

    @staticmethod
    def forward(xp: Namespace, x: Array, *, axis: Axis, keepdims: bool) -> Array:
        return xp.min(x, axis=axis, keepdims=keepdims)


class Norm(Op):
    """out = sqrt(sum of x^2 over axes);  dx = g * x / out, and 0 where out is 0."""

    casts = "float"

    @staticmethod
    def forward(xp: Namespace, x: Array, *, axis: Axis, keepdims: bool) -> Array:
        return xp.sqrt(xp.sum(x * x, axis=axis, keepdims=keepdims))

    @staticmethod
    def vjp(
        xp: Namespace, g: Array, out: Array, x: Array, *, axis: Axis, keepdims: bool
    ) -> Gradients:
        kept = kept_shape(x.shape, axis)
        length = xp.reshape(out, kept)
        return (xp.reshape(g, kept) * (x / xp.where(length == 0, 1.0, length)),)


class LogSumExp(Op):
    """out = ln sum e^x over axes = m + ln sum e^(x - m), m the maximum;  dx = g * e^(x - out)."""

    casts = "float"

    @staticmethod
    def forward(xp: Namespace, x: Array, *, axis: Axis, keepdims: bool) -> Array:
        m = xp.max(x, axis=axis, keepdims=True)
        m = xp.where(xp.isfinite(m), m, 0.0)  # all -inf: ln 0 = -inf, not NaN
        total = xp.sum(xp.exp(x - m), axis=axis, keepdims=keepdims)
        return xp.log(total) + (m if keepdims else xp.squeeze(m, axes_of(x.ndim, axis)))

    @staticmethod
    def vjp(
        xp: Namespace, g: Array, out: Array, x: Array, *, axis: Axis, keepdims: bool
    ) -> Gradients:
        kept = kept_shape(x.shape, axis)
        level = xp.reshape(out, kept)
        level = xp.where(xp.isfinite(level), level, 0.0)
        return (xp.reshape(g, kept) * xp.exp(x - level),)


def peak(xp: Namespace, x: Array, axis: int) -> Array:
    """Return the maximum along an axis kept at size 1; of nothing, 0, the sum of nothing."""
    fold = xp.max if math.prod(x.shape) else xp.sum
    return fold(x, axis=axis, keepdims=True)


class Softmax(Op):
    """out = e^x / sum e^x along one axis;  dx = out * (g - sum(g * out)).

    The maximum is subtracted first, so nothing overflows. Bridle, "Probabilistic interpretation of
    feedforward classification network outputs", Neurocomputing 1990.
    """

    casts = "float"

    @staticmethod
    def forward(xp: Namespace, x: Array, *, axis: int) -> Array:
        e = xp.exp(x - peak(xp, x, axis))
        return e / xp.sum(e, axis=axis, keepdims=True)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array, *, axis: int) -> Gradients:
        return (out * (g - xp.sum(g * out, axis=axis, keepdims=True)),)


class LogSoftmax(Op):
    """out = x - ln sum e^x along one axis;  dx = g - e^out * sum(g)."""

    casts = "float"

    @staticmethod
    def forward(xp: Namespace, x: Array, *, axis: int) -> Array:
        shifted = x - peak(xp, x, axis)
        if not math.prod(x.shape):
            return shifted
        return shifted - xp.log(xp.sum(xp.exp(shifted), axis=axis, keepdims=True))

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array, *, axis: int) -> Gradients:
        return (g - xp.exp(out) * xp.sum(g, axis=axis, keepdims=True),)


class CrossEntropy(Op):
    """out[i] = -ln softmax(z[i])[y[i]];  dz = g * (softmax(z) - 1_y).

    Computed as ln sum_j e^z[i, j] - z[i, y[i]]. z is ``(N, C)``, y ``(N,)`` integers, 1_y the
    one-hot row of a label. Nothing overflows, and no probability is rounded to 0 before its
    logarithm is taken.
    """

    @staticmethod
    def forward(xp: Namespace, z: Array, y: Array) -> Array:
        shifted = z - xp.max(z, axis=1, keepdims=True)
        chosen = xp.index(shifted, (xp.arange(z.shape[0]), y))
        return xp.log(xp.sum(xp.exp(shifted), axis=1)) - chosen

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, z: Array, y: Array) -> Gradients:
        rows, classes = z.shape
        hit = xp.reshape(y, (rows, 1)) == xp.arange(classes)
        e = xp.exp(z - xp.max(z, axis=1, keepdims=True))
        p = e / xp.sum(e, axis=1, keepdims=True)
        return xp.reshape(g, (rows, 1)) * (p - xp.astype(hit, z.dtype)), None


class ArgMax(Op):
    """out = the index of the first largest element along an axis, or of the flattened x."""

    differentiable = False

    @staticmethod
    def forward(xp: Namespace, x: Array, *, axis: int | None, keepdims: bool) -> Array:
        return xp.argmax(x, axis=axis, keepdims=keepdims)


class ArgMin(Op):
    """out = the index of the first smallest element along an axis, or of the flattened x."""

    differentiable = False

    @staticmethod
    def forward(xp: Namespace, x: Array, *, axis: int | None, keepdims: bool) -> Array:
        return xp.argmin(x, axis=axis, keepdims=keepdims)


class Any(Op):
    """out = is one element over axes true."""

    differentiable = False

    @staticmethod
    def forward(xp: Namespace, x: Array, *, axis: Axis, keepdims: bool) -> Array:
        return xp.any(x, axis=axis, keepdims=keepdims)


class All(Op):
    """out = are all elements over axes true."""

    differentiable = False

    @staticmethod
    def forward(xp: Namespace, x: Array, *, axis: Axis, keepdims: bool) -> Array:
        return xp.all(x, axis=axis, keepdims=keepdims)
