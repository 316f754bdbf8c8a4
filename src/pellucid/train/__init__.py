"""Training: the model, its loop, and what watches it."""

from __future__ import annotations

from pellucid.train import callbacks, metrics
from pellucid.train.callbacks import Doctor, EarlyStopping, ReduceLROnPlateau
from pellucid.train.checkpoint import Checkpoint
from pellucid.train.doctor import Diagnosis, Finding, watch
from pellucid.train.events import Callback, Run
from pellucid.train.history import History
from pellucid.train.model import Model
from pellucid.train.report import classification_report, regression_report

__all__ = [
    "Callback",
    "Checkpoint",
    "Diagnosis",
    "Doctor",
    "EarlyStopping",
    "Finding",
    "History",
    "Model",
    "ReduceLROnPlateau",
    "Run",
    "callbacks",
    "classification_report",
    "metrics",
    "regression_report",
    "watch",
]
