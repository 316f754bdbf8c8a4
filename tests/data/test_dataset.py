"""Dataset: what it converts, what it derives, and what it refuses."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from pellucid.data import Dataset

X: Any = np.arange(6.0).reshape(3, 2)  # float64, so that it has to be converted


def labelled(**changes: Any) -> Dataset:
    given: dict[str, Any] = {"name": "toy", "x": X, "y": [0, 2, 1], "class_names": ("a", "b", "c")}
    return Dataset(**(given | changes))


def test_dtypes_are_converted_once() -> None:
    dataset = labelled(y=np.array([0, 2, 1], dtype=np.uint8))
    assert dataset.x.dtype == np.float32
    assert dataset.y.dtype == np.int64
    assert Dataset("toy", X, X[:, :1]).y.dtype == np.float32


def test_arrays_of_the_right_dtype_are_not_copied() -> None:
    x = X.astype(np.float32)
    assert labelled(x=x).x is x


def test_classification() -> None:
    dataset = labelled(feature_names=["p", "q"])
    assert (dataset.task, dataset.classes, len(dataset)) == ("classification", 3, 3)
    assert dataset.feature_names == ("p", "q")
    assert dataset.description == "toy: 3 rows, 2 features, 3 classes"
    assert repr(dataset) == "<Dataset toy: 3 rows, 2 features, 3 classes>"


def test_regression() -> None:
    dataset = Dataset("line", X[:1, :1], X[:1])
    assert (dataset.task, dataset.classes, len(dataset)) == ("regression", 0, 1)
    assert dataset.description == "line: 1 row, 1 feature, 2 targets"


@pytest.mark.parametrize("shape", [(1200, 4), (1200, 2, 2, 1)])
def test_images_are_described_by_their_shape(shape: tuple[int, ...]) -> None:
    dataset = Dataset(
        "dots", np.zeros(shape, np.float32), np.zeros(1200, np.int64), ("only",), image_shape=(2, 2)
    )
    assert dataset.description == "dots: 1,200 rows, 2x2 images, 1 class"


def test_it_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        labelled().name = "other"  # type: ignore[misc]


def test_take_keeps_order_repeats_and_names() -> None:
    part = labelled(feature_names=("p", "q")).take([2, 0, 2])
    np.testing.assert_array_equal(part.x, X[[2, 0, 2]])
    np.testing.assert_array_equal(part.y, [1, 0, 1])
    assert part.class_names == ("a", "b", "c")
    assert part.feature_names == ("p", "q")


@pytest.mark.parametrize(
    ("indices", "error", "message"),
    [
        ([], ValueError, "at least one row index, got none"),
        ([0.0, 1.0], TypeError, "as integers of shape .* got float64"),
        ([True, False, True], TypeError, r"got bool .* numpy.flatnonzero\(mask\)"),
        (1, TypeError, r"of shape \(\)"),
        ([0, 3], IndexError, r"in 0\.\.2, got 0\.\.3"),
        ([-1, 0], IndexError, r"in 0\.\.2, got -1\.\.0"),
    ],
)
def test_take_refuses(indices: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        labelled().take(indices)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"x": X[:2]}, ValueError, "got 2 rows of x and 3 of y"),
        ({"x": X[:, 0]}, ValueError, r"got shape \(3,\); .* x\[:, None\]"),
        ({"x": X[:0], "y": [0]}, ValueError, "at least one row and one feature"),
        ({"x": X[:, :0]}, ValueError, "at least one row and one feature"),
        ({"x": np.full((3, 2), "1")}, TypeError, "toy: x: expected real numbers, got <U1"),
        ({"x": X * 1j}, TypeError, "expected real numbers, got complex128"),
        ({"x": np.where(X == 3, np.nan, X)}, ValueError, r"got nan at \(1, 1\)"),
        ({"x": np.where(X == 4, -np.inf, X)}, ValueError, r"got -inf at \(2, 0\)"),
        ({"x": X * 1e300}, ValueError, r"finite float32 numbers, got inf at \(0, 1\)"),
        ({"y": ["a", "b", "c"]}, TypeError, "toy: y: expected integer labels"),
        ({"y": [[0], [1], [2]]}, ValueError, r"labels of shape \(N,\), got shape \(3, 1\)"),
        ({"y": [0, 1, 3]}, ValueError, r"in 0\.\.2, .* got 0\.\.3"),
        ({"y": [0, -1, 2]}, ValueError, r"in 0\.\.2, .* got -1\.\.2"),
        ({"y": [0.0, 1.0, 2.0]}, ValueError, r"shape \(N, outputs\), got shape \(3,\)"),
        ({"y": X}, ValueError, "expected no class_names with floating y, got 3"),
        ({"y": X * np.nan, "class_names": ()}, ValueError, "toy: y: expected finite"),
        ({"class_names": ()}, ValueError, "expected class_names with integer y, got none"),
        ({"class_names": ("a", "b", "a")}, ValueError, r"distinct names, got \['a'\]"),
        ({"feature_names": ("p", "p")}, ValueError, r"feature_names: .* got \['p'\]"),
        ({"feature_names": ("p",)}, ValueError, r"shape is \(3, 2\), got 1"),
        ({"image_shape": (3, 3)}, ValueError, r"the 2 values of a row, got \(3, 3\)"),
    ],
)
def test_it_refuses(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        labelled(**changes)
