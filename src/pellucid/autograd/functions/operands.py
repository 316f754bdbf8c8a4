"""Operands of functions that take several, of which at least one must be a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid.autograd.apply import to_array
from pellucid.autograd.tensor import Tensor, as_tensor
from pellucid.errors import ShapeError


def pair(a: Any, b: Any) -> tuple[Any, Any]:
    """Return the operands, at least one of them a tensor; a number beside it stays one."""
    return (a, b) if type(a) is Tensor or type(b) is Tensor else (as_tensor(a), b)


def several(values: Sequence[Any]) -> list[Any]:
    """Return the operands with at least one of them a tensor; arrays take the tensors' dtype."""
    if not values:
        raise ShapeError("expected at least one array, got none")
    if any(type(x) is Tensor for x in values):
        return [x if type(x) is Tensor else to_array(x) for x in values]
    return [as_tensor(x) for x in values]
