"""The examples of a network with several inputs, which go about as one array does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from pellucid.arrays import Array
from pellucid.autograd import Tensor, as_tensor

Parts: TypeAlias = tuple[Any, ...] | dict[str, Any]


class Several:
    """Arrays of equal length, each with a row for every example.

    Those of a tuple become arguments of the network in their order, those of a dictionary
    arguments by name. Like one array it has a length, rows and a ``shape``: the number of examples
    and, in the place of further sizes, the shape of an example in each of the arrays.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The arrays, in order."""
        return tuple(self.named().values())

    @property
    def shape(self) -> tuple[Any, ...]:
        """The number of examples, and the shape of one in each array."""
        return len(self), *(array.shape[1:] for array in self.arrays)

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: Any) -> Several:
        return self.each(lambda array, name: array[index])

    def named(self) -> dict[str, Array]:
        """Return the arrays by name, or by the text of their number."""
        if isinstance(self.parts, dict):
            return self.parts
        return {str(number): array for number, array in enumerate(self.parts)}

    def each(self, function: Callable[[Any, str], Any]) -> Several:
        """Return what a function of an array and its name makes of each."""
        made = {name: function(array, name) for name, array in self.named().items()}
        return Several(made if isinstance(self.parts, dict) else tuple(made.values()))


def are_several(x: Any) -> bool:
    """Whether these are several inputs: arrays by name, or a tuple of arrays."""
    if isinstance(x, tuple):
        return bool(x) and all(isinstance(part, Tensor | np.ndarray) for part in x)
    return isinstance(x, dict)


def taken_apart(x: Any) -> Any:
    """Return an array as it is, several as the tuple or dictionary of them."""
    return x.parts if isinstance(x, Several) else x


def put_together(x: Any) -> Any:
    """Return what was taken apart."""
    return Several(x) if isinstance(x, tuple | dict) else x


def each(x: Any, function: Callable[[Any], Any]) -> Any:
    """Return what a function makes of an array, or of each of several."""
    return x.each(lambda array, name: function(array)) if isinstance(x, Several) else function(x)


def arguments(x: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return examples as the arguments of a call, by position and by name."""
    parts = taken_apart(x)
    if isinstance(parts, dict):
        return (), parts
    return (parts if isinstance(parts, tuple) else (parts,)), {}


def called(function: Callable[..., Tensor], x: Any) -> Tensor:
    """Return what a function of tensors makes of examples."""
    given, named = arguments(each(x, as_tensor))
    return function(*given, **named)
