"""Parameters that join later, gradients that do not fit, rates that are set by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import ShapeError, Tensor, optim


def parameter(value: float = 0.0) -> Tensor:
    return Tensor(np.full(3, value), requires_grad=True)


def test_the_first_update_of_a_late_parameter_is_a_first_update() -> None:
    """Adam's first step has length lr whenever it comes: bias correction counts by parameter."""
    early, late = parameter(), parameter()
    optimizer = optim.Adam(0.1)
    for _ in range(50):
        early.grad, late.grad = np.ones(3), None
        optimizer.step({"early": early, "late": late})
    late.grad = np.ones(3)
    optimizer.step({"early": early, "late": late})
    np.testing.assert_allclose(late.data, -0.1, rtol=1e-6)


def test_a_late_parameter_still_follows_the_schedule_of_all() -> None:
    early, late = parameter(), parameter()
    optimizer = optim.SGD(lambda step: 1 / step)
    early.grad = np.ones(3)
    optimizer.step({"early": early, "late": late})
    late.grad = np.ones(3)
    optimizer.step({"early": early, "late": late})
    np.testing.assert_allclose(late.data, -0.5)


def test_a_gradient_of_another_shape_is_refused() -> None:
    """(3, 1) minus (3,) would broadcast the parameter to (3, 3)."""
    w = Tensor(np.ones((3, 1)), requires_grad=True)
    w.grad = np.ones(3)
    with pytest.raises(
        ShapeError, match=r"w: expected a gradient in the parameter's shape \(3, 1\)"
    ):
        optim.SGD(0.1).step({"w": w})
    assert w.shape == (3, 1)


@pytest.mark.parametrize("lr", [-5, float("nan"), "fast"])
def test_a_rate_that_is_set_later_is_checked_too(lr: object) -> None:
    w = parameter(1.0)
    w.grad = np.ones(3)
    optimizer = optim.SGD(0.1)
    optimizer.lr = lr  # type: ignore[assignment]
    with pytest.raises(ValueError, match="expected lr to be a rate of at least 0"):
        optimizer.step([w])
    np.testing.assert_array_equal(w.data, 1.0)
