"""What settings of optimisers and schedules may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np

from pellucid import tree
from pellucid.autograd import Tensor

Rate: TypeAlias = float | Callable[[Any], Any]


def is_number(value: Any) -> bool:
    """Whether it is a real number, Python's or NumPy's, and no truth value."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def positive(name: str, value: Any, hint: str) -> float:
    """Return a positive finite number, or say that it is none."""
    if not is_number(value) or not 0 < value < float("inf"):
        raise ValueError(f"expected {name} to be a positive number, got {value!r}; {hint}")
    return float(value)


def at_least_0(name: str, value: Any, hint: str) -> float:
    """Return a finite number of at least 0, or say that it is none."""
    if not is_number(value) or not 0 <= value < float("inf"):
        raise ValueError(f"expected {name} to be a number of at least 0, got {value!r}; {hint}")
    return float(value)


def fraction(name: str, value: Any, hint: str = "try 0.9") -> float:
    """Return a number in [0, 1), or say that it is none."""
    if not is_number(value) or not 0 <= value < 1:
        raise ValueError(f"expected {name} to be at least 0 and below 1, got {value!r}; {hint}")
    return float(value)


def whole(name: str, value: Any, hint: str) -> int:
    """Return a whole number of at least 1, or say that it is none."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise ValueError(f"expected {name} to be a whole number from 1 on, got {value!r}; {hint}")
    return int(value)


def learning_rate(value: Any) -> Rate:
    """Return a positive number or a schedule, or say that it is neither."""
    if isinstance(value, type):
        raise ValueError(
            f"expected lr to be a number or a schedule, got the class {value.__name__}; did you "
            f"mean {value.__name__}(...)?"
        )
    refuse_parameters(value)
    return value if callable(value) else positive("lr", value, "try 0.001 to 0.1")


def refuse_parameters(value: Any) -> None:
    """Refuse what other libraries hand to a new optimiser, in the place of its settings."""
    if isinstance(value, Iterator) or tree.find(value, Tensor):
        raise TypeError(
            f"expected settings of an optimizer, the learning rate first, got parameters (a "
            f"{type(value).__name__}); leave them out here: optimizer.step(network) says what is "
            "to be moved, and Model does so by itself"
        )


Init = TypeVar("Init", bound=Callable[..., None])


def without_parameters(init: Init) -> Init:
    """Return an optimiser's ``__init__`` that refuses parameters as its first argument.

    ``Adam(network.parameters(), lr=0.1)`` would else be told of several values for lr.
    """

    @wraps(init)
    def checked(self: Any, *arguments: Any, **settings: Any) -> None:
        if arguments:
            refuse_parameters(arguments[0])
        init(self, *arguments, **settings)

    return cast(Init, checked)
