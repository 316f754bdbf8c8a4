"""The tensor namespace: every function of the array protocol, recorded on the tape.

It is what users call (``pellucid.exp(x)``) and what a gradient rule is given as ``xp`` when the
gradient itself is to be differentiated. Each file holds one family.
"""

from __future__ import annotations

import sys
from typing import cast

from numpy import bool, float32, float64, int64, uint32

from pellucid.arrays import Namespace, register
from pellucid.autograd.functions.activation import (
    elu,
    erf,
    gelu,
    leaky_relu,
    relu,
    selu,
    sigmoid,
    silu,
    softplus,
)
from pellucid.autograd.functions.creation import (
    arange,
    asarray,
    astype,
    ones,
    ones_like,
    uniform,
    zeros,
    zeros_like,
)
from pellucid.autograd.functions.elementwise import (
    abs,
    ceil,
    clip,
    cos,
    exp,
    expm1,
    floor,
    identity,
    isfinite,
    isnan,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    power,
    round,
    sign,
    sin,
    sqrt,
    square,
    tanh,
    where,
)
from pellucid.autograd.functions.pooling import (
    avg_pool,
    max_pool,
    windows,
    windows_input,
)
from pellucid.autograd.functions.product import (
    conv,
    conv_input,
    conv_kernel,
    einsum,
)
from pellucid.autograd.functions.rearranging import (
    broadcast_to,
    concat,
    expand_dims,
    flip,
    gather,
    index,
    pad,
    permute_dims,
    reshape,
    scatter_add,
    split,
    squeeze,
    stack,
    take,
)
from pellucid.autograd.functions.recurrent import (
    gru,
    lstm,
    rnn,
)
from pellucid.autograd.functions.reduction import (
    all,
    any,
    argmax,
    argmin,
    cross_entropy,
    log_softmax,
    logsumexp,
    max,
    mean,
    min,
    norm,
    rms_normalise,
    softmax,
    standardise,
    std,
    sum,
    var,
)
from pellucid.autograd.tensor import Tensor, matmul

__all__ = [  # noqa: RUF022 - in the protocol's order
    "float32", "float64", "int64", "uint32", "bool",
    "asarray", "arange", "zeros", "ones", "zeros_like", "ones_like", "astype",
    "abs", "sign", "exp", "expm1", "log", "log1p", "sqrt", "square", "sin", "cos", "tanh",
    "sigmoid", "softplus", "relu", "leaky_relu", "elu", "selu", "silu", "gelu", "erf",
    "floor", "ceil", "round", "power", "maximum", "minimum", "clip", "where", "identity",
    "isfinite", "isnan",
    "logical_and", "logical_or", "logical_not",
    "sum", "mean", "var", "std", "max", "min", "any", "all", "argmax", "argmin", "norm",
    "logsumexp", "softmax", "log_softmax", "cross_entropy", "standardise", "rms_normalise",
    "reshape", "permute_dims", "broadcast_to", "expand_dims", "squeeze", "concat", "stack",
    "split", "flip", "pad", "index", "take", "gather", "scatter_add", "matmul", "einsum", "conv",
    "conv_input", "conv_kernel", "windows", "windows_input", "max_pool", "avg_pool",
    "rnn", "lstm", "gru", "uniform",
]  # fmt: skip

register(Tensor, cast(Namespace, sys.modules[__name__]))
