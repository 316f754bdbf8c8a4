"""Applying an operation: bring the operands to one dtype, compute, write it on the tape."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np

from pellucid.arrays import NAMESPACES, NUMPY, Array, DType
from pellucid.autograd.tape import Node, is_recording, serials
from pellucid.errors import ShapeError
from pellucid.ops.elementwise import Cast
from pellucid.ops.op import Op
from pellucid.ops.shape import Concat, Reshape

DEFAULT_DTYPE = np.dtype("float32")


def apply(op: type[Op], *operands: Any, **params: Any) -> Any:
    """Compute ``op`` on operands of which at least one is a tensor; returns a tensor."""
    arrays: list[Any] = []
    dtype = None
    requires_grad = False
    plain = True  # only numbers, and floating-point tensors of one dtype
    xp = NUMPY
    for x in operands:
        if isinstance(x, Node):
            data = x.data
            if dtype is None:
                dtype = data.dtype
                kind = type(x)
            elif data.dtype is not dtype:
                plain = False
            if xp is NUMPY:  # constants are NumPy arrays also where the other operands are not
                xp = NAMESPACES.get(type(data), NUMPY)
            requires_grad = requires_grad or x.requires_grad
            arrays.append(data)
        else:
            plain = plain and type(x) in (float, int)
            arrays.append(x)
    if op.casts != "keep" and not (plain and dtype is not None and dtype.kind == "f"):
        operands = cast(op, operands)
        arrays = [x.data if isinstance(x, Node) else x for x in operands]
    try:
        data = op.forward(xp, *arrays, **params)
    except ValueError as error:
        raise _explained(op, arrays, params, error) from error
    if type(data) not in NAMESPACES:
        data = xp.asarray(data)
    out = kind.__new__(kind)
    out.data = data
    out.grad = out.hooks = None
    out.retains_grad = False
    out.serial = next(serials)
    if requires_grad and op.differentiable and (watcher := is_recording()):
        out.requires_grad, out.op, out.inputs, out.params = True, op, operands, params
        if watcher is not True:
            watcher.note(out)
    else:
        out.requires_grad, out.op, out.inputs, out.params = False, None, (), {}
    return out


def cast(op: type[Op], operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """Bring the operands to one dtype; numbers and arrays follow the tensors.

    The result is the widest floating-point dtype among the tensors. Integers alone stay integers,
    unless a Python float joins them or the operation is defined on floating point only: then it is
    float32.
    """
    kept, rest = operands[: op.cast_from], [_simple(x) for x in operands[op.cast_from :]]
    tensors = [x.data.dtype for x in rest if isinstance(x, Node)]
    arrays = [x.dtype for x in rest if isinstance(x, np.ndarray)]
    known = tensors if any(d.kind == "f" for d in tensors) else tensors + arrays
    floats = [d for d in known if d.kind == "f"]
    dtype: DType = None
    if floats:
        dtype = np.result_type(*floats)
    elif op.casts == "float" or any(type(x) is float for x in rest):
        dtype = DEFAULT_DTYPE
    elif known:
        dtype = np.result_type(*known)
    return *kept, *(_to_dtype(x, dtype) for x in rest)


def _simple(x: Any) -> Any:
    """Return NumPy scalars as Python numbers, lists as arrays, everything else as it is."""
    if isinstance(x, np.generic):
        return x.item()
    if isinstance(x, list | tuple):
        return to_array(x)
    return x


def _to_dtype(x: Any, dtype: DType) -> Any:
    if isinstance(x, Node):
        return x if dtype is None or x.data.dtype == dtype else apply(Cast, x, dtype=dtype)
    if isinstance(x, np.ndarray):
        return x if dtype is None else x.astype(dtype, copy=False)
    if isinstance(x, bool | int | float):
        return x
    raise TypeError(f"expected a tensor, an array or a number, got {type(x).__name__}: {x!r:.60}")


def floating(x: Any) -> Any:
    """Return a tensor as it is if it is floating point, otherwise as float32."""
    return x if x.data.dtype.kind == "f" else apply(Cast, x, dtype=DEFAULT_DTYPE)


def to_array(data: Any, dtype: DType = None) -> Array:
    """Return the array of a tensor, number, nested list or array; Python floats become float32.

    Raises:
        TypeError: it is not numeric.
        ValueError: nested lists have uneven lengths.
    """
    if isinstance(data, Node):
        data = data.data
    if type(data) in NAMESPACES:
        array = data
    else:
        parts = data if isinstance(data, list | tuple) else ()
        if any(isinstance(x, Node) and x.requires_grad for x in parts):
            raise TypeError(
                "expected a list of numbers, got one of tensors, whose gradients would be lost; "
                "join them with pellucid.stack or pellucid.concat"
            )
        try:
            array = np.asarray(data)
        except ValueError as error:
            raise ValueError(
                f"expected nested lists of equal lengths, got uneven ones ({error}); "
                "pad or cut them to one length"
            ) from None
        python = dtype is None and not isinstance(data, np.generic | np.ndarray)
        if python and array.dtype == np.float64:
            array = array.astype(DEFAULT_DTYPE)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"expected numbers, got {array.dtype} data; convert text to numbers first")
    return array if dtype is None or array.dtype == dtype else array.astype(dtype)


def _explained(
    op: type[Op], arrays: list[Any], params: dict[str, Any], error: ValueError
) -> ValueError:
    """Return an error that names the operation and its operands' shapes."""
    shapes = " and ".join(str(getattr(x, "shape", x)) for x in arrays)
    notes = ", ".join(f"{name}={value}" for name, value in params.items())
    what = f"{op.__name__.lower()}: got {shapes}" + (f" with {notes}" if notes else "")
    if "broadcast" in str(error):
        return ShapeError(
            f"{what}; expected sizes that agree, or are 1, axis by axis from the right"
            f"{_column(arrays)}"
        )
    return ShapeError(f"{what}; {_fix(op, arrays, params, str(error)) or error}")


def _column(arrays: list[Any]) -> str:
    """Return the likely fix where one of two operands has one number for each row of the other."""
    shapes = [x.shape for x in arrays if getattr(x, "shape", ())]
    for rows, table in permutations(shapes, 2):
        if len(rows) == 1 and len(table) == 2 and rows[0] == table[0]:
            return (
                f"; one number a row is a column, reshape {rows} to ({rows[0]}, 1), or sum and "
                "average with keepdims=True"
            )
    return ""


def _fix(op: type[Op], arrays: list[Any], params: dict[str, Any], said: str) -> str:
    """Return what was expected, for the operations whose array function does not say it well."""
    if op is Reshape and "cannot reshape" in said:
        size, shape = arrays[0].size, params["shape"]
        wanted = math.prod(n for n in shape if n != -1)
        return (
            f"expected a shape of {size:,} elements, got one of {wanted:,}"
            if -1 not in shape
            else f"expected a multiple of {wanted:,} elements, got {size:,}"
        ) + "; give one axis as -1 and it takes what is left, or change the sizes"
    if op is Concat and "dimensions" in said:
        axis, shapes = params["axis"], [x.shape for x in arrays]
        if len({len(shape) for shape in shapes}) > 1:
            return "expected as many axes in each; give the others one with reshape"
        return f"expected sizes that agree along every axis but {axis}; join along another axis"
    return ""
