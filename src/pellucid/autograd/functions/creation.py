"""Tensors made from numbers, shapes and other tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.arrays import DType, Shape, namespace
from pellucid.autograd.apply import DEFAULT_DTYPE
from pellucid.autograd.tensor import Tensor, apply, as_tensor
from pellucid.ops import random


def asarray(obj: Any, /, *, dtype: DType = None) -> Tensor:
    """Return a tensor: obj itself, in another dtype if one is given, or a constant made from it.

    >>> import pellucid
    >>> pellucid.asarray([1, 2], dtype="float32")
    Tensor([1., 2.])
    """
    if type(obj) is Tensor:
        return obj if dtype in (None, obj.dtype) else obj.astype(dtype)
    return Tensor(obj, dtype=dtype)


def arange(start: int, /, stop: int | None = None, *, dtype: DType = None) -> Tensor:
    """Return the whole numbers from start (0 if it is alone) up to, not including, stop: ``(n,)``.

    >>> import pellucid
    >>> pellucid.arange(2, 5)
    Tensor([2, 3, 4], dtype=int64)
    """
    return Tensor(np.arange(start, stop, dtype=dtype))


def zeros(shape: Shape, *, dtype: DType = None) -> Tensor:
    """Return a constant tensor of zeros, float32 by default.

    >>> import pellucid
    >>> pellucid.zeros((2, 3))
    Tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return Tensor(np.zeros(shape, dtype or DEFAULT_DTYPE))


def ones(shape: Shape, *, dtype: DType = None) -> Tensor:
    """Return a constant tensor of ones, float32 by default.

    >>> import pellucid
    >>> pellucid.ones((2,), dtype="int64")
    Tensor([1, 1], dtype=int64)
    """
    return Tensor(np.ones(shape, dtype or DEFAULT_DTYPE))


def zeros_like(x: Any, /) -> Tensor:
    """Return zeros in the shape and dtype of x.

    >>> import pellucid
    >>> pellucid.zeros_like([[1.0, 2.0]])
    Tensor([[0., 0.]])
    """
    data = as_tensor(x).data
    return Tensor(namespace(data).zeros_like(data))


def ones_like(x: Any, /) -> Tensor:
    """Return ones in the shape and dtype of x.

    >>> import pellucid
    >>> pellucid.ones_like([[1, 2], [3, 4]])
    Tensor([[1, 1],
            [1, 1]], dtype=int64)
    """
    data = as_tensor(x).data
    return Tensor(namespace(data).ones_like(data))


def astype(x: Any, dtype: DType, /) -> Tensor:
    """Return x in another dtype; the gradient comes back in that of x, and none through integers.

    >>> import pellucid
    >>> pellucid.astype([1.9, -1.9], "int64")
    Tensor([ 1, -1], dtype=int64)
    """
    return as_tensor(x).astype(dtype)


def uniform(state: Any, /, *, shape: Shape) -> Tensor:
    """Return float32 numbers in [0, 1) that depend only on two uint32 words (key, counter).

    The i-th is a hash of key, counter and i, so that every engine draws the same numbers; the hash
    is lowbias32 (C. Wellons, "Prospecting for Hash Functions", 2018). No gradient passes.

    Raises:
        TypeError: the state is not two uint32 words.

    >>> import numpy as np
    >>> import pellucid
    >>> state = np.array([7, 0], np.uint32)
    >>> draws, again = (pellucid.uniform(state, shape=(1000,)) for _ in range(2))
    >>> bool((draws == again).all()), f"{draws.mean():.1f}"
    (True, '0.5')
    """
    words = as_tensor(state)
    if words.dtype != np.uint32 or words.shape != (2,):
        raise TypeError(
            f"uniform: expected two uint32 words, got shape {words.shape} of {words.dtype}; pass "
            "np.array([key, counter], np.uint32)"
        )
    return apply(random.Uniform, words, shape=tuple(shape))
