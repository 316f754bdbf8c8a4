"""Batch normalisation in the training loop: single examples, and updates that are taken back."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import nn, train


def model() -> train.Model:
    network = nn.Sequential(nn.Dense(3, 4), nn.BatchNorm1D(4), nn.Dense(4, 2), rng=0)
    return train.Model(network, "cross_entropy")


def rows(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 3)).astype("f4"), rng.integers(0, 2, n)


@pytest.mark.parametrize(("n", "batch_size"), [(9, 4), (5, 1), (1, 1)])
def test_a_batch_of_one_is_refused_before_training(n: int, batch_size: int) -> None:
    trained = model()
    before = trained.network.state()
    with pytest.raises(ValueError, match="expected batches of more than one example"):
        trained.fit(*rows(n), epochs=1, batch_size=batch_size, verbose=False)
    after = trained.network.state()
    assert all(np.array_equal(before[path], after[path]) for path in before)


@pytest.mark.parametrize(("n", "batch_size"), [(8, 4), (10, 4), (9, 9)])
def test_other_batches_train(n: int, batch_size: int) -> None:
    trained = model()
    before = trained.network.state()
    trained.fit(*rows(n), epochs=1, batch_size=batch_size, verbose=False, seed=0)
    moved = [p for p, array in trained.network.state().items() if (array != before[p]).any()]
    assert "layers.1.running_mean" in moved
    assert "layers.1.running_var" in moved


def test_a_network_without_norms_takes_single_examples() -> None:
    network = nn.Sequential(nn.Dense(3, 2), nn.Dropout(0.5), rng=0)
    trained = train.Model(network, "cross_entropy")
    trained.fit(*rows(9), epochs=1, batch_size=4, verbose=False, seed=0)
    again = train.Model(nn.Sequential(nn.Dense(3, 2), nn.Dropout(0.5), rng=0), "cross_entropy")
    again.fit(*rows(9), epochs=1, batch_size=4, verbose=False, seed=0)
    np.testing.assert_array_equal(
        network[0].weight.data,  # type: ignore[attr-defined]
        again.network.state()["layers.0.weight"],
    )


def test_running_statistics_go_back_with_an_update_that_is_not_finite() -> None:
    trained = model()
    x, y = rows(8)
    trained.fit(x, y, epochs=1, batch_size=8, verbose=False, seed=0)
    before = trained.network.state()
    x = x * np.float32(1e25)  # the variance overflows
    with pytest.warns(RuntimeWarning, match="training stopped"):
        trained.fit(x, y, epochs=1, batch_size=8, verbose=False, seed=0)
    after = trained.network.state()
    for path, array in before.items():
        np.testing.assert_array_equal(after[path], array, err_msg=path)
