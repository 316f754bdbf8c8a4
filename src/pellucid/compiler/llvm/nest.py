"""Generates the code of a loop nest.

What depends on fewer loops than a body has is computed outside of the others, once. The loop of
the vector axis takes so many elements at a time, and what is left at its end once more with the
surplus lanes masked: they are neither read nor written. Sizes are known, so there is no test for
an empty loop, and an axis of size 1 has no loop at all.

A reduction along the vector axis keeps one partial result in each lane: lane l has elements l,
l + lanes, l + 2 lanes, ... of each row. The lanes are then combined by halves. A reduction across
another axis combines the elements in order.

The elements of a vector take the turns of the loops inside theirs together. Where two of them
write to one place, as in a scatter, that is another order than one by one, unless there is no loop
inside.

Two buffers of a nest may lie in the same place if each element is read and written at that place
alone; a value loaded from a buffer that the nest does not write may be loaded early.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pellucid.compiler.kernels import Access, Instruction, Nest, Reduction, Stage, Store
from pellucid.compiler.llvm.analysis import Analysis, lanes, vector_axis
from pellucid.compiler.llvm.builder import Function, Kind, Value
from pellucid.compiler.llvm.elementwise import (
    LIMITS,
    PRIMITIVES,
    apply,
    astype,
    combine,
    identity,
    power,
)
from pellucid.compiler.llvm.gemm_pack import Index, times
from pellucid.compiler.llvm.target import Target
from pellucid.errors import unknown

SUPPORTED: frozenset[str] = frozenset({*PRIMITIVES, "power", "astype"})
SOURCES = frozenset({"load", "constant", "counter", "product"})


def emit(nest: Nest, target: Target, *, internal: bool = False) -> str:
    """Return a nest as one function in LLVM's language, with the declarations it needs.

    The function is called ``nest.name`` and takes a pointer for each of ``nest.buffers``. With
    ``internal`` it is visible in its own module only. Raises ValueError or TypeError for a nest
    that means nothing.
    """
    parameters: list[tuple[str, Kind]] = [
        (f"b{number}", "pointer") for number in range(len(nest.buffers))
    ]
    f = Function(nest.name, parameters, fma=target.fma, internal=internal)
    if 0 not in nest.outer:
        _Emitter(nest, target, f, f.parameters).write()
    return f.text()


@dataclass(frozen=True)
class _Scope:
    """What is known at some place of the loops.

    ``values`` by number; ``counters`` of the loops around, outer axes first; ``places``, the
    address of each access for them; the ``axis`` that is taken ``lanes`` elements at a time, of
    which the first ``valid`` are there. Outside of a vector loop, ``lanes`` is 0. An epilogue is
    for the vector ``product``.
    """

    values: dict[int, Value]
    places: dict[Access, Value]
    counters: tuple[Value | int, ...] = ()
    axis: int = -1
    lanes: int = 0
    valid: int = 0
    product: Value | None = None


class _Emitter:
    """The generation of one nest, whose buffers begin at these addresses."""

    def __init__(self, nest: Nest, target: Target, f: Function, buffers: Sequence[Value]) -> None:
        self.nest, self.target, self.f, self.buffers = nest, target, f, buffers
        self.depth = len(nest.outer)
        self.plan = Analysis(nest)

    def write(self) -> None:
        """Write the loops."""
        self._outer(_Scope({}, self._starts()))

    def _starts(self) -> dict[Access, Value]:
        """Return the address of each access while all counters are 0."""
        return {
            access: self.f.offset(
                self.buffers[access.buffer], access.offset, self.nest.buffers[access.buffer]
            )
            for access in self.plan.accesses()
        }

    # Loops

    def _outer(self, scope: _Scope) -> None:
        """Write what belongs inside the outer loops that are open, and the loops that are not."""
        level = len(scope.counters)
        if level == self.depth:
            for number in range(len(self.nest.stages)):
                self._stage(number, scope)
            return
        for stage, (body, _, after) in zip(self.nest.stages, self.plan.first, strict=True):
            self._compute(body, stage.body, level, scope)
            self._compute(after, stage.after, level, scope)

        def inside(scope: _Scope, _: Sequence[Value]) -> Sequence[Value]:
            self._outer(scope)
            return ()

        size = self.nest.outer[level]
        vector = self.nest.vector == "outer" and level == vector_axis(self.nest.outer)
        lanes = self._lanes(self.nest.stages, size) if vector else 0
        self._loop(scope, size, lanes, inside, ())

    def _stage(self, number: int, scope: _Scope) -> None:
        """Write one stage, inside all outer loops."""
        stage, (_, reduced, after) = self.nest.stages[number], self.plan.first[number]
        lanes = scope.lanes
        if self.nest.vector == "inner" and stage.inner:
            lanes = self._lanes([stage], stage.inner[vector_axis(stage.inner)])
        start = []
        for index, reduction in enumerate(stage.reductions, reduced):
            kind = self.plan.kind[index]
            start.append(self.f.constant(identity(reduction.op, kind), kind, lanes))
        inner = replace(scope, values=dict(scope.values))
        partial = start if 0 in stage.inner else self._inner(number, inner, lanes, start)
        for index, (reduction, value) in enumerate(zip(stage.reductions, partial, strict=True)):
            if value.lanes and not scope.lanes:
                value = self.f.fold(value, _combination(self.f, reduction.op))
            scope.values[reduced + index] = value
        self._compute(after, stage.after, self.depth, scope)
        for store in stage.last:
            self._store(store, scope)

    def _inner(
        self, number: int, scope: _Scope, lanes: int, partial: Sequence[Value]
    ) -> Sequence[Value]:
        """Write what is inside the inner loops that are open; return the reductions so far."""
        stage, body = self.nest.stages[number], self.plan.first[number][0]
        level = len(scope.counters)
        self._compute(body, stage.body, level, scope)
        if level < self.depth + len(stage.inner):
            along = level - self.depth == vector_axis(stage.inner)
            vector = lanes if along and self.nest.vector == "inner" else 0

            def inside(scope: _Scope, held: Sequence[Value]) -> Sequence[Value]:
                return self._inner(number, scope, lanes, held)

            return self._loop(scope, stage.inner[level - self.depth], vector, inside, partial)
        for store in stage.stores:
            self._store(store, scope)
        return [
            self._accumulate(reduction, held, scope)
            for reduction, held in zip(stage.reductions, partial, strict=True)
        ]

    def _accumulate(self, reduction: Reduction, held: Value, scope: _Scope) -> Value:
        """Return a partial result with the present value in it; surplus lanes add nothing."""
        value = scope.values[reduction.value]
        if reduction.op in ("any", "all"):
            value = astype(self.f, value, "bool")
        value = self.f.splat(value, scope.lanes)
        if scope.lanes and scope.valid < scope.lanes:
            nothing = identity(reduction.op, value.kind)
            value = self.f.select(self.f.first(scope.valid, scope.lanes), value, nothing)
        return combine(self.f, reduction.op, held, value)

    def _loop(
        self,
        scope: _Scope,
        size: int,
        lanes: int,
        inside: Callable[[_Scope, Sequence[Value]], Sequence[Value]],
        held: Sequence[Value],
    ) -> Sequence[Value]:
        """Write a loop over the next axis, ``lanes`` elements at a time if it is a vector's.

        ``inside`` writes what is in it and takes and returns the values held from turn to turn.
        """
        step = lanes or 1
        main = size // step * step

        def turn(counter: Value | int, held: Sequence[Value], valid: int) -> Sequence[Value]:
            return inside(self._enter(scope, counter, lanes, valid), held)

        if main > step:
            held = self.f.loop(main, lambda i, held: turn(i, held, lanes), held, step=step)
        elif main:
            held = turn(0, held, lanes)
        if main < size:
            held = turn(main, held, size - main)
        return held

    def _enter(self, scope: _Scope, counter: Value | int, lanes: int, valid: int) -> _Scope:
        """Return the scope inside the next loop."""
        axis = len(scope.counters)
        places = dict(scope.places)
        for access, place in places.items():
            stride = access.strides[axis] if axis < len(access.strides) else 0
            if stride:
                kind = self.nest.buffers[access.buffer]
                places[access] = self.f.offset(place, counter * stride, kind)
        counters = (*scope.counters, counter)
        inside = replace(scope, values=dict(scope.values), counters=counters, places=places)
        return replace(inside, axis=axis, lanes=lanes, valid=valid) if lanes else inside

    def _lanes(self, stages: Sequence[Stage], size: int) -> int:
        """Return how many elements of a vector axis of some size to take at a time."""
        return lanes(stages, size, self.target.vector_bytes, self.target.registers)

    # Values

    def _compute(
        self, first: int, instructions: Sequence[Instruction], level: int, scope: _Scope
    ) -> None:
        """Write those instructions that belong inside ``level`` loops and no more."""
        for number, instruction in enumerate(instructions, first):
            if self.plan.level[number] == level:
                scope.values[number] = self._value(instruction, scope)

    def _value(self, instruction: Instruction, scope: _Scope) -> Value:
        """Write one instruction."""
        match instruction.op:
            case "constant":
                number = instruction.value
                if number is None:
                    raise ValueError(f"{self.nest.name}: expected a constant's value, got None")
                value = self.f.constant(number, instruction.dtype)
            case "counter":
                value = self._counter(int(instruction.value or 0), instruction.dtype, scope)
            case "load":
                value = self._load(instruction, scope)
            case "product" if scope.product:
                value = scope.product
            case "astype":
                operand = scope.values[instruction.args[0]]
                value = astype(self.f, operand, instruction.dtype)
            case "power":
                base, exponent = (scope.values[arg] for arg in instruction.args)
                source = self.plan.instructions.get(instruction.args[1])
                known = source.value if source and source.op == "constant" else None
                value = power(self.f, base, exponent, known)
            case op if op in PRIMITIVES:
                operands = [scope.values[arg] for arg in instruction.args]
                value = apply(self.f, op, operands)
            case op:
                raise unknown("operation", op, SUPPORTED | SOURCES)
        if value.kind != instruction.dtype:
            raise TypeError(
                f"{self.nest.name}: {instruction.op} gives {value.kind}, got it declared as "
                f"{instruction.dtype}; convert with astype"
            )
        return value

    def _counter(self, axis: int, kind: Kind, scope: _Scope) -> Value:
        counter = scope.counters[axis]
        if isinstance(counter, int):
            counter = self.f.constant(counter, "int64")
        value = astype(self.f, counter, kind)
        if axis == scope.axis:
            value = value + self.f.vector(range(scope.lanes), kind)
        return value

    # Memory

    def _load(self, instruction: Instruction, scope: _Scope) -> Value:
        access = self._access(instruction)
        kind, place, stride = self._where(access, scope)
        index = self._index(instruction, scope)
        if index is not None and not index.lanes:
            place, index = self.f.offset(place, index, kind), None
        if index is None and stride in (0, 1):
            return self.f.load(place, kind, scope.lanes if stride else 0, scope.valid)
        value = self.f.constant(0, kind, scope.lanes)
        for lane in range(scope.valid):
            at = self._lane(place, kind, stride, index, lane)
            value = self.f.insert(value, self.f.load(at, kind), lane)
        return value

    def _store(self, store: Store, scope: _Scope) -> None:
        """Write one store; lanes that may meet in one place one after the other."""
        f = self.f
        kind, place, stride = self._where(store.access, scope)
        value = scope.values[store.value]
        if value.kind != kind:
            raise TypeError(
                f"{self.nest.name}: expected a value of its buffer's dtype {kind} to store, got "
                f"{value.kind}; convert with astype"
            )
        index = self._index(store, scope)
        if index is not None and not index.lanes:
            place, index = f.offset(place, index, kind), None
        if index is None and (stride == 1 or not scope.lanes):
            value = f.splat(value, scope.lanes)
            if store.add:
                value = apply(f, "add", [f.load(place, kind, scope.lanes, scope.valid), value])
            f.store(value, place, scope.valid)
            return
        alone = list(range(scope.valid))
        if index is None and stride == 0 and not store.add:
            alone = alone[-1:]  # the last one stays
        for lane in alone:
            at = self._lane(place, kind, stride, index, lane)
            item = f.extract(value, lane) if value.lanes else value
            if store.add:
                item = apply(f, "add", [f.load(at, kind), item])
            f.store(item, at)

    def _access(self, item: Instruction | Store) -> Access:
        if item.access is None:
            raise ValueError(f"{self.nest.name}: expected a load's access, got None")
        return item.access

    def _where(self, access: Access, scope: _Scope) -> tuple[Kind, Value, int]:
        """Return the dtype at an access, its address, and how far apart the lanes are."""
        inside = 0 <= scope.axis < len(access.strides)
        stride = access.strides[scope.axis] if inside else 0
        return self.nest.buffers[access.buffer], scope.places[access], stride

    def _index(self, item: Instruction | Store, scope: _Scope) -> Value | None:
        """Return how much further on values move an access, in elements; None if none do."""
        total: Value | None = None
        for arg, scale, limit in zip(item.args, item.scales, item.limits, strict=True):
            value = scope.values[arg]
            if value.kind not in LIMITS or limit < 1:
                raise ValueError(
                    f"{self.nest.name}: expected integers and a limit above 0 as places, got "
                    f"{value.kind} and {limit}"
                )
            if limit > LIMITS[value.kind][1]:
                value = astype(self.f, value, "int64")
            if value.kind == "uint32":
                value = self.f.bitwise("urem", value, limit)
            else:
                rest = self.f.bitwise("srem", value, limit)
                value = self.f.select(rest < 0, rest + limit, rest)
            moved = astype(self.f, value, "int64") * scale
            total = moved if total is None else total + moved
        return total

    def _lane(self, place: Value, kind: Kind, stride: int, index: Value | None, lane: int) -> Value:
        """Return the address of one lane's element."""
        place = self.f.offset(place, stride * lane, kind)
        if index is not None:
            place = self.f.offset(place, self.f.extract(index, lane), kind)
        return place


class Epilogue(_Emitter):
    """The generation of a nest over the elements of a matrix, vector by vector."""

    def finish(self, product: Value, valid: int, row: Index, column: Index) -> None:
        """Write it for a vector of the matrix at a place, whose first lanes count."""
        (stage,) = self.nest.stages
        ((first, _, _),) = self.plan.first
        scope = _Scope({}, self._corner(row, column), product=product)
        for several in (0, product.lanes):  # of the rows, of the columns
            self._compute(first, stage.body, len(scope.counters), scope)
            scope = self._enter(scope, 0, several, valid)
        self._compute(first, stage.body, self.depth, scope)
        for store in stage.stores:
            self._store(store, scope)

    def _corner(self, row: Index, column: Index) -> dict[Access, Value]:
        """Return the address of each access at a place."""
        corner = {}
        for access, place in self._starts().items():
            kind, (down, along) = self.nest.buffers[access.buffer], access.strides
            place = self.f.offset(place, times(row, down), kind)
            corner[access] = self.f.offset(place, times(column, along), kind)
        return corner


def _combination(f: Function, op: str) -> Callable[[Value, Value], Value]:
    return lambda a, b: combine(f, op, a, b)
