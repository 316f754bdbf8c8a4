"""What losses refuse: labels, probabilities and weights that are none."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from pellucid.arrays import Array, Shape
from pellucid.errors import ShapeError


def is_number(value: Any) -> bool:
    """Whether it is a real number, Python's or NumPy's, and no truth value."""
    return isinstance(value, Real) and not isinstance(value, bool)


def check_classes(name: str, shape: Shape, target: Array) -> None:
    """Refuse shapes that are not those of several classes and their labels or rows.

    Raises:
        ShapeError: says what was expected.
    """
    if len(shape) < 2 or shape[-1] < 2:
        swapped = len(shape) == 1 and target.ndim == 2 and len(target) == shape[0]
        fix = (
            "the prediction comes first and the target second: were they swapped?"
            if swapped
            else "for one output an example use BCELoss or HingeLoss"
        )
        raise ShapeError(
            f"{name}: expected predictions of shape (N, classes) with at least 2 classes, got "
            f"{shape}; {fix}"
        )
    if target.shape not in (shape, shape[:-1]):
        raise ShapeError(
            f"{name}: expected labels of shape {shape[:-1]} or one-hot rows of shape {shape}, got "
            f"{target.shape}; {_labels_fix(shape, target.shape)}"
        )
    if target.size == 0:
        raise ShapeError(f"{name}: expected at least one example, got none")


def _labels_fix(shape: Shape, target: Shape) -> str:
    """Return what probably makes labels fit a prediction."""
    if target == (*shape[:-1], 1):
        return f"the labels are a column, make them a row: target.reshape{shape[:-1]}"
    if target[:1] != shape[:1]:
        return "pass one target for each prediction, of the same examples"
    if len(target) == len(shape):
        return f"for {target[-1]} classes let the network end in {target[-1]} outputs"
    return "pass one whole number a prediction, the number of its class"


def check_labels(labels: Array, classes: int) -> None:
    """Refuse labels that are not whole numbers from 0 to classes - 1.

    Raises:
        ValueError: says the first offending label and its place.
    """
    if labels.dtype.kind == "f" and (odd := np.argwhere(labels != np.trunc(labels))).size:
        place = tuple(odd[0])
        raise ValueError(
            f"expected class labels as integers, got {labels[place]} (example {place[0]}); if y "
            'holds numbers to predict use a loss for these, such as "mse", and as many outputs'
        )
    if labels.dtype.kind not in "iub":
        raise ValueError(
            f"expected class labels as integers, got {labels.dtype}; convert them, for example "
            "y.astype(int), or pass one-hot rows"
        )
    # seen as unsigned numbers, negative labels are huge: one comparison finds both kinds
    if labels.size and int(labels.astype(np.uint64).max()) >= classes:
        place = tuple(np.argwhere((labels < 0) | (labels >= classes))[0])
        from_1 = labels.min() == 1 and labels.max() == classes
        fix = (
            "the classes are numbered from 1, subtract it: y - 1"
            if from_1
            else "number the classes from 0, or give the network more outputs"
        )
        raise ValueError(
            f"expected labels from 0 to {classes - 1} for {classes} classes, got "
            f"{labels[place]} (example {place[0]}); {fix}"
        )


def check_probabilities(rows: Array, advice: str = "") -> None:
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
            f"{advice or 'for several answers that can be right at once use BCELoss'}"
        )


def check_weights(
    weights: Array, rows: int, name: str = "sample_weight", may_be_zero: bool = False
) -> None:
    """Refuse weights that are not one finite number of at least 0 an example, or are all 0.

    Raises:
        ShapeError: there is not one an example.
        ValueError: one of them is negative or not finite, or nothing is left.
    """
    if weights.shape != (rows,):
        raise ShapeError(
            f"{name}: expected one weight an example, shape ({rows},), got {weights.shape}; pass a "
            "1-D array as long as y"
        )
    if not isinstance(weights, np.ndarray):
        return
    bad = ~((weights >= 0) & np.isfinite(weights))
    if bad.any():
        place = int(np.argmax(bad))
        raise ValueError(
            f"{name}: expected finite weights of at least 0, got {weights[place]} (example "
            f"{place}); a weight of 0 leaves an example out"
        )
    if not may_be_zero and not weights.any():
        raise ValueError(
            f"{name}: expected at least one weight above 0, got zeros only; leave it out for equal "
            "weights"
        )
