"""Training: the model, its loop, and what watches it."""

from __future__ import annotations

from pellucid.train import callbacks, metrics
from pellucid.train.callbacks import Doctor, EarlyStopping, ReduceLROnPlateau
from pellucid.train.checkpoint import Checkpoint, CheckpointError
from pellucid.train.doctor import Diagnosis, Finding, watch
from pellucid.train.events import Callback, Run
from pellucid.train.history import History
from pellucid.train.model import Model
from pellucid.train.report import classification_report, regression_report
from pellucid.train.trials import LearningRates, Overfit, lr_find, overfit_one_batch

__all__ = [
    "Callback",
    "Checkpoint",
    "CheckpointError",
    "Diagnosis",
    "Doctor",
    "EarlyStopping",
    "Finding",
    "History",
    "LearningRates",
    "Model",
    "Overfit",
    "ReduceLROnPlateau",
    "Run",
    "callbacks",
    "classification_report",
    "lr_find",
    "metrics",
    "overfit_one_batch",
    "regression_report",
    "watch",
]
