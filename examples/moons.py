"""Two moons, one number at a time: the scalar engine trains 2-16-16-1 to 100 % in 100 steps.

python examples/moons.py [--seed 0] [--short]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import pellucid
from pellucid import data, interop, scalar, train, viz
from pellucid.files import write_text

OUT = Path("runs/examples/moons")
TARGET = 1.0  # accuracy on the 100 points


def network(seed: int = 0) -> scalar.MLP:
    """Return the network 2-16-16-1: tanh, and one linear score, positive for the lower moon."""
    return scalar.MLP(2, [16, 16, 1], output="linear", scale=2, rng=seed)


def accuracy(mlp: scalar.MLP, x: list[list[float]], y: list[int]) -> float:
    """Return the share of points whose score is on the right side of 0."""
    scores = [mlp.outputs(row)[0].data for row in x]
    return sum((score > 0) == (label > 0) for score, label in zip(scores, y, strict=True)) / len(y)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="the scalar engine learns two moons")
    parser.add_argument("--seed", type=int, default=0, help="of the starting weights")
    parser.add_argument("--short", action="store_true", help="a few steps, to see that it runs")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on all points at once, and show the boundary that was learned."""
    options = parse(arguments)
    steps = 5 if options.short else 100

    moons = data.moons(100, noise=0.1, seed=0)
    x, y = moons.x.tolist(), [2 * int(label) - 1 for label in moons.y]  # hinge takes -1 and 1
    mlp = network(options.seed)
    optimizer = scalar.SGD(mlp.parameters(), lr=2.0, decay=0.03, l2=1e-4)
    print(f"2-16-16-1, parameters: {len(mlp.parameters()):,}")

    history = train.History()

    def progress(step: int, loss: float) -> None:
        history.append({"loss": loss, "accuracy": accuracy(mlp, x, y)})
        if step == 1 or step % 10 == 0:
            share = history["accuracy"][-1]
            print(
                f"step {step:3d}  loss {loss:.4f}  accuracy {share:7.2%}  rate {optimizer.rate:.3f}"
            )

    start = time.perf_counter()
    scalar.train(mlp, x, y, scalar.hinge, optimizer, epochs=steps, progress=progress)
    seconds = time.perf_counter() - start
    reached = accuracy(mlp, x, y)
    print(f"accuracy {reached:.4f} (target {TARGET:.4f}) after {steps} steps, {seconds:.2f} s")

    tensors = interop.to_tensors(mlp)  # the same network, for 40,000 points at once
    interop.assert_equivalent(mlp, tensors, x[:10])

    OUT.mkdir(parents=True, exist_ok=True)
    viz.save(viz.training_curves(history), OUT / "training_curves.png")
    boundary = viz.decision_boundary(
        lambda grid: pellucid.sigmoid(tensors(grid)).data, moons.x, moons.y, moons.class_names
    )
    viz.save(boundary, OUT / "decision_boundary.png")
    results = {
        "task": "two moons, scalar engine",
        "network": "2-16-16-1",
        "parameters": len(mlp.parameters()),
        "epochs": steps,
        "seed": options.seed,
        "metric": "accuracy",
        "value": reached,
        "accuracy": reached,
        "target": TARGET,
        "seconds": seconds,
        "short": options.short,
    }
    write_text(OUT / "results.json", json.dumps(results, indent=2) + "\n")
    print(f"pictures and results.json are in {OUT}")


if __name__ == "__main__":
    main()
