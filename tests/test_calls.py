"""Calls in the words of other libraries, and calls that do not fit otherwise."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pellucid import data, nn, optim, train
from pellucid.calls import helpful
from pellucid.elsewhere import ARGUMENTS, METHODS
from pellucid.optim import schedules

RECORDS = {"Batch", "DatasetInfo", "Split", "SplitIndices", "Task", "Progress", "cache_folder"}
RECORDS |= {"DownloadError", "TableEncoding", "CheckpointError", "Callback", "Run", "History"}
RECORDS |= {"Diagnosis", "Finding", "LearningRates", "Overfit", "watch", "Augmentation"}
HELPERS = {"Group", "clip_by_global_norm", "clip_by_value", "no_decay_on_vectors", "optimizer"}
HELPERS |= {"attention_weights", "capture", "scaled_dot_product_attention"}
SCHEDULES = [kind for kind in vars(schedules).values() if isinstance(kind, type)]
SCHEDULES = [kind for kind in SCHEDULES if issubclass(kind, schedules.Schedule)]
PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (nn, optim, data, train)
    for name in module.__all__
    if callable(getattr(module, name)) and name not in RECORDS | HELPERS
}
PUBLIC |= {f"schedules.{kind.__name__}": kind for kind in SCHEDULES}
METHODS_OF_MODEL = ("fit", "evaluate", "predict", "predict_proba", "predict_classes")
PUBLIC |= {f"Model.{name}": getattr(train.Model, name) for name in METHODS_OF_MODEL}

ROWS = np.zeros((8, 4))


def model() -> Any:
    return train.Model(nn.Sequential(nn.Dense(4, 2), rng=0), "cross_entropy")


def said(call: Callable[[], Any]) -> str:
    with pytest.raises(TypeError) as caught:
        call()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return str(caught.value)


@pytest.mark.parametrize(
    ("call", "right"),
    [
        (lambda: optim.Adam(learning_rate=0.1), "Adam(lr=0.1)"),
        (lambda: optim.Adam(learning_rate=0.1, beta_1=0.5), "Adam(lr=0.1, b1=0.5)"),
        (lambda: optim.Adam(0.1, betas=(0.5, 0.7)), "Adam(0.1, b1=0.5, b2=0.7)"),
        (lambda: optim.AdamW(epsilon=1e-7), "AdamW(eps=1e-07)"),
        (lambda: optim.RMSprop(alpha=0.9), "RMSprop(rho=0.9)"),
        (lambda: optim.SGD(clipvalue=1.0), "SGD(clip_value=1.0)"),
        (lambda: optim.SGD(0.1, nestrov=True), "SGD(0.1, nesterov=True)"),
        (lambda: schedules.Step(0.1, step_size=5, gamma=0.5), "Step(0.1, every=5, factor=0.5)"),
        (lambda: nn.Dense(units=64), "Dense(in_features, out_features=64)"),
        (lambda: nn.Dense(64, input_dim=10), "Dense(in_features=10, out_features=...)"),
        (
            lambda: nn.Conv2D(filters=8, kernel_size=3, strides=2),
            "Conv2D(in_channels, out_channels=8, kernel_size=3, stride=2)",
        ),
        (lambda: nn.Dropout(p=0.2), "Dropout(rate=0.2)"),
        (lambda: nn.BatchNorm1D(num_features=3), "BatchNorm1D(features=3)"),
        (lambda: nn.Embedding(input_dim=9, output_dim=4), "Embedding(num_embeddings=9, emb"),
        (lambda: nn.CrossEntropyLoss(weight=[1, 2]), "CrossEntropyLoss(class_weight=...)"),
        (lambda: nn.MaxNorm(max_value=2), "MaxNorm(limit=2)"),
        (lambda: train.Model(nn.ReLU(), criterion="mse"), "Model(network, loss='mse')"),
        (
            lambda: train.EarlyStopping(restore_best_weights=False),
            "Stopping(restore_best=False)",
        ),
        (lambda: model().fit(ROWS, ROWS, nb_epoch=5), "fit(x, y, epochs=5)"),
        (lambda: model().fit(X=ROWS, y=ROWS), "fit(x=..., y=...)"),
        (lambda: data.moons(n_samples=9, random_state=1), "moons(samples=9, seed=1)"),
        (lambda: data.split(data.digits(), test_size=0.2), "split(dataset, test=0.2)"),
        (lambda: data.RandomFlip(prob=0.1), "RandomFlip(p=0.1)"),
    ],
)
def test_words_of_other_libraries_are_translated(call: Any, right: str) -> None:
    message = said(call)
    assert ": expected " in message
    assert ", got " in message
    assert right in message.partition("; write ")[2]


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda: optim.Adam(momentum=0.9), "got momentum=0.9; SGD, Momentum, Nesterov, RMSprop"),
        (lambda: optim.Momentum(nesterov=True), "got nesterov=True; SGD has the choice"),
        (lambda: optim.Adam(clipnorm=1.0), "; clip_norm is for the norm over all parameters"),
        (lambda: optim.Adam(beta1=0.5, amsgrad=True), "; amsgrad: there is no such variant"),
        (lambda: nn.MSELoss(reduction="sum"), "MSELoss: expected no arguments, got reduction="),
        (lambda: nn.MSELoss(from_logits=True), "; only cross-entropies have the choice"),
        (lambda: nn.ReLU(inplace=True), "; operations never change a tensor"),
        (lambda: nn.Dense(4, 2, kernel_regularizer="l2"), "penalty=nn.L2(1e-4)"),
        (lambda: nn.L2(strength=0.1), "L2: expected l2, got strength=0.1; leave it out"),
        (lambda: model().fit(ROWS, ROWS, shuffle=True), "; fit shuffles in every epoch"),
        (lambda: model().predict(ROWS, verbose=0), "; fit alone reports"),
        (lambda: train.Model(nn.ReLU(), "mse", lr=0.1), "optim.Adam(lr=...)"),
        (lambda: data.Standardizer(with_mean=False), "Standardizer: expected no arguments"),
        (lambda: data.Loader(ROWS, num_workers=2), "; prefetch= reads ahead in a thread"),
    ],
)
def test_what_has_no_counterpart_is_answered(call: Any, hint: str) -> None:
    assert hint in said(call)


@pytest.mark.parametrize(
    ("call", "shape", "reason"),
    [
        (lambda: nn.Dense(64), "Dense(in_features, out_features, ", "got Dense(64): missing a req"),
        (lambda: nn.Dense(64, activation="relu"), "Dense(in", "Dense(64, activation='relu'): mis"),
        (lambda: nn.ReLU(0.1), "ReLU()", "got ReLU(0.1): too many positional arguments"),
        (lambda: model().fit(ROWS, ROWS, 10), "fit(x, y=None, *, epochs=10, ", "fit(..., ..., 10)"),
        (lambda: train.Model(nn.ReLU()), "Model(network, loss, ", "missing a required argument"),
        (lambda: optim.Adam(0.1, lr=0.2), "Adam(lr=0.001, ", "multiple values for argument 'lr'"),
    ],
)
def test_other_misfits_show_the_whole_signature(call: Any, shape: str, reason: str) -> None:
    message = said(call)
    assert message.startswith(f"expected {shape}")
    assert reason in message


@pytest.mark.parametrize("name", PUBLIC)
def test_whatever_is_public_refuses_a_strange_word_in_the_same_form(name: str) -> None:
    thing = PUBLIC[name]
    given = [model()] if name.startswith("Model.") else []
    message = said(lambda: thing(*given, no_such_word=1))
    assert f"{name.split('.')[-1]}: expected " in message
    assert "got no_such_word=1" in message


def parameters() -> dict[str, set[str]]:
    """Return the arguments of all public things by name, with those that optimisers share."""
    found = {name: set(inspect.signature(thing).parameters) for name, thing in PUBLIC.items()}
    return found | {"all optimisers": set(inspect.signature(optim.Optimizer).parameters)}


def test_every_translation_is_to_a_name_that_is_taken_somewhere() -> None:
    assert set(ARGUMENTS) <= set().union(*parameters().values())


def test_the_methods_of_other_libraries_models_are_found() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'compile'; .* Model\(network, loss"):
        model().compile(optimizer="adam", loss="mse")
    with pytest.raises(AttributeError, match=r"no attribute 'score'; use model.evaluate"):
        model().score(ROWS, ROWS)
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'$"):
        _ = model().nothing
    assert not [name for name in METHODS if hasattr(train.Model, name)]


def test_errors_from_within_a_call_stay_as_they_are() -> None:
    @helpful
    def broken(x: int) -> int:
        return x + "1"  # type: ignore[operator]

    with pytest.raises(TypeError, match="unsupported operand"):
        broken(1)
    assert said(lambda: broken(y=1)) == "broken: expected x, got y=1; leave it out"  # type: ignore[call-arg]


class Twice(nn.Module):
    def __init__(self, layer: nn.Module, times: int = 2) -> None:
        self.layer, self.times = layer, times


def test_layers_of_ones_own_are_helpful_too() -> None:
    message = said(lambda: Twice(nn.ReLU(), time=3))  # type: ignore[call-arg]
    assert message == "Twice: expected times=..., got time=3; write Twice(layer, times=3)"


class Careless(optim.Optimizer):
    def __init__(self, alpha: float) -> None:
        super().__init__(learning_rate=alpha)  # type: ignore[call-arg]


def test_a_mistake_in_a_constructor_is_told_of_the_constructor_that_it_calls() -> None:
    assert said(lambda: Careless(0.1)).startswith("Optimizer: expected lr=..., got learning_rate")


def test_any_name_goes_where_any_name_is_taken() -> None:
    @helpful
    def free(x: int, **others: dict[str, int]) -> int:
        return x

    @helpful
    def unknown(x: int, **others: NotImported) -> int:  # type: ignore[name-defined]  # noqa: F821
        return x

    assert free(1, y={}) == 1
    for function in (free, unknown):
        assert "missing a required argument: 'x'" in said(lambda f=function: f(y={}))


def test_signatures_and_documentation_stay_visible() -> None:
    assert [*inspect.signature(nn.Dense).parameters][:2] == ["in_features", "out_features"]
    assert [*inspect.signature(data.moons).parameters] == ["samples", "noise", "seed"]
    assert "epochs" in inspect.signature(train.Model.fit).parameters
    assert inspect.getsource(data.moons).startswith("@helpful\ndef moons(")
    assert (data.moons.__doc__ or "").startswith("Two interleaving half circles")
