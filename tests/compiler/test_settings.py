"""What a compiled function depends on besides shapes: changes of it are followed, or refused."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import Tensor, nn, optim, train

F4 = np.float32
X = np.random.default_rng(0).normal(size=(8, 3)).astype(F4)
NATIVE = pytest.mark.parametrize("native", [True, False])


class Scaled(nn.Module):
    """out = x * k, k some attribute."""

    def __init__(self, k: Any) -> None:
        self.k, self.weight = k, Tensor(np.ones(3, F4), requires_grad=True)

    def forward(self, x: Any) -> Tensor:
        k = self.k[0] if isinstance(self.k, list) else self.k
        k = k["a"] if isinstance(k, dict) else k
        return x * self.weight * (k() if callable(k) else k)


class Constant:
    """A function with a setting."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __call__(self, *_: Any) -> float:
        return self.value


@NATIVE
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (2, 3),
        (F4(2), F4(3)),
        (np.int64(2), np.int64(3)),
        ([2.0], [3.0]),
        ({"a": 2.0}, {"a": 3.0}),
        (np.array(2, F4), np.array(3, F4)),
        (lambda: 2.0, lambda: 3.0),
        (Constant(2.0), Constant(3.0)),
    ],
)
def test_other_settings_of_a_layer_are_followed(first: Any, second: Any, native: bool) -> None:
    layer = Scaled(first)
    function = pellucid.compile(layer, state=layer, native=native)
    np.testing.assert_array_equal(function(X).data, 2 * X)
    layer.k = second
    np.testing.assert_array_equal(function(X).data, 3 * X)
    layer.k = first
    np.testing.assert_array_equal(function(X).data, 2 * X)
    assert len(function._programs) == 2


def test_what_a_setting_holds_may_change() -> None:
    layer = Scaled([{"a": Constant(2.0)}])
    function = pellucid.compile(layer, state=layer)
    function(X)
    layer.k[0]["a"].value = 3.0
    np.testing.assert_array_equal(function(X).data, 3 * X)


class Switch(nn.Module):
    """Of two layers the active one."""

    def __init__(self) -> None:
        self.a, self.b = nn.Dense(3, 3, rng=0), nn.Dense(3, 3, rng=1)
        self.active, self.weights = self.a, [self.a.weight, self.b.weight]
        self.weight = self.weights[0]

    def forward(self, x: Any) -> Tensor:
        return self.active(x) @ self.weight


@NATIVE
def test_which_of_several_layers_and_tensors_a_name_stands_for_is_followed(native: bool) -> None:
    network = Switch()
    function = pellucid.compile(network, state=network, native=native)
    for active, weight in ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0)):
        network.active = (network.a, network.b)[active]
        network.weight = network.weights[weight]
        np.testing.assert_allclose(function(X).data, network(X).data, rtol=1e-5)
    assert len(function._programs) == 4


def steps(native: bool, optimizer: optim.Optimizer) -> tuple[nn.Sequential, Callable[[], Any]]:
    """Return a network, and a compiled step of it."""
    network = nn.Sequential(nn.Dense(3, 4, "tanh"), nn.Dense(4, 2), rng=0)

    def step(x: Any) -> Tensor:
        network.zero_grad()
        loss = (network(x) ** 2).sum()
        loss.backward()
        optimizer.step(network)
        return loss

    compiled = pellucid.compile(step, state=[network, optimizer], native=native)
    return network, lambda: compiled(X)


@NATIVE
def test_freezing_and_thawing_are_followed(native: bool) -> None:
    network, step = steps(native, optim.Adam(0.01))
    step()
    for requires in (False, True, False):
        network[0].weight.requires_grad = requires
        before = [p.data.copy() for p in (network[0].weight, network[1].weight)]
        step()
        moved = [
            not np.array_equal(p.data, old)
            for p, old in zip((network[0].weight, network[1].weight), before, strict=True)
        ]
        assert moved == [requires, True]


class Scaling(optim.Optimizer):
    """w <- w - lr * k[0] * g, for settings of any kind."""

    def __init__(self, lr: Any = 0.1, k: Any = (1.0,), **common: Any) -> None:
        self.k = k
        super().__init__(lr, **common)

    def update(self, param: Any, grad: Any, state: Any, step: int) -> Any:
        return param - self.rate() * float(self.k[0]) * grad, state


@NATIVE
@pytest.mark.parametrize("kind", [list, np.array, dict])
def test_settings_of_an_optimizer_may_be_of_any_kind(kind: Any, native: bool) -> None:
    one, none = ((kind({0: v}) if kind is dict else kind([v])) for v in (1.0, 0.0))
    optimizer = Scaling(k=one)
    network, step = steps(native, optimizer)
    start = network[0].weight.data.copy()
    step()
    then = network[0].weight.data.copy()
    assert not np.array_equal(then, start)
    optimizer.k = none
    step()
    np.testing.assert_array_equal(network[0].weight.data, then)


class Counting(optim.Optimizer):
    """Sets what it needs late, and may count its updates by itself."""

    def __init__(self, lr: Any = 0.1, counts: bool = False) -> None:
        super().__init__(lr)
        self.k, self.turns, self.really = 1.0, 0, counts

    def update(self, param: Any, grad: Any, state: Any, step: int) -> Any:
        self.turns += self.really
        return param - self.rate() * self.k * grad, state


@NATIVE
def test_settings_of_an_optimizer_may_be_set_at_any_time(native: bool) -> None:
    optimizer = Counting()
    network, step = steps(native, optimizer)
    step()
    then = network[0].weight.data.copy()
    optimizer.k = 0.0
    step()
    np.testing.assert_array_equal(network[0].weight.data, then)
    _, step = steps(native, Counting(counts=True))
    with pytest.raises(pellucid.TraceError, match="changes an attribute whenever it runs"):
        step()


@NATIVE
def test_a_schedule_that_changes_is_followed(native: bool) -> None:
    constant = optim.schedules.Constant(0.1)
    network, step = steps(native, optim.SGD(optim.schedules.WarmUp(1, constant)))
    step()
    then = network[0].weight.data.copy()
    constant.lr = 0.0
    step()
    np.testing.assert_array_equal(network[0].weight.data, then)


class Cost(nn.Penalty):
    """k sum w^4."""

    def __init__(self, k: Any) -> None:
        self.k = k

    def __call__(self, w: Tensor) -> Tensor:
        return float(self.k[0]) * (w**4).sum()


def test_rules_that_change_between_fits_are_followed() -> None:
    """Weights of classes are an array, the penalty's factor a list, or a number of NumPy's."""
    y = np.arange(8) % 3
    found = []
    for choice in (True, False):
        network = nn.Sequential(nn.Dense(3, 3), rng=0)
        loss, cost = nn.CrossEntropyLoss(class_weight=[1.0, 2.0, 3.0]), Cost([0.1])
        model = train.Model(network, loss, optim.SGD(0.1), penalty=cost)
        how = {"epochs": 2, "batch_size": 4, "seed": 0, "compile": choice, "verbose": False}
        model.fit(X, y, **how)
        loss.class_weight = np.array([3.0, 1.0, 0.1])
        model.fit(X, y, **how)
        cost.k = [0.9]
        model.fit(X, y, **how)
        cost.k = (F4(0.5),)
        model.fit(X, y, **how)
        found.append(network[0].weight.data)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)


# arguments and results


@NATIVE
def test_members_of_dictionaries_are_told_apart(native: bool) -> None:
    """Whatever their keys are: these would have one name if keys were only put together."""

    def function(d: dict[Any, Any], one: dict[Any, Any]) -> dict[Any, Any]:
        out = d["a"][0] - d["a.0"]
        return {"b": [out], "b.0": 2 * out, 1: one[1] - one["1"], "1": out}

    a, b = np.full(2, 5, F4), np.full(2, 1, F4)
    found = pellucid.compile(function, native=native)({"a": [a], "a.0": b}, {1: a, "1": b})
    assert [v.tolist() for v in (found["b"][0], found["b.0"], found[1], found["1"])] == [
        [4, 4], [8, 8], [4, 4], [4, 4],
    ]  # fmt: skip


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a function to compile, got int"):
        pellucid.compile(3)  # type: ignore[arg-type]


def test_arrays_of_other_libraries_are_refused() -> None:
    """They would be taken as they are when the function is traced."""

    class Foreign:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return X

    with pytest.raises(TypeError, match=r"got Foreign; convert it with numpy.asarray"):
        pellucid.compile(lambda x: pellucid.as_tensor(x) * 2)(Foreign())


@NATIVE
def test_arguments_are_not_kept(native: bool) -> None:
    """Without waiting for the garbage collector, since they may be large."""
    function = pellucid.compile(lambda x: (x * 2).sum(), native=native)
    function(np.ones(5, F4))
    gc.disable()
    try:
        for call in (function, lambda x: function.repeat(2, x)):
            x = np.ones(5, F4)
            alive = weakref.ref(x)
            call(x)
            del x
            assert alive() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("dtype", [np.int64, np.int32, F4])
def test_no_rows_may_be_asked_for(dtype: Any) -> None:
    found = pellucid.compile(lambda x, i: x[i] * 2)(X, np.zeros(0, dtype))
    assert found.shape == (0, 3)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_compiled_function_is_not_copied(duplicate: Callable[[Any], Any]) -> None:
    function = pellucid.compile(lambda x: x * 2)
    function(X)
    with pytest.raises(TypeError, match="expected no copy of a compiled function"):
        duplicate(function)
