"""Training a run's network, and testing what it learned."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid import optim
from pellucid.cli.console import note
from pellucid.cli.errors import CommandError
from pellucid.cli.network import Architecture, build
from pellucid.cli.settings import Settings
from pellucid.cli.source import Source
from pellucid.train import (
    Callback,
    Checkpoint,
    Diagnosis,
    Doctor,
    EarlyStopping,
    History,
    Model,
    classification_report,
    metrics,
    regression_report,
)
from pellucid.train.checkpoint import CheckpointError, CheckpointWarning
from pellucid.train.native import Compile
from pellucid.train.report import ClassificationReport, RegressionReport

MINUTES = 5  # between checkpoints in the midst of a long epoch
INTERRUPTED, DIVERGED = "interrupted", "the loss is"  # how `History.stopped` begins


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Attributes:
        history: Loss and metrics of each epoch.
        seconds: What training took, validation included.
        scores: The test's scores by name, as plain data.
        report: The test's report for people.
        predicted: The class of each test row (N,), or the predictions (N, outputs) in the unit of
            the data.
        probabilities: Those of each class (N, C); None for regression.
        confusion: How many rows of each class (rows) were given to each class (columns), or None.
        scored: The same report as a table.
        findings: What the training doctor found; None where it was not asked for.
    """

    history: History
    seconds: float
    scores: dict[str, Any]
    report: str
    predicted: NDArray[Any]
    probabilities: NDArray[np.float32] | None = None
    confusion: NDArray[np.int64] | None = None
    scored: ClassificationReport | RegressionReport | None = None
    findings: Diagnosis | None = None

    @property
    def headline(self) -> str:
        """The score that is looked at first."""
        if self.confusion is not None:
            return f"test accuracy {self.scores['accuracy']:.4f}"
        return f"test MSE {self.scores['mse']:.4g}, R2 {self.scores['r2']:.4g}"


def compose(settings: Settings, source: Source, layers: Architecture) -> Model:
    """Return the model to train.

    Raises:
        ValueError: a setting the network or the optimiser refuses.
    """
    network = build(layers, settings.seed)
    momentum = {} if settings.momentum is None else {"momentum": settings.momentum}
    optimizer = optim.OPTIMIZERS[settings.optimizer](lr=settings.lr, **momentum)
    if source.train.task == "classification":
        return Model(network, "cross_entropy", optimizer, ["accuracy"])
    scale = 1.0 if source.targets is None else float(source.targets.scale_[0])
    errors = [metrics.in_unit(s.__name__, s, scale) for s in (metrics.mae, metrics.rmse)]
    return Model(network, "mse", optimizer, ["r2", *errors])


def learn(
    model: Model,
    settings: Settings,
    source: Source,
    checkpoints: Path,
    verbose: bool,
    resume: bool = False,
) -> Outcome:
    """Train the model, then test it; Ctrl-C and a loss that is not finite end training only.

    Raises:
        CommandError: the checkpoints to go on from are those of another training.
        SystemExit: SIGTERM ended training, after a checkpoint was written.
    """
    doctor = Doctor(report=False)
    callbacks: list[Callback] = [doctor] if settings.doctor else []
    if settings.patience is not None:
        callbacks.append(EarlyStopping("val_loss", settings.patience))
    if settings.checkpoint:
        callbacks.append(Checkpoint(checkpoints, minutes=MINUTES))
    validation = None if source.validation is None else source.pair(source.validation)
    with numbers_may_overflow():
        start = time.perf_counter()
        try:
            history = model.fit(
                *source.pair(source.train),
                epochs=settings.epochs,
                batch_size=min(settings.batch_size, len(source.train)),
                validation_data=validation,
                callbacks=callbacks,
                compile=settings.compile,
                threads=settings.threads,
                resume=checkpoints if resume else None,
                seed=settings.seed,
                verbose="auto" if verbose else False,
            )
        except CheckpointError as error:
            raise CommandError(str(error)) from error
        seconds = time.perf_counter() - start
        check = _classified if source.train.task == "classification" else _regressed
        outcome = check(model, source, history, seconds, settings.compile)
        return replace(outcome, findings=doctor.findings) if settings.doctor else outcome


def _classified(
    model: Model, source: Source, history: History, seconds: float, choice: Compile
) -> Outcome:
    """Return the outcome of a classification."""
    x, y = source.pair(source.test)
    probabilities = model.predict_proba(x, compile=choice)  # (N, C)
    predicted = probabilities.argmax(axis=1)  # (N,)
    report = classification_report(y, predicted, source.test.class_names)
    scores = {
        "rows": len(y),
        "loss": model.evaluate(x, y, compile=choice)["loss"],
        "accuracy": report.accuracy,
        "classes": {name: one.to_dict() for name, one in report.per_class.items()},
        "macro avg": report.macro.to_dict(),
        "weighted avg": report.weighted.to_dict(),
    }
    confusion = report.confusion
    text = str(report)
    return Outcome(history, seconds, scores, text, predicted, probabilities, confusion, report)


def _regressed(
    model: Model, source: Source, history: History, seconds: float, choice: Compile
) -> Outcome:
    """Return the outcome of a regression, in the unit of the data."""
    outputs = model.predict(source.inputs(source.test.x), compile=choice)
    predicted = source.restored(outputs)  # (N, outputs)
    report = regression_report(source.test.y, predicted)
    mse = metrics.mse(source.test.y, predicted)
    scores = {"rows": len(predicted), "mse": mse, **report.to_dict()}
    text = f"{report}\n{'mean squared error':>23}  {mse:.4g}"
    return Outcome(history, seconds, scores, text, predicted, scored=report)


@contextmanager
def numbers_may_overflow() -> Iterator[None]:
    """Leave the report of a diverged run to its history, instead of a warning an operation.

    That a checkpoint cannot be read is told all the same, as a note.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("always", CheckpointWarning)
        warnings.showwarning = lambda message, *_, **__: note(str(message))
        yield
