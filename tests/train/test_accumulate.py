"""Several batches to an update: exactly the update of one large batch."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from pellucid import nn, optim, train
from pellucid.train import Model
from train.problems import Spy, blobs, classifier

X, Y = blobs()
W = np.random.default_rng(5).uniform(0.1, 3, 90)


def model(loss: Any = "cross_entropy", **options: Any) -> Model:
    network = classifier().astype("float64")
    return Model(network, loss, optim.SGD(0.1, momentum=0.9), **options)


def fit(model: Model, **options: Any) -> train.History:
    return model.fit(X, Y, **({"epochs": 3, "seed": 0, "verbose": False} | options))


def close(one: Model, other: Model) -> None:
    for a, b in zip(one.network.state().values(), other.network.state().values(), strict=True):
        np.testing.assert_allclose(a, b, 1e-12, 1e-14)


@pytest.mark.parametrize(
    ("small", "k"),
    [(10, 3), (15, 2), (20, 2), (7, 4), (1, 90), (32, 2), (89, 2), (4, 25)],
)
@pytest.mark.parametrize("weights", [None, W], ids=["equal", "weighted"])
@pytest.mark.parametrize("loss", ["cross_entropy", nn.CrossEntropyLoss(0.1, [1, 2, 5])])
def test_k_batches_are_one_of_k_times_the_size(small: int, k: int, weights: Any, loss: Any) -> None:
    """Also where the last batch is smaller, and the last group shorter."""
    one, other = model(loss, metrics=["accuracy"]), model(loss, metrics=["accuracy"])
    large = min(small * k, 90)
    histories = [
        fit(one, batch_size=small, accumulate=k, sample_weight=weights),
        fit(other, batch_size=large, sample_weight=weights),
    ]
    close(one, other)
    assert one.optimizer.steps == other.optimizer.steps
    for name, values in histories[1].items():
        np.testing.assert_allclose(histories[0][name], values, 1e-12)


def test_penalties_and_constraints_act_once_an_update() -> None:
    options: dict[str, Any] = {"penalty": nn.L2(0.01), "constraint": nn.MaxNorm(1.0)}
    one, other = model(**options), model(**options)
    histories = [fit(one, batch_size=8, accumulate=4), fit(other, batch_size=32)]
    close(one, other)
    np.testing.assert_allclose(histories[0]["penalty"], histories[1]["penalty"], 1e-12)


def test_events_and_counts_are_of_updates() -> None:
    spies = [Spy(), Spy()]
    totals: list[int] = []
    spies[0].act = lambda event, run: totals.append(run.batches)
    fit(model(), batch_size=8, accumulate=4, callbacks=[spies[0]])
    fit(model(), batch_size=32, callbacks=[spies[1]])
    assert spies[0].events == spies[1].events
    assert set(totals) == {3}
    losses = [[logs.get("loss") for _, logs in spy.logs] for spy in spies]
    np.testing.assert_allclose(
        [x for x in losses[0] if x is not None], [x for x in losses[1] if x is not None], 1e-12
    )


def test_a_group_with_a_loss_that_is_not_finite_makes_no_update() -> None:
    m = model("mse")
    x = np.where(np.arange(90)[:, None] == 57, 1e300, X.astype("float64"))
    with pytest.warns(RuntimeWarning, match="the loss is inf"):
        history = m.fit(
            x, np.zeros((90, 3)), batch_size=10, accumulate=9, epochs=2, seed=0, verbose=False
        )
    assert "the loss is inf in epoch 1, batch 1" in history.stopped
    assert m.optimizer.steps == 0


def test_only_one_batch_s_graph_is_alive() -> None:
    """When the network is run, nothing that an earlier run computed is left but predictions."""

    class Watched(nn.Module):
        def __init__(self) -> None:
            self.inner = classifier()
            self._hidden: list[weakref.ref[Any]] = []
            self.alive: list[int] = []

        def forward(self, x: Any) -> Any:
            self.alive.append(sum(ref() is not None for ref in self._hidden))
            h = self.inner[0](x)
            self._hidden.append(weakref.ref(h.data))
            return self.inner[1](h)

    network = Watched()
    gc.disable()
    try:
        Model(network, "cross_entropy", metrics=["accuracy"]).fit(
            X, Y, batch_size=10, accumulate=9, epochs=2, verbose=False
        )
    finally:
        gc.enable()
    assert len(network.alive) == 19
    assert max(network.alive) == 0


@pytest.mark.parametrize("k", [0, -1, 1.5, True, None])
def test_groups_that_are_none_are_refused(k: Any) -> None:
    with pytest.raises(ValueError, match="expected accumulate to be a whole number of at least 1"):
        fit(model(), accumulate=k)
