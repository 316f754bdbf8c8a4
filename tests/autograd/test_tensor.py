"""What a tensor is and does: construction, operators, indexing, shapes."""

from __future__ import annotations

import copy
import operator
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import pellucid as pl
from pellucid import ShapeError, Tensor

# construction


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (1.5, "float32", ()),
        (2, "int64", ()),
        (True, "bool", ()),
        ([1, 2], "int64", (2,)),
        ([1, 2.0], "float32", (2,)),
        ([[True], [False]], "bool", (2, 1)),
        ([], "float32", (0,)),
        ((1.0, 2.0), "float32", (2,)),
        (np.zeros(2), "float64", (2,)),
        (np.zeros(2, np.float32), "float32", (2,)),
        (np.zeros(2, np.float16), "float16", (2,)),
        (np.zeros((0, 3), np.int8), "int8", (0, 3)),
        (np.float64(1), "float64", ()),
        (np.float32(1), "float32", ()),
        (np.int16(1), "int16", ()),
        (np.zeros(2).view(np.matrix), "float64", (1, 2)),
        (range(3), "int64", (3,)),
        ([Tensor(1.0), Tensor(2.0)], "float32", (2,)),
    ],
)
def test_construction(data: Any, dtype: str, shape: tuple[int, ...]) -> None:
    x = Tensor(data)
    assert type(x.data) is np.ndarray
    assert (x.dtype, x.shape, x.ndim) == (np.dtype(dtype), shape, len(shape))
    assert x.size == np.prod(shape)
    assert not x.requires_grad
    assert x.is_leaf
    assert x.grad is None


@pytest.mark.parametrize("dtype", ["float64", np.float64, np.dtype("float64")])
def test_construction_in_a_dtype(dtype: Any) -> None:
    assert Tensor([1, 2], dtype=dtype).dtype == np.float64
    assert pl.asarray([1, 2], dtype=dtype).dtype == np.float64
    assert pl.zeros((2, 3), dtype=dtype).dtype == np.float64


@pytest.mark.parametrize("make", [Tensor, pl.asarray])
def test_a_dtype_that_is_asked_for_is_not_reached_through_another(make: Any) -> None:
    assert make(0.7, dtype="float64").item() == 0.7  # through float32 it would be 0.69999998...
    assert make([0.7, 0.1], dtype="float64").tolist() == [0.7, 0.1]


def test_asarray_of_a_tensor_keeps_its_gradient() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert pl.asarray(x) is pl.asarray(x, dtype="float32") is x
    pl.asarray(x, dtype="float64").sum().backward()
    np.testing.assert_array_equal(x.grad, [1, 1])


def test_construction_shares_the_array() -> None:
    array = np.zeros(3)
    assert Tensor(array).data is array
    assert Tensor(Tensor(array)).data is array
    assert pl.as_tensor(x := Tensor(array)) is x


@pytest.mark.parametrize("data", ["text", None, [None], {"a": 1}, 1j, object(), np.array(["a"])])
def test_construction_from_what_is_no_number(data: Any) -> None:
    with pytest.raises(TypeError, match=r"expected numbers, got .* data; convert"):
        Tensor(data)


def test_construction_from_uneven_lists() -> None:
    with pytest.raises(ValueError, match="expected nested lists of equal lengths, got uneven"):
        Tensor([[1.0, 2.0], [3.0]])


@pytest.mark.parametrize("data", [1, [True], np.zeros(2, np.int64)])
def test_integers_have_no_gradient(data: Any) -> None:
    with pytest.raises(TypeError, match="expected floating-point data for requires_grad=True"):
        Tensor(data, requires_grad=True)
    assert Tensor(data, requires_grad=True, dtype="float32").requires_grad


def test_constants() -> None:
    np.testing.assert_array_equal(pl.arange(4).data, [0, 1, 2, 3])
    np.testing.assert_array_equal(pl.arange(1, 4).data, [1, 2, 3])
    assert pl.arange(3, dtype=pl.float32).dtype == np.float32
    assert pl.zeros((2, 3)).dtype == pl.ones((2, 3)).dtype == np.float32
    np.testing.assert_array_equal(pl.ones((2, 3)).data, np.ones((2, 3)))
    for like, value in [(pl.zeros_like, 0), (pl.ones_like, 1)]:
        out = like(Tensor(np.full((2, 3), 7.0), requires_grad=True))
        assert not out.requires_grad
        assert out.dtype == np.float64
        np.testing.assert_array_equal(out.data, np.full((2, 3), value))


# what it shows


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (Tensor(1.0), "Tensor(1.)"),
        (Tensor([1.0, 2.5]), "Tensor([1. , 2.5])"),
        (Tensor([1, 2]), "Tensor([1, 2], dtype=int64)"),
        (Tensor([1.0], requires_grad=True), "Tensor([1.], requires_grad=True)"),
        (Tensor([1.0], requires_grad=True) * 2, "Tensor([2.], op=Multiply)"),
        (Tensor(np.zeros((0, 2))), "Tensor([], dtype=float64, shape=(0, 2))"),
        (Tensor([[1, 2], [3, 4]]), "Tensor([[1, 2],\n        [3, 4]], dtype=int64)"),
    ],
)
def test_repr(x: Tensor, text: str) -> None:
    assert repr(x) == text


def test_repr_of_a_large_tensor_is_short() -> None:
    text = repr(pl.zeros((100, 100)))
    assert len(text) < 400
    assert "shape=(100, 100)" in text


def test_repr_after_backward() -> None:
    x = Tensor(2.0, requires_grad=True)
    y = x * x
    y.backward()
    assert repr(y) == "Tensor(4., requires_grad=True)"


def test_item() -> None:
    for data, kind in [(1.5, float), ([[2]], int), ([True], bool)]:
        value = Tensor(data).item()
        assert type(value) is kind
        assert value == np.asarray(data).item()
    with pytest.raises(ValueError, match=r"expected a tensor with one element, got shape \(2,\)"):
        Tensor([1, 2]).item()
    with pytest.raises(ValueError, match="one element"):
        Tensor([]).item()


def test_numbers_and_arrays() -> None:
    x = Tensor([[1.5, 2.5]], requires_grad=True)
    assert x.tolist() == [[1.5, 2.5]]
    assert x.numpy() is x.data
    assert (float(Tensor([2.5])), int(Tensor(2.5))) == (2.5, 2)
    assert np.asarray(x).dtype == np.float32
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    copy = np.array(x)
    copy[...] = 0
    assert x.data[0, 0] == 1.5
    np.testing.assert_array_equal(np.concatenate([x.detach(), x.data]), [[1.5, 2.5]] * 2)


def test_bool() -> None:
    assert Tensor(1.0)
    assert not Tensor([0])
    assert Tensor(2.0) > 1
    for data in ([1, 2], []):
        with pytest.raises(ValueError, match=r"expected one truth value.*\.any\(\) or \.all\(\)"):
            bool(Tensor(data))


def test_len_and_iter() -> None:
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert len(x) == 2
    first, second = x
    np.testing.assert_array_equal(second.data, [3, 4])
    (first * 2).sum().backward()
    np.testing.assert_array_equal(x.grad, [[2, 2], [0, 0]])
    assert list(Tensor(np.zeros((0, 3)))) == []
    for use in (len, list):
        with pytest.raises(TypeError, match="at least one axis, got a scalar"):
            use(Tensor(1.0))


def test_tensors_are_keys_by_identity() -> None:
    x, y = Tensor([1.0]), Tensor([1.0])
    assert {x: 1, y: 2}[x] == 1
    assert len({x, y, x}) == 2


# operators

ARITHMETIC = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}
COMPARISONS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
A = np.array([[0.5, 1.0, 2.0], [1.5, 3.0, 2.5]])
OTHERS: dict[str, Any] = {
    "int": 2,
    "float": 1.5,
    "bool": True,
    "np.float64": np.float64(1.5),
    "np.float32": np.float32(1.5),
    "np.int64": np.int64(2),
    "np.int8": np.int8(2),
    "0-d array": np.array(1.5),
    "row": np.array([0.5, 1.0, 2.0]),
    "float32 column": np.array([[0.5], [1.0]], np.float32),
    "int array": np.array([1, 2, 3]),
    "list": [0.5, 1.0, 2.0],
    "array of one more axis": np.ones((2, 1, 3)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("sign", [*ARITHMETIC, *COMPARISONS])
def test_operators_on_either_side_of_numbers_scalars_and_arrays(
    sign: str, other: str, dtype: str
) -> None:
    function, value = (ARITHMETIC | COMPARISONS)[sign], OTHERS[other]
    x = Tensor(A.astype(dtype), requires_grad=True)
    for left, right in [(x, value), (value, x)]:
        out = function(left, right)
        assert type(out) is Tensor
        expected = function(*(np.asarray(side, np.float64) for side in (left, right)))
        np.testing.assert_allclose(out.data, expected, rtol=1e-6)
        if sign in COMPARISONS:
            assert out.dtype == bool
            assert not out.requires_grad
        else:
            assert out.dtype == dtype
            x.grad = None
            out.sum().backward()
            assert x.grad.dtype == dtype
            assert x.grad.shape == x.shape


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64])
def test_matmul_on_either_side_of_an_array(kind: type) -> None:
    x = Tensor(A.astype("float32"), requires_grad=True)
    array = np.arange(6).reshape(3, 2).astype(kind)
    for out, expected in [
        (x @ array, A @ array),
        (array @ x, array @ A),
        (array[0] @ x, array[0] @ A),
        (x @ array[:, 0], A @ array[:, 0]),
    ]:
        assert type(out) is Tensor
        assert out.dtype == np.float32
        np.testing.assert_allclose(out.data, expected, rtol=1e-6)
        out.sum().backward()
        assert x.grad.dtype == np.float32


def test_unary_operators() -> None:
    x = Tensor([-1.5, 2.0])
    np.testing.assert_array_equal((-x).data, [1.5, -2])
    assert +x is x
    np.testing.assert_array_equal(abs(x).data, [1.5, 2])
    np.testing.assert_array_equal((~(x > 0)).data, [True, False])


def test_logical_operators() -> None:
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    for left, right in [(Tensor(a), Tensor(b)), (Tensor(a), b), (a, Tensor(b))]:
        np.testing.assert_array_equal((left & right).data, a & b)
        np.testing.assert_array_equal((left | right).data, a | b)
    np.testing.assert_array_equal((True & Tensor(a)).data, a)
    np.testing.assert_array_equal((Tensor(a) | True).data, [True] * 4)


@pytest.mark.parametrize("other", [None, "a", object(), {}])
@pytest.mark.parametrize("sign", ["+", "*", "==", "<"])
def test_operators_refuse_what_is_no_number(sign: str, other: Any) -> None:
    with pytest.raises(TypeError):
        (ARITHMETIC | COMPARISONS)[sign](Tensor([1.0]), other)


@pytest.mark.parametrize("sign", ["+", "-", "*"])
def test_integers_stay_integers(sign: str) -> None:
    x = Tensor([1, 2, 3])
    for other in (2, np.int64(2), np.array([1, 2, 3]), x):
        assert ARITHMETIC[sign](x, other).dtype == np.int64
        assert ARITHMETIC[sign](other, x).dtype == np.int64
    assert (x ** np.int64(2)).dtype == (x**2).dtype == np.int64
    np.testing.assert_array_equal((x**2).data, [1, 4, 9])


@pytest.mark.parametrize("sign", ARITHMETIC)
@pytest.mark.parametrize("other", [0.5, np.float64(0.5), np.float32(0.5), Tensor(0.5)])
def test_integers_and_floats_meet_at_float32(sign: str, other: Any) -> None:
    x = Tensor([1, 2, 3])
    for left, right in [(x, other), (other, x)]:
        assert ARITHMETIC[sign](left, right).dtype == np.float32


def test_division_and_powers_of_integers_are_float32() -> None:
    x = Tensor([1, 2, 4])
    assert (x / 2).dtype == (2 / x).dtype == (x / x).dtype == np.float32
    np.testing.assert_array_equal((x**-1).data, np.float32([1, 0.5, 0.25]))
    np.testing.assert_array_equal((2**x).data, np.float32([2, 4, 16]))
    assert (x**0.5).dtype == (x**-1).dtype == (2**x).dtype == np.float32


def test_x_plus_equals_y_in_place_on_a_value_that_backward_still_needs() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    before, value = y, y.data.copy()
    for change in (operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow):
        y = change(y, 2.0)
        assert y is not before
        np.testing.assert_array_equal(before.data, value)
    total = x
    total += 10
    assert total is not x
    np.testing.assert_array_equal(x.data, [1, 2])
    y.sum().backward()
    np.testing.assert_allclose(x.grad, 2 * (value * 2 / 2) * value, rtol=1e-6)


# indexing

CUBE = np.arange(24.0).reshape(2, 3, 4)
KEYS: list[Any] = [
    0,
    -1,
    (1, 2, 3),
    (1, -1),
    slice(None),
    slice(None, None, -1),
    (slice(None), slice(2, 0, -1), ...),
    ...,
    (..., 1),
    None,
    (None, 0, ..., None),
    (),
    np.int64(1),
    np.array(1),
    [0, 1, 1],
    [True, False],
    np.array([[0, 1], [1, 0]]),
    ([0, 1, 0], [2, 2, 0]),
    (slice(None), [0, 2, -1]),
    (0, [0, 2, -1]),
    ([0, 1], slice(1, 3), [3, 0]),
    ([[0], [1]], [[0, 1, 2]]),
    CUBE > 11,
    (slice(None), np.array([True, False, True])),
    (np.array([True, False]), 1),
    (1, np.array([True, False, True]), slice(1, 3)),
    True,
    np.array(False),
    [],
    (0, [], 0),
    slice(5, 9),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indexing_is_numpy_s(key: Any) -> None:
    x = Tensor(CUBE, requires_grad=True)
    out = x[key]
    expected = CUBE[key]
    assert type(out) is Tensor
    assert out.shape == expected.shape
    np.testing.assert_array_equal(out.data, expected)
    weights = np.random.default_rng(0).normal(size=out.shape)
    (out * weights).sum().backward()
    gradient = np.zeros_like(CUBE)
    np.add.at(gradient, key, weights)
    np.testing.assert_allclose(x.grad, gradient)


def test_indexing_by_tensors() -> None:
    x = Tensor(CUBE)
    np.testing.assert_array_equal(x[Tensor([1, 0])].data, CUBE[[1, 0]])
    np.testing.assert_array_equal(x[Tensor(CUBE > 11)].data, CUBE[CUBE > 11])
    np.testing.assert_array_equal(x[Tensor(1), :, Tensor([0, 3])].data, CUBE[1, :, [0, 3]])


def test_gradients_of_repeated_indices_add_up() -> None:
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    (x[[0, 2, 0, 0]] * np.array([1.0, 10.0, 100.0, 1000.0])).sum().backward()
    np.testing.assert_array_equal(x.grad, [1101, 0, 10])


@st.composite
def shapes_and_keys(draw: st.DrawFn) -> tuple[tuple[int, ...], Any]:
    """Draw a shape and a basic, integer or boolean key for it."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4))
    kind = draw(st.sampled_from(["basic", "integer", "mask", "mixed"]))
    if kind == "basic":
        return shape, draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    if kind == "integer":
        return shape, draw(hnp.integer_array_indices(shape))
    axis = draw(st.integers(0, len(shape) - 1))
    if kind == "mask":
        return shape, draw(hnp.arrays(bool, shape[: axis + 1]))
    rows = draw(hnp.arrays(np.int64, draw(st.integers(0, 4)), elements=st.integers(-1, 0)))
    before = draw(hnp.basic_indices(shape[:axis], allow_ellipsis=False))
    return shape, (*(before if isinstance(before, tuple) else (before,)), ..., rows)


@given(shapes_and_keys())
def test_any_index_is_numpy_s(drawn: tuple[tuple[int, ...], Any]) -> None:
    shape, key = drawn
    data = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    x = Tensor(data, requires_grad=True)
    try:
        expected = data[key]
    except IndexError:
        with pytest.raises(IndexError, match="cannot index a tensor of shape"):
            x[key]
        return
    out = x[key]
    assert out.shape == np.shape(expected)
    np.testing.assert_array_equal(out.data, expected)
    (out * out).sum().backward()
    gradient = np.zeros(shape)
    np.add.at(gradient, key, 2 * expected)
    np.testing.assert_array_equal(x.grad, gradient)


@pytest.mark.parametrize("key", [5, (0, 0, 0, 0), (0, 3), [2], (slice(None), [0, 7])])
def test_indices_out_of_range(key: Any) -> None:
    with pytest.raises(IndexError, match=r"cannot index a tensor of shape \(2, 3, 4\): "):
        Tensor(CUBE)[key]


@pytest.mark.parametrize("key", [1.5, [0.5], np.array([1.0])])
def test_indices_that_are_no_integers(key: Any) -> None:
    with pytest.raises(IndexError, match="expected integers or booleans as an index, got float"):
        Tensor(CUBE)[key]


def test_assignment_is_refused() -> None:
    x = Tensor(CUBE)
    with pytest.raises(TypeError, match=r"expected no assignment to a tensor.*pellucid\.where"):
        x[0] = 1.0
    with pytest.raises(TypeError):
        x[0] += 1.0
    with pytest.raises(AttributeError):
        x.weight = 1.0


# shapes


def test_transposes() -> None:
    x = Tensor(CUBE)
    np.testing.assert_array_equal(x.T.data, CUBE.T)
    np.testing.assert_array_equal(x.mT.data, CUBE.mT)
    np.testing.assert_array_equal(x.transpose(1, 0, 2).data, CUBE.transpose(1, 0, 2))
    np.testing.assert_array_equal(x.transpose(-1, 0, 1).data, CUBE.transpose(-1, 0, 1))
    np.testing.assert_array_equal(pl.permute_dims(x, (2, 0, 1)).data, CUBE.transpose(2, 0, 1))
    assert Tensor(1.0).T.shape == pl.permute_dims(Tensor(1.0), ()).shape == ()
    with pytest.raises(ShapeError, match="mT: expected at least 2 axes"):
        Tensor([1.0]).mT  # noqa: B018
    for axes in [(0, 1), (0, 0, 1), (0, 1, 5), (0, 1, -4)]:
        with pytest.raises(ShapeError, match="transpose: expected each of 3 axes once, got"):
            x.transpose(*axes)


def test_reshapes() -> None:
    x = Tensor(CUBE)
    for out in (x.reshape(6, 4), x.reshape((6, 4)), x.reshape([6, -1]), pl.reshape(x, (-1, 4))):
        np.testing.assert_array_equal(out.data, CUBE.reshape(6, 4))
    assert x.flatten().shape == (24,)
    assert x.flatten(1).shape == (2, 12)
    assert x.flatten(-1).shape == (2, 3, 4)
    assert Tensor(1.0).flatten().shape == (1,)
    assert x[:1, :1].squeeze().shape == (4,)
    assert x[:1, :1].squeeze(0).shape == (1, 4)
    assert pl.squeeze(x[:1, :1], (0, 1)).shape == (4,)
    assert Tensor(1.0).squeeze().shape == ()
    assert x.expand_dims(-1).shape == (2, 3, 4, 1)
    assert pl.expand_dims(x, axis=1).shape == (2, 1, 3, 4)
    assert Tensor([1.0, 2.0]).broadcast_to((3, 2)).shape == (3, 2)
    assert pl.broadcast_to(Tensor(1.0), (3,)).shape == (3,)
    with pytest.raises(ShapeError, match=r"reshape: got \(2, 3, 4\) with shape=\(5,\)"):
        x.reshape(5)
    with pytest.raises(ShapeError, match="squeeze"):
        x.squeeze(0)
    with pytest.raises(ShapeError, match="broadcastto"):
        x.broadcast_to((2, 3))


def test_shapes_that_do_not_broadcast_are_named() -> None:
    for sign in (operator.add, operator.mul, operator.lt):
        with pytest.raises(ShapeError, match=r"got \(2, 3\) and \(4,\); expected sizes that agree"):
            sign(pl.zeros((2, 3)), pl.zeros((4,)))


def test_flatten_of_an_empty_batch() -> None:
    assert pl.zeros((0, 2, 3)).flatten(1).shape == (0, 6)


def test_deep_copies_and_weak_references() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert weakref.ref(x)() is x
    twin = copy.deepcopy(x)
    assert twin.data is not x.data
    assert twin.requires_grad


@pytest.mark.parametrize(
    "op",
    [
        operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.matmul,
        operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge,
    ],
)  # fmt: skip
def test_an_array_before_a_tensor_makes_a_tensor(op: Callable[..., Any]) -> None:
    array, values = np.array([3.0, 2.0, 1.0]), np.array([1.0, 2.0, 3.0])
    out = op(array, Tensor(values))
    assert isinstance(out, Tensor)
    assert np.array_equal(out.data, op(array, values))


@pytest.mark.parametrize(
    "function",
    [np.exp, lambda x: np.maximum(0, x), np.add.reduce, lambda x: np.add(x, np.ones(2))],
)
def test_functions_of_numpy_are_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"got np\.\w+, which knows no gradient; use pellucid\.\w+"):
        function(Tensor([1.0, 2.0], requires_grad=True))


def test_a_tensor_is_not_added_into_an_array() -> None:
    array = np.ones(2)
    with pytest.raises(TypeError, match=r"got np\.add"):
        array += Tensor([1.0, 2.0])
    assert array.tolist() == [1.0, 1.0]
