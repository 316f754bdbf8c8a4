"""The folder of a run: checked before training, filled after it, each file in one step."""

from __future__ import annotations

import csv
import io
import json
import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pellucid.cli.errors import CommandError
from pellucid.files import write_text

CONFIG, REPORT, CHECKPOINTS = "config.json", "report.html", "checkpoints"
PICTURES = (
    "training_curves.png",
    "confusion_matrix.png",
    "predictions.png",
    "decision_boundary.png",
    "regression_fit.png",
    "comparison.png",
)
NAMES = (
    CONFIG,
    "history.csv",
    "history.json",
    "report.txt",
    "report.json",
    REPORT,
    "confusion_matrix.csv",
    "model.safetensors",
    "comparison.json",
    "doctor.json",
    *PICTURES,
)


class Folder:
    """Where a run writes; ``written`` lists the files it wrote."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.written: list[str] = []
        self._has_earlier_run = (self.path / CONFIG).is_file()

    def prepare(self, resume: bool = False) -> None:
        """Make the folder, and see that every file of a run can be written there.

        Raises:
            CommandError: it cannot, or something else is in the way: files in place of folders, or
                checkpoints of a run that this one does not ``resume``.
        """
        if not resume and self.checkpoints.is_dir() and any(self.checkpoints.iterdir()):
            raise CommandError(
                f"--out: expected a folder without checkpoints of an earlier run, got "
                f"{self.checkpoints}; go on with --resume, delete it, or choose another folder"
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            raise CommandError(
                f"--out: expected a folder that can be written to, got {self.path} "
                f"({error.strerror}: {error.filename}); choose another"
            ) from error
        taken = [name for name in NAMES if (self.path / name).is_dir()]
        if taken:
            raise CommandError(
                f"--out: expected room for the file {taken[0]}, got a folder of that name in "
                f"{self.path}; move it away, or choose another folder"
            )

    @property
    def checkpoints(self) -> Path:
        """Where training is written down while it goes on."""
        return self.path / CHECKPOINTS

    def forget_earlier_run(self) -> None:
        """Remove what an earlier run wrote and this one did not, so that all files are of one."""
        for name in NAMES:
            if self._has_earlier_run and name not in self.written:
                (self.path / name).unlink(missing_ok=True)

    def write(self, name: str, how: Callable[[Path], object]) -> None:
        """Let a function that takes a path write a file."""
        how(self.path / name)
        if name not in self.written:
            self.written.append(name)

    def text(self, name: str, text: str) -> None:
        """Write a text file."""
        self.write(name, lambda path: write_text(path, text))

    def json(self, name: str, values: Any) -> None:
        """Write a JSON file, in which NaN and infinity are null."""
        self.text(name, to_json(values, indent=2) + "\n")

    def csv(self, name: str, rows: Sequence[Sequence[Any]]) -> None:
        """Write a CSV file."""
        lines = io.StringIO()
        csv.writer(lines, lineterminator="\n").writerows(rows)
        self.text(name, lines.getvalue())


def to_json(values: Any, indent: int | None = None) -> str:
    """Return plain data as JSON, in which NaN and infinity are null."""
    return json.dumps(_finite(values), indent=indent, ensure_ascii=False, allow_nan=False)


def _finite(values: Any) -> Any:
    if isinstance(values, dict):
        return {str(name): _finite(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [_finite(value) for value in values]
    if isinstance(values, float) and not math.isfinite(values):
        return None
    return values
