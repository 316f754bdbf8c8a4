"""One update: the gradient of one batch or several, the penalty, the optimiser, the constraint."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pellucid.arrays import Array, namespace, quiet
from pellucid.autograd import Tensor
from pellucid.nn import Constraint, Loss, Penalty
from pellucid.optim import Optimizer
from pellucid.train.batches import Batch
from pellucid.train.tally import Scored


@dataclass(slots=True)
class Outcome:
    """What an update saw; and if training cannot go on, why, and the batch that showed it."""

    scored: list[Scored] = field(default_factory=list)
    penalty: float | None = None
    problem: str = ""
    batch: Batch | None = None

    def logs(self) -> dict[str, float]:
        """Return the loss of all the batches together, and the penalty if there is one."""
        if len(self.scored) == 1:
            loss = self.scored[0].loss
        else:
            loss = sum(s.loss * s.weight for s in self.scored) / sum(s.weight for s in self.scored)
        return {"loss": loss} if self.penalty is None else {"loss": loss, "penalty": self.penalty}


@dataclass(frozen=True)
class Step:
    """Moves parameters once for each group of batches.

    With L_k the mean loss of batch k and W_k the sum of its weights, the gradient is that of

        sum_k W_k L_k / sum_k W_k + penalties,

    the loss of all the batches as one, whatever their sizes. Each batch's graph is gone before the
    next batch is looked at; without a group of several nothing is scaled.
    """

    predict: Callable[[Array], Tensor]
    loss: Loss
    optimizer: Optimizer
    parameters: dict[str, Tensor]
    buffers: Sequence[Tensor] = ()
    penalties: Sequence[tuple[Tensor, Penalty]] = ()
    constraints: Sequence[tuple[Tensor, Constraint]] = ()
    accumulates: bool = False

    def unlike(self, other: Step) -> bool:
        """Whether it moves other parameters, or by other rules."""
        same = self.loss is other.loss and self.optimizer is other.optimizer
        return not same or any(
            [*map(id, mine)] != [*map(id, theirs)]
            for mine, theirs in (
                (self.parameters.values(), other.parameters.values()),
                (self.buffers, other.buffers),
                (sum(self.penalties, ()), sum(other.penalties, ())),
                (sum(self.constraints, ()), sum(other.constraints, ())),
            )
        )

    def __call__(self, batches: Iterable[Batch]) -> Outcome:
        """Make one update; where something is not finite, make none and say so.

        Where nothing in the batches counts, nothing changes, statistics of layers neither.
        """
        outcome = Outcome()
        tensors = [*self.parameters.values(), *self.buffers]
        before = [tensor.data for tensor in tensors]
        for parameter in self.parameters.values():
            parameter.grad = None
        self._update(batches, outcome)
        if outcome.problem or not outcome.scored:
            for tensor, data in zip(tensors, before, strict=True):
                tensor.data = data
        return outcome

    def _update(self, batches: Iterable[Batch], outcome: Outcome) -> None:
        """Move parameters and buffers; ``outcome`` says what was seen, and what went wrong."""
        with quiet():
            for batch in batches:
                value = self._backward(batch, outcome)
                if not math.isfinite(value):
                    outcome.problem, outcome.batch = f"the loss is {value}", batch
                    return
            if not outcome.scored:
                return
            if self.accumulates:
                self._divide(sum(scored.weight for scored in outcome.scored))
            if self.penalties:
                outcome.penalty = self._penalise()
            memory = self.optimizer.snapshot()
            self.optimizer.step(self.parameters)
            for parameter, constraint in self.constraints:
                parameter.data = constraint(parameter.data)
            moved = (*self.parameters.values(), *self.buffers)
            if not all(is_finite(tensor.data) for tensor in moved):
                self.optimizer.restore(memory)
                outcome.problem, outcome.batch = "the update is not finite", batch

    def _backward(self, batch: Batch, outcome: Outcome) -> float:
        """Add the batch's gradient to that of the group; return its loss, 0 if it counts nothing.

        In a group each gradient has the batch's weight in front.
        """
        prediction = self.predict(batch.x)
        weight = self.loss.total_weight(prediction, batch.y, batch.weight)
        if weight == 0:
            return 0.0
        loss = loss_of(self.loss, prediction, batch)
        value = float(loss.data)
        if math.isfinite(value):
            loss.backward(weight if self.accumulates else None)
            outcome.scored.append(Scored(prediction.data, batch.y, batch.weight, value, weight))
        return value

    def _divide(self, weight: float) -> None:
        for parameter in self.parameters.values():
            if parameter.grad is not None:
                parameter.grad = parameter.grad / weight

    def _penalise(self) -> float:
        """Add the gradients of the penalties; return their sum."""
        total = 0.0
        for parameter, penalty in self.penalties:
            cost = penalty(parameter)
            cost.backward()
            total += float(cost.data)
        return total


def loss_of(loss: Loss, prediction: Any, batch: Batch) -> Tensor:
    """Return the loss of a batch; a loss of one's own need know of weights only if there are."""
    if batch.weight is None:
        return loss(prediction, batch.y)
    return loss(prediction, batch.y, batch.weight)


def is_finite(array: Array) -> bool:
    """Whether there is no NaN and no infinity among the elements."""
    if array.dtype.kind != "f":
        return True
    flat = array.reshape(-1)
    return math.isfinite(flat @ flat) or bool(
        namespace(array).all(namespace(array).isfinite(array))
    )
