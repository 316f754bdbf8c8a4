"""The callbacks that come with the library; `events` says what they are told of."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pellucid.arrays import Array
from pellucid.calls import helpful
from pellucid.optim import Optimizer
from pellucid.optim.checks import is_number
from pellucid.train import doctor
from pellucid.train.batches import Source
from pellucid.train.checkpoint import Checkpoint
from pellucid.train.doctor import Case, Diagnosis, Finding
from pellucid.train.events import Callback, Callbacks, Run, monitored
from pellucid.train.history import Mode, direction

__all__ = [
    "Callback",
    "Callbacks",
    "Checkpoint",
    "Doctor",
    "EarlyStopping",
    "ReduceLROnPlateau",
    "Run",
]


@helpful
class EarlyStopping(Callback):
    """Stop when a value has not improved for ``patience`` epochs, and keep the best weights.

    The best weights are put back when training ends, whatever ended it. Prechelt, "Early stopping -
    but when?", in Neural Networks: Tricks of the Trade, 1998.

    Args:
        monitor: a name of the history; by default "val_loss", or "loss" without validation.
        patience: how many epochs without improvement to wait for.
        min_delta: how much better a value must be to count as an improvement.
        restore_best: whether to put the best weights back at the end.
        mode: whether the "min" or the "max" is best; by default the name tells.

    Raises:
        ValueError: a setting is out of range; or, in `Model.fit`, the history has no ``monitor``.

    >>> import numpy as np
    >>> from pellucid import nn, optim, train
    >>> x = np.linspace(-1.0, 1.0, 20)[:, None]  # (20, 1)
    >>> model = train.Model(nn.Dense(1, 1, rng=0), "mse", optim.SGD(0.1))
    >>> stopping = train.EarlyStopping(patience=2, min_delta=10.0)
    >>> history = model.fit(x, 3 * x, epochs=9, callbacks=[stopping], verbose=False)
    >>> history.epochs, history.stopped
    (3, 'loss has not improved since epoch 1')
    """

    def __init__(
        self,
        monitor: str | None = None,
        patience: int = 5,
        min_delta: float = 0.0,
        restore_best: bool = True,
        mode: Mode | None = None,
    ) -> None:
        _check_epochs("EarlyStopping", "patience", patience, 1)
        _check_at_least_0("EarlyStopping", "min_delta", min_delta)
        direction("loss", mode)  # refuses another mode now, not after the first epoch
        self.monitor = monitor
        self.patience = patience
        self.min_delta = min_delta
        self.restore_best = restore_best
        self.mode = mode
        self.best = math.nan
        self.best_epoch = 0
        self._weights: dict[str, Array] | None = None

    def on_fit_begin(self, run: Run) -> None:
        """Forget an earlier run."""
        self.best, self.best_epoch, self._weights = math.nan, 0, None

    def on_epoch_end(self, run: Run) -> None:
        """Remember the weights if they are the best so far; stop if none were for too long."""
        monitor = monitored(self.monitor, run, "EarlyStopping")
        if monitor is None:
            return
        value = run.logs[monitor]
        gain = (self.best - value) * run.history.direction(monitor, self.mode)
        if gain > self.min_delta or (math.isnan(self.best) and not math.isnan(value)):
            self.best, self.best_epoch = value, run.epoch
            if self.restore_best:
                self._weights = run.network.state()
        elif run.epoch - self.best_epoch >= self.patience:
            run.stop(f"{monitor} has not improved since epoch {self.best_epoch}")

    def on_fit_end(self, run: Run) -> None:
        """Put the best weights back."""
        if self._weights is not None and self.best_epoch < run.epoch:
            run.network.load_state(self._weights)
        self._weights = None

    def state_dict(self) -> dict[str, Any]:
        """Return the best value so far, its epoch and its weights."""
        return {"best": self.best, "best_epoch": self.best_epoch, "_weights": self._weights}


@helpful
class ReduceLROnPlateau(Callback):
    """Lower the learning rate when a value has not improved for ``patience`` epochs.

    rate <- max(factor * rate, min_lr), for every rate of the optimiser, whether number or schedule:
    its ``scale`` is lowered, and stays so when training ends. After a reduction ``cooldown`` epochs
    do not count. The rule of Keras; PyTorch's waits one epoch longer. The history then holds the
    rate of each epoch as "lr".

    Args:
        monitor: a name of the history; by default "val_loss", or "loss" without validation.
        factor: what the rate is multiplied by, in (0, 1).
        patience: how many epochs without improvement to wait for.
        min_delta: how much better a value must be to count as an improvement.
        cooldown: how many epochs after a reduction do not count.
        min_lr: the rate is not lowered below this; rates of groups keep their ratio to it.
        mode: whether the "min" or the "max" is best; by default the name tells.

    Raises:
        ValueError: a setting is out of range; or, in `Model.fit`, the history has no ``monitor``.

    >>> import numpy as np
    >>> from pellucid import nn, optim, train
    >>> x = np.linspace(-1.0, 1.0, 20)[:, None]  # (20, 1)
    >>> model = train.Model(nn.Dense(1, 1, rng=0), "mse", optim.SGD(0.1))
    >>> plateau = train.ReduceLROnPlateau(patience=2, min_delta=10.0)
    >>> history = model.fit(x, 3 * x, epochs=4, callbacks=[plateau], verbose=False)
    >>> [round(rate, 3) for rate in history["lr"]]
    [0.1, 0.1, 0.1, 0.01]
    """

    def __init__(
        self,
        monitor: str | None = None,
        factor: float = 0.1,
        patience: int = 10,
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        mode: Mode | None = None,
    ) -> None:
        if not is_number(factor) or not 0 < factor < 1:
            raise ValueError(
                f"ReduceLROnPlateau: expected factor between 0 and 1, got {factor!r}; 0.1 leaves a "
                "tenth"
            )
        _check_epochs("ReduceLROnPlateau", "patience", patience, 1)
        _check_epochs("ReduceLROnPlateau", "cooldown", cooldown, 0)
        _check_at_least_0("ReduceLROnPlateau", "min_delta", min_delta)
        _check_at_least_0("ReduceLROnPlateau", "min_lr", min_lr)
        direction("loss", mode)  # refuses another mode now, not after the first epoch
        self.monitor = monitor
        self.factor = factor
        self.patience = patience
        self.min_delta = min_delta
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.mode = mode
        self.best = math.nan
        self.waited = 0
        self.resting = 0

    def on_fit_begin(self, run: Run) -> None:
        """Forget an earlier run; the optimiser keeps its rate."""
        run.reports_lr = True
        self.best, self.waited, self.resting = math.nan, 0, 0

    def on_epoch_end(self, run: Run) -> None:
        """Count the epochs without improvement; lower the rate after too many."""
        monitor = monitored(self.monitor, run, "ReduceLROnPlateau")
        if monitor is None:
            return
        value, sign = float(run.logs[monitor]), run.history.direction(monitor, self.mode)
        best = sign * math.inf if math.isnan(self.best) else self.best
        if (best - value) * sign > self.min_delta:
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        if self.resting:
            self.resting, self.waited = self.resting - 1, 0
        if self.waited >= self.patience:
            self._reduce(run.optimizer)
            self.resting, self.waited = self.cooldown, 0

    def state_dict(self) -> dict[str, Any]:
        """Return the best value so far, and what was counted since."""
        return {"best": self.best, "waited": self.waited, "resting": self.resting}

    def _reduce(self, optimizer: Optimizer) -> None:
        """Lower the rate of the next step, and with it all that follow."""
        rate = optimizer.rate(optimizer.steps + 1)
        if rate > self.min_lr:
            optimizer.scale *= max(self.factor, self.min_lr / rate)


@helpful
class Doctor(Callback):
    """Look for faults that give no error while training goes on; say what was found at the end.

    Before training, after epochs 1, 2, 4, 8, ... and at the end it passes a few rows through the
    network, forward and backward, with instruments attached, and looks at data and history. It
    changes nothing: with and without it training gives the same bits. In the midst of training it
    leaves an examination out where it would take more than 3 % of the time so far. See
    `docs/doctor.md` for what it looks for, and `Model.diagnose` for the same without training.

    ``findings`` holds what was found, also while training goes on, one of a kind.

    Args:
        rows: how many to pass through.
        report: whether to print the findings when training ends; without any it prints nothing.

    Raises:
        ValueError: ``rows`` is not a whole number of at least 2.

    >>> import numpy as np
    >>> from pellucid import nn, train
    >>> x = np.linspace(-1.0, 1.0, 20)[:, None]  # (20, 1)
    >>> model = train.Model(nn.Dense(1, 1, rng=0), "mse")
    >>> doctor = train.Doctor(report=False)
    >>> history = model.fit(1000 * x, 3 * x, epochs=2, callbacks=[doctor], verbose=False)
    >>> "unscaled-inputs" in doctor.findings.kinds
    True
    """

    def __init__(self, rows: int = 64, report: bool = True) -> None:
        if not isinstance(rows, int) or isinstance(rows, bool) or rows < 2:
            raise ValueError(f"Doctor: expected rows of at least 2, got {rows!r}; try 64")
        self.rows = rows
        self.report = report
        self.findings = Diagnosis()
        self._first = math.nan
        self._began = self._spent = 0.0
        self._moves: dict[str, float] = {}

    def on_fit_begin(self, run: Run) -> None:
        """Look at the data, and at the network as it is."""
        self.findings, self._spent, self._moves = Diagnosis(), 0.0, {}
        self._began = time.perf_counter()
        case, rows = case_of(run, self.rows), source_of(run).known()
        held = None if run.validation is None else run.validation.known()
        self._note("before training", doctor.at_start(case, rows, held))
        self._first = self._look(case, "before training")
        self._spent = time.perf_counter() - self._began

    def on_epoch_end(self, run: Run) -> None:
        """Look again after epochs 1, 2, 4, 8, ..., if that takes no share of the time."""
        now = time.perf_counter()
        costly = self._spent > 0.03 * (now - self._began)
        is_power_of_2 = run.epoch & (run.epoch - 1) == 0
        if is_power_of_2 and not costly and not run.stopped and run.epoch < run.epochs:
            with _harmless():
                self._look(case_of(run, self.rows), f"after epoch {run.epoch}")
            self._spent += time.perf_counter() - now

    def on_fit_end(self, run: Run) -> None:
        """Look at the whole of the run, and say what was found."""
        with _harmless():
            case, when = case_of(run, self.rows), f"after epoch {run.epoch}"
            self._look(case, when)
            rows, history = source_of(run).known(), dict(run.history.items())
            end = doctor.at_end(case, rows, history, self._first, run.stopped, self._moves)
            self._note(when, end)
        if self.report and self.findings:
            self.findings.print()

    def state_dict(self) -> dict[str, Any]:
        """Return what was found so far, and how training began."""
        return {"findings": self.findings.to_dicts(), "first": self._first, "moves": self._moves}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.findings = Diagnosis(Finding(**found) for found in state["findings"])
        self._first, self._moves = state["first"], dict(state["moves"])

    def _look(self, case: Case, when: str) -> float:
        """Pass rows through the network; return their loss."""
        seen = doctor.read(case)
        self._moves = seen.moves
        self._note(when, doctor.check(case, seen))
        return seen.loss

    def _note(self, when: str, findings: Iterable[Finding]) -> None:
        """Keep what is new, with the time it was first seen."""
        for finding in findings:
            if finding.kind not in self.findings.kinds:
                self.findings = Diagnosis([*self.findings, replace(finding, when=when)])


@contextmanager
def _harmless() -> Iterator[None]:
    """Let an examination that fails end in a warning: what was trained matters more."""
    try:
        yield
    except Exception as error:
        text = f"the doctor gave up an examination: {type(error).__name__}: {error}"
        warnings.warn(text, RuntimeWarning, stacklevel=4)


def case_of(run: Run, rows: int) -> Case:
    """Return a run with some of its training rows, for a pass of their own through the network."""
    if run.loss is None or run.predict is None:
        raise ValueError("expected a run of Model.fit, got one without loss; see train.watch")
    known = source_of(run).known()
    some = known.rows(doctor.spread(len(known.x), rows))
    size = getattr(run.training, "batch_size", len(known.x))
    return Case(run.network, run.loss, run.predict, run.optimizer, some, size)


def source_of(run: Run) -> Source:
    """Return the training data of a run."""
    if run.training is None:
        raise ValueError("expected a run of Model.fit, got one without data; see train.watch")
    return run.training


def _check_epochs(kind: str, name: str, value: Any, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        unit = "epoch" if least == 1 else "epochs"
        raise ValueError(f"{kind}: expected {name} of at least {least} {unit}, got {value!r}")


def _check_at_least_0(kind: str, name: str, value: Any) -> None:
    if not is_number(value) or not value >= 0:
        raise ValueError(f"{kind}: expected {name} of at least 0, got {value!r}; try 0")
