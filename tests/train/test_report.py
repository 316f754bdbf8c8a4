"""Reports against scikit-learn's, and how they read."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from pellucid.train.report import classification_report, regression_report

NAMES = ["cat", "a rather long class name", "dog", "<b>& co"]


def labels(rows, classes=4):
    return st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows).map(np.array)


@st.composite
def pairs(draw):
    rows = draw(st.integers(1, 25))
    return draw(labels(rows)), draw(labels(rows))


def assert_same(found, expected):
    assert list(found) == list(expected)
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-12, abs=1e-12)


def cells(table):
    """Return the words of each line; a support of 3.0, as scikit-learn may print it, is 3."""
    lines = [line.split() for line in table.splitlines()]
    return [[*line[:-1], line[-1].removesuffix(".0")] if line else [] for line in lines]


class TestClassificationReport:
    @settings(max_examples=30)
    @given(pairs())
    def test_equals_scikit_learns_without_names(self, pair):
        expected = oracle.classification_report(*pair, output_dict=True, zero_division=0)
        assert_same(classification_report(*pair).to_dict(), expected)

    @settings(max_examples=30)
    @given(pairs())
    def test_equals_scikit_learns_with_names_of_absent_classes(self, pair):
        expected = oracle.classification_report(
            *pair, labels=range(4), target_names=NAMES, output_dict=True, zero_division=0
        )
        assert_same(classification_report(*pair, NAMES).to_dict(), expected)

    @settings(max_examples=30)
    @given(pairs())
    def test_the_text_says_what_scikit_learns_says(self, pair):
        expected = oracle.classification_report(
            *pair, labels=range(4), target_names=NAMES, digits=3, zero_division=0
        )
        found = str(classification_report(*pair, NAMES, digits=3))
        assert cells(found) == cells(expected.rstrip("\n"))

    def test_attributes(self):
        report = classification_report([0, 0, 1, 1], [0, 1, 1, 1], ["no", "yes"])
        assert report.per_class["no"].precision == 1.0
        assert report.per_class["no"].recall == 0.5
        assert report.per_class["yes"].f1 == pytest.approx(0.8)
        assert report.per_class["yes"].support == 2
        assert report.accuracy == 0.75
        assert report.macro.recall == 0.75
        assert report.weighted.support == 4
        np.testing.assert_array_equal(report.confusion, [[1, 1], [0, 2]])

    def test_nothing_can_be_assigned(self):
        report = classification_report([0, 1], [0, 1])
        with pytest.raises(dataclasses.FrozenInstanceError):
            report.accuracy = 1.0

    def test_columns_line_up_when_characters_are_wide(self):
        names = ["猫", "café au lait", "e\u0301te\u0301", "x" * 30]
        lines = str(classification_report([0, 1, 2, 3], [0, 1, 2, 2], names)).splitlines()
        wide = [len(line) + line.count("猫") - line.count("\u0301") for line in lines if line]
        assert len(set(wide)) == 1

    def test_a_line_break_in_a_name_does_not_tear_the_table(self):
        text = str(classification_report([0, 1], [0, 1], ["two\nlines", "b"]))
        assert "two lines" in text

    def test_html_is_escaped(self):
        page = classification_report([0, 3], [0, 3], NAMES)._repr_html_()
        assert "&lt;b&gt;&amp; co" in page
        assert "<b>" not in page
        assert page.count("<tr>") == 1 + 4 + 3

    def test_digits(self):
        assert "0.67" in str(classification_report([0, 0, 0], [0, 0, 1], digits=2))
        assert "0.6667" in str(classification_report([0, 0, 0], [0, 0, 1]))

    @pytest.mark.parametrize(
        ("names", "error", "message"),
        [
            (["a", "b"], ValueError, r"got 2 names, .* the labels \[2\]"),
            (["a", "b", "b"], ValueError, "expected 3 different names"),
            (["a", "b", "accuracy"], ValueError, r"got \['accuracy'\]; rename"),
            ("abc", TypeError, "expected a list of names, got the string 'abc'"),
        ],
    )
    def test_bad_names_are_refused(self, names, error, message):
        with pytest.raises(error, match=f"class_names: .*{message}"):
            classification_report([0, 1, 2], [0, 1, 1], names)

    def test_bad_labels_are_refused(self):
        with pytest.raises(ValueError, match="argmax"):
            classification_report([0, 1], [[0.5, 0.5], [0.1, 0.9]])
        with pytest.raises(ValueError, match="expected 2 labels"):
            classification_report([0, 1], [0])


class TestRegressionReport:
    @settings(max_examples=30)
    @given(seed=st.integers(0, 1000), shape=st.sampled_from([(9,), (9, 1), (9, 3)]))
    def test_equals_scikit_learns(self, seed, shape):
        random = np.random.default_rng(seed)
        true, pred = random.normal(size=shape), random.normal(size=shape)
        expected = {
            "r2": oracle.r2_score(true, pred),
            "mae": oracle.mean_absolute_error(true, pred),
            "rmse": oracle.root_mean_squared_error(true, pred),
            "max_error": oracle.max_error(true.ravel(), pred.ravel()),
            "support": 9.0,
        }
        assert_same(regression_report(true, pred).to_dict(), expected)

    def test_the_text_has_a_line_for_each_number(self):
        lines = str(regression_report([1.0, 2.0, 4.0], [1.0, 2.0, 3.0])).splitlines()
        assert [line.split()[-1] for line in lines] == ["0.7857", "0.3333", "0.5774", "1.000", "3"]
        assert len({len(line) for line in lines}) == 1

    def test_large_numbers_are_written_out(self):
        assert "250000" in str(regression_report([1e6, 2e6], [1e6, 1.5e6]))

    def test_html_has_a_row_for_each_number(self):
        page = regression_report([1.0, 2.0], [1.0, 2.0])._repr_html_()
        assert page.count("<tr>") == 1 + 5

    def test_a_diverged_model_is_reported_without_a_warning(self):
        report = regression_report([1.0, math.inf], [math.inf, math.inf])
        assert math.isnan(report.max_error)

    def test_shapes_that_differ_are_refused(self):
        with pytest.raises(ValueError, match="expected the shape of y_true"):
            regression_report(np.ones(3), np.ones((3, 1)))
