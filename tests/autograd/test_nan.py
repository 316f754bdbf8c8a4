"""NaN: what was not selected must not poison a gradient, first and second order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import pellucid as pl
from pellucid import Tensor

INF = np.inf


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """NumPy says where a value that is thrown away is not finite."""
    with np.errstate(all="ignore"):
        yield


def first(f: Callable[[Tensor], Tensor], x: Any) -> list[float]:
    """Return the gradient of sum f."""
    return pl.grad(lambda x: f(x).sum())(np.array(x)).tolist()


def second(f: Callable[[Tensor], Tensor], x: Any) -> list[float]:
    """Return the second derivatives of an elementwise f."""
    return pl.grad(lambda x: pl.grad(lambda x: f(x).sum())(x).sum())(np.array(x)).tolist()


# the function, a place where it or its slope is not finite, and one where both are
UNSELECTED: dict[str, tuple[Callable[[Tensor], Tensor], float, float]] = {
    "log at 0": (pl.log, 0.0, 2.0),
    "log below 0": (pl.log, -1.0, 2.0),
    "log1p at -1": (pl.log1p, -1.0, 2.0),
    "sqrt at 0": (pl.sqrt, 0.0, 2.0),
    "sqrt below 0": (pl.sqrt, -1.0, 2.0),
    "0 ** 0.5": (lambda x: x**0.5, 0.0, 2.0),
    "0 ** -1": (lambda x: x**-1, 0.0, 2.0),
    "1 / 0": (lambda x: 1 / x, 0.0, 2.0),
    "x / 0": (lambda x: 3 / (x * x), 0.0, 2.0),
    "exp overflows": (lambda x: pl.exp(1e3 * x), 1.0, 1e-3),
    "expm1 overflows": (lambda x: pl.expm1(1e3 * x), 1.0, 1e-3),
    "sin of infinity": (pl.sin, INF, 2.0),
    "cos of infinity": (pl.cos, -INF, 2.0),
    "exp of exp": (lambda x: pl.exp(pl.exp(x)), 20.0, 0.5),
    "log of sqrt": (lambda x: pl.log(pl.sqrt(x)), 0.0, 2.0),
    "sqrt of a sum of squares": (lambda x: pl.sqrt(x * x), 0.0, 2.0),
}


@pytest.mark.parametrize("name", UNSELECTED)
def test_the_unselected_branch_of_where_does_not_poison_the_gradient(name: str) -> None:
    f, bad, good = UNSELECTED[name]
    x = [bad, good, bad]

    def chosen(x: Tensor) -> Tensor:
        return pl.where(x == good, f(x), 0.5 * x * x)

    for derivative, elsewhere in [(first, bad), (second, 1.0)]:
        (expected,) = derivative(f, [good])
        assert np.isfinite(expected)
        np.testing.assert_allclose(derivative(chosen, x), [elsewhere, expected, elsewhere])


@pytest.mark.parametrize("x", [-1.0, 0.0])
def test_an_unselected_power_of_two_variables(x: float) -> None:
    def chosen(x: Tensor) -> Tensor:
        return pl.where(x > 0, pl.power(x, x - 2), 3 * x)

    assert first(chosen, [x, 1.0]) == [3, -1]


def test_both_branches_of_where_get_their_own_gradient_only() -> None:
    condition = np.array([True, False])
    a, b = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0, 4.0], requires_grad=True)
    out = pl.where(condition, a, b)
    (out * np.array([10.0, 100.0])).sum().backward()
    np.testing.assert_array_equal(a.grad, [10, 0])
    np.testing.assert_array_equal(b.grad, [0, 100])


def test_an_infinite_upstream_gradient_of_the_other_branch() -> None:
    x = [0.0, 4.0]
    assert first(lambda x: pl.sqrt(pl.where(x > 0, x, 1.0)), x) == [0, 0.25]
    assert second(lambda x: pl.sqrt(pl.where(x > 0, x, 1.0)), x) == [0, -1 / 32]


def test_norm_at_0_has_slope_0() -> None:
    x = np.array([[0.0, 0.0], [3.0, 4.0]])
    rows = pl.grad(lambda x: pl.norm(x, axis=1).sum())(x)
    np.testing.assert_allclose(rows.data, [[0, 0], [0.6, 0.8]])
    curvature = pl.grad(lambda x: (pl.grad(lambda x: pl.norm(x, axis=1).sum())(x) ** 2).sum())(x)
    assert np.isfinite(curvature.data).all()
    assert first(pl.norm, [0.0, 0.0]) == [0, 0]


def test_a_distance_of_0_between_points() -> None:
    points = np.array([[0.0, 1.0], [2.0, 3.0]])

    def spread(p: Tensor) -> Tensor:
        return pl.norm(p[:, None] - p[None, :], axis=-1).sum()

    gradient = pl.grad(spread)(points).data
    np.testing.assert_allclose(gradient, 2 * np.array([[-1, -1], [1, 1]]) / np.sqrt(2))


def test_sqrt_at_0_and_0_to_the_0_5_are_infinitely_steep_and_not_undefined() -> None:
    assert first(pl.sqrt, [0.0]) == [INF]
    assert first(lambda x: x**0.5, [0.0]) == [INF]
    assert first(lambda x: pl.power(x, Tensor([0.5], dtype="float64")), [0.0]) == [INF]


def test_powers_of_0_with_whole_exponents() -> None:
    for n, slope, curvature in [(0, 0, 0), (1, 1, 0), (2, 0, 2), (3, 0, 0), (2.0, 0, 2)]:
        assert first(lambda x, n=n: x**n, [0.0]) == [slope]
        assert second(lambda x, n=n: x**n, [0.0]) == [curvature]


def test_base_0_gives_no_gradient_to_the_exponent() -> None:
    base, exponent = Tensor([0.0, 0.0], requires_grad=True), Tensor([2.0, 1.0], requires_grad=True)
    (base**exponent).sum().backward()
    np.testing.assert_array_equal(base.grad, [0, 1])
    np.testing.assert_array_equal(exponent.grad, [0, 0])


def test_logsumexp_of_impossible_scores() -> None:
    x = [[-INF, -INF], [-INF, 0.0]]
    assert pl.logsumexp(np.array(x), axis=1).tolist() == [-INF, 0]
    assert first(lambda x: pl.logsumexp(x, axis=1), x) == [[0, 0], [0, 1]]


def test_softmax_with_a_mask_of_minus_infinity() -> None:
    mask = np.array([0.0, -INF, 0.0])

    def attention(x: Tensor) -> Tensor:
        return (pl.softmax(x + mask) * np.array([1.0, 2.0, 3.0])).sum()

    gradient = pl.grad(attention)(np.array([0.5, 0.5, 0.5]))
    np.testing.assert_allclose(gradient.data, [-0.5, 0, 0.5])
    hessian = pl.hessian(attention)(np.array([0.5, 0.5, 0.5]))
    assert np.isfinite(hessian.data).all()
    assert pl.log_softmax(np.array([0.0, -INF])).tolist() == [0, -INF]


@pytest.mark.parametrize("x", [-1e4, -100.0, 0.0, 100.0, 1e4])
@pytest.mark.parametrize("f", [pl.sigmoid, pl.softplus, pl.tanh, pl.erf], ids=lambda f: f.__name__)
def test_saturated_functions_have_finite_derivatives(
    f: Callable[[Tensor], Tensor], x: float
) -> None:
    for dtype in (np.float32, np.float64):
        value = f(Tensor(np.array([x], dtype)))
        assert np.isfinite(value.data).all()
        assert np.isfinite(first(f, np.array([x], dtype))).all()
        assert np.isfinite(second(f, np.array([x], dtype))).all()


def test_softplus_and_sigmoid_of_infinity() -> None:
    assert first(pl.softplus, [-INF, INF]) == [0, 1]
    assert first(pl.sigmoid, [-INF, INF]) == [0, 0]


def test_variance_of_one_element_is_undefined_but_no_error() -> None:
    x = Tensor([2.0], requires_grad=True)
    out = x.var(ddof=1)
    out.backward()
    assert np.isnan(out.item())
    assert np.isnan(x.grad).all()
    assert first(lambda x: x.var(), [2.0]) == [0]


def test_a_nan_is_passed_on() -> None:
    assert np.isnan(first(lambda x: (x * x).max(), [np.nan, 1.0])).any()
    assert np.isnan(pl.maximum(np.array([np.nan]), 1.0).item())
    assert np.isnan(pl.relu(np.array([np.nan])).item())
