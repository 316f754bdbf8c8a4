"""From a function to its gradient, Jacobian, Hessian and their products, nested in each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import pellucid as pl
from pellucid import GraphError, Tensor
from support.differences import central, central_jacobian

X = np.array([0.3, -0.7, 1.2])
M = np.arange(9.0).reshape(3, 3) / 5


def cubic(x: Tensor) -> Tensor:
    """Return sum of x^3 + x0 x1."""
    return (x**3).sum() + x[0] * x[1]


def smooth(x: Tensor) -> Tensor:
    """Return a scalar with a full Hessian."""
    return pl.logsumexp((M @ x).tanh()) * (x * x).mean() + pl.norm(x)


def vector(x: Tensor) -> Tensor:
    """Return a vector with a full Jacobian."""
    return (M @ x).sigmoid() * x.sum()


# first derivatives


def test_grad() -> None:
    g = pl.grad(cubic)(X)
    assert type(g) is Tensor
    assert not g.requires_grad
    np.testing.assert_allclose(g.data, 3 * X**2 + [X[1], X[0], 0])


def test_value_and_grad() -> None:
    value, g = pl.value_and_grad(smooth)(X)
    assert value.item() == smooth(Tensor(X)).item()
    assert not value.requires_grad
    expected = central(lambda x: smooth(Tensor(x)).item(), X)
    np.testing.assert_allclose(g.data, expected, rtol=1e-7)


def test_grad_leaves_its_arguments_alone() -> None:
    x = Tensor(X, requires_grad=True)
    constant = Tensor(X)
    pl.grad(cubic)(x)
    pl.grad(cubic)(constant)
    assert x.grad is None
    assert not constant.requires_grad
    assert constant.grad is None


@pytest.mark.parametrize("x", [3, 3.0, np.float64(3), np.float32(3), Tensor(3.0), Tensor(3)])
def test_grad_by_a_number(x: Any) -> None:
    if isinstance(x, Tensor) and x.dtype.kind != "f":
        with pytest.raises(TypeError, match="expected floating-point arguments"):
            pl.grad(lambda x: x * x)(x)
        return
    assert pl.grad(lambda x: x * x)(x).item() == 6


def test_grad_keeps_the_dtype() -> None:
    for dtype in ("float32", "float64"):
        assert pl.grad(smooth)(X.astype(dtype)).dtype == dtype
        assert pl.jacobian(vector)(X.astype(dtype)).dtype == dtype
        assert pl.hessian(smooth)(X.astype(dtype)).dtype == dtype


def test_other_arguments_are_constants() -> None:
    def f(x: Tensor, k: int, *, power: float) -> Tensor:
        return (x**power).sum() * k

    np.testing.assert_allclose(pl.grad(f)(X, 2, power=3).data, 6 * X**2)


def test_argnums() -> None:
    def f(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return (a * b * b * c).sum()

    a, b, c = np.array([2.0]), np.array([3.0]), np.array([5.0])
    assert pl.grad(f, 1)(a, b, c).data == 60
    assert pl.grad(f, -1)(a, b, c).data == 18
    assert pl.grad(f, -3)(a, b, c).data == 45
    found = pl.grad(f, (2, 0))(a, b, c)
    assert isinstance(found, tuple)
    assert [g.item() for g in found] == [18, 45]
    (alone,) = pl.grad(f, (1,))(a, b, c)
    assert alone.item() == 60
    assert [g.item() for g in pl.grad(f, range(3))(a, b, c)] == [45, 60, 18]


def test_an_argument_that_does_not_matter() -> None:
    found = pl.grad(lambda a, b: (a * 2).sum(), (0, 1))(X, M)
    np.testing.assert_array_equal(found[0].data, [2, 2, 2])
    np.testing.assert_array_equal(found[1].data, np.zeros((3, 3)))
    np.testing.assert_array_equal(pl.grad(lambda a: Tensor(1.0))(X).data, np.zeros(3))
    np.testing.assert_array_equal(pl.grad(lambda a: (a > 0).sum())(X).data, np.zeros(3))


class Layer(NamedTuple):
    """Parameters as a named tuple."""

    w: Any
    b: Any


def test_trees_of_arguments() -> None:
    parameters = {"first": Layer(np.full((3, 2), 0.5), np.zeros(2)), "rest": [np.ones(2), (2.0,)]}

    def loss(p: dict[str, Any], x: Tensor) -> Tensor:
        h = (x @ p["first"].w + p["first"].b).tanh()
        return (h * p["rest"][0]).sum() * p["rest"][1][0]

    value, g = pl.value_and_grad(loss)(parameters, X)
    assert list(g) == ["first", "rest"]
    assert isinstance(g["first"], Layer)
    assert isinstance(g["rest"][1], tuple)
    h = np.tanh(X @ np.full((3, 2), 0.5))
    np.testing.assert_allclose(g["rest"][0].data, 2 * h)
    np.testing.assert_allclose(g["rest"][1][0].data, h.sum(), rtol=1e-6)
    np.testing.assert_allclose(g["first"].w.data, np.outer(X, 2 * (1 - h**2)))
    assert value.item() == pytest.approx(2 * h.sum())
    both = pl.grad(loss, (0, 1))(parameters, X)
    assert both[0].keys() == g.keys()
    assert both[1].shape == X.shape


# what is refused


def test_a_result_that_is_no_scalar() -> None:
    with pytest.raises(GraphError, match=r"scalar result, got shape \(3,\).*or use jacobian"):
        pl.grad(lambda x: x * 2)(X)
    assert pl.grad(lambda x: x[:1] * 2)(X).data[0] == 2


@pytest.mark.parametrize("result", [1.0, None, X, [Tensor(1.0)]])
def test_a_result_that_is_no_tensor(result: Any) -> None:
    for transform in (pl.grad, pl.value_and_grad, pl.jacobian):
        with pytest.raises(TypeError, match="expected a function that returns a tensor, got"):
            transform(lambda x: result)(X)


@pytest.mark.parametrize("argnums", [1, -2, (0, 1), 5])
def test_argnums_out_of_range(argnums: Any) -> None:
    with pytest.raises(IndexError, match="expected argnums among the 1 arguments given, got"):
        pl.grad(cubic, argnums)(X)


@pytest.mark.parametrize("x", [Tensor([1, 2]), np.array([1, 2]), np.array([True])])
def test_integer_arguments(x: Any) -> None:
    with pytest.raises(TypeError, match="expected floating-point arguments to differentiate by"):
        pl.grad(lambda x: (x * 1.0).sum())(x)


def test_an_exception_in_the_function_is_passed_on() -> None:
    with pytest.raises(ZeroDivisionError):
        pl.grad(lambda x: 1 / 0)(X)
    assert (Tensor(1.0, requires_grad=True) * 2).requires_grad


def test_a_module_is_no_argument() -> None:
    class Net(pl.tree.Node):
        def __init__(self) -> None:
            self.w = Tensor(1.0)

    with pytest.raises(TypeError, match=r"got a Net; pass a list of its parameters instead"):
        pl.grad(lambda net: net.w * 2)(Net())


# Jacobians and Hessians


def test_jacobian() -> None:
    found = pl.jacobian(vector)(X)
    expected = central_jacobian(lambda x: vector(Tensor(x)).data, X)
    assert found.shape == (3, 3)
    np.testing.assert_allclose(found.data, expected, rtol=1e-7, atol=1e-9)


def test_jacobian_of_matrices() -> None:
    found = pl.jacobian(lambda a: a @ M)(np.ones((2, 3)))
    expected = np.einsum("ik,lj->ijkl", np.eye(2), M)
    assert found.shape == (2, 3, 2, 3)
    np.testing.assert_allclose(found.data, expected)


def test_jacobian_of_scalars_and_of_nothing() -> None:
    np.testing.assert_allclose(pl.jacobian(cubic)(X).data, pl.grad(cubic)(X).data)
    assert pl.jacobian(lambda x: x[:0])(X).shape == (0, 3)
    assert pl.jacobian(lambda x: x * 2)(np.float64(3)).shape == ()
    np.testing.assert_array_equal(
        pl.jacobian(lambda x: Tensor([1.0, 2.0]))(X).data, np.zeros((2, 3))
    )


def test_jacobian_by_a_tree() -> None:
    found = pl.jacobian(lambda p: p["a"] * p["b"])({"a": X, "b": 2 * X})
    np.testing.assert_allclose(found["a"].data, np.diag(2 * X))
    np.testing.assert_allclose(found["b"].data, np.diag(X))
    np.testing.assert_allclose(pl.jacobian(lambda a, b: a * b, 1)(X, M).shape, (3, 3, 3, 3))


def test_hessian() -> None:
    found = pl.hessian(smooth)(X)
    expected = central_jacobian(lambda x: pl.grad(smooth)(x).data, X)
    np.testing.assert_allclose(found.data, expected, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.data, found.data.T, atol=1e-12)
    exact = np.diag(6 * X)
    exact[0, 1] = exact[1, 0] = 1
    np.testing.assert_allclose(pl.hessian(cubic)(X).data, exact)


def test_hessian_by_another_argument() -> None:
    found = pl.hessian(lambda k, x: k * (x**2).sum(), 1)(3.0, X)
    np.testing.assert_allclose(found.data, 6 * np.eye(3), rtol=1e-6)


def test_hessian_vector_product() -> None:
    v = np.array([1.0, -2.0, 0.5])
    found = pl.hvp(smooth, X, v)
    np.testing.assert_allclose(found.data, pl.hessian(smooth)(X).data @ v, rtol=1e-10)
    assert not found.requires_grad
    np.testing.assert_array_equal(pl.hvp(lambda x: x.sum(), X, v).data, np.zeros(3))
    with pytest.raises(
        ValueError, match=r"expected a vector in the shape of x, \(3,\), got \(2,\)"
    ):
        pl.hvp(smooth, X, v[:2])


@pytest.mark.torch
def test_against_torch() -> None:
    torch = pytest.importorskip("torch")
    functional = torch.autograd.functional
    m = torch.tensor(M)

    def theirs(x: Any) -> Any:
        return torch.logsumexp((m @ x).tanh(), 0) * (x * x).mean() + torch.linalg.vector_norm(x)

    def their_vector(x: Any) -> Any:
        return (m @ x).sigmoid() * x.sum()

    def their_hessian(x: Any) -> Any:
        return functional.hessian(theirs, x, create_graph=True)

    x, v = torch.tensor(X), torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    for found, expected in [
        (pl.grad(smooth)(X), functional.jacobian(theirs, x)),
        (pl.jacobian(vector)(X), functional.jacobian(their_vector, x)),
        (pl.hessian(smooth)(X), functional.hessian(theirs, x)),
        (pl.hvp(smooth, X, v.numpy()), functional.hvp(theirs, x, v)[1]),
        (pl.jacobian(pl.hessian(smooth))(X), functional.jacobian(their_hessian, x)),
    ]:
        np.testing.assert_allclose(found.data, expected.numpy(), rtol=1e-9, atol=1e-12)


# nesting


def test_derivatives_of_derivatives() -> None:
    f: Callable[..., Tensor] = lambda x: x**5  # noqa: E731
    exact = [2.0**5, 5 * 2.0**4, 20 * 2.0**3, 60 * 2.0**2, 120 * 2.0, 120, 0]
    for order, value in enumerate(exact):
        assert f(Tensor(np.float64(2))).item() == pytest.approx(value), order
        f = pl.grad(f)


def test_perturbations_are_not_confused() -> None:
    f = pl.grad(lambda x: x * pl.grad(lambda y: x + y)(1.0))  # d/dx (x * 1)
    assert f(5.0).item() == 1
    g = pl.grad(lambda x: x * pl.grad(lambda y: x * y)(2.0))  # d/dx (x * x)
    assert g(5.0).item() == 10
    h = pl.grad(lambda x: pl.grad(lambda y: x * pl.grad(lambda z: x * y * z * z)(3.0))(x))
    assert h(5.0).item() == 60  # d/dx of d/dy (x * 6 x y) = 6 x^2 at y = x


def test_the_same_tensor_inside_and_outside() -> None:
    x = Tensor(np.float64(3.0), requires_grad=True)
    out = pl.grad(lambda y: y * y * x)(x)  # 2 y x = 18, of which the caller differentiates both
    assert out.item() == 18
    out.backward()
    assert x.grad == 12  # d/dx (2 x x)


def test_a_gradient_is_differentiated_by_what_the_function_closes_over() -> None:
    w = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    slope = pl.grad(lambda x: (w * x**2).sum())(np.array([3.0, 4.0]))
    (slope**2).sum().backward()  # |2 w x|^2
    np.testing.assert_array_equal(w.grad, 8 * np.array([1, 2]) * np.array([9, 16]))


def test_value_and_grad_within_a_graph() -> None:
    x = Tensor(X, requires_grad=True)
    value, g = pl.value_and_grad(cubic)(x)
    (value + (g * g).sum()).backward()

    def total(x: np.ndarray) -> float:
        value, g = pl.value_and_grad(cubic)(x)
        return value.item() + float((g.data**2).sum())

    np.testing.assert_allclose(x.grad, central(total, X), rtol=1e-7)


def test_jacobian_within_a_graph() -> None:
    x = Tensor(X, requires_grad=True)
    (pl.jacobian(vector)(x) ** 2).sum().backward()
    expected = central(lambda x: float((pl.jacobian(vector)(x).data ** 2).sum()), X)
    np.testing.assert_allclose(x.grad, expected, rtol=1e-6, atol=1e-9)


# beside no_grad


def test_gradients_are_computed_within_no_grad() -> None:
    w = Tensor(np.array([1.0, 2.0, 3.0]), requires_grad=True)
    with pl.no_grad():
        value, g = pl.value_and_grad(lambda x: (w * x**2).sum())(X)
        hessian = pl.hessian(lambda x: (w * x**2).sum())(X)
        by_w = pl.grad(lambda v: (v * X).sum())(w)
    np.testing.assert_allclose(g.data, 2 * w.data * X)
    np.testing.assert_allclose(hessian.data, np.diag(2 * w.data))
    np.testing.assert_allclose(by_w.data, X)
    assert not any(t.requires_grad for t in (value, g, hessian, by_w))
    assert w.grad is None


def test_no_grad_within_the_function_makes_constants() -> None:
    def f(x: Tensor) -> Tensor:
        with pl.no_grad():
            frozen = x * 2
        return (x * frozen).sum()

    np.testing.assert_allclose(pl.grad(f)(X).data, 2 * X)


def test_numbers_within_a_nested_gradient() -> None:
    def penalised(w: Tensor) -> Tensor:
        slope = pl.grad(lambda x: (w * x).tanh().sum())(X)
        return (slope**2).sum()

    w = np.array([0.5, -1.0, 2.0])
    expected = central(lambda w: penalised(Tensor(w)).item(), w)
    np.testing.assert_allclose(pl.grad(penalised)(w).data, expected, rtol=1e-7)
