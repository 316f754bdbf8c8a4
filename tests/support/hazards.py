"""A checker of phases that shares nothing with what makes them: every byte, every order.

Each call is expanded to the elements that it reads and writes, one by one. In the order in which
kernels were lowered, each read sees some version of an element. It has to see the same in the
phases, in the memory that nodes share there, whichever task of a phase comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.compiler.arena import Arena, planned
from pellucid.compiler.graph import Graph, Node
from pellucid.compiler.inplace import overlaid
from pellucid.compiler.kernels import Access, Gemm, Store
from pellucid.compiler.lower import Call, lower
from pellucid.compiler.phases import Phase, moments, phased
from pellucid.compiler.schedule import schedule
from pellucid.compiler.split import Work, columns, in_halves, split


@dataclass
class Dealt:
    """A graph as threads share it; nodes of ``overlay`` lie in the memory of others."""

    works: list[Work]
    phases: list[Phase]
    arena: Arena
    overlay: dict[Node, Node]


def dealt(
    graph: Graph, threads: int, state: Sequence[tuple[str, str]] = (), halved: bool = False
) -> Dealt:
    """Return what a program makes of a graph, however small the work.

    If it is to be ``halved``, all kernels are cut into halves as only some of a program's are.
    """
    plan = schedule(graph)
    groups, kept = lower(plan)
    pairs = [(plan.graph.inputs[old], plan.graph.outputs[new]) for old, new in state]
    overlay = overlaid(groups, pairs)
    shared = in_halves(groups) if threads > 1 else groups
    if halved:
        shared = [[half for call in calls for half in columns(call)] for calls in groups]
    works = [split(calls, threads) for calls in shared]
    phases = phased(works, threads, overlay)
    own = set(plan.graph.outputs.values())
    return Dealt(
        works, phases, planned(moments(phases), [n for n in kept if n not in own]), overlay
    )


def places(access: Access, sizes: Sequence[int]) -> np.ndarray:
    """Return the element that an access goes to in each turn of the loops."""
    found = np.array(access.offset)
    for n, stride in zip(sizes, access.strides, strict=True):
        found = found[..., None] + np.arange(n) * stride
    return found.reshape(-1)


def elements(call: Call) -> list[tuple[Node, np.ndarray, bool]]:
    """Return what a call touches, in order: the node, its elements, and whether it writes them.

    What depends on values is the whole of a node.
    """
    kernel, found = call.kernel, []
    if isinstance(kernel, Gemm):
        m, n, k = kernel.m, kernel.n, kernel.k
        sides = [((m, k), kernel.a), ((k, n), kernel.b), ((m, n), (kernel.ldc, 1))]
        for number, (sizes, strides) in enumerate(sides[:2] if kernel.epilogue else sides):
            at = places(Access(number, strides, call.starts[number]), sizes)
            found.append((call.buffers[number], at, number == 2))
        return [*found, *(elements(epilogue(call)) if kernel.epilogue else [])]
    for stage in kernel.stages:
        inside = (*kernel.outer, *stage.inner)
        rows = (
            ([(i, False) for i in stage.body if i.access], inside),
            ([(s, s.add) for s in stage.stores], inside),
            ([(i, False) for i in stage.after if i.access], kernel.outer),
            ([(s, s.add) for s in stage.last], kernel.outer),
        )
        for number, (items, sizes) in enumerate(rows):
            for item, adds in items:
                assert item.access is not None
                node = call.buffers[item.access.buffer]
                at = places(item.access, sizes) + call.starts[item.access.buffer]
                if item.args:
                    at = np.arange(node.size)
                if adds:
                    found.append((node, at, False))
                found.append((node, at, number % 2 == 1))
    return found


def epilogue(call: Call) -> Call:
    """Return the epilogue of a product as a call."""
    assert isinstance(call.kernel, Gemm)
    assert call.kernel.epilogue
    return Call(call.kernel.epilogue, call.buffers[2:], call.starts[2:])


def overwritten(one: Dealt, call: Call) -> list[str]:
    """Return where a call reads an element in another turn than that which writes over it."""
    found = []
    for new, old in one.overlay.items():
        if old not in call.buffers:
            continue
        turns: dict[int, set[tuple[int, ...]]] = {}
        writes = set()
        for stage, group, node, at, written in turned(call):
            if node is (new if written else old):
                for turn, place in enumerate(at.tolist()):
                    when = (stage, group, turn)
                    turns.setdefault(place, set()).add(when)
                    if written:
                        writes.add(place)
        found += [
            f"element {place} is touched in several turns"
            for place in writes
            if len(turns[place]) > 1
        ]
    return found


def turned(call: Call) -> list[tuple[int, int, Node, np.ndarray, bool]]:
    """Return what a nest touches, stage by stage, with the elements in the order of turns."""
    kernel, found = call.kernel, []
    if isinstance(kernel, Gemm):
        whole = [
            (0, 0, node, np.repeat(np.arange(node.size), 2), number == 2)
            for number, node in enumerate(call.buffers[:3])
        ]
        return [*whole[:2], *turned(epilogue(call))] if kernel.epilogue else whole
    for number, stage in enumerate(kernel.stages):
        inside = (*kernel.outer, *stage.inner)
        for group, (items, sizes) in enumerate(
            (((*stage.body, *stage.stores), inside), ((*stage.after, *stage.last), kernel.outer))
        ):
            for item in items:
                if item.access is None:
                    continue
                node = call.buffers[item.access.buffer]
                at = places(item.access, sizes) + call.starts[item.access.buffer]
                at = np.repeat(np.arange(node.size), 2) if item.args else at
                found.append((number, group, node, at, isinstance(item, Store)))
    return found


class Memory:
    """Which version of which element lies in each byte."""

    def __init__(self, one: Dealt, alone: bool) -> None:
        self.one, self.alone = one, alone
        self.owner: dict[Node | None, np.ndarray] = {}

    def bytes_of(self, node: Node, at: np.ndarray) -> tuple[Node | None, np.ndarray]:
        """Return a piece of memory, and the bytes of some elements of a node there."""
        assert at.size == 0 or (at.min() >= 0 and at.max() < node.size), "outside of the node"
        size = node.dtype.itemsize
        where = (at[:, None] * size + np.arange(size)).reshape(-1)
        if self.alone:
            return node, where
        if node in self.one.arena.offsets:
            assert self.one.arena.offsets[node] + node.size * size <= self.one.arena.size
            return None, where + self.one.arena.offsets[node]
        return self.one.overlay.get(node, node), where

    def cells(self, piece: Node | None) -> np.ndarray:
        """Return the versions in a piece of memory."""
        if piece not in self.owner:
            size = self.one.arena.size if piece is None else piece.size * piece.dtype.itemsize
            self.owner[piece] = np.full(size, -1)
        return self.owner[piece]


def faults(one: Dealt) -> list[str]:
    """Return what is wrong with phases and arena; nothing if all is well."""
    calls = [call for work in one.works for part in work for call in part]
    number = {id(call): n for n, call in enumerate(calls)}
    apart, memory = Memory(one, True), Memory(one, False)
    expected: dict[int, list[np.ndarray]] = {n: [] for n in range(len(calls))}

    def run(call: Call, memory: Memory) -> list[np.ndarray]:
        """Return the versions that a call sees, and mark what it writes with its number."""
        seen = []
        for node, at, written in elements(call):
            piece, where = memory.bytes_of(node, at)
            cells = memory.cells(piece)
            if written:
                cells[where] = number[id(call)]
            else:
                seen.append(cells[where].copy())
        return seen

    for call in calls:
        expected[number[id(call)]] = run(call, apart)
    found = [f"{call.kernel.name}: {fault}" for call in calls for fault in overwritten(one, call)]
    ran = [call for phase in one.phases for task in phase for call in task.calls]
    if sorted(number[id(call)] for call in ran) != list(range(len(calls))):
        found.append("a call is missing, or there twice")
    for phase_number, phase in enumerate(one.phases):
        found += [f"phase {phase_number}: {pair}" for pair in races(one, phase, memory)]
        for task in phase:
            for call in task.calls:
                seen = run(call, memory)
                for mine, theirs in zip(seen, expected[number[id(call)]], strict=True):
                    if not np.array_equal(mine, theirs):
                        found.append(f"phase {phase_number}: a read of another version")
    return found


def races(one: Dealt, phase: Phase, memory: Memory) -> list[str]:
    """Return the tasks of a phase that meet in a byte which one of them writes."""
    found = []
    written: dict[Node | None, np.ndarray] = {}
    for turn in ("write", "read"):
        for number, task in enumerate(phase):
            for call in task.calls:
                for node, at, writes in elements(call):
                    piece, where = memory.bytes_of(node, at)
                    if piece not in written:
                        written[piece] = np.full(memory.cells(piece).size, -1)
                    mine = written[piece]
                    other = mine[where]
                    clash = other[(other >= 0) & (other != number)]
                    if len(clash) and writes == (turn == "write"):
                        found.append(f"tasks {clash[0]} and {number}")
                    if writes and turn == "write":
                        mine[where] = number
    return found


def without_barrier(one: Dealt, number: int) -> Dealt:
    """Return it with a phase and the next one made one: a planted fault."""
    first, second = one.phases[number : number + 2]
    phases = [*one.phases[:number], [*first, *second], *one.phases[number + 2 :]]
    return Dealt(one.works, phases, one.arena, one.overlay)


def crowded(one: Dealt) -> Dealt:
    """Return it with all results in one place: a planted fault."""
    offsets: Mapping[Node, int] = dict.fromkeys(one.arena.offsets, 0)
    return Dealt(one.works, one.phases, Arena(offsets, one.arena.size), one.overlay)
