"""Memory between pages that nobody may touch: one byte too far ends the process.

Run as a script it runs whole programs in such memory: inputs, outputs, and what lies between.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from random import Random
from typing import Any

import numpy as np

import pellucid
from pellucid import nn, optim
from pellucid.compiler import frame as frame_module
from pellucid.compiler import program as program_module
from pellucid.compiler.arguments import arrays_of
from pellucid.compiler.bound import number
from pellucid.compiler.llvm import target as machines
from pellucid.compiler.passes import optimise
from pellucid.compiler.program import Program
from support.compiled import traced
from support.random_graphs import draw

PAGE = mmap.PAGESIZE


class Guarded:
    """Arrays that begin, or end, where a page that nobody may touch ends, or begins."""

    def __init__(self, at_end: bool) -> None:
        self.at_end = at_end
        self._kept: list[Any] = []
        self._protect = ctypes.CDLL(None, use_errno=True).mprotect

    def bytes(self, size: int) -> np.ndarray:
        """Return so many bytes."""
        inside = -(-size // PAGE) * PAGE
        pages = mmap.mmap(-1, inside + 2 * PAGE)
        self._kept.append(pages)
        whole = np.frombuffer(pages, np.uint8)
        for start in (0, PAGE + inside):
            where = ctypes.c_void_p(whole.ctypes.data + start)
            if self._protect(where, ctypes.c_size_t(PAGE), 0):  # PROT_NONE
                raise OSError(ctypes.get_errno(), "mprotect")
        start = PAGE + (inside - size if self.at_end else 0)
        return whole[start : start + size]

    def array(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return an array."""
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        return self.bytes(size).view(dtype).reshape(shape)

    def copy(self, array: np.ndarray) -> np.ndarray:
        """Return a copy of an array."""
        made = self.array(array.shape, array.dtype)
        made[...] = array
        return made


def run(
    program: Program, inputs: dict[str, np.ndarray], guarded: Guarded, lacking: int
) -> dict[str, np.ndarray]:
    """Run a program in guarded memory, twice; return its results.

    The memory between inputs and outputs is so many bytes too small.
    """
    normal = frame_module.aligned_array
    frame_module.aligned_array = lambda shape, _: guarded.bytes(shape[0] - lacking)
    try:
        frame = frame_module.Frame(program.layout)
    finally:
        frame_module.aligned_array = normal
    kept = {node: guarded.copy(array) for node, array in program.layout.constants.items()}
    kept |= {program.graph.inputs[name]: guarded.copy(array) for name, array in inputs.items()}
    results = {
        name: guarded.array(node.shape, node.dtype) for name, node in program.graph.outputs.items()
    }
    kept |= {program.graph.outputs[name]: array for name, array in results.items()}
    for node, array in kept.items():
        frame.point(node, array)
    for _ in range(2):
        frame.run()
    return results


def training_step(width: int) -> tuple[Any, dict[str, np.ndarray]]:
    """Return the graph of an update with all kinds of kernels, and its inputs.

    The first layer's product is halved where the data are wide, of at least 66 columns.
    """
    net = nn.Sequential(
        nn.Dense(width, 37, "gelu"), nn.BatchNorm1D(37), nn.Dropout(0.2), nn.Dense(37, 5), rng=0
    )
    optimizer, loss = optim.AdamW(0.01, clip_norm=1.0), nn.CrossEntropyLoss()

    def step(x: Any, y: Any, index: Any) -> Any:
        net.zero_grad()
        value = loss(net(x[index]), y[index])
        value.backward()
        optimizer.step(net)
        return value

    compiled = pellucid.compile(step, state=[net, optimizer], native=False)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(101, width)).astype("f4"), rng.integers(0, 5, 101)
    arguments = x, y, rng.integers(0, 101, 33)
    bound = compiled.bound(*arguments)
    inputs = {name: number(cell.get()) for name, cell in bound.cells.items()}
    return bound.traced.graph, inputs | arrays_of(arguments, {})


def main(target: str, seeds: int, lacking: int) -> None:
    """Run programs on a processor, and compare them with what they give in other memory."""
    program_module.WORTH = -1
    machine = {"host": machines.host(), "AVX2": machines.AVX2, "SSE2": machines.SSE2}[target]
    graphs = [training_step(13), training_step(66)]
    for seed in range(seeds):
        d = draw(Random(seed), 25)
        one = traced(d, *d.inputs, errors=d.errors())
        graphs.append((optimise(one.graph), one.inputs))
    for graph, inputs in graphs:
        for threads in (1, 3):
            program = Program(graph, machine, threads)
            expected = program(inputs)
            for at_end in (False, True):
                found = run(program, inputs, Guarded(at_end), lacking)
                for name, array in expected.items():
                    assert found[name].tobytes() == array.tobytes(), name


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
