"""XOR: the smallest problem that a network without a hidden layer cannot learn.

python examples/xor.py [--seed 0] [--short]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

from pellucid import data, nn, optim, train, viz
from pellucid.files import write_text

OUT = Path("runs/examples/xor")
TARGET = 1.0  # accuracy on the truth table


def network(seed: int = 0) -> nn.Sequential:
    """Return the network 2-8-2: one output a class."""
    return nn.Sequential(nn.Dense(2, 8, "tanh"), nn.Dense(8, 2), rng=seed)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="a hidden layer learns XOR")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="a few epochs, to see that it runs")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on all four rows of the truth table, and show the regions that were learned."""
    options = parse(arguments)
    epochs = 20 if options.short else 200

    table = data.xor()
    model = train.Model(network(options.seed), "cross_entropy", optim.Adam(0.05), ["accuracy"])
    print(model.summary())

    start = time.perf_counter()
    history = model.fit(
        table.x, table.y, epochs=epochs, batch_size=4, seed=options.seed, verbose=False
    )
    seconds = time.perf_counter() - start

    for inputs, label, chances in zip(table.x, table.y, model.predict_proba(table.x), strict=True):
        print(f"{inputs.tolist()} -> {label}, predicted with probability {chances[label]:.3f}")
    accuracy = model.evaluate(table.x, table.y)["accuracy"]
    print(f"accuracy {accuracy:.4f} (target {TARGET:.4f}) after {epochs} epochs, {seconds:.2f} s")

    OUT.mkdir(parents=True, exist_ok=True)
    viz.save(viz.training_curves(history), OUT / "training_curves.png")
    boundary = viz.decision_boundary(model.predict_proba, table.x, table.y, table.class_names)
    viz.save(boundary, OUT / "decision_boundary.png")
    results = {
        "task": "exclusive or",
        "network": "2-8-2",
        "parameters": sum(p.size for p in model.network.parameters()),
        "epochs": history.epochs,
        "seed": options.seed,
        "metric": "accuracy on the truth table",
        "value": accuracy,
        "accuracy": accuracy,
        "target": TARGET,
        "seconds": seconds,
        "short": options.short,
    }
    write_text(OUT / "results.json", json.dumps(results, indent=2) + "\n")
    print(f"pictures and results.json are in {OUT}")


if __name__ == "__main__":
    main()
