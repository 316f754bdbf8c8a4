"""Progress of training: a live bar on a terminal, one line an epoch elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Literal

from pellucid.train.events import Callback, Run

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Verbose = bool | Literal["auto", "bar", "lines"] | int


def progress(verbose: Verbose) -> list[Callback]:
    """Return the callback that shows progress as asked: a list of one, or of none.

    Args:
        verbose: False or 0 is silent; "bar" a live bar; "lines" or 2 one line an epoch; "auto",
            True or 1 a bar where the output is a terminal and lines where it is not.
    """
    if verbose is False or verbose == 0:
        return []
    if verbose == "bar" or (verbose in (True, "auto") and sys.stdout.isatty()):
        return [ProgressBar()]
    if verbose in (True, "auto", "lines", 2):
        return [ProgressLines()]
    raise ValueError(
        f'expected verbose to be True, False, "auto", "bar" or "lines", got {verbose!r}'
    )


def describe(logs: dict[str, float]) -> str:
    """Return ``loss 0.1234  accuracy 0.9876``; small numbers as ``1.23e-05``, a rate as short."""
    return "  ".join(f"{name} {_number(name, value)}" for name, value in logs.items())


def _number(name: str, value: float) -> str:
    if name == "lr":
        return f"{value:.3g}"
    return f"{value:.2e}" if 0 < abs(value) < 1e-3 else f"{value:.4f}"


def eagerness(run: Run) -> str:
    """Return a line that says why updates are no native code."""
    return f"updates are eager: {run.eager.partition(';')[0]}"


class ProgressLines(Callback):
    """One line an epoch: its number, its time, its loss and metrics."""

    def on_fit_begin(self, run: Run) -> None:
        """Nothing has been said."""
        self._told = ""

    def on_epoch_begin(self, run: Run) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def on_epoch_end(self, run: Run) -> None:
        """Print the line, and before it why updates are eager, once."""
        if run.eager != self._told:
            self._told = run.eager
            print(eagerness(run), flush=True)
        seconds = time.perf_counter() - self._start
        width = len(str(run.epochs))
        print(
            f"epoch {run.epoch:{width}}/{run.epochs}  {seconds:6.2f} s  {describe(run.logs)}",
            flush=True,
        )

    def on_fit_end(self, run: Run) -> None:
        """Say why training ended early."""
        if run.stopped:
            print(f"stopped: {run.stopped}", flush=True)


class ProgressBar(Callback):
    """A bar over the batches of the epoch with the time left, and a line for each epoch done."""

    every_batch = False
    interval = 0.1  # seconds between updates: drawing must not slow training down

    def on_fit_begin(self, run: Run) -> None:
        """Draw the empty bar."""
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._bar: Progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[values]}"),
            console=Console(file=sys.stdout),
            transient=True,
        )
        total = run.epochs * run.batches or None  # None: not known before the first epoch's end
        self._task: TaskID = self._bar.add_task("training", total=total, values="")
        self._bar.start()
        self._drawn, self._told = 0.0, ""

    def on_epoch_begin(self, run: Run) -> None:
        """Start the epoch's clock."""
        self._start = time.perf_counter()
        self._loss, self._batches = 0.0, 0
        total = run.epochs * run.batches or None
        self._bar.update(self._task, description=f"epoch {run.epoch}/{run.epochs}", total=total)

    def on_batch_end(self, run: Run) -> None:
        """Move the bar on, a few times a second."""
        self._loss += run.logs["loss"]
        self._batches += 1
        now = time.perf_counter()
        if now - self._drawn >= self.interval:
            self._drawn = now
            done = (run.epoch - 1) * run.batches + run.batch
            values = describe({"loss": self._loss / self._batches})
            self._bar.update(self._task, completed=done, values=values)

    def on_epoch_end(self, run: Run) -> None:
        """Print the epoch's line above the bar, and before it why updates are eager, once."""
        if run.eager != self._told:
            self._told = run.eager
            self._bar.console.print(eagerness(run), highlight=False, markup=False)
        seconds = time.perf_counter() - self._start
        width = len(str(run.epochs))
        self._bar.console.print(
            f"epoch {run.epoch:{width}}/{run.epochs}  {seconds:6.2f} s  {describe(run.logs)}",
            highlight=False,
        )
        self._bar.update(self._task, completed=run.epoch * run.batches, values=describe(run.logs))

    def on_fit_end(self, run: Run) -> None:
        """Take the bar away and say why training ended early."""
        self._bar.stop()
        if run.stopped:
            self._bar.console.print(f"stopped: {run.stopped}", highlight=False)
