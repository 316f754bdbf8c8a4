"""`Loss`: what every loss is, the weighted mean over examples."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np

from pellucid.arrays import Array, Shape
from pellucid.autograd import Tensor, as_tensor
from pellucid.autograd.apply import floating
from pellucid.errors import ShapeError
from pellucid.nn.activations import Activation, Linear, Sigmoid, Softmax
from pellucid.nn.losses.checks import check_weights
from pellucid.nn.module import Module

Task: TypeAlias = Literal["classification", "binary", "regression"]


class Loss(Module):
    """L = sum_i w_i L_i / sum_i w_i over examples, L_i = ``per_example``; without weights, w_i = 1.

    So a weight of 2 is the same as the example twice, and a weight of 0 the same as leaving it out.
    This is scikit-learn's mean, and Keras' reduction "mean_with_sample_weight"; Keras' default
    divides by the number of examples, whatever their weights.

    ``link`` is the activation that turns the prediction this loss takes into what it is about, and
    ``probabilistic`` says whether that are probabilities. ``task`` names the kind of problem: one
    of several classes, one yes or no an output, or numbers. A yes-or-no prediction above
    ``threshold`` is a yes.

    >>> from pellucid import nn
    >>> class QuarticLoss(nn.Loss):
    ...     def per_example(self, prediction, target):
    ...         return ((prediction - target) ** 4).mean(-1)
    >>> loss = QuarticLoss()
    >>> float(loss([[1.0], [2.0]], [[0.0], [0.0]]))  # the mean of 1 and 16
    8.5
    >>> float(loss([[1.0], [2.0]], [[0.0], [0.0]], sample_weight=[4.0, 1.0]))
    4.0
    """

    link: type[Activation] = Linear
    task: Task = "regression"
    probabilistic: bool = False
    threshold: float = 0.0

    def forward(self, prediction: Any, target: Any, sample_weight: Any = None) -> Tensor:
        """Return the loss, a scalar.

        Args:
            prediction: ``(N, ...)``.
            target: what each kind of loss says.
            sample_weight: one number of at least 0 an example, ``(N,)``, not all of them 0.

        Raises:
            ShapeError: the shapes do not fit together, or there is no example.
            ValueError: what the loss takes is something else, or weights are negative or all 0.
        """
        prediction, target = floating(as_tensor(prediction)), as_tensor(target)
        if target.dtype.kind == "f":  # a float64 target must not make the training float64
            target = target if target.dtype == prediction.dtype else target.astype(prediction.dtype)
        elif target.dtype.kind == "b":  # as an index True would be a mask, not the number 1
            target = target.astype("int64")
        self.check_prediction(prediction)
        self.check(prediction.shape, target.data)
        losses = self.per_example(prediction, target)  # (N,)
        if losses.shape != prediction.shape[:1]:  # weights would be broadcast against it
            raise ShapeError(
                f"{type(self).__name__}.per_example: expected one loss an example, shape "
                f"{prediction.shape[:1]}, got {losses.shape}; average over the outputs alone, for "
                "example .mean(-1)"
            )
        weights = self.example_weight(prediction, target)
        if sample_weight is not None:
            given = as_tensor(sample_weight).astype(prediction.dtype)
            check_weights(given.data, losses.shape[0])
            losses = losses * given
            weights = given if weights is None else weights * given
        return losses.mean() if weights is None else losses.sum() / weights.sum()

    def per_example(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each example, ``(N,)``; each kind of loss defines it."""
        raise TypeError(f"{type(self).__name__} has no per_example(); define it in the class")

    def example_weight(self, prediction: Tensor, target: Any) -> Tensor | None:
        """Return the weight that ``per_example`` has multiplied each example by, ``(N,)``, if any.

        Class weights are such: they stand in front of the losses, and the mean divides by them.
        """
        return None

    def total_weight(self, prediction: Tensor, target: Array, sample_weight: Any = None) -> float:
        """Return the sum of weights that the mean divided by: what this batch counts in a whole.

        The loss of several batches together is the mean of theirs, weighted by these sums.
        """
        own = self.example_weight(prediction, target)
        if own is None:
            return float(len(target) if sample_weight is None else np.sum(sample_weight))
        return float(np.sum(own.data if sample_weight is None else own.data * sample_weight))

    def check(self, shape: Shape, target: Array) -> None:
        """Refuse a target that does not fit a prediction of this shape."""
        if shape != target.shape:
            raise ShapeError(
                f"{type(self).__name__}: expected a target in the prediction's shape {shape}, got "
                f"{target.shape}; {_fit(shape, target.shape)}"
            )
        if target.size == 0:
            raise ShapeError(f"{type(self).__name__}: expected at least one example, got none")

    def locate(self, error: ShapeError) -> None:
        """Leave the message as it is: it names the loss already."""

    def check_prediction(self, prediction: Tensor) -> None:
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


def _fit(shape: Shape, target: Shape) -> str:
    """Return what probably makes a target of one shape fit a prediction of another."""
    if math.prod(shape) == math.prod(target):
        broadcast = " (subtracting them as they are would give a table of all pairs)"
        pairs = broadcast if {shape, target} == {shape[:1], (*shape[:1], 1)} else ""
        return f"reshape it, for example target.reshape{shape}{pairs}"
    if target == shape[:-1]:
        return (
            f"if it holds class numbers use CrossEntropyLoss, or pass one-hot rows of shape "
            f"{shape}; if it holds one number an example let the network end in one output"
        )
    fix = "give the network one output for each number of an example's target"
    same_rows = len(shape) == len(target) == 2 and shape[0] == target[0]
    return f"{fix}, here {target[1]}" if same_rows else fix


def mean_of_outputs(losses: Tensor) -> Tensor:
    """Return ``(N,)`` from ``(N, ...)``: the mean over everything but the examples."""
    return losses if losses.ndim <= 1 else losses.mean(axis=tuple(range(1, losses.ndim)))
