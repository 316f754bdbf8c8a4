"""What an operation is: a value, and the rule that carries a gradient back through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, TypeAlias

from pellucid.arrays import Array, Namespace

# A gradient is an array, a function that computes it when it is asked for (an operand that needs
# none costs nothing), or None for an operand without one, such as an integer index.
Gradient: TypeAlias = Array | Callable[[], Array] | None
Gradients: TypeAlias = tuple[Gradient, ...]

REGISTRY: dict[str, type[Op]] = {}


class Op:
    """One operation, never instantiated; its methods are written over an array namespace ``xp``.

    ``forward(xp, *operands, **params)`` returns the value. ``vjp(xp, g, out, *operands,
    **params)``, the vector-Jacobian product, takes the gradient ``g`` of a scalar with respect to
    ``out`` and returns one gradient an operand, in the shape that broadcasting gave it: the tape
    sums it back to the operand's own. Defining a subclass with a ``forward`` registers it under its
    name.

    ``casts`` says how operands of different dtype meet: "common" brings them to one dtype, "float"
    also turns integers into floating point, "keep" leaves them. The first ``cast_from`` operands
    stay as they are.
    """

    casts: ClassVar[Literal["keep", "common", "float"]] = "keep"
    cast_from: ClassVar[int] = 0
    differentiable: ClassVar[bool] = True
    forward: ClassVar[Callable[..., Array]]
    vjp: ClassVar[Callable[..., Gradients]]

    def __init_subclass__(cls) -> None:
        if "forward" in vars(cls):
            REGISTRY[cls.__name__] = cls


def chain(xp: Namespace, g: Array, derivative: Array) -> Array:
    """Return ``g * derivative`` with ``0 * inf = 0``.

    A branch that `where` did not select receives a zero gradient; an infinite or undefined
    derivative there must not turn it into NaN.
    """
    unused = xp.logical_and(g == 0, xp.logical_not(xp.isfinite(derivative)))
    return g * xp.where(unused, 0.0, derivative)
