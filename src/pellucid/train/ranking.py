"""Scores of predicted probabilities and ranks against the truth, equal to scikit-learn's.

Every function takes `(y_true, y_score)`, in that order, and optional row weights (n,), and computes
in float64. What the two hold is told apart by their shapes:

    two classes     y_true 0 or 1 (n,)      y_score (n,), of class 1, or (n, 2)
    k classes       y_true 0..k-1 (n,)      y_score (n, k), column c of class c
    k labels a row  y_true 0 or 1 (n, k)    y_score (n, k)

A single column (n, 1) is read as (n,). All but `log_loss`, which takes probabilities, use only the
order of the scores, so logits serve as well. The scores of a diverged model, NaN among them, score
NaN. TypeError answers a wrong dtype, ValueError a wrong shape or label, an empty array, or weights
that are negative, not finite or all zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.train.rows import (
    FloatArray,
    IntArray,
    as_answers,
    as_labels,
    ratio,
    real,
    row_weights,
)

Average: TypeAlias = Literal["macro", "micro", "weighted"]
MultiClass: TypeAlias = Literal["ovr", "ovo"]
Score: TypeAlias = Any
"""A float, or one number for each class, float64 (k,), where average=None asks for that."""
BoolArray: TypeAlias = NDArray[np.bool_]


class RocCurve(NamedTuple):
    """False and true positive rates, from (0, 0) to (1, 1), and the thresholds they belong to.

    Point i is of calling every row positive whose score is at least `thresholds[i]`; the first
    threshold is infinity. All float64 (m,), thresholds falling.

    >>> import numpy as np
    >>> from pellucid.train import metrics
    >>> fpr, tpr, thresholds = metrics.roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> float(np.trapezoid(tpr, fpr))  # the area under it is roc_auc
    0.75
    """

    fpr: NDArray[np.float64]
    tpr: NDArray[np.float64]
    thresholds: NDArray[np.float64]


class PrecisionRecallCurve(NamedTuple):
    """Precision and recall (m + 1,) and the thresholds (m,) they belong to, float64.

    Point i is of calling every row positive whose score is at least `thresholds[i]`, thresholds
    rising; the last point, precision 1 at recall 0, has no threshold.

    >>> from pellucid.train import metrics
    >>> curve = metrics.precision_recall_curve([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.9])
    >>> for p, r, least in zip(curve.precision, curve.recall, curve.thresholds):
    ...     if p >= 0.9:
    ...         print(f"scores of {least} and more: precision {p}, recall {r}")
    scores of 0.9 and more: precision 1.0, recall 0.5
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    thresholds: NDArray[np.float64]


def top_k_accuracy(
    y_true: ArrayLike, y_score: ArrayLike, k: int = 5, *, sample_weight: ArrayLike | None = None
) -> float:
    """Share of rows whose class is among the k of highest score.

    Of equal scores the higher class number comes first. With as many classes as k, or fewer, it
    is 1. Scores are (n, C) with C of at least 2.

    Raises:
        ValueError: also for a k below 1.

    Source: scikit-learn, ``top_k_accuracy_score``.

    >>> from pellucid.train import metrics
    >>> scores = [[0.5, 0.3, 0.2]] * 4  # class 0 first, then class 1
    >>> metrics.top_k_accuracy([0, 1, 2, 2], scores, k=2)
    0.5
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(f"k: expected a whole number of at least 1, got {k!r}; pass for example 5")
    true, scores = _pair(y_true, y_score)
    if scores.ndim != 2 or true.ndim != 1:
        raise ValueError(
            f"y_score: expected labels (n,) and one score for each class, (n, C), got y_true "
            f"{true.shape} and y_score {scores.shape}; for yes or no use accuracy"
        )
    weights = row_weights(sample_weight, len(true))
    if np.isnan(scores).any():
        return math.nan
    own = np.take_along_axis(scores, true[:, None], axis=1)  # (n, 1)
    later = np.arange(scores.shape[1]) > true[:, None]  # (n, C)
    ahead = ((scores > own) | ((scores == own) & later)).sum(axis=1)  # (n,)
    return float(np.average(ahead < k, weights=weights))


def log_loss(
    y_true: ArrayLike, y_prob: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """Mean negative log-likelihood: -sum_i w_i log p_i[t_i] / sum_i w_i, in nats.

    A probability is clipped to [eps, 1 - eps], eps the spacing of its dtype at 1, so a sure and
    wrong answer costs much but not infinity. For several labels a row it is the mean over labels.

    Raises:
        ValueError: also for probabilities outside [0, 1], or for classes that do not sum to 1.

    Source: C. M. Bishop, "Pattern Recognition and Machine Learning", 2006, section 4.3;
    scikit-learn, ``log_loss``.

    >>> from pellucid.train import metrics
    >>> round(metrics.log_loss([1, 0], [0.5, 0.5]), 3)  # ln 2
    0.693
    """
    given = np.asarray(y_prob)
    eps = float(np.finfo(given.dtype if given.dtype.kind == "f" else np.float64).eps)
    true, prob = _pair(y_true, given, "y_prob")
    weights = row_weights(sample_weight, len(true))
    if np.isnan(prob).any():
        return math.nan
    _check_probabilities(prob, sums=true.ndim == 1 and prob.ndim == 2, tolerance=math.sqrt(eps))
    if true.ndim == 1 and prob.ndim == 2:
        likely = np.take_along_axis(prob, true[:, None], axis=1)  # (n, 1)
    else:
        likely = np.where(true == 1, prob, 1.0 - prob).reshape(len(true), -1)  # (n, 1) or (n, k)
    losses = -np.log(likely.clip(eps, 1.0 - eps)).mean(axis=1)  # (n,)
    return float(np.average(losses, weights=weights))


def roc_auc(
    y_true: ArrayLike,
    y_score: ArrayLike,
    average: Average | None = "macro",
    *,
    multi_class: MultiClass = "ovr",
    sample_weight: ArrayLike | None = None,
) -> Score:
    """Area under the ROC curve: the chance that a positive row scores above a negative one.

    sum_{p, n} w_p w_n ([s_p > s_n] + [s_p = s_n] / 2) / sum_{p, n} w_p w_n over the positive rows p
    and the negative rows n. More classes than two are taken each against the rest ("ovr") or in
    pairs ("ovo": for each pair the mean of both directions, on the rows of the two alone).
    `average` joins classes, labels or pairs: "macro" is their plain mean, "weighted" their mean by
    number of rows, "micro" (not for pairs) the area of all decisions counted together, and None
    keeps classes or labels apart, float64 (k,).

    Where there are no positive rows, or no negative ones, it is NaN, and so then is a macro mean;
    "weighted" leaves out classes without a row, and so do pairs.

    Raises:
        ValueError: also for an unknown `average` or `multi_class`, and for "ovo" of more than two
            classes with "micro" or None.

    Source: T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27:861-874,
    2006; for pairs, D. J. Hand and R. J. Till, "A Simple Generalisation of the Area Under the ROC
    Curve for Multiple Class Classification Problems", Machine Learning 45:171-186, 2001;
    scikit-learn, ``roc_auc_score``.

    >>> from pellucid.train import metrics
    >>> metrics.roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])  # 3 of the 4 pairs are in order
    0.75
    """
    if multi_class not in get_args(MultiClass):
        raise ValueError(f"multi_class: expected 'ovr' or 'ovo', got {multi_class!r}; pass one")
    true, scores = _pair(y_true, y_score)
    if multi_class == "ovo" and true.ndim == 1 and scores.ndim == 2 and scores.shape[1] > 2:
        if average not in ("macro", "weighted"):
            raise ValueError(
                f"average: expected 'macro' or 'weighted' with multi_class='ovo', got {average!r}; "
                "use multi_class='ovr' for other averages"
            )
        return _pairwise_area(true, scores, average, row_weights(sample_weight, len(true)))
    return _over_columns(_area, true, scores, average, sample_weight)


def average_precision(
    y_true: ArrayLike,
    y_score: ArrayLike,
    average: Average | None = "macro",
    *,
    sample_weight: ArrayLike | None = None,
) -> Score:
    """Mean precision over the thresholds, by the recall that each adds: sum_i (R_i - R_i-1) P_i.

    More classes than two are taken each against the rest; `average` is that of `roc_auc`. A class
    without a positive row scores 0.

    Raises:
        ValueError: also for an unknown `average`.

    Source: scikit-learn, ``average_precision_score``.

    >>> from pellucid.train import metrics
    >>> round(metrics.average_precision([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]), 3)
    0.833
    """
    true, scores = _pair(y_true, y_score)
    return _over_columns(_precision_area, true, scores, average, sample_weight)


def roc_curve(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    drop_intermediate: bool = True,
) -> RocCurve:
    """Return the rates FP / N and TP / P at every threshold, for two classes.

    `drop_intermediate` leaves out points that lie within a horizontal, vertical or evenly stepped
    run of others, which draws the same line.

    Raises:
        ValueError: also for a score that is NaN, and where no row, or every row, is positive.

    Source: T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27:861-874,
    2006; scikit-learn, ``roc_curve``.

    >>> from pellucid.train import metrics
    >>> curve = metrics.roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> curve.fpr.tolist(), curve.tpr.tolist()
    ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    >>> curve.thresholds.tolist()
    [inf, 0.8, 0.4, 0.35, 0.1]
    """
    hits, alarms, thresholds = _curve_steps(y_true, y_score, sample_weight)
    if hits[-1] == 0.0 or alarms[-1] == 0.0:
        raise ValueError(
            "y_true: expected rows of class 0 and of class 1 (with weight), got one class alone; "
            "a ROC curve needs both"
        )
    if drop_intermediate and len(hits) > 2:
        bends = (np.diff(alarms, 2) != 0.0) | (np.diff(hits, 2) != 0.0)
        kept = np.concatenate([[True], bends, [True]])
        hits, alarms, thresholds = hits[kept], alarms[kept], thresholds[kept]
    start = [0.0]
    return RocCurve(
        fpr=np.concatenate([start, alarms / alarms[-1]]),
        tpr=np.concatenate([start, hits / hits[-1]]),
        thresholds=np.concatenate([[math.inf], thresholds]),
    )


def precision_recall_curve(
    y_true: ArrayLike, y_score: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> PrecisionRecallCurve:
    """Return TP / (TP + FP) and TP / P at every threshold, for two classes.

    Raises:
        ValueError: also for a score that is NaN, and where no row is positive.

    Source: scikit-learn, ``precision_recall_curve``.

    >>> from pellucid.train import metrics
    >>> curve = metrics.precision_recall_curve([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.9])
    >>> curve.thresholds.tolist()
    [0.1, 0.2, 0.3, 0.9]
    >>> curve.precision.round(2).tolist(), curve.recall.tolist()
    ([0.5, 0.67, 0.5, 1.0, 1.0], [1.0, 1.0, 0.5, 0.5, 0.0])
    """
    hits, alarms, thresholds = _curve_steps(y_true, y_score, sample_weight)
    if hits[-1] == 0.0:
        raise ValueError(
            "y_true: expected a row of class 1 (with weight), got none; recall needs one"
        )
    return PrecisionRecallCurve(
        precision=np.append((hits / (hits + alarms))[::-1], 1.0),
        recall=np.append((hits / hits[-1])[::-1], 0.0),
        thresholds=thresholds[::-1],
    )


def _pair(
    y_true: ArrayLike, y_score: ArrayLike, name: str = "y_score"
) -> tuple[IntArray, FloatArray]:
    """Return truth and scores, checked: (n,) and (n,), (n,) and (n, k > 1), or (n, k > 1) twice."""
    true, given = np.asarray(y_true), np.asarray(y_score)
    real(name, given)
    if given.ndim not in (1, 2) or given.size == 0:
        raise ValueError(
            f"{name}: expected scores of shape (n,) or (n, k) with n of at least 1, got "
            f"{given.shape}; pass one row of scores for each row of y_true"
        )
    scores = given.astype(np.float64)
    if scores.ndim == 2 and scores.shape[1] == 1:
        scores = scores[:, 0]
    if true.ndim == 2 and true.shape[1] == 1:
        true = true[:, 0]
    if true.ndim == 2:
        true = as_answers(true, "y_true")
        fits = true.shape == scores.shape
    else:
        true = as_labels(true, "y_true")
        fits = len(true) == len(scores)
    if not fits:
        raise ValueError(
            f"{name}: expected scores for the rows and labels of y_true {true.shape}, got "
            f"{scores.shape}; pass predictions for the same rows, one column a class"
        )
    classes = scores.shape[1] if scores.ndim == 2 else 2
    if true.min() < 0 or true.max() >= classes:
        raise ValueError(
            f"y_true: expected labels in 0..{classes - 1} for {name} of shape {given.shape}, got "
            f"{true.min()}..{true.max()}; number the classes from 0, and give each a column"
        )
    return true, scores


def _check_probabilities(prob: FloatArray, sums: bool, tolerance: float) -> None:
    """Refuse what are no probabilities, or where they should, do not sum to 1 in a row."""
    if prob.min() < 0.0 or prob.max() > 1.0:
        raise ValueError(
            f"y_prob: expected probabilities in [0, 1], got {prob.min()}..{prob.max()}; "
            "apply softmax or sigmoid to logits first"
        )
    if sums and (off := np.abs(prob.sum(axis=1) - 1.0)).max() > tolerance:
        row = int(off.argmax())
        raise ValueError(
            f"y_prob: expected rows that sum to 1, got {prob[row].sum()} in row {row}; "
            "apply softmax to logits first"
        )


def _over_columns(
    metric: Callable[[BoolArray, FloatArray, FloatArray], float],
    true: IntArray,
    scores: FloatArray,
    average: Average | None,
    sample_weight: ArrayLike | None,
) -> Score:
    """Return the metric of class 1 of two, or that of every class or label, averaged."""
    if average is not None and average not in get_args(Average):
        raise ValueError(
            f"average: expected one of {', '.join(map(repr, get_args(Average)))} or None, "
            f"got {average!r}; use 'macro' to count every class alike"
        )
    weights = row_weights(sample_weight, len(true))
    if true.ndim == 1 and scores.ndim == 2 and scores.shape[1] == 2:
        scores = scores[:, 1]
    if scores.ndim == 1:
        return metric(true == 1, scores, weights)
    k = scores.shape[1]
    positive = true == 1 if true.ndim == 2 else true[:, None] == np.arange(k)  # (n, k)
    if average == "micro":
        return metric(positive.reshape(-1), scores.reshape(-1), np.repeat(weights, k))
    values = np.array([metric(positive[:, c], scores[:, c], weights) for c in range(k)])
    support = weights @ positive  # (k,)
    if average == "weighted" and support.any():
        return float(np.average(np.where(support > 0.0, values, 0.0), weights=support))
    return values if average is None else float(values.mean())


def _pairwise_area(true: IntArray, scores: FloatArray, average: str, weights: FloatArray) -> float:
    """Return the mean, over pairs of the classes that occur, of their area on their own rows."""
    areas, shares = [], []
    for a, b in combinations(np.unique(true[weights > 0.0]), 2):
        rows = (true == a) | (true == b)
        both = (_area(true[rows] == c, scores[rows, c], weights[rows]) for c in (a, b))
        areas.append(sum(both) / 2.0)
        shares.append(weights[rows].sum())
    if not areas:
        return math.nan
    return float(np.average(areas, weights=shares if average == "weighted" else None))


def _area(positive: BoolArray, scores: FloatArray, weights: FloatArray) -> float:
    """Return the area under the ROC curve of one column; NaN where a class has no rows."""
    if np.isnan(scores).any():
        return math.nan
    hits, alarms, _ = _steps(positive, scores, weights)
    whole = hits[-1] * alarms[-1]
    area = np.trapezoid(np.append(0.0, hits), np.append(0.0, alarms))
    return float(area / whole) if whole > 0.0 else math.nan


def _precision_area(positive: BoolArray, scores: FloatArray, weights: FloatArray) -> float:
    """Return the average precision of one column; 0 where no row is positive."""
    if np.isnan(scores).any():
        return math.nan
    hits, alarms, _ = _steps(positive, scores, weights)
    gained = ratio(np.diff(hits, prepend=0.0), hits[-1:], 0.0)
    return float(gained @ (hits / (hits + alarms)))


def _curve_steps(
    y_true: ArrayLike, y_score: ArrayLike, sample_weight: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what `_steps` returns, for two classes and scores that are numbers."""
    true, scores = _pair(y_true, y_score)
    if scores.ndim == 2 and scores.shape[1] == 2 and true.ndim == 1:
        scores = scores[:, 1]
    if scores.ndim == 2:
        raise ValueError(
            f"y_score: expected scores of class 1 of two, (n,), got {scores.shape}; for class c "
            "of more pass y_true == c and y_score[:, c]"
        )
    if np.isnan(scores).any():
        raise ValueError("y_score: expected numbers, got NaN; drop those rows")
    return _steps(true == 1, scores, row_weights(sample_weight, len(true)))


def _steps(
    positive: BoolArray, scores: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the weight of true and of false positives at each distinct score, falling.

    Equal scores are one step, so ties do not depend on the order of rows. Rows without weight
    take no part.
    """
    rows = np.flatnonzero(weights)
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    falling = scores[rows]
    last = np.append(falling[1:] != falling[:-1], True)
    hits = np.cumsum(weights[rows] * positive[rows])[last]
    alarms = np.cumsum(weights[rows] * ~positive[rows])[last]
    return hits, alarms, falling[last]
