"""What a kernel costs: the bytes that it must move, and the operations that it does.

These are counts, not measurements. Every element that a kernel reads counts once, however often it
reads it, and so does every element that it writes: as if the caches held all that is used again.
An elementwise operation, or one step of a reduction, is one operation for each element, whatever
its dtype and however long it takes; a product of matrices is 2mnk. What stands in fewer loops than
the others is computed, and counted, that much less often.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from pellucid.compiler.kernels import Access, Gemm, Instruction, Nest, Store
from pellucid.compiler.llvm.analysis import Analysis
from pellucid.compiler.lower import Call

# instructions that are no operations, or counted elsewhere
SOURCES = frozenset({"load", "constant", "counter", "product"})
Part = tuple[tuple[tuple[int, int], ...], int]  # of a buffer: (stride, size) by axis, and an offset


@dataclass(frozen=True)
class Cost:
    """Bytes read and written, and operations."""

    read: int = 0
    written: int = 0
    operations: int = 0

    @property
    def intensity(self) -> float:
        """Operations for each byte that is moved."""
        moved = self.read + self.written
        return self.operations / moved if moved else 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.read + other.read,
            self.written + other.written,
            self.operations + other.operations,
        )


def cost(call: Call) -> Cost:
    """Return what one call of a kernel costs; work space does not count."""
    if isinstance(call.kernel, Gemm):
        return gemm_cost(call.kernel, call)
    return nest_cost(call.kernel, call)


def gemm_cost(gemm: Gemm, call: Call) -> Cost:
    """Return the cost of a product of matrices, with its epilogue."""
    m, n, k = gemm.m, gemm.n, gemm.k
    a, b, c, *_ = call.buffers
    read = min(m * k, a.size) * a.dtype.itemsize + min(k * n, b.size) * b.dtype.itemsize
    if call.epilogue:
        return Cost(read, 0, 2 * m * n * k) + cost(call.epilogue)
    return Cost(read, m * n * c.dtype.itemsize, 2 * m * n * k)


def nest_cost(nest: Nest, call: Call) -> Cost:
    """Return the cost of loops."""
    plan = Analysis(nest)
    read, written = Moved(call), Moved(call)
    operations = 0
    for stage, (first, _, after) in zip(nest.stages, plan.first, strict=True):
        inside = (*nest.outer, *stage.inner)
        for start, items, sizes in (
            (first, stage.body, inside),
            (after, stage.after, nest.outer),
        ):
            for number, item in enumerate(items, start):
                turns = prod(sizes[: plan.level[number]])
                operations += 0 if item.op in SOURCES else turns
                if 0 not in sizes:
                    read.add(item, sizes, turns)
        operations += len(stage.reductions) * prod(inside)
        for stores, sizes in ((stage.stores, inside), (stage.last, nest.outer)):
            for store in stores:
                written.add(store, sizes, prod(sizes))
                if store.add:
                    read.add(store, sizes, prod(sizes))
                    operations += prod(sizes)
    return Cost(read.bytes(), written.bytes(), operations)


class Moved:
    """The parts of its buffers that a kernel reads, or writes."""

    def __init__(self, call: Call) -> None:
        self.buffers = call.buffers
        self.parts: list[dict[Part | Access, int]] = [{} for _ in call.buffers]

    def add(self, item: Instruction | Store, sizes: Sequence[int], turns: int) -> None:
        """Take in an access that is made so many times: its elements, unless they are known."""
        access = item.access
        if access is None:
            return
        axes = tuple((s, n) for s, n in zip(access.strides, sizes, strict=True) if s and n > 1)
        parts = self.parts[access.buffer]
        if item.args:  # where it lies depends on values: at worst, elsewhere each time
            reachable = prod(item.limits) * prod(n for _, n in axes)
            parts[access] = min(turns, reachable)
        else:
            parts[tuple(sorted(axes)), access.offset] = prod(n for _, n in axes) if turns else 0

    def bytes(self) -> int:
        """Return how many bytes the parts have together; none has more than its buffer."""
        pairs = zip(self.buffers, self.parts, strict=True)
        return sum(min(sum(parts.values()), x.size) * x.dtype.itemsize for x, parts in pairs)


def total(costs: Iterable[Cost]) -> Cost:
    """Return the costs added up."""
    return sum(costs, Cost())
