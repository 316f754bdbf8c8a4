"""Random changes of images: what they keep, what they draw, and exact values of small ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pellucid.data import (
    Compose,
    Loader,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomShift,
)

Images = NDArray[Any]
EVERY = [
    RandomShift(2),
    RandomShift((0, 1), fill="edge"),
    RandomFlip(),
    RandomFlip("both", 1.0),
    RandomRotation(30.0),
    RandomRotation((-10.0, 80.0), fill="edge"),
    RandomCrop(5, padding=1),
    RandomCrop((4, 3), fill=1),
    Compose([RandomFlip(), RandomCrop(4), RandomRotation(45)]),
]
SHAPES = [(6, 5, 7, 3), (6, 7, 6)]


def pictures(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Images:
    random = np.random.default_rng(seed)
    if dtype.startswith("f"):
        return random.random(shape).astype(dtype)
    return random.integers(0, 256, shape).astype(dtype)


@st.composite
def images(draw: st.DrawFn) -> Images:
    shape = tuple(draw(st.integers(1, 6)) for _ in range(draw(st.sampled_from([3, 4]))))
    dtype = draw(st.sampled_from(["f4", "f8", "u1", "i8"]))
    return pictures(shape, dtype, draw(st.integers(0, 99)))


@pytest.mark.parametrize("change", EVERY, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "uint8", "int16"])
@pytest.mark.parametrize("shape", SHAPES)
def test_dtype_range_and_seeds(change: Any, dtype: str, shape: tuple[int, ...]) -> None:
    x = pictures(shape, dtype)
    before = x.copy()
    out = change(x, 7)
    assert (out.dtype, out.ndim, len(out)) == (x.dtype, x.ndim, len(x))
    assert out.shape[3:] == x.shape[3:]
    assert out.min() >= min(x.min(), 0)
    assert out.max() <= max(x.max(), 1)
    np.testing.assert_array_equal(x, before)
    assert not np.shares_memory(out, x)
    np.testing.assert_array_equal(out, change(x, np.random.default_rng(7)))


@pytest.mark.parametrize(
    "change", [RandomShift(2), RandomFlip(), RandomRotation(30.0), RandomCrop(4)], ids=str
)
def test_seeds_and_images_differ(change: Any) -> None:
    x = np.repeat(pictures((1, 6, 6, 1), "float64"), 20, axis=0)
    out = change(x, 1)
    assert not np.array_equal(out, change(x, 2))
    assert len(np.unique(out, axis=0)) > 1


@given(images(), st.sampled_from(["horizontal", "vertical", "both"]))
def test_flipping_twice_changes_nothing(x: Images, direction: Any) -> None:
    flip = RandomFlip(direction, p=1.0)
    np.testing.assert_array_equal(flip(flip(x)), x)


@given(images(), st.sampled_from([0.0, 3.0, "edge"]))
def test_changes_of_nothing(x: Images, fill: Any) -> None:
    same = [RandomShift(0, fill), RandomRotation(0.0, fill), RandomFlip(p=0.0)]
    for change in (*same, RandomCrop((x.shape[1], x.shape[2]), fill=fill)):
        np.testing.assert_array_equal(change(x), x)


@given(images(), st.integers(-5, 5))
def test_turns_by_a_right_angle_are_exact(x: Images, quarters: int) -> None:
    height, width = x.shape[1:3]
    if quarters % 2:
        x = x[:, : min(height, width), : min(height, width)]
    turn = RandomRotation((90.0 * quarters, 90.0 * quarters))
    np.testing.assert_array_equal(turn(x), np.rot90(x, quarters, axes=(1, 2)))


def test_a_turn_is_counterclockwise_between_the_pixels() -> None:
    x = np.zeros((1, 3, 3))
    x[0, 1, 2] = 1.0  # right of the centre
    half = math.sqrt(0.5)
    out = RandomRotation((45.0, 45.0))(x)[0]
    # The pixel above right of the centre looks at sqrt(2) to the right, past the bright one.
    assert out[0, 2] == pytest.approx(2.0 - math.sqrt(2.0))
    assert out[0, 1] == pytest.approx(half * (1 - half))
    assert out[2, 2] == pytest.approx(0.0)


def test_a_turned_constant_stays_constant_with_the_edge_as_fill() -> None:
    x = np.full((4, 5, 6, 2), 0.7)
    np.testing.assert_allclose(RandomRotation(180.0, fill="edge")(x, 0), x, rtol=1e-15)
    assert RandomRotation(180.0, fill=0.0)(x, 0).min() == 0.0


def test_rounding_never_leaves_the_range() -> None:
    white = np.ones((200, 9, 9), np.float32)
    out = RandomRotation(180.0, fill="edge")(white, 0)
    assert out.max() == 1.0
    assert out.min() > 1.0 - 1e-6


@given(images(), st.integers(0, 3), st.integers(0, 3), st.integers(0, 50))
@settings(max_examples=50)
def test_a_shift_moves_by_at_most_so_much(x: Images, down: int, across: int, seed: int) -> None:
    out = RandomShift((down, across), fill=0)(x, seed)
    pad = [(0, 0), (down, down), (across, across), *[(0, 0)] * (x.ndim - 3)]
    wide = np.pad(x, pad)
    height, width = x.shape[1:3]
    for n in range(len(x)):
        windows = (
            wide[n, a : a + height, b : b + width]
            for a in range(2 * down + 1)
            for b in range(2 * across + 1)
        )
        assert any(np.array_equal(out[n], window) for window in windows)


def test_shifts_are_drawn_evenly() -> None:
    x = np.zeros((3000, 5, 1))
    x[:, 2] = 1.0
    counts = RandomShift((2, 0))(x, 0).sum(axis=0)[:, 0]
    assert counts.sum() == 3000
    assert abs(counts - 600).max() < 110  # five standard deviations


def test_shifted_edges_are_repeated() -> None:
    x = np.arange(3.0).reshape(1, 1, 3)
    seen = {tuple(RandomShift((0, 1), fill="edge")(x, seed)[0, 0]) for seed in range(30)}
    assert seen == {(0, 0, 1), (0, 1, 2), (1, 2, 2)}
    seen = {tuple(RandomShift((0, 1), fill=9)(x, seed)[0, 0]) for seed in range(30)}
    assert seen == {(9, 0, 1), (0, 1, 2), (1, 2, 9)}


def test_crops_are_windows_and_reach_every_place() -> None:
    x = np.arange(9.0).reshape(1, 3, 3)
    seen = {tuple(RandomCrop(2)(x, seed)[0].ravel()) for seed in range(100)}
    assert seen == {(0, 1, 3, 4), (1, 2, 4, 5), (3, 4, 6, 7), (4, 5, 7, 8)}
    padded = {tuple(RandomCrop(3, padding=1, fill=-1)(x, seed)[0].ravel()) for seed in range(300)}
    assert len(padded) == 9
    assert (-1, -1, -1, -1, 0, 1, -1, 3, 4) in padded


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_flips_come_as_often_as_asked(p: float) -> None:
    x = np.tile([[[0.0, 1.0]]], (2000, 1, 1))
    flipped = (RandomFlip(p=p)(x, 0)[:, 0, 0] == 1.0).mean()
    assert abs(flipped - p) < 0.06


def test_both_directions_are_decided_separately() -> None:
    x = np.tile([[[0, 1], [2, 3]]], (200, 1, 1))
    out = RandomFlip("both")(x, 0)
    assert {tuple(image.ravel()) for image in out} == {
        (0, 1, 2, 3), (1, 0, 3, 2), (2, 3, 0, 1), (3, 2, 1, 0)
    }  # fmt: skip


def test_composed_is_one_after_the_other() -> None:
    x = pictures((3, 4, 4), "float64")
    rng = np.random.default_rng(5)
    expected = RandomShift(1)(RandomFlip()(x, rng), rng)
    np.testing.assert_array_equal(Compose([RandomFlip(), RandomShift(1)])(x, 5), expected)


def test_a_loader_changes_each_epoch_anew_and_leaves_labels() -> None:
    x, y = pictures((8, 6, 6, 1), "uint8"), np.arange(8)
    loader = Loader((x, y), 4, seed=0, shuffle=False, transform=RandomShift(3))
    epochs = [list(loader) for _ in range(2)]
    for batches in epochs:
        np.testing.assert_array_equal(np.concatenate([yb for _, yb in batches]), y)
    assert not np.array_equal(epochs[0][0][0], epochs[1][0][0])


@pytest.mark.parametrize("change", EVERY[:-1], ids=str)
def test_what_is_no_batch_of_images_is_refused(change: Any) -> None:
    with pytest.raises(ValueError, match=r"\(N, H, W, C\) or \(N, H, W\), got \(3, 784\); reshape"):
        change(np.zeros((3, 784)))
    with pytest.raises(TypeError, match="images: expected real numbers, got bool"):
        change(np.zeros((3, 8, 8), bool))


@pytest.mark.parametrize("fill", [0.5, -1, 256])
def test_a_fill_that_the_dtype_cannot_hold_is_refused(fill: float) -> None:
    x = np.zeros((20, 6, 6), np.uint8)
    for change in (RandomShift(3, fill), RandomRotation(40, fill), RandomCrop(6, 2, fill)):
        with pytest.raises(ValueError, match=r"fill: expected a number that uint8 images hold"):
            change(x, 0)
    with pytest.raises(ValueError, match=r"that float16 images hold, got 1000000\.0"):
        RandomShift(3, 1e6)(x.astype(np.float16), 0)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: RandomShift(-1), ValueError, "most: expected an integer of at least 0"),
        (lambda: RandomShift(0.5), TypeError, "most: expected an integer"),
        (lambda: RandomShift((1, 2, 3)), ValueError, "most: expected a number or a pair"),
        (lambda: RandomShift(1, math.nan), ValueError, "fill: expected a finite number or 'edge'"),
        (lambda: RandomShift(1, "wrap"), ValueError, "fill: .*got 'wrap'"),
        (lambda: RandomFlip("sideways"), ValueError, "direction: .*'sideways'"),
        (lambda: RandomFlip(p=1.5), ValueError, "p: expected a probability"),
        (lambda: RandomCrop(0), ValueError, "size: expected an integer of at least 1"),
        (lambda: RandomCrop(3, padding=-1), ValueError, "padding: expected an integer"),
        (lambda: RandomRotation(-5), ValueError, "degrees: expected a finite number"),
        (lambda: RandomRotation((5, -5)), ValueError, "degrees: .*swap them"),
        (lambda: RandomRotation((0, math.inf)), ValueError, "degrees: expected two finite"),
        (lambda: Compose([]), ValueError, "transforms: expected at least one"),
        (lambda: Compose(RandomFlip()), TypeError, "put them into a list"),
        (lambda: Compose([3]), TypeError, "transforms: expected a list of callables"),
        (lambda: Compose([RandomFlip]), TypeError, r"got the class RandomFlip; .*RandomFlip\(\)"),
        (lambda: Compose([lambda x: x]), TypeError, r"transform: expected a callable \(x, rng\)"),
        (lambda: RandomShift(1, np.zeros(3)), ValueError, "fill: expected a finite number or"),
        (lambda: RandomRotation(("a", 2)), TypeError, "degrees: expected two finite numbers"),
    ],
)
def test_senseless_arguments_are_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_a_window_larger_than_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="fits into images of 4x6 with padding 1, got 7x7"):
        RandomCrop(7, padding=1)(np.zeros((1, 4, 6)))


def test_a_pixel_that_is_no_number_stays_with_its_neighbours() -> None:
    x = pictures((2, 9, 9), "float32")
    spoilt = x.copy()
    spoilt[0, 4, 4] = np.nan
    for fill in (0.0, "edge"):
        change = RandomRotation(20, fill)
        clean, out = change(x, 0), change(spoilt, 0)
        np.testing.assert_array_equal(out[1], clean[1])
        assert 1 <= np.isnan(out[0]).sum() <= 9
        np.testing.assert_allclose(out[0][~np.isnan(out[0])], clean[0][~np.isnan(out[0])], 1e-6)


def test_pairs_may_be_lists() -> None:
    x = pictures((3, 6, 7, 1), "uint8")
    for one, other in (
        (RandomShift([1, 2]), RandomShift((1, 2))),  # type: ignore[arg-type]
        (RandomCrop([4, 3]), RandomCrop((4, 3))),  # type: ignore[arg-type]
        (RandomRotation([-5, 9]), RandomRotation((-5, 9))),  # type: ignore[arg-type]
    ):
        np.testing.assert_array_equal(one(x, 1), other(x, 1))
