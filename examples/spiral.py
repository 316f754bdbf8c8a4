"""Three spiral arms: classes that no straight line, and no few of them, can tell apart.

python examples/spiral.py [--seed 0] [--short]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

from pellucid import data, nn, optim, train, viz
from pellucid.files import write_text

OUT = Path("runs/examples/spiral")
TARGET = 0.98  # test accuracy; the arms meet in the origin, so the last points are anybody's


def network(seed: int = 0) -> nn.Sequential:
    """Return the network 2-64-64-3."""
    return nn.Sequential(
        nn.Dense(2, 64, "tanh"), nn.Dense(64, 64, "tanh"), nn.Dense(64, 3), rng=seed
    )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="three spiral arms and their decision boundary")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="a few epochs, to see that it runs")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, test on rows set aside, and draw the boundary."""
    options = parse(arguments)
    epochs = 5 if options.short else 150

    spiral = data.spiral(samples_per_arm=200, noise=0.2, seed=options.seed)
    parts = data.split(spiral, test=0.2, seed=options.seed)
    model = train.Model(network(options.seed), "cross_entropy", optim.Adam(0.005), ["accuracy"])
    print(model.summary())

    start = time.perf_counter()
    x, y = parts.train.x, parts.train.y
    history = model.fit(x, y, epochs=epochs, batch_size=32, validation_split=0.1, seed=options.seed)
    seconds = time.perf_counter() - start

    predicted = model.predict_classes(parts.test.x)
    report = train.classification_report(parts.test.y, predicted, spiral.class_names)
    print(f"\n{report}\n\ntest accuracy {report.accuracy:.4f} (target {TARGET:.4f})")

    OUT.mkdir(parents=True, exist_ok=True)
    viz.save(viz.training_curves(history), OUT / "training_curves.png")
    boundary = viz.decision_boundary(model.predict_proba, spiral.x, spiral.y, spiral.class_names)
    viz.save(boundary, OUT / "decision_boundary.png")
    results = {
        "task": "three spiral arms",
        "network": "2-64-64-3",
        "parameters": sum(p.size for p in model.network.parameters()),
        "epochs": history.epochs,
        "seed": options.seed,
        "metric": "test accuracy",
        "value": report.accuracy,
        "accuracy": report.accuracy,
        "target": TARGET,
        "seconds": seconds,
        "short": options.short,
    }
    write_text(OUT / "results.json", json.dumps(results, indent=2) + "\n")
    print(f"pictures and results.json are in {OUT}")


if __name__ == "__main__":
    main()
