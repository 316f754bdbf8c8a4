"""MNIST, 28x28 handwritten digits, with two hidden layers and dropout.

The files are downloaded once, or read from the folder that PELLUCID_DATA names.

python examples/mnist.py [--seed 0] [--short]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pellucid import data, nn, optim, train, viz
from pellucid.files import write_text

OUT = Path("runs/examples/mnist")
TARGET = 0.975  # test accuracy


def network(seed: int = 0) -> nn.Sequential:
    """Return the network 784-128-128-10."""
    return nn.Sequential(
        nn.Dense(784, 128, "relu"),
        nn.Dropout(0.2),
        nn.Dense(128, 128, "relu"),
        nn.Dropout(0.2),
        nn.Dense(128, 10),
        rng=seed,
    )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="MNIST with a dense network")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="2,000 images, one epoch")
    return parser.parse_args(arguments)


def draw(history: train.History, test: data.Dataset, chances: NDArray[np.float32]) -> None:
    """Write the pictures."""
    OUT.mkdir(parents=True, exist_ok=True)
    viz.save(viz.training_curves(history), OUT / "training_curves.png")
    confusion = viz.confusion_matrix(test.y, chances.argmax(axis=1), test.class_names)
    viz.save(confusion, OUT / "confusion_matrix.png")
    samples = viz.predictions(test.x, test.y, chances, test.class_names, test.image_shape)
    viz.save(samples, OUT / "predictions.png")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train for ten epochs, a tenth of the training images aside; test on the 10,000 others."""
    options = parse(arguments)
    epochs = 1 if options.short else 10

    images, test = data.mnist()
    if options.short:
        images, test = images.take(np.arange(2000)), test.take(np.arange(500))
    model = train.Model(network(options.seed), "cross_entropy", optim.Adam(0.002), ["accuracy"])
    print(model.summary())

    start = time.perf_counter()
    history = model.fit(
        images.x, images.y, epochs=epochs, batch_size=128, validation_split=0.1, seed=options.seed
    )
    seconds = time.perf_counter() - start

    chances = model.predict_proba(test.x)
    report = train.classification_report(test.y, chances.argmax(axis=1), test.class_names)
    print(f"\n{report}\n\ntest accuracy {report.accuracy:.4f} (target {TARGET:.4f})")

    draw(history, test, chances)
    results = {
        "task": "MNIST digits",
        "network": "784-128-128-10",
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
