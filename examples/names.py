"""Names that nobody has: a recurrent network learns which character comes next, and invents.

The file is downloaded once, or read from the folder that PELLUCID_DATA names.

python examples/names.py [--seed 0] [--short]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pellucid import data, nn, no_grad, optim, train, viz
from pellucid.files import write_text

OUT = Path("runs/examples/names")
TARGET = 2.12  # cross-entropy a character, on names that were held back
CHARACTERS = "\nabcdefghijklmnopqrstuvwxyz"  # a line end begins a name, and ends it
LENGTH = 16  # of the windows


def network(seed: int = 0) -> nn.Sequential:
    """Return embedding 27-16, a GRU of 128 units, and a score for each next character."""
    size = len(CHARACTERS)
    return nn.Sequential(nn.Embedding(size, 16), nn.GRU(16, 128), nn.Dense(128, size), rng=seed)


def invent(model: nn.Module, count: int, seed: int) -> list[str]:
    """Return names, drawn character by character until a line end comes."""
    vocabulary, rng = data.CharVocabulary(CHARACTERS), np.random.default_rng(seed)
    codes = np.zeros((count, 1), np.int64)  # (names, characters so far), each begun by a line end
    model.eval()
    with no_grad():
        for _ in range(2 * LENGTH):
            scores = model(codes[:, -LENGTH:]).data[:, -1]  # (names, 27)
            bold = scores + rng.gumbel(size=scores.shape)  # its argmax has softmax's distribution
            codes = np.column_stack([codes, bold.argmax(axis=1)])
    return [vocabulary.decode(row).split("\n")[1] for row in codes]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="a GRU that invents names")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="2,000 names, two epochs")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on all names but 2,000, test on those, invent twenty."""
    options = parse(arguments)
    epochs = 2 if options.short else 8

    names = data.names()
    order = np.random.default_rng(options.seed).permutation(len(names))
    held, rest = order[:2000], order[2000:4000] if options.short else order[2000:]
    vocabulary = data.CharVocabulary(CHARACTERS)
    learned, unseen = (
        data.text("\n".join(["", *(names[i] for i in rows), ""]), LENGTH, step=LENGTH,
                  vocabulary=vocabulary)
        for rows in (rest, held)
    )  # fmt: skip
    model = train.Model(network(options.seed), "cross_entropy", optim.Adam(0.003), ["accuracy"])
    print(model.summary((LENGTH,)))

    start = time.perf_counter()
    history = model.fit(
        learned.x, learned.y, epochs=epochs, batch_size=64, validation_data=(unseen.x, unseen.y),
        seed=options.seed,
    )  # fmt: skip
    seconds = time.perf_counter() - start

    loss = model.evaluate(unseen.x, unseen.y)["loss"]
    print(f"\nloss on names held back {loss:.4f} (target {TARGET:.4f})")
    invented = invent(model.network, 20, options.seed)
    new = [name for name in invented if name not in names]
    print(f"invented, {len(new)} of {len(invented)} new: {', '.join(invented)}")

    OUT.mkdir(parents=True, exist_ok=True)
    viz.save(viz.training_curves(history), OUT / "training_curves.png")
    with nn.capture(model.network, "layers.1") as outputs:
        model.network(vocabulary.encode("\nisabella")[None])
    states = viz.state_maps(outputs["layers.1"].data[0, :, :32], list("|isabella"))
    viz.save(states, OUT / "states.png")
    results = {
        "task": "the next character of a name",
        "network": "27-16-GRU 128-27",
        "parameters": sum(p.size for p in model.network.parameters()),
        "epochs": history.epochs,
        "seed": options.seed,
        "metric": "cross-entropy a character",
        "value": loss,
        "target": TARGET,
        "seconds": seconds,
        "short": options.short,
    }
    write_text(OUT / "results.json", json.dumps(results, indent=2) + "\n")
    print(f"pictures and results.json are in {OUT}")


if __name__ == "__main__":
    main()
