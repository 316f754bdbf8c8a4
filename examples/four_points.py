"""Four points and a network of 41 parameters, every step written out.

python examples/four_points.py [--seed 0] [--short]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

from pellucid import scalar, train, viz
from pellucid.files import write_text

OUT = Path("runs/examples/points")
TARGET = 0.01  # mean squared error
X = [[1.0, 2.0, -0.5], [-1.0, 0.5, 2.0], [0.5, -1.5, 1.0], [2.0, 0.0, -1.0]]
Y = [1.0, -1.0, -1.0, 1.0]
RATE = 0.1


def network(seed: int = 0) -> scalar.MLP:
    """Return the network 3-4-4-1 of tanh neurons."""
    return scalar.MLP(3, [4, 4, 1], rng=seed)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="gradient descent as one does it by hand")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="a few steps, to see that it runs")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, and draw the graph of the first loss."""
    options = parse(arguments)
    steps = 5 if options.short else 100
    OUT.mkdir(parents=True, exist_ok=True)

    mlp = network(options.seed)
    print(f"3-4-4-1, parameters: {len(mlp.parameters())}")
    history = train.History()
    start = time.perf_counter()
    for step in range(1, steps + 1):
        # forward: what the network says, and how wrong that is: the mean of (out - y)^2
        outputs = [mlp.outputs(x)[0] for x in X]
        loss = scalar.Value(0.0)
        for out, y in zip(outputs, Y, strict=True):
            loss = loss + (out - y) ** 2 / len(Y)
        # backward: how the loss changes with each parameter
        mlp.zero_grad()
        loss.backward()
        # update: a small step downhill
        for parameter in mlp.parameters():
            parameter.data -= RATE * parameter.grad

        history.append({"loss": loss.data})
        if step == 1 or step % 10 == 0:
            said = ", ".join(f"{out.data:+.2f}" for out in outputs)
            print(f"step {step:3d}  loss {loss.data:.5f}  outputs {said}")
    seconds = time.perf_counter() - start

    reached = scalar.mse([mlp.outputs(x)[0] for x in X], Y).data
    print(f"loss {reached:.5f} (target {TARGET}) after {steps} steps, {seconds:.2f} s")

    loss = (mlp.outputs(X[0])[0] - Y[0]) ** 2
    loss.label = "loss of the first point"
    mlp.zero_grad()
    loss.backward()
    scalar.draw_graph(loss, named=True).save(OUT / "graph.svg")
    print(scalar.why(mlp.layers[-1].neurons[0].weights[0], loss))

    viz.save(viz.training_curves(history), OUT / "training_curves.png")
    results = {
        "task": "four points, scalar engine",
        "network": "3-4-4-1",
        "parameters": len(mlp.parameters()),
        "epochs": steps,
        "seed": options.seed,
        "metric": "mean squared error",
        "value": reached,
        "target": TARGET,
        "seconds": seconds,
        "short": options.short,
    }
    write_text(OUT / "results.json", json.dumps(results, indent=2) + "\n")
    print(f"the graph, the loss curve and results.json are in {OUT}")


if __name__ == "__main__":
    main()
