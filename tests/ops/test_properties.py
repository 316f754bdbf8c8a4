"""Properties that hold for any shapes and values: expressions, round trips, adjoints."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import pellucid as pl
from pellucid import Tensor
from pellucid.autograd.tensor import split_key
from support.differences import central

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
FULL = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)
few = settings(max_examples=60)


def normal(seed: int, *shape: int) -> np.ndarray:
    """Return random numbers."""
    return np.asarray(np.random.default_rng(seed).normal(size=shape))


def dot(a: Any, b: Any) -> float:
    """Return <a, b>."""
    return float(np.sum(np.asarray(a) * np.asarray(b)))


# expressions

UNARY = {
    "negative": (lambda x: -x, np.negative),
    "tanh": (pl.tanh, np.tanh),
    "sin": (pl.sin, np.sin),
    "square": (pl.square, np.square),
    "absolute": (pl.abs, np.abs),
    "exp of -|x|": (lambda x: pl.exp(-abs(x)), lambda x: np.exp(-np.abs(x))),
    "flip": (pl.flip, np.flip),
    "sum": (lambda x: x.sum(), np.sum),
    "mean": (
        lambda x: pl.sum(x, keepdims=True) / 7,
        lambda x: np.sum(x, keepdims=True) / x.dtype.type(7),
    ),
    "transpose": (lambda x: x.T, np.transpose),
    "new axis": (lambda x: x[None], lambda x: x[None]),
    "number on the left": (lambda x: 1.5 - x * 0.5, lambda x: 1.5 - x * 0.5),
}
BINARY = {
    "add": (lambda a, b: a + b, np.add),
    "subtract": (lambda a, b: a - b, np.subtract),
    "multiply": (lambda a, b: a * b, np.multiply),
    "divide": (lambda a, b: a / (1 + b * b), lambda a, b: a / (1 + b * b)),
    "maximum": (pl.maximum, np.maximum),
    "where": (
        lambda a, b: pl.where(a > b + 0.05, a, b / 2),
        lambda a, b: np.where(a > b + 0.05, a, b / 2),
    ),
}


class Expression(NamedTuple):
    """The leaves, and the steps that put them together: (name, first operand, second operand)."""

    leaves: list[np.ndarray]
    steps: list[tuple[str, int, int]]

    def evaluate(self, leaves: list[Any], column: int) -> Any:
        """Return the last result with Pellucid (column 0) or NumPy (column 1)."""
        values = list(leaves)
        for name, i, j in self.steps:
            if name in UNARY:
                values.append(UNARY[name][column](values[i]))
            else:
                values.append(BINARY[name][column](values[i], values[j]))
        return values[-1]


@st.composite
def expressions(draw: st.DrawFn, dtypes: tuple[str, ...]) -> Expression:
    """Draw a few leaves whose shapes broadcast, and up to six steps."""
    shapes = draw(
        hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3)
    ).input_shapes
    leaves = [
        normal(seed, *shape).astype(draw(st.sampled_from(dtypes)))
        for seed, shape in enumerate(shapes)
    ]
    steps: list[tuple[str, int, int]] = []
    values = list(leaves)
    for _ in range(draw(st.integers(1, 6))):
        name = draw(st.sampled_from([*UNARY, *BINARY]))
        i, j = (draw(st.integers(0, len(values) - 1)) for _ in range(2))
        try:
            out = (
                UNARY[name][1](values[i])
                if name in UNARY
                else BINARY[name][1](values[i], values[j])
            )
        except ValueError:  # after a transpose they may not broadcast
            continue
        values.append(np.asarray(out))
        steps.append((name, i, j))
    assume(steps)
    assume(values[-1].size < 2000)
    return Expression(leaves, steps)


@few
@given(expressions(("float32", "float64")))
def test_random_expressions_agree_with_numpy(drawn: Expression) -> None:
    expected = np.asarray(drawn.evaluate(drawn.leaves, 1))
    found = drawn.evaluate([Tensor(x) for x in drawn.leaves], 0)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found.data, expected, rtol=1e-4, atol=1e-4)


@settings(max_examples=40)
@given(expressions(("float64",)))
def test_random_expressions_have_the_gradients_of_differences(drawn: Expression) -> None:
    leaves = [Tensor(x, requires_grad=True) for x in drawn.leaves]
    out = drawn.evaluate(leaves, 0)
    assume(np.abs(out.data).max(initial=0) < 1e3)
    weights = normal(9, *out.shape)
    if not out.requires_grad:
        return
    out.backward(weights)
    for i, leaf in enumerate(leaves):

        def scalar(x: np.ndarray, i: int = i) -> float:
            return dot(drawn.evaluate([*drawn.leaves[:i], x, *drawn.leaves[i + 1 :]], 1), weights)

        expected = central(scalar, drawn.leaves[i])
        found = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


@few
@given(expressions(("float32",)))
def test_random_expressions_in_float32_stay_there(drawn: Expression) -> None:
    leaves = [Tensor(x, requires_grad=True) for x in drawn.leaves]
    out = drawn.evaluate(leaves, 0)
    assert out.dtype == np.float32
    if out.requires_grad:
        out.backward(np.ones(out.shape))
        assert all(x.grad is None or x.grad.dtype == np.float32 for x in leaves)
        assert all(x.grad is None or x.grad.shape == x.shape for x in leaves)


# round trips


@few
@given(FULL, st.data())
def test_split_and_concat(shape: tuple[int, ...], data: st.DataObject) -> None:
    x = Tensor(normal(0, *shape))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    places = sorted(data.draw(st.lists(st.integers(0, shape[axis]), max_size=3)))
    parts = pl.split(x, places, axis=axis)
    assert len(parts) == len(places) + 1
    np.testing.assert_array_equal(pl.concat(parts, axis=axis).data, x.data)
    np.testing.assert_array_equal(
        pl.concat(pl.split(x, shape[axis], axis=axis), axis=axis).data, x.data
    )


@few
@given(SHAPES, st.integers(1, 3), st.data())
def test_stack_and_index(shape: tuple[int, ...], count: int, data: st.DataObject) -> None:
    layers = [normal(i, *shape) for i in range(count)]
    axis = data.draw(st.integers(-len(shape) - 1, len(shape)))
    stacked = pl.stack(layers, axis=axis)
    for i, layer in enumerate(layers):
        np.testing.assert_array_equal(pl.take(stacked, i, axis=axis).data, layer)


@few
@given(FULL, st.data())
def test_pad_and_index(shape: tuple[int, ...], data: st.DataObject) -> None:
    width = st.tuples(st.integers(0, 3), st.integers(0, 3))
    widths = tuple(data.draw(width) for _ in shape)
    x = normal(0, *shape)
    out = pl.pad(x, widths=widths, value=7.0)
    inner = tuple(slice(low, low + n) for (low, _), n in zip(widths, shape, strict=True))
    np.testing.assert_array_equal(out[inner].data, x)
    assert (out.data == 7).sum() == out.size - x.size


@few
@given(SHAPES, st.data())
def test_flip_and_transpose_undo_themselves(shape: tuple[int, ...], data: st.DataObject) -> None:
    x = normal(0, *shape)
    axes = tuple(data.draw(st.sets(st.integers(0, len(shape) - 1)))) if shape else ()
    np.testing.assert_array_equal(pl.flip(pl.flip(x, axis=axes), axis=axes).data, x)
    order = data.draw(st.permutations(range(len(shape))))
    back = sorted(range(len(shape)), key=order.__getitem__)
    np.testing.assert_array_equal(pl.permute_dims(pl.permute_dims(x, order), back).data, x)
    np.testing.assert_array_equal(pl.reshape(pl.reshape(x, (x.size,)), shape).data, x)
    np.testing.assert_array_equal(pl.squeeze(pl.expand_dims(x, axis=0), 0).data, x)


@few
@given(SHAPES)
def test_softmax_is_a_distribution(shape: tuple[int, ...]) -> None:
    assume(len(shape) > 0 and shape[-1] > 0)
    x = 30 * normal(0, *shape)
    p = pl.softmax(x).data
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(-1), np.ones(shape[:-1]))
    np.testing.assert_allclose(np.log(p + 1e-300), pl.log_softmax(x).data, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(
        pl.log_softmax(x).data, x - pl.logsumexp(x, axis=-1, keepdims=True).data, atol=1e-9
    )
    np.testing.assert_allclose(pl.softmax(x + 1e3).data, p, rtol=1e-9)


# adjoints: <A x, v> = <x, A^T v>


@st.composite
def places(draw: st.DrawFn) -> tuple[tuple[int, ...], Any]:
    """Draw a shape and a key for it."""
    shape = draw(FULL)
    keys = [
        hnp.basic_indices(shape, allow_newaxis=True),
        hnp.integer_array_indices(shape),
        hnp.arrays(bool, shape),
        hnp.arrays(bool, shape[:1]),
    ]
    return shape, draw(st.one_of(keys))


@few
@given(places())
def test_scatter_add_is_the_transpose_of_index(drawn: tuple[tuple[int, ...], Any]) -> None:
    shape, key = drawn
    x = normal(0, *shape)
    picked = pl.index(x, key)
    v = normal(1, *picked.shape)
    added = pl.scatter_add(v, key, shape=shape)
    assert added.shape == shape
    assert math.isclose(dot(picked.data, v), dot(x, added.data), abs_tol=1e-12)
    template, arrays = split_key(key)
    assert sum(part not in (None, Ellipsis) for part in template) >= len(arrays)


class Convolution(NamedTuple):
    """Shapes of a convolution that has an output."""

    x: tuple[int, ...]
    w: tuple[int, ...]
    how: dict[str, Any]


@st.composite
def convolutions(draw: st.DrawFn, axes: int) -> Convolution:
    """Draw sizes, strides, paddings and dilations in which the kernel fits."""
    small = st.integers(1, 3)
    kernel = tuple(draw(small) for _ in range(axes))
    dilation = tuple(draw(st.integers(1, 2)) for _ in range(axes))
    padding = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(axes))
    size = tuple(
        max(1, d * (k - 1) + 1 - low - high) + draw(st.integers(0, 4))
        for k, d, (low, high) in zip(kernel, dilation, padding, strict=True)
    )
    stride = tuple(draw(small) for _ in range(axes))
    batch, channels, out = draw(st.integers(0, 2)), draw(small), draw(small)
    return Convolution(
        (batch, *size, channels),
        (*kernel, channels, out),
        {"stride": stride, "padding": padding, "dilation": dilation},
    )


def check_adjoints(drawn: Convolution) -> None:
    """Check <conv(x, w), v> = <x, conv_input(v, w)> = <w, conv_kernel(x, v)>, and bilinearity."""
    (x, w), how = (normal(0, *drawn.x), normal(1, *drawn.w)), drawn.how
    out = pl.conv(x, w, **how)
    v = normal(2, *out.shape)
    back = pl.conv_input(v, w, size=drawn.x[1:-1], **how)
    kernel = pl.conv_kernel(x, v, kernel=drawn.w[:-2], **how)
    assert back.shape == drawn.x
    assert kernel.shape == drawn.w
    value = dot(out.data, v)
    assert math.isclose(value, dot(x, back.data), abs_tol=1e-9)
    assert math.isclose(value, dot(w, kernel.data), abs_tol=1e-9)
    other = normal(3, *drawn.x)
    both = pl.conv(x + 2 * other, w, **how).data
    np.testing.assert_allclose(both, out.data + 2 * pl.conv(other, w, **how).data, atol=1e-12)


@few
@given(convolutions(1))
def test_convolutions_in_1_d_are_each_other_s_transposes(drawn: Convolution) -> None:
    check_adjoints(drawn)


@few
@given(convolutions(2))
def test_convolutions_in_2_d_are_each_other_s_transposes(drawn: Convolution) -> None:
    check_adjoints(drawn)


@few
@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 2))
def test_matmul_transposes(n: int, k: int, m: int, batch: int) -> None:
    a, b, v = normal(0, batch, n, k), normal(1, k, m), normal(2, batch, n, m)
    x, y = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)
    out = x @ y
    np.testing.assert_allclose(out.data, a @ b, atol=1e-12)
    out.backward(v)
    assert math.isclose(dot(a @ b, v), dot(a, x.grad), abs_tol=1e-9)
    assert math.isclose(dot(a @ b, v), dot(b, y.grad), abs_tol=1e-9)
