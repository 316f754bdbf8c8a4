"""Optimisers: how a gradient moves a parameter; learning-rate schedules; clipping; groups."""

from __future__ import annotations

from collections.abc import Callable

from pellucid.errors import unknown
from pellucid.optim import schedules
from pellucid.optim.adam import Adam, AdamW, Nadam
from pellucid.optim.adaptive import Adadelta, Adagrad, RMSprop
from pellucid.optim.checks import Rate
from pellucid.optim.clipping import clip_by_global_norm, clip_by_value
from pellucid.optim.groups import Group, no_decay_on_vectors
from pellucid.optim.lion import Lion
from pellucid.optim.optimizer import Optimizer
from pellucid.optim.sgd import SGD, Momentum, Nesterov

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Group",
    "Lion",
    "Momentum",
    "Nadam",
    "Nesterov",
    "Optimizer",
    "RMSprop",
    "Rate",
    "clip_by_global_norm",
    "clip_by_value",
    "no_decay_on_vectors",
    "optimizer",
    "schedules",
]

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "adam": Adam,
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": Adagrad,
    "adadelta": Adadelta,
    "rmsprop": RMSprop,
    "adamw": AdamW,
    "nadam": Nadam,
    "lion": Lion,
}


def optimizer(choice: str | Optimizer) -> Optimizer:
    """Return an optimiser by name, with its defaults, or as given.

    Raises:
        ValueError: there is no optimiser of that name; close ones are listed.

    >>> from pellucid import optim
    >>> optim.optimizer("adam")
    Adam(lr=0.001, b1=0.9, b2=0.999, eps=1e-08)
    """
    if isinstance(choice, Optimizer):
        return choice
    if not isinstance(choice, str) or choice not in OPTIMIZERS:
        raise unknown("optimizer", choice, OPTIMIZERS)
    return OPTIMIZERS[choice]()
