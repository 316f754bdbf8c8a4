"""Pellucid: a neural-network framework you can see through.

Tensors, their functions (``pellucid.exp``, ...) and transforms (``pellucid.grad``, ...)
are here; layers and losses in `pellucid.nn`, optimisers in `pellucid.optim`, datasets in
`pellucid.data`, the training loop in `pellucid.train`, files in `pellucid.persist`, pictures in
`pellucid.viz`.
"""

from __future__ import annotations

from pellucid import data, nn, optim, persist, train, viz
from pellucid.autograd import (
    GradcheckReport,
    GradientError,
    Tensor,
    as_tensor,
    assert_gradients,
    grad,
    gradcheck,
    hessian,
    hvp,
    jacobian,
    no_grad,
    value_and_grad,
)
from pellucid.autograd.functions import *
from pellucid.errors import GraphError, ShapeError
from pellucid.version import __version__
