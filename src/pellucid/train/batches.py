"""Where batches come from: arrays that are cut up, or a loader that brings them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any, NamedTuple, Protocol

import numpy as np

from pellucid.arrays import Array
from pellucid.autograd import Tensor
from pellucid.data import Dataset, batch_indices, split_indices
from pellucid.data.several import Several
from pellucid.nn import Loss
from pellucid.train.inputs import labels


class Batch(NamedTuple):
    """Examples ``(N, ...)``, their targets, and their weights ``(N,)`` or None for equal ones.

    The examples are one array or `Several`.
    """

    x: Any
    y: Array
    weight: Array | None = None

    def rows(self, index: Any) -> Batch:
        """Return some of the rows."""
        weight = None if self.weight is None else self.weight[index]
        return Batch(self.x[index], self.y[index], weight)

    def counting(self) -> Batch:
        """Return the rows whose weight is not 0: the others are as good as left out."""
        if self.weight is None or self.weight.all():
            return self
        return self.rows(np.flatnonzero(self.weight))


class Source(Protocol):
    """What gives the batches of an epoch, again for every epoch."""

    @property
    def count(self) -> int:
        """The number of batches of an epoch; 0 if it is not known."""
        ...

    def epoch(self) -> Iterator[Batch]:
        """Return an iterator over the batches of one epoch."""
        ...

    def known(self) -> Batch:
        """Return rows without asking for new ones: all of them, or those of a batch that came."""
        ...

    def state(self) -> Any:
        """Return what the next epoch will be drawn from, for `restore`."""
        ...

    def restore(self, state: Any, done: int = 0) -> None:
        """Let the next epoch be what it would have been at `state`, without its first batches."""
        ...

    def marks(self) -> dict[str, Any]:
        """Return what tells these data from others.

        Raises:
            TypeError: no checkpoint could tell where in them training was.
        """
        ...


class FromArrays:
    """Batches of rows of arrays, shuffled anew in each epoch if there is a generator."""

    def __init__(
        self, whole: Batch, batch_size: int, order: np.random.Generator | None = None
    ) -> None:
        self.whole, self.batch_size, self.order = whole, batch_size, order
        self._done = 0  # batches that the next epoch leaves out

    @property
    def count(self) -> int:
        """The number of batches of an epoch."""
        return math.ceil(len(self.whole.x) / self.batch_size)

    def indices(self) -> Iterator[Any]:
        """Return an iterator over what each batch of one epoch picks out."""
        done, self._done = self._done, 0
        every = batch_indices(len(self.whole.x), self.batch_size, self.order)
        return islice(every, done, None)

    def epoch(self) -> Iterator[Batch]:
        """Return an iterator over the batches of one epoch."""
        return (self.whole.rows(index) for index in self.indices())

    def known(self) -> Batch:
        """Return all rows."""
        return self.whole

    def state(self) -> Any:
        """Return the state of the generator that draws the order."""
        return None if self.order is None else self.order.bit_generator.state

    def restore(self, state: Any, done: int = 0) -> None:
        """Draw the next order as at that state, and leave out batches that were done."""
        if self.order is not None:
            self.order.bit_generator.state = state
        self._done = done

    def marks(self) -> dict[str, Any]:
        """Return the number of rows, the batch size, and a checksum of all numbers."""
        check = 0
        x, *others = self.whole
        for array in (*(x.arrays if isinstance(x, Several) else (x,)), *others):
            if array is not None:
                flat: Any = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
                check = zlib.crc32(flat, check)
        return {"rows": len(self.whole.x), "batch_size": self.batch_size, "checksum": check}


class FromLoader:
    """Batches that something else brings, each checked as it comes.

    The first batch is asked for and checked here, so that a mistake shows before anything is
    trained; the first epoch begins with it.

    Args:
        batches: something to go over once an epoch, or a function that returns an iterator.
        check: makes a `Batch` of what comes, given its name for error messages.
        name: what the batches are called in error messages.
        once: whether one epoch is all there will be, so that an iterator will do.

    Raises:
        TypeError: it is an iterator, which can be gone through only once.
        ValueError: it gives no batch.
    """

    def __init__(
        self, batches: Any, check: Callable[[Any, str], Batch], name: str, once: bool = False
    ) -> None:
        if isinstance(batches, Iterator) and not once:
            raise TypeError(
                f"expected {name} to give its batches again in every epoch, got an iterator "
                f"({type(batches).__name__}), which is spent after one; pass the function that "
                "makes it, an object with __iter__, or list(...) of it"
            )
        self.batches, self.check, self.name = batches, check, name
        self._whole = Batch(np.empty((0, 0)), np.empty(0))  # until the first one comes
        self._done = 0  # batches that the next epoch leaves out
        self._before = self._position()  # of the epoch that is waiting
        self._waiting: Iterator[Batch] | None = self._start()

    @property
    def count(self) -> int:
        """The number of batches of an epoch, if the loader knows it; else 0."""
        try:
            return len(self.batches)
        except TypeError:
            return 0

    def epoch(self) -> Iterator[Batch]:
        """Return an iterator over the batches of one epoch, without those that count nothing.

        It raises a ValueError at its end if none of them counted.
        """
        batches, self._waiting = self._waiting or self._start(), None
        done, self._done = self._done, 0
        return islice(self._counting(batches), done, None)

    def _counting(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Leave out batches that count nothing."""
        nothing = True
        for batch in batches:
            if len(batch.x):
                nothing = False
                yield batch
        if nothing:
            raise ValueError(
                f"expected at least one weight above 0 from {self.name} in every epoch, got zeros "
                "only; leave the weights out for equal ones"
            )

    def known(self) -> Batch:
        """Return the last whole batch that came; one that is smaller than others is none."""
        return self._whole

    def state(self) -> Any:
        """Return where the loader is: what its own ``state_dict`` returned before the epoch."""
        return self._before if self._waiting is not None else self._position()

    def restore(self, state: Any, done: int = 0) -> None:
        """Let the loader go back there; batches that were done are made, and left out."""
        if state is not None:
            self.batches.load_state_dict(state)
        self._waiting, self._done = None, done

    def marks(self) -> dict[str, Any]:
        """Return the number of batches, 0 if the loader does not know it.

        Raises:
            TypeError: the loader cannot tell where it is.
        """
        if not isinstance(self.batches, list) and not _has_position(self.batches):
            raise TypeError(
                f"expected {self.name} to tell where it is, so that training can go on from a "
                "checkpoint, got one without state_dict() and load_state_dict(state) "
                f"({type(self.batches).__name__}); pass data.Loader(...), which also takes a "
                "function that makes an iterator, with batch_size=None where it makes batches"
            )
        return {"batches": self.count}

    def _position(self) -> Any:
        return self.batches.state_dict() if _has_position(self.batches) else None

    def _checked(self) -> Iterator[Batch]:
        for i, given in enumerate(iter_batches(self.batches), start=1):
            batch = self.check(given, f"batch {i} of {self.name}")
            if len(batch.x) >= len(self._whole.x):
                self._whole = batch
            yield batch

    def _start(self) -> Iterator[Batch]:
        """Return an iterator whose first batch has been looked at."""
        checked = self._checked()
        for first in checked:
            return chain([first], checked)
        raise ValueError(
            f"expected at least one batch from {self.name} in every epoch, got none; a function "
            "must return a new iterator at every call"
        )


def _has_position(batches: Any) -> bool:
    """Whether a loader can say where it is, and go back there."""
    return hasattr(batches, "state_dict") and hasattr(batches, "load_state_dict")


def iter_batches(batches: Any) -> Iterator[Any]:
    """Return an iterator over what a loader, or a function that makes an iterator, gives."""
    return iter(batches() if callable(batches) and not isinstance(batches, Iterable) else batches)


def is_loader(x: Any, may_be_list: bool = True) -> bool:
    """Whether this brings batches, and is no array or what can be made one.

    A list is a loader if it begins with a tuple, such as ``(x, y)``, and lists are allowed.
    """
    if isinstance(x, list):
        return may_be_list and bool(x) and isinstance(x[0], tuple)
    if isinstance(x, Tensor | str | bytes | tuple | dict) or hasattr(x, "__array__"):
        return False
    return isinstance(x, Iterable) or (callable(x) and not isinstance(x, type))


def parts(batch: Any, name: str) -> tuple[Any, Any, Any]:
    """Return x, y and weights of what came as ``(x, y)`` or ``(x, y, weights)``.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(batch, tuple | list) and len(batch) in (2, 3):
        return batch[0], batch[1], batch[2] if len(batch) == 3 else None
    got = f"{len(batch)} of them" if isinstance(batch, tuple | list) else type(batch).__name__
    fix = "; pass its two arrays, (dataset.x, dataset.y)" if isinstance(batch, Dataset) else ""
    raise ValueError(f"expected {name} to be (x, y) or (x, y, sample_weight), got {got}{fix}")


def groups(batches: Iterator[Batch], size: int) -> Iterator[Iterator[Batch]]:
    """Return the batches in groups of ``size``, the last one perhaps smaller.

    A group is an iterator, so that no more than one batch is held; go through it before the next.
    """
    return (chain([first], islice(batches, size - 1)) for first in batches)


def set_aside(
    whole: Batch, share: Any, loss: Loss, rng: np.random.Generator
) -> tuple[Batch, Batch]:
    """Return the rows to train on and those to validate with: a random share, class by class.

    Raises:
        ValueError: the share is not in (0, 1), or leaves one side without rows.
    """
    n = len(whole.x)
    if not isinstance(share, int | float | np.floating) or not 0 < share < 1:
        raise ValueError(
            f"expected validation_split in [0, 1), got {share!r}; 0.1 keeps a tenth aside"
        )
    if not 0 < round(share * n) < n:
        raise ValueError(
            f"expected a validation_split that leaves examples on both sides, got {share} of "
            f"{n} examples; choose another share, or pass validation_data"
        )
    classes = None
    if loss.task != "regression":
        answers = labels(loss, whole.y, threshold=0.5).reshape(n, -1)
        classes = answers[:, 0] if answers.shape[1] == 1 else None
    split = split_indices(n, test=float(share), labels=classes, seed=rng)
    return whole.rows(split.train), whole.rows(split.test)
