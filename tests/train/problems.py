"""Small problems that a network learns in no time, and a callback that writes everything down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid import nn
from pellucid.train import Callback, Run

XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 1, 1, 0])


def blobs(n: int = 90, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return clouds around points of a circle, ``(n, 2)`` float32, and whose they are, in order."""
    rng = np.random.default_rng(seed)
    y = np.sort(np.arange(n) % classes)
    angle = 2 * np.pi * y / classes
    centres = 3 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return (centres + rng.normal(size=(n, 2))).astype(np.float32), y


def line(n: int = 60, outputs: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return x ``(n, 3)`` and y ``(n, outputs)``, a linear function of it with a little noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)).astype(np.float32)
    y = x @ rng.normal(size=(3, outputs)) + 0.01 * rng.normal(size=(n, outputs))
    return x, y.astype(np.float32)


def classifier(*ends: Any, classes: int = 3, seed: int = 0) -> nn.Sequential:
    """Return a network for `blobs`; ``ends`` follow its last layer."""
    return nn.Sequential(nn.Dense(2, 16, "relu"), nn.Dense(16, classes), *ends, rng=seed)


def same_state(a: nn.Module, b: nn.Module) -> bool:
    """Whether two networks have the same parameters and buffers, bit for bit."""
    one, other = a.state(), b.state()
    return list(one) == list(other) and all(
        one[path].dtype == other[path].dtype and np.array_equal(one[path], other[path])
        for path in one
    )


class Spy(Callback):
    """Write down every event with the counts and logs it came with; act on them if asked to."""

    def __init__(self, act: Callable[[str, Run], None] = lambda event, run: None) -> None:
        self.events: list[tuple[str, int, int]] = []
        self.logs: list[tuple[str, dict[str, float]]] = []
        self.act = act

    def note(self, event: str, run: Run) -> None:
        self.events.append((event, run.epoch, run.batch))
        self.logs.append((event, dict(run.logs)))
        self.act(event, run)

    def on_fit_begin(self, run: Run) -> None:
        self.note("fit_begin", run)

    def on_epoch_begin(self, run: Run) -> None:
        self.note("epoch_begin", run)

    def on_batch_end(self, run: Run) -> None:
        self.note("batch_end", run)

    def on_epoch_end(self, run: Run) -> None:
        self.note("epoch_end", run)

    def on_fit_end(self, run: Run) -> None:
        self.note("fit_end", run)


class Rows(nn.Module):
    """A network that writes down the rows it is given, by their first number, and in which mode."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.seen: dict[bool, list[float]] = {True: [], False: []}

    def forward(self, x: Any) -> Any:
        first = np.asarray(x.data if hasattr(x, "op") else x).reshape(len(x), -1)[:, 0]
        self.seen[self.training] += first.tolist()
        return self.network(x)
