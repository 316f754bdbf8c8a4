"""Training through compiled programs, held against eager training."""

from __future__ import annotations

import inspect
import re
import warnings
from typing import Any

import numpy as np
import pytest

from pellucid import Tensor, nn, optim, train
from pellucid.arrays import namespace
from pellucid.compiler.trace import TraceError
from pellucid.train import native

RNG = np.random.default_rng(0)
X = RNG.normal(size=(70, 6)).astype("f4")
LABELS = (X[:, 0] + X[:, 1] > 0).astype(int) + (X[:, 2] > 0.5)


def model(**options: Any) -> train.Model:
    network = nn.Sequential(
        nn.Dense(6, 16, "relu"), nn.Dropout(0.2), nn.Dense(16, 3, "softmax"), rng=0
    )
    settings: dict[str, Any] = {"optimizer": optim.Adam(0.01), "metrics": ["accuracy"]}
    return train.Model(network, "cross_entropy", **(settings | options))


def both(**options: Any) -> tuple[train.History, train.History]:
    """Return the histories of the same training, eager and compiled; fit's options apart."""
    of_fit = {k: options.pop(k) for k in ("sample_weight", "callbacks") if k in options}
    histories = []
    for choice in (False, True):
        trained = model(**{k: v() if inspect.isfunction(v) else v for k, v in options.items()})
        histories.append(
            trained.fit(
                X, LABELS, epochs=5, batch_size=16, seed=0, verbose=False, compile=choice, **of_fit
            )
        )
    return histories[0], histories[1]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"penalty": nn.L2(1e-3), "constraint": nn.MaxNorm(1.0)},
        {"optimizer": lambda: optim.AdamW(
            optim.schedules.Cosine(0.01, 25), weight_decay=0.01, clip_norm=0.5,
            groups=[optim.no_decay_on_vectors(), optim.Group("layers.0.*", lr=1e-3)])},
        {"sample_weight": RNG.uniform(0.5, 2, len(X))},
    ],
    ids=["plain", "penalty", "groups", "weights"],
)  # fmt: skip
def test_compiled_training_is_eager_training(options: dict[str, Any]) -> None:
    eager, native = both(**options)
    assert list(eager) == list(native)
    for name in eager:
        np.testing.assert_allclose(native[name], eager[name], rtol=2e-4, atol=1e-6, err_msg=name)


def test_callbacks_that_change_rates_and_weights_are_followed() -> None:
    class Reset(train.Callback):
        def on_epoch_end(self, run: train.Run) -> None:
            run.optimizer.lr = 0.02
            state = run.network.state()
            run.network.load_state({path: array * 0.9 for path, array in state.items()})

    eager, native = both(callbacks=[Reset()])
    np.testing.assert_allclose(native["loss"], eager["loss"], rtol=2e-4)


def test_a_second_fit_goes_on() -> None:
    trained = [model(), model()]
    for _ in range(2):
        losses = [
            m.fit(X, LABELS, epochs=2, batch_size=16, seed=1, verbose=False, compile=choice)["loss"]
            for m, choice in zip(trained, (False, True), strict=True)
        ]
        np.testing.assert_allclose(losses[1], losses[0], rtol=2e-4)


def test_frozen_layers_stay() -> None:
    trained = model()
    trained.fit(X, LABELS, epochs=1, batch_size=16, seed=1, verbose=False, compile=True)
    first = trained.network[0]  # type: ignore[index]
    first.weight.requires_grad = first.bias.requires_grad = False
    before = first.weight.data.copy()
    trained.fit(X, LABELS, epochs=1, batch_size=16, seed=1, verbose=False, compile=True)
    np.testing.assert_array_equal(first.weight.data, before)


class Steering(nn.Module):
    """A network whose Python looks at values."""

    def __init__(self) -> None:
        self.dense = nn.Dense(6, 3, rng=0)

    def forward(self, x: Any) -> Tensor:
        z = self.dense(x)
        return z if float(z.data.sum()) > 0 else z * 1.0


def test_what_cannot_be_traced_is_trained_eagerly_with_one_warning() -> None:
    trained = train.Model(Steering(), "cross_entropy")
    with pytest.warns(UserWarning, match=r"without compiled code: .*test_native.py:\d+") as caught:
        trained.fit(X, LABELS, epochs=2, batch_size=16, seed=0, verbose=False, compile="auto")
    assert len(caught) == 1
    eager = train.Model(Steering(), "cross_entropy")
    eager.fit(X, LABELS, epochs=2, batch_size=16, seed=0, verbose=False, compile=False)
    for mine, theirs in zip(trained.network.parameters(), eager.network.parameters(), strict=True):
        np.testing.assert_array_equal(mine.data, theirs.data)


def test_insisting_raises() -> None:
    trained = train.Model(Steering(), "cross_entropy")
    with pytest.raises(TraceError, match=r"test_native.py:\d+"):
        trained.fit(X, LABELS, epochs=1, verbose=False, compile=True)


def images() -> train.Model:
    network = nn.Sequential(nn.Conv1D(1, 2, 3), nn.Flatten(), nn.Dense(8, 3), rng=0)
    return train.Model(network, "cross_entropy")


def test_why_updates_are_eager_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    trained, reason = images(), r"no native code for conv yet \(.*\.py:\d+\)"
    for _ in range(2):  # the second fit knows it from the first
        history = trained.fit(X[..., None], LABELS, epochs=2, verbose="lines")
        assert re.fullmatch(reason, history.eager)
        first, *lines = capsys.readouterr().out.splitlines()
        assert re.fullmatch(f"updates are eager: {reason}", first)
        assert [line.partition("/")[0] for line in lines] == ["epoch 1", "epoch 2"]


@pytest.mark.parametrize("choice", ["auto", True, False])
def test_nothing_is_told_where_updates_are_as_asked_for(
    choice: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = train.Model(nn.Sequential(nn.Dense(6, 3), rng=0), "cross_entropy")
    history = trained.fit(X, LABELS, epochs=1, compile=choice, verbose="lines")
    assert history.eager == ""
    assert "eager" not in capsys.readouterr().out


def test_other_reasons_for_eager_updates() -> None:
    trained = train.Model(nn.Sequential(nn.Dense(6, 3), rng=0), "cross_entropy")
    history = trained.fit(X, LABELS, epochs=1, accumulate=2, verbose=False)
    assert history.eager == "no native code for accumulate=2 yet"
    with pytest.warns(UserWarning, match="without compiled code"):
        history = train.Model(Steering(), "cross_entropy").fit(X, LABELS, epochs=1, verbose=False)
    assert re.match(r"expected tensors. own operations .* at test_native.py:\d+", history.eager)


def test_eager_outputs_of_what_cannot_be_traced_are_told_once_a_model() -> None:
    model = train.Model(Steering(), "cross_entropy")
    with pytest.warns(UserWarning, match=r"without compiled code: .*test_native.py:\d+") as caught:
        eager = model.predict(X, batch_size=16)
    assert len(caught) == 1
    for _ in range(2):  # another warning would be an error
        model.evaluate(X, LABELS, batch_size=16)
        model.predict_proba(X, batch_size=16)
    assert caught[0].filename == __file__
    assert re.match(r"expected tensors. own operations .* at test_native.py:\d+", model.eager)
    np.testing.assert_array_equal(eager, model.predict(X, batch_size=16, compile=False))
    assert model.eager == ""  # as asked for


def test_what_training_told_is_not_told_again() -> None:
    model = train.Model(Steering(), "cross_entropy")
    with pytest.warns(UserWarning, match="without compiled code") as caught:
        model.fit(X, LABELS, epochs=2, validation_data=(X, LABELS), verbose=False)
    assert len(caught) == 1
    model.evaluate(X, LABELS, batch_size=16)
    assert "test_native.py" in model.eager


def test_outputs_without_kernels_say_why_and_do_not_warn() -> None:
    model = images()
    model.predict(X[..., None], batch_size=16)
    assert re.fullmatch(r"no native code for conv yet \(.*\.py:\d+\)", model.eager)
    native = train.Model(nn.Sequential(nn.Dense(6, 3), rng=0), "cross_entropy")
    native.predict(X, batch_size=16)
    assert native.eager == ""


def test_callbacks_see_why_updates_are_eager() -> None:
    class Look(train.Callback):
        def on_batch_end(self, run: train.Run) -> None:
            seen.append(run.eager)

    seen: list[str] = []
    history = images().fit(X[..., None], LABELS, epochs=1, callbacks=[Look()], verbose=False)
    assert set(seen) == {history.eager}


def test_convolution_is_trained_eagerly_without_a_warning() -> None:
    trained, eager = images(), images()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained.fit(X[..., None], LABELS, epochs=1, verbose=False, seed=0, compile="auto")
    eager.fit(X[..., None], LABELS, epochs=1, verbose=False, seed=0)
    for mine, theirs in zip(trained.network.parameters(), eager.network.parameters(), strict=True):
        np.testing.assert_array_equal(mine.data, theirs.data)
    with pytest.raises(TypeError, match="no native code for"):
        images().fit(X[..., None], LABELS, epochs=1, verbose=False, compile=True)


def test_an_update_that_is_not_finite_is_none() -> None:
    trained = model(optimizer=optim.SGD(1e30))
    before = trained.network.state()
    with pytest.warns(RuntimeWarning, match="training stopped"):
        trained.fit(X, LABELS, epochs=3, batch_size=70, seed=0, verbose=False, compile=True)
    for path, array in trained.network.state().items():
        assert np.isfinite(array).all()
        assert path in before


@pytest.mark.parametrize("choice", ["yes", None, 2])
def test_other_choices_are_refused(choice: Any) -> None:
    with pytest.raises(ValueError, match='expected compile to be True, False or "auto"'):
        model().fit(X, LABELS, epochs=1, verbose=False, compile=choice)


@pytest.mark.parametrize("choice", ["auto", False])
@pytest.mark.parametrize("threads", [0, 1.5, "2", True])
def test_other_numbers_of_threads_are_refused(threads: Any, choice: Any) -> None:
    trained = model()
    before = trained.network.state()
    with pytest.raises(ValueError, match="expected threads to be a whole number of at least 1"):
        trained.fit(X, LABELS, epochs=1, verbose=False, threads=threads, compile=choice)
    for path, array in trained.network.state().items():
        np.testing.assert_array_equal(array, before[path])


def test_all_programs_of_a_model_use_the_threads_of_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    compiled = native.compiled

    def watched(*args: Any, threads: int | None = None) -> Any:
        seen.append(threads or 0)
        return compiled(*args, threads=threads)

    monkeypatch.setattr(native, "compiled", watched)
    trained = model()
    trained.fit(X, LABELS, epochs=1, verbose=False, threads=3, validation_data=(X, LABELS))
    trained.evaluate(X, LABELS)
    trained.predict(X)
    assert len(seen) == 4  # by batch and by rows; what the loss takes, and outputs
    assert set(seen) == {3}


@pytest.mark.parametrize("function", ["predict", "predict_proba", "predict_classes"])
def test_predictions_are_compiled_or_not(function: str) -> None:
    trained = model()
    predict = getattr(trained, function)
    np.testing.assert_allclose(
        predict(X, compile=True), predict(X, compile=False), rtol=1e-5, atol=1e-6
    )
    with pytest.raises(ValueError, match='expected compile to be True, False or "auto"'):
        predict(X, compile="yes")
    steering = getattr(train.Model(Steering(), "cross_entropy"), function)
    steering(X, compile=False)
    with pytest.raises(TraceError, match=r"test_native.py:\d+"):
        steering(X, compile=True)


def test_programs_that_predict_are_kept_and_follow_the_network() -> None:
    trained = model()
    x = np.concatenate([X, X])
    first = trained.predict(x, batch_size=70)
    trained.fit(X, LABELS, epochs=1, batch_size=16, seed=0, verbose=False)
    second = trained.predict(x, batch_size=70)
    assert not np.allclose(first, second)
    eager = trained.predict(x, batch_size=70, compile=False)
    np.testing.assert_allclose(second, eager, rtol=1e-5, atol=1e-6)
    assert len(trained._forwards) == 1
    trained.network = model().network
    np.testing.assert_allclose(trained.predict(x, batch_size=70), first, rtol=1e-5, atol=1e-6)
    assert len(trained._forwards) == 1


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "u4", "u8", ">i4", ">f4", "f2", "?"])
def test_data_of_every_width_are_trained_on_natively(dtype: str) -> None:
    """Bytes are what images and labels most often come in."""
    x, y = np.abs(4 * X).astype(dtype), (LABELS > 0).astype(dtype)
    weights = []
    for choice in (True, False):
        trained = model()
        trained.fit(x, y, epochs=2, batch_size=16, seed=0, verbose=False, compile=choice)
        trained.predict(x, batch_size=70, compile=choice)
        weights.append(trained.network[0].weight.data)
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-4, atol=1e-5)


def test_batches_in_which_nothing_counts_change_nothing() -> None:
    """Neither statistics nor the streams of random numbers, natively as eagerly."""
    found = []
    for choice in (True, False):
        network = nn.Sequential(
            nn.Dense(6, 5), nn.BatchNorm1D(5), nn.Dropout(0.2), nn.Dense(5, 3), rng=0
        )
        loss = nn.CrossEntropyLoss(class_weight=[0, 0, 1.0])  # most batches of two hold no 2
        trained = train.Model(network, loss, optim.Adam(0.01))
        trained.fit(X, LABELS, epochs=2, batch_size=2, seed=0, verbose=False, compile=choice)
        found.append(trained.network.state())
    for path, array in found[0].items():
        np.testing.assert_allclose(array, found[1][path], rtol=1e-4, atol=1e-5, err_msg=path)


@pytest.mark.parametrize("choice", [True, False])
def test_a_layer_that_takes_the_place_of_a_trained_one_is_refused(choice: bool) -> None:
    """What the optimiser remembers is of the old one."""
    trained = model()
    trained.fit(X, LABELS, epochs=1, verbose=False, compile=choice)
    trained.network.layers[0] = nn.Dense(6, 16, "tanh", rng=1)
    with pytest.raises(ValueError, match=r"expected layers.0.weight to be the tensor of the steps"):
        trained.fit(X, LABELS, epochs=1, verbose=False, compile=choice)
    trained.optimizer.reset()
    trained.fit(X, LABELS, epochs=1, verbose=False, compile=choice)


@pytest.mark.parametrize("choice", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bad", [-1, 10])
def test_words_out_of_range_are_refused_wherever_they_are(
    bad: int, dtype: str, choice: bool
) -> None:
    """Neither trained on as another word nor predicted from."""
    words = RNG.integers(0, 10, (40, 3))
    wrong = words.copy()
    wrong[25, 1] = bad
    layers = [nn.Embedding(10, 4), nn.Flatten(), nn.Dense(12, 2)]
    trained = train.Model(nn.Sequential(*layers, rng=0).astype(dtype), "cross_entropy")
    how = {"batch_size": 8, "compile": choice}
    trained.fit(words, words[:, 0] % 2, epochs=1, seed=0, verbose=False, **how)
    steps, match = trained.optimizer.steps, f"Embedding: expected indices from 0 to 9, got {bad}"
    with pytest.raises(IndexError, match=match):
        trained.fit(wrong, words[:, 0] % 2, epochs=1, seed=0, verbose=False, **how)
    assert steps <= trained.optimizer.steps < steps + 5
    for ask in (trained.predict, trained.predict_proba, trained.predict_classes):
        with pytest.raises(IndexError, match=match):
            ask(wrong, **how)
    with pytest.raises(IndexError, match=match):
        trained.evaluate(wrong, words[:, 0] % 2, **how)


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_programs_that_predict_follow_the_loss(activation: str | None) -> None:
    """Which layer's output it takes, and what makes probabilities of that."""
    network = nn.Sequential(nn.Dense(6, 3, activation), rng=0)
    trained = train.Model(network, "cross_entropy")
    x, y = X[:32], LABELS[:32]
    for from_logits in (True, False, True):
        trained.loss = nn.CrossEntropyLoss(from_logits=from_logits)
        for function in (trained.predict_proba, trained.predict_classes):
            found, expected = (function(x, 32, compile=choice) for choice in (True, False))
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        if from_logits or activation:
            found, expected = (trained.evaluate(x, y, 32, compile=c) for c in (True, False))
            assert found == pytest.approx(expected, rel=1e-5)


def test_an_optimiser_may_remember_less_than_a_number_for_each_weight() -> None:
    class Rows(optim.Optimizer):
        """Divide gradients by a running root mean square of their row."""

        def init(self, param: Any) -> dict[str, Any]:
            return {"squares": np.zeros(param.shape[:1], param.dtype)}

        def update(self, param: Any, grad: Any, state: Any, step: int) -> Any:
            xp, axes = namespace(param), tuple(range(1, len(param.shape)))
            mean = xp.sum(grad * grad, axis=axes, keepdims=True) if axes else grad * grad
            kept = xp.reshape(state["squares"], (-1, *(1 for _ in axes)))
            squares = 0.9 * kept + 0.1 * mean
            new = param - self.rate() * grad / (xp.sqrt(squares) + 1e-4)
            return new, {"squares": xp.reshape(squares, param.shape[:1])}

    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 5)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    losses = []
    for choice in (True, False):
        network = nn.Sequential(nn.Dense(5, 6, "relu"), nn.Dense(6, 2), rng=0)
        model = train.Model(network, "cross_entropy", Rows(0.01))
        options: Any = {"compile": choice, "verbose": False, "seed": 0, "batch_size": 16}
        losses.append([model.fit(x, y, epochs=1, **options)["loss"][0] for _ in range(3)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    model.network = nn.Sequential(nn.Dense(5, 7, "relu"), nn.Dense(7, 2), rng=0)
    with pytest.raises(
        ValueError, match=r"in the shape \(5, 6\) of the steps before, got \(5, 7\)"
    ):
        model.fit(x, y, epochs=1, **options)
