"""Which backend belongs to which array, and the functions that NumPy lacks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import op_oracles as oracle
from pellucid import Tensor, arrays
from pellucid.arrays import numpy as xp
from support import strict


class Mine:
    """An array of nobody's."""


@pytest.fixture
def mine() -> Iterator[Any]:
    """Register a backend for the time of a test."""
    backend: Any = object()
    arrays.register(Mine, backend)
    yield backend
    del arrays.NAMESPACES[Mine]


def test_the_namespace_is_that_of_the_first_array_that_is_not_numpy_s(mine: Any) -> None:
    array, tensor = np.zeros(2), Tensor(1.0)
    assert arrays.namespace(array) is arrays.NUMPY
    assert arrays.namespace() is arrays.NUMPY
    assert arrays.namespace(1.0, None, np.float32(1)) is arrays.NUMPY
    assert arrays.namespace(Mine()) is mine
    assert arrays.namespace(1.0, array, Mine(), tensor) is mine
    assert arrays.namespace(tensor, Mine()) is arrays.NAMESPACES[Tensor]


def test_strict_arrays_are_registered_for_a_while_only() -> None:
    with strict.registered() as namespace:
        assert arrays.namespace(strict.strict(np.ones(2))) is namespace
    assert strict.StrictArray not in arrays.NAMESPACES


def test_quiet_silences_floating_point_warnings() -> None:
    with warnings.catch_warnings(), arrays.quiet():
        warnings.simplefilter("error")
        assert np.isinf(np.log(np.zeros(1)))
    with pytest.warns(RuntimeWarning):
        np.log(np.zeros(1))


def test_own_copies_what_others_may_see() -> None:
    array = np.arange(6.0)
    assert xp.own(array, copy=False) is array
    for x in (array[1:], array.reshape(2, 3), np.broadcast_to(array, (2, 6))):
        owned = xp.own(x, copy=False)
        assert not np.shares_memory(owned, array)
        owned += 1
    assert not np.shares_memory(xp.own(array, copy=True), array)
    scalar = xp.own(np.float32(2), copy=False)
    assert type(scalar) is np.ndarray
    assert scalar.dtype == np.float32


def test_erf() -> None:
    for x in (np.linspace(-3, 3, 7), np.array(0.5, np.float32), np.zeros((0, 2)), np.float32(1)):
        out = xp.erf(x)
        assert (out.dtype, out.shape) == (x.dtype, x.shape)
        np.testing.assert_allclose(out, oracle.erf(x) if x.size else x, rtol=1e-6)


@pytest.mark.parametrize(
    "key",
    [0, (0, 1), slice(1, None), ..., None, np.array([0, 0]), (np.array([True, False]),)],
    ids=str,
)
def test_scatter_add_takes_a_key_as_numpy_does(key: Any) -> None:
    shape = (2, 3)
    values = np.random.default_rng(0).normal(size=np.zeros(shape)[key].shape)
    expected = np.zeros(shape)
    np.add.at(expected, key, values)
    np.testing.assert_allclose(xp.scatter_add(values, key, shape=shape), expected)
    np.testing.assert_array_equal(xp.index(expected, key), expected[key])


def test_reductions_of_scalars() -> None:
    for function in (xp.sum, xp.max, xp.min):
        assert function(np.float32(2)).dtype == np.float32
        assert function(np.ones((2, 3)), keepdims=True).shape == (1, 1)
        assert function(np.ones((2, 3)), axis=(0, 1)).shape == ()


CONVOLUTION = st.tuples(
    st.integers(1, 9), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2),
    st.integers(1, 3),
)  # fmt: skip


@given(CONVOLUTION)
def test_output_size_counts_the_places_a_kernel_fits(drawn: tuple[int, ...]) -> None:
    size, kernel, stride, before, after, dilation = drawn
    reach = dilation * (kernel - 1)
    places = [
        p for p in range(0, size + before + after, stride) if p + reach < size + before + after
    ]
    (found,) = arrays.output_size((size,), (kernel,), (stride,), ((before, after),), (dilation,))
    assert max(found, 0) == len(places)


def test_windows_are_a_read_only_view() -> None:
    x = np.arange(12.0).reshape(1, 6, 2)
    seen = xp.windows(x, kernel=(3,), stride=(1,), padding=((0, 0),), dilation=(1,))
    assert seen.shape == (1, 4, 3, 2)
    assert np.shares_memory(seen, x)
    assert not seen.flags.writeable
    np.testing.assert_array_equal(seen[0, 1], x[0, 1:4])
    how: dict[str, Any] = {"kernel": (2,), "stride": (2,), "padding": ((1, 0),), "dilation": (3,)}
    np.testing.assert_array_equal(xp.windows(x, **how)[0, :, :, 0], [[0, 4], [2, 8]])
    np.testing.assert_array_equal(xp.windows(x, value=-1, **how)[0, :, :, 0], [[-1, 4], [2, 8]])


@pytest.mark.parametrize(
    "wrong",
    [{"kernel": (0,)}, {"stride": (0,)}, {"stride": (-1,)}, {"dilation": (-1,)},
     {"padding": ((-1, 0),)}],
    ids=str,
)  # fmt: skip
def test_windows_beyond_the_memory_of_x_are_refused(wrong: dict[str, Any]) -> None:
    how: dict[str, Any] = {"kernel": (2,), "stride": (1,), "padding": ((0, 0),), "dilation": (1,)}
    with pytest.raises(ValueError, match="expected kernel, stride and dilation of at least 1"):
        xp.windows(np.zeros((1, 4, 1)), **(how | wrong))


@pytest.mark.parametrize(
    ("channels", "kernel", "groups"),
    [
        (4, (2, 4), 1),
        (3, (1, 4), 2),
        (4, (2, 3), 2),
        (4, (1, 4), 2),
        (4, (4, 4), 2),
        (4, (4, 4), 0),
    ],
)
def test_channels_that_do_not_fit_are_refused(
    channels: int, kernel: tuple[int, int], groups: int
) -> None:
    """NumPy would broadcast some of them to a wrong result."""
    how: dict[str, Any] = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,), "groups": groups}
    with pytest.raises(ValueError, match=r"channels .*got"):
        xp.conv(np.zeros((1, 5, channels)), np.zeros((3, *kernel)), **how)


def test_a_kernel_that_does_not_fit() -> None:
    how: dict[str, Any] = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,)}
    with pytest.raises(ValueError, match="negative"):
        xp.conv(np.zeros((1, 2, 1)), np.zeros((4, 1, 1)), **how)
    assert xp.conv(np.zeros((1, 2, 1)), np.zeros((3, 1, 1)), **how).shape == (1, 0, 1)
    assert xp.conv_input(np.zeros((1, 0, 1)), np.zeros((3, 1, 1)), size=(2,), **how).shape == (
        1,
        2,
        1,
    )
    found = xp.conv_kernel(np.zeros((1, 2, 1)), np.zeros((1, 0, 1)), kernel=(3,), **how)
    np.testing.assert_array_equal(found, np.zeros((3, 1, 1)))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_element_that_is_not_finite_is_found(dtype: Any, bad: float) -> None:
    array = np.ones((3, 500), dtype)
    assert arrays.all_finite(array)
    array[1, 77] = bad
    assert not arrays.all_finite(array)
    array[2, 5] = -bad  # infinities of both signs, whose sum is no number
    assert not arrays.all_finite(array)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_sum_that_is_too_large_is_no_infinity(dtype: Any) -> None:
    assert arrays.all_finite(np.full(10, np.finfo(dtype).max, dtype))


def test_whole_numbers_and_nothing_at_all_are_finite() -> None:
    assert arrays.all_finite(np.arange(5))
    assert arrays.all_finite(np.empty((0, 3)))
