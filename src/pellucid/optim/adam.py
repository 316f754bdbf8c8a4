"""Adam and its kin."""

from __future__ import annotations

from typing import Any, Unpack

from pellucid.arrays import Array, namespace
from pellucid.optim.checks import Rate, at_least_0, fraction, positive
from pellucid.optim.optimizer import Common, Optimizer, State


class Adam(Optimizer):
    """m <- b1 m + (1-b1) g,  v <- b2 v + (1-b2) g^2,  w <- w - lr * m' / (sqrt(v') + eps).

    m' = m / (1 - b1^t) and v' = v / (1 - b2^t) undo the bias of the start at 0. Kingma and Ba,
    "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.

    Args:
        lr: learning rate.
        b1: decay of the mean of gradients, in [0, 1).
        b2: decay of the mean of squared gradients, in [0, 1).
        eps: keeps the division finite where gradients are 0.
        common: ``groups``, ``clip_value`` and ``clip_norm``; see `Optimizer`.

    >>> import numpy as np
    >>> import pellucid
    >>> from pellucid import optim
    >>> w = pellucid.Tensor(np.zeros(2), requires_grad=True)
    >>> w.grad = np.array([0.01, -100.0])
    >>> optim.Adam(0.1).step([w])
    >>> w.numpy().round(3).tolist()  # the first step is lr, whatever the scale
    [-0.1, 0.1]
    """

    def __init__(
        self,
        lr: Rate = 0.001,
        b1: float = 0.9,
        b2: float = 0.999,
        eps: float = 1e-8,
        **common: Unpack[Common],
    ) -> None:
        self.b1 = b1
        self.b2 = b2
        self.eps = eps
        super().__init__(lr, **common)

    def check(self) -> None:
        """Refuse settings out of range."""
        self.b1 = fraction("b1", self.b1)
        self.b2 = fraction("b2", self.b2)
        self.eps = positive("eps", self.eps, "try 1e-8")

    def init(self, param: Array) -> State:
        """Return m = v = 0."""
        xp = namespace(param)
        return {"m": xp.zeros_like(param), "v": xp.zeros_like(param)}

    def update(self, param: Array, grad: Array, state: State, step: int) -> tuple[Array, State]:
        """Return the moved parameter and the new m and v."""
        m, v = self.moments(grad, state)
        # m' / (sqrt(v') + eps) with both corrections folded into two numbers: fewer passes
        bias1, bias2 = 1 - self.b1**step, (1 - self.b2**step) ** 0.5
        root = namespace(param).sqrt(v)
        root += self.eps * bias2
        move = m / root
        move *= self.rate() * bias2 / bias1
        return param - move, {"m": m, "v": v}

    def moments(self, grad: Array, state: State) -> tuple[Array, Array]:
        """Return the new m and v."""
        m = self.b1 * state["m"]
        m += (1 - self.b1) * grad
        square = grad * grad
        square *= 1 - self.b2
        v = self.b2 * state["v"]
        v += square
        return m, v


class AdamW(Adam):
    """m, v as in Adam,  w <- w - lr * (m' / (sqrt(v') + eps) + weight_decay * w).

    The decay does not pass through m and v. A penalty weight_decay / 2 * w^2 in the loss does, so
    under `Adam` it is divided by sqrt(v') like any gradient and hardly holds weights whose
    gradients are large: the two are not the same. As in PyTorch lr is a factor of the decay; in
    the paper only its schedule is. Loshchilov and Hutter, "Decoupled weight decay regularization",
    ICLR 2019, algorithm 2.

    Args:
        lr: learning rate.
        b1: decay of the mean of gradients, in [0, 1).
        b2: decay of the mean of squared gradients, in [0, 1).
        eps: keeps the division finite where gradients are 0.
        weight_decay: strength of the pull towards 0, of at least 0; the paper tunes it.
        common: ``groups``, ``clip_value`` and ``clip_norm``; see `Optimizer`.

    >>> import numpy as np
    >>> import pellucid
    >>> from pellucid import optim
    >>> w = pellucid.Tensor(np.ones(2), requires_grad=True)
    >>> w.grad = np.array([0.0, 100.0])
    >>> optim.AdamW(0.1, weight_decay=0.5).step([w])
    >>> w.numpy().round(3).tolist()  # the decay, 0.1 * 0.5 * 1, is the same for both
    [0.95, 0.85]
    """

    def __init__(
        self,
        lr: Rate = 0.001,
        b1: float = 0.9,
        b2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        **common: Unpack[Common],
    ) -> None:
        self.weight_decay = weight_decay
        super().__init__(lr, b1, b2, eps, **common)

    def check(self) -> None:
        """Refuse settings out of range."""
        super().check()
        self.weight_decay = at_least_0("weight_decay", self.weight_decay, "try 0.01")

    def update(self, param: Array, grad: Array, state: State, step: int) -> tuple[Array, State]:
        """Return Adam's moved parameter less its decay, and the new m and v."""
        moved, state = super().update(param, grad, state, step)
        if self.weight_decay:
            moved -= self.rate() * self.weight_decay * param
        return moved, state


class Nadam(Adam):
    """m, v as in Adam,  w <- w - lr * (mu_{t+1} m / (1 - P_{t+1}) + (1-mu_t) g / (1 - P_t)) / root.

    root = sqrt(v') + eps, mu_t = b1 (1 - 0.96^(t psi) / 2) and P_t = mu_1 ... mu_t: Adam with
    Nesterov's look ahead, and momentum that grows to b1. Dozat, "Incorporating Nesterov momentum
    into Adam", ICLR 2016 workshop, algorithm 2. The defaults are those of Keras and PyTorch.

    Args:
        lr: learning rate.
        b1: decay of the mean of gradients, in [0, 1).
        b2: decay of the mean of squared gradients, in [0, 1).
        eps: keeps the division finite where gradients are 0.
        psi: how quickly momentum grows, of at least 0.
        common: ``groups``, ``clip_value`` and ``clip_norm``; see `Optimizer`.

    >>> import pellucid
    >>> from pellucid import optim
    >>> w, optimizer = pellucid.Tensor([0.0], requires_grad=True), optim.Nadam(0.1)
    >>> for _ in range(200):
    ...     w.grad = None
    ...     ((w - 3) ** 2).sum().backward()
    ...     optimizer.step([w])
    >>> round(w.item(), 2)
    3.0
    """

    def __init__(
        self,
        lr: Rate = 0.002,
        b1: float = 0.9,
        b2: float = 0.999,
        eps: float = 1e-8,
        psi: float = 0.004,
        **common: Unpack[Common],
    ) -> None:
        self.psi = psi
        super().__init__(lr, b1, b2, eps, **common)

    def check(self) -> None:
        """Refuse settings out of range."""
        super().check()
        self.psi = at_least_0("psi", self.psi, "try 0.004")

    def init(self, param: Array) -> State:
        """Return m = v = 0, and the empty product P = 1 as an array of shape ()."""
        xp = namespace(param)
        return super().init(param) | {"product": xp.asarray(1.0, dtype=param.dtype)}

    def update(self, param: Array, grad: Array, state: State, step: int) -> tuple[Array, State]:
        """Return the moved parameter and the new m, v and P."""
        xp = namespace(param)
        m, v = self.moments(grad, state)
        now, following = self._momentum(step), self._momentum(step + 1)
        product = xp.asarray(state["product"] * now)
        lr = self.rate()
        root = xp.sqrt(v)
        root *= 1 / (1 - self.b2**step) ** 0.5
        root += self.eps
        move = (lr * following / (1 - product * following)) * m
        move += (lr * (1 - now) / (1 - product)) * grad
        move /= root
        return param - move, {"m": m, "v": v, "product": product}

    def _momentum(self, step: Any) -> Any:
        """Return mu of a step."""
        return self.b1 * (1 - 0.5 * 0.96 ** (step * self.psi))
