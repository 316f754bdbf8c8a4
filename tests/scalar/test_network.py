"""Neurons, layers, networks and losses of scalars."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid import nn
from pellucid.scalar import (
    MLP,
    Layer,
    Neuron,
    Value,
    binary_cross_entropy,
    dot,
    hinge,
    mse,
)


def test_the_first_thing_a_reader_tries() -> None:
    network = MLP(3, [4, 4, 1])
    out = network([2.0, 3.0, -1.0])
    assert isinstance(out, Value)
    out.backward()
    assert len(network.parameters()) == 41
    assert any(p.grad for p in network.parameters())
    network.zero_grad()
    assert not any(p.grad for p in network.parameters())


def test_neurons_layers_and_networks_forget_their_gradients() -> None:
    for part in (Neuron(2), Layer(2, 3), MLP(2, [3, 1])):
        for parameter in part.parameters():
            parameter.grad = 1.0
        part.zero_grad()
        assert not any(parameter.grad for parameter in part.parameters())


def test_sizes_may_be_numpy_s() -> None:
    assert len(MLP(np.int64(2), [np.int64(3), 1]).parameters()) == 13


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: MLP(1, [1])(2.0), r"expected a list of 1 inputs, got 2.0"),
        (lambda: Neuron(1)(Value(2.0)), "expected a list of 1 inputs"),
        (lambda: mse(Value(1.0), [1.0]), "expected a list of predictions"),
        (lambda: hinge([Value(1.0)], 1), "expected a list of targets, got 1"),
        (lambda: mse([MLP(1, [2])([1.0])], [1.0]), "expected one Value a prediction, got list"),
        (lambda: mse([1.0], [1.0]), "expected one Value a prediction, got float"),
    ],
)
def test_beginners_mistakes_are_told(call: object, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        call()


def test_a_neuron_is_its_formula() -> None:
    neuron = Neuron(2, "tanh", rng=0)
    neuron.weights[0].data, neuron.weights[1].data, neuron.bias.data = 0.5, -1.0, 0.25
    out = neuron([2.0, Value(3.0)])
    assert out.data == pytest.approx(math.tanh(0.5 * 2 - 3 + 0.25))
    out.backward()
    slope = 1 - out.data**2
    assert [p.grad for p in neuron.parameters()] == pytest.approx([2 * slope, 3 * slope, slope])


@pytest.mark.parametrize("activation", ["linear", "tanh", "relu", "sigmoid"])
def test_activations(activation: str) -> None:
    layer = Layer(2, 3, activation, rng=1)
    out = layer([0.3, -0.7])
    assert len(out) == 3
    for neuron, value in zip(layer.neurons, out, strict=True):
        z = sum(w.data * x for w, x in zip(neuron.weights, [0.3, -0.7], strict=True))
        expected = {
            "linear": z,
            "tanh": math.tanh(z),
            "relu": max(z, 0.0),
            "sigmoid": 1 / (1 + math.exp(-z)),
        }[activation]
        assert value.data == pytest.approx(expected)


def test_the_output_layer_may_be_linear() -> None:
    network = MLP(2, [3, 1], output="linear")
    assert [layer.neurons[0].activation for layer in network] == ["tanh", "linear"]
    network = MLP(2, [3, 2], "relu")
    assert [layer.neurons[0].activation for layer in network] == ["relu", "relu"]
    assert len(network([1.0, 2.0])) == 2


def test_fused_neurons_compute_the_same_with_fewer_nodes() -> None:
    apart, fused = MLP(3, [5, 4, 1], rng=3), MLP(3, [5, 4, 1], rng=3, fused=True)
    outs = [network([0.5, -1.0, 2.0]) for network in (apart, fused)]
    for out in outs:
        out.backward()
    assert outs[0].data == pytest.approx(outs[1].data, rel=1e-14)
    grads = [[p.grad for p in network.parameters()] for network in (apart, fused)]
    assert grads[0] == pytest.approx(grads[1], rel=1e-12)
    ops = {parent.op for parent in outs[1].parents}
    assert ops == {"dot"}


def test_dot_is_a_weighted_sum() -> None:
    w, x, b = [Value(1.0), Value(-2.0)], [Value(3.0), Value(0.5)], Value(4.0)
    out = dot(w, x, b)
    out.backward()
    assert out.data == 6.0
    assert [v.grad for v in (*w, *x, b)] == [3.0, 0.5, 1.0, -2.0, 1.0]
    a = Value(2.0)
    square = dot([a], [a], Value(0.0))
    square.backward()
    assert a.grad == 4.0


def test_seeds_and_scale() -> None:
    first = [p.data for p in MLP(2, [3, 1], rng=5).parameters()]
    assert first == [p.data for p in MLP(2, [3, 1], rng=random.Random(5)).parameters()]
    assert first != [p.data for p in MLP(2, [3, 1], rng=6).parameters()]
    assert [p.data for p in MLP(2, [3, 1], rng=5, scale=2).parameters()] == pytest.approx(
        [2 * p for p in first]
    )


@pytest.mark.parametrize(("activation", "variance"), [("tanh", 1.0), ("relu", 2.0)])
def test_starting_weights_have_the_variance_that_is_documented(
    activation: str, variance: float
) -> None:
    weights = [w.data for w in Neuron(4000, activation, rng=0).weights]
    # the sample variance of 4000 uniform numbers lies within 5 % with certainty for all practical
    # purposes: its standard error is sqrt(0.8 / 4000) = 1.4 %
    assert np.var(weights) * 4000 == pytest.approx(variance, rel=0.05)
    assert MLP(2, [3, 1], rng=0).layers[0].neurons[0].bias.data == 0.0


def test_labels_say_where_a_parameter_is() -> None:
    labels = [p.label for p in MLP(2, [1, 1]).parameters()]
    assert labels == ["L1.N1.w1", "L1.N1.w2", "L1.N1.b", "L2.N1.w1", "L2.N1.b"]


def test_repr() -> None:
    assert repr(MLP(3, [4, 1], output="linear")) == (
        "MLP of 21 parameters:\n  Layer(3, 4, 'tanh'),\n  Layer(4, 1, 'linear'),"
    )
    assert repr(Neuron(2, "relu")) == "Neuron(2, 'relu')"


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: MLP(3, [4, 1])([1.0, 2.0]), "expected 3 inputs, got 2"),
        (lambda: Neuron(3)([1.0]), "expected 3 inputs, got 1"),
        (lambda: Layer(2, 3)([1.0]), "expected 2 inputs, got 1"),
        (lambda: MLP(3, []), "expected a list of layer sizes"),
        (lambda: MLP(3, 4), "expected a list of layer sizes"),
        (lambda: MLP(0, [4]), "expected inputs to be a whole number of at least 1, got 0"),
        (lambda: MLP(2, [4, 0]), "expected outputs to be a whole number of at least 1, got 0"),
        (lambda: MLP(2, [2.5]), "got 2.5"),
        (lambda: MLP(2, [2], scale=math.nan), "expected scale to be a number"),
        (lambda: MLP(2, [2], "softmax"), "expected an activation among linear, tanh, relu"),
    ],
)
def test_what_is_refused(build: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        build()


# losses

Z = [1.5, -0.3, 0.0, -40.0, 40.0]


def test_mean_squared_error_is_the_tensors() -> None:
    y = [1.0, -1.0, 0.5, 2.0, 0.0]
    assert mse([Value(z) for z in Z], y).data == pytest.approx(
        float(nn.MSELoss()(np.array(Z), np.array(y)).data)
    )


def test_hinge() -> None:
    scores = [Value(0.5), Value(2.0), Value(-3.0), Value(1.0)]
    loss = hinge(scores, [1, 1, 1, -1])
    assert loss.data == (0.5 + 0.0 + 4.0 + 2.0) / 4
    loss.backward()
    assert [s.grad for s in scores] == [-0.25, 0.0, -0.25, 0.25]


def test_binary_cross_entropy_is_the_tensors_and_never_overflows() -> None:
    y = [1.0, 0.0, 0.3, 0.0, 0.0]
    logits = [Value(z) for z in Z]
    loss = binary_cross_entropy(logits, y)
    assert loss.data == pytest.approx(float(nn.BCELoss()(np.array(Z), np.array(y)).data))
    loss.backward()
    for z, target in zip(logits, y, strict=True):
        p = 1 / (1 + math.exp(-z.data))
        assert z.grad == pytest.approx((p - target) / 5)
    sure = Value(20.0)
    loss = binary_cross_entropy([sure], [1])
    assert loss.data == pytest.approx(2.061153620314381e-09, rel=1e-12)  # ln(1 + e^-20)
    far = [Value(1000.0), Value(-1000.0)]
    loss = binary_cross_entropy(far, [1, 0])
    loss.backward()
    assert loss.data == 0.0
    assert binary_cross_entropy(far, [0, 1]).data == 1000.0


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=8))
def test_cross_entropy_at_its_own_probability_is_flat(logits: list[float]) -> None:
    values = [Value(z) for z in logits]
    p = [1 / (1 + math.exp(-z)) for z in logits]
    binary_cross_entropy(values, p).backward()
    assert all(abs(v.grad) < 1e-15 for v in values)


@pytest.mark.parametrize(
    ("loss", "predictions", "targets", "says"),
    [
        (mse, [Value(1)], [1, 2], "expected one target for each prediction"),
        (mse, [], [], "at least one"),
        (hinge, [Value(1)], [0], "hinge: expected targets of -1 and 1, got 0"),
        (binary_cross_entropy, [Value(1)], [-1], "expected targets from 0 to 1, got -1"),
    ],
)
def test_targets_that_do_not_fit(
    loss: object, predictions: list[Value], targets: list[float], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        loss(predictions, targets)
