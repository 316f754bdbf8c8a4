"""Lion."""

from __future__ import annotations

from typing import Unpack

from pellucid.arrays import Array, namespace
from pellucid.optim.checks import Rate, at_least_0, fraction
from pellucid.optim.optimizer import Common, Optimizer, State


class Lion(Optimizer):
    """c = b1 m + (1-b1) g,  w <- w - lr * (sign(c) + weight_decay * w),  m <- b2 m + (1-b2) g.

    Every element moves by the same length, so rates are three to ten times smaller, and decays as
    much larger, than those of `AdamW`. Chen et al., "Symbolic discovery of optimization
    algorithms", NeurIPS 2023, algorithm 2; the paper tunes the rate and the decay, the defaults are
    those of its authors' code.

    Args:
        lr: learning rate.
        b1: weight of m in the step, in [0, 1).
        b2: decay of m, in [0, 1).
        weight_decay: strength of the decoupled pull towards 0, of at least 0.
        common: ``groups``, ``clip_value`` and ``clip_norm``; see `Optimizer`.

    >>> import numpy as np
    >>> import pellucid
    >>> from pellucid import optim
    >>> w = pellucid.Tensor([0.0, 0.0], requires_grad=True)
    >>> w.grad = np.array([0.01, -100.0])
    >>> optim.Lion(0.5).step([w])
    >>> w.tolist()
    [-0.5, 0.5]
    """

    def __init__(
        self,
        lr: Rate = 1e-4,
        b1: float = 0.9,
        b2: float = 0.99,
        weight_decay: float = 0.0,
        **common: Unpack[Common],
    ) -> None:
        self.b1 = b1
        self.b2 = b2
        self.weight_decay = weight_decay
        super().__init__(lr, **common)

    def check(self) -> None:
        """Refuse settings out of range."""
        self.b1 = fraction("b1", self.b1)
        self.b2 = fraction("b2", self.b2, "try 0.99")
        self.weight_decay = at_least_0("weight_decay", self.weight_decay, "try 0.1")

    def init(self, param: Array) -> State:
        """Return m = 0."""
        return {"m": namespace(param).zeros_like(param)}

    def update(self, param: Array, grad: Array, state: State, step: int) -> tuple[Array, State]:
        """Return the moved parameter and the new m."""
        c = self.b1 * state["m"]
        c += (1 - self.b1) * grad
        move = namespace(param).sign(c)
        if self.weight_decay:
            move += self.weight_decay * param
        move *= self.rate()
        m = self.b2 * state["m"]
        m += (1 - self.b2) * grad
        return param - move, {"m": m}
