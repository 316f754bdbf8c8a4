"""The error function, held against the C library's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.arrays import special
from pellucid.arrays.special import erf

exact = np.vectorize(math.erf, otypes=[float])


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1e-3), (0, 0.47), (0.46, 1), (1, 4), (3.99, 4.01), (4, 7), (7, 1e5)]
)
def test_it_is_exact_to_a_few_units_of_the_last_place(low: float, high: float) -> None:
    x = np.linspace(low, high, 20001)
    for at in (x, -x):
        error = np.abs(erf(at) - exact(at))
        assert error.max() <= 4e-16
        assert (error / np.spacing(np.abs(exact(at)) + 1e-300)).max() <= 4


def test_float32_is_exact_to_a_few_units_too() -> None:
    x = np.concatenate([np.linspace(-6, 6, 100001), np.linspace(-1e-3, 1e-3, 101)]).astype("f4")
    expected = exact(x)
    error = np.abs(erf(x) - expected) / np.spacing(np.abs(expected).astype("f4"))
    assert error.max() <= 5


def test_both_sides_of_every_bound() -> None:
    bounds = np.array([0.46875, 4.0, 6.0])
    x = np.concatenate([np.nextafter(bounds, 0), bounds, np.nextafter(bounds, 9)])
    np.testing.assert_allclose(erf(x), exact(x), rtol=0, atol=2.3e-16)
    assert np.all(np.diff(erf(np.sort(x))) >= -2.3e-16)


@given(st.floats())
def test_it_is_odd_and_bounded_for_every_number(x: float) -> None:
    plus, minus = erf(np.array([x, -x]))
    np.testing.assert_array_equal(plus, -minus)
    assert math.isnan(x) or abs(plus) <= 1
    np.testing.assert_allclose(plus, math.erf(x), rtol=1e-15, atol=1e-323)


def test_infinities_zeros_and_nan() -> None:
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1e300, 5e-324])
    found = erf(x)
    np.testing.assert_array_equal(found, [1, -1, np.nan, 0, 0, 1, 5e-324])
    np.testing.assert_array_equal(np.signbit(found[3:5]), [False, True])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (3, 4097), (2, 3, 4)])
def test_shape_and_dtype_stay(shape: tuple[int, ...], dtype: str) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    before = x.copy()
    found = erf(x)
    assert isinstance(found, np.ndarray)
    assert (found.shape, found.dtype) == (x.shape, x.dtype)
    np.testing.assert_array_equal(x, before)
    assert not np.shares_memory(found, x)
    if x.size:
        np.testing.assert_allclose(found, exact(x).astype(dtype), 5 * np.finfo(dtype).eps)


def test_memory_layout_changes_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(60, 70))
    for other in (x.T.copy().T, np.asfortranarray(x), x[::-1].copy()[::-1]):
        np.testing.assert_array_equal(erf(other), erf(x))


def test_a_wrong_coefficient_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    top, bottom = special.MIDDLE
    changed = (*top[:-1], top[-1] * (1 + 1e-13))
    monkeypatch.setattr(special, "MIDDLE", (changed, bottom))
    x = np.linspace(0.5, 1, 1001)
    assert np.abs(erf(x) - exact(x)).max() > 4e-16
