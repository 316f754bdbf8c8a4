"""The fit of a regression: a line for one input, agreement and residuals for more."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.viz import regression_fit
from viz.pictures import assert_nothing_is_cut_off, legend_texts

X = np.array([3.0, 1.0, 2.0])
TRUE = np.array([30.0, 10.0, 20.0])
PRED = np.array([33.0, 9.0, 20.0])


def points(axes):
    return np.asarray(axes.collections[0].get_offsets())


@pytest.mark.parametrize("x", [X, X[:, np.newaxis]])
def test_one_input_gives_points_and_a_line_from_left_to_right(x):
    (axes,) = regression_fit(x, TRUE, PRED).axes
    np.testing.assert_array_equal(points(axes), np.stack([X, TRUE], axis=1))
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[1, 9], [2, 20], [3, 33]])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")


def test_several_inputs_give_agreement_and_residuals():
    left, right = regression_fit(np.ones((3, 2)), TRUE, PRED).axes
    np.testing.assert_array_equal(points(left), np.stack([TRUE, PRED], axis=1))
    np.testing.assert_array_equal(points(right), np.stack([PRED, PRED - TRUE], axis=1))
    assert (left.get_xlabel(), left.get_ylabel()) == ("True value", "Predicted value")
    assert (right.get_xlabel(), right.get_ylabel()) == (
        "Predicted value",
        "Residual (predicted - true)",
    )


def test_the_diagonal_and_the_zero_line_are_those_of_a_perfect_fit():
    left, right = regression_fit(np.ones((3, 2)), TRUE, PRED).axes
    diagonal = left.lines[0].get_xydata()
    np.testing.assert_array_equal(diagonal[:, 0], diagonal[:, 1])
    assert diagonal.min() < 9
    assert diagonal.max() > 33
    assert left.get_xlim() == left.get_ylim()
    assert set(right.lines[0].get_ydata()) == {0.0}


@pytest.mark.parametrize("x", [X, np.ones((3, 2))])
def test_the_scores_are_named(x):
    (text,) = [text for text in legend_texts(regression_fit(x, TRUE, PRED)) if "R²" in text]
    assert text == "prediction, R² 0.950, RMSE 1.83"


@pytest.mark.parametrize("inputs", [1, 3])
def test_columns_of_one_output_are_taken(inputs):
    figure = regression_fit(np.ones((3, inputs)), TRUE[:, np.newaxis], PRED[:, np.newaxis])
    assert_nothing_is_cut_off(figure)


@pytest.mark.parametrize("x", [X, np.ones((3, 2))])
@pytest.mark.parametrize("wild", [np.nan, np.inf])
def test_a_diverged_model_is_drawn_without_a_warning(x, wild):
    figure = regression_fit(x, TRUE, [wild, 9.0, 20.0])
    figure.draw_without_rendering()
    regression_fit(x, TRUE, [wild] * 3).draw_without_rendering()


def test_a_single_row_is_visible():
    axes = regression_fit([1.0], [2.0], [3.0]).axes[0]
    assert axes.lines[0].get_marker() not in ("", "None")


def test_one_input_is_drawn_onto_the_axes_given(axes):
    assert regression_fit(X, TRUE, PRED, ax=axes) is axes.figure
    assert len(axes.lines) == 1


def test_two_panels_share_the_place_of_the_axes_given(axes):
    figure = regression_fit(np.ones((3, 2)), TRUE, PRED, ax=axes)
    assert len(figure.axes) == 2 + 2
    assert not axes.axison


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"y_pred": PRED[:, np.newaxis]}, ValueError, "expected the shape of y_true"),
        ({"y_pred": PRED[:2]}, ValueError, "expected the shape of y_true"),
        ({"x": X[:2]}, ValueError, r"x: expected inputs of shape \(3,\) .* got \(2,\)"),
        ({"x": np.ones((3, 4, 4))}, ValueError, r"x: .*got \(3, 4, 4\)"),
        ({"x": 1.0}, ValueError, r"x: .*got \(\)"),
        (
            {"y_true": np.ones((3, 2)), "y_pred": np.ones((3, 2))},
            ValueError,
            "one output at a time",
        ),
        ({"y_true": [], "y_pred": []}, ValueError, "n of at least 1"),
        ({"y_true": ["a", "b", "c"]}, TypeError, "expected real numbers"),
    ],
)
def test_bad_input_is_refused(changed, error, message):
    with pytest.raises(error, match=message):
        regression_fit(**({"x": X, "y_true": TRUE, "y_pred": PRED} | changed))


@pytest.mark.parametrize("size", [1e4, 1e30])
@pytest.mark.parametrize("features", [1, 2])
def test_a_diverged_prediction_fits_as_well(size, features):
    x = np.linspace(-1, 1, 20)
    figure = regression_fit(np.stack([x] * features, 1), x, size * x)
    assert_nothing_is_cut_off(figure)
    assert all(len(text) < 60 for text in legend_texts(figure))
