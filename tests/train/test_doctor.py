"""The training doctor: every fault planted is found, and where there is none it is silent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import parameters
import pellucid
from pellucid import data, nn, optim, train
from pellucid.train import Diagnosis, Doctor, Finding, Model
from train.problems import blobs, line, same_state

EXAMPLES = Path(__file__).parents[2] / "examples"
X, Y = blobs(240, seed=1)
X = X / 3


def network(*widths: int, activation: str = "relu", seed: int = 0) -> nn.Sequential:
    sizes = [2, *widths]
    hidden = [nn.Dense(a, b, activation) for a, b in zip(sizes, widths, strict=False)]
    return nn.Sequential(*hidden, nn.Dense(sizes[-1], 3), rng=seed)


def model(
    net: nn.Module | None = None, optimizer: Any = None, loss: Any = "cross_entropy"
) -> Model:
    net = network(16, 16) if net is None else net
    return Model(net, loss, optim.Adam(0.01) if optimizer is None else optimizer)


def treated(m: Model, x: Any = X, y: Any = Y, **options: Any) -> Diagnosis:
    """Return what the doctor finds in the course of training."""
    doctor = Doctor(report=False)
    settings = {"epochs": 3, "batch_size": 32, "seed": 0, "verbose": False} | options
    m.fit(x, y, callbacks=[doctor], **settings)
    return doctor.findings


def only(found: Diagnosis, kind: str) -> Finding:
    """Return the finding of a kind, which must say what a reader needs."""
    assert kind in found.kinds, found
    finding = found[found.kinds.index(kind)]
    assert any(c.isdigit() for c in finding.evidence), finding.evidence
    assert len(finding.cause) > 40
    assert len(finding.advice) > 20
    assert str(finding) in str(found)
    return finding


# faults of the network


def spoiled(change: Callable[[nn.Sequential], None], **options: Any) -> nn.Sequential:
    net = network(16, 16, **options)
    change(net)
    return net


def test_dead_relus() -> None:
    def kill(net: Any) -> None:
        net[1].bias.data = np.full(16, -50.0, np.float32)

    finding = only(model(spoiled(kill)).diagnose(X, Y), "dead-relu")
    assert finding.path == "layers.1.activation"
    assert "16 of 16 units are 0 for all 64 examples" in finding.evidence
    assert finding.severity == "error"
    assert only(treated(model(spoiled(kill))), "dead-relu").when == "before training"


def test_a_relu_that_is_a_function_is_found_in_the_module_that_calls_it() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            self.first = nn.Dense(2, 8, rng=0)
            self.last = nn.Dense(8, 3, rng=1)
            self.first.bias.data -= 50

        def forward(self, x: Any) -> Any:
            return self.last(pellucid.relu(self.first(x)))

    class Outer(nn.Module):
        def __init__(self) -> None:
            self.inner = Own()

        def forward(self, x: Any) -> Any:
            return self.inner(x)

    assert only(model(Outer()).diagnose(X, Y), "dead-relu").path == "inner"


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_saturated_activations(name: str) -> None:
    def widen(net: Any) -> None:
        net[0].weight.data *= 100
        net[0].bias.data += 0.01

    net = spoiled(widen, activation=name)
    finding = only(model(net).diagnose(X, Y), "saturated")
    assert finding.path == "layers.0.activation"
    assert name in finding.title


def test_vanishing_gradients() -> None:
    finding = only(
        model(network(*[16] * 10, activation="sigmoid")).diagnose(X, Y), "vanishing-gradient"
    )
    assert finding.path == "layers.0"
    assert "over 11 layers" in finding.evidence


def test_exploding_gradients() -> None:
    net = network(*[32] * 9)
    for layer in list(net)[:-1]:
        layer.weight.data *= 4
    assert only(model(net).diagnose(X, Y), "exploding-gradient").severity == "error"


def test_a_first_loss_far_from_that_of_guessing() -> None:
    def enlarge(net: Any) -> None:
        net[2].weight.data *= 30

    finding = only(model(spoiled(enlarge)).diagnose(X, Y), "initial-loss")
    assert "ln 3 = 1.099" in finding.evidence


class Ending(nn.Module):
    """A network that ends in a function its class does not show."""

    def __init__(self, inner: nn.Module, end: Callable[[Any], Any]) -> None:
        self.inner, self.end = inner, end

    def forward(self, x: Any) -> Any:
        return self.end(self.inner(x))


def test_softmax_applied_twice() -> None:
    twice = Ending(network(16), lambda z: pellucid.softmax(z, axis=-1) * 1.0)
    with pytest.warns(UserWarning, match="applies softmax itself"):
        found = model(twice).diagnose(X, Y)
    finding = only(found, "softmax-twice")
    assert "each row sums to 1" in finding.evidence
    scaled = Ending(network(16), lambda z: pellucid.softmax(z, axis=-1) * 5.0)
    assert "been through softmax" in only(model(scaled).diagnose(X, Y), "softmax-twice").evidence


def test_sigmoid_applied_twice() -> None:
    net = nn.Sequential(nn.Dense(2, 8, "tanh"), nn.Dense(8, 1), rng=0)
    twice = Ending(net, lambda z: pellucid.sigmoid(z) * 1.0)
    found = model(twice, loss="bce").diagnose(X, (Y == 0).astype(int))
    assert only(found, "softmax-twice").title == "Sigmoid is applied twice"


@pytest.mark.parametrize(("rate", "word"), [(3.0, "large"), (1e-8, "small")])
def test_updates_out_of_proportion(rate: float, word: str) -> None:
    finding = only(model(optimizer=optim.Adam(rate)).diagnose(X, Y), "update-ratio")
    assert word in finding.title
    assert finding.path.endswith("weight")


def test_batch_normalisation_with_tiny_batches() -> None:
    net = nn.Sequential(nn.Dense(2, 8), nn.BatchNorm1D(8), nn.ReLU(), nn.Dense(8, 3), rng=0)
    assert only(treated(model(net), batch_size=4), "tiny-batches").path == "layers.1"
    assert "tiny-batches" in model(net).diagnose(X, Y, batch_size=2).kinds
    assert model(net).diagnose(X, Y, batch_size=32).kinds == []


# faults of the data


def test_unscaled_inputs() -> None:
    finding = only(model().diagnose(X * 255, Y), "unscaled-inputs")
    assert "2 of 2 features" in finding.evidence
    assert "unscaled-inputs" in model().diagnose(X * 1e-4, Y).kinds
    normalised = nn.Sequential(nn.BatchNorm1D(2), nn.Dense(2, 3), rng=0)
    assert "unscaled-inputs" not in model(normalised).diagnose(X * 255, Y).kinds


def test_unscaled_targets() -> None:
    x, y = line(200)
    net = nn.Sequential(nn.Dense(3, 8, "tanh"), nn.Dense(8, 1), rng=0)
    assert "unscaled-targets" in model(net, loss="mse").diagnose(x, 1e4 + 100 * y).kinds


def test_shuffled_labels() -> None:
    shuffled = np.random.default_rng(0).permutation(Y)
    only(model().diagnose(X, shuffled), "labels-unrelated")
    finding = only(treated(model(), y=shuffled, epochs=5), "labels-unrelated")
    assert finding.severity == "error"
    assert finding.when == "after epoch 5"


def test_shuffled_targets_of_a_regression() -> None:
    x, y = line(200)
    net = nn.Sequential(nn.Dense(3, 8, "tanh"), nn.Dense(8, 1), rng=0)
    m = model(net, loss="mse")
    assert m.diagnose(x, y).kinds == []
    assert "labels-unrelated" in m.diagnose(x, np.random.default_rng(1).permutation(y)).kinds


def test_classes_of_very_different_size() -> None:
    keep = np.flatnonzero((Y != 2) | (np.arange(len(Y)) % 20 == 0))
    finding = only(model().diagnose(X[keep], Y[keep]), "class-imbalance")
    assert "class 2 has 4" in finding.evidence
    doctor = treated(model(), X[keep], Y[keep], class_weight="balanced")
    assert "class-imbalance" not in doctor.kinds


def test_validation_rows_from_the_training_rows() -> None:
    finding = only(model().diagnose(X, Y, validation_data=(X[::4], Y[::4])), "validation-leak")
    assert "100% of 60 validation rows" in finding.evidence
    mixed = np.concatenate([X[:30], X[30:60] + 0.01]), Y[:60]
    assert "50%" in only(treated(model(), validation_data=mixed), "validation-leak").evidence
    apart = blobs(60, seed=9)[0] / 3, blobs(60, seed=9)[1]
    assert model().diagnose(X, Y, validation_data=apart).kinds == []


def test_a_leak_of_images_of_which_few_pixels_are_not_0() -> None:
    rng = np.random.default_rng(0)
    x = (rng.random((300, 10, 10, 1)) < 0.03).astype(np.float32)
    x[:, 0, 1] = rng.random((300, 1))
    y = (x[:, 0, 1, 0] > 0.5).astype(int)
    net = nn.Sequential(nn.Flatten(), nn.Dense(100, 2), rng=0)
    for rows, share in ((slice(100, 150), "100%"), (slice(180, 220), "50%")):
        found = model(net).diagnose(x[:200], y[:200], validation_data=(x[rows], y[rows]))
        assert share in only(found, "validation-leak").evidence
    apart = model(net).diagnose(x[:200], y[:200], validation_data=(x[200:], y[200:]))
    assert "validation-leak" not in apart.kinds


def test_rows_that_repeat_by_nature_are_no_leak() -> None:
    x = np.random.default_rng(0).integers(0, 3, (300, 2)).astype(np.float32)
    y = (x.sum(axis=1) > 2).astype(int)
    net = nn.Sequential(nn.Dense(2, 8, "relu"), nn.Dense(8, 2), rng=0)
    assert model(net).diagnose(x[:200], y[:200], validation_data=(x[200:], y[200:])).kinds == []


# faults of the course


def test_a_learning_rate_that_is_too_high() -> None:
    only(model(optimizer=optim.SGD(1e3)).diagnose(X, Y), "learning-rate-high")
    only(treated(model(optimizer=optim.Adam(10.0))), "learning-rate-high")


def test_a_loss_that_is_no_number() -> None:
    x, y = line(200)
    m = Model(nn.Sequential(nn.Dense(3, 8), nn.Dense(8, 1), rng=0), "mse", optim.SGD(1e3))
    with pytest.warns(RuntimeWarning, match="training stopped"):
        found = treated(m, x, y, epochs=30)
    assert "the loss is" in only(found, "learning-rate-high").evidence


def test_a_learning_rate_that_is_too_low() -> None:
    finding = only(treated(model(optimizer=optim.SGD(1e-7)), epochs=5), "learning-rate-low")
    assert "40 updates" in finding.evidence


def test_constant_predictions() -> None:
    class Deaf(nn.Module):
        def __init__(self) -> None:
            self.answer = pellucid.Tensor(np.zeros((1, 3), np.float32), requires_grad=True)

        def forward(self, x: Any) -> Any:
            return pellucid.zeros((len(x), 1)) + self.answer

    only(model(Deaf()).diagnose(X, Y), "constant-predictions")

    def prefer(net: Any) -> None:
        net[2].bias.data += np.array([20, 0, 0], np.float32)

    biased = treated(model(spoiled(prefer), optim.SGD(1e-7)))
    assert "given to class 0" in only(biased, "constant-predictions").evidence


def test_constant_predictions_of_a_regression() -> None:
    x, y = line(200)
    net = nn.Sequential(nn.Dense(3, 8, "relu"), nn.Dense(8, 1), rng=0)
    net[0].bias.data -= 100  # type: ignore[union-attr,attr-defined]
    assert "constant-predictions" in treated(model(net, loss="mse"), x, y).kinds


def test_overfitting() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 20)).astype(np.float32)
    y = (x[:, 0] + rng.normal(size=60) > 0).astype(int)
    net = nn.Sequential(nn.Dense(20, 64, "relu"), nn.Dense(64, 2), rng=0)
    other = rng.normal(size=(200, 20)).astype(np.float32)
    held = other, (other[:, 0] + rng.normal(size=200) > 0).astype(int)
    finding = only(treated(model(net), x, y, epochs=40, validation_data=held), "overfitting")
    assert "validation loss was lowest after epoch" in finding.evidence


def loop(zero: bool, accumulate: int = 1) -> list[Finding]:
    net, adam = network(8), optim.Adam(0.01)
    with train.watch(net, adam) as findings:
        for i in range(6):
            if zero and i % accumulate == 0:
                net.zero_grad()
            nn.CrossEntropyLoss()(net(X[i::6]), Y[i::6]).backward()
            if (i + 1) % accumulate == 0:
                adam.step(net)
    assert all(not p.hooks for p in net.parameters())
    return findings


def test_gradients_that_are_not_set_to_zero() -> None:
    (finding,) = loop(zero=False)
    assert finding.kind == "not-zeroed"
    assert finding.path.startswith("layers.")
    assert loop(zero=True) == []
    assert loop(zero=True, accumulate=3) == []
    assert len(loop(zero=False, accumulate=3)) == 1


# no false alarm


def silent(m: Model, x: Any, y: Any, **options: Any) -> None:
    assert m.diagnose(x, y).kinds == []
    assert treated(m, x, y, **options).kinds == []
    assert m.diagnose(x, y).kinds == []


def test_a_healthy_network() -> None:
    silent(model(), X, Y, epochs=10, validation_split=0.2)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_digits_of_the_example(seed: int) -> None:
    pytest.importorskip("sklearn")
    example = parameters.load(EXAMPLES / "digits.py")
    parts = data.split(data.digits(), test=0.2, seed=seed)
    m = Model(example.network(seed), "cross_entropy", optim.Adam(example.RATE))
    silent(m, parts.train.x, parts.train.y, epochs=8, validation_split=0.1)


@pytest.mark.parametrize("epochs", [20, 200])
def test_xor_of_the_example(epochs: int) -> None:
    example, table = parameters.load(EXAMPLES / "xor.py"), data.xor()
    m = Model(example.network(), "cross_entropy", optim.Adam(0.05))
    silent(m, table.x, table.y, epochs=epochs, batch_size=4)


@pytest.mark.parametrize("epochs", [5, 60])
def test_the_spiral_of_the_example(epochs: int) -> None:
    example = parameters.load(EXAMPLES / "spiral.py")
    spiral = data.spiral(samples_per_arm=200, noise=0.2, seed=0)
    m = Model(example.network(), "cross_entropy", optim.Adam(0.005))
    silent(m, spiral.x, spiral.y, epochs=epochs, validation_split=0.1)


@pytest.mark.parametrize("epochs", [10, 40])
def test_the_sine_of_the_example(epochs: int) -> None:
    example = parameters.load(EXAMPLES / "sine_regression.py")
    noisy = data.sine(samples=1000, noise=0.1, seed=0)
    m = Model(example.network(), "mse", optim.Adam(example.halving))
    silent(m, noisy.x, noisy.y, epochs=epochs, validation_split=0.1)


def test_images_through_convolution_normalisation_and_dropout() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    x = rng.normal(size=(120, 8, 8, 1)).astype(np.float32)
    x[y == 1, :4] += 1
    net = nn.Sequential(
        nn.Conv2D(1, 8, 3, padding="same"), nn.BatchNorm2D(8), nn.ReLU(), nn.MaxPool2D(2),
        nn.Flatten(), nn.Dropout(0.3), nn.Dense(4 * 4 * 8, 2), rng=0,
    )  # fmt: skip
    silent(model(net, optim.Adam(1e-3)), x, y, epochs=4)


def test_sequences_of_tokens() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 12, (100, 6))
    net = nn.Sequential(
        nn.Embedding(12, 8), nn.TransformerBlock(8, num_heads=2, causal=True), nn.LSTM(8, 16),
        nn.Dense(16, 12), rng=0,
    )  # fmt: skip
    silent(model(net, optim.Adam(1e-3)), x, (x + 1) % 12)


def test_several_yes_or_no_outputs() -> None:
    y = np.stack([Y == 0, Y == 1], axis=1).astype(np.float32)
    net = nn.Sequential(nn.Dense(2, 16, "tanh"), nn.Dense(16, 2, "sigmoid"), rng=0)
    silent(model(net, loss="bce"), X, y)


# it changes nothing


def noisy(seed: int = 0) -> nn.Sequential:
    return nn.Sequential(
        nn.Dense(2, 16), nn.BatchNorm1D(16), nn.ReLU(), nn.Dropout(0.2), nn.Dense(16, 3), rng=seed
    )


class Drawing(nn.Module):
    """A layer that draws from a generator of its own, from NumPy's, and counts its calls."""

    def __init__(self) -> None:
        self.layer = nn.Dense(2, 3, rng=0)
        self.rng = np.random.default_rng(3)
        self.calls = 0

    def forward(self, x: Any) -> Any:
        self.calls += 1
        noise = self.rng.normal(scale=0.01) + np.random.normal(scale=0.01)  # noqa: NPY002
        return self.layer(x) + noise + 0.001 * self.calls


@pytest.mark.parametrize("options", [{}, {"compile": True}, {"accumulate": 2}])
def test_training_gives_the_same_bits_with_it(options: dict[str, Any]) -> None:
    if "compile" in options:
        pytest.importorskip("llvmlite")
    runs = []
    for callbacks in ([], [Doctor(report=False)]):
        m = model(network(16) if options.get("compile") else noisy())
        settings = {"epochs": 5, "validation_split": 0.2, "seed": 3, "verbose": False} | options
        history = m.fit(X, Y, callbacks=callbacks, **settings)
        runs.append((m, dict(history.items())))
    (one, values), (other, others) = runs
    assert same_state(one.network, other.network)
    assert values == others
    assert one.optimizer.steps == other.optimizer.steps
    for path, state in one.optimizer.state.items():
        for name, array in state.items():
            assert np.array_equal(array, other.optimizer.state[path][name])


def test_streams_and_counters_of_layers_of_one_s_own_are_put_back() -> None:
    states = []
    for callbacks in ([], [Doctor(report=False)]):
        np.random.seed(0)  # noqa: NPY002
        net = Drawing()
        settings: dict[str, Any] = {"seed": 0, "verbose": False, "compile": False}
        model(net).fit(X, Y, epochs=3, callbacks=callbacks, **settings)
        states.append((net.layer.state(), net.calls, net.rng.normal(), np.random.normal()))  # noqa: NPY002
    (one, *rest), (other, *others) = states
    assert rest == others
    assert all(np.array_equal(one[path], other[path]) for path in one)


def test_a_diagnosis_leaves_everything_as_it_was() -> None:
    m = model(noisy())
    m.fit(X, Y, epochs=2, seed=0, verbose=False)
    m.network.train(True)
    before = {path: tensor.data for path, tensor in m.network.named_tensors().items()}
    grads = [p.grad for p in m.network.parameters()]
    state = m.optimizer.state_dict()
    m.diagnose(X, Y)
    assert all(t.data is before[path] for path, t in m.network.named_tensors().items())
    assert all(p.grad is g for p, g in zip(m.network.parameters(), grads, strict=True))
    assert m.optimizer.steps == state["steps"]
    assert all("forward" not in vars(module) for module in m.network.modules().values())
    m.fit(X, Y, epochs=1, seed=0, verbose=False)  # the optimiser still knows the network


def test_a_loader_is_asked_for_nothing_more() -> None:
    asked = []

    def batches() -> Any:
        for i in range(4):
            asked.append(i)
            yield X[i::4], Y[i::4]

    doctor = Doctor(report=False)
    model().fit(batches, epochs=3, seed=0, verbose=False, callbacks=[doctor])
    assert asked == [0, 1, 2, 3] * 3
    assert doctor.findings.kinds == []


def test_a_small_last_batch_of_a_loader_is_not_taken_for_the_batch_size() -> None:
    net = nn.Sequential(nn.Dense(2, 8), nn.BatchNorm1D(8), nn.ReLU(), nn.Dense(8, 3), rng=0)
    loader = data.Loader((X[:67], Y[:67]), batch_size=32, seed=0)
    doctor = Doctor(report=False)
    model(net).fit(loader, epochs=2, seed=0, verbose=False, callbacks=[doctor])
    assert doctor.findings.kinds == []


def test_an_examination_that_fails_is_given_up_and_training_goes_on() -> None:
    class Moody(nn.Module):
        def __init__(self) -> None:
            self.inner, self.broken = network(8), False

        def forward(self, x: Any) -> Any:
            if self.broken and len(x) == 64:
                raise RuntimeError("not this one")
            return self.inner(x)

    class Break(train.Callback):
        def on_epoch_end(self, run: train.Run) -> None:
            run.network.broken = True  # type: ignore[attr-defined]

    m = model(Moody())
    with pytest.warns(RuntimeWarning, match="the doctor gave up an examination: RuntimeError: not"):
        history = m.fit(
            X, Y, epochs=3, seed=0, verbose=False, callbacks=[Break(), Doctor(report=False)]
        )
    assert history.epochs == 3


# what it says


def test_findings_are_sorted_and_plain_data() -> None:
    found = model(optimizer=optim.SGD(1e3)).diagnose(X * 255, Y)
    ranks = [["error", "warning", "note"].index(finding.severity) for finding in found]
    assert ranks == sorted(ranks)
    assert json.loads(json.dumps(found.to_dicts()))[0]["severity"] == "error"
    assert str(Diagnosis()) == "nothing found"
    assert "change" in str(found)


def test_findings_show_themselves_in_colour() -> None:
    from rich.console import Console

    console = Console(width=100, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as shown:
        console.print(model().diagnose(X * 255, Y))
        console.print(Diagnosis())
    assert "Inputs are not scaled" in shown.get()
    assert "nothing found" in shown.get()


def test_the_report_comes_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    model().fit(X * 255, Y, epochs=2, seed=0, verbose=False, callbacks=[Doctor()])
    assert "Inputs are not scaled" in capsys.readouterr().out
    model().fit(X, Y, epochs=2, seed=0, verbose=False, callbacks=[Doctor()])
    assert capsys.readouterr().out == ""


def test_a_doctor_can_be_called_again() -> None:
    doctor = Doctor(report=False)
    model().fit(X * 255, Y, epochs=1, seed=0, verbose=False, callbacks=[doctor])
    assert doctor.findings
    model().fit(X, Y, epochs=1, seed=0, verbose=False, callbacks=[doctor])
    assert not doctor.findings


@pytest.mark.parametrize("rows", [1, 2.5, True])
def test_a_number_of_rows_that_is_none(rows: Any) -> None:
    with pytest.raises(ValueError, match="Doctor: expected rows of at least 2"):
        Doctor(rows)


def test_an_interrupted_run_is_examined_too() -> None:
    class Stop(train.Callback):
        def on_epoch_end(self, run: train.Run) -> None:
            run.stop("enough")

    doctor = Doctor(report=False)
    model().fit(X, Y, epochs=5, seed=0, verbose=False, callbacks=[Stop(), doctor])
    assert doctor.findings.kinds == []
