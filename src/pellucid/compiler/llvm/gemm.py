"""Generates the code of a matrix product.

A tile of c is held in registers: some rows by some vectors. Each turn of the inner loop takes one
k: it loads the vectors of b's row k and, for each row of the tile, repeats a's element in all
lanes and adds the products. b is read where it lies if it is small and its rows are contiguous;
else blocks of it are packed into panels first (`gemm_pack`) that stay in the second-level cache,
and so do the rows of a that are multiplied with them. a is never packed. What is left of c at its
lower and right edges are narrower tiles, with the surplus lanes masked: they are neither read nor
written. The method is that of K. Goto and R. van de Geijn, "Anatomy of high-performance matrix
multiplication", ACM TOMS 34 (2008).

Each element is one sum in ascending order of k, kept in its dtype; a product is added in a single
rounding where the processor can. So c has the same bits however the matrices lie and however the
product is cut into tiles, blocks, or smaller products. The exception is a product of one row (or
one column) with a matrix whose contiguous elements it sums up: there lane l of a vector sums
k = l, l + lanes, l + 2 lanes, ..., and the lanes are then added by halves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product

from pellucid.compiler.kernels import Gemm
from pellucid.compiler.llvm.builder import BYTES, FLOATS, Function, Kind, Value
from pellucid.compiler.llvm.gemm_pack import SIDE, Index, blocks, each, pack, times
from pellucid.compiler.llvm.target import Target

PARAMETERS: tuple[tuple[str, Kind], ...] = (
    ("a", "pointer"),
    ("b", "pointer"),
    ("c", "pointer"),
    ("workspace", "pointer"),
)
SMALL = 1 << 20  # bytes: rows of a b that is smaller are read where they lie
DEPTH, HEIGHT, WIDTH = 512, 128, 512  # of a block: k; rows of a; columns of b
UNROLL = 2

# What a processor does in half a cycle: one multiplication-addition of vectors, a little less than
# one load, and 12 bytes from the second-level cache. A sum can be added to again after 12 halves.
LOAD, STREAM, LATENCY = 1.2, 12, 12
TALLEST = 12  # rows of a tile: more only lengthen the code
DOTS = 8  # sums that are taken at once where each is one of contiguous elements
BODY = 0.05  # of the time is what a further shape of tile must save to be worth its code


@dataclass(frozen=True)
class Plan:
    """How a product is cut.

    Tiles are of ``rows`` by ``width`` columns; the inner loop takes ``unroll`` of k in a turn. If b
    is packed, blocks of it have ``depth`` rows and at most ``columns``. With ``dots``, each element
    is the sum of a vector instead.
    """

    lanes: int
    rows: int
    width: int
    unroll: int
    packed: bool
    depth: int
    columns: int
    dots: bool


def emit(gemm: Gemm, target: Target, *, internal: bool = False) -> str:
    """Return a product as one function in LLVM's language, with the declarations it needs.

    The function is called ``gemm.name`` and takes pointers to a, b, c and the work space, which
    may be anything if `workspace` is 0. c must not overlap the others. With ``internal`` it is
    visible in its own module only. Raises ValueError for a product that means nothing.
    """
    return _Emitter(gemm, target, internal).text()


def workspace(gemm: Gemm, target: Target) -> int:
    """Return how many bytes of work space the product's function needs."""
    _check(gemm)
    gemm = _as_row(gemm)
    plan = planned(gemm, target)
    return BYTES[gemm.dtype] * plan.depth * min(plan.columns, gemm.n) if plan.packed else 0


def planned(gemm: Gemm, target: Target) -> Plan:
    """Return how a product is cut for a processor."""
    lanes = target.vector_bytes // BYTES[gemm.dtype]
    rows, vectors = _best_tile(gemm.m, -(-gemm.n // lanes), target)
    width = vectors * lanes
    in_rows = gemm.b[1] == 1
    dots = gemm.m == 1 and gemm.a[1] == gemm.b[0] == 1 and (gemm.n == 1 or not in_rows)
    small = gemm.k * gemm.n * BYTES[gemm.dtype] < SMALL or gemm.m <= rows
    packed = not (dots or (in_rows and small))
    unroll = 1 if gemm.k % UNROLL else UNROLL
    depth = _depth(gemm.k) if packed else gemm.k
    return Plan(lanes, rows, width, unroll, packed, depth, max(WIDTH // width, 1) * width, dots)


def _as_row(gemm: Gemm) -> Gemm:
    """Return the product that computes a contiguous column as a row: of b and a, transposed."""
    if gemm.n != 1 or gemm.ldc != 1:
        return gemm
    a, b = gemm.b[::-1], gemm.a[::-1]
    return replace(gemm, m=1, n=gemm.m, a=a, b=b, ldc=max(gemm.m, 1))


def _depth(k: int) -> int:
    """Return k if it is one block, or else the depth of blocks of about equal size."""
    count = -(-k // DEPTH)
    if count <= 1:
        return k
    depth = -(-k // (count * UNROLL)) * UNROLL
    while 0 < k % depth < SIDE:  # the last block would be too shallow to pack
        depth -= UNROLL
    return depth


@cache
def _best_tile(m: int, vectors: int, target: Target) -> tuple[int, int]:
    """Return the rows and vectors of the tile for ``m`` rows of so many vectors.

    Its sums, one row of b and one element of a must fit the registers. Of those tiles it is the
    one that takes the fewest halves of a cycle for one k, edges included; of equals, the one that
    loads least.
    """

    def halves(r: int, v: int) -> float:
        return max(r * v, LOAD * (r + v), LATENCY, v * target.vector_bytes / STREAM)

    def price(tile: tuple[int, int]) -> tuple[float, float]:
        r, v = tile
        shapes = list(product(_pieces(m, r), _pieces(vectors, v)))
        time = sum(rows // i * (columns // j) * halves(i, j) for (rows, i), (columns, j) in shapes)
        return time * (1 + BODY * (len(shapes) - 1)), (r + v) / (r * v)

    limit = target.registers
    tiles = product(range(1, min(m, TALLEST) + 1), range(1, min(vectors, limit) + 1))
    fitting = [(r, v) for r, v in tiles if (r + 1) * v + 1 <= limit]
    return min(fitting, key=price, default=(1, 1))


def _pieces(total: int, size: int) -> list[tuple[int, int]]:
    """Return (how many, of what size at a time): those that ``size`` divides, and the rest."""
    rest = total % size
    return [piece for piece in ((total - rest, size), (rest, rest)) if piece[0]]


def _check(gemm: Gemm) -> None:
    """Refuse a product that means nothing."""
    if gemm.dtype not in FLOATS:
        raise ValueError(f"{gemm.name}: expected float32 or float64, got {gemm.dtype}")
    if min(gemm.m, gemm.n, gemm.k) < 0:
        raise ValueError(
            f"{gemm.name}: expected sizes of at least 0, got {gemm.m=}, {gemm.n=}, {gemm.k=}"
        )
    if gemm.ldc < gemm.n:
        raise ValueError(
            f"{gemm.name}: expected at least {gemm.n} elements from row to row of c, got {gemm.ldc}"
        )
    for name, strides in (("a", gemm.a), ("b", gemm.b)):
        if 1 not in strides:
            raise ValueError(
                f"{gemm.name}: expected rows or columns of {name} to be contiguous (a stride of "
                f"1), got strides {strides}; copy it first"
            )


class _Emitter:
    """The generation of one product."""

    def __init__(self, gemm: Gemm, target: Target, internal: bool) -> None:
        _check(gemm)
        self.f = Function(gemm.name, PARAMETERS, fma=target.fma, internal=internal)
        self.a, self.b, self.c, self.panels = self.f.parameters
        self.gemm = _as_row(gemm)
        if self.gemm is not gemm:
            self.a, self.b = self.b, self.a
        self.plan = planned(self.gemm, target)

    def text(self) -> str:
        gemm, plan = self.gemm, self.plan
        if not gemm.k or plan.depth < gemm.k:  # each block of k adds to c
            self._zeros()
        start = 0
        for columns, width in _pieces(gemm.n, DOTS if plan.dots else plan.width):
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
                for rows, height in _pieces(gemm.m, plan.rows):
                    here = self._at(self.a, first * gemm.a[0], times(k, gemm.a[1]))
                    there = self._at(self.c, first * gemm.ldc + start, j)
                    self._rows(here, block, there, (rows, depth, columns), (height, width))
                    first += rows

            blocks(self.f, gemm.k, plan.depth, below)

        blocks(self.f, columns, plan.columns // width * width if plan.packed else gemm.n, beside)

    def _rows(
        self, a: Value, b: Value, c: Value, size: tuple[int, Index, Index], tile: tuple[int, int]
    ) -> None:
        """Write the product of some rows of a and a block of b: ``size`` is that of m, k and n."""
        gemm, packed = self.gemm, self.plan.packed
        rows, depth, columns = size
        height, width = tile

        def below(i: Index, rows: Index) -> None:
            def panel(j: Index) -> None:
                source = self._at(b, times(j, depth) if packed else j)

                def one(r: Index) -> None:
                    here = self._at(a, times(i, gemm.a[0]), times(r, gemm.a[0]))
                    there = self._at(c, times(i, gemm.ldc), j, times(r, gemm.ldc))
                    self._tile(here, source, there, depth, tile)

                each(self.f, rows, height, one)

            each(self.f, columns, width, panel)

        blocks(self.f, rows, max(1, HEIGHT // height) * height, below)

    def _tile(self, a: Value, b: Value, c: Value, depth: Index, tile: tuple[int, int]) -> None:
        """Write one tile of c: its sums over ``depth`` of k stay in registers."""
        f, gemm, plan = self.f, self.gemm, self.plan
        height, width = tile
        along = width if plan.packed else gemm.b[0]
        vectors = [(j, min(plan.lanes, width - j)) for j in range(0, width, plan.lanes)]
        places = [(i * gemm.ldc + j, valid) for i in range(height) for j, valid in vectors]

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

        if plan.depth < gemm.k:
            sums = [
                f.load(self._at(c, place), gemm.dtype, plan.lanes, valid) for place, valid in places
            ]
        else:
            sums = [f.constant(0, gemm.dtype, plan.lanes)] * len(places)
        _, _, *sums = f.loop(depth, turn, [a, b, *sums], step=plan.unroll)
        for x, (place, valid) in zip(sums, places, strict=True):
            f.store(x, self._at(c, place), valid)

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
