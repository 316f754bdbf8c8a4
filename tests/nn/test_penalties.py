"""Penalties and constraints: their formulas, their gradients, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid import Tensor, gradcheck, nn

W = np.random.default_rng(0).normal(size=(4, 3))


def gradient(penalty: nn.Penalty, w: np.ndarray) -> np.ndarray:
    w = Tensor(w, requires_grad=True)
    penalty(w).backward()
    assert w.grad is not None
    return w.grad


@pytest.mark.parametrize(
    ("penalty", "value", "slope"),
    [
        (nn.L1(0.3), 0.3 * np.abs(W).sum(), 0.3 * np.sign(W)),
        (nn.L2(0.3), 0.3 * (W**2).sum(), 0.6 * W),
        (
            nn.L1L2(0.3, 0.1),
            0.3 * np.abs(W).sum() + 0.1 * (W**2).sum(),
            0.3 * np.sign(W) + 0.2 * W,
        ),
    ],
    ids=repr,
)
def test_penalties_are_the_textbook_s(penalty: nn.Penalty, value: float, slope: Any) -> None:
    assert penalty(Tensor(W)).item() == pytest.approx(value, rel=1e-14)
    assert penalty(Tensor(W)).shape == ()
    np.testing.assert_allclose(gradient(penalty, W), slope, 1e-14)
    assert gradcheck(penalty, W, order=2)


@pytest.mark.parametrize("penalty", [nn.L1(0.3), nn.L2(0.3), nn.L1L2(0.3, 0.3)], ids=repr)
def test_zero_weights_cost_nothing_and_stay(penalty: nn.Penalty) -> None:
    zeros = np.zeros((2, 2))
    assert penalty(Tensor(zeros)).item() == 0
    np.testing.assert_array_equal(gradient(penalty, zeros), 0)


def test_penalties_keep_the_dtype() -> None:
    w = Tensor(W.astype("float32"), requires_grad=True)
    for penalty in (nn.L1(0.3), nn.L2(0.3), nn.L1L2(0.3, 0.3)):
        cost = penalty(w)
        cost.backward()
        assert cost.dtype == w.grad.dtype == np.float32  # type: ignore[union-attr]


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), True, "0.1", None])
@pytest.mark.parametrize("build", [nn.L1, nn.L2, lambda v: nn.L1L2(0.1, v)])
def test_factors_that_are_none_are_refused(build: Any, value: Any) -> None:
    with pytest.raises(ValueError, match=r"expected l[12] to be a number of at least 0, got"):
        build(value)


def test_a_penalty_without_a_formula_says_so() -> None:
    with pytest.raises(TypeError, match=r"Penalty has no __call__\(\); define it in the class"):
        nn.Penalty()(Tensor(W))
    with pytest.raises(TypeError, match=r"Constraint has no __call__\(\)"):
        nn.Constraint()(W)


# the constraint


def test_units_that_are_too_long_are_shortened_and_the_others_left_alone() -> None:
    w = np.array([[3.0, 0.3], [4.0, 0.4]])
    limited = nn.MaxNorm(2.0)(w)
    np.testing.assert_allclose(limited, [[1.2, 0.3], [1.6, 0.4]], 1e-15)
    np.testing.assert_array_equal(limited[:, 1], w[:, 1])


@pytest.mark.parametrize(
    ("shape", "axis", "lengths"),
    [
        ((4, 3), None, (0,)),
        ((4, 3), 0, (0,)),
        ((4, 3), 1, (1,)),
        ((3, 3, 2, 5), None, (0, 1, 2)),
        ((7,), None, (0,)),
    ],
)
def test_lengths_are_taken_along_the_axes_of_a_unit(
    shape: tuple[int, ...], axis: int | None, lengths: tuple[int, ...]
) -> None:
    w = np.random.default_rng(1).normal(size=shape)
    before = np.sqrt((w**2).sum(axis=lengths))
    after = np.sqrt((nn.MaxNorm(1.5, axis)(w) ** 2).sum(axis=lengths))
    np.testing.assert_allclose(after, np.minimum(before, 1.5), 1e-14)


def test_the_constraint_keeps_zeros_and_the_dtype() -> None:
    zeros = np.zeros((3, 2), "float32")
    np.testing.assert_array_equal(nn.MaxNorm(1.0)(zeros), zeros)
    limited = nn.MaxNorm(1.0)(10 * W.astype("float32"))
    assert limited.dtype == np.float32
    np.testing.assert_allclose(nn.MaxNorm(1.0)(limited), limited, 1e-6)


@pytest.mark.torch
def test_max_norm_is_torch_s_renorm() -> None:
    torch = pytest.importorskip("torch")
    expected = torch.renorm(torch.tensor(W), p=2, dim=1, maxnorm=1.0).numpy()
    np.testing.assert_allclose(nn.MaxNorm(1.0)(W), expected, 1e-6)


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf"), True, "3", None])
def test_limits_that_are_none_are_refused(limit: Any) -> None:
    with pytest.raises(ValueError, match="MaxNorm: expected limit to be a positive number, got"):
        nn.MaxNorm(limit)


def test_what_they_are_is_shown() -> None:
    assert [repr(x) for x in (nn.L2(0.1), nn.L1L2(0.1, 0.2), nn.MaxNorm(3))] == [
        "L2(0.1)", "L1L2(0.1, 0.2)", "MaxNorm(3.0)"
    ]  # fmt: skip
