"""Losses between probabilities: cross-entropies and the Kullback-Leibler divergence."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.arrays import Array, Shape
from pellucid.autograd import Tensor, as_tensor
from pellucid.autograd import functions as F  # noqa: N812 - the field's name for it
from pellucid.errors import ShapeError
from pellucid.nn.activations import Activation, Linear, Sigmoid, Softmax
from pellucid.nn.losses.base import Loss, Task, mean_of_outputs
from pellucid.nn.losses.checks import (
    check_classes,
    check_labels,
    check_probabilities,
    check_weights,
    is_number,
)

EPSILON = 1e-7  # probabilities are held between this and 1 - this before their logarithm is taken


class CrossEntropyLoss(Loss):
    """L = mean over examples of -ln p[y], p = softmax(z): -z[y] + ln sum_j e^(z_j).

    With label smoothing e and class weights c, for a row of target probabilities t (1 at y, 0
    elsewhere, for a label y):

        L = sum_i sum_j c_j q_ij (-ln p_ij) / sum_i sum_j c_j t_ij,   q = (1 - e) t + e / C

    For labels this is PyTorch's cross_entropy. For rows of probabilities PyTorch divides by the
    number of examples even with class weights; here one-hot rows and labels mean the same. Bishop,
    Pattern Recognition and Machine Learning, 2006, section 4.3.4; label smoothing: Szegedy et al.,
    "Rethinking the Inception architecture", CVPR 2016.

    Args:
        label_smoothing: the share e of the target that is spread over all classes, in [0, 1).
        class_weight: one number of at least 0 a class.
        from_logits: False if the prediction holds probabilities. They are held between 1e-7 and
            1 - 1e-7, so that no loss is infinite; beyond these bounds the slope is 0.

    Args of a call:
        prediction: logits z, ``(N, ..., C)``.
        target: class numbers 0 .. C-1, ``(N, ...)`` integers; or one row of class probabilities an
            example, such as one-hot, ``(N, ..., C)``: then L = mean of -sum_j t_j ln p_j.

    Raises:
        ShapeError: the shapes do not fit together.
        ValueError: a label is out of range, a row is none of probabilities, or the prediction has
            been through softmax already.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> logits = np.log([[1.0, 2.0, 5.0]])  # softmax makes 1/8, 2/8 and 5/8 of them
    >>> round(float(nn.CrossEntropyLoss()(logits, [1])), 3)  # -ln 1/4
    1.386
    >>> round(float(nn.CrossEntropyLoss()(logits, [[0.0, 0.5, 0.5]])), 3)
    0.928
    """

    link: type[Activation] = Softmax
    task: Task = "classification"
    probabilistic = True

    def __init__(
        self,
        label_smoothing: float = 0.0,
        class_weight: Sequence[float] | Array | None = None,
        from_logits: bool = True,
    ) -> None:
        if not is_number(label_smoothing) or not 0 <= label_smoothing < 1:
            raise ValueError(
                "CrossEntropyLoss: expected label_smoothing of at least 0 and below 1, got "
                f"{label_smoothing!r}; try 0.1"
            )
        self.label_smoothing = float(label_smoothing)
        self.class_weight = None if class_weight is None else _class_weights(class_weight)
        self.from_logits = from_logits
        if not from_logits:
            self.link = Linear

    def check_prediction(self, prediction: Tensor) -> None:
        """Refuse what comes out of softmax, or is no probability, as the case may be."""
        super().check_prediction(prediction)
        z = prediction.data
        if not isinstance(z, np.ndarray) or z.size == 0 or z.ndim < 2:
            return
        if not self.from_logits:
            if np.isfinite(z).all():  # what is not is reported as a loss that is not
                check_probabilities(z, "end the network in Softmax, or leave from_logits True")
        elif z.min() >= 0 and np.abs(z.sum(axis=-1) - 1).max() < 1e-5:
            warnings.warn(
                "CrossEntropyLoss takes logits and applies softmax itself, but every row of the "
                "prediction is non-negative and sums to 1: has it been through softmax already? "
                "Pass the network's output before softmax",
                UserWarning,
                stacklevel=4,
            )

    def per_example(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return -sum_j c_j q_j ln p_j of each example, which is -ln p[y] for plain labels."""
        smoothing, weights = self.label_smoothing, self.class_weight
        if target.ndim < prediction.ndim and self.from_logits and not smoothing and weights is None:
            return mean_of_outputs(_cross_entropy_of_labels(prediction, target))
        q = _rows(target, prediction)
        if smoothing:
            q = (1 - smoothing) * q + smoothing / prediction.shape[-1]
        if weights is not None:
            q = q * weights
        log_p = (
            F.log_softmax(prediction, axis=-1)
            if self.from_logits
            else F.log(F.clip(prediction, EPSILON, 1 - EPSILON))
        )
        return mean_of_outputs(-(q * log_p).sum(-1))

    def example_weight(self, prediction: Tensor, target: Any) -> Tensor | None:
        """Return sum_j c_j t_j of each example, which is c[y] for labels."""
        if self.class_weight is None:
            return None
        return mean_of_outputs((_rows(as_tensor(target), prediction) * self.class_weight).sum(-1))

    def check(self, shape: Shape, target: Array) -> None:
        """Refuse labels that are out of range or of the wrong shape."""
        check_classes(type(self).__name__, shape, target)
        if self.class_weight is not None and len(self.class_weight) != shape[-1]:
            raise ShapeError(
                f"{type(self).__name__}: expected a class weight for each of the {shape[-1]} "
                f"classes, got {len(self.class_weight)}"
            )
        if isinstance(target, np.ndarray):
            if target.shape != shape:
                check_labels(target, shape[-1])
            else:
                check_probabilities(target)


class BCELoss(Loss):
    """Binary cross-entropy of logits z: L = mean -(y ln p + (1-y) ln(1-p)), p = sigmoid(z).

    Computed as softplus(z) - z y, which neither overflows nor takes the log of 0. Prediction and
    target are both ``(N, ...)``, targets in [0, 1]; several outputs are independent questions
    (multi-label). Bishop, Pattern Recognition and Machine Learning, 2006, section 4.3.2.

    Args:
        from_logits: False if the prediction holds the probabilities p. They are held between 1e-7
            and 1 - 1e-7, so that no loss is infinite; beyond these bounds the slope is 0.

    Raises:
        ShapeError: the shapes differ.
        ValueError: a target is outside [0, 1], the prediction has been through sigmoid already, or
            is no probability where it should be one.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> logits = [[0.0], [np.log(3)]]  # sigmoid makes 1/2 and 3/4 of them
    >>> round(float(nn.BCELoss()(logits, [[1], [1]])), 3)  # -(ln 1/2 + ln 3/4) / 2
    0.49
    >>> round(float(nn.BCELoss(from_logits=False)([[0.5], [0.75]], [[1], [1]])), 3)
    0.49
    """

    link: type[Activation] = Sigmoid
    task: Task = "binary"
    probabilistic = True

    def __init__(self, from_logits: bool = True) -> None:
        self.from_logits = from_logits
        if not from_logits:
            self.link, self.threshold = Linear, 0.5

    def check_prediction(self, prediction: Tensor) -> None:
        """Refuse what comes out of sigmoid, or is no probability, as the case may be."""
        super().check_prediction(prediction)
        p = prediction.data
        if self.from_logits or not isinstance(p, np.ndarray) or p.size == 0:
            return
        if p.min() < 0 or p.max() > 1:
            raise ValueError(
                f"{type(self).__name__}: expected probabilities between 0 and 1, got {p.min():.4g} "
                f"to {p.max():.4g}; end the network in Sigmoid, or leave from_logits True"
            )

    def per_example(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean over outputs of -(y ln p + (1-y) ln(1-p))."""
        y = target.astype(prediction.dtype)
        if self.from_logits:
            return mean_of_outputs(F.softplus(prediction) - prediction * y)
        p = F.clip(prediction, EPSILON, 1 - EPSILON)
        return mean_of_outputs(-(y * F.log(p) + (1 - y) * F.log(1 - p)))

    def check(self, shape: Shape, target: Array) -> None:
        """Refuse other shapes and targets outside [0, 1]."""
        super().check(shape, target)
        if isinstance(target, np.ndarray) and not (target.min() >= 0 and target.max() <= 1):
            low, high = target.min(), target.max()
            more = (
                ", for example (y + 1) / 2"
                if (low, high) == (-1, 1)
                else "; for more classes use CrossEntropyLoss and one output a class"
                if high > 1
                else ""
            )
            raise ValueError(
                f"{type(self).__name__}: expected targets between 0 and 1, got {low} to {high}; "
                f"code the two classes as 0 and 1{more}"
            )


class KLDivergenceLoss(Loss):
    """L = mean over examples of sum_j t_j (ln t_j - ln p_j), p = softmax(z), with 0 ln 0 = 0.

    How far the predicted distribution is from the target one; 0 if they agree. The gradient by z is
    that of the cross-entropy. Log-probabilities may stand for z, since softmax(ln p) = p: so this
    is PyTorch's kl_div(ln p, t, reduction="batchmean"). Kullback and Leibler, "On information and
    sufficiency", Annals of Mathematical Statistics 1951.

    Args of a call:
        prediction: logits or log-probabilities z, ``(N, ..., C)``.
        target: one row of probabilities an example, ``(N, ..., C)``.

    Raises:
        ShapeError: the shapes differ.
        ValueError: a row is none of probabilities, or the prediction has been through softmax.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> target = [[0.5, 0.5]]
    >>> logits = np.log([[1.0, 3.0]])  # softmax makes 1/4 and 3/4 of them
    >>> round(float(nn.KLDivergenceLoss()(logits, target)), 3)  # (ln 2 + ln 2/3) / 2
    0.144
    """

    link: type[Activation] = Softmax
    task: Task = "classification"
    probabilistic = True

    def per_example(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return sum_j t_j (ln t_j - ln p_j) of each example."""
        t = target.astype(prediction.dtype)
        log_t = F.log(F.where(t > 0, t, 1.0))
        return mean_of_outputs((t * (log_t - F.log_softmax(prediction, axis=-1))).sum(-1))

    def check(self, shape: Shape, target: Array) -> None:
        """Refuse targets that are no rows of probabilities, such as labels."""
        if target.shape == shape[:-1]:
            raise ShapeError(
                f"KLDivergenceLoss: expected a row of probabilities an example, shape {shape}, got "
                f"{target.shape}; for class labels use CrossEntropyLoss"
            )
        check_classes(type(self).__name__, shape, target)
        if isinstance(target, np.ndarray):
            check_probabilities(target)


def _cross_entropy_of_labels(z: Tensor, y: Tensor) -> Tensor:
    """Return -ln softmax(z)[y] in the shape of y."""
    if z.ndim == 2:
        return F.cross_entropy(z, y)
    return F.cross_entropy(z.reshape(-1, z.shape[-1]), y.reshape(-1)).reshape(y.shape)


def _rows(target: Tensor, prediction: Tensor) -> Tensor:
    """Return the target as rows ``(N, ..., C)`` in the prediction's dtype; labels as one-hot."""
    if target.ndim < prediction.ndim:
        target = target.expand_dims(-1) == np.arange(prediction.shape[-1])
    return target.astype(prediction.dtype)


def _class_weights(weights: Any) -> Array:
    array = np.asarray(weights.data if isinstance(weights, Tensor) else weights)
    if array.dtype.kind not in "fiu" or array.ndim != 1:
        raise ValueError(
            f"CrossEntropyLoss: expected class_weight as a row of one number a class, got "
            f"{weights!r:.80}; to weigh labels by name pass class_weight to Model.fit"
        )
    check_weights(array, len(array), "class_weight")
    return array.astype(np.float64)
