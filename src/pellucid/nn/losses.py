"""Losses: one number that training makes small.

A loss is the mean over examples of ``per_example(prediction, target)``. Classification losses take
logits, the numbers before softmax or sigmoid, because only there are they exact: ``train.Model``
hands them the logits of a network that ends in the matching activation, named by ``link``.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, ClassVar

import numpy as np

from pellucid.arrays import Array, Shape
from pellucid.autograd import Tensor, as_tensor
from pellucid.autograd import functions as F  # noqa: N812 - the field's name for it
from pellucid.autograd.apply import floating
from pellucid.errors import ShapeError, unknown
from pellucid.nn.activations import Activation, Linear, Sigmoid, Softmax
from pellucid.nn.module import Module


class Loss(Module):
    """The mean over examples of ``per_example``.

    ``link`` is the activation that turns the prediction this loss takes into what it is about:
    probabilities for the cross-entropies, the value itself for the others. ``task`` names the kind
    of problem: classes, one yes or no an output, or numbers.
    """

    link: ClassVar[type[Activation]] = Linear
    task: ClassVar[str] = "regression"

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """Return the loss, a scalar."""
        prediction, target = floating(as_tensor(prediction)), as_tensor(target)
        if target.dtype.kind == "f":  # a float64 target must not make the training float64
            target = target if target.dtype == prediction.dtype else target.astype(prediction.dtype)
        elif target.dtype.kind == "b":  # as an index True would be a mask, not the number 1
            target = target.astype("int64")
        self.refuse_activated(prediction)
        self.check(prediction.shape, target.data)
        return self.per_example(prediction, target).mean()

    def per_example(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each example, ``(N,)``; each kind of loss defines it."""
        raise TypeError(f"{type(self).__name__} has no per_example(); define it in the class")

    def check(self, shape: Shape, target: Array) -> None:
        """Refuse a target that does not fit a prediction of this shape."""
        if shape != target.shape:
            fix = (
                f"reshape it, for example target.reshape{shape}"
                if target.size == math.prod(shape)
                else "give the network one output for each number of an example's target"
            )
            raise ShapeError(
                f"{type(self).__name__}: expected a target in the prediction's shape {shape}, got "
                f"{target.shape}; {fix}"
            )
        if target.size == 0:
            raise ShapeError(f"{type(self).__name__}: expected at least one example, got none")

    def locate(self, error: ShapeError) -> None:
        """Leave the message as it is: it names the loss already."""

    def refuse_activated(self, prediction: Tensor) -> None:
        """Refuse probabilities where this loss takes logits and turns them into such itself."""
        through = prediction.op
        if self.link.op is None or through not in (Softmax.op, Sigmoid.op):
            return
        fix = (
            "train with train.Model, which hands the loss the logits of nn layers, or pass "
            "network.preactivation(x); in a module of your own leave the activation out"
            if through is self.link.op
            else f"end the network in {self.link.__name__}, or in no activation"
        )
        raise ValueError(
            f"{type(self).__name__} takes logits and applies {self.link.__name__.lower()} itself, "
            f"but the prediction has been through {through.__name__.lower()} already; {fix}"
        )


class MSELoss(Loss):
    """L = mean (prediction - target)^2 over examples and outputs; both ``(N, ...)``."""

    def per_example(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean squared difference of each example."""
        return _mean_of_outputs(F.square(prediction - target))


class MAELoss(Loss):
    """L = mean |prediction - target| over examples and outputs; both ``(N, ...)``."""

    def per_example(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean absolute difference of each example."""
        return _mean_of_outputs(F.abs(prediction - target))


class CrossEntropyLoss(Loss):
    """L = mean over examples of -ln p[y], p = softmax(z): -z[y] + ln sum_j e^(z_j).

    Args of a call:
        prediction: logits z, ``(N, ..., C)``.
        target: class numbers 0 .. C-1, ``(N, ...)`` integers; or one row of class probabilities an
            example, such as one-hot, ``(N, ..., C)``: then L = mean of -sum_j t_j ln p_j.

    Raises:
        ShapeError: the shapes do not fit together.
        ValueError: a label is out of range, a row is none of probabilities, or the prediction has
            been through softmax already.
    """

    link = Softmax
    task = "classification"

    def refuse_activated(self, prediction: Tensor) -> None:
        """Refuse what comes out of softmax, and report what looks like it."""
        super().refuse_activated(prediction)
        z = prediction.data
        if not isinstance(z, np.ndarray) or z.size == 0 or z.ndim < 2 or z.min() < 0:
            return  # logits of a network that has learnt anything are of both signs
        if np.abs(z.sum(axis=-1) - 1).max() < 1e-5:
            warnings.warn(
                "CrossEntropyLoss takes logits and applies softmax itself, but every row of the "
                "prediction is non-negative and sums to 1: has it been through softmax already? "
                "Pass the network's output before softmax",
                UserWarning,
                stacklevel=4,
            )

    def per_example(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return -ln p[y] of each example."""
        if target.ndim == prediction.ndim:
            t = target.astype(prediction.dtype)
            losses = -(t * F.log_softmax(prediction, axis=-1)).sum(-1)
        elif prediction.ndim == 2:
            losses = F.cross_entropy(prediction, target)
        else:
            rows = prediction.reshape(-1, prediction.shape[-1])
            losses = F.cross_entropy(rows, target.reshape(-1)).reshape(target.shape)
        return _mean_of_outputs(losses)

    def check(self, shape: Shape, target: Array) -> None:
        """Refuse labels that are out of range or of the wrong shape."""
        if len(shape) < 2 or shape[-1] < 2:
            raise ShapeError(
                f"CrossEntropyLoss: expected logits of shape (N, classes) with at least 2 classes, "
                f"got {shape}; for one output an example use BCELoss"
            )
        if target.shape not in (shape, shape[:-1]):
            raise ShapeError(
                f"CrossEntropyLoss: expected labels of shape {shape[:-1]} or one-hot rows of shape "
                f"{shape}, got {target.shape}"
            )
        if target.size == 0:
            raise ShapeError("CrossEntropyLoss: expected at least one example, got none")
        if isinstance(target, np.ndarray):
            if target.shape != shape:
                check_labels(target, shape[-1])
            else:
                check_probabilities(target)


class BCELoss(Loss):
    """Binary cross-entropy of logits z: L = mean -(y ln p + (1-y) ln(1-p)), p = sigmoid(z).

    Computed as softplus(z) - z y, which neither overflows nor takes the log of 0. Prediction and
    target are both ``(N, ...)``, targets in [0, 1]; several outputs are independent questions
    (multi-label).

    Raises:
        ShapeError: the shapes differ.
        ValueError: a target is outside [0, 1], or the prediction has been through sigmoid already.
    """

    link = Sigmoid
    task = "binary"

    def per_example(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean over outputs of softplus(z) - z y."""
        return _mean_of_outputs(
            F.softplus(prediction) - prediction * target.astype(prediction.dtype)
        )

    def check(self, shape: Shape, target: Array) -> None:
        """Refuse other shapes and targets outside [0, 1]."""
        super().check(shape, target)
        if isinstance(target, np.ndarray) and not (target.min() >= 0 and target.max() <= 1):
            raise ValueError(
                f"BCELoss: expected targets between 0 and 1, got {target.min()} to {target.max()}; "
                "code the two classes as 0 and 1"
            )


def _mean_of_outputs(losses: Tensor) -> Tensor:
    """Return ``(N,)`` from ``(N, ...)``: the mean over everything but the examples."""
    return losses if losses.ndim <= 1 else losses.mean(axis=tuple(range(1, losses.ndim)))


def check_labels(labels: Array, classes: int) -> None:
    """Refuse labels that are not whole numbers from 0 to classes - 1.

    Raises:
        ValueError: says the first offending label and its place.
    """
    if labels.dtype.kind not in "iub":
        raise ValueError(
            f"expected class labels as integers, got {labels.dtype}; convert them, for example "
            "y.astype(int), or pass one-hot rows"
        )
    # seen as unsigned numbers, negative labels are huge: one comparison finds both kinds
    if labels.size and int(labels.astype(np.uint64).max()) >= classes:
        place = tuple(np.argwhere((labels < 0) | (labels >= classes))[0])
        raise ValueError(
            f"expected labels from 0 to {classes - 1} for {classes} classes, got "
            f"{labels[place]} (example {place[0]}); number the classes from 0, or "
            "give the network more outputs"
        )


def check_probabilities(rows: Array) -> None:
    """Refuse rows of which one holds a negative number, or does not sum to 1.

    Raises:
        ValueError: says the first offending row.
    """
    sums = rows.sum(axis=-1)
    bad = (rows.min(axis=-1) < 0) | ~(np.abs(sums - 1) <= 1e-3)
    if bad.any():
        place = tuple(np.argwhere(bad)[0])
        raise ValueError(
            f"expected one-hot rows, or rows of probabilities that sum to 1, got a row with sum "
            f"{sums[place]:.4g} and smallest number {rows[place].min():.4g} (example {place[0]}); "
            "for several answers that can be right at once use BCELoss"
        )


LOSSES: dict[str, type[Loss]] = {
    "cross_entropy": CrossEntropyLoss,
    "bce": BCELoss,
    "mse": MSELoss,
    "mae": MAELoss,
}


def loss(choice: str | Loss) -> Loss:
    """Return a loss by name, or as given."""
    if isinstance(choice, Loss):
        return choice
    if choice not in LOSSES:
        raise unknown("loss", choice, LOSSES)
    return LOSSES[choice]()
