"""Sample predictions: which images are drawn, in what order, and how right and wrong are told."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.viz import predictions
from viz.pictures import assert_apart, assert_nothing_is_cut_off

IMAGES = np.linspace(0, 1, 4 * 5 * 6).reshape(4, 5, 6)
TRUE = [0, 1, 1, 0]
CHANCES = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.05, 0.95]])  # rows 1 and 3 are wrong


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def pixels(axes):
    return np.asarray(axes.images[0].get_array())


def frame(axes):
    (patch,) = axes.patches
    return patch


def test_the_surest_mistakes_come_first():
    assert titles(predictions(IMAGES, TRUE, CHANCES)) == [
        "✗ 1 (95.0%)\ntrue: 0",
        "✗ 0 (60.0%)\ntrue: 1",
        "✓ 0 (90.0%)\ntrue: 0",
        "✓ 1 (80.0%)\ntrue: 1",
    ]


def test_without_wrong_first_the_order_is_kept():
    figure = predictions(IMAGES, TRUE, CHANCES, wrong_first=False, count=3)
    assert [title[0] for title in titles(figure)] == ["✓", "✗", "✓"]
    for axes, image in zip(figure.axes, IMAGES, strict=False):
        np.testing.assert_allclose(pixels(axes), image)


def test_the_image_belongs_to_its_caption():
    first, second, *_ = predictions(IMAGES, TRUE, CHANCES).axes
    np.testing.assert_allclose(pixels(first), IMAGES[3])
    np.testing.assert_allclose(pixels(second), IMAGES[1])


def test_right_and_wrong_differ_in_more_than_colour():
    wrong, _, right, _ = (frame(axes) for axes in predictions(IMAGES, TRUE, CHANCES).axes)
    assert wrong.get_linestyle() != right.get_linestyle()
    assert wrong.get_linewidth() > right.get_linewidth()


def test_right_is_a_matter_of_class_and_not_of_name():
    figure = predictions(IMAGES, TRUE, CHANCES, class_names=["same", "same"])
    assert [title[0] for title in titles(figure)] == ["✗", "✗", "✓", "✓"]


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_the_probability_of_class_1_is_enough(shape):
    figure = predictions(IMAGES, TRUE, CHANCES[:, 1].reshape(shape), ["no", "yes"])
    assert titles(figure) == titles(predictions(IMAGES, TRUE, CHANCES, ["no", "yes"]))


@pytest.mark.parametrize(
    ("images", "image_shape", "shown"),
    [
        (IMAGES[..., np.newaxis], None, (5, 6)),
        (np.repeat(IMAGES[..., np.newaxis], 3, axis=3), None, (5, 6, 3)),
        (IMAGES.reshape(4, 30), (5, 6), (5, 6)),
        (IMAGES.reshape(4, 30), (5, 6, 1), (5, 6)),
        (IMAGES.reshape(4, 30), (2, 5, 3), (2, 5, 3)),
    ],
)
def test_images_in_every_shape(images, image_shape, shown):
    figure = predictions(images, TRUE, CHANCES, image_shape=image_shape, wrong_first=False)
    assert pixels(figure.axes[0]).shape == shown
    np.testing.assert_allclose(pixels(figure.axes[2]).ravel(), np.ravel(images[2]))


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ((IMAGES * 255).astype(np.uint8), np.floor(IMAGES * 255) / 255),
        (IMAGES * 16, IMAGES),
        (IMAGES * 4 - 2, IMAGES),
        (np.full((4, 5, 6), 7.0), np.zeros((4, 5, 6))),
        (IMAGES * 0.5, IMAGES * 0.5),
    ],
)
def test_every_range_is_shown_between_black_and_white(images, expected):
    figure = predictions(images, TRUE, CHANCES, wrong_first=False)
    for axes, image in zip(figure.axes, expected, strict=True):
        np.testing.assert_allclose(pixels(axes), image, atol=1e-12)
        assert axes.images[0].get_clim() == (0.0, 1.0)


@pytest.mark.parametrize(("count", "drawn"), [(1, 1), (3, 3), (5, 5), (16, 16), (40, 20)])
def test_as_many_as_asked_for_or_as_there_are(count, drawn):
    random = np.random.default_rng(0)
    chances = random.dirichlet(np.ones(10), 20)
    figure = predictions(
        random.random((20, 8, 8)), random.integers(0, 10, 20), chances, count=count
    )
    assert len(figure.axes) == drawn
    assert_nothing_is_cut_off(figure)


def test_long_names_are_cut_and_captions_stay_apart():
    names = ["a class name far too long to stand here", "wide WWWWWWWWWWWWWWWWW $x$"]
    figure = predictions(IMAGES, TRUE, CHANCES, names)
    assert_nothing_is_cut_off(figure)
    assert "…" in titles(figure)[0]
    assert_apart([axes._left_title for axes in figure.axes])


def test_they_share_the_place_of_the_axes_given(axes):
    figure = predictions(IMAGES, TRUE, CHANCES, ax=axes)
    assert figure is axes.figure
    assert len(figure.axes) == 2 + 4
    assert not axes.axison


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"images": IMAGES.reshape(4, 30)}, ValueError, "image_shape: .*got None"),
        ({"images": np.ones((4, 36))}, ValueError, r"image_shape=\(6, 6\)"),
        (
            {"images": IMAGES.reshape(4, 30), "image_shape": (5, 5)},
            ValueError,
            r"with 30 numbers, .* got \(5, 5\)",
        ),
        ({"images": np.ones((4, 3, 5, 6))}, ValueError, r"images: .*np.moveaxis\(images, 1, -1\)"),
        ({"images": np.ones((0, 5, 6))}, ValueError, "images: "),
        ({"images": IMAGES[:3]}, ValueError, r"probabilities: .*\(3, classes\).*got \(4, 2\)"),
        ({"y_true": TRUE[:3]}, ValueError, "y_true: expected 4 labels.* got 3"),
        ({"y_true": [0, 1, 2, 0]}, ValueError, "labels from 0 to 1, .* got 0 to 2"),
        ({"y_true": np.eye(2)[TRUE]}, ValueError, "argmax"),
        ({"y_true": [0.0, 1.0, 1.0, 0.0]}, TypeError, "expected integer labels"),
        ({"probabilities": CHANCES * 3 - 1}, ValueError, "softmax or sigmoid"),
        ({"probabilities": CHANCES / 2}, ValueError, "rows that sum to up to 0.5"),
        ({"probabilities": CHANCES * np.nan}, ValueError, "expected probabilities"),
        ({"class_names": ["a", "b", "c"]}, ValueError, "expected 2 names.* got 3"),
        ({"class_names": "ab"}, TypeError, "expected a list of names"),
        ({"count": 0}, ValueError, "count: expected at least 1"),
    ],
)
def test_bad_input_is_refused(changed, error, message):
    arguments = {"images": IMAGES, "y_true": TRUE, "probabilities": CHANCES} | changed
    with pytest.raises(error, match=message):
        predictions(**arguments)
