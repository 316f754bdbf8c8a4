"""One training step of the scalar engine against the package micrograd, in plain Python both.

    python benchmarks/scalar.py [--rounds 7] [--markdown]

The same network (2-16-16-1, relu, a linear score), the same 100 points, the same hinge loss and
update. Ours runs at equal granularity, one node an elementary operation, and with one node for each
neuron's weighted sum. Most of the difference to micrograd as it is used is the garbage collector,
which walks a growing graph again and again; ours has no cycles and keeps the collector out of the
way, so micrograd is also timed with the collector paused by hand. pip install micrograd
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable

import machine

machine.prepare()

from pellucid import data, scalar
from pellucid.scalar import training

Step = Callable[[], float]
RATE = 0.1
POINTS = data.moons(100, noise=0.1, seed=0)
X: list[list[float]] = POINTS.x.tolist()
Y = [2 * int(label) - 1 for label in POINTS.y]
SIZES = [16, 16, 1]
INNER = 5  # steps a turn: micrograd's graphs are freed by the collector, some steps later


def pellucid_step(fused: bool) -> Step:
    """Return the step that `pellucid.scalar.train` makes."""
    network = scalar.MLP(2, SIZES, "relu", "linear", fused=fused, rng=0)
    optimizer = scalar.SGD(network.parameters(), lr=RATE)

    def step() -> float:
        return training.step(network, X, Y, scalar.hinge, optimizer)

    return step


def micrograd_step(paused: bool) -> Step:
    """Return the same step as micrograd's users write it, from the same starting weights.

    Its graphs are full of cycles, which Python's collector searches for again and again; ``paused``
    is what an expert would do: pause it, and collect once after the step.
    """
    from micrograd.engine import Value
    from micrograd.nn import MLP

    network = MLP(2, SIZES)
    ours = scalar.MLP(2, SIZES, "relu", "linear", rng=0)
    for parameter, start in zip(network.parameters(), ours.parameters(), strict=True):
        parameter.data = start.data

    def step() -> float:
        scores = [network([Value(number) for number in row]) for row in X]
        losses = [(1 - y * score).relu() for y, score in zip(Y, scores, strict=True)]
        loss = sum(losses) * (1.0 / len(losses))
        network.zero_grad()
        loss.backward()
        for parameter in network.parameters():
            parameter.data -= RATE * parameter.grad
        return float(loss.data)

    def step_and_collect() -> float:
        with scalar.collector_paused():
            value = step()
        gc.collect()
        return value

    return step_and_collect if paused else step


def main(arguments: list[str] | None = None) -> int:
    """Check that all compute the same, measure, and print."""
    parser = argparse.ArgumentParser(description="time a step of the scalar engine")
    parser.add_argument("--rounds", type=int, default=7, help="default %(default)s")
    parser.add_argument("--markdown", action="store_true", help="print a table for the README")
    options = parser.parse_args(arguments)
    peers = {
        "pellucid.scalar, one node an operation": pellucid_step(fused=False),
        "pellucid.scalar, one node a weighted sum": pellucid_step(fused=True),
    }
    try:
        peers["micrograd"] = micrograd_step(paused=False)
        peers["micrograd, collector paused by hand"] = micrograd_step(paused=True)
    except ModuleNotFoundError:
        print("micrograd is not installed: left out (pip install micrograd)", file=sys.stderr)
    losses = {name: [step() for _ in range(3)] for name, step in peers.items()}
    first, *others = losses.values()
    for other in others:
        if any(abs(a - b) > 1e-9 for a, b in zip(first, other, strict=True)):
            print(f"expected the same three losses of all peers, got {losses}", file=sys.stderr)
            return 1

    # every turn starts from a heap without others' garbage, and pays for its own
    timings = machine.median_of_interleaved(peers, options.rounds, INNER, setup=gc.collect)
    base = timings.get("micrograd", next(iter(timings.values()))).rounds
    if options.markdown:
        facts = machine.describe()
        print(f"{facts['processor']}, Python {facts['Python']}.\n")
        print("| one step on 100 points, 2-16-16-1 | median | micrograd's time over this |")
        print("| --- | ---: | ---: |")
    else:
        machine.announce()
    for name, timing in timings.items():
        ratios = sorted(a / b for a, b in zip(base, timing.rounds, strict=True))
        ratio, milli = ratios[len(ratios) // 2], f"{timing.seconds * 1e3:.1f} ms"
        if options.markdown:
            print(f"| {name} | {milli} | {ratio:.1f} |")
        else:
            print(f"{name:<44} {milli:>10}  {ratio:6.1f} x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
