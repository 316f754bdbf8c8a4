"""What people write without thinking must work, or say why it does not."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid as pl
from pellucid import Tensor


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
