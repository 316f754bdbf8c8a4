"""Picking elements, and its mirror image, adding them into place: each is the other's gradient.

A key is a tuple of integers, slices, ellipses and new axes in which `ARRAY` stands for an integer
or boolean array; the arrays themselves are operands, so that a traced program sees them.
"""

from __future__ import annotations

from typing import Any

from pellucid.arrays import Array, Namespace, Shape
from pellucid.ops.op import Gradients, Op


class ArrayPlace:
    """The place of an array in a key."""

    def __repr__(self) -> str:
        return "ARRAY"


ARRAY = ArrayPlace()
Key = tuple[Any, ...]


def fill(key: Key, arrays: tuple[Array, ...]) -> Any:
    """Return the key with the arrays in their places."""
    rest = iter(arrays)
    return tuple(next(rest) if part is ARRAY else part for part in key)


class Index(Op):
    """out = x[key];  dx = zeros with g added at the key, repeated places accumulating."""

    @staticmethod
    def forward(xp: Namespace, x: Array, *arrays: Array, key: Key) -> Array:
        return xp.index(x, fill(key, arrays))

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array, *arrays: Array, key: Key) -> Gradients:
        dx = xp.scatter_add(g, fill(key, arrays), shape=x.shape)
        return dx, *(None for _ in arrays)


class ScatterAdd(Op):
    """out = zeros of a shape with values added at the key;  d values = g[key]."""

    @staticmethod
    def forward(xp: Namespace, values: Array, *arrays: Array, key: Key, shape: Shape) -> Array:
        return xp.scatter_add(values, fill(key, arrays), shape=shape)

    @staticmethod
    def vjp(
        xp: Namespace, g: Array, out: Array, values: Array, *arrays: Array, key: Key, shape: Shape
    ) -> Gradients:
        return xp.index(g, fill(key, arrays)), *(None for _ in arrays)
