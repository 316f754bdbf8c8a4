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
    """Return the patches ``(N, *out, *kernel, C)`` of x ``(N, *size, C)``, ``value`` around it.

    Args:
        x: sequences or images, with the channels last.
        kernel: the size of a window along each spatial axis; the others too are one an axis.
        stride: the steps from one window to the next.
        padding: how many elements of ``value`` are added ``(before, after)``.
        dilation: the steps from one element of a window to the next.
        value: what stands in the padding.

    >>> import pellucid
    >>> x = pellucid.reshape([1.0, 2.0, 3.0, 4.0], (1, 4, 1))
    >>> how = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,)}
    >>> pellucid.windows(x, kernel=(2,), **how)[0, :, :, 0].tolist()
    [[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]]
    """
    how = {"stride": stride, "padding": padding, "dilation": dilation, "value": value}
    return apply(pool.Windows, as_tensor(x), kernel=kernel, **how)


def windows_input(
    g: Any, /, *, size: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> Tensor:
    """Return the gradient of `windows` for x of spatial ``size``, given g of its output.

    Each element of g ``(N, *out, *kernel, C)`` is added where it came from: ``(N, *size, C)``.

    >>> import pellucid
    >>> g = pellucid.ones((1, 3, 2, 1))  # of three windows of two elements
    >>> how = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,)}
    >>> pellucid.windows_input(g, size=(4,), **how).flatten()
    Tensor([1., 2., 2., 1.])
    """
    how = {"stride": stride, "padding": padding, "dilation": dilation}
    return apply(pool.WindowsInput, as_tensor(g), size=size, **how)


def max_pool(x: Any, /, *, kernel: Shape, stride: Shape, padding: Pairs) -> Tensor:
    """Return the largest element of each window of x ``(N, *size, C)``; padding is never it.

    Of equal elements the first takes the gradient. The settings are those of `windows`; see
    `nn.MaxPool2D`.

    Raises:
        ValueError: the padding is as large as the kernel, so that a window could be empty.

    >>> import pellucid
    >>> x = pellucid.reshape([1.0, 5.0, 2.0, 4.0], (1, 4, 1))
    >>> pellucid.max_pool(x, kernel=(2,), stride=(2,), padding=((0, 0),)).flatten()
    Tensor([5., 4.])
    """
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
    """Return the mean of each window of x ``(N, *size, C)``, without or with the padding.

    The settings are those of `windows`; see `nn.AvgPool2D`.

    Raises:
        ValueError: the padding is as large as the kernel, so that a window could be empty.

    >>> import pellucid
    >>> x = pellucid.reshape([1.0, 5.0, 2.0, 4.0], (1, 4, 1))
    >>> pellucid.avg_pool(x, kernel=(2,), stride=(2,), padding=((0, 0),)).flatten()
    Tensor([3., 3.])
    """
    _refuse_empty_windows("avg_pool", kernel, padding)
    how = {"kernel": kernel, "stride": stride, "padding": padding}
    return apply(pool.AvgPool, as_tensor(x), **how, count_include_pad=count_include_pad)


def _refuse_empty_windows(name: str, kernel: Shape, padding: Pairs) -> None:
    if any(max(pair) >= k for pair, k in zip(padding, kernel, strict=True)):
        raise ValueError(
            f"{name}: expected padding smaller than the kernel, so that every window holds an "
            f"element, got {padding=} for {kernel=}"
        )
