"""Operations that move elements without changing them; their gradients move them back."""

from __future__ import annotations

from pellucid.arrays import Array, Axis, Namespace, Pairs, Shape
from pellucid.ops.op import Gradients, Op


class Reshape(Op):
    """out = x in another shape, elements in row-major order."""

    @staticmethod
    def forward(xp: Namespace, x: Array, *, shape: Shape) -> Array:
        return xp.reshape(x, shape)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array, *, shape: Shape) -> Gradients:
        return (xp.reshape(g, x.shape),)


class Transpose(Op):
    """out = x with its axes in the given order;  dx = g in the inverse order."""

    @staticmethod
    def forward(xp: Namespace, x: Array, *, axes: Shape) -> Array:
        return xp.permute_dims(x, axes)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array, *, axes: Shape) -> Gradients:
        return (xp.permute_dims(g, tuple(sorted(range(len(axes)), key=axes.__getitem__))),)


class BroadcastTo(Op):
    """out = x repeated to a larger shape;  dx = g summed back, which the tape does."""

    @staticmethod
    def forward(xp: Namespace, x: Array, *, shape: Shape) -> Array:
        return xp.broadcast_to(x, shape)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array, *, shape: Shape) -> Gradients:
        return (g,)


class ExpandDims(Op):
    """out = x with a new axis of size 1."""

    @staticmethod
    def forward(xp: Namespace, x: Array, *, axis: int) -> Array:
        return xp.expand_dims(x, axis=axis)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array, *, axis: int) -> Gradients:
        return (xp.reshape(g, x.shape),)


class Squeeze(Op):
    """out = x without the given axes of size 1."""

    @staticmethod
    def forward(xp: Namespace, x: Array, *, axis: int | tuple[int, ...]) -> Array:
        return xp.squeeze(x, axis)

    @staticmethod
    def vjp(
        xp: Namespace, g: Array, out: Array, x: Array, *, axis: int | tuple[int, ...]
    ) -> Gradients:
        return (xp.reshape(g, x.shape),)


class Concat(Op):
    """out = arrays joined along an axis;  each takes its slice of g."""

    casts = "common"

    @staticmethod
    def forward(xp: Namespace, *arrays: Array, axis: int) -> Array:
        return xp.concat(arrays, axis=axis)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, *arrays: Array, axis: int) -> Gradients:
        before = (slice(None),) * (axis % out.ndim)
        slices, start = [], 0
        for array in arrays:
            stop = start + array.shape[axis]
            slices.append(g[(*before, slice(start, stop), ...)])
            start = stop
        return tuple(slices)


class Stack(Op):
    """out = arrays joined along a new axis;  each takes its layer of g."""

    casts = "common"

    @staticmethod
    def forward(xp: Namespace, *arrays: Array, axis: int) -> Array:
        return xp.stack(arrays, axis=axis)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, *arrays: Array, axis: int) -> Gradients:
        before = (slice(None),) * (axis % out.ndim)
        return tuple(g[(*before, layer, ...)] for layer in range(len(arrays)))


class Flip(Op):
    """out = x in reverse order along axes;  dx = g reversed likewise."""

    @staticmethod
    def forward(xp: Namespace, x: Array, *, axis: Axis) -> Array:
        return xp.flip(x, axis=axis)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array, *, axis: Axis) -> Gradients:
        return (xp.flip(g, axis=axis),)


class Pad(Op):
    """out = x with a border of one value;  dx = g without the border."""

    @staticmethod
    def forward(xp: Namespace, x: Array, *, widths: Pairs, value: float) -> Array:
        return xp.pad(x, widths=widths, value=value)

    @staticmethod
    def vjp(
        xp: Namespace, g: Array, out: Array, x: Array, *, widths: Pairs, value: float
    ) -> Gradients:
        inner = (slice(low, low + n) for (low, _), n in zip(widths, x.shape, strict=True))
        return (g[tuple(inner)],)
