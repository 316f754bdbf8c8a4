"""State of compiled functions: always whole, and what somebody kept of it never changes."""

from __future__ import annotations

import copy
import pickle
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import pellucid
from pellucid import Tensor, nn, optim, tree
from pellucid.arrays import namespace
from pellucid.compiler import bound as module
from pellucid.compiler.api import Compiled
from pellucid.compiler.bound import Bound
from pellucid.compiler.frame import address, aligned_array

F4 = np.float32


def adding(dtype: Any = F4, size: int = 1000) -> tuple[Tensor, Compiled]:
    """Return a tensor, and a function that adds to it."""
    w = Tensor(np.zeros(size, dtype))

    def function(x: Any) -> Any:
        w.data = w.data + x.data
        return w.sum()

    return w, pellucid.compile(function, state=[[w]])


def training(native: bool = True) -> tuple[nn.Module, optim.Optimizer, Any]:
    """Return a network with all kinds of state, its optimiser, and a step that trains it."""
    net = nn.Sequential(
        nn.Dense(6, 16, "relu"), nn.BatchNorm1D(16), nn.Dropout(0.3), nn.Dense(16, 3), rng=0
    )
    optimizer, loss = optim.SGD(0.05, momentum=0.9), nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> dict[str, Any]:
        net.zero_grad()
        value = loss(net(x), y)
        value.backward()
        optimizer.step(net)
        xp = namespace(value.data)
        return {"loss": value, "fine": xp.isfinite(value.data)}

    return net, optimizer, pellucid.compile(step, state=[net, optimizer], native=native)


def batches(steps: int) -> dict[str, np.ndarray]:
    """Return the arguments of so many steps."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(steps, 20, 6)).astype(F4)
    return {"arg.0": x, "arg.1": rng.integers(0, 3, (steps, 20))}


def everything(bound: Bound) -> dict[str, bytes]:
    """Return the bytes of all state."""
    return {name: np.asarray(cell.get()).tobytes() for name, cell in bound.cells.items()}


# memory


def test_state_of_another_dtype_has_memory_of_its_own() -> None:
    """The arrays that were free for float32 are too small for float64."""
    w, step = adding()
    for _ in range(3):
        step(np.ones((), F4))
    w.data = np.zeros(1000)
    for turn in range(3):
        step(np.ones(()))
        np.testing.assert_array_equal(w.data, np.full(1000, turn + 1.0), strict=True)


def test_state_may_grow() -> None:
    w = Tensor(np.zeros(0, F4))

    def function(x: Any) -> None:
        w.data = namespace(w.data).concat([w.data, x.data])

    step = pellucid.compile(function, state=[[w]])
    for turn in range(5):
        step(np.full(3, turn, F4))
    np.testing.assert_array_equal(w.data, np.repeat(np.arange(5, dtype=F4), 3), strict=True)
    bound = step.bound(np.ones(3, F4))
    assert not bound.steady
    with pytest.raises(ValueError, match="expected new state of the shapes and dtypes of the old"):
        bound.repeat(2, {"arg.0": np.ones((2, 3), F4)}, ["arg.0"])


def test_memory_is_used_again() -> None:
    """Two arrays take turns, one by one as in a row."""
    w, step = adding()
    bound = step.bound(np.ones((), F4))
    found = set()
    for _ in range(6):
        step(np.ones((), F4))
        found.add(w.data.ctypes.data)
    for _ in range(6):
        bound.repeat(2, {"arg.0": np.ones(2, F4)}, ["arg.0"])
        found.add(w.data.ctypes.data)
    assert len(found) == 2
    np.testing.assert_array_equal(w.data, 18)


def held_array(array: Any) -> Any:
    return array


def held_view(array: Any) -> Any:
    return array.reshape(10, -1)[3:, ::2].T


def held_memoryview(array: Any) -> Any:
    return memoryview(array)


def held_interface(array: Any) -> Any:
    return np.asarray(memoryview(array))


def held_list(array: Any) -> Any:
    return np.array([array, None], object)


HOLDERS = [held_array, held_view, held_memoryview, held_interface, held_list]


@pytest.mark.parametrize("hold", HOLDERS)
@pytest.mark.parametrize("several", [False, True])
def test_what_somebody_holds_stays(hold: Callable[[Any], Any], several: bool) -> None:
    w, step = adding()
    one = np.ones((), F4)
    kept = []
    for turn in range(6):
        if several:
            step.bound(one).repeat(3, {"arg.0": np.ones(3, F4)}, ["arg.0"])
        else:
            step(one)
        kept.append((hold(w.data), hold(np.array(w.data))))
        if turn > 2:
            kept.pop(0)
        for mine, then in kept:
            if hold is held_list:
                mine, then = mine[0], then[0]
            np.testing.assert_array_equal(np.asarray(mine), np.asarray(then))


@pytest.mark.torch
def test_what_torch_holds_stays() -> None:
    torch = pytest.importorskip("torch")
    w, step = adding()
    step(np.ones((), F4))
    step(np.ones((), F4))
    kept = torch.from_numpy(w.data)
    for _ in range(4):
        step(np.ones((), F4))
    assert (kept == 2).all()
    assert (w.data == 6).all()


def test_another_thread_that_looks_meanwhile_keeps_what_it_saw() -> None:
    """While many steps are made at once the state is what it was before, then what is after."""
    w, step = adding(size=200_000)
    bound = step.bound(np.ones((), F4))
    seen: list[np.ndarray] = []
    end = threading.Event()

    def look() -> None:
        while not end.is_set():
            seen.append(w.data)
            end.wait(1e-4)

    watcher = threading.Thread(target=look)
    watcher.start()
    for _ in range(5):
        bound.repeat(40, {"arg.0": np.ones(40, F4)}, ["arg.0"])
    end.set()
    watcher.join()
    for array in {id(array): array for array in seen}.values():
        assert array[0] % 40 == 0
        assert (array == array[0]).all()


def test_snapshots_of_an_optimizer_stay() -> None:
    _, optimizer, step = training()
    given = batches(6)
    step(given["arg.0"][0], given["arg.1"][0])
    kept = optimizer.snapshot()
    then = copy.deepcopy(kept)
    for turn in range(1, 4):
        step(given["arg.0"][turn], given["arg.1"][turn])
    step.bound(given["arg.0"][0], given["arg.1"][0]).repeat(6, given, list(given), "out.fine")
    assert (kept.steps, kept.counts) == (then.steps, then.counts)
    for path, arrays in then.state.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(kept.state[path][name], array)


def test_copies_go_their_own_way() -> None:
    net, optimizer, step = training()
    given = batches(6)
    step(given["arg.0"][0], given["arg.1"][0])
    for duplicate in (copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))):  # noqa: S301
        mine = duplicate((net, optimizer))
        before = {path: t.data.copy() for path, t in mine[0].named_tensors().items()}
        state = copy.deepcopy(mine[1].state)
        for turn in range(1, 4):
            step(given["arg.0"][turn], given["arg.1"][turn])
        for path, tensor in mine[0].named_tensors().items():
            np.testing.assert_array_equal(tensor.data, before[path])
        for path, arrays in mine[1].state.items():
            for name, array in arrays.items():
                np.testing.assert_array_equal(array, state[path][name])


def test_the_count_of_references_is_right() -> None:
    """Alone, held by one more, by a view, and by a list."""
    assert module.holders([np.empty(3)]) == module.ALONE
    array = np.empty(3)
    assert module.holders([array]) > module.ALONE
    assert module.holders([*[np.empty(3)] * 2][:1]) == module.ALONE
    held = [np.empty(3)]
    view = held[0][1:]
    assert module.holders(held) > module.ALONE
    del view
    assert module.holders(held) == module.ALONE


@pytest.mark.parametrize("rows", [3, 1 << 17])  # the larger ones have pages of their own
def test_all_who_look_at_an_aligned_array_s_memory_hold_the_array(rows: int) -> None:
    array = aligned_array((rows, 5), "f4")
    assert address(array) % 64 == 0
    assert array.flags.c_contiguous
    assert array.flags.writeable
    np.testing.assert_array_equal(array, np.zeros((rows, 5), "f4"))
    array += 1
    for view in (array[1:], array.reshape(-1), array.T, array[1:][0], array.view("i4")):
        assert view.base is array
        assert not module.is_ours(view)
    assert module.is_ours(array)
    assert not module.is_ours(np.empty((3, 5), "f4"))
    copies = [copy.deepcopy(array), pickle.loads(pickle.dumps(array))]  # noqa: S301
    del array, view
    for one in copies:
        assert one.sum() == 5 * rows
    held = [aligned_array((rows,), "f4")]
    assert module.holders(held) == module.ALONE


def test_new_state_begins_with_a_cache_line() -> None:
    net, optimizer, step = training()
    given = batches(6)
    for turn in range(4):
        step(given["arg.0"][turn], given["arg.1"][turn])
        arrays = [t.data for t in net.named_tensors().values()]
        arrays += [a for state in optimizer.state.values() for a in state.values()]
        assert [address(a) % 64 for a in arrays] == [0] * len(arrays)


# many steps at once


def test_many_steps_are_steps_one_by_one() -> None:
    given = batches(7)
    _, _, one = training()
    losses = [one(given["arg.0"][turn], given["arg.1"][turn])["loss"].item() for turn in range(7)]
    _, _, several = training()
    bound = several.bound(given["arg.0"][0], given["arg.1"][0])
    found = []
    for start, stop in ((0, 1), (1, 3), (3, 3), (3, 7)):  # odd, even, none
        part = {name: array[start:stop] for name, array in given.items()}
        made, results = bound.repeat(stop - start, part, list(part), "out.fine")
        assert made == stop - start
        found += results["out.loss"].tolist()
    assert found == losses
    assert everything(bound) == everything(one.bound(given["arg.0"][0], given["arg.1"][0]))


def test_arguments_may_be_one_number_a_step() -> None:
    w, step = adding()
    made, results = step.bound(np.ones((), F4)).repeat(
        5, {"arg.0": np.arange(5, dtype=F4)}, ["arg.0"]
    )
    assert made == 5
    np.testing.assert_array_equal(w.data, 10)
    np.testing.assert_array_equal(results["out"], [0, 1000, 3000, 6000, 10000])


@pytest.mark.parametrize("bad", [0, 1, 2, 5])
def test_a_step_that_ends_badly_leaves_the_state_of_the_one_before(bad: int) -> None:
    """With momentum, dropout's stream and running statistics, bit for bit."""
    given = batches(6)
    good = {name: array[:bad] for name, array in given.items()}
    given["arg.0"][bad, 3] = np.nan
    _, _, broken = training()
    _, _, whole = training()
    found = []
    for step, part in ((broken, given), (whole, good)):
        bound = step.bound(given["arg.0"][0], given["arg.1"][0])
        before = everything(bound)
        made, results = bound.repeat(len(part["arg.0"]), part, list(part), "out.fine")
        assert made == bad
        found.append((everything(bound), results["out.loss"][:bad].tolist()))
        assert (everything(bound) == before) == (bad == 0)
    assert found[0] == found[1]
    for step in (broken, whole):  # and training goes on from there
        step(good["arg.0"][0] if bad else batches(1)["arg.0"][0], given["arg.1"][0])
    args = given["arg.0"][0], given["arg.1"][0]
    assert everything(broken.bound(*args)) == everything(whole.bound(*args))


# interruptions


class Interrupting:
    """Raises KeyboardInterrupt as a signal does: where a function begins or a C function ends.

    It comes once, at one such place of all those in the compiler's own Python.
    """

    def __init__(self, turn: int, where: str = "") -> None:
        self.turn, self.count, self.where = turn, 0, f"pellucid/compiler/{where}"

    def __call__(self, frame: Any, event: str, arg: Any) -> None:
        own = self.where in frame.f_code.co_filename.replace("\\", "/")
        self.count += own and event in ("call", "c_return")
        if self.count == self.turn:
            sys.setprofile(None)
            raise KeyboardInterrupt

    def run(self, function: Callable[[], Any]) -> bool:
        """Call a function; return whether it was interrupted."""
        before = sys.getprofile()
        sys.setprofile(self)
        try:
            function()
        except KeyboardInterrupt:
            return True
        finally:
            sys.setprofile(before)
        return False


@pytest.mark.parametrize("several", [False, True])
def test_an_interruption_at_any_time_leaves_the_state_of_a_step(several: bool) -> None:
    """All of the old state or all of the new; and the next step finds nothing locked or stale."""
    given = batches(3)
    _, _, step = training()
    first = given["arg.0"][0], given["arg.1"][0]
    step(*first)
    bound = step.bound(*first)

    def run() -> None:
        if several:
            bound.repeat(3, given, list(given), "out.fine")
        else:
            step(*first)

    _, _, twin = training()
    twin(*first)
    follower = twin.bound(*first)

    def follow() -> None:
        for turn in range(3 if several else 1):
            twin(given["arg.0"][turn], given["arg.1"][turn])

    turn, interrupted = 0, True
    while interrupted:
        turn += 1
        interrupted = Interrupting(turn).run(run)
        now = everything(bound)
        if now != everything(follower):
            follow()
        assert now == everything(follower), f"half of a step at {turn}"
        if turn % 5 == 0:
            step(*first)
            twin(*first)
            assert everything(bound) == everything(follower), f"after that at {turn}"
    assert turn > 20


def test_an_interruption_while_it_is_traced_leaves_no_symbols() -> None:
    given = batches(1)
    arguments = given["arg.0"][0], given["arg.1"][0]
    net, optimizer, step = training(native=False)
    before = {path: tensor.data for path, tensor in net.named_tensors().items()}
    turn, interrupted = 1, True
    while interrupted:
        turn += 2
        interrupted = Interrupting(turn, "api.py").run(lambda: step.bound(*arguments))
        for path, tensor in net.named_tensors().items():
            assert tensor.data is before[path]
        assert optimizer.steps == 0
    assert turn > 20
    step(*arguments)
    assert optimizer.steps == 1


def test_a_call_within_a_call_is_refused_instead_of_waiting_for_ever() -> None:
    w, step = adding()
    one = np.ones((), F4)
    step(one)
    refused = []

    def handler(frame: Any, event: str, arg: Any) -> Any:
        """Be the signal handler that comes while the state is looked at."""
        if frame.f_code.co_name == "_look":
            sys.settrace(None)
            with pytest.raises(RuntimeError, match="in the middle of another") as caught:
                step(one)
            refused.append(caught)

    before = sys.gettrace()
    sys.settrace(handler)
    try:
        step(one)
    finally:
        sys.settrace(before)
    assert len(refused) == 1
    np.testing.assert_array_equal(w.data, 2)


def test_a_function_that_cannot_be_traced_leaves_nothing_locked() -> None:
    w = Tensor(np.zeros(3, F4))

    def function(x: Any) -> None:
        w.data = w.data + x.data
        if x.data.shape == (1,):
            raise ZeroDivisionError

    step = pellucid.compile(function, state=[[w]])
    step(np.ones(3, F4))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            step(np.ones(1, F4))
    step(np.ones(3, F4))
    np.testing.assert_array_equal(w.data, 2)


# threads


def test_two_threads_may_train_by_one_program() -> None:
    """Steps of several threads come in some order; none is half, and nothing is read too late."""
    w, step = adding(size=50_000)
    one = np.ones((), F4)
    failures = []

    def work() -> None:
        for _ in range(50):
            total = step(one).item()
            if total % 50_000 or (w.data != w.data[0]).any():
                failures.append(total)

    several = [threading.Thread(target=work) for _ in range(4)]
    for thread in several:
        thread.start()
    for thread in several:
        thread.join()
    assert not failures
    assert 50 <= w.data[0] <= 200


def test_first_calls_of_several_threads_at_once() -> None:
    """Each traces: the network has symbols in the place of weights meanwhile."""
    net = nn.Sequential(nn.Dense(5, 7, "tanh"), nn.Dense(7, 2), rng=0)
    run = pellucid.compile(net, state=net)
    inputs = [np.full((rows, 5), 0.5, F4) for rows in range(1, 9)]
    expected = [net(x).data for x in inputs]
    found: dict[int, Any] = {}
    start = threading.Barrier(len(inputs))

    def work(number: int) -> None:
        start.wait()
        found[number] = run(inputs[number]).data

    several = [threading.Thread(target=work, args=(i,)) for i in range(len(inputs))]
    for thread in several:
        thread.start()
    for thread in several:
        thread.join()
    for number, wanted in enumerate(expected):
        np.testing.assert_allclose(found[number], wanted, rtol=1e-5)


def test_functions_of_one_network_may_be_traced_in_several_threads() -> None:
    """None sees the symbols that stand in the place of weights meanwhile, nor leaves them there."""
    net = nn.Sequential(nn.Dense(5, 7, "tanh"), nn.Dense(7, 2), rng=0)
    x = np.full((4, 5), 0.5, F4)
    expected = pellucid.compile(net, state=net)(x).data
    failures: list[Any] = []

    def work() -> None:
        try:
            for _ in range(8):
                found = pellucid.compile(net, state=net)(x).data
                np.testing.assert_array_equal(found, expected)
        except Exception as error:
            failures.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        several = [threading.Thread(target=work) for _ in range(4)]
        for thread in several:
            thread.start()
        for thread in several:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not failures
    assert all(isinstance(p.data, np.ndarray) for p in net.parameters())


def test_a_compiled_function_is_not_called_while_another_is_traced() -> None:
    """It would wait for a thread that waits for the end of tracing."""
    inner = pellucid.compile(lambda x: x + 1)
    outer = pellucid.compile(lambda x: x * inner(np.ones(3, F4)).data.sum())
    with pytest.raises(pellucid.compiler.trace.TraceError, match="in another one's code"):
        outer(np.ones(3, F4))
    np.testing.assert_array_equal(inner(np.ones(3, F4)).data, 2)


def counted(parameters_of: Any, *frozen: str) -> tuple[list[int], Any, Any, optim.Optimizer]:
    """Return how often a step's code is run, the step, its network and its optimiser."""
    network = nn.Sequential(nn.Dense(3, 4, "relu"), nn.Dense(4, 2), rng=0)
    for path, p in tree.find(network, Tensor).items():
        p.requires_grad = path not in frozen
    optimizer, loss_of, runs = optim.Adam(1e-2), nn.CrossEntropyLoss(), [0]

    def step(x: Any, y: Any) -> Any:
        runs[0] += 1
        network.zero_grad()
        loss = loss_of(network(x), y)
        loss.backward()
        optimizer.step(parameters_of(network))
        return loss

    return runs, pellucid.compile(step, [network, optimizer]), network, optimizer


@pytest.mark.parametrize(
    ("parameters_of", "frozen", "traces"),
    [
        (lambda network: network, (), 1),
        (lambda network: network, ("layers.0.weight",), 1),
        (lambda network: list(network.parameters()), (), 2),  # under names of their own
        (lambda network: network.layers[1], (), 2),  # a part of the network alone
    ],
)
def test_a_first_step_is_traced_once_where_its_memory_can_be_foreseen(
    parameters_of: Any, frozen: tuple[str, ...], traces: int
) -> None:
    x, y = np.random.default_rng(0).normal(size=(5, 3)).astype("f4"), np.arange(5) % 2
    runs, step, network, optimizer = counted(parameters_of, *frozen)
    _, eager, expected, other = counted(parameters_of, *frozen)
    for _ in range(3):
        step(x, y)
        eager.function(pellucid.Tensor(x), pellucid.Tensor(y))
    assert runs == [traces]
    assert optimizer.state.keys() == other.state.keys()
    assert optimizer.counts == other.counts
    for a, b in zip(network.parameters(), expected.parameters(), strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-5, atol=1e-6)


class OfMatrices(optim.Optimizer):
    """Gradient descent with momentum, for matrices alone."""

    def init(self, param: Any) -> Any:
        if param.ndim != 2:
            raise RuntimeError("expected a matrix")
        return {"speed": namespace(param).zeros_like(param)}

    def update(self, param: Any, grad: Any, state: Any, step: int) -> Any:
        speed = 0.5 * state["speed"] + grad
        return param - self.rate() * speed, {"speed": speed}


@pytest.mark.parametrize("inputs", [3, 4])
@pytest.mark.parametrize(
    ("optimizer_of", "parameters_of"),
    [
        (optim.Adam, lambda network: network.layers[1]),  # it has a layers.0.weight as well
        (OfMatrices, lambda network: [x for x in network.parameters() if x.ndim == 2]),
    ],
)
def test_memory_that_is_foreseen_wrongly_does_no_harm(
    optimizer_of: Any, parameters_of: Any, inputs: int
) -> None:
    found = []
    x = np.random.default_rng(0).normal(size=(5, inputs)).astype("f4")
    for compiled in (False, True):
        head = nn.Sequential(nn.Dense(4, 4, "relu"), nn.Dense(4, 2))
        network = nn.Sequential(nn.Dense(inputs, 4, "relu"), head, rng=0)
        optimizer = optimizer_of(0.1)

        def step(x: Any, network: Any = network, optimizer: Any = optimizer) -> None:
            network.zero_grad()
            y = network(x)
            (y * y).mean().backward()
            optimizer.step(parameters_of(network))

        run = pellucid.compile(step, [network, optimizer]) if compiled else step
        for _ in range(3):
            run(Tensor(x))
        found.append((optimizer.counts, [p.data for p in network.parameters()]))
    (counts, eager), (others, native) = found
    assert counts == others
    for a, b in zip(eager, native, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_trace_that_fails_leaves_no_memory_behind() -> None:
    network, optimizer = nn.Dense(3, 2, rng=0), optim.Adam(1e-2)

    def step(x: Any) -> Any:
        loss = network(x).sum()
        if loss > 0:
            loss.backward()
        optimizer.step(network)
        return loss

    with pytest.raises(pellucid.TraceError):
        pellucid.compile(step, [network, optimizer])(np.ones((2, 3), np.float32))
    assert not optimizer.state
    assert not optimizer.counts
