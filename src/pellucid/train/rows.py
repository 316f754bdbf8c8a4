"""What every score checks before it counts: labels, values, and the weights of rows."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]


def as_labels(values: ArrayLike, name: str) -> IntArray:
    """Return `values` as class labels, int64 (n,), or refuse them under `name`.

    Raises:
        TypeError: the values are not integers (or booleans).
        ValueError: they are not one-dimensional, or there are none.

    >>> from pellucid.train import metrics
    >>> metrics.as_labels([True, False, True], "y_true").tolist()
    [1, 0, 1]
    """
    labels = np.asarray(values)
    if labels.ndim != 1 or labels.size == 0:
        raise ValueError(
            f"{name}: expected integer labels of shape (n,) with n of at least 1, got "
            f"{labels.shape}; turn one-hot rows or probabilities into labels with "
            f"{name}.argmax(axis=1), and a column or a grid of labels with {name}.reshape(-1)"
        )
    if labels.dtype.kind in "USO":
        raise TypeError(
            f"{name}: expected integer labels, got {labels.dtype}; number the names of both arrays "
            "alike, for example with np.searchsorted(classes, names), classes = np.unique(y_true)"
        )
    if labels.dtype.kind not in "biu":
        raise TypeError(
            f"{name}: expected integer labels, got {labels.dtype}; threshold probabilities "
            f"with {name} > 0.5, or convert whole numbers with {name}.astype(int)"
        )
    return labels.astype(np.int64)


def as_answers(values: ArrayLike, name: str) -> IntArray:
    """Return `values` as yes-or-no answers to k questions, int64 (n, k), or refuse them.

    Raises:
        TypeError: the values are not integers (or booleans).
        ValueError: they are not two-dimensional, there are none, or one is neither 0 nor 1.
    """
    answers = np.asarray(values)
    if answers.ndim != 2 or answers.size == 0:
        raise ValueError(
            f"{name}: expected one 0 or 1 for each row and label, shape (n, k), got "
            f"{answers.shape}; pass the labels of a row as its columns"
        )
    if answers.dtype.kind not in "biu":
        raise TypeError(
            f"{name}: expected integers 0 and 1, got {answers.dtype}; threshold probabilities "
            f"with {name} > 0.5, or convert whole numbers with {name}.astype(int)"
        )
    if answers.min() < 0 or answers.max() > 1:
        raise ValueError(
            f"{name}: expected 0 or 1 for each row and label, got {answers.min()}.."
            f"{answers.max()}; pass one column a label, 1 where a row has it"
        )
    return answers.astype(np.int64)


def label_pair(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[IntArray, IntArray]:
    """Return true and predicted class labels, int64 (n,) each."""
    true, pred = as_labels(y_true, "y_true"), as_labels(y_pred, "y_pred")
    if len(true) != len(pred):
        raise ValueError(
            f"y_pred: expected {len(true)} labels, one for each in y_true, got {len(pred)}; "
            "pass predictions for the same rows"
        )
    return true, pred


def label_or_answer_pair(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[IntArray, IntArray]:
    """Return labels (n,) twice, or where both have k > 1 columns, multi-label answers (n, k)."""
    if not (_columns(y_true) > 1 and _columns(y_pred) > 1):
        return label_pair(y_true, y_pred)
    true, pred = as_answers(y_true, "y_true"), as_answers(y_pred, "y_pred")
    if true.shape != pred.shape:
        raise ValueError(
            f"y_pred: expected the shape of y_true, {true.shape}, got {pred.shape}; "
            "pass predictions for the same rows and labels"
        )
    return true, pred


def value_pair(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return truth and prediction as float64 (n, k), and the weights of the rows (n,)."""
    true, pred = np.asarray(y_true), np.asarray(y_pred)
    real("y_true", true)
    real("y_pred", pred)
    if true.shape != pred.shape or true.ndim == 0 or true.size == 0:
        raise ValueError(
            "y_pred: expected the shape of y_true, (n,) or (n, k) with n of at least 1, got y_true "
            f"{true.shape} and y_pred {pred.shape}; pass the same rows and outputs in both, and "
            "a single output as (n,) in both with .reshape(-1)"
        )
    rows = len(true)
    weights = row_weights(sample_weight, rows)
    true, pred = (values.reshape(rows, -1).astype(np.float64) for values in (true, pred))
    return true, pred, weights


def real(name: str, values: NDArray[Any]) -> None:
    """Refuse what are no real numbers."""
    if values.dtype.kind not in "biuf":
        raise TypeError(
            f"{name}: expected real numbers, got {values.dtype}; convert with .astype(float)"
        )


def row_weights(sample_weight: ArrayLike | None, rows: int) -> FloatArray:
    """Return the weight of each row, float64 (n,): ones when none are given."""
    if sample_weight is None:
        return np.ones(rows)
    weights = np.asarray(sample_weight)
    real("sample_weight", weights)
    weights = weights.astype(np.float64)
    if weights.shape != (rows,):
        raise ValueError(
            f"sample_weight: expected one weight a row, shape ({rows},), got {weights.shape}; "
            "pass a 1-D array as long as y_true"
        )
    if not np.isfinite(weights).all() or weights.min() < 0.0 or weights.sum() == 0.0:
        raise ValueError(
            "sample_weight: expected finite weights of at least 0 and a sum above 0, got "
            f"minimum {weights.min()} and sum {weights.sum()}; leave it out for equal weights"
        )
    return weights


def ratio(top: NDArray[Any], bottom: NDArray[Any], zero_division: float) -> FloatArray:
    """Divide elementwise, with `zero_division` where the bottom is 0."""
    if zero_division not in (0.0, 1.0) and not math.isnan(zero_division):
        raise ValueError(
            f"zero_division: expected 0, 1 or NaN, got {zero_division}; leave it out to score 0"
        )
    quotient = np.full(top.shape, float(zero_division))
    np.divide(top, bottom, out=quotient, where=bottom != 0)
    return quotient


def _columns(values: ArrayLike) -> int:
    """Return the number of columns of a table; 0 for what is none."""
    shape = np.shape(values)
    return shape[1] if len(shape) == 2 else 0
