"""What Python expects of a number: that 2 + x, x < 3, float(x) and print(x) work.

None of it is about gradients.
"""

from __future__ import annotations

from functools import total_ordering
from numbers import Real
from typing import Any, TypeGuard


@total_ordering
class Manners:
    """The reflected operators, comparison by data, and how a value prints.

    Values that hold the same number are equal; as keys of a dictionary and in sets each is itself.
    """

    __slots__ = ()
    data: float
    grad: float
    label: str

    def __radd__(self, other: float) -> Any:
        return type(self)(other) + self  # type: ignore[call-arg, operator]

    def __rsub__(self, other: float) -> Any:
        return type(self)(other) - self  # type: ignore[call-arg, operator]

    def __rmul__(self, other: float) -> Any:
        return type(self)(other) * self  # type: ignore[call-arg, operator]

    def __rtruediv__(self, other: float) -> Any:
        return type(self)(other) / self  # type: ignore[call-arg, operator]

    def __rpow__(self, other: float) -> Any:
        return type(self)(other) ** self  # type: ignore[call-arg, operator]

    def __lt__(self, other: object) -> bool:
        return self.data < float(other) if is_number(other) else NotImplemented

    def __eq__(self, other: object) -> bool:
        return self.data == float(other) if is_number(other) else NotImplemented

    __hash__ = object.__hash__

    def __float__(self) -> float:
        return self.data

    def __repr__(self) -> str:
        label = f", {self.label!r}" if self.label else ""
        return f"Value({self.data:.6g}{label}, grad={self.grad:.6g})"


def is_number(number: object) -> TypeGuard[Manners | Real]:
    """Whether it is a number, Python's or NumPy's, or a value."""
    return isinstance(number, Manners | Real)


def to_float(number: object) -> float:
    """Return a number, or a value's, as a float.

    Raises:
        TypeError: it is none.
    """
    if is_number(number):
        return float(number)
    raise TypeError(f"expected a number, got {type(number).__name__}")
