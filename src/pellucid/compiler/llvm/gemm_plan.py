"""Decides how a matrix product is cut for a processor: tiles, blocks, whether b is packed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import product

from pellucid.compiler.kernels import DEEPEST, Gemm
from pellucid.compiler.llvm.builder import BYTES, FLOATS
from pellucid.compiler.llvm.gemm_pack import SIDE
from pellucid.compiler.llvm.target import Target

SMALL = 1 << 20  # bytes: rows of a b that is smaller are read where they lie
DEPTH, WIDTH = DEEPEST, 512  # of a block: k; columns of b
UNROLL = 2

# What a processor does in half a cycle: one multiplication-addition of vectors, a little less than
# one load, and 12 bytes from the second-level cache. A sum can be added to again after 12 halves.
LOAD, STREAM, LATENCY = 1.2, 12, 12
TALLEST = 12  # rows of a tile: more only lengthen the code
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


def as_row(gemm: Gemm) -> Gemm:
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
        shapes = list(product(pieces(m, r), pieces(vectors, v)))
        time = sum(rows // i * (columns // j) * halves(i, j) for (rows, i), (columns, j) in shapes)
        return time * (1 + BODY * (len(shapes) - 1)), (r + v) / (r * v)

    limit = target.registers
    tiles = product(range(1, min(m, TALLEST) + 1), range(1, min(vectors, limit) + 1))
    fitting = [(r, v) for r, v in tiles if (r + 1) * v + 1 <= limit]
    return min(fitting, key=price, default=(1, 1))


def pieces(total: int, size: int) -> list[tuple[int, int]]:
    """Return (how many, of what size at a time): those that ``size`` divides, and the rest."""
    rest = total % size
    return [piece for piece in ((total - rest, size), (rest, rest)) if piece[0]]


def check(gemm: Gemm) -> None:
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
    if gemm.epilogue and not (min(gemm.m, gemm.n) > 1 and 0 < gemm.k <= DEPTH):
        raise ValueError(
            f"{gemm.name}: expected an epilogue where m, n > 1 and 0 < k <= {DEPTH}, got "
            f"{gemm.m=}, {gemm.n=}, {gemm.k=}"
        )
    for name, strides in (("a", gemm.a), ("b", gemm.b)):
        if 1 not in strides:
            raise ValueError(
                f"{gemm.name}: expected rows or columns of {name} to be contiguous (a stride of "
                f"1), got strides {strides}; copy it first"
            )
