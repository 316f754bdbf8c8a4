"""Activations: functions between layers, without which a deep network is one linear map."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from pellucid.autograd import Tensor, as_tensor
from pellucid.autograd import functions as F  # noqa: N812 - the field's name for it
from pellucid.errors import ShapeError, unknown
from pellucid.nn.module import Module
from pellucid.ops import Op, elementwise, reduce


class Activation(Module):
    """An elementwise (or, for softmax, row-wise) function as a layer.

    ``initialiser`` names the starting values that suit a layer it follows, ``op`` the operation
    that computes it, if it is one.
    """

    initialiser: ClassVar[str] = "xavier_uniform"
    op: ClassVar[type[Op] | None] = None

    def output_activation(self) -> Module | None:
        """Return itself."""
        return self

    def preactivation(self, x: Any) -> Tensor:
        """Return the input."""
        return as_tensor(x)


class Linear(Activation):
    """f(x) = x, no activation; a fully connected layer is `Dense`."""

    def __init__(self, *sizes: object) -> None:
        if sizes:
            raise TypeError(
                f"Linear is the identity activation and takes no sizes, got {sizes}; "
                f"a fully connected layer is Dense{sizes}"
            )

    def forward(self, x: Any) -> Tensor:
        """Return x."""
        return as_tensor(x)


class ReLU(Activation):
    """f(x) = max(x, 0), with slope 0 at 0. Nair and Hinton, ICML 2010."""

    initialiser = "he_normal"

    def forward(self, x: Any) -> Tensor:
        """Return max(x, 0)."""
        return F.relu(x)


class LeakyReLU(Activation):
    """f(x) = x for x > 0, otherwise slope * x. Maas, Hannun and Ng, ICML 2013."""

    initialiser = "he_normal"

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def forward(self, x: Any) -> Tensor:
        """Return x where it is positive, slope * x elsewhere."""
        return F.leaky_relu(x, slope=self.slope)


class Sigmoid(Activation):
    """f(x) = 1 / (1 + e^-x), in (0, 1): the probability of a yes."""

    op = elementwise.Sigmoid

    def forward(self, x: Any) -> Tensor:
        """Return 1 / (1 + e^-x)."""
        return F.sigmoid(x)


class Tanh(Activation):
    """f(x) = tanh x, in (-1, 1)."""

    def forward(self, x: Any) -> Tensor:
        """Return tanh x."""
        return F.tanh(x)


class Softmax(Activation):
    """f(x) = e^x / sum e^x over the last axis: the probability of each class."""

    op = reduce.Softmax

    def forward(self, x: Any) -> Tensor:
        """Return probabilities that sum to 1 along the last axis."""
        shape = np.shape(x.data if isinstance(x, Tensor) else x)
        if not shape or shape[-1] == 1:
            raise ShapeError(
                f"expected at least 2 classes along the last axis, got shape {shape}: softmax of "
                "one number is always 1; use Sigmoid for a single output",
                source=self,
            )
        return F.softmax(x, axis=-1)


ACTIVATIONS: dict[str, type[Activation]] = {
    "linear": Linear,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "softmax": Softmax,
}


def activation(choice: str | Module | None) -> Module | None:
    """Return an activation by name, or as given."""
    if choice is None or isinstance(choice, Module):
        return choice
    if choice not in ACTIVATIONS:
        raise unknown("activation", choice, ACTIVATIONS)
    return ACTIVATIONS[choice]()
