"""Explaining a program: from the lines of Python to the loops of the machine, for people to read.

    print(explain(traced, passes_seen, program))

shows the graph that was traced, what each pass changed, every kernel with the lines it comes from,
its loops and what it costs, and where results lie in memory.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import groupby
from typing import NamedTuple

from pellucid.compiler.arena import aligned
from pellucid.compiler.cost import Cost, cost, total
from pellucid.compiler.graph import Graph, Node
from pellucid.compiler.kernels import Gemm
from pellucid.compiler.llvm import gemm, nest
from pellucid.compiler.lower import Call
from pellucid.compiler.program import Program
from pellucid.compiler.pseudocode import code

WIDTH = 100  # columns
LEFT = 44  # of them at most for a result and its type
CHART = 40  # and for the lifetimes
COUNTING = (
    "Each byte that a kernel reads or writes counts once; an elementwise operation or a step of a "
    "reduction is one operation an element, a product of matrices 2mnk. Counted, not measured."
)


class Row(NamedTuple):
    """One line of a listing: the result and its type, what computes it, the user's line."""

    result: str
    call: str
    line: str


@dataclass(frozen=True)
class Change:
    """What a pass did: the number of nodes before and after, and the lines that differ."""

    name: str
    before: int
    after: int
    rows: tuple[tuple[str, Row], ...]

    @property
    def diff(self) -> str:
        """The lines that are gone with a minus, the new ones with a plus; empty if none."""
        return "\n".join(table([row for _, row in self.rows], [sign for sign, _ in self.rows]))


@dataclass(frozen=True)
class KernelPart:
    """One kernel: its function, how often it is called in a row, and what it is made of.

    ``function`` is the name of its code, which kernels share that differ in their buffers alone.
    """

    number: int
    function: str
    calls: tuple[Call, ...] = field(repr=False)
    rows: tuple[Row, ...]
    code: tuple[str, ...]
    cost: Cost

    @property
    def lines(self) -> tuple[str, ...]:
        """The user's lines it comes from, each once."""
        return tuple(dict.fromkeys(row.line for row in self.rows if row.line))

    def __str__(self) -> str:
        """Costs, sources and loops."""
        times = f", {len(self.calls)} times" if len(self.calls) > 1 else ""
        head = f"kernel {self.number} (@{self.function}{times}): {cost_text(self.cost)}"
        loops = [wrapped for line in self.code for wrapped in wrap(f"    {line}")]
        return "\n".join([head, *table(self.rows), "", *loops])


@dataclass(frozen=True)
class Slot:
    """A result in the arena: where it begins, its bytes, the first and last kernel that use it."""

    name: str
    offset: int
    size: int
    first: int
    last: int


@dataclass(frozen=True)
class Explanation:
    """A program taken apart; as text, all of it. See `explain`.

    ``names`` are those of the nodes of ``program.graph``.
    """

    graph: tuple[Row, ...]
    changes: tuple[Change, ...]
    kernels: tuple[KernelPart, ...]
    slots: tuple[Slot, ...]
    names: Mapping[Node, str] = field(repr=False)
    program: Program = field(repr=False)

    @property
    def cost(self) -> Cost:
        """What all kernels cost together."""
        return total(part.cost for part in self.kernels)

    @property
    def without_reuse(self) -> int:
        """The bytes that the arena would have if results did not take turns in it."""
        return sum(slot.size for slot in self.slots)

    def llvm(self, function: str = "") -> str:
        """Return the code of one kernel's function in LLVM's language, or all of it.

        Raises:
            KeyError: there is no function of that name.
        """
        if not function:
            return self.program.text
        kernels = {kernel.name: kernel for kernel in self.program.kernels}
        if function not in kernels:
            raise KeyError(f"expected one of {', '.join(kernels)}, got {function!r}")
        kernel = kernels[function]
        if isinstance(kernel, Gemm):
            return gemm.emit(kernel, self.program.target)
        return nest.emit(kernel, self.program.target)

    def __str__(self) -> str:
        """The report."""
        sections = [
            section("traced", f"{self.changes[0].before} nodes", table(self.graph)),
            *(change_section(change) for change in self.changes if change.diff),
            section("kernels", cost_text(self.cost), wrap(COUNTING)),
            *(f"{part}" for part in self.kernels),
            self._arena(),
        ]
        return "\n\n".join(sections)

    def _arena(self) -> str:
        """Return the results in memory as a chart, kernels from left to right."""
        note = "Inputs, constants and what is returned have memory of their own."
        lines = chart(self.slots, len(self.kernels)) if self.slots else []
        sizes = (
            f"{size_text(self.program.arena.size)}, {size_text(self.without_reuse)} without reuse"
        )
        return section("arena", sizes, [*wrap(note), *lines])


def explain(
    graph_before: Graph, passes_seen: Sequence[tuple[str, Graph]], program: Program
) -> Explanation:
    """Return a program taken apart: the traced graph, the passes, the kernels, the arena.

    Args:
        graph_before: as it was traced.
        passes_seen: each pass's name and the graph after it, in order.
        program: made of the last of these graphs.
    """
    stages = [("traced", graph_before), *passes_seen, ("copies", program.graph)]
    names: dict[Node, str] = {}
    listings: list[list[Row]] = []
    used = 0
    for _, graph in stages:
        names, used = renamed(graph, names, used)
        listings.append(rows(graph, names))
    sizes = [len(graph.nodes()) for _, graph in stages]
    changes = [
        Change(stages[i][0], sizes[i - 1], sizes[i], difference(listings[i - 1], listings[i]))
        for i in range(1, len(stages))
    ]
    parts = kernel_parts(program, names)
    slots = arena_slots(program, names, parts)
    return Explanation(tuple(listings[0]), tuple(changes), parts, slots, names, program)


# Names and listings


def renamed(graph: Graph, before: Mapping[Node, str], used: int) -> tuple[dict[Node, str], int]:
    """Return a name for each node, and how many of %0, %1, ... have been given away.

    A node that was there before keeps its name. One that a pass made anew takes the name of the one
    most like it that is gone: of the same operation, type and line, with the most operands in
    common. So listings before and after a pass can be compared.
    """
    nodes = dict.fromkeys(graph.nodes())
    gone: dict[object, list[Node]] = {}
    for node in before:
        if node not in nodes:
            gone.setdefault(kind(node), []).append(node)
    names = {node: name for name, node in graph.inputs.items()}
    for node in nodes:
        if is_number(node):
            names[node] = str(node.value[()])  # type: ignore[index]
        elif node in names or node in before:
            names[node] = names.get(node) or before[node]
        elif alike := gone.get(kind(node)):
            mine = {names[x] for x in node.inputs}
            best = max(alike, key=lambda x: len(mine & {before[y] for y in x.inputs}))
            alike.remove(best)
            names[node] = before[best]
        else:
            names[node] = f"%{used}"
            used += 1
    return names, used


def kind(node: Node) -> object:
    """Return what two versions of a node have in common."""
    value = None if node.value is None else node.value.tobytes()
    return node.op, node.type, node.params, node.line, value


def rows(graph: Graph, names: Mapping[Node, str]) -> list[Row]:
    """Return the listing of a graph; numbers stand where they are used."""
    listed = [row(node, names) for node in graph.nodes() if not is_number(node)]
    return [
        *listed,
        *(Row(f"return {key}", names[x], "") for key, x in graph.outputs.items()),
    ]


def row(node: Node, names: Mapping[Node, str]) -> Row:
    """Return the line of one node."""
    result = f"{names[node]}: {node.type}"
    if node.op == "input":
        return Row(result, "input", node.line)
    if node.op == "constant":
        return Row(result, f"{node.size} numbers", node.line)
    parts = [names[x] for x in node.inputs]
    parts += [f"{key}={setting(value)}" for key, value in node.params]
    return Row(result, f"{node.op}({', '.join(parts)})", node.line)


def setting(value: object) -> str:
    """Return a setting as text: a slice as 1:3, other tuples in parentheses."""
    if not isinstance(value, tuple):
        return str(value)
    if value[:1] == ("slice",):
        start, stop, step = ("" if x is None else str(x) for x in value[1:])
        return f"{start}:{stop}" + (f":{step}" if step else "")
    return f"({', '.join(map(setting, value))}{',' if len(value) == 1 else ''})"


def is_number(node: Node) -> bool:
    """Whether a node is a constant of one element and no axes."""
    return node.op == "constant" and node.shape == ()


def difference(before: Sequence[Row], after: Sequence[Row]) -> tuple[tuple[str, Row], ...]:
    """Return the lines of only one of two listings, each with its sign."""
    found: list[tuple[str, Row]] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag != "equal":
            found += (("-", row) for row in before[i:j])
            found += (("+", row) for row in after[k:m])
    return tuple(found)


# Kernels and the arena


def kernel_parts(program: Program, names: Mapping[Node, str]) -> tuple[KernelPart, ...]:
    """Return the kernels in order; calls in a row for one node are one of them."""
    home = {node: number for number, g in enumerate(program.plan.groups) for node in g.nodes}
    parts: list[KernelPart] = []
    calls = [
        (home[written(call)], function, call)
        for call, function in zip(program.calls, program.functions, strict=True)
    ]
    for (group, function), several in groupby(calls, key=lambda one: one[:2]):
        same = tuple(call for _, _, call in several)
        parts.append(
            KernelPart(
                len(parts),
                function,
                same,
                tuple(row(node, names) for node in program.plan.groups[group].nodes),
                tuple(code(same[0], names, program.target)),
                total(map(cost, same)),
            )
        )
    return tuple(parts)


def written(call: Call) -> Node:
    """Return a node that a kernel writes."""
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


def table(rows: Sequence[Row], signs: Sequence[str] | None = None) -> list[str]:
    """Return rows in columns; a long one goes on in the next line."""
    left = min(max((len(row.result) for row in rows), default=0), LEFT)
    right = max((len(row.line) for row in rows), default=0)
    room = WIDTH - 2 - left - 3 - 1 - right
    middle = min(max((len(row.call) for row in rows), default=0), room)
    lines = []
    for row, sign in zip(rows, signs or [" "] * len(rows), strict=True):
        first, *more = textwrap.wrap(
            row.call, max(middle - max(len(row.result) - left, 0), 20)
        ) or [""]
        start = f"{sign} {row.result:<{left}} = "
        lines.append(f"{start}{first:<{middle + left + 5 - len(start)}} {row.line}".rstrip())
        lines += (f"{sign} {'':<{left + 3}}{line}" for line in more)
    return lines


def wrap(line: str) -> list[str]:
    """Return a line as several that are short enough, the further ones indented."""
    indent = len(line) - len(line.lstrip())
    deeper = " " * (indent + 8) if indent else ""
    return textwrap.wrap(line, WIDTH, subsequent_indent=deeper, break_long_words=False)


def section(title: str, figures: str, lines: Iterable[str]) -> str:
    """Return a part of the report under its title."""
    return "\n".join([f"== {title}: {figures} ".ljust(WIDTH, "="), *lines])


def change_section(change: Change) -> str:
    """Return what a pass changed under its name."""
    nodes = f"{change.before} nodes -> {change.after}"
    return section(change.name, nodes, change.diff.splitlines())


def cost_text(cost: Cost) -> str:
    """Return a cost in words."""
    many = f"{cost.operations:,} operation{'s' if cost.operations != 1 else ''}"
    moved = f"reads {size_text(cost.read)}, writes {size_text(cost.written)}"
    return f"{many}, {moved}, {cost.intensity:.2f} per byte"


def size_text(size: int) -> str:
    """Return a number of bytes, such as 1,280 B."""
    return f"{size:,} B"


def chart(slots: Sequence[Slot], kernels: int) -> list[str]:
    """Return one line a result: where it lies, and a bar from the first kernel to the last."""
    columns = min(kernels, CHART)
    left = max(6, *(len(slot.name) for slot in slots))
    lines = [f"  {'result':<{left}} {'offset':>11} {'bytes':>11}  kernels 0 to {kernels - 1}"]
    for slot in slots:
        first, last = (place * columns // kernels for place in (slot.first, slot.last))
        bar = "." * first + "#" * (last - first + 1) + "." * (columns - 1 - last)
        place = f"{slot.offset:>11,} {slot.size:>11,}"
        lines.append(f"  {slot.name:<{left}} {place}  {bar} {slot.first} to {slot.last}")
    return lines
