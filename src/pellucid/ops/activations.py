"""Activations that are not among the plain functions of `pellucid.ops.elementwise`."""

from __future__ import annotations

from math import pi, sqrt

from pellucid.arrays import Array, Namespace
from pellucid.ops.elementwise import Float
from pellucid.ops.op import Gradients


class Elu(Float):
    """out = x where x > 0, else alpha * (e^x - 1);  dx = g where x > 0, else g * (out + alpha).

    Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential
    linear units (ELUs)", ICLR 2016.
    """

    @staticmethod
    def forward(xp: Namespace, x: Array, *, alpha: float) -> Array:
        return xp.where(x > 0, x, alpha * xp.expm1(xp.minimum(x, 0.0)))

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array, *, alpha: float) -> Gradients:
        return (g * xp.where(x > 0, 1.0, out + alpha),)


class Silu(Float):
    """out = x * s, s = 1 / (1 + e^-x);  dx = g * (s + out * (1 - s)).

    Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning", Neural Networks 107, 2018.
    """

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return x * logistic(xp, x)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array) -> Gradients:
        s = logistic(xp, x)
        return (g * (s + out * (1 - s)),)


def logistic(xp: Namespace, x: Array) -> Array:
    """Return 1 / (1 + e^-x) without overflow, with all derivatives right at 0 too."""
    below = x < 0
    e = xp.exp(xp.where(below, x, -x))
    return xp.where(below, e, 1.0) / (1 + e)


class Gelu(Float):
    """out = x * P, P = (1 + erf(x / sqrt 2)) / 2;  dx = g * (P + x * e^(-x^2 / 2) / sqrt(2 pi)).

    P is the share of a standard normal distribution that lies below x. Hendrycks and Gimpel,
    "Gaussian error linear units (GELUs)", arXiv 1606.08415, 2016.
    """

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return x * (0.5 * (1 + xp.erf(sqrt(0.5) * x)))

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array) -> Gradients:
        share = 0.5 * (1 + xp.erf(sqrt(0.5) * x))
        density = sqrt(0.5 / pi) * xp.exp(-0.5 * x * x)
        return (g * (share + x * density),)


class GeluTanh(Float):
    """out = x * (1 + t) / 2, t = tanh u, u = a (x + b x^3);  dx = g * (1 + t + x (1 - t^2) u') / 2.

    a = sqrt(2 / pi), b = 0.044715, u' = a (1 + 3 b x^2): the approximation of `Gelu` that its paper
    gives; it differs from it by less than 0.0005.
    """

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return 0.5 * x * (1 + xp.tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x)))

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array) -> Gradients:
        t = xp.tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x))
        slope = sqrt(2 / pi) * (1 + 3 * 0.044715 * x * x)
        return (g * (0.5 * (1 + t + x * (1 - t * t) * slope)),)
