"""ROC, precision-recall and calibration: what is drawn agrees with the metrics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pellucid.train import metrics
from pellucid.viz import calibration_curve, precision_recall_curve, roc_curve
from viz.pictures import assert_nothing_is_cut_off, legend_texts

RNG = np.random.default_rng(3)
Y = RNG.integers(0, 2, 60)
SCORES = Y * 0.5 + RNG.random(60)
LABELS = RNG.integers(0, 4, 80)
CHANCES = RNG.dirichlet(np.ones(4), 80)
CURVES = [roc_curve, precision_recall_curve]


def points(line):
    return np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)


def test_the_curve_is_that_of_the_metric():
    line, chance = roc_curve(Y, SCORES).axes[0].lines
    curve = metrics.roc_curve(Y, SCORES)
    np.testing.assert_array_equal(points(line), (curve.fpr, curve.tpr))
    np.testing.assert_array_equal(points(chance), ([0, 1], [0, 1]))
    line, guess = precision_recall_curve(Y, SCORES).axes[0].lines
    drawn = metrics.precision_recall_curve(Y, SCORES)
    np.testing.assert_array_equal(points(line), (drawn.recall, drawn.precision))
    assert set(guess.get_ydata()) == {Y.mean()}


def test_the_legend_tells_the_area():
    assert legend_texts(roc_curve(Y, SCORES)) == [
        f"AUC {metrics.roc_auc(Y, SCORES):.3f}", "chance"
    ]  # fmt: skip
    told = legend_texts(precision_recall_curve(Y, SCORES, ["no", "yes"]))
    assert told[0] == f"yes, AP {metrics.average_precision(Y, SCORES):.3f}"
    assert told[1].startswith("guessing (")


@pytest.mark.parametrize("draw", CURVES)
@pytest.mark.parametrize("shape", [(60,), (60, 1), (60, 2)])
def test_two_classes_in_every_shape_are_one_curve(draw, shape):
    given = np.stack([1 - SCORES, SCORES], 1) if shape == (60, 2) else SCORES.reshape(shape)
    drawn = draw(Y, given).axes[0].lines[0]
    np.testing.assert_array_equal(points(drawn), points(draw(Y, SCORES).axes[0].lines[0]))


@pytest.mark.parametrize("draw", CURVES)
def test_several_classes_have_a_curve_each_that_differs_in_more_than_colour(draw):
    figure = draw(LABELS, CHANCES, ["a", "b", "$c", "<d>"])
    lines = figure.axes[0].lines[:4]
    assert len({line.get_marker() for line in lines}) == 4
    assert [text.split(",")[0] for text in legend_texts(figure)[:4]] == ["a", "b", r"\$c", "<d>"]
    assert_nothing_is_cut_off(figure)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_every_number_of_classes_fits(classes):
    labels = np.arange(5 * classes) % classes
    chances = np.random.default_rng(0).dirichlet(np.ones(classes), len(labels))
    for draw in (*CURVES, calibration_curve):
        assert_nothing_is_cut_off(draw(labels, chances))


@pytest.mark.parametrize("draw", [*CURVES, calibration_curve])
def test_axes_given_are_drawn_on_and_inputs_kept(draw, axes):
    before = Y.copy(), CHANCES.copy()
    assert draw(LABELS, CHANCES, ax=axes) is axes.figure
    assert axes.lines
    assert len(axes.figure.axes) == 2
    np.testing.assert_array_equal(before[0], Y)
    np.testing.assert_array_equal(before[1], CHANCES)


@pytest.mark.parametrize(
    ("y", "scores", "error", "message"),
    [
        ([0, 1], [0.1, 0.2, 0.3], ValueError, "one score a row"),
        ([0, 1], [[[0.1]], [[0.2]]], ValueError, "one score a row"),
        ([0, 2], [0.1, 0.2], ValueError, "labels from 0 to 1"),
        ([0.5, 1.0], [0.1, 0.2], TypeError, "integers|whole"),
        ([0, 1], [0.1, np.nan], ValueError, "NaN"),
    ],
)
@pytest.mark.parametrize("draw", CURVES)
def test_bad_scores_are_refused(draw, y, scores, error, message):
    with pytest.raises(error, match=message):
        draw(y, scores)


def test_points_of_calibration_are_means_of_their_bins():
    said = np.array([0.05, 0.15, 0.55, 0.58, 0.95, 1.0])
    true = np.array([0, 0, 1, 0, 1, 1])
    figure = calibration_curve(true, said, bins=10)
    ideal, line = figure.axes[0].lines
    x, y = points(line)
    np.testing.assert_allclose(x, [0.05, 0.15, 0.565, 0.975])
    np.testing.assert_allclose(y, [0.0, 0.0, 0.5, 1.0])
    error = (0.05 + 0.15 + 2 * 0.065 + 2 * 0.025) / 6
    assert f"calibration error {error:.3f}" in legend_texts(figure)[0]
    assert len(figure.axes[0].patches) == 10
    np.testing.assert_array_equal(points(ideal), ([0, 1], [0, 1]))


@settings(max_examples=20, deadline=None)
@given(said=arrays(float, 30, elements=st.floats(0, 1)), bins=st.integers(1, 12))
def test_calibration_counts_every_row_once(said, bins):
    figure = calibration_curve(np.arange(30) % 2, said, bins)
    heights = np.array([bar.get_height() for bar in figure.axes[0].patches])
    most = int(legend_texts(figure)[2].split(": ")[1].rstrip(")"))
    assert heights.sum() / 0.15 * most == pytest.approx(30)


def test_calibration_of_several_classes_is_of_the_predicted_one():
    figure = calibration_curve(CHANCES.argmax(1), CHANCES)
    assert figure.axes[0].get_ylabel() == "Share right"
    assert set(points(figure.axes[0].lines[1])[1]) == {1.0}


@pytest.mark.parametrize("bins", [0, -1, 2.0, True])
def test_bins_are_counted(bins):
    with pytest.raises(ValueError, match="bins: expected a whole number of at least 1"):
        calibration_curve(Y, SCORES.clip(0, 1), bins)
