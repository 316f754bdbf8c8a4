"""The table of a network's layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import ShapeError, Tensor, nn
from pellucid.train import Model
from train.problems import same_state


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Dense(4, 8, "relu"), nn.Dropout(0.2), nn.Sequential(nn.Dense(8, 8), nn.Tanh()),
        nn.Dense(8, 3, "softmax"), rng=0,
    )  # fmt: skip


def test_rows_are_layers_with_paths_shapes_and_parameters() -> None:
    summary = Model(network(), "cross_entropy").summary()
    assert [(r.path, r.layer, r.output, r.parameters) for r in summary.rows] == [
        ("layers.0", "Dense(4, 8, ReLU())", (8,), 40),
        ("layers.1", "Dropout(rate=0.2)", (8,), 0),
        ("layers.2.layers.0", "Dense(8, 8)", (8,), 72),
        ("layers.2.layers.1", "Tanh()", (8,), 0),
        ("layers.3", "Dense(8, 3, Softmax())", (3,), 27),
    ]
    assert summary.total == summary.trainable == 139


def test_it_is_drawn_as_a_table() -> None:
    text = str(Model(network(), "cross_entropy").summary())
    lines = text.splitlines()
    assert lines[0].split() == [
        "path", "layer", "output", "parameters", "FLOPs", "forward", "backward", "activations",
    ]  # fmt: skip
    assert lines[1] == "-" * len(lines[1])
    assert lines[2].split() == [
        "layers.0", "Dense(4,", "8,", "ReLU())", "(N,", "8)", "40",
        "80", "88", "3,072", "B",
    ]  # fmt: skip
    assert lines[-3:] == [
        "parameters: 139",
        "FLOPs for one example: 290 forward, 487 backward",
        "activations of a batch of 32: 7,296 B",
    ]
    assert len({len(line) for line in lines[:-3]}) == 1
    big = Model(nn.Dense(1000, 100), "mse").summary()
    assert "100,100" in str(big)
    assert repr(big) == str(big)


def test_frozen_parameters_are_told_apart() -> None:
    net = network()
    for parameter in net[0].parameters():
        parameter.requires_grad = False
    summary = Model(net, "cross_entropy").summary()
    assert (summary.total, summary.trainable) == (139, 99)
    assert str(summary).splitlines()[-3] == "parameters: 99 and 40 not trained"


@pytest.mark.parametrize("activation", [None, "relu"])
def test_a_single_layer_is_one_row(activation: str | None) -> None:
    (row,) = Model(nn.Dense(3, 2, activation), "mse").summary().rows
    assert (row.path, row.output, row.parameters) == ("", (2,), 8)


class Own(nn.Module):
    """Tensors of its own, also in a list, beside modules."""

    def __init__(self) -> None:
        self.scales = [Tensor(np.ones(3, np.float32), requires_grad=True), Tensor(np.ones(3))]
        self.dense = nn.Dense(4, 3, "relu")
        self.again = self.dense

    def forward(self, x: Any, *, loud: bool = False) -> Tensor:
        return self.dense(x) * self.scales[0]


def test_the_rows_add_up_whatever_the_module() -> None:
    for net, shape in ((Own(), (4,)), (nn.Sequential(Own(), Own(), nn.Dense(3, 1)), (3,))):
        summary = Model(net, "mse").summary() if shape == (4,) else Model(net[0], "mse").summary()
        assert sum(row.parameters for row in summary.rows) == summary.trainable
    summary = Model(Own(), "mse").summary()
    assert [(r.path, r.parameters) for r in summary.rows] == [("", 3), ("dense", 15)]
    assert summary.total == 21
    assert summary.trainable == 18


class Pool(nn.Module):
    """Its dense layer takes something else than what the network is given."""

    def __init__(self) -> None:
        self.dense = nn.Dense(4, 2)

    def forward(self, x: Any) -> Tensor:
        return self.dense(pellucid.mean(x, axis=1))


def test_shapes_are_left_out_where_they_cannot_be_guessed() -> None:
    model = Model(Pool(), "mse")
    summary = model.summary()
    assert [row.output for row in summary.rows] == [None]
    assert "?" in str(summary)
    assert "FLOPs" not in str(summary)
    assert summary.forward is summary.backward is summary.activations is None
    rows = model.summary((7, 4)).rows
    assert [(row.path, row.output, row.forward) for row in rows] == [
        ("", (2,), 32),  # the mean over 7 rows of 4, its own work
        ("dense", (2,), 18),
    ]
    model.predict(np.zeros((5, 6, 4)))
    assert [row.output for row in model.summary().rows] == [(2,), (2,)]


def test_a_network_without_a_dense_layer_needs_a_shape() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            self.by = Tensor(np.ones(3, np.float32), requires_grad=True)

        def forward(self, x: Any) -> Tensor:
            return x * self.by

    model = Model(Scale(), "mse")
    assert [(r.output, r.parameters) for r in model.summary().rows] == [(None, 3)]
    assert [row.output for row in model.summary((3,)).rows] == [(3,)]


def test_a_shape_that_is_given_must_fit() -> None:
    with pytest.raises(ShapeError, match=r"dense \(Dense\): expected .* 4\)"):
        Model(Pool(), "mse").summary((7, 5))


def test_images_have_the_shape_of_the_data_seen_last() -> None:
    net = nn.Sequential(lambda x: x.reshape(len(x), -1), nn.Dense(64, 10), rng=0)
    model = Model(net, "cross_entropy")
    model.fit(np.zeros((4, 8, 8), np.uint8), np.zeros(4, int), epochs=1, verbose=False)
    assert model.input_shape == (8, 8)
    assert [row.output for row in model.summary().rows] == [(10,)]


class Counting(nn.Module):
    """A buffer that counts calls, in evaluation too."""

    def __init__(self) -> None:
        self.calls = Tensor(np.zeros(1, np.int64))
        self.dense = nn.Dense(3, 2)

    def forward(self, x: Any) -> Tensor:
        self.calls.data = self.calls.data + 1
        return self.dense(x)


def test_buffers_are_put_back() -> None:
    net = Counting()
    net(np.zeros((1, 3)))
    assert Model(net, "mse").summary().rows[-1].output == (2,)
    assert net.calls.data.tolist() == [1]


def test_it_changes_nothing() -> None:
    net = network()
    net[1].eval()
    Model(net, "cross_entropy").summary()
    assert same_state(net, network())
    assert net.training
    assert not net[1].training
    assert all("forward" not in vars(module) for module in net.modules().values())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_network_of_tokens() -> None:
    network = nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Dense(12, 2), rng=0)
    rows = {row.path: row.output for row in Model(network, "cross_entropy").summary((4,)).rows}
    assert rows == {"layers.0": (4, 3), "layers.1": (12,), "layers.2": (2,)}


def test_costs_by_hand() -> None:
    """A dense layer: n m products and sums, m biases, m activations; twice the products back."""
    first, second = (
        Model(nn.Sequential(nn.Dense(4, 8, "relu"), nn.Dense(8, 3)), "mse")
        .summary(batch_size=10)
        .rows
    )
    assert first.forward == 2 * 4 * 8 + 8 + 8
    assert second.forward == 2 * 8 * 3 + 3
    assert second.backward == 4 * 8 * 3 + 3  # for weights and for what came in
    assert first.backward == 2 * 4 * 8 + 8 + 2 * 8  # the input needs no gradient
    assert (first.activations, second.activations) == (3 * 8 * 4, 2 * 3 * 4)


def test_costs_add_up_and_memory_grows_with_the_batch() -> None:
    model = Model(network(), "cross_entropy")
    small, large = model.summary(), model.summary(batch_size=64)
    assert small.forward == large.forward == sum(row.forward or 0 for row in small.rows)
    assert large.activations == 2 * (small.activations or 0)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True])
def test_a_batch_has_examples(batch_size: Any) -> None:
    with pytest.raises(ValueError, match="batch_size to be a whole number of at least 1"):
        Model(network(), "cross_entropy").summary(batch_size=batch_size)


def test_a_notebook_shows_it_escaped() -> None:
    net = nn.Sequential(nn.Dense(2, 1))
    vars(net)["<b>"] = nn.Dense(2, 2)
    html = Model(net, "mse").summary((2,))._repr_html_()
    assert html.startswith("<table>")
    assert "<b>" not in html
    assert "&lt;b&gt;" in html
    assert "FLOPs for one example" in html
