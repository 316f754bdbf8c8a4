"""The program: kernels as machine code, dealt out to threads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from pellucid.arrays import Array
from pellucid.compiler.arena import aligned, planned
from pellucid.compiler.frame import Frame, Layout
from pellucid.compiler.graph import Graph, Node
from pellucid.compiler.inplace import overlaid
from pellucid.compiler.kernels import Gemm, Kernel
from pellucid.compiler.llvm import gemm, nest
from pellucid.compiler.llvm.builder import module_text
from pellucid.compiler.llvm.cache import cached_module
from pellucid.compiler.llvm.target import Target, host
from pellucid.compiler.lower import Call, lower
from pellucid.compiler.phases import Phase, Task, moments, orders, phased, weight
from pellucid.compiler.schedule import Schedule, schedule
from pellucid.compiler.split import finished, in_halves, split

STEP = "step"  # the function that runs a task
WORTH = 10e3  # nanoseconds of work above which threads share it


class Program:
    """A graph as native code.

    ``groups`` are its kernels in order, each whole: one call, or several that may be run in any
    order. ``calls`` are those of all groups, and ``functions`` the names of what runs them, or
    their first parts; ``phases`` are the tasks that are run.

    Args:
        graph: what to compute.
        target: the processor; by default the one this runs on.
        threads: how many may share the work. The results have the same bits for any number.
        state: inputs and the outputs that are their new values, by name.
        apart: whether each kernel is a task and a phase of its own, on one thread, to be looked at
            by itself.

    Raises:
        UnsupportedError: it holds what no native code can be made for yet.
    """

    def __init__(
        self,
        graph: Graph,
        target: Target | None = None,
        threads: int = 1,
        state: Iterable[tuple[str, str]] = (),
        apart: bool = False,
    ) -> None:
        self.target = target or host()
        self.plan: Schedule = schedule(graph)
        self.graph = self.plan.graph
        groups, kept = lower(self.plan)
        self.groups = [[finished(call) for call in group] for group in groups]
        self.calls = [call for group in self.groups for call in group]
        self.nanoseconds = sum(map(weight, self.calls))
        self.threads = threads if self.nanoseconds > WORTH and not apart else 1
        pairs = [(self.graph.inputs[old], self.graph.outputs[new]) for old, new in state]
        overlay = overlaid(groups, pairs)
        self.overlaid = frozenset(overlay)  # outputs that may lie where their input does
        shared = in_halves(groups) if self.threads > 1 else groups
        works = [split(calls, self.threads) for calls in shared]
        self.phases: list[Phase] = [[Task(0, c)] for c in (self.groups if apart else [self.calls])]
        if self.threads > 1:
            self.phases = phased(works, self.threads, overlay)
        self.tasks: list[Task] = [task for phase in self.phases for task in phase]
        self.outputs = tuple(self.graph.outputs.values())
        self.constants = dict.fromkeys(
            node for call in self.calls for node in call.buffers if node.op == "constant"
        )
        own = set(self.outputs)
        self.arena = planned(moments(self.phases), [node for node in kept if node not in own])
        self.kernels, self.names = distinct([call for task in self.tasks for call in task.calls])
        leading = (
            call
            for group, work in zip(groups, works, strict=True)
            for call in firsts([c for part in work for c in part], len(group))
        )
        self.functions = [self.names[anonymous(call.kernel)] for call in leading]
        spaces = (gemm.workspace(k, self.target) for k in self.kernels if isinstance(k, Gemm))
        self.workspace = aligned(max(spaces, default=0))  # bytes, of each thread
        self.module = cached_module(self.key(), lambda: self.text, self.target)
        self.layout = Layout(
            self.module.address(STEP),
            [*self.graph.inputs.values(), *self.constants, *self.outputs],
            {node: np.ascontiguousarray(node.value) for node in self.constants},
            aligned(self.arena.size) + self.workspace * self.threads,
            [len(phase) for phase in self.phases],
            orders(self.phases, self.threads),
            self.nanoseconds,
        )
        self._frames: list[Frame] = []  # those that nobody uses at the moment

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs by name for inputs by name.

        Raises:
            ValueError: an input is missing, or of another shape or dtype.
        """
        arrays = {name: fitting(name, node, inputs) for name, node in self.graph.inputs.items()}
        results = {name: np.empty(n.shape, n.dtype) for name, n in self.graph.outputs.items()}
        try:
            frame = self._frames.pop()
        except IndexError:  # each caller needs one of its own
            frame = Frame(self.layout)
        for name, array in arrays.items():
            frame.point(self.graph.inputs[name], array)
        for name, array in results.items():
            frame.point(self.graph.outputs[name], array)
        frame.run()
        self._frames.append(frame)
        return results

    def key(self) -> str:
        """Return all that the text depends on besides the target, written in less time."""
        return f"{self.kernels!r}\n{self._main()}"

    @cached_property
    def text(self) -> str:
        """The module in LLVM's language."""
        functions = [
            gemm.emit(kernel, self.target, internal=True)
            if isinstance(kernel, Gemm)
            else nest.emit(kernel, self.target, internal=True)
            for kernel in self.kernels
        ]
        return module_text([*functions, self._main()])

    def _main(self) -> str:
        """Return the function that runs a task, which a switch picks out by its number."""
        nodes = [*self.graph.inputs.values(), *self.constants, *self.outputs]
        place = {node: number for number, node in enumerate(nodes)}
        cases = " ".join(f"i64 {i}, label %t{i}" for i in range(len(self.tasks)))
        lines = [
            f"define void @{STEP}(ptr %table, i64 %task, i64 %worker) nounwind {{",
            f"  %at = getelementptr ptr, ptr %table, i64 {len(nodes)}",
            "  %arena = load ptr, ptr %at, align 8",
            f"  %mine = mul i64 %worker, {self.workspace}",
            f"  %after = add i64 %mine, {aligned(self.arena.size)}",
            "  %space = getelementptr i8, ptr %arena, i64 %after",
            f"  switch i64 %task, label %none [ {cases} ]",
            "none:\n  ret void",
        ]
        for number, task in enumerate(self.tasks):
            lines += [f"t{number}:", *self._task(task.calls, place, f"%t{number}"), "  ret void"]
        return "\n".join([*lines, "}"])

    def _task(self, calls: Sequence[Call], place: Mapping[Node, int], prefix: str) -> list[str]:
        """Return the lines of a task: its kernels, called in order."""
        lines: list[str] = []
        known: dict[tuple[Node, int], str] = {}

        def pointer(node: Node, offset: int) -> str:
            """Return an address so many bytes into a node's memory."""
            if (node, offset) in known:
                return known[node, offset]
            name = known[node, offset] = f"{prefix}.{len(known)}"
            if node in self.arena.offsets:
                offset += self.arena.offsets[node]
                lines.append(f"  {name} = getelementptr i8, ptr %arena, i64 {offset}")
            elif offset:
                base = pointer(node, 0)
                lines.append(f"  {name} = getelementptr i8, ptr {base}, i64 {offset}")
            else:
                lines.append(f"  {name}.at = getelementptr ptr, ptr %table, i64 {place[node]}")
                lines.append(f"  {name} = load ptr, ptr {name}.at, align 8")
            return name

        for call in calls:
            arguments = [
                f"ptr {pointer(node, offset * node.dtype.itemsize)}"
                for node, offset in zip(call.buffers, call.starts, strict=True)
            ]
            if isinstance(call.kernel, Gemm):
                arguments.append("ptr %space")
            name = self.names[anonymous(call.kernel)]
            lines.append(f"  call void @{name}({', '.join(arguments)})")
        return lines


def firsts(pieces: Sequence[Call], calls: int) -> Sequence[Call]:
    """Return the first of the pieces that each of so many calls was cut into."""
    return pieces[:: max(1, len(pieces) // calls)][:calls]


def fitting(name: str, node: Node, inputs: Mapping[str, Array]) -> Array:
    """Return an input as it is wanted.

    Raises:
        ValueError: it is missing, or of another shape or dtype.
    """
    array = np.asarray(inputs[name]) if name in inputs else None
    if array is None or array.shape != node.shape or array.dtype != node.dtype:
        got = "nothing" if array is None else f"{array.dtype}{list(array.shape)}"
        raise ValueError(f"expected {name} as {node.type}, got {got}")
    return np.asarray(array, order="C")


def distinct(calls: Sequence[Call]) -> tuple[list[Kernel], dict[Kernel, str]]:
    """Return the kernels that differ by more than their name, and each one's function.

    Parts of different sizes have names of their own.
    """
    names: dict[Kernel, str] = {}
    kernels = []
    taken: set[str] = set()
    for call in calls:
        kernel, same = call.kernel, anonymous(call.kernel)
        if same not in names:
            name, number = kernel.name, 1
            while name in taken:
                number += 1
                name = f"{kernel.name}_{number}"
            taken.add(name)
            names[same] = name
            kernels.append(replace(kernel, name=name))
    return kernels, names


def anonymous(kernel: Kernel) -> Kernel:
    """Return a kernel without its name."""
    return replace(kernel, name="")
