"""Operations: each a class with its equation, its value and its gradient rule."""

from __future__ import annotations

from pellucid.ops import compare, conv, elementwise, index, linalg, random, reduce, shape
from pellucid.ops.op import REGISTRY, Gradients, Op

__all__ = [
    "REGISTRY",
    "Gradients",
    "Op",
    "compare",
    "conv",
    "elementwise",
    "index",
    "linalg",
    "random",
    "reduce",
    "shape",
]
