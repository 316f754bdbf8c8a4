"""The tensor namespace: every function of the array protocol, recorded on the tape.

It is what users call (``pellucid.exp(x)``) and what a gradient rule is given as ``xp`` when the
gradient itself is to be differentiated.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy import bool, float32, float64, int64, uint32

from pellucid.arrays import Axis, DType, Namespace, Pairs, Shape, namespace, register
from pellucid.autograd.apply import DEFAULT_DTYPE, floating, to_array
from pellucid.autograd.tensor import Tensor, apply, as_tensor, matmul, split_key
from pellucid.errors import ShapeError
from pellucid.ops import (
    activations,
    compare,
    elementwise,
    linalg,
    normalise,
    pool,
    random,
    recurrent,
    reduce,
)
from pellucid.ops import conv as convolution
from pellucid.ops import index as indexing
from pellucid.ops import shape as shaping

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


# creation


def asarray(obj: Any, /, *, dtype: DType = None) -> Tensor:
    """Return a tensor: obj itself, in another dtype if one is given, or a constant made from it."""
    if type(obj) is Tensor:
        return obj if dtype in (None, obj.dtype) else obj.astype(dtype)
    return Tensor(obj, dtype=dtype)


def arange(start: int, /, stop: int | None = None, *, dtype: DType = None) -> Tensor:
    """Return the whole numbers from start (0 if it is alone) up to, not including, stop."""
    return Tensor(np.arange(start, stop, dtype=dtype))


def zeros(shape: Shape, *, dtype: DType = None) -> Tensor:
    """Return a constant tensor of zeros, float32 by default."""
    return Tensor(np.zeros(shape, dtype or DEFAULT_DTYPE))


def ones(shape: Shape, *, dtype: DType = None) -> Tensor:
    """Return a constant tensor of ones, float32 by default."""
    return Tensor(np.ones(shape, dtype or DEFAULT_DTYPE))


def zeros_like(x: Any, /) -> Tensor:
    """Return zeros in the shape and dtype of x."""
    data = as_tensor(x).data
    return Tensor(namespace(data).zeros_like(data))


def ones_like(x: Any, /) -> Tensor:
    """Return ones in the shape and dtype of x."""
    data = as_tensor(x).data
    return Tensor(namespace(data).ones_like(data))


def astype(x: Any, dtype: DType, /) -> Tensor:
    """Return x in another dtype."""
    return as_tensor(x).astype(dtype)


# elementwise


def abs(x: Any, /) -> Tensor:
    """Return |x|."""
    return apply(elementwise.Abs, as_tensor(x))


def sign(x: Any, /) -> Tensor:
    """Return -1, 0 or 1."""
    return apply(compare.Sign, as_tensor(x))


def exp(x: Any, /) -> Tensor:
    """Return e^x."""
    return apply(elementwise.Exp, as_tensor(x))


def expm1(x: Any, /) -> Tensor:
    """Return e^x - 1, exact near 0."""
    return apply(elementwise.Expm1, as_tensor(x))


def log(x: Any, /) -> Tensor:
    """Return ln x."""
    return apply(elementwise.Log, as_tensor(x))


def log1p(x: Any, /) -> Tensor:
    """Return ln(1 + x), exact near 0."""
    return apply(elementwise.Log1p, as_tensor(x))


def sqrt(x: Any, /) -> Tensor:
    """Return the square root."""
    return apply(elementwise.Sqrt, as_tensor(x))


def square(x: Any, /) -> Tensor:
    """Return x^2."""
    return apply(elementwise.Square, as_tensor(x))


def sin(x: Any, /) -> Tensor:
    """Return sin x."""
    return apply(elementwise.Sin, as_tensor(x))


def cos(x: Any, /) -> Tensor:
    """Return cos x."""
    return apply(elementwise.Cos, as_tensor(x))


def tanh(x: Any, /) -> Tensor:
    """Return tanh x."""
    return apply(elementwise.Tanh, as_tensor(x))


def sigmoid(x: Any, /) -> Tensor:
    """Return 1 / (1 + e^-x)."""
    return apply(elementwise.Sigmoid, as_tensor(x))


def softplus(x: Any, /) -> Tensor:
    """Return ln(1 + e^x)."""
    return apply(elementwise.Softplus, as_tensor(x))


def relu(x: Any, /) -> Tensor:
    """Return max(x, 0)."""
    return apply(elementwise.Relu, as_tensor(x))


def leaky_relu(x: Any, /, *, slope: float = 0.01) -> Tensor:
    """Return x where it is positive, slope * x elsewhere."""
    return apply(elementwise.LeakyRelu, as_tensor(x), slope=float(slope))


def elu(x: Any, /, *, alpha: float = 1.0) -> Tensor:
    """Return x where it is positive, alpha * (e^x - 1) elsewhere."""
    return apply(activations.Elu, as_tensor(x), alpha=float(alpha))


def selu(x: Any, /) -> Tensor:
    """Return 1.0507 * elu(x, alpha=1.6733), which keeps mean 0 and variance 1 from layer to layer.

    The two numbers solve the equations of that fixed point (Klambauer et al., NeurIPS 2017).
    """
    return 1.0507009873554805 * elu(x, alpha=1.6732632423543772)


def silu(x: Any, /) -> Tensor:
    """Return x * sigmoid(x)."""
    return apply(activations.Silu, as_tensor(x))


def gelu(x: Any, /, *, approximate: builtins.bool = False) -> Tensor:
    """Return x times the share of the normal distribution below x, or its tanh approximation.

    Raises:
        TypeError: ``approximate`` is no truth value; PyTorch's "tanh" is True here, "none" False.
    """
    if not isinstance(approximate, builtins.bool):
        raise TypeError(
            f"gelu: expected approximate to be True (tanh) or False (exact), got {approximate!r}"
        )
    return apply(activations.GeluTanh if approximate else activations.Gelu, as_tensor(x))


def erf(x: Any, /) -> Tensor:
    """Return the Gauss error function."""
    return apply(elementwise.Erf, as_tensor(x))


def floor(x: Any, /) -> Tensor:
    """Return the largest integer <= x."""
    return apply(compare.Floor, as_tensor(x))


def ceil(x: Any, /) -> Tensor:
    """Return the smallest integer >= x."""
    return apply(compare.Ceil, as_tensor(x))


def round(x: Any, /) -> Tensor:
    """Return the nearest integer, halves to even."""
    return apply(compare.Round, as_tensor(x))


def power(a: Any, b: Any, /) -> Tensor:
    """Return a ** b."""
    if isinstance(b, int | float | np.number):
        return as_tensor(a).__pow__(b)
    return as_tensor(a) ** b if type(b) is not Tensor or type(a) is Tensor else b.__rpow__(a)


def maximum(a: Any, b: Any, /) -> Tensor:
    """Return the larger of two, element by element."""
    return apply(elementwise.Maximum, *_pair(a, b))


def minimum(a: Any, b: Any, /) -> Tensor:
    """Return the smaller of two, element by element."""
    return apply(elementwise.Minimum, *_pair(a, b))


def clip(x: Any, /, min: float | None = None, max: float | None = None) -> Tensor:
    """Return x held between two bounds."""
    return as_tensor(x).clip(min, max)


def where(condition: Any, a: Any, b: Any, /) -> Tensor:
    """Return a where the condition holds, b elsewhere; no gradient reaches the one not chosen."""
    return apply(elementwise.Where, as_tensor(condition), *_pair(a, b))


def identity(x: Any, /) -> Tensor:
    """Return x as a new tensor of the graph."""
    return apply(elementwise.Identity, as_tensor(x))


def isfinite(x: Any, /) -> Tensor:
    """Return whether x is neither NaN nor infinite."""
    return apply(compare.IsFinite, as_tensor(x))


def isnan(x: Any, /) -> Tensor:
    """Return whether x is NaN."""
    return apply(compare.IsNan, as_tensor(x))


def logical_and(a: Any, b: Any, /) -> Tensor:
    """Return a and b."""
    return apply(compare.LogicalAnd, *_pair(a, b))


def logical_or(a: Any, b: Any, /) -> Tensor:
    """Return a or b."""
    return apply(compare.LogicalOr, *_pair(a, b))


def logical_not(x: Any, /) -> Tensor:
    """Return not x."""
    return apply(compare.LogicalNot, as_tensor(x))


def _pair(a: Any, b: Any) -> tuple[Any, Any]:
    """Return the operands, at least one of them a tensor; a number beside it stays one."""
    return (a, b) if type(a) is Tensor or type(b) is Tensor else (as_tensor(a), b)


# reductions


def sum(x: Any, /, *, axis: Axis = None, keepdims: builtins.bool = False) -> Tensor:
    """Return the sum over axes."""
    return as_tensor(x).sum(axis, keepdims)


def mean(x: Any, /, *, axis: Axis = None, keepdims: builtins.bool = False) -> Tensor:
    """Return the mean over axes."""
    return as_tensor(x).mean(axis, keepdims)


def var(x: Any, /, *, axis: Axis = None, keepdims: builtins.bool = False, ddof: int = 0) -> Tensor:
    """Return the variance over axes: squared deviations divided by n - ddof."""
    return as_tensor(x).var(axis, keepdims, ddof)


def std(x: Any, /, *, axis: Axis = None, keepdims: builtins.bool = False, ddof: int = 0) -> Tensor:
    """Return the standard deviation over axes."""
    return as_tensor(x).std(axis, keepdims, ddof)


def max(x: Any, /, *, axis: Axis = None, keepdims: builtins.bool = False) -> Tensor:
    """Return the largest element over axes."""
    return as_tensor(x).max(axis, keepdims)


def min(x: Any, /, *, axis: Axis = None, keepdims: builtins.bool = False) -> Tensor:
    """Return the smallest element over axes."""
    return as_tensor(x).min(axis, keepdims)


def any(x: Any, /, *, axis: Axis = None, keepdims: builtins.bool = False) -> Tensor:
    """Return whether one element over axes is true."""
    return as_tensor(x).any(axis, keepdims)


def all(x: Any, /, *, axis: Axis = None, keepdims: builtins.bool = False) -> Tensor:
    """Return whether all elements over axes are true."""
    return as_tensor(x).all(axis, keepdims)


def argmax(x: Any, /, *, axis: int | None = None, keepdims: builtins.bool = False) -> Tensor:
    """Return the index of the first largest element."""
    return as_tensor(x).argmax(axis, keepdims)


def argmin(x: Any, /, *, axis: int | None = None, keepdims: builtins.bool = False) -> Tensor:
    """Return the index of the first smallest element."""
    return as_tensor(x).argmin(axis, keepdims)


def norm(x: Any, /, *, axis: Axis = None, keepdims: builtins.bool = False) -> Tensor:
    """Return the Euclidean length over axes; its gradient at 0 is 0."""
    return apply(reduce.Norm, as_tensor(x), axis=axis, keepdims=keepdims)


def logsumexp(x: Any, /, *, axis: Axis = None, keepdims: builtins.bool = False) -> Tensor:
    """Return ln sum e^x over axes, without overflow."""
    return apply(reduce.LogSumExp, as_tensor(x), axis=axis, keepdims=keepdims)


def softmax(x: Any, /, *, axis: int = -1) -> Tensor:
    """Return e^x / sum e^x along an axis."""
    return apply(reduce.Softmax, as_tensor(x), axis=axis)


def log_softmax(x: Any, /, *, axis: int = -1) -> Tensor:
    """Return ln softmax(x) along an axis, without overflow."""
    return apply(reduce.LogSoftmax, as_tensor(x), axis=axis)


def cross_entropy(z: Any, y: Any, /) -> Tensor:
    """Return -ln softmax(z[i])[y[i]] for logits z ``(N, C)`` and integer labels y ``(N,)``."""
    labels = as_tensor(y)
    if labels.dtype.kind == "b":  # as an index True would be a mask, not the number 1
        labels = labels.astype(int64)
    return apply(reduce.CrossEntropy, floating(as_tensor(z)), labels)


def standardise(x: Any, /, *, axis: Axis = None, eps: float = 1e-5) -> Tensor:
    """Return (x - mean) / sqrt(var + eps) over axes, the heart of batch and layer normalisation."""
    return apply(normalise.Standardise, as_tensor(x), axis=axis, eps=float(eps))


def rms_normalise(x: Any, /, *, axis: Axis = None, eps: float = 1e-6) -> Tensor:
    """Return x / sqrt(mean(x^2) + eps) over axes."""
    return apply(normalise.RmsNormalise, as_tensor(x), axis=axis, eps=float(eps))


# shape


def reshape(x: Any, /, shape: Shape) -> Tensor:
    """Return the same elements in another shape; one size may be -1."""
    return as_tensor(x).reshape(shape)


def permute_dims(x: Any, /, axes: Shape) -> Tensor:
    """Return x with its axes in the given order."""
    return as_tensor(x).transpose(*axes)


def broadcast_to(x: Any, /, shape: Shape) -> Tensor:
    """Return x repeated to a larger shape."""
    return as_tensor(x).broadcast_to(shape)


def expand_dims(x: Any, /, *, axis: int) -> Tensor:
    """Return x with a new axis of size 1."""
    return as_tensor(x).expand_dims(axis)


def squeeze(x: Any, /, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """Return x without axes of size 1."""
    return as_tensor(x).squeeze(axis)


def concat(arrays: Sequence[Any], /, *, axis: int = 0) -> Tensor:
    """Return arrays joined along an axis."""
    return apply(shaping.Concat, *_operands(arrays), axis=axis)


def stack(arrays: Sequence[Any], /, *, axis: int = 0) -> Tensor:
    """Return arrays joined along a new axis."""
    return apply(shaping.Stack, *_operands(arrays), axis=axis)


def _operands(values: Sequence[Any]) -> list[Any]:
    """Return the operands with at least one of them a tensor; arrays take the tensors' dtype."""
    if not values:
        raise ShapeError("expected at least one array, got none")
    if builtins.any(type(x) is Tensor for x in values):
        return [x if type(x) is Tensor else to_array(x) for x in values]
    return [as_tensor(x) for x in values]


def split(x: Any, /, sections: int | Sequence[int], *, axis: int = 0) -> list[Tensor]:
    """Return x cut along an axis into equal parts (a number) or at given places (a sequence).

    Raises:
        ShapeError: the axis does not divide into that many equal parts.
    """
    x = as_tensor(x)
    n = x.shape[axis]
    if isinstance(sections, int):
        if sections < 1 or n % sections:
            raise ShapeError(f"split: expected a number of parts that divides {n}, got {sections}")
        sections = range(n // sections, n, n // sections) if n else [0] * (sections - 1)
    before = (slice(None),) * (axis % x.ndim)
    edges = [0, *sections, n]
    return [x[(*before, slice(a, b))] for a, b in pairwise(edges)]


def flip(x: Any, /, *, axis: Axis = None) -> Tensor:
    """Return x in reverse order along axes."""
    return apply(shaping.Flip, as_tensor(x), axis=axis)


def pad(x: Any, /, *, widths: Pairs, value: float = 0.0) -> Tensor:
    """Return x with ``(before, after)`` more elements of ``value`` along each axis."""
    x = as_tensor(x)
    if len(widths) != x.ndim:
        raise ShapeError(f"pad: expected {x.ndim} (before, after) pairs, one an axis, got {widths}")
    return apply(shaping.Pad, x, widths=tuple(widths), value=value)


# indexing


def index(x: Any, key: Any, /) -> Tensor:
    """Return x[key]."""
    return as_tensor(x)[key]


def take(x: Any, indices: Any, /, *, axis: int = 0) -> Tensor:
    """Return the slices of x at integer indices along an axis, such as the rows of an embedding."""
    tensor = as_tensor(x)
    return tensor[(slice(None),) * (axis % tensor.ndim) + (indices,)]


def gather(x: Any, indices: Any, /, *, axis: int = -1) -> Tensor:
    """Return what each index names along an axis: out[i, j] = x[i, indices[i, j]] for axis 1.

    Args:
        x: any shape.
        indices: integers, with the shape of x except along ``axis``.
    """
    tensor, places = as_tensor(x), as_tensor(indices)
    axis = axis % tensor.ndim
    key = [
        np.arange(n).reshape([-1 if a == b else 1 for b in range(tensor.ndim)])
        for a, n in enumerate(places.shape)
    ]
    return tensor[(*key[:axis], places, *key[axis + 1 :])]


def scatter_add(values: Any, key: Any, /, *, shape: Shape) -> Tensor:
    """Return zeros of a shape with values added at the key; repeated places accumulate."""
    template, arrays = split_key(key)
    values = as_tensor(values)
    return apply(indexing.ScatterAdd, values, *arrays, key=template, shape=tuple(shape))


# sums of products


def einsum(subscripts: str, /, *operands: Any) -> Tensor:
    """Return the sum of products that the subscripts name, such as ``einsum("ij,jk->ik", a, b)``.

    Raises:
        ValueError: the subscripts use an ellipsis, or one letter twice in an operand.
    """
    text = subscripts.replace(" ", "")
    if "->" not in text:
        letters = text.replace(",", "")
        text += "->" + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    terms = text.split("->")[0].split(",")
    if (
        "." in text
        or len(terms) != len(operands)
        or builtins.any(len(set(t)) != len(t) for t in terms)
    ):
        raise ValueError(
            "einsum: expected one term an operand, each of distinct letters and no ellipsis, got "
            f"{subscripts!r} for {len(operands)} operands; index the diagonal first, or use matmul"
        )
    tensors = _operands(operands)
    sizes: dict[str, int] = {}
    for term, x in zip(terms, tensors, strict=True):
        for letter, n in zip(term, x.shape, strict=False):
            if sizes.setdefault(letter, n) != n:
                raise ShapeError(
                    f"einsum: expected one size for {letter!r} in {subscripts!r}, got "
                    f"{sizes[letter]} and {n}; broadcast_to the smaller operand first"
                )
    return apply(linalg.Einsum, *tensors, subscripts=text)


def conv(
    x: Any, w: Any, /, *, stride: Shape, padding: Pairs, dilation: Shape, groups: int = 1
) -> Tensor:
    """Return the convolution of x ``(N, *size, Ci)`` with w ``(*kernel, Ci // groups, Co)``."""
    how = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return apply(convolution.Conv, *_pair(x, w), **how)


def conv_input(
    g: Any,
    w: Any,
    /,
    *,
    size: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int = 1,
) -> Tensor:
    """Return the gradient of `conv` with respect to x, given g of its output."""
    how = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return apply(convolution.ConvInput, *_pair(g, w), size=size, **how)


def conv_kernel(
    x: Any,
    g: Any,
    /,
    *,
    kernel: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int = 1,
) -> Tensor:
    """Return the gradient of `conv` with respect to w, given g of its output."""
    how = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return apply(convolution.ConvKernel, *_pair(x, g), kernel=kernel, **how)


# windows


def windows(
    x: Any,
    /,
    *,
    kernel: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    value: float = 0.0,
) -> Tensor:
    """Return the patches ``(N, *out, *kernel, C)`` of x ``(N, *size, C)``, ``value`` around it."""
    how = {"stride": stride, "padding": padding, "dilation": dilation, "value": value}
    return apply(pool.Windows, as_tensor(x), kernel=kernel, **how)


def windows_input(
    g: Any, /, *, size: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> Tensor:
    """Return the gradient of `windows` for x of spatial ``size``, given g of its output."""
    how = {"stride": stride, "padding": padding, "dilation": dilation}
    return apply(pool.WindowsInput, as_tensor(g), size=size, **how)


def max_pool(x: Any, /, *, kernel: Shape, stride: Shape, padding: Pairs) -> Tensor:
    """Return the largest element of each window of x ``(N, *size, C)``; padding is never it."""
    _refuse_empty_windows("max_pool", kernel, padding)
    how = {"kernel": kernel, "stride": stride, "padding": padding}
    return apply(pool.MaxPool, as_tensor(x), **how)


def avg_pool(
    x: Any,
    /,
    *,
    kernel: Shape,
    stride: Shape,
    padding: Pairs,
    count_include_pad: builtins.bool = False,
) -> Tensor:
    """Return the mean of each window of x ``(N, *size, C)``, without or with the padding."""
    _refuse_empty_windows("avg_pool", kernel, padding)
    how = {"kernel": kernel, "stride": stride, "padding": padding}
    return apply(pool.AvgPool, as_tensor(x), **how, count_include_pad=count_include_pad)


def _refuse_empty_windows(name: str, kernel: Shape, padding: Pairs) -> None:
    if builtins.any(builtins.max(pair) >= k for pair, k in zip(padding, kernel, strict=True)):
        raise ValueError(
            f"{name}: expected padding smaller than the kernel, so that every window holds an "
            f"element, got {padding=} for {kernel=}"
        )


# recurrent networks


def rnn(z: Any, u: Any, h: Any, /, *, relu: builtins.bool = False) -> Tensor:
    """Return the states ``(N, T, H)`` of a simple recurrent network; see `nn.RNN`.

    Args:
        z: what the input says to each step, x @ W + b, ``(N, T, H)``.
        u: recurrent weights ``(H, H)``.
        h: state before the first step ``(N, H)``.
        relu: whether relu takes the place of tanh.
    """
    return apply(recurrent.Rnn, *map(as_tensor, (z, u, h)), relu=relu)


def lstm(z: Any, u: Any, h: Any, c: Any, /) -> Tensor:
    """Return the states h and c of a long short-term memory, ``(N, T, 2 H)``; see `nn.LSTM`.

    Args:
        z: what the input says to the four gates at each step, ``(N, T, 4 H)``.
        u: recurrent weights ``(H, 4 H)``.
        h: output before the first step ``(N, H)``.
        c: state of the cell before the first step ``(N, H)``.
    """
    return apply(recurrent.Lstm, *map(as_tensor, (z, u, h, c)))


def gru(z: Any, u: Any, b: Any, h: Any, /) -> Tensor:
    """Return the states ``(N, T, H)`` of a gated recurrent unit; see `nn.GRU`.

    Args:
        z: what the input says to the three gates at each step, ``(N, T, 3 H)``.
        u: recurrent weights ``(H, 3 H)``.
        b: recurrent biases ``(3 H,)``.
        h: state before the first step ``(N, H)``.
    """
    return apply(recurrent.Gru, *map(as_tensor, (z, u, b, h)))


# random


def uniform(state: Any, /, *, shape: Shape) -> Tensor:
    """Return float32 numbers in [0, 1) that depend only on two uint32 words (key, counter)."""
    return apply(random.Uniform, as_tensor(state), shape=tuple(shape))


register(Tensor, cast(Namespace, sys.modules[__name__]))
