"""Dividing rows into parts for training, validation and test, in proportion by class."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.calls import helpful
from pellucid.data.arguments import Seed, whole
from pellucid.data.dataset import Dataset


class Split(NamedTuple):
    """A dataset in parts that share no row and leave none out.

    >>> from pellucid import data
    >>> train, validation, test = data.split(data.xor(8), test=4, seed=0)
    >>> len(train), validation, len(test)
    (4, None, 4)
    """

    train: Dataset
    validation: Dataset | None
    test: Dataset


class SplitIndices(NamedTuple):
    """Row numbers of each part, int64, in shuffled order; `validation` may be empty.

    >>> from pellucid import data
    >>> names = ["cat", "cat", "dog", "dog"]
    >>> train, validation, test = data.split_indices(4, test=2, labels=names, seed=0)
    >>> sorted(names[row] for row in test), validation.size
    (['cat', 'dog'], 0)
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


@helpful
def split(
    dataset: Dataset,
    *,
    test: float = 0.2,
    validation: float = 0.0,
    stratify: bool | None = None,
    seed: Seed = None,
) -> Split:
    """Divide a dataset at random into training, validation and test parts.

    With `stratify` each part has every class in its proportion, to within one row, as
    `split_indices` describes.

    Args:
        dataset: The rows to divide.
        test: Size of the test part: a float in (0, 1) is a fraction, an integer a row count.
        validation: Size of the validation part, likewise; 0 for none.
        stratify: Whether to keep class proportions. None does so for classification when each
            class has at least one row for every part.
        seed: Seed or generator of the shuffling.

    Raises:
        TypeError: `dataset` is none, or a size is no number.
        ValueError: A part would have no rows, or `stratify` is True for regression or for a
            class with fewer rows than there are parts.

    >>> import numpy as np
    >>> from pellucid import data
    >>> moons = data.moons(100, seed=0)
    >>> parts = data.split(moons, test=0.2, validation=10, seed=0)
    >>> len(parts.train), len(parts.validation), len(parts.test)
    (70, 10, 20)
    >>> np.bincount(parts.test.y).tolist()  # half of each class, as in all of it
    [10, 10]
    """
    if not isinstance(dataset, Dataset):
        raise TypeError(
            f"expected a Dataset, got {type(dataset).__name__}; make one of your arrays, "
            'data.Dataset("mine", x, y, class_names), or divide the numbers of their rows, '
            "data.split_indices(len(x))"
        )
    labels = _strata(dataset, stratify, parts=2 if validation == 0 else 3)
    chosen = split_indices(len(dataset), test=test, validation=validation, labels=labels, seed=seed)
    return Split(
        train=dataset.take(chosen.train),
        validation=dataset.take(chosen.validation) if chosen.validation.size else None,
        test=dataset.take(chosen.test),
    )


@helpful
def split_indices(
    n: int,
    *,
    test: float = 0.2,
    validation: float = 0.0,
    labels: ArrayLike | None = None,
    seed: Seed = None,
) -> SplitIndices:
    """Divide the row numbers 0..n-1 at random into three parts.

    A fraction f stands for round(f n) rows. With labels, class k of n_k rows puts either
    floor(n_k s / n) or ceil(n_k s / n) of them in a part of s rows, so every class is within
    one row of its exact share of every part, and the parts have their exact sizes. Without a
    validation part, the classes of largest remainder are those rounded up.

    Args:
        n: Number of rows.
        test: Size of the test part: a float in (0, 1) is a fraction, an integer a row count.
        validation: Size of the validation part, likewise; 0 for none.
        labels: The class of each row, (n,) of anything sortable, to stratify by; None not to.
        seed: Seed or generator of the shuffling.

    Raises:
        TypeError: A size is no number.
        ValueError: A part would have no rows, or `labels` has another length than n.

    Source: the rounding is L. H. Cox, "A Constructive Procedure for Unbiased Controlled
    Rounding", Journal of the American Statistical Association 82:520-524, 1987.

    >>> from pellucid import data
    >>> rows = data.split_indices(10, test=0.3, seed=0)
    >>> len(rows.train), len(rows.validation), len(rows.test)
    (7, 0, 3)
    >>> sorted([*rows.train.tolist(), *rows.test.tolist()])
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    n = whole(n, "n", least=2)
    sizes = _sizes(n, test, validation)
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    if labels is None:
        return SplitIndices(*np.split(order, np.cumsum(sizes)[:-1]))
    names = np.asarray(labels)
    if names.shape != (n,):
        raise ValueError(
            f"labels: expected shape ({n},), one for each row, got {names.shape}; "
            "pass the labels of exactly these rows"
        )
    _, class_of, counts = np.unique(names, return_inverse=True, return_counts=True)
    shares = _shares(counts, sizes)  # (K, 3)
    by_class = order[np.argsort(class_of[order], kind="stable")]  # classes in turn, each shuffled
    pieces = np.split(by_class, np.cumsum(shares)[:-1])  # class 0's three parts, class 1's, ...
    return SplitIndices(*(rng.permutation(np.concatenate(pieces[p::3])) for p in range(3)))


def _strata(dataset: Dataset, stratify: bool | None, parts: int) -> NDArray[Any] | None:
    """Return the labels to stratify by, None where `stratify` or the data say not to."""
    if stratify is False or (stratify is None and dataset.task == "regression"):
        return None
    if dataset.task == "regression":
        raise ValueError(
            f"{dataset.name}: expected classes to stratify by, got a regression dataset; "
            "leave stratify out"
        )
    counts = np.bincount(dataset.y.astype(np.int64))
    rare = np.flatnonzero((counts > 0) & (counts < parts))
    if rare.size == 0:
        return dataset.y
    if stratify is None:
        return None
    raise ValueError(
        f"{dataset.name}: expected at least {parts} rows of each class to stratify, got "
        f"{counts[rare[0]]} of class {dataset.class_names[rare[0]]!r}; "
        "pass stratify=False, or merge or drop rare classes"
    )


def _sizes(n: int, test: float, validation: float) -> tuple[int, int, int]:
    """Return the row counts of (train, validation, test); all but validation at least 1."""
    test_rows = _rows(n, test, "test")
    validation_rows = 0 if validation == 0 else _rows(n, validation, "validation")
    train_rows = n - validation_rows - test_rows
    if train_rows < 1:
        raise ValueError(
            f"expected test and validation to leave rows for training, got {test_rows} + "
            f"{validation_rows} of {n} rows; make them smaller"
        )
    return train_rows, validation_rows, test_rows


def _rows(n: int, size: float, name: str) -> int:
    """Return the row count that `size`, a fraction or a count, stands for."""
    wanted = f"a fraction in (0, 1) or a row count in 1..{n - 1}"
    if isinstance(size, bool) or not isinstance(size, int | float | np.integer | np.floating):
        raise TypeError(f"{name}: expected {wanted}, got {size!r}; pass a number")
    if isinstance(size, int | np.integer):
        rows = int(size)
    elif 0.0 < size < 1.0:
        rows = round(float(size) * n)
    else:
        rows = 0  # NaN, a negative number, or 1.0 and above, which stands for no fraction
    if not 1 <= rows < n:
        raise ValueError(
            f"{name}: expected {wanted}, got {size}, which would leave a part of {n} rows empty; "
            "pass another size or more rows"
        )
    return rows


def _shares(counts: NDArray[np.int64], sizes: tuple[int, int, int]) -> NDArray[np.int64]:
    """Return integers a (K, P) with row sums `counts`, column sums `sizes`, each near its share.

    The exact share n_k s_p / n is kept as a whole number and a remainder in units of 1/n.
    Remainders of a row or column sum to whole numbers, so one that is not zero has company, and
    a walk along such cells closes to a loop. Adding to every second cell of the loop what is
    taken from the others keeps all sums, and done until a cell is 0 or 1 leaves fewer remainders.
    """
    n = int(counts.sum())
    shares, rest = np.divmod(np.outer(counts, sizes), n)  # (K, P) each
    while rest.any():
        cells = _loop(rest)
        one, other = tuple(zip(*cells[::2], strict=True)), tuple(zip(*cells[1::2], strict=True))
        up = min(n - rest[one].max(), rest[other].min())
        down = min(rest[one].min(), n - rest[other].max())
        step = up if up <= down else -down  # the shorter way keeps to the nearer whole number
        rest[one] += step
        rest[other] -= step
        shares += rest == n
        rest[rest == n] = 0
    return shares


def _loop(rest: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return cells (k, p) where `rest` is not zero, in a loop that turns at every cell.

    A column is left by its largest remainder and a row by its smallest. Between two parts the
    largest is thus topped up from the smallest, which is the rule of the largest remainders.
    """
    columns = rest.shape[1]
    nodes = [int(np.flatnonzero(rest.any(axis=0))[0])]  # columns are 0..P-1, row k is P + k
    before = -1
    while True:
        here = nodes[-1]
        if here < columns:
            near = [int(k) + columns for k in np.argsort(-rest[:, here], kind="stable")[:2]]
        else:
            by_size = np.argsort(rest[here - columns], kind="stable")
            near = [int(p) for p in by_size if rest[here - columns, p]]
        ahead = next(node for node in near if node != before)
        if ahead in nodes:
            loop = [*nodes[nodes.index(ahead) :], ahead]
            return [(max(edge) - columns, min(edge)) for edge in pairwise(loop)]
        before = here
        nodes.append(ahead)
