"""Generated code of loop nests against NumPy, an operation and a nest at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from hypothesis import HealthCheck, given, settings

from pellucid.compiler.kernels import Access, DType, Instruction, Nest, Reduction, Stage, Store
from pellucid.compiler.llvm import nest
from pellucid.compiler.llvm.target import AVX2, SSE2, Target, host
from support.nests import compiled, compiled_all, interpret
from support.random_nests import nests

SIZES = (1, 3, 15, 16, 17, 31, 100)
FLOATS = ("float32", "float64")
WHOLE = ("int32", "int64", "uint32")
NUMBERS = (*FLOATS, *WHOLE)
ALL = (*NUMBERS, "bool")
TARGETS = {"host": host(), "avx2": AVX2, "sse2": SSE2}

# What rounds exactly as in NumPy, with the dtypes it is for; the rest is in test_vector_math.py.
UNARY: dict[str, tuple[str, ...]] = {
    "negative": NUMBERS, "abs": ALL, "sign": NUMBERS, "sqrt": FLOATS, "floor": NUMBERS,
    "ceil": NUMBERS, "round": NUMBERS, "isfinite": NUMBERS, "isnan": NUMBERS,
    "logical_not": ALL, "bitwise_invert": (*WHOLE, "bool"),
}  # fmt: skip
BINARY: dict[str, tuple[str, ...]] = {
    "add": ALL, "subtract": NUMBERS, "multiply": ALL, "divide": FLOATS,
    "maximum": ALL, "minimum": ALL,
    "equal": ALL, "not_equal": ALL, "less": ALL, "less_equal": ALL, "greater": ALL,
    "greater_equal": ALL, "logical_and": ALL, "logical_or": ALL,
    "bitwise_and": (*WHOLE, "bool"), "bitwise_or": (*WHOLE, "bool"),
    "bitwise_xor": (*WHOLE, "bool"), "bitwise_left_shift": WHOLE, "bitwise_right_shift": WHOLE,
}  # fmt: skip
OTHERS = {"where", "astype", "power"}
INEXACT = {"exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "erf"}

every_target = pytest.mark.parametrize("machine", TARGETS.values(), ids=TARGETS)


def sample(dtype: str, size: int, seed: int = 0) -> Any:
    """Return ``size`` numbers, the first of them, in an order of their own, the difficult ones."""
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.random(size) < 0.5
    if dtype in FLOATS:
        info = np.finfo(dtype)
        special = [0.0, -0.0, np.inf, -np.inf, np.nan, 0.5, -0.5, 1.5, -2.5, info.max, info.tiny]
        special += [info.smallest_subnormal, -info.smallest_subnormal, 1e9 + 0.5, 8388609.5, -3.0]
        values = rng.normal(scale=10, size=size)
    else:
        limits = np.iinfo(dtype)
        special = [0, 1, 2, 3, 31, 32, 33, 63, 64, limits.max, limits.min, limits.max - 1]
        special += [] if dtype == "uint32" else [-1, -2, -31, -64]
        return rng.permutation(np.array(special * size, dtype)[: 2 * size + 12])[:size]
    values[: len(special)] = special[:size]
    return rng.permutation(values).astype(dtype)


def elementwise(op: str, operands: tuple[str, ...], result: str, size: int) -> Nest:
    """Return a nest that applies one operation to all elements."""
    count = len(operands)
    every = (1,)
    body = [
        Instruction("load", (), dtype, Access(number, every))
        for number, dtype in enumerate(operands)
    ]
    body.append(Instruction(op, tuple(range(count)), result))
    stage = Stage((), tuple(body), (Store(count, Access(count, every)),))
    return Nest(
        f"{op}_{'_'.join(operands)}_{result}_{size}", (*operands, result), (size,), (stage,)
    )


def compare(
    cases: list[tuple[str, tuple[str, ...], str]], function: Callable[..., Any], machine: Target
) -> None:
    """Hold operations on all sizes against a NumPy function of the operands and the dtype."""
    kernels = [elementwise(*case, size) for case in cases for size in SIZES]
    for kernel, run in zip(kernels, compiled_all(kernels, machine), strict=True):
        *operands, result = kernel.buffers
        size = kernel.outer[0]
        arrays = [sample(dtype, size, seed) for seed, dtype in enumerate(operands)]
        out = np.zeros(size, result)
        with np.errstate(all="ignore"):
            expected = function(*arrays, result)
        run(*arrays, out)
        np.testing.assert_array_equal(out, expected, strict=True, err_msg=kernel.name)


def test_every_operation_is_tested() -> None:
    assert {*UNARY, *BINARY, *OTHERS, *INEXACT} == nest.SUPPORTED


@every_target
@pytest.mark.parametrize("op", UNARY)
def test_unary(op: str, machine: Target) -> None:
    function = getattr(np, op)
    cases = [(op, (dtype,), function(np.ones(1, dtype)).dtype.name) for dtype in UNARY[op]]
    compare(cases, lambda x, _: function(x), machine)


@every_target
@pytest.mark.parametrize("op", BINARY)
def test_binary(op: str, machine: Target) -> None:
    function = getattr(np, op.replace("bitwise_left", "left").replace("bitwise_right", "right"))
    cases = [
        (op, (dtype, dtype), function(np.ones(1, dtype), np.ones(1, dtype)).dtype.name)
        for dtype in BINARY[op]
    ]
    compare(cases, lambda a, b, _: function(a, b), machine)


@every_target
def test_where(machine: Target) -> None:
    cases = [("where", ("bool", dtype, dtype), dtype) for dtype in ALL]
    compare(cases, lambda c, a, b, _: np.where(c, a, b), machine)


@every_target
def test_astype_from_integers_and_bools(machine: Target) -> None:
    cases = [("astype", (a,), b) for a in (*WHOLE, "bool") for b in ALL]
    compare(cases, lambda x, dtype: x.astype(dtype), machine)


@every_target
def test_astype_from_floats(machine: Target) -> None:
    cases = [("astype", (a,), b) for a in FLOATS for b in (*FLOATS, "bool")]
    compare(cases, lambda x, dtype: x.astype(dtype), machine)
    x = np.array([0, -0.0, 0.99, -0.99, 1.5, -1.5, 2e9, -2e9, 12345.678] * 3)
    for a in FLOATS:
        for b in WHOLE:  # a negative number becomes the uint32 of the integer, modulo 2^32
            out = np.zeros(27, b)
            compiled(elementwise("astype", (a,), b, 27), machine)(x.astype(a), out)
            expected = x.astype(a).astype("int64").astype(b)
            np.testing.assert_array_equal(out, expected, err_msg=f"{a} {b}")


def unary_power(dtype: DType, exponent: float, size: int) -> Nest:
    body = (
        Instruction("load", (), dtype, Access(0, (1,))),
        Instruction("constant", (), dtype, value=exponent),
        Instruction("power", (0, 1), dtype),
    )
    stage = Stage((), body, (Store(2, Access(1, (1,))),))
    return Nest("power", (dtype, dtype), (size,), (stage,))


@every_target
@pytest.mark.parametrize("exponent", [-2, -1, 0, 0.5, 1, 2, 3, 4])
@pytest.mark.parametrize("dtype", FLOATS)
def test_powers_known_beforehand(dtype: DType, exponent: float, machine: Target) -> None:
    x = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 0.3, -0.7, 12.5, -1e4] * 3, dtype)
    out = np.zeros_like(x)
    compiled(unary_power(dtype, exponent, x.size), machine)(x, out)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(out, x**exponent, rtol=2 * np.finfo(dtype).eps)


@every_target
def test_integer_powers(machine: Target) -> None:
    for dtype in WHOLE:
        x = np.array([-3, -1, 0, 1, 2, 3, 7] * 5).astype(dtype)
        n = np.arange(35).astype(dtype)
        out = np.zeros(35, dtype)
        compiled(elementwise("power", (dtype, dtype), dtype, 35), machine)(x, n, out)
        np.testing.assert_array_equal(out, x**n)
        compiled(unary_power(dtype, 5, 35), machine)(x, out)
        np.testing.assert_array_equal(out, x**5)


REDUCTIONS = {
    "sum": NUMBERS, "prod": NUMBERS, "max": ALL, "min": ALL, "any": ALL, "all": ALL,
}  # fmt: skip


def reduction(op: Any, dtype: DType, size: int, along: bool) -> Nest:
    """Return the reduction of the rows, or of the columns, of a matrix of ``size`` by 19."""
    rows, inner = (size, 19) if along else (19, size)
    place = (19, 1) if along else (1, 19)
    result = "bool" if op in ("any", "all") else dtype
    stage = Stage(
        (inner,),
        (Instruction("load", (), dtype, Access(0, place)),),
        reductions=(Reduction(op, 0),),
        last=(Store(1, Access(1, (1,))),),
    )
    name = f"{op}_{dtype}_{size}_{along}"
    return Nest(name, (dtype, result), (rows,), (stage,), "inner" if along else "outer")


@every_target
@pytest.mark.parametrize("op", REDUCTIONS)
def test_reductions(op: str, machine: Target) -> None:
    kernels = [
        reduction(op, dtype, size, along)
        for dtype in REDUCTIONS[op]
        for size in SIZES
        for along in (True, False)
    ]
    for kernel, run in zip(kernels, compiled_all(kernels, machine), strict=True):
        dtype, result = kernel.buffers
        axis = 1 if kernel.vector == "inner" else 0
        size = kernel.outer[0] * kernel.stages[0].inner[0]
        x = sample(dtype, size)
        if dtype in FLOATS and op in ("sum", "prod"):  # such that no order of them rounds
            x = np.random.default_rng(0).choice([-1, 1, 2, 0.5], size).astype(dtype)
            x[::50] = np.nan
        x = x.reshape(-1, 19)
        out = np.zeros(kernel.outer, result)
        run(x.reshape(-1), out)
        with np.errstate(all="ignore"):
            whole = {"dtype": dtype} if op in ("sum", "prod") else {}
            wanted = getattr(np, op)(x, axis=axis, **whole)
        np.testing.assert_array_equal(out, wanted, strict=True, err_msg=kernel.name)


@every_target
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(case=nests())
def test_random_nests(case: tuple[Nest, list[Any]], machine: Target) -> None:
    kernel, buffers = case
    expected, got = [b.copy() for b in buffers], [b.copy() for b in buffers]
    interpret(kernel, expected)
    compiled(kernel, machine)(*got)
    for number, (e, g) in enumerate(zip(expected, got, strict=True)):
        np.testing.assert_array_equal(g, e, strict=True, err_msg=f"buffer {number} of {kernel}")
