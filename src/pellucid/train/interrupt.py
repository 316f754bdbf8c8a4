"""Ctrl-C and SIGTERM as wishes to stop, so that no update is left half made."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pellucid.train.events import Callback, Run

WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class Wishes(Callback):
    """Stops a run after the update, or the validation, in which a signal asked for it."""

    every_batch = False

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def on_batch_end(self, run: Run) -> None:
        """Stop, if it was asked for."""
        self.heed(run)

    def on_epoch_end(self, run: Run) -> None:
        """Stop, if it was asked for."""
        self.heed(run)

    def heed(self, run: Run) -> None:
        """Stop, if it was asked for and nothing else has stopped the run."""
        if self.signal and not run.stopped:
            run.interrupted = True
            run.stop(f"{WORDS[self.signal]} in epoch {run.epoch}")

    @contextmanager
    def heard(self, term: bool) -> Iterator[None]:
        """Let Ctrl-C, and SIGTERM if so wished, only note that it came; a second does not wait.

        Signals that somebody else handles are left alone.
        """
        handled: dict[signal.Signals, Any] = {signal.SIGINT: signal.default_int_handler}
        if term:
            handled[signal.SIGTERM] = signal.SIG_DFL
        usual = {each: how for each, how in handled.items() if signal.getsignal(each) is how}
        if threading.current_thread() is not threading.main_thread():
            usual = {}
        for each in usual:
            signal.signal(each, self._ask)
        try:
            yield
        finally:
            for each, how in usual.items():
                signal.signal(each, how)

    def _ask(self, number: int, _: object) -> None:
        if self.signal:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)
