"""Batches: each row once an epoch, in step with its answer, and errors at the call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.data import batch_indices, batches


@given(
    n=st.integers(1, 100),
    batch_size=st.integers(1, 120),
    shuffle=st.booleans(),
    seed=st.integers(0, 99),
)
def test_each_row_is_in_exactly_one_batch(
    n: int, batch_size: int, shuffle: bool, seed: int
) -> None:
    x = np.arange(3 * n).reshape(n, 3)
    y = np.arange(n)
    got = list(batches(x, y, batch_size=batch_size, shuffle=shuffle, seed=seed))
    assert [len(xb) for xb, _ in got[:-1]] == [batch_size] * (len(got) - 1)
    assert 1 <= len(got[-1][0]) <= batch_size
    rows = np.concatenate([yb for _, yb in got])
    np.testing.assert_array_equal(np.sort(rows), y)
    np.testing.assert_array_equal(np.concatenate([xb for xb, _ in got]), x[rows])
    if not shuffle:
        np.testing.assert_array_equal(rows, y)


@given(n=st.integers(1, 60), batch_size=st.integers(1, 60), shuffle=st.booleans())
def test_drop_last_leaves_only_whole_batches(n: int, batch_size: int, shuffle: bool) -> None:
    if batch_size > n:
        with pytest.raises(ValueError, match=f"at most the {n} rows there are, got {batch_size}"):
            batches(np.arange(n), batch_size=batch_size, shuffle=shuffle, drop_last=True)
        return
    got = list(batches(np.arange(n), batch_size=batch_size, shuffle=shuffle, drop_last=True))
    assert [len(xb) for xb in got] == [batch_size] * (n // batch_size)
    assert len(np.unique(np.concatenate(got))) == batch_size * (n // batch_size)


def test_x_alone() -> None:
    (batch,) = batches([[1, 2], [3, 4]], shuffle=False)
    np.testing.assert_array_equal(batch, [[1, 2], [3, 4]])


def test_a_batch_larger_than_the_set_holds_all_of_it() -> None:
    (batch,) = batches(np.arange(5), batch_size=32, seed=0)
    np.testing.assert_array_equal(np.sort(batch), np.arange(5))


def test_in_order_batches_are_views_and_shuffled_ones_copies() -> None:
    x = np.zeros((10, 2), np.float32)
    for batch in batches(x, batch_size=4, shuffle=False):
        assert np.shares_memory(batch, x)
        assert batch.dtype == np.float32
    for batch in batches(x, batch_size=4, seed=0):
        assert not np.shares_memory(batch, x)
        assert batch.dtype == np.float32


def order(seed: Any) -> list[int]:
    return [int(row) for batch in batches(np.arange(50), batch_size=7, seed=seed) for row in batch]


def test_seeds_and_generators() -> None:
    assert order(1) == order(1) == order(np.random.default_rng(1))
    assert order(1) != order(2)
    assert order(1) == np.random.default_rng(1).permutation(50).tolist()
    rng = np.random.default_rng(1)
    assert order(rng) != order(rng)


def test_the_order_is_drawn_at_the_call() -> None:
    rng = np.random.default_rng(0)
    first, second = batch_indices(9, 9, rng), batch_indices(9, 9, rng)
    late, early = np.array(next(second)), np.array(next(first))
    expected = np.random.default_rng(0)
    np.testing.assert_array_equal(early, expected.permutation(9))
    np.testing.assert_array_equal(late, expected.permutation(9))


def test_indices_in_order_are_slices() -> None:
    assert list(batch_indices(5, 2)) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert list(batch_indices(5, 2, drop_last=True)) == [slice(0, 2), slice(2, 4)]
    assert list(batch_indices(4, 2, drop_last=True)) == [slice(0, 2), slice(2, 4)]


@pytest.mark.parametrize(
    ("args", "kwargs", "error", "message"),
    [
        (([],), {}, ValueError, r"x: expected at least one row, got shape \(0,\)"),
        ((3.0,), {}, ValueError, r"x: expected at least one row, got shape \(\)"),
        (([1, 2], [1]), {}, ValueError, r"got x of shape \(2,\) and y of shape \(1,\)"),
        (([1, 2], 1), {}, ValueError, r"and y of shape \(\)"),
        (([1, 2],), {"batch_size": 0}, ValueError, "batch_size: .* at least 1, got 0"),
        (([1, 2],), {"batch_size": -1}, ValueError, "batch_size: .* got -1"),
        (([1, 2],), {"batch_size": 1.0}, TypeError, "batch_size: .* got 1.0"),
        (([1, 2],), {"batch_size": True}, TypeError, "batch_size: .* got True"),
    ],
)
def test_errors_come_at_the_call(
    args: tuple[Any, ...], kwargs: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        batches(*args, **kwargs)  # not iterated


def test_indices_check_their_arguments_at_the_call() -> None:
    with pytest.raises(ValueError, match="n: expected an integer of at least 1, got 0"):
        batch_indices(0, 1)
    with pytest.raises(ValueError, match=r"batch_size: .* got 0"):
        batch_indices(1, 0)
