"""Penalties and constraints in training: what is added, to which parameters, and how often."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import linear_model

from pellucid import Tensor, nn, optim, train
from pellucid.train import Model
from train.problems import Spy, blobs, classifier, line, same_state

X, Y = blobs()


def model(optimizer: Any = None, **options: Any) -> Model:
    network = classifier().astype("float64")
    return Model(network, "cross_entropy", optimizer or optim.SGD(0.1), **options)


def fit(model: Model, **options: Any) -> train.History:
    return model.fit(X, Y, **({"epochs": 3, "seed": 0, "verbose": False} | options))


def cost(penalty: nn.Penalty, *tensors: Tensor) -> float:
    return sum(penalty(tensor).item() for tensor in tensors)


@pytest.mark.torch
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_l2_is_the_weight_decay_of_torch_s_sgd(momentum: float) -> None:
    """weight_decay = 2 * l2, on everything; step by step, in float64."""
    torch = pytest.importorskip("torch")
    penalty = {"*": nn.L2(0.05)}
    trained = model(optim.SGD(0.1, momentum=momentum), penalty=penalty)
    layers = [torch.nn.Linear(2, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3)]
    theirs = torch.nn.Sequential(*layers).double()
    with torch.no_grad():
        for ours, other in zip(trained.network, (layers[0], layers[2]), strict=True):
            other.weight.copy_(torch.tensor(ours.weight.data.T))
            other.bias.copy_(torch.tensor(ours.bias.data))
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=momentum, weight_decay=0.1)
    x, y = torch.tensor(X.astype("float64")), torch.tensor(Y)
    for _ in range(20):
        fit(trained, epochs=1, batch_size=90)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(theirs(x), y).backward()
        optimizer.step()
    for ours, other in zip(trained.network, (layers[0], layers[2]), strict=True):
        np.testing.assert_allclose(ours.weight.data, other.weight.detach().numpy().T, 1e-10, 1e-13)
        np.testing.assert_allclose(ours.bias.data, other.bias.detach().numpy(), 1e-10, 1e-13)


@pytest.mark.parametrize("batch_size", [8, 90])
def test_a_penalty_is_not_divided_by_the_batch(batch_size: int) -> None:
    """Where the data ask for nothing, each update is w <- w (1 - 2 lr l2), whatever the batch."""
    network = nn.Dense(3, 1, rng=0).astype("float64")
    trained = Model(network, "mse", optim.SGD(0.1), penalty=nn.L2(0.25))
    before = network.weight.data
    x = np.zeros((90, 3))
    trained.fit(x, np.zeros((90, 1)), batch_size=batch_size, epochs=1, verbose=False)
    updates = -(-90 // batch_size)
    np.testing.assert_allclose(network.weight.data, before * 0.95**updates, 1e-12)
    np.testing.assert_array_equal(network.bias.data, 0)


def test_weighted_examples_with_l2_are_scikit_learn_s_ridge() -> None:
    """The mean over weights beside a whole penalty: alpha = outputs * l2 * the sum of weights."""
    x, y = line(outputs=2)
    w = np.random.default_rng(0).uniform(0, 3, 60)
    network = nn.Dense(3, 2, rng=0).astype("float64")
    trained = Model(network, "mse", optim.SGD(0.2), penalty=nn.L2(0.1))
    trained.fit(x, y, sample_weight=w, batch_size=60, epochs=300, verbose=False)
    ridge = linear_model.Ridge(alpha=2 * 0.1 * w.sum())
    ridge.fit(x.astype("float64"), y.astype("float64"), sample_weight=w)
    np.testing.assert_allclose(network.weight.data, ridge.coef_.T, 1e-10)
    np.testing.assert_allclose(network.bias.data, ridge.intercept_, 1e-10, 1e-12)


def test_weighted_classes_with_l2_are_scikit_learn_s_logistic_regression() -> None:
    """It sums the losses, which we average; its penalty is |w|^2 / 2 beside C times that sum."""
    w, classes = np.random.default_rng(0).uniform(0, 3, 90), {0: 3.0, 1: 0.5}
    network = nn.Dense(2, 3, rng=0).astype("float64")
    trained = Model(network, "cross_entropy", optim.Momentum(0.2), penalty=nn.L2(0.05))
    options: dict[str, Any] = {"sample_weight": w, "class_weight": classes, "verbose": False}
    trained.fit(X, Y, batch_size=45, accumulate=2, epochs=400, **options)
    total = (np.array([3.0, 0.5, 1.0])[Y] * w).sum()
    logistic = linear_model.LogisticRegression(
        C=1 / (2 * 0.05 * total), class_weight=classes, tol=1e-10, max_iter=1000
    )
    x = X.astype("float64")
    expected = logistic.fit(x, Y, sample_weight=w).predict_proba(x)
    np.testing.assert_allclose(trained.predict_proba(X), expected, atol=1e-7)


def test_the_penalty_is_reported_beside_the_loss() -> None:
    plain = model(optim.SGD(1e-30))
    penalised = model(optim.SGD(1e-30), penalty=nn.L1L2(0.1, 0.2))
    spy = Spy()
    expected = fit(plain)
    history = fit(penalised, validation_data=(X, Y), callbacks=[spy])
    assert list(history) == ["loss", "penalty", "val_loss"]
    np.testing.assert_allclose(history["loss"], expected["loss"], 1e-12)
    network = penalised.network
    found = cost(nn.L1L2(0.1, 0.2), network[0].weight, network[1].weight)
    np.testing.assert_allclose(history["penalty"], found, 1e-12)
    assert history["val_loss"][-1] == penalised.evaluate(X, Y)["loss"]
    assert list(penalised.evaluate(X, Y)) == ["loss"]
    batches = [logs for event, logs in spy.logs if event == "batch_end"]
    assert all(list(logs) == ["loss", "penalty"] for logs in batches)
    assert history.direction("penalty") == 1


def test_the_penalty_of_an_epoch_is_the_mean_over_its_batches() -> None:
    spy = Spy()
    history = fit(model(penalty=nn.L2(0.1)), batch_size=40, epochs=1, callbacks=[spy])
    seen = [logs["penalty"] for event, logs in spy.logs if event == "batch_end"]
    assert history["penalty"] == [pytest.approx(np.average(seen, weights=[40, 40, 10]))]
    assert len(set(seen)) == 3


def test_gains_of_several_axes_are_no_weights_either() -> None:
    network = nn.Sequential(nn.LayerNorm((4, 5)), nn.Flatten(), nn.Dense(20, 1), rng=0)
    rules = {"penalty": nn.L2(1.0), "constraint": nn.MaxNorm(0.5)}
    trained = Model(network, "mse", optim.SGD(1e-30), **rules)
    x = np.zeros((6, 4, 5))
    history = trained.fit(x, np.zeros(6), batch_size=6, epochs=2, verbose=False)
    np.testing.assert_array_equal(network[0].weight.data, 1)
    assert history["penalty"][1] == pytest.approx(cost(nn.L2(1.0), network[2].weight), rel=1e-6)
    named = Model(network, "mse", optim.SGD(1e-30), penalty={"layers.0.weight": nn.L2(1.0)})
    history = named.fit(x, np.zeros(6), batch_size=6, epochs=1, verbose=False)
    assert history["penalty"] == [pytest.approx(20.0)]


def test_weights_are_penalised_and_biases_and_gains_are_not() -> None:
    network = nn.Sequential(nn.Dense(2, 16), nn.LayerNorm(16), nn.Dense(16, 3), rng=0)
    for parameter in network.parameters():
        parameter.data = parameter.data + 1.0
    trained = Model(network, "cross_entropy", optim.SGD(1e-30), penalty=nn.L2(1.0))
    history = fit(trained, epochs=1)
    found = cost(nn.L2(1.0), network[0].weight, network[2].weight)
    assert history["penalty"] == [pytest.approx(found, rel=1e-5)]


@pytest.mark.parametrize(
    ("patterns", "paths"),
    [
        (["layers.0.weight"], ["layers.0.weight"]),
        (["layers.0.*"], ["layers.0.weight", "layers.0.bias"]),
        (["*.bias"], ["layers.0.bias", "layers.1.bias"]),
        (["layers.1.weight", "*weight"], ["layers.1.weight", "layers.0.weight", "layers.1.weight"]),
    ],
)
def test_paths_say_what_is_penalised(patterns: list[str], paths: list[str]) -> None:
    rules = {pattern: nn.L1(0.5) for pattern in patterns}
    trained = model(optim.SGD(1e-30), penalty=rules)
    for parameter in trained.network.parameters():
        parameter.data = parameter.data + 1.0
    named = trained.network.named_parameters()
    found = cost(nn.L1(0.5), *(named[path] for path in paths))
    assert fit(trained, epochs=1)["penalty"] == [pytest.approx(found, rel=1e-12)]


def test_frozen_weights_are_left_alone() -> None:
    trained = model(penalty=nn.L2(1.0), constraint=nn.MaxNorm(0.01))
    frozen = trained.network[0].weight
    frozen.requires_grad = False
    before = frozen.data
    history = fit(trained, epochs=1, compile=False)
    assert frozen.data is before
    assert history["penalty"][0] < cost(nn.L2(1.0), frozen) + 100
    assert trained.network[1].weight.grad is not None


def test_a_shared_weight_is_penalised_once() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            self.one = nn.Dense(2, 2, rng=0)
            self.other = self.one

        def forward(self, x: Any) -> Any:
            return self.other(self.one(x))

    network = Tied()
    trained = Model(network, "mse", optim.SGD(1e-30), penalty=nn.L2(1.0))
    history = trained.fit(X, X, epochs=1, verbose=False)
    assert history["penalty"] == [pytest.approx(cost(nn.L2(1.0), network.one.weight))]


def test_l1_makes_weights_that_do_not_matter_small() -> None:
    x, y = line()
    x = np.concatenate([x, np.random.default_rng(1).normal(size=(60, 3))], axis=1)
    network = nn.Dense(6, 1, rng=0)
    trained = Model(network, "mse", optim.SGD(0.02), penalty=nn.L1(0.05))
    trained.fit(x, y, epochs=200, batch_size=60, verbose=False)
    weights = np.abs(network.weight.data[:, 0])
    assert weights[3:].max() < 0.01 < 0.1 < weights[:3].min()


def test_gradcheck_includes_penalties() -> None:
    trained = model(penalty={"*": nn.L1L2(0.3, 0.2)})
    report = trained.gradcheck(X[:6], Y[:6])
    assert report, report


class Wrong(nn.Penalty):
    """A planted fault: the gradient of L2 without its factor 2."""

    def __call__(self, w: Tensor) -> Tensor:
        return (w.detach() * w).sum()


def test_gradcheck_sees_a_penalty_whose_gradient_is_wrong() -> None:
    assert not model(penalty=Wrong()).gradcheck(X[:6], Y[:6])


# constraints


def lengths(layer: nn.Dense) -> np.ndarray:
    return np.sqrt((layer.weight.data**2).sum(axis=0))


def test_units_stay_within_their_norm_after_every_update() -> None:
    longest: list[float] = []

    def look(event: str, run: train.Run) -> None:
        if event == "batch_end":
            longest.append(max(lengths(layer).max() for layer in run.network))  # type: ignore[attr-defined]

    trained = model(optim.SGD(0.5), constraint=nn.MaxNorm(0.7))
    fit(trained, callbacks=[Spy(look)])
    assert len(longest) == 9
    assert max(longest) <= 0.7 + 1e-12
    free = model(optim.SGD(0.5))
    fit(free)
    assert max(lengths(layer).max() for layer in free.network) > 0.7


def test_a_constraint_follows_the_update_exactly() -> None:
    """One step by hand: the update, then the projection."""
    one, other = model(constraint={"layers.0.weight": nn.MaxNorm(0.5)}), model()
    fit(one, epochs=1, batch_size=90)
    fit(other, epochs=1, batch_size=90)
    first = other.network[0].weight
    first.data = nn.MaxNorm(0.5)(first.data)
    assert same_state(one.network, other.network)


def test_the_dtype_survives_penalties_and_constraints() -> None:
    network = classifier()
    trained = Model(network, "cross_entropy", penalty=nn.L2(0.1), constraint=nn.MaxNorm(0.5))
    fit(trained, compile=False)
    assert {p.dtype for p in network.parameters()} == {np.dtype("float32")}
    assert {p.grad.dtype for p in network.parameters()} == {np.dtype("float32")}  # type: ignore[union-attr]


# what is refused


@pytest.mark.parametrize("name", ["penalty", "constraint"])
def test_rules_that_are_none_are_refused(name: str) -> None:
    rule = nn.L2(0.1) if name == "penalty" else nn.MaxNorm(1.0)
    for wrong in (0.1, "l2", nn.L2, {"layers.0.weight": 0.1}):
        with pytest.raises(TypeError, match=f"expected {name} to be a .* got .*; pass for example"):
            model(**{name: wrong})
    with pytest.raises(ValueError, match=r"got 'layers\.7\.weight', which .* none of layers\.0"):
        model(**{name: {"layers.7.weight": rule}})
