"""One-hot rows and the Standardizer, the latter against scikit-learn's StandardScaler."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from pellucid.data import Standardizer, one_hot


@given(
    labels=hnp.arrays(
        st.sampled_from([np.int64, np.uint8, np.int32]),
        hnp.array_shapes(min_dims=0, max_dims=3),
        elements=st.integers(0, 12),
    ),
    spare=st.one_of(st.none(), st.integers(0, 4)),
)
def test_argmax_undoes_one_hot(labels: NDArray[Any], spare: int | None) -> None:
    wanted = int(labels.max()) + 1 + (spare or 0)
    rows = one_hot(labels, None if spare is None else wanted)
    assert rows.dtype == np.float32
    assert rows.shape == (*labels.shape, wanted)
    np.testing.assert_array_equal(rows.argmax(axis=-1), labels)
    np.testing.assert_array_equal(rows.sum(axis=-1), 1)
    assert np.count_nonzero(rows) == labels.size


def test_no_labels_need_the_number_of_classes() -> None:
    assert one_hot([], 3).shape == (0, 3)
    with pytest.raises(ValueError, match="expected at least one, got none; pass classes"):
        one_hot([])


@pytest.mark.parametrize(
    ("labels", "classes", "error", "message"),
    [
        ([0, 3], 3, ValueError, r"in 0\.\.2, got 0\.\.3"),
        ([-1, 0], None, ValueError, r"in 0\.\.0, got -1\.\.0"),
        ([-2, -1], None, ValueError, r"got -2\.\.-1"),
        ([0.0, 1.0], None, TypeError, "labels: expected integers, got float64"),
        (["a"], None, TypeError, "labels: expected integers, got <U1"),
        ([0], 0, ValueError, "classes: expected an integer of at least 1, got 0"),
        ([0], 2.0, TypeError, "classes: expected an integer .* got 2.0"),
    ],
)
def test_one_hot_refuses(labels: Any, classes: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        one_hot(labels, classes)


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 30), st.integers(1, 5)),
        elements=st.integers(-1000, 1000).map(lambda value: value / 8),
    )
)
def test_it_does_what_scikit_learn_does(x: NDArray[np.float32]) -> None:
    scaler = pytest.importorskip("sklearn.preprocessing").StandardScaler()
    expected = scaler.fit_transform(x.astype(np.float64))
    ours = Standardizer()
    z = ours.fit_transform(x)
    assert z.dtype == np.float32
    assert ours.mean_.dtype == ours.scale_.dtype == np.float64
    np.testing.assert_allclose(ours.mean_, scaler.mean_, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(ours.scale_, scaler.scale_, rtol=1e-12)
    np.testing.assert_allclose(z, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(ours.inverse_transform(z), x, rtol=1e-5, atol=1e-4)


def test_fit_returns_self_and_transform_uses_the_fitted_rows() -> None:
    scaler = Standardizer()
    assert scaler.fit([[0.0, 5.0], [2.0, 5.0]]) is scaler
    np.testing.assert_array_equal(scaler.transform([[3.0, 6.0]]), [[2.0, 1.0]])
    assert scaler.transform(np.empty((0, 2))).shape == (0, 2)


def test_sums_are_taken_in_float64() -> None:
    x = (1e4 + np.random.default_rng(0).normal(size=(200_000, 1))).astype(np.float32)
    scaler = Standardizer().fit(x)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(scaler.mean_, exact.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(scaler.scale_, exact.std(axis=0), rtol=1e-9)
    assert abs(scaler.transform(x).mean(dtype=np.float64)) < 1e-6


@pytest.mark.parametrize("value", [0.1, 1e-30, -123456.7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_feature_becomes_zero(value: float, dtype: Any) -> None:
    x = np.full((7, 1), value, dtype)
    scaler = Standardizer()
    np.testing.assert_allclose(scaler.fit_transform(x), 0.0, atol=1e-9)
    np.testing.assert_array_equal(scaler.scale_, [1.0])


def test_a_spread_too_small_to_square_counts_as_constant() -> None:
    z = Standardizer().fit_transform(np.array([[0.0], [1e-200]]))
    assert np.isfinite(z).all()


def test_x_is_left_alone_and_may_be_of_integers_or_images() -> None:
    x = np.arange(24).reshape(3, 2, 2, 2)
    kept = x.copy()
    scaler = Standardizer()
    z = scaler.fit_transform(x)
    np.testing.assert_array_equal(x, kept)
    assert z.dtype == np.float32
    assert (z.shape, scaler.mean_.shape) == (x.shape, (2, 2, 2))
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-6)


@pytest.mark.parametrize("method", ["transform", "inverse_transform"])
def test_it_must_be_fitted_first(method: str) -> None:
    with pytest.raises(ValueError, match=r"expected a fitted one, .* call fit first"):
        getattr(Standardizer(), method)([[1.0]])


@pytest.mark.parametrize("method", ["transform", "inverse_transform"])
@pytest.mark.parametrize("x", [[[1.0]], [[1.0, 2.0, 3.0]], [1.0, 2.0], 1.0])
def test_other_features_are_refused(method: str, x: Any) -> None:
    scaler = Standardizer().fit([[1.0, 2.0]])
    with pytest.raises(ValueError, match=r"shape \(N, 2\), got \("):
        getattr(scaler, method)(x)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([1.0, 2.0], ValueError, r"got \(2,\); for a single feature pass x\[:, None\]"),
        (np.empty((0, 2)), ValueError, "at least one row"),
        ([["a"]], TypeError, "expected real numbers, got <U1"),
        ([[1.0], [np.nan]], ValueError, "expected finite float32 numbers, got values from nan"),
        ([[1.0], [np.inf]], ValueError, "got values from 1.0 to inf"),
        ([[1e300], [1.0]], ValueError, "got values from 1.0 to 1e\\+300"),
    ],
)
def test_fit_refuses(x: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Standardizer().fit(x)
