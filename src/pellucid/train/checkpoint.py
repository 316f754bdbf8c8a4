"""Checkpoints: training written down between two updates, to go on from there bit for bit."""

from __future__ import annotations

import math
import os
import re
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pellucid.calls import helpful
from pellucid.files import held
from pellucid.persist import load_objects, save_objects
from pellucid.train.events import Callback, Run, monitored
from pellucid.train.history import Mode, direction
from pellucid.tree import walk

NAME = "checkpoint-{done:06d}-{batch:08d}.safetensors"
EVERY = re.compile(r"checkpoint-(\d{6,})-(\d{8,})\.safetensors")
BEST = "best.safetensors"
SHOWN = 5  # differences that an error names


class CheckpointError(ValueError):
    """A checkpoint that cannot be gone on from, or one that is in the way.

    >>> import tempfile
    >>> from pellucid import nn, train
    >>> model = train.Model(nn.Dense(2, 1), "mse")
    >>> x, y = [[1.0, 2.0], [2.0, 1.0]], [[3.0], [4.0]]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = train.Checkpoint(folder)
    ...     history = model.fit(x, y, epochs=1, callbacks=[saved], verbose=False)
    ...     try:  # another training, into the same folder
    ...         model.fit(x, y, epochs=1, callbacks=[saved], verbose=False)
    ...     except train.CheckpointError as error:
    ...         print(error)
    expected a folder without checkpoints of another training, got ...
    """


class CheckpointWarning(RuntimeWarning):
    """Training goes on from an older checkpoint than the newest, which cannot be read."""


class Saved(NamedTuple):
    """A checkpoint that was read: parts of the model, and where training was."""

    path: Path
    parts: dict[str, Any]

    @property
    def training(self) -> dict[str, Any]:
        """Where training was."""
        found: dict[str, Any] = self.parts["training"]
        return found


@helpful
class Checkpoint(Callback):
    """Write training down now and then, so that ``fit(resume=folder)`` goes on bit for bit.

    One file is written before the first update, then after every so many epochs, updates or
    minutes, whichever are given; at the last epoch; when a callback ends training; and where Ctrl-C
    or SIGTERM does, after the update that was being made. SIGTERM then ends the program, with
    status 143. Files are written in one step and named ``checkpoint-EPOCHS-UPDATES.safetensors``:
    how many whole epochs were done, and how many updates of the next. Each is a file that
    `Model.load` reads, too.

    Args:
        folder: where to; it is made if need be. It serves one training.
        epochs: after how many epochs, or None.
        steps: after how many updates, or None. Compiled training makes as many in one go.
        minutes: after how many minutes, or None.
        keep: how many of the newest files to keep.
        best: a name of the history, such as "val_loss": the epoch in which it was best is kept
            besides, as ``best.safetensors``.
        mode: whether the "min" or the "max" of that is best; by default the name tells.

    Raises:
        ValueError: a number is out of range.
        CheckpointError: in `fit`, before anything is trained: the folder has checkpoints, and
            training does not go on from them.

    >>> import tempfile
    >>> import numpy as np
    >>> from pellucid import nn, train
    >>> x = np.linspace(-1.0, 1.0, 20)[:, None]  # (20, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for epochs in (2, 5):  # as if training had been ended after 2 of them
    ...         model = train.Model(nn.Dense(1, 1, rng=0), "mse")
    ...         saved = train.Checkpoint(folder)
    ...         history = model.fit(
    ...             x, 3 * x, epochs=epochs, callbacks=[saved], resume=folder, verbose=False
    ...         )
    >>> history.epochs, model.optimizer.steps
    (5, 5)
    """

    every_batch = False

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        epochs: int | None = 1,
        steps: int | None = None,
        minutes: float | None = None,
        keep: int = 3,
        best: str | None = None,
        mode: Mode | None = None,
    ) -> None:
        for name, value, kind in (
            ("epochs", epochs, int),
            ("steps", steps, int),
            ("minutes", minutes, int | float),
            ("keep", keep, int),
        ):
            given = value is not None or name == "keep"
            is_number = isinstance(value, kind) and not isinstance(value, bool)
            if given and not (is_number and value > 0):  # type: ignore[operator]
                least = "a whole number of at least 1" if kind is int else "a number above 0"
                raise ValueError(f"Checkpoint: expected {name} to be {least}, got {value!r}; try 1")
        if best is not None and not isinstance(best, str):
            raise ValueError(
                f"Checkpoint: expected best to be a name of the history, got {best!r}; try "
                "'val_loss'"
            )
        direction("loss", mode)  # refuses another mode now, not after the first epoch
        self.folder = Path(folder)
        self.epochs, self.steps, self.minutes, self.keep = epochs, steps, minutes, keep
        self.monitor, self.mode = best, mode
        self.best = math.nan
        self._updates = 0  # made when the last file was written
        self._written = 0.0  # when that was
        self._left = False  # whether training was left in the midst of an epoch

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Make the folder, and keep other trainings from writing there meanwhile."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise type(error)(
                error.errno,
                f"expected a folder for checkpoints, or room for one, got none ({error.strerror}); "
                "choose another",
                str(self.folder),
            ) from None
        with held(self.folder) as mine:
            if not mine:
                raise CheckpointError(
                    f"expected a folder that no other training writes to, got {self.folder}, where "
                    "one does just now; wait for its end, or choose another folder"
                )
            yield

    def on_fit_begin(self, run: Run) -> None:
        """Write down the start, so that what cannot be written shows before anything is trained."""
        self.best, self._updates, self._left = math.nan, 0, False
        self._written = time.monotonic()
        found = paths(self.folder)
        origin = None if run.resumed is None else Path(run.resumed)
        if found and (origin is None or origin.resolve() != self.folder.resolve()):
            raise CheckpointError(
                f"expected a folder without checkpoints of another training, got {self.folder} "
                f"with {found[-1].name}; pass resume={str(self.folder)!r} to go on from there, or "
                "choose another folder, or delete it"
            )
        for pattern in (".checkpoint-*-*.safetensors.*", f".{BEST}.*"):
            for left_behind in self.folder.glob(pattern):
                left_behind.unlink(missing_ok=True)  # by a process that was killed while it wrote
        if origin is None or not paths(origin):  # training begins
            self._write(run)

    def next_look(self, run: Run) -> float:
        """Return how many updates there are until the next file is due."""
        return math.inf if self.steps is None else self.steps - run.updates % self.steps

    def on_batch_end(self, run: Run) -> None:
        """Write a file if it is time, or if a signal ends training here."""
        steps, minutes = self.steps or math.inf, self.minutes or math.inf
        due = run.updates // steps > self._updates // steps
        due = due or time.monotonic() - self._written >= 60 * minutes
        if run.interrupted or (due and not run.stopped):
            self._write(run)
            self._left = run.interrupted

    def on_epoch_end(self, run: Run) -> None:
        """Write a file if it is time, and the best one if this is it."""
        if self._left:
            return
        if self._is_best(run):
            self._write(run, BEST)
        if run.stopped or run.epoch == run.epochs or (self.epochs and run.epoch % self.epochs == 0):
            self._write(run)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value so far."""
        return {"best": self.best}

    def _is_best(self, run: Run) -> bool:
        """Whether the epoch is better than all before; remember it then."""
        name = self.monitor and monitored(self.monitor, run, "Checkpoint")
        if not name:
            return False
        value = run.logs[name]
        gain = (self.best - value) * run.history.direction(name, self.mode)
        if not (gain > 0 or (math.isnan(self.best) and not math.isnan(value))):
            return False
        self.best = value
        return True

    def _write(self, run: Run, name: str | None = None) -> None:
        """Write a file, under the name of where training is; remove those that are too many."""
        if run.state is None:
            raise TypeError("Checkpoint: expected a run of Model.fit, got one without a state")
        parts = run.state()
        path = self.folder / (name or NAME.format(**parts["training"]))
        try:
            save_objects(path, parts)
        except TypeError as error:
            if "training.callbacks" not in str(error):
                raise
            fix = "or define state_dict() in the callback, and return what it has to remember"
            raise TypeError(f"{error}, {fix}") from None
        if name is None:
            self._updates, self._written = run.updates, time.monotonic()
            self._forget(path)

    def _forget(self, newest: Path) -> None:
        """Remove all but the newest files: older ones, and damaged ones of what is to come."""
        found = paths(self.folder)
        at = found.index(newest) + 1
        for path in [*found[: max(at - self.keep, 0)], *found[at:]]:
            path.unlink(missing_ok=True)


def paths(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, the newest last."""
    found = {path: EVERY.fullmatch(path.name) for path in folder.glob("checkpoint-*")}
    counts = {path: (int(name[1]), int(name[2])) for path, name in found.items() if name}
    return sorted(counts, key=counts.__getitem__)


def newest(folder: str | os.PathLike[str] | None) -> Saved | None:
    """Read the newest checkpoint of a folder that is whole; None where there is none at all.

    Raises:
        CheckpointError: there are some, and none of them can be read.
        TypeError: it is no path.
    """
    if folder is None:
        return None
    if not isinstance(folder, str | os.PathLike):
        raise TypeError(
            f"resume: expected the folder of a Checkpoint, got {folder!r}; pass its path, such as "
            "'checkpoints'"
        )
    if Path(folder).is_file():
        raise CheckpointError(
            f"expected the folder of checkpoints to resume from, got the file {folder}; to begin "
            "with the weights in it, use Model.load"
        )
    found, problems = paths(Path(folder)), []
    for path in reversed(found):
        try:
            parts = load_objects(path)
            training = parts.get("training")
            if not isinstance(training, dict) or not training.keys() >= {"task", "entropy", "done"}:
                raise ValueError(f"{path}: expected a checkpoint, got a file of something else")
        except ValueError as error:
            problems.append(str(error))
            continue
        if problems:
            text = f"going on from {path.name}, since what is newer cannot be read: {problems[0]}"
            warnings.warn(text, CheckpointWarning, stacklevel=4)
        return Saved(path, parts)
    if problems:
        raise CheckpointError(
            f"expected a checkpoint that can be read, got {len(found)} that cannot; {problems[0]}; "
            "put that right, or start afresh in another folder"
        )
    return None


def refuse_other(saved: Saved | None, task: Mapping[str, Any]) -> None:
    """Refuse a checkpoint, if there is one, of another training than the one described.

    Raises:
        CheckpointError: says what differs.
    """
    if saved is None:
        return
    then, now = flat(saved.training["task"]), flat(task)
    names = [name for name in {**now, **then} if then.get(name) != now.get(name)]
    if not names:
        return
    told = [f"{n} was {then.get(n, 'not there')}, is {now.get(n, 'not there')}" for n in names]
    more = f"; and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    raise CheckpointError(
        f"{saved.path}: expected a checkpoint of this training, got one of another: "
        f"{'; '.join(told[:SHOWN])}{more}; go on with the settings of then, choose another "
        "folder, or begin with its weights, Model.load(...)"
    )


def flat(task: Mapping[str, Any]) -> dict[str, str]:
    """Return a description as texts by path, without addresses in memory."""
    return {path: re.sub(r" at 0x[0-9a-f]+", "", f"{leaf}") for path, leaf in walk(task)}
