"""The marks of white wines from eleven chemical measurements: regression on a table.

The file is downloaded once, or read from the folder that PELLUCID_DATA names.

python examples/wine_quality.py [--seed 0] [--short]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import data, nn, optim, train, viz
from pellucid.files import write_text

OUT = Path("runs/examples/wine")
TARGET = 0.34  # R2 on the test wines; least squares reach about 0.3


def network(seed: int = 0) -> nn.Sequential:
    """Return the network 11-64-32-1."""
    return nn.Sequential(
        nn.Dense(11, 64, "relu"),
        nn.Dropout(0.3),
        nn.Dense(64, 32, "relu"),
        nn.Dropout(0.3),
        nn.Dense(32, 1),
        rng=seed,
    )


def wines() -> data.Dataset:
    """Return the white wines, each once: a wine on both sides of a split would be no test."""
    everything = data.wine_quality("white", task="regression")
    rows = np.column_stack([everything.x, everything.y])
    _, first = np.unique(rows, axis=0, return_index=True)
    return everything.take(np.sort(first))


def least_squares(parts: data.Split) -> dict[str, Any]:
    """Fit a linear function to the same rows; return what it reaches."""
    start = time.perf_counter()
    x, test = (np.column_stack([p.x, np.ones(len(p))]) for p in (parts.train, parts.test))
    weights = np.linalg.lstsq(x, parts.train.y, rcond=None)[0]
    seconds = time.perf_counter() - start
    r2 = train.metrics.r2(parts.test.y, test @ weights)
    return {"name": "least squares", "value": r2, "seconds": seconds}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="the marks of white wines")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="a few epochs, to see that it runs")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on four fifths of the wines until the validation loss rises, test on the rest."""
    options = parse(arguments)
    epochs = 3 if options.short else 200

    parts = data.split(wines(), test=0.2, seed=options.seed)
    test = parts.test
    scaler = data.Standardizer().fit(parts.train.x)  # alcohol in percent, sulphur in mg/l, ...
    model = train.Model(network(options.seed), "mse", optim.Adam(0.001), ["mae"])
    print(model.summary())

    start = time.perf_counter()
    history = model.fit(
        scaler.transform(parts.train.x), parts.train.y, epochs=epochs, batch_size=32,
        validation_split=0.15, callbacks=[train.EarlyStopping(patience=25)], seed=options.seed,
    )  # fmt: skip
    seconds = time.perf_counter() - start

    x = scaler.transform(test.x)
    predicted = model.predict(x)
    report, peer = train.regression_report(test.y, predicted), least_squares(parts)
    print(f"\n{report}\n\ntest R2 {report.r2:.4f} (target {TARGET:.4f})")
    print(f"least squares {peer['value']:.4f}")

    OUT.mkdir(parents=True, exist_ok=True)
    viz.save(viz.training_curves(history), OUT / "training_curves.png")
    viz.save(viz.regression_fit(x, test.y, predicted), OUT / "regression_fit.png")
    results = {
        "task": "marks of white wines",
        "network": "11-64-32-1",
        "parameters": sum(p.size for p in model.network.parameters()),
        "epochs": history.epochs,
        "seed": options.seed,
        "metric": "test R2",
        "value": report.r2,
        "mae": report.mae,
        "target": TARGET,
        "seconds": seconds,
        "peer": peer,
        "short": options.short,
    }
    write_text(OUT / "results.json", json.dumps(results, indent=2) + "\n")
    print(f"pictures and results.json are in {OUT}")


if __name__ == "__main__":
    main()
