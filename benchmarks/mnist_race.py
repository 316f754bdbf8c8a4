"""From the start of the process to 97 % of MNIST's test images, against scikit-learn.

    python benchmarks/mnist_race.py [--runs 3] [--json FILE]

All train the network 784-128-128-10 (118,282 parameters) with ReLU, Adam and no penalty, look at
the 10,000 test images after each epoch, and stop at 97 %. Two of them do it alike, at a rate of
0.001 and with batches of 128. The third does it as one would who has Pellucid: a rate that rises
and falls (`OneCycle`), which scikit-learn's Adam cannot follow, and batches of 32. Each run is a
new process (`mnist_runners`) and all load the data with `pellucid.data.mnist`; the processes take
turns. The files are downloaded once, or read from the folder that PELLUCID_DATA names.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import machine

machine.prepare()

from mnist_runners import MOST_EPOCHS, RUNNERS, TARGET

RUNNER = Path(__file__).with_name("mnist_runners.py")


class Race(NamedTuple):
    """One run: seconds from start to end of its process, and the accuracy after each epoch."""

    seconds: float
    accuracies: list[float]


def race(name: str, seed: int) -> Race:
    """Train in a new process.

    Raises:
        RuntimeError: it failed, or did not meet the target.
    """
    command = [sys.executable, str(RUNNER), name, str(seed)]
    environment = machine.environment()
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"expected {name} to train, got exit status {done.returncode}")
    accuracies: list[float] = json.loads(done.stdout)
    if accuracies[-1] < TARGET:
        raise RuntimeError(
            f"expected {name} to meet {TARGET:.0%} in {MOST_EPOCHS} epochs, got "
            f"{max(accuracies):.2%} with seed {seed}"
        )
    return Race(seconds, accuracies)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them in turns and print."""
    parser = argparse.ArgumentParser(description="time training to 97 % of MNIST")
    parser.add_argument("--runs", type=int, default=3, help="of each, default %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every run there")
    options = parser.parse_args(arguments)
    machine.check_options(parser, options.runs, options.json)

    from pellucid import data
    from pellucid.files import write_text

    data.mnist()  # downloads are not part of the race
    facts = machine.describe()
    print("\n".join(f"{name}: {value}" for name, value in facts.items()))
    races: dict[str, list[Race]] = {name: [] for name in RUNNERS}
    for seed in range(options.runs):
        for name in list(RUNNERS)[:: 1 if seed % 2 else -1]:
            one = race(name, seed)
            races[name].append(one)
            print(
                f"{name:<20}{one.seconds:7.2f} s, {len(one.accuracies)} epochs, "
                f"test accuracy {one.accuracies[-1]:.4f}",
                flush=True,
            )
    *ours, theirs = (statistics.median(one.seconds for one in races[name]) for name in RUNNERS)
    print(f"medians: scikit-learn {theirs:.2f} s")
    for name, seconds in zip(RUNNERS, ours, strict=False):
        print(f"{name} {seconds:.2f} s: 1/{theirs / seconds:.1f} of that")
    if options.json:
        found: dict[str, Any] = {
            name: [one._asdict() for one in mine] for name, mine in races.items()
        }
        write_text(options.json, json.dumps({"machine": facts, "runs": found}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
