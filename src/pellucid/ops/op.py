"""What an operation is: a value, and the rule that carries a gradient back through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, TypeAlias

from pellucid.arrays import Array, Namespace

# A gradient is an array, a function that computes it when it is asked for (an operand that needs
# none costs nothing), or None for an operand without one, such as an integer index.
Gradient: TypeAlias = Array | Callable[[], Array] | None
Gradients: TypeAlias = tuple[Gradient, ...]

OURS = __name__.removesuffix("op")  # modules whose operations are the library's own
REGISTRY: dict[str, type[Op]] = {}


class Op:
    """One operation, never instantiated; its methods are written over an array namespace ``xp``.

    ``forward(xp, *operands, **params)`` returns the value. ``vjp(xp, g, out, *operands,
    **params)``, the vector-Jacobian product, takes the gradient ``g`` of a scalar with respect to
    ``out`` and returns a tuple of one gradient an operand (None for one without, such as an index),
    in the shape that broadcasting gave it: the tape sums it back to the operand's own. Parameters
    are settings that are no arrays. `pellucid.apply` computes an operation on tensors,
    `pellucid.gradcheck` checks its rule.

    ``casts`` says how operands of different dtype meet: "common" brings them to one dtype, "float"
    also turns integers into floating point, "keep" leaves them. The first ``cast_from`` operands
    stay as they are. With ``differentiable = False`` no gradient passes, and ``vjp`` is not needed.

    The library's own operations are in ``REGISTRY``, where the tests find them; others are not, and
    a class may be defined as often as one likes.

    Raises:
        TypeError: at the definition: a ``forward`` has no ``vjp`` beside it.

    >>> import pellucid
    >>> class Cube(pellucid.Op):
    ...     casts = "float"
    ...
    ...     @staticmethod
    ...     def forward(xp, x):
    ...         return x * x * x
    ...
    ...     @staticmethod
    ...     def vjp(xp, g, out, x):
    ...         return (3 * g * x * x,)
    >>> pellucid.apply(Cube, [1.0, 2.0])
    Tensor([1., 8.])
    >>> pellucid.gradcheck(Cube, [1.0, 2.0])
    x  rel_error = ...  ok
    """

    casts: ClassVar[Literal["keep", "common", "float"]] = "keep"
    cast_from: ClassVar[int] = 0
    differentiable: ClassVar[bool] = True
    forward: ClassVar[Callable[..., Array]]
    vjp: ClassVar[Callable[..., Gradients]]

    def __init_subclass__(cls) -> None:
        if "forward" not in vars(cls):
            return
        if cls.differentiable and not hasattr(cls, "vjp"):
            raise TypeError(
                f"expected {cls.__name__} to have a gradient rule, got a forward alone; define "
                "vjp(xp, g, out, *operands) beside it, or set differentiable = False"
            )
        if cls.__module__.startswith(OURS):
            other = REGISTRY.get(cls.__name__, cls)
            if other.__module__ != cls.__module__:
                raise TypeError(
                    f"expected one operation of the name {cls.__name__}, got a second in "
                    f"{cls.__module__}, beside that of {other.__module__}; give it another name"
                )
            REGISTRY[cls.__name__] = cls  # a module that is loaded again replaces its own


def chain(xp: Namespace, g: Array, derivative: Array) -> Array:
    """Return ``g * derivative`` with ``0 * inf = 0``.

    A branch that `where` did not select receives a zero gradient; an infinite or undefined
    derivative there must not turn it into NaN.
    """
    unused = xp.logical_and(g == 0, xp.logical_not(xp.isfinite(derivative)))
    return g * xp.where(unused, 0.0, derivative)
