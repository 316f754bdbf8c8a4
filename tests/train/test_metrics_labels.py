"""Scores of multi-label answers, and of classes corrected for chance, against scikit-learn."""

from __future__ import annotations

import math
import warnings
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from pellucid.train import metrics

SCORES = [
    (metrics.precision, oracle.precision_score),
    (metrics.recall, oracle.recall_score),
    (metrics.f1, oracle.f1_score),
]
close = partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-12)


def row_weights(rows):
    some = st.lists(st.sampled_from([0.0, 0.25, 1.0, 3.7]), min_size=rows, max_size=rows)
    return st.none() | some.filter(any).map(np.array)


@st.composite
def labelled(draw):
    """True labels, predicted labels and weights or None; some classes are absent from either."""
    rows = draw(st.integers(1, 30))
    labels = st.lists(st.integers(-1, 3), min_size=rows, max_size=rows)
    return np.array(draw(labels)), np.array(draw(labels)), draw(row_weights(rows))


@st.composite
def answered(draw):
    """True and predicted answers (n, k), and weights or None; some columns are all 0."""
    rows, k = draw(st.integers(1, 20)), draw(st.integers(2, 4))
    answers = st.lists(st.integers(0, 1), min_size=rows * k, max_size=rows * k)
    true, pred = (np.array(draw(answers)).reshape(rows, k) for _ in range(2))
    return true, pred, draw(row_weights(rows))


class TestCorrectedForChance:
    @settings(max_examples=50)
    @given(labelled())
    def test_balanced_accuracy_is_scikit_learns(self, data):
        true, pred, weights = data
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of classes that are only predicted
            expected = oracle.balanced_accuracy_score(true, pred, sample_weight=weights)
        close(metrics.balanced_accuracy(true, pred, sample_weight=weights), expected)

    @settings(max_examples=50)
    @given(labelled())
    def test_matthews_correlation_is_scikit_learns(self, data):
        true, pred, weights = data
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a single class
            expected = oracle.matthews_corrcoef(true, pred, sample_weight=weights)
        close(metrics.matthews_corrcoef(true, pred, sample_weight=weights), expected)

    @settings(max_examples=50)
    @given(labelled())
    def test_kappa_is_scikit_learns(self, data):
        true, pred, weights = data
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where it is undefined
            expected = oracle.cohen_kappa_score(true, pred, sample_weight=weights)
        close(metrics.cohen_kappa(true, pred, sample_weight=weights), expected)

    def test_one_class_alone(self):
        assert metrics.balanced_accuracy([1, 1], [1, 1]) == 1.0
        assert metrics.matthews_corrcoef([1, 1], [1, 1]) == 0.0
        assert math.isnan(metrics.cohen_kappa([1, 1], [1, 1]))
        assert metrics.cohen_kappa([1, 1], [1, 0]) == 0.0

    def test_guessing_the_common_class_is_no_better_than_chance(self):
        true, pred = np.arange(100) < 95, np.ones(100, int)
        assert metrics.accuracy(true, pred) == 0.95
        assert metrics.balanced_accuracy(true, pred) == 0.5
        assert metrics.matthews_corrcoef(true, pred) == metrics.cohen_kappa(true, pred) == 0.0

    @pytest.mark.parametrize("name", ["balanced_accuracy", "matthews_corrcoef", "cohen_kappa"])
    def test_by_name(self, name):
        metric = metrics.get(name)
        assert (metric.name, metric.needs, metric.higher_is_better) == (name, "labels", True)
        assert metrics.get(getattr(metrics, name)) is metric
        assert metric([0, 1, 2], [0, 1, 2]) == pytest.approx(1.0)

    def test_many_classes_need_no_table_of_pairs(self):
        labels = np.arange(200_000)
        for score in (metrics.balanced_accuracy, metrics.matthews_corrcoef, metrics.cohen_kappa):
            assert score(labels, labels) == pytest.approx(1.0)


class TestMultiLabel:
    @settings(max_examples=50)
    @given(answered())
    def test_accuracy_is_scikit_learns(self, data):
        true, pred, weights = data
        expected = oracle.accuracy_score(true, pred, sample_weight=weights)
        close(metrics.accuracy(true, pred, sample_weight=weights), expected)

    @pytest.mark.parametrize(("score", "expected"), SCORES)
    @pytest.mark.parametrize("average", ["macro", "micro", "weighted", "samples", None])
    @settings(max_examples=30)
    @given(data=answered(), zero=st.sampled_from([0.0, 1.0, math.nan]))
    def test_scores_are_scikit_learns(self, score, expected, average, data, zero):
        true, pred, weights = data
        options = {"average": average, "zero_division": zero, "sample_weight": weights}
        close(score(true, pred, **options), expected(true, pred, **options))

    def test_a_row_is_right_only_if_all_its_labels_are(self):
        assert metrics.accuracy([[0, 1], [1, 1]], [[0, 1], [1, 0]]) == 0.5

    def test_booleans_are_answers(self):
        answers = np.array([[True, False], [False, True]])
        assert metrics.f1(answers, answers) == 1.0

    @pytest.mark.parametrize("options", [{"average": "binary"}, {"classes": [0, 1]}])
    def test_what_only_one_label_a_row_has_is_refused(self, options):
        with pytest.raises(ValueError, match=r"one label a row .* got rows of 2 answers"):
            metrics.f1([[0, 1], [1, 1]], [[0, 1], [1, 0]], **options)

    def test_samples_needs_several_labels_a_row(self):
        with pytest.raises(
            ValueError, match="average: expected 'samples' only for rows of 0 and 1"
        ):
            metrics.f1([0, 1], [0, 1], "samples")

    @pytest.mark.parametrize(
        ("true", "pred", "message"),
        [
            (
                [[0, 1]],
                [[0, 1, 1]],
                r"y_pred: expected the shape of y_true, \(1, 2\), got \(1, 3\)",
            ),
            ([[0, 1]], [0], r"y_true: expected integer labels .*\(1, 2\)"),
            ([[0, 2]], [[0, 1]], r"y_true: expected 0 or 1 for each row and label, got 0\.\.2"),
            (np.zeros((0, 2), int), np.zeros((0, 2), int), "one 0 or 1 for each row and label"),
        ],
    )
    def test_answers_that_do_not_fit_are_refused(self, true, pred, message):
        for score in (metrics.accuracy, metrics.f1):
            with pytest.raises(ValueError, match=message):
                score(true, pred)

    def test_probabilities_are_refused(self):
        with pytest.raises(TypeError, match=r"y_pred: expected integers 0 and 1, .* y_pred > 0.5"):
            metrics.accuracy([[0, 1]], [[0.2, 0.8]])
