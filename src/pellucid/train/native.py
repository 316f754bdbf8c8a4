"""Updates as native code: the whole of a `Step` traced once, and run as one program.

Where the data are arrays and nobody asks for single batches, many updates are one call: the program
picks the rows of each batch out itself.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, TypeAlias

import numpy as np

from pellucid.arrays import Array, namespace
from pellucid.autograd import Tensor, as_tensor
from pellucid.compiler.api import Compiled, say_once
from pellucid.compiler.api import compile as compiled
from pellucid.compiler.arguments import arrays_of
from pellucid.compiler.bound import Bound
from pellucid.compiler.cells import settings
from pellucid.compiler.llvm.target import unavailable
from pellucid.compiler.places import UnsupportedError
from pellucid.compiler.trace import TraceError
from pellucid.data.several import put_together, taken_apart
from pellucid.nn import Module
from pellucid.train.batches import Batch, FromArrays, Source
from pellucid.train.step import Outcome, Step, loss_of
from pellucid.train.tally import Scored

Compile: TypeAlias = bool | Literal["auto"]
SPAN = 0.2  # seconds of training between looks at Python, for Ctrl-C and the progress bar
_REFUSED = "expected what compiles: "
MOST = 1 << 26  # bytes of predictions that are kept meanwhile


@dataclass(frozen=True)
class Rules:
    """Settings of rules as one argument, whose numbers are no inputs of a program."""

    settings: tuple[Any, ...]


class NativeStep:
    """Makes updates as a `Step` does, through compiled programs.

    Args:
        network: whose parameters and buffers change.
        step: what to do.
        insist: whether to raise where a step cannot be compiled, instead of making it eagerly.
        keep: whether predictions are wanted, for metrics.
        threads: how many to use.
    """

    def __init__(self, network: Module, step: Step, insist: bool, keep: bool, threads: int) -> None:
        self.step, self.insist, self.keep, self.threads = step, insist, keep, threads
        state = [network, step.optimizer]
        self.programs: dict[Callable[..., Any], Compiled] = {
            function: compiled(function, state, threads=threads)
            for function in (self._batch, self._rows)
        }
        self.together: dict[int, int] = {}  # updates in one call, by batch size
        self.eager = unavailable()  # the reason, if there is no native code
        if self.eager and insist:
            raise UnsupportedError(f"expected a step that compiles: {self.eager}")
        if self.eager:
            say_once(self.eager)

    def serves(self, step: Step, insist: bool, keep: bool, threads: int) -> bool:
        """Whether this does what is asked for now."""
        asked = (insist, keep, threads) == (self.insist, self.keep, self.threads)
        return asked and not self.step.unlike(step)

    def updates(self, source: Source, at_most: Callable[[], float]) -> Iterator[list[Outcome]]:
        """Return an iterator over the updates of an epoch: what each of them saw.

        Several come together, each time no more than ``at_most()``.
        """
        if not isinstance(source, FromArrays) or self.eager:
            for batch in source.epoch():
                yield [self([batch])]
            return
        for batch_size, several in groupby(source.indices(), key=len):
            waiting = np.stack(list(several))
            while len(waiting):
                start = time.perf_counter()
                together = self.together.get(batch_size, 1)
                rows = waiting[: max(1, int(min(together, at_most())))]
                waiting = waiting[len(rows) :]
                outcomes = self._several(source.whole, rows)
                seconds = max(time.perf_counter() - start, 1e-6)
                yield outcomes
                size = sum(scored.prediction.nbytes for scored in outcomes[0].scored if self.keep)
                most = MOST // max(size, 1)
                more = int(len(rows) * min(SPAN / seconds, 16))
                self.together[batch_size] = 1 + min(more, most)

    def __call__(self, batches: Iterable[Batch]) -> Outcome:
        """Make one update; where something is not finite, make none and say so."""
        first, *more = list(batches)
        bound = None if more else self._bound(self._batch, *parts_of(first))
        if bound is None:
            return self.step([first, *more])
        result = bound.attempt(self._rules(), *parts_of(first))
        found = result.value
        weight = total_of(first) if found["weight"] is None else float(found["weight"])
        outcome = Outcome()
        if weight == 0:
            return outcome
        value = float(found["loss"])
        if found["fine"]:
            result.commit()
        else:
            outcome.problem, outcome.batch = problem(value), first
        outcome.scored.append(Scored(found["prediction"], first.y, first.weight, value, weight))
        outcome.penalty = None if found["penalty"] is None else float(found["penalty"])
        return outcome

    def _several(self, whole: Batch, rows: Array) -> list[Outcome]:
        """Make updates as one call, each with a batch of the ``rows`` (updates, batch size)."""
        bound = self._bound(self._rows, rows[0], *parts_of(whole))
        if bound is None or "out.weight" in bound.results or not bound.steady:
            return self._one_by_one(whole, rows)
        named = arrays_of((None, rows, *parts_of(whole)), {})  # as the program's arguments
        made, found = bound.repeat(len(rows), named, ["arg.1"], "out.fine")
        losses = found["out.loss"].tolist()
        penalties = found["out.penalty"].tolist() if "out.penalty" in found else [None] * len(rows)
        outcomes = []
        for number in range(made):
            index = rows[number]
            y = whole.y[index] if self.keep else whole.y[:0]
            weights = None if whole.weight is None else whole.weight[index]
            total = float(len(index) if weights is None else np.sum(weights))
            prediction = found["out.prediction"][number] if self.keep else None
            scored = Scored(prediction, y, weights, losses[number], total)
            outcomes.append(Outcome([scored], penalties[number]))
        if made < len(rows):
            broken = whole.rows(rows[made])
            outcomes.append(Outcome(problem=problem(losses[made]), batch=broken))
        return outcomes

    def _one_by_one(self, whole: Batch, rows: Array) -> list[Outcome]:
        """Make updates as one call each, up to the first that cannot be made."""
        outcomes: list[Outcome] = []
        for index in rows:
            outcomes.append(self([whole.rows(index)]))
            if outcomes[-1].problem:
                break
        return outcomes

    def _bound(self, function: Callable[..., Any], *parts: Any) -> Bound | None:
        """Return the program for such arrays; None, from now on, where there is none."""
        if self.eager:
            return None
        try:
            bound = self.programs[function].bound(self._rules(), *parts)
        except TraceError as error:
            if self.insist:
                raise
            warnings.warn(f"training goes on without compiled code: {error}", stacklevel=5)
            self.eager = str(error)
            return None
        if bound.traced.program is None and self.insist:
            raise UnsupportedError(f"expected a step that compiles: {bound.traced.reason}")
        self.eager = bound.traced.reason
        return None if self.eager else bound

    def _rules(self) -> Rules:
        """Return what the loss, penalties and constraints are set to: programs differ by it."""
        step = self.step
        rules = (step.loss, *(r for _, r in step.penalties), *(r for _, r in step.constraints))
        return Rules(tuple(map(settings, rules)))

    def _batch(self, rules: Rules, *parts: Any) -> dict[str, Any]:
        """Make the update for a batch."""
        return self._whole(batch_of(*parts))

    def _rows(self, rules: Rules, index: Tensor, *parts: Any) -> dict[str, Any]:
        """Make the update for some rows of all the examples."""
        return self._whole(batch_of(*parts).rows(index))

    def _whole(self, batch: Batch) -> dict[str, Any]:
        """Make the update on tensors; return what it saw, and whether all that moved is finite."""
        step = self.step
        for parameter in step.parameters.values():
            parameter.grad = None
        prediction = step.predict(batch.x)
        loss = loss_of(step.loss, prediction, batch)
        loss.backward()
        penalty = None
        for parameter, rule in step.penalties:
            cost = rule(parameter)
            cost.backward()
            penalty = cost.data if penalty is None else penalty + cost.data
        step.optimizer.step(step.parameters)
        for parameter, bound in step.constraints:
            parameter.data = bound(parameter.data)
        own = step.loss.example_weight(prediction, batch.y)
        if own is not None:
            own = (own if batch.weight is None else own * batch.weight).sum().data
        return {
            "prediction": prediction.data if self.keep else None,
            "loss": loss.data,
            "penalty": penalty,
            "weight": own,
            "fine": are_finite([loss, *step.parameters.values(), *step.buffers]),
        }


class NativeForward:
    """Computes outputs of a network as a function does, through compiled programs.

    Args:
        function: of a batch of examples, in evaluation mode.
        network: whose state it reads.
        threads: how many to use; by default one for each core.
        tell: is given the reason, once a call of ``batches``, where there is no native code, and
            whether the function cannot be traced.
    """

    def __init__(
        self,
        function: Callable[[Tensor], Any],
        network: Module,
        threads: int | None,
        tell: Callable[[str, bool], None] = lambda reason, untraced: None,
    ) -> None:
        self.function, self.program = function, compiled(self._of, network, threads=threads)
        self.tell = tell

    def batches(self, choice: Compile, size: int) -> Callable[[Array], Array]:
        """Return what computes the output for examples.

        With "auto" it does without where there is no program, and leaves what is not a whole batch
        of ``size`` to eager execution: a program for the last one would most often serve only once.
        """
        helpless = False

        def output(x: Array) -> Array:
            nonlocal helpless
            if choice is True or (choice == "auto" and len(x) == size and not helpless):
                try:
                    out = self._native(x)
                    if not np.isnan(out).any():  # eager code may refuse what makes NaN here
                        return out
                except (TraceError, UnsupportedError) as error:
                    if choice is True:
                        raise
                    helpless = True
                    self.tell(str(error).removeprefix(_REFUSED), isinstance(error, TraceError))
            return as_tensor(self.function(x)).data

        return output

    def _of(self, parts: Any) -> Any:
        """Return the output for examples that were taken apart."""
        return self.function(put_together(parts))

    def _native(self, x: Any) -> Array:
        parts = taken_apart(x)
        bound = self.program.bound(parts)
        if bound.traced.program is None:
            raise UnsupportedError(f"{_REFUSED}{bound.traced.reason}")
        result = bound.attempt(parts)
        result.commit()
        return as_tensor(result.value).data


def parts_of(batch: Batch) -> tuple[Any, ...]:
    """Return what a batch has: arrays, and a tuple or a dictionary of several inputs."""
    return tuple(taken_apart(part) for part in batch if part is not None)


def batch_of(x: Any, y: Any, weight: Any = None) -> Batch:
    """Return the batch that has these parts."""
    return Batch(put_together(x), y, weight)


def total_of(batch: Batch) -> float:
    """Return the sum of a batch's weights."""
    return float(len(batch.y) if batch.weight is None else np.sum(batch.weight))


def are_finite(tensors: Sequence[Tensor]) -> Any:
    """Return whether there is no NaN and no infinity in any of them.

    They are looked at row by row, which needs no more than the loops that compute them.
    """
    fine: Any = True
    for array in (tensor.data for tensor in tensors):
        if array.dtype.kind == "f":
            xp = namespace(array)
            rows = xp.all(xp.isfinite(array), axis=-1) if array.ndim else xp.isfinite(array)
            fine = xp.logical_and(fine, xp.all(rows)) if fine is not True else xp.all(rows)
    return fine


def problem(loss: float) -> str:
    """Return why an update was not made."""
    return "the update is not finite" if math.isfinite(loss) else f"the loss is {loss}"


def checked(choice: Any) -> Compile:
    """Return whether to compile, or say that it is no such choice."""
    if not (isinstance(choice, bool | np.bool) or choice == "auto"):
        raise ValueError(f'expected compile to be True, False or "auto", got {choice!r}')
    return choice if choice == "auto" else bool(choice)
