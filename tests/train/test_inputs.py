"""Everything that cannot be trained on is refused before anything is trained, and says the fix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pellucid import ShapeError, Tensor, data, nn, optim, train
from pellucid.train import Model
from train.problems import Spy, blobs, classifier, line, same_state

X, Y = blobs()


def put(array: np.ndarray, place: Any, value: float) -> np.ndarray:
    array = array.astype("float64")
    array[place] = value
    return array


def refused(
    model: Model, x: Any, y: Any, error: type[Exception], match: str, **options: Any
) -> None:
    """Check that fit refuses and has touched nothing, the random streams included."""
    before = model.network.state()
    spy = Spy()
    with pytest.raises(error, match=match):
        model.fit(x, y, verbose=False, seed=0, callbacks=[spy], **options)
    assert spy.events == []
    assert model.optimizer.steps == 0
    assert model.network.training
    for path, array in model.network.state().items():
        np.testing.assert_array_equal(array, before[path], err_msg=path)


def classes() -> Model:
    network = nn.Sequential(nn.Dropout(0.1), *classifier(), rng=0)
    return Model(network, "cross_entropy", metrics=["accuracy"])


BAD_X: dict[str, tuple[Any, type[Exception], str]] = {
    "features": (
        np.zeros((90, 5)),
        ShapeError,
        r"^layers\.1 \(Dense\): expected .* 2\), got \(1, 5\)",
    ),
    "one axis": (
        np.zeros(90),
        ValueError,
        r"x: expected examples of shape \(N, \.\.\.\), got \(90,\); "
        r"pass one example as a row, x\.reshape\(1, -1\), or one feature as a column",
    ),
    "a number": (3.0, ValueError, r"x: expected examples of shape .*, got \(\)"),
    "no rows": (np.zeros((0, 2)), ValueError, r"x: expected at least one example .*, got \(0, 2\)"),
    "no columns": (np.zeros((90, 0)), ValueError, r"x: expected at least one .*, got \(90, 0\)"),
    "nan": (
        put(X, (7, 1), np.nan),
        ValueError,
        r"x: expected finite numbers, got nan at \(7, 1\), 1 such in all; drop those rows",
    ),
    "inf": (put(X, (3, 0), np.inf), ValueError, r"got inf at \(3, 0\), 1 such"),
    "both infinities": (
        put(put(X, (3, 0), np.inf), (5, 0), -np.inf),
        ValueError,
        r"got inf at \(3, 0\), 2 such",
    ),
    "too large for float32": (
        put(X, (4, 1), 1e39),
        ValueError,
        r"x in float32: expected finite numbers, got inf at \(4, 1\)",
    ),
    "text": (np.array([["a", "b"]] * 90), TypeError, r"x: expected numbers, got <U1 data; convert"),
    "objects": (np.array([[1, None]] * 90), TypeError, "x: expected numbers, got object data"),
    "dictionaries": (
        [{"a": 1.0, "b": 2.0}] * 90,
        TypeError,
        r"x: expected rows of numbers, got dictionaries; put the values .* for row in x\]",
    ),
    "complex": (X + 1j, TypeError, r"x: expected real numbers, got complex.*; pass x.real"),
    "uneven": (
        [[1.0, 2.0], [3.0]],
        ValueError,
        "x: expected rows of equal length, got uneven ones",
    ),
    "fewer rows": (
        X[:50],
        ValueError,
        "y: expected one target for each of the 50 examples, got 90",
    ),
    "nothing": (None, TypeError, "x: expected numbers, got None; pass an array"),
}


@pytest.mark.parametrize("name", BAD_X)
def test_examples_that_are_refused(name: str) -> None:
    x, error, match = BAD_X[name]
    refused(classes(), x, Y, error, match)


BAD_Y: dict[str, tuple[Any, type[Exception], str]] = {
    "too many": (
        np.append(Y, 0),
        ValueError,
        r"y: expected one target for each of the 90 examples, got 91; x and y must have",
    ),
    "a number": (1, ValueError, "y: expected one target .*, got a single number"),
    "label 3 of 3": (
        np.where(np.arange(90) == 4, 3, Y),
        ValueError,
        r"expected labels from 0 to 2 for 3 classes, got 3 \(example 4\); number the",
    ),
    "label -1": (np.where(np.arange(90) == 8, -1, Y), ValueError, r"got -1 \(example 8\)"),
    "numbered from 1": (Y + 1, ValueError, r"expected labels from 0 to 2 .* got 3 \(example 60\)"),
    "halves": (
        Y + 0.5,
        ValueError,
        r"expected class labels as integers, got 0\.5 \(example 0\); .* such as \"mse\"",
    ),
    "nan": (
        put(Y, 11, np.nan),
        ValueError,
        r"y: expected finite numbers, got nan at \(11,\), 1 such",
    ),
    "inf": (put(Y, 0, -np.inf), ValueError, r"y: expected finite numbers, got -inf at \(0,\)"),
    "huge": (put(Y, 0, 1e30), ValueError, r"expected class labels as integers, got float64"),
    "text": (
        np.array(["cat", "dog", "eel"])[Y],
        TypeError,
        r"y: expected numbers, got <U3 data; .*np\.unique\(names, return_inverse=True\)",
    ),
    "two columns": (np.stack([Y, Y], 1), ShapeError, r"expected labels .*\(90,\).*, got \(90, 2\)"),
    "one-hot of four": (
        np.eye(4)[Y],
        ShapeError,
        r"or one-hot rows of shape \(90, 3\), got \(90, 4\)",
    ),
    "several at once": (np.ones((90, 3)), ValueError, r"expected one-hot rows.*sum 3.*BCELoss"),
    "transposed": (
        np.eye(3)[:, Y],
        ValueError,
        "y: expected one target for each of the 90 .* got 3",
    ),
    "nothing": (None, TypeError, "expected y, one target for each example of x, got None; only"),
}


@pytest.mark.parametrize("name", BAD_Y)
def test_class_labels_that_are_refused(name: str) -> None:
    y, error, match = BAD_Y[name]
    refused(classes(), X, y, error, match)


@pytest.mark.parametrize("name", ["r2", "mae", "accuracy_within_0.5"])
def test_metrics_of_numbers_beside_labels_are_refused(name: str) -> None:
    model = Model(nn.Sequential(*classifier(), rng=0), "cross_entropy", metrics=[name])
    match = f"expected metrics of classes beside class labels, got '{name}'.* accuracy or f1"
    refused(model, X, Y, TypeError, match)
    refused(model, data.Loader((X, Y), seed=0), None, TypeError, match)


def test_a_dataset_in_place_of_x_is_told_to_give_its_arrays() -> None:
    whole = data.Dataset("blobs", X, Y, ("a", "b", "c"))
    match = r"got a Dataset alone; pass its two arrays, dataset\.x and dataset\.y"
    refused(classes(), whole, None, TypeError, match)
    match = r"got a Split alone; pass the two arrays of a part, such as split\.train\.x"
    refused(classes(), data.split(whole, test=0.2, seed=0), None, TypeError, match)
    match = r"validation_data to be \(x, y\) .*, got Dataset; .* \(dataset\.x, dataset\.y\)"
    refused(classes(), X, Y, ValueError, match, validation_data=whole)
    refused(classes(), X, whole, TypeError, r"y: .* got a Dataset; pass .* dataset\.y")
    with pytest.raises(TypeError, match=r"x: .* got a Dataset; pass .* dataset\.x"):
        classes().predict(whole)


REGRESSION_X, REGRESSION_Y = line(outputs=2)
BAD_VALUES: dict[str, tuple[Any, type[Exception], str]] = {
    "one output of two": (
        REGRESSION_Y[:, 0],
        ShapeError,
        r"MSELoss: expected a target in the prediction's shape \(60, 2\), got \(60,\)",
    ),
    "three outputs": (
        np.zeros((60, 3)),
        ShapeError,
        r"got \(60, 3\); give the network one output for",
    ),
    "nan": (
        put(REGRESSION_Y, (5, 1), np.nan),
        ValueError,
        r"y: .* finite numbers, got nan at \(5, 1\)",
    ),
    "too large for float32": (
        put(REGRESSION_Y, (5, 1), -1e39),
        ValueError,
        r"y in float32: expected finite numbers, got -inf at \(5, 1\)",
    ),
}


@pytest.mark.parametrize("name", BAD_VALUES)
def test_values_that_are_refused(name: str) -> None:
    y, error, match = BAD_VALUES[name]
    refused(Model(nn.Dense(3, 2, rng=0), "mse"), REGRESSION_X, y, error, match)


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (Y, r"BCELoss: expected targets between 0 and 1, got 0\.0 to 2\.0; code the two classes"),
        (np.where(Y == 0, -1, 1), r"expected targets between 0 and 1, got -1\.0 to 1\.0"),
        (np.eye(2)[Y % 2], r"shape \(90, 1\), got \(90, 2\); give the network one output"),
    ],
)
def test_binary_targets_that_are_refused(y: np.ndarray, match: str) -> None:
    refused(Model(nn.Dense(2, 1, rng=0), "bce"), X, y, ValueError, match)


SETTINGS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no epochs": (
        {"epochs": 0},
        ValueError,
        "expected epochs to be a whole number of at least 1, got 0",
    ),
    "negative epochs": ({"epochs": -1}, ValueError, "expected epochs .* got -1"),
    "half an epoch": ({"epochs": 1.5}, ValueError, r"expected epochs .* got 1\.5"),
    "true epochs": ({"epochs": True}, ValueError, "expected epochs .* got True"),
    "empty batch": ({"batch_size": 0}, ValueError, "expected batch_size to be a whole .* got 0"),
    "negative batch": ({"batch_size": -8}, ValueError, "expected batch_size .* got -8"),
    "half a row": ({"batch_size": 0.5}, ValueError, r"expected batch_size .* got 0\.5"),
    "split 1.5": (
        {"validation_split": 1.5},
        ValueError,
        r"expected validation_split in \[0, 1\), got 1\.5; 0\.1 keeps a tenth aside",
    ),
    "split 1": ({"validation_split": 1.0}, ValueError, r"expected validation_split .* got 1\.0"),
    "split -0.1": (
        {"validation_split": -0.1},
        ValueError,
        r"expected validation_split .* got -0\.1",
    ),
    "split nan": (
        {"validation_split": float("nan")},
        ValueError,
        "expected validation_split .* got nan",
    ),
    "split text": (
        {"validation_split": "0.1"},
        ValueError,
        "expected validation_split .* got '0.1'",
    ),
    "split of nothing": (
        {"validation_split": 0.001},
        ValueError,
        r"validation_split that leaves examples on both sides, got 0\.001 of 90",
    ),
    "split of all": ({"validation_split": 0.999}, ValueError, r"on both sides, got 0\.999 of 90"),
    "validation x": (
        {"validation_data": (X[:, :1], Y)},
        ShapeError,
        r"expected .* 2\), got \(1, 1\)",
    ),
    "validation y": ({"validation_data": (X, Y + 1)}, ValueError, "expected labels from 0 to 2"),
    "validation lengths": (
        {"validation_data": (X, Y[:4])},
        ValueError,
        "validation y: expected one target for each of the 90 examples, got 4",
    ),
    "validation nan": (
        {"validation_data": (put(X, 0, np.nan), Y)},
        ValueError,
        r"validation x: expected finite numbers, got nan at \(0, 0\)",
    ),
    "validation empty": (
        {"validation_data": (X[:0], Y[:0])},
        ValueError,
        "validation x: expected at",
    ),
    "validation of four": (
        {"validation_data": (X, Y, Y, Y)},
        ValueError,
        r"expected validation_data to be \(x, y\) or \(x, y, sample_weight\), got 4 of them",
    ),
    "validation x alone": (
        {"validation_data": X},
        ValueError,
        r"\(x, y\) or \(x, y, sample_weight\), got ndarray",
    ),
    "verbose": (
        {"verbose": "loud"},
        ValueError,
        'expected verbose to be True, False, "auto", "bar" or "lines", got \'loud\'',
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_that_are_refused(name: str) -> None:
    options, error, match = SETTINGS[name]
    model, before, spy = classes(), classes(), Spy()
    with pytest.raises(error, match=match):
        model.fit(X, Y, **({"verbose": False, "seed": 0, "callbacks": [spy]} | options))
    assert spy.events == []
    assert same_state(model.network, before.network)


@pytest.mark.parametrize(
    "callbacks",
    [Spy(), Spy, [Spy], [print], "early", [None]],
    ids=["object", "class", "class in a list", "function", "text", "nothing"],
)
def test_what_is_no_list_of_callbacks_is_refused(callbacks: Any) -> None:
    model, before = classes(), classes()
    with pytest.raises(TypeError, match="expected a list of callbacks, got"):
        model.fit(X, Y, callbacks=callbacks, verbose=False)
    assert same_state(model.network, before.network)


MODELS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "loss": (
        lambda: Model(classifier(), "crossentropy"),
        ValueError,
        r"unknown loss 'crossentropy': expected one of .*; did you mean 'cross_entropy'",
    ),
    "loss class": (
        lambda: Model(classifier(), nn.MSELoss),
        ValueError,
        r"did you mean MSELoss\(\)",
    ),
    "no loss": (
        lambda: Model(classifier(), None),
        ValueError,
        "unknown loss None: expected one of",
    ),
    "optimizer": (
        lambda: Model(classifier(), "mse", "Adan"),
        ValueError,
        "unknown optimizer 'Adan': expected one of .*; did you mean 'adam'",
    ),
    "optimizer class": (lambda: Model(classifier(), "mse", optim.SGD), ValueError, r"mean SGD\(\)"),
    "metric": (
        lambda: Model(classifier(), "cross_entropy", metrics=["acuracy"]),
        ValueError,
        "unknown metric 'acuracy': expected one of .*; did you mean 'accuracy'",
    ),
    "metrics in a string": (
        lambda: Model(classifier(), "cross_entropy", metrics="accuracy"),
        TypeError,
        r"expected a list of metrics, got 'accuracy'; put it in a list",
    ),
    "metric alone": (
        lambda: Model(classifier(), "mse", metrics=train.metrics.r2),
        TypeError,
        "expected a list of metrics",
    ),
    "classes of a regression": (
        lambda: Model(classifier(), "mse", metrics=["accuracy"]),
        TypeError,
        "expected metrics of numbers beside MSELoss, got 'accuracy'.* r2, mae",
    ),
    "layer list": (
        lambda: Model([nn.Dense(2, 3)], "mse"),
        TypeError,
        r"expected the network to be a pellucid.nn.Module, got list; wrap layers in nn.Seq",
    ),
    "module class": (
        lambda: Model(nn.Dense, "mse"),
        TypeError,
        "to be a pellucid.nn.Module, got type",
    ),
    "no parameters": (
        lambda: Model(nn.Sequential(nn.ReLU()), "mse"),
        ValueError,
        "expected a network with parameters to train, got one with none; create them",
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_that_are_refused(name: str) -> None:
    build, error, match = MODELS[name]
    with pytest.raises(error, match=match):
        build()


def test_a_batch_larger_than_the_set_is_the_whole_set() -> None:
    one, other = classes(), classes()
    with pytest.warns(
        UserWarning, match="batch_size 500 is larger than the 90 training examples; using 90"
    ):
        history = one.fit(X, Y, batch_size=500, epochs=2, seed=0, verbose=False)
    expected = other.fit(X, Y, batch_size=90, epochs=2, seed=0, verbose=False)
    assert dict(history) == dict(expected)
    assert one.optimizer.steps == 2


def test_the_default_batch_of_a_small_set_needs_no_warning() -> None:
    model = classes()
    model.fit(X[::9], Y[::9], epochs=1, seed=0, verbose=False)
    assert model.optimizer.steps == 1


def test_the_warning_about_the_batch_points_at_the_caller() -> None:
    with pytest.warns(UserWarning, match="batch_size") as caught:
        classes().fit(X, Y, batch_size=91, epochs=1, verbose=False)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("use", ["predict", "predict_proba", "predict_classes"])
@pytest.mark.parametrize("name", [n for n in BAD_X if n not in ("fewer rows",)])
def test_predicting_refuses_the_same_examples(use: str, name: str) -> None:
    x, error, match = BAD_X[name]
    with pytest.raises(error, match=match.replace(r"\(1, 5\)", r"\(90, 5\)")):
        getattr(classes(), use)(x)


STEPS = np.ones((6, 4, 2))
SEVERAL: dict[str, Any] = {
    "lengths": ((STEPS, np.full(6, 4)), r"got 2 inputs of shapes \(6, 4, 2\), \(6,\) "),
    "one shape": ((STEPS, STEPS), r"got 2 inputs .* with np.stack"),
    "tensors": ((Tensor(STEPS), Tensor(STEPS[:, 0])), "got 2 inputs of shapes"),
    "by name": (
        {"sequence": STEPS, "steps": np.full(6, 4)},
        r"got 2 inputs of shapes sequence: .*, steps: \(6,",
    ),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_several_inputs_are_refused_where_the_network_takes_one(name: str) -> None:
    (x, said), y = SEVERAL[name], np.ones((6, 1))
    model = Model(nn.Sequential(nn.Flatten(), nn.Dense(8, 1), rng=0), "mse")
    match = r"x: expected what Sequential.forward\(x\) takes, " + said
    refused(model, x, y, TypeError, match)
    with pytest.raises(TypeError, match="batch 1 of the loader: " + match):
        model.fit([(x, y)], verbose=False)
    refused(model, STEPS, y, TypeError, "validation " + match, validation_data=(x, y))
    with pytest.raises(TypeError, match=match):
        model.evaluate(x, y)
    with pytest.raises(TypeError, match=match):
        model.predict(x)


def test_a_list_of_inputs_is_refused_since_a_tuple_is_meant() -> None:
    x, y = [STEPS, STEPS[:, 0], STEPS], np.ones((6, 1))
    model = Model(nn.Sequential(nn.Flatten(), nn.Dense(8, 1), rng=0), "mse")
    match = r"x: expected one array .*, or several inputs in a tuple, got a list of 3 .* tuple\(x\)"
    refused(model, x, y, TypeError, match)
    with pytest.raises(TypeError, match=match):
        model.predict(x)


def test_images_of_several_widths_are_no_inputs() -> None:
    images = [np.ones((2, 2)), np.ones((2, 3))]
    model = Model(nn.Sequential(nn.Flatten(), nn.Dense(4, 1), rng=0), "mse")
    refused(model, images, np.ones(2), ValueError, "rows of equal length")


def test_a_list_of_rows_or_images_is_one_input() -> None:
    rows = Model(nn.Dense(2, 1, rng=0), "mse")
    images = Model(nn.Sequential(nn.Flatten(), nn.Dense(4, 1), rng=0), "mse")
    for model, x in ((rows, list(np.ones((3, 2)))), (images, list(np.ones((2, 2, 2))))):
        history = model.fit(x, np.ones(len(x)), epochs=1, verbose=False)
        assert history.epochs == 1
        assert len(model.predict(x)) == len(x)


@pytest.mark.parametrize("size", [0, -1, 2.5, True])
def test_evaluating_and_predicting_refuse_a_batch_size(size: Any) -> None:
    model = classes()
    for use in (
        lambda: model.evaluate(X, Y, batch_size=size),
        lambda: model.predict(X, batch_size=size),
        lambda: model.predict_classes(X, batch_size=size),
    ):
        with pytest.raises(
            ValueError, match="expected batch_size to be a whole number of at least 1"
        ):
            use()


@pytest.mark.parametrize("name", BAD_Y)
def test_evaluating_refuses_the_same_targets(name: str) -> None:
    y, error, match = BAD_Y[name]
    with pytest.raises(error, match=match):
        classes().evaluate(X, y)


def test_a_prediction_of_another_shape_than_the_target_is_refused_for_sequences() -> None:
    x = np.zeros((10, 4, 2))
    with pytest.raises(ShapeError, match=r"expected labels of shape \(10, 4\) or .*, got \(10,\)"):
        classes().fit(x, np.zeros(10, int), verbose=False)


class Flat(nn.Module):
    def __init__(self) -> None:
        self.dense = nn.Dense(2, 1)

    def forward(self, x: Any) -> Any:
        return self.dense(x).data


def test_a_network_that_returns_an_array_is_told_to_return_a_tensor() -> None:
    with pytest.raises(
        TypeError, match=r"expected the network to return a tensor, got ndarray; .*Flat"
    ):
        Model(Flat(), "mse").fit(X, Y, verbose=False)
