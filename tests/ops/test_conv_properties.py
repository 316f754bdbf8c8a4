"""Convolution, windows and pooling: adjoints, groups, and the same values when recorded."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import pellucid as pl
from pellucid import Tensor, arrays
from support.trace import tracing

few = settings(max_examples=80)


def normal(seed: int, *shape: int) -> np.ndarray:
    """Return random numbers."""
    return np.asarray(np.random.default_rng(seed).normal(size=shape))


def dot(a: Any, b: Any) -> float:
    """Return <a, b>."""
    return float(np.sum(a.data * b))


class Drawn(NamedTuple):
    """Shapes of x ``(N, *size, Ci)`` and of w ``(*kernel, Ci // groups, Co)``, and the settings."""

    x: tuple[int, ...]
    w: tuple[int, ...]
    how: dict[str, Any]

    @property
    def out(self) -> tuple[int, ...]:
        """The shape of the convolution's output."""
        how = [self.how[name] for name in ("stride", "padding", "dilation")]
        size = arrays.output_size(self.x[1:-1], self.w[:-2], *how)
        return (self.x[0], *size, self.w[-1])


@st.composite
def convolutions(draw: st.DrawFn) -> Drawn:
    """Draw a convolution over one or two axes whose kernel fits."""
    axes = draw(st.integers(1, 2))

    def several(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    groups = draw(st.integers(1, 3))
    inputs, outputs = (groups * draw(st.integers(1, 2)) for _ in range(2))
    padding = tuple(zip(several(0, 2), several(0, 2), strict=True))
    how = {"stride": several(1, 3), "padding": padding, "dilation": several(1, 2)}
    drawn = Drawn(
        (draw(st.integers(1, 2)), *several(1, 6), inputs),
        (*several(1, 3), inputs // groups, outputs),
        {**how, "groups": groups},
    )
    assume(min(drawn.out[1:-1]) > 0)
    return drawn


@few
@given(convolutions())
def test_the_three_maps_of_convolution_are_each_other_s_adjoints(drawn: Drawn) -> None:
    """<conv(x, w), y> = <x, conv_input(y, w)> = <w, conv_kernel(x, y)>."""
    x, w, y = normal(1, *drawn.x), normal(2, *drawn.w), normal(3, *drawn.out)
    forward = dot(pl.conv(x, w, **drawn.how), y)
    back = pl.conv_input(y, w, size=drawn.x[1:-1], **drawn.how)
    kernel = pl.conv_kernel(x, y, kernel=drawn.w[:-2], **drawn.how)
    assert (back.shape, kernel.shape) == (drawn.x, drawn.w)
    np.testing.assert_allclose(dot(back, x), forward, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(dot(kernel, w), forward, rtol=1e-9, atol=1e-9)


@few
@given(convolutions())
def test_windows_and_their_adjoint(drawn: Drawn) -> None:
    how = {name: drawn.how[name] for name in ("stride", "padding", "dilation")}
    x = normal(1, *drawn.x)
    seen = pl.windows(x, kernel=drawn.w[:-2], **how)
    assert seen.shape == (*drawn.out[:-1], *drawn.w[:-2], drawn.x[-1])
    y = normal(2, *seen.shape)
    back = pl.windows_input(y, size=drawn.x[1:-1], **how)
    np.testing.assert_allclose(dot(back, x), dot(seen, y), rtol=1e-9, atol=1e-9)


@few
@given(convolutions())
def test_a_group_sees_its_own_channels_only(drawn: Drawn) -> None:
    x, w = normal(1, *drawn.x), normal(2, *drawn.w)
    groups = drawn.how["groups"]
    single = {**drawn.how, "groups": 1}
    parts = [
        pl.conv(a, b, **single).data
        for a, b in zip(np.split(x, groups, -1), np.split(w, groups, -1), strict=True)
    ]
    found = pl.conv(x, w, **drawn.how).data
    np.testing.assert_allclose(found, np.concatenate(parts, -1), rtol=1e-10, atol=1e-12)


@few
@given(convolutions())
def test_convolution_is_a_product_of_windows_and_filters(drawn: Drawn) -> None:
    x, w = normal(1, *drawn.x), normal(2, *drawn.w)
    how = {name: drawn.how[name] for name in ("stride", "padding", "dilation")}
    groups = drawn.how["groups"]
    seen = pl.windows(x, kernel=drawn.w[:-2], **how).data
    expected = np.zeros(drawn.out)
    for j, tap in product(range(groups), product(*map(range, drawn.w[:-2]))):
        inputs = np.s_[j * drawn.w[-2] : (j + 1) * drawn.w[-2]]
        outputs = np.s_[j * drawn.w[-1] // groups : (j + 1) * drawn.w[-1] // groups]
        expected[..., outputs] += seen[(..., *tap, inputs)] @ w[tap][:, outputs]
    np.testing.assert_allclose(pl.conv(x, w, **drawn.how).data, expected, rtol=1e-9, atol=1e-11)


# pooling

HOW: dict[str, Any] = {"kernel": (2, 3), "stride": (1, 2), "padding": ((1, 0), (0, 1))}
POOLS: dict[str, Callable[[Any], Tensor]] = {
    "max": lambda x: pl.max_pool(x, **HOW),
    "mean": lambda x: pl.avg_pool(x, **HOW),
    "mean with padding": lambda x: pl.avg_pool(x, **HOW, count_include_pad=True),
}


@pytest.mark.parametrize("name", POOLS)
def test_pooling_is_recorded(name: str) -> None:
    """Nothing of the values that were there at the time is frozen into the program."""
    with tracing() as trace:
        x = Tensor(trace.input(normal(0, 2, 3, 4, 2)), requires_grad=True)
        (POOLS[name](x) ** 2).sum().backward()
    for seed in (0, 1):
        value = normal(seed, 2, 3, 4, 2)
        again = Tensor(value, requires_grad=True)
        (POOLS[name](again) ** 2).sum().backward()
        np.testing.assert_allclose(trace.run(x.grad, value), again.grad, rtol=1e-12)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 5), st.integers(0, 2))
def test_every_window_has_one_largest_element(
    kernel: int, stride: int, size: int, padding: int
) -> None:
    """However many tie, the gradient of a window goes to one, the first."""
    assume(padding < kernel <= size + padding)
    x = Tensor(np.random.default_rng(0).integers(0, 2, (2, size, 3)).astype(float), True)
    out = pl.max_pool(x, kernel=(kernel,), stride=(stride,), padding=((padding, 0),))
    out.backward(np.ones(out.shape))
    expected = np.zeros(x.shape)
    for n, p, c in np.ndindex(out.shape):
        start = p * stride - padding
        places = range(max(start, 0), start + kernel)
        first = max(places, key=lambda place: (x.data[n, place, c], -place))
        assert out.data[n, p, c] == x.data[n, first, c]
        expected[n, first, c] += 1
    np.testing.assert_array_equal(x.grad, expected)


def test_a_mean_of_equal_numbers_is_that_number_at_the_edges_too() -> None:
    x = np.full((1, 3, 4, 2), 0.75)
    np.testing.assert_allclose(pl.avg_pool(x, **HOW).data, 0.75, rtol=1e-15)
    counted = pl.avg_pool(x, **HOW, count_include_pad=True).data
    assert counted[0, 0, 0, 0] == 0.75 / 2
    assert counted[0, 1, 0, 0] == 0.75


@pytest.mark.parametrize("pool", [pl.max_pool, pl.avg_pool])
def test_windows_of_padding_only_are_refused(pool: Callable[..., Tensor]) -> None:
    with pytest.raises(ValueError, match=r"_pool: expected padding smaller than the kernel"):
        pool(np.zeros((1, 4, 1)), kernel=(2,), stride=(1,), padding=((0, 2),))


def test_integers_are_pooled_in_floating_point() -> None:
    x = np.array([[[1], [2], [4]]])
    how: dict[str, Any] = {"kernel": (2,), "stride": (1,), "padding": ((1, 0),)}
    for pool, expected in ((pl.max_pool, [1, 2, 4]), (pl.avg_pool, [1, 1.5, 3])):
        out = pool(x, **how)
        assert out.dtype == np.float32
        np.testing.assert_array_equal(out.data[0, :, 0], expected)


def test_a_nan_shows_in_every_window_that_holds_it() -> None:
    x = np.array([[[1.0], [np.nan], [2.0], [3.0]]])
    out = pl.max_pool(x, kernel=(2,), stride=(1,), padding=((0, 0),)).data[0, :, 0]
    np.testing.assert_array_equal(out, [np.nan, np.nan, 3])
