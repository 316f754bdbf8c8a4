"""Sums of products."""

from __future__ import annotations

from typing import Any

from pellucid.arrays import Pairs, Shape
from pellucid.autograd.functions.operands import pair, several
from pellucid.autograd.tensor import Tensor, apply
from pellucid.errors import ShapeError
from pellucid.ops import conv as convolution
from pellucid.ops import linalg


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
    if "." in text or len(terms) != len(operands) or any(len(set(t)) != len(t) for t in terms):
        raise ValueError(
            "einsum: expected one term an operand, each of distinct letters and no ellipsis, got "
            f"{subscripts!r} for {len(operands)} operands; index the diagonal first, or use matmul"
        )
    tensors = several(operands)
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
    return apply(convolution.Conv, *pair(x, w), **how)


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
    return apply(convolution.ConvInput, *pair(g, w), size=size, **how)


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
    return apply(convolution.ConvKernel, *pair(x, g), kernel=kernel, **how)
