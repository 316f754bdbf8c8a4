"""One formula, three uses: computed at once, differentiated again, and recorded as a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

import pellucid as pl
from contracts.op_oracles import conv as slow_conv
from contracts.op_oracles import torch_conv
from pellucid import Tensor
from pellucid.optim import Adam
from support.differences import central
from support.trace import Symbol, Trace, tracing

Arrays = list[np.ndarray]
HOW: dict[str, Any] = {"stride": (2, 1), "padding": ((1, 1), (0, 1)), "dilation": (1, 2)}
ROWS = np.array([2, 0, 2])


class Formula(NamedTuple):
    """The user's code, the same in NumPy and in PyTorch, and the operands' shapes."""

    ours: Callable[..., Any]
    numpy: Callable[..., Any]
    torch: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]


FORMULAS = {
    "add": Formula(lambda a, b: a + b, np.add, lambda t, a, b: a + b, ((3, 4), (4,))),
    "matmul": Formula(lambda a, b: a @ b, np.matmul, lambda t, a, b: a @ b, ((3, 4), (4, 2))),
    "sum": Formula(lambda x: x.sum(axis=0), lambda x: x.sum(0), lambda t, x: x.sum(0), ((3, 4),)),
    "conv": Formula(
        lambda x, w: pl.conv(x, w, **HOW),
        lambda x, w: slow_conv(x, w, **HOW),
        lambda t, x, w: torch_conv(t, x, w, **HOW),
        ((2, 4, 5, 2), (3, 2, 2, 2)),
    ),
    "tanh": Formula(lambda x: x.tanh(), np.tanh, lambda t, x: t.tanh(x), ((3, 4),)),
    "relu": Formula(
        lambda x: x.relu(), lambda x: np.where(x > 0, x, 0), lambda t, x: t.relu(x), ((3, 4),)
    ),
    "logsumexp": Formula(
        lambda x: pl.logsumexp(x, axis=1),
        lambda x: np.log(np.exp(x).sum(1)),
        lambda t, x: t.logsumexp(x, 1),
        ((3, 4),),
    ),
    "index": Formula(lambda x: x[ROWS], lambda x: x[ROWS], lambda t, x: x[ROWS], ((3, 4),)),
}
formulas = pytest.mark.parametrize("name", FORMULAS)


def operands(name: str) -> Arrays:
    """Return random operands."""
    rng = np.random.default_rng(3)
    return [rng.normal(size=shape) for shape in FORMULAS[name].shapes]


def cubed(name: str) -> Callable[..., Tensor]:
    """Return the formula as a function with a scalar result and a second derivative."""
    return lambda *xs: (FORMULAS[name].ours(*xs) ** 3).sum()


def steepness(name: str) -> Callable[..., Tensor]:
    """Return |gradient|^2 of that function."""
    gradient = pl.grad(cubed(name), argnums=range(len(FORMULAS[name].shapes)))
    return lambda *xs: sum((g * g).sum() for g in gradient(*xs))


@pytest.fixture
def trace() -> Iterator[Trace]:
    with tracing() as namespace:
        yield namespace


@formulas
def test_computed_at_once(name: str) -> None:
    xs = operands(name)
    formula = FORMULAS[name]
    out = formula.ours(*map(Tensor, xs))
    np.testing.assert_allclose(out.data, formula.numpy(*xs), rtol=1e-12)
    gradients = pl.grad(cubed(name), argnums=range(len(xs)))(*xs)
    for i, g in enumerate(gradients):
        expected = central(lambda x, i=i: float((formula.numpy(*put(xs, i, x)) ** 3).sum()), xs[i])
        np.testing.assert_allclose(g.data, expected, rtol=1e-6, atol=1e-6)


@formulas
def test_differentiated_again(name: str) -> None:
    xs = operands(name)
    for i, g in enumerate(pl.grad(steepness(name), argnums=range(len(xs)))(*xs)):
        expected = central(lambda x, i=i: steepness(name)(*put(xs, i, x)).item(), xs[i])
        np.testing.assert_allclose(g.data, expected, rtol=1e-6, atol=1e-5)


@pytest.mark.torch
@formulas
def test_differentiated_again_as_in_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    xs = operands(name)
    theirs = [torch.tensor(x, requires_grad=True) for x in xs]
    total = (FORMULAS[name].torch(torch, *theirs) ** 3).sum()
    firsts = torch.autograd.grad(total, theirs, create_graph=True)
    seconds = torch.autograd.grad(sum((g * g).sum() for g in firsts), theirs)
    found = pl.grad(steepness(name), argnums=range(len(xs)))(*xs)
    for g, expected in zip(found, seconds, strict=True):
        np.testing.assert_allclose(g.data, expected.numpy(), rtol=1e-9)


@formulas
@pytest.mark.parametrize("of", [cubed, steepness], ids=["first order", "second order"])
def test_recorded(name: str, of: Callable[..., Any], trace: Trace) -> None:
    xs = operands(name)
    count = range(len(xs))
    symbols = [Tensor(trace.input(x), requires_grad=True) for x in xs]
    loss = of(name)(*symbols)
    loss.backward()
    results = [loss.data, *(x.grad for x in symbols)]
    assert all(isinstance(x, Symbol) for x in results)
    for scale in (1.0, -0.7):
        values = [scale * x for x in xs]
        found = trace.run(results, *values)
        expected, gradients = pl.value_and_grad(of(name), argnums=count)(*values)
        for a, b in zip(found, [expected, *gradients], strict=True):
            np.testing.assert_allclose(a, b.data, rtol=1e-12, atol=1e-12)


def put(xs: Arrays, i: int, x: np.ndarray) -> Arrays:
    """Return the operands with one of them replaced."""
    return [*xs[:i], x, *xs[i + 1 :]]


# networks: what a user writes, the backward pass and the optimiser's update


def cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    """Return the mean over rows of ln sum e^z - z[y]; z is (N, C), y (N,)."""
    return (pl.logsumexp(z, axis=1) - pl.gather(z, y.reshape(-1, 1))[:, 0]).mean()


def two_layers(p: list[Tensor], x: Tensor, y: Tensor, state: Tensor) -> Tensor:
    """Return the loss of a dense network with dropout; x is (8, 5)."""
    h = (x @ p[0] + p[1]).tanh()  # (8, 6)
    kept = pl.uniform(state, shape=h.shape) < 0.8
    h = pl.where(kept, h / 0.8, 0.0)
    return cross_entropy(h @ p[2] + p[3], y) + 0.01 * (p[0] ** 2).sum()


def convolutional(p: list[Tensor], x: Tensor, y: Tensor, state: Tensor) -> Tensor:
    """Return the loss of a convolutional network; x is (8, 30), images of 5 x 6."""
    how = {"stride": (1, 2), "padding": ((1, 1), (0, 1)), "dilation": (1, 1)}
    h = pl.conv(x.reshape(-1, 5, 6, 1), p[0], **how) + p[1]  # (8, 5, 3, 4)
    h = h.relu().max(axis=2)  # (8, 5, 4)
    h = pl.concat([h.mean(axis=1), h[:, -1] * 0.5], axis=1)  # (8, 8)
    return cross_entropy(h @ p[2] + p[3], y)


NETWORKS = {
    "two layers": (two_layers, (8, 5), [(5, 6), (6,), (6, 3), (3,)]),
    "convolutional": (convolutional, (8, 30), [(3, 3, 1, 4), (4,), (8, 3), (3,)]),
}


class Batch(NamedTuple):
    """What a training step is given: all of it are inputs of the recorded program."""

    parameters: Arrays
    x: np.ndarray
    y: np.ndarray
    state: np.ndarray


def batch(network: str, seed: int) -> Batch:
    """Return random parameters, data, labels and a state of the random numbers."""
    rng = np.random.default_rng(seed)
    _, x, shapes = NETWORKS[network]
    return Batch(
        [rng.normal(size=shape).astype("float32") for shape in shapes],
        rng.normal(size=x).astype("float32"),
        rng.integers(0, 3, size=len(rng.normal(size=x))),
        rng.integers(0, 2**32, size=2, dtype=np.uint32),
    )


def eager(network: str, given: Batch) -> tuple[Tensor, list[Tensor]]:
    """Return the loss and the parameters after backward."""
    parameters = [Tensor(p, requires_grad=True) for p in given.parameters]
    loss = NETWORKS[network][0](parameters, *map(Tensor, given[1:]))
    loss.backward()
    return loss, parameters


def recorded(trace: Trace, network: str, given: Batch) -> tuple[Tensor, list[Tensor]]:
    """Return the same, of symbols."""
    symbols = [Tensor(trace.input(p), requires_grad=True) for p in given.parameters]
    loss = NETWORKS[network][0](symbols, *(Tensor(trace.input(part)) for part in given[1:]))
    loss.backward()
    return loss, symbols


def flat(given: Batch) -> Arrays:
    """Return the inputs of the program."""
    return [*given.parameters, *given[1:]]


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_is_recorded(network: str, trace: Trace) -> None:
    loss, symbols = recorded(trace, network, batch(network, 0))
    assert all(isinstance(p.grad, Symbol) for p in symbols)
    assert all(p.grad.dtype == np.float32 for p in symbols)
    for seed in (0, 1):  # other values than the recorded ones: nothing was frozen
        given = batch(network, seed)
        found = trace.run([loss.data, *(p.grad for p in symbols)], *flat(given))
        expected, parameters = eager(network, given)
        np.testing.assert_allclose(found[0], expected.data, rtol=1e-6)
        for a, p in zip(found[1:], parameters, strict=True):
            assert a.dtype == np.float32
            np.testing.assert_allclose(a, p.grad, rtol=1e-5, atol=1e-6)


def test_masks_of_a_recorded_network_are_not_frozen(trace: Trace) -> None:
    given = batch("two layers", 0)
    loss, _ = recorded(trace, "two layers", given)
    inputs = flat(given)
    other = [*inputs[:-1], inputs[-1] + np.uint32(1)]
    assert trace.run(loss.data, *inputs) != trace.run(loss.data, *other)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_whole_training_step_is_recorded(network: str, trace: Trace) -> None:
    given = batch(network, 0)
    _, symbols = recorded(trace, network, given)
    optimizer = Adam(lr=0.01)
    for i, p in enumerate(given.parameters):
        optimizer.state[str(i)] = {"m": trace.input(p), "v": trace.input(p)}
    optimizer.steps = trace.input(np.float32(0))
    optimizer.step(symbols)
    results = [[p.data for p in symbols], [[s["m"], s["v"]] for s in optimizer.state.values()]]

    ours = Adam(lr=0.01)
    parameters = [Tensor(p, requires_grad=True) for p in given.parameters]
    for step in range(3):
        given = batch(network, step)._replace(parameters=[p.data for p in parameters])
        states = [ours.state.get(str(i)) or ours.init(p) for i, p in enumerate(given.parameters)]
        moments = [moment.copy() for state in states for moment in (state["m"], state["v"])]
        found = trace.run(results, *flat(given), *moments, np.float32(step))
        _, parameters = eager(network, given)
        ours.step(parameters)
        for a, p in zip(found[0], parameters, strict=True):
            assert a.dtype == np.float32
            np.testing.assert_allclose(a, p.data, rtol=2e-5, atol=1e-6)
        for (m, v), state in zip(found[1], ours.state.values(), strict=True):
            np.testing.assert_allclose(m, state["m"], rtol=1e-5, atol=1e-7)
            np.testing.assert_allclose(v, state["v"], rtol=1e-5, atol=1e-7)


# the tracer itself


def test_a_symbol_keeps_its_elements_to_itself(trace: Trace) -> None:
    x = trace.input(np.ones(3))
    for look in (bool, float, np.asarray, list):
        with pytest.raises(TypeError, match="does not look at values"):
            look(x)


def test_a_mask_of_symbols_is_refused(trace: Trace) -> None:
    x = Tensor(trace.input(np.ones(3)))
    with pytest.raises(TypeError, match="do not depend on values"):
        x[x > 0]


def test_constants_beside_symbols(trace: Trace) -> None:
    x = Tensor(trace.input(np.ones(3)), requires_grad=True)
    constant = Tensor(np.array([1.0, 2.0, 3.0]))
    out = pl.stack([constant, constant.exp() * x, pl.maximum(constant, x)])
    (out * pl.where(constant > 1, out, 2.0)).sum().backward()
    value = np.array([0.5, 2.5, 4.0])

    again = Tensor(value, requires_grad=True)
    out = pl.stack([constant, constant.exp() * again, pl.maximum(constant, again)])
    (out * pl.where(constant > 1, out, 2.0)).sum().backward()
    np.testing.assert_allclose(trace.run(x.grad, value), again.grad)
