"""Activations: functions between layers, without which a deep network is one linear map."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from pellucid.autograd import Tensor, as_tensor
from pellucid.autograd import functions as F  # noqa: N812 - the field's name for it
from pellucid.errors import ShapeError, unknown
from pellucid.nn.module import Module
from pellucid.ops import Op, elementwise, reduce


class Activation(Module):
    """An elementwise (or, for softmax, row-wise) function as a layer: define ``forward``.

    The output has the input's shape. ``initialiser`` names the starting values that suit a layer it
    follows, ``op`` the operation that computes it, if it is one.

    >>> from pellucid import nn
    >>> class Square(nn.Activation):
    ...     def forward(self, x):
    ...         return x * x
    >>> nn.Dense(2, 1, Square(), init="ones")([[1.0, 2.0]]).tolist()
    [[9.0]]
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
    """f(x) = x, no activation; a fully connected layer is `Dense`.

    >>> from pellucid import nn
    >>> nn.Linear()([-1.0, 0.0, 2.0]).tolist()
    [-1.0, 0.0, 2.0]
    """

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
    """f(x) = max(x, 0), with slope 0 at 0.

    Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.

    >>> from pellucid import nn
    >>> nn.ReLU()([-1.0, 0.0, 2.0]).tolist()
    [0.0, 0.0, 2.0]
    """

    initialiser = "he_normal"

    def forward(self, x: Any) -> Tensor:
        """Return max(x, 0)."""
        return F.relu(x)


class LeakyReLU(Activation):
    """f(x) = x for x > 0, otherwise slope * x: a unit that is off can still learn.

    Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models", ICML
    2013. Raises a ValueError if ``slope`` is no finite number.

    >>> from pellucid import nn
    >>> nn.LeakyReLU(0.25)([-4.0, 0.0, 2.0]).tolist()
    [-1.0, 0.0, 2.0]
    """

    initialiser = "he_normal"

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = _number(self, "slope", slope)

    def forward(self, x: Any) -> Tensor:
        """Return x where it is positive, slope * x elsewhere."""
        return F.leaky_relu(x, slope=self.slope)


class ELU(Activation):
    """f(x) = x for x > 0, otherwise alpha * (e^x - 1), which is never below -alpha.

    Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential
    linear units (ELUs)", ICLR 2016. Raises a ValueError if ``alpha`` is no finite number.

    >>> from pellucid import nn
    >>> nn.ELU()([-100.0, -1.0, 2.0]).numpy().round(3)
    array([-1.   , -0.632,  2.   ], dtype=float32)
    """

    initialiser = "he_normal"

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = _number(self, "alpha", alpha)

    def forward(self, x: Any) -> Tensor:
        """Return x where it is positive, alpha * (e^x - 1) elsewhere."""
        return F.elu(x, alpha=self.alpha)


class SELU(Activation):
    """f(x) = 1.0507 x for x > 0, otherwise 1.7581 (e^x - 1): 1.0507 times ELU of alpha = 1.6733.

    After weights drawn from N(0, 1 / fan_in) outputs keep mean 0 and variance 1 however many layers
    follow each other. Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural
    networks", NeurIPS 2017.

    >>> from pellucid import nn
    >>> nn.SELU()([-100.0, 0.0, 1.0]).numpy().round(3)
    array([-1.758,  0.   ,  1.051], dtype=float32)
    """

    initialiser = "lecun_normal"

    def forward(self, x: Any) -> Tensor:
        """Return 1.0507 * elu(x, alpha=1.6733)."""
        return F.selu(x)


class GELU(Activation):
    """f(x) = x * P(x), P(x) = (1 + erf(x / sqrt 2)) / 2 the normal distribution's share below x.

    Hendrycks and Gimpel, arXiv 1606.08415, 2016.

    Args:
        approximate: whether to compute P(x) as (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2
            instead, as GPT-2 and BERT do; f then differs by less than 0.0005.

    >>> from pellucid import nn
    >>> nn.GELU()([-1.0, 0.0, 1.0]).numpy().round(3)
    array([-0.159,  0.   ,  0.841], dtype=float32)
    """

    initialiser = "he_normal"

    def __init__(self, approximate: bool = False) -> None:
        if not isinstance(approximate, bool):
            raise TypeError(
                f"GELU: expected approximate to be True (tanh) or False (exact), got "
                f"{approximate!r}; PyTorch's approximate='tanh' is True here"
            )
        self.approximate = approximate

    def forward(self, x: Any) -> Tensor:
        """Return x * P(x)."""
        return F.gelu(x, approximate=self.approximate)

    def describe(self) -> str:
        """Return whether it is the approximation."""
        return "approximate=True" if self.approximate else ""


class SiLU(Activation):
    """f(x) = x * sigmoid(x) = x / (1 + e^-x), also called swish.

    Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning", Neural Networks 107, 2018.

    >>> from pellucid import nn
    >>> nn.SiLU()([-1.0, 0.0, 1.0]).numpy().round(3)
    array([-0.269,  0.   ,  0.731], dtype=float32)
    """

    initialiser = "he_normal"

    def forward(self, x: Any) -> Tensor:
        """Return x * sigmoid(x)."""
        return F.silu(x)


class Softplus(Activation):
    """f(x) = ln(1 + e^x), a smooth relu, always positive.

    Dugas, Bengio, Bélisle, Nadeau and Garcia, "Incorporating second-order functional knowledge for
    better option pricing", NeurIPS 2000.

    >>> from pellucid import nn
    >>> nn.Softplus()([-100.0, 0.0, 100.0]).numpy().round(3)
    array([  0.   ,   0.693, 100.   ], dtype=float32)
    """

    def forward(self, x: Any) -> Tensor:
        """Return ln(1 + e^x)."""
        return F.softplus(x)


class HardTanh(Activation):
    """f(x) = min(max(x, low), high), with slope 1 on its bounds.

    Collobert, "Large scale machine learning", thesis, Université Paris VI, 2004. Raises a
    ValueError unless both are finite numbers and low < high.

    >>> from pellucid import nn
    >>> nn.HardTanh()([-3.0, 0.5, 3.0]).tolist()
    [-1.0, 0.5, 1.0]
    """

    def __init__(self, low: float = -1.0, high: float = 1.0) -> None:
        self.low, self.high = _number(self, "low", low), _number(self, "high", high)
        if not self.low < self.high:
            raise ValueError(f"HardTanh: expected low < high, got low={low!r} and high={high!r}")

    def forward(self, x: Any) -> Tensor:
        """Return x held between the bounds."""
        return F.clip(x, self.low, self.high)


class Sigmoid(Activation):
    """f(x) = 1 / (1 + e^-x), in (0, 1): the probability of a yes.

    Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", Nature
    323, 1986.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> nn.Sigmoid()([-100.0, 0.0, np.log(3)]).numpy().round(3).tolist()
    [0.0, 0.5, 0.75]
    """

    op = elementwise.Sigmoid

    def forward(self, x: Any) -> Tensor:
        """Return 1 / (1 + e^-x)."""
        return F.sigmoid(x)


class Tanh(Activation):
    """f(x) = tanh x = (e^x - e^-x) / (e^x + e^-x), in (-1, 1).

    LeCun, Bottou, Orr and Müller, "Efficient BackProp", 1998, section 4.4.

    >>> from pellucid import nn
    >>> nn.Tanh()([-100.0, 0.0, 0.5]).numpy().round(3)
    array([-1.   ,  0.   ,  0.462], dtype=float32)
    """

    def forward(self, x: Any) -> Tensor:
        """Return tanh x."""
        return F.tanh(x)


class Softmax(Activation):
    """f(x) = e^x / sum e^x over the last axis: the probability of each class.

    Bridle, "Probabilistic interpretation of feedforward classification network outputs",
    Neurocomputing, 1990. A call raises a `ShapeError` if there are fewer than two classes.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> nn.Softmax()(np.log([[1.0, 2.0, 5.0]])).numpy().round(3).tolist()
    [[0.125, 0.25, 0.625]]
    """

    op = reduce.Softmax

    def forward(self, x: Any) -> Tensor:
        """Return probabilities that sum to 1 along the last axis."""
        _refuse_one_class(x, self)
        return F.softmax(x, axis=-1)


class LogSoftmax(Activation):
    """f(x) = x - ln sum e^x over the last axis: the logarithm of each class's probability.

    The softmax of log-probabilities is these probabilities, and their log-softmax themselves. So a
    network may end in this activation and be trained with `CrossEntropyLoss`, which takes logits:
    loss and gradients are those without it, and only `predict` differs. Goodfellow, Bengio and
    Courville, "Deep learning", MIT Press, 2016, section 6.2.2.3. Errors are those of `Softmax`.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> out = nn.LogSoftmax()(np.log([[1.0, 2.0, 5.0]]))
    >>> np.exp(out.numpy()).round(3).tolist()
    [[0.125, 0.25, 0.625]]
    """

    op = reduce.LogSoftmax

    def forward(self, x: Any) -> Tensor:
        """Return log-probabilities along the last axis."""
        _refuse_one_class(x, self)
        return F.log_softmax(x, axis=-1)


def _refuse_one_class(x: Any, layer: Activation) -> None:
    shape = np.shape(x.data if isinstance(x, Tensor) else x)
    if not shape or shape[-1] == 1:
        raise ShapeError(
            f"expected at least 2 classes along the last axis, got shape {shape}: softmax of "
            "one number is always 1; use Sigmoid for a single output",
            source=layer,
        )


ACTIVATIONS: dict[str, type[Activation]] = {
    "linear": Linear,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "elu": ELU,
    "selu": SELU,
    "gelu": GELU,
    "silu": SiLU,
    "softplus": Softplus,
    "hard_tanh": HardTanh,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "softmax": Softmax,
    "log_softmax": LogSoftmax,
}


def activation(choice: str | Module | None) -> Module | None:
    """Return an activation by name, or as given.

    Raises:
        TypeError: it is neither a name nor a module.
        ValueError: the name is unknown, or it is a class.
    """
    if choice is None or isinstance(choice, Module):
        return choice
    if not isinstance(choice, str | type):
        raise TypeError(
            f"expected an activation by name or as a module, got {choice!r}; a function of a "
            "tensor is a layer of its own, nn.Sequential(layer, function)"
        )
    if choice not in ACTIVATIONS:
        raise unknown("activation", choice, ACTIVATIONS)
    return ACTIVATIONS[choice]()


def _number(layer: Activation, name: str, value: Any) -> float:
    """Return a setting as a float, or refuse what is none."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not math.isfinite(value):
        raise ValueError(
            f"{type(layer).__name__}: expected {name} to be a finite number, got {value!r}"
        )
    return float(value)
