"""The rows of a run: loaded, divided, and put on the scale the network sees them on."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid import data
from pellucid.cli.console import note
from pellucid.cli.errors import CommandError
from pellucid.cli.settings import Settings
from pellucid.data import Dataset, Standardizer

Floats = NDArray[np.float32]
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Source:
    """A data set in its parts, as published, and the scales that were measured on the first.

    Attributes:
        description: One line for people, of the whole.
        train: Rows to train on.
        validation: Rows to watch training with, or None.
        test: Rows to test with.
        features: The scale of the features, or None.
        targets: The scale of a regression's targets, or None.
        sha256: Digest of the file, for a CSV file.
    """

    description: str
    train: Dataset
    validation: Dataset | None
    test: Dataset
    features: Standardizer | None = None
    targets: Standardizer | None = None
    sha256: str | None = None

    @property
    def outputs(self) -> int:
        """How many outputs a network needs: one a class, or one a target."""
        return self.train.classes or self.train.y.shape[1]

    @property
    def tests_training_rows(self) -> bool:
        """Whether no rows were set aside, so that the test is of what was learned."""
        return self.test is self.train

    def inputs(self, x: Floats) -> Floats:
        """Return rows on the scale the network sees."""
        return x if self.features is None else self.features.transform(x)

    def answers(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return labels as they are, targets on the scale the network sees."""
        return y if self.targets is None else self.targets.transform(y)

    def restored(self, predicted: Floats) -> Floats:
        """Return a regression's predictions in the unit of the data."""
        return predicted if self.targets is None else self.targets.inverse_transform(predicted)

    def pair(self, part: Dataset) -> tuple[Floats, NDArray[Any]]:
        """Return the x and y of a part as the network takes them."""
        return self.inputs(part.x), self.answers(part.y)


def prepare(settings: Settings) -> Source:
    """Load the data set, divide it and measure its scales.

    Raises:
        ValueError, TypeError, OSError, ImportError: it cannot be had, or not be divided like that.
        CommandError: there is only one class.
    """
    whole, test = _load(settings)
    if whole.task == "classification" and len(np.unique(whole.y)) < 2:
        raise CommandError(
            f"{settings.dataset}: expected at least two classes in the column to predict, got only "
            f"{whole.class_names[0]!r}; choose another with --target, or --task regression"
        )
    train, validation, test = _divide(whole, test, settings)
    features = targets = None
    if settings.standardize:
        features = Standardizer().fit(train.x)
        targets = Standardizer().fit(train.y) if whole.task == "regression" else None
    digest = None
    if settings.is_file:
        digest = hashlib.sha256(Path(settings.dataset).read_bytes()).hexdigest()
    return Source(whole.description, train, validation, test, features, targets, digest)


def _load(settings: Settings) -> tuple[Dataset, Dataset | None]:
    """Return the data set, and its own test set if it has one."""
    if settings.is_file:
        task: Any = settings.task
        fill: Any = settings.fill
        return data.load_csv(settings.dataset, settings.target, task=task, fill=fill), None
    if settings.samples is None:
        return data.load(settings.dataset, folder=settings.data, progress=_Download())
    samples, noise, seed = settings.samples, settings.noise or 0.0, settings.seed
    if settings.dataset == "blobs":
        return data.blobs(samples, spread=noise, seed=seed), None
    if settings.dataset == "spiral":
        return data.spiral(max(1, samples // 3), noise=noise, seed=seed), None
    make: dict[str, Callable[..., Dataset]]
    make = {"moons": data.moons, "circles": data.circles, "xor": data.xor, "sine": data.sine}
    return make[settings.dataset](samples, noise=noise, seed=seed), None


def _divide(
    whole: Dataset, test: Dataset | None, settings: Settings
) -> tuple[Dataset, Dataset | None, Dataset]:
    """Return rows for training, validation and test, each class in proportion where that can be."""
    seed = settings.seed
    if settings.test:
        return data.split(whole, test=settings.test, validation=settings.validation, seed=seed)
    if settings.validation:
        train, _, validation = data.split(whole, test=settings.validation, seed=seed)
    else:
        train, validation = whole, None
    return train, validation, train if test is None else test


class _Download:
    """Says that a file is being downloaded: once, or on a terminal how far it has come."""

    def __init__(self) -> None:
        self._announced = False

    def __call__(self, done: int, size: int) -> None:
        if sys.stderr.isatty():
            end = "\n" if done >= size else ""
            text = f"\rdownloading: {done / _MEGABYTE:.1f} of {size / _MEGABYTE:.1f} MB"
            print(text, end=end, file=sys.stderr, flush=True)
        elif not self._announced:
            self._announced = True
            note(f"downloading into {data.cache_folder()}, this once")
