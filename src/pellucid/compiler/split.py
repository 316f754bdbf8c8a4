"""Splitting: a kernel cut into parts that threads can run at the same time.

A part is a kernel of its own over some of the rows: smaller loops, moved pointers. Every element is
computed as it is in the whole, so the results have the same bits however many parts there are. Rows
are cut at the same places in every kernel, so that a part most often needs nothing but what the
same part of earlier kernels wrote; see `phases`. What the halves of a product read is cut in the
same way, into halves of its columns (`in_halves`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import gcd, prod
from typing import NamedTuple

from pellucid.compiler.collapse import accesses, collapsed, counts
from pellucid.compiler.graph import Node
from pellucid.compiler.kernels import Access, Gemm, Instruction, Nest, Stage, Store
from pellucid.compiler.lower import Call

GRAIN = 8  # rows: parts begin at multiples of this where there are enough
WIDE = 2 << 20  # bytes of a right operand above which the columns of a product are cut


Work = tuple[tuple[Call, ...], ...]  # parts, each of some calls in order


def split(calls: Sequence[Call], parts: int) -> Work:
    """Return calls that may be run in any order as parts of about equal size.

    They are dealt out, such as the products of a stack of matrices; where there are fewer than
    parts they are cut.
    """
    if parts == 1:
        return (tuple(map(finished, calls)),)
    if len(calls) < parts:
        pieces = parts // gcd(parts, len(calls))
        calls = [piece for call in calls for piece in cut(call, pieces)]
    return tuple(
        tuple(map(finished, calls[start:stop])) for start, stop in ranges(len(calls), parts)
    )


def in_halves(groups: Sequence[Sequence[Call]]) -> list[Sequence[Call]]:
    """Return the groups, with kernels as two that have to do with a matrix that is shared so.

    The products of a sum that was halved each read half of the columns of their left operand; who
    multiplies them is to write them too, and whatever is computed of them element by element, or
    becomes of weights that have such columns.
    """
    shared = {
        call.buffers[0]
        for group in groups
        for call in group
        if len(group) == 2 and isinstance(call.kernel, Gemm) and is_half(call, call.kernel)
    }
    single = [group[0] for group in groups if len(group) == 1]
    before = -1
    while len(shared) > before:
        before = len(shared)
        for call in single:
            if shared.intersection(side_by_side(call)):
                shared.update(side_by_side(call))
    return [
        columns(group[0])
        if len(group) == 1 and shared.intersection(side_by_side(group[0]))
        else group
        for group in groups
    ]


def side_by_side(call: Call) -> list[Node]:
    """Return the matrices whose columns a kernel takes as it takes those of its result."""
    kernel = call.kernel
    if isinstance(kernel, Nest):
        return [node for node in call.buffers if node.shape == kernel.outer and len(node.shape) > 1]
    found = [node for node in call.buffers[2:] if node.shape == (kernel.m, kernel.n)]
    if kernel.b[1] == 1 and call.buffers[1].shape == (kernel.k, kernel.n):
        found.append(call.buffers[1])
    return found


def columns(call: Call) -> list[Call]:
    """Return the halves of a kernel by columns of its result, or itself if it cannot be cut."""
    kernel = call.kernel
    if isinstance(kernel, Gemm):
        n = kernel.n
        if n < 4 or kernel.m < 2:  # single rows and columns are summed up in another order
            return [call]
        return [side_of(call, kernel, 1, *half) for half in ((0, n // 2), (n // 2, n))]
    if not kernel.outer or is_whole(kernel):
        return [call]
    axis, n = len(kernel.outer) - 1, kernel.outer[-1]
    return [Call(*turns_of(kernel, call, axis, *half)) for half in ((0, n // 2), (n // 2, n))]


def is_half(call: Call, gemm: Gemm) -> bool:
    """Whether the left operand of a product is half of the columns of a matrix."""
    return gemm.a == (2 * gemm.k, 1) and call.buffers[0].shape == (gemm.m, 2 * gemm.k)


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
    if axis is None or is_whole(kernel):
        yield call
        return
    for start, stop in ranges(kernel.outer[axis], parts):
        yield Call(*turns_of(kernel, call, axis, start, stop))


def ranges(n: int, parts: int) -> list[tuple[int, int]]:
    """Return where each part of n rows begins and ends; parts without rows are left out."""
    grain = GRAIN
    while grain > 1 and n < 2 * grain * parts:
        grain //= 2
    edges = [round(n * part / parts / grain) * grain for part in range(parts)]
    return [(start, stop) for start, stop in pairwise([*edges, n]) if stop > start]


def is_whole(nest: Nest) -> bool:
    """Whether a nest cannot be cut: it looks at its counters, or parts of it could meet."""
    return counts(nest.stages) or any(scatters(stage) for stage in nest.stages)


def scatters(stage: Stage) -> bool:
    """Whether a stage writes to places that depend on values, so that parts could meet there."""
    return any(store.args or store.add for store in (*stage.stores, *stage.last))


def cut_gemm(call: Call, gemm: Gemm, parts: int) -> Iterator[Call]:
    """Return the parts of a product: some rows, or some columns where much of b would be packed."""
    size = gemm.k * gemm.n * call.buffers[1].dtype.itemsize
    wide = size >= WIDE and gemm.n >= GRAIN * parts
    # single rows and columns are left alone: they are summed up in another order
    if gemm.m >= 2 * parts and not wide:
        for start, stop in ranges(gemm.m, parts):
            yield side_of(call, gemm, 0, start, stop)
    elif gemm.n >= 2 * parts:
        for start, stop in ranges(gemm.n, parts):
            yield side_of(call, gemm, 1, start, stop)
    else:
        yield call


def side_of(call: Call, gemm: Gemm, axis: int, start: int, stop: int) -> Call:
    """Return a product of which some rows (axis 0) or columns (1) are computed."""
    a, b, c = call.starts[0], call.starts[1], call.starts[2:]
    if axis == 0:
        part = replace(gemm, m=stop - start)
        a += start * gemm.a[0]
    else:
        part = replace(gemm, n=stop - start)
        b += start * gemm.b[1]
    if call.epilogue and gemm.epilogue:
        nest, _, c = turns_of(gemm.epilogue, call.epilogue, axis, start, stop)
        part = replace(part, epilogue=nest)
    else:
        c = (c[0] + start * (gemm.ldc, 1)[axis],)
    return Call(part, call.buffers, (a, b, *c))


def turns_of(
    nest: Nest, call: Call, axis: int, start: int, stop: int
) -> tuple[Nest, tuple[Node, ...], tuple[int, ...]]:
    """Return a call's nest over some turns of one outer loop, its buffers, and their offsets.

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
        return access._replace(offset=access.offset + start * access.strides[axis])

    def instruction(item: Instruction) -> Instruction:
        return item if item.access is None else item._replace(access=moved(item.access))

    def store(item: Store) -> Store:
        return item._replace(access=moved(item.access))

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
    return replace(nest, outer=outer, stages=stages), call.buffers, offsets


class Span(NamedTuple):
    """The elements of a node's memory, from ``start`` to before ``stop``, that a call may touch.

    If they are some columns of a matrix they are those from ``left`` to before ``right``, of
    ``line`` in a row.
    """

    node: Node
    start: int
    stop: int
    written: bool
    line: int = 0
    left: int = 0
    right: int = 0

    def meets(self, other: Span) -> bool:
        """Whether the order of two calls that touch these matters."""
        if not (self.written or other.written):
            return False
        if self.start >= other.stop or other.start >= self.stop:
            return False
        beside = self.right <= other.left or other.right <= self.left
        return not (beside and self.line == other.line > 0)

    def union(self, other: Span) -> Span:
        """Return the least span of the same memory that has the elements of both."""
        start, stop = min(self.start, other.start), max(self.stop, other.stop)
        if self.line != other.line:
            return Span(self.node, start, stop, self.written)
        left, right = min(self.left, other.left), max(self.right, other.right)
        return Span(self.node, start, stop, self.written, self.line, left, right)


def span(node: Node, at: int, shape: Sequence[int], strides: Sequence[int], written: bool) -> Span:
    """Return what loops of these sizes and steps touch from an element on."""
    first, last = reach(shape, strides)
    steps = sorted((s, n) for s, n in zip(strides, shape, strict=True) if s and n > 1)
    width = steps.pop(0)[1] if steps and steps[0][0] == 1 else 1
    line = steps[0][0] if steps else 0
    left = (at + first) % line if line > 0 else 0
    if line < left + width or any(s % line for s, _ in steps):
        return Span(node, at + first, at + last, written)
    return Span(node, at + first, at + last, written, line, left, left + width)


def spans(call: Call) -> list[Span]:
    """Return what a call touches; where that depends on values, the whole of it."""
    kernel, starts = call.kernel, call.starts
    if isinstance(kernel, Gemm):
        m, n, k = kernel.m, kernel.n, kernel.k
        found = [
            span(call.buffers[0], starts[0], (m, k), kernel.a, written=False),
            span(call.buffers[1], starts[1], (k, n), kernel.b, written=False),
        ]
        if call.epilogue:
            return [*found, *spans(call.epilogue)]
        return [*found, span(call.buffers[2], starts[2], (m, n), (kernel.ldc, 1), written=True)]
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
                written = isinstance(item, Store)
                found.append(
                    Span(node, 0, node.size, written)
                    if item.args
                    else span(node, at, sizes, item.access.strides, written)
                )
    return found


def reach(shape: Sequence[int], strides: Sequence[int]) -> tuple[int, int]:
    """Return the first element that an access gets to, and the one after the last."""
    if not prod(shape):
        return 0, 0
    ends = [s * (n - 1) for n, s in zip(shape, strides, strict=True)]
    return sum(min(0, e) for e in ends), sum(max(0, e) for e in ends) + 1
