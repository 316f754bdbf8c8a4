"""Normalisation: layers that bring what passes through them to mean 0 and variance 1."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from pellucid.arrays import Array, Shape, namespace
from pellucid.autograd import Tensor
from pellucid.autograd import functions as F  # noqa: N812 - the field's name for it
from pellucid.autograd.apply import floating
from pellucid.errors import ShapeError
from pellucid.nn.module import Module, entering
from pellucid.ops.normalise import moments


class Normalisation(Module):
    """What these layers share: a scale ``weight`` that starts at 1 and a ``bias`` that does at 0.

    Either is None in a layer without it.
    """

    def __init__(self, shape: Shape, eps: float, *, weight: bool, bias: bool) -> None:
        if not isinstance(eps, int | float | np.floating) or not 0 < eps < 1:
            raise ValueError(
                f"{type(self).__name__}: expected eps between 0 and 1, a small number that keeps "
                f"the division from 0, got {eps!r}; try 1e-5"
            )
        self.eps = float(eps)
        self.weight = Tensor(np.ones(shape, np.float32), requires_grad=True) if weight else None
        self.bias = Tensor(np.zeros(shape, np.float32), requires_grad=True) if bias else None

    def reset(self, rng: np.random.Generator) -> None:
        """Set the weight to 1 and the bias to 0."""
        if self.weight is not None:
            self.weight.data = np.ones_like(self.weight.data)
        if self.bias is not None:
            self.bias.data = np.zeros_like(self.bias.data)

    def scaled(self, x: Tensor) -> Tensor:
        """Return x * weight + bias."""
        x = x if self.weight is None else x * self.weight
        return x if self.bias is None else x + self.bias


class BatchNorm(Normalisation):
    """Normalisation of each channel over all its values in a batch; see `BatchNorm1D`."""

    axes: ClassVar[dict[int, str]] = {}  # how many axes the input may have, and their names

    def __init__(
        self, features: int, *, momentum: float = 0.1, eps: float = 1e-5, affine: bool = True
    ) -> None:
        name = type(self).__name__
        (self.features,) = _sizes(name, "features", features)
        number = isinstance(momentum, int | float | np.floating) and not isinstance(momentum, bool)
        if not number or not 0 <= momentum <= 1:
            raise ValueError(
                f"{name}: expected momentum in [0, 1], the share of the new batch in the running "
                f"statistics, got {momentum!r}; Keras's momentum is 1 less this one"
            )
        super().__init__((self.features,), eps, weight=affine, bias=affine)
        self.momentum = float(momentum)
        self.running_mean = Tensor(np.zeros(self.features, np.float32))
        self.running_var = Tensor(np.ones(self.features, np.float32))

    def reset(self, rng: np.random.Generator) -> None:
        """Set weight and variance to 1, bias and mean to 0."""
        super().reset(rng)
        self.running_mean.data = np.zeros_like(self.running_mean.data)
        self.running_var.data = np.ones_like(self.running_var.data)

    def forward(self, x: Any) -> Tensor:
        """Return x normalised by the batch in training, by the running statistics otherwise."""
        x = floating(entering(x, self))
        self._check(x.shape)
        if not self.training:
            spread = F.sqrt(self.running_var + self.eps)  # (C,)
            return self.scaled((x - self.running_mean) / spread)
        over = tuple(range(x.ndim - 1))  # all axes but the channels
        out = F.standardise(x, axis=over, eps=self.eps)
        self._follow(x.data, math.prod(x.shape[:-1]), over)
        return self.scaled(out)

    def _follow(self, x: Array, n: int, over: Shape) -> None:
        """Move the running statistics towards those of a batch with n values a channel."""
        xp = namespace(x)
        mean, var = moments(xp, x, over)
        for running, now in ((self.running_mean, mean), (self.running_var, var * (n / (n - 1)))):
            now = xp.astype(xp.reshape(now, (self.features,)), running.dtype)
            running.data = (1 - self.momentum) * running.data + self.momentum * now

    def _check(self, shape: Shape) -> None:
        """Refuse another number of axes or channels, and in training a lone value a channel."""
        wanted = " or ".join(f"({names}, {self.features})" for names in self.axes.values())
        message = f"expected input of shape {wanted}, channels last, got {shape}"
        if len(shape) not in self.axes:
            fit = next((k.__name__ for k in (BatchNorm1D, BatchNorm2D) if len(shape) in k.axes), "")
            raise ShapeError(f"{message}; {fit} would fit" if fit else message, source=self)
        if shape[-1] != self.features:
            if len(shape) > 2 and shape[1] == self.features:
                order = (0, *range(2, len(shape)), 1)
                raise ShapeError(f"{message}; move them with x.transpose{order}", source=self)
            raise ShapeError(
                f"{message}; {type(self).__name__}({shape[-1]}) would fit this input", source=self
            )
        if self.training and math.prod(shape[:-1]) < 2:
            raise ShapeError(
                f"expected at least 2 values a channel in training, got input of shape {shape}: "
                "one value says nothing of the variance; choose a batch size that leaves no single "
                "example over, or switch to evaluation with eval()",
                source=self,
            )

    def describe(self) -> str:
        """Return the number of channels and what differs from the defaults."""
        return _described(
            str(self.features),
            momentum=(self.momentum, 0.1),
            eps=(self.eps, 1e-5),
            affine=(self.weight is not None, True),
        )


class BatchNorm1D(BatchNorm):
    """out = weight * (x - mean) / sqrt(var + eps) + bias, each feature over the batch.

    x is ``(N, C)`` or, for sequences, ``(N, L, C)``. In training mean and var are those of all the
    channel's values in the batch, var = sum of squared deviations / n. In evaluation they are the
    running statistics, buffers that each training batch has moved:

        running = (1 - momentum) * running + momentum * batch

    where the batch's variance is divided by n - 1 instead, as of a sample.

    Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal
    covariate shift", ICML 2015.

    Args:
        features: number of channels C, the size of the last axis.
        momentum: share of the new batch in the running statistics.
        eps: what is added to the variance, so that nothing is divided by 0.
        affine: whether to learn weight and bias, ``(C,)`` each.

    Raises:
        ValueError: a setting is out of its range.
        ShapeError: of a call: the input has another shape, or in training one value a channel.

    >>> from pellucid import nn
    >>> layer = nn.BatchNorm1D(2)
    >>> layer([[1.0, 10.0], [3.0, 30.0]]).numpy().round(2).tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    >>> layer.running_mean.numpy().round(2)  # a tenth of the way from 0 to 2 and 20
    array([0.2, 2. ], dtype=float32)
    """

    axes: ClassVar[dict[int, str]] = {2: "N", 3: "N, L"}


class BatchNorm2D(BatchNorm):
    """out = weight * (x - mean) / sqrt(var + eps) + bias, each channel over the images.

    x is ``(N, H, W, C)``, images with channels last; a channel's values are all its pixels in all
    images. Everything else is as in `BatchNorm1D`.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> images = np.random.default_rng(0).normal(5.0, 2.0, (10, 8, 8, 3))
    >>> out = nn.BatchNorm2D(3)(images).numpy()
    >>> out.std(axis=(0, 1, 2)).round(2).tolist()
    [1.0, 1.0, 1.0]
    """

    axes: ClassVar[dict[int, str]] = {4: "N, H, W"}


class LayerNorm(Normalisation):
    """out = weight * (x - mean) / sqrt(var + eps) + bias, for each example by itself.

    Mean and variance (divided by n) are taken over the last axes, those of ``shape``: no example
    depends on another, so training and evaluation are alike. Ba, Kiros and Hinton, "Layer
    normalization", arXiv 1607.06450, 2016.

    Args:
        shape: sizes of the axes normalised over: the last axis's, or a tuple for several.
        eps: what is added to the variance, so that nothing is divided by 0.
        affine: whether to learn weight and bias, of that shape each.

    Raises:
        ValueError: a setting is out of its range.
        ShapeError: of a call: the input does not end in these axes.

    >>> from pellucid import nn
    >>> nn.LayerNorm(2)([[1.0, 3.0], [10.0, 30.0]]).numpy().round(2).tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]
    """

    def __init__(self, shape: int | Shape, *, eps: float = 1e-5, affine: bool = True) -> None:
        self.shape = _sizes("LayerNorm", "shape", shape)
        super().__init__(self.shape, eps, weight=affine, bias=affine)

    def forward(self, x: Any) -> Tensor:
        """Return x normalised over its last axes."""
        x = entering(x, self)
        over = _last(x.shape, self.shape, self)
        return self.scaled(F.standardise(x, axis=over, eps=self.eps))

    def describe(self) -> str:
        """Return the shape and what differs from the defaults."""
        return _described(
            _brief(self.shape), eps=(self.eps, 1e-5), affine=(self.weight is not None, True)
        )


class RMSNorm(Normalisation):
    """out = weight * x / sqrt(mean(x^2) + eps), for each example by itself.

    Layer normalisation without the mean: over the last axes, those of ``shape``. Zhang and
    Sennrich, "Root mean square layer normalization", NeurIPS 2019.

    Args:
        shape: sizes of the axes normalised over: the last axis's, or a tuple for several.
        eps: what is added to the mean square, so that nothing is divided by 0.
        affine: whether to learn the weight, of that shape.

    Raises:
        ValueError: a setting is out of its range.
        ShapeError: of a call: the input does not end in these axes.

    >>> from pellucid import nn
    >>> nn.RMSNorm(2)([[1.0, 7.0]]).numpy().round(2)  # the mean square is 25
    array([[0.2, 1.4]], dtype=float32)
    """

    def __init__(self, shape: int | Shape, *, eps: float = 1e-6, affine: bool = True) -> None:
        self.shape = _sizes("RMSNorm", "shape", shape)
        super().__init__(self.shape, eps, weight=affine, bias=False)

    def forward(self, x: Any) -> Tensor:
        """Return x over its root mean square along the last axes."""
        x = entering(x, self)
        over = _last(x.shape, self.shape, self)
        return self.scaled(F.rms_normalise(x, axis=over, eps=self.eps))

    def describe(self) -> str:
        """Return the shape and what differs from the defaults."""
        return _described(
            _brief(self.shape), eps=(self.eps, 1e-6), affine=(self.weight is not None, True)
        )


def _sizes(layer: str, name: str, given: Any) -> Shape:
    """Return one size or several as a tuple.

    Raises:
        ValueError: one is no positive whole number.
    """
    sizes = tuple(given) if isinstance(given, tuple | list) and name == "shape" else (given,)
    for n in sizes:
        if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1:
            raise ValueError(
                f"{layer}: expected {name} to be a positive whole number"
                f"{', or several of them' if name == 'shape' else ''}, got {given!r}"
            )
    if not sizes:
        raise ValueError(f"{layer}: expected at least one size in {name}, got {given!r}")
    return tuple(int(n) for n in sizes)


def _last(given: Shape, wanted: Shape, layer: Module) -> Shape:
    """Return the axes to normalise over, or refuse an input that does not end in them."""
    if len(given) < len(wanted) or given[-len(wanted) :] != wanted:
        ending = ", ".join(map(str, wanted))
        fit = f"; {type(layer).__name__}({given[-1]}) would fit its last axis" if given else ""
        raise ShapeError(f"expected input of shape (..., {ending}), got {given}{fit}", source=layer)
    return tuple(range(-len(wanted), 0))


def _brief(shape: Shape) -> str:
    return str(shape[0] if len(shape) == 1 else shape)


def _described(first: str, **settings: tuple[Any, Any]) -> str:
    """Return the first argument and those settings that differ from their defaults."""
    changed = [f"{name}={value!r}" for name, (value, usual) in settings.items() if value != usual]
    return ", ".join([first, *changed])
