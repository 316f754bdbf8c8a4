"""NumPy as a backend: its own functions where the names agree, and the few it lacks.

`numpy.add.reduce` and its kin, and methods instead of functions, are used directly: on the small
arrays of a mini-batch the wrapper around them costs more than the work.
"""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
from numpy import (
    abs,
    all,
    any,
    arange,
    argmax,
    argmin,
    asarray,
    ceil,
    clip,
    concat,
    cos,
    einsum,
    exp,
    expand_dims,
    expm1,
    flip,
    float32,
    floor,
    isfinite,
    isnan,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    ones_like,
    round,
    sign,
    sin,
    sqrt,
    stack,
    tanh,
    uint32,
    where,
    zeros_like,
)

from pellucid.arrays.convolution import conv, conv_input, conv_kernel, windows, windows_input
from pellucid.arrays.protocol import Array, Axis, DType, Pairs, Shape
from pellucid.arrays.special import erf

__all__ = [  # noqa: RUF022 - in the protocol's order
    "float32", "uint32",
    "asarray", "arange", "zeros_like", "ones_like", "astype",
    "abs", "sign", "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh",
    "floor", "ceil", "round", "isfinite", "isnan", "logical_and", "logical_or", "logical_not",
    "maximum", "minimum", "clip", "where", "sum", "max", "min", "any", "all", "argmax", "argmin",
    "reshape", "permute_dims", "broadcast_to", "expand_dims", "squeeze", "concat", "stack", "flip",
    "own", "erf", "einsum", "index", "scatter_add", "pad", "windows", "windows_input",
    "conv", "conv_input", "conv_kernel",
]  # fmt: skip


_add: Any = np.add.reduce
_maximum: Any = np.maximum.reduce
_minimum: Any = np.minimum.reduce


def sum(x: Array, /, *, axis: Axis = None, keepdims: builtins.bool = False) -> Array:
    """Return the sum over axes."""
    return _add(x, axis=axis, keepdims=keepdims)


def max(x: Array, /, *, axis: Axis = None, keepdims: builtins.bool = False) -> Array:
    """Return the largest element over axes."""
    return _maximum(x, axis=axis, keepdims=keepdims)


def min(x: Array, /, *, axis: Axis = None, keepdims: builtins.bool = False) -> Array:
    """Return the smallest element over axes."""
    return _minimum(x, axis=axis, keepdims=keepdims)


def astype(x: Array, dtype: DType, /) -> Array:
    """Return x in another dtype; x itself if it has that already."""
    return x.astype(dtype, copy=False)


def reshape(x: Array, /, shape: Shape) -> Array:
    """Return the same elements in another shape."""
    return x.reshape(shape)


def permute_dims(x: Array, /, axes: Shape) -> Array:
    """Return x with its axes in the given order."""
    return x.transpose(axes)


def broadcast_to(x: Array, /, shape: Shape) -> Array:
    """Return a read-only view of x repeated to a larger shape."""
    if x.size != 1 or x.ndim > len(shape):
        return np.broadcast_to(x, shape)
    # one number for all, as behind every mean and sum: NumPy's function takes far longer
    out: Array = np.ndarray(shape, x.dtype, np.ascontiguousarray(x), strides=(0,) * len(shape))
    out.flags.writeable = False
    return out


def squeeze(x: Array, /, axis: int | tuple[int, ...]) -> Array:
    """Return x without the given axes of size 1."""
    return x.squeeze(axis)


def own(x: Array, /, *, copy: builtins.bool) -> Array:
    """Return x as an array (not a scalar) that shares memory with no other."""
    x = np.asarray(x)
    return x.copy() if copy or x.base is not None else x


def index(x: Array, key: Any, /) -> Array:
    """Return ``x[key]``."""
    return x[key]


def scatter_add(values: Array, key: Any, /, *, shape: Shape) -> Array:
    """Return zeros of ``shape`` with values added at ``key``; repeated places accumulate."""
    out = np.zeros(shape, dtype=values.dtype)
    keys = key if isinstance(key, tuple) else (key,)
    if builtins.any(isinstance(part, np.ndarray) and part.dtype != np.bool for part in keys):
        np.add.at(out, key, values)
    else:  # slices, integers and masks name each place once
        out[key] = values
    return out


def pad(x: Array, /, *, widths: Pairs, value: float = 0.0) -> Array:
    """Return x with ``(before, after)`` more elements of ``value`` along each axis."""
    return np.pad(x, widths, constant_values=value)
