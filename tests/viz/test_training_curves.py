"""Training curves: what the panels hold, and which histories are refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pellucid.viz import training_curves
from viz.pictures import assert_nothing_is_cut_off, legend_texts

HISTORY = {
    "loss": [1.0, 0.5, 0.3, 0.2],
    "val_loss": [1.1, 0.6, 0.5, 0.7],
    "accuracy": [0.5, 0.7, 0.8, 0.9],
    "val_accuracy": [0.4, 0.6, 0.7, 0.7],
    "lr": [0.1, 0.1, 0.01, 0.001],
}


def panel(figure, label):
    (found,) = [axes for axes in figure.axes if axes.get_ylabel() == label]
    return found


def values(line):
    return np.asarray(line.get_ydata(), dtype=float)


def ticks(axis):
    """Return the ticks of an axis that fall inside its limits."""
    low, high = axis.get_view_interval()
    return [tick for tick in axis.get_ticklocs() if low <= tick <= high]


def test_one_panel_a_metric_with_training_and_validation_together():
    figure = training_curves(HISTORY)
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == ["Loss", "Accuracy", "Learning rate"]
    assert {axes.get_xlabel() for axes in figure.axes} == {"Epoch"}
    for label, name in [("Loss", "loss"), ("Accuracy", "accuracy")]:
        train, validation = panel(figure, label).lines[:2]
        np.testing.assert_array_equal(values(train), HISTORY[name])
        np.testing.assert_array_equal(values(validation), HISTORY["val_" + name])
    np.testing.assert_array_equal(train.get_xdata(), [1, 2, 3, 4])


def test_training_and_validation_differ_in_more_than_colour():
    train, validation = panel(training_curves(HISTORY), "Loss").lines[:2]
    assert train.get_linestyle() != validation.get_linestyle()
    assert train.get_marker() != validation.get_marker()


def test_one_legend_names_what_is_drawn():
    assert legend_texts(training_curves(HISTORY)) == ["training", "validation", "best epoch (3)"]
    assert legend_texts(training_curves({"loss": [1.0, 0.5]})) == []


def test_the_best_epoch_is_marked_in_every_panel():
    for axes in training_curves(HISTORY).axes:
        assert list(axes.lines[-1].get_xdata()) == [3, 3]


def test_without_validation_loss_no_epoch_is_best():
    history = {"loss": [1.0, 0.5], "accuracy": [0.2, 0.4], "val_accuracy": [0.1, 0.3]}
    assert legend_texts(training_curves(history)) == ["training", "validation"]


def test_a_metric_of_validation_alone_has_a_panel():
    figure = training_curves({"loss": [1.0, 0.5], "val_f1": [0.2, 0.4]})
    np.testing.assert_array_equal(values(panel(figure, "F1").lines[0]), [0.2, 0.4])


@pytest.mark.parametrize("epochs", [1, 2, 5, 37, 200])
def test_epochs_are_whole_numbers_on_the_axis(epochs):
    axes = training_curves({"loss": np.linspace(2.0, 1.0, epochs)}).axes[0]
    shown = ticks(axes.xaxis)
    assert shown
    assert all(tick == round(tick) and 1 <= tick <= epochs for tick in shown)


def test_a_single_epoch_is_visible():
    train, validation = training_curves({"loss": [1.0], "val_loss": [2.0]}).axes[0].lines[:2]
    for line in (train, validation):
        assert line.get_marker() not in ("", "None")
        assert 0 in line.get_markevery()


def test_epochs_that_are_not_finite_leave_a_gap_and_a_cross():
    figure = training_curves({"loss": [3.0, math.nan, 2.0, math.inf, 1.0]})
    line, crosses = figure.axes[0].lines
    np.testing.assert_array_equal(values(line), [3.0, math.nan, 2.0, math.nan, 1.0])
    assert list(crosses.get_xdata()) == [2, 4]
    assert "not finite" in legend_texts(figure)


def test_an_epoch_between_two_gaps_has_a_marker():
    loss = np.ones(100)
    loss[[49, 51]] = np.nan  # epoch 51 stands alone, where a long curve might have no marker
    assert 50 in training_curves({"loss": loss}).axes[0].lines[0].get_markevery()


def test_nan_is_never_the_best_epoch():
    history = {"loss": [1.0, 1.0, 1.0], "val_loss": [math.nan, 2.0, -math.inf]}
    assert "best epoch (2)" in legend_texts(training_curves(history))
    history["val_loss"] = [math.nan] * 3
    assert not any("best" in text for text in legend_texts(training_curves(history)))


def test_a_wide_range_of_learning_rates_has_a_logarithmic_axis():
    assert panel(training_curves(HISTORY), "Learning rate").get_yscale() == "log"
    constant = training_curves({"lr": [0.1, 0.1, 0.09]})
    assert constant.axes[0].get_yscale() == "linear"
    with_zero = training_curves({"lr": [0.1, 0.01, 0.0]})
    assert with_zero.axes[0].get_yscale() == "linear"


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_every_number_of_metrics_fits(count):
    figure = training_curves({f"metric_{index}": [1.0, 2.0] for index in range(count)})
    assert len(figure.axes) == count
    assert_nothing_is_cut_off(figure)


def test_a_dollar_sign_in_a_name_is_no_formula():
    figure = training_curves({"a $ b $ c": [1.0, 2.0]})
    figure.draw_without_rendering()
    assert figure.axes[0].get_ylabel() == r"A \$ b \$ c"


def test_one_panel_is_drawn_onto_the_axes_given(axes):
    assert training_curves({"loss": [1.0, 0.5], "val_loss": [1.0, 0.6]}, ax=axes) is axes.figure
    assert len(axes.figure.axes) == 2
    assert axes.get_ylabel() == "Loss"


def test_several_panels_share_the_place_of_the_axes_given(axes):
    figure = training_curves(HISTORY, ax=axes)
    figure.draw_without_rendering()
    assert figure is axes.figure
    assert not axes.axison
    assert len(figure.axes) == 2 + 3
    half = figure.axes[0].get_position().x1
    assert all(added.get_position().x0 > half for added in figure.axes[2:])


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ({}, "expected at least one name .* train for an epoch"),
        ({"loss": []}, r"got shapes \{'loss': \(0,\)\}"),
        ({"loss": 0.5}, r"got shapes \{'loss': \(\)\}"),
        ({"loss": [[1.0], [2.0]]}, r"got shapes \{'loss': \(2, 1\)\}"),
        ({"loss": [1.0, 2.0], "val_loss": [1.0]}, "'loss': 2, 'val_loss': 1.* put NaN"),
    ],
)
def test_bad_histories_are_refused(history, message):
    with pytest.raises(ValueError, match=f"history: .*{message}"):
        training_curves(history)
