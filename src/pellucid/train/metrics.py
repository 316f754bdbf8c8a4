"""Metrics: how good predictions are, as functions, and by the names that `Model` takes.

Every function takes ``(y_true, y_pred)``, in that order, and optional weights of rows (n,); it
equals scikit-learn's, and computes in float64. Labels are integers (n,), or 0 and 1 (n, k) where a
row may have several of k labels. Values are real numbers (n,) or (n, k), whose k outputs count
equally. Scores, such as probabilities, are (n, k), one column a class or label, or (n,), those of
class 1 of two. TypeError answers a wrong dtype, ValueError a wrong shape, an empty array, or
weights that are negative, not finite or all zero.

The training loop computes a metric once, over all the predictions of an epoch, and never averages
over batches. Functions of labels are in `scores.py`, of values in `distances.py`, of scores in
`ranking.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias, get_args

from numpy.typing import ArrayLike

from pellucid.errors import unknown
from pellucid.registry import enrol
from pellucid.train.distances import accuracy_within, mae, mse, r2, rmse
from pellucid.train.ranking import (
    PrecisionRecallCurve,
    RocCurve,
    average_precision,
    log_loss,
    precision_recall_curve,
    roc_auc,
    roc_curve,
    top_k_accuracy,
)
from pellucid.train.rows import as_labels
from pellucid.train.scores import (
    Average,
    accuracy,
    balanced_accuracy,
    cohen_kappa,
    confusion_matrix,
    f1,
    matthews_corrcoef,
    precision,
    recall,
)

__all__ = [
    "Metric",
    "PrecisionRecallCurve",
    "RocCurve",
    "accuracy",
    "accuracy_within",
    "as_labels",
    "average_precision",
    "balanced_accuracy",
    "cohen_kappa",
    "confusion_matrix",
    "f1",
    "get",
    "in_unit",
    "log_loss",
    "mae",
    "matthews_corrcoef",
    "mse",
    "precision",
    "precision_recall_curve",
    "r2",
    "recall",
    "rmse",
    "roc_auc",
    "roc_curve",
    "top_k_accuracy",
]

Needs: TypeAlias = Literal["labels", "values", "scores"]


@dataclass(frozen=True)
class Metric:
    """A named score as the training loop needs to know it.

    ``function(y_true, y_pred)`` returns one number; it is also given ``sample_weight=`` when there
    are weights. ``needs`` says what the loop hands over: "labels", integer classes (n,) on both
    sides, or 0 and 1 (n, k) for k > 1 yes-or-no outputs; "scores", such classes against the
    probabilities of the network, (n,) or (n, k); or "values", the targets and the outputs of the
    network as they are.

    Raises:
        TypeError: ``function`` cannot be called.
        ValueError: the name is empty, or ``needs`` is none of the three.

    >>> import numpy as np
    >>> from pellucid.train import metrics
    >>> def largest_error(y_true, y_pred):
    ...     return np.abs(np.subtract(y_true, y_pred)).max()
    >>> metric = metrics.Metric(
    ...     "largest_error", largest_error, needs="values", higher_is_better=False
    ... )
    >>> metric([1.0, 2.0, 3.0], [1.0, 2.5, 3.0])
    0.5
    """

    name: str
    function: Callable[..., float]
    needs: Needs
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(
                f"function: expected a callable (y_true, y_pred) -> float, got {self.function!r}; "
                "pass the function itself, not its result"
            )
        if not self.name or self.needs not in get_args(Needs):
            raise ValueError(
                "Metric: expected a name and needs='labels', needs='scores' or needs='values', got "
                f"name={self.name!r} and needs={self.needs!r}; give both"
            )

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the score of all the predictions of an epoch, as a Python float."""
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return float(self.function(y_true, y_pred, **weights))


def rescaled(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    score: Callable[..., float],
    scale: float,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return scale * score(y_true, y_pred)."""
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    return scale * score(y_true, y_pred, **weights)


def in_unit(name: str, score: Callable[..., float], scale: float) -> Metric:
    """Return an error, such as `mae`, of targets divided by ``scale`` in the unit they had before.

    It is better when lower.

    >>> from pellucid.train import metrics
    >>> metric = metrics.in_unit("mae in metres", metrics.mae, scale=1000.0)  # from km
    >>> metric([1.0, 2.0], [1.5, 2.5])
    500.0
    """
    return Metric(name, partial(rescaled, score=score, scale=scale), "values", False)


for _score in (
    *(accuracy, accuracy_within, average_precision, balanced_accuracy, cohen_kappa, f1, log_loss),
    *(mae, matthews_corrcoef, mse, precision, r2, recall, rescaled, rmse, roc_auc, top_k_accuracy),
):
    enrol(_score, f"metrics.{_score.__name__}")
enrol(Metric, "metrics.Metric")

_CLASS_SCORES = {"precision": precision, "recall": recall, "f1": f1}
_METRICS = {
    metric.name: metric
    for metric in (
        Metric("accuracy", accuracy, "labels"),
        *(Metric(name, score, "labels") for name, score in _CLASS_SCORES.items()),
        *(
            Metric(f"{name}_{average}", partial(score, average=average), "labels")
            for name, score in _CLASS_SCORES.items()
            for average in get_args(Average)
        ),
        Metric("balanced_accuracy", balanced_accuracy, "labels"),
        Metric("matthews_corrcoef", matthews_corrcoef, "labels"),
        Metric("cohen_kappa", cohen_kappa, "labels"),
        Metric("top_5_accuracy", top_k_accuracy, "scores"),
        Metric("log_loss", log_loss, "scores", higher_is_better=False),
        Metric("average_precision", average_precision, "scores"),
        Metric("roc_auc", roc_auc, "scores"),
        Metric("roc_auc_weighted", partial(roc_auc, average="weighted"), "scores"),
        Metric("roc_auc_ovo", partial(roc_auc, multi_class="ovo"), "scores"),
        Metric("r2", r2, "values"),
        Metric("mae", mae, "values", higher_is_better=False),
        Metric("mse", mse, "values", higher_is_better=False),
        Metric("rmse", rmse, "values", higher_is_better=False),
    )
}
_NO_NUMBER = (accuracy_within, confusion_matrix, precision_recall_curve, roc_curve)
_WITHIN = "accuracy_within_"
_TOP = re.compile(r"top_(\d{1,9})_accuracy")


def get(metric: str | Metric | Callable[..., float]) -> Metric:
    """Return the `Metric` that a name, a metric or a function stands for.

    Names, of classes: "accuracy"; "precision", "recall" and "f1" (macro), each also with "_macro",
    "_micro", "_weighted", "_binary" or "_samples"; "balanced_accuracy", "matthews_corrcoef" and
    "cohen_kappa". Of probabilities: "top_5_accuracy" for any number, "log_loss",
    "average_precision", "roc_auc" (macro, one class against the rest), "roc_auc_weighted" and
    "roc_auc_ovo". Of values: "r2", "mae", "mse", "rmse", and "accuracy_within_0.5" for any
    tolerance. A function of this module stands for its own metric. Any other is called by its
    `__name__`, is handed the values, and is taken to be better when higher: say otherwise with
    `Metric(...)`.

    Raises:
        TypeError: neither of the three, a function without a usable name, or one of this module
            that needs more arguments or returns more than a number.
        ValueError: an unknown name (close ones are listed), a tolerance that is no number, or the
            top 0.

    >>> from pellucid.train import metrics
    >>> metric = metrics.get("mae")
    >>> metric([1.0, 2.0], [1.5, 2.5]), metric.higher_is_better
    (0.5, False)
    """
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, str):
        return _by_name(metric)
    if metric in _NO_NUMBER:
        raise TypeError(
            "metric: expected a function that returns one number from (y_true, y_pred) alone, got "
            f"{metric.__name__}; call it on predictions yourself, or for a tolerance write "
            f"'{_WITHIN}0.5'"
        )
    own = [known for known in _METRICS.values() if known.function is metric]
    if own:
        return own[0]
    name = getattr(metric, "__name__", "")
    if not callable(metric) or not name.isidentifier():
        raise TypeError(
            "metric: expected a name, a Metric or a named function (y_true, y_pred) -> float, got "
            f"{metric!r}; give it a name with Metric('my_score', function, needs='values')"
        )
    return Metric(name, metric, "values")


def compares_numbers(metric: Metric) -> bool:
    """Whether this is one of the metrics here that compare numbers, and no class labels."""
    function = metric.function
    within = isinstance(function, partial) and function.func is accuracy_within
    return within or function in (r2, mae, mse, rmse)


def _by_name(name: str) -> Metric:
    if name in _METRICS:
        return _METRICS[name]
    if name.startswith(_WITHIN):
        return _within(name)
    if (top := _TOP.fullmatch(name)) and int(top[1]) > 0:
        return Metric(name, partial(top_k_accuracy, k=int(top[1])), "scores")
    raise unknown("metric", name, [*_METRICS, _WITHIN + "0.5"])


def _within(name: str) -> Metric:
    try:
        tolerance = float(name.removeprefix(_WITHIN))
    except ValueError:
        tolerance = math.nan
    if not 0.0 <= tolerance < math.inf:
        raise ValueError(
            f"metric: expected a finite tolerance of at least 0 after {_WITHIN!r}, got {name!r}; "
            f"write for example '{_WITHIN}0.5'"
        )
    return Metric(name, partial(accuracy_within, tolerance=tolerance), "values")
