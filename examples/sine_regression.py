"""A sine behind noise: regression, and a learning rate that falls as training goes on.

python examples/sine_regression.py [--seed 0] [--short]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

from pellucid import data, nn, optim, train, viz
from pellucid.files import write_text

OUT = Path("runs/examples/regression")
TARGET = 1e-3  # mean squared error against the sine itself
NOISE = 0.1  # standard deviation of the error in the training targets, whose square is 0.01


def network(seed: int = 0) -> nn.Sequential:
    """Return the network 1-32-32-1."""
    return nn.Sequential(
        nn.Dense(1, 32, "tanh"), nn.Dense(32, 32, "tanh"), nn.Dense(32, 1), rng=seed
    )


def halving(step: int) -> float:
    """Return the learning rate of an update: 0.01, half of it every 1,000 updates."""
    rate: float = 0.01 * 0.5 ** (step / 1000)
    return rate


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="fit a noisy sine")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="a few epochs, to see that it runs")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on noisy points, and see how near the curve comes to the sine without noise."""
    options = parse(arguments)
    epochs = 10 if options.short else 250

    noisy = data.sine(samples=1000, noise=NOISE, seed=options.seed)
    exact = data.sine(samples=201)  # the test: points in between, no noise
    model = train.Model(network(options.seed), "mse", optim.Adam(halving), ["r2"])
    print(model.summary())

    start = time.perf_counter()
    history = model.fit(
        noisy.x, noisy.y, epochs=epochs, batch_size=32, validation_split=0.1, seed=options.seed
    )
    seconds = time.perf_counter() - start

    predicted = model.predict(exact.x)
    report = train.regression_report(exact.y, predicted)
    mse = train.metrics.mse(exact.y, predicted)
    print(f"\n{report}\n\nmean squared error {mse:.2g} (target {TARGET:.2g}); noise {NOISE**2:.2g}")

    OUT.mkdir(parents=True, exist_ok=True)
    viz.save(viz.training_curves(history), OUT / "training_curves.png")
    fit = viz.regression_fit(noisy.x, noisy.y, model.predict(noisy.x))
    viz.save(fit, OUT / "regression_fit.png")
    results = {
        "task": "a sine behind noise",
        "network": "1-32-32-1",
        "parameters": sum(p.size for p in model.network.parameters()),
        "epochs": history.epochs,
        "seed": options.seed,
        "metric": "R2 against the exact sine",
        "value": report.r2,
        "mse": mse,
        "target": TARGET,
        "seconds": seconds,
        "short": options.short,
    }
    write_text(OUT / "results.json", json.dumps(results, indent=2) + "\n")
    print(f"pictures and results.json are in {OUT}")


if __name__ == "__main__":
    main()
