"""Scores of predictions against the truth, equal to scikit-learn's.

Every function takes `(y_true, y_pred)`, in that order, and optional row weights (n,), and computes
in float64. The training loop collects the predictions of a whole epoch and calls each metric once,
on all of them. A metric is never averaged over batches: the mean of the F1 (or R2, or RMSE) of the
parts is not the F1 of the whole, and an unequal last batch would weigh as much as a full one.

Two arrays must have the same shape. (n,) against (n, 1) is refused, because NumPy would compare
every row with every other and return a plausible number. Labels are integers (n,); values are real
numbers (n,) or (n, k), whose k outputs count equally. TypeError answers a wrong dtype, ValueError
a wrong shape, an empty array, or weights that are negative, not finite or all zero.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Score: TypeAlias = Any
"""A float, or one number for each class, float64 (k,), where average=None asks for that."""
Average: TypeAlias = Literal["macro", "micro", "weighted", "binary"]
Normalize: TypeAlias = Literal["true", "pred", "all"]


def as_labels(values: ArrayLike, name: str) -> IntArray:
    """Return `values` as class labels, int64 (n,), or refuse them under `name`.

    Raises:
        TypeError: the values are not integers (or booleans).
        ValueError: they are not one-dimensional, or there are none.
    """
    labels = np.asarray(values)
    if labels.ndim != 1 or labels.size == 0:
        raise ValueError(
            f"{name}: expected integer labels of shape (n,) with n of at least 1, got "
            f"{labels.shape}; turn one-hot rows or probabilities into labels with "
            f"{name}.argmax(axis=1), and a column or a grid of labels with {name}.reshape(-1)"
        )
    if labels.dtype.kind not in "biu":
        raise TypeError(
            f"{name}: expected integer labels, got {labels.dtype}; threshold probabilities "
            f"with {name} > 0.5, or convert whole numbers with {name}.astype(int)"
        )
    return labels.astype(np.int64)


def accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """Share of rows whose integer label is predicted exactly: sum_i w_i [t_i = p_i] / sum_i w_i.

    Source: scikit-learn, `accuracy_score`.
    """
    true, pred = _label_pair(y_true, y_pred)
    return float(np.average(true == pred, weights=_row_weights(sample_weight, len(true))))


def confusion_matrix(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    classes: ArrayLike | None = None,
    normalize: Normalize | None = None,
    *,
    sample_weight: ArrayLike | None = None,
) -> NDArray[Any]:
    """Count how often class i (row) was predicted as class j (column).

    C_ij = sum_m w_m [t_m = i and p_m = j], int64 (k, k), or float64 with weights. `classes` are
    the labels of the rows, in order; left out, every label that occurs, ascending. `normalize`
    divides by the sums of the rows ("true"), of the columns ("pred") or of everything ("all"),
    float64; where the sum is zero, zeros remain.

    Raises:
        ValueError: also for a repeated class, a label outside `classes` (scikit-learn drops such
            rows in silence) and an unknown `normalize`.

    Source: scikit-learn, `confusion_matrix`.
    """
    axes: dict[Normalize, int | None] = {"true": 1, "pred": 0, "all": None}
    if normalize is not None and normalize not in axes:
        raise ValueError(
            f"normalize: expected None, 'true', 'pred' or 'all', got {normalize!r}; "
            "use 'true' for the rates of each true class"
        )
    true, pred = _label_pair(y_true, y_pred)
    weights = None if sample_weight is None else _row_weights(sample_weight, len(true))
    labels, rows, columns = _positions(true, pred, classes)
    k = len(labels)
    counts = np.bincount(rows * k + columns, weights, minlength=k * k).reshape(k, k)
    if normalize is None:
        return counts
    return _ratio(counts, counts.sum(axis=axes[normalize], keepdims=True), 0.0)


def precision(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    average: Average | None = "macro",
    *,
    classes: ArrayLike | None = None,
    zero_division: float = 0.0,
    sample_weight: ArrayLike | None = None,
) -> Score:
    """Share of the predictions of a class that are right: TP / (TP + FP).

    `average` joins the classes: "macro" is their plain mean, "weighted" their mean by number of
    true rows, "micro" the score of all rows counted together, "binary" the score of class 1 of
    at most two, and None keeps them apart, float64 (k,). The k classes are `classes`, or every
    label that occurs, ascending. A class that makes the fraction 0 / 0 scores `zero_division`
    (0, 1, or NaN, which leaves it out of the mean).

    Raises:
        ValueError: also for a label outside `classes`, an unknown `average` or `zero_division`,
            and for "binary" when there are more classes than two or neither of two is 1.

    Source: scikit-learn, `precision_score`.
    """
    hits, predicted, actual = _class_counts(y_true, y_pred, average, classes, sample_weight)
    return _averaged(_ratio(hits, predicted, zero_division), actual, average)


def recall(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    average: Average | None = "macro",
    *,
    classes: ArrayLike | None = None,
    zero_division: float = 0.0,
    sample_weight: ArrayLike | None = None,
) -> Score:
    """Share of the rows of a class that are found: TP / (TP + FN).

    The options, the shapes and the errors are those of `precision`.

    Source: scikit-learn, `recall_score`.
    """
    hits, _, actual = _class_counts(y_true, y_pred, average, classes, sample_weight)
    return _averaged(_ratio(hits, actual, zero_division), actual, average)


def f1(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    average: Average | None = "macro",
    *,
    classes: ArrayLike | None = None,
    zero_division: float = 0.0,
    sample_weight: ArrayLike | None = None,
) -> Score:
    """Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN).

    The options, the shapes and the errors are those of `precision`. The macro F1 is the mean of
    the F1 of the classes, not the harmonic mean of the macro precision and the macro recall.

    Source: scikit-learn, `f1_score`.
    """
    hits, predicted, actual = _class_counts(y_true, y_pred, average, classes, sample_weight)
    return _averaged(_ratio(2.0 * hits, predicted + actual, zero_division), actual, average)


def r2(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Share of the variance that is explained: 1 - sum w (t - p)^2 / sum w (t - mean t)^2.

    1 is perfect, 0 no better than the mean of the truth, and there is no lower limit. A constant
    truth scores 1 when it is met exactly, else 0. A single row has no variance and scores NaN.

    Source: scikit-learn, `r2_score`.
    """
    true, pred, weights = _weighted_values(y_true, y_pred, sample_weight)  # (n, k) twice, (n,)
    if len(true) < 2:
        return math.nan
    with np.errstate(all="ignore"):  # a diverged model scores NaN or -inf, without a warning
        unexplained = weights @ (true - pred) ** 2  # (k,)
        total = weights @ (true - np.average(true, axis=0, weights=weights)) ** 2  # (k,)
        scores = np.where(total == 0.0, 0.0, 1.0 - unexplained / total)
    return float(np.where(unexplained == 0.0, 1.0, scores).mean())


def mae(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Mean absolute error, in the unit of the truth: sum w |t - p| / sum w, mean over outputs.

    Source: scikit-learn, `mean_absolute_error`.
    """
    true, pred, weights = _weighted_values(y_true, y_pred, sample_weight)
    with np.errstate(all="ignore"):
        return float(np.average(np.abs(true - pred), axis=0, weights=weights).mean())


def mse(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Mean squared error, in the squared unit: sum w (t - p)^2 / sum w, mean over outputs.

    Source: scikit-learn, `mean_squared_error`.
    """
    true, pred, weights = _weighted_values(y_true, y_pred, sample_weight)
    with np.errstate(all="ignore"):
        return float(np.average((true - pred) ** 2, axis=0, weights=weights).mean())


def rmse(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Root mean squared error, in the unit of the truth: the mean over outputs of sqrt(MSE).

    Source: scikit-learn, `root_mean_squared_error`.
    """
    true, pred, weights = _weighted_values(y_true, y_pred, sample_weight)
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.average((true - pred) ** 2, axis=0, weights=weights)).mean())


def accuracy_within(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    tolerance: float,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Share of rows whose every output is at most `tolerance` from the truth, both ways.

    sum_i w_i [max_j |t_ij - p_ij| <= tolerance] / sum_i w_i. A NaN is never within it.

    Raises:
        ValueError: also for a tolerance that is negative or not finite.
    """
    if not 0.0 <= tolerance < math.inf:
        raise ValueError(
            f"tolerance: expected a finite number of at least 0, got {tolerance}; "
            "pass the largest absolute error that still counts as right"
        )
    true, pred, weights = _weighted_values(y_true, y_pred, sample_weight)
    with np.errstate(all="ignore"):
        hits = (np.abs(true - pred) <= tolerance).all(axis=1)  # (n,)
    return float(np.average(hits, weights=weights))


def _label_pair(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[IntArray, IntArray]:
    true, pred = as_labels(y_true, "y_true"), as_labels(y_pred, "y_pred")
    if len(true) != len(pred):
        raise ValueError(
            f"y_pred: expected {len(true)} labels, one for each in y_true, got {len(pred)}; "
            "pass predictions for the same rows"
        )
    return true, pred


def _weighted_values(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return truth and prediction as float64 (n, k), and the weights of the rows (n,)."""
    true, pred = np.asarray(y_true), np.asarray(y_pred)
    for name, values in (("y_true", true), ("y_pred", pred)):
        if values.dtype.kind not in "biuf":
            raise TypeError(
                f"{name}: expected real numbers, got {values.dtype}; convert with .astype(float)"
            )
    if true.shape != pred.shape or true.ndim == 0 or true.size == 0:
        raise ValueError(
            "y_pred: expected the shape of y_true, (n,) or (n, k) with n of at least 1, got y_true "
            f"{true.shape} and y_pred {pred.shape}; pass the same rows and outputs in both, and "
            "a single output as (n,) in both with .reshape(-1)"
        )
    rows = len(true)
    weights = _row_weights(sample_weight, rows)
    true, pred = (values.reshape(rows, -1).astype(np.float64) for values in (true, pred))
    return true, pred, weights


def _row_weights(sample_weight: ArrayLike | None, rows: int) -> FloatArray:
    """Return the weight of each row, float64 (n,): ones when none are given."""
    if sample_weight is None:
        return np.ones(rows)
    weights = np.asarray(sample_weight, dtype=np.float64)
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


def _positions(
    true: IntArray, pred: IntArray, classes: ArrayLike | None
) -> tuple[IntArray, IntArray, IntArray]:
    """Return the k class labels, and the position among them of each label of both arrays."""
    seen, codes = np.unique(np.concatenate([true, pred]), return_inverse=True)
    labels = seen if classes is None else as_labels(classes, "classes")
    order = np.argsort(labels)
    found = np.searchsorted(labels, seen, sorter=order).clip(max=len(labels) - 1)
    place = order[found]  # of each label seen, (s,)
    if len(np.unique(labels)) < len(labels) or (labels[place] != seen).any():
        raise ValueError(
            f"classes: expected each label that occurs, {seen.tolist()}, listed once, got "
            f"{labels.tolist()}; add what is missing and drop what is repeated"
        )
    positions = place[codes]
    return labels, positions[: len(true)], positions[len(true) :]


def _class_counts(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    average: Average | None,
    classes: ArrayLike | None,
    sample_weight: ArrayLike | None,
) -> FloatArray:
    """Return the weight of the hits, the predictions and the true rows of each class, (3, k).

    k is 1 for "micro", which adds the classes up, and for "binary", which keeps class 1 alone.
    """
    if average is not None and average not in get_args(Average):
        raise ValueError(
            f"average: expected one of {', '.join(map(repr, get_args(Average)))} or None, "
            f"got {average!r}; use 'macro' to count every class alike"
        )
    true, pred = _label_pair(y_true, y_pred)
    weights = _row_weights(sample_weight, len(true))
    labels, rows, columns = _positions(true, pred, classes)
    totals = [(rows, weights * (rows == columns)), (columns, weights), (rows, weights)]
    counts: FloatArray = np.stack([np.bincount(i, w, len(labels)) for i, w in totals])  # (3, k)
    if average == "micro":
        counts = counts.sum(axis=1, keepdims=True)
    if average != "binary":
        return counts
    if len(labels) > 2 or (len(labels) == 2 and 1 not in labels):
        raise ValueError(
            "average: expected two classes, labelled 0 and 1, for 'binary', got "
            f"{labels.tolist()}; use average='macro', or call the positive class 1"
        )
    return counts[:, labels == 1] if 1 in labels else np.zeros((3, 1))


def _ratio(top: NDArray[Any], bottom: NDArray[Any], zero_division: float) -> FloatArray:
    """Divide elementwise, with `zero_division` where the bottom is 0."""
    if zero_division not in (0.0, 1.0) and not math.isnan(zero_division):
        raise ValueError(
            f"zero_division: expected 0, 1 or NaN, got {zero_division}; leave it out to score 0"
        )
    quotient = np.full(top.shape, float(zero_division))
    np.divide(top, bottom, out=quotient, where=bottom != 0)
    return quotient


def _averaged(scores: FloatArray, actual: FloatArray, average: Average | None) -> Score:
    """Join the scores of the classes (k,) as `average` says, leaving out NaN."""
    if average is None:
        return scores
    kept = ~np.isnan(scores)
    if not kept.any():
        return math.nan
    weights = actual[kept] if average == "weighted" and actual[kept].any() else None
    return float(np.average(scores[kept], weights=weights))
