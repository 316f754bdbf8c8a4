"""The same seed gives the same result, bit for bit, whatever is only looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid import nn, optim, train
from pellucid.train import EarlyStopping, Model
from train.problems import Spy, blobs, same_state

X, Y = blobs()


def trained(seed: int | None = 0, start: int = 0, **options: Any) -> tuple[Model, train.History]:
    """Return a model with dropout after two epochs."""
    network = nn.Sequential(
        nn.Dense(2, 16, "relu"), nn.Dropout(0.3), nn.Dense(16, 16, "relu"), nn.Dropout(0.3),
        nn.Dense(16, 3), rng=start,
    )  # fmt: skip
    model = Model(network, "cross_entropy", optim.Adam(0.01), metrics=["accuracy", "f1"])
    settings = {"epochs": 3, "batch_size": 16, "seed": seed, "verbose": False} | options
    return model, model.fit(X, Y, **settings)


EXPECTED, HISTORY = trained()


WAYS: dict[str, dict[str, Any]] = {
    "again": {},
    "lines": {"verbose": "lines"},
    "bar": {"verbose": "bar"},
    "auto": {"verbose": "auto"},
    "True": {"verbose": True},
    "2": {"verbose": 2},
    "validation": {"validation_data": blobs(seed=5)},
    "validation and a bar": {"validation_data": blobs(seed=5), "verbose": "bar"},
    "callbacks": {"callbacks": [Spy(), EarlyStopping(patience=50, restore_best=False)]},
}


@pytest.mark.parametrize("way", WAYS)
def test_watching_changes_nothing(way: str, capsys: pytest.CaptureFixture[str]) -> None:
    model, history = trained(**WAYS[way])
    assert same_state(model.network, EXPECTED.network)
    for name, values in HISTORY.items():
        assert history[name] == values
    np.testing.assert_array_equal(model.predict(X), EXPECTED.predict(X))


def test_another_seed_gives_another_result() -> None:
    """Of the order and of dropout, with the same starting weights."""
    model, history = trained(seed=1)
    assert not same_state(model.network, EXPECTED.network)
    assert history["loss"] != HISTORY["loss"]


def test_no_seed_gives_another_result_each_time() -> None:
    assert not same_state(trained(seed=None)[0].network, trained(seed=None)[0].network)


def test_a_split_is_of_the_seed_too() -> None:
    one, same, other = (trained(seed=s, validation_split=0.25) for s in (0, 0, 1))
    assert dict(one[1]) == dict(same[1])
    assert same_state(one[0].network, same[0].network)
    assert one[1]["val_loss"] != other[1]["val_loss"]


def test_numpy_s_global_seed_plays_no_part() -> None:
    np.random.seed(1)  # noqa: NPY002
    model, _ = trained()
    np.random.seed(2)  # noqa: NPY002
    assert same_state(model.network, trained()[0].network)


def test_epochs_have_different_random_streams() -> None:
    """Order and masks differ from epoch to epoch; the weights do not move here."""
    network = nn.Sequential(nn.Dropout(0.5), nn.Dense(2, 3), rng=0)
    model = Model(network, "cross_entropy", optim.SGD(1e-30))
    history = model.fit(X, Y, epochs=5, seed=0, verbose=False)
    assert len(set(history["loss"])) == 5


def test_two_dropouts_of_a_seeded_fit_draw_different_masks() -> None:
    network = nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.5), nn.Dense(2, 3), rng=0)
    Model(network, "cross_entropy").fit(X, Y, epochs=1, seed=0, verbose=False)
    keys = [network[i].stream.data[0] for i in (0, 1)]
    assert keys[0] != keys[1]


def test_the_seed_of_fit_is_that_of_dropout_too() -> None:
    """Whatever masks were drawn before; without a seed the stream goes on."""
    states = []
    for calls in (0, 5):
        network = nn.Sequential(nn.Dense(2, 16), nn.Dropout(0.3), nn.Dense(16, 3), rng=0)
        for _ in range(calls):
            network(X)
        model = Model(network, "cross_entropy")
        model.fit(X, Y, epochs=2, seed=3, verbose=False)
        states.append(network.state())
        before = network[1].stream.data
        model.fit(X, Y, epochs=2, batch_size=30, verbose=False)
        assert network[1].stream.data.tolist() == [before[0], before[1] + 6]
    for path, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][path], err_msg=path)


def test_evaluating_in_between_changes_nothing() -> None:
    def look(event: str, run: train.Run) -> None:
        if event == "batch_end":
            model.predict(X)
            model.evaluate(X, Y)
            model.summary()

    network = nn.Sequential(nn.Dense(2, 16), nn.Dropout(0.3), nn.Dense(16, 3), rng=0)
    model = Model(network, "cross_entropy")
    model.fit(X, Y, epochs=2, seed=0, verbose=False, callbacks=[Spy(look)])
    other = Model(
        nn.Sequential(nn.Dense(2, 16), nn.Dropout(0.3), nn.Dense(16, 3), rng=0), "cross_entropy"
    )
    other.fit(X, Y, epochs=2, seed=0, verbose=False)
    assert same_state(network, other.network)


def test_one_fit_after_another_is_the_same_too() -> None:
    def twice() -> Model:
        model, _ = trained()
        model.fit(X, Y, epochs=1, seed=7, verbose=False)
        return model

    assert same_state(twice().network, twice().network)
