"""The nonlinear functions of networks, and those that they are made of."""

from __future__ import annotations

from typing import Any

from pellucid.autograd.tensor import Tensor, apply, as_tensor
from pellucid.ops import activations, elementwise


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


def gelu(x: Any, /, *, approximate: bool = False) -> Tensor:
    """Return x times the share of the normal distribution below x, or its tanh approximation.

    Raises:
        TypeError: ``approximate`` is no truth value; PyTorch's "tanh" is True here, "none" False.
    """
    if not isinstance(approximate, bool):
        raise TypeError(
            f"gelu: expected approximate to be True (tanh) or False (exact), got {approximate!r}"
        )
    return apply(activations.GeluTanh if approximate else activations.Gelu, as_tensor(x))


def erf(x: Any, /) -> Tensor:
    """Return the Gauss error function."""
    return apply(elementwise.Erf, as_tensor(x))
