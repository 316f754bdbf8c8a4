"""What people write without thinking must work, or say why it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid as pl
from pellucid import Tensor, no_grad


def test_a_scalar_formats_like_a_number() -> None:
    assert f"{Tensor(0.5):.3f}" == "0.500"
    assert f"{Tensor([1.0, 2.0])}" == "Tensor([1., 2.])"


def test_a_list_of_tensors_does_not_lose_their_gradients_in_silence() -> None:
    w = Tensor(2.0, requires_grad=True)
    with pytest.raises(TypeError, match=r"pellucid\.stack"):
        Tensor([1.0, 2.0]) * [w, w]
    with pytest.raises(TypeError, match=r"pellucid\.stack"):
        Tensor([w, w * 2])
    pl.stack([w, w * 2]).sum().backward()
    assert w.grad == 3


def test_logical_operators_refuse_numbers() -> None:
    x = Tensor([6])
    for operation in (lambda: x & 3, lambda: 3 | x, lambda: ~x):
        with pytest.raises(TypeError, match="compare them first"):
            operation()
    mask = (x > 0) & np.array([True])
    assert mask.tolist() == [True]
    assert (~mask).tolist() == [False]


def test_std_of_a_constant_has_slope_0_not_nan() -> None:
    x = Tensor([2.0, 2.0], requires_grad=True)
    out = pl.std(x)
    out.backward()
    assert out.item() == 0
    np.testing.assert_array_equal(x.grad, 0)


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_std_is_numpy_s(axis: int | None, ddof: int) -> None:
    x = np.random.default_rng(0).normal(size=(4, 5))
    np.testing.assert_allclose(Tensor(x).std(axis, ddof=ddof).data, x.std(axis, ddof=ddof))
    assert pl.gradcheck(lambda x: x.std(axis, ddof=ddof), x)


def test_boolean_labels_are_the_numbers_0_and_1() -> None:
    z = Tensor(np.random.default_rng(0).normal(size=(4, 2)))
    labels = np.array([True, False, True, True])
    expected = pl.cross_entropy(z, labels.astype(int)).data
    np.testing.assert_array_equal(pl.cross_entropy(z, labels).data, expected)


W = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)


@pytest.mark.parametrize(
    ("lossy", "use"),
    [
        (lambda: np.mean(W), "pellucid.mean"),
        (lambda: np.sum(W, axis=0), "pellucid.sum"),
        (lambda: np.concatenate([W, W]), "pellucid.concat"),
        (lambda: np.where(W.data > 0, W, 0), "pellucid.where"),
        (lambda: np.linalg.norm(W), "pellucid.norm"),
        (lambda: np.clip(1.0, 0.0, a_max=W), "pellucid.clip"),
    ],
)
def test_functions_of_numpy_that_would_lose_a_gradient_are_refused(
    lossy: Callable[[], Any], use: str
) -> None:
    with pytest.raises(TypeError, match=f"knows no gradient; use {use} if there is one, or tensor"):
        lossy()


def test_functions_of_numpy_take_tensors_where_no_gradient_is_lost() -> None:
    constant = W.detach()
    assert np.mean(constant) == 2.5
    assert np.concatenate([constant, constant]).shape == (4, 2)
    with no_grad():
        assert np.max(W) == 4
    assert np.shape(W) == (2, 2)
    assert np.allclose(W, constant)
    assert np.array_equal(np.zeros_like(W), np.zeros((2, 2)))
    assert np.array_equal(np.asarray(W), W.data)
