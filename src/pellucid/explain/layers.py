"""Layers with parameters, and those that move or drop elements."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid import nn
from pellucid.explain.rule import Numbers, Rule, data, over_rows


class Dense(Rule):
    """Z = X W + b."""

    value = "Z = X W + b"
    equations: tuple[str, ...] = ("dW = X^T dZ", "db = sum over rows of dZ", "dX = dZ W^T")
    symbols = {"weight": "dW", "bias": "db", "X": "dX"}  # noqa: RUF012

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        if layer.bias is None:
            self.value, self.equations = "Z = X W", (self.equations[0], self.equations[2])

    def forward(self, x: Numbers) -> Numbers:
        """Return X W + b."""
        self.x = x
        return np.asarray(x @ data(self.layer.weight) + data(self.layer.bias))

    def backward(self, g: Numbers) -> dict[str, Numbers]:
        """Return dW, db and dX."""
        rows = over_rows(g)
        found = {"weight": over_rows(self.x).T @ rows}
        if self.layer.bias is not None:
            found["bias"] = rows.sum(axis=0)
        return found | {"X": g @ data(self.layer.weight).T}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return those of W and b."""
        bias = {} if self.layer.bias is None else {"b": self.layer.bias.shape}
        return {"W": self.layer.weight.shape} | bias


class Embedding(Rule):
    """Z = W[X], one row of W for each number."""

    value = "z = W[x], the row of W that x names"
    equations = ("dW[k] = sum of dz over all places where x = k",)
    symbols = {"weight": "dW"}  # noqa: RUF012

    def forward(self, x: Numbers) -> Numbers:
        """Return the rows."""
        self.x = x.astype(np.int64)
        out = data(self.layer.weight)[self.x]
        self.kept = np.ones(self.x.shape)
        if self.layer.padding_idx is not None:
            self.kept = (self.x != self.layer.padding_idx).astype(np.float64)
        return np.asarray(out * self.kept[..., None])

    def backward(self, g: Numbers) -> dict[str, Numbers]:
        """Return dW, each row the sum over the places it was read at."""
        dw = np.zeros(self.layer.weight.shape)
        np.add.at(dw, self.x, g * self.kept[..., None])
        return {"weight": dw}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return that of W."""
        return {"W": self.layer.weight.shape}


class Flatten(Rule):
    """Z = X with each example's elements in a row."""

    value, equations = "Z = X as one row an example", ("dX = dZ in the shape of X",)

    def forward(self, x: Numbers) -> Numbers:
        """Return the rows."""
        self.shape = x.shape
        return x.reshape(len(x), math.prod(x.shape[1:]))

    def backward(self, g: Numbers) -> dict[str, Numbers]:
        """Return dZ in the shape of X."""
        return {"X": g.reshape(self.shape)}


class Dropout(Rule):
    """Z = X * M / (1 - p), M the mask of what is kept."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        p = f"{layer.rate:g}"
        self.value = f"Z = X * M / (1 - {p}), M = 0 or 1"
        self.equations = (f"dX = dZ * M / (1 - {p}), by the same mask",)
        if not layer.training:
            self.value, self.equations = "Z = X, in evaluation", ("dX = dZ",)

    def forward(self, x: Numbers) -> Numbers:
        """Return X * M / (1 - p); the layer's own stream draws M, when asked to drop from ones."""
        self.mask = np.ones_like(x)
        if self.layer.training:
            kept = self.layer(self.mask).data != 0
            self.mask = kept / (1 - self.layer.rate)
        return x * self.mask

    def backward(self, g: Numbers) -> dict[str, Numbers]:
        """Return dZ * M / (1 - p)."""
        return {"X": g * self.mask}


class Norm(Rule):
    """Z = w * N + b, N = (X - mean) / s: what the normalisations share."""

    symbols = {"weight": "dw", "bias": "db", "X": "dX"}  # noqa: RUF012
    over = ""

    def scaled(self, n: Numbers) -> Numbers:
        """Return w * N + b."""
        weight = self.layer.weight
        return n * (1.0 if weight is None else data(weight)) + data(self.layer.bias)

    def of_parameters(self, g: Numbers) -> dict[str, Numbers]:
        """Return dw and db, summed over all that w and b were repeated for."""
        found = {}
        extra = tuple(range(g.ndim - self.parameter_axes()))
        if self.layer.weight is not None:
            found["weight"] = (g * self.n).sum(axis=extra)
        if self.layer.bias is not None:
            found["bias"] = g.sum(axis=extra)
        return found

    def parameter_axes(self) -> int:
        """Return how many axes w has."""
        return 1

    def before_scale(self, g: Numbers) -> Numbers:
        """Return dN = dZ * w."""
        return g if self.layer.weight is None else g * data(self.layer.weight)

    def centred(self, x: Numbers, axes: tuple[int, ...]) -> Numbers:
        """Return N, keeping the deviation s."""
        mean, var = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
        self.axes, self.s = axes, np.sqrt(var + self.layer.eps)
        self.n = (x - mean) / self.s
        return self.scaled(self.n)

    def backward(self, g: Numbers) -> dict[str, Numbers]:
        """Return dw, db and dX = (dN - mean(dN) - N mean(dN N)) / s."""
        dn = self.before_scale(g)
        pull = dn.mean(axis=self.axes, keepdims=True)
        tilt = (dn * self.n).mean(axis=self.axes, keepdims=True)
        return self.of_parameters(g) | {"X": (dn - pull - self.n * tilt) / self.s}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return that of w."""
        return {} if self.layer.weight is None else {"w": self.layer.weight.shape}


class BatchNorm(Norm):
    """Normalised over the batch in training, by running statistics in evaluation."""

    value = "Z = w N + b, N = (X - mean) / s, s = sqrt(var + eps), over the batch"
    equations = (
        "dw = sum of dZ N, db = sum of dZ, dN = dZ w",
        "dX = (dN - mean(dN) - N mean(dN N)) / s, means over the batch: each example moved them",
    )

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        if not layer.training:
            self.value = "Z = w N + b, N = (X - running mean) / sqrt(running variance + eps)"
            self.equations = (
                "dw = sum of dZ N, db = sum of dZ",
                "dX = dZ w / sqrt(running variance + eps)",
            )

    def forward(self, x: Numbers) -> Numbers:
        """Return w N + b."""
        if self.layer.training:
            return self.centred(x, tuple(range(x.ndim - 1)))
        self.s = np.sqrt(data(self.layer.running_var) + self.layer.eps)
        self.n = (x - data(self.layer.running_mean)) / self.s
        return self.scaled(self.n)

    def backward(self, g: Numbers) -> dict[str, Numbers]:
        """Return dw, db, dX; in evaluation the statistics are constants."""
        if self.layer.training:
            return super().backward(g)
        return self.of_parameters(g) | {"X": self.before_scale(g) / self.s}


class LayerNorm(Norm):
    """Normalised over each example's last axes."""

    value = "Z = w N + b, N = (X - mean) / s, s = sqrt(var + eps), over each example"
    equations = (
        "dw = sum over examples of dZ N, db = sum over examples of dZ, dN = dZ w",
        "dX = (dN - mean(dN) - N mean(dN N)) / s, means over each example",
    )

    def parameter_axes(self) -> int:
        """Return how many axes are normalised over."""
        return len(self.layer.shape)

    def forward(self, x: Numbers) -> Numbers:
        """Return w N + b."""
        return self.centred(x, tuple(range(-len(self.layer.shape), 0)))


class RMSNorm(LayerNorm):
    """Divided by the root mean square of each example."""

    value = "Z = w N, N = X / s, s = sqrt(mean(X^2) + eps), over each example"
    equations = (
        "dw = sum over examples of dZ N, dN = dZ w",
        "dX = (dN - N mean(dN N)) / s, the mean over each example",
    )

    def forward(self, x: Numbers) -> Numbers:
        """Return w N."""
        self.axes = tuple(range(-len(self.layer.shape), 0))
        self.s = np.sqrt((x * x).mean(axis=self.axes, keepdims=True) + self.layer.eps)
        self.n = x / self.s
        return self.scaled(self.n)

    def backward(self, g: Numbers) -> dict[str, Numbers]:
        """Return dw and dX."""
        dn = self.before_scale(g)
        tilt = (dn * self.n).mean(axis=self.axes, keepdims=True)
        return self.of_parameters(g) | {"X": (dn - self.n * tilt) / self.s}


RULES: dict[type[nn.Module], type[Rule]] = {
    nn.Dense: Dense,
    nn.Embedding: Embedding,
    nn.Flatten: Flatten,
    nn.Dropout: Dropout,
    nn.BatchNorm1D: BatchNorm,
    nn.BatchNorm2D: BatchNorm,
    nn.LayerNorm: LayerNorm,
    nn.RMSNorm: RMSNorm,
}
