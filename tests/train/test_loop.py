"""The loop by hand and the loop of `Model`: the same steps, right gradients, flat memory."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import Tensor, data, nn, optim
from pellucid.train import Model
from train.problems import XOR, blobs, same_state

STATM = Path("/proc/self/statm")


def test_six_lines_by_hand_learn_xor() -> None:
    x, y = XOR
    network = nn.Sequential(nn.Dense(2, 8, "tanh"), nn.Dense(8, 2), rng=0)
    criterion, optimizer = nn.CrossEntropyLoss(), optim.Adam(0.05)
    for _ in range(200):
        network.zero_grad()
        loss = criterion(network(x), y)
        loss.backward()
        optimizer.step(network)
    assert (network(x).data.argmax(axis=1) == y).all()
    assert loss.item() < 0.05


@pytest.mark.parametrize(
    "optimizer",
    [lambda: optim.SGD(0.1, momentum=0.9), lambda: optim.Adam(0.01)],
    ids=["sgd", "adam"],
)
@pytest.mark.parametrize("ending", [None, "softmax"])
def test_the_loop_by_hand_gives_the_same_weights_as_fit(optimizer: Any, ending: str | None) -> None:
    """Bit for bit, over the same batches: what `fit` adds is only what one sees."""

    def network() -> nn.Sequential:
        return nn.Sequential(nn.Dense(2, 16, "relu"), nn.Dense(16, 3, ending), rng=0)

    x, y = blobs()
    fitted = Model(network(), "cross_entropy", optimizer())
    fitted.fit(x, y, epochs=3, batch_size=32, seed=4, verbose=False, compile=False)

    by_hand, criterion, step = network(), nn.CrossEntropyLoss(), optimizer()
    _, order, _ = np.random.default_rng(4).spawn(3)
    for _ in range(3):
        for rows in data.batch_indices(len(x), 32, order):
            by_hand.zero_grad()
            loss = criterion(by_hand.preactivation(x[rows]), y[rows])
            loss.backward()
            step.step(by_hand)
    assert same_state(by_hand, fitted.network)
    assert list(step.state) == list(fitted.optimizer.state)


def test_gradients_of_unequal_parts_accumulate_to_that_of_the_whole_batch() -> None:
    """Weighted by their size; a small last part must not count as a full one."""
    x, y = blobs()
    whole, parts = (nn.Dense(2, 3, rng=0).astype("float64") for _ in range(2))
    criterion = nn.CrossEntropyLoss()
    criterion(whole(x), y).backward()
    for rows in data.batch_indices(len(x), 40):
        (criterion(parts(x[rows]), y[rows]) * (len(x[rows]) / len(x))).backward()
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        np.testing.assert_allclose(one.grad, other.grad, 1e-12)


@pytest.mark.torch
@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-10), ("float32", 1e-4)])
def test_every_gradient_of_a_whole_network_is_torch_s(dtype: str, rtol: float) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 64)).astype(dtype), rng.integers(10, size=32)
    network = nn.Sequential(
        nn.Dense(64, 128, "relu"), nn.Dense(128, 64, "tanh"), nn.Dense(64, 10), rng=0
    )
    network.astype(dtype)
    theirs = torch.nn.Sequential(
        torch.nn.Linear(64, 128), torch.nn.ReLU(),
        torch.nn.Linear(128, 64), torch.nn.Tanh(), torch.nn.Linear(64, 10),
    ).to(getattr(torch, dtype))  # fmt: skip
    linear = [layer for layer in theirs if isinstance(layer, torch.nn.Linear)]
    with torch.no_grad():
        for layer, other in zip(network, linear, strict=True):
            other.weight.copy_(torch.tensor(layer.weight.data.T))
            other.bias.copy_(torch.tensor(layer.bias.data))
    ours = Tensor(x, requires_grad=True)
    loss = nn.CrossEntropyLoss()(network(ours), y)
    loss.backward()
    inputs = torch.tensor(x, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(theirs(inputs), torch.tensor(y))
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=rtol)
    pairs = [(ours.grad, inputs.grad.numpy())]
    for layer, other in zip(network, linear, strict=True):
        pairs += [
            (layer.weight.grad, other.weight.grad.numpy().T),
            (layer.bias.grad, other.bias.grad.numpy()),
        ]
    for g, theirs_g in pairs:
        assert g is not None
        np.testing.assert_allclose(g, theirs_g, rtol, rtol * np.abs(theirs_g).max())


def resident() -> int:
    """Return the memory the process holds, in bytes; 0 where the system does not tell."""
    return int(STATM.read_text().split()[1]) * 4096 if STATM.exists() else 0


def tensors() -> int:
    """Return how many tensors are alive, those in unreachable circles included."""
    return sum(type(x) is Tensor for x in gc.get_objects())


def tiny() -> Model:
    network = nn.Sequential(nn.Dense(2, 4, "relu"), nn.Dropout(0.1), nn.Dense(4, 1), rng=0)
    return Model(network, "bce", "adam")


def test_memory_is_flat_over_ten_thousand_training_steps() -> None:
    """No graph, prediction or list of a step outlives it."""
    x, y = XOR
    model = tiny()
    model.fit(x, y, epochs=200, seed=0, verbose=False)
    gc.collect()
    tensors_before, memory_before = tensors(), resident()
    history = model.fit(x, y, epochs=10_000, seed=0, verbose=False)
    gc.collect()
    assert history.epochs == 10_000
    assert model.optimizer.steps == 10_200
    assert tensors() == tensors_before
    assert resident() - memory_before < 8e6


def test_reference_counting_alone_frees_the_graphs_of_fit() -> None:
    """Without a single circle, memory does not wait for the garbage collector."""
    x, y = XOR
    model = tiny()
    model.fit(x, y, epochs=10, seed=0, verbose=False)
    assert left_by(lambda: model.fit(x, y, epochs=500, seed=0, verbose=False)) == 0


def test_reference_counting_alone_frees_the_graphs_of_the_loop_by_hand() -> None:
    x, y = XOR
    network = nn.Sequential(nn.Dense(2, 4, "relu"), nn.Dense(4, 2), rng=0)
    criterion, optimizer = nn.CrossEntropyLoss(), optim.SGD(0.1, momentum=0.9)

    def steps() -> None:
        for _ in range(500):
            network.zero_grad()
            criterion(network(x), y).backward()
            optimizer.step(network)

    assert left_by(steps) == 0


def left_by(work: Callable[[], Any]) -> int:
    """Return how many more tensors are alive after the work, the garbage collector off."""
    gc.collect()
    gc.disable()
    try:
        before = tensors()
        work()
        return tensors() - before
    finally:
        gc.enable()


def test_a_planted_leak_is_seen() -> None:
    x, y = XOR
    network = nn.Sequential(nn.Dense(2, 4), nn.Dense(4, 2), rng=0)
    kept = []

    def leak() -> None:
        for _ in range(20):
            kept.append(nn.CrossEntropyLoss()(network(x), y))  # noqa: PERF401

    assert left_by(leak) > 100
