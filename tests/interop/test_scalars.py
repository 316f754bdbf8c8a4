"""One network on scalars and on tensors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid import interop, nn, scalar

ACTIVATIONS = ["linear", "tanh", "relu", "sigmoid"]


@settings(deadline=None, max_examples=50)
@given(
    st.integers(1, 4),
    st.lists(st.integers(1, 5), min_size=1, max_size=3),
    st.sampled_from(ACTIVATIONS),
    st.sampled_from(ACTIVATIONS),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_random_networks_agree(
    inputs: int, sizes: list[int], hidden: str, output: str, fused: bool, seed: int
) -> None:
    mlp = scalar.MLP(inputs, sizes, hidden, output, fused=fused, rng=seed)
    x = np.random.default_rng(seed).normal(size=(3, inputs))
    tensors = interop.to_tensors(mlp)
    interop.assert_equivalent(mlp, tensors, x)
    back = interop.to_scalars(tensors, fused=not fused)
    assert [p.data for p in back.parameters()] == [p.data for p in mlp.parameters()]
    assert repr(back) == repr(mlp)
    interop.assert_equivalent(back, tensors, x)


def network() -> tuple[scalar.MLP, nn.Sequential, np.ndarray]:
    mlp = scalar.MLP(3, [4, 2], rng=0)
    return mlp, interop.to_tensors(mlp), np.random.default_rng(1).normal(size=(5, 3))


def test_a_planted_difference_is_found_and_named() -> None:
    mlp, tensors, x = network()
    tensors[0].weight.data[0, 1] += 1e-8
    with pytest.raises(AssertionError, match=r"the gradient of W1 in \d+ of 12 places"):
        interop.assert_equivalent(mlp, tensors, x)
    interop.assert_equivalent(mlp, tensors, x, tolerance=1e-6)


def test_a_planted_wrong_gradient_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    mlp, tensors, x = network()

    def wrong(self: scalar.Value) -> scalar.Value:
        out = np.tanh(self.data)
        return scalar.Value(out, "", "tanh", (self,), (1.001 - out * out,))

    monkeypatch.setitem(scalar.network.ACTIVATIONS, "tanh", wrong)
    with pytest.raises(AssertionError) as error:
        interop.assert_equivalent(mlp, tensors, x)
    assert "the outputs" not in str(error.value)
    assert "the gradient of the inputs" in str(error.value)


def test_nan_on_one_side_is_a_difference() -> None:
    mlp, tensors, x = network()
    tensors[1].bias.data[0] = np.nan
    with pytest.raises(AssertionError, match="nan on tensors"):
        interop.assert_equivalent(mlp, tensors, x)


def test_other_sizes_are_a_difference() -> None:
    mlp, _, x = network()
    other = interop.to_tensors(scalar.MLP(3, [4, 1], rng=0))
    with pytest.raises(AssertionError, match="expected networks of the same sizes"):
        interop.assert_equivalent(mlp, other, x)


def test_gradients_that_were_there_are_kept() -> None:
    mlp, tensors, x = network()
    for i, parameter in enumerate(mlp.parameters()):
        parameter.grad = float(i)
    for parameter in tensors.parameters():
        parameter.grad = np.ones(parameter.shape)
    interop.assert_equivalent(mlp, tensors, x)
    assert [p.grad for p in mlp.parameters()] == list(range(len(mlp.parameters())))
    assert all((p.grad == 1).all() for p in tensors.parameters())


def test_gradients_are_kept_when_it_fails() -> None:
    mlp, tensors, _ = network()
    for parameter in tensors.parameters():
        parameter.grad = np.ones(parameter.shape)
    with pytest.raises(ValueError, match="expected"):
        interop.assert_equivalent(mlp, tensors, np.zeros((2, 5)))
    assert all((p.grad == 1).all() for p in tensors.parameters())


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nan_travels_through_both_engines(activation: str) -> None:
    mlp = scalar.MLP(1, [2, 1], activation, "linear", rng=0)
    assert np.isnan(mlp([np.nan]).data)
    assert np.isnan(interop.to_tensors(mlp)(np.array([[np.nan]])).data).all()


def test_outputs_are_weighted_differently() -> None:
    """A network whose two outputs are exchanged is another network."""
    mlp, tensors, x = network()
    last = tensors[1]
    last.weight.data, last.bias.data = last.weight.data[:, ::-1], last.bias.data[::-1]
    with pytest.raises(AssertionError, match="the gradient of the inputs"):
        interop.assert_equivalent(mlp, tensors, x)


def test_several_activations_in_a_layer_are_refused() -> None:
    mlp, _, _ = network()
    mlp.layers[0].neurons[1].activation = "relu"
    with pytest.raises(ValueError, match="expected one activation in a layer, got relu, tanh"):
        interop.to_tensors(mlp)


def test_the_networks_are_separate() -> None:
    mlp, tensors, x = network()
    before = tensors(x).data.copy()
    mlp.layers[0].neurons[0].weights[0].data = 9.0
    np.testing.assert_array_equal(tensors(x).data, before)


def test_activations_as_layers_and_no_bias() -> None:
    layers = nn.Sequential(
        nn.Sequential(nn.Dense(2, 3, bias=False), nn.Tanh()), nn.Dense(3, 1, nn.Sigmoid()), rng=0
    ).astype("float64")
    mlp = interop.to_scalars(layers)
    interop.assert_equivalent(mlp, layers, [[0.5, -1.0], [2.0, 0.0]])
    single = nn.Dense(2, 1).astype("float64")
    interop.assert_equivalent(interop.to_scalars(single), single, [[0.5, -1.0]])


def test_float32_is_refused() -> None:
    mlp, _, x = network()
    with pytest.raises(ValueError, match=r"layers.0.weight in float64, got float32.*astype"):
        interop.assert_equivalent(mlp, interop.to_tensors(mlp, "float32"), x)


@pytest.mark.parametrize(
    "layers",
    [
        nn.Sequential(nn.Dense(2, 3), nn.Dropout(0.5)),
        nn.Sequential(nn.Dense(2, 3, "softmax")),
        nn.Sequential(nn.ReLU(), nn.Dense(2, 3)),
        nn.Sequential(),
    ],
)
def test_what_the_scalar_engine_does_not_have(layers: nn.Sequential) -> None:
    with pytest.raises(TypeError, match="expected"):
        interop.to_scalars(layers)


def test_rows_are_needed() -> None:
    mlp, tensors, _ = network()
    with pytest.raises(ValueError, match=r"expected rows of inputs, got the shape \(3,\)"):
        interop.assert_equivalent(mlp, tensors, [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="expected rows of inputs"):
        interop.assert_equivalent(mlp, tensors, np.zeros((0, 3)))
