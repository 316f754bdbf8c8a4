"""split: disjoint, exhaustive, of the sizes asked for, in proportion by class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pellucid.data import Dataset, blobs, sine, split, split_indices
from pellucid.data.splitting import SplitIndices

sizes = st.one_of(st.floats(0.01, 0.6), st.integers(1, 40))


def rows_of(size: float, n: int) -> int:
    return size if isinstance(size, int) else round(size * n)


def check_parts(parts: SplitIndices, n: int, test: float, validation: float) -> None:
    assert all(part.dtype == np.int64 for part in parts)
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    assert len(parts.test) == rows_of(test, n)
    assert len(parts.validation) == rows_of(validation, n)


def feasible(n: int, test: float, validation: float) -> bool:
    test_rows, validation_rows = rows_of(test, n), rows_of(validation, n)
    return (
        test_rows > 0
        and (validation_rows > 0) == (validation > 0)
        and (test_rows + validation_rows < n)
    )


@given(
    n=st.integers(2, 200),
    test=sizes,
    validation=st.one_of(st.just(0), sizes),
    seed=st.integers(0, 99),
)
def test_parts_are_disjoint_and_exhaustive(
    n: int, test: float, validation: float, seed: int
) -> None:
    assume(feasible(n, test, validation))
    parts = split_indices(n, test=test, validation=validation, seed=seed)
    check_parts(parts, n, test, validation)
    again = split_indices(n, test=test, validation=validation, seed=np.random.default_rng(seed))
    for part, same in zip(parts, again, strict=True):
        np.testing.assert_array_equal(part, same)


@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    test=sizes,
    validation=st.one_of(st.just(0), sizes),
    seed=st.integers(0, 99),
)
def test_every_class_is_within_one_row_of_its_share_of_every_part(
    counts: list[int], test: float, validation: float, seed: int
) -> None:
    n = sum(counts)
    assume(n >= 2)
    assume(feasible(n, test, validation))
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    parts = split_indices(n, test=test, validation=validation, labels=labels, seed=seed)
    check_parts(parts, n, test, validation)
    for part in parts:
        got = np.bincount(labels[part], minlength=len(counts))
        share = np.array(counts) * len(part) / n
        assert np.all(np.abs(got - share) < 1 - 1e-9)


def test_shares_that_rounding_part_by_part_gets_wrong() -> None:
    """Rounding the test part alone, then validation, leaves training more than a row off."""
    counts = [5, 5, 5, 5, 4, 4, 4, 4, 3, 3]
    labels = np.repeat(np.arange(10), counts)
    for test, validation in [(14, 14), (4, 21), (21, 4), (1, 1)]:
        parts = split_indices(42, test=test, validation=validation, labels=labels, seed=0)
        for part in parts:
            got = np.bincount(labels[part], minlength=10)
            assert np.all(np.abs(got - np.array(counts) * len(part) / 42) < 1)


@given(counts=st.lists(st.integers(1, 40), min_size=2, max_size=12), data=st.data())
def test_two_parts_follow_the_largest_remainders(counts: list[int], data: st.DataObject) -> None:
    n = sum(counts)
    test = data.draw(st.integers(1, n - 1))
    labels = np.repeat(np.arange(len(counts)), counts)
    part = split_indices(n, test=test, labels=labels, seed=0).test
    got = np.bincount(labels[part], minlength=len(counts))
    remainder = np.array(counts) * test % n
    up = got > np.array(counts) * test // n
    assert remainder[up].min(initial=n) >= remainder[~up].max(initial=0)


def test_labels_may_be_text() -> None:
    labels = np.array(["b", "a"] * 10)
    part = split_indices(20, test=0.5, labels=labels, seed=0).test
    assert sorted(labels[part]) == ["a"] * 5 + ["b"] * 5


@pytest.mark.parametrize("labels", [None, np.repeat([0, 1], 50)])
def test_rows_are_shuffled(labels: Any) -> None:
    parts = split_indices(100, test=0.3, validation=0.3, labels=labels, seed=0)
    for part in parts:
        assert part.tolist() != sorted(part.tolist())
        if labels is not None:
            assert labels[part].tolist() != sorted(labels[part].tolist())
    other = split_indices(100, test=0.3, validation=0.3, labels=labels, seed=1)
    assert set(parts.test) != set(other.test)


def test_every_row_has_the_same_chance() -> None:
    labels = np.arange(10) % 2
    rng = np.random.default_rng(0)
    for given_labels in (None, labels):
        hits = np.zeros(10)
        for _ in range(2000):
            hits[split_indices(10, test=4, labels=given_labels, seed=rng).test] += 1
        np.testing.assert_allclose(hits / 2000, 0.4, atol=0.05)


def test_a_dataset_is_split_with_its_names() -> None:
    dataset = blobs(90, seed=0)
    parts = split(dataset, test=0.2, validation=9, seed=0)
    assert parts.validation is not None
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [63, 9, 18]
    rows = np.concatenate([parts.train.x, parts.validation.x, parts.test.x])
    assert {tuple(row) for row in rows} == {tuple(row) for row in dataset.x}
    assert parts.test.class_names == dataset.class_names
    for part in (parts.train, parts.validation, parts.test):
        np.testing.assert_array_equal(np.bincount(part.y), [len(part) // 3] * 3)


def test_no_validation_is_none() -> None:
    train, validation, test = split(sine(10), seed=0)
    assert validation is None
    assert (len(train), len(test)) == (8, 2)


def with_counts(*counts: int) -> Dataset:
    y = np.repeat(np.arange(len(counts)), counts)
    return Dataset(
        "toy", np.arange(len(y), dtype=np.float32)[:, None], y, tuple("abcdef"[: len(counts)])
    )


def test_stratifying_is_the_default_where_classes_have_the_rows() -> None:
    dataset = with_counts(50, 0, 50)  # a class without rows does not count
    for seed in range(5):
        np.testing.assert_array_equal(
            np.bincount(split(dataset, test=10, seed=seed).test.y), [5, 0, 5]
        )
    spread = {
        int((split(dataset, test=10, stratify=False, seed=s).test.y == 0).sum()) for s in range(9)
    }
    assert len(spread) > 1


def test_a_rare_class_turns_the_default_off_and_stratify_true_down() -> None:
    dataset = with_counts(97, 2, 1)
    spread = {int((split(dataset, test=50, seed=seed).test.y == 1).sum()) for seed in range(20)}
    assert spread == {0, 1, 2}
    with pytest.raises(ValueError, match=r"at least 2 rows of each class .* got 1 of class 'c'"):
        split(dataset, stratify=True)
    with pytest.raises(ValueError, match=r"at least 3 rows of each class .* got 2 of class 'b'"):
        split(with_counts(97, 2), validation=0.1, stratify=True)


def test_regression_has_nothing_to_stratify_by() -> None:
    with pytest.raises(ValueError, match="sine: expected classes to stratify by, got a regression"):
        split(sine(10), stratify=True)


@pytest.mark.parametrize(
    ("given_sizes", "error", "message"),
    [
        ({"test": 0.0}, ValueError, r"test: expected a fraction in \(0, 1\) .* 1\.\.9, got 0.0"),
        ({"test": 0}, ValueError, "test: .* got 0, which would leave a part of 10 rows empty"),
        ({"test": 0.01}, ValueError, "test: .* got 0.01, which would leave"),
        ({"test": 1.0}, ValueError, "test: .* got 1.0"),
        ({"test": 10}, ValueError, "test: .* got 10"),
        ({"test": -1}, ValueError, "test: .* got -1"),
        ({"test": -0.5}, ValueError, "test: .* got -0.5"),
        ({"test": float("nan")}, ValueError, "test: .* got nan"),
        ({"test": 0.99}, ValueError, "test: .* got 0.99"),
        ({"test": True}, TypeError, "test: .* got True"),
        ({"test": "half"}, TypeError, "test: .* got 'half'"),
        ({"validation": 0.01}, ValueError, "validation: .* got 0.01"),
        ({"validation": -2}, ValueError, "validation: .* got -2"),
        ({"test": 0.5, "validation": 0.5}, ValueError, r"leave rows for training, got 5 \+ 5 of"),
        ({"test": 6, "validation": 6}, ValueError, r"got 6 \+ 6 of 10 rows"),
    ],
)
def test_sizes_that_leave_a_part_empty(
    given_sizes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        split_indices(10, **given_sizes)
    with pytest.raises(error, match=message):
        split(sine(10), **given_sizes)


def test_other_arguments_that_are_refused() -> None:
    with pytest.raises(ValueError, match="n: expected an integer of at least 2, got 1"):
        split_indices(1)
    with pytest.raises(ValueError, match=r"labels: expected shape \(10,\), .* got \(9,\)"):
        split_indices(10, labels=np.zeros(9, int))


@pytest.mark.parametrize("rows", [np.zeros((9, 2)), (np.zeros((9, 2)), np.zeros(9, int)), None])
def test_arrays_are_to_be_made_a_dataset_first(rows: Any) -> None:
    with pytest.raises(TypeError, match=r"a Dataset, got .*; .*Dataset\(.*split_indices\("):
        split(rows)
