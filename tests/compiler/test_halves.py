"""Products with weights that a step changes, as the sum of two halves that threads keep."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import pellucid
from pellucid import nn, optim, train
from pellucid.compiler import program as module
from pellucid.compiler.explain import Explanation
from pellucid.compiler.kernels import Gemm

RNG = np.random.default_rng(0)
M, K, N = 8, 40, 32


def data(m: int = M, k: int = K) -> tuple[np.ndarray, np.ndarray]:
    return RNG.normal(size=(m, k)).astype("f4"), RNG.integers(0, 3, m)


def stepped(
    network: nn.Module, threads: int | None = None, change: Callable[[Any], Any] = lambda x: x
) -> tuple[Any, optim.Optimizer]:
    """Return a compiled step of training, and its optimiser."""
    optimizer, loss = optim.Adam(1e-2), nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> Any:
        network.zero_grad()
        found = loss(network(change(x)), y)
        found.backward()
        optimizer.step(network)
        return found

    return pellucid.compile(step, state=[network, optimizer], threads=threads), optimizer


def network(k: int = K, n: int = N, first: tuple[nn.Module, ...] = ()) -> nn.Module:
    return nn.Sequential(*first, nn.Dense(k, n, "relu"), nn.Dense(n, 3), rng=0)


def normed(k: int) -> nn.Module:
    return nn.Sequential(nn.Dense(k, N), nn.LayerNorm(N), nn.Dense(N, 3), rng=0)


def stacks(explanation: Explanation) -> list[tuple[int, ...]]:
    """Return the shapes of the products of stacks in the graph after all passes."""
    nodes = explanation.program.graph.nodes()
    return [n.shape for n in nodes if n.op == "matmul" and len(n.shape) == 3]


def test_the_first_layer_s_product_is_halved() -> None:
    compiled, _ = stepped(network())
    explanation = compiled.explain(*data())
    assert stacks(explanation) == [(2, M, N)]


def test_it_computes_the_same_up_to_rounding() -> None:
    x, y = data()
    found = []
    for native in (True, False):
        net = network()
        compiled, _ = stepped(net)
        step = compiled if native else compiled.function
        for _ in range(20):
            loss = step(x, y)
        found.append([float(loss), *(p.data for p in net.parameters())])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("net", "m", "why"),
    [
        (normed(k=2 * M - 2), M, "not many more rows than the data have"),
        (network(k=41), M, "an odd number of rows"),
        (network(n=8), M, "few columns"),
        (network(first=(nn.Dropout(0.5),)), M, "what it is multiplied with depends on state"),
    ],
)
def test_other_products_are_left_alone(net: nn.Module, m: int, why: str) -> None:
    compiled, _ = stepped(net)
    k = next(p.shape[0] for p in net.parameters())
    assert stacks(compiled.explain(*data(m, k))) == [], why


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
def test_of_two_layers_with_few_inputs_the_second_is_halved(activation: str) -> None:
    net = nn.Sequential(nn.Dense(20, 48, activation), nn.Dense(48, 30), rng=0)
    compiled, _ = stepped(net, threads=2)
    explanation = compiled.explain(*data(64, 20))
    assert stacks(explanation) == [(2, 64, 30)]
    first, *_ = explanation.program.phases
    shapes = [
        {(c.kernel.m, c.kernel.n, c.kernel.k) for c in task.calls if isinstance(c.kernel, Gemm)}
        for task in first
        if task.weight > 1000
    ]
    assert shapes == [{(64, 24, 20), (64, 30, 24)}] * 2  # columns of the one, rows of the other


def test_heavy_weights_are_halved_in_the_first_layer() -> None:
    net = nn.Sequential(nn.Dense(720, 740, "relu"), nn.Dense(740, 30), rng=0)
    compiled, _ = stepped(net)
    assert stacks(compiled.explain(*data(16, 720))) == [(2, 16, 740)]


@pytest.mark.parametrize("sizes", [(20, 48, 30), (64, 64, 64, 10), (6, 16, 3), (33, 50, 2)])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_two_layers_have_the_same_bits_on_any_threads(
    monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, ...], activation: str
) -> None:
    monkeypatch.setattr(module, "WORTH", -1)
    x, y = data(32, sizes[0])
    y %= sizes[-1]
    found, eager = set(), []
    for threads in (0, 1, 2, 3, 4, 5):
        *hidden, last = pairwise(sizes)
        layers = [nn.Dense(n, m, activation) for n, m in hidden]
        net = nn.Sequential(*layers, nn.Dense(*last), rng=0)
        compiled, _ = stepped(net, threads or None)
        if not threads:
            for _ in range(5):
                compiled.function(pellucid.Tensor(x), pellucid.Tensor(y))
            eager = [p.data for p in net.parameters()]
            continue
        compiled.repeat(5, x, y)
        found.add(b"".join(p.data.tobytes() for p in net.parameters()))
        for p, expected in zip(net.parameters(), eager, strict=True):
            np.testing.assert_allclose(p.data, expected, rtol=1e-4, atol=1e-5)
    assert len(found) == 1


def test_weights_that_do_not_change_are_left_alone() -> None:
    net = network()
    forward = pellucid.compile(lambda x: net(x), state=net)
    assert stacks(forward.explain(data()[0])) == []


def test_behind_frozen_weights_the_first_that_change_are_halved() -> None:
    net = nn.Sequential(nn.Dense(K, 64, "relu"), nn.Dense(64, 48, "relu"), nn.Dense(48, 3), rng=0)
    for p in net.layers[0].parameters():
        p.requires_grad = False
    compiled, _ = stepped(net)
    assert stacks(compiled.explain(*data())) == [(2, M, 48)]


@pytest.mark.parametrize("scaled", [False, True])
def test_the_bits_do_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch, scaled: bool) -> None:
    monkeypatch.setattr(module, "WORTH", -1)
    x, y = data(16, 600)
    found = set()
    for threads in (1, 2, 3, 4, 5, 16):
        net = network(600, 64)
        compiled, _ = stepped(net, threads, (lambda x: x / 255) if scaled else (lambda x: x))
        losses = compiled.repeat(5, x, y)
        found.add(losses.data.tobytes() + b"".join(p.data.tobytes() for p in net.parameters()))
    assert len(found) == 1


DATA: dict[str, tuple[tuple[int, int], Callable[[Any], Any]]] = {  # what becomes (M, K)
    "as they are": ((M, K), lambda x: x),
    "transposed": ((K, M), lambda x: x.mT),
    "transposed and computed": ((K, M), lambda x: x.mT * 2),
    "columns backwards": ((M, K), lambda x: x[:, ::-1]),
    "every other column": ((M, 2 * K), lambda x: x[:, ::2]),
    "some columns": ((M, K + 3), lambda x: x[:, 2:-1]),
    "some rows": ((M + 4, K), lambda x: x[2:-2] + 1),
    "centred": ((M, K), lambda x: x - x.mean(axis=0, keepdims=True)),
    "each row centred": ((M, K), lambda x: x - x.mean(axis=1, keepdims=True)),
    "one row for all": ((1, K), lambda x: x + np.zeros((M, K), "f4")),
}  # fmt: skip


def one_product(x: Any, w: Any) -> Any:
    return x @ w


def two_products(x: Any, w: Any) -> Any:
    return x @ w + (x * 3) @ w


def there_and_back(x: Any, w: Any) -> Any:
    return x @ w @ w.mT @ w


def descent(
    product: Callable[[Any, Any], Any], w: np.ndarray, change: Callable[[Any], Any], rows: int
) -> tuple[Callable[[Any], Any], pellucid.Tensor]:
    """Return a step that changes some rows of weights, and those."""
    weights = pellucid.Tensor(w, requires_grad=True)
    moved = (np.arange(len(w)) < rows)[:, None].astype(w.dtype)

    def step(x: Any) -> Any:
        weights.grad = None
        found = product(change(x), weights)
        loss = (found * found).mean()
        loss.backward()
        weights.data = weights.data - 0.1 * moved * weights.grad
        return loss, found

    return step, weights


def check(
    product: Callable[[Any, Any], Any], x: np.ndarray, w: np.ndarray, change: Callable[[Any], Any],
    rows: int = K,
) -> None:  # fmt: skip
    """Compare three steps on any number of threads with eager ones."""

    def run(threads: int | None) -> list[np.ndarray]:
        step, weights = descent(product, w, change, rows)
        if threads:
            step = pellucid.compile(step, state=weights, threads=threads)
            assert (2, w.shape[1]) in [(s[0], s[2]) for s in stacks(step.explain(x))]
        for _ in range(3):
            loss, found = step(pellucid.Tensor(x))
        return [loss.data, found.data, weights.data]

    alone = run(1)
    for a, b in zip(alone, run(None), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    for threads in (2, 3, 5):
        assert [a.tobytes() for a in run(threads)] == [a.tobytes() for a in alone]


@pytest.mark.parametrize("product", [one_product, two_products, there_and_back])
@pytest.mark.parametrize("name", DATA)
def test_whatever_becomes_of_the_data(
    monkeypatch: pytest.MonkeyPatch, name: str, product: Callable[[Any, Any], Any]
) -> None:
    monkeypatch.setattr(module, "WORTH", -1)
    shape, change = DATA[name]
    x, w = RNG.normal(size=shape).astype("f4"), RNG.normal(size=(K, N)).astype("f4") / 8
    check(product, x, w, change)


@pytest.mark.parametrize(
    ("m", "k", "n"), [(0, 0, 16), (0, 40, 16), (1, 2, 16), (1, 40, 33), (3, 34, 17), (8, 16, 16)]
)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_small_and_empty_ones(
    monkeypatch: pytest.MonkeyPatch, m: int, k: int, n: int, dtype: str
) -> None:
    """Of all rows, or only some of which change."""
    monkeypatch.setattr(module, "WORTH", -1)
    x, w = RNG.normal(size=(m, k)).astype(dtype), RNG.normal(size=(k, n)).astype(dtype) / 8
    with np.errstate(all="ignore"):
        for rows in (k, k // 3):
            check(one_product, x, w, lambda x: x * 2, rows)


@pytest.mark.parametrize("threads", [2, 3, 4, 16])
def test_all_threads_have_a_part_of_it(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(module, "WORTH", -1)
    compiled, _ = stepped(network(128), threads)
    phases = compiled.explain(*data(64, 128)).phases
    assert {task.thread for task in phases[0] if 0 in task.kernels} == set(range(threads))


def test_in_fit_each_thread_gathers_the_columns_it_multiplies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No thread waits for another between the two: they are one task."""
    monkeypatch.setattr(module, "WORTH", -1)
    programs = []
    build = module.Program.__init__

    def spy(self: module.Program, *args: Any, **kwargs: Any) -> None:
        build(self, *args, **kwargs)
        programs.append(self)

    monkeypatch.setattr(module.Program, "__init__", spy)
    model = train.Model(network(64, 32), "cross_entropy", optim.Adam(1e-2))
    x, y = RNG.normal(size=(64, 64)).astype("f4"), RNG.integers(0, 3, 64)
    model.fit(x, y, epochs=1, batch_size=16, threads=2, seed=0, verbose=False)
    tasks = [
        [call.kernel for call in task.calls]
        for program in programs
        for task in program.phases[0]
        if any(isinstance(c.kernel, Gemm) and c.kernel.k == 32 for c in task.calls)
    ]
    assert len(tasks) == 2
    for kernels in tasks:
        gather, product, *_ = kernels
        assert not isinstance(gather, Gemm)
        assert gather.outer == (16, 32)
        assert isinstance(product, Gemm)
