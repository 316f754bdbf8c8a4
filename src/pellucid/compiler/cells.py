"""State: what a traced function reads and writes besides its arguments.

Parameters, running statistics, random streams, the moments of an optimiser and its count of steps
are inputs and outputs of a program like any other. A `Cell` is one of them: how to read it and how
to put a new value into its place. Otherwise a dropout mask or a step number would be traced once
and stay the same for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Protocol

from pellucid import tree
from pellucid.autograd import Tensor


@dataclass(frozen=True)
class Cell:
    """One piece of state of an ``owner``, a tensor or what else has state.

    A ``weak`` one is a Python number, such as a count of steps.
    """

    get: Callable[[], Any]
    set: Callable[[Any], None]
    owner: Any
    weak: bool = False


class Stateful(Protocol):
    """What has state that is no tensor, such as an optimiser."""

    def cells(self) -> Mapping[str, Cell]:
        """Return every piece of state by name."""
        ...

    def settings(self) -> tuple[Any, ...]:
        """Return what is no input of a program, and so makes another one when it changes."""
        ...

    def traced(self) -> Callable[[], None]:
        """Return what puts back whatever else tracing a step changes."""
        ...


def cells_of(state: Sequence[Any]) -> dict[str, Cell]:
    """Return the cells of several objects: tensors by path, and what `Stateful` ones name.

    Raises:
        TypeError: an object has no state.
    """
    found: dict[str, Cell] = {}
    for number, owner in enumerate(state):
        if is_stateful(owner):
            mine = dict(owner.cells())
        else:
            mine = {path: tensor_cell(t) for path, t in tree.find(owner, Tensor).items()}
            if not mine:
                raise TypeError(
                    f"expected state with tensors, such as a network, or an optimizer, got "
                    f"{owner!r}"
                )
        found |= {f"{number}.{name}": cell for name, cell in mine.items()}
    return found


def settings(owner: Any) -> Any:
    """Return what an object is set to, such as the rate of dropout, or training or evaluation."""
    plain = ((name, x) for name, x in vars(owner).items() if is_plain(x))
    return type(owner), *plain


def is_plain(x: Any) -> bool:
    """Whether this is a number, a word, nothing, a function, or a tuple of such."""
    if isinstance(x, tuple):
        return all(map(is_plain, x))
    return x is None or isinstance(x, (int, float, str, FunctionType))


def is_stateful(owner: Any) -> bool:
    """Whether an object tells of its state itself; see `Stateful`."""
    return callable(getattr(owner, "cells", None)) and callable(getattr(owner, "traced", None))


def tensor_cell(tensor: Tensor) -> Cell:
    """Return the cell of a tensor's data."""

    def write(data: Any) -> None:
        tensor.data = data

    return Cell(lambda: tensor.data, write, tensor)
