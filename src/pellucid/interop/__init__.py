"""Networks from elsewhere and for elsewhere: PyTorch's weights and the scalar engine's."""

from __future__ import annotations

from pellucid.interop.pytorch import from_torch, save_torch, to_torch
from pellucid.interop.scalars import assert_equivalent, to_scalars, to_tensors

__all__ = [
    "assert_equivalent",
    "from_torch",
    "save_torch",
    "to_scalars",
    "to_tensors",
    "to_torch",
]
