"""Stochastic gradient descent."""

from __future__ import annotations

from pellucid.arrays import Array, namespace
from pellucid.optim.optimizer import Optimizer, Rate, State, fraction


class SGD(Optimizer):
    """w <- w - lr * g;  with momentum  v <- momentum * v + g,  w <- w - lr * v.

    Nesterov's form looks ahead: w <- w - lr * (g + momentum * v). As in PyTorch the rate is not
    part of v, so a schedule acts at once. Sutskever, Martens, Dahl and Hinton, "On the importance
    of initialization and momentum in deep learning", ICML 2013.

    Args:
        lr: learning rate.
        momentum: how much of the last step is kept, in [0, 1).
        nesterov: whether to look ahead; needs momentum.
    """

    def __init__(self, lr: Rate = 0.01, momentum: float = 0.0, nesterov: bool = False) -> None:
        super().__init__(lr)
        self.momentum = fraction("momentum", momentum)
        self.nesterov = nesterov
        if nesterov and momentum == 0:
            raise ValueError("expected momentum > 0 with nesterov=True, got 0; try momentum=0.9")

    def init(self, param: Array) -> State:
        """Return v = 0."""
        return {"v": namespace(param).zeros_like(param)} if self.momentum else {}

    def update(self, param: Array, grad: Array, state: State, step: int) -> tuple[Array, State]:
        """Return w - lr * v, and v."""
        lr = self.rate()
        if not self.momentum:
            return param - lr * grad, {}
        v = self.momentum * state["v"] + grad
        direction = grad + self.momentum * v if self.nesterov else v
        return param - lr * direction, {"v": v}
