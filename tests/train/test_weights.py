"""Weighted examples: a weight is how often an example counts, in loss, gradients and metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as oracle
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

from pellucid import nn, optim, train
from pellucid.train import Model
from train.problems import Rows, Spy, blobs, classifier, line, same_state

X, Y = blobs()
W = np.random.default_rng(5).integers(0, 4, 90)


def classes(metrics: Any = ("accuracy", "f1"), loss: Any = "cross_entropy") -> Model:
    return Model(classifier().astype("float64"), loss, optim.SGD(0.1), metrics=metrics)


def fit(model: Model, x: Any, y: Any, **options: Any) -> train.History:
    return model.fit(x, y, **({"epochs": 3, "seed": 0, "verbose": False} | options))


def close(one: nn.Module, other: nn.Module, rtol: float = 1e-12) -> None:
    for a, b in zip(one.state().values(), other.state().values(), strict=True):
        np.testing.assert_allclose(a, b, rtol, 1e-14)


# repeated rows


@pytest.mark.parametrize("loss", ["cross_entropy", nn.CrossEntropyLoss(0.1, [1, 2, 3])])
def test_whole_weights_are_repeated_rows_in_training(loss: Any) -> None:
    """In the loss, the update and the metrics; in one batch, as the batches would differ."""
    one, other = classes(loss=loss), classes(loss=loss)
    x, y = np.repeat(X, W, axis=0), np.repeat(Y, W)
    weighted = fit(one, X, Y, sample_weight=W, batch_size=int((W > 0).sum()))
    repeated = fit(other, x, y, batch_size=len(x))
    close(one.network, other.network)
    for name, values in repeated.items():
        np.testing.assert_allclose(weighted[name], values, 1e-10, err_msg=name)


@pytest.mark.parametrize("size", [7, 90, 1024])
def test_whole_weights_are_repeated_rows_in_evaluation(size: int) -> None:
    names = ["accuracy", "f1", "precision_weighted", "recall_micro", "roc_auc", "log_loss"]
    model = classes(metrics=names)
    weighted = model.evaluate(X, Y, size, sample_weight=W)
    repeated = model.evaluate(np.repeat(X, W, axis=0), np.repeat(Y, W))
    assert weighted == {name: pytest.approx(value, rel=1e-10) for name, value in repeated.items()}


def test_whole_weights_are_repeated_rows_in_a_regression() -> None:
    x, y = line(90, outputs=2)
    model = Model(nn.Dense(3, 2, rng=0).astype("float64"), "huber", metrics=["r2", "mae", "rmse"])
    weighted = model.evaluate(x, y, sample_weight=W)
    repeated = model.evaluate(np.repeat(x, W, axis=0), np.repeat(y, W, axis=0))
    assert weighted == {name: pytest.approx(value, rel=1e-10) for name, value in repeated.items()}


def test_the_places_of_a_sequence_weigh_as_their_example() -> None:
    x = np.random.default_rng(0).normal(size=(9, 5, 2))
    y, w = (x > 0).sum(axis=-1), W[:9]
    model = classes()
    weighted = model.evaluate(x, y, sample_weight=w)
    repeated = model.evaluate(np.repeat(x, w, axis=0), np.repeat(y, w, axis=0))
    assert weighted == {name: pytest.approx(value, rel=1e-10) for name, value in repeated.items()}


@pytest.mark.parametrize("batch_size", [8, 32])
def test_a_weight_of_0_leaves_a_row_out_bit_for_bit(batch_size: int) -> None:
    one, other = classes(), classes()
    keep = W > 0
    options = {"batch_size": batch_size, "validation_split": 0.2}
    histories = [
        fit(one, X, Y, sample_weight=W, **options),
        fit(other, X[keep], Y[keep], sample_weight=W[keep], **options),
    ]
    assert same_state(one.network, other.network)
    assert dict(histories[0]) == dict(histories[1])
    network = Rows(nn.Dense(2, 3, rng=0))
    x = np.stack([np.arange(90.0), Y], axis=1)
    fit(Model(network, "cross_entropy"), x, Y, sample_weight=W, epochs=1, compile=False)
    assert set(network.seen[True]) == set(np.flatnonzero(keep))


def test_equal_weights_change_nothing() -> None:
    one, other = classes(), classes()
    weighted, plain = fit(one, X, Y, sample_weight=np.full(90, 0.3)), fit(other, X, Y)
    close(one.network, other.network)
    for name, values in plain.items():
        np.testing.assert_allclose(weighted[name], values, 1e-12)


def test_the_loss_of_an_epoch_is_weighted_over_unequal_batches() -> None:
    model = classes()
    model.optimizer = optim.SGD(1e-30)
    history = fit(model, X, Y, epochs=1, batch_size=13, sample_weight=W)
    for name, value in model.evaluate(X, Y, sample_weight=W).items():
        assert history[name] == [pytest.approx(value, rel=1e-12)]


# scikit-learn as the oracle


def test_weighted_scores_are_scikit_learn_s() -> None:
    w = np.random.default_rng(0).uniform(0, 2, 90)
    model = classes(metrics=["accuracy", "f1_weighted", "log_loss"])
    proba, guess = model.predict_proba(X), model.predict_classes(X)
    scores = model.evaluate(X, Y, sample_weight=w)
    loss = oracle.log_loss(Y, proba, sample_weight=w)
    assert scores["loss"] == pytest.approx(loss, rel=1e-12)
    assert scores["log_loss"] == pytest.approx(loss, rel=1e-12)
    expected = oracle.accuracy_score(Y, guess, sample_weight=w)
    assert scores["accuracy"] == pytest.approx(expected, rel=1e-12)
    expected = oracle.f1_score(Y, guess, sample_weight=w, average="weighted")
    assert scores["f1_weighted"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("weights", ["balanced", {0: 3.0, 2: 0.5}])
def test_class_weights_are_scikit_learn_s(weights: Any) -> None:
    y = np.repeat([0, 1, 2], [60, 20, 10])
    w = compute_sample_weight(weights, y)
    one, other = classes(), classes()
    histories = fit(one, X, y, class_weight=weights), fit(other, X, y, sample_weight=w)
    close(one.network, other.network)
    for name, values in histories[1].items():
        np.testing.assert_allclose(histories[0][name], values, 1e-12)
    scores = one.evaluate(X, y, class_weight=weights)
    loss = oracle.log_loss(y, one.predict_proba(X), sample_weight=w)
    assert scores["loss"] == pytest.approx(loss, rel=1e-12)
    if weights == "balanced":
        balanced = oracle.balanced_accuracy_score(y, one.predict_classes(X))
        assert scores["accuracy"] == pytest.approx(balanced, rel=1e-12)


def test_balanced_classes_count_rows_by_their_weights() -> None:
    """Whole weights are repeated rows here too."""
    y = np.repeat([0, 1, 2], [60, 20, 10])
    model = classes()
    weighted = model.evaluate(X, y, sample_weight=W, class_weight="balanced")
    repeated = model.evaluate(np.repeat(X, W, axis=0), np.repeat(y, W), class_weight="balanced")
    assert weighted == {name: pytest.approx(value, rel=1e-10) for name, value in repeated.items()}
    factors = compute_class_weight("balanced", classes=np.arange(3), y=np.repeat(y, W))
    expected = model.evaluate(X, y, sample_weight=W * factors[y])
    assert weighted == {name: pytest.approx(value, rel=1e-10) for name, value in expected.items()}


@pytest.mark.parametrize(
    ("loss", "outputs", "code", "weights"),
    [
        ("bce", 1, lambda y: y, {0: 1, 1: 4}),
        ("bce", 1, lambda y: y[:, None] > 0, {False: 1, True: 4}),
        ("hinge", 1, lambda y: 2 * y - 1, {-1: 1, 1: 4}),
        ("cross_entropy", 2, lambda y: y, {1: 4}),
        ("cross_entropy", 2, lambda y: np.eye(2)[y], {1: 4}),
    ],
)
def test_class_weights_of_two_classes(loss: str, outputs: int, code: Any, weights: Any) -> None:
    x, y = blobs(classes=2)
    models = [Model(nn.Dense(2, outputs, rng=0), loss, metrics=["accuracy"]) for _ in "ab"]
    one = fit(models[0], x, code(y), class_weight=weights)
    other = fit(models[1], x, code(y), sample_weight=np.where(y == 1, 4, 1))
    assert dict(one) == dict(other)


def test_validation_is_weighted_by_its_own_weights_alone() -> None:
    held = blobs(seed=1)
    w = np.random.default_rng(1).uniform(size=90)
    model = classes()
    history = fit(model, X, Y, class_weight="balanced", validation_data=(*held, w))
    expected = model.evaluate(*held, sample_weight=w)
    assert {name: history[f"val_{name}"][-1] for name in expected} == expected
    model = classes()
    history = fit(model, X, Y, sample_weight=W, validation_data=held)
    expected = model.evaluate(*held)
    assert {name: history[f"val_{name}"][-1] for name in expected} == expected


def test_the_split_takes_the_weights_along() -> None:
    """Rows of weight 0 are wrong on purpose: were the weights mixed up, the loss would show it."""
    x, y = np.concatenate([X, X]), np.concatenate([Y, (Y + 1) % 3])
    w = np.repeat([1.0, 0.0], 90) * np.tile(np.arange(1, 91), 2)
    model = Model(classifier(), "cross_entropy", optim.Adam(0.05), metrics=["accuracy"])
    history = fit(model, x, y, sample_weight=w, validation_split=0.25, epochs=30)
    assert history["accuracy"][-1] > 0.9
    assert history["val_accuracy"][-1] > 0.9


def test_the_network_s_dtype_survives_weights() -> None:
    model = Model(classifier(), "cross_entropy", metrics=["accuracy"])
    seen: set[Any] = set()

    def look(event: str, run: train.Run) -> None:
        seen.update(p.dtype for p in run.network.parameters())
        seen.update(p.grad.dtype for p in run.network.parameters() if p.grad is not None)

    w = np.random.default_rng(0).uniform(size=90)
    fit(model, X, Y, sample_weight=w, class_weight="balanced", callbacks=[Spy(look)], accumulate=2)
    assert seen == {np.dtype("float32")}


def test_a_class_that_weighs_nothing_in_the_loss_makes_no_update() -> None:
    """A whole batch of it has no mean; it is passed over."""
    loss = nn.CrossEntropyLoss(class_weight=[0, 0, 1])
    model = Model(nn.Dense(2, 3, rng=0), loss, metrics=["accuracy"])
    only = Y == 2
    history = fit(model, X, Y, batch_size=1, epochs=1)
    assert np.isfinite(history["loss"]).all()
    assert model.optimizer.steps == only.sum()
    assert np.isfinite(model.evaluate(X, Y, batch_size=1)["loss"])


# what is refused

BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "length": ({"sample_weight": np.ones(4)}, ValueError, r"sample_weight: .* \(90,\), got \(4,\)"),
    "column": ({"sample_weight": np.ones((90, 1))}, ValueError, r"got \(90, 1\)"),
    "number": ({"sample_weight": 2.0}, ValueError, r"got \(\)"),
    "negative": ({"sample_weight": np.where(Y == 0, -1, 1)}, ValueError, r"at least 0, got -1"),
    "nan": ({"sample_weight": np.full(90, np.nan)}, ValueError, "sample_weight: expected finite"),
    "huge": ({"sample_weight": np.full(90, 1e39)}, ValueError, "sample_weight in float32: expect"),
    "zeros": ({"sample_weight": np.zeros(90)}, ValueError, "sample_weight: .* got zeros only"),
    "text": ({"sample_weight": ["a"] * 90}, TypeError, "sample_weight: expected numbers, got"),
    "class of 4": ({"class_weight": {3: 1.0}}, ValueError, "labels from 0 to 2, got 3; use the"),
    "class named": ({"class_weight": {"cat": 1.0}}, ValueError, "labels from 0 to 2, got 'cat'"),
    "class negative": ({"class_weight": {1: -1.0}}, ValueError, r"least 0, got -1\.0 for label 1"),
    "class zeros": (
        {"class_weight": {0: 0, 1: 0, 2: 0}},
        ValueError,
        "class_weight: expected at least one weight above 0",
    ),
    "class list": ({"class_weight": [1, 2, 3]}, TypeError, 'to be "balanced" or a mapping from'),
    "class array": ({"class_weight": np.ones(3)}, TypeError, 'to be "balanced" or a mapping'),
    "class word": ({"class_weight": "balance"}, TypeError, 'to be "balanced" or a mapping from'),
    "validation": (
        {"validation_data": (X, Y, np.ones(3))},
        ValueError,
        r"validation sample_weight: expected .* \(90,\), got \(3,\)",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_weights_that_are_refused(name: str) -> None:
    options, error, match = BAD[name]
    model = Model(classifier(), "cross_entropy")
    spy = Spy()
    with pytest.raises(error, match=match):
        fit(model, X, Y, callbacks=[spy], **options)
    assert spy.events == []
    assert same_state(model.network, classifier())
    if "validation_data" not in options:
        with pytest.raises(error, match=match):
            model.evaluate(X, Y, **options)


@pytest.mark.parametrize(("code", "label"), [((0, 1), -1), ((-1, 1), 0)])
def test_labels_in_the_other_code_of_yes_and_no_are_refused(
    code: tuple[int, int], label: int
) -> None:
    """They would be passed over in silence, and the weight with them."""
    x, y = blobs(classes=2)
    model = Model(nn.Dense(2, 1, rng=0), "hinge")
    with pytest.raises(ValueError, match=f"expected class_weight for labels .*, got {label}; use"):
        fit(model, x, np.take(code, y), class_weight={label: 5.0, 1: 1.0})
    yes = x[:8], np.ones(8)  # either code
    assert model.evaluate(*yes, class_weight={label: 5.0}) == model.evaluate(*yes)


@pytest.mark.parametrize("weight", [None, "5", True, [1.0]])
def test_class_weights_that_are_no_numbers_are_refused(weight: Any) -> None:
    with pytest.raises(ValueError, match=r"expected class_weight of at least 0, got .* label 1"):
        fit(Model(classifier(), "cross_entropy"), X, Y, class_weight={1: weight})


def test_class_weights_of_what_has_no_classes_are_refused() -> None:
    x, y = line()
    with pytest.raises(TypeError, match="a classification loss with class_weight, got MSE"):
        fit(Model(nn.Dense(3, 1), "mse"), x, y, class_weight="balanced")
    for loss, target in (("bce", np.eye(3)[Y]), ("cross_entropy", np.full((90, 3), 1 / 3))):
        with pytest.raises(ValueError, match=r"one class an example .* shape \(90, 3\)"):
            fit(Model(classifier(), loss), X, target, class_weight="balanced")
    x, y = np.zeros((9, 3, 2)), np.zeros((9, 3), int)  # three places of three classes
    with pytest.raises(ValueError, match=r"one class an example .* shape \(9, 3\)"):
        fit(Model(classifier(), "cross_entropy"), x, y, class_weight="balanced")


def test_a_metric_that_takes_no_weights_is_refused_before_training() -> None:
    def score(y_true: np.ndarray, y_pred: np.ndarray) -> float:
        return 0.0

    model = Model(classifier(), "cross_entropy", metrics=[score])
    for options in ({"sample_weight": np.ones(90)}, {"class_weight": "balanced"}):
        with pytest.raises(TypeError, match=r"take sample_weight .* got 'score', which does"):
            fit(model, X, Y, **options)
    assert model.optimizer.steps == 0
    assert fit(model, X, Y)["score"] == [0.0] * 3


def test_a_loss_of_one_s_own_that_takes_no_weights_is_refused_only_where_there_are() -> None:
    class Plain(nn.Loss):
        def forward(self, prediction: Any, target: Any) -> Any:  # type: ignore[override]
            return ((prediction - target) ** 2).mean()

    x, y = line()
    models = [Model(nn.Dense(3, 1, rng=0), loss, optim.SGD(0.1)) for loss in (Plain(), "mse")]
    spy = Spy()
    with pytest.raises(TypeError, match=r"take.* sample_weight .* got Plain, which does not; defi"):
        fit(models[0], x, y, sample_weight=np.ones(60), callbacks=[spy])
    assert spy.events == []
    histories = [fit(m, x, y, batch_size=13, accumulate=2, validation_split=0.2) for m in models]
    close(models[0].network, models[1].network, 1e-5)
    for name, values in histories[1].items():
        np.testing.assert_allclose(histories[0][name], values, 1e-5)


def test_gradcheck_takes_weights() -> None:
    report = Model(classifier(), "cross_entropy").gradcheck(X[:6], Y[:6], sample_weight=W[:6] + 1)
    assert report, report
