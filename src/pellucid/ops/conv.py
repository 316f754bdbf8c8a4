"""Convolution, channels last. Three bilinear maps, each the gradient of the other two.

x is ``(N, *size, Ci)``, w ``(*kernel, Ci, Co)``, the output ``(N, *out, Co)``. As everywhere in
this field, "convolution" is cross-correlation: the kernel is not flipped.
"""

from __future__ import annotations

from pellucid.arrays import Array, Namespace, Pairs, Shape
from pellucid.ops.op import Gradients, Op


class Conv(Op):
    """out[n, p, o] = sum over k, c of x[n, p * stride + k * dilation, c] * w[k, c, o]."""

    casts = "common"

    @staticmethod
    def forward(
        xp: Namespace, x: Array, w: Array, *, stride: Shape, padding: Pairs, dilation: Shape
    ) -> Array:
        return xp.conv(x, w, stride=stride, padding=padding, dilation=dilation)

    @staticmethod
    def vjp(
        xp: Namespace, g: Array, out: Array, x: Array, w: Array, **how: Shape | Pairs
    ) -> Gradients:
        return (
            lambda: xp.conv_input(g, w, size=x.shape[1:-1], **how),  # type: ignore[arg-type]
            lambda: xp.conv_kernel(x, g, kernel=w.shape[:-2], **how),  # type: ignore[arg-type]
        )


class ConvInput(Op):
    """out = the gradient of `Conv` with respect to x, itself known as transposed convolution."""

    casts = "common"

    @staticmethod
    def forward(
        xp: Namespace,
        y: Array,
        w: Array,
        *,
        size: Shape,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
    ) -> Array:
        return xp.conv_input(y, w, size=size, stride=stride, padding=padding, dilation=dilation)

    @staticmethod
    def vjp(
        xp: Namespace,
        g: Array,
        out: Array,
        y: Array,
        w: Array,
        *,
        size: Shape,
        **how: Shape | Pairs,
    ) -> Gradients:
        return (
            lambda: xp.conv(g, w, **how),  # type: ignore[arg-type]
            lambda: xp.conv_kernel(g, y, kernel=w.shape[:-2], **how),  # type: ignore[arg-type]
        )


class ConvKernel(Op):
    """out = the gradient of `Conv` with respect to w."""

    casts = "common"

    @staticmethod
    def forward(
        xp: Namespace,
        x: Array,
        y: Array,
        *,
        kernel: Shape,
        stride: Shape,
        padding: Pairs,
        dilation: Shape,
    ) -> Array:
        return xp.conv_kernel(
            x, y, kernel=kernel, stride=stride, padding=padding, dilation=dilation
        )

    @staticmethod
    def vjp(
        xp: Namespace,
        g: Array,
        out: Array,
        x: Array,
        y: Array,
        *,
        kernel: Shape,
        **how: Shape | Pairs,
    ) -> Gradients:
        return (
            lambda: xp.conv_input(y, g, size=x.shape[1:-1], **how),  # type: ignore[arg-type]
            lambda: xp.conv(x, g, **how),  # type: ignore[arg-type]
        )
