"""The samples of every optimiser: settings, the textbook's loop for them, the same in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray
Slope = Callable[[Array, int], Array]
Rule = Callable[[Array, Slope, int], Array]


@dataclass(frozen=True)
class Sample:
    """Settings of an optimiser, the textbook's loop for them, and the same in PyTorch.

    ``rule(w, slope, steps)`` returns w after that many steps; ``slope(w, step)`` is the gradient.
    ``torch`` is empty where PyTorch has no such optimiser.
    """

    settings: dict[str, Any]
    rule: Rule
    torch: str
    torch_settings: dict[str, Any] = field(default_factory=dict)


def sgd(lr: float, momentum: float = 0.0, nesterov: bool = False, decay: float = 0.0) -> Sample:
    """Sutskever et al. 2013, in PyTorch's form: the rate is not part of the velocity.

    With decay, SGDW of Loshchilov and Hutter 2019, algorithm 1; PyTorch's is another one, except
    without momentum.
    """

    def rule(w: Array, slope: Slope, steps: int) -> Array:
        v = np.zeros_like(w)
        for t in range(1, steps + 1):
            g = slope(w, t)
            v = momentum * v + g
            w = w - lr * (g + momentum * v if nesterov else v) - lr * decay * w
        return w

    given = {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": decay}
    return Sample(given, rule, "" if momentum and decay else "SGD", given)


def momentum(lr: float, momentum: float, nesterov: bool) -> Sample:
    """The same under the name of its own."""
    sample = sgd(lr, momentum, nesterov)
    return Sample({"lr": lr, "momentum": momentum}, sample.rule, "SGD", sample.torch_settings)


def adagrad(lr: float, eps: float = 1e-10) -> Sample:
    """Duchi et al. 2011, the diagonal form."""

    def rule(w: Array, slope: Slope, steps: int) -> Array:
        s = np.zeros_like(w)
        for t in range(1, steps + 1):
            g = slope(w, t)
            s = s + g**2
            w = w - lr * g / (np.sqrt(s) + eps)
        return w

    given = {"lr": lr, "eps": eps}
    return Sample(given, rule, "Adagrad", given)


def adadelta(lr: float = 1.0, rho: float = 0.95, eps: float = 1e-6) -> Sample:
    """Zeiler 2012, algorithm 1, line by line."""

    def rule(w: Array, slope: Slope, steps: int) -> Array:
        mean_g, mean_dx = np.zeros_like(w), np.zeros_like(w)
        for t in range(1, steps + 1):
            g = slope(w, t)
            mean_g = rho * mean_g + (1 - rho) * g**2
            dx = -np.sqrt(mean_dx + eps) / np.sqrt(mean_g + eps) * g
            mean_dx = rho * mean_dx + (1 - rho) * dx**2
            w = w + lr * dx
        return w

    given = {"lr": lr, "rho": rho, "eps": eps}
    return Sample(given, rule, "Adadelta", given)


def rmsprop(
    lr: float,
    rho: float = 0.9,
    eps: float = 1e-8,
    momentum: float = 0.0,
    centered: bool = False,
) -> Sample:
    """Hinton's lecture 6e, 2012; centred as Graves 2013."""

    def rule(w: Array, slope: Slope, steps: int) -> Array:
        s, m, b = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
        for t in range(1, steps + 1):
            g = slope(w, t)
            s = rho * s + (1 - rho) * g**2
            m = rho * m + (1 - rho) * g
            b = momentum * b + g / (np.sqrt(s - m**2 if centered else s) + eps)
            w = w - lr * b
        return w

    given = {"lr": lr, "rho": rho, "eps": eps, "momentum": momentum, "centered": centered}
    theirs = {"lr": lr, "alpha": rho, "eps": eps, "momentum": momentum, "centered": centered}
    return Sample(given, rule, "RMSprop", theirs)


def adam(
    lr: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, decay: float | None = None
) -> Sample:
    """Kingma and Ba 2015, algorithm 1; with decay Loshchilov and Hutter 2019, algorithm 2."""

    def rule(w: Array, slope: Slope, steps: int) -> Array:
        m, v = np.zeros_like(w), np.zeros_like(w)
        for t in range(1, steps + 1):
            g = slope(w, t)
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * g**2
            m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
            w = w - lr * (m_hat / (np.sqrt(v_hat) + eps) + (decay or 0.0) * w)
        return w

    ours = {"lr": lr, "b1": b1, "b2": b2, "eps": eps}
    theirs = {"lr": lr, "betas": (b1, b2), "eps": eps}
    if decay is None:
        return Sample(ours, rule, "Adam", theirs)
    more = {"weight_decay": decay}
    return Sample(ours | more, rule, "AdamW", theirs | more)


def nadam(
    lr: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, psi: float = 0.004
) -> Sample:
    """Dozat 2016, algorithm 2, line by line."""

    def rule(w: Array, slope: Slope, steps: int) -> Array:
        m, v = np.zeros_like(w), np.zeros_like(w)
        mu = [b1 * (1 - 0.5 * 0.96 ** (t * psi)) for t in range(1, steps + 2)]
        for t in range(1, steps + 1):
            g = slope(w, t)
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * g**2
            m_hat = mu[t] * m / (1 - np.prod(mu[: t + 1])) + (1 - mu[t - 1]) * g / (
                1 - np.prod(mu[:t])
            )
            v_hat = v / (1 - b2**t)
            w = w - lr * m_hat / (np.sqrt(v_hat) + eps)
        return w

    ours = {"lr": lr, "b1": b1, "b2": b2, "eps": eps, "psi": psi}
    theirs = {"lr": lr, "betas": (b1, b2), "eps": eps, "momentum_decay": psi}
    return Sample(ours, rule, "NAdam", theirs)


def lion(lr: float, b1: float = 0.9, b2: float = 0.99, decay: float = 0.0) -> Sample:
    """Chen et al. 2023, algorithm 2, line by line; PyTorch has none."""

    def rule(w: Array, slope: Slope, steps: int) -> Array:
        m = np.zeros_like(w)
        for t in range(1, steps + 1):
            g = slope(w, t)
            c = b1 * m + (1 - b1) * g
            w = w - lr * (np.sign(c) + decay * w)
            m = b2 * m + (1 - b2) * g
        return w

    return Sample({"lr": lr, "b1": b1, "b2": b2, "weight_decay": decay}, rule, "")


SAMPLES: dict[str, list[Sample]] = {
    "sgd": [
        sgd(0.01),
        sgd(0.3),
        sgd(0.01, momentum=0.9),
        sgd(0.1, momentum=0.5),
        sgd(0.01, momentum=0.9, nesterov=True),
        sgd(0.1, momentum=0.5, nesterov=True),
        sgd(0.1, decay=0.1),
        sgd(0.01, momentum=0.9, decay=0.01),
        sgd(0.01, momentum=0.9, nesterov=True, decay=0.1),
    ],
    "momentum": [momentum(0.01, 0.9, False), momentum(0.1, 0.5, False)],
    "nesterov": [momentum(0.01, 0.9, True), momentum(0.1, 0.5, True)],
    "adagrad": [adagrad(0.01), adagrad(1.0), adagrad(0.1, eps=0.1)],
    "adadelta": [adadelta(), adadelta(10.0, rho=0.9), adadelta(0.5, rho=0.99, eps=1e-3)],
    "rmsprop": [
        rmsprop(0.001),
        rmsprop(0.01, rho=0.99, eps=1e-3),
        rmsprop(0.01, momentum=0.9),
        rmsprop(0.01, centered=True),
        rmsprop(0.003, rho=0.95, eps=1e-6, momentum=0.5, centered=True),
    ],
    "adam": [
        adam(0.001),
        adam(0.1),
        adam(0.01, b1=0.5, b2=0.9),
        adam(0.01, b1=0.0, b2=0.99),
        adam(0.01, b1=0.9, b2=0.5),
        adam(0.01, eps=1e-3),
        adam(0.1, eps=1.0),
        adam(0.003, b1=0.99, b2=0.9999, eps=1e-10),
    ],
    "adamw": [
        adam(0.001, decay=0.01),
        adam(0.1, decay=0.1),
        adam(0.01, b1=0.5, b2=0.9, eps=1e-3, decay=1.0),
        adam(0.01, decay=0.0),
    ],
    "nadam": [
        nadam(0.002),
        nadam(0.1, b1=0.5, b2=0.9),
        nadam(0.01, eps=1e-3, psi=0.1),
        nadam(0.01, psi=0.0),
    ],
    "lion": [lion(1e-4), lion(0.01, decay=0.1), lion(0.01, b1=0.5, b2=0.5), lion(0.1, b1=0.0)],
}
