"""Samples of the recurrent operations; the oracles go through time one step after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from contracts.op_case import Sample, case, normal


class Numpy:
    """The few functions of PyTorch that the oracles call, in NumPy."""

    tanh = staticmethod(np.tanh)
    concat = staticmethod(np.concatenate)
    stack = staticmethod(np.stack)

    @staticmethod
    def relu(x: np.ndarray) -> np.ndarray:
        return np.maximum(x, 0)

    @staticmethod
    def sigmoid(x: np.ndarray) -> np.ndarray:
        return np.asarray(1 / (1 + np.exp(-x)))


def rnn(t: Any, z: Any, u: Any, h: Any, relu: bool) -> Any:
    """Return the states of a simple recurrent network."""
    out = []
    for k in range(z.shape[1]):
        h = (t.relu if relu else t.tanh)(z[:, k] + h @ u)
        out.append(h)
    return t.stack(out, 1)


def lstm(t: Any, z: Any, u: Any, h: Any, c: Any) -> Any:
    """Return output and cell of a long short-term memory."""
    out, n = [], h.shape[1]
    for k in range(z.shape[1]):
        a = [z[:, k, j : j + n] + h @ u[:, j : j + n] for j in range(0, 4 * n, n)]
        c = t.sigmoid(a[1]) * c + t.sigmoid(a[0]) * t.tanh(a[2])
        h = t.sigmoid(a[3]) * t.tanh(c)
        out.append(t.concat([h, c], 1))
    return t.stack(out, 1)


def gru(t: Any, z: Any, u: Any, b: Any, h: Any) -> Any:
    """Return the states of a gated recurrent unit."""
    out, n = [], h.shape[1]
    for k in range(z.shape[1]):
        q = [h @ u[:, j : j + n] + b[j : j + n] for j in range(0, 3 * n, n)]
        r, w = (t.sigmoid(z[:, k, j * n : (j + 1) * n] + q[j]) for j in range(2))
        h = (1 - w) * t.tanh(z[:, k, 2 * n :] + r * q[2]) + w * h
        out.append(h)
    return t.stack(out, 1)


SIZES = {"three steps": (2, 3, 2), "one step": (2, 1, 3), "one unit": (1, 4, 1)}


def positive(*shape: int) -> np.ndarray:
    """Return numbers that relu lets through."""
    return 0.2 + np.abs(normal(*shape))


case(
    "Rnn",
    lambda *x, **how: rnn(Numpy, *x, **how),
    rnn,
    [
        Sample(name, (normal(n, t, h), normal(h, h), normal(n, h)), {"relu": False})
        for name, (n, t, h) in SIZES.items()
    ],
    Sample("relu", (positive(2, 3, 2), positive(2, 2), positive(2, 2)), {"relu": True}),
    Sample("relu shuts", (-5 - positive(2, 3, 2), normal(2, 2), normal(2, 2)), {"relu": True}),
    Sample("no sequence", (normal(0, 2, 2), normal(2, 2), normal(0, 2)), {"relu": False}),
)
case(
    "Lstm",
    lambda *x: lstm(Numpy, *x),
    lstm,
    [
        Sample(name, (normal(n, t, 4 * h), normal(h, 4 * h), normal(n, h), normal(n, h)))
        for name, (n, t, h) in SIZES.items()
    ],
    Sample("large", (30 * normal(2, 2, 8), normal(2, 8), normal(2, 2), normal(2, 2))),
    Sample("no sequence", (normal(0, 2, 8), normal(2, 8), normal(0, 2), normal(0, 2))),
)
case(
    "Gru",
    lambda *x: gru(Numpy, *x),
    gru,
    [
        Sample(name, (normal(n, t, 3 * h), normal(h, 3 * h), normal(3 * h), normal(n, h)))
        for name, (n, t, h) in SIZES.items()
    ],
    Sample("large", (30 * normal(2, 2, 6), normal(2, 6), normal(6), normal(2, 2))),
    Sample("no sequence", (normal(0, 2, 6), normal(2, 6), normal(6), normal(0, 2))),
)
