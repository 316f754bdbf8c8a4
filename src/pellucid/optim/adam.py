"""Adam."""

from __future__ import annotations

from pellucid.arrays import Array, namespace
from pellucid.optim.optimizer import Optimizer, Rate, State, fraction, positive


class Adam(Optimizer):
    """m <- b1 m + (1-b1) g,  v <- b2 v + (1-b2) g^2,  w <- w - lr * m' / (sqrt(v') + eps).

    m' = m / (1 - b1^t) and v' = v / (1 - b2^t) undo the bias of the start at 0. Kingma and Ba,
    "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.

    Args:
        lr: learning rate.
        b1: decay of the mean of gradients, in [0, 1).
        b2: decay of the mean of squared gradients, in [0, 1).
        eps: keeps the division finite where gradients are 0.
    """

    def __init__(
        self, lr: Rate = 0.001, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
    ) -> None:
        super().__init__(lr)
        self.b1 = fraction("b1", b1)
        self.b2 = fraction("b2", b2)
        self.eps = positive("eps", eps, "try 1e-8")

    def init(self, param: Array) -> State:
        """Return m = v = 0."""
        xp = namespace(param)
        return {"m": xp.zeros_like(param), "v": xp.zeros_like(param)}

    def update(self, param: Array, grad: Array, state: State, step: int) -> tuple[Array, State]:
        """Return the moved parameter and the new m and v."""
        xp = namespace(param)
        m = self.b1 * state["m"] + (1 - self.b1) * grad
        v = self.b2 * state["v"] + (1 - self.b2) * (grad * grad)
        # m' / (sqrt(v') + eps) with both corrections folded into two numbers: fewer passes
        bias1, bias2 = 1 - self.b1**step, (1 - self.b2**step) ** 0.5
        size = self.rate() * bias2 / bias1
        return param - size * m / (xp.sqrt(v) + self.eps * bias2), {"m": m, "v": v}
