"""How long the first call of a compiled training step takes: tracing, compiling and all.

    python benchmarks/first_step.py [--rounds 15]

The step of a network for MNIST (784-128-128-10, batches of 128, cross-entropy, Adam), each time in
a fresh process after `import pellucid`; llvmlite is imported by the first call, and counts. In
turns there are no compiled programs on disk (cold), or this one is there (warm). The exit status is
1 if one of the two takes longer than its limit.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import machine

if "numpy" not in sys.modules:
    machine.prepare()

import numpy as np

import pellucid
from pellucid import Tensor, nn, optim
from pellucid.compiler.llvm import cache, target

LIMITS = {"cold": 0.5, "warm": 0.05}  # seconds
SIZES, BATCH = (784, 128, 128, 10), 128
PARTS = {"compile_object": "LLVM's compiling", "load_object": "loading the code"}
TOTAL = "first call"
ONCE = "--once"

Times = dict[str, float]  # seconds by part


def once() -> Times:
    """Make the first step of this process; return what its parts took."""
    rng = np.random.default_rng(0)
    x = Tensor(rng.random((BATCH, SIZES[0]), dtype=np.float32))
    y = Tensor(rng.integers(0, SIZES[-1], BATCH))
    *hidden, last = pairwise(SIZES)
    layers = [nn.Dense(n, m, "relu") for n, m in hidden]
    network = nn.Sequential(*layers, nn.Dense(*last), rng=0)
    loss_of, optimizer = nn.CrossEntropyLoss(), optim.Adam()

    def step(x: Tensor, y: Tensor) -> Tensor:
        network.zero_grad()
        loss = loss_of(network(x), y)
        loss.backward()
        optimizer.step(network)
        return loss

    times: Times = {}

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*args: Any) -> Any:
            start = time.perf_counter()
            found = function(*args)
            times[name] = time.perf_counter() - start
            return found

        return measured

    for name, part in PARTS.items():
        setattr(cache, name, timed(part, getattr(cache, name)))
    program = pellucid.compile(step, state=[network, optimizer])
    started = time.process_time()
    timed("importing llvmlite", target.binding)()
    timed("the call", program)(x, y)
    processor = time.process_time() - started
    timed("a second call", program)(x, y)
    call, again = times.pop("the call"), times.pop("a second call")
    total = call + times["importing llvmlite"]
    rest = total - sum(times.values()) - again
    return {
        **times, "tracing and lowering": rest, "running": again, TOTAL: total,
        "processor time": processor,
    }  # fmt: skip


def fresh(folder: Path) -> Times:
    """Return the times of a new process that keeps programs in a folder."""
    command = [sys.executable, __file__, ONCE]
    environment = machine.environment() | {cache.VARIABLE: str(folder)}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: Times = json.loads(done.stdout)
    return found


def measured(rounds: int) -> dict[str, list[Times]]:
    """Return the times of every round, cold and warm in turns; an unmeasured one comes first."""
    found: dict[str, list[Times]] = {"cold": [], "warm": []}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(-1, rounds):
            cold = fresh(Path(folder, f"cold{turn}"))
            warm = fresh(Path(folder, "warm"))
            if turn >= 0:
                found["cold"].append(cold)
                found["warm"].append(warm)
    return found


def report(
    found: Mapping[str, list[Times]], limits: Mapping[str, float] = LIMITS
) -> tuple[str, bool]:
    """Return the medians as text, and whether each is within its limit."""
    lines, kept = [], True
    for name, rounds in found.items():
        for part in rounds[0]:
            median = statistics.median(times[part] for times in rounds)
            line = f"{name}  {part:<20} {median * 1e3:7.1f} ms"
            if part == TOTAL:
                within = median <= limits[name]
                kept &= within
                line += f", {'at most' if within else 'MORE than'} {limits[name] * 1e3:.0f} ms"
            lines.append(line)
    return "\n".join(lines), kept


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description="time the first call of a compiled step")
    parser.add_argument("--rounds", type=int, default=15, help="default %(default)s")
    parser.add_argument(ONCE, action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error(f"expected --rounds of at least 1, got {options.rounds}")
    if options.once:
        print(json.dumps(once()))
        return 0
    if reason := target.unavailable():
        parser.error(reason)
    found = measured(options.rounds)
    text, kept = report(found)
    machine.announce()
    print(f"median of {options.rounds} fresh processes each, in turns:")
    print(text)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
