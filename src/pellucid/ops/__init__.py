"""Operations: each a class with its equation, its value and its gradient rule."""

from __future__ import annotations

from pellucid.ops import (
    activations,
    compare,
    conv,
    elementwise,
    index,
    linalg,
    normalise,
    pool,
    random,
    recurrent,
    reduce,
    shape,
)
from pellucid.ops.op import REGISTRY, Gradients, Op

__all__ = [
    "REGISTRY",
    "Gradients",
    "Op",
    "activations",
    "compare",
    "conv",
    "elementwise",
    "index",
    "linalg",
    "normalise",
    "pool",
    "random",
    "recurrent",
    "reduce",
    "shape",
]
