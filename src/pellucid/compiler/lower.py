"""Lowering: from groups of nodes to kernels, with a place in memory for every access."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from pellucid.arrays import Shape
from pellucid.compiler.graph import Node
from pellucid.compiler.kernels import (
    Access,
    Gemm,
    Instruction,
    Kernel,
    Nest,
    Reduction,
    Stage,
    Store,
    Vector,
)
from pellucid.compiler.places import contiguous, place, sliced, stretched
from pellucid.compiler.primitives import REDUCTIONS
from pellucid.compiler.schedule import JOINS, Group, Schedule, is_full

COSTLY = frozenset({"exp", "expm1", "log", "log1p", "tanh", "erf", "sin", "cos", "power", "sqrt",
                    "divide"})  # fmt: skip


Key = tuple[Any, ...]


@dataclass(frozen=True)
class Call:
    """A kernel, the nodes in whose memory its buffers lie, and the offset of each in elements."""

    kernel: Kernel
    buffers: tuple[Node, ...]
    offsets: tuple[int, ...] = ()

    @property
    def starts(self) -> tuple[int, ...]:
        """The offset of each buffer."""
        return self.offsets or (0,) * len(self.buffers)

    @property
    def epilogue(self) -> Call | None:
        """The epilogue of a product, as a call by itself."""
        if not isinstance(self.kernel, Gemm) or self.kernel.epilogue is None:
            return None
        return Call(self.kernel.epilogue, self.buffers[2:], self.starts[2:])


def lower(plan: Schedule) -> tuple[list[list[Call]], dict[Node, None]]:
    """Return the kernels in order, and all nodes that need memory of their own.

    Those that are listed together, the products of a stack of matrices, may be run in any order.
    """
    calls: list[list[Call]] = []
    kept = dict(plan.stored)
    for number, group in enumerate(plan.groups):
        node = next(iter(group.nodes))
        if node.op == "matmul":
            calls.append(products(group, kept, f"k{number}"))
        elif node.op in JOINS:
            calls += ([call] for call in joined(node, f"k{number}"))
        elif node.op == "scatter_add":
            calls += ([call] for call in scatter(node, f"k{number}"))
        else:
            loops = Loops(group, kept, f"k{number}")
            calls.append([Call(loops.nest(), tuple(loops.buffers))])
    return [found for found in calls if found], kept


def products(group: Group, kept: dict[Node, None], name: str) -> list[Call]:
    """Return the products of two matrices, or of two stacks of them, one by one."""
    node = next(iter(group.nodes))
    a, b = (place(x) for x in node.inputs)
    *batch, m, n = node.shape
    k = node.inputs[0].shape[-1]
    left = stretched(node.inputs[0].shape, a.strides, (*batch, m, k))
    right = stretched(node.inputs[1].shape, b.strides, (*batch, k, n))
    loops = Loops(group, kept, "epilogue")  # of any product: layers alike share their code
    epilogue = loops.nest() if len(group.nodes) > 1 else None
    written = loops.buffers if epilogue else [node]
    kernel = Gemm(
        name, kind(node), m, n, k,
        unit(left[-2:], (m, k)), unit(right[-2:], (k, n)), n, epilogue,
    )  # fmt: skip
    calls = []
    for number, index in enumerate(np.ndindex(*batch)):
        first = a.offset + sum(i * s for i, s in zip(index, left, strict=False))
        second = b.offset + sum(i * s for i, s in zip(index, right, strict=False))
        rest = (number * m * n, *(0 for _ in written[1:]))
        calls.append(Call(kernel, (a.stored, b.stored, *written), (first, second, *rest)))
    return calls


def unit(strides: tuple[int, ...], shape: tuple[int, int]) -> tuple[int, int]:
    """Return the strides of a matrix, one of them 1 also where an axis has a single element."""
    rows, columns = strides
    if shape[0] == 1:
        rows = max(columns, 1) * shape[1]
    if shape[1] == 1:
        columns = 1 if rows != 1 else shape[0]
    return (rows, columns) if 1 in (rows, columns) else (rows, 1)


def filled(node: Node, value: Any, name: str) -> Call:
    """Return the loop that writes one value everywhere."""
    body = constant(value, node, 0)
    stage = Stage((), body, (Store(len(body) - 1, Access(0, (1,))),))
    return Call(Nest(name, (kind(node),), (node.size,), (stage,)), (node,))


def constant(value: Any, node: Node, start: int) -> tuple[Instruction, ...]:
    """Return what gives a number of a node, the last of these instructions, numbered from start.

    -0 is written as the opposite of 0: kernels that are equal share their code, and -0 equals 0.
    """
    if value == 0 and np.signbit(value):
        zero = Instruction("constant", (), kind(node), value=0.0)
        return zero, Instruction("negative", (start,), kind(node))
    return (Instruction("constant", (), kind(node), value=value),)


def joined(node: Node, name: str) -> list[Call]:
    """Return the loops that write each operand of a concat, stack or pad to its part."""
    calls = []
    if node.op == "pad":
        value = node.dtype.type(dict(node.params).get("value", 0)).item()
        calls.append(filled(node, value, f"{name}_fill"))
    for number, (x, key) in enumerate(zip(node.inputs, parts(node), strict=True)):
        calls.append(placed_at(node, x, key, f"{name}_{number}"))
    return calls


def parts(node: Node) -> list[Key]:
    """Return the key of each operand's part in the result of a concat, stack or pad."""
    if node.op == "pad":
        sizes = zip(node.param("widths"), node.inputs[0].shape, strict=True)
        return [tuple(("slice", low, low + n, 1) for (low, _), n in sizes)]
    axis = node.param("axis") % len(node.shape)
    before = tuple(("slice", None, None, None) for _ in range(axis))
    if node.op == "stack":
        return [(*before, number) for number in range(len(node.inputs))]
    found, start = [], 0
    for x in node.inputs:
        found.append((*before, ("slice", start, start + x.shape[axis], 1)))
        start += x.shape[axis]
    return found


def scatter(node: Node, name: str) -> list[Call]:
    """Return two kernels: zeros, and the loop that adds the values in their order."""
    clear = filled(node, 0, f"{name}_zeros")
    values, *indices = node.inputs
    if not indices:
        return [clear, placed_at(node, values, node.param("key"), name)]
    depth = len(indices)
    rest = node.shape[depth:]  # axes that the indices leave alone
    shared = np.broadcast_shapes(*(i.shape for i in indices))
    domain = (*shared, *rest)
    buffers: list[Node] = []
    body = []

    def load(x: Node) -> int:
        where = place(x)
        if where.stored not in buffers:
            buffers.append(where.stored)
        more = () if x is values else tuple(1 for _ in rest)
        steps = stretched((*x.shape, *more), (*where.strides, *(0 for _ in more)), domain)
        access = Access(buffers.index(where.stored), steps, where.offset)
        body.append(Instruction("load", (), kind(x), access))
        return len(body) - 1

    value = load(values)
    places = tuple(load(x) for x in indices)
    buffers.append(node)
    strides = contiguous(node.shape)
    target = Access(len(buffers) - 1, (*(0 for _ in shared), *strides[depth:]))
    store = Store(value, target, True, places, strides[:depth], node.shape[:depth])
    nest = Nest(
        name, tuple(map(kind, buffers)), domain, (Stage((), tuple(body), (store,)),), "none"
    )
    return [clear, Call(nest, tuple(buffers))]


def placed_at(node: Node, values: Node, key: Key, name: str) -> Call:
    """Return the loop that writes values to the part of a node that a key of slices picks out."""
    shape, strides, offset = sliced(node.shape, contiguous(node.shape), key)
    where = place(values)
    source = Access(0, stretched(values.shape, where.strides, shape), where.offset)
    load = Instruction("load", (), kind(values), source)
    stage = Stage((), (load,), (Store(0, Access(1, strides, offset)),))
    nest = Nest(name, (kind(values), kind(node)), shape, (stage,))
    return Call(nest, (where.stored, node))


def kind(node: Node) -> Any:
    """Return the dtype of a node's elements in memory."""
    return word(node.dtype)


@cache
def word(dtype: np.dtype[Any]) -> str:
    """Return a dtype's name: NumPy takes its time to put it together."""
    return str(dtype)


class Loops:
    """The lowering of one group to a nest."""

    def __init__(self, group: Group, kept: dict[Node, None], name: str) -> None:
        self.group, self.kept, self.name = group, kept, name
        self.buffers: list[Node] = []
        self.axes, self.split = order(group)

    def nest(self) -> Nest:
        """Return the kernel; its ``buffers`` are known then."""
        stage_of = self._stages()
        last = max(stage_of.values(), default=0)
        passes = []
        count = 0
        known: dict[Node, int] = {}  # values of outer places, by number
        for s in range(last + 1):
            members = [node for node in self.group.nodes if stage_of[node] == s]
            stage, count = self._stage(s, members, stage_of, known, count)
            passes.append(stage)
        outer = tuple(self.group.domain[a] for a in self.axes[: self.split])
        vector: Vector = "inner" if self._along_rows() else "outer"
        return Nest(self.name, tuple(map(kind, self.buffers)), outer, tuple(passes), vector)

    def _along_rows(self) -> bool:
        """Whether the last axis of the domain is reduced, leaving out those of size 1."""
        long = [a for a, n in enumerate(self.group.domain) if n != 1] or self.axes
        return bool(long) and long[-1] in self.axes[self.split :]

    def _stages(self) -> dict[Node, int]:
        """Return the stage of each member: one more than that of a reduction it depends on."""
        found: dict[Node, int] = {}
        for node in self.group.nodes:
            stage = 0
            for x in node.inputs:
                if x in self.group.nodes:
                    step = self._is_full(node) and not self._is_full(x)
                    stage = max(stage, found[x] + step)
            found[node] = stage
        for node, stage in found.items():  # what is costly is stored, and loaded again
            for user in self.group.nodes:
                if node in user.inputs and found[user] > stage and self._is_full(node):
                    self._keep_costly(node)
        return found

    def _keep_costly(self, node: Node) -> None:
        """Store a costly value, or the costly ones that it is made of."""
        if node not in self.group.nodes or node in self.kept or not self._is_full(node):
            return
        if node.op in COSTLY:
            self.kept[node] = None
            return
        for x in node.inputs:
            self._keep_costly(x)

    def _is_full(self, node: Node) -> bool:
        return is_full(node, self.group)

    def _stage(
        self,
        number: int,
        members: Sequence[Node],
        stage_of: Mapping[Node, int],
        known: dict[Node, int],
        count: int,
    ) -> tuple[Stage, int]:
        """Return one stage, and the number of the next value."""
        body: list[Instruction] = []
        local: dict[Node, int] = {}
        start = count

        def full(x: Node) -> int:
            """Return the number of a value of every place, computing it if need be."""
            if x in known and not self._is_full(x):
                return known[x]
            if x not in local:
                inside = x in self.group.nodes
                again = inside and stage_of[x] < number and x in self.kept
                if inside and not again:
                    local[x] = self._compute(x, full, body, start)
                else:
                    local[x] = self._load(x, self.group.domain, body, start, gather=full)
            return local[x]

        stores = []
        reductions = []
        for node in members:
            if node.op in REDUCTIONS:
                reductions.append((node, full(node.inputs[0])))
            elif self._is_full(node):
                value = full(node)
                if node in self.kept:
                    stores.append(Store(value, self._access(node, self.group.domain)))
        count = start + len(body)
        for node, _ in reductions:
            known[node] = count
            count += 1
        after: list[Instruction] = []
        begin = count
        loaded: dict[tuple[Node, Shape], int] = {}

        def outer(x: Node, shape: Shape) -> int:
            """Return the number of a value of the outer place, for a node of that shape."""
            if x in known:
                return known[x]
            if (x, shape) not in loaded:
                loaded[x, shape] = self._load(x, shape, after, begin, outer_only=True)
            return loaded[x, shape]

        for node in members:
            if node.op not in REDUCTIONS and not self._is_full(node):
                of_shape = partial(outer, shape=node.shape)
                known[node] = self._compute(node, of_shape, after, begin)
        last = [
            Store(known[node], self._outer_access(node))
            for node in members
            if not self._is_full(node) and node in self.kept
        ]
        inner = tuple(self.group.domain[a] for a in self.axes[self.split :])
        made = Stage(
            inner,
            tuple(body),
            tuple(stores),
            tuple(Reduction(node.op, value) for node, value in reductions),  # type: ignore[arg-type]
            tuple(after),
            tuple(last),
        )
        return made, begin + len(after)

    def _compute(
        self, node: Node, value: Callable[[Node], int], into: list[Instruction], start: int
    ) -> int:
        """Write the instruction of a node; return its number."""
        if node.op == "copy":
            return value(node.inputs[0])
        if node.op == "index":
            return self._load(node, node.shape, into, start, gather=value)
        args = () if node.op == "matmul" else tuple(value(x) for x in node.inputs)
        op = "product" if node.op == "matmul" else node.op
        into.append(Instruction(op, args, kind(node)))
        return start + len(into) - 1

    def _load(
        self,
        node: Node,
        shape: tuple[int, ...],
        into: list[Instruction],
        start: int,
        gather: Callable[[Node], int] | None = None,
        outer_only: bool = False,
    ) -> int:
        """Write the load of a node that is computed elsewhere; return its number."""
        if node.op == "constant" and node.size == 1:
            number = node.value.reshape(-1)[0].item()  # type: ignore[union-attr]
            into += constant(number, node, start + len(into))
        elif node.op == "index" and node in self.group.nodes and gather:
            x, *indices = node.inputs
            depth = len(indices)
            trailing = (1,) * (len(x.shape) - depth)
            args = []
            for i in indices:
                where = place(i)
                strides = (*where.strides, *(0 for _ in trailing))
                access = self._placed(where, (*i.shape, *trailing), strides, node.shape, False)
                into.append(Instruction("load", (), kind(i), access))
                args.append(start + len(into) - 1)
            where = place(x)
            lead = len(node.shape) - len(trailing)
            strides = (*(0 for _ in range(lead)), *where.strides[depth:])
            access = Access(self._buffer(where.stored), self._sorted(strides), where.offset)
            into.append(
                Instruction(
                    "load", tuple(args), kind(x), access,
                    scales=where.strides[:depth], limits=x.shape[:depth],
                )
            )  # fmt: skip
        else:
            access = self._access(node, shape, outer_only)
            into.append(Instruction("load", (), kind(node), access))
        return start + len(into) - 1

    def _access(self, node: Node, shape: tuple[int, ...], outer_only: bool = False) -> Access:
        where = place(node)
        return self._placed(where, node.shape, where.strides, shape, outer_only)

    def _outer_access(self, node: Node) -> Access:
        """Return the access to one element for each outer place."""
        if not self.group.alone:
            return self._access(node, node.shape, outer_only=True)
        strides = contiguous(node.shape)
        if len(node.shape) == len(self.axes):  # the reduced axes are kept with size 1
            strides = tuple(strides[a] for a in self.axes[: self.split])
        return Access(self._buffer(node), strides)

    def _placed(
        self,
        where: Any,
        own: tuple[int, ...],
        strides: tuple[int, ...],
        shape: tuple[int, ...],
        outer_only: bool,
    ) -> Access:
        """Return the access to an array that is repeated to a shape."""
        steps = stretched(own, strides, shape)
        if outer_only:
            return Access(self._buffer(where.stored), steps[: self.split], where.offset)
        return Access(self._buffer(where.stored), self._sorted(steps), where.offset)

    def _sorted(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        """Return strides of the domain's axes in the order of the loops."""
        return tuple(strides[a] for a in self.axes)

    def _buffer(self, node: Node) -> int:
        if node not in self.buffers:
            self.buffers.append(node)
        return self.buffers.index(node)


def order(group: Group) -> tuple[tuple[int, ...], int]:
    """Return the axes of the domain in the order of the loops, and how many of them are outer.

    Those that a reduction keeps come first.
    """
    node = next(iter(group.nodes))
    axes = tuple(range(len(group.domain)))
    if group.alone and node.op in REDUCTIONS:
        reduced = node.param("axis")
        kept = tuple(a for a in axes if a not in reduced)
        return (*kept, *reduced), len(kept)
    return axes, group.kept
