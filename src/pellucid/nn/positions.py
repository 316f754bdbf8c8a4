"""Positions: what tells attention, which sees a set of steps, in which order they came."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.arrays import Array
from pellucid.autograd import Tensor, as_tensor
from pellucid.errors import ShapeError
from pellucid.nn.initialisers import normal
from pellucid.nn.module import Module, Rng

START = normal(std=0.02)  # that of GPT-2 and BERT


class PositionalEncoding(Module):
    """out = x + P[:T]: to each step a vector is added that depends on its position only.

    x is ``(..., T, d_model)`` with T up to max_length. P is fixed:

        P[p, 2j] = sin(p / 10000^(2j / d_model)),  P[p, 2j+1] = cos(p / 10000^(2j / d_model))

    so that P[p + s] is a rotation of P[p], the same for all p. Or, ``learned``, P is a parameter
    ``(max_length, d_model)`` that starts at N(0, 0.02^2). Vaswani et al., "Attention is all you
    need", NeurIPS 2017, section 3.5; learned positions from Gehring et al., "Convolutional sequence
    to sequence learning", ICML 2017.

    Args:
        max_length: the longest sequence.
        d_model: size of a step.
        learned: whether P is learned.
        rng: generator or seed of the starting values.

    Raises:
        ValueError: a size is no positive whole number.
        ShapeError: of a call: the sequences are too long, or their steps of another size.
        TypeError: of a call: the input is not of floating point.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> out = nn.PositionalEncoding(100, 4)(np.zeros((1, 3, 4)))
    >>> out.shape
    (1, 3, 4)
    >>> out[0, 0].tolist()  # sin 0, cos 0, sin 0, cos 0
    [0.0, 1.0, 0.0, 1.0]
    """

    def __init__(
        self, max_length: int, d_model: int, learned: bool = False, *, rng: Rng = None
    ) -> None:
        for name, size in (("max_length", max_length), ("d_model", d_model)):
            if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
                raise ValueError(
                    f"PositionalEncoding: expected {name} to be a positive whole number, got "
                    f"{size!r}"
                )
        self.max_length, self.d_model, self.learned = int(max_length), int(d_model), bool(learned)
        self.positions: Tensor | Array  # as a plain array it is no part of the state
        if self.learned:
            self.positions = Tensor(np.zeros((max_length, d_model), np.float32), requires_grad=True)
            self.reset(np.random.default_rng(rng))
        else:
            self.positions = sinusoids(self.max_length, self.d_model)

    def reset(self, rng: np.random.Generator) -> None:
        """Draw P anew if it is learned."""
        if isinstance(self.positions, Tensor):
            start = START(self.positions.shape, self.max_length, self.d_model, rng)
            self.positions.data = start.astype(self.positions.dtype)

    def forward(self, x: Any) -> Tensor:
        """Return x with the positions added."""
        given = x if isinstance(x, Tensor | np.ndarray) else as_tensor(x)
        if given.dtype.kind != "f":
            raise TypeError(
                f"PositionalEncoding: expected floating-point input, got {given.dtype}; tokens go "
                f"through nn.Embedding(.., {self.d_model}) first"
            )
        if given.ndim < 2 or given.shape[-1] != self.d_model:
            raise ShapeError(
                f"expected input of shape (..., T, {self.d_model}), got {given.shape}", source=self
            )
        steps = given.shape[-2]
        if steps > self.max_length:
            raise ShapeError(
                f"expected sequences of at most {self.max_length} steps, got {steps}; cut them, or "
                f"build PositionalEncoding({steps}, {self.d_model})",
                source=self,
            )
        p = self.positions[:steps]  # (T, d_model)
        return p + given if isinstance(p, Tensor) else as_tensor(given) + p

    def describe(self) -> str:
        """Return the sizes, and whether the positions are learned."""
        return f"{self.max_length}, {self.d_model}{', learned=True' * self.learned}"


def sinusoids(length: int, size: int) -> Array:
    """Return sines and cosines of geometrically falling frequency in turn, ``(length, size)``."""
    angles = np.arange(length)[:, None] / 10000 ** (np.arange(0, size, 2) / size)
    table = np.empty((length, size))
    table[:, 0::2], table[:, 1::2] = np.sin(angles), np.cos(angles)[:, : size // 2]
    return table
