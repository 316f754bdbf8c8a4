"""Functions of the tensor namespace that are more than one operation, and what they refuse."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid as pl
from pellucid import ShapeError, Tensor, arrays
from pellucid.autograd import functions
from support.differences import central

X = np.array([[0.5, -1.5, 2.0], [1.0, 0.25, -0.5]])


def check_gradient(f: Callable[..., Tensor], *xs: np.ndarray) -> None:
    """Compare the gradient of sum f^2 by every argument with differences."""
    total = lambda *xs: (f(*xs) ** 2).sum()  # noqa: E731
    for i, g in enumerate(pl.grad(total, range(len(xs)))(*xs)):
        at = lambda x, i=i: total(*xs[:i], Tensor(x), *xs[i + 1 :]).item()  # noqa: E731
        np.testing.assert_allclose(g.data, central(at, xs[i]), rtol=1e-6, atol=1e-7)


def test_every_listed_function_exists() -> None:
    assert len(set(functions.__all__)) == len(functions.__all__)
    for name in functions.__all__:
        assert hasattr(pl, name), name
        assert getattr(functions, name).__doc__, name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("exp", np.exp(X)),
        ("square", X**2),
        ("abs", np.abs(X)),
        ("sign", np.sign(X)),
        ("round", np.round(X)),
        ("relu", np.maximum(X, 0)),
        ("sigmoid", 1 / (1 + np.exp(-X))),
        ("isnan", np.isnan(X)),
        ("logical_not", ~(X > 0)),
        ("identity", X),
        ("sum", X.sum()),
        ("argmax", X.argmax()),
        ("norm", np.sqrt((X**2).sum())),
        ("any", True),
    ],
)
def test_functions_take_arrays_lists_and_tensors(name: str, expected: Any) -> None:
    data = X > 0 if name == "logical_not" else X
    for x in (data, data.tolist(), Tensor(data)):
        out = getattr(pl, name)(x)
        assert type(out) is Tensor
        np.testing.assert_allclose(out.data, expected, rtol=1e-6)


METHODS = "exp log sqrt tanh sigmoid relu abs sum mean var std max min argmax argmin"


@pytest.mark.parametrize("name", METHODS.split())
def test_methods_are_the_functions(name: str) -> None:
    x = Tensor(np.abs(X))
    np.testing.assert_array_equal(getattr(x, name)().data, getattr(pl, name)(x).data)


REDUCTIONS = "sum mean var std max min argmax argmin any all"


@pytest.mark.parametrize("name", REDUCTIONS.split())
def test_reductions_keep_no_axes_unless_told(name: str) -> None:
    x = Tensor(X > 0) if name in ("any", "all") else Tensor(X)
    for reduce in (
        lambda **how: getattr(x, name)(**how),
        lambda **how: getattr(pl, name)(x, **how),
    ):
        expected = getattr(np, name)(x.data)
        np.testing.assert_allclose(reduce().data, expected)
        assert reduce().shape == ()
        assert reduce(axis=1).shape == (2,)
        assert reduce(axis=1, keepdims=True).shape == (2, 1)
        assert reduce(keepdims=True).shape == (1, 1)


def test_methods_of_booleans() -> None:
    x = Tensor(X > 0)
    np.testing.assert_array_equal(x.any(axis=0).data, (X > 0).any(0))
    np.testing.assert_array_equal(x.all(axis=1, keepdims=True).data, (X > 0).all(1, keepdims=True))
    assert pl.all(x).item() is False


def test_power() -> None:
    a, b = np.array([0.5, 2.0]), np.array([3.0, -1.0])
    for left, right in [(a, b), (Tensor(a), b), (a, Tensor(b)), (Tensor(a), Tensor(b))]:
        np.testing.assert_allclose(pl.power(left, right).data, a**b)
    for number in (2, 2.0, np.float64(2), np.float32(2), np.int64(2)):
        np.testing.assert_allclose(pl.power(a, number).data, a**2)
        np.testing.assert_allclose(pl.power(Tensor(a), number).data, a**2)
        np.testing.assert_allclose(pl.power(number, Tensor(b)).data, 2**b)
    check_gradient(pl.power, a, b)
    check_gradient(lambda b: pl.power(2.0, b), b)
    check_gradient(lambda b: pl.power(np.array([0.5, 3.0]), b), b)
    np.testing.assert_array_equal(pl.power(2, 3).data, 8)


def test_clip() -> None:
    x = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    np.testing.assert_array_equal(pl.clip(x, -1, 1).data, np.clip(x, -1, 1))
    np.testing.assert_array_equal(pl.clip(x, min=0.5).data, np.clip(x, 0.5, None))
    np.testing.assert_array_equal(Tensor(x).clip(high=0.5).data, np.clip(x, None, 0.5))
    np.testing.assert_array_equal(pl.clip(x).data, x)
    np.testing.assert_array_equal(pl.clip(x, 3.0, 1.0).data, np.full(5, 1.0))


def test_standard_deviation() -> None:
    np.testing.assert_allclose(pl.std(X, axis=1, ddof=1).data, X.std(1, ddof=1))
    assert pl.std(X, axis=0, keepdims=True).shape == (1, 3)
    check_gradient(lambda x: pl.std(x, axis=1), X)


def test_gather_and_take() -> None:
    places = np.array([[2, 0], [1, 1]])
    np.testing.assert_array_equal(pl.gather(X, places).data, np.take_along_axis(X, places, 1))
    rows = np.array([[0, 1, 1]])
    np.testing.assert_array_equal(pl.gather(X, rows, axis=0).data, np.take_along_axis(X, rows, 0))
    np.testing.assert_array_equal(pl.take(X, [1, 0, 1]).data, X[[1, 0, 1]])
    np.testing.assert_array_equal(pl.take(X, places, axis=-1).data, X[:, places])
    np.testing.assert_array_equal(pl.take(X, 1, axis=1).data, X[:, 1])
    check_gradient(lambda x: pl.gather(x, places), X)
    check_gradient(lambda x: pl.take(x, [1, 1, 0]), X)


def test_split() -> None:
    x = np.arange(12.0).reshape(2, 6)
    for sections in (1, 2, 3, 6, [2], [1, 4], [0, 6], []):
        ours, theirs = pl.split(x, sections, axis=1), np.split(x, sections, axis=1)
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a.data, b)
    assert [part.shape for part in pl.split(np.zeros((0, 2)), 3)] == [(0, 2)] * 3
    check_gradient(lambda x: pl.split(x, [1, 4], axis=-1)[1], x)
    for wrong in (4, 0, -1):
        with pytest.raises(ShapeError, match=r"split: expected a number of parts that divides 6"):
            pl.split(x, wrong, axis=1)


def test_joining() -> None:
    np.testing.assert_array_equal(pl.concat([X, X], axis=1).data, np.concatenate([X, X], 1))
    np.testing.assert_array_equal(pl.stack([X, X], axis=-1).data, np.stack([X, X], -1))
    np.testing.assert_array_equal(pl.stack([Tensor(1.0), 2.0]).data, [1, 2])
    x = Tensor(X, requires_grad=True)
    pl.concat([x, x[:1], X]).sum().backward()
    np.testing.assert_array_equal(x.grad, [[2, 2, 2], [1, 1, 1]])
    for join in (pl.concat, pl.stack):
        with pytest.raises(ShapeError, match="expected at least one array, got none"):
            join([])
        with pytest.raises(ShapeError, match=r"got \(2, 3\) and \(2,\)"):
            join([Tensor(X), Tensor(X[:, 0])])


def test_pad() -> None:
    out = pl.pad(X, widths=((1, 0), (0, 2)), value=-1.0)
    np.testing.assert_array_equal(out.data, np.pad(X, ((1, 0), (0, 2)), constant_values=-1))
    with pytest.raises(ShapeError, match=r"pad: expected 2 \(before, after\) pairs, one an axis"):
        pl.pad(X, widths=((1, 1),))


MATRICES = [
    ((3,), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3,)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 2)),
    ((5, 2, 3), (3, 2)),
    ((2, 3), (5, 3, 2)),
    ((5, 2, 3), (5, 3, 2)),
    ((4, 1, 2, 3), (5, 3, 2)),
    ((2, 3, 0), (0, 4)),
    ((0, 2, 3), (3, 4)),
    ((2, 0), (0,)),
]


@pytest.mark.parametrize(("a", "b"), MATRICES)
def test_matmul(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=a), rng.normal(size=b)
    for out in (Tensor(x) @ Tensor(y), pl.matmul(x, y)):
        assert out.shape == np.matmul(x, y).shape
        np.testing.assert_allclose(out.data, np.matmul(x, y))
    check_gradient(pl.matmul, x, y)


def test_matmul_refuses() -> None:
    with pytest.raises(ShapeError, match=r"got \(2, 3\) @ \(2, 3\): the inner sizes differ"):
        Tensor(X) @ X
    with pytest.raises(ShapeError, match=r"inner sizes differ"):
        Tensor(X) @ np.ones(2)
    for a, b in [(X, 2.0), (Tensor(2.0), X)]:
        with pytest.raises(ShapeError, match=r"expected vectors or matrices.*use \* to scale"):
            pl.matmul(a, b)


def test_einsum() -> None:
    np.testing.assert_allclose(pl.einsum("ij, kj -> ik", X, X).data, X @ X.T)
    np.testing.assert_allclose(pl.einsum("ij,kj", X, X).data, np.einsum("ij,kj", X, X))
    np.testing.assert_allclose(pl.einsum("ba", X).data, X.T)
    np.testing.assert_allclose(pl.einsum("ij,ij", X, X).item(), (X**2).sum())
    check_gradient(lambda a, b: pl.einsum("ij,kj->k", a, b), X, 2 * X)
    check_gradient(lambda a: pl.einsum("ij->", a), X)


@pytest.mark.parametrize(
    ("subscripts", "count"),
    [("ii->i", 1), ("i...->i", 1), ("ij,jk->ik", 1), ("ij", 2), ("ij,jk->ijj", 2), ("ij->k", 1)],
)
def test_einsum_refuses_subscripts(subscripts: str, count: int) -> None:
    with pytest.raises(ValueError, match="einsum"):
        pl.einsum(subscripts, *[np.ones((2, 2))] * count)


def test_einsum_refuses_one_letter_of_two_sizes() -> None:
    for a, b in [((2, 1), (3, 4)), ((2, 3), (1, 4)), ((2, 3), (2, 4))]:
        with pytest.raises(ShapeError, match=r"einsum: expected one size for 'j' .* got \d and \d"):
            pl.einsum("ij,jk->ik", np.ones(a), np.ones(b))
    with pytest.raises(ValueError, match="einsum"):
        pl.einsum("ijk,jk->ik", np.ones((2, 3)), np.ones((3, 4)))


def test_index_and_scatter_add() -> None:
    np.testing.assert_array_equal(pl.index(X, (slice(None), [0, 0])).data, X[:, [0, 0]])
    found = pl.scatter_add(X, (slice(None), [0, 0, 3]), shape=(2, 4))
    np.testing.assert_array_equal(found.data, [[-1, 0, 0, 2], [1.25, 0, 0, -0.5]])
    check_gradient(lambda x: pl.scatter_add(x, (slice(None), [0, 0, 3]), shape=(2, 4)), X)


def test_cross_entropy() -> None:
    z, y = np.array([[1.0, 2.0, 0.5], [900.0, -900.0, 0.0]]), np.array([1, 1])
    p = np.exp(z[0]) / np.exp(z[0]).sum()
    np.testing.assert_allclose(pl.cross_entropy(z, y).data, [-np.log(p[1]), 1800])
    check_gradient(lambda z: pl.cross_entropy(z, y[:1]), z[:1])
    assert pl.cross_entropy(np.array([[1, 2]]), [0]).dtype == np.float32


def test_errors_of_numpy_name_the_operation_and_the_shapes() -> None:
    for wrong, text in [
        (lambda: pl.sum(X, axis=2), "sum: got"),
        (lambda: pl.max(np.zeros((0, 2)), axis=0), "max: got"),
        (lambda: pl.where(X > 0, X, np.ones(2)), "where: got"),
        (lambda: Tensor(X).transpose(1), "transpose: expected"),
        (lambda: pl.argmax(X, axis=5), "argmax: got"),
        (lambda: pl.flip(X, axis=3), "flip: got"),
    ]:
        with pytest.raises(ShapeError, match=text):
            wrong()


# random numbers


def test_uniform_depends_only_on_its_state() -> None:
    state = np.array([7, 3], np.uint32)
    a = pl.uniform(state, shape=(3, 5))
    assert a.dtype == np.float32
    assert not a.requires_grad
    np.testing.assert_array_equal(pl.uniform(Tensor(state), shape=(15,)).data, a.data.ravel())
    assert (pl.uniform(state + np.uint32(1), shape=(3, 5)).data != a.data).mean() > 0.9


def test_uniform_is_uniform_and_uncorrelated() -> None:
    count = 200_000
    draws = np.stack(
        [pl.uniform(np.array([11, k], np.uint32), shape=(count,)).data for k in range(3)]
    ).astype(np.float64)
    assert draws.min() >= 0
    assert draws.max() < 1
    histogram = np.stack([np.histogram(row, 100, (0, 1))[0] for row in draws])
    chi_squared = ((histogram - count / 100) ** 2 / (count / 100)).sum(1)
    assert (np.abs(chi_squared - 99) < 6 * math.sqrt(2 * 99)).all()
    limit = 6 / math.sqrt(count)
    assert (np.abs(np.corrcoef(draws)[np.triu_indices(3, 1)]) < limit).all()  # between counters
    for row in draws:
        for lag in (1, 2, 7, 64, 1024):
            assert abs(np.corrcoef(row[:-lag], row[lag:])[0, 1]) < 1.2 * limit


def test_the_tensor_namespace_is_registered() -> None:
    assert arrays.namespace(Tensor(1.0)) is functions


@pytest.mark.parametrize("function", [pl.softmax, pl.log_softmax])
def test_softmax_of_nothing_is_nothing(function: Any) -> None:
    for shape, axis in (((2, 0), -1), ((0, 2), 0), ((0, 3), -1)):
        x = Tensor(np.ones(shape, np.float32), requires_grad=True)
        out = function(x, axis=axis)
        assert out.shape == shape
        assert out.dtype == np.float32
        out.sum().backward()
        assert x.grad.shape == shape
    with pytest.raises(ShapeError):
        function(np.ones((2, 0)), axis=2)


@pytest.mark.parametrize(
    ("z", "y", "error", "message"),
    [
        ((2, 3), [0, -1], IndexError, r"labels from 0 to 2, got -1 at 1"),
        ((2, 3), [3, 0], IndexError, r"labels from 0 to 2, got 3 at 0"),
        ((2, 3), [0.0, 1.0], TypeError, "integer labels, got float32"),
        ((2, 3), [0], ShapeError, r"logits \(N, C\) and labels \(N,\), got \(2, 3\) and \(1,\)"),
        ((2, 3), [[0], [1]], ShapeError, r"got \(2, 3\) and \(2, 1\)"),
        ((2, 2, 3), [0, 1], ShapeError, r"got \(2, 2, 3\) and \(2,\)"),
    ],
)
def test_cross_entropy_refuses_labels_that_name_no_class(
    z: tuple[int, ...], y: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        pl.cross_entropy(np.ones(z), y)


def test_cross_entropy_of_no_examples() -> None:
    assert pl.cross_entropy(np.ones((0, 3)), np.zeros(0, int)).shape == (0,)


@pytest.mark.parametrize("state", [[1, 2], [1.0, 2.0], np.array([1], np.uint32)])
def test_uniform_refuses_what_is_no_random_state(state: Any) -> None:
    with pytest.raises(TypeError, match=r"uniform: expected two uint32 words, got"):
        pl.uniform(state, shape=(2,))


@pytest.mark.parametrize(
    ("function", "gates", "states", "bias"),
    [(pl.rnn, 1, 1, 0), (pl.lstm, 4, 2, 0), (pl.gru, 3, 1, 1)],
)
def test_recurrent_functions_refuse_shapes_that_would_broadcast(
    function: Callable[..., Tensor], gates: int, states: int, bias: int
) -> None:
    def call(n: int = 2, steps: int = 4, width: int = 3, hidden: int = 3) -> Tensor:
        u, b = np.ones((3, gates * width)), [np.ones(gates * 3)] * bias
        return function(np.ones((2, steps, gates * 3)), u, *b, *[np.ones((n, hidden))] * states)

    assert call().shape == (2, 4, 3 * states)
    for wrong in ({"n": 1}, {"hidden": 1}, {"width": 1}, {"steps": 0}):
        with pytest.raises(ShapeError, match=rf"{function.__name__}: expected "):
            call(**wrong)


def test_split_takes_numbers_of_numpy() -> None:
    assert [part.shape for part in pl.split(np.ones((4, 2)), np.int64(2))] == [(2, 2)] * 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: pl.reshape(x, (3, 5)), "expected a shape of 12 elements, got one of 15"),
        (lambda x: pl.reshape(x, (5, -1)), "expected a multiple of 5 elements, got 12"),
        (lambda x: pl.concat([x, pl.zeros((2, 3))]), "sizes that agree along every axis but 0"),
        (lambda x: pl.concat([x, pl.zeros(4)]), "expected as many axes in each"),
        (lambda x: pl.concat([x, x], axis=5), "axis 5 is out of bounds"),
        (lambda x: x - pl.zeros(3), r"reshape \(3,\) to \(3, 1\)"),
    ],
)
def test_shapes_that_do_not_fit_come_with_a_fix(call: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        call(pl.zeros((3, 4)))
