"""Mistakes in optimisers and in the training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pellucid import nn, optim
from pellucid.arrays import Array
from pellucid.museum.exhibit import Exhibit
from pellucid.train import watch

Function = Callable[..., Any]
Loop = Callable[[nn.Module, optim.Optimizer, Array, Array], float]


class NotZeroed(Exhibit):
    """Gradients are not set to zero before the next batch.

    backward adds to what is there, so that several batches can make one update. Forget the reset
    and every update contains all gradients that came before, at parameters that are long gone: it
    acts like momentum without any friction.
    """

    @staticmethod
    def wrong(network: nn.Module, optimizer: optim.Optimizer, x: Array, y: Array) -> float:
        for _ in range(60):
            loss = nn.MSELoss()(network(x), y)
            loss.backward()
            optimizer.step(network)
        return float(loss.data)

    @staticmethod
    def right(network: nn.Module, optimizer: optim.Optimizer, x: Array, y: Array) -> float:
        for _ in range(60):
            network.zero_grad()
            loss = nn.MSELoss()(network(x), y)
            loss.backward()
            optimizer.step(network)
        return float(loss.data)

    @staticmethod
    def measure(loop: Loop) -> str:
        x = np.linspace(-1, 1, 20, dtype=np.float32)[:, None]
        loss = loop(nn.Dense(1, 1, rng=0), optim.SGD(0.3), x, 2 * x + 1)
        return f"after 60 updates on a straight line the loss is {loss:.2g}"

    @staticmethod
    def check(loop: Loop) -> str:
        network, sgd = nn.Dense(1, 1, rng=0), optim.SGD(0.01)
        with watch(network, sgd) as findings:
            loop(network, sgd, np.ones((4, 1), np.float32), np.ones((4, 1), np.float32))
        return findings[0].title if findings else ""


class PowerForgotten(Exhibit):
    """Adam corrects its bias by 1 - beta instead of 1 - beta^t.

    The averages m and v start at 0 and are too small at first; dividing by 1 - beta^t mends that
    and fades out as t grows. Without the power the division stays for ever, m ten times and v a
    thousand times too large: steps are too long at first, and in the end three times too short.
    """

    @staticmethod
    def wrong(gradients: list[float], lr: float = 0.1) -> float:
        w = m = v = 0.0
        for g in gradients:
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g * g
            w -= lr * (m / (1 - 0.9)) / (np.sqrt(v / (1 - 0.999)) + 1e-8)
        return float(w)

    @staticmethod
    def right(gradients: list[float], lr: float = 0.1) -> float:
        w = m = v = 0.0
        for t, g in enumerate(gradients, start=1):
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g * g
            w -= lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        return float(w)

    @staticmethod
    def measure(adam: Function) -> str:
        return f"twenty gradients of 1 at a rate of 0.1 move a weight by {adam([1.0] * 20):.3f}"

    @staticmethod
    def check(adam: Function) -> str:
        moved = adam([0.5] * 20)  # equal gradients: each step is the rate, whatever their size
        return "" if abs(moved + 2) < 1e-3 else f"expected -2 after 20 equal steps, got {moved:.3f}"


class DecayInTheLoss(Exhibit):
    """A penalty in the loss is taken for weight decay under Adam.

    For SGD both are the same. Adam divides each gradient by its own size, the penalty's included:
    weights with large gradients are then hardly decayed at all. Decoupled decay (AdamW) pulls at
    all weights alike, beside the step. Loshchilov and Hutter, ICLR 2019.
    """

    @staticmethod
    def wrong(w: Array, gradients: Array, lr: float, decay: float) -> Array:
        m, v = np.zeros_like(w), np.zeros_like(w)
        for t, g in enumerate(gradients, start=1):
            g = g + decay * w  # the gradient of a penalty in the loss
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            w = w - lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        return w

    @staticmethod
    def right(w: Array, gradients: Array, lr: float, decay: float) -> Array:
        m, v = np.zeros_like(w), np.zeros_like(w)
        for t, g in enumerate(gradients, start=1):
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            w = w - lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
            w = w - lr * decay * w  # beside the step
        return w

    @staticmethod
    def measure(adam: Function) -> str:
        signs = np.where(np.arange(400) % 2, 1.0, -1.0)[:, None]  # gradients that cancel out
        w = adam(np.ones(2), signs * np.array([0.1, 10.0]), 0.01, 0.1)
        return f"of two weights with gradients of 0.1 and 10 there remain {w[0]:.2f} and {w[1]:.2f}"

    @staticmethod
    def check(adam: Function) -> str:
        signs = np.where(np.arange(400) % 2, 1.0, -1.0)[:, None]
        w = adam(np.ones(2), signs * np.array([0.1, 10.0]), 0.01, 0.1)
        alike = abs(w[0] - w[1]) < 0.01
        return "" if alike else f"decay depends on the gradient: {w[0]:.2f} against {w[1]:.2f}"


class LastRows(Exhibit):
    """The validation set is the last rows, unshuffled.

    Many files are sorted by class or by time. Then the last fifth holds classes that training never
    saw, and the validation score says nothing. Draw the rows at random, class by class.
    """

    @staticmethod
    def wrong(labels: Array, share: float) -> tuple[Array, Array]:
        cut = round(len(labels) * (1 - share))
        rows = np.arange(len(labels))
        return rows[:cut], rows[cut:]

    @staticmethod
    def right(labels: Array, share: float) -> tuple[Array, Array]:
        rng, held = np.random.default_rng(0), []
        for label in np.unique(labels):
            rows = rng.permutation(np.flatnonzero(labels == label))
            held.append(rows[: round(len(rows) * share)])
        test = np.concatenate(held)
        return np.setdiff1d(np.arange(len(labels)), test), test

    @staticmethod
    def measure(split: Function) -> str:
        labels = np.arange(100) // 20  # five classes, one after the other
        train, test = (np.bincount(labels[rows], minlength=5) for rows in split(labels, 0.2))
        return f"examples of each class to train on {train}, to validate with {test}"

    @staticmethod
    def check(split: Function) -> str:
        labels = np.arange(100) // 20
        train, test = split(labels, 0.2)
        missing = set(labels[test]) - set(labels[train])
        return f"class {min(missing)} is validated, but never trained" if missing else ""


class MeanOfMeans(Exhibit):
    """The loss of an epoch is the mean of its batches' means.

    The last batch is usually smaller, and its examples then count for more. One hard example alone
    in the last batch can double the loss. Weigh each batch by its size.
    """

    @staticmethod
    def wrong(losses: Array, batch_size: int) -> float:
        batches = np.split(losses, range(batch_size, len(losses), batch_size))
        return float(np.mean([batch.mean() for batch in batches]))

    @staticmethod
    def right(losses: Array, batch_size: int) -> float:
        batches = np.split(losses, range(batch_size, len(losses), batch_size))
        return float(sum(batch.mean() * len(batch) for batch in batches) / len(losses))

    @staticmethod
    def measure(epoch: Function) -> str:
        losses = np.append(np.ones(32), 9.0)
        return (
            f"32 losses of 1 and one of 9, in batches of 32, have the mean {epoch(losses, 32):.3f}"
        )

    @staticmethod
    def check(epoch: Function) -> str:
        losses = np.random.default_rng(0).normal(size=33)
        same = np.isclose(epoch(losses, 32), epoch(losses, 10))
        return "" if same else "the loss of an epoch depends on the batch size"


class MeanOfScores(Exhibit):
    """F1 is computed for each batch and averaged.

    F1, recall and AUC are ratios over a whole set; the mean of ratios is another number. A batch
    without positives even has no recall at all. Collect the predictions, and score once an epoch.
    """

    @staticmethod
    def wrong(truth: Array, guess: Array, batch_size: int) -> float:
        def f1(t: Array, g: Array) -> float:
            hits = (t & g).sum()
            return float(2 * hits / max(t.sum() + g.sum(), 1))

        cuts = range(batch_size, len(truth), batch_size)
        pairs = zip(np.split(truth, cuts), np.split(guess, cuts), strict=True)
        return float(np.mean([f1(t, g) for t, g in pairs]))

    @staticmethod
    def right(truth: Array, guess: Array, batch_size: int) -> float:
        hits = positives = 0
        cuts = range(batch_size, len(truth), batch_size)
        for t, g in zip(np.split(truth, cuts), np.split(guess, cuts), strict=True):
            hits += (t & g).sum()
            positives += t.sum() + g.sum()
        return float(2 * hits / max(positives, 1))

    @staticmethod
    def measure(f1: Function) -> str:
        truth = np.arange(64) % 8 == 0
        guess = truth & (np.arange(64) % 16 == 0)
        scores = ", ".join(f"{size}: {f1(truth, guess, size):.3f}" for size in (4, 16, 64))
        return f"F1 of the same predictions in batches of {scores}"

    @staticmethod
    def check(f1: Function) -> str:
        truth = np.arange(64) % 8 == 0
        scores = {round(f1(truth, truth, size), 6) for size in (4, 16, 64)}
        return "" if scores == {1.0} else f"perfect predictions score {min(scores):.2f}, not 1"


class SameStreams(Exhibit):
    """All workers, or all epochs, draw the same random numbers.

    Each worker makes a generator from the same seed, and so each augments, drops and shuffles in
    the same way: several times the work for one time the variety. Give each a stream of its own,
    spawned from one seed.
    """

    @staticmethod
    def wrong(seed: int, workers: int) -> Iterator[np.random.Generator]:
        return (np.random.default_rng(seed) for _ in range(workers))

    @staticmethod
    def right(seed: int, workers: int) -> Iterator[np.random.Generator]:
        return iter(np.random.default_rng(seed).spawn(workers))

    @staticmethod
    def measure(streams: Function) -> str:
        orders = [str(rng.permutation(5)) for rng in streams(0, 3)]
        return f"three workers shuffle five rows as {', '.join(orders)}"

    @staticmethod
    def check(streams: Function) -> str:
        first = [rng.random() for rng in streams(0, 4)]
        return "" if len(set(first)) == 4 else "several workers draw the same numbers"


EXHIBITS: list[type[Exhibit]] = [
    NotZeroed,
    PowerForgotten,
    DecayInTheLoss,
    LastRows,
    MeanOfMeans,
    MeanOfScores,
    SameStreams,
]
