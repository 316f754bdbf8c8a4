"""Scores of labels against the truth, equal to scikit-learn's.

Every function takes `(y_true, y_pred)`, in that order, and optional row weights (n,), and computes
in float64. The training loop collects the predictions of a whole epoch and calls each metric once,
on all of them. A metric is never averaged over batches: the mean of the F1 of the parts is not the
F1 of the whole, and an unequal last batch would weigh as much as a full one.

Two arrays must have the same shape. (n,) against (n, 1) is refused, because NumPy would compare
every row with every other and return a plausible number. Labels are integers (n,). Where a row may
have several of k labels, both arrays are of 0 and 1, integer (n, k) with k > 1: `accuracy`,
`precision`, `recall` and `f1` take such multi-label answers too. TypeError answers a wrong dtype,
ValueError a wrong shape, an empty array, or weights that are negative, not finite or all zero.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.train.rows import (
    FloatArray,
    IntArray,
    as_labels,
    label_or_answer_pair,
    label_pair,
    ratio,
    row_weights,
)

Score: TypeAlias = Any
"""A float, or one number for each class, float64 (k,), where average=None asks for that."""
Average: TypeAlias = Literal["macro", "micro", "weighted", "binary", "samples"]
Normalize: TypeAlias = Literal["true", "pred", "all"]


def accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """Share of rows whose integer label is predicted exactly: sum_i w_i [t_i = p_i] / sum_i w_i.

    A multi-label row (0 or 1 in k columns) is right only if all of its labels are.

    Source: scikit-learn, ``accuracy_score``.

    >>> from pellucid.train import metrics
    >>> metrics.accuracy([0, 1, 1, 2], [0, 1, 2, 2])
    0.75
    """
    true, pred = label_or_answer_pair(y_true, y_pred)
    hits = (true == pred).reshape(len(true), -1).all(axis=1)  # (n,)
    return float(np.average(hits, weights=row_weights(sample_weight, len(true))))


def balanced_accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """Plain mean of the recall of the classes that occur in `y_true`: mean_c TP_c / (TP_c + FN_c).

    Guessing one class scores 1 / k, however many rows that class has.

    Source: scikit-learn, ``balanced_accuracy_score``.

    >>> from pellucid.train import metrics
    >>> metrics.balanced_accuracy([0, 0, 0, 1], [0, 0, 0, 0])  # accuracy is 0.75
    0.5
    """
    hits, _, actual = _single_counts(y_true, y_pred, None, sample_weight)[1]
    return float(np.mean(hits[actual > 0] / actual[actual > 0]))


def matthews_corrcoef(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """Matthews' correlation of truth and prediction, for any number of classes: -1 to 1.

    (c s - sum_k t_k p_k) / sqrt((s^2 - sum_k p_k^2) (s^2 - sum_k t_k^2)), with s the weight of all
    rows, c that of the right ones, and t_k and p_k those of class k in truth and prediction. Where
    either has a single class it is 0.

    Source: J. Gorodkin, "Comparing two K-category assignments by a K-category correlation
    coefficient", Computational Biology and Chemistry 28:367-374, 2004; scikit-learn,
    ``matthews_corrcoef``.

    >>> from pellucid.train import metrics
    >>> metrics.matthews_corrcoef([0, 0, 0, 1], [0, 0, 0, 0])  # accuracy is 0.75
    0.0
    """
    hits, predicted, actual = _single_counts(y_true, y_pred, None, sample_weight)[1]
    if min(np.count_nonzero(predicted), np.count_nonzero(actual)) < 2:
        return 0.0
    right, total = hits.sum(), actual.sum()
    spread = (total**2 - predicted @ predicted) * (total**2 - actual @ actual)
    return float((right * total - actual @ predicted) / math.sqrt(spread))


def cohen_kappa(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """Agreement beyond chance: (p_o - p_e) / (1 - p_e), at most 1, and 0 for chance alone.

    p_o is the share of rows that agree, p_e = sum_k t_k p_k the share that would if the labels of
    both, with shares t_k and p_k, were drawn independently. Where both have one and the same class
    it is NaN.

    Source: J. Cohen, "A coefficient of agreement for nominal scales", Educational and
    Psychological Measurement 20:37-46, 1960; scikit-learn, ``cohen_kappa_score``.

    >>> from pellucid.train import metrics
    >>> metrics.cohen_kappa([0, 0, 1, 1], [0, 0, 1, 0])  # (0.75 - 0.5) / (1 - 0.5)
    0.5
    """
    hits, predicted, actual = _single_counts(y_true, y_pred, None, sample_weight)[1]
    if np.count_nonzero(predicted + actual) < 2:
        return math.nan
    total = actual.sum()
    observed, expected = hits.sum() / total, (predicted @ actual) / total**2
    return float((observed - expected) / (1.0 - expected))


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

    Source: scikit-learn, ``confusion_matrix``.

    >>> from pellucid.train import metrics
    >>> metrics.confusion_matrix([0, 1, 1, 2], [0, 1, 2, 2]).tolist()
    [[1, 0, 0], [0, 1, 1], [0, 0, 1]]
    """
    axes: dict[Normalize, int | None] = {"true": 1, "pred": 0, "all": None}
    if normalize is not None and normalize not in axes:
        raise ValueError(
            f"normalize: expected None, 'true', 'pred' or 'all', got {normalize!r}; "
            "use 'true' for the rates of each true class"
        )
    true, pred = label_pair(y_true, y_pred)
    weights = None if sample_weight is None else row_weights(sample_weight, len(true))
    labels, rows, columns = _positions(true, pred, classes)
    k = len(labels)
    counts = np.bincount(rows * k + columns, weights, minlength=k * k).reshape(k, k)
    if normalize is None:
        return counts
    return ratio(counts, counts.sum(axis=axes[normalize], keepdims=True), 0.0)


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

    In multi-label rows (0 or 1 in k columns) each column is a class, "samples" is the mean of the
    scores of the rows, and "binary" and `classes` have no meaning.

    Raises:
        ValueError: also for a label outside `classes`, an unknown `average` or `zero_division`,
            for "binary" when there are more classes than two or neither of two is 1, and for
            an `average` or `classes` that such labels do not take.

    Source: scikit-learn, ``precision_score``.

    >>> from pellucid.train import metrics
    >>> metrics.precision([0, 1, 1, 1, 1], [1, 1, 0, 0, 0], average="binary")
    0.5
    """
    (hits, predicted, _), mean_weights = _counts(y_true, y_pred, average, classes, sample_weight)
    return _averaged(ratio(hits, predicted, zero_division), mean_weights, average)


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

    Source: scikit-learn, ``recall_score``.

    >>> from pellucid.train import metrics
    >>> metrics.recall([0, 1, 1, 1, 1], [1, 1, 0, 0, 0], average="binary")
    0.25
    """
    (hits, _, actual), mean_weights = _counts(y_true, y_pred, average, classes, sample_weight)
    return _averaged(ratio(hits, actual, zero_division), mean_weights, average)


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

    Source: scikit-learn, ``f1_score``.

    >>> from pellucid.train import metrics
    >>> round(metrics.f1([0, 1, 1, 1, 1], [1, 1, 0, 0, 0], average="binary"), 3)  # 2 / 6
    0.333
    """
    counts, mean_weights = _counts(y_true, y_pred, average, classes, sample_weight)
    hits, predicted, actual = counts
    return _averaged(ratio(2.0 * hits, predicted + actual, zero_division), mean_weights, average)


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


def _single_counts(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    classes: ArrayLike | None,
    sample_weight: ArrayLike | None,
) -> tuple[IntArray, FloatArray]:
    """Return the labels (k,), and the weight of hits, predictions and true rows of each (3, k)."""
    true, pred = label_pair(y_true, y_pred)
    weights = row_weights(sample_weight, len(true))
    labels, rows, columns = _positions(true, pred, classes)
    totals = [(rows, weights * (rows == columns)), (columns, weights), (rows, weights)]
    return labels, np.stack([np.bincount(i, w, len(labels)) for i, w in totals])


def _counts(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    average: Average | None,
    classes: ArrayLike | None,
    sample_weight: ArrayLike | None,
) -> tuple[FloatArray, FloatArray | None]:
    """Return hits, predictions and true rows of each class, weighted (3, k), and mean weights.

    k is 1 for "micro", which adds the classes up, and for "binary", which keeps class 1 alone; for
    "samples" it is the number of rows. The weights of the mean are None where all count alike.
    """
    if average is not None and average not in get_args(Average):
        raise ValueError(
            f"average: expected one of {', '.join(map(repr, get_args(Average)))} or None, "
            f"got {average!r}; use 'macro' to count every class alike"
        )
    true, pred = label_or_answer_pair(y_true, y_pred)
    if true.ndim == 2:
        return _multi_label_counts(true, pred, average, classes, sample_weight)
    labels, counts = _single_counts(true, pred, classes, sample_weight)
    if average == "samples":
        raise ValueError(
            "average: expected 'samples' only for rows of 0 and 1, one column a label, got one "
            "label a row; use 'macro', or accuracy, which is what it would be"
        )
    if average == "binary":
        if len(labels) > 2 or (len(labels) == 2 and 1 not in labels):
            raise ValueError(
                "average: expected two classes, labelled 0 and 1, for 'binary', got "
                f"{labels.tolist()}; use average='macro', or call the positive class 1"
            )
        return (counts[:, labels == 1] if 1 in labels else np.zeros((3, 1))), None
    return _summed(counts, average)


def _multi_label_counts(
    true: IntArray,
    pred: IntArray,
    average: Average | None,
    classes: ArrayLike | None,
    sample_weight: ArrayLike | None,
) -> tuple[FloatArray, FloatArray | None]:
    """Return what `_counts` returns, of answers (n, k) whose columns are the classes."""
    if classes is not None or average == "binary":
        raise ValueError(
            "expected one label a row with classes= or average='binary', got rows of "
            f"{true.shape[1]} answers; leave classes out, and use 'macro', 'micro', 'weighted' or "
            "'samples'"
        )
    weights = row_weights(sample_weight, len(true))
    each = (true & pred, pred, true)  # (n, k)
    if average == "samples":
        return np.stack([answers.sum(axis=1) * weights for answers in each]), weights  # (3, n)
    return _summed(np.stack([weights @ answers for answers in each]), average)


def _summed(counts: FloatArray, average: Average | None) -> tuple[FloatArray, FloatArray | None]:
    if average == "micro":
        return counts.sum(axis=1, keepdims=True), None
    return counts, counts[2] if average == "weighted" else None


def _averaged(scores: FloatArray, weights: FloatArray | None, average: Average | None) -> Score:
    """Join the scores of the classes (k,), leaving out NaN; average=None keeps them apart."""
    if average is None:
        return scores
    kept = ~np.isnan(scores)
    if not kept.any():
        return math.nan
    if weights is not None:
        weights = weights[kept] if weights[kept].any() else None
    return float(np.average(scores[kept], weights=weights))
