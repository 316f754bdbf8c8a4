"""Dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.autograd import Tensor, as_tensor
from pellucid.autograd import functions as F  # noqa: N812 - the field's name for it
from pellucid.nn.module import Module, Rng

_NEXT = np.array([0, 1], np.uint32)


class Dropout(Module):
    """In training out = x * m / (1 - rate), m = 0 with probability ``rate``, else 1; then out = x.

    The division keeps the expected value, so evaluation needs no correction. The mask depends only
    on ``stream``, a buffer of two words (key, counter) that moves on with every call: the same seed
    gives the same masks, and a saved state continues them.

    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent
    neural networks from overfitting", JMLR 15, 2014.

    Raises:
        ValueError: ``rate`` is outside [0, 1).

    >>> import numpy as np
    >>> from pellucid import nn
    >>> layer = nn.Dropout(0.5, rng=0)
    >>> set(layer(np.ones(100)).tolist()) == {0.0, 2.0}
    True
    >>> layer.eval()(np.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(self, rate: float = 0.5, *, rng: Rng = None) -> None:
        if not isinstance(rate, int | float | np.number) or not 0 <= rate < 1:
            raise ValueError(
                f"Dropout: expected a rate in [0, 1), the share of units set to 0, got {rate!r}"
            )
        self.rate = float(rate)
        self.stream = Tensor(np.zeros(2, np.uint32))
        self.reset(np.random.default_rng(rng))

    def reset(self, rng: np.random.Generator) -> None:
        """Start a new random stream; there is nothing else to draw."""
        self.reseed(rng)

    def reseed(self, rng: np.random.Generator) -> None:
        """Draw a new key and start counting at 0."""
        self.stream.data = np.array([rng.integers(2**32), 0], np.uint32)

    def forward(self, x: Any) -> Tensor:
        """Return x with units dropped in training, x itself in evaluation."""
        inputs = as_tensor(x)
        if not self.training or self.rate == 0:
            return inputs
        u = F.uniform(self.stream, shape=inputs.shape)
        self.stream.data = self.stream.data + _NEXT
        kept = F.astype(u >= self.rate, inputs.dtype)
        return inputs * (kept * (1 / (1 - self.rate)))
