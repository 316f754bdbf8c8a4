"""Trainings that are killed and gone on with; the end must be what it is without.

    python tests/train/resuming.py FOLDER [50] [--seed 0]

A child trains and writes checkpoints until it gets SIGKILL: after a random update, or at a random
moment, perhaps while it writes. Another goes on, and may be killed again. Parameters, optimiser and
history at the end are compared, bit for bit, with those of a training that nobody killed.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import os
import random
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import data, nn, optim
from pellucid.optim import schedules
from pellucid.train import Callback, Checkpoint, EarlyStopping, Model, ReduceLROnPlateau, Run

RNG = np.random.default_rng(0)
X = RNG.normal(size=(75, 6)).astype("f4")
Y = (X[:, 0] + X[:, 1] > 0).astype(int) + (X[:, 2] > 0.5)
IMAGES = RNG.normal(size=(50, 6, 6, 1)).astype("f4")
WEIGHTS = RNG.uniform(0.5, 2, len(X))


class Killer(Callback):
    """Ends the process with SIGKILL after an update; what it is set to is nobody's memory."""

    every_batch = False

    def __init__(self, at: float = math.inf) -> None:
        self.at = at

    def next_look(self, run: Run) -> float:
        return self.at - run.updates

    def on_batch_end(self, run: Run) -> None:
        if run.updates == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def state_dict(self) -> dict[str, Any]:
        return {}


def dense(optimizer: optim.Optimizer | None = None, **options: Any) -> Model:
    """Return a model with all that must be remembered: statistics, random streams, moments."""
    layers = nn.Dense(6, 12, "relu"), nn.BatchNorm1D(12), nn.Dropout(0.3), nn.Dense(12, 3)
    network = nn.Sequential(*layers, rng=0)
    optimizer = optimizer or optim.AdamW(schedules.Cosine(0.02, 60), weight_decay=0.01)
    return Model(network, "cross_entropy", optimizer, **{"metrics": ["accuracy", "f1"], **options})


def arrays(folder: Path, *callbacks: Callback, compiled: bool) -> str:
    """Train on arrays, with a share to validate with and callbacks that count epochs."""
    model = dense(penalty=nn.L2(1e-3), constraint=nn.MaxNorm(2.0))
    memories = [EarlyStopping(patience=4), ReduceLROnPlateau("loss", 0.5, patience=1)]
    history = model.fit(
        X, Y, epochs=9, batch_size=16, validation_split=0.2, seed=3, verbose=False,
        sample_weight=WEIGHTS, compile=compiled, resume=folder,
        callbacks=[Checkpoint(folder, steps=3, best="val_loss"), *memories, *callbacks],
    )  # fmt: skip
    return digest(model, history, [memory.state_dict() for memory in memories])


def loader(folder: Path, *callbacks: Callback, compiled: bool) -> str:
    """Train on augmented images that a loader brings in an order of its own."""
    layers = nn.Conv2D(1, 4, 3), nn.BatchNorm2D(4), nn.ReLU(), nn.Flatten(), nn.Dense(64, 3)
    model = Model(nn.Sequential(*layers, rng=0), "cross_entropy", "adam", ["accuracy"])
    y = Y[: len(IMAGES)]
    shifted = data.Loader((IMAGES, y), 8, seed=1, transform=data.RandomShift(1))
    history = model.fit(
        shifted, epochs=3, validation_data=data.Loader((IMAGES, y), 16, seed=2), seed=3,
        compile="auto" if compiled else False, verbose=False, resume=folder,
        callbacks=[Checkpoint(folder, epochs=2, steps=5), *callbacks],
    )  # fmt: skip
    return digest(model, history)


def groups(folder: Path, *callbacks: Callback, compiled: bool) -> str:
    """Train with several batches an update."""
    model = dense(optim.Momentum(schedules.WarmUp(5, schedules.Step(0.1, 7, 0.5))))
    history = model.fit(
        X, Y, epochs=6, batch_size=10, accumulate=3, seed=3, verbose=False, resume=folder,
        callbacks=[Checkpoint(folder, steps=2, keep=1), *callbacks], compile=compiled,
    )  # fmt: skip
    return digest(model, history)


SCENARIOS: dict[str, tuple[Callable[..., str], int]] = {  # and how many updates each makes
    "arrays": (arrays, 9 * 4),
    "loader": (loader, 3 * 7),
    "groups": (groups, 6 * 3),
}


def digest(model: Model, history: Any, *more: Any) -> str:
    """Return a checksum of every bit that training leaves."""
    check = hashlib.sha256()
    for path, array in model.network.state().items():
        check.update(path.encode() + array.tobytes())
    memory = model.optimizer.state_dict()
    for path, state in sorted(memory.pop("state").items()):
        for name, array in sorted(state.items()):
            check.update(f"{path} {name}".encode() + array.tobytes())
    check.update(repr((memory, dict(history), history.stopped, more)).encode())
    return check.hexdigest()


def child(folder: Path, result: Path, scenario: str, compiled: bool, at: float) -> int:
    """Let a new process train; return its id. If nobody kills it, it writes down how it ended."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            warnings.simplefilter("ignore")
            text = SCENARIOS[scenario][0](folder, Killer(at), compiled=compiled)
            result.write_text(text)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return process


def main() -> int:
    """Kill, go on, compare, print; return the exit status."""
    parser = argparse.ArgumentParser(description="kill trainings and go on with them")
    parser.add_argument("folder", type=Path)
    parser.add_argument("count", nargs="?", type=int, default=50, help="kills; default %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw, killed, runs, ends = random.Random(options.seed), 0, 0, {}
    result, folder = options.folder / "result", options.folder / "checkpoints"
    kinds = [(name, compiled) for name in SCENARIOS for compiled in (False, True)]
    for scenario, compiled in kinds:
        start = time.perf_counter()
        os.waitpid(child(folder, result, scenario, compiled, math.inf), 0)
        ends[scenario, compiled] = result.read_text(), time.perf_counter() - start
        shutil.rmtree(folder)
    while killed < options.count:
        scenario, compiled = kinds[runs % len(kinds)]
        expected, seconds = ends[scenario, compiled]
        result.unlink(missing_ok=True)
        while not result.exists():
            done = killed >= options.count
            at = draw.choice([draw.randint(1, SCENARIOS[scenario][1]), math.inf])
            process = child(folder, result, scenario, compiled, math.inf if done else at)
            if at == math.inf and not done:
                time.sleep(draw.uniform(0.1, 1) * seconds)
                os.kill(process, signal.SIGKILL)
            _, status = os.waitpid(process, 0)
            if os.WIFSIGNALED(status):
                killed += 1
            elif status:
                print(f"{scenario}, compiled={compiled}: failed")
                return 1
        if result.read_text() != expected:
            print(f"{scenario}, compiled={compiled}: another end after {killed} kills in all")
            return 1
        runs += 1
        shutil.rmtree(folder)
    print(f"{runs} trainings the same bit for bit, killed {killed} times")
    return 0


if __name__ == "__main__":
    sys.exit(main())
