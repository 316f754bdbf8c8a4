"""The primitives: all that a traced program can consist of, each with its meaning in NumPy.

They are the functions of the array protocol and the operators of arrays, under the protocol's
names. Operands are arrays; whatever else a call was given stands in keyword parameters.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.arrays import NUMPY, Array

Function = Callable[..., Any]

# Functions of so many instructions that one vector of them keeps a processor busy.
HEAVY = frozenset({"exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "erf", "power"})

OPERATORS: dict[str, Function] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": operator.pow,
    "negative": operator.neg,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "bitwise_and": operator.and_,
    "bitwise_or": operator.or_,
    "bitwise_xor": operator.xor,
    "bitwise_invert": operator.invert,
    "bitwise_left_shift": operator.lshift,
    "bitwise_right_shift": operator.rshift,
}
FUNCTIONS = (
    "abs", "sign", "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh", "erf", "floor",
    "ceil", "round", "isfinite", "isnan", "logical_and", "logical_or", "logical_not", "maximum",
    "minimum", "where",
)  # fmt: skip


def astype(x: Array, *, dtype: str) -> Array:
    """Return x in another dtype."""
    return x.astype(dtype)


def copy(x: Array) -> Array:
    """Return the same elements in one piece of memory."""
    return np.array(x, order="C")


def reshape(x: Array, *, shape: tuple[int, ...]) -> Array:
    """Return the same elements in another shape."""
    return x.reshape(shape)


def permute_dims(x: Array, *, axes: tuple[int, ...]) -> Array:
    """Return x with its axes in another order."""
    return x.transpose(axes)


def broadcast_to(x: Array, *, shape: tuple[int, ...]) -> Array:
    """Return x repeated to a larger shape."""
    return np.broadcast_to(x, shape)


def concat(*arrays: Array, axis: int) -> Array:
    """Return arrays one after the other along an axis."""
    return np.concatenate(arrays, axis=axis)


def stack(*arrays: Array, axis: int) -> Array:
    """Return arrays side by side along a new axis."""
    return np.stack(arrays, axis=axis)


def flip(x: Array, *, axis: Any) -> Array:
    """Return x with axes reversed."""
    return np.flip(x, axis)


def einsum(*operands: Array, subscripts: str) -> Array:
    """Return the sum of products that the subscripts name."""
    return np.einsum(subscripts, *operands)


def index(x: Array, *arrays: Array, key: tuple[Any, ...]) -> Array:
    """Return ``x[key]``, `ARRAY` in the key standing for the arrays in turn."""
    return x[fill(key, arrays)]


def scatter_add(
    values: Array, *arrays: Array, key: tuple[Any, ...], shape: tuple[int, ...]
) -> Array:
    """Return zeros with values added at the key; repeated places accumulate."""
    return NUMPY.scatter_add(values, fill(key, arrays), shape=shape)


ARRAY = "ARRAY"  # the place of an array in a key


def fill(key: tuple[Any, ...], arrays: tuple[Array, ...]) -> tuple[Any, ...]:
    """Return a key as NumPy takes it: slices made from triples, arrays in their places."""
    rest = iter(arrays)
    return tuple(
        next(rest) if part == ARRAY else slice(*part[1:]) if isinstance(part, tuple) else part
        for part in key
    )


ELEMENTWISE: dict[str, Function] = {
    **OPERATORS,
    **{name: getattr(NUMPY, name) for name in FUNCTIONS},
    "astype": astype,
    "copy": copy,
}
REDUCTIONS: dict[str, Function] = {
    name: getattr(NUMPY, name) for name in ("sum", "max", "min", "any", "all")
}
SHAPES: dict[str, Function] = {
    "reshape": reshape,
    "permute_dims": permute_dims,
    "broadcast_to": broadcast_to,
}
OTHERS: dict[str, Function] = {
    "matmul": np.matmul,
    "argmax": NUMPY.argmax,
    "argmin": NUMPY.argmin,
    "concat": concat,
    "stack": stack,
    "flip": flip,
    "einsum": einsum,
    "index": index,
    "scatter_add": scatter_add,
    "pad": NUMPY.pad,
    "windows": NUMPY.windows,
    "windows_input": NUMPY.windows_input,
    "conv": NUMPY.conv,
    "conv_input": NUMPY.conv_input,
    "conv_kernel": NUMPY.conv_kernel,
}
PRIMITIVES: dict[str, Function] = {**ELEMENTWISE, **REDUCTIONS, **SHAPES, **OTHERS}
