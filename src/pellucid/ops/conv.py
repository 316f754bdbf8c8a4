"""Convolution, channels last. Three bilinear maps, each the gradient of the other two.

x is ``(N, *size, Ci)``, w ``(*kernel, Ci // groups, Co)``, the output ``(N, *out, Co)``. As
everywhere in this field, "convolution" is cross-correlation: the kernel is not flipped. The
channels of input and output are cut into ``groups`` runs; an output channel sums over the input
channels c of its own run. All three take ``stride``, ``padding``, ``dilation`` and ``groups``.
"""

from __future__ import annotations

from typing import Any

from pellucid.arrays import Array, Namespace, Shape
from pellucid.ops.op import Gradients, Op


class Conv(Op):
    """out[n, p, o] = sum over k, c of x[n, p * stride + k * dilation, c] * w[k, c, o]."""

    casts = "common"

    @staticmethod
    def forward(xp: Namespace, x: Array, w: Array, **how: Any) -> Array:
        return xp.conv(x, w, **how)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, x: Array, w: Array, **how: Any) -> Gradients:
        return (
            lambda: xp.conv_input(g, w, size=x.shape[1:-1], **how),
            lambda: xp.conv_kernel(x, g, kernel=w.shape[:-2], **how),
        )


class ConvInput(Op):
    """out = the gradient of `Conv` with respect to x, itself known as transposed convolution."""

    casts = "common"

    @staticmethod
    def forward(xp: Namespace, y: Array, w: Array, *, size: Shape, **how: Any) -> Array:
        return xp.conv_input(y, w, size=size, **how)

    @staticmethod
    def vjp(
        xp: Namespace,
        g: Array,
        out: Array,
        y: Array,
        w: Array,
        *,
        size: Shape,
        **how: Any,
    ) -> Gradients:
        return (
            lambda: xp.conv(g, w, **how),
            lambda: xp.conv_kernel(g, y, kernel=w.shape[:-2], **how),
        )


class ConvKernel(Op):
    """out = the gradient of `Conv` with respect to w."""

    casts = "common"

    @staticmethod
    def forward(xp: Namespace, x: Array, y: Array, *, kernel: Shape, **how: Any) -> Array:
        return xp.conv_kernel(x, y, kernel=kernel, **how)

    @staticmethod
    def vjp(
        xp: Namespace,
        g: Array,
        out: Array,
        x: Array,
        y: Array,
        *,
        kernel: Shape,
        **how: Any,
    ) -> Gradients:
        return (
            lambda: xp.conv_input(y, g, size=x.shape[1:-1], **how),
            lambda: xp.conv(x, g, **how),
        )
