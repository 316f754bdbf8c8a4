"""The same elements in another shape or order, or some of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from pellucid.arrays import Axis, Pairs, Shape
from pellucid.autograd.functions.operands import several
from pellucid.autograd.tensor import Tensor, apply, as_tensor, split_key
from pellucid.errors import ShapeError
from pellucid.ops import index as indexing
from pellucid.ops import shape as shaping


def reshape(x: Any, /, shape: Shape) -> Tensor:
    """Return the same elements in another shape; one size may be -1 and is worked out.

    >>> import pellucid
    >>> pellucid.reshape([1.0, 2.0, 3.0, 4.0], (2, -1))
    Tensor([[1., 2.],
            [3., 4.]])
    """
    return as_tensor(x).reshape(shape)


def permute_dims(x: Any, /, axes: Shape) -> Tensor:
    """Return x with its axes in the given order.

    Raises:
        ShapeError: an axis is missing or named twice.

    >>> import pellucid
    >>> images = pellucid.zeros((10, 3, 32, 32))  # channels first
    >>> pellucid.permute_dims(images, (0, 2, 3, 1)).shape
    (10, 32, 32, 3)
    """
    return as_tensor(x).transpose(*axes)


def broadcast_to(x: Any, /, shape: Shape) -> Tensor:
    """Return x repeated to a larger shape; the gradient is summed over the repeats.

    >>> import pellucid
    >>> pellucid.broadcast_to([1.0, 2.0], (2, 2))
    Tensor([[1., 2.],
            [1., 2.]])
    """
    return as_tensor(x).broadcast_to(shape)


def expand_dims(x: Any, /, *, axis: int) -> Tensor:
    """Return x with a new axis of size 1.

    >>> import pellucid
    >>> pellucid.expand_dims([1.0, 2.0], axis=1)
    Tensor([[1.],
            [2.]])
    """
    return as_tensor(x).expand_dims(axis)


def squeeze(x: Any, /, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """Return x without the given axes of size 1, by default without any such.

    >>> import pellucid
    >>> pellucid.squeeze([[1.0], [2.0]], axis=1)
    Tensor([1., 2.])
    """
    return as_tensor(x).squeeze(axis)


def concat(arrays: Sequence[Any], /, *, axis: int = 0) -> Tensor:
    """Return arrays joined along an axis; their other sizes are equal.

    >>> import pellucid
    >>> pellucid.concat([[1.0, 2.0], [3.0]])
    Tensor([1., 2., 3.])
    """
    return apply(shaping.Concat, *several(arrays), axis=axis)


def stack(arrays: Sequence[Any], /, *, axis: int = 0) -> Tensor:
    """Return arrays of one shape joined along a new axis.

    >>> import pellucid
    >>> pellucid.stack([[1.0, 2.0], [3.0, 4.0]], axis=1)
    Tensor([[1., 3.],
            [2., 4.]])
    """
    return apply(shaping.Stack, *several(arrays), axis=axis)


def split(x: Any, /, sections: int | Sequence[int], *, axis: int = 0) -> list[Tensor]:
    """Return x cut along an axis into equal parts (a number) or at given places (a sequence).

    Raises:
        ShapeError: the axis does not divide into that many equal parts.

    >>> import pellucid
    >>> pellucid.split([1.0, 2.0, 3.0, 4.0], 2)
    [Tensor([1., 2.]), Tensor([3., 4.])]
    >>> [part.tolist() for part in pellucid.split([1.0, 2.0, 3.0, 4.0], [1])]
    [[1.0], [2.0, 3.0, 4.0]]
    """
    x = as_tensor(x)
    n = x.shape[axis]
    if isinstance(sections, int | np.integer):
        if sections < 1 or n % sections:
            raise ShapeError(f"split: expected a number of parts that divides {n}, got {sections}")
        sections = range(n // sections, n, n // sections) if n else [0] * (sections - 1)
    before = (slice(None),) * (axis % x.ndim)
    edges = [0, *sections, n]
    return [x[(*before, slice(a, b))] for a, b in pairwise(edges)]


def flip(x: Any, /, *, axis: Axis = None) -> Tensor:
    """Return x in reverse order along axes, by default along all.

    >>> import pellucid
    >>> pellucid.flip([1.0, 2.0, 3.0])
    Tensor([3., 2., 1.])
    """
    return apply(shaping.Flip, as_tensor(x), axis=axis)


def pad(x: Any, /, *, widths: Pairs, value: float = 0.0) -> Tensor:
    """Return x with ``(before, after)`` more elements of ``value`` along each axis.

    Raises:
        ShapeError: there is not one pair for each axis.

    >>> import pellucid
    >>> pellucid.pad([1.0, 2.0], widths=[(1, 2)])
    Tensor([0., 1., 2., 0., 0.])
    """
    x = as_tensor(x)
    if len(widths) != x.ndim:
        raise ShapeError(f"pad: expected {x.ndim} (before, after) pairs, one an axis, got {widths}")
    return apply(shaping.Pad, x, widths=tuple(widths), value=value)


def index(x: Any, key: Any, /) -> Tensor:
    """Return x[key], whose key may hold integers, slices, None, Ellipsis and arrays, as in NumPy.

    Raises:
        IndexError: a part of the key is something else, or out of range.

    >>> import pellucid
    >>> pellucid.index([5.0, 6.0, 7.0], slice(1, None))
    Tensor([6., 7.])
    """
    return as_tensor(x)[key]


def take(x: Any, indices: Any, /, *, axis: int = 0) -> Tensor:
    """Return the slices of x at integer indices along an axis, such as the rows of an embedding.

    >>> import pellucid
    >>> table = [[0.0, 0.0], [1.0, 10.0], [2.0, 20.0]]
    >>> pellucid.take(table, [2, 1])
    Tensor([[ 2., 20.],
            [ 1., 10.]])
    """
    tensor = as_tensor(x)
    return tensor[(slice(None),) * (axis % tensor.ndim) + (indices,)]


def gather(x: Any, indices: Any, /, *, axis: int = -1) -> Tensor:
    """Return what each index names along an axis: out[i, j] = x[i, indices[i, j]] for axis 1.

    Args:
        x: any shape.
        indices: integers, with the shape of x except along ``axis``.

    >>> import pellucid
    >>> scores = [[0.1, 0.7, 0.2], [0.8, 0.1, 0.1]]
    >>> pellucid.gather(scores, [[1], [0]], axis=1)
    Tensor([[0.7],
            [0.8]])
    """
    tensor, places = as_tensor(x), as_tensor(indices)
    axis = axis % tensor.ndim
    key = [
        np.arange(n).reshape([-1 if a == b else 1 for b in range(tensor.ndim)])
        for a, n in enumerate(places.shape)
    ]
    return tensor[(*key[:axis], places, *key[axis + 1 :])]


def scatter_add(values: Any, key: Any, /, *, shape: Shape) -> Tensor:
    """Return zeros of a shape with values added at the key; repeated places accumulate.

    It is the gradient of `index`.

    >>> import pellucid
    >>> pellucid.scatter_add([1.0, 2.0, 3.0], [0, 2, 0], shape=(3,))
    Tensor([4., 0., 2.])
    """
    template, arrays = split_key(key)
    values = as_tensor(values)
    return apply(indexing.ScatterAdd, values, *arrays, key=template, shape=tuple(shape))
