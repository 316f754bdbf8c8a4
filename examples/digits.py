"""8x8 handwritten digits, side by side with scikit-learn: same network, same rows, same settings.

python examples/digits.py [--seed 0] [--compare sklearn] [--short]
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid import data, nn, optim, train, viz
from pellucid.files import write_text

OUT = Path("runs/examples/digits")
TARGET = 0.97  # test accuracy
BATCH, RATE = 32, 0.001


def network(seed: int = 0) -> nn.Sequential:
    """Return the network 64-128-64-10."""
    return nn.Sequential(
        nn.Dense(64, 128, "relu"), nn.Dense(128, 64, "relu"), nn.Dense(64, 10), rng=seed
    )


def scikit_learn(parts: data.Split, epochs: int, seed: int) -> dict[str, Any]:
    """Train scikit-learn's network of the same shape on the same rows; return what it reached."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    peer = MLPClassifier(
        (128, 64), alpha=0.0, batch_size=BATCH, learning_rate_init=RATE, max_iter=epochs,
        tol=0.0, n_iter_no_change=epochs, random_state=seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is told to stop after the epochs
        start = time.perf_counter()
        peer.fit(parts.train.x, parts.train.y)
        seconds = time.perf_counter() - start
    accuracy = float(peer.score(parts.test.x, parts.test.y))
    size = sum(array.size for array in [*peer.coefs_, *peer.intercepts_])
    return {"name": "scikit-learn", "value": accuracy, "seconds": seconds, "parameters": size}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="8x8 digits, side by side with scikit-learn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--compare", choices=["sklearn", "none"], default="sklearn")
    parser.add_argument("--short", action="store_true", help="a few epochs, to see that it runs")
    return parser.parse_args(arguments)


def compare(ours: dict[str, Any], peer: dict[str, Any]) -> None:
    """Print what both reached."""
    print(f"{'':<12}  parameters  test accuracy  seconds")
    for one in ({**ours, "name": "pellucid"}, peer):
        size, accuracy, seconds = one["parameters"], one["value"], one["seconds"]
        print(f"{one['name']:<12}  {size:>10,}  {accuracy:>13.4f}  {seconds:>7.2f}")


def draw(history: train.History, test: data.Dataset, chances: NDArray[np.float32]) -> None:
    """Write the pictures."""
    OUT.mkdir(parents=True, exist_ok=True)
    viz.save(viz.training_curves(history), OUT / "training_curves.png")
    confusion = viz.confusion_matrix(test.y, chances.argmax(axis=1), test.class_names)
    viz.save(confusion, OUT / "confusion_matrix.png")
    samples = viz.predictions(test.x, test.y, chances, test.class_names, test.image_shape)
    viz.save(samples, OUT / "predictions.png")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on four fifths of the images, test on the rest, compare."""
    options = parse(arguments)
    epochs = 3 if options.short else 30

    parts = data.split(data.digits(), test=0.2, seed=options.seed)  # classes in proportion
    x, y = parts.train.x, parts.train.y
    model = train.Model(network(options.seed), "cross_entropy", optim.Adam(RATE), ["accuracy"])
    print(model.summary())

    start = time.perf_counter()
    history = model.fit(x, y, epochs=epochs, batch_size=BATCH, seed=options.seed)
    seconds = time.perf_counter() - start

    test, chances = parts.test, model.predict_proba(parts.test.x)
    report = train.classification_report(test.y, chances.argmax(axis=1), test.class_names)
    print(f"\n{report}\n\ntest accuracy {report.accuracy:.4f} (target {TARGET:.4f})")

    draw(history, test, chances)
    results: dict[str, Any] = {
        "task": "8x8 digits",
        "network": "64-128-64-10",
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
    if options.compare == "sklearn":
        peer = results["peer"] = scikit_learn(parts, epochs, options.seed)
        compare(results, peer)
    write_text(OUT / "results.json", json.dumps(results, indent=2) + "\n")
    print(f"pictures and results.json are in {OUT}")


if __name__ == "__main__":
    main()
