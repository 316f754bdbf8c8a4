"""Networks from elsewhere and for elsewhere."""

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
