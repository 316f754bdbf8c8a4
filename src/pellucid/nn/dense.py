"""The fully connected layer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid.autograd import Tensor, as_tensor
from pellucid.errors import ShapeError
from pellucid.nn.activations import Activation, activation
from pellucid.nn.initialisers import Initialiser, initialiser
from pellucid.nn.module import Module, Rng


class Dense(Module):
    """out = activation(x @ W + b): each unit sees all inputs.

    x is ``(..., in_features)``, W ``(in_features, out_features)``, b ``(out_features,)``, the
    output ``(..., out_features)``. Rumelhart, Hinton and Williams, "Learning representations by
    back-propagating errors", Nature 323, 1986.

    Args:
        in_features: size of the last axis of the input.
        out_features: number of units.
        activation: None, a name such as "relu", or a module.
        bias: whether to add b.
        init: initialiser of W, by name or function; by default the one that suits the activation:
            He for relu and its kin, LeCun for selu, Xavier otherwise. b starts at 0.
        rng: generator or seed of the starting values.

    Raises:
        ValueError: a size is no positive whole number, or a name is unknown.
        ShapeError: of a call: the last axis of the input is not ``in_features``.

    >>> from pellucid import nn
    >>> layer = nn.Dense(2, 3, "relu", init="ones")
    >>> layer([[1.0, 2.0], [-3.0, 1.0]]).tolist()
    [[3.0, 3.0, 3.0], [0.0, 0.0, 0.0]]
    >>> layer.weight.shape, layer.bias.shape
    ((2, 3), (3,))
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        activation: str | Module | None = None,
        *,
        bias: bool = True,
        init: str | Initialiser | None = None,
        rng: Rng = None,
    ) -> None:
        for name, size in (("in_features", in_features), ("out_features", out_features)):
            if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
                raise ValueError(
                    f"Dense: expected {name} to be a positive whole number, got {size!r}"
                )
        self.in_features = int(in_features)
        self.out_features = int(out_features)
        self.activation = _resolve(activation)
        suited = self.activation.initialiser if isinstance(self.activation, Activation) else None
        self.init = initialiser(init, suited or "xavier_uniform")
        self.weight = Tensor(np.zeros((in_features, out_features), np.float32), requires_grad=True)
        self.bias = Tensor(np.zeros(out_features, np.float32), requires_grad=True) if bias else None
        self.reset(np.random.default_rng(rng))

    def reset(self, rng: np.random.Generator) -> None:
        """Draw W anew and set b to 0."""
        fan_in, fan_out = self.weight.shape
        start = np.asarray(self.init(self.weight.shape, fan_in, fan_out, rng))
        if start.shape != self.weight.shape:
            raise ValueError(
                f"Dense: expected starting values of shape {self.weight.shape}, got {start.shape}; "
                "an initialiser returns an array of the shape that it is given"
            )
        self.weight.data = start.astype(self.weight.dtype, copy=False)
        if self.bias is not None:
            self.bias.data = np.zeros_like(self.bias.data)

    def forward(self, x: Any) -> Tensor:
        """Return activation(x @ W + b)."""
        z = self.preactivation(x)
        return z if self.activation is None else self.activation(z)

    def output_activation(self) -> Module | None:
        """Return the activation."""
        return self.activation

    def preactivation(self, x: Any) -> Tensor:
        """Return x @ W + b."""
        x = x if isinstance(x, Tensor | np.ndarray) else as_tensor(x)
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise ShapeError(self._mismatch(x.shape), source=self)
        z: Tensor = x @ self.weight  # (..., out)
        return z if self.bias is None else z + self.bias

    def _mismatch(self, shape: tuple[int, ...]) -> str:
        wanted, units = self.in_features, self.out_features
        message = f"expected input of shape (..., {wanted}), got {shape}"
        each = math.prod(shape[1:])
        if len(shape) > 2 and each == wanted:
            return (
                f"{message}; flatten each example first, with nn.Flatten() before this layer or "
                "x.reshape(len(x), -1)"
            )
        if shape == (wanted, 1):
            return f"{message}; pass one example as a row, x.reshape(1, -1)"
        if len(shape) > 1 and math.prod(shape) == wanted:
            return f"{message}; if that is one example, pass it as a row, x.reshape(1, -1)"
        if len(shape) == 4:  # images, whose last axis is hardly ever meant alone
            return (
                f"{message}; put nn.Flatten() before this layer and make it Dense({each}, {units})"
            )
        if shape:
            return (
                f"{message}; Dense({shape[-1]}, {units}) would fit this input, or pass the "
                f"{wanted} feature{'s' * (wanted > 1)} that this layer was made for"
            )
        return message

    def describe(self) -> str:
        """Return the sizes, the activation, and whether b is missing."""
        parts = [str(self.in_features), str(self.out_features)]
        if self.activation is not None:
            parts.append(repr(self.activation))
        if self.bias is None:
            parts.append("bias=False")
        return ", ".join(parts)


_resolve = activation  # the constructor's argument has the same name
