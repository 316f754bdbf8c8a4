"""Training: the model, its loop, and what watches it."""

from __future__ import annotations

from pellucid.train import metrics
from pellucid.train.callbacks import Callback, EarlyStopping, ReduceLROnPlateau, Run
from pellucid.train.history import History
from pellucid.train.model import Model
from pellucid.train.report import classification_report, regression_report

__all__ = [
    "Callback",
    "EarlyStopping",
    "History",
    "Model",
    "ReduceLROnPlateau",
    "Run",
    "classification_report",
    "metrics",
    "regression_report",
]
