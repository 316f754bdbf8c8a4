"""The numbers of an epoch or an evaluation: the mean loss, the penalty, the metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pellucid.arrays import Array
from pellucid.autograd import no_grad
from pellucid.nn import Loss
from pellucid.train.inputs import labels
from pellucid.train.metrics import Metric


class Scored(NamedTuple):
    """What is kept of a batch: predictions with targets and weights, the loss, and its weight."""

    prediction: Array
    y: Array
    sample_weight: Array | None
    loss: float
    weight: float


class Tally:
    """Adds up batches of any size and weight to the numbers of them all together."""

    def __init__(self, loss: Loss, metrics: Sequence[Metric]) -> None:
        self.loss, self.metrics = loss, metrics
        self.total = self.weight = 0.0
        self.penalty: float | None = None
        self.scored: list[Scored] = []

    def add(self, scored: Scored, penalty: float | None = None) -> None:
        """Count a batch, and the penalty at the time."""
        self.total += scored.loss * scored.weight
        self.weight += scored.weight
        if penalty is not None:
            self.penalty = (self.penalty or 0.0) + penalty * scored.weight
        if self.metrics:
            self.scored.append(scored)

    def state(self) -> dict[str, Any]:
        """Return what was added up so far, for `restore`."""
        scored = None
        if self.scored:
            y, prediction, weight = self._rows()
            scored = {"y": y, "prediction": prediction, "sample_weight": weight}
        numbers = {"total": self.total, "weight": self.weight, "penalty": self.penalty}
        return {**numbers, "scored": scored}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned; the numbers of the epoch come out the same."""
        self.total, self.weight = state["total"], state["weight"]
        self.penalty = state["penalty"]
        if state["scored"] is not None:
            self.scored = [Scored(**state["scored"], loss=math.nan, weight=math.nan)]

    def logs(self) -> dict[str, float]:
        """Return the mean loss and penalty, and every metric over all predictions."""
        values = {"loss": self.total / self.weight if self.weight else math.nan}
        if self.penalty is not None:
            values["penalty"] = self.penalty / self.weight if self.weight else math.nan
        if self.scored:
            y, prediction, weight = self._rows()
            for metric in self.metrics:
                values[metric.name] = score(metric, self.loss, y, prediction, weight)
        return values

    def _rows(self) -> tuple[Array, Array, Array | None]:
        """Return targets, predictions and weights of all batches."""
        y = np.concatenate([scored.y for scored in self.scored])
        prediction = np.concatenate([scored.prediction for scored in self.scored])
        return y, prediction, _joined(self.scored)


def score(
    metric: Metric, loss: Loss, y: Array, prediction: Array, weight: Array | None = None
) -> float:
    """Return a metric over whole arrays of targets and of predictions as the loss takes them.

    Classes are one row an example, or one row a place of a sequence, which weighs as its example
    does. Several yes-or-no outputs stay together as answers ``(n, k)``, as in scikit-learn.
    """
    if metric.needs == "values":
        return metric(y, _linked(loss, prediction), weight)
    truth = _rows(loss, labels(loss, y, threshold=0.5))
    if metric.needs == "labels":
        guess = _rows(loss, labels(loss, prediction, loss.threshold))
    elif loss.task == "binary":
        guess = _rows(loss, _linked(loss, prediction))
    else:
        guess = _linked(loss, prediction).reshape(-1, prediction.shape[-1])
    if weight is not None and len(weight) != len(truth):
        weight = np.repeat(weight, len(truth) // len(weight))
    return metric(truth, guess, weight)


def _rows(loss: Loss, values: Array) -> Array:
    """Return ``(n,)``, or ``(n, k)`` of k > 1 yes-or-no outputs."""
    several = loss.task == "binary" and values.ndim > 1 and values.shape[-1] > 1
    return values.reshape(-1, values.shape[-1]) if several else values.reshape(-1)


def _linked(loss: Loss, prediction: Array) -> Array:
    with no_grad():
        return loss.link()(prediction).data


def _joined(parts: Sequence[Scored]) -> Array | None:
    """Return the weights of all rows, or None where none are weighted."""
    if all(part.sample_weight is None for part in parts):
        return None
    rows = [np.ones(len(p.y)) if p.sample_weight is None else p.sample_weight for p in parts]
    return np.concatenate(rows, dtype=np.float64)
