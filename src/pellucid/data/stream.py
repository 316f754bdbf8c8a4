"""Batches for training, epoch after epoch, from data that need not fit into memory."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.calls import helpful
from pellucid.data.arguments import Seed, whole
from pellucid.data.background import ahead
from pellucid.data.characters import TextWindows
from pellucid.data.dataset import Dataset
from pellucid.data.loader import Batch, batch_indices
from pellucid.data.several import Several, are_several, each, put_together, taken_apart

Transform: TypeAlias = Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]
"""Takes the x of a batch (B, ...) and a generator to draw from; returns the x to train on."""

_ORDER, _CHANGE = 0, 1  # which of an epoch's random streams: the order of rows, the transforms


@helpful
class Loader:
    """Batches (x, y) of a source; each iteration over the loader is one epoch.

    Only the rows of a few batches are in memory at a time. A thread makes batches while the last
    one is being used. Every epoch has its own order and its own augmentation, both drawn from
    (seed, epoch), so that the same seed gives the same epochs, whatever `prefetch` is. An error
    in the source or the transform is raised in the loop that asked for the batch.

    Attributes:
        epoch: Number of the next iteration, from 0. Set it to repeat an epoch or to go on after
            others.

    Args:
        source: What has the examples:
            a pair of arrays (x, y) of equal length, which may be `numpy.memmap`, and x a tuple of
            arrays or a dictionary of them, for a network of several inputs;
            or a `Dataset`, or the windows of a text;
            or an object with `__len__`, and `__getitem__` that returns example i as a pair (x, y);
            or a function that returns an iterator over one epoch of examples (x, y), or with
            `batch_size=None` of batches. If it needs an argument, that is a generator to draw
            from, another one each epoch.
        batch_size: Rows in a batch; None where a function makes the batches itself.
        shuffle: Whether each epoch has an order of its own. None shuffles whatever has rows to
            shuffle; the order of a function is its own affair.
        seed: Seed or generator of orders and transforms.
        transform: Applied to the x of every batch, as `transform(x, rng)`, such as `RandomShift`.
            It may write into x, which is a copy.
        prefetch: How many batches are made ahead; 0 makes them in the loop itself.
        drop_last: Whether to leave out a last batch of fewer rows.

    Raises:
        TypeError: The source is none of these, `transform` does not take two arguments, or a
            number is no integer.
        ValueError: There are no rows, x and y differ in length, `batch_size` is below 1 or None
            for a source with rows, `shuffle` is True for a function, or `drop_last` would leave
            no batch at all.

    >>> from pellucid import data
    >>> x, y = [[1.0], [2.0], [3.0]], [0, 1, 0]
    >>> loader = data.Loader((x, y), batch_size=2, shuffle=False)
    >>> len(loader)
    2
    >>> [(x.tolist(), y.tolist()) for x, y in loader]
    [([[1.0], [2.0]], [0, 1]), ([[3.0]], [0])]
    >>> loader.epoch
    1
    """

    def __init__(
        self,
        source: Any,
        batch_size: int | None = 32,
        *,
        shuffle: bool | None = None,
        seed: Seed = None,
        transform: Transform | None = None,
        prefetch: int = 2,
        drop_last: bool = False,
    ) -> None:
        if isinstance(batch_size, np.ndarray | list):
            raise TypeError(
                "batch_size: expected an integer of at least 1, got an array or a list; pass x "
                "and y as a pair, Loader((x, y))"
            )
        self.batch_size = None if batch_size is None else whole(batch_size, "batch_size")
        self.prefetch = whole(prefetch, "prefetch", least=0)
        self.drop_last = drop_last
        self.epoch = 0
        self._rows = None if _is_function(source) else _Rows(source)
        self._function: Callable[..., Any] = source
        self._check_options(shuffle)
        self.shuffle = shuffle is not False and self._rows is not None
        if transform is not None:
            check_transform(transform)
        self.transform = transform
        self._seeded = isinstance(seed, int | np.integer)
        self._entropy = _entropy(seed)

    def __len__(self) -> int:
        """The number of batches in an epoch.

        Raises:
            TypeError: The source is a function, and nobody knows before its end.
        """
        if self._rows is None or self.batch_size is None:
            raise TypeError(
                "expected a source of known length to count the batches of, got a function; "
                "count them while iterating"
            )
        full, rest = divmod(len(self._rows), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Batch]:
        """Return an iterator over the batches of the next epoch."""
        epoch, self.epoch = self.epoch, self.epoch + 1
        batches = self._batches(epoch)
        return ahead(batches, self.prefetch) if self.prefetch else batches

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to go on from here, with the next epoch."""
        return {**self._settings(), "entropy": self._entropy, "epoch": self.epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the epoch that was next when `state_dict` returned this.

        Orders and transforms are drawn as they were, also where no seed was given.

        Raises:
            ValueError: it is the state of a loader with other settings.
        """
        other = [
            f"{name} {state[name]!r} instead of {value!r}"
            for name, value in self._settings().items()
            if state[name] != value
        ]
        if other:
            raise ValueError(
                f"expected the state of a loader like this one, got one with {', '.join(other)}; "
                "make the loader as it was then"
            )
        self._entropy, self.epoch = state["entropy"], state["epoch"]

    def _settings(self) -> dict[str, Any]:
        """Return what decides which batches there are."""
        return {
            "rows": None if self._rows is None else len(self._rows),
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "drop_last": self.drop_last,
            "seed": self._entropy if self._seeded else None,
            "transform": None if self.transform is None else type(self.transform).__name__,
        }

    def _batches(self, epoch: int) -> Iterator[Batch]:
        """Make the batches of an epoch, one after the other."""
        if self._rows is not None:
            batches = self._of_rows(self._rows, epoch)
        else:
            batches = self._of_function(epoch)
        for number, (x, y) in enumerate(batches):
            if self.transform is not None:
                x = self.transform(x, self._rng(epoch, _CHANGE, number))
                _check_transformed(x, y)
            yield x, y

    def _of_rows(self, rows: _Rows, epoch: int) -> Iterator[Batch]:
        order = self._rng(epoch, _ORDER) if self.shuffle else None
        size = self.batch_size or 1
        indices = batch_indices(len(rows), size, order, self.drop_last)
        return (rows.take(index) for index in indices)  # unlike map, no StopIteration ends it

    def _of_function(self, epoch: int) -> Iterator[Batch]:
        """Call the function, and yield its batches, or batches of its examples."""
        items = self._call(self._rng(epoch, _ORDER))
        pairs = (_pair(item, f"item {number}") for number, item in enumerate(items))
        nothing, examples = True, []
        for x, y in pairs:
            nothing = False
            if self.batch_size is None:
                yield _copied(x), np.array(y)
                continue
            examples.append((x, y))
            if len(examples) == self.batch_size:
                yield _stacked(examples)
                examples = []
        if examples and not self.drop_last:
            yield _stacked(examples)
        if nothing:
            raise ValueError(
                "source: expected the function to return an iterator over an epoch, got an empty "
                "one; make a new iterator at every call, such as a generator function does"
            )

    def _call(self, rng: np.random.Generator) -> Iterable[Any]:
        items = self._function() if _takes(self._function, 0) else self._function(rng)
        if not isinstance(items, Iterable):
            raise TypeError(
                f"source: expected the function to return an iterator over examples, got "
                f"{type(items).__name__}; write it with yield, or return iter(...)"
            )
        return items

    def _rng(self, *key: int) -> np.random.Generator:
        """Return the generator of one random stream, the same one for the same key."""
        return np.random.default_rng(np.random.SeedSequence(self._entropy, spawn_key=key))

    def _check_options(self, shuffle: bool | None) -> None:
        if self._rows is None:
            if shuffle:
                raise ValueError(
                    "shuffle: expected None or False for a function, whose order is its own, got "
                    "True; shuffle in the function, with the generator it is handed"
                )
            return
        if self.batch_size is None:
            raise ValueError(
                "batch_size: expected a number for a source with rows, got None, which is for a "
                "function that makes batches; pass for example 32"
            )
        batch_indices(
            len(self._rows), self.batch_size, None, self.drop_last
        )  # refuses what it must


class _Rows:
    """A source whose rows can be had in any order, by number."""

    def __init__(self, source: Any) -> None:
        self._x: Any = None
        if isinstance(source, Dataset | TextWindows):
            source = (source.x, source.y)
        if isinstance(source, tuple):
            self._x, self._y = _arrays(source)
            self._count = len(self._x)
            return
        is_rows = hasattr(source, "__len__") and hasattr(source, "__getitem__")
        if not is_rows or isinstance(source, str | bytes | dict | np.ndarray):
            raise TypeError(
                f"source: expected a pair of arrays (x, y), a Dataset, an object with __len__ and "
                f"__getitem__, or a function that returns an iterator, got {type(source).__name__}"
                f"; {_hint(source)}"
            )
        self._items, self._count = source, len(source)
        if self._count == 0:
            raise ValueError("source: expected at least one row, got none; pass (x, y) with rows")
        _pair(self._items[0], "row 0")

    def __len__(self) -> int:
        return self._count

    def take(self, index: slice | NDArray[np.int64]) -> Batch:
        """Return copies of the rows at `index`; no other rows are read."""
        if self._x is not None:
            return _copied(self._x[index]), np.array(self._y[index])
        numbers = range(self._count)[index] if isinstance(index, slice) else index.tolist()
        return _stacked([_pair(self._items[i], f"row {i}") for i in numbers])


def _copied(x: Any) -> Any:
    """Return a copy of an array, or one of each of several inputs in their tuple or dictionary."""
    x = put_together(x) if are_several(x) else x
    return taken_apart(each(x, lambda array: np.array(array)))


def _arrays(pair: tuple[Any, ...]) -> tuple[Any, NDArray[Any]]:
    """Return x and y as arrays of equal length, which a memory map is without being read."""
    if len(pair) != 2:
        raise TypeError(f"source: expected a pair (x, y), got {len(pair)} of them; pass two arrays")
    given = put_together(pair[0]) if are_several(pair[0]) else pair[0]
    x, y = each(given, np.asarray), np.asarray(pair[1])
    arrays = x.arrays if isinstance(x, Several) else (x,)
    shapes = [array.shape for array in arrays]
    if {shape[:1] for shape in shapes} != {y.shape[:1]} or not y.size or y.ndim == 0:
        raise ValueError(
            f"source: expected one y for each of at least one row of x, got x of shape "
            f"{', '.join(map(str, shapes))} and y of shape {y.shape}; pass arrays of equal length"
        )
    return x, y


def _pair(item: Any, what: str) -> tuple[Any, Any]:
    """Return an example or a batch as x and y."""
    if not isinstance(item, tuple | list) or len(item) != 2:
        got = f"{len(item)} of them" if isinstance(item, tuple | list) else type(item).__name__
        raise TypeError(f"source: {what}: expected a pair (x, y), got {got}; return both")
    return item[0], item[1]


def _stacked(examples: list[tuple[Any, Any]]) -> tuple[Any, NDArray[Any]]:
    """Return examples as one batch."""
    xs, ys = zip(*examples, strict=True)
    return _inputs(xs) if _is_of_several(xs[0]) else _one_array(xs, "x"), _one_array(ys, "y")


def _is_of_several(example: Any) -> bool:
    """Whether an example has several inputs: by name, or a tuple with an array in it."""
    if isinstance(example, tuple):
        return any(isinstance(part, np.ndarray) for part in example)
    return isinstance(example, dict)


def _inputs(examples: Sequence[Any]) -> Any:
    """Return each input of some examples as one array, in the tuple or dictionary of the first."""
    parts = [put_together(example).named() for example in examples]
    if unlike := [list(part) for part in parts if part.keys() != parts[0].keys()]:
        raise ValueError(
            f"source: expected every example to have the inputs {list(parts[0])}, got one with "
            f"{unlike[0]}; return the same ones for every row"
        )
    stacked = put_together(examples[0]).each(
        lambda _, name: _one_array([part[name] for part in parts], f"x[{name}]")
    )
    return stacked.parts


def _one_array(values: Iterable[Any], name: str) -> NDArray[Any]:
    arrays = [np.asarray(value) for value in values]
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) > 1:
        raise ValueError(
            f"source: expected every {name} to have one shape, got {shapes[0]} and "
            f"{shapes[1]} in a batch; crop, pad or resize them to one"
        )
    return np.stack(arrays)


def _is_function(source: Any) -> bool:
    return callable(source) and not hasattr(source, "__getitem__")


def _takes(function: Callable[..., Any], count: int) -> bool:
    """Whether a function can be called with so many arguments; where it does not say, yes."""
    try:
        signature = inspect.signature(function)
    except ValueError:
        return True
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def check_transform(transform: Any) -> None:
    """Refuse what cannot be called as a `Transform`.

    Raises:
        TypeError: It takes other arguments, or is a class rather than one of its objects.
    """
    if isinstance(transform, type):
        raise TypeError(
            f"transform: expected a callable (x, rng) -> x, got the class {transform.__name__}; "
            f"make one of it, such as {transform.__name__}()"
        )
    if not callable(transform) or not _takes(transform, 2):
        raise TypeError(
            f"transform: expected a callable (x, rng) -> x, got {transform!r}; write for example "
            "lambda x, rng: x / 255"
        )


def _check_transformed(x: Any, y: NDArray[Any]) -> None:
    arrays = put_together(x).arrays if are_several(x) else (x,)
    if any(not isinstance(a, np.ndarray) or len(np.atleast_1d(a)) != len(y) for a in arrays):
        got = f"shape {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__
        raise ValueError(
            f"transform: expected it to return an array of {len(y)} rows, one for each y, got "
            f"{got}; return the changed x"
        )


def _entropy(seed: Seed) -> int:
    """Return the number that all streams are derived from."""
    if seed is None:
        seed = np.random.default_rng()
    if isinstance(seed, np.random.Generator):
        return int.from_bytes(seed.bytes(16), "little")
    wanted = f"seed: expected a whole number of at least 0, a generator or None, got {seed!r}"
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"{wanted}; pass for example 0")
    if seed < 0:
        raise ValueError(f"{wanted}; pass for example {-seed}")
    return int(seed)


def _hint(source: Any) -> str:
    if isinstance(source, Iterator):
        return "pass the function that makes it, since it can be read only once"
    return "put x and y into a pair"
