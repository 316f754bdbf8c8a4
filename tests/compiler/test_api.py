"""`pellucid.compile`: functions of tensors, with and without state."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import pellucid
from pellucid import Tensor, nn, optim
from pellucid.compiler.api import PROGRAMS
from pellucid.compiler.trace import TraceError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 5)).astype("f4")
Y = RNG.integers(0, 3, 8)


def network(**options: Any) -> nn.Sequential:
    return nn.Sequential(
        nn.Dense(5, 16, "relu"), nn.Dropout(options.get("dropout", 0.0)), nn.Dense(16, 3), rng=0
    )


def stepper(net: nn.Module, optimizer: optim.Optimizer) -> Callable[..., Tensor]:
    loss_of = nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> Tensor:
        net.zero_grad()
        loss = loss_of(net(x), y)
        loss.backward()
        optimizer.step(net)
        return loss

    return step


@pytest.mark.parametrize("native", [True, False])
def test_a_function_of_arrays_and_tensors(native: bool) -> None:
    function = pellucid.compile(lambda x, w: (x @ w).tanh().sum(axis=1), native=native)
    w = RNG.normal(size=(5, 2)).astype("f4")
    found = function(X, Tensor(w))
    assert isinstance(found, Tensor)
    np.testing.assert_allclose(found.data, np.tanh(X @ w).sum(1), rtol=1e-5)
    assert found.dtype == np.float32


def test_nested_results_and_keywords() -> None:
    def several(x: Tensor, *, scale: float, more: dict[str, Any]) -> dict[str, Any]:
        return {
            "double": x * scale,
            "pair": [x, (more["y"] + 1).data],
            "name": "text",
            "none": None,
        }

    found = pellucid.compile(several)(X, scale=2.0, more={"y": X})
    np.testing.assert_array_equal(found["double"].data, X * 2)
    np.testing.assert_array_equal(found["pair"][0].data, X)
    np.testing.assert_array_equal(found["pair"][1], X + 1)
    assert (found["name"], found["none"]) == ("text", None)


class Pair(NamedTuple):
    first: Any
    second: Any


@pytest.mark.parametrize("native", [True, False])
def test_named_tuples(native: bool) -> None:
    function = pellucid.compile(lambda p: Pair(p.first + p.second, [p.second]), native=native)
    found = function(Pair(X, X * 2))
    assert type(found) is Pair
    np.testing.assert_array_equal(found.first.data, X * 3)
    np.testing.assert_array_equal(found.second[0].data, X * 2)
    several = function.repeat(2, Pair(X, X * 2))
    assert type(several) is Pair
    assert several.first.shape == (2, *X.shape)


def test_gradients_of_arguments() -> None:
    w = Tensor(RNG.normal(size=(5, 2)), requires_grad=True)

    def slope(w: Tensor) -> Any:
        (w**3).sum().backward()
        return w.grad

    np.testing.assert_allclose(pellucid.compile(slope)(w), 3 * w.data**2, rtol=1e-12)
    assert w.grad is None


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_a_training_step(name: str) -> None:
    nets = [network(dropout=0.3) for _ in range(2)]
    optimizers = [optim.OPTIMIZERS[name]() for _ in range(2)]
    eager = stepper(nets[0], optimizers[0])
    native = pellucid.compile(stepper(nets[1], optimizers[1]), state=[nets[1], optimizers[1]])
    for _ in range(10):
        np.testing.assert_allclose(native(X, Y).data, eager(X, Y).data, rtol=1e-4)
    for mine, theirs in zip(nets[1].parameters(), nets[0].parameters(), strict=True):
        np.testing.assert_allclose(mine.data, theirs.data, rtol=1e-4, atol=1e-5)
        assert mine.dtype == np.float32
    for path, array in nets[0].state().items():
        if "stream" in path:
            np.testing.assert_array_equal(nets[1].state()[path], array)
    assert optimizers[1].steps == 10
    assert optimizers[1].counts == optimizers[0].counts
    assert all(type(count) is int for count in optimizers[1].counts.values())


def test_eager_and_compiled_steps_may_alternate() -> None:
    nets = [network() for _ in range(2)]
    optimizers = [optim.Adam(optim.schedules.Cosine(0.01, 20)) for _ in range(2)]
    eager = [stepper(net, o) for net, o in zip(nets, optimizers, strict=True)]
    native = pellucid.compile(eager[1], state=[nets[1], optimizers[1]])
    for i in range(9):
        expected = eager[0](X, Y)
        found = native(X, Y) if i % 2 else eager[1](X, Y)
        np.testing.assert_allclose(found.data, expected.data, rtol=1e-5)


def test_dropout_is_drawn_anew_at_every_call_and_follows_the_mode() -> None:
    net = nn.Sequential(nn.Dropout(0.5), rng=0)
    function = pellucid.compile(net, state=net)
    x = np.ones((4, 50), np.float32)
    first, second = function(x).data, function(x).data
    assert (first != second).any()
    again = nn.Sequential(nn.Dropout(0.5), rng=0)
    np.testing.assert_array_equal(first, again(x).data)
    np.testing.assert_array_equal(second, again(x).data)
    net.eval()
    np.testing.assert_array_equal(function(x).data, x)


def test_other_shapes_and_dtypes_are_other_programs() -> None:
    traced = []

    def double(x: Tensor) -> Tensor:
        traced.append(x.shape)
        return x * 2

    function = pellucid.compile(double)
    for shape in ((3,), (4,), (3,), (2, 2)):
        np.testing.assert_array_equal(function(np.ones(shape)).data, np.full(shape, 2.0))
    assert function(np.ones(3, np.float32)).dtype == np.float32
    assert traced == [(3,), (4,), (2, 2), (3,)]


def test_the_number_of_programs_is_bounded() -> None:
    function = pellucid.compile(lambda x: x + 1, native=False)
    for n in range(1, PROGRAMS + 10):
        function(np.ones(n))
    assert len(function._programs) == PROGRAMS


def test_a_changed_setting_is_seen() -> None:
    net, optimizer = network(), optim.SGD(0.1)
    native = pellucid.compile(stepper(net, optimizer), state=[net, optimizer])
    native(X, Y)
    before = net.state()
    optimizer.lr = 1e-30
    native(X, Y)
    for path, array in net.state().items():
        np.testing.assert_array_equal(array, before[path])
    optimizer.lr, optimizer.scale = 0.1, 0.0
    native(X, Y)
    for path, array in net.state().items():
        np.testing.assert_array_equal(array, before[path])


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_rates_share_one_program_with_the_same_bits(name: str, native: bool) -> None:
    def steps(compiled: bool, first: float) -> tuple[list[np.ndarray], list[Any]]:
        w = Tensor(X, requires_grad=True)
        optimizer = optim.OPTIMIZERS[name](lr=first)

        def step() -> None:
            w.grad = None
            (w * w * w).sum().backward()
            optimizer.step([w])

        call = pellucid.compile(step, state=[w, optimizer], native=native) if compiled else step
        found, programs = [], []
        for rate in (0.03, 0.007, np.float32(0.1), 1):
            optimizer.lr = rate
            call()
            found.append(w.data)
            programs += [call.bound().traced] if isinstance(call, pellucid.Compiled) else []
            assert type(optimizer.lr) in (float, int, np.float32)  # and no symbol
        return found, programs

    (found, programs), (again, _), (eager, _) = steps(True, 0.5), steps(True, 0.03), steps(False, 1)
    assert all(program is programs[0] for program in programs)
    np.testing.assert_array_equal(found, again)  # whatever rate it was traced with
    if native:  # which fuses products with sums
        np.testing.assert_allclose(found, eager, rtol=1e-5)
    else:
        np.testing.assert_array_equal(found, eager)


@pytest.mark.parametrize("rate", [-0.1, float("nan"), float("inf"), "0.1"])
def test_a_rate_out_of_range_is_refused_by_compiled_steps_as_well(rate: Any) -> None:
    net, optimizer = network(), optim.SGD(0.1)
    step = stepper(net, optimizer)
    native = pellucid.compile(step, state=[net, optimizer])
    native(X, Y)
    before = net.state()
    optimizer.lr = rate
    for call in (step, native):
        with pytest.raises(ValueError, match="expected lr to be a rate of at least 0"):
            call(X, Y)
    for path, array in net.state().items():
        np.testing.assert_array_equal(array, before[path])


def test_a_number_and_a_schedule_may_take_turns() -> None:
    nets, optimizers = [network(), network()], [optim.SGD(0.1), optim.SGD(0.1)]
    eager = stepper(nets[0], optimizers[0])
    native = pellucid.compile(stepper(nets[1], optimizers[1]), state=[nets[1], optimizers[1]])
    for rate in (0.1, optim.schedules.Cosine(0.2, 10), 0.3, optim.schedules.Constant(0.01), 0.02):
        optimizers[0].lr = optimizers[1].lr = rate
        np.testing.assert_allclose(native(X, Y).data, eager(X, Y).data, rtol=1e-4)


def test_tracing_leaves_no_symbols_behind() -> None:
    net, optimizer = network(), optim.Adam()

    def broken(x: Any, y: Any) -> Tensor:
        loss = stepper(net, optimizer)(x, y)
        if loss.data > 0:
            return loss
        return -loss

    before = net.state()
    native = pellucid.compile(broken, state=[net, optimizer])
    with pytest.raises(TraceError, match=r"elements of a bool\[\] at test_api.py:\d+"):
        native(X, Y)
    for path, array in net.state().items():
        assert isinstance(array, np.ndarray)
        np.testing.assert_array_equal(array, before[path])
    assert optimizer.steps == 0
    assert all(p.grad is None for p in net.parameters())
    stepper(net, optimizer)(X, Y)  # eagerly it can go on


@pytest.mark.parametrize(
    "function",
    [
        lambda x: float(x.sum().data) * x,
        lambda x: np.sin(x.data),
        lambda x: list(x.data),
        lambda x: x if x.max().item() > 0 else -x,
        lambda x: x[x.data > 0],
    ],
)
def test_what_looks_at_values_is_refused_with_its_line(function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"test_api.py:\d+|ufuncs"):
        pellucid.compile(function)(X)


def test_an_operation_without_native_code_is_computed_by_numpy() -> None:
    layer = nn.Conv1D(3, 2, 3, rng=0)
    function = pellucid.compile(layer, state=layer)
    x = RNG.normal(size=(2, 7, 3)).astype("f4")
    np.testing.assert_allclose(function(x).data, layer(x).data, rtol=1e-6)
    traced = function.bound(x).traced
    assert traced.program is None
    assert "no native code for conv" in traced.reason


def test_arguments_that_are_neither_arrays_nor_settings() -> None:
    with pytest.raises(TypeError, match="expected arrays, tensors and settings as arguments"):
        pellucid.compile(lambda x, m: x)(X, {1, 2})
    with pytest.raises(TypeError, match="expected state with tensors"):
        pellucid.compile(lambda x: x, state=[3])


def test_two_threads_may_call_one_program() -> None:
    function = pellucid.compile(lambda x: ((x @ x.T).tanh() @ x).sum(axis=1))
    inputs = [RNG.normal(size=(40, 30)) for _ in range(8)]
    expected = [function(x).data for x in inputs]
    wrong: list[int] = []

    def work(which: int) -> None:
        found = (function(inputs[which]).data for _ in range(200))
        wrong.extend(which for one in found if not np.array_equal(one, expected[which]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_memory_stays_flat() -> None:
    net, optimizer = network(dropout=0.2), optim.Adam()
    native = pellucid.compile(stepper(net, optimizer), state=[net, optimizer])

    def grown() -> int:
        """Return how much memory a thousand steps leave behind."""
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(1000):
            native(X, Y)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    tracemalloc.start()
    # a table of Python's own may be enlarged in one of the rounds; a leak would show in each
    rounds = [grown() for _ in range(3)]
    tracemalloc.stop()
    assert min(rounds) < 20_000, rounds


def test_it_explains_itself() -> None:
    function = pellucid.compile(lambda x, w: (x @ w).relu())
    w = RNG.normal(size=(5, 2)).astype("f4")
    text = str(function.explain(X, w))
    for part in ("matmul(arg.0, arg.1)", "test_api.py:", "maximum(%0, 0.0)", "kernel 0", "arena"):
        assert part in text
    with pytest.raises(TypeError, match="expected a function that compiles: no native code for"):
        pellucid.compile(lambda x: x.argmax(axis=1)).explain(X)


def test_a_network_may_have_an_attribute_named_cells() -> None:
    network = nn.GRU(3, 4, rng=0)
    x = RNG.normal(size=(2, 5, 3)).astype(np.float32)
    compiled = pellucid.compile(lambda x: network(x), network)
    np.testing.assert_allclose(compiled(x).data, network(x).data, rtol=1e-5, atol=1e-6)


def test_a_count_in_python_is_refused() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Dense(5, 2, rng=0)
            self.calls = 0

        def forward(self, x: Any) -> Any:
            self.calls += 1
            return self.layer(x) * self.calls

    net = Counting()
    with pytest.raises(TypeError, match="changes an attribute whenever it runs"):
        pellucid.compile(net, net)(X)


@pytest.mark.parametrize("native", [True, False])
def test_many_calls_are_the_same_as_one_by_one(native: bool) -> None:
    nets = [nn.Sequential(nn.Dense(5, 4, "tanh"), nn.Dense(4, 2), rng=0) for _ in range(2)]
    y = RNG.normal(size=(len(X), 2)).astype(np.float32)

    def program(net: nn.Module) -> pellucid.Compiled:
        optimizer = optim.Adam(0.01)

        def step(x: Tensor, y: Tensor) -> tuple[Tensor, dict[str, Any]]:
            net.zero_grad()
            loss = nn.MSELoss()(net(x), y)
            loss.backward()
            optimizer.step(net)
            return loss, {"twice": 2 * loss, "name": "mse"}

        return pellucid.compile(step, state=[net, optimizer], native=native)

    many, one = map(program, nets)
    losses, rest = many.repeat(5, X, y)
    expected = [one(X, y) for _ in range(5)]
    np.testing.assert_array_equal(losses.data, [loss.item() for loss, _ in expected])
    np.testing.assert_array_equal(rest["twice"].data, [r["twice"].item() for _, r in expected])
    assert rest["name"] == "mse"
    for path, array in nets[0].state().items():
        np.testing.assert_array_equal(array, nets[1].state()[path])
    for wrong in (0, 1.5, True):
        with pytest.raises(ValueError, match="expected steps to be a whole number of at least 1"):
            many.repeat(wrong, X, y)  # type: ignore[arg-type]


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_paused_while_code_is_traced_and_then_as_before(was_on: bool) -> None:
    seen = []

    def look(x: Tensor) -> Tensor:
        seen.append(gc.isenabled())
        return x + 1

    def fail(x: Tensor) -> Tensor:
        raise RuntimeError("on purpose")

    assert gc.isenabled()
    try:
        if not was_on:
            gc.disable()
        pellucid.compile(look)(X)
        assert (seen, gc.isenabled()) == ([False], was_on)
        with pytest.raises(RuntimeError, match="on purpose"):
            pellucid.compile(fail)(X)
        assert gc.isenabled() is was_on
    finally:
        gc.enable()
