"""Tensors made from numbers, shapes and other tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.arrays import DType, Shape, namespace
from pellucid.autograd.apply import DEFAULT_DTYPE
from pellucid.autograd.tensor import Tensor, apply, as_tensor
from pellucid.ops import random


def asarray(obj: Any, /, *, dtype: DType = None) -> Tensor:
    """Return a tensor: obj itself, in another dtype if one is given, or a constant made from it."""
    if type(obj) is Tensor:
        return obj if dtype in (None, obj.dtype) else obj.astype(dtype)
    return Tensor(obj, dtype=dtype)


def arange(start: int, /, stop: int | None = None, *, dtype: DType = None) -> Tensor:
    """Return the whole numbers from start (0 if it is alone) up to, not including, stop."""
    return Tensor(np.arange(start, stop, dtype=dtype))


def zeros(shape: Shape, *, dtype: DType = None) -> Tensor:
    """Return a constant tensor of zeros, float32 by default."""
    return Tensor(np.zeros(shape, dtype or DEFAULT_DTYPE))


def ones(shape: Shape, *, dtype: DType = None) -> Tensor:
    """Return a constant tensor of ones, float32 by default."""
    return Tensor(np.ones(shape, dtype or DEFAULT_DTYPE))


def zeros_like(x: Any, /) -> Tensor:
    """Return zeros in the shape and dtype of x."""
    data = as_tensor(x).data
    return Tensor(namespace(data).zeros_like(data))


def ones_like(x: Any, /) -> Tensor:
    """Return ones in the shape and dtype of x."""
    data = as_tensor(x).data
    return Tensor(namespace(data).ones_like(data))


def astype(x: Any, dtype: DType, /) -> Tensor:
    """Return x in another dtype."""
    return as_tensor(x).astype(dtype)


def uniform(state: Any, /, *, shape: Shape) -> Tensor:
    """Return float32 numbers in [0, 1) that depend only on two uint32 words (key, counter)."""
    words = as_tensor(state)
    if words.dtype != np.uint32 or words.shape != (2,):
        raise TypeError(
            f"uniform: expected two uint32 words, got shape {words.shape} of {words.dtype}; pass "
            "np.array([key, counter], np.uint32)"
        )
    return apply(random.Uniform, words, shape=tuple(shape))
