"""Splitting: a kernel cut into parts that threads can run at the same time.

A part is a kernel of its own over some of the rows: smaller loops, moved pointers. Every element is
computed as it is in the whole, so the results have the same bits however many parts there are. Rows
are cut at the same places in every kernel, so that a part most often needs nothing but what the
same part of earlier kernels wrote; see `phases`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod

from pellucid.compiler.collapse import accesses, collapsed, counts
from pellucid.compiler.graph import Node
from pellucid.compiler.kernels import Access, Gemm, Instruction, Nest, Stage, Store
from pellucid.compiler.lower import Call

GRAIN = 16  # rows: parts begin at multiples of this where there are enough
WIDE = 1 << 20  # bytes of a right operand above which the columns of a product are cut


Work = tuple[tuple[Call, ...], ...]  # parts, each of some calls in order


def split(calls: Sequence[Call], parts: int) -> Work:
    """Return calls that may be run in any order as parts of about equal size.

    Several, such as the products of a stack of matrices, are dealt out; a single one is cut.
    """
    if parts == 1:
        return (tuple(map(finished, calls)),)
    if len(calls) > 1:
        return tuple(
            tuple(map(finished, calls[start:stop])) for start, stop in ranges(len(calls), parts)
        )
    (call,) = calls
    return tuple((finished(part),) for part in cut(call, parts))


def finished(call: Call) -> Call:
    """Return a call whose loops are as long as they can be."""
    kernel = call.kernel
    return replace(call, kernel=collapsed(kernel)) if isinstance(kernel, Nest) else call


def cut(call: Call, parts: int) -> Iterator[Call]:
    """Return the parts of a call, or itself where it cannot be cut."""
    kernel = call.kernel
    if isinstance(kernel, Gemm):
        yield from cut_gemm(call, kernel, parts)
        return
    axis = next((a for a, n in enumerate(kernel.outer) if n >= parts), None)
    if axis is None or counts(kernel.stages) or any(scatters(s) for s in kernel.stages):
        yield call
        return
    for start, stop in ranges(kernel.outer[axis], parts):
        yield rows_of(call, kernel, axis, start, stop)


def ranges(n: int, parts: int) -> list[tuple[int, int]]:
    """Return where each part of n rows begins and ends; parts without rows are left out."""
    grain = GRAIN
    while grain > 1 and n < 2 * grain * parts:
        grain //= 2
    edges = [round(n * part / parts / grain) * grain for part in range(parts)]
    return [(start, stop) for start, stop in pairwise([*edges, n]) if stop > start]


def scatters(stage: Stage) -> bool:
    """Whether a stage writes to places that depend on values, so that parts could meet there."""
    return any(store.args or store.add for store in (*stage.stores, *stage.last))


def cut_gemm(call: Call, gemm: Gemm, parts: int) -> Iterator[Call]:
    """Return the parts of a product: some rows, or some columns where much of b would be packed."""
    a, b, c = call.starts
    size = gemm.k * gemm.n * call.buffers[1].dtype.itemsize
    if (size >= WIDE and gemm.n >= GRAIN * parts) or gemm.m < parts <= gemm.n:
        for start, stop in ranges(gemm.n, parts):
            part = replace(gemm, n=stop - start)
            yield Call(part, call.buffers, (a, b + start * gemm.b[1], c + start))
    elif gemm.m >= 2 * parts:  # a single row is summed up in another order
        for start, stop in ranges(gemm.m, parts):
            part = replace(gemm, m=stop - start)
            yield Call(part, call.buffers, (a + start * gemm.a[0], b, c + start * gemm.ldc))
    else:
        yield call


def rows_of(call: Call, nest: Nest, axis: int, start: int, stop: int) -> Call:
    """Return a nest over some turns of one outer loop.

    Where all accesses to a buffer step alike, its pointer is moved: then parts of the same size
    share their code.
    """
    steps: dict[int, set[int]] = {}
    for stage in nest.stages:
        for access in accesses(stage):
            steps.setdefault(access.buffer, set()).add(access.strides[axis])
    alike = {buffer: min(found) for buffer, found in steps.items() if len(found) == 1}

    def moved(access: Access) -> Access:
        if access.buffer in alike:
            return access
        return replace(access, offset=access.offset + start * access.strides[axis])

    def instruction(item: Instruction) -> Instruction:
        return item if item.access is None else replace(item, access=moved(item.access))

    def store(item: Store) -> Store:
        return replace(item, access=moved(item.access))

    stages = tuple(
        replace(
            stage,
            body=tuple(map(instruction, stage.body)),
            stores=tuple(map(store, stage.stores)),
            after=tuple(map(instruction, stage.after)),
            last=tuple(map(store, stage.last)),
        )
        for stage in nest.stages
    )
    outer = (*nest.outer[:axis], stop - start, *nest.outer[axis + 1 :])
    offsets = tuple(
        offset + start * alike.get(buffer, 0) for buffer, offset in enumerate(call.starts)
    )
    return Call(replace(nest, outer=outer, stages=stages), call.buffers, offsets)


@dataclass(frozen=True)
class Span:
    """The elements of a node's memory, from the first to before the last, that a call may touch."""

    node: Node
    start: int
    stop: int
    written: bool

    def meets(self, other: Span) -> bool:
        """Whether the order of two calls that touch these matters."""
        return (self.written or other.written) and (
            self.start < other.stop and other.start < self.stop
        )


def spans(call: Call) -> list[Span]:
    """Return what a call touches; where that depends on values, the whole of it."""
    kernel, starts = call.kernel, call.starts
    if isinstance(kernel, Gemm):
        m, n, k = kernel.m, kernel.n, kernel.k
        shapes = ((m, k), (k, n), (m, n))
        strides = (kernel.a, kernel.b, (kernel.ldc, 1))
        found = []
        for place, (shape, steps) in enumerate(zip(shapes, strides, strict=True)):
            first, last = reach(shape, steps)
            at = starts[place]
            found.append(Span(call.buffers[place], at + first, at + last, place == 2))
        return found
    found = []
    for stage in kernel.stages:
        inside = (*kernel.outer, *stage.inner)
        groups: tuple[tuple[Sequence[Instruction | Store], tuple[int, ...]], ...] = (
            ((*stage.body, *stage.stores), inside),
            ((*stage.after, *stage.last), kernel.outer),
        )
        for items, sizes in groups:
            for item in items:
                if item.access is None:
                    continue
                node = call.buffers[item.access.buffer]
                at = starts[item.access.buffer] + item.access.offset
                first, last = (-at, node.size - at) if item.args else reach(
                    sizes, item.access.strides
                )  # fmt: skip
                found.append(Span(node, at + first, at + last, isinstance(item, Store)))
    return found


def reach(shape: Sequence[int], strides: Sequence[int]) -> tuple[int, int]:
    """Return the first element that an access gets to, and the one after the last."""
    if not prod(shape):
        return 0, 0
    ends = [s * (n - 1) for n, s in zip(shape, strides, strict=True)]
    return sum(min(0, e) for e in ends), sum(max(0, e) for e in ends) + 1
