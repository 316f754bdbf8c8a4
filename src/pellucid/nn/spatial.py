"""What layers that move a kernel over images or sequences share: settings, sizes, refusals.

A spatial axis is one along which the kernel moves: L of sequences ``(N, L, C)``, H and W of images
``(N, H, W, C)``. A setting is one number for all spatial axes or a tuple of one an axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt, prod
from typing import Any, Literal, TypeAlias

import numpy as np

from pellucid.arrays import Pairs, Shape
from pellucid.errors import ShapeError
from pellucid.nn.module import Module

Sizes: TypeAlias = int | Sequence[int]
Padding: TypeAlias = str | int | Sequence[int] | Sequence[Sequence[int]]
AXES = {1: "L", 2: "H, W"}
MOVES = {1: "x.transpose(0, 2, 1)", 2: "x.transpose(0, 2, 3, 1)"}


def is_whole(value: object, least: int) -> bool:
    """Whether value is a whole number, and no smaller than ``least``."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and value >= least  # type: ignore[operator]


def positive(layer: Module, name: str, value: Any) -> int:
    """Return a positive whole number."""
    if not is_whole(value, 1):
        raise ValueError(
            f"{type(layer).__name__}: expected {name} to be a positive whole number, got {value!r}"
        )
    return int(value)


def sizes(layer: Module, name: str, value: Any, axes: int, least: int = 1) -> Shape:
    """Return one whole number for each spatial axis."""
    parts = tuple(value) if isinstance(value, tuple | list) else (value,) * axes
    if len(parts) != axes or not all(is_whole(part, least) for part in parts):
        several = f" or a tuple of {axes}" if axes > 1 else ""
        raise ValueError(
            f"{type(layer).__name__}: expected {name} to be a whole number of at least {least}"
            f"{several}, got {value!r}"
        )
    return tuple(map(int, parts))


def padding_of(layer: Module, value: Any, axes: int) -> Pairs | Literal["same"]:
    """Return ``(before, after)`` for each spatial axis, or "same", which the input's size decides.

    Raises:
        ValueError: it is none of "valid", "same", a number, a tuple of one number an axis, a tuple
            of one pair of numbers an axis.
    """
    if isinstance(value, str) and value == "same":
        return "same"
    if isinstance(value, str) and value == "valid":
        value = 0
    parts = list(value) if isinstance(value, tuple | list) else [value] * axes
    pairs = [part if isinstance(part, tuple | list) else (part, part) for part in parts]
    if len(pairs) != axes or not all(
        len(pair) == 2 and all(is_whole(n, 0) for n in pair) for pair in pairs
    ):
        example = ", ".join(["(1, 2)"] * axes) + ("," if axes == 1 else "")
        raise ValueError(
            f"{type(layer).__name__}: expected padding to be 'valid', 'same', a whole number of at "
            f"least 0, a tuple of {axes}, or (before, after) for each axis such as ({example}), "
            f"got {value!r}"
        )
    return tuple((int(low), int(high)) for low, high in pairs)


def same(size: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> Pairs:
    """Return the padding with which the output has ceil(size / stride) places along each axis.

    In all max((ceil(size / stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0) elements,
    half of them before; of an odd number the larger half is after, as in TensorFlow and Keras.
    """
    totals = [
        max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
        for n, k, s, d in zip(size, kernel, stride, dilation, strict=True)
    ]
    return tuple((total // 2, total - total // 2) for total in totals)


def shown(value: Any) -> str:
    """Return a setting as short as it can be written: numbers that are all alike as one."""
    if isinstance(value, tuple) and all(isinstance(v, tuple) and v[0] == v[1] for v in value):
        value = tuple(low for low, _ in value)
    if isinstance(value, tuple) and isinstance(value[0], int) and len(set(value)) == 1:
        value = value[0]
    return repr(value)


def check_input(layer: Module, shape: Shape, axes: int, channels: int | None = None) -> None:
    """Refuse what is not ``(N, *size, C)``, and another number of channels.

    Raises:
        ShapeError: with the likely fix.
    """
    if len(shape) == axes + 2 and channels in (None, shape[-1]):
        return
    expected = f"(N, {AXES[axes]}, {'C' if channels is None else channels})"
    fix = _fix(type(layer).__name__, shape, axes, channels)
    raise ShapeError(
        f"expected input of shape {expected}, got {shape}" + (f"; {fix}" if fix else ""),
        source=layer,
    )


def check_output(layer: Module, size: Shape, out: Shape, kernel: Shape, dilation: Shape) -> None:
    """Refuse an input, padding included, that is smaller than the kernel.

    Raises:
        ShapeError: an output size is below 1.
    """
    if min(out) < 1:
        reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
        raise ShapeError(
            f"expected an input that the kernel fits into, at least {shown(reach)} along its "
            f"spatial axes with the padding, got size {shown(size)}; make the kernel smaller, pass "
            "padding='same', or reduce the size less in the layers before",
            source=layer,
        )


def _fix(name: str, shape: Shape, axes: int, channels: int | None) -> str:
    """Return what probably went wrong, if that can be guessed."""
    batch, channel = "the axis of examples, x[None]", "the axis of channels, x[..., None]"
    if len(shape) == axes + 2:
        if shape[1] == channels:
            return f"channels come last here, move them with {MOVES[axes]}"
        return f"{name}({shape[-1]}, ...) would fit this input"
    if len(shape) == axes + 1:
        if channels is None:
            return f"add {batch} for one example, or {channel}"
        if channels == 1:
            return f"add {channel}"
        return f"for one example add {batch}" if shape[-1] == channels else ""
    if len(shape) == 2 and axes == 2:
        places, rest = divmod(prod(shape[1:]), channels or 1)
        side = isqrt(places)
        if side * side == places and not rest:
            images = f"x.reshape(len(x), {side}, {side}, {channels or 1})"
            return f"if the rows are square images, {images}"
    return ""
