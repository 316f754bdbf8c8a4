"""Losses between numbers."""

from __future__ import annotations

import math

from pellucid.autograd import Tensor
from pellucid.autograd import functions as F  # noqa: N812 - the field's name for it
from pellucid.nn.losses.base import Loss, mean_of_outputs
from pellucid.nn.losses.checks import is_number


class MSELoss(Loss):
    """L = mean (prediction - target)^2 over examples and outputs; both ``(N, ...)``.

    Up to constants -ln p of targets with normal noise. Bishop, Pattern Recognition and Machine
    Learning, 2006, section 3.1.1, where the sum is halved instead.

    Raises:
        ShapeError: the shapes differ.

    >>> from pellucid import nn
    >>> float(nn.MSELoss()([1.0, 2.0], [1.0, 4.0]))  # the mean of 0 and 4
    2.0
    """

    def per_example(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean squared difference of each example."""
        return mean_of_outputs(F.square(prediction - target))


class MAELoss(Loss):
    """L = mean |prediction - target| over examples and outputs; both ``(N, ...)``.

    Outliers pull at it less than at the square. The slope at 0 is 0. Boyd and Vandenberghe, Convex
    Optimization, 2004, section 6.1.

    Raises:
        ShapeError: the shapes differ.

    >>> from pellucid import nn
    >>> float(nn.MAELoss()([1.0, 2.0], [1.0, 4.0]))  # the mean of 0 and 2
    1.0
    """

    def per_example(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean absolute difference of each example."""
        return mean_of_outputs(F.abs(prediction - target))


class HuberLoss(Loss):
    """L = mean h(d), d = prediction - target: d^2 / 2 up to |d| = delta, then a straight line.

    h(d) = d^2 / 2 where |d| <= delta, else delta * (|d| - delta / 2). Computed as c * (d - c / 2)
    with c = d held between -delta and delta: nothing overflows. Both are ``(N, ...)``. Huber,
    "Robust estimation of a location parameter", Annals of Mathematical Statistics 1964.

    Args:
        delta: the distance from which on an error counts by its size and no longer by its square.

    Raises:
        ValueError: ``delta`` is no positive number.
        ShapeError: of a call: the shapes differ.

    >>> from pellucid import nn
    >>> float(nn.HuberLoss()([0.5, 10.0], [0.0, 0.0]))  # the mean of 0.125 and 9.5
    4.8125
    """

    def __init__(self, delta: float = 1.0) -> None:
        if not is_number(delta) or not 0 < delta < math.inf:
            raise ValueError(f"HuberLoss: expected delta to be a positive number, got {delta!r}")
        self.delta = float(delta)

    def per_example(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean over outputs of h(d)."""
        d = prediction - target
        c = F.clip(d, -self.delta, self.delta)
        return mean_of_outputs(c * (d - 0.5 * c))


class LogCoshLoss(Loss):
    """L = mean ln cosh d, d = prediction - target: d^2 / 2 near 0, |d| - ln 2 far from it.

    Computed as d + softplus(-2 d) - ln 2, which does not overflow; the slope is tanh d. Both are
    ``(N, ...)``. Green, "Bayesian reconstructions from emission tomography data using a modified EM
    algorithm", IEEE Transactions on Medical Imaging 1990.

    Raises:
        ShapeError: the shapes differ.

    >>> from pellucid import nn
    >>> round(float(nn.LogCoshLoss()([10.0], [0.0])), 3)  # 10 - ln 2
    9.307
    """

    def per_example(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean over outputs of ln cosh d."""
        d = prediction - target
        return mean_of_outputs(d + F.softplus(-2.0 * d) - math.log(2))
