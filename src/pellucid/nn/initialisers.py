"""Starting values of weights, whose variance keeps signals from fading or growing with depth.

Each initialiser is a function ``(shape, fan_in, fan_out, rng) -> array`` of float32; ``fan_in`` is
the number of inputs that meet in one unit, ``fan_out`` the number of units one input feeds.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.arrays import Shape
from pellucid.errors import unknown

Weights: TypeAlias = NDArray[np.float32]
Initialiser: TypeAlias = Callable[[Shape, int, int, np.random.Generator], Weights]


def _normal(shape: Shape, variance: float, rng: np.random.Generator) -> Weights:
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(sqrt(variance))


def _uniform(shape: Shape, variance: float, rng: np.random.Generator) -> Weights:
    bound = sqrt(3 * variance)  # U(-b, b) has variance b^2 / 3
    return rng.uniform(-bound, bound, shape).astype(np.float32)


def he_normal(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Weights:
    """N(0, 2 / fan_in), for relu and its kin.

    He, Zhang, Ren and Sun, "Delving deep into rectifiers", ICCV 2015.
    """
    return _normal(shape, 2 / max(fan_in, 1), rng)


def he_uniform(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Weights:
    """U(-b, b) with variance 2 / fan_in, for relu and its kin; source as `he_normal`."""
    return _uniform(shape, 2 / max(fan_in, 1), rng)


def xavier_normal(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Weights:
    """N(0, 2 / (fan_in + fan_out)), for tanh, sigmoid and linear units.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010.
    """
    return _normal(shape, 2 / max(fan_in + fan_out, 1), rng)


def xavier_uniform(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Weights:
    """U(-b, b) with variance 2 / (fan_in + fan_out); source as `xavier_normal`."""
    return _uniform(shape, 2 / max(fan_in + fan_out, 1), rng)


def lecun_normal(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Weights:
    """N(0, 1 / fan_in). LeCun, Bottou, Orr and Müller, "Efficient BackProp", 1998."""
    return _normal(shape, 1 / max(fan_in, 1), rng)


def lecun_uniform(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Weights:
    """U(-b, b) with variance 1 / fan_in; source as `lecun_normal`."""
    return _uniform(shape, 1 / max(fan_in, 1), rng)


def zeros(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Weights:
    """All 0: right for biases; weights of 0 would make all units of a layer alike for ever."""
    return np.zeros(shape, np.float32)


def constant(value: float) -> Initialiser:
    """Return the initialiser that sets every element to ``value``."""

    def fill(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Weights:
        return np.full(shape, value, np.float32)

    return fill


INITIALISERS: dict[str, Initialiser] = {
    "he_normal": he_normal,
    "he_uniform": he_uniform,
    "xavier_normal": xavier_normal,
    "xavier_uniform": xavier_uniform,
    "lecun_normal": lecun_normal,
    "lecun_uniform": lecun_uniform,
    "zeros": zeros,
}


def initialiser(choice: str | Initialiser) -> Initialiser:
    """Return an initialiser by name, or as given."""
    if callable(choice):
        return choice
    if choice not in INITIALISERS:
        raise unknown("initialiser", choice, INITIALISERS)
    return INITIALISERS[choice]
