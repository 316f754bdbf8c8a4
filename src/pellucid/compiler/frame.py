"""The frame: the memory that one use of a program needs, and how it is run from there."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from mmap import mmap

import numpy as np
from numpy.typing import DTypeLike

from pellucid.arrays import Array, Shape
from pellucid.compiler.arena import ALIGNMENT
from pellucid.compiler.graph import Node
from pellucid.compiler.llvm.runtime import JOB
from pellucid.compiler.threads import CLAIMED, Job, launch, shared

BYTE = ctypes.c_char
HUGE = 2 << 20  # bytes of a huge page
LARGE = 1 << 20  # bytes of an array that is worth some
if sys.platform == "linux":
    from mmap import MADV_HUGEPAGE, MAP_ANONYMOUS, MAP_PRIVATE


@dataclass(frozen=True)
class Layout:
    """What a program wants of a frame: ``nodes`` by pointer, behind them one to ``memory`` bytes.

    ``entry`` is the address of the function that runs a task; there are so many of these in each of
    the ``phases``. ``orders`` says for each thread in which order it looks for some that are left.
    ``nanoseconds`` is about what all take on one thread.
    """

    entry: int
    nodes: Sequence[Node]
    constants: Mapping[Node, Array]
    memory: int
    phases: Sequence[int]
    orders: Sequence[Sequence[int]]
    nanoseconds: float


class Frame:
    """Pointers to inputs and outputs, memory for what lies between, and the description of the job.

    It can be run by one thread at a time. Arrays that it points to must be kept alive meanwhile.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.place = {node: number for number, node in enumerate(layout.nodes)}
        self.table = np.zeros(len(layout.nodes) + 1, np.int64)
        self._memory = aligned_array((layout.memory,), np.uint8)
        self.table[-1] = address(self._memory)
        for node, array in layout.constants.items():
            self.point(node, array)
        count = sum(layout.phases) + 1
        orders = np.array([[*order, count - 1] for order in layout.orders], np.int64)
        ends = np.array([*accumulate(layout.phases), count], np.int64)
        claims, own = np.zeros((2, count), np.int64)
        words, alone = np.zeros((2, len(JOB)), np.int64)
        alone[CLAIMED] = address(own)
        crew = len(layout.orders)
        self._job = Job(words, (orders, ends, claims, own), (shared(), alone), crew)
        self._fill(
            task=layout.entry, table=address(self.table), orders=address(orders),
            ends=address(ends), claimed=address(claims), count=count, crew=crew,
        )  # fmt: skip

    def point(self, node: Node, array: Array) -> int:
        """Let a node of the program lie in an array, in one piece; return its address."""
        found = address(array)
        self.table[self.place[node]] = found
        return found

    def point_to(self, node: Node, place: int) -> None:
        """Let a node of the program lie at an address, for those who know it already."""
        self.table[self.place[node]] = place

    def run(self) -> None:
        """Run the program once."""
        self._fill(steps=1, moved=0, paired=0, status=-1)
        self._launch(1)

    def repeat(
        self,
        steps: int,
        moves: Mapping[Node, int],
        pairs: Sequence[tuple[Node, Node]],
        status: Node | None,
    ) -> int:
        """Run the program many times over, and return how many times it ended well.

        After each, pointers move on by some bytes, and those of pairs are exchanged. It ends early,
        and does neither, where the status comes out false.
        """
        moving = np.array([(self.place[node], n) for node, n in moves.items()], np.int64)
        paired = np.array([[self.place[node] for node in pair] for pair in pairs], np.int64)
        self._fill(
            steps=steps,
            moves=address(moving), moved=len(moving),
            pairs=address(paired), paired=len(paired),
            status=-1 if status is None else self.place[status],
        )  # fmt: skip
        return self._launch(steps)

    def _launch(self, steps: int) -> int:
        return launch(self._job, self.layout.nanoseconds * steps)

    def _fill(self, **words: int) -> None:
        """Set words of the job."""
        for name, word in words.items():
            self._job.words[JOB.index(name)] = word


def address(array: Array) -> int:
    """Return where an array's elements begin."""
    try:
        return ctypes.addressof(BYTE.from_buffer(array))  # a quarter of the time of the other way
    except (TypeError, ValueError):  # read-only, or empty
        return int(array.__array_interface__["data"][0])


class Memory(bytearray):
    """What an aligned array looks at: no array, so that views of that array hold on to it."""


class Pages(mmap):
    """The same for large arrays: pages of `HUGE` bytes, of which a processor keeps track better."""


def aligned_array(shape: Shape, dtype: DTypeLike) -> Array:
    """Return an array of zeros that begins with a cache line, so that no vector lies in two."""
    dtype = np.dtype(dtype)
    size = prod(shape) * dtype.itemsize
    huge = sys.platform == "linux" and size >= LARGE
    raw = pages(size + HUGE) if huge else Memory(size + ALIGNMENT)
    start = -ctypes.addressof(BYTE.from_buffer(raw)) % (HUGE if huge else ALIGNMENT)
    return np.ndarray(shape, dtype, raw, start)


def pages(size: int) -> Pages:
    """Return so many bytes, for which the system is asked for huge pages; it may refuse."""
    found = Pages(-1, size, MAP_PRIVATE | MAP_ANONYMOUS)
    with suppress(OSError):
        found.madvise(MADV_HUGEPAGE)
    return found
