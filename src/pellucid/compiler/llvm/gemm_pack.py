"""Copies a block of a matrix into panels, in the order in which a matrix product will read them.

A panel is ``width`` neighbouring columns, row after row without gaps; panel follows panel. The
product then reads memory in one line, whichever way the matrix lay, and touches few pages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from pellucid.compiler.kernels import Gemm
from pellucid.compiler.llvm.builder import Function, Value

Index: TypeAlias = "int | Value"
SIDE = 4  # of the squares that are transposed in registers: narrow, because their code is short


def pack(
    f: Function,
    gemm: Gemm,
    lanes: int,
    b: Value,
    panels: Value,
    size: tuple[Index, Index],
    width: int,
) -> None:
    """Write the copy of a block of b that begins at ``b``, ``size`` being its rows and columns.

    ``width`` divides the columns. There are at least `SIDE` rows, or else all that the matrix has.
    """
    rows, columns = size
    step = gemm.b[1]

    def panel(j: Index) -> None:
        source = f.offset(b, times(j, step), gemm.dtype)
        target = f.offset(panels, times(j, rows), gemm.dtype)
        if step == 1:
            _copy(f, gemm, lanes, source, target, rows, width)
        else:
            _transpose(f, gemm, source, target, rows, width)

    each(f, columns, width, panel)


def _copy(
    f: Function, gemm: Gemm, lanes: int, source: Value, target: Value, rows: Index, width: int
) -> None:
    """Write the copy of a panel whose rows lie together already."""

    def row(k: Index) -> None:
        here = f.offset(source, times(k, gemm.b[0]), gemm.dtype)
        there = f.offset(target, times(k, width), gemm.dtype)
        for first in range(0, width, lanes):
            valid = min(lanes, width - first)
            x = f.load(f.offset(here, first, gemm.dtype), gemm.dtype, lanes, valid)
            f.store(x, f.offset(there, first, gemm.dtype), valid)

    each(f, rows, 1, row)


def _transpose(
    f: Function, gemm: Gemm, source: Value, target: Value, rows: Index, width: int
) -> None:
    """Write the copy of a panel whose columns lie together, square by square.

    The last square of a column moves up to end with it: some elements are written twice.
    """
    height = min(SIDE, gemm.k)

    def squares(k: Index) -> None:
        if not isinstance(k, int) and not (isinstance(rows, int) and rows % SIDE == 0):
            k = f.minimum(k, rows - SIDE)
        here = f.offset(source, k, gemm.dtype)
        there = f.offset(target, times(k, width), gemm.dtype)

        def square(j: Index, columns: int) -> None:
            corner = f.offset(here, times(j, gemm.b[1]), gemm.dtype)
            lines = [
                f.load(f.offset(corner, c * gemm.b[1], gemm.dtype), gemm.dtype, SIDE, height)
                if c < columns
                else f.poison(gemm.dtype, SIDE)
                for c in range(SIDE)
            ]
            corner = f.offset(there, j, gemm.dtype)
            for r, line in enumerate(_turned(f, lines)[:height]):
                f.store(line, f.offset(corner, r * width, gemm.dtype), columns)

        whole = width // SIDE * SIDE
        each(f, whole, SIDE, lambda j: square(j, SIDE))
        if width > whole:
            square(whole, width - whole)

    each(f, rows, SIDE, squares)


def _turned(f: Function, lines: list[Value]) -> list[Value]:
    """Return the columns of a square of SIDE vectors: halves interleaved, log2(SIDE) times."""
    half = SIDE // 2
    low = [lane // 2 + lane % 2 * SIDE for lane in range(SIDE)]
    high = [lane + half for lane in low]
    for _ in range(SIDE.bit_length() - 1):
        pairs = zip(lines[:half], lines[half:], strict=True)
        lines = [f.shuffle(a, b, lanes) for a, b in pairs for lanes in (low, high)]
    return lines


def each(f: Function, stop: Index, step: int, body: Callable[[Index], None]) -> None:
    """Write ``body`` for 0, step, 2 step, ... below ``stop``: not at all, once, or in a loop.

    A ``stop`` that only the code knows is above 0.
    """

    def turn(index: Value, _: Sequence[Value]) -> Sequence[Value]:
        body(index)
        return ()

    if not isinstance(stop, int) or stop > step:
        f.loop(stop, turn, step=step)
    elif stop > 0:
        body(0)


def blocks(f: Function, total: int, size: int, body: Callable[[Index, Index], None]) -> None:
    """Write ``body`` for the start and the size of each block of ``total``; the last may be less.

    That is a known size if all blocks are alike.
    """

    def block(start: Index) -> None:
        rest = total - start
        if isinstance(rest, int) or total % size == 0:
            body(start, min(total, size))
        else:
            body(start, f.minimum(rest, size))

    each(f, total, size, block)


def plus(a: Index, b: Index) -> Index:
    """Return a sum without writing one with 0."""
    return b if a == 0 else a if b == 0 else a + b


def times(a: Index, b: Index) -> Index:
    """Return a product without writing one by 0 or 1."""
    if a == 0 or b == 0:
        return 0
    return b if a == 1 else a if b == 1 else a * b
