"""What each example counts: sample weights, class weights, and both together."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from pellucid.arrays import Array, Shape
from pellucid.nn import Loss
from pellucid.optim.checks import is_number
from pellucid.train.batches import Batch
from pellucid.train.metrics import Metric

ClassWeight: TypeAlias = Mapping[Any, float] | Literal["balanced"] | None


def weighted(batch: Batch, class_weight: ClassWeight, loss: Loss, output: Shape) -> Batch:
    """Return the batch with the weights of its classes multiplied into those of its rows.

    "balanced" gives a class of n_c of the n rows, counted by their weights, n / (k n_c), k the
    number of classes that occur: every class counts alike then, and the sum stays n. In a mapping a
    class that is not named has weight 1. King and Zeng, "Logistic regression in rare events data",
    Political Analysis 2001; scikit-learn, `compute_class_weight`.

    Raises:
        TypeError, ValueError: the targets are no classes, or the class weights do not fit them.
    """
    if class_weight is None or len(batch.x) == 0:
        return batch
    labels, k = _classes(batch.y, loss, output)
    names, positions = np.unique(labels, return_inverse=True)
    if isinstance(class_weight, Mapping):
        _check(class_weight, _codes(names, k, loss))
        factors = np.array([class_weight.get(name.item(), 1) for name in names], np.float64)
    elif _is_balanced(class_weight):
        counts = np.bincount(positions, batch.weight)
        factors = counts.sum() / (len(counts) * counts)
    else:
        raise TypeError(
            'expected class_weight to be "balanced" or a mapping from labels to numbers, got '
            f"{class_weight!r:.80}; write for example {{0: 1.0, 1: 5.0}}"
        )
    factors = factors[positions].astype(batch.weight.dtype if batch.weight is not None else "f8")
    weight = factors if batch.weight is None else batch.weight * factors
    return batch._replace(weight=weight)


def refuse_for_loaders(
    batch_size: int | None, sample_weight: Any, class_weight: ClassWeight, validation_split: float
) -> None:
    """Refuse settings that need all examples at once, where a loader brings them in batches.

    Raises:
        ValueError: names the setting, and what to do instead.
    """
    for is_set, name, fix in (
        (batch_size is not None, "batch_size", "the loader makes the batches"),
        (sample_weight is not None, "sample_weight", "let it bring (x, y, sample_weight)"),
        (_is_balanced(class_weight), 'class_weight="balanced"', "pass the weight of each label"),
        (bool(validation_split), "validation_split", "pass validation_data"),
    ):
        if is_set:
            raise ValueError(f"expected no {name} with a loader, got one; {fix}")


def check_weighable(loss: Loss, metrics: Sequence[Metric]) -> None:
    """Refuse a loss or metrics of one's own that take no weights.

    Raises:
        TypeError: names the first.
    """
    if not _takes_weights(loss.forward):
        raise TypeError(
            "expected a loss that takes sample_weight where examples are weighted, got "
            f"{type(loss).__name__}, which does not; define per_example instead of forward, or "
            "give forward a parameter sample_weight=None"
        )
    for metric in metrics:
        if not _takes_weights(metric.function):
            raise TypeError(
                f"expected metrics that take sample_weight where examples are weighted, got "
                f"{metric.name!r}, which does not; give its function a parameter sample_weight, or "
                "leave it out"
            )


def _takes_weights(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # written in C: it does not say
        return True
    return "sample_weight" in parameters or any(
        p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()
    )


def _is_balanced(class_weight: Any) -> bool:
    return isinstance(class_weight, str) and class_weight == "balanced"


def _classes(y: Array, loss: Loss, output: Shape) -> tuple[Array, int]:
    """Return the class of each example, ``(N,)``, and how many classes there can be."""
    if loss.task == "regression":
        raise TypeError(
            f"expected a classification loss with class_weight, got {type(loss).__name__}, whose "
            "targets are no classes; use sample_weight"
        )
    if loss.task == "binary" and y.size == len(y):
        answers = y.reshape(-1)
        if np.isin(answers, (-1, 0, 1)).all():
            return answers.astype(np.int64), 2
    if loss.task == "classification" and y.ndim == 1:
        return y, output[-1]
    one_hot = y.ndim == 2 and y.shape[1:] == output and np.isin(y, (0, 1)).all()
    if loss.task == "classification" and one_hot:
        return y.argmax(axis=1), output[-1]
    raise ValueError(
        f"expected one class an example with class_weight, got targets of shape {y.shape} that are "
        "none; use sample_weight"
    )


def _codes(names: Array, classes: int, loss: Loss) -> Sequence[int]:
    """Return the labels that can occur beside these; no and yes may be 0 and 1, or -1 and +1."""
    if loss.task != "binary" or loss.probabilistic or 0 in names:
        return range(classes)
    return (-1, 1) if -1 in names else (-1, 0, 1)


def _check(class_weight: Mapping[Any, float], allowed: Sequence[int]) -> None:
    """Refuse labels that cannot occur and weights that are none."""
    unknown = [label for label in class_weight if label not in allowed]
    if unknown:
        which = f"from {allowed[0]} to {allowed[-1]}" if 0 in allowed else "-1 and 1"
        raise ValueError(
            f"expected class_weight for labels {which}, got "
            f"{unknown[0]!r}; use the labels that are in y"
        )
    for label, weight in class_weight.items():
        if not is_number(weight) or not 0 <= weight < np.inf:
            raise ValueError(
                f"expected class_weight of at least 0, got {weight!r} for label {label!r}"
            )
