"""Windows and convolution on NumPy arrays, channels last, for any number of spatial axes.

`windows` lays every patch that a kernel sees side by side without copying; matrix products do the
rest. x is ``(N, *size, Ci)``, w ``(*kernel, Ci // groups, Co)``, the output ``(N, *out, Co)`` with
``out = (size + before + after - dilation * (kernel - 1) - 1) // stride + 1`` along each spatial
axis. Input and output channels are cut into ``groups`` equal runs; run j of the output sees run j
of the input only. With one input channel a group that is a depthwise convolution.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.lib.stride_tricks import as_strided

from pellucid.arrays.protocol import Array, Pairs, Shape

Key = tuple[slice, ...]


def output_size(
    size: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> Shape:
    """Return the spatial size of a convolution's output; below 1 the kernel does not fit."""
    return tuple(
        (n + sum(pad) - d * (k - 1) - 1) // s + 1
        for n, k, s, pad, d in zip(size, kernel, stride, padding, dilation, strict=True)
    )


def windows(
    x: Array,
    /,
    *,
    kernel: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    value: float = 0.0,
) -> Array:
    """Return a read-only view ``(N, *out, *kernel, C)`` of the padded x: a patch a place.

    Raises:
        ValueError: the kernel does not fit, or a view would reach beyond x.
    """
    if min(*stride, *dilation, *kernel) < 1 or min(map(min, padding)) < 0:
        raise ValueError(
            f"expected kernel, stride and dilation of at least 1 and padding of at least 0, got "
            f"{kernel=}, {stride=}, {dilation=} and {padding=}"
        )
    out = output_size(x.shape[1:-1], kernel, stride, padding, dilation)
    x = _padded(x, padding, value)
    batch, *steps, channel = x.strides
    return as_strided(
        x,
        shape=(len(x), *out, *kernel, x.shape[-1]),
        strides=(
            batch,
            *(step * s for step, s in zip(steps, stride, strict=True)),
            *(step * d for step, d in zip(steps, dilation, strict=True)),
            channel,
        ),
        writeable=False,
    )


def windows_input(
    g: Array, /, *, size: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> Array:
    """dx[n, p*stride + k*dilation, c] += g[n, p, k, c], for every place p and every tap k."""
    axes = len(size)
    out, kernel = g.shape[1 : axes + 1], g.shape[axes + 1 : -1]
    dx = np.zeros((len(g), *_padded_size(size, padding), g.shape[-1]), dtype=g.dtype)
    for tap in taps(kernel):
        dx[seen_by(tap, out, stride, dilation)] += g[(..., *tap, slice(None))]
    return dx[_inside(size, padding)]


def conv(
    x: Array,
    w: Array,
    /,
    *,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int = 1,
) -> Array:
    """out[n, p, o] = sum over taps k, channels c of x[n, p*stride + k*dilation, c] * w[k, c, o]."""
    _check_channels(x.shape[-1], w.shape[-1], groups, w)
    kernel, outputs = w.shape[:-2], w.shape[-1]
    patches = windows(x, kernel=kernel, stride=stride, padding=padding, dilation=dilation)
    places = patches.shape[: x.ndim - 1]
    if groups == 1:
        rows = patches.reshape(math.prod(places), math.prod(w.shape[:-1]))
        return (rows @ w.reshape(rows.shape[1], outputs)).reshape(*places, outputs)
    filters = _filters(w, groups)
    out = np.zeros((*places, groups, outputs // groups), np.result_type(x, w))
    for tap in taps(kernel):
        out += _product(_cut(patches[(..., *tap, slice(None))], groups), filters[tap])
    return out.reshape(*places, outputs)


def conv_kernel(
    x: Array,
    g: Array,
    /,
    *,
    kernel: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int = 1,
) -> Array:
    """dw[k, c, o] = sum over n and p of x[n, p*stride + k*dilation, c] * g[n, p, o]."""
    _check_channels(x.shape[-1], g.shape[-1], groups)
    patches = windows(x, kernel=kernel, stride=stride, padding=padding, dilation=dilation)
    shape = (*kernel, x.shape[-1] // groups, g.shape[-1])
    if groups == 1:
        places = math.prod(g.shape[:-1])
        rows = patches.reshape(places, math.prod(shape[:-1]))
        return (rows.T @ g.reshape(places, g.shape[-1])).reshape(shape)
    back = _cut(g, groups)
    dw = np.zeros((*kernel, groups, shape[-2], shape[-1] // groups), np.result_type(x, g))
    for tap in taps(kernel):
        seen = _cut(patches[(..., *tap, slice(None))], groups)
        if seen.shape[-1] == back.shape[-1] == 1:
            dw[tap] = (seen * back).sum(axis=tuple(range(g.ndim - 1)))[..., None]
        else:
            dw[tap] = _matrices(seen).mT @ _matrices(back)
    return dw.swapaxes(-3, -2).reshape(shape)


def conv_input(
    g: Array,
    w: Array,
    /,
    *,
    size: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int = 1,
) -> Array:
    """dx[n, p*stride + k*dilation, c] += sum over o of g[n, p, o] * w[k, c, o], for every tap k."""
    channels = w.shape[-2] * groups
    _check_channels(channels, g.shape[-1], groups, w)
    back, filters = _cut(g, groups), _filters(w, groups).mT
    padded = _padded_size(size, padding)
    dx = np.zeros((len(g), *padded, channels), np.result_type(g, w))
    for tap in taps(w.shape[:-2]):
        part = _product(back, filters[tap]).reshape(*g.shape[:-1], channels)
        dx[seen_by(tap, g.shape[1:-1], stride, dilation)] += part
    return dx[_inside(size, padding)]


# places


def taps(kernel: Shape) -> Iterator[Shape]:
    """Yield the place of each element of a kernel, row by row."""
    return product(*map(range, kernel))


def seen_by(tap: Shape, out: Shape, stride: Shape, dilation: Shape) -> Key:
    """Return the part of a padded input that one tap sees, output place by output place."""
    places = zip(tap, out, stride, dilation, strict=True)
    return (slice(None), *(slice(k * d, k * d + s * n, s) for k, n, s, d in places))


def _padded_size(size: Shape, padding: Pairs) -> Shape:
    return tuple(n + low + high for n, (low, high) in zip(size, padding, strict=True))


def _inside(size: Shape, padding: Pairs) -> Key:
    """Return where in the padded array the original is."""
    return (slice(None), *(slice(low, low + n) for n, (low, _) in zip(size, padding, strict=True)))


def _padded(x: Array, padding: Pairs, value: float) -> Array:
    if not any(map(any, padding)):
        return x
    size = x.shape[1:-1]
    out = np.full((len(x), *_padded_size(size, padding), x.shape[-1]), value, dtype=x.dtype)
    out[_inside(size, padding)] = x
    return out


# groups


def _check_channels(inputs: int, outputs: int, groups: int, w: Array | None = None) -> None:
    """Refuse channels that would be paired wrongly."""
    if groups < 1 or inputs % groups or outputs % groups:
        raise ValueError(
            f"expected channels that {groups=} divides, got {inputs} in x and {outputs} in the "
            "output"
        )
    if w is not None and w.shape[-2:] != (inputs // groups, outputs):
        raise ValueError(
            f"expected a kernel (..., {inputs // groups}, {outputs}), the channels of x over "
            f"groups and those of the output, got {w.shape}"
        )


def _cut(x: Array, groups: int) -> Array:
    """Return a view ``(..., groups, channels // groups)``."""
    return x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)


def _filters(w: Array, groups: int) -> Array:
    """Return the matrices ``(*kernel, groups, Ci // groups, Co // groups)``."""
    return _cut(w, groups).swapaxes(-3, -2)


def _matrices(x: Array) -> Array:
    """Return ``(..., groups, c)`` as a matrix a group, ``(groups, places, c)``."""
    return x.reshape(math.prod(x.shape[:-2]), *x.shape[-2:]).swapaxes(0, 1)


def _product(x: Array, w: Array) -> Array:
    """out[..., j, o] = sum over c of x[..., j, c] * w[j, c, o]; j is the group."""
    if w.shape[1:] == (1, 1):  # numbers, not matrices: BLAS would be called for each of them
        return x * w[:, 0]
    return (_matrices(x) @ w).swapaxes(0, 1).reshape(*x.shape[:-1], w.shape[-1])
