"""How quick kernels are: each run by itself on this machine, beside the most that a core can do.

What a core can do at most is measured as well, by loops that are generated for it: its arithmetic
by multiplication-additions that do not wait for each other, its memory by additions to a long
vector. Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for
multicore architectures", Communications of the ACM 52(4), 2009.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal, TypeAlias

import numpy as np

from pellucid.arrays import Array
from pellucid.compiler.cost import Cost
from pellucid.compiler.frame import Frame, address, aligned_array
from pellucid.compiler.kernels import Gemm, Kernel, Nest
from pellucid.compiler.llvm.builder import BYTES, Function, Value
from pellucid.compiler.llvm.target import Module, compile_module, host
from pellucid.compiler.program import Program, fitting

Work: TypeAlias = Callable[[int], object]  # does something so many times
Precision: TypeAlias = Literal["float32", "float64"]

TRIES = 7  # measurements, of which the median counts
BEST = 50  # measurements of a peak, of which the best counts: it is what the core can do
SAMPLE = 2e-4  # seconds that one of them takes at least
LEAST, MOST = 1 << 12, 1 << 27  # bytes in which bandwidths are measured
UNROLLED = 8  # vectors that a turn of the loop over memory adds

# A task of a program, run so many times.
AGAIN = """
define void @again(ptr %table, i64 %entry, i64 %task, i64 %turns) nounwind {
begin:
  %run = inttoptr i64 %entry to ptr
  br label %loop
loop:
  %turn = phi i64 [ 0, %begin ], [ %next, %loop ]
  call void %run(ptr %table, i64 %task, i64 0)
  %next = add i64 %turn, 1
  %more = icmp ult i64 %next, %turns
  br i1 %more, label %loop, label %done
done:
  ret void
}
"""


@dataclass(frozen=True)
class Speed:
    """How quick a kernel was, and how quick this core could be.

    ``seconds`` are those of one run. ``peak`` is the most operations a second, ``roof`` the most
    bytes a second in as much memory as the kernel uses.
    """

    cost: Cost
    seconds: float
    peak: float
    roof: float

    @property
    def operations(self) -> float:
        """Operations a second."""
        return self.cost.operations / self.seconds

    @property
    def bandwidth(self) -> float:
        """Bytes a second, read and written."""
        return (self.cost.read + self.cost.written) / self.seconds

    @property
    def share(self) -> float:
        """The larger of its shares of the peak and of the bandwidth."""
        return max(self.operations / self.peak, self.bandwidth / self.roof)

    @property
    def limit(self) -> str:
        """Of what the share is: "arithmetic" or "memory"."""
        of_peak, of_roof = self.operations / self.peak, self.bandwidth / self.roof
        return "arithmetic" if of_peak > of_roof else "memory"


def speed(cost: Cost, kernel: Kernel, seconds: float) -> Speed:
    """Return how quick a kernel of this cost was that took so many seconds."""
    return Speed(
        cost, seconds, most_operations(precision(kernel)), most_bytes(cost.read + cost.written)
    )


def precision(kernel: Kernel) -> Precision:
    """Return in which floats a kernel computes, the wider if in both."""
    wide = kernel.dtype == "float64" if isinstance(kernel, Gemm) else "float64" in kernel.buffers
    return "float64" if wide else "float32"


# Programs


def kernel_seconds(program: Program, inputs: Mapping[str, Array]) -> list[float]:
    """Return the median seconds of each task of a program, run by itself again and again.

    The inputs are not changed.

    Args:
        program: with ``apart``, so that a task is a kernel.
        inputs: of the program, by name.
    """
    frame, held = filled(program, inputs)
    again = Native(_again(), "again", [frame.table], 3)
    run = partial(again, program.layout.entry)
    found = []
    for number, task in enumerate(program.tasks):
        run(number, 1)
        found.append(typical(partial(run, number)))
        if any(adds(call.kernel) for call in task.calls):  # to what it added last time
            for earlier in range(number + 1):
                run(earlier, 1)
    del held
    return found


@cache
def _again() -> Module:
    return compile_module(AGAIN, host())


def step_seconds(program: Program, inputs: Mapping[str, Array]) -> float:
    """Return the median seconds of a program, run as a whole by all its threads.

    The inputs are not changed.
    """
    frame, held = filled(program, inputs)
    found = typical(lambda turns: frame.repeat(turns, {}, [], None))
    del held
    return found


def filled(program: Program, inputs: Mapping[str, Array]) -> tuple[Frame, list[Array]]:
    """Return a frame with these inputs and memory for outputs, and the arrays to keep alive."""
    frame = Frame(program.layout)
    nodes = program.graph.inputs
    arrays = [fitting(name, node, inputs) for name, node in nodes.items()]
    results = [np.empty(node.shape, node.dtype) for node in program.outputs]
    for node, array in zip((*nodes.values(), *program.outputs), (*arrays, *results), strict=True):
        frame.point(node, array)
    return frame, [*arrays, *results]


def adds(kernel: Kernel) -> bool:
    """Whether a kernel changes what is there, so that a second run gives something else."""
    if not isinstance(kernel, Nest):
        return False
    return any(store.add for stage in kernel.stages for store in (*stage.stores, *stage.last))


# Times


def typical(work: Work) -> float:
    """Return the median seconds of one turn of some work."""
    return float(np.median(samples(work)))


def least(work: Work) -> float:
    """Return the fewest seconds that one turn of some work took."""
    return min(samples(work, BEST))


def samples(work: Work, tries: int = TRIES) -> list[float]:
    """Return the seconds of a turn, several times over; each time is that of many turns."""
    turns = 1
    while seconds(work, turns) < SAMPLE:
        turns *= 4
    return [seconds(work, turns) / turns for _ in range(tries)]


def seconds(work: Work, turns: int) -> float:
    """Return the seconds of so many turns."""
    start = time.perf_counter()
    work(turns)
    return time.perf_counter() - start


# What a core can do at most


@cache
def most_operations(dtype: Precision = "float32") -> float:
    """Return the most multiplications and additions a second of one core."""
    work, operations = arithmetic(dtype)
    return operations / least(work)


def most_bytes(size: int) -> float:
    """Return the most bytes a second that one core reads and writes in about so much memory.

    What fits into a cache stays there, so this depends on the size. A size between two powers of
    two counts as the lower, which may have the better cache: a roof must not be too low.
    """
    return _bandwidth(1 << (min(max(size, LEAST), MOST).bit_length() - 1))


@cache
def _bandwidth(size: int) -> float:
    work, moved = traffic(size)
    return moved / least(work)


class Native:
    """A compiled function of arrays, which it keeps alive, and of so many whole numbers."""

    def __init__(self, module: Module, name: str, arrays: Sequence[Any], numbers: int = 0) -> None:
        self.module, self.arrays = module, arrays
        kinds = [ctypes.c_void_p] * len(arrays) + [ctypes.c_int64] * numbers
        function = ctypes.CFUNCTYPE(None, *kinds)(module.address(name))
        self._run: Callable[..., object] = partial(function, *map(address, arrays))

    def __call__(self, *numbers: int) -> None:
        """Run it."""
        self._run(*numbers)


def arithmetic(dtype: Precision = "float32") -> tuple[Work, int]:
    """Return multiplication-additions that do not wait for each other, and how many a turn has."""
    target = host()
    lanes, count = target.vector_bytes // BYTES[dtype], target.registers * 3 // 4
    f = Function("peak", [("numbers", "pointer"), ("turns", "int64")], fma=target.fma)
    numbers, turns = f.parameters
    x = f.load(numbers, dtype, lanes)

    def turn(_: Value, sums: list[Value]) -> list[Value]:
        return [f.multiply_add(x, total, x) for total in sums]

    sums = [f.load(f.offset(numbers, i * lanes, dtype), dtype, lanes) for i in range(count)]
    total, *rest = f.loop(turns, turn, sums)
    for one in rest:
        total = total + one
    f.store(total, numbers)
    halves = np.full(count * lanes, 0.5, dtype)
    return Native(compile_module(f.text(), target), f.name, [halves], 1), 2 * count * lanes


def traffic(size: int) -> tuple[Work, int]:
    """Return the addition of one vector to another in so much memory, and the bytes it moves."""
    target = host()
    lanes = target.vector_bytes // BYTES["float32"]
    block = UNROLLED * lanes
    count = max(size // (2 * BYTES["float32"] * block), 1) * block
    parameters = [("x", "pointer"), ("y", "pointer"), ("turns", "int64")]
    f = Function("traffic", parameters, fma=target.fma)  # type: ignore[arg-type]
    x, y, turns = f.parameters

    def add(i: Value, _: list[Value]) -> list[Value]:
        for vector in range(0, block, lanes):
            here = f.offset(f.offset(y, i, "float32"), vector, "float32")
            there = f.offset(f.offset(x, i, "float32"), vector, "float32")
            f.store(f.load(here, "float32", lanes) + f.load(there, "float32", lanes), here)
        return []

    def turn(_: Value, __: list[Value]) -> list[Value]:
        return f.loop(count, add, step=block)

    f.loop(turns, turn)
    arrays = [aligned_array((count,), "float32") for _ in range(2)]
    native = Native(compile_module(f.text(), target), f.name, arrays, 1)
    return native, 3 * count * BYTES["float32"]
