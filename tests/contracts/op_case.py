"""Samples and oracles for the contract that every operation keeps.

To add an operation, call `case` with its class name: a NumPy function that computes the same value
from the same operands and parameters, the same in PyTorch where it has one (it is given the module
first), and at least one sample. Draw operands away from kinks; a sample at a kink says so with
``smooth=False`` and names the documented gradients for an upstream gradient of ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

RNG = np.random.default_rng(20240501)
INF = np.inf


@dataclass(frozen=True, eq=False)
class Sample:
    """One call of an operation.

    Operands are float64, integer or boolean arrays, or Python numbers, which stay numbers.
    ``torch`` tells whether PyTorch takes them and agrees with the documented convention.
    """

    label: str
    operands: tuple[Any, ...]
    params: dict[str, Any] = field(default_factory=dict)
    smooth: bool = True
    gradients: tuple[Any, ...] | None = None
    torch: bool = True


@dataclass(frozen=True, eq=False)
class Case:
    """The oracles of one operation and the samples they are asked about."""

    value: Callable[..., Any]
    torch: Callable[..., Any] | None
    samples: tuple[Sample, ...]


CASES: dict[str, Case] = {}


def case(
    name: str,
    value: Callable[..., Any],
    torch: Callable[..., Any] | None,
    *samples: Sample | Iterable[Sample],
) -> None:
    """Register the oracles and samples of an operation."""
    if name in CASES:
        raise ValueError(f"expected one case an operation, got a second one of {name}")
    listed = [s for group in samples for s in ([group] if isinstance(group, Sample) else group)]
    CASES[name] = Case(value, torch, tuple(listed))


# operands


def normal(*shape: int) -> np.ndarray:
    """Return numbers anywhere."""
    return np.asarray(RNG.normal(size=shape))


def positive(*shape: int) -> np.ndarray:
    """Return numbers from 0.5 to 2."""
    return np.asarray(RNG.uniform(0.5, 2.0, size=shape))


def away(*shape: int) -> np.ndarray:
    """Return numbers of either sign, at least 0.3 from 0."""
    return np.asarray(RNG.uniform(0.3, 2.0, size=shape) * RNG.choice([-1.0, 1.0], size=shape))


def distinct(*shape: int, offset: float = 0.0) -> np.ndarray:
    """Return different multiples of 0.3, shuffled; offsets less than 0.3 apart never tie."""
    n = int(np.prod(shape))
    return (0.3 * (RNG.permutation(n) - n // 2) + offset).reshape(shape)


def shifted(*shape: int) -> np.ndarray:
    """Return numbers that never tie with `distinct` ones."""
    return distinct(*shape, offset=0.15)


def whole(*shape: int) -> np.ndarray:
    """Return small integers, negative ones too."""
    return np.asarray(RNG.integers(-4, 5, size=shape))


def truth(*shape: int) -> np.ndarray:
    """Return booleans."""
    return np.asarray(RNG.random(size=shape) < 0.5)


SHAPES = ((2, 3), (), (0, 3), (4, 1, 2))
PAIRS = (
    ((2, 3), (2, 3)),
    ((2, 1), (1, 3)),
    ((), (2, 3)),
    ((2, 3), (3,)),
    ((2, 3), (1, 1, 1)),
    ((), ()),
    ((1,), (0,)),
    ((0, 3), (1, 3)),
)


def one(draw: Callable[..., np.ndarray], **params: Any) -> list[Sample]:
    """Return samples of one operand in several shapes."""
    return [Sample(label(shape, **params), (draw(*shape),), params) for shape in SHAPES]


def label(*facts: Any, **params: Any) -> str:
    """Return a name for a sample."""
    return " ".join([*map(str, facts), *(f"{name}={value}" for name, value in params.items())])


def arrays(first: Callable[..., np.ndarray], second: Callable[..., np.ndarray]) -> list[Sample]:
    """Return samples of two operands that broadcast."""
    return [Sample(f"{a} with {b}", (first(*a), second(*b))) for a, b in PAIRS]


def two(first: Callable[..., np.ndarray], second: Callable[..., np.ndarray]) -> list[Sample]:
    """Return samples of two operands that broadcast, and of a Python number on either side."""
    return [
        *arrays(first, second),
        Sample("float on the right", (first(2, 3), 1.45)),
        Sample("float on the left", (1.45, second(2, 3))),
        Sample("int on the right", (first(2, 3), 2)),
        Sample("int on the left", (2, second(2, 3))),
        Sample("float beside a scalar", (first(), 1.45)),
        Sample("scalar beside a float", (1.45, second())),
    ]


def kink(name: str, x: Any, *gradients: Any, torch: bool = True, **params: Any) -> Sample:
    """Return a sample of one operand (a list) or several (a tuple) at a kink."""
    operands = tuple(np.array(o) for o in (x if isinstance(x, tuple) else (x,)))
    return Sample(name, operands, params, False, tuple(map(np.array, gradients)), torch)


def every(x: Any, axis: Any) -> Any:
    """Return the axes as a tuple, which PyTorch's reductions want."""
    return tuple(range(x.ndim)) if axis is None else axis
