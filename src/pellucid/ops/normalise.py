"""Normalising: values brought to a common size over some axes. One formula serves all its layers.

Each rule is the derivative in closed form. The parts of it along a constant vector and along the
result itself are taken out: moving x along those changes nothing, up to eps.
"""

from __future__ import annotations

from pellucid.arrays import Array, Axis, Namespace
from pellucid.ops.op import Gradients, Op
from pellucid.ops.reduce import count


def moments(xp: Namespace, x: Array, axis: Axis) -> tuple[Array, Array]:
    """Return mean and variance (squared deviations divided by n) over axes kept at size 1."""
    n = count(x.shape, axis)
    mean = xp.sum(x, axis=axis, keepdims=True) / n
    deviation = x - mean
    return mean, xp.sum(deviation * deviation, axis=axis, keepdims=True) / n


class Standardise(Op):
    """out = (x - mean) / s, s = sqrt(var + eps), over axes.

    dx = (g - mean(g) - out * mean(g * out)) / s. The variance is that of the values at hand, their
    squared deviations divided by their number; eps keeps constant values from a division by 0.

    Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal
    covariate shift", ICML 2015.
    """

    casts = "float"

    @staticmethod
    def forward(xp: Namespace, x: Array, *, axis: Axis, eps: float) -> Array:
        mean, var = moments(xp, x, axis)
        return (x - mean) / xp.sqrt(var + eps)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array, *, axis: Axis, eps: float) -> Gradients:
        n = count(x.shape, axis)
        _, var = moments(xp, x, axis)
        along = xp.sum(g * out, axis=axis, keepdims=True) / n
        common = xp.sum(g, axis=axis, keepdims=True) / n
        return ((g - common - out * along) / xp.sqrt(var + eps),)


class RmsNormalise(Op):
    """out = x / r, r = sqrt(mean(x^2) + eps), over axes;  dx = (g - out * mean(g * out)) / r.

    Zhang and Sennrich, "Root mean square layer normalization", NeurIPS 2019.
    """

    casts = "float"

    @staticmethod
    def forward(xp: Namespace, x: Array, *, axis: Axis, eps: float) -> Array:
        mean = xp.sum(x * x, axis=axis, keepdims=True) / count(x.shape, axis)
        return x / xp.sqrt(mean + eps)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array, *, axis: Axis, eps: float) -> Gradients:
        n = count(x.shape, axis)
        r = xp.sqrt(xp.sum(x * x, axis=axis, keepdims=True) / n + eps)
        along = xp.sum(g * out, axis=axis, keepdims=True) / n
        return ((g - out * along) / r,)
