"""Where a function has no single slope, the documented one is given: PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid as pl
from pellucid import Tensor

NAMES: dict[str, tuple[Callable[..., Tensor], str, list[list[float]], list[list[float]]]] = {
    # ours, PyTorch's, operands, gradients of the sum
    "ties in maximum": (pl.maximum, "maximum", [[1, 2, 3], [1, 3, 2]], [[0.5, 0, 1], [0.5, 1, 0]]),
    "ties in minimum": (pl.minimum, "minimum", [[1, 2, 3], [1, 3, 2]], [[0.5, 1, 0], [0.5, 0, 1]]),
    "ties in max": (pl.max, "amax", [[3, 1, 3, 3]], [[1 / 3, 0, 1 / 3, 1 / 3]]),
    "ties in min": (pl.min, "amin", [[3, 1, 1, 3]], [[0, 0.5, 0.5, 0]]),
    "relu at 0": (pl.relu, "relu", [[-1, 0, -0.0, 1]], [[0, 0, 0, 1]]),
    "abs at 0": (pl.abs, "abs", [[-1, 0, -0.0, 1]], [[-1, 0, 0, 1]]),
    "norm at 0": (pl.norm, "linalg.vector_norm", [[0, 0, 0]], [[0, 0, 0]]),
}


@pytest.mark.parametrize("name", NAMES)
def test_gradients_at_ties_and_kinks(name: str) -> None:
    f, _, operands, gradients = NAMES[name]
    leaves = [Tensor(np.array(x, float), requires_grad=True) for x in operands]
    f(*leaves).sum().backward()
    for x, expected in zip(leaves, gradients, strict=True):
        np.testing.assert_allclose(x.grad, expected)


@pytest.mark.torch
@pytest.mark.parametrize("name", NAMES)
def test_gradients_at_ties_and_kinks_are_those_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    _, theirs, operands, gradients = NAMES[name]
    f: Any = torch
    for part in theirs.split("."):
        f = getattr(f, part)
    leaves = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in operands]
    f(*leaves).sum().backward()
    for x, expected in zip(leaves, gradients, strict=True):
        np.testing.assert_allclose(x.grad.numpy(), expected)


def test_clip_lets_the_gradient_through_on_its_bounds() -> None:
    x = Tensor([-2.0, -1.0, 0.0, 1.0, 2.0], requires_grad=True)
    x.clip(-1, 1).sum().backward()
    np.testing.assert_array_equal(x.grad, [0, 1, 1, 1, 0])


def test_a_maximum_of_a_tensor_with_itself_has_slope_1() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    pl.maximum(x, x).sum().backward()
    np.testing.assert_array_equal(x.grad, [1, 1])
