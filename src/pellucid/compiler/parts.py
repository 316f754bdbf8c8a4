"""The parts of a program that an `explain.Explanation` shows: kernels, tasks, state, the arena."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pellucid.compiler.arena import aligned
from pellucid.compiler.cost import Cost, cost, total
from pellucid.compiler.graph import NEW, Node
from pellucid.compiler.kernels import Gemm
from pellucid.compiler.listing import Row, row, share_text, size_text, table, time_text, wrap
from pellucid.compiler.lower import Call
from pellucid.compiler.measure import Speed
from pellucid.compiler.program import Program
from pellucid.compiler.pseudocode import code


@dataclass(frozen=True)
class KernelPart:
    """One kernel: its function, how often it is called in a row, and what it is made of.

    ``function`` is the name of its code, which kernels share that differ in their buffers alone;
    of a kernel that threads share, that of its first part. ``speed`` is there once it is measured.
    """

    number: int
    function: str
    calls: tuple[Call, ...] = field(repr=False)
    rows: tuple[Row, ...]
    code: tuple[str, ...]
    cost: Cost
    speed: Speed | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """The user's lines it comes from, each once."""
        return tuple(dict.fromkeys(row.line for row in self.rows if row.line))

    def __str__(self) -> str:
        """Costs, sources and loops."""
        times = f", {len(self.calls)} times" if len(self.calls) > 1 else ""
        head = [f"kernel {self.number} (@{self.function}{times}): {cost_text(self.cost)}"]
        if self.speed:
            head.append(f"  {speed_text(self.speed)}")
        loops = [wrapped for line in self.code for wrapped in wrap(f"    {line}")]
        return "\n".join([*head, *table(self.rows), "", *loops])


@dataclass(frozen=True)
class Slot:
    """A result in the arena: where it begins, its bytes, the first and last kernel that use it."""

    name: str
    offset: int
    size: int
    first: int
    last: int


@dataclass(frozen=True)
class TaskPart:
    """Kernels, or parts of them, that one thread runs in order.

    ``thread`` is that which they are meant for, ``nanoseconds`` what they are estimated to take,
    and ``kernels`` their numbers.
    """

    thread: int
    nanoseconds: float
    kernels: tuple[int, ...]


def kernel_parts(program: Program, names: Mapping[Node, str]) -> tuple[KernelPart, ...]:
    """Return the kernels in order; calls that may be run in any order are one of them."""
    home = {node: group for group in program.plan.groups for node in group.nodes}
    functions = iter(program.functions)
    parts = []
    for number, calls in enumerate(program.groups):
        function, *_ = (next(functions) for _ in calls)
        members = home[written(calls[0])].nodes
        parts.append(
            KernelPart(
                number,
                function,
                tuple(calls),
                tuple(row(node, names) for node in members),
                tuple(code(calls[0], names, program.target)),
                total(map(cost, calls)),
            )
        )
    return tuple(parts)


def phase_parts(program: Program, parts: Sequence[KernelPart]) -> tuple[tuple[TaskPart, ...], ...]:
    """Return the tasks of each phase."""
    number = {call.kernel.name: part.number for part in parts for call in part.calls}
    return tuple(
        tuple(
            TaskPart(
                max(task.home, 0),
                task.weight,
                tuple(dict.fromkeys(number[call.kernel.name] for call in task.calls)),
            )
            for task in phase
        )
        for phase in program.phases
    )


def written_state(program: Program) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the state that is written in place, and of that which is not."""
    found: tuple[list[str], list[str]] = [], []
    for name, node in program.graph.outputs.items():
        if name.startswith(NEW):
            found[node not in program.overlaid].append(name.removeprefix(NEW))
    return tuple(found[0]), tuple(found[1])


def written(call: Call) -> Node:
    """Return a node that a kernel writes."""
    if call.epilogue:
        return written(call.epilogue)
    if isinstance(call.kernel, Gemm):
        return call.buffers[2]
    stores = [store for stage in call.kernel.stages for store in (*stage.stores, *stage.last)]
    return call.buffers[stores[0].access.buffer]


def arena_slots(
    program: Program, names: Mapping[Node, str], parts: Sequence[KernelPart]
) -> tuple[Slot, ...]:
    """Return what lies in the arena, in the order in which it is written."""
    lives: dict[Node, list[int]] = {}
    for part in parts:
        for node in dict.fromkeys(node for call in part.calls for node in call.buffers):
            if node in program.arena.offsets:
                lives.setdefault(node, []).append(part.number)
    return tuple(
        Slot(
            names[node],
            program.arena.offsets[node],
            aligned(node.size * node.dtype.itemsize),
            life[0],
            life[-1],
        )
        for node, life in lives.items()
    )


# Text


def cost_text(cost: Cost) -> str:
    """Return a cost in words."""
    many = f"{cost.operations:,} operation{'s' if cost.operations != 1 else ''}"
    moved = f"reads {size_text(cost.read)}, writes {size_text(cost.written)}"
    return f"{many}, {moved}, {cost.intensity:.2f} per byte"


def speed_text(speed: Speed) -> str:
    """Return what was measured in words."""
    rates = f"{speed.operations / 1e9:.1f} GFLOP/s, {speed.bandwidth / 1e9:.1f} GB/s"
    share = f"{share_text(speed.share)} of this core's peak ({speed.limit})"
    return f"{time_text(speed.seconds)}, {rates}: {share}"
