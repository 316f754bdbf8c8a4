"""Examples and targets as training takes them, checked before any work is done."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from pellucid.arrays import Array, DType, Shape, all_finite, quiet
from pellucid.autograd import Tensor
from pellucid.data import Dataset
from pellucid.data.several import Several, are_several, arguments
from pellucid.nn import Loss, Module
from pellucid.nn.losses import check_weights

WHOLE = (np.int32, np.int64, np.uint32)  # what native code has


def dtype_of(network: Module) -> DType:
    """Return the floating-point dtype that a network computes in: that of its first tensor."""
    tensors = network.named_tensors().values()
    return next((t.dtype for t in tensors if t.dtype.kind == "f"), np.dtype("float32"))


def examples(x: Any, dtype: DType, name: str = "x") -> Any:
    """Return x as an array of at least one example; floating point in the network's dtype.

    A tuple of arrays and a dictionary become `Several`, each of them one such array.

    Raises:
        TypeError: it holds something else than numbers.
        ValueError: it is empty, has no axis of examples, or holds NaN or infinity; or several
            arrays are not of one length.
    """
    if not are_several(x):
        refuse_lists(x, name)
        return _array(x, dtype, name, 2)
    if not x or not all(isinstance(key, str) for key in x if isinstance(x, dict)):
        raise ValueError(
            f"{name}: expected arrays by the names of the network's arguments, got {list(x)}; "
            "write for example {'ids': ids, 'lengths': lengths}"
        )
    several = Several(x).each(lambda part, key: _array(part, dtype, f"{name}[{key}]", 1))
    if len({len(array) for array in several.arrays}) > 1:
        raise ValueError(
            f"{name}: expected inputs with a row for each example, got arrays of shapes "
            f"{_shapes(several)}; a tuple is several inputs, so put examples into one array, with "
            "np.stack(...)"
        )
    return several


def _array(x: Any, dtype: DType, name: str, axes: int) -> Array:
    """Return one input, of at least so many axes."""
    array = numbers(x, name)
    if array.ndim < axes:
        raise ValueError(
            f"{name}: expected examples of shape (N, ...), got {array.shape}; pass one example as "
            f"a row, {name}.reshape(1, -1), or one feature as a column, {name}.reshape(-1, 1)"
        )
    if array.size == 0:
        raise ValueError(
            f"{name}: expected at least one example and one feature, got {array.shape}"
        )
    return floats(array, dtype, name) if array.dtype.kind == "f" else array


def refuse_calls(network: Module, x: Any, name: str = "x") -> None:
    """Refuse inputs, one or several, that a network's forward does not take.

    Raises:
        TypeError: says what it takes.
    """
    takes, (given, named) = inspect.signature(network.forward), arguments(x)
    try:
        takes.bind(*given, **named)
    except TypeError as error:
        told = ", ".join(p.name for p in takes.parameters.values())
        wanted = f"{name}: expected what {type(network).__name__}.forward({told}) takes, got"
        if not isinstance(x, Several):
            raise TypeError(
                f"{wanted} one array ({error}); pass a tuple of arrays, or a dictionary by argument"
            ) from None
        same = len(set(x.shape[1:])) == 1
        stack = "; if these are examples, put them into one array with np.stack(...)" * same
        raise TypeError(
            f"{wanted} {len(x.arrays)} inputs of shapes {_shapes(x)} ({error}); let the forward of "
            f"a module of yours take them, or put them side by side with np.concatenate{stack}"
        ) from None


def _shapes(several: Several) -> str:
    """Return the shape of each input, with its name if it has one."""
    named = isinstance(several.parts, dict)
    shapes = ((f"{key}: " * named, part.shape) for key, part in several.named().items())
    return ", ".join(f"{key}{shape}" for key, shape in shapes)


def refuse_lists(x: Any, name: str = "x", y: Any = None) -> None:
    """Refuse a list of arrays that each have a row for every example.

    A list of rows, or of images, is one input: it is as long as y.

    Raises:
        TypeError: says what several inputs are given as.
    """
    if not isinstance(x, list) or len(x) < 2:
        return
    if not all(isinstance(part, Tensor | np.ndarray) and part.ndim for part in x):
        return
    shapes = [part.shape for part in x]
    rows, targets = {shape[0] for shape in shapes}, _rows(y)
    unlike = len(rows) == 1 and len(set(map(len, shapes))) > 1  # in their number of axes
    if unlike or (rows == {targets} and targets != len(x)):
        raise TypeError(
            f"{name}: expected one array of examples, or several inputs in a tuple, got a list of "
            f"{len(x)} arrays of shapes {', '.join(map(str, shapes))}; write tuple({name})"
        )


def _rows(y: Any) -> int:
    """Return the number of targets, 0 where there are none."""
    try:
        return len(y)
    except TypeError:
        return 0


def targets(y: Any, loss: Loss, output: Shape, rows: int, dtype: DType, name: str = "y") -> Array:
    """Return y as the loss takes it for outputs of shape ``(rows, *output)``.

    Whole numbers become integer labels for a classification loss and floating point for the others;
    a target ``(N,)`` for a network with one output becomes ``(N, 1)``.

    Raises:
        TypeError: it holds something else than numbers.
        ValueError: its length, shape or range does not fit, or it holds NaN or infinity.
    """
    array = numbers(y, name)
    if array.ndim == 0 or len(array) != rows:
        got = "a single number" if array.ndim == 0 else f"{len(array)}"
        raise ValueError(
            f"{name}: expected one target for each of the {rows} examples, got {got}; x and y must "
            "have the same length"
        )
    if loss.task == "classification" and array.shape[1:] != output:
        if array.shape == (rows, 1) and len(output) == 1:
            array = array[:, 0]
        array = _labels(array, name)
    else:
        if array.shape == (rows,) and output == (1,):
            array = array[:, None]
        array = floats(array, dtype, name)
    loss.check((rows, *output), array)
    return array


def weights(given: Any, rows: int, dtype: DType, name: str = "sample_weight") -> Array | None:
    """Return one weight an example, ``(N,)``, in the network's dtype; None stays None.

    Raises:
        TypeError: they are no numbers.
        ValueError: there is not one an example, or one is negative or not finite.
    """
    if given is None:
        return None
    array = floats(numbers(given, name), dtype, name)
    check_weights(array, rows, name, may_be_zero=True)
    return array


def labels(loss: Loss, values: Array, threshold: float) -> Array:
    """Return class numbers: the place of the largest, or whether outputs exceed the threshold."""
    if loss.task == "binary":
        return (values > threshold).astype(np.int64)
    return values if values.dtype.kind in "iu" else values.argmax(axis=-1)


def finite(array: Array, name: str) -> None:
    """Refuse NaN and infinity, saying where the first one is.

    Raises:
        ValueError: there is one.
    """
    if all_finite(array):
        return
    bad = np.argwhere(~np.isfinite(array))
    place = tuple(int(i) for i in bad[0])
    raise ValueError(
        f"{name}: expected finite numbers, got {array[place]} at {place}, {len(bad)} such in "
        "all; drop those rows or fill them in before training"
    )


def floats(array: Array, dtype: DType, name: str) -> Array:
    """Return finite numbers in a floating-point dtype, or refuse those that are not."""
    finite(array, name)
    if array.dtype == dtype:
        return array
    with quiet():
        narrow = array.astype(dtype)
    finite(narrow, f"{name} in {np.dtype(dtype)}")
    return narrow


def _labels(array: Array, name: str) -> Array:
    """Return whole numbers and truth values as integers, the rest as it is."""
    if array.dtype.kind == "b":
        return array.astype(np.int64)
    if array.dtype.kind == "f":
        finite(array, name)
        if np.array_equal(np.round(array), array) and float(np.abs(array).max(initial=0)) < 2**53:
            return array.astype(np.int64)
    return array


def _uneven(rows: Any) -> str:
    """Return which row is the first of another length than row 0, if it is as simple as that."""
    try:
        lengths = [len(row) for row in rows]
    except TypeError:
        return ""
    place = next((i for i, length in enumerate(lengths) if length != lengths[0]), None)
    return "" if place is None else f": row 0 has {lengths[0]}, row {place} has {lengths[place]}"


def numbers(data: Any, name: str) -> Array:
    """Return an array of numbers, or refuse what is none."""
    if isinstance(data, Dataset):
        raise TypeError(
            f"{name}: expected an array of numbers, got a Dataset; pass the array in it, "
            f"dataset.{'y' if name.endswith('y') else 'x'}"
        )
    try:
        array = np.asarray(data.data if isinstance(data, Tensor) else data)
    except ValueError:
        raise ValueError(
            f"{name}: expected rows of equal length, got uneven ones{_uneven(data)}; cut them, or "
            "fill the short ones up"
        ) from None
    if data is None:
        raise TypeError(f"{name}: expected numbers, got None; pass an array of them")
    if array.dtype.kind == "c":
        raise TypeError(
            f"{name}: expected real numbers, got {array.dtype} data; pass {name}.real, or real and "
            "imaginary parts as two features"
        )
    if array.dtype == object and isinstance(next(iter(array.flat), None), dict):
        raise TypeError(
            f"{name}: expected rows of numbers, got dictionaries; put the values of each into a "
            f"list, in one order: [[row[key] for key in keys] for row in {name}]"
        )
    if array.dtype == object:
        raise TypeError(
            f"{name}: expected numbers, got object data; if all of it are numbers use "
            '.astype("float32"), else turn text into numbers first'
        )
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{name}: expected numbers, got {array.dtype} data; convert text to numbers first, "
            "class names for example with np.unique(names, return_inverse=True)[1]"
        )
    if array.dtype.kind in "iu" and array.dtype.newbyteorder("=") not in WHOLE:
        return array.astype(np.int64 if array.dtype.itemsize == 8 else np.int32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)
