"""The datasets that go by a name, for the command line and for a reader who wants to look."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pellucid.calls import helpful
from pellucid.data import images, synthetic
from pellucid.data.arguments import Seed
from pellucid.data.dataset import Dataset
from pellucid.data.sources import Progress


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a dataset before it is loaded.

    Attributes:
        name: What to call `load` with.
        description: One line for people.
        rows: Rows of the training set.
        shape: Shape of one row.
        classes: Number of classes; 0 for regression.
        needs: What must be there first: "nothing", "scikit-learn", or, for files that are on
            disk or fetched, "download".

    >>> from pellucid import data
    >>> info = data.catalogue()["mnist"]
    >>> info.rows, info.shape, info.classes, info.needs
    (60000, (784,), 10, 'download')
    """

    name: str
    description: str
    rows: int
    shape: tuple[int, ...]
    classes: int
    needs: Literal["nothing", "scikit-learn", "download"]


_INFOS = (
    DatasetInfo("digits", "handwritten digits, 8x8 pixels", 1797, (64,), 10, "scikit-learn"),
    DatasetInfo("mnist", "handwritten digits, 28x28 pixels", 60_000, (784,), 10, "download"),
    DatasetInfo("fashion-mnist", "clothing, 28x28 pixels", 60_000, (784,), 10, "download"),
    DatasetInfo("moons", "two interleaving half circles", 200, (2,), 2, "nothing"),
    DatasetInfo("circles", "a circle inside another", 200, (2,), 2, "nothing"),
    DatasetInfo("blobs", "round normal clouds", 200, (2,), 3, "nothing"),
    DatasetInfo("spiral", "arms wound around the origin", 300, (2,), 3, "nothing"),
    DatasetInfo("xor", "the truth table of exclusive or", 4, (2,), 2, "nothing"),
    DatasetInfo("sine", "one period of a sine, to be regressed", 200, (1,), 0, "nothing"),
)
_SYNTHETIC: dict[str, Callable[[Seed], Dataset]] = {
    "moons": lambda seed: synthetic.moons(seed=seed),
    "circles": lambda seed: synthetic.circles(seed=seed),
    "blobs": lambda seed: synthetic.blobs(seed=seed),
    "spiral": lambda seed: synthetic.spiral(seed=seed),
    "xor": lambda seed: synthetic.xor(seed=seed),
    "sine": lambda seed: synthetic.sine(seed=seed),
}
_FROM_FILES = {"mnist": images.mnist, "fashion-mnist": images.fashion_mnist}


@helpful
def catalogue() -> dict[str, DatasetInfo]:
    """Return what is known of each dataset that `load` takes, by name.

    >>> from pellucid import data
    >>> [name for name, info in data.catalogue().items() if info.needs == "nothing"]
    ['moons', 'circles', 'blobs', 'spiral', 'xor', 'sine']
    """
    return {info.name: info for info in _INFOS}


@helpful
def load(
    name: str,
    seed: Seed = None,
    folder: str | Path | None = None,
    *,
    progress: Progress | None = None,
) -> tuple[Dataset, Dataset | None]:
    """Return the dataset of that name as (train, test), test None where it has no set of its own.

    Args:
        name: A key of `catalogue()`.
        seed: Seed or generator of a synthetic dataset; the others are fixed and ignore it.
        folder: Where the files of a dataset that needs them are; see `mnist`.
        progress: Called with (bytes so far, bytes in all) of each file as it is downloaded.

    Raises:
        ValueError: No dataset has that name, or `folder` is given for one without files.
        ImportError: The dataset needs scikit-learn, which is not installed.
        FileNotFoundError: Its files are neither on disk nor to be had.

    >>> from pellucid import data
    >>> train, test = data.load("moons", seed=0)
    >>> train
    <Dataset moons: 200 rows, 2 features, 2 classes>
    >>> test is None
    True
    """
    known = catalogue()
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "pass one of these"
        raise ValueError(f"dataset: expected one of {', '.join(known)}; got {name!r}; {hint}")
    if name in _FROM_FILES:
        return _FROM_FILES[name](folder, progress=progress)
    if folder is not None:
        raise ValueError(
            f"folder: expected none for {name}, which is not read from files, got {folder!r}; "
            "leave it out"
        )
    return (images.digits() if name == "digits" else _SYNTHETIC[name](seed)), None
