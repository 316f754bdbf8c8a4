"""Putting features on one scale, and labels into one-hot rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.calls import Helpful, helpful
from pellucid.data.arguments import whole

_LARGEST = float(np.finfo(np.float32).max)


@helpful
def one_hot(labels: ArrayLike, classes: int | None = None) -> NDArray[np.float32]:
    """Return rows e_y that are 1 at their label and 0 elsewhere; argmax undoes it.

    Args:
        labels: Integers in 0..classes-1, any shape (...).
        classes: Length of a row; None takes the largest label plus one.

    Returns:
        float32 (..., classes).

    Raises:
        TypeError: `labels` is not of integers, or `classes` is no integer.
        ValueError: A label is outside 0..classes-1, or there are no labels to count classes by.

    >>> from pellucid import data
    >>> data.one_hot([2, 0], classes=3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    index = np.asarray(labels)
    if index.dtype.kind not in "iu" and index.size:
        raise TypeError(f"labels: expected integers, got {index.dtype}; number the classes from 0")
    if classes is None:
        if index.size == 0:
            raise ValueError("labels: expected at least one, got none; pass classes")
        classes = int(index.max()) + 1
    else:
        classes = whole(classes, "classes")
    if index.size and (index.min() < 0 or index.max() >= classes):
        raise ValueError(
            f"labels: expected integers in 0..{classes - 1}, got {index.min()}..{index.max()}; "
            "number the classes from 0 or pass a larger classes"
        )
    rows = np.zeros((*index.shape, classes), dtype=np.float32)
    np.put_along_axis(rows, index.astype(np.intp)[..., None], 1.0, axis=-1)
    return rows


class Standardizer(Helpful):
    """Shift and scale each feature to mean 0 and variance 1: z = (x - mean_) / scale_.

    Fit on the training rows alone, then transform the others with the same numbers. Sums are
    taken in float64 and results given in float32. A constant feature has scale 1, and so
    becomes 0.

    Attributes:
        mean_: Mean of each feature over the rows, float64 (...) for rows of shape (...).
        scale_: Standard deviation of each feature, divided by N rather than N - 1, likewise.

    Source: the manners and the formula are those of scikit-learn's `StandardScaler`.

    >>> from pellucid import data
    >>> scaler = data.Standardizer().fit([[1.0, 10.0], [3.0, 30.0]])
    >>> scaler.mean_.tolist(), scaler.scale_.tolist()
    ([2.0, 20.0], [1.0, 10.0])
    >>> scaler.transform([[2.0, 40.0]]).tolist()
    [[0.0, 2.0]]
    """

    mean_: NDArray[np.float64]
    scale_: NDArray[np.float64]

    def fit(self, x: ArrayLike) -> Standardizer:
        """Learn mean and scale from the rows of x (N, ...); return self.

        Raises:
            TypeError: `x` does not hold real numbers.
            ValueError: `x` has no rows or no feature axis, or a value is not finite.
        """
        rows = _real_rows(x)
        if rows.ndim < 2 or rows.size == 0:
            raise ValueError(
                f"x: expected at least one row and one feature, shape (N, ...), got {rows.shape}; "
                "for a single feature pass x[:, None]"
            )
        low, high = rows.min(axis=0), rows.max(axis=0)
        if not ((low >= -_LARGEST).all() and (high <= _LARGEST).all()):  # also false for NaN
            raise ValueError(
                f"x: expected finite float32 numbers, got values from {low.min()} to {high.max()}; "
                "fill in or drop such rows"
            )
        self.mean_ = rows.mean(axis=0, dtype=np.float64)
        deviation = rows.std(axis=0, dtype=np.float64)
        # The range tells a constant exactly; rounding can leave its deviation just above 0.
        self.scale_ = np.where((low == high) | (deviation == 0.0), 1.0, deviation)
        return self

    def transform(self, x: ArrayLike) -> NDArray[np.float32]:
        """Return (x - mean_) / scale_, float32 of the shape of x.

        Raises:
            TypeError: `x` does not hold real numbers.
            ValueError: `fit` was not called, or on rows of another shape.
        """
        rows = self._checked(x)
        z = np.empty(rows.shape, dtype=np.float32)
        # Computed in float64, buffer by buffer, and rounded into z: no float64 copy of x.
        np.subtract(rows, self.mean_, out=z, dtype=np.float64, casting="same_kind")
        return np.divide(z, self.scale_, out=z, dtype=np.float64, casting="same_kind")

    def fit_transform(self, x: ArrayLike) -> NDArray[np.float32]:
        """Return `fit(x).transform(x)`."""
        return self.fit(x).transform(x)

    def inverse_transform(self, z: ArrayLike) -> NDArray[np.float32]:
        """Return z scale_ + mean_, the rows that `transform` gave z for, float32.

        Raises:
            TypeError: `z` does not hold real numbers.
            ValueError: `fit` was not called, or on rows of another shape.
        """
        return (self._checked(z) * self.scale_ + self.mean_).astype(np.float32)

    def _checked(self, x: ArrayLike) -> NDArray[Any]:
        """Return x as an array whose rows have the features that were fitted."""
        if not hasattr(self, "mean_"):
            raise ValueError(
                "Standardizer: expected a fitted one, got one without mean_; call fit first"
            )
        rows = _real_rows(x)
        if rows.shape[1:] != self.mean_.shape or rows.ndim == 0:
            raise ValueError(
                f"x: expected the features it was fitted on, shape (N, "
                f"{', '.join(map(str, self.mean_.shape))}), got {rows.shape}; "
                "pass the same columns, or fit again"
            )
        return rows


def _real_rows(x: ArrayLike) -> NDArray[Any]:
    rows = np.asarray(x)
    if rows.dtype.kind not in "fiub":
        raise TypeError(f"x: expected real numbers, got {rows.dtype}; encode text as numbers")
    return rows
