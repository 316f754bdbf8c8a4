"""Texts and tables by name: tiny Shakespeare, names of people, the quality of wine.

The files of each are looked for, and fetched where they are not, as `mnist` does it.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from pellucid.calls import helpful
from pellucid.data.dataset import Dataset, Task
from pellucid.data.published import Published, locate, read_checked
from pellucid.data.sources import Progress, RemoteFile
from pellucid.data.table import load_csv

Wine: TypeAlias = Literal["red", "white"]

SHAKESPEARE = Published(
    name="tiny-shakespeare",
    mirrors=("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/",),
    files=(
        RemoteFile(
            "input.txt",
            1_115_394,
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        ),
    ),
)
NAMES = Published(
    name="names",
    mirrors=("https://raw.githubusercontent.com/karpathy/makemore/master/",),
    files=(
        RemoteFile(
            "names.txt",
            228_145,
            "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
        ),
    ),
)
WINE = {
    "red": Published(
        name="wine-quality",
        mirrors=("https://archive.ics.uci.edu/ml/machine-learning-databases/wine-quality/",),
        files=(
            RemoteFile(
                "winequality-red.csv",
                84_199,
                "4a402cf041b025d4566d954c3b9ba8635a3a8a01e039005d97d6a710278cf05e",
            ),
        ),
    ),
    "white": Published(
        name="wine-quality",
        mirrors=("https://archive.ics.uci.edu/ml/machine-learning-databases/wine-quality/",),
        files=(
            RemoteFile(
                "winequality-white.csv",
                264_426,
                "76c3f809815c17c07212622f776311faeb31e87610d52c26d87d6e361b169836",
            ),
        ),
    ),
}


@helpful
def shakespeare(folder: str | Path | None = None, *, progress: Progress | None = None) -> str:
    """Tiny Shakespeare: 1,115,394 characters of his plays, 65 of them different.

    Customary is to train on the first 1,003,854 characters and to validate on the rest; `text`
    makes windows of them. The file is found as `mnist` finds its files.

    Args:
        folder: Where input.txt or the folder tiny-shakespeare is; nothing is downloaded if it is
            not there.
        progress: Called with (bytes so far, bytes in all) as it is downloaded.

    Raises:
        FileNotFoundError: The file is in none of the places; the message names each.
        ValueError: The file is not the published one.

    Source: the plays are in the public domain; collected by A. Karpathy, "The Unreasonable
    Effectiveness of Recurrent Neural Networks", 2015, in char-rnn, under the MIT licence.

    >>> import tempfile
    >>> from pellucid import data
    >>> with tempfile.TemporaryDirectory() as empty:
    ...     plays = data.shakespeare(empty)
    Traceback (most recent call last):
        ...
    FileNotFoundError: tiny-shakespeare: expected the files input.txt, ...
    """
    return _read(SHAKESPEARE, folder, progress)


@helpful
def names(folder: str | Path | None = None, *, progress: Progress | None = None) -> tuple[str, ...]:
    """32,033 first names of people, two to fifteen letters a-z each.

    For a model of characters join them with line ends between. The file is found as `mnist` finds
    its files.

    Args:
        folder: Where names.txt or the folder names is; nothing is downloaded if it is not there.
        progress: Called with (bytes so far, bytes in all) as it is downloaded.

    Raises:
        FileNotFoundError: The file is in none of the places; the message names each.
        ValueError: The file is not the published one.

    Source: names of 2018 from the public list of the US Social Security Administration; collected
    by A. Karpathy in makemore, 2022, under the MIT licence.

    >>> import tempfile
    >>> from pellucid import data
    >>> with tempfile.TemporaryDirectory() as empty:
    ...     people = data.names(empty)
    Traceback (most recent call last):
        ...
    FileNotFoundError: names: expected the files names.txt, ...
    """
    return tuple(_read(NAMES, folder, progress).split("\n"))


@helpful
def wine_quality(
    colour: Wine = "red",
    folder: str | Path | None = None,
    *,
    task: Task = "classification",
    progress: Progress | None = None,
) -> Dataset:
    """Portuguese wines, 1,599 red or 4,898 white: eleven chemical measurements and a mark.

    Marks are whole numbers, 3 to 8 or 9, given by tasters; extreme ones are rare. Some wines
    occur more than once, so a random split puts equal rows on both sides. The file is found as
    `mnist` finds its files.

    Args:
        colour: "red" or "white".
        folder: Where the CSV file or the folder wine-quality is; nothing is downloaded if it is
            not there.
        task: Whether marks are classes or numbers.
        progress: Called with (bytes so far, bytes in all) as it is downloaded.

    Returns:
        x float32 (N, 11) with `feature_names`; y int64 (N,) of the classes, or float32 (N, 1).

    Raises:
        FileNotFoundError: The file is in none of the places; the message names each.
        ValueError: `colour` is neither of the two, `task` no task, or the file is not the
            published one.

    Source: P. Cortez, A. Cerdeira, F. Almeida, T. Matos, J. Reis, "Modeling wine preferences by
    data mining from physicochemical properties", Decision Support Systems 47(4):547-553, 2009;
    UCI Machine Learning Repository, doi:10.24432/C56S3T, under CC BY 4.0.

    >>> import tempfile
    >>> from pellucid import data
    >>> with tempfile.TemporaryDirectory() as empty:
    ...     wines = data.wine_quality("white", empty)
    Traceback (most recent call last):
        ...
    FileNotFoundError: wine-quality: expected the files winequality-white.csv, ...
    """
    if colour not in get_args(Wine):
        raise ValueError(f"colour: expected 'red' or 'white', got {colour!r}; pass one of these")
    source = WINE[colour]
    path = locate(source, folder, progress)[0]
    read_checked(path, source.files[0])
    dataset = load_csv(path, "quality", task=task, delimiter=";")
    return dataclasses.replace(dataset, name=f"{colour} wine quality")


def _read(source: Published, folder: str | Path | None, progress: Progress | None) -> str:
    path = locate(source, folder, progress)[0]
    return read_checked(path, source.files[0]).decode("utf-8")
