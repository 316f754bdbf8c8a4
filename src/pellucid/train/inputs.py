"""Examples and targets as training takes them, checked before any work is done."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.arrays import Array, DType, Shape
from pellucid.autograd import Tensor
from pellucid.nn import Loss


def examples(x: Any, dtype: DType, name: str = "x") -> Array:
    """Return x as an array of at least one example; floating point in the network's dtype.

    Raises:
        TypeError: it holds something else than numbers.
        ValueError: it is empty, has no axis of examples, or holds NaN or infinity.
    """
    array = _numbers(x, name)
    if array.ndim < 2:
        raise ValueError(
            f"{name}: expected examples of shape (N, ...), got {array.shape}; pass one example as "
            f"a row, {name}.reshape(1, -1), or one feature as a column, {name}.reshape(-1, 1)"
        )
    if array.size == 0:
        raise ValueError(
            f"{name}: expected at least one example and one feature, got {array.shape}"
        )
    finite(array, name)
    return array.astype(dtype, copy=False) if array.dtype.kind == "f" else array


def targets(y: Any, loss: Loss, output: Shape, rows: int, dtype: DType, name: str = "y") -> Array:
    """Return y as the loss takes it for outputs of shape ``(rows, *output)``.

    Whole numbers become integer labels for a classification loss and floating point for the others;
    a target ``(N,)`` for a network with one output becomes ``(N, 1)``.

    Raises:
        TypeError: it holds something else than numbers.
        ValueError: its length, shape or range does not fit, or it holds NaN or infinity.
    """
    array = _numbers(y, name)
    if array.ndim == 0 or len(array) != rows:
        got = "a single number" if array.ndim == 0 else f"{len(array)}"
        raise ValueError(
            f"{name}: expected one target for each of the {rows} examples, got {got}; x and y must "
            "have the same length"
        )
    finite(array, name)
    if loss.task == "classification" and array.shape[1:] != output:
        if array.shape == (rows, 1) and len(output) == 1:
            array = array[:, 0]
        whole = array.astype(np.int64)
        if array.dtype.kind == "f" and np.array_equal(whole, array):
            array = whole
    else:
        if array.shape == (rows,) and output == (1,):
            array = array[:, None]
        array = array.astype(dtype, copy=False)
    loss.check((rows, *output), array)
    return array


def finite(array: Array, name: str) -> None:
    """Refuse NaN and infinity, saying where the first one is.

    Raises:
        ValueError: there is one.
    """
    if array.dtype.kind != "f" or np.isfinite(np.sum(array, dtype=np.float64)):
        return
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        place = tuple(int(i) for i in bad[0])
        raise ValueError(
            f"{name}: expected finite numbers, got {array[place]} at {place}, {len(bad)} such in "
            "all; drop those rows or fill them in before training"
        )


def _numbers(data: Any, name: str) -> Array:
    try:
        array = np.asarray(data.data if isinstance(data, Tensor) else data)
    except ValueError as error:
        raise ValueError(
            f"{name}: expected rows of equal length, got uneven ones ({error})"
        ) from None
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{name}: expected numbers, got {array.dtype} data; convert text to numbers first, "
            "class names for example with np.unique(names, return_inverse=True)[1]"
        )
    return array
