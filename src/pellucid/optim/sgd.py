"""Stochastic gradient descent, and with momentum."""

from __future__ import annotations

from typing import Unpack

from pellucid.arrays import Array, namespace
from pellucid.optim.checks import Rate, at_least_0, fraction
from pellucid.optim.optimizer import Common, Optimizer, State


class SGD(Optimizer):
    """w <- w - lr * g;  with momentum  v <- momentum * v + g,  w <- w - lr * v.

    Nesterov's form looks ahead: w <- w - lr * (g + momentum * v). As in PyTorch the rate is not
    part of v, so a schedule acts at once. Sutskever, Martens, Dahl and Hinton, "On the importance
    of initialization and momentum in deep learning", ICML 2013.

    Weight decay is decoupled: it pulls w towards 0 by lr * weight_decay * w beside the step and is
    not part of v, as in SGDW of Loshchilov and Hutter, "Decoupled weight decay regularization",
    ICLR 2019. PyTorch's adds weight_decay * w to g instead; without momentum both are the same.

    Args:
        lr: learning rate.
        momentum: how much of the last step is kept, in [0, 1).
        nesterov: whether to look ahead; needs momentum.
        weight_decay: strength of the pull towards 0, of at least 0.
        common: ``groups``, ``clip_value`` and ``clip_norm``; see `Optimizer`.

    >>> import pellucid
    >>> from pellucid import optim
    >>> w = pellucid.Tensor([1.0], requires_grad=True)
    >>> (w * w).sum().backward()  # the gradient is 2 w = 2
    >>> optim.SGD(0.25).step([w])
    >>> w.tolist()
    [0.5]
    """

    def __init__(
        self,
        lr: Rate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        **common: Unpack[Common],
    ) -> None:
        self.momentum = momentum
        self.nesterov = nesterov
        self.weight_decay = weight_decay
        super().__init__(lr, **common)

    def check(self) -> None:
        """Refuse settings out of range."""
        self.momentum = fraction("momentum", self.momentum)
        self.weight_decay = at_least_0("weight_decay", self.weight_decay, "try 1e-4")
        if self.nesterov and self.momentum == 0:
            raise ValueError("expected momentum > 0 with nesterov=True, got 0; try momentum=0.9")

    def init(self, param: Array) -> State:
        """Return v = 0."""
        return {"v": namespace(param).zeros_like(param)} if self.momentum else {}

    def update(self, param: Array, grad: Array, state: State, step: int) -> tuple[Array, State]:
        """Return w - lr * v, and v."""
        lr, direction = self.rate(), grad
        if self.momentum:
            v = self.momentum * state["v"]
            v += grad
            state = {"v": v}
            direction = grad + self.momentum * v if self.nesterov else v
        move = lr * direction
        if self.weight_decay:
            move += lr * self.weight_decay * param
        return param - move, state


class Momentum(SGD):
    """v <- momentum * v + g,  w <- w - lr * v: a ball that rolls and keeps its speed.

    `SGD` with ``momentum=0.9``. Polyak, "Some methods of speeding up the convergence of iteration
    methods", 1964.

    Args:
        lr: learning rate.
        momentum: how much of the last step is kept, in [0, 1).
        weight_decay: strength of the decoupled pull towards 0, of at least 0.
        common: ``groups``, ``clip_value`` and ``clip_norm``; see `Optimizer`.

    >>> import numpy as np
    >>> import pellucid
    >>> from pellucid import optim
    >>> w, optimizer = pellucid.Tensor([0.0], requires_grad=True), optim.Momentum(0.1)
    >>> for _ in range(3):
    ...     w.grad = np.ones(1)  # the same slope in every step
    ...     optimizer.step([w])
    ...     print(round(w.item(), 3))
    -0.1
    -0.29
    -0.561
    """

    def __init__(
        self,
        lr: Rate = 0.01,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(lr, momentum, nesterov=False, weight_decay=weight_decay, **common)


class Nesterov(SGD):
    """v <- momentum * v + g,  w <- w - lr * (g + momentum * v): momentum that looks ahead.

    `SGD` with ``momentum=0.9, nesterov=True``. Nesterov, "A method of solving a convex programming
    problem with convergence rate O(1/k^2)", 1983, in the form of Sutskever et al., ICML 2013.

    Args:
        lr: learning rate.
        momentum: how much of the last step is kept, in (0, 1).
        weight_decay: strength of the decoupled pull towards 0, of at least 0.
        common: ``groups``, ``clip_value`` and ``clip_norm``; see `Optimizer`.

    >>> import numpy as np
    >>> import pellucid
    >>> from pellucid import optim
    >>> w, optimizer = pellucid.Tensor([0.0], requires_grad=True), optim.Nesterov(0.1)
    >>> for _ in range(3):
    ...     w.grad = np.ones(1)  # the same slope in every step
    ...     optimizer.step([w])
    ...     print(round(w.item(), 3))
    -0.19
    -0.461
    -0.805
    """

    def __init__(
        self,
        lr: Rate = 0.01,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(lr, momentum, nesterov=True, weight_decay=weight_decay, **common)
