"""Slow, obvious versions of operations that NumPy or PyTorch does not have as one function."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

erf = np.vectorize(math.erf, otypes=[float])

MASK = 0xFFFFFFFF


def var(x: np.ndarray, axis: Any, keepdims: bool, ddof: int) -> np.ndarray:
    """Return the sum of squared deviations over n - ddof, which may be 0."""
    deviation = x - x.mean(axis, keepdims=True)
    n = x.size // max(deviation.mean(axis).size, 1)
    return np.sum(deviation**2, axis, keepdims=keepdims) / np.array(n - ddof)


def scatter_add(values: np.ndarray, key: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return zeros with values added, element by element."""
    out = np.zeros(shape, values.dtype)
    places = np.arange(out.size).reshape(shape)[key]
    for place, value in zip(
        places.ravel(), np.broadcast_to(values, places.shape).ravel(), strict=True
    ):
        out.flat[place] += value
    return out


def patches(x: np.ndarray, kernel: Any, stride: Any, dilation: Any) -> Any:
    """Yield each output place of a convolution and the slices of the padded x that it sees."""
    out = [
        (n - d * (k - 1) - 1) // s + 1
        for n, k, s, d in zip(x.shape[1:-1], kernel, stride, dilation, strict=True)
    ]
    for place in np.ndindex(*out):
        yield (
            place,
            tuple(
                slice(p * s, p * s + d * (k - 1) + 1, d)
                for p, k, s, d in zip(place, kernel, stride, dilation, strict=True)
            ),
        )


def padded(x: np.ndarray, padding: Any) -> np.ndarray:
    """Return x with zeros around its spatial axes."""
    return np.pad(x, ((0, 0), *padding, (0, 0)))


def conv(x: np.ndarray, w: np.ndarray, stride: Any, padding: Any, dilation: Any) -> np.ndarray:
    """Return the convolution, one output place at a time."""
    kernel = w.shape[:-2]
    x = padded(x, padding)
    seen = list(patches(x, kernel, stride, dilation))
    size = tuple(n + 1 for n in seen[-1][0])
    out = np.zeros((len(x), *size, w.shape[-1]), x.dtype)
    for place, part in seen:
        out[(slice(None), *place)] = np.tensordot(x[(slice(None), *part)], w, w.ndim - 1)
    return out


def conv_input(
    g: np.ndarray, w: np.ndarray, size: Any, stride: Any, padding: Any, dilation: Any
) -> np.ndarray:
    """Return the sum of what each output place sends back to the input places it saw."""
    dx = padded(np.zeros((len(g), *size, w.shape[-2]), g.dtype), padding)
    for place, part in patches(dx, w.shape[:-2], stride, dilation):
        dx[(slice(None), *part)] += np.tensordot(g[(slice(None), *place)], w, ([1], [w.ndim - 1]))
    inner = (slice(low, low + n) for n, (low, _) in zip(size, padding, strict=True))
    return dx[(slice(None), *inner)]


def conv_kernel(
    x: np.ndarray, g: np.ndarray, kernel: Any, stride: Any, padding: Any, dilation: Any
) -> np.ndarray:
    """Return the sum over output places of what the kernel saw there times what came back."""
    x = padded(x, padding)
    dw = np.zeros((*kernel, x.shape[-1], g.shape[-1]), g.dtype)
    for place, part in patches(x, kernel, stride, dilation):
        dw += np.tensordot(x[(slice(None), *part)], g[(slice(None), *place)], ([0], [0]))
    return dw


def lowbias32(x: int) -> int:
    """Return the hash of one 32-bit word in Python's own integers."""
    x ^= x >> 16
    x = x * 0x7FEB352D & MASK
    x ^= x >> 15
    x = x * 0x846CA68B & MASK
    return x ^ x >> 16


def uniform(state: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the counter's random numbers, one word at a time."""
    key, counter = (int(word) for word in state)
    stream = lowbias32(key ^ lowbias32(counter + 0x9E3779B9 & MASK))
    words = (lowbias32(lowbias32(i ^ stream) + key & MASK) for i in range(math.prod(shape)))
    return np.array([(word >> 8) / 2**24 for word in words], np.float32).reshape(shape)


def torch_conv(t: Any, x: Any, w: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    """Return PyTorch's convolution, with channels last as here."""
    spatial = x.ndim - 2
    widths = [n for low_high in reversed(padding) for n in low_high]
    x = t.nn.functional.pad(t.movedim(x, -1, 1), widths).contiguous()
    w = t.permute(w, (spatial + 1, spatial, *range(spatial))).contiguous()
    function = getattr(t.nn.functional, f"conv{spatial}d")
    return t.movedim(function(x, w, stride=stride, dilation=dilation), 1, -1)


def torch_adjoint(t: Any, f: Callable[[Any], Any], shape: Any, g: Any) -> Any:
    """Return the transpose of the linear map f, from PyTorch's own backward pass, applied to g."""
    x = t.zeros(shape, dtype=g.dtype, requires_grad=True)
    (dx,) = t.autograd.grad(f(x), x, g, create_graph=True)
    return dx
