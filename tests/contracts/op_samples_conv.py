"""Samples of convolution, windows and pooling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from contracts import op_oracles as oracle
from contracts.op_case import Sample, case, distinct, kink, label, normal

Shape = tuple[int, ...]


# convolution: the oracles know no groups, so each group is a convolution of its own


def cut(x: np.ndarray, groups: int) -> list[np.ndarray]:
    """Return the groups of channels."""
    return np.split(x, groups, axis=-1)


def conv(x: np.ndarray, w: np.ndarray, groups: int, **how: Any) -> np.ndarray:
    """Return the convolutions of the groups side by side."""
    pairs = zip(cut(x, groups), cut(w, groups), strict=True)
    return np.concatenate([oracle.conv(a, b, **how) for a, b in pairs], axis=-1)


def conv_input(g: np.ndarray, w: np.ndarray, groups: int, **how: Any) -> np.ndarray:
    """Return what the groups send back side by side."""
    pairs = zip(cut(g, groups), cut(w, groups), strict=True)
    return np.concatenate([oracle.conv_input(a, b, **how) for a, b in pairs], axis=-1)


def conv_kernel(x: np.ndarray, g: np.ndarray, groups: int, **how: Any) -> np.ndarray:
    """Return the gradients of the groups' kernels side by side."""
    pairs = zip(cut(x, groups), cut(g, groups), strict=True)
    return np.concatenate([oracle.conv_kernel(a, b, **how) for a, b in pairs], axis=-1)


def torch_padded(t: Any, x: Any, padding: Any, value: float = 0.0) -> Any:
    """Return x padded, channels first as PyTorch wants them."""
    widths = [n for low_high in reversed(padding) for n in low_high]
    return t.nn.functional.pad(t.movedim(x, -1, 1), widths, value=value).contiguous()


def torch_conv(t: Any, x: Any, w: Any, padding: Any, **how: Any) -> Any:
    """Return PyTorch's convolution, with channels last as here."""
    axes = x.ndim - 2
    w = t.permute(w, (axes + 1, axes, *range(axes))).contiguous()
    function = getattr(t.nn.functional, f"conv{axes}d")
    return t.movedim(function(torch_padded(t, x, padding), w, **how), 1, -1)


def how(stride: Any, padding: Any, dilation: Any, groups: int = 1) -> dict[str, Any]:
    """Return the parameters of a convolution."""
    return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


CONVOLUTIONS: tuple[tuple[Shape, Shape, dict[str, Any]], ...] = (
    ((2, 5, 2), (3, 2, 3), how((1,), ((0, 0),), (1,))),
    ((2, 6, 2), (2, 2, 3), how((2,), ((1, 0),), (2,))),
    ((1, 7, 1), (3, 1, 1), how((3,), ((0, 2),), (1,))),
    ((0, 4, 2), (3, 2, 2), how((1,), ((1, 1),), (1,))),
    ((2, 4, 2), (3, 2, 0), how((1,), ((0, 0),), (1,))),
    ((2, 4, 0), (3, 0, 2), how((1,), ((0, 0),), (1,))),
    ((2, 3, 4, 2), (2, 2, 2, 2), how((1, 1), ((0, 0), (0, 0)), (1, 1))),
    ((1, 4, 5, 1), (3, 2, 1, 2), how((2, 1), ((1, 2), (0, 1)), (1, 2))),
    ((1, 2, 3, 2, 1), (2, 2, 1, 1, 2), how((1,) * 3, ((0, 0), (0, 0), (0, 1)), (1,) * 3)),
    ((2, 5, 4), (2, 2, 6), how((1,), ((1, 0),), (1,), 2)),
    ((2, 5, 3), (3, 1, 3), how((2,), ((1, 1),), (1,), 3)),
    ((2, 4, 2), (2, 1, 4), how((1,), ((0, 0),), (2,), 2)),
    ((2, 4, 4), (1, 2, 2), how((1,), ((0, 0),), (1,), 2)),
    ((1, 4, 3, 4), (2, 2, 2, 4), how((1, 2), ((0, 1), (1, 1)), (2, 1), 2)),
    ((2, 3, 3, 2), (2, 2, 1, 2), how((1, 1), ((1, 0), (0, 1)), (1, 1), 2)),
    ((0, 4, 2), (3, 1, 2), how((1,), ((1, 1),), (1,), 2)),
)


def places_of(x: Shape, w: Shape, how: dict[str, Any]) -> Shape:
    """Return the shape of the convolution's output."""
    sizes = zip(x[1:-1], w[:-2], how["stride"], how["padding"], how["dilation"], strict=True)
    return (
        x[0],
        *((n + low + high - d * (k - 1) - 1) // s + 1 for n, k, s, (low, high), d in sizes),
        w[-1],
    )


def full(x: Shape, w: Shape) -> bool:
    """Whether no axis is empty; PyTorch refuses empty channels."""
    return 0 not in (*x, *w)


case(
    "Conv",
    conv,
    torch_conv,
    *(
        Sample(label(x, w, **how), (normal(*x), normal(*w)), how, torch=full(x, w))
        for x, w, how in CONVOLUTIONS
    ),
)
case(
    "ConvInput",
    conv_input,
    lambda t, g, w, size, groups, **how: oracle.torch_adjoint(
        t,
        lambda x: torch_conv(t, x, w, groups=groups, **how),
        (len(g), *size, w.shape[-2] * groups),
        g,
    ),
    *(
        Sample(
            label(x, w, **how),
            (normal(*places_of(x, w, how)), normal(*w)),
            {"size": x[1:-1], **how},
            torch=full(x, w),
        )
        for x, w, how in CONVOLUTIONS
    ),
)
case(
    "ConvKernel",
    conv_kernel,
    lambda t, x, g, kernel, groups, **how: oracle.torch_adjoint(
        t,
        lambda w: torch_conv(t, x, w, groups=groups, **how),
        (*kernel, x.shape[-1] // groups, g.shape[-1]),
        g,
    ),
    *(
        Sample(
            label(x, w, **how),
            (normal(*x), normal(*places_of(x, w, how))),
            {"kernel": w[:-2], **how},
            torch=full(x, w),
        )
        for x, w, how in CONVOLUTIONS
    ),
)


# windows


def windows(
    x: np.ndarray, kernel: Any, stride: Any, padding: Any, dilation: Any, value: float = 0.0
) -> np.ndarray:
    """Return the windows, one place at a time."""
    x = np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=value)
    seen = list(oracle.patches(x, kernel, stride, dilation))
    out = np.zeros((len(x), *(n + 1 for n in seen[-1][0]), *kernel, x.shape[-1]), x.dtype)
    for place, part in seen:
        out[(slice(None), *place)] = x[(slice(None), *part)]
    return out


def windows_input(y: np.ndarray, size: Any, stride: Any, padding: Any, dilation: Any) -> np.ndarray:
    """Return the sum of what each place sends back to what it saw."""
    kernel = y.shape[1 + len(size) : -1]
    dx = oracle.padded(np.zeros((len(y), *size, y.shape[-1]), y.dtype), padding)
    for place, part in oracle.patches(dx, kernel, stride, dilation):
        dx[(slice(None), *part)] += y[(slice(None), *place)]
    inner = (slice(low, low + n) for n, (low, _) in zip(size, padding, strict=True))
    return dx[(slice(None), *inner)]


def torch_windows(
    t: Any, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, value: float = 0.0
) -> Any:
    """Return the windows with PyTorch's unfold, which knows no dilation: the rest is left out."""
    x = t.movedim(torch_padded(t, x, padding, value), 1, -1)
    for axis, (k, s, d) in enumerate(zip(kernel, stride, dilation, strict=True), 1):
        x = x.unfold(axis, d * (k - 1) + 1, s)[..., ::d]
    return t.movedim(x, 1 + len(kernel), -1)


WINDOWS: tuple[tuple[Shape, Shape, dict[str, Any]], ...] = (
    ((2, 5, 2), (3,), {"stride": (1,), "padding": ((0, 0),), "dilation": (1,)}),
    ((2, 6, 1), (2,), {"stride": (3,), "padding": ((1, 2),), "dilation": (2,)}),
    ((1, 4, 5, 2), (2, 3), {"stride": (2, 1), "padding": ((0, 1), (1, 0)), "dilation": (1, 2)}),
    ((1, 2, 3, 2, 1), (1, 2, 2), {"stride": (1,) * 3, "padding": ((0, 0),) * 3,
                                   "dilation": (1,) * 3}),
    ((0, 4, 2), (2,), {"stride": (1,), "padding": ((1, 0),), "dilation": (1,)}),
    ((2, 4, 0), (2,), {"stride": (1,), "padding": ((0, 0),), "dilation": (1,)}),
)  # fmt: skip

case(
    "Windows",
    windows,
    torch_windows,
    *(
        Sample(
            label(x, kernel, value=value, **how),
            (normal(*x),),
            {"kernel": kernel, "value": value, **how},
            torch=0 not in x,
        )
        for x, kernel, how in WINDOWS
        for value in (0.0, -1.5)
    ),
)
case(
    "WindowsInput",
    windows_input,
    lambda t, y, size, **how: oracle.torch_adjoint(
        t,
        lambda x: torch_windows(t, x, y.shape[1 + len(size) : -1], **how),
        (len(y), *size, y.shape[-1]),
        y,
    ),
    *(
        Sample(
            label(x, kernel, **how),
            (normal(*windows(np.zeros(x), kernel, **how).shape),),
            {"size": x[1:-1], **how},
            torch=0 not in x,
        )
        for x, kernel, how in WINDOWS
    ),
)


# pooling


def pooled(f: Callable[..., Any], x: np.ndarray, outside: float, **how: Any) -> np.ndarray:
    """Return f over each window."""
    seen = windows(x, dilation=(1,) * (x.ndim - 2), value=outside, **how)
    return np.asarray(f(seen, axis=tuple(range(x.ndim - 1, seen.ndim - 1))))


def avg_pool(x: np.ndarray, count_include_pad: bool, **how: Any) -> np.ndarray:
    """Return the mean of each window; NaN stands for padding that does not count."""
    if count_include_pad:
        return pooled(np.mean, x, 0.0, **how)
    return pooled(np.nanmean, x, np.nan, **how)


def torch_max_pool(t: Any, x: Any, kernel: Any, stride: Any, padding: Any) -> Any:
    """Return PyTorch's maxima."""
    function = getattr(t.nn.functional, f"max_pool{len(kernel)}d")
    return t.movedim(function(torch_padded(t, x, padding, -np.inf), kernel, stride), 1, -1)


def torch_avg_pool(
    t: Any, x: Any, kernel: Any, stride: Any, padding: Any, count_include_pad: bool
) -> Any:
    """Return PyTorch's means; without the padding over the share of x in the windows."""
    function = getattr(t.nn.functional, f"avg_pool{len(kernel)}d")
    out = function(torch_padded(t, x, padding), kernel, stride)
    if not count_include_pad:
        out = out / function(torch_padded(t, t.ones_like(x), padding), kernel, stride)
    return t.movedim(out, 1, -1)


POOLS: tuple[tuple[Shape, dict[str, Any]], ...] = (
    ((2, 6, 2), {"kernel": (2,), "stride": (2,), "padding": ((0, 0),)}),
    ((2, 7, 1), {"kernel": (3,), "stride": (2,), "padding": ((1, 2),)}),
    ((1, 7, 2), {"kernel": (2,), "stride": (3,), "padding": ((0, 0),)}),
    ((2, 4, 4, 2), {"kernel": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0))}),
    ((1, 5, 4, 2), {"kernel": (3, 2), "stride": (1, 2), "padding": ((1, 1), (1, 0))}),
    ((1, 2, 3, 2, 1), {"kernel": (2, 2, 1), "stride": (1,) * 3, "padding": ((0, 0),) * 3}),
    ((1, 3, 2), {"kernel": (1,), "stride": (1,), "padding": ((0, 0),)}),
    ((0, 4, 2), {"kernel": (2,), "stride": (2,), "padding": ((0, 1),)}),
    ((2, 4, 0), {"kernel": (2,), "stride": (2,), "padding": ((0, 1),)}),
)
ROW = {"kernel": (2,), "stride": (1,), "padding": ((0, 0),)}

case(
    "MaxPool",
    lambda x, **how: pooled(np.max, x, -np.inf, **how),
    torch_max_pool,
    *(Sample(label(x, **how), (distinct(*x),), how, torch=0 not in x) for x, how in POOLS),
    kink("a tie", [[[2.0], [2.0], [1.0]]], [[[1.0], [1.0], [0.0]]], **ROW),
    kink("zeros", np.zeros((1, 4, 1)), [[[1.0], [1.0], [1.0], [0.0]]], **ROW),
    kink(
        "the first row by row",
        [[[[0.0], [3.0]], [[3.0], [3.0]]]],
        [[[[0.0], [1.0]], [[0.0], [0.0]]]],
        kernel=(2, 2),
        stride=(2, 2),
        padding=((0, 0), (0, 0)),
    ),
    kink(
        "padding is never the largest",
        [[[-1.0], [-1.0]]],
        [[[2.0], [1.0]]],
        kernel=(2,),
        stride=(1,),
        padding=((1, 1),),
    ),
)
case(
    "AvgPool",
    avg_pool,
    torch_avg_pool,
    *(
        Sample(
            label(x, counted=counted, **how),
            (normal(*x),),
            {**how, "count_include_pad": counted},
            torch=0 not in x,
        )
        for x, how in POOLS
        for counted in (False, True)
    ),
)
