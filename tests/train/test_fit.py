"""`Model`: every kind of problem is learned, predicted and scored, in the network's own dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import Tensor, nn, optim, train
from pellucid.train import Model
from train.problems import XOR, Rows, Spy, blobs, classifier, line, same_state


def fit(model: Model, x: Any, y: Any, **options: Any) -> train.History:
    return model.fit(x, y, **({"epochs": 30, "seed": 0, "verbose": False} | options))


# classes


def test_several_classes_from_logits() -> None:
    x, y = blobs()
    model = Model(classifier(), "cross_entropy", optim.Adam(0.03), metrics=["accuracy", "f1"])
    history = fit(model, x, y)
    assert history["loss"][-1] < history["loss"][0] / 3
    assert history["accuracy"][-1] > 0.95
    assert list(history) == ["loss", "accuracy", "f1"]
    assert model.predict(x).shape == (90, 3)
    proba = model.predict_proba(x)
    np.testing.assert_allclose(proba.sum(axis=1), 1, 1e-6)
    np.testing.assert_allclose(proba, pellucid.softmax(model.predict(x)).data, 1e-6)
    np.testing.assert_array_equal(model.predict_classes(x), proba.argmax(axis=1))
    scores = model.evaluate(x, y)
    assert list(scores) == ["loss", "accuracy", "f1"]
    assert scores["accuracy"] == np.mean(model.predict_classes(x) == y)
    assert scores["loss"] == pytest.approx(-np.log(proba[np.arange(90), y]).mean(), rel=1e-4)


@pytest.mark.parametrize(
    "build",
    [
        lambda: classifier(nn.Softmax()),
        lambda: nn.Sequential(nn.Dense(2, 16, "relu"), nn.Dense(16, 3, "softmax"), rng=0),
        lambda: nn.Sequential(nn.Sequential(classifier()), nn.Sequential(nn.Softmax()), rng=0),
    ],
    ids=["a layer", "an activation", "nested"],
)
def test_a_network_that_ends_in_softmax_is_trained_on_its_logits(build: Any) -> None:
    """The same as without it, bit for bit; only that `predict` returns probabilities."""
    x, y = blobs()
    logits = Model(classifier(), "cross_entropy", metrics=["accuracy"])
    softmax = Model(build(), "cross_entropy", metrics=["accuracy"])
    assert dict(fit(logits, x, y)) == dict(fit(softmax, x, y))
    for one, other in zip(
        logits.network.state().values(), softmax.network.state().values(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(softmax.predict(x).sum(axis=1), 1, 1e-6)
    np.testing.assert_array_equal(softmax.predict(x), logits.predict_proba(x))
    np.testing.assert_array_equal(softmax.predict_proba(x), logits.predict_proba(x))
    np.testing.assert_array_equal(softmax.predict_classes(x), logits.predict_classes(x))
    assert softmax.evaluate(x, y) == logits.evaluate(x, y)


def test_softmax_applied_twice_in_the_network_is_reported() -> None:
    x, y = blobs()
    network = nn.Sequential(nn.Dense(2, 3, "softmax"), nn.Softmax(), rng=0)
    before = network.state()
    with pytest.raises(
        ValueError, match=r"takes logits and applies softmax itself, but .* already"
    ):
        fit(Model(network, "cross_entropy"), x, y)
    with pytest.raises(ValueError, match="takes logits"):
        Model(network, "cross_entropy").evaluate(x, y)
    for path, array in network.state().items():
        np.testing.assert_array_equal(array, before[path])


class Hidden(nn.Module):
    """A network that applies softmax where the model cannot see it coming."""

    def __init__(self) -> None:
        self.dense = nn.Dense(2, 3)

    def forward(self, x: Any) -> Tensor:
        return pellucid.softmax(self.dense(x))


def test_softmax_hidden_in_a_forward_of_one_s_own_is_reported() -> None:
    with pytest.raises(ValueError, match="been through softmax already"):
        fit(Model(Hidden(), "cross_entropy"), *blobs())


@pytest.mark.parametrize(
    ("loss", "ending", "y"),
    [("bce", "softmax", np.eye(3)[blobs()[1]]), ("cross_entropy", "sigmoid", blobs()[1])],
)
def test_the_wrong_activation_for_the_loss_is_reported(
    loss: str, ending: str, y: np.ndarray
) -> None:
    network = nn.Sequential(nn.Dense(2, 3, ending), rng=0)
    with pytest.raises(ValueError, match=f"been through {ending} already; end the network in"):
        fit(Model(network, loss), blobs()[0], y)


TARGETS = {
    "int64": lambda y: y,
    "int32": lambda y: y.astype("int32"),
    "uint8": lambda y: y.astype("uint8"),
    "whole floats": lambda y: y.astype("float64"),
    "column": lambda y: y[:, None],
    "float column": lambda y: y[:, None].astype("float32"),
    "list": lambda y: y.tolist(),
    "tensor": lambda y: Tensor(y),
    "one-hot": lambda y: np.eye(3)[y],
    "one-hot integers": lambda y: np.eye(3, dtype=np.uint8)[y],
    "one-hot truth": lambda y: np.eye(3, dtype=bool)[y],
}


@pytest.mark.parametrize("kind", TARGETS)
def test_class_labels_may_come_in_any_of_these_forms(kind: str) -> None:
    x, y = blobs()
    plain = Model(classifier(), "cross_entropy", metrics=["accuracy", "f1"])
    other = Model(classifier(), "cross_entropy", metrics=["accuracy", "f1"])
    expected, history = fit(plain, x, y, epochs=3), fit(other, x, TARGETS[kind](y), epochs=3)
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, 1e-5, err_msg=name)
    assert other.evaluate(x, TARGETS[kind](y))["accuracy"] == plain.evaluate(x, y)["accuracy"]


class Focal(nn.CrossEntropyLoss):
    """A user's loss for classes: -(1 - p)^2 ln p."""

    def per_example(self, prediction: Tensor, target: Tensor) -> Tensor:
        losses = super().per_example(prediction, target)
        return losses * (1 - pellucid.exp(-losses)) ** 2


def test_a_loss_of_one_s_own_for_classes_is_trained_on_logits_too() -> None:
    x, y = blobs()
    models = [
        Model(classifier(*ends), Focal(), optim.Adam(0.03), metrics=["accuracy"])
        for ends in ((), (nn.Softmax(),))
    ]
    histories = [fit(model, x, y) for model in models]
    assert dict(histories[0]) == dict(histories[1])
    assert histories[0]["accuracy"][-1] > 0.9
    np.testing.assert_array_equal(models[1].predict(x), models[0].predict_proba(x))
    with pytest.raises(ValueError, match="Focal takes logits"):
        Focal()(models[1].network(x), y)


def test_boolean_labels_of_two_classes() -> None:
    x, y = blobs(classes=2)
    one, other = (Model(classifier(classes=2), "cross_entropy", metrics=["accuracy"]) for _ in "ab")
    assert dict(fit(one, x, y == 1, epochs=3)) == dict(fit(other, x, y, epochs=3))


def test_soft_targets() -> None:
    x, y = blobs()
    smooth = np.eye(3)[y] * 0.9 + 0.1 / 3
    model = Model(classifier(), "cross_entropy", optim.Adam(0.03), metrics=["accuracy"])
    assert fit(model, x, smooth)["accuracy"][-1] > 0.95
    assert model.predict_proba(x).max(axis=1).mean() == pytest.approx(0.9 + 0.1 / 3, abs=0.03)


def test_two_classes_as_one_output_with_sigmoid() -> None:
    x, y = blobs(classes=2)
    for ends in ((), (nn.Sigmoid(),)):
        network = nn.Sequential(nn.Dense(2, 8, "tanh"), nn.Dense(8, 1), *ends, rng=0)
        model = Model(network, "bce", optim.Adam(0.05), metrics=["accuracy", "f1_binary"])
        history = fit(model, x, y)
        assert history["accuracy"][-1] > 0.95
        proba = model.predict_proba(x)
        assert proba.shape == (90, 1)
        assert 0 <= proba.min() < 0.1 < 0.9 < proba.max() <= 1
        classes = model.predict_classes(x)
        assert classes.shape == (90,)
        np.testing.assert_array_equal(classes, proba[:, 0] > 0.5)
        assert model.evaluate(x, y)["accuracy"] == np.mean(classes == y)
        np.testing.assert_array_equal((model.predict(x) > (0.5 if ends else 0))[:, 0], classes)


@pytest.mark.parametrize("ends", [(), (nn.Sigmoid(),)], ids=["logits", "sigmoid"])
def test_the_metrics_of_yes_or_no_agree_with_the_predicted_classes(ends: Any) -> None:
    """Logits are compared with 0, probabilities with 0.5; here most lie between the two."""
    x, y = blobs(classes=2)
    network = nn.Sequential(nn.Dense(2, 1, init=nn.initialisers.constant(0.1)), *ends)
    model = Model(network, "bce", optim.SGD(1e-30), metrics=["accuracy", "recall_binary"])
    classes = model.predict_classes(x)
    logits = network.preactivation(x).data if ends else network(x).data
    assert ((logits > 0) & (logits < 0.5)).mean() > 0.3
    np.testing.assert_array_equal(classes, logits[:, 0] > 0)
    history = fit(model, x, y, epochs=1)
    for scores in (model.evaluate(x, y), {name: v[0] for name, v in history.items()}):
        assert scores["accuracy"] == np.mean(classes == y)
        assert scores["recall_binary"] == pytest.approx(classes[y == 1].mean())


def test_sigmoid_at_the_end_trains_bit_for_bit_as_its_logits() -> None:
    x, y = blobs(classes=2)
    models = [
        Model(nn.Sequential(nn.Dense(2, 1), *ends, rng=0), "bce") for ends in ((), (nn.Sigmoid(),))
    ]
    assert dict(fit(models[0], x, y)) == dict(fit(models[1], x, y))
    np.testing.assert_array_equal(models[1].predict(x), models[0].predict_proba(x))


def test_several_answers_at_once() -> None:
    """Multi-label: each output is a question of its own; a row is right if all of it is."""
    x, _ = blobs()
    y = np.stack([x[:, 0] > 0, x[:, 1] > 0, x[:, 0] > x[:, 1]], axis=1).astype(int)
    model = Model(classifier(nn.Sigmoid()), "bce", optim.Adam(0.05), metrics=["accuracy"])
    history = fit(model, x, y, epochs=60)
    assert history["accuracy"][-1] > 0.9
    answers = model.predict_classes(x)
    assert answers.shape == (90, 3)
    assert answers.dtype.kind == "i"
    assert model.evaluate(x, y)["accuracy"] == np.mean((answers == y).all(axis=1))


def test_a_class_for_every_place_of_a_sequence() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 5, 2)).astype(np.float32)
    y = (x > 0).sum(axis=-1)
    model = Model(classifier(), "cross_entropy", optim.Adam(0.03), metrics=["accuracy"])
    history = fit(model, x, y, epochs=40)
    assert history["accuracy"][-1] > 0.9
    classes = model.predict_classes(x)
    assert classes.shape == (40, 5)
    assert model.evaluate(x, y)["accuracy"] == np.mean(classes == y)
    one_hot = np.eye(3)[y]
    assert model.evaluate(x, one_hot)["accuracy"] == np.mean(classes == y)


# numbers


@pytest.mark.parametrize("outputs", [1, 3])
def test_regression(outputs: int) -> None:
    x, y = line(outputs=outputs)
    model = Model(
        nn.Dense(3, outputs, rng=0), "mse", optim.Adam(0.1), metrics=["r2", "mae", "rmse"]
    )
    history = fit(model, x, y, epochs=80)
    assert history["r2"][-1] > 0.99
    prediction = model.predict(x)
    assert prediction.shape == (60, outputs)
    scores = model.evaluate(x, y)
    assert scores["loss"] == pytest.approx(np.mean((prediction - y) ** 2), rel=1e-5)
    assert scores["mae"] == pytest.approx(np.mean(np.abs(prediction - y)), rel=1e-5)
    by_output = np.sqrt(np.mean((prediction - y) ** 2, axis=0))
    assert scores["rmse"] == pytest.approx(by_output.mean(), rel=1e-5)


@pytest.mark.parametrize("loss", ["mse", "mae"])
def test_a_target_in_a_row_for_one_output(loss: str) -> None:
    x, y = line()
    models = [Model(nn.Dense(3, 1, rng=0), loss, metrics=["r2"]) for _ in range(2)]
    assert dict(fit(models[0], x, y)) == dict(fit(models[1], x, y[:, 0]))
    assert models[0].evaluate(x, y) == models[1].evaluate(x, y[:, 0].tolist())


def test_whole_numbers_as_targets_of_a_regression() -> None:
    x, _ = line()
    model = Model(nn.Dense(3, 1, rng=0), "mse")
    assert np.isfinite(fit(model, x, np.arange(60) % 5)["loss"]).all()


def test_probabilities_of_a_regression_are_refused() -> None:
    x, _ = line()
    model = Model(nn.Dense(3, 1), "mse")
    with pytest.raises(TypeError, match=r"expected a loss of prob.*, got MSELoss; use predict$"):
        model.predict_proba(x)
    with pytest.raises(TypeError, match=r"expected a classification loss .* MSELoss; use predict$"):
        model.predict_classes(x)


# dtypes


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "float32", "float64", "float16"])
def test_images_of_any_dtype(dtype: str) -> None:
    """uint8 pixels go in as they are; nothing overflows, nothing is widened."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2 if dtype == "bool" else 256, (64, 8, 8)).astype(dtype)
    y = (x.astype(float).mean(axis=(1, 2)) > x.astype(float).mean()).astype(int)
    network = nn.Sequential(lambda x: x.reshape(len(x), -1), nn.Dense(64, 2), rng=0)
    model = Model(network, "cross_entropy", optim.Adam(1e-4), metrics=["accuracy"])
    fit(model, x, y, epochs=20)
    assert model.predict(x).dtype == np.float32
    expected = x.reshape(64, -1).astype(np.float32) @ network[1].weight.data + network[1].bias.data
    np.testing.assert_allclose(model.predict(x), expected, 1e-4, 1e-4)
    assert network[1].weight.dtype == np.float32


@pytest.mark.parametrize("network_dtype", ["float32", "float64"])
@pytest.mark.parametrize("data_dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("loss", "metric"),
    [("cross_entropy", "accuracy"), ("mse", "r2"), ("mae", "mae"), ("bce", "f1")],
)
def test_the_network_s_dtype_survives_a_whole_fit(
    loss: str, metric: str, data_dtype: str, network_dtype: str
) -> None:
    """float64 data makes nothing float64, and float32 data leaves a float64 network float64."""
    x, y = blobs(classes=2)
    targets = y if loss == "cross_entropy" else np.eye(2)[y].astype(data_dtype)
    network = nn.Sequential(nn.Dense(2, 8, "relu"), nn.Dropout(0.2), nn.Dense(8, 2), rng=0).astype(
        network_dtype
    )
    seen: set[Any] = set()

    def look(event: str, run: train.Run) -> None:
        seen.update(p.dtype for p in run.network.parameters())
        seen.update(p.grad.dtype for p in run.network.parameters() if p.grad is not None)
        seen.update(a.dtype for s in run.optimizer.state.values() for a in s.values())

    model = Model(network, loss, "adam", metrics=[metric])
    data = x.astype(data_dtype)
    fit(model, data, targets, epochs=2, validation_split=0.2, callbacks=[Spy(look)])
    assert seen == {np.dtype(network_dtype)}
    assert model.predict(data).dtype == network_dtype
    loss_value = model.loss(model.network(data.astype(network_dtype)), targets)
    assert loss_value.dtype == network_dtype


# the loop


@pytest.mark.parametrize("batch_size", [7, 32, 59, 60])
def test_an_unequal_last_batch_weighs_by_its_size(batch_size: int) -> None:
    """With a rate of next to nothing the epoch's loss and metrics are those of the whole set."""
    x, y = line()
    metrics = ["r2", "mae"]
    model = Model(nn.Dense(3, 1, rng=0), "mse", optim.SGD(1e-30), metrics=metrics)
    by_hand = model.evaluate(x, y)
    history = fit(model, x, y, epochs=1, batch_size=batch_size)
    for name, value in by_hand.items():
        assert history[name] == [pytest.approx(value, rel=1e-5)]
    for size in (1, 7, 59, 1000):
        for name, value in model.evaluate(x, y, batch_size=size).items():
            assert by_hand[name] == pytest.approx(value, rel=1e-6)


def test_metrics_are_computed_over_the_epoch_not_averaged_over_batches() -> None:
    """The mean of the batches' F1 is another number; so it is with a rare class."""
    x, _ = blobs(n=100, classes=2)
    y = np.zeros(100, int)
    y[::17] = 1
    model = Model(
        classifier(classes=2), "cross_entropy", optim.SGD(1e-30), metrics=["f1", "recall"]
    )
    history = fit(model, x, y, epochs=1, batch_size=8)
    guess = model.predict_classes(x)
    for name in ("f1", "recall"):
        score = getattr(train.metrics, name)
        assert history[name] == [pytest.approx(score(y, guess))]
        batches = [score(y[i : i + 8], guess[i : i + 8]) for i in range(0, 100, 8)]
        assert abs(np.mean(batches) - history[name][0]) > 0.01


def test_metrics_get_the_truth_first() -> None:
    """Swapped, precision would be recall, and r2 another number."""
    x, _ = blobs(classes=2)
    y = (np.arange(90) % 5 == 0).astype(int)
    names = ["precision_binary", "recall_binary"]
    model = Model(classifier(classes=2), "cross_entropy", optim.SGD(1e-30), metrics=names)
    history, guess = fit(model, x, y, epochs=1), model.predict_classes(x)
    hits = np.sum((y == 1) & (guess == 1))
    assert history["precision_binary"] == [pytest.approx(hits / np.sum(guess == 1))]
    assert history["recall_binary"] == [pytest.approx(hits / np.sum(y == 1))]
    assert history["precision_binary"] != history["recall_binary"]


def test_training_metrics_are_those_of_the_predictions_made_on_the_way() -> None:
    x, y = blobs()
    batches: list[float] = []
    spy = Spy(lambda event, run: batches.append(run.logs["loss"]) if event == "batch_end" else None)
    model = Model(classifier(), "cross_entropy", optim.Adam(0.05))
    history = fit(model, x, y, epochs=1, batch_size=40, callbacks=[spy])
    assert len(batches) == 3
    expected = (40 * batches[0] + 40 * batches[1] + 10 * batches[2]) / 90
    assert history["loss"] == [pytest.approx(expected, rel=1e-12)]


def test_every_row_is_trained_on_once_an_epoch_in_another_order() -> None:
    x = np.arange(50, dtype=np.float32)[:, None]
    network = Rows(nn.Dense(1, 1, rng=0))
    orders: list[list[float]] = []

    def collect(event: str, run: train.Run) -> None:
        if event == "epoch_begin":
            network.seen[True].clear()
        if event == "epoch_end":
            orders.append(list(network.seen[True]))

    fit(
        Model(network, "mse", optim.SGD(1e-9)),
        x,
        x,
        epochs=3,
        batch_size=8,
        callbacks=[Spy(collect)],
        compile=False,
    )
    for order in orders:
        assert sorted(order) == list(range(50))
        assert order != sorted(order)
    assert orders[0] != orders[1] != orders[2]


def test_fit_goes_on_where_it_ended() -> None:
    """Adam's memory survives a second fit."""
    x, y = blobs()
    model = Model(classifier(), "cross_entropy")
    fit(model, x, y, epochs=2, batch_size=30)
    assert model.optimizer.steps == 6
    fit(model, x, y, epochs=1, batch_size=30)
    assert model.optimizer.steps == 9


def test_frozen_layers_stay_what_they_are() -> None:
    x, y = blobs()
    network = classifier()
    network[0].weight.requires_grad = network[0].bias.requires_grad = False
    before = network[0].state()
    model = Model(network, "cross_entropy")
    fit(model, x, y, epochs=2)
    for path, array in network[0].state().items():
        np.testing.assert_array_equal(array, before[path])
    assert set(model.optimizer.state) == {"layers.1.weight", "layers.1.bias"}


def test_a_wholly_frozen_network_still_predicts() -> None:
    x, y = blobs()
    model = Model(classifier(), "cross_entropy")
    expected = model.predict(x)
    for parameter in model.network.parameters():
        parameter.requires_grad = False
    np.testing.assert_array_equal(model.predict(x), expected)
    assert np.isfinite(model.evaluate(x, y)["loss"])
    assert model.summary().total == 99
    with pytest.raises(
        ValueError, match=r"expected a network with parameters to train, got one with none"
    ):
        fit(model, x, y)


class Own(nn.Module):
    """A forward that uses what a tensor can do."""

    def __init__(self) -> None:
        self.dense = nn.Dense(4, 3)
        self.scale = Tensor(1.0, requires_grad=True)

    def forward(self, x: Tensor) -> Tensor:
        return (self.dense(x.flatten(1).tanh()) * self.scale).clip(-5.0, 5.0)


def test_a_forward_of_one_s_own_is_given_tensors() -> None:
    x = np.random.default_rng(0).normal(size=(40, 2, 2))
    y = np.arange(40) % 3
    model = Model(Own(), "cross_entropy", metrics=["accuracy"])
    fit(model, x, y, epochs=2, validation_split=0.2)
    assert model.predict(x).shape == (40, 3)
    assert model.predict_proba(x).shape == (40, 3)
    assert model.evaluate(x, y)
    assert model.summary((2, 2)).total == 16
    assert model.gradcheck(x[:4], y[:4])


@pytest.mark.parametrize(
    "form", [np.ndarray.tolist, Tensor, np.asfortranarray], ids=["list", "tensor", "fortran"]
)
def test_examples_may_come_in_any_of_these_forms(form: Any) -> None:
    x, y = blobs()
    one, other = (Model(classifier(), "cross_entropy") for _ in range(2))
    assert dict(fit(one, x, y, epochs=2)) == dict(fit(other, form(x), y, epochs=2))
    np.testing.assert_array_equal(one.predict(x), other.predict(form(x)))


def test_the_input_arrays_are_left_alone() -> None:
    x, y = blobs()
    x.flags.writeable = y.flags.writeable = False
    model = Model(classifier(nn.Softmax()), "cross_entropy", metrics=["accuracy"])
    fit(model, x, y, epochs=1, validation_split=0.2)
    model.predict(x)


# validation


def test_validation_rows_are_random_stratified_and_never_trained_on() -> None:
    """The data are sorted by class: the last rows would be of one class only."""
    y = np.repeat([0, 1, 2], [60, 30, 10])
    x = np.stack([np.arange(100), y], axis=1).astype(np.float32)
    network = Rows(nn.Dense(2, 3, rng=0))
    model = Model(network, "cross_entropy", optim.SGD(1e-9))
    fit(model, x, y, epochs=3, validation_split=0.2, compile=False)
    trained, validated = set(network.seen[True]), set(network.seen[False])
    first = 0.0  # the one row that is looked at beforehand, to see what the network returns
    validated_rows = sorted(validated - ({first} if first in trained else set()))
    assert trained.isdisjoint(validated_rows)
    assert len(trained) == 80
    assert len(validated_rows) == 20
    assert trained | set(validated_rows) == set(range(100))
    counts = np.bincount(y[np.array(validated_rows, int)], minlength=3)
    assert counts.tolist() == [12, 6, 2]
    assert validated_rows != list(range(80, 100))


@pytest.mark.parametrize(
    ("loss", "outputs", "targets"),
    [
        ("bce", 1, lambda y: y),
        ("bce", 1, lambda y: y[:, None]),
        ("cross_entropy", 2, np.eye(2).take),
    ],
)
def test_every_form_of_class_labels_is_stratified(loss: str, outputs: int, targets: Any) -> None:
    y = np.repeat([0, 1], [90, 10])
    x = np.stack([np.arange(100), y], axis=1).astype(np.float32)
    form = np.eye(2)[y] if loss == "cross_entropy" else targets(y)
    for seed in range(5):
        network = Rows(nn.Dense(2, outputs, rng=0))
        fit(
            Model(network, loss, optim.SGD(1e-9)),
            x,
            form,
            epochs=1,
            validation_split=0.2,
            seed=seed,
            compile=False,
        )
        rare = {row for row in network.seen[True] if row >= 90}
        assert len(rare) == 8


def test_a_regression_is_split_at_random() -> None:
    x = np.arange(100, dtype=np.float32)[:, None]
    splits = []
    for seed in (0, 0, 1):
        network = Rows(nn.Dense(1, 1, rng=0))
        fit(
            Model(network, "mse", optim.SGD(1e-9)),
            x,
            x,
            epochs=1,
            validation_split=0.25,
            seed=seed,
            compile=False,
        )
        splits.append(frozenset(network.seen[True]))
    assert [len(s) for s in splits] == [75, 75, 75]
    assert splits[0] == splits[1] != splits[2]


def test_validation_scores_are_those_of_evaluate() -> None:
    x, y = blobs()
    held = blobs(seed=1)
    model = Model(classifier(), "cross_entropy", optim.Adam(0.02), metrics=["accuracy", "f1"])
    history = fit(model, x, y, epochs=4, validation_data=held)
    assert list(history) == ["loss", "accuracy", "f1", "val_loss", "val_accuracy", "val_f1"]
    scores = model.evaluate(*held)
    assert {name: history[f"val_{name}"][-1] for name in scores} == scores


def test_validation_is_done_in_evaluation_mode() -> None:
    """Dropout is off: the same weights give the same loss, epoch after epoch."""
    x, y = blobs()
    network = nn.Sequential(nn.Dropout(0.5), nn.Dense(2, 3), rng=0)
    model = Model(network, "cross_entropy", optim.SGD(1e-30))
    history = fit(model, x, y, epochs=4, validation_data=(x, y))
    assert len(set(history["val_loss"])) == 1
    assert len(set(history["loss"])) == 4


# modes


def test_predicting_leaves_every_module_in_its_mode() -> None:
    x, y = blobs()
    network = nn.Sequential(nn.Dropout(0.5), nn.Dense(2, 3), rng=0)
    network[0].eval()
    model = Model(network, "cross_entropy")
    for use in (lambda: model.predict(x), lambda: model.evaluate(x, y), model.summary):
        use()
        assert network.training
        assert not network[0].training
    first = model.predict(x)
    network.train()
    np.testing.assert_array_equal(model.predict(x), first)
    assert network[0].training


def test_training_leaves_every_module_in_its_mode() -> None:
    x, y = blobs()
    network = nn.Sequential(nn.Dropout(0.5), nn.Dense(2, 3), rng=0).eval()
    network[1].train()
    spy = Spy(lambda event, run: modes.append(run.network[0].training))
    modes: list[bool] = []
    fit(Model(network, "cross_entropy"), x, y, epochs=1, callbacks=[spy])
    assert all(modes[1:-1])
    assert [network.training, network[0].training, network[1].training] == [False, False, True]


# predicting


def test_predictions_do_not_depend_on_the_batch_size() -> None:
    x, _ = blobs()
    model = Model(classifier(nn.Softmax()), "cross_entropy", metrics=["accuracy"])
    expected = model.predict(x)
    for size in (1, 13, 90, 5000):
        np.testing.assert_allclose(model.predict(x, batch_size=size), expected, 1e-5)
        np.testing.assert_array_equal(
            model.predict_classes(x, batch_size=size), expected.argmax(axis=1)
        )


def test_predicting_builds_no_graph_and_moves_nothing() -> None:
    x, _ = blobs()
    network = nn.Sequential(nn.Dropout(0.5), nn.Dense(2, 3), rng=0)
    before = network.state()
    Model(network, "cross_entropy").predict_proba(x)
    assert all(parameter.grad is None for parameter in network.parameters())
    for path, array in network.state().items():
        np.testing.assert_array_equal(array, before[path])


def test_xor_is_learned_completely() -> None:
    x, y = XOR
    network = nn.Sequential(nn.Dense(2, 8, "tanh"), nn.Dense(8, 1, "sigmoid"), rng=0)
    model = Model(network, "bce", optim.Adam(0.05), metrics=["accuracy"])
    history = fit(model, x, y, epochs=300, batch_size=4)
    assert history["accuracy"][-1] == 1
    np.testing.assert_array_equal(model.predict_classes(x), y)


def test_gradcheck_of_the_whole_model() -> None:
    x, y = blobs(n=6)
    model = Model(classifier(nn.Softmax()), "cross_entropy")
    before = model.network.state()
    report = model.gradcheck(x, y)
    assert report, report
    assert {"layers.0.weight", "layers.1.bias"} <= {row.name for row in report.rows}
    assert same_state(model.network, classifier(nn.Softmax()))
    assert {k: v.dtype for k, v in before.items()} == {
        k: v.dtype for k, v in model.network.state().items()
    }
