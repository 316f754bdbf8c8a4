"""Activations where they are delicate: far from 0, at 0, and before a loss."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pellucid as pl
from pellucid import Tensor, nn, optim, train

EXTREME = np.array([-1e4, -1e3, -90.0, -30.0, 0.0, 30.0, 90.0, 1e3, 1e4])
ROWWISE = ("softmax", "log_softmax")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", nn.ACTIVATIONS)
def test_nothing_overflows(name: str, dtype: str) -> None:
    """Value, slope and curvature are finite; a warning would be an error here."""
    layer = nn.ACTIVATIONS[name]()
    x = Tensor(EXTREME.astype(dtype), requires_grad=True)
    out = layer(x)
    assert out.dtype == dtype
    assert np.isfinite(out.data).all()
    slope = pl.grad(lambda x: (layer(x) * EXTREME).sum())(x)
    assert np.isfinite(slope.data).all()
    curvature = pl.grad(lambda x: pl.grad(lambda x: layer(x).sum())(x).sum())(x)
    assert np.isfinite(curvature.data).all()


@pytest.mark.parametrize("name", ["elu", "selu", "gelu", "silu", "relu", "softplus"])
def test_far_to_the_right_it_is_the_identity(name: str) -> None:
    scale = 1.0507009873554805 if name == "selu" else 1.0
    out = nn.ACTIVATIONS[name]()(np.array([50.0, 1e4]))
    np.testing.assert_allclose(out.data, scale * np.array([50.0, 1e4]), 1e-14)


@pytest.mark.parametrize(
    ("name", "limit"),
    [("elu", -1.0), ("selu", -1.7580993408473766), ("gelu", 0.0), ("silu", 0.0), ("softplus", 0.0)],
)
def test_far_to_the_left_it_levels_off(name: str, limit: float) -> None:
    out = nn.ACTIVATIONS[name]()(np.array([-100.0, -1e4]))
    np.testing.assert_allclose(out.data, limit, rtol=1e-14, atol=1e-40)


def derivatives(layer: Any, at: float) -> tuple[float, float, float]:
    """Return slope, curvature and third derivative at a number."""
    first = pl.grad(lambda x: layer(x).sum())
    second = pl.grad(lambda x: first(x).sum())
    third = pl.grad(lambda x: second(x).sum())
    x = np.array([at])
    return first(x).item(), second(x).item(), third(x).item()


def test_derivatives_at_0() -> None:
    """Where formulas for x < 0 and for x > 0 meet, both must have the same slopes."""
    np.testing.assert_allclose(derivatives(nn.SiLU(), 0.0), (0.5, 0.5, 0.0), atol=1e-15)
    density = 1 / math.sqrt(2 * math.pi)
    np.testing.assert_allclose(derivatives(nn.GELU(), 0.0), (0.5, 2 * density, 0.0), atol=1e-15)
    np.testing.assert_allclose(derivatives(nn.ELU(), 0.0), (1.0, 1.0, 1.0), atol=1e-15)


@given(st.floats(-20, 20))
def test_two_forms_of_gelu_differ_little(x: float) -> None:
    exact, approximate = nn.GELU()([x]).item(), nn.GELU(approximate=True)([x]).item()
    assert abs(exact - approximate) < 5e-4


def test_gelu_says_which_form_it_wants() -> None:
    wrong: Any = "tanh"
    with pytest.raises(TypeError, match=r"expected approximate to be True \(tanh\) or False"):
        nn.GELU(approximate=wrong)
    with pytest.raises(TypeError, match=r"gelu: expected approximate to be True \(tanh\) or False"):
        pl.gelu([1.0], approximate=wrong)


@given(st.floats(-50, 50))
def test_silu_and_gelu_mirror(x: float) -> None:
    """f(x) - f(-x) = x for both: the share of x that is kept and that of -x sum to 1."""
    for layer in (nn.SiLU(), nn.GELU(), nn.GELU(approximate=True)):
        out = layer(np.array([x, -x])).data
        assert out[0] - out[1] == pytest.approx(x, abs=1e-12)


def test_selu_keeps_mean_0_and_variance_1_of_a_normal_distribution() -> None:
    """Its two constants are made for that; checked by integration over 16 deviations."""
    z = np.linspace(-16, 16, 320001)
    weights = np.exp(-z * z / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    out = pl.selu(z).data
    assert (weights * out).sum() == pytest.approx(0, abs=1e-8)
    assert (weights * out**2).sum() == pytest.approx(1, abs=1e-8)


def test_hard_tanh_at_and_beyond_its_bounds() -> None:
    x = Tensor(np.array([-2.0, -1.0, 0.5, 1.0, 3.0]), requires_grad=True)
    out = nn.HardTanh()(x)
    np.testing.assert_array_equal(out.data, [-1, -1, 0.5, 1, 1])
    out.sum().backward()
    np.testing.assert_array_equal(x.grad, [0, 1, 1, 1, 0])
    with pytest.raises(ValueError, match=r"expected low < high, got low=1.0 and high=-1.0"):
        nn.HardTanh(1.0, -1.0)


@pytest.mark.parametrize("wrong", ["0.1", None, math.nan, math.inf, True, np.ones(3)])
def test_a_setting_that_is_no_number_is_refused_at_once(wrong: Any) -> None:
    for build in (nn.LeakyReLU, nn.ELU, nn.HardTanh):
        with pytest.raises(
            ValueError, match=rf"{build.__name__}: expected \w+ to be a finite numb"
        ):
            build(wrong)
    assert repr(nn.ELU(np.float32(0.5))) == "ELU(alpha=0.5)"


@pytest.mark.parametrize("wrong", [["relu"], pl.relu, 3])
def test_what_is_neither_name_nor_module_is_no_activation(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"expected an activation by name or as a module, got"):
        nn.Dense(3, 2, wrong)


@pytest.mark.parametrize("layer", [nn.Softmax(), nn.LogSoftmax()])
@pytest.mark.parametrize("shape", [(), (3, 1)])
def test_one_class_is_refused(layer: nn.Module, shape: tuple[int, ...]) -> None:
    with pytest.raises(pl.ShapeError, match=r"at least 2 classes.*use Sigmoid"):
        layer(np.zeros(shape))


def fitted(ending: str | None) -> tuple[train.Model, np.ndarray, list[float]]:
    """Return a classifier that ends in an activation, its data and the losses of its training."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 2)), rng.integers(0, 3, size=30)
    network = nn.Sequential(nn.Dense(2, 8, "gelu"), nn.Dense(8, 3, ending), rng=0).astype("float64")
    model = train.Model(network, "cross_entropy", optim.Adam(0.05))
    return model, x, model.fit(x, y, epochs=5, seed=0, verbose=0)["loss"]


def test_a_network_may_end_in_log_softmax() -> None:
    """The loss takes logits; log-probabilities are logits of the same probabilities."""
    plain, x, expected = fitted(None)
    model, _, losses = fitted("log_softmax")
    np.testing.assert_allclose(losses, expected, 1e-12)
    np.testing.assert_allclose(model.predict_proba(x), plain.predict_proba(x), 1e-11)
    np.testing.assert_allclose(np.exp(model.predict(x)), model.predict_proba(x), 1e-11)


@pytest.mark.parametrize(
    ("name", "initialiser"),
    [
        ("elu", "he_normal"),
        ("selu", "lecun_normal"),
        ("gelu", "he_normal"),
        ("silu", "he_normal"),
        ("softplus", "xavier_uniform"),
        ("hard_tanh", "xavier_uniform"),
        ("log_softmax", "xavier_uniform"),
    ],
)
def test_each_names_its_initialiser(name: str, initialiser: str) -> None:
    assert nn.ACTIVATIONS[name].initialiser == initialiser
    assert nn.Dense(3, 2, name).init is nn.initialisers.INITIALISERS[initialiser]
