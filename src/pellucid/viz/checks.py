"""Checks of what is to be drawn, so that every picture refuses in the same words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.train.metrics import as_labels

_SUM_TOLERANCE = 0.01  # float16 probabilities of many classes sum to 1 no better than this


def as_probabilities(values: ArrayLike, rows: int, name: str) -> NDArray[np.float64]:
    """Return class probabilities as float64 (rows, C).

    Takes (rows, C), rows summing to 1, or the probability of class 1 alone as (rows,) or
    (rows, 1), which gives C = 2.

    Raises:
        ValueError: another shape, numbers outside [0, 1], or rows that do not sum to 1.
    """
    probabilities = np.asarray(values, dtype=np.float64)
    if probabilities.ndim == 1:
        probabilities = probabilities[:, np.newaxis]
    if probabilities.ndim != 2 or len(probabilities) != rows or probabilities.shape[1] == 0:
        raise ValueError(
            f"{name}: expected probabilities of shape ({rows}, classes) or ({rows},), got "
            f"{np.shape(values)}; return one row for each row that comes in"
        )
    if probabilities.shape[1] == 1:
        probabilities = np.concatenate([1.0 - probabilities, probabilities], axis=1)
    slack = _SUM_TOLERANCE
    inside = (probabilities >= -slack).all() and (probabilities <= 1.0 + slack).all()
    if not inside or (np.abs(probabilities.sum(axis=1) - 1.0) > slack).any():
        raise ValueError(
            f"{name}: expected probabilities in [0, 1] with rows that sum to 1, got numbers from "
            f"{probabilities.min():.4g} to {probabilities.max():.4g} and rows that sum to up to "
            f"{probabilities.sum(axis=1).max():.4g}; pass logits through softmax or sigmoid first"
        )
    return probabilities


def as_class_labels(values: ArrayLike, rows: int, classes: int, name: str) -> NDArray[np.int64]:
    """Return labels as int64 (rows,), each from 0 to classes - 1.

    Raises:
        TypeError: the labels are not integers.
        ValueError: another shape, or a label outside the classes.
    """
    labels = as_labels(values, name)
    if len(labels) != rows:
        raise ValueError(
            f"{name}: expected {rows} labels, one a row, got {len(labels)}; "
            "pass the labels of the same rows"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"{name}: expected labels from 0 to {classes - 1}, one for each of the {classes} "
            f"probabilities, got {labels.min()} to {labels.max()}; number the classes from 0"
        )
    return labels


def as_class_names(class_names: Sequence[str] | None, classes: int) -> list[str]:
    """Return one name a class, by default its number.

    Raises:
        TypeError: `class_names` is a single string.
        ValueError: there are more or fewer names than classes.
    """
    if class_names is None:
        return [str(label) for label in range(classes)]
    if isinstance(class_names, str):
        raise TypeError(
            f"class_names: expected a list of names, got the string {class_names!r}; "
            f"put it in a list, [{class_names!r}]"
        )
    if len(class_names) != classes:
        raise ValueError(
            f"class_names: expected {classes} names, one a class, got {len(class_names)}; "
            "pass one for each column of the probabilities"
        )
    return [str(name) for name in class_names]
