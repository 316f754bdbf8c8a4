"""State: what a traced function reads and writes besides its arguments.

Parameters, running statistics, random streams, the moments of an optimiser and its count of steps
are inputs and outputs of a program like any other. A `Cell` is one of them: how to read it and how
to put a new value into its place. Otherwise a dropout mask or a step number would be traced once
and stay the same for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType, NoneType
from typing import Any, Protocol

import numpy as np

from pellucid import tree
from pellucid.autograd import Tensor

# settings that are compared as they are
PLAIN = (
    int, float, complex, str, bytes, NoneType, Enum, type, np.generic, np.dtype, np.ufunc,
    FunctionType, BuiltinFunctionType, MethodType,
)  # fmt: skip


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


class Same:
    """Stands for an array where programs are compared: equal to itself alone, whatever is in it."""

    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        self.array = array

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.array is self.array

    def __hash__(self) -> int:
        return id(self.array)


def outline(x: Any, seen: dict[int, int] | None = None) -> Any:
    """Return what a program depends on in an object besides its tensors' elements, to be compared.

    That is what plain attributes are set to, such as the rate of dropout and whether it is in
    training; which tensors require a gradient; whether an array that is no tensor is another one;
    and which tensors and modules stand in several places. ``seen`` numbers these.
    """
    seen = {} if seen is None else seen
    if isinstance(x, PLAIN):
        return x
    if isinstance(x, np.ndarray):
        return Same(x)
    if isinstance(x, list | tuple):
        return tuple([outline(part, seen) for part in x])
    if isinstance(x, dict):
        return tuple([(name, outline(part, seen)) for name, part in x.items()])
    if not (isinstance(x, Tensor | tree.Node) or callable(x)):
        return None
    if id(x) in seen:
        return "again", seen[id(x)]
    seen[id(x)] = len(seen)
    return x.requires_grad if isinstance(x, Tensor) else settings(x, seen)


def settings(owner: Any, seen: dict[int, int] | None = None) -> Any:
    """Return what an object's attributes are set to; see `outline`.

    Of those that are its own affair, only plain values.
    """
    seen = {} if seen is None else seen
    named = vars(owner).items() if hasattr(owner, "__dict__") else ()
    watched = [(n, x) for n, x in named if n[0] != "_" or isinstance(x, (*PLAIN, tuple))]
    return type(owner), *((name, outline(x, seen)) for name, x in watched)


def is_stateful(owner: Any) -> bool:
    """Whether an object tells of its state itself; see `Stateful`."""
    return callable(getattr(owner, "cells", None)) and callable(getattr(owner, "traced", None))


def around(function: Any) -> list[Any]:
    """Return modules, tensors and what else has state that a function reaches by its own names.

    That is itself, what it is a method of or closes over, and what is global; and what functions
    among these reach, of global ones those of the same module.
    """
    found: list[Any] = []
    waiting, seen = [function], set()
    while waiting:
        x = waiting.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        if isinstance(x, tree.Node | Tensor) or is_stateful(type(x)):
            found.append(x)
        elif isinstance(x, MethodType):
            waiting += [x.__self__, x.__func__]
        elif isinstance(x, FunctionType):
            outside = x.__globals__
            near = (outside[name] for name in x.__code__.co_names if name in outside)
            for y in near:
                if not isinstance(y, FunctionType) or y.__globals__ is outside:
                    waiting.append(y)
            for cell in x.__closure__ or ():
                with suppress(ValueError):  # nothing is in it yet
                    waiting.append(cell.cell_contents)
    return found


def as_set(owners: Sequence[Any]) -> Callable[[], None]:
    """Return what sets all attributes of owners and their modules as they are now.

    What is no module, such as an optimiser, has its plain ones set: it undoes the rest itself.
    """
    modules = [node for owner in owners for node in tree.find(owner, tree.Node).values()]
    before = [(node, dict(vars(node))) for node in modules]
    others = [x for x in owners if is_stateful(x)]
    plain = [(x, {n: v for n, v in vars(x).items() if isinstance(v, PLAIN)}) for x in others]

    def put_back() -> None:
        for node, attributes in before:
            for name in vars(node).keys() - attributes.keys():
                delattr(node, name)
        for x, attributes in (*before, *plain):
            vars(x).update(attributes)

    return put_back


def tensor_cell(tensor: Tensor) -> Cell:
    """Return the cell of a tensor's data."""

    def write(data: Any) -> None:
        tensor.data = data

    return Cell(lambda: tensor.data, write, tensor)
