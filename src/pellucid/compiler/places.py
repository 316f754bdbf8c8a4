"""Places: where the elements of a node lie, seen through views.

A view (a reshape, a transpose, a slice, a repetition) is no computation: it is another set of
strides over the memory of the node that it looks at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.arrays import Shape
from pellucid.compiler.graph import Node
from pellucid.compiler.primitives import ARRAY, fill

VIEWS = ("reshape", "permute_dims", "broadcast_to", "flip")


class UnsupportedError(TypeError):
    """A graph for which no native code can be made yet; it says which node is the reason.

    >>> import pellucid
    >>> from pellucid import nn
    >>> forward = pellucid.compile(nn.Conv1D(1, 2, 3))
    >>> x = pellucid.ones((1, 8, 1))
    >>> forward(x).shape  # NumPy computes it
    (1, 6, 2)
    >>> try:
    ...     forward.explain(x)
    ... except pellucid.UnsupportedError as error:
    ...     print(error)
    expected a function that compiles: no native code for conv yet ...
    """


@dataclass(frozen=True)
class Place:
    """How the elements of a node lie in what is stored of another: strides in elements."""

    stored: Node
    strides: tuple[int, ...]
    offset: int = 0


def is_view(node: Node) -> bool:
    """Whether a node is nothing but another look at what its operand holds."""
    return node.op in VIEWS or (node.op == "index" and ARRAY not in node.param("key"))


def place(node: Node) -> Place:
    """Return where the elements of a node lie, seen through views.

    Raises:
        UnsupportedError: a reshape of something that does not lie in one piece.
    """
    if not is_view(node):
        return Place(node, contiguous(node.shape))
    below = place(node.inputs[0])
    before, after = node.inputs[0].shape, node.shape
    if node.op == "permute_dims":
        return Place(
            below.stored, tuple(below.strides[a] for a in node.param("axes")), below.offset
        )
    if node.op == "index":
        _, strides, offset = sliced(before, below.strides, node.param("key"))
        return Place(below.stored, strides, below.offset + offset)
    if node.op == "flip":
        axis = node.param("axis")
        axes = range(len(after)) if axis is None else np.atleast_1d(axis) % len(after)
        key = tuple(("slice", None, None, -1 if a in axes else None) for a in range(len(after)))
        _, strides, offset = sliced(before, below.strides, key)
        return Place(below.stored, strides, below.offset + offset)
    if node.op == "broadcast_to":
        return Place(below.stored, stretched(before, below.strides, after), below.offset)
    found = reshaped(before, below.strides, after)
    if found is None:
        raise UnsupportedError(
            f"no native code for {node.op} of a transposed array yet ({node.line})"
        )
    return Place(below.stored, found, below.offset)


def has_unit_stride(node: Node) -> bool:
    """Whether a matrix has its rows or its columns in one piece."""
    strides = place(node).strides[-2:]
    steps = [s for s, n in zip(strides, node.shape[-2:], strict=True) if n > 1]
    return all(steps) and (not steps or 1 in steps)


def contiguous(shape: Shape) -> tuple[int, ...]:
    """Return the strides of an array in row-major order."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step if n != 1 else 0)
        step *= n
    return tuple(reversed(strides))


def stretched(shape: Shape, strides: tuple[int, ...], to: Shape) -> tuple[int, ...]:
    """Return strides with 0 where an axis is repeated."""
    lead = len(to) - len(shape)
    kept = (s if n == m else 0 for n, s, m in zip(shape, strides, to[lead:], strict=True))
    return (*(0 for _ in range(lead)), *kept)


def sliced(
    shape: Shape, strides: tuple[int, ...], key: tuple[Any, ...]
) -> tuple[Shape, tuple[int, ...], int]:
    """Return shape, strides and offset of what a key of integers and slices picks out."""
    base = np.lib.stride_tricks.as_strided(np.empty(1, np.int8), shape, strides)
    if Ellipsis not in key:  # a single element must not be read: there is none
        key = (*key, Ellipsis)
    view = base[fill(key, ())]
    offset = view.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    steps = tuple(0 if n == 1 else s for n, s in zip(view.shape, view.strides, strict=True))
    return view.shape, steps, offset


def reshaped(shape: Shape, strides: tuple[int, ...], to: Shape) -> tuple[int, ...] | None:
    """Return the strides of a reshaped view, or None where it would take a copy."""
    base = np.lib.stride_tricks.as_strided(np.empty(1, np.int8), shape, strides)
    if base.size == 0:
        return contiguous(to)
    view: Any = base.view()
    try:
        view.shape = to
    except AttributeError:
        return None
    return tuple(0 if n == 1 else s for n, s in zip(to, view.strides, strict=True))
