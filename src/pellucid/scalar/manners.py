"""What Python expects of a number: that 2 + x, x < 3, float(x) and print(x) work.

None of it is about gradients.
"""

from __future__ import annotations

from numbers import Real
from typing import Any, Self, TypeGuard


class Manners:
    """The reflected operators, comparison by data, and how a value prints.

    Values that hold the same number are equal; as keys of a dictionary and in sets each is itself.
    """

    __slots__ = ()
    data: float
    grad: float
    label: str

    def __pos__(self) -> Self:
        return self

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
        return self.data < number(other) if is_number(other) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self.data <= number(other) if is_number(other) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self.data > number(other) if is_number(other) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self.data >= number(other) if is_number(other) else NotImplemented

    def __eq__(self, other: object) -> bool:
        return self.data == number(other) if is_number(other) else NotImplemented

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return self.data != 0

    def __float__(self) -> float:
        return self.data

    def __format__(self, spec: str) -> str:
        return format(self.data, spec) if spec else repr(self)

    def __repr__(self) -> str:
        label = f", {self.label!r}" if self.label else ""
        return f"Value({self.data:.6g}{label}, grad={self.grad:.6g})"


def is_number(number: object) -> TypeGuard[Manners | Real]:
    """Whether it is a number, Python's or NumPy's, or a value."""
    return isinstance(number, Manners | Real)


def number(of: Manners | Real) -> Any:
    """Return the number of a value, or the number itself."""
    return of.data if isinstance(of, Manners) else of


def to_float(number: object) -> float:
    """Return a number as a float.

    Raises:
        TypeError: it is none, or a value already, whose trail would end here.
    """
    if isinstance(number, Real):
        return float(number)
    if isinstance(number, Manners):
        raise TypeError(
            f"expected a number, got {number!r}; it is a value already, use it as it is"
        )
    raise TypeError(f"expected a number, got {type(number).__name__}")
