"""Starting values of weights, whose variance keeps signals from fading or growing with depth.

Each initialiser is a function ``(shape, fan_in, fan_out, rng) -> array`` of float32; ``fan_in`` is
the number of inputs that meet in one unit, ``fan_out`` the number of units one input feeds. Those
with settings of their own are called with them and return such a function:
``Dense(3, 2, init=normal(std=0.02))``. By name they have their usual settings.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf, prod, sqrt
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


def _refuse_spread(name: str, what: str, value: float) -> None:
    if not 0 <= value < inf:
        raise ValueError(f"{name}: expected {what} to be a finite number >= 0, got {value!r}")


def he_normal(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Weights:
    """N(0, 2 / fan_in), for relu and its kin: the 2 makes up for the half that relu drops.

    He, Zhang, Ren and Sun, "Delving deep into rectifiers", ICCV 2015.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> w = nn.initialisers.he_normal((50, 1000), 50, 1000, np.random.default_rng(0))
    >>> round(float(w.std()), 2)  # sqrt(2 / 50)
    0.2
    >>> layer = nn.Dense(50, 1000, init="he_normal", rng=0)  # by name
    """
    return _normal(shape, 2 / max(fan_in, 1), rng)


def he_uniform(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Weights:
    """U(-b, b), b = sqrt(6 / fan_in): variance 2 / fan_in as `he_normal`, the same source.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> w = nn.initialisers.he_uniform((24, 1000), 24, 1000, np.random.default_rng(0))
    >>> round(float(abs(w).max()), 2)  # b = sqrt(6 / 24)
    0.5
    """
    return _uniform(shape, 2 / max(fan_in, 1), rng)


def xavier_normal(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Weights:
    """N(0, 2 / (fan_in + fan_out)), for tanh, sigmoid and linear units.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> w = nn.initialisers.xavier_normal((100, 100), 100, 100, np.random.default_rng(0))
    >>> round(float(w.std()), 2)  # sqrt(2 / 200)
    0.1
    """
    return _normal(shape, 2 / max(fan_in + fan_out, 1), rng)


def xavier_uniform(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Weights:
    """U(-b, b), b = sqrt(6 / (fan_in + fan_out)): variance and source of `xavier_normal`.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> w = nn.initialisers.xavier_uniform((100, 500), 100, 500, np.random.default_rng(0))
    >>> round(float(abs(w).max()), 2)  # b = sqrt(6 / 600)
    0.1
    """
    return _uniform(shape, 2 / max(fan_in + fan_out, 1), rng)


def lecun_normal(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Weights:
    """N(0, 1 / fan_in), for selu and linear units: sums keep the variance of what they add.

    LeCun, Bottou, Orr and Müller, "Efficient BackProp", 1998, section 4.6.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> w = nn.initialisers.lecun_normal((100, 500), 100, 500, np.random.default_rng(0))
    >>> round(float(w.std()), 2)  # sqrt(1 / 100)
    0.1
    """
    return _normal(shape, 1 / max(fan_in, 1), rng)


def lecun_uniform(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Weights:
    """U(-b, b), b = sqrt(3 / fan_in): variance and source of `lecun_normal`.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> w = nn.initialisers.lecun_uniform((12, 1000), 12, 1000, np.random.default_rng(0))
    >>> round(float(abs(w).max()), 2)  # b = sqrt(3 / 12)
    0.5
    """
    return _uniform(shape, 1 / max(fan_in, 1), rng)


def normal(mean: float = 0.0, std: float = 0.05) -> Initialiser:
    """Return the initialiser that draws from N(mean, std^2), whatever the fans.

    Raises a ValueError if ``std`` is no finite number of at least 0.

    >>> from pellucid import nn
    >>> layer = nn.Dense(100, 500, init=nn.initialisers.normal(std=0.02), rng=0)
    >>> round(float(layer.weight.numpy().std()), 2)
    0.02
    """
    _refuse_spread("normal", "std", std)
    return partial(draw_normal, mean=mean, std=std)


def truncated_normal(mean: float = 0.0, std: float = 0.05) -> Initialiser:
    """Return the initialiser that draws from N(mean, std^2) within mean +- 2 std.

    What falls outside is drawn again; that leaves a standard deviation of 0.8796 std. Johnson, Kotz
    and Balakrishnan, "Continuous univariate distributions", volume 1, 1994, chapter 13. Raises a
    ValueError if ``std`` is no finite number of at least 0.

    >>> from pellucid import nn
    >>> layer = nn.Dense(100, 500, init=nn.initialisers.truncated_normal(std=1.0), rng=0)
    >>> w = layer.weight.numpy()
    >>> round(float(abs(w).max()), 2), round(float(w.std()), 2)
    (2.0, 0.88)
    """
    _refuse_spread("truncated_normal", "std", std)
    return partial(draw_truncated_normal, mean=mean, std=std)


def uniform(low: float = -0.05, high: float = 0.05) -> Initialiser:
    """Return the initialiser that draws from U(low, high), whatever the fans.

    Raises a ValueError if high is below low.

    >>> from pellucid import nn
    >>> layer = nn.Dense(100, 500, init=nn.initialisers.uniform(-1.0, 3.0), rng=0)
    >>> w = layer.weight.numpy()
    >>> round(float(w.min()), 2), round(float(w.max()), 2)
    (-1.0, 3.0)
    """
    _refuse_spread("uniform", "high - low", high - low)
    return partial(draw_uniform, low=low, high=high)


def orthogonal(gain: float = 1.0) -> Initialiser:
    """Return the initialiser that draws gain * Q, Q^T Q = 1: x @ Q keeps the lengths it can.

    The weights are a matrix whose columns are the last axis and whose rows are all others. As many
    rows, or columns, as there can be are orthonormal; Q is uniform among such matrices. It is the
    factor of a random matrix A = Q R, its columns with the signs that make R's diagonal positive.

    Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks", ICLR 2014; Mezzadri, "How to generate random matrices from the
    classical compact groups", Notices of the AMS 54, 2007. Raises a ValueError if ``gain`` is no
    finite number of at least 0.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> w = nn.Dense(3, 3, init=nn.initialisers.orthogonal(), rng=0).weight.numpy()
    >>> np.allclose(w.T @ w, np.eye(3), atol=1e-6)
    True
    """
    _refuse_spread("orthogonal", "gain", gain)
    return partial(draw_orthogonal, gain=gain)


def zeros(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Weights:
    """All 0: right for biases; weights of 0 would make all units of a layer alike for ever.

    >>> from pellucid import nn
    >>> nn.Dense(2, 3, init="zeros").weight.tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    return np.zeros(shape, np.float32)


def ones(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Weights:
    """All 1: right for factors, such as the scale of a normalisation.

    >>> from pellucid import nn
    >>> nn.Dense(2, 3, init="ones").weight.tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    return np.ones(shape, np.float32)


def constant(value: float) -> Initialiser:
    """Return the initialiser that sets every element to ``value``.

    >>> from pellucid import nn
    >>> nn.Dense(2, 3, init=nn.initialisers.constant(0.5)).weight.tolist()
    [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]
    """
    return partial(fill, value=value)


# what those with settings do; as functions of this module they have names that files can hold


def draw_normal(
    shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator, *, mean: float, std: float
) -> Weights:
    """Draw from N(mean, std^2)."""
    return (mean + std * rng.standard_normal(shape)).astype(np.float32)


def draw_truncated_normal(
    shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator, *, mean: float, std: float
) -> Weights:
    """Draw from N(mean, std^2) within mean +- 2 std."""
    z = rng.standard_normal(shape)
    while (outside := np.abs(z) > 2).any():
        z = np.where(outside, rng.standard_normal(shape), z)
    return (mean + std * z).astype(np.float32)


def draw_uniform(
    shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator, *, low: float, high: float
) -> Weights:
    """Draw from U(low, high)."""
    return rng.uniform(low, high, shape).astype(np.float32)


def draw_orthogonal(
    shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator, *, gain: float
) -> Weights:
    """Return gain * Q, Q^T Q = 1."""
    if not shape:
        raise ValueError("orthogonal: expected weights of at least one axis, got a scalar")
    rows, columns = prod(shape[:-1]), shape[-1]
    a = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(a)
    q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return (gain * (q if rows >= columns else q.T)).reshape(shape).astype(np.float32)


def fill(
    shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator, *, value: float
) -> Weights:
    """Return ``value`` everywhere."""
    return np.full(shape, value, np.float32)


DRAWING: tuple[str, ...] = (  # the functions of this module that are, or do the work of, one
    "he_normal",
    "he_uniform",
    "xavier_normal",
    "xavier_uniform",
    "lecun_normal",
    "lecun_uniform",
    "zeros",
    "ones",
    "draw_normal",
    "draw_truncated_normal",
    "draw_uniform",
    "draw_orthogonal",
    "fill",
)
INITIALISERS: dict[str, Initialiser] = {
    "he_normal": he_normal,
    "he_uniform": he_uniform,
    "xavier_normal": xavier_normal,
    "xavier_uniform": xavier_uniform,
    "lecun_normal": lecun_normal,
    "lecun_uniform": lecun_uniform,
    "normal": normal(),
    "truncated_normal": truncated_normal(),
    "uniform": uniform(),
    "orthogonal": orthogonal(),
    "zeros": zeros,
    "ones": ones,
}
_WITH_SETTINGS: dict[str, tuple[object, str]] = {
    "normal": (normal, "normal(std=0.02)"),
    "truncated_normal": (truncated_normal, "truncated_normal(std=0.02)"),
    "uniform": (uniform, "uniform(-0.1, 0.1)"),
    "orthogonal": (orthogonal, "orthogonal()"),
    "constant": (constant, "constant(0.5)"),
}
_ELSEWHERE = {"glorot": "xavier", "kaiming": "he"}  # by whose name they go in Keras and PyTorch


def initialiser(
    choice: str | Initialiser | None, default: str | Initialiser = "xavier_uniform"
) -> Initialiser:
    """Return an initialiser by name, or as given; for None the default.

    Raises:
        ValueError: it is unknown, or the function that makes it was not called.

    >>> import numpy as np
    >>> from pellucid import nn
    >>> start = nn.initialisers.initialiser("ones")
    >>> start((2, 3), 2, 3, np.random.default_rng(0)).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    >>> nn.initialisers.initialiser("glorot_uniform")
    Traceback (most recent call last):
    ValueError: unknown initialiser 'glorot_uniform'; did you mean 'xavier_uniform'?
    """
    choice = default if choice is None else choice
    for maker, example in _WITH_SETTINGS.values():
        if choice is maker:
            raise ValueError(f"expected an initialiser, got what makes one; call it: {example}")
    if callable(choice):
        return choice
    if not isinstance(choice, str) or choice not in INITIALISERS:
        raise _unknown(choice)
    return INITIALISERS[choice]


def _unknown(choice: object) -> ValueError:
    """Return the error for what is no initialiser; names from elsewhere are translated."""
    for theirs, ours in _ELSEWHERE.items():
        if isinstance(choice, str) and choice.lower().startswith(theirs):
            kind = "normal" if choice.lower().endswith("normal") else "uniform"
            return ValueError(f"unknown initialiser {choice!r}; did you mean '{ours}_{kind}'?")
    if isinstance(choice, str) and choice in _WITH_SETTINGS:
        _, example = _WITH_SETTINGS[choice]
        return ValueError(f"unknown initialiser {choice!r}; did you mean {example}?")
    return unknown("initialiser", choice, INITIALISERS)
