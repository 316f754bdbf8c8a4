"""Margin losses: an answer must not only be right, but right by a margin of 1."""

from __future__ import annotations

import numpy as np

from pellucid.arrays import Array, Shape
from pellucid.autograd import Tensor
from pellucid.autograd import functions as F  # noqa: N812 - the field's name for it
from pellucid.nn.activations import Sigmoid, Softmax
from pellucid.nn.losses.base import Loss, Task, mean_of_outputs
from pellucid.nn.losses.checks import check_classes, check_labels


class HingeLoss(Loss):
    """L = mean max(0, 1 - t s) over examples and outputs, s the prediction, t = -1 or +1.

    Prediction and target are both ``(N, ...)``. Targets are 0 and 1 or -1 and +1: what is above 0
    is a yes, t = +1. The prediction is a score and no probability; a score above 0 is a yes. The
    slope at the margin itself is 0. Cortes and Vapnik, "Support-vector networks", Machine Learning
    1995.

    Raises:
        ShapeError: the shapes differ.
        ValueError: targets are neither all of 0 and 1 nor all of -1 and +1, or the prediction has
            been through sigmoid or softmax.

    >>> from pellucid import nn
    >>> scores, answers = [3.0, 0.5, 1.0, 2.0], [1, 1, -1, 1]
    >>> float(nn.HingeLoss()(scores, answers))  # the mean of 0, 0.5, 2 and 0
    0.625
    """

    task: Task = "binary"

    def check_prediction(self, prediction: Tensor) -> None:
        """Refuse what comes out of sigmoid or softmax: it is never below 0, so never a no."""
        if prediction.op in (Sigmoid.op, Softmax.op):
            raise ValueError(
                f"{type(self).__name__}: expected scores of both signs, got what has been through "
                f"{prediction.op.__name__.lower()}; end the network in no activation, or in Tanh"
            )

    def per_example(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean over outputs of max(0, 1 - t s)."""
        return mean_of_outputs(_shortfall(prediction, target))

    def check(self, shape: Shape, target: Array) -> None:
        """Refuse other shapes and other codes of yes and no."""
        super().check(shape, target)
        if not isinstance(target, np.ndarray):
            return
        yes, no, minus = target == 1, target == 0, target == -1
        if not (yes | no | minus).all() or (no.any() and minus.any()):
            raise ValueError(
                f"{type(self).__name__}: expected targets of 0 and 1, or of -1 and +1, got "
                f"{', '.join(f'{value:g}' for value in np.unique(target)[:5])}; code the two "
                "classes in one of these ways"
            )


class SquaredHingeLoss(HingeLoss):
    """L = mean max(0, 1 - t s)^2 over examples and outputs, s the prediction, t = -1 or +1.

    As `HingeLoss`, but smooth at the margin. Lee and Mangasarian, "SSVM: a smooth support vector
    machine for classification", Computational Optimization and Applications 2001.

    >>> from pellucid import nn
    >>> scores, answers = [3.0, 0.5, 1.0, 2.0], [1, 1, -1, 1]
    >>> float(nn.SquaredHingeLoss()(scores, answers))  # the mean of 0, 0.25, 4 and 0
    1.0625
    """

    def per_example(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean over outputs of max(0, 1 - t s)^2."""
        return mean_of_outputs(F.square(_shortfall(prediction, target)))


class CategoricalHingeLoss(Loss):
    """L = mean over examples of max(0, 1 + max_(j != y) s_j - s_y): the best wrong class must lose.

    Crammer and Singer, "On the algorithmic implementation of multiclass kernel-based vector
    machines", JMLR 2001. PyTorch's MultiMarginLoss is another one: it sums over the wrong classes.

    Args of a call:
        prediction: scores s, ``(N, ..., C)``; the largest is the answer.
        target: class numbers 0 .. C-1, ``(N, ...)`` integers, or one-hot rows ``(N, ..., C)``.

    Raises:
        ShapeError: the shapes do not fit together.
        ValueError: a label is out of range, or a row is not one-hot.

    >>> from pellucid import nn
    >>> scores = [[1.0, 3.0, 2.5], [5.0, 1.0, 1.0]]
    >>> float(nn.CategoricalHingeLoss()(scores, [1, 0]))  # the mean of 0.5 and 0
    0.25
    """

    task: Task = "classification"

    def per_example(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the shortfall of the right class's score before the best of the others."""
        if target.ndim == prediction.ndim:
            target = target.argmax(axis=-1)
        right = target.expand_dims(-1) == np.arange(prediction.shape[-1])  # (N, ..., C)
        best = F.where(right, -np.inf, prediction).max(axis=-1)
        chosen = F.where(right, prediction, 0.0).sum(axis=-1)
        return mean_of_outputs(F.relu(1.0 + best - chosen))

    def check(self, shape: Shape, target: Array) -> None:
        """Refuse labels that are out of range or of the wrong shape, and rows that are mixed."""
        check_classes(type(self).__name__, shape, target)
        if not isinstance(target, np.ndarray):
            return
        if target.shape != shape:
            check_labels(target, shape[-1])
        elif not (((target == 0) | (target == 1)).all() and (target.sum(axis=-1) == 1).all()):
            raise ValueError(
                "CategoricalHingeLoss: expected one-hot rows, each of one 1 and zeros, got others; "
                "pass class numbers, for example y.argmax(axis=-1)"
            )


def _shortfall(prediction: Tensor, target: Tensor) -> Tensor:
    """Return max(0, 1 - t s), t = +1 for a target above 0 and -1 otherwise."""
    t = F.where(target > 0, F.ones_like(prediction), -1.0)
    return F.relu(1.0 - t * prediction)
