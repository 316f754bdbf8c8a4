"""Samples of every loss: predictions, targets, the textbook's formula, and PyTorch's loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import nn

RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Sample:
    """A prediction, a target, what the loss is of each example, and the same loss in PyTorch.

    ``oracle(z, y)`` returns ``(N,)`` from float64 arrays by the textbook's formula, without any
    care for overflow; ``torch(torch, z, y)`` a scalar. ``weight(z, y)`` returns what the oracle has
    multiplied each example by, ``(N,)``, where that is not 1.
    """

    label: str
    prediction: np.ndarray
    target: np.ndarray
    oracle: Callable[[np.ndarray, np.ndarray], np.ndarray]
    torch: Callable[[Any, Any, Any], Any]
    weight: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda z, y: np.ones(len(z))

    def exact(self) -> float:
        """Return the loss of all examples by the oracle."""
        total = self.oracle(self.prediction, self.target).sum()
        return float(total / self.weight(self.prediction, self.target).sum())


CLASS_WEIGHT = (0.5, 2.0, 1.0, 0.25)
SMOOTHING = 0.2


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


def labels(classes: int, *shape: int) -> np.ndarray:
    return RNG.integers(classes, size=shape)


def soft(*shape: int) -> np.ndarray:
    """Return rows of probabilities."""
    t = RNG.uniform(size=shape)
    return t / t.sum(-1, keepdims=True)


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum(-1, keepdims=True)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def by_example(losses: np.ndarray) -> np.ndarray:
    """Return the mean over everything but the first axis."""
    return losses.reshape(len(losses), -1).mean(axis=1)


def of_labels(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    p = np.take_along_axis(softmax(z), y[..., None], -1)[..., 0]
    return by_example(-np.log(p))


def of_soft(z: np.ndarray, t: np.ndarray) -> np.ndarray:
    return by_example(-(t * np.log(softmax(z))).sum(-1))


def of_answers(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    p = sigmoid(z)
    return by_example(-(y * np.log(p) + (1 - y) * np.log(1 - p)))


def squared(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    return by_example((z - y) ** 2)


def absolute(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    return by_example(np.abs(z - y))


def huber(delta: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    def oracle(z: np.ndarray, y: np.ndarray) -> np.ndarray:
        d = np.abs(z - y)
        return by_example(np.where(d <= delta, d**2 / 2, delta * (d - delta / 2)))

    return oracle


def log_cosh(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    return by_example(np.log(np.cosh(z - y)))


def hinge(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    return by_example(np.maximum(0, 1 - np.where(y > 0, 1, -1) * z))


def squared_hinge(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    return by_example(np.maximum(0, 1 - np.where(y > 0, 1, -1) * z) ** 2)


def categorical_hinge(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Crammer and Singer, class by class."""
    right = np.eye(z.shape[-1], dtype=bool)[y] if y.ndim < z.ndim else y == 1
    best = np.where(right, -np.inf, z).max(-1)
    return by_example(np.maximum(0, 1 + best - z[right].reshape(best.shape)))


def divergence(z: np.ndarray, t: np.ndarray) -> np.ndarray:
    """0 ln 0 = 0."""
    ratio = np.where(t > 0, t, 1) / np.where(t > 0, softmax(z), 1)
    return by_example((t * np.log(ratio)).sum(-1))


def one_hot(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.eye(z.shape[-1])[y] if y.ndim < z.ndim else y


def smoothed(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    return of_soft(z, (1 - SMOOTHING) * one_hot(z, y) + SMOOTHING / z.shape[-1])


def class_weighted(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    return of_soft(z, one_hot(z, y) * CLASS_WEIGHT)


def smoothed_and_weighted(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    t = (1 - SMOOTHING) * one_hot(z, y) + SMOOTHING / z.shape[-1]
    return of_soft(z, t * CLASS_WEIGHT)


def class_weight(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    return by_example((one_hot(z, y) * CLASS_WEIGHT).sum(-1))


def torch_huber(delta: float) -> Callable[..., Any]:
    return lambda torch, z, y: torch.nn.functional.huber_loss(z, y.to(z.dtype), delta=delta)


def torch_log_cosh(torch: Any, z: Any, y: Any) -> Any:
    return torch.log(torch.cosh(z - y)).mean()


def torch_hinge(torch: Any, z: Any, y: Any) -> Any:
    return torch.relu(1 - torch.where(y > 0, 1.0, -1.0).to(z.dtype) * z).mean()


def torch_squared_hinge(torch: Any, z: Any, y: Any) -> Any:
    return (torch.relu(1 - torch.where(y > 0, 1.0, -1.0).to(z.dtype) * z) ** 2).mean()


def torch_categorical_hinge(torch: Any, z: Any, y: Any) -> Any:
    if y.ndim < z.ndim:
        y = torch.nn.functional.one_hot(y, z.shape[-1])
    best = z.masked_fill(y == 1, -torch.inf).max(-1).values
    return torch.relu(1 + best - (z * y).sum(-1)).mean()


def torch_kl(torch: Any, z: Any, t: Any) -> Any:
    """PyTorch's "batchmean" divides by the examples, not by the places of a sequence."""
    total = torch.nn.functional.kl_div(torch.log_softmax(z, -1), t, reduction="sum")
    return total / (t.numel() / t.shape[-1])


def torch_options(**options: Any) -> Callable[..., Any]:
    """Return PyTorch's cross-entropy; one-hot rows as labels, for which it divides by weights."""

    def loss(torch: Any, z: Any, y: Any) -> Any:
        if "weight" in options:
            y = y.argmax(-1) if y.ndim == z.ndim else y
            options["weight"] = torch.tensor(CLASS_WEIGHT, dtype=z.dtype)
        if z.ndim > 2:
            z, y = z.movedim(-1, 1), y.movedim(-1, 1) if y.ndim == z.ndim else y
        return torch.nn.functional.cross_entropy(z, y, **options)

    return loss


def torch_ce(torch: Any, z: Any, y: Any) -> Any:
    """PyTorch has the classes on axis 1."""
    if z.ndim > 2:
        z, y = z.movedim(-1, 1), y.movedim(-1, 1) if y.ndim == z.ndim else y
    return torch.nn.functional.cross_entropy(z, y)


def torch_bce(torch: Any, z: Any, y: Any) -> Any:
    return torch.nn.functional.binary_cross_entropy_with_logits(z, y.to(z.dtype))


def torch_mse(torch: Any, z: Any, y: Any) -> Any:
    return torch.nn.functional.mse_loss(z, y.to(z.dtype))


def torch_mae(torch: Any, z: Any, y: Any) -> Any:
    return torch.nn.functional.l1_loss(z, y.to(z.dtype))


def numbers(oracle: Callable[..., np.ndarray], torch: Callable[..., Any]) -> list[Sample]:
    """Return the samples of a loss between numbers."""
    return [
        Sample(str(shape), normal(*shape), normal(*shape), oracle, torch)
        for shape in [(5,), (5, 1), (5, 3), (4, 2, 3), (1, 1)]
    ] + [Sample("whole", normal(5, 2), labels(4, 5, 2), oracle, torch)]


SAMPLES: dict[str, list[Sample]] = {
    "cross_entropy": [
        Sample("labels", normal(6, 4), labels(4, 6), of_labels, torch_ce),
        Sample("two classes", normal(5, 2), labels(2, 5), of_labels, torch_ce),
        Sample("one example", normal(1, 3), labels(3, 1), of_labels, torch_ce),
        Sample("one-hot", normal(6, 4), np.eye(4)[labels(4, 6)], of_soft, torch_ce),
        Sample("soft", normal(6, 4), soft(6, 4), of_soft, torch_ce),
        Sample("sequence", normal(3, 5, 4), labels(4, 3, 5), of_labels, torch_ce),
        Sample("soft sequence", normal(3, 5, 4), soft(3, 5, 4), of_soft, torch_ce),
        Sample("square", normal(4, 4), labels(4, 4), of_labels, torch_ce),
    ],
    "bce": [
        Sample("answers", normal(6, 1), labels(2, 6, 1), of_answers, torch_bce),
        Sample("flat", normal(6), labels(2, 6), of_answers, torch_bce),
        Sample("multi-label", normal(5, 3), labels(2, 5, 3), of_answers, torch_bce),
        Sample("probabilities", normal(5, 3), RNG.uniform(size=(5, 3)), of_answers, torch_bce),
        Sample("sequence", normal(2, 4, 3), labels(2, 2, 4, 3), of_answers, torch_bce),
    ],
    "kl": [
        Sample("one-hot", normal(6, 4), np.eye(4)[labels(4, 6)], divergence, torch_kl),
        Sample("soft", normal(6, 4), soft(6, 4), divergence, torch_kl),
        Sample("one example", normal(1, 3), soft(1, 3), divergence, torch_kl),
        Sample("soft sequence", normal(3, 5, 4), soft(3, 5, 4), divergence, torch_kl),
    ],
    "hinge": [
        Sample("0 and 1", normal(6, 1), labels(2, 6, 1), hinge, torch_hinge),
        Sample("-1 and +1", normal(6, 1), 2 * labels(2, 6, 1) - 1, hinge, torch_hinge),
        Sample("flat", normal(6), labels(2, 6), hinge, torch_hinge),
        Sample("multi-label", normal(5, 3), labels(2, 5, 3), hinge, torch_hinge),
    ],
    "squared_hinge": [
        Sample("0 and 1", normal(6, 1), labels(2, 6, 1), squared_hinge, torch_squared_hinge),
        Sample("multi-label", normal(5, 3), labels(2, 5, 3), squared_hinge, torch_squared_hinge),
        Sample("flat", normal(6), 2 * labels(2, 6) - 1, squared_hinge, torch_squared_hinge),
    ],
    "categorical_hinge": [
        Sample("labels", normal(6, 4), labels(4, 6), categorical_hinge, torch_categorical_hinge),
        Sample("two classes", normal(5, 2), labels(2, 5), categorical_hinge,
               torch_categorical_hinge),
        Sample("one-hot", normal(6, 4), np.eye(4)[labels(4, 6)], categorical_hinge,
               torch_categorical_hinge),
        Sample("sequence", normal(3, 5, 4), labels(4, 3, 5), categorical_hinge,
               torch_categorical_hinge),
    ],
    "mse": numbers(squared, torch_mse),
    "mae": numbers(absolute, torch_mae),
    "huber": numbers(huber(1.0), torch_huber(1.0)),
    "log_cosh": numbers(log_cosh, torch_log_cosh),
}  # fmt: skip


def of_classes(oracle: Callable[..., np.ndarray], **options: Any) -> list[Sample]:
    """Return the samples of a cross-entropy with settings, in the forms where PyTorch agrees."""
    theirs = torch_options(**options)
    weight = {"weight": class_weight} if "weight" in options else {}
    forms = {
        "labels": (normal(6, 4), labels(4, 6)),
        "one-hot": (normal(6, 4), np.eye(4)[labels(4, 6)]),
        "sequence": (normal(3, 5, 4), labels(4, 3, 5)),
        "square": (normal(4, 4), labels(4, 4)),
    }
    return [Sample(form, z, y, oracle, theirs, **weight) for form, (z, y) in forms.items()]


VARIANTS: dict[str, tuple[Callable[[], nn.Loss], list[Sample]]] = {
    "huber, delta 0.3": (
        lambda: nn.HuberLoss(0.3),
        numbers(huber(0.3), torch_huber(0.3)),
    ),
    "cross_entropy, smoothed": (
        lambda: nn.CrossEntropyLoss(label_smoothing=SMOOTHING),
        of_classes(smoothed, label_smoothing=SMOOTHING),
    ),
    "cross_entropy, class weights": (
        lambda: nn.CrossEntropyLoss(class_weight=CLASS_WEIGHT),
        of_classes(class_weighted, weight=None),
    ),
    "cross_entropy, both": (
        lambda: nn.CrossEntropyLoss(SMOOTHING, np.array(CLASS_WEIGHT)),
        of_classes(smoothed_and_weighted, weight=None, label_smoothing=SMOOTHING),
    ),
}
