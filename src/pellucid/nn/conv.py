"""Convolution and transposed convolution over sequences and images, channels last."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

import numpy as np

from pellucid.arrays import Pairs, Shape, output_size
from pellucid.autograd import Tensor, as_tensor
from pellucid.autograd import functions as F  # noqa: N812 - the field's name for it
from pellucid.errors import ShapeError
from pellucid.nn.activations import Activation, activation
from pellucid.nn.initialisers import Initialiser, initialiser
from pellucid.nn.module import Module, Rng
from pellucid.nn.spatial import (
    Padding,
    Sizes,
    check_input,
    check_output,
    padding_of,
    positive,
    same,
    shown,
    sizes,
)


class Filters(Module):
    """What convolutions and transposed ones share: a bank of filters, a bias, an activation."""

    axes: ClassVar[int]  # how many spatial ones

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        activation: str | Module | None = None,
        *,
        stride: Sizes = 1,
        padding: Padding = "valid",
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        init: str | Initialiser | None = None,
        rng: Rng = None,
    ) -> None:
        name = type(self).__name__
        self.in_channels = positive(self, "in_channels", in_channels)
        self.out_channels = positive(self, "out_channels", out_channels)
        self.kernel_size = sizes(self, "kernel_size", kernel_size, self.axes)
        if isinstance(activation, int | tuple | list):
            raise TypeError(
                f"{name}: expected an activation such as 'relu' after the kernel size, got "
                f"{activation!r}; a stride is given by name, stride={activation!r}"
            )
        self.activation = _resolve(activation)
        self.stride = sizes(self, "stride", stride, self.axes)
        self.padding = padding_of(self, padding, self.axes)
        self.dilation = sizes(self, "dilation", dilation, self.axes)
        self.groups = positive(self, "groups", groups)
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(
                f"{name}: expected a number of groups that divides in_channels and out_channels, "
                f"got groups={groups} for {in_channels} and {out_channels}; in a depthwise "
                "convolution groups is in_channels and out_channels a multiple of it"
            )
        suited = self.activation.initialiser if isinstance(self.activation, Activation) else None
        self.init = initialiser(init, suited or "xavier_uniform")
        self.weight = Tensor(np.zeros(self.weight_shape(), np.float32), requires_grad=True)
        self.bias = (
            Tensor(np.zeros(self.out_channels, np.float32), requires_grad=True) if bias else None
        )
        self.reset(np.random.default_rng(rng))

    def weight_shape(self) -> Shape:
        """Return the shape of W."""
        return (*self.kernel_size, self.in_channels // self.groups, self.out_channels)

    def fans(self) -> tuple[int, int]:
        """Return how many inputs meet in one output, and how many outputs one input feeds."""
        taps = prod(self.kernel_size)
        return taps * self.in_channels // self.groups, taps * self.out_channels // self.groups

    def reset(self, rng: np.random.Generator) -> None:
        """Draw W anew and set b to 0."""
        start = np.asarray(self.init(self.weight.shape, *self.fans(), rng))
        if start.shape != self.weight.shape:
            raise ValueError(
                f"{type(self).__name__}: expected starting values of shape {self.weight.shape}, "
                f"got {start.shape}; an initialiser returns an array of the shape that it is given"
            )
        self.weight.data = start.astype(self.weight.dtype, copy=False)
        if self.bias is not None:
            self.bias.data = np.zeros_like(self.bias.data)

    def forward(self, x: Any) -> Tensor:
        """Return activation(W * x + b)."""
        z = self.preactivation(x)
        return z if self.activation is None else self.activation(z)

    def output_activation(self) -> Module | None:
        """Return the activation."""
        return self.activation

    def preactivation(self, x: Any) -> Tensor:
        """Return W * x + b."""
        x = x if isinstance(x, Tensor | np.ndarray) else as_tensor(x)
        check_input(self, x.shape, self.axes, self.in_channels)
        z = self.filtered(x)  # (N, *out, out_channels)
        return z if self.bias is None else z + self.bias

    def filtered(self, x: Any) -> Tensor:
        """Return W * x, the convolution or its transpose."""
        size = x.shape[1:-1]
        padding = self.padding_for(size)
        out = output_size(size, self.kernel_size, self.stride, padding, self.dilation)
        check_output(self, size, out, self.kernel_size, self.dilation)
        return F.conv(x, self.weight, padding=padding, **self._how())

    def padding_for(self, size: Shape) -> Pairs:
        """Return the padding of what the filters move over, of the given size."""
        if self.padding == "same":
            return same(size, self.kernel_size, self.stride, self.dilation)
        return self.padding

    def _how(self) -> dict[str, Any]:
        return {"stride": self.stride, "dilation": self.dilation, "groups": self.groups}

    def describe(self) -> str:
        """Return the sizes, the activation, and the settings that are not the usual ones."""
        parts = [str(self.in_channels), str(self.out_channels), shown(self.kernel_size)]
        if self.activation is not None:
            parts.append(repr(self.activation))
        parts += [f"{name}={value}" for name, value in self.settings().items() if value]
        return ", ".join(parts)

    def settings(self) -> dict[str, str]:
        """Return settings by name as they are shown; "" for the usual ones."""
        return {
            "stride": "" if set(self.stride) == {1} else shown(self.stride),
            "padding": "" if shown(self.padding) == "0" else shown(self.padding),
            "dilation": "" if set(self.dilation) == {1} else shown(self.dilation),
            "groups": "" if self.groups == 1 else str(self.groups),
            "bias": "False" if self.bias is None else "",
        }


class Conv1D(Filters):
    """out = f(W * x + b) over sequences, * the convolution, f the activation.

    (W * x)[n, p, o] = sum over k, c of W[k, c, o] x[n, p * stride + k * dilation, c]. x is ``(N, L,
    in_channels)``, padded with zeros, W ``(kernel, in_channels // groups, out_channels)``, b
    ``(out_channels,)``, the output ``(N, out, out_channels)``. The channels c are those of o's
    group; see `Conv2D` for the settings and the size ``out``.

    >>> from pellucid import nn
    >>> x = [[[1.0], [2.0], [4.0]]]  # one sequence of three steps with one channel
    >>> nn.Conv1D(1, 1, 2, init="ones")(x).tolist()
    [[[3.0], [6.0]]]
    """

    axes = 1


class Conv2D(Filters):
    """out = f(W * x + b) over images, * the convolution, f the activation.

    (W * x)[n, p, o] = sum over k, c of W[k, c, o] x[n, p * stride + k * dilation, c]; p and k are
    pairs, a place and one of the taps of the kernel. x is ``(N, H, W, in_channels)``, padded with
    zeros, W ``(*kernel, in_channels // groups, out_channels)``, b ``(out_channels,)``, the output
    ``(N, *out, out_channels)`` with, along each axis::

        out = (size + before + after - dilation * (kernel - 1) - 1) // stride + 1

    As everywhere in this field the kernel is not flipped. LeCun, Boser, Denker et al.,
    "Backpropagation applied to handwritten zip code recognition", Neural Computation 1, 1989.

    Args:
        in_channels: size of the last axis of the input.
        out_channels: number of filters.
        kernel_size: a number or one for each axis, as are ``stride`` and ``dilation``.
        activation: None, a name such as "relu", or a module.
        stride: how many places the kernel moves on.
        padding: "valid" for none; "same" for as much as makes ``out = ceil(size / stride)``, of an
            odd number the larger half after, as Keras and TensorFlow have it; a number, one for
            each axis, or a pair (before, after) for each.
        dilation: distance of the taps of the kernel.
        groups: into how many groups the channels are cut, in order; each group of filters sees only
            its own group of the input. With ``groups=in_channels`` a depthwise convolution.
        bias: whether to add b.
        init: initialiser of W, by name or function; by default the one that suits the activation
            (He for relu, Xavier otherwise). fan_in is kernel * in_channels / groups, fan_out
            kernel * out_channels / groups. b starts at 0.
        rng: generator or seed of the starting values.

    Raises:
        ValueError: a setting is none of the above, or ``groups`` does not divide the channels.
        ShapeError: of a call: the input has other axes or channels, or the kernel does not fit.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> nn.Conv2D(1, 1, 3, init="ones")(np.ones((1, 3, 3, 1))).tolist()
    [[[[9.0]]]]
    >>> images = np.zeros((10, 28, 28, 3))
    >>> nn.Conv2D(3, 16, 5, "relu", rng=0)(images).shape
    (10, 24, 24, 16)
    >>> nn.Conv2D(3, 16, 5, "relu", padding="same", stride=2, rng=0)(images).shape
    (10, 14, 14, 16)
    """

    axes = 2


class TransposedFilters(Filters):
    """What transposed convolutions add: the size of the output is theirs to choose."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        activation: str | Module | None = None,
        *,
        stride: Sizes = 1,
        padding: Padding = "valid",
        output_padding: Sizes = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        init: str | Initialiser | None = None,
        rng: Rng = None,
    ) -> None:
        self.output_padding = sizes(self, "output_padding", output_padding, self.axes, least=0)
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            activation,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            bias=bias,
            init=init,
            rng=rng,
        )
        if any(n >= s for n, s in zip(self.output_padding, self.stride, strict=True)):
            raise ValueError(
                f"{type(self).__name__}: expected output_padding smaller than the stride, got "
                f"{output_padding!r} for stride {shown(self.stride)}; it chooses among the sizes "
                "that a convolution of this stride maps to the input's"
            )
        if self.padding == "same" and any(self.output_padding):
            raise ValueError(
                f"{type(self).__name__}: expected no output_padding with padding='same', which "
                f"sets the output's size, got {output_padding!r}"
            )

    def weight_shape(self) -> Shape:
        """Return the shape of W, that of the convolution whose transpose this is."""
        return (*self.kernel_size, self.out_channels // self.groups, self.in_channels)

    def fans(self) -> tuple[int, int]:
        """Return how many inputs meet in one output on average, and how many outputs one feeds."""
        fan_in, fan_out = super().fans()
        return max(fan_in // prod(self.stride), 1), fan_out

    def filtered(self, x: Any) -> Tensor:
        """Return the transposed convolution."""
        size = self.output_size(x.shape[1:-1])
        if min(size) < 1:
            raise ShapeError(
                f"expected an output of at least 1 along each axis, got size {shown(size)} from "
                f"{shown(x.shape[1:-1])}; padding is taken off the output, so pass less of it",
                source=self,
            )
        return F.conv_input(
            x, self.weight, size=size, padding=self.padding_for(size), **self._how()
        )

    def output_size(self, size: Shape) -> Shape:
        """Return the spatial size of the output for an input of the given one."""
        if self.padding == "same":
            return tuple(n * s for n, s in zip(size, self.stride, strict=True))
        return tuple(
            (n - 1) * s - low - high + d * (k - 1) + more + 1
            for n, s, (low, high), d, k, more in zip(
                size,
                self.stride,
                self.padding,
                self.dilation,
                self.kernel_size,
                self.output_padding,
                strict=True,
            )
        )

    def settings(self) -> dict[str, str]:
        """Return settings by name as they are shown; "" for the usual ones."""
        more = shown(self.output_padding) if any(self.output_padding) else ""
        return {**super().settings(), "output_padding": more}


class ConvTranspose1D(TransposedFilters):
    """out = f(W * x + b) over sequences, * the transposed convolution, f the activation.

    (W * x)[n, q, o] = sum of W[k, o, c] x[n, p, c] over all c and those p and k that meet in q,
    ``p * stride + k * dilation - before = q``. x is ``(N, L, in_channels)``, W ``(kernel,
    out_channels // groups, in_channels)``, b ``(out_channels,)``, the output ``(N, out,
    out_channels)``; see `ConvTranspose2D` for the settings and the size ``out``.

    >>> from pellucid import nn
    >>> x = [[[1.0], [2.0]]]  # one sequence of two steps with one channel
    >>> nn.ConvTranspose1D(1, 1, 2, stride=2, init="ones")(x).tolist()
    [[[1.0], [1.0], [2.0], [2.0]]]
    """

    axes = 1


class ConvTranspose2D(TransposedFilters):
    """out = f(W * x + b) over images, * the transposed convolution, f the activation.

    (W * x)[n, q, o] = sum of W[k, o, c] x[n, p, c] over all c and those places p and taps k that
    meet in q, ``p * stride + k * dilation - before = q``: the transpose of the linear map that a
    `Conv2D` of these settings is, so with a stride it makes images larger. x is ``(N, H, W,
    in_channels)``, W ``(*kernel, out_channels // groups, in_channels)``, b ``(out_channels,)``, the
    output ``(N, *out, out_channels)`` with, along each axis::

        out = (size - 1) * stride - before - after
              + dilation * (kernel - 1) + output_padding + 1

    Zeiler, Krishnan, Taylor and Fergus, "Deconvolutional networks", CVPR 2010; Dumoulin and Visin,
    "A guide to convolution arithmetic for deep learning", arXiv 1603.07285, 2016.

    Args:
        in_channels: size of the last axis of the input.
        out_channels: size of the last axis of the output.
        kernel_size: a number or one for each axis, as are ``stride``, ``dilation`` and
            ``output_padding``.
        activation: None, a name such as "relu", or a module.
        stride: how far apart neighbouring inputs end up in the output.
        padding: how much is taken off the output's edges: "valid" for nothing; "same" for as much
            as makes ``out = size * stride``, as Keras has it; a number, one for each axis, or a
            pair (before, after) for each.
        output_padding: how much is added to the output's far edges, less than the stride: the
            convolution maps several sizes to one, and this chooses among them.
        dilation: distance of the taps of the kernel.
        groups: into how many groups the channels are cut; see `Conv2D`.
        bias: whether to add b.
        init: initialiser of W, by name or function; by default the one that suits the activation.
            fan_in is kernel * in_channels / groups / stride, the inputs that meet in an output on
            average, fan_out kernel * out_channels / groups. b starts at 0.
        rng: generator or seed of the starting values.

    Raises:
        ValueError: a setting is none of the above, or ``groups`` does not divide the channels.
        ShapeError: of a call: the input has other axes or channels, or nothing is left of the
            output.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> small = nn.Conv2D(3, 8, 2, stride=2, rng=0)(np.ones((1, 28, 28, 3)))
    >>> small.shape
    (1, 14, 14, 8)
    >>> nn.ConvTranspose2D(8, 3, 2, stride=2, rng=0)(small).shape
    (1, 28, 28, 3)
    """

    axes = 2


_resolve = activation  # the constructor's argument has the same name
