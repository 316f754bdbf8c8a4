"""The arena: one piece of memory in which intermediate results take turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pellucid.compiler.graph import Node
from pellucid.compiler.lower import Call

ALIGNMENT = 64  # bytes: a cache line, and the widest vector


@dataclass(frozen=True)
class Arena:
    """The offset in bytes of each result that lives between kernels, and the size of all."""

    offsets: Mapping[Node, int]
    size: int


def planned(moments: Sequence[Sequence[Call]], kept: Sequence[Node]) -> Arena:
    """Return a place for each node, reused when nobody reads it any more.

    Calls of one moment may be run at the same time, or in any order. Nodes are placed in the order
    in which they are written, each in the smallest gap that takes it beside those that are alive
    at the same time.
    """
    first: dict[Node, int] = {}
    last: dict[Node, int] = {}
    wanted = set(kept)
    for number, calls in enumerate(moments):
        for node in (node for call in calls for node in call.buffers):
            if node in wanted:
                first.setdefault(node, number)
                last[node] = number
    placed: list[tuple[int, int, Node]] = []  # start, end, whose
    size = 0
    offsets: dict[Node, int] = {}
    for node in sorted(first, key=first.__getitem__):
        bytes_ = aligned(node.size * node.dtype.itemsize)
        taken = sorted(
            (start, end)
            for start, end, other in placed
            if first[other] <= last[node] and first[node] <= last[other]
        )
        offsets[node] = gap(taken, bytes_)
        placed.append((offsets[node], offsets[node] + bytes_, node))
        size = max(size, offsets[node] + bytes_)
    return Arena(offsets, size)


def gap(taken: Sequence[tuple[int, int]], size: int) -> int:
    """Return where the smallest gap begins that takes so many bytes."""
    best, room = -1, 0
    position = 0
    for start, end in taken:
        if size <= start - position and (best < 0 or start - position < room):
            best, room = position, start - position
        position = max(position, end)
    return position if best < 0 else best


def aligned(size: int) -> int:
    """Return the next multiple of the alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT
