"""Pellucid: a neural-network framework you can see through.

Tensors, their functions (``pellucid.exp``, ...) and transforms (``pellucid.grad``, ...)
are here; layers and losses in `pellucid.nn`, optimisers in `pellucid.optim`, datasets in
`pellucid.data`, the training loop in `pellucid.train`, files in `pellucid.persist`, pictures in
`pellucid.viz`. The engine to read first, which computes with single numbers, is `pellucid.scalar`.
"""

from __future__ import annotations

from pellucid import data, interop, nn, optim, persist, scalar, train, viz
from pellucid.autograd import (
    GradcheckReport,
    GradientError,
    Tensor,
    apply,
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
from pellucid.autograd import functions as _functions
from pellucid.autograd.functions import *
from pellucid.compiler.api import Compiled, compile
from pellucid.compiler.places import UnsupportedError
from pellucid.compiler.trace import TraceError
from pellucid.errors import AnomalyError, GraphError, ShapeError
from pellucid.explain import explain_backward
from pellucid.nn.anomaly import detect_anomaly
from pellucid.ops.op import Op
from pellucid.registry import register
from pellucid.version import __version__

__all__ = [
    "AnomalyError",
    "Compiled",
    "GradcheckReport",
    "GradientError",
    "GraphError",
    "Op",
    "ShapeError",
    "Tensor",
    "TraceError",
    "UnsupportedError",
    "__version__",
    "apply",
    "as_tensor",
    "assert_gradients",
    "compile",
    "data",
    "detect_anomaly",
    "explain_backward",
    "grad",
    "gradcheck",
    "hessian",
    "hvp",
    "interop",
    "jacobian",
    "nn",
    "no_grad",
    "optim",
    "persist",
    "register",
    "scalar",
    "train",
    "value_and_grad",
    "viz",
]
__all__ += _functions.__all__
