"""Convolution and pooling: windows are cut out, and gradients added back where they were cut."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from pellucid import nn
from pellucid.explain.rule import Numbers, Rule, data, over_rows
from pellucid.nn.spatial import same


class Windows:
    """The windows of a kernel over ``(N, *size, C)``: cut out, and added back."""

    def __init__(self, layer: Any, shape: tuple[int, ...]) -> None:
        size = shape[1:-1]
        self.kernel, self.stride = layer.kernel_size, layer.stride
        self.dilation = getattr(layer, "dilation", (1,) * len(size))
        self.padding = (
            same(size, self.kernel, self.stride, self.dilation)
            if layer.padding == "same"
            else layer.padding
        )
        self.shape = shape
        self.out = tuple(
            (n + a + b - d * (k - 1) - 1) // s + 1
            for n, (a, b), d, k, s in zip(
                size, self.padding, self.dilation, self.kernel, self.stride, strict=True
            )
        )

    def cut(self, x: Numbers, fill: float = 0.0) -> Numbers:
        """Return ``(N, *out, taps, C)``: what each tap of the kernel sees at each place."""
        padded = np.pad(x, ((0, 0), *self.padding, (0, 0)), constant_values=fill)
        return np.stack([padded[at] for at in self._taps()], axis=-2)

    def add_back(self, g: Numbers) -> Numbers:
        """Return the sum of ``(N, *out, taps, C)`` where it was cut from: the transpose of cut."""
        n, *size, c = self.shape
        whole = np.zeros((n, *(s + a + b for s, (a, b) in zip(size, self.padding, strict=True)), c))
        for tap, at in enumerate(self._taps()):
            whole[at] += g[..., tap, :]
        inner = (slice(a, a + s) for s, (a, _) in zip(size, self.padding, strict=True))
        return whole[(slice(None), *inner)]

    def _taps(self) -> Iterator[tuple[slice, ...]]:
        for tap in product(*map(range, self.kernel)):
            yield (
                slice(None),
                *(
                    slice(k * d, k * d + (o - 1) * s + 1, s)
                    for k, d, o, s in zip(tap, self.dilation, self.out, self.stride, strict=True)
                ),
            )


class Conv(Rule):
    """Z = W * X + b as one product of matrices: columns of windows times filters."""

    value = "Z = cols(X) W + b; cols(X) has one row a place, what the kernel sees there"
    equations = (
        "dW = cols(X)^T dZ",
        "db = sum over examples and places of dZ",
        "dX = the rows of dZ W^T, added where each window was cut from",
    )
    symbols = {"weight": "dW", "bias": "db", "X": "dX"}  # noqa: RUF012

    def forward(self, x: Numbers) -> Numbers:
        """Return cols(X) W + b."""
        self.windows = Windows(self.layer, x.shape)
        cut = self.windows.cut(x)  # (N, *out, taps, C)
        self.columns = cut.reshape(*cut.shape[:-2], -1)  # (N, *out, taps * C)
        self.filters = data(self.layer.weight).reshape(-1, self.layer.out_channels)
        return np.asarray(self.columns @ self.filters + data(self.layer.bias))

    def backward(self, g: Numbers) -> dict[str, Numbers]:
        """Return dW, db and dX."""
        rows = over_rows(g)
        dw = over_rows(self.columns).T @ rows
        found = {"weight": dw.reshape(self.layer.weight.shape)}
        if self.layer.bias is not None:
            found["bias"] = rows.sum(axis=0)
        columns = g @ self.filters.T
        taps = columns.reshape(*g.shape[:-1], -1, self.layer.in_channels)
        return found | {"X": self.windows.add_back(taps)}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return those of W and of the columns."""
        return {"W": self.layer.weight.shape, "cols(X)": over_rows(self.columns).shape}


class MaxPool(Rule):
    """Z = the largest of each window."""

    value = "z = max over the window"
    equations = ("dX = dZ at the first largest element of each window, 0 elsewhere",)

    def forward(self, x: Numbers) -> Numbers:
        """Return the largest of each window."""
        self.windows = Windows(self.layer, x.shape)
        cut = self.windows.cut(x, fill=-np.inf)
        self.first = cut.argmax(axis=-2)  # (N, *out, C)
        return np.asarray(cut.max(axis=-2))

    def backward(self, g: Numbers) -> dict[str, Numbers]:
        """Return dX."""
        taps = int(np.prod(self.windows.kernel))
        chosen = np.arange(taps)[:, None] == self.first[..., None, :]
        return {"X": self.windows.add_back(g[..., None, :] * chosen)}


class AvgPool(Rule):
    """Z = the mean of each window."""

    value = "z = sum over the window / m, m its elements"
    equations = ("dX = dZ / m to every element of the window",)

    def forward(self, x: Numbers) -> Numbers:
        """Return the means."""
        self.windows = Windows(self.layer, x.shape)
        fill = 1.0 if self.layer.count_include_pad else 0.0
        self.m = self.windows.cut(np.ones_like(x), fill).sum(axis=-2)
        return np.asarray(self.windows.cut(x).sum(axis=-2) / self.m)

    def backward(self, g: Numbers) -> dict[str, Numbers]:
        """Return dX."""
        taps = int(np.prod(self.windows.kernel))
        share = (g / self.m)[..., None, :]
        return {"X": self.windows.add_back(np.repeat(share, taps, axis=-2))}


class GlobalAvgPool(Rule):
    """Z = the mean over all places."""

    value = "z = mean over all places"
    equations = ("dX = dZ / places, everywhere",)

    def forward(self, x: Numbers) -> Numbers:
        """Return the means."""
        self.shape = x.shape
        axes = tuple(range(1, x.ndim - 1))
        return np.asarray(x.mean(axis=axes, keepdims=self.layer.keepdims))

    def backward(self, g: Numbers) -> dict[str, Numbers]:
        """Return dX."""
        n, *places, c = self.shape
        spread = g.reshape(n, *(1 for _ in places), c) / np.prod(places)
        return {"X": np.broadcast_to(spread, self.shape).copy()}


RULES: dict[type[nn.Module], type[Rule]] = {
    nn.Conv1D: Conv,
    nn.Conv2D: Conv,
    nn.MaxPool1D: MaxPool,
    nn.MaxPool2D: MaxPool,
    nn.AvgPool1D: AvgPool,
    nn.AvgPool2D: AvgPool,
    nn.GlobalAvgPool1D: GlobalAvgPool,
    nn.GlobalAvgPool2D: GlobalAvgPool,
}
