"""Starting values: their distribution, and that signals neither fade nor grow with depth."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pellucid import nn
from pellucid.nn.initialisers import (
    INITIALISERS,
    constant,
    initialiser,
    normal,
    ones,
    orthogonal,
    truncated_normal,
    uniform,
)

Formula = Callable[[int, int], float]

# the variance of a standard normal distribution within -2 and 2: 1 - 2 * 2 phi(2) / P(|z| < 2)
WITHIN_2 = 1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2))

VARIANCE: dict[str, Formula] = {
    "he_normal": lambda fan_in, fan_out: 2 / fan_in,
    "he_uniform": lambda fan_in, fan_out: 2 / fan_in,
    "xavier_normal": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "xavier_uniform": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "lecun_normal": lambda fan_in, fan_out: 1 / fan_in,
    "lecun_uniform": lambda fan_in, fan_out: 1 / fan_in,
    "normal": lambda fan_in, fan_out: 0.05**2,
    "truncated_normal": lambda fan_in, fan_out: WITHIN_2 * 0.05**2,
    "uniform": lambda fan_in, fan_out: 0.05**2 / 3,
    "orthogonal": lambda fan_in, fan_out: 1 / max(fan_in, fan_out),  # of a matrix
    "zeros": lambda fan_in, fan_out: 0.0,
    "ones": lambda fan_in, fan_out: 0.0,
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
    assert "add 'sparse': lambda" in complaint("sparse")


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("shape", "fan_in", "fan_out"), SHAPES, ids=lambda v: str(v))
@pytest.mark.parametrize("name", INITIALISERS)
def test_mean_and_variance(
    name: str, shape: tuple[int, ...], fan_in: int, fan_out: int, seed: int
) -> None:
    """Both are within five standard errors of what the formula says."""
    if name == "orthogonal":
        fan_in, fan_out = math.prod(shape[:-1]), shape[-1]
    variance = VARIANCE[name](fan_in, fan_out)
    w = INITIALISERS[name](shape, fan_in, fan_out, np.random.default_rng(seed))
    assert w.shape == shape
    assert w.dtype == np.float32
    mean = 1.0 if name == "ones" else 0.0
    assert abs(w.mean() - mean) <= 5 * math.sqrt(variance / w.size)
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
    elif name == "truncated_normal":
        assert 0.0999 < np.abs(w).max() <= 0.1 * (1 + 1e-6)
    else:
        assert np.abs(w).max() > 3.5 * deviation
        assert kurtosis == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("name", INITIALISERS)
def test_same_seed_same_values(name: str) -> None:
    one, same, other = (
        INITIALISERS[name]((20, 30), 20, 30, np.random.default_rng(seed)) for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(one, same)
    assert name in ("zeros", "ones") or not np.array_equal(one, other)


@pytest.mark.parametrize("name", nn.ACTIVATIONS)
def test_the_default_suits_the_activation(name: str) -> None:
    """He after relu and its kin, LeCun after selu, Xavier after the others."""
    layer = nn.Dense(400, 300, name, rng=0)
    kin = name in ("relu", "leaky_relu", "elu", "gelu", "silu")
    variance = 2 / 400 if kin else 1 / 400 if name == "selu" else 2 / 700
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


@pytest.mark.parametrize(
    ("elsewhere", "here"),
    [
        ("glorot_uniform", "'xavier_uniform'"),
        ("kaiming_normal", "'he_normal'"),
        ("GlorotNormal", "'xavier_normal'"),
        ("constant", r"constant\(0.5\)"),
    ],
)
def test_names_from_elsewhere_are_translated(elsewhere: str, here: str) -> None:
    with pytest.raises(ValueError, match=f"unknown initialiser .*; did you mean {here}\\?$"):
        nn.Dense(3, 2, init=elsewhere)


@pytest.mark.parametrize("wrong", [np.ones((3, 2)), [1.0], 3, 0, ""])
def test_what_is_no_initialiser_is_refused(wrong: Any) -> None:
    for build in (nn.Dense, nn.Embedding, nn.GRU):
        with pytest.raises(ValueError, match=r"initialiser"):
            build(3, 2, init=wrong)
    with pytest.raises(ValueError, match=r"initialiser"):
        nn.Conv1D(3, 2, 1, init=wrong)


def test_an_initialiser_that_returns_another_shape_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"expected starting values of shape \(3, 2\), got \(2, 3\)"
    ):
        nn.Dense(3, 2, init=lambda shape, fan_in, fan_out, rng: np.zeros(shape[::-1]))


# those with settings


def draw(init: Any, *shape: int, seed: int = 0) -> np.ndarray:
    """Return drawn values in float64."""
    w = init(shape, 3, 4, np.random.default_rng(seed))
    assert w.dtype == np.float32
    return np.asarray(w, np.float64)


def test_normal_uniform_and_truncated_normal_take_their_settings() -> None:
    n = 40000
    w = draw(normal(2.0, 0.5), 200, 200)
    assert abs(w.mean() - 2) < 5 * 0.5 / math.sqrt(n)
    assert abs(w.var() - 0.25) < 5 * 0.25 * math.sqrt(2 / n)
    w = draw(uniform(1.0, 3.0), 200, 200)
    assert w.min() >= 1
    assert w.max() <= 3
    assert abs(w.mean() - 2) < 5 / math.sqrt(3 * n)
    w = draw(truncated_normal(1.0, 0.5), 200, 200)
    assert w.min() >= 0
    assert w.max() <= 2
    assert abs(w.mean() - 1) < 5 * 0.5 / math.sqrt(n)
    assert abs(w.var() - 0.25 * WITHIN_2) < 5 * 0.25 * math.sqrt(2 / n)
    assert math.sqrt(WITHIN_2) == pytest.approx(0.8796, abs=5e-5)


def test_spread_0_gives_the_mean() -> None:
    np.testing.assert_array_equal(draw(normal(0.5, 0), 3, 2), 0.5)
    np.testing.assert_array_equal(draw(truncated_normal(0.5, 0), 3, 2), 0.5)
    np.testing.assert_array_equal(draw(uniform(0.5, 0.5), 3, 2), 0.5)


@pytest.mark.parametrize("shape", [(5, 5), (8, 3), (3, 8), (1, 6), (6, 1), (3, 2, 4, 7), (4,)])
@pytest.mark.parametrize("gain", [1.0, 1.4])
def test_orthogonal_weights_are_orthogonal(shape: tuple[int, ...], gain: float) -> None:
    """Rows are all axes but the last; the fewer of rows and columns are orthonormal."""
    w = draw(orthogonal(gain), *shape).reshape(-1, shape[-1])
    product = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(product, gain**2 * np.eye(min(w.shape)), atol=1e-6)


def test_orthogonal_weights_keep_lengths() -> None:
    x = np.random.default_rng(0).normal(size=(10, 6))
    out = x @ draw(orthogonal(), 6, 9)
    np.testing.assert_allclose(np.linalg.norm(out, axis=1), np.linalg.norm(x, axis=1), 1e-6)


def test_orthogonal_weights_are_uniform_among_such() -> None:
    """Without the signs of R, the diagonal of Q would be negative far more often than not."""
    diagonals = np.array([np.diagonal(draw(orthogonal(), 3, 3, seed=s)) for s in range(400)])
    error = 5 * math.sqrt(1 / 3 / diagonals.shape[0])  # an element's variance is 1 / 3
    assert np.abs(diagonals.mean(axis=0)).max() < error
    signs = [np.linalg.det(draw(orthogonal(), 3, 3, seed=s)) > 0 for s in range(400)]
    assert abs(np.mean(signs) - 0.5) < 5 * 0.5 / math.sqrt(400)


def test_orthogonal_refuses_a_scalar() -> None:
    with pytest.raises(ValueError, match="at least one axis"):
        draw(orthogonal())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: normal(std=-1.0), "normal: expected std to be a finite number >= 0, got -1.0"),
        (lambda: truncated_normal(std=math.nan), "truncated_normal: expected std"),
        (lambda: uniform(1.0, 0.0), "uniform: expected high - low"),
        (lambda: orthogonal(math.inf), "orthogonal: expected gain"),
    ],
)
def test_settings_out_of_range_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("make", [normal, truncated_normal, uniform, orthogonal, constant])
def test_what_makes_an_initialiser_is_no_initialiser(make: Any) -> None:
    with pytest.raises(ValueError, match=rf"got what makes one; call it: {make.__name__}\("):
        nn.Dense(3, 2, init=make)


def test_ones_and_constant() -> None:
    np.testing.assert_array_equal(draw(ones, 3, 2), 1)
    np.testing.assert_array_equal(draw(constant(-0.25), 3, 2), -0.25)


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


@pytest.mark.parametrize("seed", [0, 1])
def test_thirty_selu_layers_keep_mean_0_and_variance_1(seed: int) -> None:
    """From inputs that are far from it, even. The theorem is of wide layers; WIDTH is 256."""
    rng = np.random.default_rng(seed)
    x = 1.5 * rng.normal(size=(64, WIDTH)).astype(np.float32)
    for _ in range(DEPTH):
        x = nn.Dense(WIDTH, WIDTH, "selu", rng=rng)(x).data
    assert abs(x.mean()) < 0.1
    assert x.var() == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("init", ["orthogonal", "lecun_normal"])
def test_thirty_linear_layers_keep_lengths_if_they_are_orthogonal(init: str) -> None:
    x = np.random.default_rng(0).normal(size=(1, 64)).astype(np.float32)
    before = np.linalg.norm(x)
    for seed in range(DEPTH):
        x = nn.Dense(64, 64, init=init, rng=seed)(x).data
    change = abs(np.linalg.norm(x) / before - 1)
    assert change < 1e-5 if init == "orthogonal" else change > 0.01


def test_the_gradient_reaches_the_first_of_thirty_layers() -> None:
    network = nn.Sequential([nn.Dense(128, 128, "relu") for _ in range(DEPTH)], rng=0)
    out = network(np.random.default_rng(1).normal(size=(16, 128)))
    out.backward(np.random.default_rng(2).normal(size=out.shape))
    norms = [np.linalg.norm(layer.weight.grad) for layer in network]
    assert 0.1 < norms[0] / norms[-1] < 10
