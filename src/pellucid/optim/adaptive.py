"""Optimisers that divide each gradient by the size it has had."""

from __future__ import annotations

from typing import Unpack

from pellucid.arrays import Array, namespace
from pellucid.optim.checks import Rate, fraction, positive
from pellucid.optim.optimizer import Common, Optimizer, State


class Adagrad(Optimizer):
    """s <- s + g^2,  w <- w - lr * g / (sqrt(s) + eps).

    What has moved much moves ever less. Duchi, Hazan and Singer, "Adaptive subgradient methods for
    online learning and stochastic optimization", JMLR 2011, with diagonal matrices and no
    constraint; it names no rate and no eps (its delta), so these are PyTorch's.

    Args:
        lr: learning rate.
        eps: keeps the division finite where all gradients were 0.
        common: ``groups``, ``clip_value`` and ``clip_norm``; see `Optimizer`.

    >>> import numpy as np
    >>> import pellucid
    >>> from pellucid import optim
    >>> w, optimizer = pellucid.Tensor([0.0], requires_grad=True), optim.Adagrad(0.1)
    >>> for _ in range(3):
    ...     w.grad = np.ones(1)  # the same slope in every step
    ...     optimizer.step([w])
    ...     print(round(w.item(), 3))
    -0.1
    -0.171
    -0.228
    """

    def __init__(self, lr: Rate = 0.01, eps: float = 1e-10, **common: Unpack[Common]) -> None:
        self.eps = eps
        super().__init__(lr, **common)

    def check(self) -> None:
        """Refuse settings out of range."""
        self.eps = positive("eps", self.eps, "try 1e-10")

    def init(self, param: Array) -> State:
        """Return s = 0."""
        return {"s": namespace(param).zeros_like(param)}

    def update(self, param: Array, grad: Array, state: State, step: int) -> tuple[Array, State]:
        """Return the moved parameter and the new s."""
        s = grad * grad
        s += state["s"]
        root = namespace(param).sqrt(s)
        root += self.eps
        move = grad / root
        move *= self.rate()
        return param - move, {"s": s}


class Adadelta(Optimizer):
    """s <- rho s + (1-rho) g^2,  d = sqrt(u + eps) / sqrt(s + eps) * g,  w <- w - lr * d.

    Then u <- rho u + (1-rho) d^2, the mean of squared moves, which gives the next move its unit:
    that of w, so that no rate is needed and lr is 1. Zeiler, "ADADELTA: an adaptive learning rate
    method", arXiv 1212.5701, 2012, algorithm 1.

    Args:
        lr: learning rate; 1 in the paper.
        rho: decay of both means, in [0, 1).
        eps: starts the first move, and keeps the division finite where gradients are 0.
        common: ``groups``, ``clip_value`` and ``clip_norm``; see `Optimizer`.

    >>> import numpy as np
    >>> import pellucid
    >>> from pellucid import optim
    >>> w = pellucid.Tensor(np.zeros(2), requires_grad=True)
    >>> w.grad = np.array([1.0, 100.0])
    >>> optim.Adadelta().step([w])
    >>> w.numpy().round(4).tolist()  # moves begin small, and grow
    [-0.0045, -0.0045]
    """

    def __init__(
        self, lr: Rate = 1.0, rho: float = 0.95, eps: float = 1e-6, **common: Unpack[Common]
    ) -> None:
        self.rho = rho
        self.eps = eps
        super().__init__(lr, **common)

    def check(self) -> None:
        """Refuse settings out of range."""
        self.rho = fraction("rho", self.rho, "try 0.95")
        self.eps = positive("eps", self.eps, "try 1e-6")

    def init(self, param: Array) -> State:
        """Return s = u = 0."""
        xp = namespace(param)
        return {"s": xp.zeros_like(param), "u": xp.zeros_like(param)}

    def update(self, param: Array, grad: Array, state: State, step: int) -> tuple[Array, State]:
        """Return the moved parameter and the new s and u."""
        xp = namespace(param)
        s = mean_square(self.rho, state["s"], grad)
        d = xp.sqrt((state["u"] + self.eps) / (s + self.eps))
        d *= grad
        u = mean_square(self.rho, state["u"], d)
        return param - self.rate() * d, {"s": s, "u": u}


class RMSprop(Optimizer):
    """s <- rho s + (1-rho) g^2,  w <- w - lr * g / (sqrt(s) + eps).

    With momentum the moves are gathered: b <- momentum * b + g / (sqrt(s) + eps), w <- w - lr * b.
    Centred, s is replaced by the variance s - m^2 with m <- rho m + (1-rho) g. Tieleman and Hinton,
    lecture 6e of "Neural networks for machine learning", 2012; centred: Graves, "Generating
    sequences with recurrent neural networks", arXiv 1308.0850, 2013. The lecture names rho alone;
    eps and its place outside the root are PyTorch's, lr is Keras'.

    Args:
        lr: learning rate.
        rho: decay of the means, in [0, 1).
        eps: keeps the division finite where gradients are 0.
        momentum: how much of the last move is kept, in [0, 1).
        centered: whether to divide by the standard deviation.
        common: ``groups``, ``clip_value`` and ``clip_norm``; see `Optimizer`.

    >>> import numpy as np
    >>> import pellucid
    >>> from pellucid import optim
    >>> w = pellucid.Tensor(np.zeros(2), requires_grad=True)
    >>> w.grad = np.array([0.01, 100.0])
    >>> optim.RMSprop(0.1, rho=0.75).step([w])
    >>> w.numpy().round(3).tolist()  # 0.1 * g / sqrt(0.25 g^2)
    [-0.2, -0.2]
    """

    def __init__(
        self,
        lr: Rate = 0.001,
        rho: float = 0.9,
        eps: float = 1e-8,
        momentum: float = 0.0,
        centered: bool = False,
        **common: Unpack[Common],
    ) -> None:
        self.rho = rho
        self.eps = eps
        self.momentum = momentum
        self.centered = centered
        super().__init__(lr, **common)

    def check(self) -> None:
        """Refuse settings out of range."""
        self.rho = fraction("rho", self.rho)
        self.eps = positive("eps", self.eps, "try 1e-8")
        self.momentum = fraction("momentum", self.momentum)

    def init(self, param: Array) -> State:
        """Return s = 0, and m = 0 and b = 0 where they are used."""
        names = ["s"] + ["m"] * self.centered + ["b"] * bool(self.momentum)
        return {name: namespace(param).zeros_like(param) for name in names}

    def update(self, param: Array, grad: Array, state: State, step: int) -> tuple[Array, State]:
        """Return the moved parameter and the new state."""
        xp = namespace(param)
        s = mean_square(self.rho, state["s"], grad)
        new, square = {"s": s}, s
        if self.centered:
            new["m"] = m = self.rho * state["m"] + (1 - self.rho) * grad
            square = xp.maximum(s - m * m, 0.0)  # rounding may leave it below 0
        root = xp.sqrt(square)
        root += self.eps
        move = grad / root
        if self.momentum:
            move += self.momentum * state["b"]
            new["b"] = move
        return param - self.rate() * move, new


def mean_square(decay: float, mean: Array, x: Array) -> Array:
    """Return decay * mean + (1 - decay) * x^2."""
    square = x * x
    square *= 1 - decay
    mean = decay * mean
    mean += square
    return mean
