"""Metrics against scikit-learn, and what they refuse."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

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
ERRORS = [
    (metrics.mae, oracle.mean_absolute_error),
    (metrics.mse, oracle.mean_squared_error),
    (metrics.rmse, oracle.root_mean_squared_error),
    (metrics.r2, oracle.r2_score),
]
close = partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-12)


@st.composite
def labelled(draw, most=5):
    """True labels, predicted labels and weights or None; some classes are absent from either."""
    rows = draw(st.integers(1, 30))
    labels = st.lists(st.sampled_from(range(-2, most - 2)), min_size=rows, max_size=rows)
    return np.array(draw(labels)), np.array(draw(labels)), draw(row_weights(rows))


def row_weights(rows):
    some = st.lists(st.sampled_from([0.0, 0.25, 1.0, 3.7]), min_size=rows, max_size=rows)
    return st.none() | some.filter(any).map(np.array)


@st.composite
def valued(draw):
    """True values, predicted values (n,) or (n, k), and weights or None."""
    seed, rows = draw(st.integers(0, 2**32 - 1)), draw(st.integers(2, 30))
    shape = draw(st.sampled_from([(rows,), (rows, 1), (rows, 3)]))
    random = np.random.default_rng(seed)
    true = random.normal(size=shape) * random.choice([0.0, 1.0, 50.0]) + 3.0
    pred = true + random.normal(size=shape) * random.choice([0.0, 0.1, 10.0])
    return true, pred, draw(row_weights(rows))


class TestClassification:
    @given(labelled())
    def test_accuracy_is_scikit_learns(self, data):
        true, pred, weights = data
        expected = oracle.accuracy_score(true, pred, sample_weight=weights)
        close(metrics.accuracy(true, pred, sample_weight=weights), expected)

    @pytest.mark.parametrize(("score", "expected"), SCORES)
    @pytest.mark.parametrize("average", ["macro", "micro", "weighted", None])
    @settings(max_examples=30)  # for each of the twelve
    @given(data=labelled(), zero=st.sampled_from([0.0, 1.0, math.nan]))
    def test_scores_are_scikit_learns(self, score, expected, average, data, zero):
        true, pred, weights = data
        options = {"average": average, "zero_division": zero, "sample_weight": weights}
        close(score(true, pred, **options), expected(true, pred, **options))

    @pytest.mark.parametrize(("score", "expected"), SCORES)
    @settings(max_examples=30)
    @given(data=labelled())
    def test_scores_of_listed_classes_are_scikit_learns(self, score, expected, data):
        true, pred, weights = data
        classes = [4, -2, 2, 1, -1, 0, 3]  # not in order, and two that never occur
        found = score(true, pred, average=None, classes=classes, sample_weight=weights)
        options = {"average": None, "labels": classes, "zero_division": 0}
        close(found, expected(true, pred, sample_weight=weights, **options))

    @pytest.mark.parametrize(("score", "expected"), SCORES)
    @settings(max_examples=30)
    @given(data=labelled(most=4))
    def test_binary_scores_are_scikit_learns(self, score, expected, data):
        true, pred, weights = data
        true, pred = (true > 0).astype(int), (pred > 0).astype(int)
        options = {"average": "binary", "sample_weight": weights, "zero_division": 0}
        close(score(true, pred, **options), expected(true, pred, **options))

    @pytest.mark.parametrize("normalize", [None, "true", "pred", "all"])
    @settings(max_examples=30)
    @given(data=labelled())
    def test_confusion_matrix_is_scikit_learns(self, normalize, data):
        true, pred, weights = data
        classes = [0, 2, -1, 1, -2, 7]
        options = {"normalize": normalize, "sample_weight": weights}
        found = metrics.confusion_matrix(true, pred, classes, **options)
        close(found, oracle.confusion_matrix(true, pred, labels=classes, **options))
        assert (found.dtype == np.int64) == (normalize is None and weights is None)

    def test_confusion_matrix_has_the_truth_in_its_rows(self):
        np.testing.assert_array_equal(
            metrics.confusion_matrix([0, 0, 1], [0, 1, 1]), [[1, 1], [0, 1]]
        )

    def test_truth_and_prediction_are_not_interchangeable(self):
        true, pred = [1, 1, 1, 0], [1, 0, 0, 0]
        assert metrics.precision(true, pred, "binary") == 1.0
        assert metrics.recall(true, pred, "binary") == pytest.approx(1 / 3)

    def test_the_score_of_an_epoch_is_not_the_mean_over_its_batches(self):
        true, pred = np.array([1, 1, 1, 0, 0, 0]), np.array([1, 0, 1, 0, 0, 1])
        parts = [metrics.f1(true[part], pred[part]) for part in (slice(0, 4), slice(4, 6))]
        assert metrics.f1(true, pred) == pytest.approx(oracle.f1_score(true, pred, average="macro"))
        assert metrics.f1(true, pred) != pytest.approx(np.mean(parts))

    def test_booleans_are_labels(self):
        assert metrics.accuracy([True, False], np.array([1, 1])) == 0.5

    def test_many_classes_need_no_table_of_pairs(self):
        labels = np.arange(200_000)  # a (k, k) table would take 320 GB
        assert metrics.f1(labels, labels) == 1.0

    @pytest.mark.parametrize(
        ("true", "pred", "message"),
        [
            ([0, 1], [[0.2, 0.8], [0.9, 0.1]], r"y_pred: expected integer .*\.argmax\(axis=1\)"),
            ([[0], [1]], [0, 1], r"y_true: .* got \(2, 1\); .* y_true.reshape\(-1\)"),
            ([0, 1, 2], [0, 1], "y_pred: expected 3 labels.* got 2"),
            ([], [], "y_true: .* at least 1"),
        ],
    )
    def test_labels_of_another_shape_are_refused(self, true, pred, message):
        functions = [metrics.accuracy, metrics.confusion_matrix, *(score for score, _ in SCORES)]
        for function in functions:
            with pytest.raises(ValueError, match=message):
                function(true, pred)

    @pytest.mark.parametrize("labels", [[0.0, 1.0], ["a", "b"], [None, 1]])
    def test_labels_that_are_no_integers_are_refused(self, labels):
        with pytest.raises(TypeError, match="expected integer labels, got"):
            metrics.accuracy([0, 1], labels)

    @pytest.mark.parametrize("classes", [[0, 1], [0, 1, 2, 2]])
    def test_classes_that_do_not_cover_the_labels_are_refused(self, classes):
        with pytest.raises(ValueError, match=r"classes: expected each label that occurs, .*once"):
            metrics.confusion_matrix([0, 1, 2], [0, 1, 1], classes)

    @pytest.mark.parametrize(("true", "pred"), [([0, 1, 2], [0, 1, 1]), ([0, 2], [0, 0])])
    def test_binary_wants_two_classes_with_a_positive_one(self, true, pred):
        with pytest.raises(ValueError, match=r"average: expected two classes, .*'macro'"):
            metrics.f1(true, pred, "binary")

    @pytest.mark.parametrize(
        "options", [{"average": "samples"}, {"zero_division": 0.5}, {"zero_division": "warn"}]
    )
    def test_unknown_options_are_refused(self, options):
        with pytest.raises((ValueError, TypeError)):
            metrics.precision([0, 1], [0, 1], **options)
        with pytest.raises(ValueError, match="normalize: expected"):
            metrics.confusion_matrix([0], [0], normalize="rows")


class TestRegression:
    @pytest.mark.parametrize(("score", "expected"), ERRORS)
    @settings(max_examples=50)
    @given(data=valued())
    def test_scores_are_scikit_learns(self, score, expected, data):
        true, pred, weights = data
        close(score(true, pred, sample_weight=weights), expected(true, pred, sample_weight=weights))

    @given(data=valued(), tolerance=st.sampled_from([0.0, 0.1, 5.0]))
    def test_accuracy_within_counts_rows_whose_every_output_is_near(self, data, tolerance):
        true, pred, weights = data
        rows = zip(np.atleast_2d(true.T).T, np.atleast_2d(pred.T).T, strict=True)
        hits = [all(abs(t - p) <= tolerance for t, p in zip(*row, strict=True)) for row in rows]
        found = metrics.accuracy_within(true, pred, tolerance, sample_weight=weights)
        close(found, np.average(hits, weights=weights))

    def test_the_tolerance_itself_is_within(self):
        assert metrics.accuracy_within([1.0, 2.0], [1.5, 2.75], 0.5) == 0.5

    @pytest.mark.parametrize("tolerance", [-0.1, math.nan, math.inf])
    def test_a_senseless_tolerance_is_refused(self, tolerance):
        with pytest.raises(ValueError, match="tolerance: expected a finite number"):
            metrics.accuracy_within([1.0], [1.0], tolerance)

    @pytest.mark.parametrize("score", [score for score, _ in ERRORS])
    def test_a_column_is_never_broadcast_against_a_row(self, score):
        for true, pred in [(np.ones(4), np.ones((4, 1))), (np.ones((4, 1)), np.ones(4))]:
            with pytest.raises(ValueError, match=r"expected the shape of y_true.*\.reshape\(-1\)"):
                score(true, pred)
        with pytest.raises(ValueError, match="expected the shape of y_true"):
            metrics.accuracy_within(np.ones(4), np.ones((4, 1)), 1.0)

    @pytest.mark.parametrize("score", [score for score, _ in ERRORS])
    def test_empty_and_non_numeric_values_are_refused(self, score):
        with pytest.raises(ValueError, match="n of at least 1"):
            score([], [])
        with pytest.raises(ValueError, match="got y_true"):
            score([1.0, 2.0], [1.0])
        with pytest.raises(TypeError, match=r"y_pred: expected real numbers, got <U1"):
            score([1.0], ["a"])

    @pytest.mark.parametrize("score", [score for score, _ in ERRORS])
    def test_a_diverged_model_scores_without_a_warning(self, score):
        assert not math.isfinite(score([1.0, 2.0], [math.inf, 2.0]))
        assert math.isnan(score([1.0, 2.0], [math.nan, 2.0]))

    def test_float32_is_scored_in_float64(self):
        true = np.full(10, 16_777_216.0, np.float32)
        assert metrics.mae(true, np.full(10, 16_777_217, np.int64)) == 1.0

    def test_r2_of_a_single_row_is_undefined(self):
        assert math.isnan(metrics.r2([1.0], [1.0]))


class TestWeights:
    @pytest.mark.parametrize(
        ("weights", "message"),
        [
            ([1.0], r"shape \(2,\), got \(1,\)"),
            ([[1.0], [1.0]], r"shape \(2,\), got \(2, 1\)"),
            ([1.0, -1.0], "minimum -1.0"),
            ([0.0, 0.0], "sum 0.0"),
            ([1.0, math.nan], "expected finite weights"),
        ],
    )
    def test_bad_weights_are_refused_everywhere(self, weights, message):
        for score in [metrics.accuracy, metrics.confusion_matrix, metrics.f1, metrics.r2]:
            with pytest.raises(ValueError, match=f"sample_weight: .*{message}"):
                score([0, 1], [0, 1], sample_weight=weights)


class TestRegistry:
    @pytest.mark.parametrize("name", ["precision", "recall", "f1"])
    @pytest.mark.parametrize("suffix", ["", "_macro", "_micro", "_weighted", "_binary"])
    def test_class_scores_by_name(self, name, suffix):
        true, pred = np.array([0, 1, 1, 0, 1]), np.array([0, 1, 0, 1, 1])
        metric = metrics.get(name + suffix)
        expected = getattr(oracle, name + "_score")(true, pred, average=suffix[1:] or "macro")
        assert (metric.name, metric.needs) == (name + suffix, "labels")
        assert metric.higher_is_better
        close(metric(true, pred), expected)

    @pytest.mark.parametrize(
        ("name", "higher"), [("r2", True), ("mae", False), ("mse", False), ("rmse", False)]
    )
    def test_errors_by_name(self, name, higher):
        metric = metrics.get(name)
        assert (metric.needs, metric.higher_is_better) == ("values", higher)
        assert metric([1.0, 3.0], [1.0, 2.0]) == getattr(metrics, name)([1.0, 3.0], [1.0, 2.0])

    def test_the_tolerance_is_read_from_the_name(self):
        metric = metrics.get("accuracy_within_0.5")
        assert (metric.name, metric.needs) == ("accuracy_within_0.5", "values")
        assert metric([0.0, 0.0], [0.4, 0.6]) == 0.5
        assert metrics.get("accuracy_within_1")([0.0, 0.0], [0.4, 0.6]) == 1.0

    @pytest.mark.parametrize("text", ["", "x", "-1", "nan", "inf"])
    def test_a_tolerance_that_is_no_number_is_refused(self, text):
        with pytest.raises(ValueError, match=r"finite tolerance .* 'accuracy_within_0.5'"):
            metrics.get("accuracy_within_" + text)

    def test_an_unknown_name_is_answered_with_close_ones(self):
        with pytest.raises(ValueError, match=r"unknown metric 'acuracy'.*did you mean 'accuracy'"):
            metrics.get("acuracy")
        with pytest.raises(ValueError, match=r"unknown metric 'f1_score'.*did you mean 'f1'"):
            metrics.get("f1_score")
        with pytest.raises(ValueError, match="unknown metric 'zzz': expected one of accuracy,"):
            metrics.get("zzz")

    def test_a_metric_is_returned_as_it_is(self):
        metric = metrics.Metric("mine", lambda t, p: 0.5, "values", higher_is_better=False)
        assert metrics.get(metric) is metric

    def test_a_function_of_the_module_keeps_its_needs_and_direction(self):
        assert metrics.get(metrics.mae) is metrics.get("mae")
        assert metrics.get(metrics.f1) is metrics.get("f1")

    def test_another_function_is_handed_the_values_under_its_own_name(self):
        def largest_error(y_true, y_pred):
            return np.float32(np.abs(y_true - y_pred).max())

        metric = metrics.get(largest_error)
        assert (metric.name, metric.needs) == ("largest_error", "values")
        result = metric(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
        assert (result, type(result)) == (2.0, float)

    def test_weights_are_passed_on(self):
        metric = metrics.get("accuracy")
        assert metric([0, 1], [0, 0], sample_weight=[3.0, 1.0]) == 0.75

    @pytest.mark.parametrize("nameless", [lambda t, p: 0.0, partial(metrics.f1), 3, None])
    def test_what_has_no_name_is_refused(self, nameless):
        with pytest.raises(TypeError, match=r"expected a name, a Metric .*Metric\('my_score'"):
            metrics.get(nameless)

    def test_a_metric_checks_its_own_description(self):
        with pytest.raises(ValueError, match="needs='logits'"):
            metrics.Metric("mine", metrics.mae, "logits")
        with pytest.raises(ValueError, match="name=''"):
            metrics.Metric("", metrics.mae, "values")
        with pytest.raises(TypeError, match="expected a callable"):
            metrics.Metric("mine", 0.5, "values")


@pytest.mark.parametrize(
    "function",
    [
        metrics.confusion_matrix,
        metrics.roc_curve,
        metrics.precision_recall_curve,
        metrics.accuracy_within,
    ],
)
def test_functions_that_give_no_single_number_are_no_metrics(function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=f"returns one number.*got {function.__name__}"):
        metrics.get(function)


def test_text_labels_and_weights_are_told_what_to_do() -> None:
    with pytest.raises(TypeError, match=r"y_true: expected integer labels, got <U1; .*np\.unique"):
        metrics.accuracy(["a", "b"], ["a", "c"])
    with pytest.raises(TypeError, match="sample_weight: expected real numbers, got <U1"):
        metrics.accuracy([0, 1], [0, 1], sample_weight=["a", "b"])
