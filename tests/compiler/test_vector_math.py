"""Functions of mathematics in generated code: within the units in the last place they promise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from pellucid.compiler.kernels import Access, Instruction, Nest, Stage, Store
from pellucid.compiler.llvm.target import AVX2, SSE2, Target, host
from support.nests import compiled, compiled_all

# Largest errors in units in the last place, as `math` states them: float32, float64.
BOUNDS = {
    "exp": (1.0, 1.2), "expm1": (1.5, 1.8), "log": (0.9, 0.9), "log1p": (1.5, 1.4),
    "tanh": (2.5, 2.5), "erf": (2.0, 1.5), "sin": (1.6, 2.5), "cos": (1.6, 2.5),
}  # fmt: skip
RANGES = {
    "exp": ((-746, 710), (-2, 2), (-104, 89)),
    "expm1": ((-40, 710), (-20, 89), (-2, 2)),
    "log": ((0, 3), (0.6, 1.6), (0, 1e30)),
    "log1p": ((-1, 2), (-1e-2, 1e-2), (0, 1e30)),
    "tanh": ((-1, 1), (-25, 25)),
    "erf": ((-1.5, 1.5), (-7, 7)),
    "sin": ((-7, 7), (-1e5, 1e5), (-1e8, 1e8)),
    "cos": ((-7, 7), (-1e5, 1e5), (-1e8, 1e8)),
}
SPECIAL = (
    0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, 3e-45, -3e-45, 5e-324, -5e-324, 2e-308,
    1e-38, 1e-30, -1e-30, 1e-9, -1e-9, 88.7, 88.8, -87.4, -103.0, -105.0, 709.7, 709.8, -744.0,
    -747.0, 1e30, -1e30,
)  # fmt: skip
TARGETS = {"host": host(), "avx2": AVX2, "sse2": SSE2}
every_target = pytest.mark.parametrize("machine", TARGETS.values(), ids=TARGETS)


def kernel(op: str, dtype: str, count: int, size: int) -> Nest:
    """Return a nest that applies a function of ``count`` operands."""
    body = [Instruction("load", (), dtype, Access(number, (1,))) for number in range(count)]
    body.append(Instruction(op, tuple(range(count)), dtype))
    stage = Stage((), tuple(body), (Store(count, Access(count, (1,))),))
    return Nest(f"{op}_{dtype}_{size}", (dtype,) * (count + 1), (size,), (stage,))


def exact(op: str, x: Any) -> Any:
    """Return the function in more digits than x has, or as many where there are no more."""
    if op == "erf":
        return np.array([math.erf(value) for value in x], np.longdouble)
    with np.errstate(all="ignore"):
        return getattr(np, op)(x.astype(np.longdouble))


def units(got: Any, wanted: Any) -> Any:
    """Return how far numbers are from the wanted ones, in units in the last place of those."""
    with np.errstate(all="ignore"):
        rounded = wanted.astype(got.dtype)
        same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
        distance = np.abs(got - wanted) / np.spacing(np.abs(rounded)).astype(wanted.dtype)
    return np.where(same & ~np.isfinite(distance), 0, np.nan_to_num(distance, nan=np.inf))


@every_target
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("op", BOUNDS)
def test_error(op: str, dtype: str, machine: Target) -> None:
    bound = BOUNDS[op][dtype == "float64"]
    if dtype == "float64" and (op == "erf" or np.finfo(np.longdouble).eps > 1e-17):
        bound += 1.0  # the reference is only good to a unit itself
    rng = np.random.default_rng(0)
    run = compiled(kernel(op, dtype, 1, 10_000), machine)
    for low, high in RANGES[op]:
        x = rng.uniform(low, high, 10_000)
        x[:2500] *= 10.0 ** rng.uniform(-9, 0, 2500)
        x = x.astype(dtype)
        out = np.zeros_like(x)
        run(x, out)
        error = units(out, exact(op, x))
        worst = error.argmax()
        assert error[worst] <= bound, f"{op}({x[worst]!r}) gives {out[worst]!r}"


@every_target
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("op", BOUNDS)
def test_special_values(op: str, dtype: str, machine: Target) -> None:
    with np.errstate(all="ignore"):
        x = np.array(SPECIAL).astype(dtype)
    out = np.zeros_like(x)
    compiled(kernel(op, dtype, 1, x.size), machine)(x, out)
    wanted = exact(op, x)
    assert (units(out, wanted) <= BOUNDS[op][dtype == "float64"]).all(), (x, out, wanted)
    given = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.signbit(out[given]), np.signbit(wanted[given]))


@every_target
def test_sizes(machine: Target) -> None:
    cases = [
        (op, dtype, size)
        for op in BOUNDS
        for dtype in ("float32", "float64")
        for size in (1, 3, 15, 16, 17, 31, 100)
    ]
    runs = compiled_all([kernel(op, dtype, 1, size) for op, dtype, size in cases], machine)
    for (op, dtype, size), run in zip(cases, runs, strict=True):
        x = np.linspace(0.1, 3, size).astype(dtype)
        out = np.zeros_like(x)
        run(x, out)
        assert (units(out, exact(op, x)) <= BOUNDS[op][dtype == "float64"] + 1).all(), (op, size)


@every_target
def test_one_far_angle_among_near_ones(machine: Target) -> None:
    x = np.linspace(-3, 3, 48)
    x[[5, 17]] = 1e15, -1e300
    out = np.zeros_like(x)
    for op in ("sin", "cos"):
        compiled(kernel(op, "float64", 1, 48), machine)(x, out)
        np.testing.assert_allclose(out, getattr(np, op)(x), rtol=1e-15, atol=1e-16)


@every_target
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_power(dtype: str, machine: Target) -> None:
    special = [0.0, -0.0, 1, -1, 2, -2, 0.5, -0.5, np.inf, -np.inf, np.nan, 3, -3, 1e30, -1e30]
    special += [1e-45, -1e-45, 16777217, -16777215]
    rng = np.random.default_rng(0)
    x = rng.choice([-1, 1], 1000) * 10.0 ** rng.uniform(-9, 9, 1000)
    n = np.append(rng.uniform(-5, 5, 500), rng.integers(-5, 6, 500))
    a = np.append(np.repeat(special, len(special)), x).astype(dtype)
    b = np.append(np.tile(special, len(special)), n).astype(dtype)
    out = np.zeros_like(a)
    compiled(kernel("power", dtype, 2, a.size), machine)(a, b, out)
    with np.errstate(all="ignore"):
        wanted = a.astype(np.longdouble) ** b.astype(np.longdouble)
        assert (units(out, wanted) <= (0.51 if dtype == "float32" else 1.5)).all()
        given = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.signbit(out[given]), np.signbit(wanted[given]))


def test_a_wrong_digit_is_noticed() -> None:
    x = np.linspace(-5, 5, 100).astype("float32")
    wanted = exact("exp", x)
    near = wanted.astype("float32")
    assert (units(near, wanted) <= 0.5).all()
    far = np.nextafter(np.nextafter(near, np.float32(0)), np.float32(0))
    assert (units(far, wanted) >= 1.5).all()
    assert units(np.array([np.nan, 1], "float32"), np.array([1, np.inf], np.longdouble)).min() > 9
