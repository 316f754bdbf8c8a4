"""Optimisers: how a gradient moves a parameter."""

from __future__ import annotations

from collections.abc import Callable

from pellucid.errors import unknown
from pellucid.optim.adam import Adam
from pellucid.optim.optimizer import Optimizer, Rate
from pellucid.optim.sgd import SGD

__all__ = ["OPTIMIZERS", "SGD", "Adam", "Optimizer", "Rate", "optimizer"]

OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {"adam": Adam, "sgd": SGD}


def optimizer(choice: str | Optimizer) -> Optimizer:
    """Return an optimiser by name, with its defaults, or as given."""
    if isinstance(choice, Optimizer):
        return choice
    if choice not in OPTIMIZERS:
        raise unknown("optimizer", choice, OPTIMIZERS)
    return OPTIMIZERS[choice]()
