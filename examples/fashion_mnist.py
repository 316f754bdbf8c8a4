"""Fashion-MNIST, 28x28 pictures of clothing: what keeps a network from learning by heart.

Dropout, an L2 penalty, a learning rate that falls, and training that stops by itself. The model is
saved, loaded again, and can be asked about images of your own: a folder with one folder for each
kind, shop/boots/1.png, shop/bags/my bag.jpg, ...

The files are downloaded once, or read from the folder that PELLUCID_DATA names.

python examples/fashion_mnist.py [--seed 0] [--short] [--images FOLDER]
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

OUT = Path("runs/examples/fashion")
TARGET = 0.87  # test accuracy


def network(seed: int = 0) -> nn.Sequential:
    """Return the network 784-128-10."""
    return nn.Sequential(nn.Dense(784, 128, "relu"), nn.Dropout(0.2), nn.Dense(128, 10), rng=seed)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Fashion-MNIST with dropout")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="2,000 images, one epoch")
    parser.add_argument("--images", type=Path, help="a folder of your own, a folder for each kind")
    return parser.parse_args(arguments)


def tell(model: train.Model, images: data.Dataset) -> None:
    """Print what the model takes images for; dark things on white are turned to light on black."""
    x = images.x.reshape(-1, 784)
    x = np.where(x.mean(axis=1, keepdims=True) > 0.5, 1 - x, x)
    names = model.class_names or []
    for kind, chances in zip(images.y, model.predict_proba(x), strict=True):
        answer = f"{names[chances.argmax()]} ({chances.max():.1%})"
        print(f"an image from {images.class_names[kind]}: {answer}")


def draw(history: train.History, test: data.Dataset, chances: NDArray[np.float32]) -> None:
    """Write the pictures."""
    OUT.mkdir(parents=True, exist_ok=True)
    viz.save(viz.training_curves(history), OUT / "training_curves.png")
    confusion = viz.confusion_matrix(test.y, chances.argmax(axis=1), test.class_names)
    viz.save(confusion, OUT / "confusion_matrix.png")
    samples = viz.predictions(test.x, test.y, chances, test.class_names, test.image_shape)
    viz.save(samples, OUT / "predictions.png")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train until the validation loss rises, keep the best weights, test on the 10,000 images."""
    options = parse(arguments)
    epochs = 1 if options.short else 30

    images, test = data.fashion_mnist()
    own = options.images and data.image_folder(options.images, (28, 28), grayscale=True)
    if options.short:
        images, test = images.take(np.arange(2000)), test.take(np.arange(500))
    rate = optim.schedules.Exponential(0.001, 0.5, 4000)  # half of it every 4,000 updates
    model = train.Model(
        network(options.seed), "cross_entropy", optim.Adam(rate), ["accuracy"], penalty=nn.L2(1e-5)
    )
    print(model.summary())

    start = time.perf_counter()
    x, y, stop = images.x, images.y, train.EarlyStopping(patience=5)
    history = model.fit(
        x, y, epochs=epochs, batch_size=128, validation_split=0.1, callbacks=[stop],
        seed=options.seed,
    )  # fmt: skip
    seconds = time.perf_counter() - start

    chances = model.predict_proba(test.x)
    report = train.classification_report(test.y, chances.argmax(axis=1), test.class_names)
    print(f"\n{report}\n\ntest accuracy {report.accuracy:.4f} (target {TARGET:.4f})")

    OUT.mkdir(parents=True, exist_ok=True)
    model.class_names = list(test.class_names)
    model.save(OUT / "model.safetensors")
    again = train.Model.load(OUT / "model.safetensors")
    same = np.array_equal(again.predict_proba(test.x), chances)
    print(f"loaded from its file, it gives the same probabilities: {same}")
    if own:
        tell(again, own)

    draw(history, test, chances)
    results = {
        "task": "Fashion-MNIST",
        "network": "784-128-10",
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
