"""What every peer of a comparison is given: a network, its starting weights, data and settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Labels: TypeAlias = NDArray[np.int64]
Run: TypeAlias = Callable[[int], float]
"""Makes so many steps, or goes over the data so often, and returns the last loss, or the mean."""

B1, B2, EPS = 0.9, 0.999, 1e-8  # Adam's defaults, Kingma and Ba 2015

# A network that has learned its one batch by heart would be timed on gradients of 0 and on numbers
# too small to be normal, which take a processor many times longer. With this rate the weights
# hardly move, and every step is as much work as the first.
STILL = 1e-7


@dataclass(frozen=True)
class Case:
    """A dense network with ReLU between its layers, cross-entropy and Adam.

    Attributes:
        sizes: of the input, the hidden layers and the output.
        batch: rows a step.
        rows: of the data that is shuffled and gone over; 0 for steps on one batch that lies ready.
        rate: Adam's learning rate.
    """

    sizes: tuple[int, ...]
    batch: int
    rows: int = 0
    rate: float = STILL

    def __post_init__(self) -> None:
        if len(self.sizes) < 2 or self.batch < 1 or self.rows % self.batch:
            raise ValueError(
                "expected an input, an output, a batch of at least 1 and rows in whole batches, "
                f"got sizes {self.sizes}, batch {self.batch} and {self.rows} rows"
            )

    @property
    def name(self) -> str:
        """The network and the batch, as a heading."""
        return f"{'-'.join(map(str, self.sizes))}, batch {self.batch}"

    @property
    def layers(self) -> list[tuple[int, int]]:
        """The shapes of the weights."""
        return list(zip(self.sizes, self.sizes[1:], strict=False))

    @property
    def updates(self) -> int:
        """How many updates a count of one stands for."""
        return max(self.rows // self.batch, 1)

    def data(self) -> tuple[Floats, Labels]:
        """Return random inputs and labels: the batch, or all rows."""
        rng = np.random.default_rng(0)
        rows = self.rows or self.batch
        x = rng.standard_normal((rows, self.sizes[0]), np.float32)
        return x, rng.integers(0, self.sizes[-1], rows)

    def weights(self) -> list[Floats]:
        """Return starting weights by He's rule, one matrix (in, out) a layer; biases start at 0."""
        rng = np.random.default_rng(1)
        return [
            rng.standard_normal((n, m), np.float32) * np.float32((2 / n) ** 0.5)
            for n, m in self.layers
        ]

    def to_json(self) -> str:
        """Return the case as text for another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Case:
        """Return the case that `to_json` wrote."""
        fields = json.loads(text)
        return cls(**fields | {"sizes": tuple(fields["sizes"])})


def repeated(step: Callable[[Any, Any], Any], x: Any, y: Any) -> Run:
    """Return what makes steps on one batch; asking for the last loss waits for it."""

    def run(count: int) -> float:
        for _ in range(count):
            loss = step(x, y)
        return float(loss)

    return run
