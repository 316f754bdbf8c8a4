"""Loop nests run by NumPy, an element at a time, as `kernels` describes them, and natively."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from pellucid.arrays.special import erf
from pellucid.compiler.kernels import Access, Instruction, Nest, Stage, Store
from pellucid.compiler.llvm import builder, nest, target

CANARY = 64  # bytes on either side of a buffer that must stay as they are
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "where": np.where,
    "erf": erf,
    # the first of equals, where NumPy leaves the sign of zero open
    "maximum": lambda a, b: a if a >= b or a != a else b,
    "minimum": lambda a, b: a if a <= b or a != a else b,
    "bitwise_left_shift": np.left_shift,
    "bitwise_right_shift": np.right_shift,
}
EMPTY: dict[str, Any] = {"sum": 0, "prod": 1, "any": False, "all": True}
COMBINE: dict[str, Callable[[Any, Any], Any]] = {
    "sum": np.add,
    "prod": np.multiply,
    "max": FUNCTIONS["maximum"],
    "min": FUNCTIONS["minimum"],
    "any": np.logical_or,
    "all": np.logical_and,
}


def interpret(nest: Nest, buffers: Sequence[Any]) -> None:
    """Run a nest on flat arrays."""
    with np.errstate(all="ignore"):
        for outer in np.ndindex(*nest.outer):
            values: dict[int, Any] = {}
            first = 0
            for stage in nest.stages:
                first = _stage(stage, first, outer, values, buffers)


def _stage(
    stage: Stage, first: int, outer: tuple[int, ...], values: dict[int, Any], buffers: Sequence[Any]
) -> int:
    """Run a stage in one outer place; return the number of the next stage's first value."""
    reduced = first + len(stage.body)
    results: list[Any] = [None] * len(stage.reductions)
    for inner in np.ndindex(*stage.inner):
        here = dict(values)
        for number, instruction in enumerate(stage.body, first):
            here[number] = _value(instruction, (*outer, *inner), here, buffers)
        for store in stage.stores:
            _store(store, (*outer, *inner), here, buffers)
        for index, reduction in enumerate(stage.reductions):
            value, so_far = here[reduction.value], results[index]
            if reduction.op in ("any", "all"):
                value = value != 0
            results[index] = value if so_far is None else COMBINE[reduction.op](so_far, value)
    for index, reduction in enumerate(stage.reductions):
        if results[index] is None:
            truth = reduction.op in ("any", "all")
            dtype = np.dtype("bool" if truth else stage.body[reduction.value - first].dtype)
            results[index] = dtype.type(EMPTY[reduction.op])
    values.update(enumerate(results, reduced))
    after = reduced + len(stage.reductions)
    for number, instruction in enumerate(stage.after, after):
        values[number] = _value(instruction, outer, values, buffers)
    for store in stage.last:
        _store(store, outer, values, buffers)
    return after + len(stage.after)


def _place(item: Instruction | Store, counters: tuple[int, ...], values: dict[int, Any]) -> int:
    access = item.access
    assert isinstance(access, Access)
    place = access.offset + sum(s * c for s, c in zip(access.strides, counters, strict=True))
    for arg, scale, limit in zip(item.args, item.scales, item.limits, strict=True):
        place += int(values[arg]) % limit * scale
    assert place >= 0
    return place


def _value(
    instruction: Instruction,
    counters: tuple[int, ...],
    values: dict[int, Any],
    buffers: Sequence[Any],
) -> Any:
    dtype = np.dtype(instruction.dtype)
    match instruction.op:
        case "load":
            return buffers[instruction.access.buffer][_place(instruction, counters, values)]
        case "constant":
            return dtype.type(instruction.value)
        case "counter":
            return dtype.type(counters[int(instruction.value or 0)])
        case "astype":
            return values[instruction.args[0]].astype(dtype)
        case op:
            function = FUNCTIONS.get(op) or getattr(np, op)
            result = np.asarray(function(*(values[arg] for arg in instruction.args)))[()]
            assert result.dtype == dtype, instruction
            return result


def _store(
    store: Store, counters: tuple[int, ...], values: dict[int, Any], buffers: Sequence[Any]
) -> None:
    buffer, place = buffers[store.access.buffer], _place(store, counters, values)
    buffer[place] = buffer[place] + values[store.value] if store.add else values[store.value]


def compiled(kernel: Nest, machine: target.Target) -> Callable[..., None]:
    """Return a nest as a function of flat arrays."""
    return compiled_all([kernel], machine)[0]


def compiled_all(kernels: Sequence[Nest], machine: target.Target) -> list[Callable[..., None]]:
    """Return nests, compiled as one module, as functions of flat arrays."""
    text = builder.module_text(nest.emit(kernel, machine) for kernel in kernels)
    module = target.compile_module(text, machine)
    return [partial(_call, module, kernel) for kernel in kernels]


def _call(module: target.Module, kernel: Nest, *buffers: Any) -> None:
    """Run a kernel on copies that canaries surround, and copy back what it wrote."""
    pointers = [ctypes.c_void_p] * len(kernel.buffers)
    guarded = [guard(buffer) for buffer in buffers]
    function = ctypes.CFUNCTYPE(None, *pointers)(module.address(kernel.name))
    function(*(inside.ctypes.data for _, inside in guarded))
    for (whole, inside), buffer in zip(guarded, buffers, strict=True):
        assert (whole[:CANARY] == 0xA5).all(), "written before a buffer"
        assert (whole[CANARY + inside.nbytes :] == 0xA5).all(), "written behind a buffer"
        buffer[:] = inside


def guard(buffer: Any) -> tuple[Any, Any]:
    """Return bytes with a copy of a buffer in their middle, and that copy."""
    whole = np.full(buffer.nbytes + 2 * CANARY, 0xA5, np.uint8)
    inside = whole[CANARY : CANARY + buffer.nbytes].view(buffer.dtype)
    inside[:] = buffer
    return whole, inside
