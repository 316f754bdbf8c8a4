"""Weights, filters, feature maps and attention as images."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import nn
from pellucid.figures import style
from pellucid.viz import attention_maps, feature_maps, state_maps, weight_images
from viz.pictures import assert_nothing_is_cut_off, texts

RNG = np.random.default_rng(0)
DENSE, CONV = RNG.normal(size=(6, 5)), RNG.normal(size=(3, 3, 2, 4))


def pictures(figure):
    return [np.asarray(ax.images[0].get_array()) for ax in figure.axes if ax.images]


def test_each_unit_of_a_dense_layer_is_an_image():
    drawn = pictures(weight_images(DENSE, (2, 3)))
    assert len(drawn) == 5
    for i, picture in enumerate(drawn):
        np.testing.assert_array_equal(picture, DENSE[:, i].reshape(2, 3))


def test_each_channel_of_a_filter_is_an_image():
    drawn = pictures(weight_images(CONV))
    assert len(drawn) == 8
    np.testing.assert_array_equal(drawn[0], CONV[:, :, 0, 0])
    np.testing.assert_array_equal(drawn[1], CONV[:, :, 1, 0])
    np.testing.assert_array_equal(drawn[-1], CONV[:, :, 1, 3])
    one = pictures(weight_images(CONV[:, :, :1]))
    np.testing.assert_array_equal(one[2], CONV[:, :, 0, 2])


def test_weights_share_a_scale_around_zero():
    figure = weight_images(CONV)
    limits = {ax.images[0].get_clim() for ax in figure.axes if ax.images}
    largest = np.abs(CONV).max()
    assert limits == {(-largest, largest)}


def test_the_sign_can_be_read_in_grey():
    greys = style.signed()(np.linspace(0, 1, 21))[:, :3] @ [0.299, 0.587, 0.114]
    assert (np.diff(greys) > 0).all()


def test_only_as_many_as_asked_for():
    assert len(pictures(weight_images(CONV, count=3))) == 3
    assert len(pictures(feature_maps(RNG.random((4, 4, 9)), count=2))) == 2


def test_weights_of_zero_can_be_drawn():
    assert len(pictures(weight_images(np.zeros((4, 2)), (2, 2)))) == 2


def test_feature_maps_are_the_channels_after_the_input():
    maps, image = RNG.random((1, 4, 5, 3)), RNG.normal(size=(4, 5, 1))
    drawn = pictures(feature_maps(maps, image))
    assert len(drawn) == 4
    assert (drawn[0].min(), drawn[0].max()) == (0.0, 1.0)
    for i in range(3):
        np.testing.assert_array_equal(drawn[1 + i], maps[0, :, :, i])


def test_feature_maps_of_a_network():
    net = nn.Sequential(nn.Conv2D(1, 4, 3, "relu"), nn.MaxPool2D(2), rng=0).eval()
    x = RNG.random((2, 8, 8, 1)).astype(np.float32)
    with nn.capture(net) as outputs:
        net(x)
    drawn = pictures(feature_maps(outputs["layers.1"].data[0], x[0]))
    assert [picture.shape for picture in drawn] == [(8, 8)] + [(3, 3)] * 4


def test_a_panel_a_head_with_named_steps():
    heads = RNG.dirichlet(np.ones(3), (2, 3))  # (heads, T, S)
    figure = attention_maps(heads[np.newaxis], ["the", "c$t", "sat"])
    np.testing.assert_array_equal(pictures(figure), heads)
    assert {"head 0", "head 1"} <= set(texts(figure))
    first = figure.axes[0]
    assert [label.get_text() for label in first.get_yticklabels()] == ["the", r"c\$t", "sat"]
    assert [label.get_text() for label in first.get_xticklabels()] == ["the", r"c\$t", "sat"]
    assert_nothing_is_cut_off(figure)


def test_keys_may_have_names_of_their_own():
    figure = attention_maps(np.full((2, 3), 1 / 3), ["a", "b"], ["x", "y", "z"])
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["x", "y", "z"]


def test_the_states_of_a_sequence_are_columns():
    states = RNG.normal(size=(1, 4, 7))
    figure = state_maps(states, ["a", "b", "c", "d"])
    image = figure.axes[0].images[0]
    np.testing.assert_array_equal(image.get_array(), states[0].T)
    assert image.get_clim() == (-np.abs(states).max(), np.abs(states).max())
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == list("abcd")
    assert_nothing_is_cut_off(figure)
    assert_nothing_is_cut_off(state_maps(np.zeros((60, 90))))


@pytest.mark.parametrize(("heads", "steps"), [(1, 2), (2, 30), (3, 5), (4, 12), (8, 6)])
def test_every_number_of_heads_fits(heads, steps):
    figure = attention_maps(np.full((heads, steps, steps), 1 / steps), ["word"] * steps)
    assert len(pictures(figure)) == heads
    assert_nothing_is_cut_off(figure)


@pytest.mark.parametrize(
    ("count", "shape"), [(1, (8, 8)), (5, (2, 20)), (32, (8, 8)), (9, (20, 2))]
)
def test_every_number_of_images_fits(count, shape):
    assert_nothing_is_cut_off(weight_images(RNG.normal(size=(np.prod(shape), count)), shape))


def test_axes_given_are_drawn_on(axes):
    weight_images(CONV, ax=axes)
    assert all(added.figure is axes.figure for added in axes.figure.axes)
    assert len(pictures(axes.figure)) == 8


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: weight_images(DENSE), "image_shape: expected .* with 6 numbers"),
        (lambda: weight_images(DENSE, (2, 2)), "image_shape: expected .* got \\(2, 2\\)"),
        (lambda: weight_images(np.zeros(3)), "weights: expected those of a dense layer"),
        (lambda: weight_images(CONV, count=0), "count: expected at least 1"),
        (lambda: weight_images(np.full((4, 1), np.nan), (2, 2)), "weights: expected finite"),
        (lambda: feature_maps(np.zeros((2, 4, 4, 3))), "outputs: expected the maps of one example"),
        (lambda: feature_maps(np.zeros((4, 4, 3)), np.zeros((4, 4, 2))), "image: expected"),
        (lambda: state_maps(np.zeros((2, 3, 4))), r"outputs: expected the states of one"),
        (lambda: state_maps(np.full((2, 3), np.inf)), "outputs: expected finite"),
        (lambda: state_maps(np.zeros((2, 3)), ["a"]), "tokens: expected 2 names"),
        (lambda: attention_maps(np.zeros(3)), r"weights: expected \(T, S\)"),
        (lambda: attention_maps(np.full((2, 2), 1.5)), "attention from 0 to 1"),
        (lambda: attention_maps(np.full((2, 2), np.nan)), "attention from 0 to 1"),
        (lambda: attention_maps(np.eye(2), ["a"]), "tokens: expected 2 names"),
        (lambda: attention_maps(np.ones((2, 3)) / 3, ["a", "b"]), "keys: expected 3 names"),
    ],
)
def test_bad_input_is_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_a_string_is_no_list_of_tokens():
    with pytest.raises(TypeError, match="tokens: expected a list of 2 names"):
        attention_maps(np.eye(2), "the cat")
