"""Embedding: a vector to learn for each of a number of things, such as words."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.arrays import Array
from pellucid.autograd import Tensor, as_tensor
from pellucid.autograd import functions as F  # noqa: N812 - the field's name for it
from pellucid.nn.initialisers import Initialiser, initialiser, normal
from pellucid.nn.module import Module, Rng

STANDARD_NORMAL = normal(std=1.0)


class Embedding(Module):
    """out = W[x], for each number in x its row of a table W ``(num_embeddings, embedding_dim)``.

    x is of integers from 0 to num_embeddings - 1 in any shape, the output ``(..., embedding_dim)``.
    A row that is read several times receives the sum of the gradients. Bengio, Ducharme, Vincent
    and Janvin, "A neural probabilistic language model", JMLR 3, 2003.

    Args:
        num_embeddings: number of rows.
        embedding_dim: size of a row.
        padding_idx: a number that means "nothing here", if there is one: it reads as a row of
            zeros, whatever the table holds, so its row gets no gradient. It starts at 0. A negative
            number counts from the end.
        init: initialiser of W, by name or function; by default N(0, 1).
        rng: generator or seed of the starting values.

    Raises:
        ValueError: a size is no positive whole number, or ``padding_idx`` no row.
        IndexError: of a call: an index is out of range; the first such is named. In a compiled
            function its row is NaN; `Model` then computes the batch eagerly, which raises.
        TypeError: of a call: the input is not of integers.

    >>> from pellucid import nn
    >>> words = nn.Embedding(3, 2)
    >>> words.load_state({"weight": [[0, 0], [1, 10], [2, 20]]})
    >>> words([2, 0, 1]).tolist()
    [[2.0, 20.0], [0.0, 0.0], [1.0, 10.0]]
    >>> nn.Embedding(10_000, 64, rng=0)([[5, 17, 4], [5, 2, 0]]).shape
    (2, 3, 64)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        init: str | Initialiser | None = None,
        rng: Rng = None,
    ) -> None:
        sizes = {"num_embeddings": num_embeddings, "embedding_dim": embedding_dim}
        for name, size in sizes.items():
            if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
                raise ValueError(
                    f"Embedding: expected {name} to be a positive whole number, got {size!r}"
                )
        self.num_embeddings, self.embedding_dim = int(num_embeddings), int(embedding_dim)
        self.padding_idx = _row(padding_idx, self.num_embeddings)
        self.init = initialiser(init, STANDARD_NORMAL)
        self.weight = Tensor(np.zeros((num_embeddings, embedding_dim), np.float32), True)
        self.reset(np.random.default_rng(rng))

    def reset(self, rng: np.random.Generator) -> None:
        """Draw W anew; the row for padding is 0."""
        rows, size = self.weight.shape
        start = np.array(self.init((rows, size), rows, size, rng))
        if start.shape != self.weight.shape:
            raise ValueError(
                f"Embedding: expected starting values of shape {self.weight.shape}, got "
                f"{start.shape}; an initialiser returns an array of the shape that it is given"
            )
        if self.padding_idx is not None:
            start[self.padding_idx] = 0
        self.weight.data = start.astype(self.weight.dtype, copy=False)

    def forward(self, x: Any) -> Tensor:
        """Return the rows that x names."""
        x = as_tensor(x)
        if x.dtype.kind not in "iu" and x.size:
            raise TypeError(
                f"Embedding: expected integers, the numbers of rows, got {x.dtype}; convert them, "
                "for example x.astype(int)"
            )
        if isinstance(x.data, np.ndarray):
            self._check(x.data)
        out: Tensor = self.weight[x]  # (..., embedding_dim)
        if not isinstance(x.data, np.ndarray):
            out = out + self._nan_outside(x)
        if self.padding_idx is None:
            return out
        return F.where(F.expand_dims(x == self.padding_idx, axis=-1), 0.0, out)

    def _nan_outside(self, x: Tensor) -> Tensor:
        """Return NaN for indices out of range, else 0, ``(..., 1)``: none is known when traced."""
        number = self.weight.dtype.type
        outside = (x < 0) | (x >= self.num_embeddings)
        return F.expand_dims(F.where(outside, number(np.nan), number(0)), axis=-1)

    def _check(self, x: Array) -> None:
        """Refuse indices out of range."""
        # seen as unsigned numbers, negative indices are huge: one comparison finds both kinds
        if x.size and int(x.astype(np.uint64).max()) >= self.num_embeddings:
            place = tuple(map(int, np.argwhere((x < 0) | (x >= self.num_embeddings))[0]))
            fix = "number the things from 0"
            if x.max() >= self.num_embeddings:
                fix += f", or make the table larger: Embedding({x.max() + 1}, {self.embedding_dim})"
            raise IndexError(
                f"Embedding: expected indices from 0 to {self.num_embeddings - 1}, got {x[place]}"
                f"{f' at {place}' if place else ''}; {fix}"
            )

    def describe(self) -> str:
        """Return the sizes, and the row for padding if there is one."""
        parts = [str(self.num_embeddings), str(self.embedding_dim)]
        if self.padding_idx is not None:
            parts.append(f"padding_idx={self.padding_idx}")
        return ", ".join(parts)


def _row(index: int | None, rows: int) -> int | None:
    """Return the number of a row, counted from the front."""
    if index is None:
        return None
    if not isinstance(index, int | np.integer) or isinstance(index, bool):
        raise ValueError(f"Embedding: expected padding_idx to be a whole number, got {index!r}")
    if not -rows <= index < rows:
        raise ValueError(
            f"Embedding: expected padding_idx to be one of the {rows} rows, from 0 to {rows - 1}, "
            f"got {index}"
        )
    return int(index) % rows
