"""Generates the code of a matrix product.

A tile of c is held in registers: some rows by some vectors. Each turn of the inner loop takes one
k: it loads the vectors of b's row k and, for each row of the tile, repeats a's element in all
lanes and adds the products. b is read where it lies if it is small and its rows are contiguous;
else blocks of it are packed into panels first (`gemm_pack`) that stay in the second-level cache,
and so do the rows of a that are multiplied with them. a is never packed. What is left of c at its
lower and right edges are narrower tiles, with the surplus lanes masked: they are neither read nor
written. The method is that of K. Goto and R. van de Geijn, "Anatomy of high-performance matrix
multiplication", ACM TOMS 34 (2008).

Where there is an epilogue, a finished tile goes to work space that stays in the nearest cache, and
becomes what it is to be while the next tile is summed up, a vector at each turn: so divisions and
roots, for which a processor has units of their own, cost little.

Each element is one sum in ascending order of k, kept in its dtype; a product is added in a single
rounding where the processor can. So c has the same bits however the matrices lie and however the
product is cut into tiles, blocks, or smaller products. The exception is a product of one row (or
one column) with a matrix whose contiguous elements it sums up: there lane l of a vector sums
k = l, l + lanes, l + 2 lanes, ..., and the lanes are then added by halves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

from pellucid.compiler.kernels import Gemm
from pellucid.compiler.llvm.builder import BYTES, Function, Kind, Value
from pellucid.compiler.llvm.gemm_pack import Index, blocks, each, pack, plus, times
from pellucid.compiler.llvm.gemm_plan import as_row, check, pieces, planned
from pellucid.compiler.llvm.nest import Epilogue
from pellucid.compiler.llvm.target import Target

HEIGHT = 128  # rows of a in a block
DOTS = 8  # sums that are taken at once where each is one of contiguous elements

Place: TypeAlias = "tuple[Index, Index]"  # row and column
Shape: TypeAlias = "tuple[int, int]"
Meanwhile: TypeAlias = "Callable[[Value, int, int], None]"


class Tile(NamedTuple):
    """A tile of c at a place: where its rows of a and its columns of b begin, and how many k."""

    a: Value
    b: Value
    place: Place
    depth: Index
    shape: Shape


def emit(gemm: Gemm, target: Target, *, internal: bool = False) -> str:
    """Return a product as one function in LLVM's language, with the declarations it needs.

    The function is called ``gemm.name`` and takes pointers to a, b, c, or the epilogue's buffers,
    and the work space, which may be anything if `workspace` is 0. What is written must not overlap
    a and b. With ``internal`` it is visible in its own module only. Raises ValueError for a product
    that means nothing.
    """
    return _Emitter(gemm, target, internal).text()


def workspace(gemm: Gemm, target: Target) -> int:
    """Return how many bytes of work space the product's function needs."""
    check(gemm)
    gemm = as_row(gemm)
    plan = planned(gemm, target)
    panels = plan.depth * min(plan.columns, gemm.n) if plan.packed else 0
    sums = plan.rows * plan.width if gemm.epilogue else 0
    return BYTES[gemm.dtype] * (sums + panels)


class _Emitter:
    """The generation of one product."""

    def __init__(self, gemm: Gemm, target: Target, internal: bool) -> None:
        check(gemm)
        results = len(gemm.epilogue.buffers) if gemm.epilogue else 1
        names = ["a", "b", *(f"c{i}" if i else "c" for i in range(results)), "workspace"]
        parameters: list[tuple[str, Kind]] = [(name, "pointer") for name in names]
        self.f = Function(gemm.name, parameters, fma=target.fma, internal=internal)
        self.a, self.b, *written, self.panels = self.f.parameters
        self.c = written[0]
        self.epilogue = gemm.epilogue and Epilogue(gemm.epilogue, target, self.f, written)
        self.gemm = as_row(gemm)
        if self.gemm is not gemm:
            self.a, self.b = self.b, self.a
        self.plan = planned(self.gemm, target)
        self.sums = self.panels  # of a tile that waits for its epilogue
        if self.epilogue:
            self.panels = self._at(self.sums, self.plan.rows * self.plan.width)

    def text(self) -> str:
        gemm, plan = self.gemm, self.plan
        if not gemm.k or plan.depth < gemm.k:  # each block of k adds to c
            self._zeros()
        start = 0
        for columns, width in pieces(gemm.n, DOTS if plan.dots else plan.width):
            if gemm.k and plan.dots:
                each(self.f, columns, width, partial(self._dots, start, width))
            elif gemm.k:
                self._columns(start, columns, width)
            start += columns
        return self.f.text()

    def _zeros(self) -> None:
        """Write zeros to c."""
        gemm, lanes = self.gemm, self.plan.lanes
        zero = self.f.constant(0, gemm.dtype, lanes)
        rest = gemm.n % lanes

        def row(i: Index) -> None:
            c = self._at(self.c, times(i, gemm.ldc))
            each(self.f, gemm.n - rest, lanes, lambda j: self.f.store(zero, self._at(c, j)))
            if rest:
                self.f.store(zero, self._at(c, gemm.n - rest), rest)

        each(self.f, gemm.m, 1, row)

    def _columns(self, start: int, columns: int, width: int) -> None:
        """Write the product of a and some columns of b, in tiles of ``width``."""
        gemm, plan = self.gemm, self.plan

        def beside(j: Index, columns: Index) -> None:
            def below(k: Index, depth: Index) -> None:
                place = times(j, gemm.b[1]), times(k, gemm.b[0])
                block = self._at(self.b, start * gemm.b[1], *place)
                if plan.packed:
                    size = (depth, columns)
                    pack(self.f, gemm, plan.lanes, block, self.panels, size, width)
                    block = self.panels
                first = 0
                for rows, height in pieces(gemm.m, plan.rows):
                    here = self._at(self.a, first * gemm.a[0], times(k, gemm.a[1]))
                    corner = first, plus(j, start)
                    self._rows(here, block, corner, (rows, depth, columns), (height, width))
                    first += rows

            blocks(self.f, gemm.k, plan.depth, below)

        blocks(self.f, columns, plan.columns // width * width if plan.packed else gemm.n, beside)

    def _rows(
        self, a: Value, b: Value, corner: Place, size: tuple[int, Index, Index], shape: Shape
    ) -> None:
        """Write the product of some rows of a and a block of b: ``size`` is that of m, k and n.

        ``corner`` is the place in c where it begins, ``shape`` that of a tile.
        """
        f, gemm = self.f, self.gemm
        rows, depth, columns = size
        height, width = shape

        def below(i: Index, rows: Index) -> None:
            def tile(r: Index, j: Index) -> Tile:
                here = self._at(a, times(i, gemm.a[0]), times(r, gemm.a[0]))
                source = self._at(b, times(j, depth) if self.plan.packed else j)
                place = plus(plus(i, r), corner[0]), plus(j, corner[1])
                return Tile(here, source, place, depth, shape)

            if self.epilogue:
                self._in_turn(self.epilogue, rows, columns, tile)
                return
            each(
                f, columns, width, lambda j: each(f, rows, height, lambda r: self._tile(tile(r, j)))
            )

        blocks(f, rows, max(1, HEIGHT // height) * height, below)

    def _tile(self, tile: Tile) -> None:
        """Write one tile of c."""
        f, gemm, plan = self.f, self.gemm, self.plan
        row, column = tile.place
        c = self._at(self.c, times(row, gemm.ldc), column)
        places = [
            (self._at(c, i * gemm.ldc + j), valid)
            for i in range(tile.shape[0])
            for j, valid in self._vectors(tile.shape[1])
        ]
        sums = None
        if plan.depth < gemm.k:
            sums = [f.load(place, gemm.dtype, plan.lanes, valid) for place, valid in places]
        for x, (place, valid) in zip(self._sums(tile, sums), places, strict=True):
            f.store(x, place, valid)

    def _in_turn(
        self,
        epilogue: Epilogue,
        rows: Index,
        columns: Index,
        tile_at: Callable[[Index, Index], Tile],
    ) -> None:
        """Write tiles one after the other, each of which is finished while the next is summed up.

        So the processor has other work while it waits for divisions and roots, and for memory.
        """
        f, dtype, lanes = self.f, self.gemm.dtype, self.plan.lanes
        height, width = tile_at(0, 0).shape
        vectors = len(self._vectors(width))

        def begin(tile: Tile, meanwhile: Meanwhile | None = None) -> None:
            """Write the sums of a tile to memory."""
            for number, x in enumerate(self._sums(tile, None, meanwhile)):
                f.store(x, self._at(self.sums, number * lanes))

        def finish(tile: Tile, i: Index, j: int, valid: int) -> None:
            """Write what becomes of a vector of the sums."""
            line = self._at(self.sums, times(i, vectors * lanes))
            product = f.load(self._at(line, j), dtype, lanes)
            epilogue.finish(product, valid, plus(i, tile.place[0]), plus(j, tile.place[1]))

        def following(_: Value, last: list[Value]) -> list[Value]:
            r, j = last
            over = f.compare("greater_equal", r + height, rows)
            place = f.select(over, 0, r + height), f.select(over, j + width, j)
            begin(tile_at(*place), partial(finish, tile_at(r, j)))
            return [*place]

        def others() -> None:
            zero = f.constant(0, "int64")
            f.loop(rest, following, [zero, zero], step=height * width)

        rest = plus(times(rows, columns), -height * width)
        begin(tile_at(0, 0))
        if isinstance(rest, Value):
            f.when(rest > 0, others)
        elif rest:
            others()
        last = tile_at(plus(rows, -height), plus(columns, -width))
        for j, valid in self._vectors(width):
            each(f, height, 1, partial(finish, last, j=j, valid=valid))

    def _sums(
        self,
        tile: Tile,
        sums: Sequence[Value] | None = None,
        meanwhile: Meanwhile | None = None,
    ) -> list[Value]:
        """Write the sums of a tile, which stay in registers, from these on, or from 0.

        ``meanwhile`` is written in between, for each vector of a tile: its row, its first column,
        and how many of its lanes count.
        """
        f, gemm, plan = self.f, self.gemm, self.plan
        height, width = tile.shape
        along = width if plan.packed else gemm.b[0]
        vectors = self._vectors(width)

        def turn(_: Value, held: Sequence[Value]) -> list[Value]:
            a, b, *sums = held
            for k in range(plan.unroll):
                line = [
                    f.load(self._at(b, k * along + j), gemm.dtype, plan.lanes, valid)
                    for j, valid in vectors
                ]
                for i in range(height):
                    x = f.load(self._at(a, i * gemm.a[0] + k * gemm.a[1]), gemm.dtype)
                    x = f.splat(x, plan.lanes)
                    first = i * len(line)
                    for number, y in enumerate(line, first):
                        sums[number] = f.multiply_add(x, y, sums[number])
            following = self._at(a, plan.unroll * gemm.a[1]), self._at(b, plan.unroll * along)
            return [*map(self._settled, following), *sums]

        if sums is None:
            sums = [f.constant(0, gemm.dtype, plan.lanes)] * (height * len(vectors))
        held, depth = [tile.a, tile.b, *sums], tile.depth
        if meanwhile and isinstance(depth, int):
            between = depth >= height * len(vectors) * plan.unroll  # a turn for each vector

            def row(i: Value, held: list[Value]) -> list[Value]:
                for j, valid in vectors:
                    meanwhile(i, j, valid)
                    held = turn(i, held) if between else held
                return held

            held = f.loop(height, row, held)
            depth -= between * height * len(vectors) * plan.unroll
        if depth != 0:
            held = f.loop(depth, turn, held, step=plan.unroll)
        return held[2:]

    def _vectors(self, width: int) -> list[tuple[int, int]]:
        """Return where each vector of a row so wide begins, and how many of its lanes count."""
        lanes = self.plan.lanes
        return [(j, min(lanes, width - j)) for j in range(0, width, lanes)]

    def _settled(self, pointer: Value) -> Value:
        """Return an address that LLVM takes as it is.

        Its search for other ways to step through memory finds none that is better, and takes two
        fifths of the time to compile.
        """
        return self.f.emit(f"freeze ptr {pointer.text}", "pointer")

    def _dots(self, start: int, count: int, j: Index) -> None:
        """Write ``count`` elements of the only row of c, from start + j on: each sums a vector."""
        f, gemm, lanes = self.f, self.gemm, self.plan.lanes
        columns = self._at(self.b, start * gemm.b[1], times(j, gemm.b[1]))

        def add(k: Index, sums: Sequence[Value], valid: int) -> list[Value]:
            x = f.load(self._at(self.a, k), gemm.dtype, lanes, valid)
            here = self._at(columns, k)
            starts = [self._at(here, number * gemm.b[1]) for number in range(count)]
            ys = [f.load(place, gemm.dtype, lanes, valid) for place in starts]
            return [f.multiply_add(x, y, s) for y, s in zip(ys, sums, strict=True)]

        sums = [f.constant(0, gemm.dtype, lanes)] * count
        rest = gemm.k % lanes
        if gemm.k > rest:
            sums = f.loop(gemm.k - rest, lambda k, held: add(k, held, lanes), sums, step=lanes)
        if rest:
            sums = add(gemm.k - rest, sums, rest)
        for number, s in enumerate(sums):
            total = f.fold(s, lambda upper, lower: upper + lower)
            f.store(total, self._at(self.c, start + number, j))

    def _at(self, pointer: Value, *indices: Index) -> Value:
        """Return the address of an element, so many further on in all."""
        for index in indices:
            pointer = self.f.offset(pointer, index, self.gemm.dtype)
        return pointer
