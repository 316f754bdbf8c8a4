"""Scores of numbers: how far predictions are from the truth, equal to scikit-learn's.

Every function takes `(y_true, y_pred)` and optional row weights, and is called once on a whole
epoch, as those of `scores.py` are. Values are real numbers (n,) or (n, k), whose k outputs count
equally; the errors are those named there.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from pellucid.train.rows import value_pair


def r2(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Share of the variance that is explained: 1 - sum w (t - p)^2 / sum w (t - mean t)^2.

    1 is perfect, 0 no better than the mean of the truth, and there is no lower limit. A constant
    truth scores 1 when it is met exactly, else 0. A single row has no variance and scores NaN.

    Source: scikit-learn, ``r2_score``.

    >>> from pellucid.train import metrics
    >>> metrics.r2([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    1.0
    >>> metrics.r2([1.0, 2.0, 3.0], [2.0, 2.0, 2.0])  # the mean explains nothing
    0.0
    """
    true, pred, weights = value_pair(y_true, y_pred, sample_weight)  # (n, k) twice, (n,)
    if len(true) < 2:
        return math.nan
    with np.errstate(all="ignore"):  # a diverged model scores NaN or -inf, without a warning
        unexplained = weights @ (true - pred) ** 2  # (k,)
        total = weights @ (true - np.average(true, axis=0, weights=weights)) ** 2  # (k,)
        scores = np.where(total == 0.0, 0.0, 1.0 - unexplained / total)
    return float(np.where(unexplained == 0.0, 1.0, scores).mean())


def mae(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Mean absolute error, in the unit of the truth: sum w |t - p| / sum w, mean over outputs.

    Source: scikit-learn, ``mean_absolute_error``.

    >>> from pellucid.train import metrics
    >>> metrics.mae([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 8.0])
    1.0
    """
    true, pred, weights = value_pair(y_true, y_pred, sample_weight)
    with np.errstate(all="ignore"):
        return float(np.average(np.abs(true - pred), axis=0, weights=weights).mean())


def mse(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Mean squared error, in the squared unit: sum w (t - p)^2 / sum w, mean over outputs.

    Source: scikit-learn, ``mean_squared_error``.

    >>> from pellucid.train import metrics
    >>> metrics.mse([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 8.0])
    4.0
    """
    true, pred, weights = value_pair(y_true, y_pred, sample_weight)
    with np.errstate(all="ignore"):
        return float(np.average((true - pred) ** 2, axis=0, weights=weights).mean())


def rmse(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Root mean squared error, in the unit of the truth: the mean over outputs of sqrt(MSE).

    Source: scikit-learn, ``root_mean_squared_error``.

    >>> from pellucid.train import metrics
    >>> metrics.rmse([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 8.0])
    2.0
    """
    true, pred, weights = value_pair(y_true, y_pred, sample_weight)
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

    >>> from pellucid.train import metrics
    >>> metrics.accuracy_within([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 8.0], tolerance=0.5)
    0.75
    """
    if not 0.0 <= tolerance < math.inf:
        raise ValueError(
            f"tolerance: expected a finite number of at least 0, got {tolerance}; "
            "pass the largest absolute error that still counts as right"
        )
    true, pred, weights = value_pair(y_true, y_pred, sample_weight)
    with np.errstate(all="ignore"):
        hits = (np.abs(true - pred) <= tolerance).all(axis=1)  # (n,)
    return float(np.average(hits, weights=weights))
