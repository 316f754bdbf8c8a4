"""Cutting rows into batches, shuffled or in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.calls import helpful
from pellucid.data.arguments import Seed, whole

Rows: TypeAlias = NDArray[Any]
Batch: TypeAlias = tuple[Rows, Rows]


@helpful
def batch_indices(
    n: int, batch_size: int, rng: np.random.Generator | None = None, drop_last: bool = False
) -> Iterator[slice | NDArray[np.int64]]:
    """Return an iterator over the batches of one epoch, as something to index rows with.

    Every row 0..n-1 is in exactly one batch, save those of a last, smaller batch that
    `drop_last` leaves out. Where `batch_size` exceeds n, one batch holds all rows.

    Args:
        n: Number of rows.
        batch_size: Rows in a batch.
        rng: Generator that draws the order, at this call; None keeps the rows in order, and
            gives slices, which take no copy.
        drop_last: Whether to leave out a last batch of fewer rows.

    Raises:
        TypeError: `n` or `batch_size` is no integer.
        ValueError: Either is below 1, or `drop_last` would leave no batch at all.

    >>> import numpy as np
    >>> from pellucid import data
    >>> list(data.batch_indices(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    >>> [len(rows) for rows in data.batch_indices(5, 2, np.random.default_rng(0))]
    [2, 2, 1]
    """
    n, batch_size = whole(n, "n"), whole(batch_size, "batch_size")
    if drop_last and batch_size > n:
        raise ValueError(
            f"batch_size: expected at most the {n} rows there are, got {batch_size}, which with "
            "drop_last leaves no batch; make it smaller or keep the last batch"
        )
    starts = range(0, n - batch_size + 1 if drop_last else n, batch_size)
    spans = (slice(start, min(start + batch_size, n)) for start in starts)
    if rng is None:
        return spans
    order = rng.permutation(n)
    return (order[span] for span in spans)


@overload
def batches(
    x: ArrayLike,
    y: None = None,
    *,
    batch_size: int = 32,
    shuffle: bool = True,
    seed: Seed = None,
    drop_last: bool = False,
) -> Iterator[Rows]: ...


@overload
def batches(
    x: ArrayLike,
    y: ArrayLike,
    *,
    batch_size: int = 32,
    shuffle: bool = True,
    seed: Seed = None,
    drop_last: bool = False,
) -> Iterator[Batch]: ...


@helpful
def batches(
    x: ArrayLike,
    y: ArrayLike | None = None,
    *,
    batch_size: int = 32,
    shuffle: bool = True,
    seed: Seed = None,
    drop_last: bool = False,
) -> Iterator[Rows] | Iterator[Batch]:
    """Return an iterator over one epoch of batches: (xb, yb), or xb alone where there is no y.

    Every row is in exactly one batch, save those of a last, smaller batch that `drop_last`
    leaves out. Where `batch_size` exceeds N, one batch holds all rows. Arguments are checked at
    this call, not when the first batch is asked for.

    Args:
        x: Rows (N, ...).
        y: Labels or targets (N, ...), cut alike; None for none.
        batch_size: Rows in a batch.
        shuffle: Whether to draw a random order; batches in order are views, not copies.
        seed: Seed or generator of the order. A seed gives the same order at every call; for
            another one each epoch, pass the same generator each time.
        drop_last: Whether to leave out a last batch of fewer rows.

    Raises:
        TypeError: `batch_size` is no integer.
        ValueError: `x` has no rows, `y` has another number of them, `batch_size` is below 1, or
            `drop_last` would leave no batch at all.

    >>> from pellucid import data
    >>> x, y = [[1.0], [2.0], [3.0]], [0, 1, 0]
    >>> for batch_x, batch_y in data.batches(x, y, batch_size=2, shuffle=False):
    ...     print(batch_x.tolist(), batch_y.tolist())
    [[1.0], [2.0]] [0, 1]
    [[3.0]] [0]
    """
    rows = np.asarray(x)
    if rows.ndim == 0 or len(rows) == 0:
        raise ValueError(f"x: expected at least one row, got shape {rows.shape}; pass (N, ...)")
    rng = np.random.default_rng(seed) if shuffle else None
    chosen = batch_indices(len(rows), batch_size, rng, drop_last)
    if y is None:
        return (_pick(rows, index) for index in chosen)
    answers = np.asarray(y)
    if answers.ndim == 0 or len(answers) != len(rows):
        raise ValueError(
            f"expected one y for each row of x, got x of shape {rows.shape} and y of shape "
            f"{answers.shape}; pass arrays of equal length"
        )
    return ((_pick(rows, index), _pick(answers, index)) for index in chosen)


def _pick(rows: NDArray[Any], index: slice | NDArray[np.int64]) -> NDArray[Any]:
    """Return the rows at `index`: a view for a slice, a gathered copy for row numbers."""
    return rows[index] if isinstance(index, slice) else np.take(rows, index, axis=0)
