"""Embeddings: rows of a table, whose gradients accumulate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid import Tensor, gradcheck, nn, optim, train
from pellucid.nn.initialisers import constant

ROWS = np.array([[0, 3, 1], [3, 3, 2]])


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8", "uint64"])
@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (2, 1, 3), (0,), (2, 0)])
def test_integers_of_any_kind_and_shape(shape: tuple[int, ...], dtype: str) -> None:
    layer = nn.Embedding(5, 3, rng=0)
    x = np.random.default_rng(0).integers(0, 5, size=shape).astype(dtype)
    out = layer(x)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out.data, layer.weight.data[x])
    np.testing.assert_array_equal(layer(x.tolist()).data, out.data)
    np.testing.assert_array_equal(layer(Tensor(x)).data, out.data)


@given(st.lists(st.integers(0, 4), max_size=12))
def test_repeated_rows_add_their_gradients_up(x: list[int]) -> None:
    """As the product with one-hot rows does, element by element."""
    layer = nn.Embedding(5, 3, rng=0).astype("float64")
    g = np.random.default_rng(0).normal(size=(len(x), 3))
    layer(np.array(x, int)).backward(g)
    np.testing.assert_allclose(layer.weight.grad, np.eye(5)[np.array(x, int)].T @ g, atol=1e-12)


def test_padding_reads_as_0_and_gets_no_gradient() -> None:
    layer = nn.Embedding(5, 2, padding_idx=3, rng=0)
    np.testing.assert_array_equal(layer.weight.data[3], 0)
    assert layer.weight.data[[0, 1, 2, 4]].all()
    layer.weight.data = np.ones((5, 2), np.float32)  # as loaded from elsewhere
    out = layer(ROWS)
    np.testing.assert_array_equal(out.data[..., 0], ROWS != 3)
    out.sum().backward()
    np.testing.assert_array_equal(layer.weight.grad[:, 0], [1, 1, 1, 0, 0])
    assert gradcheck(layer, ROWS, order=2)


def test_padding_may_be_counted_from_the_end() -> None:
    layer = nn.Embedding(5, 2, padding_idx=-1, rng=0)
    assert layer.padding_idx == 4
    np.testing.assert_array_equal(layer([4]).data, 0)
    assert repr(layer) == "Embedding(5, 2, padding_idx=4)"


def test_padding_stays_0_when_drawn_anew_and_when_trained() -> None:
    layer = nn.Embedding(5, 2, padding_idx=0, rng=0).initialise(3)
    np.testing.assert_array_equal(layer.weight.data[0], 0)
    optimizer = optim.Adam(0.1)
    for _ in range(3):
        layer.zero_grad()
        layer(ROWS).sum().backward()
        optimizer.step(layer)
    np.testing.assert_array_equal(layer.weight.data[0], 0)


def test_starting_values() -> None:
    w = nn.Embedding(300, 200, rng=0).weight.data
    assert abs(w.mean()) < 5 / np.sqrt(w.size)
    assert abs(w.var() - 1) < 5 * np.sqrt(2 / w.size)
    np.testing.assert_array_equal(w, nn.Embedding(300, 200, rng=0).weight.data)
    assert not np.array_equal(w, nn.Embedding(300, 200, rng=1).weight.data)
    np.testing.assert_array_equal(nn.Embedding(3, 2, init=constant(2.0)).weight.data, 2)
    assert nn.Embedding(100, 100, init="uniform", rng=0).weight.data.max() <= 0.05


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            [[0, 1], [2, 7], [9, 0]],
            r"from 0 to 4, got 7 at \(1, 1\); .* larger: Embedding\(10, 3\)$",
        ),
        ([1, -1], r"from 0 to 4, got -1 at \(1,\); number the things from 0$"),
        (5, r"from 0 to 4, got 5; number the things from 0, or make"),
        (np.array([2**63], np.uint64), r"got 9223372036854775808 at \(0,\)"),
    ],
)
def test_the_first_index_out_of_range_is_named(x: Any, message: str) -> None:
    with pytest.raises(IndexError, match=message):
        nn.Embedding(5, 3)(x)


@pytest.mark.parametrize("x", [[0.0, 1.0], [True, False], np.ones((2, 2))])
def test_other_numbers_than_integers_are_refused(x: Any) -> None:
    with pytest.raises(TypeError, match=r"expected integers, .* x.astype\(int\)"):
        nn.Embedding(5, 3)(x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 3), "num_embeddings to be a positive whole number, got 0"),
        ((3, 2.0), "embedding_dim to be a positive whole number, got 2.0"),
        ((True, 3), "num_embeddings"),
        ((5, 3, 5), "one of the 5 rows, from 0 to 4, got 5"),
        ((5, 3, -6), "got -6"),
        ((5, 3, 1.0), "padding_idx to be a whole number, got 1.0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nn.Embedding(*arguments)


def test_an_initialiser_that_returns_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"starting values of shape \(3, 2\), got \(2, 3\)"):
        nn.Embedding(3, 2, init=lambda shape, fan_in, fan_out, rng: np.zeros(shape[::-1]))


def test_fit_learns_from_a_bag_of_words() -> None:
    """Whole numbers reach the network as they are."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 10, size=(80, 6))
    y = ((x < 5).sum(1) > 3).astype(int)
    network = nn.Sequential(nn.Embedding(10, 4), lambda e: e.mean(axis=1), nn.Dense(4, 2), rng=0)
    model = train.Model(network, "cross_entropy", optim.Adam(0.05), metrics=["accuracy"])
    model.fit(x, y, epochs=30, seed=0, verbose=0)
    assert model.evaluate(x, y)["accuracy"] > 0.9
