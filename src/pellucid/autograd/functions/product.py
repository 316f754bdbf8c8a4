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

    Each operand has one letter an axis. Letters that the output lacks are summed over; without an
    arrow the output has those that occur once, in alphabetical order.

    Raises:
        ShapeError: one letter stands for axes of different sizes.
        ValueError: the subscripts use an ellipsis, or one letter twice in an operand.

    >>> import pellucid
    >>> a = [[1.0, 2.0], [3.0, 4.0]]
    >>> pellucid.einsum("ni,ni->n", a, a)  # the squared length of each row
    Tensor([ 5., 25.])
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
    """Return the convolution of x ``(N, *size, Ci)`` with w ``(*kernel, Ci // groups, Co)``.

        out[n, p, o] = sum over k, c of x[n, p * stride + k * dilation, c] * w[k, c, o]

    where x has its padding around it. As usual in this field the kernel is not flipped.
    ``stride``, ``padding`` and ``dilation`` are those of `windows`; an output channel sees the
    input channels of its own of ``groups`` runs. See `nn.Conv2D`.

    >>> import pellucid
    >>> x = pellucid.reshape([1.0, 2.0, 4.0, 8.0], (1, 4, 1))
    >>> w = pellucid.reshape([-1.0, 1.0], (2, 1, 1))  # differences of neighbours
    >>> pellucid.conv(x, w, stride=(1,), padding=((0, 0),), dilation=(1,)).flatten()
    Tensor([1., 2., 4.])
    """
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
    """Return the gradient of `conv` with respect to x of spatial ``size``, given g of its output.

    It is also known as transposed convolution.

    >>> import pellucid
    >>> g = pellucid.ones((1, 3, 1))
    >>> w = pellucid.reshape([-1.0, 1.0], (2, 1, 1))
    >>> how = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,)}
    >>> pellucid.conv_input(g, w, size=(4,), **how).flatten()
    Tensor([-1.,  0.,  0.,  1.])
    """
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
    """Return the gradient of `conv` with respect to w of spatial size ``kernel``, given g.

    g is the gradient ``(N, *out, Co)`` of the output. In the example every element of w meets
    three elements of x: the result is 1 + 2 + 4 and 2 + 4 + 8.

    >>> import pellucid
    >>> x = pellucid.reshape([1.0, 2.0, 4.0, 8.0], (1, 4, 1))
    >>> g = pellucid.ones((1, 3, 1))
    >>> how = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,)}
    >>> pellucid.conv_kernel(x, g, kernel=(2,), **how).flatten()
    Tensor([ 7., 14.])
    """
    how = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return apply(convolution.ConvKernel, *pair(x, g), kernel=kernel, **how)
