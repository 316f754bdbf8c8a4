"""The contract of every registered class: saved and loaded, it goes on as if nothing had been."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts import loss_samples, optimizer_samples
from contracts.layer_case import Sample
from contracts.test_layers import ALL, SAMPLES
from pellucid import Tensor, data, nn, optim, registry
from pellucid.data.columns import Column
from pellucid.nn.recurrent import Cell
from pellucid.optim import schedules
from pellucid.persist import load_objects, save_objects
from pellucid.train import Model, metrics
from train.problems import blobs, classifier, line, same_state

BASES = {
    nn.Module, nn.Activation, nn.Loss, nn.Penalty, nn.Constraint, optim.Optimizer,
    schedules.Schedule,
}  # fmt: skip
UNNAMED = {"Sequential-functions", "Parallel-product"}  # samples with a function that has no name

SCHEDULES: list[Any] = [
    schedules.Constant(0.1),
    schedules.InverseTime(0.1, 0.01),
    schedules.Step(0.1, 3),
    schedules.MultiStep(0.1, [2, 5]),
    schedules.Exponential(0.1, 0.9, every=2),
    schedules.Polynomial(0.1, 20, power=2.0),
    schedules.Linear(0.1, 0.01, 20),
    schedules.Cosine(0.1, 20),
    schedules.CosineRestarts(0.1, 3, growth=2),
    schedules.OneCycle(0.1, 20),
    0.5 * schedules.Cosine(0.1, 20),
    schedules.Chain([0.1, schedules.Cosine(0.1, 9)], [4]),
    schedules.WarmUp(3, schedules.Linear(0.1, 0.0, 30)),
]
OPTIMIZERS = [
    pytest.param(name, sample.settings, id=f"{name}-{i}")
    for name, samples in optimizer_samples.SAMPLES.items()
    for i, sample in enumerate(samples)
]
LOSSES = [
    pytest.param(nn.LOSSES[name](), sample, id=f"{name}-{sample.label}")
    for name, samples in loss_samples.SAMPLES.items()
    for sample in samples
]
SCALER = data.Standardizer().fit([[1.0, 2.0], [3.0, 9.0]])
TABLE = data.TableEncoding(
    "price", ("low", "high"), (Column("town", ("a", "b")), Column("x")), "codes", True
)
PLAIN: list[Any] = [
    nn.L1(0.1), nn.L2(0.2), nn.L1L2(0.1, 0.2), nn.MaxNorm(2.0, axis=(0, 1)), SCALER, TABLE,
    data.CharVocabulary("to be or nöt to be"), optim.Group("*.bias", lr=0.1),
    optim.no_decay_on_vectors(), metrics.get("top_3_accuracy"), metrics.get("f1_weighted"),
    metrics.in_unit("mae", metrics.mae, 2.5),
]  # fmt: skip


def again(folder: Path, **objects: Any) -> dict[str, Any]:
    """Return objects after a journey through a file."""
    save_objects(folder / "objects.safetensors", objects)
    return load_objects(folder / "objects.safetensors")


def parts(value: Any) -> Iterator[Any]:
    """Yield a module and all below it, cells of recurrent layers among them."""
    yield from value.modules().values()
    for module in value.modules().values():
        yield from getattr(module, "cells", [])


def covered() -> set[type]:
    """Return the classes that the tests below save and load."""
    found = {type(thing) for thing in (*SCHEDULES, *PLAIN)} | {Column}
    found |= {optim.OPTIMIZERS[name] for name in optimizer_samples.SAMPLES}  # type: ignore[misc]
    found |= {nn.LOSSES[name] for name in loss_samples.SAMPLES}
    for samples in SAMPLES.values():
        found |= {type(part) for sample in samples for part in parts(sample.build())}
    return found


def test_every_registered_class_is_saved_and_loaded_here() -> None:
    classes = {thing for thing in registry.registered().values() if isinstance(thing, type)}
    ours = {kind for kind in classes if kind.__module__.startswith("pellucid.")}
    assert ours - BASES - covered() == set()
    assert Cell in ours


@pytest.mark.parametrize("sample", ALL)
def test_layers(sample: Sample, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    layer = sample.build()
    if any(name in request.node.name for name in UNNAMED):
        with pytest.raises(
            TypeError, match=r"network\.(layers\.0|merge): expected what a file can"
        ):
            again(tmp_path, network=layer)
        return
    optimizer = optim.Adam(0.01, clip_norm=1.0)
    improve(layer, optimizer, sample)
    copy, its_optimizer = again(tmp_path, network=layer, optimizer=optimizer).values()
    assert repr(copy) == repr(layer)
    for _ in range(2):
        improve(layer, optimizer, sample)
        improve(copy, its_optimizer, sample)
    assert same_state(layer, copy)
    np.testing.assert_array_equal(layer.eval()(sample.x).data, copy.eval()(sample.x).data)


def improve(layer: nn.Module, optimizer: optim.Optimizer, sample: Sample) -> None:
    """Make a step in training mode."""
    out = layer.train()(
        Tensor(sample.x.astype("float32")) if sample.x.dtype.kind == "f" else sample.x
    )
    if layer.parameters():
        layer.zero_grad()
        (out * out).sum().backward()
        optimizer.step(layer)


@pytest.mark.parametrize(("loss", "sample"), LOSSES)
def test_losses(loss: nn.Loss, sample: loss_samples.Sample, tmp_path: Path) -> None:
    (copy,) = again(tmp_path, loss=loss).values()
    pair = sample.prediction, sample.target
    assert type(copy) is type(loss)
    assert copy(*pair).item() == loss(*pair).item()


@pytest.mark.parametrize(
    "loss",
    [
        nn.CrossEntropyLoss(0.1, [1.0, 2.0, 0.5]),
        nn.CrossEntropyLoss(from_logits=False),
        nn.BCELoss(from_logits=False),
        nn.HuberLoss(0.3),
    ],
    ids=lambda x: type(x).__name__,
)
def test_losses_keep_their_settings(loss: nn.Loss, tmp_path: Path) -> None:
    (copy,) = again(tmp_path, loss=loss).values()
    assert copy.link is loss.link
    assert copy.threshold == loss.threshold
    z = np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]) * (3 if loss.threshold == 0 else 1)
    z = z / z.sum(axis=1, keepdims=True) if loss.link is nn.Linear else z
    y = np.array([1, 2]) if isinstance(loss, nn.CrossEntropyLoss) else np.eye(3)[[1, 2]]
    assert copy(z, y).item() == loss(z, y).item()


@pytest.mark.parametrize(("name", "settings"), OPTIMIZERS)
def test_training_goes_on_as_if_not_saved(
    name: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    x, y = blobs()
    model = Model(classifier(nn.Dropout(0.2)), "cross_entropy", optim.OPTIMIZERS[name](**settings))
    model.fit(x, y, epochs=2, seed=0, verbose=False)
    model.save(tmp_path / "m.safetensors")
    copy = Model.load(tmp_path / "m.safetensors")
    histories = [m.fit(x, y, epochs=2, verbose=False, seed=7) for m in (model, copy)]
    assert histories[0] == histories[1]
    assert same_state(model.network, copy.network)
    np.testing.assert_equal(copy.optimizer.state_dict(), model.optimizer.state_dict())


def test_dropout_goes_on_in_its_stream(tmp_path: Path) -> None:
    x, y = blobs()
    model = Model(classifier(nn.Dropout(0.5)), "cross_entropy", "adam")
    model.fit(x, y, epochs=1, seed=0, verbose=False)
    model.save(tmp_path / "m.safetensors")
    copy = Model.load(tmp_path / "m.safetensors")
    masks = [m.network.train()(x).data for m in (model, copy)]
    np.testing.assert_array_equal(*masks)
    assert (masks[0] == 0).any()


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
def test_schedules(schedule: Any, tmp_path: Path) -> None:
    x, y = line()
    model = Model(nn.Dense(3, 1, rng=0), "mse", optim.SGD(schedule, momentum=0.5))
    model.fit(x, y, epochs=1, seed=0, verbose=False)
    model.save(tmp_path / "m.safetensors")
    copy = Model.load(tmp_path / "m.safetensors")
    assert repr(copy.optimizer) == repr(model.optimizer)
    rates = [[m.optimizer.rate(step) for step in range(1, 40)] for m in (model, copy)]
    assert rates[0] == rates[1]
    histories = [m.fit(x, y, epochs=2, seed=1, verbose=False) for m in (model, copy)]
    assert histories[0] == histories[1]


@pytest.mark.parametrize("thing", PLAIN, ids=lambda x: type(x).__name__)
def test_settings_and_preprocessing(thing: Any, tmp_path: Path) -> None:
    (copy,) = again(tmp_path, thing=thing).values()
    assert type(copy) is type(thing)
    if not isinstance(thing, data.Standardizer | metrics.Metric):
        assert repr(copy) == repr(thing)
    same = (np.asarray, str)[not isinstance(thing, data.Standardizer)]
    for name, value in vars(thing).items():
        if name != "function":
            np.testing.assert_array_equal(same(getattr(copy, name)), same(value))


def test_preprocessing_works_after_loading(tmp_path: Path) -> None:
    found = again(tmp_path, kept={"x": SCALER, "text": data.CharVocabulary("hello")})["kept"]
    np.testing.assert_array_equal(found["x"].transform([[5, 6]]), SCALER.transform([[5, 6]]))
    assert found["text"].decode(found["text"].encode("hello")) == "hello"


@pytest.mark.parametrize("name", sorted(nn.initialisers.INITIALISERS))
def test_initialisers(name: str, tmp_path: Path) -> None:
    layer = nn.Dense(3, 4, init=name, rng=0)
    copy = again(tmp_path, network=layer)["network"]
    assert same_state(layer.initialise(5), copy.initialise(5))


@pytest.mark.parametrize(
    "init",
    [
        nn.initialisers.normal(1.0, 0.3),
        nn.initialisers.truncated_normal(std=0.7),
        nn.initialisers.uniform(-2, 3),
        nn.initialisers.orthogonal(2.0),
        nn.initialisers.constant(0.25),
    ],
    ids=lambda x: x.func.__name__,
)
def test_initialisers_with_settings(init: Any, tmp_path: Path) -> None:
    layer = nn.LSTM(3, 4, init=init, recurrent_init=init, rng=0)
    copy = again(tmp_path, network=layer)["network"]
    assert same_state(layer.initialise(5), copy.initialise(5))
