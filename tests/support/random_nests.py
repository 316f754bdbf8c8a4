"""Random loop nests for Hypothesis, such that native code must agree with NumPy to the last bit.

Floats are sums and products of few quarters, so that no order of adding rounds; everything else
that could hide a fault (other layouts, offsets, repeated axes, NaN and infinities that are only
moved, compared and selected) is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from pellucid.compiler.kernels import (
    Access,
    DType,
    Instruction,
    Nest,
    Reduction,
    Stage,
    Store,
    Vector,
)

SIZES = st.sampled_from([1, 1, 2, 3, 5, 15, 16, 17, 31, 33, 100])
DTYPES: tuple[DType, ...] = ("float32", "float64", "int32", "int64", "uint32", "bool")
REDUCTIONS = ("sum", "prod", "max", "min", "any", "all")
PLACES = 600  # at most so many turns of all loops together


@dataclass
class Drawing:
    """A nest as far as it is drawn."""

    draw: Any
    outer: tuple[int, ...] = ()
    vector: Vector = "none"
    buffers: list[Any] = field(default_factory=list)
    dtypes: list[DType] = field(default_factory=list)  # of the values so far
    known: dict[int, bool] = field(default_factory=dict)  # usable values: sums of them are exact?

    def buffer(self, dtype: DType, size: int, exact: bool) -> int:
        """Add a buffer of random numbers."""
        rng = np.random.default_rng(self.draw(st.integers(0, 99)))
        values: Any = rng.integers(-8, 9, size)
        if dtype in ("float32", "float64"):
            values = values / 4
            if not exact:
                values[rng.random(size) < 0.2] = np.nan
                values[rng.random(size) < 0.2] = -np.inf
        elif not exact and dtype != "bool":
            limits = np.iinfo(dtype)
            values = rng.integers(limits.min, limits.max, size, dtype=dtype, endpoint=True)
        self.buffers.append(values.astype(dtype))
        return len(self.buffers) - 1

    def widen(self, buffer: int, room: int) -> None:
        """Make a buffer larger, by as much as values may move an access to it."""
        old = self.buffers[buffer]
        self.buffers[buffer] = np.append(old, np.arange(room).astype(old.dtype))

    def access(self, dtype: DType, sizes: tuple[int, ...], *, apart: bool, exact: bool) -> Access:
        """Return an access to a new buffer; with ``apart`` each element has a place of its own."""
        order = self.draw(st.permutations(range(len(sizes))))
        strides, step = [0] * len(sizes), self.draw(st.sampled_from([1, 1, 1, 2]))
        offset = self.draw(st.sampled_from([0, 0, 3]))
        reach = 0
        for axis in order:
            if not apart and self.draw(st.integers(0, 3)) == 0:
                continue
            backwards = self.draw(st.integers(0, 5)) == 0
            strides[axis] = -step if backwards else step
            offset += step * max(sizes[axis] - 1, 0) if backwards else 0
            reach += step * max(sizes[axis] - 1, 0)
            step *= max(sizes[axis], 1)
        number = self.buffer(dtype, max(reach, offset) + reach + 1, exact)
        return Access(number, tuple(strides), offset)

    def pick(self, *dtypes: DType, exact: bool = False) -> int | None:
        """Return a usable value of one of the dtypes, if there is one."""
        numbers = [
            number
            for number, tame in self.known.items()
            if self.dtypes[number] in dtypes and (tame or not exact)
        ]
        return self.draw(st.sampled_from(numbers)) if numbers else None

    def instructions(self, sizes: tuple[int, ...], count: int) -> list[Instruction]:
        """Return ``count`` instructions inside loops of the given sizes."""
        made: list[Instruction] = []
        while len(made) < count:
            instruction, exact = self.instruction(sizes)
            made.append(instruction)
            self.known[len(self.dtypes)] = exact
            self.dtypes.append(instruction.dtype)
        return made

    def instruction(self, sizes: tuple[int, ...]) -> tuple[Instruction, bool]:
        """Return an instruction, and whether sums of what it gives are exact."""
        draw = self.draw
        dtype = draw(st.sampled_from(DTYPES))
        a, b = self.pick(dtype), self.pick(dtype)
        match draw(st.sampled_from(["load", "gather", "leaf", "arithmetic", "truth", "convert"])):
            case "gather" if (index := self.pick("int32", "int64", "uint32")) is not None:
                access = self.access(dtype, sizes, apart=False, exact=True)
                limit, scale = draw(st.integers(1, 20)), draw(st.integers(1, 3))
                self.widen(access.buffer, limit * scale)
                moved = Instruction("load", (index,), dtype, access, None, (scale,), (limit,))
                return moved, True
            case "leaf":
                if sizes and draw(st.booleans()):
                    axis = draw(st.integers(0, len(sizes) - 1))
                    whole: DType = draw(st.sampled_from(["int32", "int64", "uint32"]))
                    return Instruction("counter", (), whole, value=axis), True
                value = draw(st.integers(0, 3))
                return Instruction("constant", (), dtype, value=value), True
            case "arithmetic" if a is not None and b is not None and dtype != "bool":
                if dtype in ("int32", "int64", "uint32"):
                    op = draw(st.sampled_from(["add", "subtract", "multiply", "bitwise_xor"]))
                    return Instruction(op, (a, b), dtype), False
                op = draw(st.sampled_from(["maximum", "minimum", "floor", "abs", "subtract"]))
                unary = op in ("floor", "abs")
                exact = op != "subtract" and self.known[a] and self.known[b]
                return Instruction(op, (a,) if unary else (a, b), dtype), exact
            case "truth" if a is not None and b is not None:
                if (condition := self.pick("bool")) is not None and draw(st.booleans()):
                    exact = self.known[a] and self.known[b]
                    return Instruction("where", (condition, a, b), dtype), exact
                op = draw(st.sampled_from(["less", "equal", "logical_and", "greater_equal"]))
                return Instruction(op, (a, b), "bool"), True
            case "convert" if (tame := self.pick(*DTYPES, exact=True)) is not None:
                # a negative float as uint32 is the integer modulo 2^32, elsewhere as in NumPy
                if dtype == "uint32" and self.dtypes[tame] in ("float32", "float64"):
                    dtype = "int64"
                wide = dtype in ("float32", "float64") and self.dtypes[tame] in ("uint32", "int64")
                return Instruction("astype", (tame,), dtype), not wide
        exact = draw(st.booleans())
        access = self.access(dtype, sizes, apart=False, exact=exact)
        return Instruction("load", (), dtype, access), exact

    def store(self, sizes: tuple[int, ...]) -> Store:
        """Return a store of some value into a buffer of its own."""
        value = self.draw(st.sampled_from(list(self.known)))
        dtype = self.dtypes[value]
        add = dtype != "bool" and self.draw(st.integers(0, 3)) == 0
        index = self.pick("int32", "int64", "uint32")
        # lanes of an outer axis take the turns of inner loops together: another order
        ordered = self.vector != "outer" or len(sizes) == len(self.outer)
        if index is not None and ordered and self.draw(st.integers(0, 4)) == 0:
            access = self.access(dtype, sizes, apart=False, exact=True)
            limit = self.draw(st.integers(1, 20))
            self.widen(access.buffer, limit * 2)
            return Store(value, access, add, (index,), (2,), (limit,))
        return Store(value, self.access(dtype, sizes, apart=True, exact=True), add)

    def stage(self, inner: tuple[int, ...]) -> Stage:
        """Return a stage with the given inner loops."""
        before = dict(self.known)
        sizes = (*self.outer, *inner)
        body = self.instructions(sizes, self.draw(st.integers(1, 6)))
        stores = [self.store(sizes) for _ in range(self.draw(st.integers(0 if inner else 1, 2)))]
        first = len(self.dtypes) - len(body)
        reductions = []
        for _ in range(self.draw(st.integers(0, 2)) if inner else 0):
            value = first + self.draw(st.integers(0, len(body) - 1))
            dtype, exact = self.dtypes[value], self.known[value]
            ops = ["any", "all"]
            if 0 not in inner and dtype != "bool":
                ops += ["max", "min"]
            if dtype in ("int32", "int64", "uint32"):
                ops += ["sum", "prod"]
            elif dtype != "bool" and exact:
                ops += ["sum"]
            reductions.append(Reduction(self.draw(st.sampled_from(ops)), value))
        self.known = before
        for reduction in reductions:
            self.known[len(self.dtypes)] = False
            truth = reduction.op in ("any", "all")
            self.dtypes.append("bool" if truth else self.dtypes[reduction.value])
        after: list[Instruction] = []
        last: list[Store] = []
        if reductions:
            after = self.instructions(self.outer, self.draw(st.integers(0, 2)))
            last = [self.store(self.outer) for _ in range(self.draw(st.integers(1, 2)))]
        return Stage(
            inner, tuple(body), tuple(stores), tuple(reductions), tuple(after), tuple(last)
        )


@st.composite
def nests(draw: Any) -> tuple[Nest, list[Any]]:
    """Draw a nest, and buffers to run it on."""

    def sizes(room: int, least: int) -> tuple[int, ...]:
        drawn: list[int] = []
        for size in draw(st.lists(SIZES, min_size=least, max_size=3)):
            room //= size
            if room:
                drawn.append(size)
        if draw(st.integers(0, 19)) == 0 and drawn:
            drawn[draw(st.integers(0, len(drawn) - 1))] = 0
        return tuple(drawn)

    drawing = Drawing(draw)
    drawing.outer = sizes(PLACES, 0)
    room = PLACES // max(1, int(np.prod(drawing.outer)))
    vectors: list[Vector] = ["inner", "none", "outer"] if drawing.outer else ["inner", "none"]
    drawing.vector = draw(st.sampled_from(vectors))
    stages = [drawing.stage(sizes(room, 0)) for _ in range(draw(st.integers(1, 3)))]
    dtypes = tuple(buffer.dtype.name for buffer in drawing.buffers)
    return Nest("kernel", dtypes, drawing.outer, tuple(stages), drawing.vector), drawing.buffers
