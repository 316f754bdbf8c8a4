"""Dropout, and the random numbers that its masks are made of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import Tensor, gradcheck, nn

RATES = [0.1, 0.25, 0.5, 0.9]


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


@pytest.mark.parametrize("rate", RATES)
def test_the_mean_is_kept(rate: float) -> None:
    """What is kept is divided by 1 - rate; the share that is kept is right within 5 deviations."""
    out = nn.Dropout(rate, rng=0)(ones(400, 500)).data
    kept = out != 0
    np.testing.assert_allclose(out[kept], 1 / (1 - rate), 1e-6)
    deviation = math.sqrt(rate * (1 - rate) / kept.size)
    assert abs(kept.mean() - (1 - rate)) < 5 * deviation
    assert abs(out.mean() - 1) < 5 * deviation / (1 - rate)


def test_the_mask_is_applied_elementwise() -> None:
    x = np.random.default_rng(0).normal(size=(30, 40))
    layer = nn.Dropout(0.3, rng=1)
    state = layer.state()
    mask = layer(np.ones((30, 40))).data
    layer.load_state(state)
    np.testing.assert_allclose(layer(x).data, x * mask, 1e-12)


def test_in_evaluation_it_returns_its_input() -> None:
    x = Tensor(ones(3, 4))
    layer = nn.Dropout(0.5).eval()
    assert layer(x) is x
    before = layer.state()
    layer(x)
    np.testing.assert_array_equal(layer.state()["stream"], before["stream"])


def test_every_call_draws_another_mask() -> None:
    layer = nn.Dropout(0.5, rng=0)
    masks = {layer(ones(8, 8)).data.tobytes() for _ in range(100)}
    assert len(masks) == 100


def test_same_seed_same_masks() -> None:
    one, same, other = (nn.Dropout(0.5, rng=seed) for seed in (3, 3, 4))
    for _ in range(5):
        mask = one(ones(6, 6)).data
        np.testing.assert_array_equal(mask, same(ones(6, 6)).data)
        assert not np.array_equal(mask, other(ones(6, 6)).data)


def test_two_layers_of_one_network_draw_different_masks() -> None:
    network = nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.5), rng=0)
    masks = [layer(ones(8, 8)).data for layer in network]
    assert not np.array_equal(*masks)


def test_a_saved_state_continues_the_masks_exactly() -> None:
    layer = nn.Dropout(0.5, rng=0)
    for _ in range(7):
        layer(ones(5, 5))
    state = layer.state()
    expected = [layer(ones(5, 5)).data for _ in range(4)]
    other = nn.Dropout(0.5, rng=99)
    other.load_state(state)
    for mask in expected:
        np.testing.assert_array_equal(other(ones(5, 5)).data, mask)


def test_the_counter_wraps_without_a_warning() -> None:
    layer = nn.Dropout(0.5, rng=0)
    layer.stream.data = np.array([1, 2**32 - 1], np.uint32)
    first, second = layer(ones(8, 8)).data, layer(ones(8, 8)).data
    assert layer.stream.data.tolist() == [1, 1]
    assert not np.array_equal(first, second)


def test_the_gradient_passes_through_the_same_mask() -> None:
    layer = nn.Dropout(0.4, rng=0)
    x = Tensor(ones(20, 30), requires_grad=True)
    out = layer(x)
    g = np.random.default_rng(0).normal(size=out.shape).astype(np.float32)
    out.backward(g)
    np.testing.assert_allclose(x.grad, g * out.data, 1e-6)
    assert gradcheck(layer, np.random.default_rng(1).normal(size=(4, 5)))


def test_gradcheck_leaves_the_stream_where_it_was() -> None:
    layer = nn.Dropout(0.4, rng=0)
    before = layer.state()["stream"]
    gradcheck(layer, np.random.default_rng(1).normal(size=(4, 5)))
    np.testing.assert_array_equal(layer.state()["stream"], before)


@pytest.mark.parametrize("shape", [(), (7,), (0, 3), (2, 3, 4)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    assert nn.Dropout(0.5)(np.ones(shape)).shape == shape


def test_whole_numbers_become_floating_point() -> None:
    out = nn.Dropout(0.5, rng=0)(np.full((50, 50), 200, np.uint8))
    assert out.dtype == np.float32
    assert set(np.unique(out.data)) == {0.0, 400.0}


@pytest.mark.parametrize("rate", [-0.1, 1, 1.0, 1.5, math.nan, math.inf])
def test_rates_outside_0_to_1_are_refused(rate: float) -> None:
    with pytest.raises(ValueError, match=rf"expected a rate in \[0, 1\), .* got {rate}"):
        nn.Dropout(rate)


@pytest.mark.parametrize("rate", ["0.5", None, [0.5]])
def test_rates_that_are_no_numbers_are_refused(rate: Any) -> None:
    with pytest.raises(ValueError, match=r"expected a rate in \[0, 1\)"):
        nn.Dropout(rate)


def test_rate_0_keeps_everything() -> None:
    x = Tensor(ones(3, 3))
    assert nn.Dropout(0)(x) is x


# the numbers: pellucid.uniform(key, counter)

N = 2**16


def draw(key: int, counter: int, n: int = N) -> np.ndarray:
    return pellucid.uniform(np.array([key, counter], np.uint32), shape=(n,)).data.astype(float)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return the correlation coefficient in units of its deviation for independent numbers."""
    return float(np.corrcoef(a, b)[0, 1]) * math.sqrt(len(a))


def chi_square(counts: np.ndarray) -> float:
    """Return how many deviations Pearson's statistic for equal counts is away from its mean."""
    expected = counts.sum() / counts.size
    freedom = counts.size - 1
    statistic = ((counts - expected) ** 2).sum() / expected
    return float((statistic - freedom) / math.sqrt(2 * freedom))


STREAMS = [(0, 0), (0, 1), (1, 0), (1, 1), (2**31, 5), (2**32 - 1, 2**32 - 1), (123456789, 1000)]


@pytest.mark.parametrize(("key", "counter"), STREAMS)
def test_numbers_are_uniform(key: int, counter: int) -> None:
    u = draw(key, counter)
    assert u.min() >= 0
    assert u.max() < 1
    assert abs(chi_square(np.histogram(u, 256, (0, 1))[0])) < 5
    assert abs(u.mean() - 0.5) < 5 / math.sqrt(12 * N)
    assert abs(u.var() - 1 / 12) < 5 * math.sqrt(1 / 180 / N)


@pytest.mark.parametrize(("key", "counter"), STREAMS)
def test_the_low_bits_are_as_good_as_the_high_ones(key: int, counter: int) -> None:
    bits = (draw(key, counter) * 2**24).astype(np.int64)
    for shift in (0, 8, 16):
        assert abs(chi_square(np.bincount(bits >> shift & 255, minlength=256))) < 5


@pytest.mark.parametrize("lag", [1, 2, 3, 28, 64, 128, 1024])
@pytest.mark.parametrize(("key", "counter"), STREAMS)
def test_neighbours_do_not_correlate(key: int, counter: int, lag: int) -> None:
    u = draw(key, counter)
    assert abs(correlation(u[:-lag], u[lag:])) < 5
    pairs = np.histogram2d(u[:-lag:2], u[lag::2][: len(u[:-lag:2])], 16, [(0, 1), (0, 1)])[0]
    assert abs(chi_square(pairs)) < 5


@pytest.mark.parametrize("key", [0, 1, 2**31, 2**32 - 2])
def test_successive_counters_do_not_correlate(key: int) -> None:
    streams = [draw(key, counter) for counter in range(20)]
    worst = max(abs(correlation(a, b)) for i, a in enumerate(streams) for b in streams[:i])
    assert worst < 5


def test_successive_keys_do_not_correlate() -> None:
    for counter in (0, 1, 77):
        streams = [draw(key, counter) for key in range(20)]
        worst = max(abs(correlation(a, b)) for i, a in enumerate(streams) for b in streams[:i])
        assert worst < 5


@pytest.mark.parametrize("step", [(0, 1), (1, 0), (1, 1), (0, 2**16), (2**16, 0)])
def test_streams_do_not_hold_the_same_numbers_in_another_order(step: tuple[int, int]) -> None:
    """Of 2^16 numbers out of 2^24, about 2^16 * 2^16 / 2^24 = 256 agree by chance."""
    for key, counter in ((0, 0), (7, 100)):
        shared = np.intersect1d(draw(key, counter), draw(key + step[0], counter + step[1]))
        assert shared.size < 256 + 5 * 16


def test_key_and_counter_have_different_roles() -> None:
    assert not np.array_equal(draw(3, 8), draw(8, 3))


@pytest.mark.parametrize("place", [0, 1, 63])
def test_one_place_is_uniform_over_counters_and_over_keys(place: int) -> None:
    """A unit's own masks, step after step and seed after seed, have no pattern either."""
    by_counter = np.array([draw(7, counter, 64)[place] for counter in range(4096)])
    by_key = np.array([draw(key, 0, 64)[place] for key in range(4096)])
    for u in (by_counter, by_key):
        assert abs(chi_square(np.histogram(u, 32, (0, 1))[0])) < 5
        assert abs(correlation(u[:-1], u[1:])) < 5


def test_the_first_numbers_do_not_depend_on_how_many_are_drawn() -> None:
    np.testing.assert_array_equal(draw(5, 6, 10), draw(5, 6, 1000)[:10])
    grid = pellucid.uniform(np.array([5, 6], np.uint32), shape=(4, 5)).data
    np.testing.assert_array_equal(grid.reshape(-1), draw(5, 6, 20))
    assert grid.dtype == np.float32


def test_the_checks_find_a_planted_fault() -> None:
    """Numbers of a linear congruential generator with a small multiplier hang together."""
    n = np.arange(N)
    weak = (n * 0.0001 + draw(0, 0) * 0.2) % 1
    assert abs(correlation(weak[:-1], weak[1:])) > 5
    assert abs(chi_square(np.histogram(draw(0, 0) ** 1.1, 256, (0, 1))[0])) > 5
