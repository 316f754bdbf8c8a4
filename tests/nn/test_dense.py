"""The fully connected layer: misuse is refused with the fix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import ShapeError, Tensor, nn


def test_it_computes_x_w_plus_b() -> None:
    layer = nn.Dense(2, 3, "tanh")
    layer.weight.data = np.array([[1, 2, 3], [4, 5, 6]], np.float32) / 10
    layer.bias.data = np.array([1, 0, -1], np.float32)
    x = np.array([[1.0, -1.0], [2.0, 0.5]], np.float32)
    expected = np.tanh(x @ layer.weight.data + layer.bias.data)
    np.testing.assert_allclose(layer(x).data, expected, 1e-6)
    np.testing.assert_allclose(layer(x.tolist()).data, expected, 1e-6)
    np.testing.assert_allclose(
        layer.preactivation(x).data, x @ layer.weight.data + layer.bias.data, 1e-6
    )


@pytest.mark.parametrize("dtype", ["float64", "uint8", "int64", "bool"])
def test_an_array_takes_the_layer_s_dtype(dtype: str) -> None:
    x = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)
    assert nn.Dense(3, 2)(x).dtype == np.float32
    assert nn.Dense(3, 2).astype("float64")(x).dtype == np.float64


def test_uint8_pixels_do_not_overflow() -> None:
    layer = nn.Dense(3, 1, init=nn.initialisers.constant(1))
    np.testing.assert_array_equal(layer(np.full((1, 3), 255, np.uint8)).data, [[765]])


def test_no_bias() -> None:
    layer = nn.Dense(3, 2, bias=False)
    assert list(layer.named_parameters()) == ["weight"]
    np.testing.assert_array_equal(layer(np.zeros((1, 3))).data, 0)


@pytest.mark.parametrize(
    ("sizes", "name", "got"),
    [
        ((0, 3), "in_features", "0"),
        ((3, 0), "out_features", "0"),
        ((-2, 3), "in_features", "-2"),
        ((2.5, 3), "in_features", "2.5"),
        ((True, 3), "in_features", "True"),
        ((3, "4"), "out_features", "'4'"),
        ((None, 4), "in_features", "None"),
        (((3, 3), 4), "in_features", r"\(3, 3\)"),
    ],
)
def test_sizes_are_positive_whole_numbers(sizes: tuple[Any, Any], name: str, got: str) -> None:
    with pytest.raises(
        ValueError, match=f"Dense: expected {name} to be a positive whole number, got {got}"
    ):
        nn.Dense(*sizes)


def test_sizes_may_be_numpy_integers() -> None:
    layer = nn.Dense(np.int64(3), np.int32(2))
    assert layer.weight.shape == (3, 2)
    assert repr(layer) == "Dense(3, 2)"


@pytest.mark.parametrize(
    ("features", "shape", "message"),
    [
        (4, (5, 3), r"\(\.\.\., 4\), got \(5, 3\); Dense\(3, 2\) would fit"),
        (784, (5, 28, 28), r"got \(5, 28, 28\); flatten each example .*x.reshape\(len\(x\), -1\)"),
        (4, (4, 1), r"got \(4, 1\); pass one example as a row, x.reshape\(1, -1\)"),
        (64, (8, 8), r"got \(8, 8\); if that is one example, pass it as a row, x.reshape\(1, -1\)"),
        (4, (3,), r"got \(3,\); Dense\(3, 2\) would fit"),
        (4, (), r"got \(\)"),
    ],
)
def test_a_wrong_input_says_what_would_fit(
    features: int, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ShapeError, match=rf"^Dense: expected input of shape .*{message}"):
        nn.Dense(features, 2)(np.zeros(shape))


def test_linear_is_the_identity_and_says_so_when_given_sizes() -> None:
    with pytest.raises(TypeError, match=r"Linear is the identity.*\(3, 4\); .* is Dense\(3, 4\)"):
        nn.Linear(3, 4)
    np.testing.assert_array_equal(nn.Linear()(np.arange(3.0)).data, np.arange(3.0))


@pytest.mark.parametrize(
    ("name", "meant"),
    [("rellu", "'relu'"), ("ReLU", "'relu'"), ("Softmax", "'softmax'"), ("tan", "'tanh'")],
)
def test_an_unknown_activation_suggests_the_nearest(name: str, meant: str) -> None:
    with pytest.raises(
        ValueError, match=f"unknown activation {name!r}: expected one of .*; did you mean {meant}"
    ):
        nn.Dense(3, 2, name)


def test_a_class_in_place_of_an_activation_is_told_to_call_it() -> None:
    with pytest.raises(ValueError, match=r"did you mean ReLU\(\)"):
        nn.Dense(3, 2, nn.ReLU)


def test_softmax_of_one_output_is_refused() -> None:
    """It would be 1 whatever the input."""
    with pytest.raises(
        ShapeError, match=r"activation \(Softmax\): expected at least 2 classes.*use Sigmoid"
    ):
        nn.Dense(3, 1, "softmax")(np.zeros((2, 3)))
    with pytest.raises(ShapeError, match=r"got shape \(\)"):
        nn.Softmax()(Tensor(1.0))


def test_softmax_is_over_the_last_axis() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    out = nn.Softmax()(x).data
    np.testing.assert_allclose(out.sum(axis=-1), 1, 1e-12)
    np.testing.assert_allclose(out, pellucid.softmax(x, axis=-1).data)


@pytest.mark.parametrize("kind", [nn.Softmax, nn.Sigmoid, nn.Tanh])
def test_extreme_inputs_give_finite_activations(kind: type[nn.Activation]) -> None:
    x = Tensor(np.array([[-1e4, 1e4, 0.0]], np.float32), requires_grad=True)
    out = kind()(x)
    assert np.isfinite(out.data).all()
    out.backward(np.ones((1, 3)))
    assert np.isfinite(x.grad).all()
