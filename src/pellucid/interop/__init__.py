"""Networks from elsewhere and for elsewhere."""

from __future__ import annotations

from pellucid.interop.scalars import assert_equivalent, to_scalars, to_tensors

__all__ = ["assert_equivalent", "to_scalars", "to_tensors"]
