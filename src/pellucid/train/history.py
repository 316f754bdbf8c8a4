"""What happened in training: one number an epoch for the loss and every metric."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from pellucid.errors import unknown
from pellucid.figures.curves import training_curves
from pellucid.figures.html import table
from pellucid.files import write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Mode: TypeAlias = Literal["min", "max"]


class History(Mapping[str, list[float]]):
    """A read-only mapping from a name ("loss", "val_loss", "accuracy", ...) to its values by epoch.

    ``stopped`` says why training ended before the last epoch; it is empty if it did not.
    ``anomaly`` tells what made a number that is not finite, if that ended it. ``eager`` says why
    updates were no native code; it is empty if they were, or were not to be. ``lower`` names the
    values, beside losses and errors, that are better when they are smaller.

    >>> from pellucid import train
    >>> history = train.History({"loss": [0.9, 0.5, 0.3], "val_loss": [0.8, 0.6, 0.7]})
    >>> history
    History(3 epochs: loss=0.3, val_loss=0.7)
    >>> history["val_loss"][history.best_epoch() - 1]
    0.6
    """

    def __init__(
        self,
        values: Mapping[str, list[float]] | None = None,
        stopped: str = "",
        lower: Iterable[str] = (),
    ) -> None:
        self._values = {name: list(numbers) for name, numbers in (values or {}).items()}
        self.stopped = stopped
        self.anomaly = ""
        self.eager = ""
        self.lower = frozenset(lower)

    def append(self, logs: Mapping[str, float]) -> None:
        """Add the values of one epoch; a name seen for the first time has NaN before."""
        before = self.epochs
        for name in logs:
            self._values.setdefault(name, [math.nan] * before)
        for name, numbers in self._values.items():
            numbers.append(float(logs.get(name, math.nan)))

    @property
    def epochs(self) -> int:
        """The number of epochs recorded."""
        return max(map(len, self._values.values()), default=0)

    def best_epoch(self, monitor: str | None = None, mode: Mode | None = None) -> int:
        """Return the epoch, counted from 1, with the lowest loss or error or the highest score.

        Without ``monitor`` it is the validation loss, or the training loss if there was no
        validation.

        Raises:
            ValueError: no epoch was recorded, or no such value, or it is NaN in every epoch.
        """
        if not self.epochs:
            raise ValueError("expected at least one epoch, got an empty history; call fit first")
        if monitor is None:
            monitor = "val_loss" if "val_loss" in self._values else "loss"
        if monitor not in self._values:
            raise unknown("history entry", monitor, self._values)
        sign = self.direction(monitor, mode)
        numbers = {e: sign * v for e, v in enumerate(self._values[monitor], 1) if not math.isnan(v)}
        if not numbers:
            raise ValueError(
                f"expected numbers to compare, got {monitor} of NaN in every epoch; try a lower "
                "learning rate"
            )
        return min(numbers, key=numbers.__getitem__)

    def direction(self, name: str, mode: Mode | None = None) -> int:
        """Return 1 if a smaller value of this name is the better one, -1 if a larger one is."""
        if mode is None and name.removeprefix("val_") in self.lower:
            mode = "min"
        return direction(name, mode)

    def plot(self, *, ax: Axes | None = None) -> Figure:
        """Return a picture of every value by epoch; see `viz.training_curves`.

        Raises:
            ValueError: no epoch was recorded.
            ImportError: matplotlib is not installed.
        """
        return training_curves(self, ax=ax)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one row an epoch, atomically."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["epoch", *self._values])
        columns = [range(1, self.epochs + 1), *self._values.values()]
        writer.writerows(zip(*columns, strict=True))
        write_text(path, text.getvalue())

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write values and the reason for stopping, atomically; NaN and infinity become null."""
        values = {
            name: [v if math.isfinite(v) else None for v in numbers]
            for name, numbers in self._values.items()
        }
        record = {"stopped": self.stopped, "lower": sorted(self.lower), "values": values}
        write_text(path, json.dumps(record, indent=2) + "\n")

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> History:
        """Read what `to_json` wrote."""
        record = json.loads(Path(path).read_text(encoding="utf-8"))
        values = {
            name: [math.nan if v is None else v for v in numbers]
            for name, numbers in record["values"].items()
        }
        return cls(values, record["stopped"], record["lower"])

    def __getitem__(self, name: str) -> list[float]:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        last = ", ".join(f"{name}={numbers[-1]:.4g}" for name, numbers in self._values.items())
        unit = "epoch" if self.epochs == 1 else "epochs"
        return f"History({self.epochs} {unit}{': ' if last else ''}{last})"

    def _repr_html_(self) -> str:
        """Return first, best and last value of each name as a table."""
        rows = []
        for name, numbers in self._values.items():
            told = ""
            if name != "lr" and not all(map(math.isnan, numbers)):
                epoch = self.best_epoch(name)
                told = f"{numbers[epoch - 1]:.4g} (epoch {epoch})"
            rows.append((name, f"{numbers[0]:.4g}", told, f"{numbers[-1]:.4g}"))
        epochs = f"{self.epochs} epoch{'s' if self.epochs != 1 else ''}"
        return table((epochs, "first", "best", "last"), rows)


def direction(name: str, mode: Mode | None = None) -> int:
    """Return 1 if a smaller value of this name is the better one, -1 if a larger one is.

    Without ``mode`` losses and errors are better when smaller, everything else when larger.
    """
    if mode not in (None, "min", "max"):
        raise ValueError(f'expected mode to be "min", "max" or None, got {mode!r}')
    if mode is None:
        mode = "min" if name.removeprefix("val_") in {"loss", "mae", "mse", "rmse"} else "max"
    return 1 if mode == "min" else -1
