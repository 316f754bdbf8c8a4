"""Samples of convolution, transposed convolution and pooling, held against PyTorch.

PyTorch has channels first, and no "same" with a stride: the padding that Keras's rule gives is
written out here for each sample, (before, after) from the last axis to the first as PyTorch's
``pad`` takes it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from contracts.layer_case import Parameters, Sample, normal
from pellucid import nn

Torch = Callable[[Any, Any, Parameters], Any]
Shape = tuple[int, ...]


def filters(p: Parameters) -> Any:
    """Return W as PyTorch has it, the last two axes first."""
    axes = p["weight"].ndim - 2
    return p["weight"].permute(axes + 1, axes, *range(axes)).contiguous()


def conv(stride: Any = 1, pad: Shape = (0, 0), dilation: Any = 1, groups: int = 1) -> Torch:
    """Return a convolution."""

    def out(torch: Any, x: Any, p: Parameters) -> Any:
        x = torch.nn.functional.pad(x.movedim(-1, 1), pad)
        function = getattr(torch.nn.functional, f"conv{x.ndim - 2}d")
        z = function(x, filters(p), p.get("bias"), stride=stride, dilation=dilation, groups=groups)
        return z.movedim(1, -1)

    return out


def torch_same(dilation: int = 1) -> Torch:
    """Return a convolution with PyTorch's own "same", which takes no stride."""

    def out(torch: Any, x: Any, p: Parameters) -> Any:
        function = getattr(torch.nn.functional, f"conv{x.ndim - 2}d")
        how = {"padding": "same", "dilation": dilation}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Using padding='same' with even kernel")
            return function(x.movedim(-1, 1), filters(p), p["bias"], **how).movedim(1, -1)

    return out


def relu_of(function: Torch) -> Torch:
    """Return the function followed by relu."""
    return lambda torch, x, p: torch.relu(function(torch, x, p))


def transposed(pad: Shape = (0, 0), **how: Any) -> Torch:
    """Return a transposed convolution; of an uneven padding the rest is cut off, or added."""

    def out(torch: Any, x: Any, p: Parameters) -> Any:
        function = getattr(torch.nn.functional, f"conv_transpose{x.ndim - 2}d")
        z = function(x.movedim(-1, 1), filters(p), **how)
        z = torch.nn.functional.pad(z, [-n for n in pad]).movedim(1, -1)
        return z + p["bias"] if "bias" in p else z

    return out


def max_pool(kernel: Any, stride: Any, pad: Shape = (0, 0)) -> Torch:
    """Return the largest elements."""

    def out(torch: Any, x: Any, p: Parameters) -> Any:
        x = torch.nn.functional.pad(x.movedim(-1, 1), pad, value=-np.inf)
        function = getattr(torch.nn.functional, f"max_pool{x.ndim - 2}d")
        return function(x, kernel, stride).movedim(1, -1)

    return out


def avg_pool(kernel: Any, stride: Any, padding: Any = 0, counted: bool = False) -> Torch:
    """Return the means, with PyTorch's own padding."""

    def out(torch: Any, x: Any, p: Parameters) -> Any:
        function = getattr(torch.nn.functional, f"avg_pool{x.ndim - 2}d")
        x = x.movedim(-1, 1)
        return function(x, kernel, stride, padding, count_include_pad=counted).movedim(1, -1)

    return out


def avg_pool_same(kernel: Any, stride: Any, pad: Shape) -> Torch:
    """Return the means of padded windows: of the zeros divided by the share that is not padding."""

    def out(torch: Any, x: Any, p: Parameters) -> Any:
        x = x.movedim(-1, 1)
        function = getattr(torch.nn.functional, f"avg_pool{x.ndim - 2}d")
        total, share = (
            function(torch.nn.functional.pad(each, pad), kernel, stride)
            for each in (x, torch.ones_like(x))
        )
        return (total / share).movedim(1, -1)

    return out


def distinct(*shape: int) -> np.ndarray:
    """Return numbers no two of which are near each other, in any order."""
    n = int(np.prod(shape))
    return 0.2 * (np.random.default_rng(n).permutation(n) - n / 2.1).reshape(shape)


SAMPLES: dict[str, list[Sample]] = {
    "Conv1D": [
        Sample("valid", lambda: nn.Conv1D(2, 3, 3), normal(2, 6, 2), (2, 4, 3), conv()),
        Sample(
            "stride, dilation",
            lambda: nn.Conv1D(2, 2, 2, stride=2, dilation=3, padding=1),
            normal(2, 7, 2),
            (2, 3, 2),
            conv(2, (1, 1), 3),
        ),
        Sample(
            "same, even kernel",
            lambda: nn.Conv1D(1, 2, 4, padding="same"),
            normal(2, 5, 1),
            (2, 5, 2),
            torch_same(),
        ),
        Sample(
            "same, stride 2, even size",
            lambda: nn.Conv1D(1, 2, 3, padding="same", stride=2),
            normal(2, 6, 1),
            (2, 3, 2),
            conv(2, (0, 1)),
        ),
        Sample(
            "causal",
            lambda: nn.Conv1D(2, 1, 3, padding=((4, 0),), dilation=2, bias=False),
            normal(1, 5, 2),
            (1, 5, 1),
            conv(1, (4, 0), 2),
        ),
        Sample(
            "depthwise",
            lambda: nn.Conv1D(3, 6, 2, "relu", groups=3),
            normal(2, 4, 3),
            (2, 3, 6),
            relu_of(conv(groups=3)),
        ),
    ],
    "Conv2D": [
        Sample("valid", lambda: nn.Conv2D(2, 3, 3), normal(2, 4, 5, 2), (2, 2, 3, 3), conv()),
        Sample("one place", lambda: nn.Conv2D(3, 2, 1), normal(2, 2, 3, 3), (2, 2, 3, 2), conv()),
        Sample(
            "all of it", lambda: nn.Conv2D(1, 2, (3, 4)), normal(2, 3, 4, 1), (2, 1, 1, 2), conv()
        ),
        Sample(
            "relu, no bias",
            lambda: nn.Conv2D(2, 2, (2, 3), "relu", bias=False),
            normal(2, 3, 4, 2),
            (2, 2, 2, 2),
            relu_of(conv()),
        ),
        Sample(
            "softmax",
            lambda: nn.Conv2D(2, 3, 2, nn.Softmax()),
            normal(2, 3, 2, 2),
            (2, 2, 1, 3),
            lambda torch, x, p: torch.softmax(conv()(torch, x, p), -1),
        ),
        Sample(
            "stride",
            lambda: nn.Conv2D(1, 2, 2, stride=(2, 3)),
            normal(2, 5, 6, 1),
            (2, 2, 2, 2),
            conv((2, 3)),
        ),
        Sample(
            "stride beyond the kernel",
            lambda: nn.Conv2D(2, 1, 1, stride=2),
            normal(1, 4, 5, 2),
            (1, 2, 3, 1),
            conv(2),
        ),
        Sample(
            "padding",
            lambda: nn.Conv2D(1, 2, 3, padding=1, stride=2),
            normal(1, 4, 3, 1),
            (1, 2, 2, 2),
            conv(2, (1, 1, 1, 1)),
        ),
        Sample(
            "padding by axis",
            lambda: nn.Conv2D(1, 2, 2, padding=(0, 2)),
            normal(1, 3, 2, 1),
            (1, 2, 5, 2),
            conv(1, (2, 2, 0, 0)),
        ),
        Sample(
            "padding by side",
            lambda: nn.Conv2D(1, 2, 2, padding=((1, 0), (0, 2))),
            normal(1, 3, 2, 1),
            (1, 3, 3, 2),
            conv(1, (0, 2, 1, 0)),
        ),
        Sample(
            "dilation",
            lambda: nn.Conv2D(1, 2, 2, dilation=(2, 1)),
            normal(2, 4, 3, 1),
            (2, 2, 2, 2),
            conv(1, (0, 0), (2, 1)),
        ),
        Sample(
            "same, even kernel",
            lambda: nn.Conv2D(1, 2, (2, 3), padding="same"),
            normal(1, 3, 4, 1),
            (1, 3, 4, 2),
            torch_same(),
        ),
        Sample(
            "same, dilation",
            lambda: nn.Conv2D(1, 1, 2, padding="same", dilation=3),
            normal(1, 4, 3, 1),
            (1, 4, 3, 1),
            torch_same(3),
        ),
        Sample(
            "same, stride 2, odd and even size",
            lambda: nn.Conv2D(1, 2, 3, padding="same", stride=2),
            normal(1, 5, 4, 1),
            (1, 3, 2, 2),
            conv(2, (0, 1, 1, 1)),
        ),
        Sample(
            "same, stride 3, dilation 2",
            lambda: nn.Conv2D(1, 1, (3, 2), padding="same", stride=3, dilation=2),
            normal(1, 4, 6, 1),
            (1, 2, 2, 1),
            conv(3, (0, 0, 2, 2), 2),
        ),
        Sample(
            "groups",
            lambda: nn.Conv2D(4, 6, 2, groups=2),
            normal(1, 3, 3, 4),
            (1, 2, 2, 6),
            conv(groups=2),
        ),
        Sample(
            "depthwise",
            lambda: nn.Conv2D(3, 3, 3, groups=3, padding="same", stride=2),
            normal(1, 3, 4, 3),
            (1, 2, 2, 3),
            conv(2, (0, 1, 1, 1), groups=3),
        ),
        Sample(
            "depthwise, two filters a channel",
            lambda: nn.Conv2D(2, 4, (1, 2), groups=2),
            normal(2, 2, 3, 2),
            (2, 2, 2, 4),
            conv(groups=2),
        ),
    ],
    "ConvTranspose1D": [
        Sample(
            "plain", lambda: nn.ConvTranspose1D(2, 3, 3), normal(2, 4, 2), (2, 6, 3), transposed()
        ),
        Sample(
            "everything",
            lambda: nn.ConvTranspose1D(
                4, 2, 3, "relu", stride=3, padding=2, output_padding=2, dilation=2, groups=2
            ),
            normal(2, 3, 4),
            (2, 9, 2),
            relu_of(transposed(stride=3, padding=2, output_padding=2, dilation=2, groups=2)),
        ),
        Sample(
            "padding by side",
            lambda: nn.ConvTranspose1D(1, 2, 3, padding=((2, 1),), bias=False),
            normal(1, 4, 1),
            (1, 3, 2),
            transposed((2, 1)),
        ),
        Sample(
            "same",
            lambda: nn.ConvTranspose1D(2, 1, 3, padding="same", stride=2),
            normal(2, 3, 2),
            (2, 6, 1),
            transposed((0, 1), stride=2),
        ),
    ],
    "ConvTranspose2D": [
        Sample(
            "plain",
            lambda: nn.ConvTranspose2D(2, 3, (2, 3)),
            normal(2, 2, 3, 2),
            (2, 3, 5, 3),
            transposed(),
        ),
        Sample(
            "twice the size",
            lambda: nn.ConvTranspose2D(2, 2, 2, "tanh", stride=2),
            normal(1, 2, 3, 2),
            (1, 4, 6, 2),
            lambda torch, x, p: torch.tanh(transposed(stride=2)(torch, x, p)),
        ),
        Sample(
            "padding, output_padding",
            lambda: nn.ConvTranspose2D(1, 2, 3, stride=2, padding=1, output_padding=(1, 0)),
            normal(1, 3, 2, 1),
            (1, 6, 3, 2),
            transposed(stride=2, padding=1, output_padding=(1, 0)),
        ),
        Sample(
            "dilation",
            lambda: nn.ConvTranspose2D(1, 1, 2, dilation=(1, 2), bias=False),
            normal(2, 2, 2, 1),
            (2, 3, 4, 1),
            transposed(dilation=(1, 2)),
        ),
        Sample(
            "groups",
            lambda: nn.ConvTranspose2D(4, 6, 2, groups=2),
            normal(1, 2, 2, 4),
            (1, 3, 3, 6),
            transposed(groups=2),
        ),
        Sample(
            "depthwise",
            lambda: nn.ConvTranspose2D(3, 3, 2, groups=3, stride=(1, 2)),
            normal(1, 2, 2, 3),
            (1, 3, 4, 3),
            transposed(groups=3, stride=(1, 2)),
        ),
        Sample(
            "same, larger kernel",
            lambda: nn.ConvTranspose2D(1, 1, (4, 3), padding="same", stride=2),
            normal(1, 2, 3, 1),
            (1, 4, 6, 1),
            transposed((0, 1, 1, 1), stride=2),
        ),
        Sample(
            "same, kernel below the stride",
            lambda: nn.ConvTranspose2D(1, 1, 1, padding="same", stride=(2, 3)),
            normal(1, 2, 2, 1),
            (1, 4, 6, 1),
            transposed((0, -2, 0, -1), stride=(2, 3)),
        ),
    ],
    "MaxPool1D": [
        Sample("halves", lambda: nn.MaxPool1D(2), distinct(2, 7, 2), (2, 3, 2), max_pool(2, 2)),
        Sample(
            "overlap, same",
            lambda: nn.MaxPool1D(3, 2, "same"),
            distinct(2, 6, 1),
            (2, 3, 1),
            max_pool(3, 2, (0, 1)),
        ),
    ],
    "MaxPool2D": [
        Sample(
            "halves", lambda: nn.MaxPool2D(2), distinct(2, 4, 4, 2), (2, 2, 2, 2), max_pool(2, 2)
        ),
        Sample(
            "odd sizes", lambda: nn.MaxPool2D(2), distinct(1, 5, 3, 2), (1, 2, 1, 2), max_pool(2, 2)
        ),
        Sample(
            "overlap",
            lambda: nn.MaxPool2D(3, stride=(1, 2)),
            distinct(1, 4, 5, 1),
            (1, 2, 2, 1),
            max_pool(3, (1, 2)),
        ),
        Sample(
            "gaps",
            lambda: nn.MaxPool2D((1, 2), stride=3),
            distinct(1, 4, 5, 1),
            (1, 2, 2, 1),
            max_pool((1, 2), 3),
        ),
        Sample(
            "padding, all negative",
            lambda: nn.MaxPool2D(2, 2, 1),
            distinct(1, 4, 3, 1) - 9,
            (1, 3, 2, 1),
            max_pool(2, 2, (1, 1, 1, 1)),
        ),
        Sample(
            "same",
            lambda: nn.MaxPool2D((3, 2), 2, padding="same"),
            distinct(2, 5, 5, 1),
            (2, 3, 3, 1),
            max_pool((3, 2), 2, (0, 1, 1, 1)),
        ),
    ],
    "AvgPool1D": [
        Sample("halves", lambda: nn.AvgPool1D(2), normal(2, 6, 2), (2, 3, 2), avg_pool(2, 2)),
        Sample(
            "same",
            lambda: nn.AvgPool1D(4, 1, "same"),
            normal(2, 5, 1),
            (2, 5, 1),
            avg_pool_same(4, 1, (1, 2)),
        ),
    ],
    "AvgPool2D": [
        Sample("halves", lambda: nn.AvgPool2D(2), normal(2, 4, 5, 2), (2, 2, 2, 2), avg_pool(2, 2)),
        Sample(
            "overlap",
            lambda: nn.AvgPool2D((2, 3), stride=1),
            normal(1, 3, 4, 2),
            (1, 2, 2, 2),
            avg_pool((2, 3), 1),
        ),
        Sample(
            "padding",
            lambda: nn.AvgPool2D(2, 2, (1, 0)),
            normal(1, 4, 4, 1),
            (1, 3, 2, 1),
            avg_pool(2, 2, (1, 0)),
        ),
        Sample(
            "padding counted",
            lambda: nn.AvgPool2D(3, 2, 1, count_include_pad=True),
            normal(1, 4, 5, 1),
            (1, 2, 3, 1),
            avg_pool(3, 2, 1, True),
        ),
        Sample(
            "same",
            lambda: nn.AvgPool2D((2, 3), stride=2, padding="same"),
            normal(1, 3, 4, 2),
            (1, 2, 2, 2),
            avg_pool_same((2, 3), 2, (0, 1, 0, 1)),
        ),
    ],
    "GlobalAvgPool1D": [
        Sample("mean", nn.GlobalAvgPool1D, normal(3, 4, 2), (3, 2), lambda t, x, p: x.mean(1)),
    ],
    "GlobalAvgPool2D": [
        Sample(
            "mean", nn.GlobalAvgPool2D, normal(2, 3, 4, 2), (2, 2), lambda t, x, p: x.mean((1, 2))
        ),
        Sample(
            "keepdims",
            lambda: nn.GlobalAvgPool2D(keepdims=True),
            normal(2, 3, 2, 2),
            (2, 1, 1, 2),
            lambda t, x, p: x.mean((1, 2), keepdim=True),
        ),
    ],
    "GlobalMaxPool1D": [
        Sample("max", nn.GlobalMaxPool1D, distinct(3, 4, 2), (3, 2), lambda t, x, p: x.amax(1)),
    ],
    "GlobalMaxPool2D": [
        Sample(
            "max", nn.GlobalMaxPool2D, distinct(2, 3, 4, 2), (2, 2), lambda t, x, p: x.amax((1, 2))
        ),
        Sample(
            "keepdims",
            lambda: nn.GlobalMaxPool2D(True),
            distinct(2, 3, 2, 2),
            (2, 1, 1, 2),
            lambda t, x, p: x.amax((1, 2), keepdim=True),
        ),
    ],
    "Flatten": [
        Sample("images", nn.Flatten, normal(2, 3, 2, 2), (2, 12), lambda t, x, p: x.flatten(1)),
        Sample("rows", nn.Flatten, normal(3, 4), (3, 4), lambda t, x, p: x),
    ],
}
