"""The drawn confusion matrix: the text in its cells, its labels, and whether they can be read."""

from __future__ import annotations

import string

import numpy as np
import pytest
from sklearn import metrics as oracle

from pellucid.viz import confusion_matrix
from viz.pictures import assert_apart, assert_nothing_is_cut_off


def classified(classes, rows=3000, right=0.8, seed=0):
    random = np.random.default_rng(seed)
    true = random.integers(0, classes, rows)
    pred = np.where(random.random(rows) < right, true, random.integers(0, classes, rows))
    return true, pred


def cells(figure):
    """Return the text of each cell by (row, column)."""
    return {
        (round(text.get_position()[1]), round(text.get_position()[0])): text.get_text()
        for text in figure.axes[0].texts
    }


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_cells_hold_counts_and_rates_of_the_true_class(classes):
    true, pred = classified(classes)
    found = cells(confusion_matrix(true, pred))
    counts = oracle.confusion_matrix(true, pred)
    for place, count in np.ndenumerate(counts):
        rate = count / counts[place[0]].sum()
        assert found[place] == f"{count}\n{rate:.1%}"


def test_without_normalize_cells_hold_counts_alone():
    true, pred = classified(3)
    counts = oracle.confusion_matrix(true, pred)
    found = cells(confusion_matrix(true, pred, normalize=False))
    assert found == {place: str(count) for place, count in np.ndenumerate(counts)}


def test_rows_are_the_truth():
    figure = confusion_matrix([0, 0, 0], [1, 1, 0], ["no", "yes"])
    assert figure.axes[0].get_xlabel() == "Predicted class"
    assert figure.axes[0].get_ylabel() == "True class"
    assert cells(figure) == {(0, 0): "1\n33.3%", (0, 1): "2\n66.7%", (1, 0): "0", (1, 1): "0"}


def test_only_all_rows_read_100_percent():
    true = np.zeros(10_000, int)
    pred = np.array([1] + [0] * 9_999)
    assert cells(confusion_matrix(true, pred, ["a", "b"]))[0, 0] == "9999\n99.9%"
    assert cells(confusion_matrix(true, pred, ["a", "b"]))[0, 1] == "1\n0.1%"
    assert cells(confusion_matrix([0, 1], [0, 1]))[1, 1] == "1\n100%"


def test_many_classes_leave_empty_cells_empty():
    labels = np.arange(26)
    assert set(cells(confusion_matrix(labels, labels))) == {(k, k) for k in range(26)}


def test_class_names_label_both_axes():
    names = ["cat", "dog", "$5 and $6"]
    axes = confusion_matrix([0, 1], [1, 0], names).axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text().replace("\\", "") for label in labels] == names


def test_long_names_are_slanted_and_cut():
    names = ["short", "a class name of rather more letters than fit", "other"]
    labels = confusion_matrix([0, 1, 2], [0, 1, 2], names).axes[0].get_xticklabels()
    assert {label.get_rotation() for label in labels} == {45.0}
    assert labels[1].get_text().endswith("…")
    plain = confusion_matrix([0, 1], [0, 1], ["no", "yes"]).axes[0].get_xticklabels()
    assert {label.get_rotation() for label in plain} == {0.0}


@pytest.mark.parametrize(
    "names",
    [["no", "yes"], list(string.digits), list(string.ascii_uppercase), ["a longer name"] * 10],
)
@pytest.mark.parametrize("normalize", [True, False])
def test_texts_stay_in_their_cells_and_in_the_figure(names, normalize):
    names = [name if len(set(names)) > 1 else f"{name} {k}" for k, name in enumerate(names)]
    true, pred = classified(len(names), rows=60_000)
    figure = confusion_matrix(true, pred, names, normalize)
    assert_nothing_is_cut_off(figure)
    axes = figure.axes[0]
    side = axes.get_window_extent().width / len(names)
    for text in axes.texts:
        box = text.get_window_extent()
        assert box.width < side
        assert box.height < side
        assert text.get_fontsize() >= 5.0
    assert_apart(axes.get_yticklabels())


def test_text_contrasts_with_its_cell():
    from matplotlib.colors import to_rgb

    figure = confusion_matrix(*classified(10, right=0.95))
    axes = figure.axes[0]
    (image,) = axes.images
    weights = [0.299, 0.587, 0.114]
    for text in axes.texts:
        column, row = (round(place) for place in text.get_position())
        paper = image.to_rgba(image.get_array())[row, column, :3] @ weights
        assert abs(paper - np.dot(to_rgb(text.get_color()), weights)) > 0.35


def test_shades_darken_with_the_rate():
    from pellucid.figures import style

    greys = style.blues()(np.linspace(0, 1, 50))[:, :3] @ [0.299, 0.587, 0.114]
    assert (np.diff(greys) < 0).all()


def test_it_is_drawn_onto_the_axes_given(axes):
    assert confusion_matrix([0, 1], [0, 1], ax=axes) is axes.figure
    assert len(axes.texts) == 4


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([0, 1, 2], [0, 1, 1], ["a", "b"]), ValueError, "got 2 names"),
        (([0, 1], [0, 1], "ab"), TypeError, "expected a list of names"),
        (([0, 1], [0]), ValueError, "expected 2 labels"),
        (([0, 1], [[0.1, 0.9], [0.9, 0.1]]), ValueError, "argmax"),
        (([0.5, 1.0], [0, 1]), TypeError, "expected integer labels"),
        (([], []), ValueError, "at least 1"),
    ],
)
def test_bad_input_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        confusion_matrix(*arguments)
