"""Training that goes on from a checkpoint ends as if it had never stopped, bit for bit."""

from __future__ import annotations

import inspect
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import data, nn, optim, persist
from pellucid.optim import schedules
from pellucid.train import (
    Callback,
    Checkpoint,
    Doctor,
    EarlyStopping,
    History,
    Model,
    ReduceLROnPlateau,
    Run,
    checkpoint,
)
from pellucid.train.native import NativeStep
from train.resuming import WEIGHTS, X, Y, dense, digest

KILLS = os.environ.get("PELLUCID_KILLS", "8")
SCRIPT = Path(__file__).with_name("resuming.py")
posix = pytest.mark.skipif(os.name != "posix", reason="the means are POSIX's")

UPDATES = 5  # an epoch: 75 rows in batches of 16


class CrashError(Exception):
    """What ends a training in the tests that need no process of their own."""


class Crash(Callback):
    """Ends training after an update; compiled code is not asked to come back before."""

    every_batch = False

    def __init__(self, at: float = math.inf) -> None:
        self.at = at

    def next_look(self, run: Run) -> float:
        return self.at - run.updates

    def on_batch_end(self, run: Run) -> None:
        if run.updates == self.at:
            raise CrashError

    def state_dict(self) -> dict[str, Any]:
        return {}


def fit(model: Model, folder: Path, *callbacks: Callback, **options: Any) -> History:
    """Train with a checkpoint every 3 updates; go on from the one there is."""
    settings = {"epochs": 3, "batch_size": 16, "seed": 1, "verbose": False, "compile": False}
    own = {"steps": options.pop("steps", 3), "keep": options.pop("keep", 3)}
    saving = Checkpoint(folder, epochs=options.pop("every", 1), **own)
    options = {"x": X, "y": Y, **settings, **options}
    return model.fit(callbacks=[saving, *callbacks], resume=folder, **options)


def ends(
    made: Callable[[], Model],
    folder: Path,
    at: int,
    callbacks: Callable[[], list[Callback]] = list,
    **options: Any,
) -> tuple[str, str]:
    """Return how a training ends, and how one ends that crashed after an update and went on."""

    def fresh() -> dict[str, Any]:
        return {name: v() if inspect.isfunction(v) else v for name, v in options.items()}

    def end(model: Model, where: Path, crash: Crash) -> str:
        several = callbacks()
        history = fit(model, where, crash, *several, **fresh())
        return digest(model, history, [each.state_dict() for each in several])

    whole = end(made(), folder / "whole", Crash())
    with pytest.raises(CrashError):
        end(made(), folder / "parts", Crash(at))
    return whole, end(made(), folder / "parts", Crash())


# real kills


@posix
def test_killed_trainings_end_as_others(tmp_path: Path) -> None:
    """PELLUCID_KILLS=50 kills as often."""
    command = [sys.executable, str(SCRIPT), str(tmp_path), KILLS]
    alone = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # a fork has none of its parent's threads
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=alone)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.match(r"(\d+) trainings the same bit for bit, killed (\d+) times", done.stdout)
    assert found is not None
    assert int(found[1]) >= 1
    assert int(found[2]) >= int(KILLS)


@posix
def test_the_killer_notices_what_is_forgotten(tmp_path: Path) -> None:
    fault = (
        "import sys; from train import resuming; from pellucid.train.tally import Tally\n"
        "Tally.restore = lambda tally, state: None\n"
        "sys.exit(resuming.main())"
    )
    done = python(fault, tmp_path, 20)
    assert done.returncode == 1
    assert "another end after" in done.stdout


def python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run code that may import from the tests."""
    paths = os.pathsep.join([str(SCRIPT.parents[1]), *filter(None, sys.path)])
    where = os.environ | {"PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"}
    words = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, env=where)


FIVE = """
import sys
from pathlib import Path
from train.resuming import Killer, dense, digest, X, Y
from pellucid.train import Checkpoint
folder, epochs, at = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
model = dense()
history = model.fit(X, Y, epochs=epochs, batch_size=16, seed=0, verbose=False, resume=folder,
                    compile=sys.argv[4] == "compiled", callbacks=[Checkpoint(folder), Killer(at)])
print(digest(model, history))
"""


@posix
@pytest.mark.parametrize("choice", ["eager", "compiled"])
def test_ten_epochs_are_five_a_kill_and_five_more(tmp_path: Path, choice: str) -> None:
    def run(folder: str, epochs: int, at: float) -> subprocess.CompletedProcess[str]:
        return python(FIVE, tmp_path / folder, epochs, at, choice)

    killed = run("parts", 10, 5 * UPDATES + 1)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(list((tmp_path / "parts").iterdir())) == 3
    ended, whole = run("parts", 10, math.inf), run("whole", 10, math.inf)
    assert ended.stdout == whole.stdout != "", ended.stderr + whole.stderr


# every optimiser, schedule, way of training


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_every_optimiser_goes_on(tmp_path: Path, name: str, compiled: bool) -> None:
    def made() -> Model:
        return dense(optim.OPTIMIZERS[name](lr=0.01))

    whole, parts = ends(made, tmp_path, 8, compile=compiled)
    assert whole == parts


OF_SCHEDULES = {
    "Constant": schedules.Constant(0.01),
    "InverseTime": schedules.InverseTime(0.01, 0.1),
    "Step": schedules.Step(0.01, 4),
    "MultiStep": schedules.MultiStep(0.01, [3, 8]),
    "Exponential": schedules.Exponential(0.01, 0.9),
    "Polynomial": schedules.Polynomial(0.01, 15),
    "Linear": schedules.Linear(0.01, 0.001, 12),
    "Cosine": schedules.Cosine(0.01, 15),
    "CosineRestarts": schedules.CosineRestarts(0.01, 4),
    "OneCycle": schedules.OneCycle(0.01, 15),
    "Product": schedules.Step(0.01, 4) * schedules.Cosine(1.0, 15),
    "Chain": schedules.Chain([0.01, schedules.Cosine(0.01, 8)], [7]),
    "WarmUp": schedules.WarmUp(5, 0.01),
}


def test_no_schedule_is_left_out() -> None:
    kinds = {name for name, kind in vars(schedules).items() if isinstance(kind, type)}
    own = {n for n in kinds if issubclass(getattr(schedules, n), schedules.Schedule)}
    assert own - {"Schedule"} == OF_SCHEDULES.keys()


@pytest.mark.parametrize("name", OF_SCHEDULES)
def test_every_schedule_goes_on(tmp_path: Path, name: str) -> None:
    whole, parts = ends(lambda: dense(optim.Adam(OF_SCHEDULES[name])), tmp_path, 8)
    assert whole == parts


def test_a_schedule_goes_on_in_compiled_training(tmp_path: Path) -> None:
    rate = OF_SCHEDULES["WarmUp"] * OF_SCHEDULES["CosineRestarts"]
    whole, parts = ends(lambda: dense(optim.Lion(rate)), tmp_path, 8, compile=True)
    assert whole == parts


OPTIONS: dict[str, dict[str, Any]] = {
    "validation": {"validation_split": 0.2},
    "weights": {"sample_weight": WEIGHTS, "class_weight": "balanced"},
    "accumulate": {"accumulate": 2, "batch_size": 10},
    "some weights of 0": {"sample_weight": WEIGHTS * (np.arange(len(X)) % 3 > 0)},
}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_way_of_training_goes_on(
    tmp_path: Path, options: dict[str, Any], compiled: bool
) -> None:
    def made() -> Model:
        return dense(penalty=nn.L2(1e-3), constraint=nn.MaxNorm(1.0))

    whole, parts = ends(made, tmp_path, 7, compile=compiled, **options)
    assert whole == parts


@pytest.mark.parametrize("at", range(1, 2 * UPDATES + 1))
def test_a_crash_after_any_update(tmp_path: Path, at: int) -> None:
    whole, parts = ends(dense, tmp_path, at, epochs=2, steps=1, keep=1 + at % 2)
    assert whole == parts


@pytest.mark.parametrize("forgotten", ["source", "tally", "callbacks"])
def test_what_a_checkpoint_keeps_is_needed(tmp_path: Path, forgotten: str) -> None:
    """The tests above can fail: a file whose memory is that of the start ends elsewhere."""
    stopping: list[Callback] = [EarlyStopping("loss", patience=99), Last()]
    with pytest.raises(CrashError):
        fit(dense(), tmp_path / "a", *stopping, Crash(8))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    path = sorted((tmp_path / "b").glob("checkpoint-*"))[-1]
    first = sorted((tmp_path / "b").glob("checkpoint-*"))[0]
    parts = persist.load_objects(path)
    parts["training"][forgotten] = persist.load_objects(first)["training"][forgotten]
    persist.save_objects(path, parts)
    found = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        model, last = dense(), Last()
        early = EarlyStopping("loss", patience=99)
        history = fit(model, folder, early, last, Crash())
        found.append(digest(model, history, early.best, last.seen))
    assert found[0] != found[1]


class Last(Callback):
    """Writes down the losses that stood in the logs when epochs began."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_epoch_begin(self, run: Run) -> None:
        self.seen.append(run.logs.get("loss", 0.0))


# memories


@pytest.mark.parametrize("at", [6, 11, 14])
@pytest.mark.parametrize("compiled", [False, True])
def test_callbacks_remember(tmp_path: Path, at: int, compiled: bool) -> None:
    def memories() -> list[Callback]:
        return [
            EarlyStopping("val_loss", patience=3, min_delta=0.02),
            ReduceLROnPlateau("loss", 0.5, patience=1, min_delta=0.05),
            Last(),
        ]

    whole, parts = ends(
        lambda: dense(optim.Adam(0.05)), tmp_path, at, memories,
        epochs=30, validation_split=0.3, compile=compiled,
    )  # fmt: skip
    assert whole == parts


def test_the_patience_of_before_counts_and_the_best_weights_come_back(tmp_path: Path) -> None:
    def stopping() -> EarlyStopping:
        return EarlyStopping("val_loss", patience=2)

    whole, model, again = dense(optim.Adam(0.1)), dense(optim.Adam(0.1)), dense(optim.Adam(0.1))
    options = {"epochs": 60, "validation_split": 0.3}
    expected = fit(whole, tmp_path / "whole", stopping(), **options)
    assert expected.stopped.startswith("val_loss has not improved")
    best = expected.best_epoch()
    assert expected.epochs == best + 2
    with pytest.raises(CrashError):  # in the last epoch
        fit(model, tmp_path / "x", Crashing(expected.epochs), stopping(), **options)
    found = fit(again, tmp_path / "x", Crashing(999), stopping(), **options)
    assert dict(found) == dict(expected)
    assert found.stopped == expected.stopped
    assert digest(again, found) == digest(whole, expected)


class Crashing(Callback):
    """Ends training in the first update of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_batch_end(self, run: Run) -> None:
        if run.epoch == self.epoch:
            raise CrashError

    def state_dict(self) -> dict[str, Any]:
        return {}


class Thaw(Callback):
    """Changes what is neither an array nor a number of the history."""

    def on_epoch_begin(self, run: Run) -> None:
        if run.epoch == 2:
            run.network.layers[0].weight.requires_grad = False
            run.network.layers[2].rate = 0.6
            run.optimizer.lr = 0.003


def test_what_callbacks_changed_stays_changed(tmp_path: Path) -> None:
    whole, parts = ends(
        lambda: dense(optim.Adam(0.01)), tmp_path, 2 * UPDATES + 3, lambda: [Thaw()]
    )
    assert whole == parts


def test_the_doctor_remembers_what_was_found(tmp_path: Path) -> None:
    doctors = [Doctor(report=False), Doctor(report=False)]
    with pytest.raises(CrashError):
        fit(dense(optim.Adam(0.5)), tmp_path, doctors[0], Crash(7), x=X * 1000)
    assert "before training" in {found.when for found in doctors[0].findings}
    doctors[1].load_state_dict(doctors[0].state_dict())
    assert doctors[1].findings == doctors[0].findings
    assert doctors[1].state_dict() == doctors[0].state_dict()


def test_generators_of_layers_go_on(tmp_path: Path) -> None:
    whole, parts = ends(lambda: Model(Noisy(), "cross_entropy"), tmp_path, 8)
    assert whole == parts


@pellucid.register(name="tests.checkpoints.Noisy")
class Noisy(nn.Module):
    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.layer = nn.Dense(6, 3, rng=0)

    def forward(self, x: Any) -> pellucid.Tensor:
        return self.layer(x) + self.rng.normal(size=3).astype("f4") * self.training


@pellucid.register(name="tests.checkpoints.Counts")
class Counts:
    def __init__(self) -> None:
        self.seen = np.int64(0)


@pellucid.register(name="tests.checkpoints.Remembering")
class Remembering(nn.Module):
    """A layer that remembers in every kind of attribute, some of them held by others as well."""

    def __init__(self) -> None:
        self.steps = [0.0, nn.Dense(6, 3, rng=0)]
        self.by_name = {"n": 0, "rng": np.random.default_rng(5)}
        self.pair, self.growing, self.names = (1.0, "a"), [], {"a"}
        self.alias, self.counts = self.growing, Counts()

    def forward(self, x: Any) -> pellucid.Tensor:
        layer: Any = self.steps[1]
        if self.training:
            self.steps[0] = float(self.steps[0]) + 1  # type: ignore[arg-type]
            self.by_name["n"] = int(self.by_name["n"]) + 1  # type: ignore[call-overload]
            self.pair = (self.pair[0] * 0.9, "a")
            self.alias.append(self.by_name["rng"].normal())  # type: ignore[attr-defined]
            self.names = self.names | {f"{self.by_name['n']}"}
            self.counts.seen = self.counts.seen + 1
        told = [self.steps[0], self.by_name["n"], self.pair[0], sum(self.growing)]
        told += [len(self.names), self.counts.seen]
        return layer(x) + np.float32(sum(np.float64(n) for n in told) / 100)  # type: ignore[arg-type]


def test_whatever_a_layer_remembers_goes_on(tmp_path: Path) -> None:
    whole, parts = ends(lambda: Model(Remembering(), "cross_entropy"), tmp_path, 8)
    assert whole == parts


def test_without_a_seed_too(tmp_path: Path) -> None:
    with pytest.raises(CrashError):
        fit(dense(), tmp_path / "a", Crash(7), seed=None, validation_split=0.2)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    found = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        model = dense()
        history = fit(model, folder, Crash(), seed=None, validation_split=0.2)
        found.append(digest(model, history))
    assert found[0] == found[1]


# loaders


def shift(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return x + rng.normal(size=(len(x), 1)).astype("f4")


def examples(rng: np.random.Generator) -> Iterator[tuple[np.ndarray, int]]:
    for i in rng.permutation(len(X)):
        yield X[i], Y[i]


LOADERS: dict[str, Callable[[], Any]] = {
    "rows": lambda: data.Loader((X, Y), 16, seed=4, transform=shift),
    "unseeded": lambda: data.Loader((X, Y), 16, seed=np.random.default_rng(5)),
    "a function": lambda: data.Loader(examples, 16, seed=4, prefetch=0),
    "a list": lambda: [(X[i::5], Y[i::5]) for i in range(5)],
}


@pytest.mark.parametrize("compiled", [False, "auto"])
@pytest.mark.parametrize("name", LOADERS)
def test_loaders_go_on(tmp_path: Path, name: str, compiled: Any) -> None:
    options = {"x": LOADERS[name], "y": None, "batch_size": None, "compile": compiled}
    validation = LOADERS["rows"]
    whole, parts = ends(dense, tmp_path, 8, validation_data=validation, **options)
    assert whole == parts


@pytest.mark.parametrize("where", ["x", "validation_data"])
def test_a_loader_that_cannot_say_where_it_is_is_refused(tmp_path: Path, where: str) -> None:
    batches = {"x": data.Loader((X, Y), 16), "y": None, "batch_size": None}
    batches[where] = lambda: iter([(X, Y)])
    with pytest.raises(TypeError, match=r"expected the .*loader to tell where it is.*data\.Loader"):
        fit(dense(), tmp_path / "a", **batches)
    assert not (tmp_path / "a").exists()


def test_a_loader_with_other_settings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CrashError):
        fit(dense(), tmp_path / "a", Crash(7), x=LOADERS["rows"](), y=None, batch_size=None)
    other = data.Loader((X, Y), 16, seed=5, transform=shift)
    with pytest.raises(ValueError, match="got one with seed 4 instead of 5"):
        fit(dense(), tmp_path / "a", Crash(), x=other, y=None, batch_size=None)


# the folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_finished_training_is_not_repeated_and_can_be_made_longer(tmp_path: Path) -> None:
    whole, model, longer = dense(), dense(), dense()
    expected = fit(whole, tmp_path / "whole", epochs=4)
    short = fit(model, tmp_path / "a", epochs=2)
    again = fit(dense(), tmp_path / "a", epochs=2)
    assert dict(again) == dict(short)
    history = fit(longer, tmp_path / "a", epochs=4)
    assert digest(longer, history) == digest(whole, expected)


def test_a_training_that_broke_down_is_over(tmp_path: Path) -> None:
    model, again = dense(optim.SGD(1e30)), dense(optim.SGD(1e30))
    with pytest.warns(RuntimeWarning, match="training stopped"):
        broken = fit(model, tmp_path)
    found = fit(again, tmp_path)
    assert found.stopped == broken.stopped != ""
    assert digest(again, History()) == digest(model, History())


def test_the_newest_and_the_best_are_kept(tmp_path: Path) -> None:
    model = dense(optim.SGD(0.1))
    saving = Checkpoint(tmp_path, keep=2, best="val_accuracy")
    history = model.fit(
        X, Y, epochs=9, batch_size=16, validation_split=0.3, seed=0, verbose=False,
        callbacks=[saving],
    )  # fmt: skip
    assert names(tmp_path) == [
        "best.safetensors",
        "checkpoint-000008-00000000.safetensors",
        "checkpoint-000009-00000000.safetensors",
    ]
    best = Model.load(tmp_path / "best.safetensors")
    kept = persist.load_objects(tmp_path / "best.safetensors")["training"]
    assert kept["done"] == history.best_epoch("val_accuracy")
    assert saving.best == max(history["val_accuracy"])
    assert best.predict(X).shape == (75, 3)


def test_the_best_so_far_is_remembered(tmp_path: Path) -> None:
    """A resumed run that never beats it leaves the file alone."""

    def made(folder: Path) -> Checkpoint:
        return Checkpoint(folder, best="loss", mode="max")  # the first epoch's is the highest

    options: dict[str, Any] = {"batch_size": 16, "seed": 0, "verbose": False}
    dense(optim.SGD(0.1)).fit(X, Y, epochs=2, callbacks=[made(tmp_path)], **options)
    before = (tmp_path / "best.safetensors").read_bytes()
    dense(optim.SGD(0.1)).fit(
        X, Y, epochs=4, callbacks=[made(tmp_path)], resume=tmp_path, **options
    )
    assert (tmp_path / "best.safetensors").read_bytes() == before


@pytest.mark.parametrize(("options", "expected"), [
    ({"epochs": 2}, ["000000-00000000", "000002-00000000", "000003-00000000"]),
    ({"epochs": None, "steps": 4}, ["000000-00000000", "000000-00000004", "000001-00000003",
                                    "000002-00000002", "000003-00000000"]),
    ({"epochs": None}, ["000000-00000000", "000003-00000000"]),
])  # fmt: skip
@pytest.mark.parametrize("compiled", [False, True])
def test_files_are_written_when_they_are_due(
    tmp_path: Path, options: dict[str, Any], expected: list[str], compiled: bool
) -> None:
    dense().fit(
        X, Y, epochs=3, batch_size=16, verbose=False, compile=compiled,
        callbacks=[Checkpoint(tmp_path, keep=99, **options)],
    )  # fmt: skip
    assert names(tmp_path) == [f"checkpoint-{at}.safetensors" for at in expected]


def test_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10**6, 20))  # every look at the clock is 20 seconds later
    monkeypatch.setattr("pellucid.train.checkpoint.time.monotonic", lambda: next(clock))
    saving = Checkpoint(tmp_path, keep=99, epochs=None, minutes=1)
    dense().fit(X, Y, epochs=1, batch_size=16, verbose=False, callbacks=[saving], compile=False)
    found = [name[-20:-12] for name in names(tmp_path)]
    assert found == ["00000000", "00000003", "00000000"]


def test_compiled_training_makes_the_updates_between_files_in_one_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, several = [], NativeStep._several

    def noting(self: NativeStep, whole: Any, rows: np.ndarray) -> Any:
        sizes.append(len(rows))
        return several(self, whole, rows)

    monkeypatch.setattr(NativeStep, "_several", noting)
    monkeypatch.setattr("pellucid.train.native.SPAN", 1e9)  # no other reason to come back
    dense().fit(
        X, Y, epochs=1, batch_size=3, verbose=False, compile=True,
        callbacks=[Checkpoint(tmp_path, steps=10, keep=99)],
    )  # fmt: skip
    assert sizes == [1, 9, 10, 5]


@pytest.mark.parametrize("damage", ["cut", "bit", "empty"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path, damage: str) -> None:
    whole, model = dense(), dense()
    expected = fit(whole, tmp_path / "whole")
    with pytest.raises(CrashError):
        fit(model, tmp_path / "a", Crash(8), keep=2)
    *_, before, newest = sorted((tmp_path / "a").iterdir())
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= damage == "bit"
    newest.write_bytes({"cut": content[:-9], "bit": content, "empty": b""}[damage])
    again = dense()
    with pytest.warns(RuntimeWarning, match=f"going on from {before.name}, since what is newer"):
        found = fit(again, tmp_path / "a", Crash(), keep=2)
    assert digest(again, found) == digest(whole, expected)
    assert len(names(tmp_path / "a")) == 2


def test_damaged_checkpoints_alone_are_refused(tmp_path: Path) -> None:
    fit(dense(), tmp_path / "a", epochs=1)
    for path in (tmp_path / "a").iterdir():
        path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="expected a checkpoint that can be read, got 3 that ca"):
        fit(dense(), tmp_path / "a", epochs=1)


def test_a_folder_in_use_is_refused_before_training(tmp_path: Path) -> None:
    fit(dense(), tmp_path, epochs=1)
    before, model = names(tmp_path), dense()
    with pytest.raises(ValueError, match=r"without checkpoints of another training.*pass resume="):
        model.fit(X, Y, epochs=1, verbose=False, callbacks=[Checkpoint(tmp_path)])
    assert names(tmp_path) == before
    assert model.optimizer.steps == 0


@posix
def test_two_trainings_at_once_do_not_share_a_folder(tmp_path: Path) -> None:
    class Second(Callback):
        def on_epoch_end(self, run: Run) -> None:
            with pytest.raises(ValueError, match=r"that no other training writes to.*just now"):
                fit(dense(), tmp_path, Second())
            raise CrashError

    for _ in range(2):  # after the crash the folder is free again
        with pytest.raises(CrashError):
            fit(dense(), tmp_path, Second())


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    with pytest.raises(FileExistsError, match=r"expected a folder for checkpoints.*choose another"):
        dense().fit(X, Y, verbose=False, callbacks=[Checkpoint(tmp_path / "a")])
    assert (tmp_path / "a").read_text() == "mine"


def test_files_of_other_names_are_left_alone(tmp_path: Path) -> None:
    fit(dense(), tmp_path, epochs=1)
    others = ["checkpoint-000001-00000000-good.safetensors", "checkpoint-my-own.safetensors"]
    for name in others:
        shutil.copy(tmp_path / "checkpoint-000001-00000000.safetensors", tmp_path / name)
    fit(dense(), tmp_path, epochs=3, keep=1)
    assert names(tmp_path) == sorted([*others, "checkpoint-000003-00000000.safetensors"])


def test_the_newest_is_told_by_number(tmp_path: Path) -> None:
    for count in (999_999, 1_000_000, 20):
        (tmp_path / f"checkpoint-{count:06d}-00000000.safetensors").touch()
    assert [path.name[11:-21] for path in checkpoint.paths(tmp_path)] == [
        "000020", "999999", "1000000"
    ]  # fmt: skip


def test_a_callback_may_hold_on_to_the_run(tmp_path: Path) -> None:
    class Holding(Callback):
        def on_fit_begin(self, run: Run) -> None:
            self.run = run

    for epochs in (1, 2):
        holding = Holding()
        fit(dense(), tmp_path, holding, epochs=epochs)
        assert holding.run.epochs == epochs


def test_what_a_killed_process_left_half_written_goes_away(tmp_path: Path) -> None:
    left, own = (
        tmp_path / ".checkpoint-000001-00000000.safetensors.x.safetensors",
        tmp_path / "mine",
    )
    left.write_bytes(b"half")
    own.write_bytes(b"not theirs")
    fit(dense(), tmp_path, epochs=1)
    assert not left.exists()
    assert own.exists()


def other_network() -> Model:
    network = nn.Sequential(nn.Dense(6, 8, "relu"), nn.Dense(8, 3), rng=0)
    return Model(network, "cross_entropy", "adam", ["accuracy", "f1"])


def thinner() -> Model:
    model = dense()
    model.network.layers[2].rate = 0.1
    return model


OTHERS: dict[str, tuple[Callable[[], Model], dict[str, Any], str]] = {
    "network": (other_network, {}, r"parameters.layers.0.weight was float32 \(6, 12\), is float32"),
    "setting": (thinner, {}, r"network.layers.2 was Dropout\(rate=0.3\), is Dropout\(rate=0.1\)"),
    "rows": (dense, {"x": X[:60], "y": Y[:60]}, "data.rows was 75, is 60"),
    "data": (dense, {"x": X + 1}, r"data.checksum was \d+, is \d+"),
    "batch size": (dense, {"batch_size": 15}, "data.batch_size was 16, is 15"),
    "seed": (dense, {"seed": 2}, "seed was 1, is 2"),
    "no seed": (dense, {"seed": None}, "seed was 1, is None"),
    "accumulate": (dense, {"accumulate": 2}, "accumulate was 1, is 2"),
    "validation": (
        dense, {"validation_data": (X, Y)}, "validation.rows was 0, is 75"
    ),
    "optimiser": (
        lambda: dense(optim.Adam(0.5)), {}, r"optimizer was AdamW\(.*, is Adam\(lr=0.5"
    ),
    "metrics": (lambda: dense(metrics=["f1"]), {}, "metrics.0 was accuracy, is f1"),
    "penalty": (lambda: dense(penalty=nn.L2(0.1)), {}, "penalties.* was not there, is L2"),
}  # fmt: skip


@pytest.mark.parametrize(("made", "options", "told"), OTHERS.values(), ids=OTHERS)
def test_a_checkpoint_of_another_training_is_refused(
    tmp_path: Path, made: Callable[[], Model], options: dict[str, Any], told: str
) -> None:
    fit(dense(), tmp_path / "a", epochs=1)
    model = made()
    before, files = digest(model, History()), names(tmp_path / "a")
    with pytest.raises(ValueError, match=f"of another: .*{told}.*choose another folder"):
        fit(model, tmp_path / "a", epochs=2, **options)
    assert digest(model, History()) == before
    assert names(tmp_path / "a") == files


def test_other_callbacks_are_refused(tmp_path: Path) -> None:
    fit(dense(), tmp_path / "a", epochs=1)
    with pytest.raises(ValueError, match=r"callbacks.1 was not there, is EarlyStopping"):
        fit(dense(), tmp_path / "a", EarlyStopping("loss"), epochs=2)


def test_what_cannot_be_written_shows_before_training(tmp_path: Path) -> None:
    class Unknown(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Dense(6, 3)

        def forward(self, x: Any) -> pellucid.Tensor:
            return self.layer(x)

    model = Model(Unknown(), "cross_entropy")
    with pytest.raises(TypeError, match=r"@pellucid.register before the definition of Unknown"):
        fit(model, tmp_path / "a")
    holding = Last()
    holding.seen = model  # type: ignore[assignment]
    with pytest.raises(TypeError, match=r"training.callbacks.*Last.seen.*or define state_dict"):
        fit(dense(), tmp_path / "b", holding)
    assert model.optimizer.steps == 0


@pytest.mark.parametrize(
    "options",
    [{"epochs": 0}, {"steps": 0}, {"steps": 1.5}, {"minutes": 0}, {"keep": 0}, {"keep": None},
     {"minutes": "1"}, {"mode": "best"}, {"keep": True}, {"best": 3}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"expected {next(iter(options))}"):
        Checkpoint(tmp_path / "a", **options)
    assert not (tmp_path / "a").exists()


def test_two_checkpoints_and_a_file_to_resume_from_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected one Checkpoint at most"):
        fit(dense(), tmp_path / "a", Checkpoint(tmp_path / "b"))
    dense().save(tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"got the file .*model.safetensors.* use Model.load"):
        dense().fit(X, Y, resume=tmp_path / "model.safetensors", verbose=False)


def test_resuming_takes_a_folder() -> None:
    resume: Any = True
    with pytest.raises(TypeError, match="resume: expected the folder of a Checkpoint, got True"):
        dense().fit(X, Y, resume=resume, verbose=False)


def test_one_folder_is_gone_on_from_into_another(tmp_path: Path) -> None:
    whole, model = dense(), dense()
    expected = fit(whole, tmp_path / "whole")
    fit(dense(), tmp_path / "a", epochs=1)
    saving = Checkpoint(tmp_path / "b", steps=3)
    found = model.fit(
        X, Y, epochs=3, batch_size=16, seed=1, verbose=False, compile=False,
        callbacks=[saving], resume=tmp_path / "a",
    )  # fmt: skip
    assert digest(model, found) == digest(whole, expected)
    assert len(names(tmp_path / "a")) == 3
    assert names(tmp_path / "b")[-1] == "checkpoint-000003-00000000.safetensors"


# signals


class Signal(Callback):
    """Sends this process a signal after an update, or after the validation of an epoch."""

    every_batch = False

    def __init__(self, number: int, at: float = math.inf, epoch: int = 0) -> None:
        self.number, self.at, self.epoch = number, at, epoch

    def next_look(self, run: Run) -> float:
        return self.at - run.updates

    def on_batch_end(self, run: Run) -> None:
        if run.updates == self.at:
            os.kill(os.getpid(), self.number)

    def on_epoch_end(self, run: Run) -> None:
        if run.epoch == self.epoch:
            os.kill(os.getpid(), self.number)

    def state_dict(self) -> dict[str, Any]:
        return {}


@posix
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("when", [{"at": 1}, {"at": 7}, {"at": UPDATES}, {"epoch": 2}], ids=str)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_checkpoint_after_the_update(
    tmp_path: Path, number: int, when: dict[str, int], compiled: bool
) -> None:
    def stopping() -> EarlyStopping:
        return EarlyStopping("val_loss", patience=9)

    options = {"validation_split": 0.2, "compile": compiled, "every": None, "steps": None}
    whole, model, again = dense(), dense(), dense()
    expected = fit(whole, tmp_path / "whole", Signal(number), stopping(), **options)
    if number == signal.SIGTERM:
        with pytest.raises(SystemExit) as ended:
            fit(model, tmp_path / "a", Signal(number, **when), stopping(), **options)
        assert ended.value.code == 143
    else:
        history = fit(model, tmp_path / "a", Signal(number, **when), stopping(), **options)
        assert history.stopped.startswith("interrupted in epoch")
    updates = persist.load_objects(max((tmp_path / "a").iterdir()))["training"]["updates"]
    assert updates == when.get("at", 2 * 4)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    found = fit(again, tmp_path / "a", Signal(number), stopping(), **options)
    assert digest(again, found) == digest(whole, expected)


@posix
def test_sigterm_is_left_alone_without_checkpoints_and_in_other_threads(tmp_path: Path) -> None:
    class Handler(Callback):
        def on_epoch_end(self, run: Run) -> None:
            seen.append(signal.getsignal(signal.SIGTERM))

    seen: list[Any] = []
    dense().fit(X, Y, epochs=1, verbose=False, callbacks=[Handler()])
    thread = threading.Thread(target=fit, args=(dense(), tmp_path / "a", Handler()))
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL] * 4
