"""Updates as native code: the whole of a `Step` traced once, and run as one program."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias

import numpy as np

from pellucid.arrays import quiet
from pellucid.autograd import Tensor
from pellucid.compiler.api import Bound, Result
from pellucid.compiler.api import compile as compiled
from pellucid.compiler.schedule import UnsupportedError
from pellucid.compiler.trace import TraceError
from pellucid.nn import Module
from pellucid.train.batches import Batch
from pellucid.train.step import Outcome, Step, is_finite, loss_of
from pellucid.train.tally import Scored

Compile: TypeAlias = bool | Literal["auto"]
Update: TypeAlias = Callable[[Iterable[Batch]], Outcome]


class NativeStep:
    """Makes updates as a `Step` does, through a compiled program.

    Args:
        network: whose parameters and buffers change.
        step: what to do.
        insist: whether to raise where a step cannot be compiled, instead of making it eagerly.
    """

    def __init__(self, network: Module, step: Step, insist: bool) -> None:
        self.step, self.insist = step, insist
        self.program = compiled(self._whole, [network, step.optimizer])
        self.bound: dict[Any, Bound] = {}
        self.eager = False

    def __call__(self, batches: Iterable[Batch]) -> Outcome:
        """Make one update; where something is not finite, make none and say so."""
        first, *more = list(batches)
        if self.eager or more:
            return self.step([first, *more])
        arrays = (first.x, first.y) if first.weight is None else (first.x, first.y, first.weight)
        shapes = tuple(array.shape for array in arrays)
        try:
            if shapes not in self.bound:
                self.bound[shapes] = self.program.bound(*arrays)
            bound = self.bound[shapes]
            if bound.traced.program is None:
                raise UnsupportedError(f"expected a step that compiles: {bound.traced.reason}")
            result = bound.attempt(*arrays)
        except (TraceError, UnsupportedError) as error:
            if self.insist:
                raise
            if isinstance(error, TraceError):
                warnings.warn(f"training goes on without compiled code: {error}", stacklevel=5)
            self.eager = True
            return self.step([first])
        with quiet():
            return self._judged(result, first)

    def _judged(self, result: Result, first: Batch) -> Outcome:
        """Take over an update, if it is finite."""
        outcome = Outcome()
        prediction, loss, penalty = result.value
        value = float(loss)
        weight = self.step.loss.total_weight(Tensor(prediction), first.y, first.weight)
        if weight == 0:
            return outcome
        if not math.isfinite(value):
            outcome.problem = f"the loss is {value}"
        elif not all(is_finite(a) for name, a in result.state.items() if name.startswith("0.")):
            outcome.problem = "the update is not finite"
        else:
            result.commit()
        outcome.scored.append(Scored(prediction, first.y, first.weight, value, weight))
        outcome.penalty = None if penalty is None else float(penalty)
        return outcome

    def _whole(self, x: Tensor, y: Tensor, *weight: Tensor) -> tuple[Any, Any, Any]:
        """Make the update on tensors; return the prediction, its loss, and the penalty if any."""
        step = self.step
        for parameter in step.parameters.values():
            parameter.grad = None
        prediction = step.predict(x)
        loss = loss_of(step.loss, prediction, Batch(x, y, *weight))
        loss.backward()
        penalty = None
        for parameter, rule in step.penalties:
            cost = rule(parameter)
            cost.backward()
            penalty = cost.data if penalty is None else penalty + cost.data
        step.optimizer.step(step.parameters)
        for parameter, bound in step.constraints:
            parameter.data = bound(parameter.data)
        return prediction.data, loss.data, penalty


def checked(choice: Any) -> Compile:
    """Return whether to compile, or say that it is no such choice."""
    if not (isinstance(choice, bool | np.bool) or choice == "auto"):
        raise ValueError(f'expected compile to be True, False or "auto", got {choice!r}')
    return choice if choice == "auto" else bool(choice)
