"""Gradient descent on scalars."""

from __future__ import annotations

import gc

import pytest

from pellucid.scalar import MLP, SGD, Value, binary_cross_entropy, hinge, mse, train

XOR_X = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
XOR_Y = [-1, 1, 1, -1]


def test_sgd_by_hand() -> None:
    """Two steps worked out on paper: rates 0.1 and 0.1 / 1.5, gradients 2 w + 0.3 w."""
    w = Value(2.0)
    optimizer = SGD([w], lr=0.1, decay=0.5, l2=0.3)
    expected = 2.0
    for rate in (0.1, 0.1 / 1.5, 0.1 / 2.0):
        assert optimizer.rate == pytest.approx(rate)
        optimizer.zero_grad()
        (w * w).backward()
        optimizer.step()
        expected -= rate * (2 * expected + 0.3 * expected)
        assert w.data == pytest.approx(expected)
    assert optimizer.steps == 3


def test_the_penalty_alone_draws_to_zero() -> None:
    w = Value(1.0)
    optimizer = SGD([w], lr=0.5, l2=1.0)
    for _ in range(20):
        optimizer.step()
    assert w.data == pytest.approx(0.5**20)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"lr": 0.0}, "lr above 0"),
        ({"lr": -1.0}, "lr above 0"),
        ({"lr": float("nan")}, "lr above 0"),
        ({"decay": -1.0}, "decay and l2 of at least 0"),
        ({"l2": -1.0}, "decay and l2 of at least 0"),
    ],
)
def test_settings_out_of_range(settings: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SGD([Value(1.0)], **settings)


def test_parameters_are_needed() -> None:
    for none in ([], iter([])):
        with pytest.raises(ValueError, match="expected parameters to move, got none"):
            SGD(none)
    for other in (MLP(2, [1]), [1.0], Value(1.0), 3):
        with pytest.raises(TypeError, match="expected "):
            SGD(other)


def test_the_optimizer_must_be_the_network_s() -> None:
    network, other = MLP(2, [1], rng=0), MLP(2, [1], rng=0)
    with pytest.raises(ValueError, match="expected an optimizer of the network's parameters"):
        train(network, XOR_X, XOR_Y, mse, SGD(other.parameters()))


def test_divergence_is_told() -> None:
    network = MLP(1, [1], "linear", rng=0)
    with pytest.raises(OverflowError, match=r"diverged in epoch \d+: .* smaller learning rate"):
        train(network, [[1e3]], [1.0], mse, SGD(network.parameters(), lr=10.0), epochs=50)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("loss", [hinge, mse])
def test_learns_exclusive_or(loss: object, fused: bool) -> None:
    network = MLP(2, [6, 1], output="linear", rng=0, fused=fused)
    losses = train(network, XOR_X, XOR_Y, loss, SGD(network.parameters(), lr=0.3), epochs=150)
    assert len(losses) == 150
    assert losses[-1] < 0.1 < losses[0]
    assert all((network(x) > 0) == (y > 0) for x, y in zip(XOR_X, XOR_Y, strict=True))


def test_binary_cross_entropy_learns_probabilities() -> None:
    network = MLP(1, [1], output="linear", rng=0)
    x, y = [[1.0]] * 4, [1, 0, 0, 0]
    train(network, x, y, binary_cross_entropy, SGD(network.parameters(), lr=1.0), epochs=200)
    assert network([1.0]).sigmoid().data == pytest.approx(0.25, abs=1e-6)


def test_a_step_on_all_rows_is_one_step_of_plain_gradient_descent() -> None:
    one, other = MLP(2, [3, 1], rng=1), MLP(2, [3, 1], rng=1)
    losses = train(one, XOR_X, XOR_Y, mse, SGD(one.parameters(), lr=0.1), epochs=1)
    loss = mse([other(x) for x in XOR_X], XOR_Y)
    loss.backward()
    assert losses == [loss.data]
    assert [p.data for p in one.parameters()] == [p.data - 0.1 * p.grad for p in other.parameters()]


def test_mini_batches_see_every_row_once_an_epoch() -> None:
    seen: list[list[float]] = []

    class Spy(MLP):
        def outputs(self, x: list[float]) -> list[Value]:
            seen.append(list(x))
            return super().outputs(x)

    network = Spy(1, [1], rng=0)
    x = [[float(i)] for i in range(7)]
    optimizer = SGD(network.parameters(), lr=0.01)
    train(network, x, [0.0] * 7, mse, optimizer, epochs=2, batch_size=3, seed=4)
    assert optimizer.steps == 6
    assert sorted(seen[:7]) == sorted(seen[7:]) == x
    assert seen[:7] != seen[7:] != x


def test_the_epoch_s_loss_counts_every_row_alike() -> None:
    network = MLP(1, [1], output="linear", rng=0)
    for p in network.parameters():
        p.data = 0.0
    x, y = [[0.0]] * 3, [0.0, 0.0, 3.0]
    optimizer = SGD(network.parameters(), lr=1e-12)
    (loss,) = train(network, x, y, mse, optimizer, epochs=1, batch_size=2)
    assert loss == pytest.approx(3.0)  # the short batch is no full one


def test_the_same_seed_gives_the_same_network() -> None:
    results = []
    for seed in (0, 0, 1):
        network = MLP(2, [3, 1], rng=0)
        optimizer = SGD(network.parameters(), lr=0.1)
        train(network, XOR_X, XOR_Y, mse, optimizer, epochs=5, batch_size=1, seed=seed)
        results.append([p.data for p in network.parameters()])
    assert results[0] == results[1] != results[2]


def test_progress_is_told() -> None:
    told: list[tuple[int, float]] = []
    network = MLP(2, [1], rng=0)
    losses = train(
        network,
        XOR_X,
        XOR_Y,
        mse,
        SGD(network.parameters()),
        epochs=3,
        progress=lambda epoch, loss: told.append((epoch, loss)),
    )
    assert told == list(enumerate(losses, start=1))


def test_an_exception_leaves_the_collector_on() -> None:
    def broken(*_: object) -> Value:
        raise RuntimeError("on purpose")

    network = MLP(2, [1], rng=0)
    with pytest.raises(RuntimeError, match="on purpose"):
        train(network, XOR_X, XOR_Y, broken, SGD(network.parameters()))
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("x", "y", "settings", "says"),
    [
        (XOR_X, [1], {}, "got 4 rows, 1 targets"),
        ([], [], {}, "got 0 rows"),
        (XOR_X, XOR_Y, {"epochs": 0}, "at least 1"),
        (XOR_X, XOR_Y, {"epochs": 2.5}, "whole number"),
        (XOR_X, XOR_Y, {"batch_size": 0}, "at least 1"),
        ([[1.0]] * 4, XOR_Y, {}, "expected 2 inputs, got 1"),
    ],
)
def test_data_that_do_not_fit(
    x: list[list[float]], y: list[int], settings: dict[str, int], says: str
) -> None:
    network = MLP(2, [1], rng=0)
    with pytest.raises(ValueError, match=says):
        train(network, x, y, mse, SGD(network.parameters()), **settings)


def test_a_network_with_two_outputs_is_told_so() -> None:
    network = MLP(2, [2], rng=0)
    with pytest.raises(ValueError, match="one output"):
        train(network, XOR_X, XOR_Y, mse, SGD(network.parameters()))
