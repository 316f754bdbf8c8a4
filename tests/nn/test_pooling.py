"""Pooling layers and flattening: ties, padding, sizes, what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid import ShapeError, Tensor, nn

POOLS = [nn.MaxPool1D, nn.MaxPool2D, nn.AvgPool1D, nn.AvgPool2D]
GLOBAL = [nn.GlobalAvgPool1D, nn.GlobalAvgPool2D, nn.GlobalMaxPool1D, nn.GlobalMaxPool2D]
Layer = type[Any]


def image(rows: list[list[float]]) -> Tensor:
    """Return a picture of one channel."""
    return Tensor(np.array(rows, float)[None, :, :, None], requires_grad=True)


# what they compute


def test_by_hand() -> None:
    x = image([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    np.testing.assert_array_equal(nn.MaxPool2D(2, 1)(x).data[0, :, :, 0], [[5, 6], [8, 9]])
    np.testing.assert_array_equal(nn.AvgPool2D(2, 1)(x).data[0, :, :, 0], [[3, 4], [6, 7]])
    np.testing.assert_array_equal(nn.MaxPool2D(2)(x).data[0, :, :, 0], [[5]])
    np.testing.assert_array_equal(nn.GlobalMaxPool2D()(x).data, [[9]])
    np.testing.assert_array_equal(nn.GlobalAvgPool2D()(x).data, [[5]])


def test_of_equal_elements_the_first_takes_the_gradient() -> None:
    x = image([[1, 2, 0, 0], [2, 2, 0, 0]])
    nn.MaxPool2D(2)(x).backward(np.array([5.0, 7.0]).reshape(1, 1, 2, 1))
    np.testing.assert_array_equal(x.grad[0, :, :, 0], [[0, 5, 7, 0], [0, 0, 0, 0]])


def test_equal_elements_of_a_global_maximum_share_the_gradient() -> None:
    x = image([[3, 1], [3, 0]])
    nn.GlobalMaxPool2D()(x).backward(np.ones((1, 1)))
    np.testing.assert_array_equal(x.grad[0, :, :, 0], [[0.5, 0], [0.5, 0]])


@pytest.mark.torch
@pytest.mark.parametrize("how", [{}, {"stride": 1}, {"stride": 1, "padding": 1}], ids=str)
def test_ties_are_pytorch_s(how: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = Tensor(rng.integers(0, 3, (2, 6, 6, 2)).astype(float), requires_grad=True)
    out = nn.MaxPool2D(3, **how)(x)
    v = rng.normal(size=out.shape)
    out.backward(v)
    theirs = torch.tensor(x.data, requires_grad=True)
    torch.nn.functional.max_pool2d(theirs.movedim(-1, 1), 3, **how).backward(
        torch.tensor(v).movedim(-1, 1)
    )
    np.testing.assert_allclose(x.grad, theirs.grad.numpy(), 1e-12, 1e-14)


def test_padding_is_never_the_largest() -> None:
    x = image([[-3, -2], [-5, -4]])
    out = nn.MaxPool2D(2, 1, 1)(x).data[0, :, :, 0]
    np.testing.assert_array_equal(out, [[-3, -2, -2], [-3, -2, -2], [-5, -4, -4]])


def test_padding_counts_in_a_mean_only_if_it_is_asked_to() -> None:
    x = image([[2, 4], [6, 8]])
    without = nn.AvgPool2D(2, 1, 1)(x).data[0, :, :, 0]
    np.testing.assert_array_equal(without, [[2, 3, 4], [4, 5, 6], [6, 7, 8]])
    counted = nn.AvgPool2D(2, 1, 1, count_include_pad=True)(x).data[0, :, :, 0]
    np.testing.assert_array_equal(counted, [[0.5, 1.5, 1], [2, 5, 3], [1.5, 3.5, 2]])
    constant = nn.AvgPool2D(3, 2, "same")(np.full((1, 4, 5, 2), 0.3)).data
    np.testing.assert_allclose(constant, 0.3, rtol=1e-12)


@given(st.integers(1, 10), st.integers(1, 4), st.integers(1, 4))
def test_same_gives_one_output_for_every_stride_inputs(size: int, kernel: int, stride: int) -> None:
    x = np.arange(1.0, size + 1).reshape(1, size, 1)
    shape = (1, -(-size // stride), 1)
    for kind in (nn.MaxPool1D, nn.AvgPool1D):
        out = kind(kernel, stride, "same")(x)
        assert out.shape == shape
        assert np.isfinite(out.data).all()
        assert (out.data >= 1).all()
        assert (out.data <= size).all()


@given(st.integers(1, 10), st.integers(1, 4), st.integers(1, 4), st.integers(0, 3))
def test_a_valid_size_counts_the_windows(size: int, kernel: int, stride: int, padding: int) -> None:
    if padding >= kernel:
        with pytest.raises(ValueError, match="expected padding smaller than the kernel"):
            nn.MaxPool1D(kernel, stride, padding)
        return
    starts = range(0, size + 2 * padding - kernel + 1, stride)
    layer = nn.MaxPool1D(kernel, stride, padding)
    if not starts:
        with pytest.raises(ShapeError, match="expected an input that the kernel fits into"):
            layer(np.zeros((2, size, 1)))
        return
    assert layer(np.zeros((2, size, 1))).shape == (2, len(starts), 1)


@pytest.mark.parametrize("kind", [nn.MaxPool2D, nn.AvgPool2D])
def test_channels_and_examples_do_not_mix(kind: Layer) -> None:
    x = np.random.default_rng(0).normal(size=(3, 5, 6, 4))
    whole = kind(3, 2, "same")(x).data
    for n, c in np.ndindex(3, 4):
        one = kind(3, 2, "same")(x[n : n + 1, :, :, c : c + 1]).data
        np.testing.assert_array_equal(whole[n, :, :, c], one[0, :, :, 0])


def test_no_examples_give_no_output() -> None:
    assert nn.MaxPool2D(2)(np.zeros((0, 4, 4, 3))).shape == (0, 2, 2, 3)
    assert nn.AvgPool2D(2, padding=1)(np.zeros((0, 4, 4, 3))).shape == (0, 3, 3, 3)
    assert nn.Flatten()(np.zeros((0, 4, 4, 3))).shape == (0, 48)


@pytest.mark.parametrize("kind", [*POOLS, *GLOBAL])
@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "float64"])
def test_integers_become_floating_point(kind: Layer, dtype: str) -> None:
    x = np.ones((1, *(4, 4)[: kind.axes], 2)).astype(dtype)
    out = kind(2)(x) if kind in POOLS else kind()(x)
    assert out.dtype == (np.float64 if dtype == "float64" else np.float32)
    np.testing.assert_array_equal(out.data, 1)


def test_flatten_keeps_the_order_of_memory() -> None:
    x = np.arange(24).reshape(2, 3, 2, 2)
    np.testing.assert_array_equal(nn.Flatten()(x).data, x.reshape(2, 12))
    assert nn.Flatten()(np.zeros(3)).shape == (3, 1)
    assert nn.Flatten()(x).dtype == x.dtype


# what they refuse


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "kernel_size to be a whole number of at least 1.*, got 0"),
        (("2",), "kernel_size to be .*, got '2'"),
        (((2, 2, 2),), r"kernel_size to be .*, got \(2, 2, 2\)"),
        ((2, 0), "stride to be .*, got 0"),
        ((2, 2, "all"), "padding to be 'valid', 'same'.*, got 'all'"),
        ((2, 2, 2), "padding smaller than the kernel, .*, got 2 for kernel_size=2"),
        ((2, 2, -1), "padding to be .*, got -1"),
    ],
)
def test_settings_are_checked_at_once(kind: Layer, arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{kind.__name__}: expected {message}"):
        kind(*arguments)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.MaxPool2D(2), (8, 8, 3), r"\(N, H, W, C\), got \(8, 8, 3\); add the axis of examples, "
                                     r"x\[None\] for one example, or the axis of channels"),
        (nn.AvgPool1D(2), (8, 3), r"\(N, L, C\), got \(8, 3\); add"),
        (nn.GlobalAvgPool2D(), (5, 8, 8), r"\(N, H, W, C\), got \(5, 8, 8\); add"),
        (nn.GlobalMaxPool1D(), (5, 8, 8, 1), r"\(N, L, C\), got \(5, 8, 8, 1\)$"),
        (nn.MaxPool2D(2), (5, 64), r".*; if the rows are square images, x.reshape\(len"),
        (nn.Flatten(), (), r"\(N, \.\.\.\), got \(\)"),
    ],
)  # fmt: skip
def test_a_wrong_input_says_what_would_fit(
    layer: nn.Module, shape: tuple[int, ...], message: str
) -> None:
    name = type(layer).__name__
    with pytest.raises(ShapeError, match=f"^{name}: expected input of shape {message}"):
        layer(np.zeros(shape))


def test_a_window_larger_than_the_input_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"^layers\.1 \(MaxPool2D\): .*at least 3 .*got size 2"):
        nn.Sequential(nn.MaxPool2D(2), nn.MaxPool2D(3))(np.zeros((1, 4, 4, 1)))


# how they are shown


def test_repr_shows_what_is_not_usual() -> None:
    assert repr(nn.MaxPool2D(2)) == repr(nn.MaxPool2D((2, 2), stride=2)) == "MaxPool2D(2)"
    assert repr(nn.MaxPool2D(2, (1, 2), "same")) == "MaxPool2D(2, stride=(1, 2), padding='same')"
    layer = nn.AvgPool1D(3, padding=((1, 0),), count_include_pad=True)
    assert repr(layer) == "AvgPool1D(3, padding=((1, 0),), count_include_pad=True)"
    assert repr(nn.GlobalMaxPool1D()) == "GlobalMaxPool1D()"
    assert repr(nn.GlobalAvgPool2D(keepdims=True)) == "GlobalAvgPool2D(keepdims=True)"
    assert repr(nn.Flatten()) == "Flatten()"


@pytest.mark.parametrize("layer", [nn.GlobalAvgPool2D(), nn.GlobalMaxPool2D()])
@pytest.mark.parametrize("shape", [(2, 0, 4, 3), (2, 4, 0, 3)])
def test_the_mean_and_maximum_of_nothing_are_refused(
    layer: nn.Module, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ShapeError, match=r"expected at least one place, got input of shape \(2, "):
        layer(np.ones(shape))
    assert layer(np.ones((0, 4, 4, 3))).shape == (0, 3)
