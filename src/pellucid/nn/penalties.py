"""Penalties: what large weights cost beside the loss.

`train.Model` adds a penalty to the loss of every update, once and whole: it is not divided by the
number of examples. Biases, and the gains and shifts of normalisation, are left alone, unless they
are named. Goodfellow, Bengio and Courville, Deep Learning, section 7.1.
"""

from __future__ import annotations

import math
from typing import Any

from pellucid.autograd import Tensor
from pellucid.autograd import functions as F  # noqa: N812 - the field's name for it
from pellucid.calls import Helpful
from pellucid.nn.losses.checks import is_number


class Penalty(Helpful):
    """A cost of a parameter w, a scalar; each kind defines ``__call__``.

    `train.Model` adds it to the loss for every weight, or for those that it is given by path.

    >>> from pellucid import Tensor, nn
    >>> class Largest(nn.Penalty):
    ...     def __call__(self, w):
    ...         return abs(w).max()
    >>> float(Largest()(Tensor([1.0, -3.0])))
    3.0
    """

    def __call__(self, w: Tensor) -> Tensor:
        """Return the cost of one parameter."""
        raise TypeError(f"{type(self).__name__} has no __call__(); define it in the class")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(str, vars(self).values()))})"


class L1(Penalty):
    """P = l1 * sum |w|;  dP/dw = l1 * sign w, and 0 at w = 0. Makes weights small, many of them 0.

    Tibshirani, "Regression shrinkage and selection via the lasso", JRSS B 1996. Raises a ValueError
    if ``l1`` is no number of at least 0.

    >>> from pellucid import Tensor, nn
    >>> float(nn.L1(0.5)(Tensor([1.0, -3.0])))
    2.0
    """

    def __init__(self, l1: float) -> None:
        self.l1 = _factor("L1", "l1", l1)

    def __call__(self, w: Tensor) -> Tensor:
        """Return l1 * sum |w|."""
        return self.l1 * F.abs(w).sum()


class L2(Penalty):
    """P = l2 * sum w^2;  dP/dw = 2 l2 w. Makes all weights smaller.

    There is no factor 1/2, as in Keras: PyTorch's SGD with weight_decay=d is L2(d / 2). With Adam
    this is not decoupled weight decay. Krogh and Hertz, "A simple weight decay can improve
    generalization", NIPS 1991. Raises a ValueError if ``l2`` is no number of at least 0.

    >>> from pellucid import Tensor, nn
    >>> float(nn.L2(0.5)(Tensor([1.0, -3.0])))
    5.0
    """

    def __init__(self, l2: float) -> None:
        self.l2 = _factor("L2", "l2", l2)

    def __call__(self, w: Tensor) -> Tensor:
        """Return l2 * sum w^2."""
        return self.l2 * F.square(w).sum()


class L1L2(Penalty):
    """P = l1 * sum |w| + l2 * sum w^2, the elastic net.

    Zou and Hastie, "Regularization and variable selection via the elastic net", JRSS B 2005. Raises
    a ValueError if a factor is no number of at least 0.

    >>> from pellucid import Tensor, nn
    >>> float(nn.L1L2(0.5, 0.5)(Tensor([1.0, -3.0])))
    7.0
    """

    def __init__(self, l1: float, l2: float) -> None:
        self.l1, self.l2 = _factor("L1L2", "l1", l1), _factor("L1L2", "l2", l2)

    def __call__(self, w: Tensor) -> Tensor:
        """Return l1 * sum |w| + l2 * sum w^2."""
        return self.l1 * F.abs(w).sum() + self.l2 * F.square(w).sum()


def _factor(kind: str, name: str, value: Any) -> float:
    if not is_number(value) or not 0 <= value < math.inf:
        raise ValueError(f"{kind}: expected {name} to be a number of at least 0, got {value!r}")
    return float(value)
