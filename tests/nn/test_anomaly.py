"""Where NaN and infinity come from: operation, layer, line, ranges and the usual cause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import AnomalyError, Tensor, detect_anomaly, nn, optim
from pellucid.nn.anomaly import CAUSES, SLOPES, Anomaly
from pellucid.ops import REGISTRY
from pellucid.train import Model

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)


class Log(nn.Module):
    """Takes the logarithm of whatever comes."""

    def forward(self, x: Any) -> Any:
        return pellucid.log(x)


class Rooted(nn.Module):
    """Has an infinite slope where its layer answers 0."""

    def __init__(self) -> None:
        self.layer = nn.Dense(3, 2, "relu", rng=0)

    def forward(self, x: Any) -> Any:
        return pellucid.sqrt(self.layer(x))


def found(function: Callable[[], Tensor]) -> Anomaly:
    with pytest.raises(AnomalyError) as caught, detect_anomaly():
        function().backward()
    anomaly = caught.value.anomaly
    assert isinstance(anomaly, Anomaly)
    assert str(anomaly) in str(caught.value)
    return anomaly


def test_a_value_is_followed_to_the_operation_that_made_it() -> None:
    net = nn.Sequential(nn.Dense(3, 4, rng=0), Log(), nn.Dense(4, 2, rng=0))
    anomaly = found(lambda: (net(X) * 2).mean())
    assert (anomaly.op, anomaly.direction, anomaly.path) == ("Log", "forward", "layers.1 (Log)")
    assert anomaly.line.startswith("test_anomaly.py:")
    assert "(4, 4) float32 from -" in anomaly.inputs[0]
    assert "logarithm of 0 or of a negative number" in anomaly.cause


def test_a_gradient_is_followed_to_the_rule_that_made_it() -> None:
    net = nn.Sequential(nn.Dense(3, 3, rng=0), Rooted())
    anomaly = found(lambda: net(X).sum())
    assert (anomaly.op, anomaly.direction, anomaly.path) == (
        "Sqrt",
        "backward",
        "layers.1 (Rooted)",
    )
    assert "are 0" in anomaly.inputs[0]
    assert "the gradient that arrives: (4, 2) float32 from 1 to 1" in anomaly.inputs[-1]
    assert "slope of the root is infinite at 0" in anomaly.cause


def test_infinity_that_does_no_harm_is_none() -> None:
    x = Tensor(X, requires_grad=True)
    mask = np.where(np.arange(3) > 0, -np.inf, 0.0).astype(np.float32)
    with detect_anomaly():
        pellucid.softmax(x + mask, axis=-1)[:, 0].sum().backward()
    assert np.isfinite(x.grad).all()


@pytest.mark.parametrize("masked", ["constant", "where"])
def test_infinity_that_was_written_down_is_not_to_blame(masked: str) -> None:
    x = Tensor(X, requires_grad=True)

    def all_masked() -> Tensor:
        if masked == "constant":
            return pellucid.log(x * 0 + 1) * np.full(3, -np.inf, np.float32)
        return pellucid.log(x * 0 + 1) * pellucid.where(x > 9, x, -np.inf)

    assert found(lambda: all_masked().sum()).op == "Multiply"  # 0 times infinity


def test_what_was_broken_before_is_named() -> None:
    x = Tensor([1.0, np.nan], requires_grad=True)
    anomaly = found(lambda: (x * 2).sum())
    assert anomaly.op == ""
    assert "1 NaN" in str(anomaly)
    assert str(anomaly).startswith("an input or constant is not finite itself")
    net = nn.Sequential(nn.Dense(3, 4, rng=0), nn.Dense(4, 2, rng=0))
    net[1].bias.data = np.array([0, np.inf], np.float32)  # type: ignore[attr-defined]
    assert found(lambda: net(X).sum()).path == "layers.1.bias"


def test_looking_calls_no_hook() -> None:
    x, calls = Tensor(X, requires_grad=True), []
    x.register_hook(lambda g: calls.append(g.shape))
    with detect_anomaly():
        (x * 2).sum().backward()
    assert calls == [(4, 3)]


def test_grad_looks_as_well_and_nothing_is_left_behind() -> None:
    with pytest.raises(AnomalyError, match="Log"), detect_anomaly():
        pellucid.grad(lambda x: pellucid.log(x).sum())(Tensor(-1.0))
    x = Tensor(-1.0, requires_grad=True)
    with np.errstate(all="ignore"):
        pellucid.log(x).backward()  # outside nothing is looked at
    assert x.grad is not None


def test_causes_are_of_operations_there_are() -> None:
    assert {*CAUSES, *SLOPES} <= set(REGISTRY)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("metrics", [[], ["accuracy"]])
def test_fit_says_what_broke_it(native: bool, metrics: list[str]) -> None:
    net = nn.Sequential(nn.Dense(3, 4, rng=0), Log(), nn.Dense(4, 2, rng=0))
    model = Model(net, "cross_entropy", optim.Adam(1e-3), metrics=metrics)
    weights = net.state()
    with pytest.warns(
        RuntimeWarning, match=r"Log \(forward\) in layers.1 \(Log\), at test_anomaly"
    ):
        history = model.fit(
            X, np.array([0, 1, 0, 1]), epochs=2, verbose=False, compile=native, seed=0
        )
    assert history.stopped.startswith("the loss is nan in epoch 1, batch 1")
    assert "cause: the logarithm" in history.anomaly
    assert all(np.array_equal(array, weights[path]) for path, array in net.state().items())


def test_fit_says_that_the_step_broke_it() -> None:
    net = nn.Sequential(nn.Dense(3, 2, rng=0))
    model = Model(net, "mse", optim.SGD(1e38))
    with pytest.warns(RuntimeWarning, match="the penalty or the optimiser's step made what is not"):
        model.fit(X, 100 * X[:, :2], epochs=1, verbose=False, seed=0)


def test_tracing_is_not_disturbed() -> None:
    step = pellucid.compile(pellucid.grad(lambda x: (x * x).sum()))
    with detect_anomaly():
        np.testing.assert_array_equal(np.asarray(step(X)), 2 * X)
