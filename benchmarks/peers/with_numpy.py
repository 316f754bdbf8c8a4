"""The step written out in NumPy for this kind of network alone, in place wherever that helps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

import machine
from cases import B1, B2, EPS, Case, Floats, Labels, Run, repeated


def by_hand(case: Case) -> Run:
    """Return the step, or the usual loop over shuffled rows."""
    network = Network(case)
    x, y = case.data()
    if not case.rows:
        return repeated(network.step, x, y)
    rng = np.random.default_rng(0)

    def run(count: int) -> float:
        for _ in range(count):
            order, total = rng.permutation(case.rows), 0.0
            for start in range(0, case.rows, case.batch):
                index = order[start : start + case.batch]
                total += network.step(x[index], y[index])
        return total / case.updates

    return run


class Network:
    """All parameters lie in one array, so that Adam is a dozen calls whatever the depth."""

    def __init__(self, case: Case) -> None:
        shapes = [shape for n, m in case.layers for shape in ((n, m), (m,))]
        size = sum(int(np.prod(shape)) for shape in shapes)
        self.parameters, self.gradient = np.zeros(size, np.float32), np.zeros(size, np.float32)
        self.m, self.v, self.scratch = (np.zeros(size, np.float32) for _ in range(3))
        self.w, self.b = parts(self.parameters, shapes)
        self.dw, self.db = parts(self.gradient, shapes)
        for w, start in zip(self.w, case.weights(), strict=True):
            w[...] = start
        self.rows, self.rate, self.steps = np.arange(case.batch), case.rate, 0

    def step(self, x: Floats, y: Labels) -> float:
        """Make one update; return the loss before it."""
        activations = [x]
        for layer, (w, b) in enumerate(zip(self.w, self.b, strict=True), 1):
            z = activations[-1] @ w
            z += b
            activations.append(np.maximum(z, 0, out=z) if layer < len(self.w) else z)
        *hidden, z = activations  # hidden[i] is what layer i is given
        z -= z.max(axis=1, keepdims=True)
        g = np.exp(z)
        total = g.sum(axis=1, keepdims=True)
        loss = np.log(total).mean() - z[self.rows, y].mean()
        g /= total
        g[self.rows, y] -= 1
        g /= len(x)
        for i in reversed(range(len(self.w))):
            np.matmul(hidden[i].T, g, out=self.dw[i])
            np.sum(g, axis=0, out=self.db[i])
            if i:
                g = g @ self.w[i].T
                g *= hidden[i] > 0
        self.adam()
        return float(loss)

    def adam(self) -> None:
        """Update all parameters; the gradient's array is used up."""
        self.steps += 1
        g, m, v, scratch = self.gradient, self.m, self.v, self.scratch
        m *= B1
        m += np.multiply(g, 1 - B1, out=scratch)
        v *= B2
        g *= g
        g *= 1 - B2
        v += g
        np.divide(v, 1 - B2**self.steps, out=scratch)
        np.sqrt(scratch, out=scratch)
        scratch += EPS
        np.divide(m, scratch, out=scratch)
        scratch *= self.rate / (1 - B1**self.steps)
        self.parameters -= scratch


def parts(flat: Floats, shapes: Sequence[tuple[int, ...]]) -> tuple[list[Floats], list[Floats]]:
    """Return views of matrices and of vectors, which lie in turns in one array."""
    ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
    views = [flat[a:b].reshape(s) for (a, b), s in zip(pairwise(ends), shapes, strict=True)]
    return views[::2], views[1::2]


def about() -> str:
    """Return the version and the BLAS."""
    return f"NumPy {np.__version__}, {machine.describe()['BLAS']}"
