"""Looking into a running network: what is kept, and that nothing stays behind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid import Tensor, nn
from pellucid.nn.capture import layers_of, record


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Dense(4, 8, "relu"), nn.Residual(nn.Dense(8, 8), nn.Tanh()), nn.Dense(8, 3), rng=0
    )


X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


def test_outputs_are_kept_by_path() -> None:
    net = network()
    with nn.capture(net, ["layers.0", "layers.1"]) as outputs:
        assert outputs == {}
        out = net(X)
    assert list(outputs) == ["layers.0", "layers.1"]
    np.testing.assert_array_equal(outputs["layers.0"].data, net.layers[0](X).data)  # type: ignore[operator]
    np.testing.assert_array_equal(net[2](outputs["layers.1"]).data, out.data)


def test_a_single_path_and_all_of_them() -> None:
    net = network()
    with nn.capture(net, "layers.2") as one, nn.capture(net) as every:
        out = net(X)
    assert list(one) == ["layers.2"]
    assert one["layers.2"] is out
    assert set(every) == set(net.modules())
    assert every[""] is out


def test_gradients_of_outputs() -> None:
    net = network()
    with nn.capture(net, "layers.1") as outputs:
        loss = net(X).sum()
    outputs["layers.1"].retain_grad()
    loss.backward()
    np.testing.assert_allclose(
        outputs["layers.1"].grad, np.tile(net[2].weight.data.sum(1), (5, 1)), rtol=1e-6
    )  # type: ignore[attr-defined]


def test_the_network_is_as_before_even_after_an_error() -> None:
    net = network()
    before = net(X).data
    with pytest.raises(ValueError, match="expected"), nn.capture(net):
        net(np.zeros((2, 7)))
    assert all("forward" not in vars(module) for module in net.modules().values())
    np.testing.assert_array_equal(net(X).data, before)


def test_contexts_within_each_other_and_a_forward_of_ones_own() -> None:
    net = network()
    own = net[0].forward  # type: ignore[attr-defined]
    vars(net[0])["forward"] = own
    with nn.capture(net, "layers.0") as outer:
        with nn.capture(net, "layers.0") as inner:
            net(X)
        assert inner["layers.0"] is outer["layers.0"]
        net(X)
        assert inner["layers.0"] is not outer["layers.0"]
    assert vars(net[0])["forward"] is own


def test_an_unknown_path_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown path of a module 'layers\\.9'"):  # noqa: SIM117
        with nn.capture(network(), "layers.9"):
            pass


def test_attention_weights_are_what_its_dropout_returns() -> None:
    net = nn.Sequential(nn.Embedding(7, 8), nn.TransformerBlock(8, 2, causal=True), rng=0).eval()
    with nn.capture(net, "layers.1.attention.dropout") as outputs:
        net(np.arange(5)[None])
    weights = outputs["layers.1.attention.dropout"].data
    assert weights.shape == (1, 2, 5, 5)
    np.testing.assert_allclose(weights.sum(-1), 1.0, rtol=1e-6)


def test_a_record_knows_the_module_of_every_operation() -> None:
    run = record(network(), X[:1])
    owners = run.owners()
    made = [(n.op.__name__, owners[id(n)]) for n in run.nodes if n.op is not None]
    assert made == [
        ("MatMul", "layers.0"), ("Add", "layers.0"), ("Relu", "layers.0.activation"),
        ("MatMul", "layers.1.layers.0"), ("Add", "layers.1.layers.0"),
        ("Tanh", "layers.1.layers.1"), ("Add", "layers.1"),
        ("MatMul", "layers.2"), ("Add", "layers.2"),
    ]  # fmt: skip
    assert run.shapes()["layers.1"] == (1, 8)
    assert sorted(run.names.values())[0] == "input"


def test_a_record_changes_nothing_and_sees_what_is_frozen() -> None:
    net = nn.Sequential(nn.Dense(4, 8), nn.BatchNorm1D(8), nn.Dropout(0.5), nn.Dense(8, 3), rng=0)
    arrays = {path: tensor.data for path, tensor in net.named_tensors().items()}
    for parameter in net.parameters():
        parameter.requires_grad = False
    run = record(net, X)
    assert "MatMul" in {node.op.__name__ for node in run.nodes if node.op is not None}
    assert sum(cost.backward for cost in run.flops().values()) == 0
    assert net.parameters() == []
    assert net.training
    for path, tensor in net.named_tensors().items():
        assert tensor.data is arrays[path]


def test_views_take_no_memory() -> None:
    class Views(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x.reshape(-1, 2).T.exp().reshape(-1)[::2]) * 2.0

    run = record(Views(), np.ones((1, 8), np.float32))
    kept = run.kept()
    sizes = [(n.op.__name__, kept[id(n)]) for n in run.nodes if n.op is not None]
    assert sizes[:3] == [("Reshape", 0), ("Transpose", 0), ("Exp", 32)]
    assert sizes[-1] == ("Multiply", 16)


def test_a_network_of_several_results() -> None:
    class Pair(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return x * 2.0, {"b": [x.exp()]}

    assert [output.op.__name__ for output in record(Pair(), X).outputs] == ["Multiply", "Exp"]


def test_a_network_without_results_is_refused() -> None:
    class Nothing(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return None

    with pytest.raises(TypeError, match="expected Nothing to return a tensor, got NoneType"):
        record(Nothing(), X)


def test_buffers_changed_in_place_are_put_back() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            self.calls = Tensor(np.zeros(1, np.int64))

        def forward(self, x: Tensor) -> Tensor:
            self.calls.data += 1
            return x * 2.0

    net = Counting()
    record(net, X)
    assert net.calls.data.tolist() == [0]


def test_layers_are_all_modules_but_what_a_layer_keeps_to_itself() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            self.activation = nn.ReLU()
            self.attention = nn.MultiHeadAttention(4, 2)
            self.scaled = nn.Residual(nn.Dense(4, 4, "tanh"))

        def forward(self, x: Tensor) -> Tensor:
            return self.activation(self.scaled(self.attention(x)))

    assert list(layers_of(Net())) == [
        "", "activation", "attention", "attention.query", "attention.key", "attention.value",
        "attention.out", "attention.dropout", "scaled", "scaled.layers.0",
    ]  # fmt: skip
    assert list(layers_of(nn.Dense(2, 2, "relu"))) == [""]
