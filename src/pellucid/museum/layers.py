"""Mistakes in layers and in their starting values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.arrays import Array
from pellucid.museum.exhibit import Exhibit

Function = Callable[..., Any]


class DropoutUnscaled(Exhibit):
    """Dropout does not make up for what it drops.

    With half of the units gone sums are half as large, so the next layer sees other numbers in
    training than in use. Divide what is kept by the share that is kept: then the expected value is
    the same, and evaluation needs nothing.
    """

    @staticmethod
    def wrong(x: Array, rate: float, rng: np.random.Generator, training: bool) -> Array:
        if not training:
            return x
        return x * (rng.random(x.shape) >= rate)

    @staticmethod
    def right(x: Array, rate: float, rng: np.random.Generator, training: bool) -> Array:
        if not training:
            return x
        return x * (rng.random(x.shape) >= rate) / (1 - rate)

    @staticmethod
    def measure(dropout: Function) -> str:
        x, rng = np.ones(10_000), np.random.default_rng(0)
        used, trained = dropout(x, 0.5, rng, False).mean(), dropout(x, 0.5, rng, True).mean()
        return f"the mean of ones is {trained:.2f} in training and {used:.2f} in use"

    @staticmethod
    def check(dropout: Function) -> str:
        x, rng = np.ones(10_000), np.random.default_rng(0)
        used, trained = dropout(x, 0.5, rng, False).mean(), dropout(x, 0.5, rng, True).mean()
        return "" if abs(used - trained) < 0.05 else "training and use see different means"


class DropoutInUse(Exhibit):
    """Dropout goes on when the network is used.

    Somebody forgot to switch to evaluation, or wrote a layer that knows no modes. Predictions are
    then random and worse than they need be.
    """

    @staticmethod
    def wrong(x: Array, rate: float, rng: np.random.Generator, training: bool) -> Array:
        return x * (rng.random(x.shape) >= rate) / (1 - rate)

    @staticmethod
    def right(x: Array, rate: float, rng: np.random.Generator, training: bool) -> Array:
        if not training:
            return x
        return x * (rng.random(x.shape) >= rate) / (1 - rate)

    @staticmethod
    def measure(dropout: Function) -> str:
        x, rng = np.array([1.0, 2.0, 3.0, 4.0]), np.random.default_rng(0)
        answers = [f"{dropout(x, 0.5, rng, False).sum():g}" for _ in range(4)]
        return f"the same question four times: {', '.join(answers)}"

    @staticmethod
    def check(dropout: Function) -> str:
        x, rng = np.ones(100), np.random.default_rng(0)
        same = np.array_equal(dropout(x, 0.5, rng, False), dropout(x, 0.5, rng, False))
        return "" if same else "two predictions for the same input differ"


class BatchInUse(Exhibit):
    """Batch normalisation uses the batch's statistics when the network is used.

    A prediction then depends on which other examples are asked about at the same time, and a single
    example always becomes 0. In use the running statistics of training stand in.
    """

    @staticmethod
    def wrong(x: Array, running: tuple[float, float], training: bool) -> Array:
        return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)

    @staticmethod
    def right(x: Array, running: tuple[float, float], training: bool) -> Array:
        mean, var = (x.mean(axis=0), x.var(axis=0)) if training else running
        return (x - mean) / np.sqrt(var + 1e-5)

    @staticmethod
    def measure(norm: Function) -> str:
        alone = norm(np.array([[3.0]]), (1.0, 4.0), False)[0, 0]
        among = norm(np.array([[3.0], [9.0]]), (1.0, 4.0), False)[0, 0]
        return f"the same example gives {alone:.2f} alone and {among:.2f} beside another"

    @staticmethod
    def check(norm: Function) -> str:
        x = np.random.default_rng(0).normal(size=(6, 2))
        whole, parts = (
            norm(x, (0.0, 1.0), False),
            [norm(x[i : i + 2], (0.0, 1.0), False) for i in (0, 2, 4)],
        )
        same = np.allclose(whole, np.concatenate(parts))
        return "" if same else "predictions depend on how examples are put into batches"


class BiasedVariance(Exhibit):
    """The running variance is that of the batch, not of the data.

    The mean of n numbers lies in their middle, so their squared deviations from it sum to too
    little: dividing by n gives (n - 1) / n of the variance on average. For small batches the
    network then sees larger numbers in use than in training. The running variance divides by n - 1.
    """

    @staticmethod
    def wrong(batches: Array) -> float:
        running = 1.0
        for batch in batches:
            running = 0.99 * running + 0.01 * batch.var()
        return running

    @staticmethod
    def right(batches: Array) -> float:
        running = 1.0
        for batch in batches:
            running = 0.99 * running + 0.01 * batch.var(ddof=1)
        return running

    @staticmethod
    def measure(follow: Function) -> str:
        batches = np.random.default_rng(0).normal(size=(5000, 4))
        found = follow(batches)
        return f"numbers of variance 1 in batches of 4 have a running variance of {found:.2f}"

    @staticmethod
    def check(follow: Function) -> str:
        found = follow(np.random.default_rng(1).normal(size=(5000, 2)))
        return "" if abs(found - 1) < 0.3 else f"expected a variance near 1, got {found:.2f}"


class TinyStart(Exhibit):
    """Every layer starts with 0.01 times random numbers.

    That is right for one width by chance. In a layer of 100 units it makes numbers ten times
    smaller, and after ten layers nothing of the input is left, forward or backward. Divide by the
    root of the number of inputs instead (Xavier, and He for relu).
    """

    @staticmethod
    def wrong(inputs: int, outputs: int, rng: np.random.Generator) -> Array:
        return 0.01 * rng.normal(size=(inputs, outputs))

    @staticmethod
    def right(inputs: int, outputs: int, rng: np.random.Generator) -> Array:
        return np.sqrt(1 / inputs) * rng.normal(size=(inputs, outputs))

    @staticmethod
    def measure(start: Function) -> str:
        rng = np.random.default_rng(0)
        x, sizes = rng.normal(size=(50, 100)), []
        for _ in range(10):
            x = np.tanh(x @ start(100, 100, rng))
            sizes.append(x.std())
        first, middle, last = (f"{sizes[i]:.1e}" for i in (0, 4, 9))
        return f"after 1, 5 and 10 tanh layers the deviation is {first}, {middle} and {last}"

    @staticmethod
    def check(start: Function) -> str:
        rng = np.random.default_rng(0)
        for width in (10, 100, 1000):
            out = rng.normal(size=(50, width)) @ start(width, 50, rng)
            if not 0.3 < out.std() < 3:
                return f"a layer of {width} inputs changes the size of numbers by {out.std():.2g}"
        return ""


class AllAlike(Exhibit):
    """All weights start at 0, or at one value.

    Units that start alike get the same gradient and stay alike: a hidden layer of a hundred is then
    one unit. Only random starting values break the tie. Biases may start at 0.
    """

    @staticmethod
    def wrong(rng: np.random.Generator) -> Array:
        return np.full((2, 4), 0.5)

    @staticmethod
    def right(rng: np.random.Generator) -> Array:
        return rng.normal(size=(2, 4)) / np.sqrt(2)

    @staticmethod
    def measure(start: Function) -> str:
        rng = np.random.default_rng(0)
        x, w, v = rng.normal(size=(20, 2)), start(rng), np.full((4, 1), 0.5)
        y = x[:, :1] * x[:, 1:]
        for _ in range(200):
            h = np.tanh(x @ w)
            dz = (2 * (h @ v - y) / 20 @ v.T) * (1 - h * h)
            v, w = v - 0.1 * h.T @ (2 * (h @ v - y) / 20), w - 0.1 * x.T @ dz
        kinds = len(np.unique(w.round(6), axis=1).T)
        return f"after 200 updates the 4 hidden units are of {kinds} kind{'s' * (kinds > 1)}"

    @staticmethod
    def check(start: Function) -> str:
        columns = start(np.random.default_rng(0)).T
        alike = len(np.unique(columns, axis=0)) < len(columns)
        return "units with the same weights will stay the same" if alike else ""


EXHIBITS: list[type[Exhibit]] = [
    DropoutUnscaled,
    DropoutInUse,
    BatchInUse,
    BiasedVariance,
    TinyStart,
    AllAlike,
]
