"""Convolution on NumPy arrays, channels last, for any number of spatial axes.

``windows`` lays every patch the kernel sees side by side without copying; a matrix product does the
rest. x is ``(N, *size, Ci)``, w ``(*kernel, Ci, Co)``, the output ``(N, *out, Co)`` with
``out = (size + before + after - dilation * (kernel - 1) - 1) // stride + 1`` along each spatial
axis.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
from numpy.lib.stride_tricks import as_strided

from pellucid.arrays.protocol import Array, Pairs, Shape


def output_size(
    size: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> Shape:
    """Return the spatial size of a convolution's output; below 1 the kernel does not fit."""
    return tuple(
        (n + sum(pad) - d * (k - 1) - 1) // s + 1
        for n, k, s, pad, d in zip(size, kernel, stride, padding, dilation, strict=True)
    )


def windows(x: Array, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape) -> Array:
    """Return a read-only view ``(N, *out, *kernel, Ci)`` of the padded x: a patch a place."""
    size = x.shape[1:-1]
    if any(sum(pad) for pad in padding):
        x = np.pad(x, ((0, 0), *padding, (0, 0)))
    batch, *steps, channel = x.strides
    return as_strided(
        x,
        shape=(len(x), *output_size(size, kernel, stride, padding, dilation), *kernel, x.shape[-1]),
        strides=(
            batch,
            *(step * s for step, s in zip(steps, stride, strict=True)),
            *(step * d for step, d in zip(steps, dilation, strict=True)),
            channel,
        ),
        writeable=False,
    )


def conv(x: Array, w: Array, /, *, stride: Shape, padding: Pairs, dilation: Shape) -> Array:
    """out[n, p, o] = sum over taps k, channels c of x[n, p*stride + k*dilation, c] * w[k, c, o]."""
    kernel, out_channels = w.shape[:-2], w.shape[-1]
    patches = windows(x, kernel, stride, padding, dilation)
    places = patches.shape[: x.ndim - 1]
    rows = patches.reshape(math.prod(places), math.prod(w.shape[:-1]))
    return (rows @ w.reshape(rows.shape[1], out_channels)).reshape(*places, out_channels)


def conv_kernel(
    x: Array, g: Array, /, *, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> Array:
    """dw[k, c, o] = sum over n and p of x[n, p*stride + k*dilation, c] * g[n, p, o]."""
    patches = windows(x, kernel, stride, padding, dilation)
    places = math.prod(g.shape[:-1])
    rows = patches.reshape(places, math.prod(kernel) * x.shape[-1])
    return (rows.T @ g.reshape(places, g.shape[-1])).reshape(*kernel, x.shape[-1], g.shape[-1])


def conv_input(
    g: Array, w: Array, /, *, size: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> Array:
    """dx[n, p*stride + k*dilation, c] += sum over o of g[n, p, o] * w[k, c, o], for every tap k."""
    kernel, channels = w.shape[:-2], w.shape[-2]
    padded = tuple(n + sum(pad) for n, pad in zip(size, padding, strict=True))
    dx = np.zeros((len(g), *padded, channels), dtype=g.dtype)
    for tap in product(*map(range, kernel)):
        places = tuple(
            slice(k * d, k * d + s * out, s)
            for k, d, s, out in zip(tap, dilation, stride, g.shape[1:-1], strict=True)
        )
        dx[(slice(None), *places)] += g @ w[tap].T
    inner = tuple(slice(low, low + n) for n, (low, _) in zip(size, padding, strict=True))
    return dx[(slice(None), *inner)]
