"""Ctrl-C as a wish to stop, so that no update is left half made."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pellucid.train.callbacks import Run


@contextmanager
def stopping_on_interrupt(run: Run) -> Iterator[None]:
    """Let Ctrl-C end the run after the current update; a second one does not wait."""

    def ask(*_: object) -> None:
        if run.stopped:
            raise KeyboardInterrupt
        run.stop(f"interrupted in epoch {run.epoch}")

    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
