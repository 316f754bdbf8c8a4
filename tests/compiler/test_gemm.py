"""Generated matrix products: values, edges, memory, and the same bits however they are cut."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("llvmlite")

from pellucid.compiler.kernels import Gemm
from pellucid.compiler.llvm import gemm as code
from pellucid.compiler.llvm.gemm_plan import planned
from pellucid.compiler.llvm.target import AVX2, SSE2, Target, compile_module, host
from support.products import LAYOUTS, NAN, TARGETS, Buffer, described, every_target

SIZES = (1, 3, 15, 16, 17, 31, 100)


@dataclass
class Run:
    """What a product computed, from what, and whether it kept to its buffers."""

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    in_bounds: bool

    def right(self) -> bool:
        """Whether each element is within the error of a sum of k products."""
        a, b = self.a.astype(np.float64), self.b.astype(np.float64)
        allowed = a.shape[1] * np.finfo(self.c.dtype).eps * (np.abs(a) @ np.abs(b))
        return bool((np.abs(self.c - a @ b) <= allowed).all())


def run(
    gemm: Gemm, target: Target, values: Callable[..., np.ndarray] | None = None, **other: Any
) -> Run:
    """Compile a product (``other``: with other fields than it is run for), and run it."""
    text = code.emit(replace(gemm, **other), target)
    module = compile_module(text, target)
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(module.address(gemm.name))
    values = values or np.random.default_rng(gemm.m * gemm.n + gemm.k).standard_normal
    bytes_ = code.workspace(gemm, target)
    elements = bytes_ // np.dtype(gemm.dtype).itemsize
    a = Buffer(gemm.dtype, (gemm.m, gemm.k), gemm.a, NAN)
    b = Buffer(gemm.dtype, (gemm.k, gemm.n), gemm.b, NAN)
    c = Buffer(gemm.dtype, (gemm.m, gemm.n), (gemm.ldc, 1))
    space = Buffer(gemm.dtype, (1, elements), (elements, 1))
    a.fill(values(size=a.matrix.shape))
    b.fill(values(size=b.matrix.shape))
    untouched = a.bytes.copy(), b.bytes.copy()
    function(a.address, b.address, c.address, space.address)
    same = (a.bytes == untouched[0]).all() and (b.bytes == untouched[1]).all()
    in_bounds = bool(same) and c.canaries_alive() and space.canaries_alive()
    return Run(a.matrix, b.matrix, c.matrix.copy(), in_bounds)


def check(gemm: Gemm, target: Target) -> None:
    result = run(gemm, target)
    assert result.in_bounds
    assert result.right()


@every_target
@pytest.mark.parametrize("m", SIZES)
def test_awkward_sizes(m: int, target: Target) -> None:
    turn = [param.values[0] for param in TARGETS].index(target)
    for number, (n, k) in enumerate(product(SIZES, SIZES)):
        if (number + m) % len(TARGETS) == turn:  # each size on one of them
            dtype = ("float32", "float64")[number // 3 % 2]
            check(
                described(m, n, k, LAYOUTS[number // 2 % 4], dtype=dtype, padding=number % 2),
                target,
            )


@every_target
@pytest.mark.parametrize(
    ("m", "n", "k", "transposed"),
    [
        (128, 128, 784, (False, False)),
        (784, 128, 128, (True, False)),
        (128, 784, 128, (False, True)),
        (128, 10, 128, (False, False)),
        (256, 1024, 1024, (False, False)),
        (256, 1024, 1024, (False, True)),
        (1, 1000, 700, (False, False)),
        (70, 530, 515, (False, True)),  # blocks and tiles of unequal sizes in all directions
        (300, 530, 1031, (True, False)),
        (5, 3, 1537, (True, True)),
        (1, 1000, 700, (False, True)),  # sums of contiguous elements
        (1000, 1, 700, (False, False)),
        (1000, 1, 700, (True, False)),
    ],
)
def test_sizes_of_networks(
    m: int, n: int, k: int, transposed: tuple[bool, bool], target: Target
) -> None:
    check(described(m, n, k, transposed), target)


@every_target
@pytest.mark.parametrize(
    ("m", "n", "k"), [(140, 530, 515), (9, 2, 131_075), (3, 600, 1026), (130, 1, 2000)]
)
@pytest.mark.parametrize("transposed", LAYOUTS)
def test_whole_numbers_are_exact(
    m: int, n: int, k: int, transposed: tuple[bool, bool], target: Target
) -> None:
    """No product of a block, tile or edge is left out or taken twice."""
    rng = np.random.default_rng(0)
    result = run(described(m, n, k, transposed), target, partial(rng.integers, -3, 4))
    assert result.in_bounds
    np.testing.assert_array_equal(result.c, result.a @ result.b)


@given(
    sizes=st.tuples(*[st.integers(0, 80)] * 3),
    transposed=st.sampled_from(LAYOUTS),
    dtype=st.sampled_from(["float32", "float64"]),
    padding=st.integers(0, 5),
    number=st.integers(0, len(TARGETS) - 1),
)
@settings(max_examples=60)
def test_any_size_and_layout(
    sizes: tuple[int, int, int],
    transposed: tuple[bool, bool],
    dtype: str,
    padding: int,
    number: int,
) -> None:
    target = TARGETS[number].values[0]
    if not any(mark.args[0] for mark in TARGETS[number].marks):
        check(described(*sizes, transposed, dtype=dtype, padding=padding), target)


@every_target
def test_no_products_sum_to_zero(target: Target) -> None:
    result = run(described(5, 37, 0, padding=1), target)
    assert result.in_bounds
    assert (result.c == 0).all()


@every_target
@pytest.mark.parametrize(("m", "n", "k"), [(0, 7, 3), (7, 0, 3), (0, 0, 0)])
def test_nothing_is_written_where_there_is_nothing(m: int, n: int, k: int, target: Target) -> None:
    assert run(described(m, n, k), target).in_bounds
    assert code.workspace(described(m, n, k), target) == 0


@every_target
def test_nan_and_infinity_stay_in_their_rows_and_columns(target: Target) -> None:
    def values(size: tuple[int, int]) -> np.ndarray:
        x = np.ones(size)
        x[2, 1] = np.nan if size[0] == 20 else np.inf
        return x

    c = run(described(20, 19, 18), target, values).c  # a has the NaN, b the infinity
    assert np.isnan(c[2]).all()
    assert np.isinf(np.delete(c[:, 1], 2)).all()
    assert np.isfinite(np.delete(np.delete(c, 2, axis=0), 1, axis=1)).all()


@every_target
def test_bits_do_not_depend_on_layout_or_cut(target: Target) -> None:
    m, n, k = 29, 75, 1030
    rng = np.random.default_rng(0)
    a = rng.standard_normal((m, k)).astype(np.float32)
    b = rng.standard_normal((k, n)).astype(np.float32)

    def computed(rows: slice, columns: slice, transposed: tuple[bool, bool]) -> np.ndarray:
        parts = iter((a[rows], b[:, columns]))
        gemm = described(len(a[rows]), b[:, columns].shape[1], k, transposed)
        return run(gemm, target, lambda size: next(parts)).c

    everything = slice(None)
    whole = computed(everything, everything, (False, False))
    for transposed in LAYOUTS:
        np.testing.assert_array_equal(computed(everything, everything, transposed), whole)
        upper = computed(slice(None, 13), everything, transposed)
        np.testing.assert_array_equal(upper, whole[:13])
        right = computed(everything, slice(50, None), transposed)
        np.testing.assert_array_equal(right, whole[:, 50:])


@pytest.mark.parametrize("target", [host(), AVX2, SSE2], ids=["host", "avx2", "sse2"])
def test_a_tile_fits_the_registers(target: Target) -> None:
    for m, n in product((1, 2, 7, 100, 128), (1, 10, 33, 128, 1000)):
        plan = planned(described(m, n, 50), target)
        vectors = -(-plan.width // plan.lanes)
        assert (plan.rows + 1) * vectors + 1 <= target.registers


def test_text_is_the_same_every_time_and_can_be_internal() -> None:
    gemm = described(17, 40, 33, (False, True))
    text = code.emit(gemm, host())
    assert text == code.emit(gemm, host())
    assert text.count("define") == 1
    assert "define void @product(" in text
    assert "define internal void @product(" in code.emit(gemm, host(), internal=True)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"dtype": "int32"}, "expected float32 or float64, got int32"),
        ({"m": -1}, "at least 0, got gemm.m=-1"),
        ({"a": (20, 2)}, "rows or columns of a to be contiguous"),
        ({"b": (0, 0)}, "rows or columns of b to be contiguous"),
        ({"ldc": 8}, "at least 9 elements from row to row of c, got 8"),
    ],
)
def test_refuses_products_that_mean_nothing(other: dict[str, Any], message: str) -> None:
    gemm = replace(described(7, 9, 5), **other)
    for function in (code.emit, code.workspace):
        with pytest.raises(ValueError, match=message):
            function(gemm, host())


@pytest.mark.parametrize(
    ("other", "in_bounds", "right"),
    [
        ({}, True, True),
        ({"n": 10}, False, True),  # a column too many
        ({"m": 8}, False, True),
        ({"k": 4}, True, False),  # a product too few
        ({"k": 6, "a": (6, 1)}, True, False),  # beyond the buffers lie NaNs
    ],
)
def test_the_check_finds_faults(other: dict[str, Any], in_bounds: bool, right: bool) -> None:
    result = run(described(7, 9, 5, padding=1), host(), **other)
    assert (result.in_bounds, result.right()) == (in_bounds, right)
