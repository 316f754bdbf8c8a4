"""Collapsing: neighbouring loops of a nest made one where every access allows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pellucid.compiler.kernels import Access, Instruction, Nest, Stage, Store


def collapsed(nest: Nest) -> Nest:
    """Return a nest with neighbouring loops made one where every access allows it.

    Then vectors are as long as they can be; a loop of a single turn would leave them empty.
    """
    if counts(nest.stages):
        return nest
    outer, stages = list(nest.outer), list(nest.stages)
    merge(outer, 0, stages)
    for number, stage in enumerate(stages):
        inner, one = list(stage.inner), [stage]
        merge(inner, len(outer), one)
        stages[number] = replace(one[0], inner=tuple(inner))
    return Nest(nest.name, nest.buffers, tuple(outer), tuple(stages), nest.vector)


def merge(sizes: list[int], first: int, stages: list[Stage]) -> None:
    """Make neighbours among loops one; ``first`` is the axis of the first of them."""
    for i in reversed(range(len(sizes) - 1)):
        axis = first + i
        steps = {
            access.strides[axis : axis + 2]
            for stage in stages
            for access in accesses(stage)
            if len(access.strides) > axis + 1
        }
        if 1 in sizes[i : i + 2]:
            gone = axis if sizes[i] == 1 else axis + 1
        elif all(far == near * sizes[i + 1] for far, near in steps):
            gone = axis
        else:
            continue
        sizes[i : i + 2] = [sizes[i] * sizes[i + 1]]
        stages[:] = [without(stage, gone) for stage in stages]


def counts(stages: Sequence[Stage]) -> bool:
    """Whether a body looks at the loop counters themselves."""
    return any(i.op == "counter" for stage in stages for i in (*stage.body, *stage.after))


def accesses(stage: Stage) -> list[Access]:
    """Return every access of a stage."""
    loads = [i.access for i in (*stage.body, *stage.after) if i.access is not None]
    return [*loads, *(store.access for store in (*stage.stores, *stage.last))]


def without(stage: Stage, axis: int) -> Stage:
    """Return a stage whose accesses have one stride for two axes that were made one."""

    def moved(access: Access) -> Access:
        strides = (*access.strides[:axis], *access.strides[axis + 1 :])
        return Access(access.buffer, strides, access.offset)

    def instruction(i: Instruction) -> Instruction:
        return i if i.access is None else i._replace(access=moved(i.access))

    def store(s: Store) -> Store:
        return s._replace(access=moved(s.access))

    return replace(
        stage,
        body=tuple(map(instruction, stage.body)),
        stores=tuple(map(store, stage.stores)),
        after=tuple(map(instruction, stage.after)),
        last=tuple(map(store, stage.last)),
    )
