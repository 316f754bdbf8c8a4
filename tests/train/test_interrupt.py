"""Ctrl-C as the terminal sends it, and other requests that come at a bad moment."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from pellucid import nn, optim, train

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
Y = np.arange(40) % 2


def model() -> train.Model:
    return train.Model(
        nn.Sequential(nn.Dense(3, 4, "relu"), nn.Dense(4, 2), rng=0), "cross_entropy"
    )


class InterruptingSGD(optim.SGD):
    """The signal arrives in the middle of an update: after the first of four parameters."""

    def update(self, *args: object) -> tuple[object, dict[str, object]]:  # type: ignore[override]
        self.updates = getattr(self, "updates", 0) + 1
        if self.updates == 4 * 7 + 1:
            os.kill(os.getpid(), signal.SIGINT)
        return super().update(*args)  # type: ignore[arg-type]


def test_the_batch_is_finished_and_the_partial_epoch_recorded() -> None:
    m = model()
    m.optimizer = InterruptingSGD(0.1)
    history = m.fit(X, Y, epochs=9, batch_size=8, seed=0, verbose=False, compile=False)
    assert history.stopped == "interrupted in epoch 2"
    assert history.epochs == 2
    assert np.isfinite(history["loss"]).all()
    assert m.optimizer.steps == 8  # five batches, and three of the second epoch
    assert m.optimizer.updates == 4 * 8  # all four parameters moved in the last one
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("seed", [1.5, -1, "a", True])
def test_a_seed_that_is_none_is_refused(seed: object) -> None:
    with pytest.raises(ValueError, match="expected seed to be a whole number of at least 0"):
        model().fit(X, Y, seed=seed)  # type: ignore[arg-type]


def test_what_looks_like_probabilities_is_reported() -> None:
    class Hidden(nn.Module):
        """Its softmax is not the last operation, so the tape does not show it."""

        def __init__(self) -> None:
            self.body = nn.Sequential(nn.Dense(3, 2, "softmax"), rng=0)

        def forward(self, x: object) -> nn.Module:
            return self.body(x) + 0  # type: ignore[return-value]

    with pytest.warns(UserWarning, match="has it been through softmax already"):
        train.Model(Hidden(), "cross_entropy").fit(X, Y, epochs=1, verbose=False)
