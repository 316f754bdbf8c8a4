"""Every kind of problem from end to end: trained, predicted, split, and scored as scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as oracle

from pellucid import nn, optim, train
from pellucid.train import Model
from train.problems import Rows, blobs, classifier, line

W = np.random.default_rng(5).uniform(0.1, 3, 90)


def network(outputs: int, *ends: Any) -> nn.Sequential:
    """Return a network in float64: the logarithm of a float32 near 1 has lost its digits."""
    hidden = nn.Dense(2, 16, "tanh")
    return nn.Sequential(hidden, nn.Dense(16, outputs), *ends, rng=0).astype("float64")


def fit(model: Model, x: Any, y: Any, **options: Any) -> train.History:
    return model.fit(x, y, **({"epochs": 40, "seed": 0, "verbose": False} | options))


def adam() -> optim.Optimizer:
    return optim.Adam(0.05)


def same(found: dict[str, float], expected: dict[str, float]) -> None:
    assert {name: found[name] for name in expected} == {
        name: pytest.approx(value, rel=1e-6) for name, value in expected.items()
    }


# one yes or no


@pytest.mark.parametrize(
    ("loss", "ends"),
    [("bce", ()), ("bce", (nn.Sigmoid(),)), (nn.BCELoss(from_logits=False), (nn.Sigmoid(),))],
    ids=["logits", "sigmoid", "probabilities"],
)
def test_binary_classification(loss: Any, ends: Any) -> None:
    x, y = blobs(classes=2)
    names = ["accuracy", "f1_binary", "roc_auc", "log_loss", "average_precision"]
    model = Model(network(1, *ends), loss, adam(), metrics=names)
    history = fit(model, x, y, validation_split=0.2)
    assert history["val_accuracy"][-1] > 0.9
    proba, guess = model.predict_proba(x), model.predict_classes(x)
    assert (proba.shape, guess.shape) == ((90, 1), (90,))
    np.testing.assert_array_equal(guess, proba[:, 0] > 0.5)
    for w in (None, W):
        same(
            model.evaluate(x, y, sample_weight=w),
            {
                "loss": oracle.log_loss(y, proba.astype(float), sample_weight=w),
                "accuracy": oracle.accuracy_score(y, guess, sample_weight=w),
                "f1_binary": oracle.f1_score(y, guess, sample_weight=w),
                "roc_auc": oracle.roc_auc_score(y, proba[:, 0], sample_weight=w),
                "log_loss": oracle.log_loss(y, proba.astype(float), sample_weight=w),
                "average_precision": oracle.average_precision_score(
                    y, proba[:, 0], sample_weight=w
                ),
            },
        )


def test_probabilities_and_logits_train_alike() -> None:
    """The same mathematics; in float64 the weights agree but for rounding."""
    x, y = blobs(classes=2)
    losses = ("bce", nn.BCELoss(from_logits=False))
    models = [Model(network(1, nn.Sigmoid()), loss, adam()) for loss in losses]
    histories = [fit(model, x, y, epochs=5) for model in models]
    np.testing.assert_allclose(histories[0]["loss"], histories[1]["loss"], 1e-6)
    x, y = blobs()
    losses = ("cross_entropy", nn.CrossEntropyLoss(from_logits=False))
    models = [Model(network(3, nn.Softmax()), loss, adam()) for loss in losses]
    histories = [fit(model, x, y, epochs=5) for model in models]
    np.testing.assert_allclose(histories[0]["loss"], histories[1]["loss"], 1e-6)
    np.testing.assert_allclose(models[0].predict_proba(x), models[1].predict_proba(x), 1e-5)


# one of several classes


@pytest.mark.parametrize("outputs", [2, 3])
def test_classification(outputs: int) -> None:
    x, y = blobs(classes=outputs)
    names = ["accuracy", "f1_macro", "top_2_accuracy", "log_loss"]
    model = Model(network(outputs), "cross_entropy", adam(), metrics=names)
    history = fit(model, x, y, validation_split=0.2)
    assert history["val_accuracy"][-1] > 0.9
    proba, guess = model.predict_proba(x).astype(float), model.predict_classes(x)
    proba /= proba.sum(axis=1, keepdims=True)
    assert (proba.shape, guess.shape) == ((90, outputs), (90,))
    for w in (None, W):
        same(
            model.evaluate(x, y, sample_weight=w),
            {
                "loss": oracle.log_loss(y, proba, sample_weight=w),
                "accuracy": oracle.accuracy_score(y, guess, sample_weight=w),
                "f1_macro": oracle.f1_score(y, guess, average="macro", sample_weight=w),
                "log_loss": oracle.log_loss(y, proba, sample_weight=w),
            },
        )


def test_smoothed_and_weighted_classes() -> None:
    x, y = blobs()
    loss = nn.CrossEntropyLoss(label_smoothing=0.1, class_weight=[1, 2, 5])
    model = Model(network(3), loss, adam(), metrics=["accuracy"])
    history = fit(model, x, y, batch_size=7, validation_split=0.2)
    assert history["val_accuracy"][-1] > 0.9
    assert model.evaluate(x, y, batch_size=7)["loss"] == pytest.approx(
        loss(model.predict(x), y).item(), rel=1e-5
    )


def test_distributions_by_their_divergence() -> None:
    x, y = blobs()
    t = np.eye(3)[y] * 0.9 + 0.1 / 3
    for ends in ((), (nn.Softmax(),)):
        model = Model(network(3, *ends), "kl", adam(), metrics=["accuracy"])
        history = fit(model, x, t, validation_split=0.2)
        assert history["val_accuracy"][-1] > 0.9
        assert 0 <= history["loss"][-1] < 0.05
        np.testing.assert_allclose(model.predict_proba(x).sum(axis=1), 1, 1e-5)
        np.testing.assert_array_equal(
            model.predict_classes(x), model.predict_proba(x).argmax(axis=1)
        )


# several yes or no


def test_multi_label_classification() -> None:
    """The scores are scikit-learn's of multi-label answers: a row is right if all of it is."""
    x, _ = blobs()
    y = np.stack([x[:, 0] > 0, x[:, 1] > 0, x[:, 0] > x[:, 1]], axis=1).astype(int)
    names = ["accuracy", "f1_micro", "f1_macro", "f1_samples", "precision_weighted", "roc_auc"]
    model = Model(network(3), "bce", adam(), metrics=names)
    history = fit(model, x, y, epochs=5, validation_split=0.2)
    assert 0 < history["accuracy"][-1] < 1
    proba, guess = model.predict_proba(x), model.predict_classes(x)
    assert proba.shape == guess.shape == (90, 3)
    np.testing.assert_array_equal(guess, proba > 0.5)
    for w in (None, W):
        options = {"sample_weight": w, "zero_division": 0}
        same(
            model.evaluate(x, y, sample_weight=w),
            {
                "accuracy": oracle.accuracy_score(y, guess, sample_weight=w),
                "f1_micro": oracle.f1_score(y, guess, average="micro", **options),
                "f1_macro": oracle.f1_score(y, guess, average="macro", **options),
                "f1_samples": oracle.f1_score(y, guess, average="samples", **options),
                "precision_weighted": oracle.precision_score(
                    y, guess, average="weighted", **options
                ),
                "roc_auc": oracle.roc_auc_score(y, proba, sample_weight=w),
            },
        )


def test_multi_label_rows_are_split_at_random() -> None:
    """There is no one class an example to keep the shares of."""
    x = np.arange(100.0)[:, None]
    y = (np.arange(100)[:, None] % [2, 3] == 0).astype(int)
    watched = Rows(nn.Dense(1, 2, rng=0))
    fit(
        Model(watched, "bce", optim.SGD(1e-9)), x, y, epochs=1, validation_split=0.25, compile=False
    )
    assert len(set(watched.seen[True])) == 75


# margins


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("code", [lambda y: y, lambda y: 2 * y - 1, lambda y: y[:, None] == 1])
def test_classification_by_a_margin(loss: str, code: Any) -> None:
    x, y = blobs(classes=2)
    model = Model(network(1), loss, adam(), metrics=["accuracy", "f1_binary", "roc_auc"])
    history = fit(model, x, code(y), validation_split=0.2)
    assert history["val_accuracy"][-1] > 0.9
    scores, guess = model.predict(x)[:, 0], model.predict_classes(x)
    np.testing.assert_array_equal(guess, scores > 0)
    assert guess.shape == (90,)
    expected = {
        "accuracy": oracle.accuracy_score(y, guess),
        "f1_binary": oracle.f1_score(y, guess),
        "roc_auc": oracle.roc_auc_score(y, scores),
    }
    if loss == "hinge":
        expected["loss"] = oracle.hinge_loss(y, scores)
    same(model.evaluate(x, code(y)), expected)


def test_the_split_of_margins_keeps_the_classes() -> None:
    y = np.repeat([-1, 1], [90, 10])
    x = np.stack([np.arange(100), y], axis=1).astype(np.float32)
    watched = Rows(nn.Dense(2, 1, rng=0))
    fit(
        Model(watched, "hinge", optim.SGD(1e-9)),
        x,
        y,
        epochs=1,
        validation_split=0.2,
        compile=False,
    )
    assert len({row for row in watched.seen[True] if row >= 90}) == 8


def test_several_classes_by_a_margin() -> None:
    x, y = blobs()
    model = Model(network(3), "categorical_hinge", adam(), metrics=["accuracy", "f1"])
    history = fit(model, x, y, validation_split=0.2)
    assert history["val_accuracy"][-1] > 0.9
    scores, guess = model.predict(x), model.predict_classes(x)
    np.testing.assert_array_equal(guess, scores.argmax(axis=1))
    same(
        model.evaluate(x, y),
        {
            "loss": oracle.hinge_loss(y, scores, labels=[0, 1, 2]),
            "accuracy": oracle.accuracy_score(y, guess),
            "f1": oracle.f1_score(y, guess, average="macro"),
        },
    )


def test_several_answers_by_margins() -> None:
    x, _ = blobs()
    y = np.stack([x[:, 0] > 0, x[:, 1] > 0], axis=1)
    model = Model(network(2), "squared_hinge", adam(), metrics=["accuracy"])
    assert fit(model, x, y)["accuracy"][-1] > 0.9
    guess = model.predict_classes(x)
    np.testing.assert_array_equal(guess, model.predict(x) > 0)
    same(model.evaluate(x, y), {"accuracy": oracle.accuracy_score(y, guess)})


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "categorical_hinge"])
def test_margins_are_no_probabilities(loss: str) -> None:
    model = Model(network(3), loss)
    with pytest.raises(TypeError, match=r"loss of probabilities for .*, got .*; use predict or"):
        model.predict_proba(blobs()[0])
    with pytest.raises(TypeError, match=r"a loss of probabilities beside .* 'log_loss', got"):
        Model(network(3), loss, metrics=["log_loss"])


# numbers


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "log_cosh"])
def test_regression_with_several_outputs(loss: str) -> None:
    x, y = line(90, outputs=3)
    names = ["r2", "mae", "mse", "rmse"]
    model = Model(nn.Dense(3, 3, rng=0), loss, optim.Adam(0.1), metrics=names)
    history = fit(model, x, y, epochs=80, validation_split=0.2)
    assert history["val_r2"][-1] > 0.98
    prediction = model.predict(x)
    for w in (None, W):
        same(
            model.evaluate(x, y, sample_weight=w),
            {
                "r2": oracle.r2_score(y, prediction, sample_weight=w),
                "mae": oracle.mean_absolute_error(y, prediction, sample_weight=w),
                "mse": oracle.mean_squared_error(y, prediction, sample_weight=w),
                "rmse": oracle.root_mean_squared_error(y, prediction, sample_weight=w),
            },
        )


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc", "log_loss", "top_2_accuracy"])
def test_metrics_of_classes_are_refused_for_numbers(metric: str) -> None:
    with pytest.raises(TypeError, match=f"metrics of numbers beside HuberLoss, got '{metric}'"):
        Model(nn.Dense(3, 1), "huber", metrics=[metric])


def test_places_of_a_sequence_are_scored_each() -> None:
    x = np.random.default_rng(0).normal(size=(40, 5, 2)).astype(np.float32)
    y = (x > 0).sum(axis=-1)
    names = ["accuracy", "log_loss", "roc_auc"]
    model = Model(classifier(), "cross_entropy", metrics=names)
    fit(model, x, y, epochs=2)
    proba = model.predict_proba(x).reshape(-1, 3).astype(float)
    proba /= proba.sum(axis=1, keepdims=True)
    w = np.random.default_rng(0).uniform(size=40)
    same(
        model.evaluate(x, y, sample_weight=w),
        {
            "accuracy": oracle.accuracy_score(
                y.reshape(-1), proba.argmax(axis=1), sample_weight=np.repeat(w, 5)
            ),
            "log_loss": oracle.log_loss(y.reshape(-1), proba, sample_weight=np.repeat(w, 5)),
            "roc_auc": oracle.roc_auc_score(
                y.reshape(-1), proba, multi_class="ovr", sample_weight=np.repeat(w, 5)
            ),
        },
    )


@pytest.mark.parametrize("name", nn.LOSSES)
def test_the_whole_model_is_gradient_checked_for_every_loss(name: str) -> None:
    x, y = blobs(n=6)
    loss = nn.LOSSES[name]
    target = y if loss.task == "classification" and name != "kl" else np.eye(3)[y]
    report = Model(classifier(), name).gradcheck(x, target)
    assert report, report
