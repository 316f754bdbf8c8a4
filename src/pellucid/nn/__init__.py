"""Layers, networks and losses."""

from __future__ import annotations

from pellucid.nn import initialisers
from pellucid.nn.activations import (
    ACTIVATIONS,
    Activation,
    LeakyReLU,
    Linear,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from pellucid.nn.containers import Sequential
from pellucid.nn.dense import Dense
from pellucid.nn.dropout import Dropout
from pellucid.nn.losses import LOSSES, BCELoss, CrossEntropyLoss, Loss, MAELoss, MSELoss
from pellucid.nn.module import Module

__all__ = [
    "ACTIVATIONS",
    "LOSSES",
    "Activation",
    "BCELoss",
    "CrossEntropyLoss",
    "Dense",
    "Dropout",
    "LeakyReLU",
    "Linear",
    "Loss",
    "MAELoss",
    "MSELoss",
    "Module",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "initialisers",
]
