"""Small made-up datasets whose shape is known exactly, for seeing what a network learns.

Rows come in the order of the construction (class after class, or left to right); `split` and
`batches` shuffle them. Equal seeds give equal rows, and with no noise the seed does not matter
except to `blobs`, which draws its centres.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pellucid.calls import helpful
from pellucid.data.arguments import Seed, real, whole
from pellucid.data.dataset import Dataset

_PLANE = ("x1", "x2")
_MOST_ARMS = 11


@helpful
def moons(samples: int = 200, noise: float = 0.1, seed: Seed = None) -> Dataset:
    """Two interleaving half circles, the smallest problem a straight line cannot solve.

    With t evenly spaced over [0, pi], ends included, class "upper" lies at (cos t, sin t) and
    class "lower" at (1 - cos t, 1/2 - sin t); `noise` is the standard deviation of a normal
    error added to each coordinate. The upper moon has samples // 2 rows, the lower the rest.

    Returns:
        x float32 (samples, 2), y int64 (samples,).

    Raises:
        TypeError: `samples` or `noise` is no number of its kind.
        ValueError: `samples` is below 2, or `noise` negative or not finite.

    Source: the construction of scikit-learn's `make_moons`.

    >>> from pellucid import data
    >>> moons = data.moons(6, noise=0.0)
    >>> moons.x.round(3).tolist()
    [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, 0.5], [1.0, -0.5], [2.0, 0.5]]
    >>> moons.y.tolist()
    [0, 0, 0, 1, 1, 1]
    """
    samples, noise = whole(samples, "samples", least=2), real(noise, "noise")
    upper = np.linspace(0.0, math.pi, samples // 2)
    lower = np.linspace(0.0, math.pi, samples - samples // 2)
    points = np.concatenate(
        [
            np.stack([np.cos(upper), np.sin(upper)], axis=1),
            np.stack([1.0 - np.cos(lower), 0.5 - np.sin(lower)], axis=1),
        ]
    )  # (samples, 2)
    labels = np.repeat([0, 1], [len(upper), len(lower)])
    return _in_plane("moons", _blurred(points, noise, seed), labels, ("upper", "lower"))


@helpful
def circles(
    samples: int = 200, noise: float = 0.1, factor: float = 0.5, seed: Seed = None
) -> Dataset:
    """A circle inside another, around the origin: separable by distance, by no straight line.

    Class "outer" lies at (cos t, sin t) and class "inner" at factor (cos t, sin t), with t
    evenly spaced over [0, 2 pi), the end left out; `noise` is the standard deviation of a normal
    error added to each coordinate. The outer circle has samples // 2 rows, the inner the rest.

    Returns:
        x float32 (samples, 2), y int64 (samples,).

    Raises:
        TypeError: An argument is no number of its kind.
        ValueError: `samples` is below 2, `noise` negative or not finite, or `factor`, the radius
            of the inner circle, outside [0, 1).

    Source: the construction of scikit-learn's `make_circles`.

    >>> from pellucid import data
    >>> circles = data.circles(4, noise=0.0, factor=0.5)
    >>> circles.x.round(3).tolist()
    [[1.0, 0.0], [-1.0, 0.0], [0.5, 0.0], [-0.5, 0.0]]
    """
    samples, noise = whole(samples, "samples", least=2), real(noise, "noise")
    radii = (1.0, real(factor, "factor", below=1.0))
    counts = (samples // 2, samples - samples // 2)
    rings = []
    for radius, count in zip(radii, counts, strict=True):
        angle = np.linspace(0.0, 2.0 * math.pi, count, endpoint=False)
        rings.append(radius * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    points = _blurred(np.concatenate(rings), noise, seed)  # (samples, 2)
    return _in_plane("circles", points, np.repeat([0, 1], counts), ("outer", "inner"))


@helpful
def blobs(
    samples: int = 200,
    centers: int = 3,
    features: int = 2,
    spread: float = 1.0,
    seed: Seed = None,
) -> Dataset:
    """Round normal clouds, one a class: x ~ Normal(c_k, spread^2 I), c_k ~ Uniform[-10, 10]^F.

    The rows are dealt to the classes as evenly as possible, the first classes taking what is
    left over. Centres are drawn anew for each seed, so two clouds may overlap.

    Returns:
        x float32 (samples, features), y int64 (samples,) in 0..centers-1.

    Raises:
        TypeError: An argument is no number of its kind.
        ValueError: `samples` is below `centers`, another count below 1, or `spread` negative.

    Source: the construction of scikit-learn's `make_blobs`.

    >>> from pellucid import data
    >>> blobs = data.blobs(7, centers=3, features=2, seed=0)
    >>> blobs.x.shape, blobs.y.tolist()
    ((7, 2), [0, 0, 0, 1, 1, 2, 2])
    """
    centers, features = whole(centers, "centers"), whole(features, "features")
    samples, spread = whole(samples, "samples", least=centers), real(spread, "spread")
    rng = np.random.default_rng(seed)
    middles = rng.uniform(-10.0, 10.0, size=(centers, features))
    labels = np.sort(np.arange(samples) % centers)
    points = _blurred(middles[labels], spread, rng)  # (samples, features)
    return Dataset(
        name="blobs",
        x=points.astype(np.float32),
        y=labels,
        class_names=tuple(str(k) for k in range(centers)),
        feature_names=tuple(f"x{j + 1}" for j in range(features)),
    )


@helpful
def spiral(
    samples_per_arm: int = 100, arms: int = 3, noise: float = 0.2, seed: Seed = None
) -> Dataset:
    """Spiral arms wound around the origin, one a class: needs a curved boundary everywhere.

    Arm k has radius r evenly spaced over [0, 1] and angle t evenly spaced over [4k, 4k + 4]
    radians, plus a normal error of standard deviation `noise` radians on the angle; its points
    are (r sin t, r cos t). Eleven arms of 4 radians make seven turns to within 0.02, so a
    twelfth would lie on the first.

    Returns:
        x float32 (samples_per_arm * arms, 2), y int64 of that length.

    Raises:
        TypeError: An argument is no number of its kind.
        ValueError: A count is below 1, `arms` above 11, or `noise` negative or not finite.

    Source: Stanford CS231n, "Putting it together: Minimal Neural Network Case Study",
    section "Generating some data".

    >>> import numpy as np
    >>> from pellucid import data
    >>> spiral = data.spiral(samples_per_arm=3, arms=2, noise=0.0)
    >>> np.linalg.norm(spiral.x, axis=1).round(3).tolist()
    [0.0, 0.5, 1.0, 0.0, 0.5, 1.0]
    >>> spiral.y.tolist()
    [0, 0, 0, 1, 1, 1]
    """
    samples_per_arm = whole(samples_per_arm, "samples_per_arm")
    arms, noise = whole(arms, "arms"), real(noise, "noise")
    if arms > _MOST_ARMS:
        raise ValueError(
            f"arms: expected at most {_MOST_ARMS}, got {arms}; arm 12 lies on arm 1, use fewer"
        )
    labels = np.repeat(np.arange(arms), samples_per_arm)
    along = np.tile(np.linspace(0.0, 1.0, samples_per_arm), arms)  # the radius r
    angle = _blurred(4.0 * labels + 4.0 * along, noise, seed)
    points = along[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return _in_plane("spiral", points, labels, tuple(str(k) for k in range(arms)))


@helpful
def xor(samples: int = 4, noise: float = 0.0, seed: Seed = None) -> Dataset:
    """Exclusive or: label 1 where exactly one of two inputs is 1.

    Row i is corner i mod 4 of the unit square, in the order (0,0), (0,1), (1,0), (1,1), plus a
    normal error of standard deviation `noise` on each coordinate; the label is the corner's.
    The defaults are therefore the exact truth table, and more samples are noisy copies of it.

    Returns:
        x float32 (samples, 2), y int64 (samples,).

    Raises:
        TypeError: `samples` or `noise` is no number of its kind.
        ValueError: `samples` is below 4, or `noise` negative or not finite.

    Source: M. Minsky and S. Papert, "Perceptrons", 1969, the predicate no single unit computes.

    >>> from pellucid import data
    >>> xor = data.xor()
    >>> xor.x.tolist()
    [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    >>> xor.y.tolist()
    [0, 1, 1, 0]
    """
    samples, noise = whole(samples, "samples", least=4), real(noise, "noise")
    corner = np.arange(samples) % 4
    inputs = np.stack([corner // 2, corner % 2], axis=1)  # (samples, 2) of bits
    labels = inputs[:, 0] ^ inputs[:, 1]
    points = _blurred(inputs.astype(np.float64), noise, seed)
    return _in_plane("xor", points, labels, ("0", "1"))


@helpful
def sine(samples: int = 200, noise: float = 0.0, seed: Seed = None) -> Dataset:
    """One period of a sine to be regressed: y = sin x, x evenly spaced over [-pi, pi].

    `noise` is the standard deviation of a normal error added to y.

    Returns:
        x float32 (samples, 1) in radians, y float32 (samples, 1).

    Raises:
        TypeError: `samples` or `noise` is no number of its kind.
        ValueError: `samples` is below 2, or `noise` negative or not finite.

    >>> import numpy as np
    >>> from pellucid import data
    >>> sine = data.sine(5)
    >>> (sine.x[1:4] / np.pi).round(3).tolist(), sine.y[1:4].round(3).tolist()
    ([[-0.5], [0.0], [0.5]], [[-1.0], [0.0], [1.0]])
    """
    samples, noise = whole(samples, "samples", least=2), real(noise, "noise")
    x = np.linspace(-math.pi, math.pi, samples)[:, None]  # (samples, 1)
    y = _blurred(np.sin(x), noise, seed)
    return Dataset("sine", x.astype(np.float32), y.astype(np.float32), feature_names=("x",))


def _blurred(exact: NDArray[np.float64], deviation: float, seed: Seed) -> NDArray[np.float64]:
    """Return the values plus a normal error of the given standard deviation."""
    return exact + np.random.default_rng(seed).normal(0.0, deviation, size=exact.shape)


def _in_plane(
    name: str, points: NDArray[np.float64], labels: NDArray[np.int64], classes: tuple[str, ...]
) -> Dataset:
    """Return labelled points of the plane as a Dataset."""
    return Dataset(name, points.astype(np.float32), labels, classes, feature_names=_PLANE)
