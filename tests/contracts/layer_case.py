"""What a sample of a layer is, and helpers to write some.

Samples stand in ``layer_samples_*.py``, one file a family, each with its ``SAMPLES`` by the name of
the layer; ``test_layers`` gathers them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import nn

Parameters = dict[str, Any]  # by dotted path
RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Sample:
    """A layer, an input, the shape of its output, and the same in PyTorch.

    ``torch(torch, x, p)`` computes the output in evaluation from tensors; ``p`` holds the
    parameters and buffers by path. An input of integers, such as class numbers, has no gradient.
    """

    label: str
    build: Callable[[], nn.Module]
    x: np.ndarray
    shape: tuple[int, ...]
    torch: Callable[[Any, Any, Parameters], Any]
    random: bool = False  # whether training draws random numbers
    batch: bool = False  # whether training looks at the whole batch, as batch normalisation does
    drawn: bool = True  # whether the starting values, where there are any, are random numbers


def normal(*shape: int) -> np.ndarray:
    """Return numbers that stay away from 0, where relu has no slope."""
    x = RNG.normal(size=shape)
    return x + 0.1 * np.sign(x)


def elementwise(build: Callable[[], nn.Module], torch: Callable[..., Any]) -> list[Sample]:
    """Return the samples of an activation."""
    shapes = [(4, 3), (2, 3, 5), (3,)]
    return [Sample(str(s), build, normal(*s), s, lambda t, x, p: torch(t, x)) for s in shapes]


def dense(torch: Any, x: Any, p: Parameters, at: str = "") -> Any:
    """Return x @ W + b."""
    bias = p.get(f"{at}bias")
    return torch.nn.functional.linear(x, p[f"{at}weight"].T, bias)
