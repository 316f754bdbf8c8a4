"""Phases: what threads do at the same time, and where they wait for each other.

A program is a sequence of phases, a phase some tasks that need nothing of each other, a task some
calls in order. The next phase begins when all tasks are done. Parts of a kernel join the task that
wrote what they read: the forward pass over some rows of a batch is one task, through all layers.
Each task has a thread that it is meant for, always the same for the same part, so that what it
reads is in that core's cache; another thread takes it if it comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from pellucid.compiler.graph import Node
from pellucid.compiler.kernels import Gemm
from pellucid.compiler.lower import Call
from pellucid.compiler.split import Span, Work, spans

TRIFLE = 1000  # nanoseconds
FLOPS, ELEMENTS = 100, 24  # a nanosecond of work: of a product of matrices, of the loops of a nest


@dataclass(eq=False)
class Task:
    """Calls in order, and the thread they are meant for; below 0 it does not matter which."""

    home: int
    calls: list[Call] = field(default_factory=list)

    @property
    def weight(self) -> float:
        """About how many nanoseconds it takes."""
        return sum(map(weight, self.calls))


Phase = list[Task]


def phased(
    works: Sequence[Work], threads: int, shared: Mapping[Node, Node] | None = None
) -> list[Phase]:
    """Return the phases of works that are in an order in which they could be run one by one.

    A node that is ``shared`` with another lies in its memory.
    """
    found: list[Phase] = []
    waiting = [Marked(work, shared or {}) for work in works]
    while waiting:
        phase, waiting = filled(waiting)
        phase.sort(key=lambda task: task.weight, reverse=True)
        load = [0.0] * threads
        for task in sorted(phase, key=lambda task: task.home < 0):
            if task.home < 0:
                task.home = load.index(min(load))
            load[task.home] += task.weight
        found.append(phase)
    return found


class Marked:
    """The parts of a work, and what each of them touches."""

    def __init__(self, work: Work, shared: Mapping[Node, Node]) -> None:
        self.parts = work
        self.marks = [
            [
                span._replace(node=shared[span.node]) if span.node in shared else span
                for call in part
                for span in spans(call)
            ]
            for part in work
        ]


def filled(works: Sequence[Marked]) -> tuple[Phase, list[Marked]]:
    """Return one phase, and the works that have to wait for the next.

    A part that comes after some tasks of the phase makes one task of them and itself. Two parts
    cannot come after the same, and a work in one piece not after several: that would leave a single
    thread with all the work, unless there is next to none.
    """
    tasks: Phase = []
    later: list[Marked] = []
    taken, waiting = Touched(), Touched()
    for work in works:
        homes = [taken.meets(mark) for mark in work.marks]
        joined = [home for found in homes for home in found]
        stuck = len(set(joined)) < len(joined) or (
            len(work.parts) == 1 < len(joined)
            and sum(tasks[home].weight for home in joined) > TRIFLE
        )
        if stuck or any(waiting.meets(mark) for mark in work.marks):
            later.append(work)
            for mark in work.marks:
                waiting.add(mark, 0)
            continue
        several = len(work.parts) > 1
        for number, part in enumerate(work.parts):
            if not homes[number]:
                tasks.append(Task(number if several else -1))
            first, *others = sorted(homes[number]) or [len(tasks) - 1]
            for other in others:
                tasks[first].calls += tasks[other].calls
                tasks[first].home = max(tasks[first].home, tasks[other].home)
                tasks[other].calls = []
                taken.move(other, first)
            tasks[first].calls += part
            taken.add(work.marks[number], first)
    return [task for task in tasks if task.calls], later


class Touched:
    """The spans that tasks touch, and which tasks those are."""

    def __init__(self) -> None:
        self._spans: dict[Node, dict[tuple[int, bool], Span]] = {}

    def add(self, marks: Sequence[Span], task: int) -> None:
        """Take in what a task touches."""
        for span in marks:
            mine = self._spans.setdefault(span.node, {})
            old = mine.get((task, span.written), span)
            mine[task, span.written] = old.union(span)

    def move(self, task: int, home: int) -> None:
        """Count what a task touches as touched by another."""
        for mine in self._spans.values():
            self.add([span for (owner, _), span in mine.items() if owner == task], home)
            for written in (False, True):
                mine.pop((task, written), None)

    def meets(self, marks: Sequence[Span]) -> set[int]:
        """Return the tasks whose order beside one that touches these matters."""
        return {
            task
            for span in marks
            for (task, _), other in self._spans.get(span.node, {}).items()
            if span.meets(other)
        }


def weight(call: Call) -> float:
    """Return about how many nanoseconds a call takes."""
    kernel = call.kernel
    if isinstance(kernel, Gemm):
        rest = weight(call.epilogue) if call.epilogue else 0.0
        return 2 * kernel.m * kernel.n * kernel.k / FLOPS + rest
    turns = (prod((*kernel.outer, *s.inner)) * (len(s.body) + 1) for s in kernel.stages)
    return sum(turns) / ELEMENTS


def moments(phases: Sequence[Phase]) -> list[list[Call]]:
    """Return which calls may be run at the same time: those of a phase, if it has several tasks."""
    found: list[list[Call]] = []
    for phase in phases:
        if len(phase) == 1:
            found += ([call] for call in phase[0].calls)
        else:
            found.append([call for task in phase for call in task.calls])
    return found


def orders(phases: Sequence[Phase], threads: int) -> list[list[int]]:
    """Return in which order each thread looks for work, as numbers of tasks through all phases.

    In each phase its own tasks come first, those of others from the last, the lightest, on.
    """
    found: list[list[int]] = [[] for _ in range(threads)]
    start = 0
    for phase in phases:
        for thread, order in enumerate(found):
            mine = [start + i for i, task in enumerate(phase) if task.home == thread]
            rest = [start + i for i, task in enumerate(phase) if task.home != thread]
            order += mine + rest[::-1]
        start += len(phase)
    return found
