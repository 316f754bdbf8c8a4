"""Starting values: their distribution, and that signals neither fade nor grow with depth."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from pellucid import nn
from pellucid.nn.initialisers import INITIALISERS, constant, initialiser

Formula = Callable[[int, int], float]

VARIANCE: dict[str, Formula] = {
    "he_normal": lambda fan_in, fan_out: 2 / fan_in,
    "he_uniform": lambda fan_in, fan_out: 2 / fan_in,
    "xavier_normal": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "xavier_uniform": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "lecun_normal": lambda fan_in, fan_out: 1 / fan_in,
    "lecun_uniform": lambda fan_in, fan_out: 1 / fan_in,
    "zeros": lambda fan_in, fan_out: 0.0,
}
SHAPES = [  # shape, fan_in, fan_out
    ((64, 256), 64, 256),
    ((300, 40), 300, 40),
    ((7, 2000), 7, 2000),
    ((3, 3, 16, 32), 3 * 3 * 16, 3 * 3 * 32),
]


def complaint(name: str) -> str:
    """Return what is missing for an initialiser, if anything is."""
    if name in VARIANCE:
        return ""
    return (
        f"expected the variance of the initialiser {name!r}, got none; add {name!r}: "
        "lambda fan_in, fan_out: <variance> to VARIANCE in tests/nn/test_initialisers.py"
    )


@pytest.mark.parametrize("name", INITIALISERS)
def test_every_initialiser_has_a_variance_here(name: str) -> None:
    assert not complaint(name), complaint(name)


def test_an_initialiser_without_a_variance_is_told_how_to_add_it() -> None:
    assert "add 'orthogonal': lambda" in complaint("orthogonal")


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("shape", "fan_in", "fan_out"), SHAPES, ids=lambda v: str(v))
@pytest.mark.parametrize("name", INITIALISERS)
def test_mean_and_variance(
    name: str, shape: tuple[int, ...], fan_in: int, fan_out: int, seed: int
) -> None:
    """Both are within five standard errors of what the formula says."""
    variance = VARIANCE[name](fan_in, fan_out)
    w = INITIALISERS[name](shape, fan_in, fan_out, np.random.default_rng(seed))
    assert w.shape == shape
    assert w.dtype == np.float32
    assert abs(w.mean()) <= 5 * math.sqrt(variance / w.size)
    kurtosis = 1.8 if name.endswith("uniform") else 3.0  # of the distribution
    error = math.sqrt((kurtosis - 1) / w.size)
    assert abs(w.var(dtype=np.float64) - variance) <= 5 * error * variance


@pytest.mark.parametrize("name", [n for n in INITIALISERS if n.endswith(("uniform", "normal"))])
def test_the_distribution_is_the_one_named(name: str) -> None:
    w = INITIALISERS[name]((500, 200), 500, 200, np.random.default_rng(0)).astype(float)
    deviation = math.sqrt(VARIANCE[name](500, 200))
    kurtosis = np.mean((w / deviation) ** 4)
    if name.endswith("uniform"):
        assert np.abs(w).max() <= math.sqrt(3) * deviation * (1 + 1e-6)
        assert kurtosis == pytest.approx(1.8, abs=0.05)
    else:
        assert np.abs(w).max() > 3.5 * deviation
        assert kurtosis == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("name", INITIALISERS)
def test_same_seed_same_values(name: str) -> None:
    one, same, other = (
        INITIALISERS[name]((20, 30), 20, 30, np.random.default_rng(seed)) for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(one, same)
    assert name == "zeros" or not np.array_equal(one, other)


@pytest.mark.parametrize("name", nn.ACTIVATIONS)
def test_the_default_suits_the_activation(name: str) -> None:
    """He after relu and its kin, Xavier after the others."""
    layer = nn.Dense(400, 300, name, rng=0)
    variance = 2 / 400 if "relu" in name else 2 / 700
    assert layer.weight.data.var() == pytest.approx(variance, rel=0.03)
    assert layer.bias is not None
    np.testing.assert_array_equal(layer.bias.data, 0)


def test_without_an_activation_it_is_xavier() -> None:
    assert nn.Dense(400, 300, rng=0).weight.data.var() == pytest.approx(2 / 700, rel=0.03)


def test_a_module_of_one_s_own_as_activation_starts_with_xavier() -> None:
    layer = nn.Dense(400, 300, nn.Sequential(nn.Tanh()), rng=0)
    assert layer.weight.data.var() == pytest.approx(2 / 700, rel=0.03)


def test_the_choice_of_the_user_is_taken() -> None:
    assert nn.Dense(400, 300, "relu", init="lecun_normal", rng=0).weight.data.var() == (
        pytest.approx(1 / 400, rel=0.03)
    )
    np.testing.assert_array_equal(nn.Dense(3, 2, init=constant(0.5)).weight.data, 0.5)


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(
        ValueError, match=r"unknown initialiser 'he_norml'.*did you mean 'he_normal'"
    ):
        nn.Dense(3, 2, init="he_norml")
    assert initialiser("zeros") is INITIALISERS["zeros"]


def test_an_initialiser_that_returns_another_shape_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"expected starting values of shape \(3, 2\), got \(2, 3\)"
    ):
        nn.Dense(3, 2, init=lambda shape, fan_in, fan_out, rng: np.zeros(shape[::-1]))


def test_same_seed_same_network() -> None:
    def build(seed: int) -> nn.Sequential:
        return nn.Sequential(nn.Dense(3, 8, "relu"), nn.Dense(8, 2), rng=seed)

    one, same, other = build(1).state(), build(1).state(), build(2).state()
    for path, array in one.items():
        np.testing.assert_array_equal(array, same[path])
    assert not np.array_equal(one["layers.0.weight"], other["layers.0.weight"])
    dense = [nn.Dense(3, 8, rng=7).weight.data for _ in range(2)]
    np.testing.assert_array_equal(*dense)


def test_layers_that_share_a_generator_differ() -> None:
    network = nn.Sequential(nn.Dense(5, 5), nn.Dense(5, 5), rng=0)
    assert not np.array_equal(network[0].weight.data, network[1].weight.data)
    rng = np.random.default_rng(0)
    a, b = nn.Dense(5, 5, rng=rng), nn.Dense(5, 5, rng=rng)
    assert not np.array_equal(a.weight.data, b.weight.data)


def test_initialise_keeps_the_dtype_and_starts_biases_at_0() -> None:
    layer = nn.Dense(4, 3).astype("float64")
    assert layer.bias is not None
    layer.bias.data = np.ones(3)
    layer.initialise(0)
    assert layer.weight.dtype == np.float64
    assert layer.bias.dtype == np.float64
    np.testing.assert_array_equal(layer.bias.data, 0)
    np.testing.assert_array_equal(layer.weight.data.astype("f4"), nn.Dense(4, 3, rng=0).weight.data)


# depth

DEPTH, WIDTH = 30, 256


def variances(
    init: str | Callable[..., np.ndarray] | None, activation: str, seed: int
) -> np.ndarray:
    """Return the variance of what comes out of each layer of a deep network."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(32, WIDTH)).astype(np.float32)
    found = []
    for _ in range(DEPTH):
        x = nn.Dense(WIDTH, WIDTH, activation, init=init, rng=rng)(x).data
        found.append(x.var())
    return np.array(found)


def small(
    shape: tuple[int, ...], fan_in: int, fan_out: int, rng: np.random.Generator
) -> np.ndarray:
    """Return 0.01 * randn, whatever the fan-in: the mistake that the others are there to avoid."""
    return 0.01 * rng.standard_normal(shape)


@pytest.mark.parametrize("init", [None, "he_normal", "he_uniform"])
@pytest.mark.parametrize("seed", [0, 1])
def test_thirty_relu_layers_keep_the_variance(init: str | None, seed: int) -> None:
    found = variances(init, "relu", seed)
    assert found.max() / found.min() < 3


@pytest.mark.parametrize("init", [small, "xavier_normal", "lecun_uniform"])
def test_thirty_relu_layers_lose_it_with_others(init: str | Callable[..., np.ndarray]) -> None:
    found = variances(init, "relu", 0)
    assert found[-1] < found[0] / 1000


def test_thirty_tanh_layers_still_carry_a_signal() -> None:
    """tanh damps a little by itself: variance falls like 1 / depth, not exponentially."""
    assert variances(None, "tanh", 0)[-1] > 0.01
    assert variances(small, "tanh", 0)[-1] < 1e-12


def test_the_gradient_reaches_the_first_of_thirty_layers() -> None:
    network = nn.Sequential([nn.Dense(128, 128, "relu") for _ in range(DEPTH)], rng=0)
    out = network(np.random.default_rng(1).normal(size=(16, 128)))
    out.backward(np.random.default_rng(2).normal(size=out.shape))
    norms = [np.linalg.norm(layer.weight.grad) for layer in network]
    assert 0.1 < norms[0] / norms[-1] < 10
