"""NumPy as a backend: its own functions where the names agree, and the few it lacks.

`numpy.add.reduce` and its kin are used directly: on the small arrays of a mini-batch the wrapper
around them costs more than the sum.
"""

from __future__ import annotations

import builtins
import math
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
    astype,
    bool,
    broadcast_to,
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
    float64,
    floor,
    int64,
    isfinite,
    isnan,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    ones,
    ones_like,
    permute_dims,
    reshape,
    round,
    sign,
    sin,
    sqrt,
    squeeze,
    stack,
    tanh,
    uint32,
    where,
    zeros,
    zeros_like,
)

from pellucid.arrays.convolution import conv, conv_input, conv_kernel
from pellucid.arrays.protocol import Array, Axis, Pairs, Shape

__all__ = [  # noqa: RUF022 - in the protocol's order
    "float32", "float64", "int64", "uint32", "bool",
    "asarray", "arange", "zeros", "ones", "zeros_like", "ones_like", "astype",
    "abs", "sign", "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh",
    "floor", "ceil", "round", "isfinite", "isnan", "logical_and", "logical_or", "logical_not",
    "maximum", "minimum", "clip", "where", "sum", "max", "min", "any", "all", "argmax", "argmin",
    "reshape", "permute_dims", "broadcast_to", "expand_dims", "squeeze", "concat", "stack", "flip",
    "own", "erf", "einsum", "index", "scatter_add", "pad", "conv", "conv_input", "conv_kernel",
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


_erf = np.frompyfunc(math.erf, 1, 1)


def erf(x: Array, /) -> Array:
    """Return the Gauss error function; NumPy has none, so the C library's is called."""
    return np.asarray(_erf(x)).astype(x.dtype)


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
