"""Keeping Python's garbage collector out of the way."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep Python's cyclic garbage collector from searching a growing graph for cycles.

    A graph of values has none, and is freed at once when its last result is. The collector does not
    know, and walks all that is there again and again while the graph grows: that takes more time
    than all the arithmetic. Afterwards it is as it was before, also when an exception passes.

    >>> import gc
    >>> from pellucid.scalar import Value, collector_paused
    >>> with collector_paused():
    ...     total = sum(Value(i) for i in range(1000))
    ...     print(gc.isenabled())
    False
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
