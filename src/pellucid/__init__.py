"""Pellucid: a neural-network framework you can see through."""

from __future__ import annotations

from pellucid.autograd import (
    Tensor,
    as_tensor,
    grad,
    hessian,
    hvp,
    jacobian,
    no_grad,
    value_and_grad,
)
from pellucid.autograd.functions import *
from pellucid.errors import GraphError, ShapeError
from pellucid.version import __version__ as __version__
