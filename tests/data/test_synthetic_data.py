"""Synthetic datasets: their geometry, against scikit-learn where it has the same construction."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np
import pytest

from pellucid.data import Dataset, blobs, circles, moons, sine, spiral, xor

ALL = [moons, circles, blobs, spiral, xor, sine]
NOISY: list[Callable[..., Dataset]] = [
    lambda seed: moons(noise=0.2, seed=seed),
    lambda seed: circles(noise=0.2, seed=seed),
    lambda seed: blobs(seed=seed),
    lambda seed: spiral(seed=seed),
    lambda seed: xor(40, noise=0.1, seed=seed),
    lambda seed: sine(noise=0.1, seed=seed),
]


def row_set(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The labelled rows in an order of their own, rounded so that ties fall alike."""
    rows = np.column_stack([y, np.round(x.astype(np.float64), 5) + 0.0])
    return rows[np.lexsort(rows.T[::-1])]


@pytest.mark.parametrize("make", NOISY)
def test_equal_seeds_give_equal_rows(make: Callable[..., Dataset]) -> None:
    first, again, other = make(3), make(np.random.default_rng(3)), make(4)
    np.testing.assert_array_equal(first.x, again.x)
    np.testing.assert_array_equal(first.y, again.y)
    assert not (np.array_equal(first.x, other.x) and np.array_equal(first.y, other.y))


@pytest.mark.parametrize("make", ALL)
def test_the_global_generator_is_left_alone(make: Callable[..., Dataset]) -> None:
    before = np.random.get_state(legacy=False)  # noqa: NPY002
    make()
    after = np.random.get_state(legacy=False)  # noqa: NPY002
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    np.testing.assert_array_equal(before["state"]["key"], after["state"]["key"])
    assert before["state"]["pos"] == after["state"]["pos"]


@pytest.mark.parametrize("make", ALL)
def test_dtypes(make: Callable[..., Dataset]) -> None:
    dataset = make(seed=0)
    assert dataset.name == make.__name__
    assert dataset.x.dtype == np.float32
    assert dataset.y.dtype == (np.float32 if dataset.task == "regression" else np.int64)
    assert len(dataset.feature_names) == dataset.x.shape[1]


@pytest.mark.parametrize("samples", [2, 5, 100])
def test_moons_lie_where_scikit_learn_puts_them(samples: int) -> None:
    make_moons = pytest.importorskip("sklearn.datasets").make_moons
    ours = moons(samples, noise=0.0)
    x, y = make_moons(samples, shuffle=False)
    np.testing.assert_allclose(row_set(ours.x, ours.y), row_set(x, y), atol=2e-5)


@pytest.mark.parametrize(("samples", "factor"), [(2, 0.0), (7, 0.3), (100, 0.8)])
def test_circles_lie_where_scikit_learn_puts_them(samples: int, factor: float) -> None:
    make_circles = pytest.importorskip("sklearn.datasets").make_circles
    ours = circles(samples, noise=0.0, factor=factor)
    x, y = make_circles(samples, shuffle=False, factor=factor)
    np.testing.assert_allclose(row_set(ours.x, ours.y), row_set(x, y), atol=2e-5)


def test_noise_is_the_standard_deviation() -> None:
    for make in (moons, circles):
        error = make(20_000, noise=0.25, seed=0).x - make(20_000, noise=0.0).x
        np.testing.assert_allclose(error.std(axis=0), 0.25, rtol=0.03)
        np.testing.assert_allclose(error.mean(axis=0), 0.0, atol=0.01)


def test_blobs_are_round_clouds_of_equal_size() -> None:
    dataset = blobs(9_001, centers=3, features=4, spread=0.5, seed=1)
    assert dataset.x.shape == (9_001, 4)
    np.testing.assert_array_equal(np.bincount(dataset.y), [3_001, 3_000, 3_000])
    clouds = [dataset.x[dataset.y == k] for k in range(3)]
    for cloud in clouds:
        np.testing.assert_allclose(np.cov(cloud.T), 0.25 * np.eye(4), atol=0.02)
    middles = np.array([cloud.mean(axis=0) for cloud in clouds])
    assert np.abs(middles).max() < 10.1
    assert np.ptp(middles, axis=0).min() > 0.1


def test_blobs_come_class_by_class() -> None:
    np.testing.assert_array_equal(blobs(11, centers=4).y, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3])


def test_blobs_without_spread_are_their_centres() -> None:
    dataset = blobs(10, centers=5, spread=0.0, seed=0)
    assert len(np.unique(dataset.x, axis=0)) == 5


def test_spiral_is_the_construction_of_cs231n() -> None:
    dataset = spiral(50, arms=3, noise=0.0)
    for arm in range(3):
        radius = np.linspace(0.0, 1, 50)
        angle = np.linspace(arm * 4, (arm + 1) * 4, 50)
        expected = np.c_[radius * np.sin(angle), radius * np.cos(angle)]
        np.testing.assert_allclose(dataset.x[dataset.y == arm], expected, atol=1e-6)


def test_spiral_noise_moves_along_the_circle() -> None:
    exact, noisy = spiral(100, noise=0.0), spiral(100, noise=0.3, seed=0)
    np.testing.assert_allclose(
        np.linalg.norm(noisy.x, axis=1), np.linalg.norm(exact.x, axis=1), atol=1e-6
    )
    assert np.abs(noisy.x - exact.x).max() > 0.1


def test_eleven_arms_are_apart() -> None:
    ends = spiral(2, arms=11, noise=0.0).x[1::2]
    distances = np.linalg.norm(ends[:, None] - ends[None], axis=2) + 9 * np.eye(11)
    assert distances.min() > 0.5


def test_xor_is_the_truth_table() -> None:
    dataset = xor()
    np.testing.assert_array_equal(dataset.x, [[0, 0], [0, 1], [1, 0], [1, 1]])
    np.testing.assert_array_equal(dataset.y, [0, 1, 1, 0])


def test_more_of_xor_is_noisy_copies() -> None:
    dataset = xor(401, noise=0.05, seed=0)
    corner = np.round(dataset.x).astype(int)
    np.testing.assert_array_equal(dataset.y, corner[:, 0] ^ corner[:, 1])
    np.testing.assert_array_equal(corner[:4], xor().x)
    assert dataset.x.std(axis=0).min() > 0.5
    assert not np.array_equal(dataset.x, corner)


def test_sine() -> None:
    dataset = sine(101)
    assert dataset.x.shape == dataset.y.shape == (101, 1)
    np.testing.assert_allclose(dataset.x[[0, 50, 100], 0], [-np.pi, 0, np.pi], atol=1e-6)
    np.testing.assert_allclose(dataset.y, np.sin(dataset.x), atol=1e-6)
    error = sine(10_000, noise=0.5, seed=0).y - sine(10_000).y
    assert 0.48 < error.std() < 0.52


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: moons(1), ValueError, "samples: expected an integer of at least 2, got 1"),
        (partial(moons, cast(Any, 10.0)), TypeError, "samples: expected an integer .* got 10.0"),
        (lambda: moons(True), TypeError, "samples: expected an integer .* got True"),
        (lambda: moons(noise=-0.1), ValueError, "noise: expected a finite number .* got -0.1"),
        (lambda: moons(noise=float("nan")), ValueError, "noise: .* got nan"),
        (lambda: moons(noise=float("inf")), ValueError, "noise: .* got inf"),
        (partial(moons, noise=cast(Any, "little")), TypeError, "noise: .* got 'little'"),
        (lambda: circles(0), ValueError, "samples: .* got 0"),
        (lambda: circles(factor=1.0), ValueError, r"factor: expected a number in \[0, 1.0\)"),
        (lambda: blobs(2, centers=3), ValueError, "samples: .* at least 3, got 2"),
        (lambda: blobs(centers=0), ValueError, "centers: .* got 0"),
        (lambda: blobs(features=0), ValueError, "features: .* got 0"),
        (lambda: blobs(spread=-1), ValueError, "spread: .* got -1"),
        (lambda: spiral(0), ValueError, "samples_per_arm: .* got 0"),
        (lambda: spiral(arms=0), ValueError, "arms: .* got 0"),
        (lambda: spiral(arms=12), ValueError, "arms: expected at most 11, got 12"),
        (lambda: spiral(noise=-1), ValueError, "noise: .* got -1"),
        (lambda: xor(3), ValueError, "samples: .* at least 4, got 3"),
        (lambda: xor(noise=-1), ValueError, "noise: .* got -1"),
        (lambda: sine(1), ValueError, "samples: .* at least 2, got 1"),
        (lambda: sine(noise=-1), ValueError, "noise: .* got -1"),
    ],
)
def test_arguments_are_checked(
    call: Callable[[], Dataset], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()
