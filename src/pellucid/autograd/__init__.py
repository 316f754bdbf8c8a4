"""Tensors, the tape that records them, and what can be asked of it."""

from __future__ import annotations

from pellucid.autograd import functions
from pellucid.autograd.gradcheck import (
    GradcheckReport,
    GradientError,
    assert_gradients,
    gradcheck,
)
from pellucid.autograd.operation import apply
from pellucid.autograd.tape import no_grad
from pellucid.autograd.tensor import Tensor, as_tensor
from pellucid.autograd.transforms import grad, hessian, hvp, jacobian, value_and_grad

__all__ = [
    "GradcheckReport",
    "GradientError",
    "Tensor",
    "apply",
    "as_tensor",
    "assert_gradients",
    "functions",
    "grad",
    "gradcheck",
    "hessian",
    "hvp",
    "jacobian",
    "no_grad",
    "value_and_grad",
]
