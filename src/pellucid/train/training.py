"""One call of `fit`: the loop over epochs and updates, and how it goes on from a checkpoint."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple

from pellucid.train.batches import Batch, Source
from pellucid.train.checkpoint import Checkpoint, Saved
from pellucid.train.events import Callbacks, Run
from pellucid.train.interrupt import Wishes
from pellucid.train.step import Outcome
from pellucid.train.tally import Tally


class Work(NamedTuple):
    """How an epoch is done.

    Attributes:
        updates: makes its updates; given what says how many may be made before anybody is told.
        tally: what adds up what they saw.
        score: of the validation data.
        anomaly: which operation made what is not finite, on a batch.
        eager: why updates are no native code, if they should be.
        group: how many batches make an update.
    """

    updates: Callable[[Callable[[], float]], Iterator[list[Outcome]]]
    tally: Callable[[], Tally]
    score: Callable[[Source], dict[str, float]]
    anomaly: Callable[[Batch], str]
    eager: Callable[[], str]
    group: int


class Training:
    """The loop, and where it is.

    Args:
        run: what callbacks see of it.
        source: the batches of each epoch.
        work: how an epoch is done.
        callbacks: who is told, and whose memory belongs to a checkpoint.
        progress: who is told besides.
    """

    def __init__(
        self, run: Run, source: Source, work: Work, callbacks: Callbacks, progress: Callbacks
    ) -> None:
        self.run, self.source, self.work, self.callbacks = run, source, work, callbacks
        self.done = 0  # whole epochs
        self.tally: Tally | None = None  # of the epoch that has begun
        self._before = source.state()  # of that epoch, or of the next one
        self._wishes = Wishes()
        writing = [each for each in callbacks.members if isinstance(each, Checkpoint)]
        others = [each for each in callbacks.members if not isinstance(each, Checkpoint)]
        if len(writing) > 1:
            raise ValueError(
                f"expected one Checkpoint at most among the callbacks, got {len(writing)}; one can "
                "take epochs, steps, minutes and best together"
            )
        self.writes = bool(writing)
        self._alone = writing[0].alone() if writing else nullcontext()
        # checkpoints come after all whose memory they keep, and after what a signal asks for
        self.events = Callbacks([*others, self._wishes, *writing, progress])

    def go(self, saved: Saved | None, put_back: Callable[[Saved], None]) -> None:
        """Train until all epochs are done, or something stops it.

        Args:
            saved: a checkpoint to go on from; None to begin.
            put_back: gives network and optimiser the state they had then.

        Raises:
            SystemExit: SIGTERM asked for the end, where checkpoints are written; with status 143,
                as shells report it.
        """
        run = self.run
        with self._alone, self._wishes.heard(term=self.writes):
            self.events.on_fit_begin(run)
            try:
                if saved is not None:
                    self.restore(saved.training)
                    put_back(saved)
                while self.done < run.epochs and not run.stopped:
                    self._epoch()
                self._wishes.heed(run)
            except KeyboardInterrupt:
                run.stop(f"interrupted in epoch {run.epoch}")
            finally:
                self.events.on_fit_end(run)
        if self._wishes.signal == signal.SIGTERM:
            raise SystemExit(128 + signal.SIGTERM)

    def _epoch(self) -> None:
        """Go over the data once, or over what is left of them; validate."""
        run = self.run
        if self.tally is None:
            run.epoch = self.done + 1
            self.events.on_epoch_begin(run)
            run.batch, self.tally = 0, self.work.tally()
        self._updates(self.tally)
        logs = self.tally.logs()
        run.batches = run.batches or run.batch  # a loader need not know it before
        if run.validation is not None and not run.stopped:
            scores = self.work.score(run.validation)
            logs |= {f"val_{name}": value for name, value in scores.items()}
        run.logs = logs | run.rate()
        run.history.append(run.logs)
        self.done, self.tally, self._before = run.epoch, None, self.source.state()
        self.events.on_epoch_end(run)

    def _updates(self, tally: Tally) -> None:
        """Make the updates of an epoch, and add up what they saw."""
        run = self.run
        for outcomes in self.work.updates(lambda: self.events.next_look(run)):
            run.eager = self.work.eager()
            for outcome in outcomes:
                run.batch, run.updates = run.batch + 1, run.updates + 1
                for scored in outcome.scored if not outcome.problem else ():
                    tally.add(scored, outcome.penalty)
            if outcome.problem:
                run.stop(
                    f"{outcome.problem} in epoch {run.epoch}, batch {run.batch}; try a lower "
                    "learning rate, or scale the inputs"
                )
                if outcome.batch is not None:
                    run.anomaly = self.work.anomaly(outcome.batch)
                report = f"training stopped: {run.stopped}\n{run.anomaly}"
                warnings.warn(report.strip(), RuntimeWarning, stacklevel=6)
                return
            if not outcome.scored:  # nothing in these batches counts
                continue
            run.logs = outcome.logs()
            self.events.on_batch_end(run)
            if run.stopped:
                return

    # checkpoints

    def state(self) -> dict[str, Any]:
        """Return where the loop is, between two updates, for `restore`."""
        run = self.run
        return {
            "done": self.done,
            "batch": run.batch if self.tally else 0,
            "updates": run.updates,
            "batches": run.batches,
            "source": self._before,
            "validation": run.validation.state() if run.validation else None,
            "tally": self.tally.state() if self.tally else None,
            "history": dict(run.history.items()),
            "logs": run.logs,
            "reports_lr": run.reports_lr,
            "stopped": "" if run.interrupted else run.stopped,
            "callbacks": self.callbacks.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Be where `state` was; callbacks, told that training begins, remember what came then.

        The history is that of the run already. Network and optimiser are put back only afterwards,
        since a callback may change them at the beginning of an epoch.
        """
        run = self.run
        self.done, run.batch, run.updates = state["done"], state["batch"], state["updates"]
        run.epoch, run.batches, run.logs = self.done, state["batches"], dict(state["logs"])
        self._before = state["source"]
        self.source.restore(self._before, run.batch * self.work.group)
        if run.validation is not None:
            run.validation.restore(state["validation"])
        if state["tally"] is not None:
            run.epoch = self.done + 1
            self.tally = self.work.tally()
            self.tally.restore(state["tally"])
            self.events.on_epoch_begin(run)
        self.callbacks.load_state_dict(state["callbacks"])
        run.reports_lr = run.reports_lr or state["reports_lr"]
        run.stopped = state["stopped"]
