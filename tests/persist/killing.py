"""Kill a process that saves again and again; what it leaves must be one of the two models, whole.

    python tests/persist/killing.py FOLDER [200] [--seed 0]

A child saves two models in turn to one file, without a pause, until it is killed at a random
moment; the file is loaded and compared after each. Prints how many files were checked, and how
often the child was killed while a temporary file was there.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

import numpy as np

from pellucid import nn
from pellucid.train import Model

LONGEST = 0.02  # seconds a child lives


def model(number: int) -> Model:
    """Return a model of its own size and numbers, with an optimiser that remembers something."""
    rng = np.random.default_rng(number)
    units = 100 * number
    made = Model(nn.Sequential(nn.Dense(8, units), nn.Dense(units, 2), rng=rng), "mse")
    made.fit(rng.normal(size=(9, 8)), rng.normal(size=(9, 2)), epochs=1, verbose=False)
    made.metadata["number"] = number
    return made


def saving(path: Path, models: list[Model]) -> NoReturn:
    """Save until killed."""
    while True:
        for each in models:
            each.save(path)


def whole(found: Model, models: list[Model]) -> bool:
    """Whether a model is one of two, bit for bit."""
    meant = models[found.metadata["number"] - 1]
    ours, theirs = found.network.state(), meant.network.state()
    same = ours.keys() == theirs.keys() and all(np.array_equal(ours[k], theirs[k]) for k in ours)
    memories = [m.optimizer.state_dict()["state"]["layers.0.weight"]["m"] for m in (found, meant)]
    return same and np.array_equal(*memories)


def main() -> int:
    """Kill, check, print; return the exit status."""
    parser = argparse.ArgumentParser(description="kill a process while it saves")
    parser.add_argument("folder", type=Path)
    parser.add_argument("count", nargs="?", type=int, default=200, help="default %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw, models, amid = random.Random(options.seed), [model(1), model(2)], 0
    path = options.folder / "model.safetensors"
    models[0].save(path)
    for number in range(options.count):
        child = os.fork()
        if child == 0:
            saving(path, models)
        time.sleep(draw.uniform(0, LONGEST))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if not whole(Model.load(path), models):
            print(f"kill {number}: the file is neither the old model nor the new one")
            return 1
        left = [other for other in options.folder.iterdir() if other != path]
        amid += bool(left)
        for other in left:
            other.unlink()
    print(f"{options.count} files whole, {amid} times killed with a temporary file beside")
    return 0


if __name__ == "__main__":
    sys.exit(main())
