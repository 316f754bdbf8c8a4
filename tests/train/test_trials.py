"""Short trainings of a copy: the learning rate to take, and one batch learned by heart."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pellucid import nn, optim
from pellucid.train import Model, lr_find, overfit_one_batch
from train.problems import blobs, classifier, line, same_state

X, Y = blobs()


def everything(model: Model) -> tuple[Any, ...]:
    arrays = {path: t.data.copy() for path, t in model.network.named_tensors().items()}
    state = model.optimizer.state_dict()
    return arrays, repr(state), np.random.get_state()[1].tolist()  # noqa: NPY002


@pytest.mark.parametrize(
    "trial",
    [
        lambda model: lr_find(model, (X, Y), steps=30),
        lambda model: overfit_one_batch(model, (X[:8], Y[:8]), steps=20),
    ],
)
def test_the_model_is_left_exactly_as_it_was(trial: Callable[[Model], Any]) -> None:
    net = nn.Sequential(
        nn.Dense(2, 8, "relu"), nn.BatchNorm1D(8), nn.Dropout(0.3), nn.Dense(8, 3), rng=0
    )
    first = Model(net, "cross_entropy", optim.Adam(0.01))
    first.fit(X, Y, epochs=1, seed=0, verbose=False)
    models = [first, first.copy()]
    before = everything(models[0])
    trial(models[0])
    after = everything(models[0])
    assert before[1:] == after[1:]
    assert all(np.array_equal(before[0][path], after[0][path]) for path in before[0])
    for model in models:  # and goes on as if there had been no trial
        model.fit(X, Y, epochs=1, seed=1, verbose=False)
    assert same_state(models[0].network, models[1].network)


@pytest.mark.parametrize(
    "optimizer", [optim.SGD(0.1), optim.Adam(1e-3), optim.Adam(optim.schedules.Cosine(0.01, 50))]
)
def test_the_suggested_rate_learns(optimizer: optim.Optimizer) -> None:
    model = Model(classifier(), "cross_entropy", optimizer)
    found = lr_find(model, (X, Y), seed=0)
    assert 1e-4 < found.suggestion < 2
    assert f"{found.suggestion:.2g}" in str(found)
    assert "suggested rate" in found._repr_html_()
    rates = np.array(found.rates)
    np.testing.assert_allclose(rates[1:] / rates[:-1], 1e7 ** (1 / 99))
    assert len(found.rates) == len(found.losses) == len(found.smooth)
    again = Model(classifier(), "cross_entropy", type(optimizer)(found.suggestion))
    history = again.fit(X, Y, epochs=5, seed=0, verbose=False)
    assert history["loss"][-1] < 0.7 * found.losses[0]


def test_a_loader_will_do_and_the_picture_marks_the_suggestion() -> None:
    pytest.importorskip("matplotlib")
    model = Model(classifier(), "cross_entropy", optim.SGD(0.1))
    found = lr_find(model, [(X[i::6], Y[i::6]) for i in range(6)], steps=40)
    figure = found.plot()
    assert figure.axes[0].get_xscale() == "log"
    assert f"suggested: {found.suggestion:.2g}" in [
        text.get_text() for text in figure.axes[0].get_legend().get_texts()
    ]


def test_a_copy_is_another_model_of_the_same_state() -> None:
    model = Model(classifier(), "cross_entropy", optim.Adam(0.01), metrics=["accuracy"])
    model.fit(X, Y, epochs=2, seed=0, verbose=False)
    weights, steps = model.network.state(), model.optimizer.steps
    other = model.copy()
    other.fit(X, Y, epochs=2, seed=1, verbose=False)
    assert model.optimizer.steps == steps < other.optimizer.steps
    assert all(np.array_equal(array, weights[p]) for p, array in model.network.state().items())
    model.fit(X, Y, epochs=2, seed=1, verbose=False)
    assert same_state(model.network, other.network)


def test_a_network_that_learns_nothing_gets_no_rate() -> None:
    dead = nn.Sequential(nn.Dense(2, 4, "relu"), nn.Dense(4, 3), rng=0)
    dead[0].bias.data = np.full(4, -1e3, np.float32)  # type: ignore[attr-defined]
    dead[1].bias.requires_grad = False  # type: ignore[attr-defined]
    model = Model(dead, "cross_entropy", optim.SGD(0.1))
    found = lr_find(model, (X, Y), steps=10, batch_size=len(X))
    assert math.isnan(found.suggestion)
    assert "never fell" in str(found)
    batch = overfit_one_batch(model, (X[:8], Y[:8]), steps=20)
    assert not batch
    assert "not learned by heart" in str(batch)


def test_a_healthy_network_learns_a_batch_by_heart() -> None:
    found = overfit_one_batch(
        Model(classifier(), "cross_entropy", "adam"), (X[:8], Y[:8]), steps=800
    )
    assert found
    assert found.losses[-1] <= 0.1 * found.losses[0]
    assert "learned by heart" in str(found)
    assert "yes" in found._repr_html_()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: lr_find(m, (X, Y), low=1.0, high=0.1), "expected 0 < low < high"),
        (lambda m: lr_find(m, (X, Y), steps=3), "steps of at least 10, got 3"),
        (lambda m: overfit_one_batch(m, (X, Y), steps=0), "steps of at least 1, got 0"),
        (lambda m: overfit_one_batch(m, (X, Y[:3])), "expected one target for each"),
    ],
)
def test_bad_input_is_refused(call: Callable[[Model], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(Model(classifier(), "cross_entropy"))


def test_regression_is_tried_as_well() -> None:
    x, y = line()
    found = lr_find(Model(nn.Dense(x.shape[1], 1, rng=0), "mse", "sgd"), (x, y))
    assert math.isfinite(found.suggestion)
