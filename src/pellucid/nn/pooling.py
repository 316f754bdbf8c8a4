"""Pooling over sequences and images, channels last, and flattening."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

from pellucid.arrays import Pairs, Shape, output_size
from pellucid.autograd import Tensor, as_tensor
from pellucid.autograd import functions as F  # noqa: N812 - the field's name for it
from pellucid.autograd.apply import floating
from pellucid.errors import ShapeError
from pellucid.nn.module import Module
from pellucid.nn.spatial import (
    Padding,
    Sizes,
    check_input,
    check_output,
    padding_of,
    same,
    shown,
    sizes,
)


class Pool(Module):
    """What pooling layers share: the windows, of which each becomes one element a channel."""

    axes: ClassVar[int]  # how many spatial ones

    def __init__(
        self, kernel_size: Sizes, stride: Sizes | None = None, padding: Padding = "valid"
    ) -> None:
        self.kernel_size = sizes(self, "kernel_size", kernel_size, self.axes)
        self.stride = (
            self.kernel_size if stride is None else sizes(self, "stride", stride, self.axes)
        )
        self.padding = padding_of(self, padding, self.axes)
        if self.padding != "same" and any(
            max(pair) >= k for pair, k in zip(self.padding, self.kernel_size, strict=True)
        ):
            raise ValueError(
                f"{type(self).__name__}: expected padding smaller than the kernel, so that no "
                f"window is of padding only, got {padding!r} for kernel_size={kernel_size!r}"
            )

    def forward(self, x: Any) -> Tensor:
        """Return one element for each window."""
        x = as_tensor(x)
        check_input(self, x.shape, self.axes)
        size, once = x.shape[1:-1], (1,) * self.axes
        padding = (
            same(size, self.kernel_size, self.stride, once)
            if self.padding == "same"
            else self.padding
        )
        out = output_size(size, self.kernel_size, self.stride, padding, once)
        check_output(self, size, out, self.kernel_size, once)
        return self.pooled(x, padding)  # (N, *out, C)

    def pooled(self, x: Tensor, padding: Pairs) -> Tensor:
        """Return one element for each window of x with that padding; each kind defines it."""
        raise TypeError(f"{type(self).__name__} has no pooled(); define it in the class")

    def describe(self) -> str:
        """Return the size of the windows, and the settings that are not the usual ones."""
        parts = [shown(self.kernel_size)]
        if self.stride != self.kernel_size:
            parts.append(f"stride={shown(self.stride)}")
        if shown(self.padding) != "0":
            parts.append(f"padding={shown(self.padding)}")
        return ", ".join(parts)


class MaxPool(Pool):
    """What `MaxPool1D` and `MaxPool2D` share."""

    def pooled(self, x: Tensor, padding: Pairs) -> Tensor:
        """Return the largest element of each window."""
        return F.max_pool(x, kernel=self.kernel_size, stride=self.stride, padding=padding)


class MaxPool1D(MaxPool):
    """out = max of each window: out[n, p, c] = max over k of x[n, p * stride + k, c].

    x is ``(N, L, C)``, the output ``(N, out, C)``; see `MaxPool2D` for the settings, ties and the
    size ``out``.

    >>> from pellucid import nn
    >>> x = [[[1.0], [3.0], [2.0], [6.0]]]  # one sequence, four steps, one channel
    >>> nn.MaxPool1D(2)(x).tolist()
    [[[3.0], [6.0]]]
    >>> nn.MaxPool1D(2, stride=1)(x).tolist()
    [[[3.0], [3.0], [6.0]]]
    """

    axes = 1


class MaxPool2D(MaxPool):
    """out = max of each window: out[n, p, c] = max over k of x[n, p * stride + k, c].

    p, a place, and k, one in the window, are pairs. x is ``(N, H, W, C)``, the output ``(N, *out,
    C)`` with, along each axis::

        out = (size + before + after - kernel) // stride + 1

    Of elements that tie the first in the window, row by row, takes the gradient, as in PyTorch.
    Padding is never the largest element. Zhou and Chellappa, "Computation of optical flow using a
    neural network", ICNN 1988.

    Args:
        kernel_size: size of a window, a number or one for each axis.
        stride: how many places the window moves on; by default its size, so that no two overlap.
        padding: "valid" for none; "same" for as much as makes ``out = ceil(size / stride)``; a
            number, one for each axis, or a pair (before, after) for each; less than the kernel.

    Raises:
        ValueError: a setting is none of the above.
        ShapeError: of a call: the input has other axes, or is smaller than a window.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)  # one image, rows 0 .. 3, 4 .. 7, ...
    >>> nn.MaxPool2D(2)(x).reshape(2, 2).tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    >>> nn.MaxPool2D(3, stride=2, padding="same")(np.zeros((8, 28, 28, 16))).shape
    (8, 14, 14, 16)
    """

    axes = 2


class AvgPool(Pool):
    """What `AvgPool1D` and `AvgPool2D` share."""

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Padding = "valid",
        *,
        count_include_pad: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding)
        self.count_include_pad = bool(count_include_pad)

    def pooled(self, x: Tensor, padding: Pairs) -> Tensor:
        """Return the mean of each window."""
        return F.avg_pool(
            x,
            kernel=self.kernel_size,
            stride=self.stride,
            padding=padding,
            count_include_pad=self.count_include_pad,
        )

    def describe(self) -> str:
        """Return the size of the windows, and the settings that are not the usual ones."""
        counted = ", count_include_pad=True" if self.count_include_pad else ""
        return super().describe() + counted


class AvgPool1D(AvgPool):
    """out = mean of each window: out[n, p, c] = (1/m) * sum over k of x[n, p * stride + k, c].

    m is the number of elements of x in the window. x is ``(N, L, C)``, the output ``(N, out, C)``;
    see `AvgPool2D` for the settings and the size ``out``.

    >>> from pellucid import nn
    >>> x = [[[1.0], [3.0], [2.0], [6.0]]]  # one sequence, four steps, one channel
    >>> nn.AvgPool1D(2)(x).tolist()
    [[[2.0], [4.0]]]
    """

    axes = 1


class AvgPool2D(AvgPool):
    """out = mean of each window: out[n, p, c] = (1/m) * sum over k of x[n, p * stride + k, c].

    p, a place, and k, one in the window, are pairs; m is the number of elements of x in the window:
    padding does not count, as in Keras. x is ``(N, H, W, C)``, the output ``(N, *out, C)`` with
    ``out`` as in `MaxPool2D`. LeCun, Boser, Denker et al., "Handwritten digit recognition with a
    back-propagation network", NeurIPS 1989.

    Args:
        kernel_size: size of a window, a number or one for each axis.
        stride: how many places the window moves on; by default its size, so that no two overlap.
        padding: "valid" for none; "same" for as much as makes ``out = ceil(size / stride)``; a
            number, one for each axis, or a pair (before, after) for each; less than the kernel.
        count_include_pad: whether m is the number of elements of the kernel everywhere, as if the
            zeros around x were elements too, which is PyTorch's default.

    Raises:
        ValueError: a setting is none of the above.
        ShapeError: of a call: the input has other axes, or is smaller than a window.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)  # one image, rows 0 .. 3, 4 .. 7, ...
    >>> nn.AvgPool2D(2)(x).reshape(2, 2).tolist()
    [[2.5, 4.5], [10.5, 12.5]]
    """

    axes = 2


class GlobalPool(Module):
    """What layers share that make one element a channel of all places."""

    axes: ClassVar[int]

    def __init__(self, keepdims: bool = False) -> None:
        self.keepdims = bool(keepdims)

    def forward(self, x: Any) -> Tensor:
        """Return one element for each channel."""
        x = floating(as_tensor(x))
        check_input(self, x.shape, self.axes)
        if not prod(x.shape[1:-1]):
            raise ShapeError(
                f"expected at least one place, got input of shape {x.shape}: nothing has no mean "
                "and no maximum; reduce the size less in the layers before",
                source=self,
            )
        return self.pooled(x, tuple(range(1, 1 + self.axes)))

    def pooled(self, x: Tensor, axis: Shape) -> Tensor:
        """Return one element for all along the spatial axes; each kind defines it."""
        raise TypeError(f"{type(self).__name__} has no pooled(); define it in the class")

    def describe(self) -> str:
        """Return whether the spatial axes stay, at size 1."""
        return "keepdims=True" if self.keepdims else ""


class GlobalAvgPool(GlobalPool):
    """What `GlobalAvgPool1D` and `GlobalAvgPool2D` share."""

    def pooled(self, x: Tensor, axis: Shape) -> Tensor:
        """Return the mean."""
        return F.mean(x, axis=axis, keepdims=self.keepdims)


class GlobalMaxPool(GlobalPool):
    """What `GlobalMaxPool1D` and `GlobalMaxPool2D` share."""

    def pooled(self, x: Tensor, axis: Shape) -> Tensor:
        """Return the maximum."""
        return F.max(x, axis=axis, keepdims=self.keepdims)


class GlobalAvgPool1D(GlobalAvgPool):
    """out = mean of each channel: out[n, c] = mean over places p of x[n, p, c].

    x is ``(N, L, C)``, the output ``(N, C)``, or ``(N, 1, C)`` with ``keepdims``. Source
    as in `GlobalAvgPool2D`.

    >>> from pellucid import nn
    >>> x = [[[1.0, 10.0], [3.0, 30.0]]]  # one sequence, two steps, two channels
    >>> nn.GlobalAvgPool1D()(x).tolist()
    [[2.0, 20.0]]
    """

    axes = 1


class GlobalAvgPool2D(GlobalAvgPool):
    """out = mean of each channel: out[n, c] = mean over places p of x[n, p, c].

    x is ``(N, H, W, C)``, the output ``(N, C)``, or ``(N, 1, 1, C)`` with ``keepdims``. Lin, Chen
    and Yan, "Network in network", ICLR 2014.

    Raises:
        ShapeError: of a call: the input has other axes, or no places.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> x = np.arange(8.0).reshape(1, 2, 2, 2)  # channels 0, 2, 4, 6 and 1, 3, 5, 7
    >>> nn.GlobalAvgPool2D()(x).tolist()
    [[3.0, 4.0]]
    >>> nn.GlobalAvgPool2D(keepdims=True)(x).shape
    (1, 1, 1, 2)
    """

    axes = 2


class GlobalMaxPool1D(GlobalMaxPool):
    """out = max of each channel: out[n, c] = max over places p of x[n, p, c].

    x is ``(N, L, C)``, the output ``(N, C)``, or ``(N, 1, C)`` with ``keepdims``. Ties and source
    as in `GlobalMaxPool2D`.

    >>> from pellucid import nn
    >>> x = [[[1.0, 30.0], [3.0, 10.0]]]  # one sequence, two steps, two channels
    >>> nn.GlobalMaxPool1D()(x).tolist()
    [[3.0, 30.0]]
    """

    axes = 1


class GlobalMaxPool2D(GlobalMaxPool):
    """out = max of each channel: out[n, c] = max over places p of x[n, p, c].

    x is ``(N, H, W, C)``, the output ``(N, C)``, or ``(N, 1, 1, C)`` with ``keepdims``. Elements
    that tie share the gradient equally. Oquab, Bottou, Laptev and Sivic, "Is object localization
    for free? Weakly-supervised learning with convolutional neural networks", CVPR 2015.

    Raises:
        ShapeError: of a call: the input has other axes, or no places.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> x = np.arange(8.0).reshape(1, 2, 2, 2)  # channels 0, 2, 4, 6 and 1, 3, 5, 7
    >>> nn.GlobalMaxPool2D()(x).tolist()
    [[6.0, 7.0]]
    """

    axes = 2


class Flatten(Module):
    """out = one row for each example: out[n] = the elements of x[n] one after the other.

    x is ``(N, ...)``, the output ``(N, C)`` with C the product of the other sizes. The last axis is
    the fastest, and images have their channels last: the order is Keras's, not PyTorch's. A call
    raises a `ShapeError` for a number, which has no examples.

    >>> from pellucid import nn
    >>> nn.Flatten()([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]).tolist()
    [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]
    """

    def forward(self, x: Any) -> Tensor:
        """Return one row for each example."""
        x = as_tensor(x)
        if x.ndim == 0:
            raise ShapeError("expected input of shape (N, ...), got ()", source=self)
        return F.reshape(x, (x.shape[0], prod(x.shape[1:])))

    def describe(self) -> str:
        """Return nothing: there is nothing to set."""
        return ""
