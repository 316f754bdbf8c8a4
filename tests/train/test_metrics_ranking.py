"""Scores of probabilities against scikit-learn, with ties, absent classes and weights."""

from __future__ import annotations

import math
import warnings
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle
from sklearn.exceptions import UndefinedMetricWarning

from pellucid.train import metrics

close = partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-12)
AVERAGES = ["macro", "micro", "weighted", None]
RANKINGS = [
    (metrics.roc_auc, oracle.roc_auc_score),
    (metrics.average_precision, oracle.average_precision_score),
]


def row_weights(rows):
    some = st.lists(st.sampled_from([0.0, 0.25, 1.0, 3.7]), min_size=rows, max_size=rows)
    return st.none() | some.filter(any).map(np.array)


def of_shape(values, *shape):
    size = math.prod(shape)
    return st.lists(values, min_size=size, max_size=size).map(lambda v: np.array(v).reshape(shape))


@st.composite
def two_classes(draw):
    """Labels of which both have weight, scores with ties, and weights or None."""
    rows = draw(st.integers(0, 25))
    true = draw(of_shape(st.integers(0, 1), rows))
    scores = draw(of_shape(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, 0.3]), rows + 2))
    return np.append(true, [0, 1]).astype(int), scores, draw(last_weighing(rows, 2))


@st.composite
def many_classes(draw, complete=False):
    """Labels 0..k-1, rows of k > 2 probabilities with ties, and weights or None.

    Where complete, every class has a row of some weight; else some are perhaps absent.
    """
    k, rows = draw(st.integers(3, 5)), draw(st.integers(1, 20))
    true, weights = draw(of_shape(st.integers(0, k - 1), rows)), draw(row_weights(rows))
    if complete:
        true, weights = np.append(true, np.arange(k)), draw(last_weighing(rows, k))
    parts = draw(of_shape(st.integers(0, 3), len(true), k)) + np.eye(k)[draw(st.integers(0, k - 1))]
    return true, parts / parts.sum(axis=1, keepdims=True), weights


@st.composite
def many_labels(draw):
    """Answers, both of each label, and probabilities (n, k) with k of 2 or 3; weights or None."""
    k, rows = draw(st.integers(2, 3)), draw(st.integers(0, 15))
    true = draw(of_shape(st.integers(0, 1), rows, k))
    scores = draw(of_shape(st.sampled_from([0.0, 0.2, 0.5, 0.7]), rows + 2, k))
    both = np.stack([np.zeros(k), np.ones(k)])
    return np.concatenate([true, both]).astype(int), scores, draw(last_weighing(rows, 2))


def last_weighing(rows, last):
    """Weights of which so many at the end are above 0, or None."""
    free = of_shape(st.sampled_from([0.0, 0.25, 1.0, 3.7]), rows)
    return st.none() | free.map(lambda weights: np.append(weights, np.full(last, 0.5)))


def quietly(function, *args, **kwargs):
    """The oracle warns where a score is undefined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


class TestTopK:
    @settings(max_examples=50)
    @given(many_classes(), st.integers(1, 6))
    def test_top_k_is_scikit_learns(self, data, k):
        true, scores, weights = data
        labels = np.arange(scores.shape[1])
        options = {"k": k, "labels": labels, "sample_weight": weights}
        expected = quietly(oracle.top_k_accuracy_score, true, scores, **options)
        close(metrics.top_k_accuracy(true, scores, k, sample_weight=weights), expected)

    def test_of_equal_scores_the_higher_class_comes_first(self):
        assert metrics.top_k_accuracy([0, 1, 2], np.full((3, 3), 1 / 3), 1) == pytest.approx(1 / 3)
        assert metrics.top_k_accuracy([2], np.full((1, 3), 1 / 3), 1) == 1.0

    def test_as_many_as_there_are_classes_are_always_right(self):
        assert metrics.top_k_accuracy([0, 1], [[0.1, 0.9], [0.9, 0.1]], 2) == 1.0
        assert metrics.top_k_accuracy([0, 1], [[0.1, 0.9], [0.9, 0.1]], 5) == 1.0

    @pytest.mark.parametrize("k", [0, -1, 1.5, True])
    def test_a_senseless_k_is_refused(self, k):
        with pytest.raises(ValueError, match="k: expected a whole number"):
            metrics.top_k_accuracy([0], [[0.5, 0.5]], k)

    def test_yes_or_no_has_no_top(self):
        for true, scores in [([0, 1], [0.1, 0.9]), ([[0, 1], [1, 1]], [[0.1, 0.9], [0.5, 0.5]])]:
            with pytest.raises(ValueError, match=r"one score for each class, \(n, C\)"):
                metrics.top_k_accuracy(true, scores)


class TestLogLoss:
    @settings(max_examples=50)
    @given(two_classes())
    def test_of_two_classes_is_scikit_learns(self, data):
        true, prob, weights = data
        expected = oracle.log_loss(true, y_proba=prob, sample_weight=weights)
        close(metrics.log_loss(true, prob, sample_weight=weights), expected)
        both = np.stack([1 - prob, prob], axis=1)
        close(metrics.log_loss(true, both, sample_weight=weights), expected)
        close(metrics.log_loss(true[:, None], prob[:, None], sample_weight=weights), expected)

    @settings(max_examples=50)
    @given(many_classes())
    def test_of_many_classes_is_scikit_learns(self, data):
        true, prob, weights = data
        options = {"labels": np.arange(prob.shape[1]), "sample_weight": weights}
        expected = oracle.log_loss(true, y_proba=prob, **options)
        close(metrics.log_loss(true, prob, sample_weight=weights), expected)

    @settings(max_examples=50)
    @given(many_labels())
    def test_of_many_labels_is_the_mean_over_labels(self, data):
        true, prob, weights = data
        options = {"labels": [0, 1], "sample_weight": weights}
        columns = zip(true.T, prob.T, strict=True)
        expected = np.mean([oracle.log_loss(t, y_proba=p, **options) for t, p in columns])
        close(metrics.log_loss(true, prob, sample_weight=weights), expected)

    def test_float32_is_clipped_at_its_own_spacing(self):
        sure = np.array([1.0], np.float32)
        expected = -math.log(np.finfo(np.float32).eps)
        assert metrics.log_loss([0], sure) == pytest.approx(expected)
        assert metrics.log_loss([0], [1.0]) == pytest.approx(-math.log(np.finfo(float).eps))

    @pytest.mark.parametrize(
        ("prob", "message"),
        [
            ([1.5, 0.5], r"in \[0, 1\], got 0.5..1.5; apply softmax or sigmoid"),
            ([[0.5, 0.5], [0.5, 0.4]], "rows that sum to 1, got 0.9 in row 1"),
        ],
    )
    def test_what_is_no_probability_is_refused(self, prob, message):
        with pytest.raises(ValueError, match=f"y_prob: .*{message}"):
            metrics.log_loss([0, 1], prob)

    def test_float32_softmax_sums_well_enough(self):
        logits = np.random.default_rng(0).normal(size=(500, 1000)).astype(np.float32)
        powers = np.exp(logits)
        prob = powers / powers.sum(axis=1, keepdims=True)
        assert metrics.log_loss(np.arange(500), prob) > 0


class TestRanking:
    @pytest.mark.parametrize(("score", "expected"), RANKINGS)
    @settings(max_examples=50)
    @given(data=two_classes())
    def test_of_two_classes_is_scikit_learns(self, score, expected, data):
        true, scores, weights = data
        wanted = expected(true, scores, sample_weight=weights)
        close(score(true, scores, sample_weight=weights), wanted)
        both = np.stack([1 - scores, scores], axis=1)
        close(score(true, both, sample_weight=weights), wanted)
        close(score(true[:, None], scores[:, None], sample_weight=weights), wanted)

    @settings(max_examples=50)
    @given(two_classes())
    def test_the_area_is_the_chance_of_the_right_order(self, data):
        true, scores, weights = data
        weights = np.ones(len(true)) if weights is None else weights
        (above,), (below,) = np.nonzero(true == 1), np.nonzero(true == 0)
        difference = scores[above][:, None] - scores[below]
        chances = np.outer(weights[above], weights[below])
        expected = (chances * ((difference > 0) + 0.5 * (difference == 0))).sum() / chances.sum()
        close(metrics.roc_auc(true, scores, sample_weight=weights), expected)

    @pytest.mark.parametrize("average", AVERAGES)
    @settings(max_examples=30)
    @given(data=many_classes(complete=True))
    def test_one_against_the_rest_is_scikit_learns(self, average, data):
        true, scores, weights = data
        options = {"average": average, "sample_weight": weights}
        area = oracle.roc_auc_score(true, scores, multi_class="ovr", **options)
        close(metrics.roc_auc(true, scores, **options), area)
        precision = oracle.average_precision_score(true, scores, **options)
        close(metrics.average_precision(true, scores, **options), precision)

    @pytest.mark.parametrize("average", ["macro", "weighted"])
    @settings(max_examples=50)
    @given(data=many_classes())
    def test_pairs_are_scikit_learns(self, average, data):
        true, scores, _ = data
        if len(set(true)) < 2:
            return
        options = {"average": average, "multi_class": "ovo"}
        expected = oracle.roc_auc_score(true, scores, labels=np.arange(scores.shape[1]), **options)
        close(metrics.roc_auc(true, scores, **options), expected)

    @pytest.mark.parametrize(("score", "expected"), RANKINGS)
    @pytest.mark.parametrize("average", AVERAGES)
    @settings(max_examples=50)
    @given(data=many_labels())
    def test_of_many_labels_is_scikit_learns(self, score, expected, average, data):
        true, scores, weights = data
        options = {"average": average, "sample_weight": weights}
        close(score(true, scores, **options), expected(true, scores, **options))

    @settings(max_examples=50)
    @given(many_labels())
    def test_precision_of_a_label_that_no_row_has_is_scikit_learns(self, data):
        true, scores, _ = data
        true[:, 0] = 0
        for average in AVERAGES:
            expected = quietly(oracle.average_precision_score, true, scores, average=average)
            close(metrics.average_precision(true, scores, average), expected)

    def test_a_class_without_rows_has_no_area(self):
        true, scores = [0, 1, 1], [[0.8, 0.1, 0.1], [0.1, 0.7, 0.2], [0.5, 0.3, 0.2]]
        with pytest.warns(UndefinedMetricWarning):
            expected = oracle.roc_auc_score(true, scores, multi_class="ovr", labels=[0, 1, 2])
        assert math.isnan(expected)
        assert math.isnan(metrics.roc_auc(true, scores))
        np.testing.assert_array_equal(metrics.roc_auc(true, scores, None), [1.0, 1.0, math.nan])
        assert metrics.roc_auc(true, scores, "weighted") == 1.0
        assert metrics.roc_auc(true, scores, multi_class="ovo") == 1.0

    def test_one_class_alone_has_no_area(self):
        assert math.isnan(metrics.roc_auc([1, 1], [0.2, 0.4]))
        assert math.isnan(metrics.roc_auc([0, 1], [0.2, 0.4], sample_weight=[0.0, 1.0]))
        assert math.isnan(metrics.roc_auc([0, 0], np.full((2, 3), 1 / 3), multi_class="ovo"))

    def test_the_order_of_tied_rows_does_not_matter(self):
        true, scores = np.array([1, 0, 1, 0]), np.full(4, 0.5)
        for score, _ in RANKINGS:
            assert score(true, scores) == score(true[::-1], scores) == 0.5

    @pytest.mark.parametrize("score", [score for score, _ in RANKINGS])
    def test_unknown_averages_are_refused(self, score):
        with pytest.raises(ValueError, match="average: expected one of 'macro', 'micro', 'weigh"):
            score([0, 1], [0.1, 0.9], "samples")

    @pytest.mark.parametrize("average", ["macro", "weighted"])
    @settings(max_examples=30)
    @given(data=many_classes(complete=True), draw=st.data())
    def test_weights_of_pairs_are_rows_repeated(self, average, data, draw):
        true, scores, _ = data
        times = draw.draw(of_shape(st.integers(0, 3), len(true)))
        times[-2:] += 1
        options = {"average": average, "multi_class": "ovo"}
        expected = metrics.roc_auc(true.repeat(times), scores.repeat(times, axis=0), **options)
        close(metrics.roc_auc(true, scores, sample_weight=times, **options), expected)

    def test_what_pairs_do_not_take_is_refused(self):
        scores = np.full((3, 3), 1 / 3)
        for average in ("micro", None):
            with pytest.raises(ValueError, match=r"average: .* with multi_class='ovo', got"):
                metrics.roc_auc([0, 1, 2], scores, average, multi_class="ovo")
        with pytest.raises(ValueError, match="multi_class: expected 'ovr' or 'ovo', got 'both'"):
            metrics.roc_auc([0, 1], [0.1, 0.9], multi_class="both")


class TestCurves:
    @pytest.mark.parametrize("drop", [True, False])
    @settings(max_examples=50)
    @given(data=two_classes())
    def test_the_roc_curve_is_scikit_learns(self, drop, data):
        true, scores, weights = data
        options = {"sample_weight": weights, "drop_intermediate": drop}
        found = metrics.roc_curve(true, scores, **options)
        for mine, theirs in zip(found, oracle.roc_curve(true, scores, **options), strict=True):
            close(mine, theirs)
        close(
            np.trapezoid(found.tpr, found.fpr), metrics.roc_auc(true, scores, sample_weight=weights)
        )

    @settings(max_examples=50)
    @given(data=two_classes())
    def test_the_precision_recall_curve_is_scikit_learns(self, data):
        true, scores, weights = data
        found = metrics.precision_recall_curve(true, scores, sample_weight=weights)
        expected = oracle.precision_recall_curve(true, scores, sample_weight=weights)
        for mine, theirs in zip(found, expected, strict=True):
            close(mine, theirs)
        area = -np.sum(np.diff(found.recall) * found.precision[:-1])
        close(area, metrics.average_precision(true, scores, sample_weight=weights))

    def test_two_columns_are_read_as_the_second(self):
        true, scores = np.array([0, 1, 1]), np.array([0.1, 0.6, 0.3])
        both = metrics.roc_curve(true, np.stack([1 - scores, scores], axis=1))
        for mine, theirs in zip(both, metrics.roc_curve(true, scores), strict=True):
            close(mine, theirs)

    def test_curves_refuse_what_they_cannot_draw(self):
        curves = [metrics.roc_curve, metrics.precision_recall_curve]
        for curve in curves:
            with pytest.raises(ValueError, match="got NaN; drop those rows"):
                curve([0, 1], [math.nan, 0.5])
            with pytest.raises(ValueError, match=r"got \(3, 3\); for class c .* y_score\[:, c\]"):
                curve([0, 1, 2], np.full((3, 3), 1 / 3))
            with pytest.raises(ValueError, match=r"y_true: expected .*row.* class 1 .with weight"):
                curve([0, 0], [0.1, 0.5])
        with pytest.raises(ValueError, match="one class alone; a ROC curve needs both"):
            metrics.roc_curve([1, 1], [0.1, 0.5])


class TestShapes:
    FUNCTIONS = (metrics.log_loss, metrics.roc_auc, metrics.average_precision)

    @pytest.mark.parametrize(
        ("true", "scores", "message"),
        [
            ([0, 1, 1], [0.5, 0.5], r"for the rows and labels of y_true \(3,\), got \(2,\)"),
            ([[0, 1], [1, 1]], [0.5, 0.5], r"labels of y_true \(2, 2\), got \(2,\)"),
            ([0, 2], [0.5, 0.5], r"y_true: expected labels in 0..1 for y_.* \(2,\), got 0..2"),
            ([0, 3], np.full((2, 3), 1 / 3), r"in 0..2 for y_.* of shape \(2, 3\), got 0..3"),
            ([-1, 1], [0.5, 0.5], "got -1..1; number the classes from 0"),
            ([[0, 2], [1, 1]], [[0.5, 0.5]] * 2, "y_true: expected 0 or 1 for each row and label"),
            ([], [], r"of shape \(n,\) or \(n, k\) with n of at least 1"),
            ([0], [[[0.5]]], r"got \(1, 1, 1\)"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, true, scores, message):
        for function in self.FUNCTIONS:
            with pytest.raises(ValueError, match=message):
                function(true, scores)

    def test_wrong_kinds_are_refused(self):
        for function in self.FUNCTIONS:
            with pytest.raises(TypeError, match=r"y_\w+: expected real numbers, got <U1"):
                function([0, 1], ["a", "b"])
            with pytest.raises(TypeError, match="y_true: expected integer labels, got float64"):
                function([0.0, 1.0], [0.5, 0.5])
            with pytest.raises(ValueError, match="sample_weight: expected"):
                function([0, 1], [0.5, 0.5], sample_weight=[1.0])

    def test_a_diverged_model_scores_nan(self):
        for function in (*self.FUNCTIONS, metrics.top_k_accuracy):
            assert math.isnan(function([0, 1, 2], np.full((3, 3), math.nan)))


class TestRegistry:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("roc_auc", partial(oracle.roc_auc_score, multi_class="ovr")),
            (
                "roc_auc_weighted",
                partial(oracle.roc_auc_score, multi_class="ovr", average="weighted"),
            ),
            ("roc_auc_ovo", partial(oracle.roc_auc_score, multi_class="ovo")),
            ("average_precision", oracle.average_precision_score),
            ("top_1_accuracy", partial(oracle.top_k_accuracy_score, k=1)),
            ("top_2_accuracy", partial(oracle.top_k_accuracy_score, k=2)),
            ("log_loss", lambda true, scores: oracle.log_loss(true, y_proba=scores)),
        ],
    )
    def test_by_name(self, name, expected):
        random = np.random.default_rng(3)
        true, scores = random.integers(0, 3, 40), random.dirichlet(np.ones(3), 40)
        metric = metrics.get(name)
        assert (metric.name, metric.needs) == (name, "scores")
        assert metric.higher_is_better == (name != "log_loss")
        close(metric(true, scores), expected(true, scores))

    def test_functions_stand_for_their_metrics(self):
        assert metrics.get(metrics.roc_auc) is metrics.get("roc_auc")
        assert metrics.get(metrics.top_k_accuracy).name == "top_5_accuracy"
        assert not metrics.get(metrics.log_loss).higher_is_better

    @pytest.mark.parametrize("name", ["top_0_accuracy", "top__accuracy", "top_x_accuracy"])
    def test_a_top_without_a_number_is_unknown(self, name):
        with pytest.raises(ValueError, match=r"unknown metric .*did you mean 'top_5_accuracy'"):
            metrics.get(name)
