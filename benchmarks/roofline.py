"""What a training step takes at least on this machine: by its arithmetic, and by its memory.

A step has so many multiplications and additions, and it reads and writes every parameter and both
of Adam's moments once. Neither can be quicker than the machine, whose peak and whose bandwidth are
measured here with all cores. Williams, Waterman and Patterson, "Roofline: an insightful visual
performance model for multicore architectures", Communications of the ACM 52(4), 2009.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from math import log2

import machine
from cases import Case
from pellucid.compiler.measure import arithmetic, traffic

TURNS = 1_000_000  # of the loop that measures the peak
TRIES = 7  # of which the best counts: a roof is what the machine can do
STATE = 3  # numbers a parameter: itself and Adam's two moments
MOVED = 256 << 20  # bytes that are read and written to measure a bandwidth
LEAST = 1 << 20  # bytes, below which a step's other arrays would weigh more than its state


def rate(works: Sequence[Callable[[], object]], amount: float) -> float:
    """Return the amount of work a second of all threads, each of which does ``amount``.

    A thread's seconds are those it has the processor, so that others' work does not lower the roof.
    """

    def seconds(work: Callable[[], object]) -> float:
        start = time.thread_time()
        work()
        return time.thread_time() - start

    with ThreadPoolExecutor(len(works)) as pool:
        return max(sum(amount / s for s in pool.map(seconds, works)) for _ in range(TRIES))


def most_operations(threads: int) -> float:
    """Return the most multiplications and additions a second of so many cores, float32."""
    loops = [arithmetic() for _ in range(threads)]
    return rate([partial(work, TURNS) for work, _ in loops], TURNS * loops[0][1])


def most_bytes(size: int, threads: int) -> float:
    """Return the most bytes a second that are read or written in ``size`` bytes, over and over.

    What fits into a cache stays there, so this depends on the size.
    """
    loops = [traffic(max(size, LEAST) // threads) for _ in range(threads)]
    moved = loops[0][1]
    turns = max(1, MOVED // (threads * moved))
    return rate([partial(work, turns) for work, _ in loops], turns * moved)


def operations(case: Case) -> int:
    """Return the multiplications and additions of a step's matrix products.

    Each layer has one forward and two backward, but the first needs no gradient of its input.
    """
    first, *others = (2 * case.batch * n * m for n, m in case.layers)
    return 2 * first + 3 * sum(others)


def state_bytes(case: Case) -> int:
    """Return the bytes of parameters and moments, float32."""
    return 4 * STATE * sum(n * m + m for n, m in case.layers)


@dataclass
class Roof:
    """The machine's limits with so many threads, the bandwidth for powers of two of bytes."""

    threads: int
    operations: float  # a second
    bandwidths: dict[int, float] = field(default_factory=dict)  # bytes a second, by the power

    @classmethod
    def measured(cls) -> Roof:
        """Return the roof of all cores; bandwidths are measured when they are asked for."""
        threads = machine.cores()
        return cls(threads, most_operations(threads))

    def seconds(self, case: Case) -> float:
        """Return the least seconds of a step: max(operations / peak, bytes / bandwidth)."""
        size = state_bytes(case)
        return max(operations(case) / self.operations, 2 * size / self.bandwidth(size))

    def bandwidth(self, size: int) -> float:
        """Return the bytes a second in about so many bytes."""
        power = round(log2(max(size, LEAST)))
        if power not in self.bandwidths:
            self.bandwidths[power] = most_bytes(1 << power, self.threads)
        return self.bandwidths[power]
