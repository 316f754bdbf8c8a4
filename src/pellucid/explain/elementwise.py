"""Activations: each output depends on one input alone, so the gradient is multiplied by a slope."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid import nn
from pellucid.explain.rule import Numbers, Rule

_erf = np.vectorize(math.erf, otypes=[np.float64])


class Elementwise(Rule):
    """A = f(Z), dZ = dA * f'(Z), element by element."""

    symbols = {"X": "dZ"}  # noqa: RUF012
    out = "A"

    def backward(self, g: Numbers) -> dict[str, Numbers]:
        """Return dZ = dA * slope."""
        return {"X": g * self.slope()}

    def slope(self) -> Numbers:
        """Return f'(Z)."""
        raise TypeError(f"{type(self).__name__} has no slope(); define it in the class")


class Identity(Elementwise):
    """A = Z."""

    value, equations = "A = Z", ("dZ = dA",)

    def forward(self, x: Numbers) -> Numbers:
        """Return Z."""
        self.z = x
        return x

    def slope(self) -> Numbers:
        """Return 1."""
        return np.ones_like(self.z)


class ReLU(Elementwise):
    """A = max(Z, 0)."""

    value, equations = "A = max(Z, 0)", ("dZ = dA where Z > 0, else 0",)

    def forward(self, x: Numbers) -> Numbers:
        """Return max(Z, 0)."""
        self.z = x
        return np.maximum(x, 0)

    def slope(self) -> Numbers:
        """Return 1 where Z > 0."""
        return (self.z > 0).astype(self.z.dtype)


class LeakyReLU(Elementwise):
    """A = Z where positive, slope * Z elsewhere."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        self.below = layer.slope
        self.value = f"A = Z where Z > 0, else {self.below:g} Z"
        self.equations = (f"dZ = dA where Z > 0, else {self.below:g} dA",)

    def forward(self, x: Numbers) -> Numbers:
        """Return Z or a part of it."""
        self.z = x
        return np.where(x > 0, x, self.below * x)

    def slope(self) -> Numbers:
        """Return 1 or the slope below 0."""
        return np.where(self.z > 0, 1.0, self.below)


class ELU(Elementwise):
    """A = s Z where positive, s alpha (e^Z - 1) elsewhere; s = 1 for ELU."""

    scale = 1.0

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        self.alpha = getattr(layer, "alpha", 1.6732632423543772)
        if isinstance(layer, nn.SELU):
            self.scale = 1.0507009873554805
        s = "" if self.scale == 1 else f"{self.scale:.4f} "
        self.value = f"A = {s}Z where Z > 0, else {s}{self.alpha:.4g} (e^Z - 1)"
        self.equations = (f"dZ = {s}dA where Z > 0, else {s}{self.alpha:.4g} e^Z dA",)

    def forward(self, x: Numbers) -> Numbers:
        """Return the value of each element."""
        self.z = x
        below = self.alpha * (np.exp(np.minimum(x, 0)) - 1)
        return self.scale * np.where(x > 0, x, below)

    def slope(self) -> Numbers:
        """Return s, or s alpha e^Z."""
        return self.scale * np.where(self.z > 0, 1.0, self.alpha * np.exp(np.minimum(self.z, 0)))


class Sigmoid(Elementwise):
    """A = 1 / (1 + e^-Z)."""

    value, equations = "A = 1 / (1 + e^-Z)", ("dZ = dA * A (1 - A)",)

    def forward(self, x: Numbers) -> Numbers:
        """Return 1 / (1 + e^-Z), computed as (1 + tanh(Z / 2)) / 2, which does not overflow."""
        self.a = 0.5 * (1 + np.tanh(0.5 * x))
        return self.a

    def slope(self) -> Numbers:
        """Return A (1 - A)."""
        return self.a * (1 - self.a)


class Tanh(Elementwise):
    """A = tanh Z."""

    value, equations = "A = tanh Z", ("dZ = dA * (1 - A^2)",)

    def forward(self, x: Numbers) -> Numbers:
        """Return tanh Z."""
        self.a = np.tanh(x)
        return self.a

    def slope(self) -> Numbers:
        """Return 1 - A^2."""
        return 1 - self.a * self.a


class Softplus(Sigmoid):
    """A = ln(1 + e^Z), whose slope is the sigmoid."""

    value, equations = "A = ln(1 + e^Z)", ("dZ = dA / (1 + e^-Z)",)

    def forward(self, x: Numbers) -> Numbers:
        """Return ln(1 + e^Z)."""
        super().forward(x)
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))

    def slope(self) -> Numbers:
        """Return the sigmoid."""
        return self.a


class SiLU(Sigmoid):
    """A = Z s, s = sigmoid(Z)."""

    value, equations = "A = Z s, s = 1 / (1 + e^-Z)", ("dZ = dA * (s + Z s (1 - s))",)

    def forward(self, x: Numbers) -> Numbers:
        """Return Z s."""
        self.z = x
        return x * super().forward(x)

    def slope(self) -> Numbers:
        """Return s + Z s (1 - s)."""
        return self.a + self.z * self.a * (1 - self.a)


class GELU(Elementwise):
    """A = Z P(Z), P the normal distribution's share below Z, p its density."""

    value = "A = Z P(Z), P(z) = (1 + erf(z / sqrt 2)) / 2"
    equations = ("dZ = dA * (P(Z) + Z p(Z)), p(z) = e^(-z^2 / 2) / sqrt(2 pi)",)

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        if layer.approximate:
            self.value = "A = Z (1 + tanh u) / 2, u = sqrt(2 / pi) (Z + 0.044715 Z^3)"
            self.equations = ("dZ = dA * ((1 + tanh u) / 2 + Z (1 - tanh^2 u) u' / 2)",)

    def forward(self, x: Numbers) -> Numbers:
        """Return Z P(Z)."""
        self.z = x
        if self.layer.approximate:
            self.t = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
            self.share = 0.5 * (1 + self.t)
        else:
            self.share = 0.5 * (1 + _erf(x / math.sqrt(2)))
        return x * self.share

    def slope(self) -> Numbers:
        """Return P(Z) + Z P'(Z)."""
        z = self.z
        if self.layer.approximate:
            inner = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z * z)
            return np.asarray(self.share + 0.5 * z * (1 - self.t * self.t) * inner)
        return np.asarray(self.share + z * np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi))


class HardTanh(Elementwise):
    """A = Z held between two bounds."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        low, high = layer.low, layer.high
        self.value = f"A = min(max(Z, {low:g}), {high:g})"
        self.equations = (f"dZ = dA where {low:g} <= Z <= {high:g}, else 0",)

    def forward(self, x: Numbers) -> Numbers:
        """Return Z between the bounds."""
        self.z = x
        return np.asarray(np.clip(x, self.layer.low, self.layer.high))

    def slope(self) -> Numbers:
        """Return 1 within the bounds."""
        inside = (self.z >= self.layer.low) & (self.z <= self.layer.high)
        return np.asarray(inside.astype(self.z.dtype))


class Softmax(Rule):
    """A = softmax of each row: every output depends on every input of its row."""

    value = "a_j = e^z_j / sum_k e^z_k in each row"
    equations = ("dz = a * (da - sum_k da_k a_k) in each row (not the diagonal alone)",)
    symbols = {"X": "dZ"}  # noqa: RUF012
    out = "A"

    def forward(self, x: Numbers) -> Numbers:
        """Return the rows' softmax."""
        self.a = softmax(x)
        return self.a

    def backward(self, g: Numbers) -> dict[str, Numbers]:
        """Return a * (da - <da, a>)."""
        return {"X": self.a * (g - (g * self.a).sum(axis=-1, keepdims=True))}


class LogSoftmax(Softmax):
    """A = ln softmax of each row."""

    value = "a_j = z_j - ln sum_k e^z_k in each row"
    equations = ("dz = da - softmax(z) * sum_k da_k in each row",)

    def forward(self, x: Numbers) -> Numbers:
        """Return the rows' log-softmax."""
        super().forward(x)
        m = x.max(axis=-1, keepdims=True)
        return np.asarray(x - m - np.log(np.exp(x - m).sum(axis=-1, keepdims=True)))

    def backward(self, g: Numbers) -> dict[str, Numbers]:
        """Return da - softmax(z) * sum da."""
        return {"X": g - self.a * g.sum(axis=-1, keepdims=True)}


def softmax(z: Numbers) -> Numbers:
    """Return e^z / sum e^z of each row; the row's maximum is taken off, so nothing overflows."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


RULES: dict[type[nn.Module], type[Rule]] = {
    nn.Linear: Identity,
    nn.ReLU: ReLU,
    nn.LeakyReLU: LeakyReLU,
    nn.ELU: ELU,
    nn.SELU: ELU,
    nn.GELU: GELU,
    nn.SiLU: SiLU,
    nn.Softplus: Softplus,
    nn.HardTanh: HardTanh,
    nn.Sigmoid: Sigmoid,
    nn.Tanh: Tanh,
    nn.Softmax: Softmax,
    nn.LogSoftmax: LogSoftmax,
}
