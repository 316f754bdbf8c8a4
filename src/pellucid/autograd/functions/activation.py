"""The nonlinear functions of networks, and those that they are made of."""

from __future__ import annotations

from typing import Any

from pellucid.autograd.tensor import Tensor, apply, as_tensor
from pellucid.ops import activations, elementwise


def sigmoid(x: Any, /) -> Tensor:
    """Return 1 / (1 + e^-x), between 0 and 1.

    >>> import pellucid
    >>> pellucid.sigmoid([-1.0, 0.0, 1.0])
    Tensor([0.2689, 0.5   , 0.7311])
    """
    return apply(elementwise.Sigmoid, as_tensor(x))


def softplus(x: Any, /) -> Tensor:
    """Return ln(1 + e^x), a smooth relu whose slope is `sigmoid`.

    >>> import pellucid
    >>> pellucid.softplus([0.0, 100.0])
    Tensor([  0.6931, 100.    ])
    """
    return apply(elementwise.Softplus, as_tensor(x))


def relu(x: Any, /) -> Tensor:
    """Return max(x, 0), with slope 0 at 0.

    >>> import pellucid
    >>> pellucid.relu([-2.0, 0.0, 3.0])
    Tensor([0., 0., 3.])
    """
    return apply(elementwise.Relu, as_tensor(x))


def leaky_relu(x: Any, /, *, slope: float = 0.01) -> Tensor:
    """Return x where it is positive, slope * x elsewhere.

    Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models", ICML
    2013.

    >>> import pellucid
    >>> pellucid.leaky_relu([-2.0, 3.0], slope=0.25)
    Tensor([-0.5,  3. ])
    """
    return apply(elementwise.LeakyRelu, as_tensor(x), slope=float(slope))


def elu(x: Any, /, *, alpha: float = 1.0) -> Tensor:
    """Return x where it is positive, alpha * (e^x - 1) elsewhere, which is above -alpha.

    Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential
    linear units (ELUs)", ICLR 2016.

    >>> import pellucid
    >>> pellucid.elu([-100.0, 0.0, 3.0], alpha=2.0)
    Tensor([-2.,  0.,  3.])
    """
    return apply(activations.Elu, as_tensor(x), alpha=float(alpha))


def selu(x: Any, /) -> Tensor:
    """Return 1.0507 * elu(x, alpha=1.6733), which keeps mean 0 and variance 1 from layer to layer.

    The two numbers solve the equations of that fixed point (Klambauer et al., NeurIPS 2017).

    >>> import pellucid
    >>> pellucid.selu([-100.0, 0.0, 1.0])
    Tensor([-1.7581,  0.    ,  1.0507])
    """
    return 1.0507009873554805 * elu(x, alpha=1.6732632423543772)


def silu(x: Any, /) -> Tensor:
    """Return x * sigmoid(x), also called swish.

    Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning", Neural Networks 107, 2018.

    >>> import pellucid
    >>> pellucid.silu([-1.0, 0.0, 1.0])
    Tensor([-0.2689,  0.    ,  0.7311])
    """
    return apply(activations.Silu, as_tensor(x))


def gelu(x: Any, /, *, approximate: bool = False) -> Tensor:
    """Return x times the share of the normal distribution below x, or its tanh approximation.

        x * (1 + erf(x / sqrt 2)) / 2
        x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2    approximate, within 0.0005

    Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", arXiv 1606.08415, 2016.

    Raises:
        TypeError: ``approximate`` is no truth value; PyTorch's "tanh" is True here, "none" False.

    >>> import pellucid
    >>> pellucid.gelu([-1.0, 0.0, 1.0])
    Tensor([-0.1587,  0.    ,  0.8413])
    """
    if not isinstance(approximate, bool):
        raise TypeError(
            f"gelu: expected approximate to be True (tanh) or False (exact), got {approximate!r}"
        )
    return apply(activations.GeluTanh if approximate else activations.Gelu, as_tensor(x))


def erf(x: Any, /) -> Tensor:
    """Return the Gauss error function, 2 / sqrt(pi) * (integral of e^(-t^2) from 0 to x).

    The normal distribution's share within k standard deviations of its mean is erf(k / sqrt 2).

    >>> import pellucid
    >>> pellucid.erf(1 / pellucid.sqrt(2.0))
    Tensor(0.6827)
    """
    return apply(elementwise.Erf, as_tensor(x))
