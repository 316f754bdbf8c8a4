"""The program: kernels as machine code, one call for all of them."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from threading import Lock

import numpy as np

from pellucid.arrays import Array
from pellucid.compiler.arena import ALIGNMENT, aligned, planned
from pellucid.compiler.graph import Graph, Node
from pellucid.compiler.kernels import Gemm, Kernel
from pellucid.compiler.llvm import gemm, nest
from pellucid.compiler.llvm.builder import module_text
from pellucid.compiler.llvm.cache import cached_module
from pellucid.compiler.llvm.target import Target, host
from pellucid.compiler.lower import Call, lower
from pellucid.compiler.schedule import Schedule, schedule

STEP = "step"  # the function that calls all kernels


class Program:
    """A graph as native code.

    Args:
        graph: what to compute.
        target: the processor; by default the one this runs on.

    Raises:
        UnsupportedError: it holds what no native code can be made for yet.
    """

    def __init__(self, graph: Graph, target: Target | None = None) -> None:
        self.target = target or host()
        self.plan: Schedule = schedule(graph)
        self.graph = self.plan.graph
        self.calls, kept = lower(self.plan)
        self.outputs = dict.fromkeys(self.graph.outputs.values())
        self.constants = dict.fromkeys(
            node for call in self.calls for node in call.buffers if node.op == "constant"
        )
        self.arena = planned(self.calls, [node for node in kept if node not in self.outputs])
        self.kernels, self.names = distinct(self.calls)
        self.work = max(
            (gemm.workspace(k, self.target) for k in self.kernels if isinstance(k, Gemm)), default=0
        )
        self.module = cached_module(self.key(), lambda: self.text, self.target)
        self.function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.module.address(STEP))
        self._lock = Lock()
        self._memory = memory(aligned(self.arena.size) + self.work)
        self._fixed = [np.ascontiguousarray(node.value) for node in self.constants]
        self._table = (ctypes.c_void_p * len(self._pointers()))()
        for place, array in enumerate(self._fixed, start=len(self.graph.inputs)):
            self._table[place] = array.ctypes.data
        self._table[len(self._table) - 1] = self._memory.ctypes.data

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs by name for inputs by name.

        Raises:
            ValueError: an input is missing, or of another shape or dtype.
        """
        with self._lock:  # the table and the arena are the program's own
            alive = []
            for place, (name, node) in enumerate(self.graph.inputs.items()):
                array = np.asarray(inputs[name]) if name in inputs else None
                if array is None or array.shape != node.shape or array.dtype != node.dtype:
                    got = "nothing" if array is None else f"{array.dtype}{list(array.shape)}"
                    raise ValueError(f"expected {name} as {node.type}, got {got}")
                alive.append(np.ascontiguousarray(array))
                self._table[place] = address(alive[-1])
            results = {node: np.empty(node.shape, node.dtype) for node in self.outputs}
            first = len(self.graph.inputs) + len(self.constants)
            for place, array in enumerate(results.values(), start=first):
                self._table[place] = address(array)
            self.function(ctypes.addressof(self._table))
        return {name: results[node] for name, node in self.graph.outputs.items()}

    def _pointers(self) -> list[Node | None]:
        """Return whose memory each pointer of the table leads to; None is the arena."""
        return [*self.graph.inputs.values(), *self.constants, *self.outputs, None]

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
        """Return the function that loads the pointers and calls the kernels in order."""
        number = {node: place for place, node in enumerate(self._pointers())}
        arena = len(number) - 1
        lines = [f"define void @{STEP}(ptr %t) nounwind {{"]
        for place in range(len(number)):
            lines.append(f"  %a{place} = getelementptr ptr, ptr %t, i64 {place}")
            lines.append(f"  %p{place} = load ptr, ptr %a{place}, align 8")
        fresh = 0

        def pointer(base: int, offset: int) -> str:
            nonlocal fresh
            if not offset:
                return f"ptr %p{base}"
            fresh += 1
            lines.append(f"  %o{fresh} = getelementptr i8, ptr %p{base}, i64 {offset}")
            return f"ptr %o{fresh}"

        for call, name in zip(self.calls, self.names, strict=True):
            arguments = []
            offsets = call.offsets or (0,) * len(call.buffers)
            for node, offset in zip(call.buffers, offsets, strict=True):
                extra = offset * node.dtype.itemsize
                if node in self.arena.offsets:
                    arguments.append(pointer(arena, self.arena.offsets[node] + extra))
                else:
                    arguments.append(pointer(number[node], extra))
            if isinstance(call.kernel, Gemm):
                arguments.append(pointer(arena, aligned(self.arena.size)))
            lines.append(f"  call void @{name}({', '.join(arguments)})")
        return "\n".join([*lines, "  ret void", "}"])


def distinct(calls: list[Call]) -> tuple[list[Kernel], list[str]]:
    """Return the kernels that differ by more than their name, and which one each call is of."""
    known: dict[Kernel, str] = {}
    kernels, names = [], []
    for call in calls:
        key = replace(call.kernel, name="")
        if key not in known:
            known[key] = call.kernel.name
            kernels.append(call.kernel)
        names.append(known[key])
    return kernels, names


def address(array: Array) -> int:
    """Return where an array's elements begin; `ndarray.ctypes` takes three times as long."""
    return int(array.__array_interface__["data"][0])


def memory(size: int) -> Array:
    """Return so many bytes, aligned."""
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size]
