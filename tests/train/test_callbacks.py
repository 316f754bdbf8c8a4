"""What callbacks see and may do: events, stopping, Ctrl-C, a loss that is no number."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

from pellucid import nn, optim, train
from pellucid.train import Callback, EarlyStopping, History, Model, ReduceLROnPlateau, Run
from train.problems import Spy, blobs, classifier, line, same_state

X, Y = blobs()


def model(rate: float = 0.02, **options: Any) -> Model:
    return Model(classifier(), "cross_entropy", optim.Adam(rate), **options)


def fit(model: Model, *callbacks: Any, x: Any = X, y: Any = Y, **options: Any) -> train.History:
    settings = {"epochs": 5, "batch_size": 30, "seed": 0, "verbose": False} | options
    return model.fit(x, y, callbacks=callbacks, **settings)


# events


def test_events_come_in_order_with_counts_from_1() -> None:
    spy = Spy()
    history = fit(model(), spy, epochs=2, batch_size=40)
    epoch = [
        ("epoch_begin", 0),
        ("batch_end", 1),
        ("batch_end", 2),
        ("batch_end", 3),
        ("epoch_end", 3),
    ]
    assert spy.events == [
        ("fit_begin", 0, 0),
        *((event, 1, batch) for event, batch in epoch),
        *((event, 2, batch if event != "epoch_begin" else 3) for event, batch in epoch),
        ("fit_end", 2, 3),
    ]
    assert history.stopped == ""
    assert history.epochs == 2


def test_a_run_tells_what_it_works_on() -> None:
    seen: list[Run] = []
    m = model()
    history = fit(m, Spy(lambda event, run: seen.append(run)), epochs=3, batch_size=40)
    run = seen[0]
    assert all(other is run for other in seen)
    assert run.network is m.network
    assert run.optimizer is m.optimizer
    assert run.history is history
    assert (run.epochs, run.batches) == (3, 3)


def test_logs_are_the_batch_s_loss_then_the_epoch_s_values() -> None:
    spy = Spy()
    history = fit(model(metrics=["accuracy"]), spy, epochs=2, validation_data=blobs(seed=1))
    names = [list(logs) for event, logs in spy.logs if event == "batch_end"]
    assert names == [["loss"]] * 6
    ends = [logs for event, logs in spy.logs if event == "epoch_end"]
    assert list(ends[0]) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    for epoch, logs in enumerate(ends):
        assert logs == {name: values[epoch] for name, values in history.items()}


def test_the_history_has_the_epoch_when_its_end_is_told() -> None:
    lengths: list[int] = []
    fit(
        model(),
        Spy(
            lambda event, run: lengths.append(run.history.epochs) if event == "epoch_end" else None
        ),
    )
    assert lengths == [1, 2, 3, 4, 5]


def test_callbacks_are_told_in_the_order_they_are_given() -> None:
    order: list[str] = []
    first, second = (Spy(lambda event, run, n=n: order.append(n)) for n in ("first", "second"))
    fit(model(), first, second, epochs=1)
    assert order == ["first", "second"] * (len(order) // 2)


def test_a_callback_defines_only_the_events_it_needs() -> None:
    class Last(Callback):
        loss = math.nan

        def on_epoch_end(self, run: Run) -> None:
            self.loss = run.logs["loss"]

    last = Last()
    history = fit(model(), last)
    assert last.loss == history["loss"][-1]


def test_a_callback_need_not_inherit_if_it_has_every_event() -> None:
    class Duck:
        def __init__(self) -> None:
            self.count = 0

        def on_any(self, run: Run) -> None:
            self.count += 1

        on_fit_begin = on_epoch_begin = on_batch_end = on_epoch_end = on_fit_end = on_any

    duck = Duck()
    fit(model(), duck, epochs=1)
    assert duck.count == 1 + 1 + 3 + 1 + 1


def test_weights_move_between_batches_and_not_after_the_last() -> None:
    weights: list[Any] = []
    m = model()
    fit(m, Spy(lambda event, run: weights.append(run.network.state()["layers.0.weight"])), epochs=1)
    fit_begin, epoch_begin, first, second, third, epoch_end, fit_end = weights
    np.testing.assert_array_equal(fit_begin, epoch_begin)
    for a, b in ((epoch_begin, first), (first, second), (second, third)):
        assert not np.array_equal(a, b)
    np.testing.assert_array_equal(third, epoch_end)
    np.testing.assert_array_equal(third, fit_end)


# stopping


@pytest.mark.parametrize(("event", "epoch", "batches"), [("batch_end", 2, 4), ("epoch_end", 2, 6)])
def test_run_stop_ends_after_the_current_batch_or_epoch(
    event: str, epoch: int, batches: int
) -> None:
    def act(what: str, run: Run) -> None:
        if what == event and run.epoch == epoch:
            run.stop("enough")
            run.stop("a second reason is not taken")

    spy = Spy(act)
    m = model()
    history = fit(m, spy)
    assert history.stopped == "enough"
    assert history.epochs == 2
    assert m.optimizer.steps == batches
    assert [e for e, _, _ in spy.events][-2:] == ["epoch_end", "fit_end"]


def test_an_epoch_cut_short_has_the_loss_and_metrics_of_what_it_saw() -> None:
    losses: list[float] = []

    def act(event: str, run: Run) -> None:
        if event == "batch_end":
            losses.append(run.logs["loss"])
            if run.batch == 2:
                run.stop("enough")

    history = fit(model(metrics=["accuracy"]), Spy(act), batch_size=40)
    assert history["loss"] == [pytest.approx(np.mean(losses))]
    assert 0 <= history["accuracy"][0] <= 1


def test_an_exception_of_a_callback_reaches_the_caller_and_ends_the_run_in_order() -> None:
    def act(event: str, run: Run) -> None:
        if event == "batch_end":
            raise LookupError("mine")

    m, spy = model(), Spy(act)
    m.network.eval()
    with pytest.raises(LookupError, match="mine"):
        fit(m, spy)
    assert [e for e, _, _ in spy.events] == ["fit_begin", "epoch_begin", "batch_end", "fit_end"]
    assert not m.network.training


def test_an_exception_before_the_first_epoch_leaves_the_mode_too() -> None:
    def act(event: str, run: Run) -> None:
        raise LookupError("mine")

    m = model()
    m.network.eval()
    with pytest.raises(LookupError, match="mine"):
        fit(m, Spy(act))
    assert not m.network.training


# Ctrl-C


def interrupt(when: str, epoch: int, batch: int = 0) -> Spy:
    def act(event: str, run: Run) -> None:
        if event == when and run.epoch == epoch and (not batch or run.batch == batch):
            raise KeyboardInterrupt

    return Spy(act)


@pytest.mark.parametrize("training", [True, False])
def test_ctrl_c_keeps_what_was_learned_and_recorded(training: bool) -> None:
    m, whole = model(metrics=["accuracy"]), model(metrics=["accuracy"])
    m.network.train(training)
    spy = interrupt("batch_end", epoch=3, batch=2)
    history = fit(m, spy)
    expected = fit(whole, epochs=2)
    assert history.stopped == "interrupted in epoch 3"
    assert dict(history) == dict(expected)
    assert m.optimizer.steps == 3 + 3 + 2
    assert not same_state(m.network, whole.network)
    assert all(module.training is training for module in m.network.modules().values())
    assert spy.events[-1][0] == "fit_end"
    assert m.evaluate(X, Y)["accuracy"] > 0.5


@pytest.mark.parametrize("when", ["epoch_begin", "epoch_end"])
def test_ctrl_c_between_epochs(when: str) -> None:
    history = fit(model(), interrupt(when, epoch=2))
    assert history.epochs == (1 if when == "epoch_begin" else 2)
    assert history.stopped == "interrupted in epoch 2"


def test_ctrl_c_in_the_first_batch_returns_an_empty_history() -> None:
    history = fit(model(), interrupt("batch_end", epoch=1, batch=1))
    assert history.epochs == 0
    assert dict(history) == {}
    assert repr(history) == "History(0 epochs)"


def test_training_goes_on_after_ctrl_c() -> None:
    m = model()
    fit(m, interrupt("batch_end", epoch=1, batch=2))
    assert fit(m, epochs=1).epochs == 1


# a loss that is no number


@pytest.mark.parametrize("rate", [1e10, 1e20, 1e30, 1e38])
@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_a_loss_that_is_no_number_stops_with_one_warning_and_finite_weights(
    kind: Any, rate: float
) -> None:
    x, y = line()
    network = nn.Sequential(nn.Dense(3, 8), nn.Dense(8, 8), nn.Dense(8, 1), rng=0)
    m = Model(network, "mse", kind(rate), metrics=["r2"])
    spy = Spy()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = fit(m, spy, x=x, y=y, epochs=200, batch_size=20, validation_data=(x, y))
    (warning,) = caught
    assert warning.category is RuntimeWarning
    assert warning.filename == __file__
    assert str(warning.message).startswith("training stopped: the ")
    assert f"in epoch {spy.events[-1][1]}, batch {spy.events[-1][2]}; try a lower" in str(
        warning.message
    )
    assert history.stopped in str(warning.message)
    assert history.epochs == spy.events[-1][1]
    for path, array in network.state().items():
        assert np.isfinite(array).all(), path
    assert [e for e, _, _ in spy.events][-2:] == ["epoch_end", "fit_end"]


def test_weights_that_overflow_in_the_step_itself_are_put_back() -> None:
    """The loss is finite, its gradient is not: the step would leave infinity in the weights."""
    x = np.full((4, 1), 3e18, np.float32)
    m = Model(nn.Dense(1, 1, init="zeros"), "mse", optim.SGD(1e30))
    with pytest.warns(
        RuntimeWarning, match=r"the update is not finite in epoch 1, batch 1; try a lower"
    ):
        m.fit(x, np.full(4, 1e10), epochs=1, seed=0, verbose=False)
    assert all(np.isfinite(array).all() for array in m.network.state().values())


class Spike(nn.Penalty):
    """Nothing, or a slope that is not finite."""

    factor = 0.0

    def __call__(self, w: Any) -> Any:
        return (self.factor * w).sum()


@pytest.mark.parametrize("name", ["adam", "momentum", "adadelta", "nadam"])
def test_an_update_that_is_not_finite_leaves_nothing_in_the_optimiser(name: str) -> None:
    """Infinity in its moments would hold the weights for good; it goes on as if never made."""
    broken, sound = (Model(classifier(), "cross_entropy", name, penalty=Spike()) for _ in "ab")
    for m in (broken, sound):
        fit(m, epochs=1)
    spike = broken.penalties[""]
    spike.factor = math.inf
    with pytest.warns(RuntimeWarning, match="the update is not finite in epoch 1, batch 1"):
        fit(broken, epochs=1)
    spike.factor = 0.0
    assert broken.optimizer.steps == sound.optimizer.steps == 3
    for m in (broken, sound):
        fit(m, epochs=1)
    assert same_state(broken.network, sound.network)
    assert broken.optimizer.counts == sound.optimizer.counts
    for path, arrays in sound.optimizer.state.items():
        for part, array in arrays.items():
            np.testing.assert_array_equal(broken.optimizer.state[path][part], array)


def test_nan_from_a_network_of_one_s_own_stops_in_its_batch() -> None:
    class Poison(nn.Module):
        calls = 0

        def __init__(self) -> None:
            self.dense = nn.Dense(2, 3, rng=0)

        def forward(self, x: Any) -> Any:
            self.calls += self.training
            return self.dense(x) * (math.nan if self.training and self.calls == 5 else 1.0)

    m = Model(Poison(), "cross_entropy", metrics=["accuracy"])
    with pytest.warns(RuntimeWarning, match="the loss is nan in epoch 2, batch 2; try a lower"):
        history = fit(m, validation_data=(X, Y), compile=False)
    assert m.optimizer.steps == 4
    assert history.epochs == 2
    assert history.stopped.startswith("the loss is nan")
    assert np.isfinite(history["loss"]).all()
    assert math.isnan(history["val_loss"][1])


# early stopping


class Script(Callback):
    """Put given numbers in the logs before early stopping reads them; mark the weights."""

    def __init__(self, values: list[float], name: str = "val_loss") -> None:
        self.values, self.name = values, name

    def on_epoch_end(self, run: Run) -> None:
        run.logs[self.name] = self.values[run.epoch - 1]
        run.network[0].bias.data = np.full(16, run.epoch, np.float32)


def stopped(
    values: list[float], stopper: EarlyStopping, name: str = "val_loss"
) -> tuple[train.History, int]:
    """Return the history of such a run, and the epoch of the weights it ended with."""
    m = model()
    history = fit(m, Script(values, name), stopper, epochs=len(values), validation_data=(X, Y))
    return history, int(m.network[0].bias.data[0])


def test_patience_counts_the_epochs_without_improvement() -> None:
    values = [5, 4, 3, 3.5, 3, 3.1, 1, 1]
    for patience, last in ((1, 4), (2, 5), (3, 6)):
        stopper = EarlyStopping(patience=patience)
        history, weights = stopped(values, stopper)
        assert history.epochs == last
        assert history.stopped == "val_loss has not improved since epoch 3"
        assert weights == 3
        assert (stopper.best, stopper.best_epoch) == (3, 3)
    history, weights = stopped(values, EarlyStopping(patience=4))
    assert history.epochs == 8
    assert history.stopped == ""
    assert weights == 7


def test_a_score_is_better_when_larger() -> None:
    stopper = EarlyStopping(monitor="val_accuracy", patience=2)
    history, weights = stopped([0.1, 0.5, 0.4, 0.5, 0.9], stopper, "val_accuracy")
    assert history.epochs == 4
    assert weights == 2
    assert (stopper.best, stopper.best_epoch) == (0.5, 2)


def test_mode_says_otherwise() -> None:
    stopper = EarlyStopping(monitor="val_accuracy", patience=2, mode="min")
    history, weights = stopped([0.5, 0.1, 0.4, 0.5, 0.05], stopper, "val_accuracy")
    assert history.epochs == 4
    assert weights == 2
    assert stopper.best == 0.1


def test_a_metric_of_one_s_own_says_which_way_is_better() -> None:
    brier = train.metrics.Metric(
        "brier", lambda y, p: float(((p - y) ** 2).mean()), "values", higher_is_better=False
    )
    x, y = blobs(classes=2)
    m = Model(nn.Dense(2, 1, rng=0), "bce", optim.Adam(0.05), metrics=[brier])
    stopper = EarlyStopping(monitor="val_brier", patience=3)
    history = fit(m, stopper, x=x, y=y, epochs=20, validation_data=(x, y))
    assert history.epochs == 20
    assert stopper.best == min(history["val_brier"])
    assert history.best_epoch("val_brier") == stopper.best_epoch
    assert history.best_epoch("brier") > 1


def test_min_delta_is_what_counts_as_better() -> None:
    history, weights = stopped([5, 4.95, 4.9, 4.8, 4.0], EarlyStopping(patience=3, min_delta=0.5))
    assert history.epochs == 4
    assert weights == 1


def test_the_best_weights_come_back_without_stopping_too() -> None:
    """Other libraries restore them only when patience ran out."""
    history, weights = stopped([3, 1, 2], EarlyStopping(patience=10))
    assert history.stopped == ""
    assert weights == 2


def test_they_do_not_where_it_is_told_not_to() -> None:
    _, weights = stopped([3, 1, 2, 2, 2], EarlyStopping(patience=2, restore_best=False))
    assert weights == 4


def test_the_best_weights_come_back_bit_for_bit() -> None:
    best: dict[str, Any] = {}

    def act(event: str, run: Run) -> None:
        if event == "epoch_end" and run.epoch == stopper.best_epoch:
            best.update(run.network.state())

    m, stopper = model(rate=2.0), EarlyStopping(patience=4)
    history = fit(m, stopper, Spy(act), epochs=40, validation_data=blobs(seed=3))
    assert history.stopped
    assert history.best_epoch() == stopper.best_epoch < history.epochs
    for path, array in m.network.state().items():
        np.testing.assert_array_equal(array, best[path])
    assert m.evaluate(*blobs(seed=3))["loss"] == min(history["val_loss"])


def test_the_best_weights_come_back_after_ctrl_c() -> None:
    m, stopper = model(), EarlyStopping(patience=10)
    script = Script([2, 1, 3, 4, 5])
    fit(m, script, stopper, interrupt("batch_end", epoch=4), validation_data=(X, Y))
    assert m.network[0].bias.data[0] == 2


def test_the_best_weights_come_back_after_an_exception() -> None:
    def act(event: str, run: Run) -> None:
        if event == "batch_end" and run.epoch == 4:
            raise LookupError

    m, stopper = model(), EarlyStopping(patience=10)
    with pytest.raises(LookupError):
        fit(m, Script([2, 1, 3, 4, 5]), stopper, Spy(act), validation_data=(X, Y))
    assert m.network[0].bias.data[0] == 2


@pytest.mark.parametrize("monitor", [None, "val_loss"])
def test_the_best_weights_come_back_after_a_stop_within_an_epoch(monitor: str | None) -> None:
    """That epoch is not validated: its training loss is not to be compared with the others'."""

    def act(event: str, run: Run) -> None:
        if event == "batch_end" and run.epoch == 3:
            run.stop("enough")

    m, stopper = model(), EarlyStopping(monitor, patience=10)
    history = fit(m, stopper, Spy(act), validation_data=(5 * X, Y[::-1].copy()))
    assert history.stopped == "enough"
    assert max(history["loss"]) < min(v for v in history["val_loss"] if not math.isnan(v))
    assert stopper.best == np.nanmin(history["val_loss"])
    assert stopper.best_epoch < 3


@pytest.mark.parametrize("monitor", [None, "val_loss", "val_r2"])
def test_the_best_weights_come_back_after_a_loss_that_is_no_number(monitor: str | None) -> None:
    x, y = line()
    m = Model(nn.Dense(3, 1, rng=0), "mse", optim.SGD(3.0), metrics=["r2"])
    stopper = EarlyStopping(monitor, patience=500)
    with pytest.warns(RuntimeWarning, match="training stopped: the loss is"):
        history = fit(m, stopper, x=x, y=y, epochs=500, validation_data=(x, y))
    assert history.stopped.startswith("the loss is")
    assert stopper.best_epoch == history.best_epoch(monitor)
    assert m.evaluate(x, y)["loss"] == pytest.approx(
        history["val_loss"][stopper.best_epoch - 1], rel=1e-6
    )


def test_a_stop_within_the_first_epoch_has_nothing_to_compare() -> None:
    def act(event: str, run: Run) -> None:
        if event == "batch_end":
            run.stop("enough")

    history = fit(model(), EarlyStopping("val_loss"), Spy(act), validation_data=(X, Y))
    assert history.stopped == "enough"


def test_without_validation_it_watches_the_training_loss() -> None:
    m, stopper = model(rate=1e-30), EarlyStopping(patience=2)
    history = fit(m, stopper, epochs=20)
    assert history.epochs < 20
    assert history.stopped.startswith("loss has not improved since epoch")


def test_an_unknown_monitor_lists_what_there_is() -> None:
    with pytest.raises(
        ValueError,
        match=r"expected monitor to be one of loss, accuracy, got 'val_loss'; pass validation_data",
    ):
        fit(model(metrics=["accuracy"]), EarlyStopping(monitor="val_loss"))


def test_nan_is_never_the_best() -> None:
    stopper = EarlyStopping(patience=3)
    history, weights = stopped([math.nan, 2, math.nan, 1, math.nan, math.nan, math.nan], stopper)
    assert history.epochs == 7
    assert weights == 4
    history, _ = stopped([math.nan] * 5, EarlyStopping(patience=2))
    assert history.epochs == 2


def test_minus_infinity_and_infinity_are_compared() -> None:
    stopper = EarlyStopping(patience=3)
    _, weights = stopped([math.inf, 5.0, math.inf], stopper)
    assert weights == 2
    _, weights = stopped([-math.inf, 5.0, -math.inf], stopper)
    assert weights == 1


def test_one_early_stopping_serves_one_fit_after_another() -> None:
    stopper = EarlyStopping(patience=2)
    stopped([1, 2, 3, 4], stopper)
    history, weights = stopped([9, 8, 7, 8, 9], stopper)
    assert history.epochs == 5
    assert weights == 3


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"patience": 0}, "expected patience of at least 1 epoch, got 0"),
        ({"patience": -2}, "expected patience of at least 1 epoch, got -2"),
        ({"patience": 1.5}, r"expected patience of at least 1 epoch, got 1\.5"),
        ({"patience": "5"}, "expected patience of at least 1 epoch, got '5'"),
        ({"min_delta": -0.1}, r"expected min_delta of at least 0, got -0\.1"),
        ({"min_delta": math.nan}, "expected min_delta of at least 0, got nan"),
        ({"min_delta": None}, "expected min_delta of at least 0, got None"),
        ({"mode": "lowest"}, 'expected mode to be "min", "max" or None, got \'lowest\''),
    ],
)
def test_settings_that_are_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        EarlyStopping(**options)


# lower rates on a plateau


def rates(
    values: list[float], callback: ReduceLROnPlateau, lr: Any = 0.1, name: str = "loss"
) -> list[float]:
    """Return the rate of the first step after each epoch that ended with such a value."""
    network = nn.Dense(2, 1, rng=0)
    for p in network.parameters():
        p.grad = np.zeros(p.shape, np.float32)
    optimizer = optim.SGD(lr)
    run = Run(network, optimizer, History(), len(values), 1)
    callback.on_fit_begin(run)
    found = []
    for run.epoch, value in enumerate(values, start=1):
        optimizer.step(network)
        run.logs = {name: value}
        callback.on_epoch_end(run)
        found.append(optimizer.rate(optimizer.steps + 1))
    callback.on_fit_end(run)
    return found


def test_patience_counts_the_epochs_before_the_rate_falls() -> None:
    values = [3.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0]
    for patience, expected in {
        1: [0.1, 0.1, 0.05, 0.025, 0.0125, 0.0125, 0.00625, 0.003125],
        2: [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.025],
        4: [0.1] * 8,
    }.items():
        found = rates(values, ReduceLROnPlateau(factor=0.5, patience=patience))
        assert found == pytest.approx(expected, rel=1e-12)


def test_epochs_of_cooldown_do_not_count() -> None:
    found = rates([1.0] * 8, ReduceLROnPlateau(factor=0.5, patience=1, cooldown=2))
    assert found == pytest.approx([0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025, 0.0125], rel=1e-12)


def test_the_rate_does_not_fall_below_the_least() -> None:
    found = rates([1.0] * 5, ReduceLROnPlateau(factor=0.1, patience=1, min_lr=0.004))
    assert found == pytest.approx([0.1, 0.01, 0.004, 0.004, 0.004], rel=1e-12)
    assert rates([1.0] * 3, ReduceLROnPlateau(patience=1, min_lr=0.5)) == [0.1] * 3


def test_a_score_that_falls_is_no_improvement() -> None:
    values = [0.1, 0.5, 0.4, 0.6]
    found = rates(values, ReduceLROnPlateau("val_f1", 0.5, patience=1), name="val_f1")
    assert found == pytest.approx([0.1, 0.1, 0.05, 0.05], rel=1e-12)
    found = rates(values, ReduceLROnPlateau("val_f1", 0.5, patience=1, mode="min"), name="val_f1")
    assert found == pytest.approx([0.1, 0.05, 0.025, 0.0125], rel=1e-12)


def test_a_schedule_goes_on_beneath_it() -> None:
    schedule = optim.schedules.Exponential(0.1, 0.9)
    found = rates([1.0] * 4, ReduceLROnPlateau(factor=0.5, patience=2), schedule)
    expected = [schedule(step) * scale for step, scale in ((2, 1), (3, 1), (4, 0.5), (5, 0.5))]
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.torch
@pytest.mark.parametrize("seed", range(20))
def test_random_losses_lower_the_rate_where_torch_does(seed: int) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    values = (np.exp(-np.arange(80) / 30) + 0.05 * rng.normal(size=80)).tolist()
    for place in rng.integers(80, size=3):
        values[place] = rng.choice([math.nan, math.inf])
    mode: Any = rng.choice(["min", "max"])
    patience, cooldown = int(rng.integers(1, 5)), int(rng.integers(0, 4))
    settings = {
        "factor": float(rng.uniform(0.2, 0.9)),
        "min_lr": float(rng.choice([0.0, 0.01])),
        "cooldown": cooldown,
    }
    min_delta = float(rng.choice([0.0, 0.02]))
    ours = ReduceLROnPlateau("loss", patience=patience, min_delta=min_delta, mode=mode, **settings)
    optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], 0.1)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer,
        mode,
        patience=patience - 1,
        threshold=min_delta,
        threshold_mode="abs",
        **settings,
    )
    expected = []
    for value in values:
        theirs.step(value)
        expected.append(optimizer.param_groups[0]["lr"])
    assert expected[-1] < 0.1
    found = rates(values, ours)
    assert found == pytest.approx(expected, rel=1e-6, abs=2e-8)  # theirs skips changes below 1e-8


def test_in_fit_the_rate_falls_and_stays_and_the_count_starts_anew() -> None:
    m = Model(classifier(), "cross_entropy", optim.Adam(1e-30))
    callback = ReduceLROnPlateau(patience=2)
    fit(m, callback, epochs=5, validation_data=(X, Y))
    assert m.optimizer.scale == pytest.approx(0.01)
    fit(m, callback, epochs=2, validation_data=(X, Y))
    assert m.optimizer.scale == pytest.approx(0.01)
    fit(m, callback, epochs=3, validation_data=(X, Y))
    assert m.optimizer.scale == pytest.approx(0.001)


# the rate in the history


def test_a_schedule_s_rate_is_in_the_history() -> None:
    """That of the last update of each epoch, after everything else; it goes on in the next fit."""
    schedule = optim.schedules.WarmUp(2, optim.schedules.Cosine(0.1, steps=40))
    m, spy = Model(classifier(), "cross_entropy", optim.Adam(schedule), metrics=["accuracy"]), Spy()
    history = fit(m, spy, epochs=3, validation_data=(X, Y))
    assert list(history) == ["loss", "accuracy", "val_loss", "val_accuracy", "lr"]
    assert history["lr"] == [schedule(3), schedule(6), schedule(9)]
    ends = [logs["lr"] for event, logs in spy.logs if event == "epoch_end"]
    assert ends == history["lr"]
    assert all("lr" not in logs for event, logs in spy.logs if event == "batch_end")
    again = fit(m, epochs=1, accumulate=3)
    assert again["lr"] == [schedule(10)]
    m = Model(classifier(), "cross_entropy", optim.Adam(lambda step: np.float32(0.5) / step))
    assert fit(m, epochs=1)["lr"] == [pytest.approx(0.5 / 3)]


def test_the_rate_of_an_epoch_is_the_one_before_the_plateau_lowers_it() -> None:
    m = Model(classifier(), "cross_entropy", optim.Adam(1e-30))
    more = {"min_delta": 1e-5}  # than what another order of the same examples is rounded to
    callbacks = ReduceLROnPlateau(patience=1, **more), EarlyStopping(patience=4, **more)
    history = fit(m, *callbacks, epochs=9)
    assert history["lr"] == pytest.approx([1e-30, 1e-30, 1e-31, 1e-32, 1e-33], rel=1e-12)
    assert history.stopped.startswith("loss has not improved since epoch 1")


def test_a_plateau_lowers_the_schedule_s_rate_in_the_history() -> None:
    schedule = optim.schedules.Exponential(1e-30, 0.5)
    m = Model(classifier(), "cross_entropy", optim.SGD(schedule))
    history = fit(m, ReduceLROnPlateau(factor=0.1, patience=1), epochs=3)
    expected = [schedule(3), schedule(6), 0.1 * schedule(9)]
    assert history["lr"] == pytest.approx(expected, rel=1e-12)


def test_a_plateau_that_is_never_reached_has_the_rate_in_the_history_too() -> None:
    assert fit(model(), ReduceLROnPlateau(patience=9), epochs=2)["lr"] == [0.02, 0.02]


def test_a_rate_that_stays_is_not_in_the_history() -> None:
    assert list(fit(model(), epochs=2)) == ["loss"]


def test_a_callback_of_one_s_own_can_have_its_rate_reported() -> None:
    class Halve(Callback):
        def on_fit_begin(self, run: Run) -> None:
            run.reports_lr = True

        def on_epoch_begin(self, run: Run) -> None:
            run.optimizer.scale = 0.5**run.epoch

    assert fit(model(), Halve(), epochs=3)["lr"] == pytest.approx([0.01, 0.005, 0.0025])


def test_a_run_without_an_update_has_the_rate_of_its_first() -> None:
    """A schedule is not asked for step 0, which it need not know."""
    schedule = optim.schedules.InverseTime(0.1, decay=1.0)
    m = Model(classifier(), "cross_entropy", optim.SGD(schedule))
    m.network[0].weight.data = np.full((2, 16), 1e38, np.float32)
    with pytest.warns(RuntimeWarning, match="in epoch 1, batch 1"):
        history = fit(m, epochs=1)
    assert history["lr"] == [0.1]


def test_an_unknown_monitor_of_a_plateau_lists_what_there_is() -> None:
    with pytest.raises(
        ValueError, match=r"ReduceLROnPlateau: expected monitor to be one of loss, got 'val_loss'"
    ):
        fit(model(), ReduceLROnPlateau("val_loss"))


def test_a_stop_within_an_epoch_is_no_plateau() -> None:
    def act(event: str, run: Run) -> None:
        if event == "batch_end":
            run.stop("enough")

    m = model()
    fit(m, ReduceLROnPlateau("val_loss"), Spy(act), validation_data=(X, Y))
    assert m.optimizer.scale == 1


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"factor": 1.0}, r"expected factor between 0 and 1, got 1\.0; 0\.1 leaves a tenth"),
        ({"factor": 0}, "expected factor between 0 and 1, got 0"),
        ({"factor": "0.1"}, r"expected factor between 0 and 1, got '0\.1'"),
        ({"factor": None}, "expected factor between 0 and 1, got None"),
        ({"patience": 0}, "expected patience of at least 1 epoch, got 0"),
        ({"patience": 1.5}, r"expected patience of at least 1 epoch, got 1\.5"),
        ({"patience": True}, "expected patience of at least 1 epoch, got True"),
        ({"cooldown": -1}, "expected cooldown of at least 0 epochs, got -1"),
        ({"min_delta": -1}, "expected min_delta of at least 0, got -1"),
        ({"min_lr": math.nan}, "expected min_lr of at least 0, got nan"),
        ({"min_lr": "0"}, "expected min_lr of at least 0, got '0'"),
        ({"mode": "lowest"}, "expected mode to be"),
    ],
)
def test_settings_of_a_plateau_that_are_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        ReduceLROnPlateau(**options)
