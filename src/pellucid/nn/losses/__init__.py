"""Losses: one number that training makes small.

A loss is the mean over examples, weighted or not, of ``per_example(prediction, target)``.
Classification losses take logits, the numbers before softmax or sigmoid, because only there are
they exact: ``train.Model`` hands them the logits of a network that ends in the matching activation,
named by ``link``.
"""

from __future__ import annotations

from typing import Any

from pellucid.errors import unknown
from pellucid.nn.losses.base import Loss, Task
from pellucid.nn.losses.checks import check_labels, check_probabilities, check_weights
from pellucid.nn.losses.classification import BCELoss, CrossEntropyLoss, KLDivergenceLoss
from pellucid.nn.losses.margin import CategoricalHingeLoss, HingeLoss, SquaredHingeLoss
from pellucid.nn.losses.regression import HuberLoss, LogCoshLoss, MAELoss, MSELoss

__all__ = [
    "LOSSES",
    "BCELoss",
    "CategoricalHingeLoss",
    "CrossEntropyLoss",
    "HingeLoss",
    "HuberLoss",
    "KLDivergenceLoss",
    "LogCoshLoss",
    "Loss",
    "MAELoss",
    "MSELoss",
    "SquaredHingeLoss",
    "Task",
    "check_labels",
    "check_probabilities",
    "check_weights",
    "loss",
]

LOSSES: dict[str, type[Loss]] = {
    "cross_entropy": CrossEntropyLoss,
    "bce": BCELoss,
    "kl": KLDivergenceLoss,
    "hinge": HingeLoss,
    "squared_hinge": SquaredHingeLoss,
    "categorical_hinge": CategoricalHingeLoss,
    "mse": MSELoss,
    "mae": MAELoss,
    "huber": HuberLoss,
    "log_cosh": LogCoshLoss,
}


def loss(choice: str | Loss) -> Loss:
    """Return a loss by name, or as given."""
    if isinstance(choice, Loss):
        return choice
    given: Any = choice
    if callable(given) and not isinstance(given, type):
        raise TypeError(
            f"expected a loss, or the name of one, got {given!r:.80}; make it a class that "
            "inherits from nn.Loss and defines per_example(prediction, target), one loss an example"
        )
    if not isinstance(choice, str) or choice not in LOSSES:
        raise unknown("loss", choice, LOSSES)
    return LOSSES[choice]()
