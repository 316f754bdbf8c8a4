"""Phases: what threads do at the same time, and where they wait for each other.

A program is a sequence of phases, a phase some tasks that need nothing of each other, a task some
calls in order. Whoever is free takes the next task; the next phase begins when all are done. Parts
of a kernel join the task that wrote what they read: the forward pass over some rows of a batch is
one task, through all layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from pellucid.compiler.graph import Node
from pellucid.compiler.kernels import Gemm
from pellucid.compiler.lower import Call
from pellucid.compiler.split import Span, Work, spans

Task = list[Call]
Phase = list[Task]

FLOPS, ELEMENTS = 100, 24  # a nanosecond of work: of a product of matrices, of the loops of a nest


def phased(works: Sequence[Work]) -> list[Phase]:
    """Return the phases of works that are in an order in which they could be run one by one."""
    found: list[Phase] = []
    waiting = [Marked(work) for work in works]
    while waiting:
        phase, waiting = filled(waiting)
        phase.sort(key=lambda task: sum(map(weight, task)), reverse=True)  # long ones first
        found.append(phase)
    return found


class Marked:
    """The parts of a work, and what each of them touches."""

    def __init__(self, work: Work) -> None:
        self.parts = work
        self.marks = [[span for call in part for span in spans(call)] for part in work]


def filled(works: Sequence[Marked]) -> tuple[Phase, list[Marked]]:
    """Return one phase, and the works that have to wait for the next.

    A part may have to come after one task, which it then joins, but two parts not after the same.
    """
    tasks: Phase = []
    later: list[Marked] = []
    taken, waiting = Touched(), Touched()
    for work in works:
        homes = [taken.meets(mark) for mark in work.marks]
        joined = [home for found in homes for home in found]
        stuck = len(set(joined)) < len(joined) or any(len(found) > 1 for found in homes)
        if stuck or any(waiting.meets(mark) for mark in work.marks):
            later.append(work)
            for mark in work.marks:
                waiting.add(mark, 0)
            continue
        for part, mark, found in zip(work.parts, work.marks, homes, strict=True):
            if not found:
                tasks.append([])
            home = min(found, default=len(tasks) - 1)
            tasks[home] += part
            taken.add(mark, home)
    return tasks, later


class Touched:
    """The spans that tasks touch, and which tasks those are."""

    def __init__(self) -> None:
        self._spans: dict[Node, dict[tuple[int, bool], Span]] = {}

    def add(self, marks: Sequence[Span], task: int) -> None:
        """Take in what a task touches."""
        for span in marks:
            mine = self._spans.setdefault(span.node, {})
            old = mine.get((task, span.written), span)
            start, stop = min(old.start, span.start), max(old.stop, span.stop)
            mine[task, span.written] = Span(span.node, start, stop, span.written)

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
        return 2 * kernel.m * kernel.n * kernel.k / FLOPS
    turns = (prod((*kernel.outer, *s.inner)) * (len(s.body) + 1) for s in kernel.stages)
    return sum(turns) / ELEMENTS


def moments(phases: Sequence[Phase]) -> list[list[Call]]:
    """Return which calls may be run at the same time: those of a phase, if it has several tasks."""
    found: list[list[Call]] = []
    for phase in phases:
        if len(phase) == 1:
            found += ([call] for call in phase[0])
        else:
            found.append([call for task in phase for call in task])
    return found
