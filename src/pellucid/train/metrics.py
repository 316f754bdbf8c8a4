"""Metrics by name, as the training loop knows them; the functions themselves are in `scores`.

Every one takes `(y_true, y_pred)`, in that order, and is computed once over all the predictions of
an epoch, never averaged over batches.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias, get_args

from numpy.typing import ArrayLike

from pellucid.errors import unknown
from pellucid.train.scores import (
    Average,
    accuracy,
    accuracy_within,
    as_labels,
    confusion_matrix,
    f1,
    mae,
    mse,
    precision,
    r2,
    recall,
    rmse,
)

__all__ = [
    "Metric",
    "accuracy",
    "accuracy_within",
    "as_labels",
    "confusion_matrix",
    "f1",
    "get",
    "mae",
    "mse",
    "precision",
    "r2",
    "recall",
    "rmse",
]

Needs: TypeAlias = Literal["labels", "values"]


@dataclass(frozen=True)
class Metric:
    """A named score as the training loop needs to know it.

    `function(y_true, y_pred)` returns one number; it is also given `sample_weight=` when there
    are weights. `needs` says what the loop hands over: "labels", integer classes (n,) on both
    sides, or "values", the targets and the outputs of the network as they are.

    Raises:
        TypeError: `function` cannot be called.
        ValueError: the name is empty, or `needs` is neither of the two.
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
                "Metric: expected a name and needs='labels' or needs='values', got "
                f"name={self.name!r} and needs={self.needs!r}; give both"
            )

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the score of all the predictions of an epoch, as a Python float."""
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return float(self.function(y_true, y_pred, **weights))


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
        Metric("r2", r2, "values"),
        Metric("mae", mae, "values", higher_is_better=False),
        Metric("mse", mse, "values", higher_is_better=False),
        Metric("rmse", rmse, "values", higher_is_better=False),
    )
}
_WITHIN = "accuracy_within_"


def get(metric: str | Metric | Callable[..., float]) -> Metric:
    """Return the `Metric` that a name, a metric or a function stands for.

    Names: "accuracy"; "precision", "recall" and "f1" (macro), each also with "_macro", "_micro",
    "_weighted" or "_binary"; "r2", "mae", "mse", "rmse"; and "accuracy_within_0.5" for any
    tolerance. A function of `scores` stands for its own metric. Any other is called by its
    `__name__`, is handed the values, and is taken to be better when higher: say otherwise with
    `Metric(...)`.

    Raises:
        TypeError: neither of the three, or a function without a usable name.
        ValueError: an unknown name (close ones are listed), or a tolerance that is no number.
    """
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, str):
        return _by_name(metric)
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


def _by_name(name: str) -> Metric:
    if name in _METRICS:
        return _METRICS[name]
    if name.startswith(_WITHIN):
        return _within(name)
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
