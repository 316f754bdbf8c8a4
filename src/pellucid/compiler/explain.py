"""Explaining a program: from the lines of Python to the loops of the machine, for people to read.

    print(compiled.explain(x, y))

shows the graph that was traced, what each pass changed, every kernel with the lines it comes from,
its loops and what it costs, which thread runs what, and where results lie in memory. On request
there are also times, LLVM's language and machine code; see `Explanation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pellucid.arrays import Array
from pellucid.compiler.cost import Cost, total
from pellucid.compiler.graph import Graph, Node
from pellucid.compiler.kernels import Gemm
from pellucid.compiler.listing import (
    Row,
    columns,
    difference,
    renamed,
    rows,
    section,
    share_text,
    size_text,
    table,
    time_text,
    wrap,
)
from pellucid.compiler.llvm import gemm, nest
from pellucid.compiler.llvm.target import assembly
from pellucid.compiler.measure import kernel_seconds, speed, step_seconds
from pellucid.compiler.parts import (
    KernelPart,
    Slot,
    TaskPart,
    arena_slots,
    cost_text,
    kernel_parts,
    phase_parts,
    written_state,
)
from pellucid.compiler.program import WORTH, Program

CHART = 40  # columns at most for the lifetimes
COUNTING = (
    "Each byte that a kernel reads or writes counts once; an elementwise operation or a step of a "
    "reduction is one operation an element, a product of matrices 2mnk. Counted, not measured."
)
TIMING = (
    "Medians of each kernel run by itself on one core, again and again, so that what it uses "
    "lies in the nearest cache that holds it; new state goes to memory of its own. The share is "
    "that of the most that this core was measured to do: of its operations a second, or of the "
    "bytes a second that it reads and writes in as much memory, whichever is larger."
)
SHARING = (
    "Tasks of a phase may run at the same time; the next phase begins when all are done. A thread "
    "runs the tasks that are meant for it, then those that are left. Times are estimates."
)
PLACES = "Inputs, constants and what is returned have memory of their own."


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
class Explanation:
    """A program taken apart; as text, all of it. See `explain`.

    ``phases`` hold their tasks. ``in_place`` names the state whose new values may be written over
    the old ones, ``exchanged`` the other state that changes. ``names`` are those of the nodes of
    ``program.graph``, which was made of ``source``. ``inputs`` are the arguments and the state it
    was made with, and ``seconds``, once it is measured, what a whole call takes.
    """

    graph: tuple[Row, ...]
    changes: tuple[Change, ...]
    kernels: tuple[KernelPart, ...]
    phases: tuple[tuple[TaskPart, ...], ...]
    in_place: tuple[str, ...]
    exchanged: tuple[str, ...]
    slots: tuple[Slot, ...]
    names: Mapping[Node, str] = field(repr=False)
    program: Program = field(repr=False)
    source: Graph = field(repr=False)
    inputs: Mapping[str, Array] = field(repr=False)
    seconds: float | None = None

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
        return self._text(function) if function else self.program.text

    def assembly(self, function: str = "") -> str:
        """Return the machine code of one kernel's function as text, or all of it.

        Raises:
            KeyError: there is no function of that name.
        """
        return assembly(self.llvm(function), self.program.target)

    def measured(self) -> Explanation:
        """Return the same with times: each kernel run by itself on this machine, and a whole call.

        Nothing is changed: the program runs on the arguments and the state that the explanation
        was made with, and what it computes is thrown away.

        Raises:
            ValueError: the explanation was made without them.
        """
        alone = Program(self.source, self.program.target, apart=True)
        times = kernel_seconds(alone, self.inputs)
        kernels = tuple(
            replace(part, speed=speed(part.cost, part.calls[0].kernel, seconds))
            for part, seconds in zip(self.kernels, times, strict=True)
        )
        return replace(self, kernels=kernels, seconds=step_seconds(self.program, self.inputs))

    def _text(self, function: str) -> str:
        """Return one kernel's function in LLVM's language."""
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
            *([] if self.seconds is None else [self._times(self.seconds)]),
            self._phases(),
            self._arena(),
        ]
        return "\n\n".join(sections)

    def _times(self, call: float) -> str:
        """Return the kernels as a table, the one that takes longest first."""
        speeds = [(part.speed, part) for part in self.kernels if part.speed]
        speeds.sort(key=lambda pair: pair[0].seconds, reverse=True)
        whole = sum(one.seconds for one, _ in speeds)
        threads = self.program.threads
        figures = (
            f"{time_text(whole)} for all kernels one by one, {time_text(call)} for a call on "
            f"{threads} thread{'s' if threads > 1 else ''}"
        )
        cells = [
            (
                f"{part.number}", f"{one.seconds * 1e6:,.2f}", share_text(one.seconds / whole),
                f"{one.operations / 1e9:.1f}", f"{one.bandwidth / 1e9:.1f}",
                f"{share_text(one.share)} of {one.limit}", *part.lines[-1:],
            )
            for one, part in speeds
        ]  # fmt: skip
        heads = ("kernel", "us", "of all", "GFLOP/s", "GB/s", "share of the peak", "")
        return section("times", figures, [*wrap(TIMING), *columns([heads, *cells], left=2)])

    def _phases(self) -> str:
        """Return which thread does what, and which state is written where it lies."""
        threads, whole = self.program.threads, self.program.nanoseconds
        tasks = sum(map(len, self.phases))
        figures = (
            f"{len(self.phases)}, {tasks} task{'s' if tasks > 1 else ''} on {threads} "
            f"thread{'s' if threads > 1 else ''}, {time_text(whole / 1e9)} of work"
        )
        lines = wrap(SHARING)
        if whole <= WORTH:
            lines += wrap(f"Less work than {time_text(WORTH / 1e9)} is not shared.")
        cells: list[Sequence[str]] = [("phase", "thread", "us", "kernels")]
        for number, phase in enumerate(self.phases):
            for place, task in enumerate(phase):
                first = f"{number}" if place == 0 else ""
                microseconds = f"{task.nanoseconds / 1e3:,.2f}"
                cells.append((first, f"{task.thread}", microseconds, ranges(task.kernels)))
        lines += columns(cells, left=1)
        if self.in_place:
            lines += wrap(f"Written where the old value lies: {', '.join(self.in_place)}")
        if self.exchanged:
            lines += wrap(f"Written beside the old value: {', '.join(self.exchanged)}")
        return section("phases", figures, lines)

    def _arena(self) -> str:
        """Return the results in memory as a chart, kernels from left to right."""
        lines = chart(self.slots, len(self.kernels)) if self.slots else []
        sizes = (
            f"{size_text(self.program.arena.size)}, {size_text(self.without_reuse)} without reuse"
        )
        return section("arena", sizes, [*wrap(PLACES), *lines])


def explain(
    graph_before: Graph,
    passes_seen: Sequence[tuple[str, Graph]],
    program: Program,
    inputs: Mapping[str, Array] | None = None,
) -> Explanation:
    """Return a program taken apart: the traced graph, the passes, the kernels, phases, the arena.

    Args:
        graph_before: as it was traced.
        passes_seen: each pass's name and the graph after it, in order.
        program: made of the last of these graphs.
        inputs: arrays to run it on by name, where it is to be measured.
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
    in_place, exchanged = written_state(program)
    return Explanation(
        graph=tuple(listings[0]),
        changes=tuple(changes),
        kernels=parts,
        phases=phase_parts(program, parts),
        in_place=in_place,
        exchanged=exchanged,
        slots=arena_slots(program, names, parts),
        names=names,
        program=program,
        source=stages[-2][1],
        inputs=inputs or {},
    )


# Text


def change_section(change: Change) -> str:
    """Return what a pass changed under its name."""
    nodes = f"{change.before} nodes -> {change.after}"
    return section(change.name, nodes, change.diff.splitlines())


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


def ranges(numbers: Sequence[int]) -> str:
    """Return whole numbers that go up, each run of successive ones as its ends: 0-3, 5."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if run[1:] else f"{run[0]}" for run in runs)
