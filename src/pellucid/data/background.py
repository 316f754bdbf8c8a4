"""Making things ahead of time in a thread, without leaving the thread behind."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
_LOOK_UP = 1.0  # seconds a waiting thread sleeps before it looks whether it is still wanted


@dataclass
class _Line(Generic[T]):
    """What passes from the thread to its reader: lists of one item, an error, or None for the end.

    The thread knows nothing of the reader, so that a reader dropped in mid-loop is collected, and
    then ends the thread.
    """

    places: queue.Queue[list[T] | BaseException | None]
    wanted: bool = True

    def put(self, item: list[T] | BaseException | None) -> None:
        """Wait for a free place, or for the reader to leave."""
        while self.wanted:
            try:
                self.places.put(item, timeout=_LOOK_UP)
            except queue.Full:
                continue
            return

    def fill(self, items: Iterator[T]) -> None:
        """Put the items, then the end or the error that came instead; the work of the thread."""
        try:
            for item in items:
                self.put([item])
                if not self.wanted:
                    return
        except BaseException as error:  # whatever it is, it is the reader's to see
            self.put(error)
        else:
            self.put(None)


def _next(line: _Line[T], thread: threading.Thread) -> list[T] | BaseException | None:
    """Return what comes next, once it is there.

    Raises:
        RuntimeError: The thread is gone, as it is in a process that was forked from this one.
    """
    while True:
        runs = thread.is_alive()
        try:
            return line.places.get(timeout=_LOOK_UP)
        except queue.Empty:
            if not runs:
                raise RuntimeError(
                    "expected the thread that makes the batches, found it gone, as after a fork; "
                    "begin a new epoch in the new process"
                ) from None


def ahead(items: Iterator[T], depth: int) -> Iterator[T]:
    """Yield the items in their order, made by a thread that is at most `depth` of them ahead.

    An error in the thread is raised here, with its own traceback. The thread ends with the items;
    or when this iterator is closed or dropped, as it is by leaving a `for` loop, it finishes the
    item it is at and ends.
    """
    line: _Line[T] = _Line(queue.Queue(depth))
    thread = threading.Thread(
        target=line.fill, args=(items,), name="pellucid.data ahead", daemon=True
    )
    thread.start()
    try:
        while (item := _next(line, thread)) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item.pop()
    finally:
        item = None  # an error's traceback holds this frame: break the cycle
        line.wanted = False
        if thread is not threading.current_thread():  # there, if collected from within its work
            while not line.places.empty():  # make room, in case it waits for some
                line.places.get()
            thread.join()
