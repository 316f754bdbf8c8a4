"""The decision boundary: regions, confidence, points, and what is asked of the classifier."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.figures import style
from pellucid.viz import decision_boundary, regression_surface
from viz.pictures import assert_nothing_is_cut_off, legend_texts

X = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
Y = np.array([0, 0, 1, 1])


def left_or_right(points):
    """Class 1 on the right, surer farther out."""
    return 1 / (1 + np.exp(-3.0 * points[:, 0]))


def quadrants(points):
    right, up = left_or_right(points), left_or_right(points[:, ::-1])
    return np.stack([(1 - right) * (1 - up), right * (1 - up), (1 - right) * up, right * up], 1)


def regions(figure):
    """Return the coloured picture (r, r, 3), its first row at the bottom."""
    return np.asarray(figure.axes[0].images[0].get_array())


def nearest(colour):
    """Return the class whose colour this is a tint of."""
    from matplotlib.colors import to_rgb

    tints = 1 - np.array([to_rgb(one) for one in style.CLASS_COLOURS])
    dark = 1 - np.asarray(colour)
    return int((tints @ dark / np.linalg.norm(tints, axis=1)).argmax())


def test_the_classifier_is_asked_once_for_a_grid_of_float32():
    asked = []

    def predict(points):
        asked.append(points)
        return left_or_right(points)

    decision_boundary(predict, X, Y, resolution=30)
    (points,) = asked
    assert (points.shape, points.dtype) == ((900, 2), np.float32)
    assert (points.min(axis=0) < X.min(axis=0)).all()
    assert (points.max(axis=0) > X.max(axis=0)).all()


def test_each_region_has_the_colour_of_its_class():
    picture = regions(decision_boundary(quadrants, X, [0, 2, 1, 3], resolution=40))
    corners = [picture[0, 0], picture[0, -1], picture[-1, 0], picture[-1, -1]]
    assert [nearest(corner) for corner in corners] == [0, 1, 2, 3]


def test_the_picture_lies_where_the_points_lie():
    axes = decision_boundary(quadrants, X, [0, 2, 1, 3]).axes[0]
    left, right, bottom, top = axes.images[0].get_extent()
    assert axes.images[0].origin == "lower"
    assert left < -1 < 1 < right
    assert bottom < -1 < 1 < top


def test_confidence_is_a_stronger_colour():
    row = regions(decision_boundary(left_or_right, X, Y, resolution=41))[20]
    strength = 1 - row.min(axis=1)
    assert strength[0] > strength[10] > strength[19]
    assert strength[-1] > strength[30] > strength[21]


@pytest.mark.parametrize(
    "predict",
    [
        left_or_right,
        lambda points: left_or_right(points)[:, None],
        lambda points: np.stack([1 - left_or_right(points), left_or_right(points)], axis=1),
    ],
)
def test_every_form_of_answer_gives_the_same_picture(predict):
    expected = regions(decision_boundary(left_or_right, X, Y, resolution=20))
    np.testing.assert_allclose(regions(decision_boundary(predict, X, Y, resolution=20)), expected)


def test_the_border_runs_where_the_classes_tie():
    from matplotlib.contour import ContourSet

    (border,) = decision_boundary(left_or_right, X, Y).axes[0].findobj(ContourSet)
    vertices = np.concatenate([path.vertices for path in border.get_paths()])
    np.testing.assert_allclose(vertices[:, 0], 0.0, atol=0.02)


def test_a_classifier_of_one_opinion_has_no_border():
    from matplotlib.contour import ContourSet

    figure = decision_boundary(lambda points: np.full(len(points), 0.9), X, Y)
    assert figure.findobj(ContourSet) == []
    assert nearest(regions(figure)[0, 0]) == 1


def test_points_have_a_marker_a_class_and_a_name():
    figure = decision_boundary(left_or_right, X, Y, ["left", "right"])
    first, second = figure.axes[0].lines
    np.testing.assert_array_equal(first.get_xydata(), X[:2])
    np.testing.assert_array_equal(second.get_xydata(), X[2:])
    assert first.get_marker() != second.get_marker()
    assert legend_texts(figure) == ["left", "right"]


def test_a_name_that_starts_with_an_underscore_is_in_the_legend():
    assert legend_texts(decision_boundary(left_or_right, X, Y, ["_a", "$b$"])) == ["_a", r"\$b\$"]


@pytest.mark.parametrize("classes", [2, 7, 12, 20])
def test_every_number_of_classes_fits(classes):
    def predict(points):
        return np.full((len(points), classes), 1 / classes)

    points = np.random.default_rng(0).normal(size=(classes, 2))
    names = [f"a class called {index}" for index in range(classes)]
    figure = decision_boundary(predict, points, np.arange(classes), names, resolution=5)
    assert_nothing_is_cut_off(figure)
    looks = {(line.get_marker(), line.get_color()) for line in figure.axes[0].lines}
    assert len(looks) == classes


def test_a_single_point_still_has_a_neighbourhood():
    figure = decision_boundary(left_or_right, X[:1], Y[:1])
    left, right, bottom, top = figure.axes[0].images[0].get_extent()
    assert right > left
    assert top > bottom


def test_it_is_drawn_onto_the_axes_given(axes):
    assert decision_boundary(left_or_right, X, Y, ax=axes) is axes.figure
    assert len(axes.images) == 1
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x1", "x2")


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"x": np.ones((4, 3))}, ValueError, r"x: .*got \(4, 3\); choose two columns"),
        ({"x": np.ones(4)}, ValueError, r"x: .*got \(4,\)"),
        ({"x": np.ones((0, 2))}, ValueError, r"x: .*got \(0, 2\)"),
        ({"x": X * np.nan}, ValueError, "x: expected finite"),
        ({"y": Y[:3]}, ValueError, "y: expected 4 labels"),
        ({"y": [0, 1, 2, 1]}, ValueError, "y: expected labels from 0 to 1"),
        ({"y": [-1, 1, 1, 1]}, ValueError, "number the classes from 0"),
        ({"class_names": ["a"]}, ValueError, "class_names: expected 2 names"),
        ({"resolution": 1}, ValueError, "resolution: expected at least 2"),
        ({"predict": lambda p: p[:, 0] * 9}, ValueError, "predict: .*sigmoid first"),
        ({"predict": lambda p: left_or_right(p)[:9]}, ValueError, r"predict: .*got \(9,\)"),
    ],
)
def test_bad_input_is_refused(changed, error, message):
    arguments = {"predict": left_or_right, "x": X, "y": Y, "resolution": 10} | changed
    with pytest.raises(error, match=message):
        decision_boundary(**arguments)


def test_estimators_of_scikit_learn_are_asked_as_they_are():
    linear = pytest.importorskip("sklearn.linear_model")
    svm = pytest.importorskip("sklearn.svm")
    x = np.random.default_rng(0).normal(size=(60, 2))
    y = (x[:, 0] > 0).astype(int)
    classifier = linear.LogisticRegression().fit(x, y)
    asked, function = (
        regions(decision_boundary(p, x, y, resolution=9))
        for p in (classifier, classifier.predict_proba)
    )
    np.testing.assert_array_equal(asked, function)
    sure = decision_boundary(svm.SVC().fit(x, y), x, y, resolution=9)  # classes alone
    assert len(np.unique(regions(sure).reshape(-1, 3), axis=0)) == 2
    line = linear.LinearRegression().fit(x, x[:, 1])
    for picture in (decision_boundary, regression_surface):
        assert regions(picture(line, x, x[:, 1], resolution=9)).shape == (9, 9)


def test_what_cannot_be_asked_is_refused():
    for picture in (decision_boundary, regression_surface):
        with pytest.raises(
            TypeError, match="expected a Model, an estimator with predict, or a fun"
        ):
            picture(3, np.zeros((2, 2)), np.array([0, 1]))
