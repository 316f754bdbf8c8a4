"""Windows over sequences and images."""

from __future__ import annotations

from typing import Any

from pellucid.arrays import Pairs, Shape
from pellucid.autograd.tensor import Tensor, apply, as_tensor
from pellucid.ops import pool


def windows(
    x: Any,
    /,
    *,
    kernel: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    value: float = 0.0,
) -> Tensor:
    """Return the patches ``(N, *out, *kernel, C)`` of x ``(N, *size, C)``, ``value`` around it."""
    how = {"stride": stride, "padding": padding, "dilation": dilation, "value": value}
    return apply(pool.Windows, as_tensor(x), kernel=kernel, **how)


def windows_input(
    g: Any, /, *, size: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> Tensor:
    """Return the gradient of `windows` for x of spatial ``size``, given g of its output."""
    how = {"stride": stride, "padding": padding, "dilation": dilation}
    return apply(pool.WindowsInput, as_tensor(g), size=size, **how)


def max_pool(x: Any, /, *, kernel: Shape, stride: Shape, padding: Pairs) -> Tensor:
    """Return the largest element of each window of x ``(N, *size, C)``; padding is never it."""
    _refuse_empty_windows("max_pool", kernel, padding)
    how = {"kernel": kernel, "stride": stride, "padding": padding}
    return apply(pool.MaxPool, as_tensor(x), **how)


def avg_pool(
    x: Any,
    /,
    *,
    kernel: Shape,
    stride: Shape,
    padding: Pairs,
    count_include_pad: bool = False,
) -> Tensor:
    """Return the mean of each window of x ``(N, *size, C)``, without or with the padding."""
    _refuse_empty_windows("avg_pool", kernel, padding)
    how = {"kernel": kernel, "stride": stride, "padding": padding}
    return apply(pool.AvgPool, as_tensor(x), **how, count_include_pad=count_include_pad)


def _refuse_empty_windows(name: str, kernel: Shape, padding: Pairs) -> None:
    if any(max(pair) >= k for pair, k in zip(padding, kernel, strict=True)):
        raise ValueError(
            f"{name}: expected padding smaller than the kernel, so that every window holds an "
            f"element, got {padding=} for {kernel=}"
        )
