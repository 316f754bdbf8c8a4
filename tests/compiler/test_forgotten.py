"""State that `state=` does not name: refused, and left as it was."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import Tensor, TraceError, nn, optim, train

F4 = np.float32
X = np.random.default_rng(0).normal(size=(8, 3)).astype(F4)
NATIVE = pytest.mark.parametrize("native", [True, False])


def stepper(network: nn.Module, optimizer: optim.Optimizer) -> Callable[[Any], Tensor]:
    def step(x: Any) -> Tensor:
        network.zero_grad()
        loss = (network(x) ** 2).sum()
        loss.backward()
        optimizer.step(network)
        return loss

    return step


@NATIVE
@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
@pytest.mark.parametrize("named", ["nothing", "network", "optimizer"])
def test_a_step_without_its_network_or_optimizer(named: str, kind: Any, native: bool) -> None:
    network, optimizer = nn.Sequential(nn.Dense(3, 2), nn.BatchNorm1D(2), rng=0), kind(0.01)
    before = network.state()
    state = {"nothing": [], "network": [network], "optimizer": [optimizer]}[named]
    missing = "optimizer" if named == "network" else "network"
    step = pellucid.compile(stepper(network, optimizer), state=state, native=native)
    for _ in range(2):
        with pytest.raises(TraceError, match=f"expected the {missing} among the state"):
            step(X)
    for path, array in network.state().items():
        np.testing.assert_array_equal(array, before[path])
    assert (optimizer.steps, optimizer.state, optimizer.counts) == (0, {}, {})
    assert all(p.grad is None for p in network.parameters())
    stepper(network, optimizer)(X)  # eagerly it goes on


@NATIVE
@pytest.mark.parametrize("layer", [lambda: nn.BatchNorm1D(3), lambda: nn.Dropout(0.5)])
def test_a_network_whose_buffers_change(layer: Callable[[], nn.Module], native: bool) -> None:
    """Statistics would be lost, and the mask of dropout be the same for ever."""
    network = nn.Sequential(nn.Dense(3, 3), layer(), rng=0)
    for function in (network, network.forward, lambda x: network(x)):
        before = network.state()
        with pytest.raises(TraceError, match=r"changes a tensor (float32\[3\]|uint32\[2\])"):
            pellucid.compile(function, native=native)(X)
        for path, array in network.state().items():
            np.testing.assert_array_equal(array, before[path])
    network.eval()  # nothing changes
    np.testing.assert_allclose(pellucid.compile(network)(X).data, network(X).data, rtol=1e-5)


NETWORK = nn.Sequential(nn.Dense(3, 3), nn.Dropout(0.5), rng=0)


def helped(x: Any) -> Tensor:
    return NETWORK(x).sum()


def test_what_functions_reach_through_others_is_found() -> None:
    """Through a helper, a gradient, a method; not beyond what is there yet."""

    def scale(x: Any) -> Any:
        return later(x) * helped(x)

    for function in (helped, scale, pellucid.grad(helped)):
        before = NETWORK.state()
        with pytest.raises((TraceError, NameError), match=r"which is not there|later"):
            pellucid.compile(function)(X)
        assert all(np.array_equal(v, before[path]) for path, v in NETWORK.state().items())

    def later(x: Any) -> Any:
        return x

    with pytest.raises(TraceError, match="which is not there"):
        pellucid.compile(scale)(X)


@NATIVE
def test_gradients_of_what_is_no_state_are_as_they_were(native: bool) -> None:
    w = Tensor(np.ones(3, F4), requires_grad=True)

    def function(x: Any) -> Any:
        w.grad = None
        (x * w).sum().backward()
        return w.grad

    np.testing.assert_allclose(pellucid.compile(function, native=native)(X), X.sum(0), rtol=1e-5)
    assert w.grad is None


@NATIVE
def test_what_is_kept_elsewhere_is_refused_with_its_line(native: bool) -> None:
    kept = []

    def function(x: Any) -> Tensor:
        kept.append(x * 2)
        return x.sum()

    match = r"keeps a float32\[8,3\] computed at test_forgotten.py:\d+"
    with pytest.raises(TraceError, match=match):
        pellucid.compile(function, native=native)(X)


def test_what_is_in_a_cycle_is_not_kept() -> None:
    def function(x: Any) -> Tensor:
        cycle: list[Any] = [x * 2]
        cycle.append(cycle)
        return x.sum()

    np.testing.assert_allclose(pellucid.compile(function)(X).data, X.sum(), rtol=1e-5)


class Keeping(nn.Module):
    """Keeps its last output, to be looked at."""

    def __init__(self) -> None:
        self.dense, self.last = nn.Dense(3, 3), None

    def forward(self, x: Any) -> Tensor:
        self.last = self.dense(x)
        return self.last * 2


def test_a_layer_that_keeps_its_output_is_trained_eagerly() -> None:
    found = []
    for choice in ("auto", False):
        model = train.Model(Keeping().initialise(0), "mse", optim.SGD(0.1))
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            model.fit(X, X, epochs=2, seed=0, compile=choice, verbose=False)
        assert bool(told) == bool(choice)
        assert all("keeps a float32" in str(one.message) for one in told)
        assert isinstance(model.network.last.data, np.ndarray)
        found.append(model.network.dense.weight.data)
    np.testing.assert_array_equal(found[0], found[1])
    with pytest.raises(TraceError, match="keeps a float32"):
        train.Model(Keeping().initialise(0), "mse").fit(X, X, compile=True, verbose=False)


@NATIVE
def test_what_cannot_be_traced_leaves_attributes_as_they_were(native: bool) -> None:
    """Counts, outputs that were kept, and what was made when it was first needed."""

    class Counting(nn.Module):
        def __init__(self) -> None:
            self.dense, self.calls, self.last = nn.Dense(3, 3), 0, None

        def forward(self, x: Any) -> Tensor:
            self.calls += 1
            self.last = self.dense(x)
            self.late = nn.Dense(3, 3, rng=0)
            return self.late(self.last) * self.calls

    network = Counting().initialise(0)
    for _ in range(2):
        with pytest.raises(TraceError, match="keeps a float32"):
            pellucid.compile(network, state=network, native=native)(X)
        assert (network.calls, network.last, hasattr(network, "late")) == (0, None, False)


@NATIVE
def test_what_is_made_at_the_first_call_is_made_once(native: bool) -> None:
    class Lazy(nn.Module):
        def __init__(self) -> None:
            self.dense: Any = None

        def forward(self, x: Any) -> Tensor:
            if self.dense is None:
                self.dense = nn.Dense(x.shape[-1], 2, rng=0)
            return self.dense(x)

    network = nn.Sequential(Lazy(), nn.Dense(2, 2), rng=0)
    function = pellucid.compile(network, state=network, native=native)
    np.testing.assert_allclose(function(X).data, network(X).data, rtol=1e-5)
    assert set(network[0].named_parameters()) == {"dense.weight", "dense.bias"}


@NATIVE
def test_who_holds_an_optimizer_s_memory_sees_no_symbols(native: bool) -> None:
    network, optimizer = nn.Sequential(nn.Dense(3, 2), rng=0), optim.Adam(0.01)
    state, counts = optimizer.state, optimizer.counts
    step = pellucid.compile(stepper(network, optimizer), [network, optimizer], native=native)
    step(X)
    assert (state, counts) == ({}, {})
    assert optimizer.counts == {"layers.0.weight": 1, "layers.0.bias": 1}
