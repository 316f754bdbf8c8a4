"""Windows and pooling, channels last: what a kernel sees, its largest element, its mean.

x is ``(N, *size, C)``; a window is what a kernel of the spatial shape ``kernel`` sees at one of
the places ``*out``, which are those of a convolution.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from functools import reduce
from itertools import product
from typing import Any

from pellucid.arrays import Array, Namespace, Pairs, Shape, output_size
from pellucid.ops.op import Gradients, Op


class Windows(Op):
    """out[n, p, k, c] = x[n, p * stride - before + k * dilation, c], ``value`` outside of x.

    The output is ``(N, *out, *kernel, C)``;  dx = every element of g added where it came from.
    """

    @staticmethod
    def forward(xp: Namespace, x: Array, *, kernel: Shape, value: float, **how: Any) -> Array:
        return xp.windows(x, kernel=kernel, value=value, **how)

    @staticmethod
    def vjp(
        xp: Namespace, g: Array, out: Array, x: Array, *, kernel: Shape, value: float, **how: Any
    ) -> Gradients:
        return (xp.windows_input(g, size=x.shape[1:-1], **how),)


class WindowsInput(Op):
    """out = the gradient of `Windows` with respect to x of spatial ``size``, given y of its output.

    dy = the windows of g.
    """

    @staticmethod
    def forward(xp: Namespace, y: Array, *, size: Shape, **how: Any) -> Array:
        return xp.windows_input(y, size=size, **how)

    @staticmethod
    def vjp(xp: Namespace, g: Array, out: Array, y: Array, *, size: Shape, **how: Any) -> Gradients:
        axes = len(size)
        return (xp.windows(g, kernel=y.shape[1 + axes : 1 + 2 * axes], **how),)


class MaxPool(Op):
    """out = the largest element of each window;  dx = g at the first of those that are as large.

    "First" is in the order of reading, row by row. Padding counts as minus infinity.
    """

    casts = "float"

    @staticmethod
    def forward(xp: Namespace, x: Array, *, kernel: Shape, stride: Shape, padding: Pairs) -> Array:
        return reduce(xp.maximum, seen(xp, x, kernel, stride, padding, -math.inf))

    @staticmethod
    def vjp(
        xp: Namespace,
        g: Array,
        out: Array,
        x: Array,
        *,
        kernel: Shape,
        stride: Shape,
        padding: Pairs,
    ) -> Gradients:
        free = out == out  # no earlier element took the gradient; a NaN gives it to none
        parts = []
        for element in seen(xp, x, kernel, stride, padding, -math.inf):
            taken = xp.logical_and(free, element == out)
            free = xp.logical_and(free, xp.logical_not(taken))
            parts.append(xp.where(taken, g, 0.0))
        shape = (*out.shape[:-1], *kernel, out.shape[-1])
        dw = xp.reshape(xp.stack(parts, axis=-2), shape)  # (N, *out, *kernel, C)
        return (spread(xp, dw, x, stride, padding),)


class AvgPool(Op):
    """out = (1/n) * sum of each window;  dx = g / n, to every element of the window.

    n is the number of elements of x in the window, or with ``count_include_pad`` that of the
    kernel, as if the zeros around x were elements too.
    """

    casts = "float"

    @staticmethod
    def forward(
        xp: Namespace,
        x: Array,
        *,
        kernel: Shape,
        stride: Shape,
        padding: Pairs,
        count_include_pad: bool,
    ) -> Array:
        n = elements(xp, x, kernel, stride, padding, count_include_pad)
        return reduce(operator.add, seen(xp, x, kernel, stride, padding, 0.0)) / n

    @staticmethod
    def vjp(
        xp: Namespace,
        g: Array,
        out: Array,
        x: Array,
        *,
        kernel: Shape,
        stride: Shape,
        padding: Pairs,
        count_include_pad: bool,
    ) -> Gradients:
        share = g / elements(xp, x, kernel, stride, padding, count_include_pad)
        alike = (*g.shape[:-1], *(1 for _ in kernel), g.shape[-1])
        shape = (*g.shape[:-1], *kernel, g.shape[-1])
        dw = xp.broadcast_to(xp.reshape(share, alike), shape)  # (N, *out, *kernel, C)
        return (spread(xp, dw, x, stride, padding),)


def seen(
    xp: Namespace, x: Array, kernel: Shape, stride: Shape, padding: Pairs, value: float
) -> Iterable[Array]:
    """Yield for each element of the kernel what it sees, ``(N, *out, C)``."""
    once = (1,) * len(kernel)
    patches = xp.windows(
        x, kernel=kernel, stride=stride, padding=padding, dilation=once, value=value
    )
    for place in product(*map(range, kernel)):
        yield xp.index(patches, (..., *place, slice(None)))


def spread(xp: Namespace, dw: Array, x: Array, stride: Shape, padding: Pairs) -> Array:
    """Return the gradient of x for that of its windows."""
    once = (1,) * len(stride)
    return xp.windows_input(dw, size=x.shape[1:-1], stride=stride, padding=padding, dilation=once)


def elements(
    xp: Namespace,
    x: Array,
    kernel: Shape,
    stride: Shape,
    padding: Pairs,
    count_include_pad: bool,
) -> Any:
    """Return how many elements the windows have: a number, or one for each, ``(*out, 1)``."""
    if count_include_pad or not any(map(any, padding)):
        return math.prod(kernel)
    size = x.shape[1:-1]
    total: Any = 1.0
    for axis, places in enumerate(output_size(size, kernel, stride, padding, (1,) * len(kernel))):
        starts = [p * stride[axis] - padding[axis][0] for p in range(places)]
        inside = [min(at + kernel[axis], size[axis]) - max(at, 0) for at in starts]
        shape = tuple(places if a == axis else 1 for a in range(len(size) + 1))
        total = total * xp.reshape(xp.asarray(inside, dtype=x.dtype), shape)
    return total
