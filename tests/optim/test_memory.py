"""What an optimiser remembers, of whom, and how it is moved or forgotten."""

from __future__ import annotations

import copy
import gc
import json
from typing import Any

import numpy as np
import pytest

from pellucid import Tensor, nn, optim
from pellucid.optim import schedules

KINDS = list(optim.OPTIMIZERS.values())
WITH_MEMORY = [kind for kind in KINDS if kind().init(np.ones(1))]
X = np.random.default_rng(0).normal(size=(8, 3))


def network(seed: int = 0) -> nn.Sequential:
    return nn.Sequential(nn.Dense(3, 4, "tanh"), nn.Dense(4, 1), rng=seed).astype("float64")


def train(optimizer: optim.Optimizer, net: nn.Module, steps: int = 3) -> nn.Module:
    for _ in range(steps):
        net.zero_grad()
        (net(X) ** 2).mean().backward()
        optimizer.step(net)
    return net


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(np.array_equal(a, other.state()[path]) for path, a in one.state().items())


# another network


@pytest.mark.parametrize("kind", WITH_MEMORY)
@pytest.mark.parametrize("alive", [True, False])
def test_a_second_network_of_the_same_shape_is_refused(kind: Any, alive: bool) -> None:
    """Also when the first is gone, as in a loop over seeds that makes one optimiser before it."""
    optimizer, first = kind(), network()
    train(optimizer, first)
    if not alive:
        del first
        gc.collect()
    second = network(1)
    before = second.state()
    with pytest.raises(
        ValueError,
        match=r"expected layers.0.weight to be the tensor of the steps before, got another one; "
        r"make a new optimizer for another network, call optimizer.reset\(\) to start afresh",
    ):
        train(optimizer, second)
    for path, array in second.state().items():
        np.testing.assert_array_equal(array, before[path])
    assert optimizer.steps == 3


def test_a_schedule_is_a_memory_too() -> None:
    optimizer = optim.SGD(schedules.Step(0.1, every=2))
    train(optimizer, network())
    with pytest.raises(ValueError, match="to be the tensor of the steps before"):
        train(optimizer, network(1))


def test_an_optimiser_that_remembers_nothing_takes_any() -> None:
    optimizer = optim.SGD(0.1)
    train(optimizer, network())
    assert same(train(optimizer, network(1)), train(optim.SGD(0.1), network(1)))


@pytest.mark.parametrize("kind", KINDS)
def test_reset_makes_it_new(kind: Any) -> None:
    optimizer = kind()
    train(optimizer, network())
    optimizer.scale = 0.1
    assert optimizer.reset() is optimizer
    assert same(train(optimizer, network(1)), train(kind(), network(1)))
    assert optimizer.steps == 3


def test_the_same_parameters_may_get_other_values() -> None:
    """Loading best weights, changing the dtype, setting data by hand."""
    net, optimizer = network(), optim.Adam()
    start = net.state()
    train(optimizer, net)
    net.load_state(start)
    train(optimizer, net)
    net.astype("float32")
    train(optimizer, net)
    assert optimizer.steps == 9
    assert {p.dtype for p in net.parameters()} == {np.dtype("float32")}


def test_a_new_tensor_around_what_a_step_left_goes_on() -> None:
    """Parameters as plain arrays, wrapped anew in every step."""
    optimizer, kept = optim.Adam(0.1), optim.Adam(0.1)
    array, p = np.ones(3), Tensor(np.ones(3), requires_grad=True)
    for _ in range(3):
        wrapped = Tensor(array, requires_grad=True)
        wrapped.grad, p.grad = 2 * array, 2 * p.data
        optimizer.step([wrapped])
        kept.step([p])
        array = wrapped.data
    np.testing.assert_array_equal(array, p.data)


def test_a_list_in_another_order_is_refused() -> None:
    optimizer = optim.Adam()
    a, b = (Tensor(np.ones((2, 2)), requires_grad=True) for _ in range(2))
    a.grad = b.grad = np.ones((2, 2))
    optimizer.step([a, b])
    with pytest.raises(ValueError, match="expected 0 to be the tensor of the steps before"):
        optimizer.step([b, a])


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_goes_with_a_copy_of_the_network(kind: Any) -> None:
    net, optimizer = network(), kind()
    train(optimizer, net)
    other = copy.deepcopy({"network": net, "optimizer": optimizer})
    assert same(train(other["optimizer"], other["network"]), train(optimizer, net))


def test_a_copy_of_the_network_alone_is_another_network() -> None:
    net, optimizer = network(), optim.Adam()
    train(optimizer, net)
    with pytest.raises(ValueError, match="to be the tensor of the steps before"):
        train(optimizer, copy.deepcopy(net))


def test_an_optimiser_keeps_no_network_alive() -> None:
    optimizer = optim.Adam()
    net = network()
    train(optimizer, net)
    weight = net[0].weight
    owner, *_ = optimizer._owners["layers.0.weight"]
    assert owner() is weight
    del net, weight
    gc.collect()
    assert owner() is None


# saving and going on


@pytest.mark.parametrize("kind", KINDS)
def test_training_goes_on_from_a_saved_state(kind: Any) -> None:
    """In a network made anew, bit for bit as without the interruption."""
    whole = train(kind(schedules.Cosine(0.01, 6)), network(), 6)
    first = kind(schedules.Cosine(0.01, 6))
    halfway = train(first, network(), 3)
    saved, weights = first.state_dict(), halfway.state()
    train(first, halfway)  # what was saved is a copy
    second, loaded = kind(schedules.Cosine(0.01, 6)), network(7)
    loaded.load_state(weights)
    second.load_state_dict(saved)
    assert same(train(second, loaded), whole)
    assert second.steps == 6


@pytest.mark.parametrize("kind", KINDS)
def test_the_saved_state_is_plain(kind: Any) -> None:
    optimizer = kind()
    train(optimizer, network())
    saved = optimizer.state_dict()
    assert list(saved) == ["steps", "scale", "counts", "state"]
    json.dumps({name: saved[name] for name in ("steps", "scale", "counts")})
    for arrays in saved["state"].values():
        assert all(type(array) is np.ndarray for array in arrays.values())


def test_the_scale_is_saved() -> None:
    optimizer = optim.SGD(0.1)
    optimizer.scale = 0.25
    other = optim.SGD(0.1)
    other.load_state_dict(optimizer.state_dict())
    assert other.rate(1) == 0.025


def test_its_own_state_can_be_taken_along_to_another_network() -> None:
    optimizer = optim.Adam()
    train(optimizer, network())
    optimizer.load_state_dict(optimizer.state_dict())
    train(optimizer, network(1))
    assert optimizer.steps == 6


def test_a_state_of_other_shapes_is_refused_at_the_next_step() -> None:
    optimizer = optim.Adam()
    train(optimizer, network())
    other = optim.Adam()
    other.load_state_dict(optimizer.state_dict())
    layer = nn.Sequential(nn.Dense(3, 5), rng=0)
    with pytest.raises(ValueError, match=r"expected layers.0.weight in the shape \(3, 4\) of"):
        train(other, layer)


def test_an_incomplete_state_is_refused_and_changes_nothing() -> None:
    optimizer = optim.Adam()
    train(optimizer, network())
    saved = optimizer.state_dict()
    del saved["counts"]
    with pytest.raises(
        ValueError, match="expected the entries steps, scale, counts, state, got steps, scale, st"
    ):
        optimizer.load_state_dict(saved)
    assert optimizer.steps == 3


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_a_snapshot_undoes_the_steps_since(name: str) -> None:
    """Also the state of a parameter that moved for the first time since then."""
    optimizer = optim.optimizer(name)
    w, late = (Tensor(np.ones(3), requires_grad=True) for _ in "ab")
    w.grad = np.arange(3.0)
    optimizer.step({"w": w, "late": late})
    before, memory, data = optimizer.state_dict(), optimizer.snapshot(), w.data
    w.grad = late.grad = np.full(3, 5.0)
    for _ in range(2):
        optimizer.step({"w": w, "late": late})
    assert optimizer.steps == 3
    optimizer.restore(memory)
    w.data, late.data = data, np.ones(3)
    np.testing.assert_equal(optimizer.state_dict(), before)
    optimizer.step({"w": w, "late": late})
    assert (optimizer.steps, optimizer.counts) == (2, {"w": 2, "late": 1})
