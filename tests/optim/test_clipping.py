"""Clipping by value and by the norm of all gradients together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid import Tensor, nn, optim


def gradients(seed: int = 0, size: float = 1.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    shapes = {"w": (3, 4), "b": (4,), "scale": (), "none": (0, 2)}
    return {path: np.asarray(size * rng.normal(size=s)) for path, s in shapes.items()}


def total(grads: dict[str, Any]) -> float:
    return float(np.sqrt(sum(float((g.astype("float64") ** 2).sum()) for g in grads.values())))


def test_by_value_cuts_each_element() -> None:
    grads = gradients()
    clipped = optim.clip_by_value(grads, 0.3)
    for path, g in grads.items():
        np.testing.assert_array_equal(clipped[path], np.clip(g, -0.3, 0.3))


@given(st.integers(0, 99), st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_the_clipped_norm_is_at_most_the_limit_and_the_direction_stays(
    seed: int, size: float, limit: float
) -> None:
    grads = gradients(seed, size)
    clipped, norm = optim.clip_by_global_norm(grads, limit)
    assert norm == pytest.approx(total(grads), rel=1e-12)
    assert total(clipped) == pytest.approx(min(limit, total(grads)), rel=1e-12)
    for path, g in grads.items():
        np.testing.assert_allclose(clipped[path] * total(grads), g * total(clipped), 1e-9)


def test_gradients_within_the_limit_stay_as_they_are() -> None:
    grads = gradients()
    clipped, _ = optim.clip_by_global_norm(grads, 1e3)
    for path, g in grads.items():
        np.testing.assert_array_equal(clipped[path], g)


def test_zero_gradients_stay_zero() -> None:
    clipped, norm = optim.clip_by_global_norm({"w": np.zeros(3, np.float32)}, 1.0)
    np.testing.assert_array_equal(clipped["w"], 0)
    assert norm == 0


@pytest.mark.parametrize("size", [1e-30, 1e25])
def test_squares_that_leave_float32_are_no_matter(size: float) -> None:
    """Squared plainly these would be 0 or infinite, and an infinite norm would stop training."""
    grads = {"a": np.full(9, size, np.float32), "b": np.full(7, -size, np.float32)}
    clipped, norm = optim.clip_by_global_norm(grads, size)
    assert norm == pytest.approx(4 * size, rel=1e-6)
    np.testing.assert_allclose(clipped["b"], -size / 4, 1e-6)
    assert {g.dtype for g in clipped.values()} == {np.dtype("float32")}


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_is_not_hidden_by_the_norm(bad: float) -> None:
    with np.errstate(all="ignore"):
        clipped, norm = optim.clip_by_global_norm({"a": np.array([1.0, bad]), "b": np.ones(2)}, 1.0)
    assert np.isnan(norm)
    assert all(np.isnan(g).all() for g in clipped.values())


def test_by_value_cuts_infinity_and_keeps_nan() -> None:
    clipped = optim.clip_by_value({"a": np.array([np.inf, -np.inf, np.nan])}, 2.0)
    np.testing.assert_array_equal(clipped["a"], [2, -2, np.nan])


@pytest.mark.torch
@pytest.mark.parametrize("limit", [0.1, 1.0, 100.0])
def test_both_are_torch_s(limit: float) -> None:
    torch = pytest.importorskip("torch")
    grads = {k: g for k, g in gradients(size=3.0).items() if g.size}
    for by_norm in (True, False):
        theirs = [torch.tensor(g, requires_grad=True) for g in grads.values()]
        for p, g in zip(theirs, grads.values(), strict=True):
            p.grad = torch.tensor(g)
        if by_norm:
            norm = torch.nn.utils.clip_grad_norm_(theirs, limit)
            clipped, ours = optim.clip_by_global_norm(grads, limit)
            assert float(ours) == pytest.approx(float(norm), rel=1e-12)
        else:
            torch.nn.utils.clip_grad_value_(theirs, limit)
            clipped = optim.clip_by_value(grads, limit)
        for p, g in zip(theirs, clipped.values(), strict=True):
            np.testing.assert_allclose(g, p.grad.numpy(), 1e-5)  # theirs divides by norm + 1e-6


# within an optimiser


def network() -> nn.Dense:
    layer = nn.Dense(3, 2, rng=0)
    (layer(np.ones((4, 3), np.float32)) * 5).sum().backward()
    return layer


@pytest.mark.parametrize("kind", list(optim.OPTIMIZERS.values()))
@pytest.mark.parametrize(
    "options", [{"clip_value": 0.7}, {"clip_norm": 0.5}, {"clip_value": 3.0, "clip_norm": 2.0}]
)
def test_an_optimiser_clips_before_the_update(kind: Any, options: dict[str, float]) -> None:
    layer, by_hand = network(), network()
    kept = {path: p.grad.copy() for path, p in layer.named_parameters().items()}
    clipping, plain = kind(**options), kind()
    for _ in range(2):
        grads = dict(kept)
        if "clip_value" in options:
            grads = optim.clip_by_value(grads, options["clip_value"])
        if "clip_norm" in options:
            grads, _ = optim.clip_by_global_norm(grads, options["clip_norm"])
        for path, p in by_hand.named_parameters().items():
            p.grad = grads[path]
        clipping.step(layer)
        plain.step(by_hand)
    for path, p in layer.named_parameters().items():
        np.testing.assert_array_equal(p.data, by_hand.named_parameters()[path].data)
        np.testing.assert_array_equal(p.grad, kept[path])  # as backward left it
        assert p.dtype == np.float32


def test_the_length_of_a_clipped_step_of_sgd_is_rate_times_limit() -> None:
    layer = network()
    before = layer.state()
    optim.SGD(0.1, clip_norm=2.0).step(layer)
    assert total({k: a - before[k] for k, a in layer.state().items()}) == pytest.approx(0.2, 1e-5)


def test_a_float64_gradient_is_clipped_in_the_parameter_s_dtype() -> None:
    p = Tensor(np.ones(2, np.float32), requires_grad=True)
    p.grad = np.array([3.0, 4.0])
    optim.SGD(1.0, clip_norm=1.0).step([p])
    assert p.dtype == np.float32
    np.testing.assert_allclose(p.data, [0.4, 0.2], 1e-6)


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf"), "1", True])
def test_limits_that_are_refused(limit: Any) -> None:
    for name in ("clip_value", "clip_norm"):
        with pytest.raises(ValueError, match=f"expected {name} to be a positive number, got"):
            optim.SGD(**{name: limit})
    for function in (optim.clip_by_value, optim.clip_by_global_norm):
        with pytest.raises(ValueError, match="expected limit to be a positive number, got"):
            function({"w": np.ones(2)}, limit)


def test_no_gradients_have_no_norm() -> None:
    with pytest.raises(ValueError, match="expected gradients with elements, got none; call loss"):
        optim.clip_by_global_norm({}, 1.0)
