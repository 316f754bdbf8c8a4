"""Training from what brings batches: the same as from arrays, checked as they come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pellucid import ShapeError, data, nn, optim, train
from pellucid.train import Model
from train.problems import Spy, blobs, classifier, same_state

X, Y = blobs()
W = np.random.default_rng(5).uniform(0.1, 3, 90)
HELD = blobs(seed=1)


class Cut:
    """A loader in miniature: rows in order, with a length if asked; counts how often it starts."""

    def __init__(self, size: int, *arrays: np.ndarray) -> None:
        self.size, self.arrays, self.starts = size, arrays, 0

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        self.starts += 1
        for start in range(0, len(self.arrays[0]), self.size):
            yield tuple(array[start : start + self.size] for array in self.arrays)


class Counted(Cut):
    def __len__(self) -> int:
        return -(-len(self.arrays[0]) // self.size)


def model(**options: Any) -> Model:
    network = classifier().astype("float64")
    return Model(network, "cross_entropy", optim.SGD(0.1), metrics=["accuracy", "f1"], **options)


def fit(model: Model, *batches: Any, **options: Any) -> train.History:
    return model.fit(*batches, **({"epochs": 3, "seed": 0, "verbose": False} | options))


def by_hand(*, weights: Any = None, size: int = 32, epochs: int = 3) -> nn.Module:
    """Train on rows in order, without the help of `fit`."""
    trained = model()
    loss = nn.CrossEntropyLoss()
    for _ in range(epochs):
        for rows in data.batch_indices(90, size):
            trained.network.zero_grad()
            w = None if weights is None else weights[rows]
            loss(trained.network(X[rows]), Y[rows], w).backward()
            trained.optimizer.step(trained.network)
    return trained.network


FORMS = {
    "iterable": lambda *arrays: Cut(32, *arrays),
    "counted": lambda *arrays: Counted(32, *arrays),
    "function": lambda *arrays: lambda: iter(Cut(32, *arrays)),
    "list": lambda *arrays: list(Cut(32, *arrays)),
    "lists": lambda *arrays: [tuple(a.tolist() for a in batch) for batch in Cut(32, *arrays)],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weights", [None, W], ids=["equal", "weighted"])
def test_a_loader_in_order_gives_the_weights_of_the_loop_by_hand(form: str, weights: Any) -> None:
    arrays = (X, Y) if weights is None else (X, Y, weights)
    trained = model()
    history = fit(trained, FORMS[form](*arrays), validation_data=FORMS[form](*HELD))
    for a, b in zip(
        trained.network.state().values(), by_hand(weights=weights).state().values(), strict=True
    ):
        np.testing.assert_allclose(a, b, 1e-6 if form == "lists" else 1e-13)
    assert list(history) == ["loss", "accuracy", "f1", "val_loss", "val_accuracy", "val_f1"]
    scores = trained.evaluate(*HELD)
    assert {k: history[f"val_{k}"][-1] for k in scores} == {
        k: pytest.approx(v, rel=1e-6) for k, v in scores.items()
    }


@pytest.mark.parametrize("form", FORMS)
def test_evaluating_and_predicting_from_a_loader(form: str) -> None:
    trained = model()
    expected = trained.evaluate(X, Y, sample_weight=W)
    found = trained.evaluate(FORMS[form](X, Y, W))
    assert found == {name: pytest.approx(value, rel=1e-6) for name, value in expected.items()}
    if not form.startswith("list"):  # to predict, a list is an array
        batches = FORMS[form](X, Y, W)
        np.testing.assert_allclose(trained.predict(batches), trained.predict(X), 1e-13)
        np.testing.assert_array_equal(
            trained.predict_classes(FORMS[form](X, Y)), trained.predict_classes(X)
        )
        np.testing.assert_allclose(trained.predict_proba(batches), trained.predict_proba(X), 1e-13)


def test_an_epoch_in_which_nothing_counts_is_refused() -> None:
    """Its loss would be the mean of nothing, and training would do nothing in silence."""
    trained, nothing = model(), Cut(32, X, Y, np.zeros(90))
    for use in (fit, Model.evaluate):
        with pytest.raises(ValueError, match="one weight above 0 from the loader in every epoch"):
            use(trained, nothing)
    with pytest.raises(ValueError, match="one weight above 0 from the validation loader in every"):
        fit(trained, Cut(32, X, Y), validation_data=nothing)
    some = np.where(np.arange(90) < 64, 0.0, 1.0)  # the first two batches count nothing
    assert trained.evaluate(Cut(32, X, Y, some)) == trained.evaluate(X[64:], Y[64:])


def test_predicting_from_batches_of_examples_alone() -> None:
    trained = model()
    np.testing.assert_allclose(
        trained.predict(X[i : i + 7] for i in range(0, 90, 7)), trained.predict(X), 1e-13
    )


def test_lists_of_rows_are_arrays() -> None:
    trained = model()
    rows = [(float(a), float(b)) for a, b in X]
    np.testing.assert_allclose(trained.predict(rows), trained.predict(X), 1e-6)
    assert trained.evaluate(rows, Y)["accuracy"] == trained.evaluate(X, Y)["accuracy"]


def test_the_library_s_own_loader() -> None:
    one, other = model(), model()
    loaders = [data.Loader((X, Y), 16, seed=3, prefetch=n) for n in (0, 2)]
    histories = [fit(m, loader) for m, loader in zip((one, other), loaders, strict=True)]
    assert same_state(one.network, other.network)
    assert dict(histories[0]) == dict(histories[1])
    assert [loader.epoch for loader in loaders] == [3, 3]


def test_an_epoch_is_one_pass() -> None:
    """The batch that is looked at beforehand is the first one trained on, not a lost one."""
    loader, held = Cut(32, X, Y), Cut(32, *HELD)
    fit(model(), loader, validation_data=held, epochs=4)
    assert (loader.starts, held.starts) == (4, 4)


def test_groups_of_batches_from_a_loader() -> None:
    one, other = model(), model()
    fit(one, Cut(8, X, Y, W), accumulate=4)
    fit(other, Cut(32, X, Y, W))
    for a, b in zip(one.network.state().values(), other.network.state().values(), strict=True):
        np.testing.assert_allclose(a, b, 1e-12)


def test_batches_that_count_nothing_are_passed_over() -> None:
    w = np.where(np.arange(90) < 40, 0.0, 1.0)
    trained = model()
    history = fit(trained, Cut(10, X, Y, w), epochs=1)
    assert trained.optimizer.steps == 5
    assert np.isfinite(history["loss"]).all()
    assert trained.evaluate(Cut(10, X, Y, w)) == {
        name: pytest.approx(value, rel=1e-12)
        for name, value in trained.evaluate(X[40:], Y[40:]).items()
    }


def test_batches_with_and_without_weights_count_together() -> None:
    trained = model()
    mixed = [(X[:50], Y[:50], W[:50]), (X[50:], Y[50:])]
    w = np.where(np.arange(90) < 50, W, 1.0)
    expected = trained.evaluate(X, Y, sample_weight=w)
    assert trained.evaluate(mixed) == {
        name: pytest.approx(value, rel=1e-12) for name, value in expected.items()
    }
    other = model()
    fit(trained, mixed, accumulate=2)
    fit(other, [(X, Y, w)])
    for a, b in zip(trained.network.state().values(), other.network.state().values(), strict=True):
        np.testing.assert_allclose(a, b, 1e-12)


def test_weights_of_classes_by_name() -> None:
    one, other = model(), model()
    fit(one, Cut(32, X, Y), class_weight={2: 3.0})
    fit(other, Cut(32, X, Y, np.where(Y == 2, 3.0, 1.0)))
    assert same_state(one.network, other.network)


def test_callbacks_see_how_many_updates_an_epoch_has_where_that_is_known() -> None:
    for loader, expected in ((Counted(32, X, Y), {3}), (Cut(32, X, Y), {0, 3})):
        seen: set[int] = set()
        spy = Spy(lambda event, run, seen=seen: seen.add(run.batches))
        fit(model(), loader, callbacks=[spy], epochs=2)
        assert seen == expected


@pytest.mark.parametrize("verbose", ["bar", "lines"])
def test_progress_of_a_loader_of_unknown_length(verbose: Any, capsys: Any) -> None:
    fit(model(), Cut(32, X, Y), verbose=verbose)
    assert "epoch 3/3" in capsys.readouterr().out


# what is refused


def generator() -> Iterator[Any]:
    yield from Cut(32, X, Y)


def test_a_generator_is_refused_before_the_first_epoch() -> None:
    trained = model()
    for batches in (generator(), iter(list(Cut(32, X, Y))), zip([X], [Y], strict=True)):
        with pytest.raises(TypeError, match=r"again in every epoch, got an iterator \(.*\), which"):
            fit(trained, batches)
        with pytest.raises(TypeError, match="expected the validation loader to give its batches"):
            fit(trained, X, Y, validation_data=batches)
    assert trained.optimizer.steps == 0
    assert fit(trained, generator).epochs == 3
    assert trained.evaluate(generator()) == trained.evaluate(generator)


def test_a_function_that_returns_a_spent_iterator_is_told_so() -> None:
    spent = generator()
    with pytest.raises(ValueError, match="at least one batch from the loader in every epoch, got"):
        fit(model(), lambda: spent)
    with pytest.raises(ValueError, match="at least one batch from the loader in every epoch, got"):
        fit(model(), Cut(32, X[:0], Y[:0]))
    with pytest.raises(ValueError, match="expected at least one batch of examples, got none"):
        model().predict(Cut(32, X[:0]))


BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "x alone": (lambda: iter([X]), ValueError, r"batch 1 of the loader to be \(x, y\) or .*ndarr"),
    "four": (lambda: iter([(X, Y, W, W)]), ValueError, "got 4 of them"),
    "features": (Cut(32, X[:, :1], Y), ShapeError, r"expected .* 2\), got \(1, 1\)"),
    "nan": (Cut(32, X * np.nan, Y), ValueError, "batch 1 of the loader: x: expected finite"),
    "labels": (Cut(32, X, Y + 3), ValueError, "expected labels from 0 to 2"),
    "lengths": (lambda: iter([(X, Y[:3])]), ValueError, "batch 1 of the loader: y: expected one"),
    "weights": (Cut(32, X, Y, -W), ValueError, "batch 1 of the loader: sample_weight: expected"),
    "numbers": (range(4), ValueError, "batch 1 of the loader to be .* got int"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_first_batch_that_is_refused(name: str) -> None:
    batches, error, match = BAD[name]
    trained, spy = model(), Spy()
    with pytest.raises(error, match=match):
        fit(trained, batches, callbacks=[spy])
    assert spy.events == []
    with pytest.raises(error, match=match):
        trained.evaluate(batches)
    with pytest.raises(error, match=match.replace("the loader", "the validation loader")):
        fit(trained, X, Y, validation_data=batches)
    assert trained.optimizer.steps == 0


LATER: dict[str, tuple[Any, str]] = {
    "shape": ((np.zeros((3, 5)), np.zeros(3, int)), r"batch 2 .*shape \(2,\) .*, got \(5,\)"),
    "labels": ((X, Y + 1), "expected labels from 0 to 2"),
    "nan": ((X * np.nan, Y), "batch 2 of the loader: x: expected finite numbers"),
    "parts": ((X,), r"batch 2 of the loader to be \(x, y\) .* got 1 of them"),
}


@pytest.mark.parametrize("name", LATER)
def test_later_batches_are_checked_as_they_come(name: str) -> None:
    batch, match = LATER[name]
    with pytest.raises(ValueError, match=match):
        fit(model(), [(X, Y), batch])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"batch_size": 8}, "expected no batch_size with a loader, got one; the loader makes"),
        ({"sample_weight": W}, r"no sample_weight with a loader, .* \(x, y, sample_weight\)"),
        ({"validation_split": 0.2}, "no validation_split with a loader, .* validation_data"),
        ({"class_weight": "balanced"}, 'no class_weight="balanced" with a loader, .* each label'),
    ],
)
def test_settings_that_need_all_examples_at_once_are_refused(options: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        fit(model(), Cut(32, X, Y), **options)


def test_a_loader_beside_targets_is_refused() -> None:
    for use in (fit, Model.evaluate):
        with pytest.raises(TypeError, match=r"x to be an array .*, got Cut; .* leave y out"):
            use(model(), Cut(32, X, Y), Y)


def test_predictions_of_several_shapes_are_refused() -> None:
    network = nn.Dense(2, 3, rng=0)
    with pytest.raises(ShapeError, match="outputs of one shape from all batches, got"):
        Model(network, "mse").predict(iter([np.zeros((2, 4, 2)), np.zeros((2, 5, 2))]))


def test_a_metric_without_weights_is_refused_when_weights_come() -> None:
    def score(y_true: np.ndarray, y_pred: np.ndarray) -> float:
        return 0.0

    trained = Model(classifier(), "cross_entropy", metrics=[score])
    with pytest.raises(TypeError, match="expected metrics that take sample_weight"):
        fit(trained, Cut(32, X, Y, W))
    assert trained.optimizer.steps == 0
