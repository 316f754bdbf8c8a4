"""A small GPT that writes, character by character, in the manner of Shakespeare.

The file is downloaded once, or read from the folder that PELLUCID_DATA names.

python examples/char_gpt.py [--seed 0] [--short]
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

OUT = Path("runs/examples/gpt")
TARGET = 1.85  # cross-entropy a character, on the last tenth of the text
CHARACTERS = 65  # different ones in the text
LENGTH = 64  # characters that it sees
WIDTH, HEADS, BLOCKS = 64, 4, 2
LEARNED = 1_003_854  # characters of the text to learn from


def network(seed: int = 0) -> nn.Sequential:
    """Return embedding, learned positions, two blocks of causal attention, and scores."""
    return nn.Sequential(
        nn.Embedding(CHARACTERS, WIDTH),
        nn.PositionalEncoding(LENGTH, WIDTH, learned=True),
        *(nn.TransformerBlock(WIDTH, HEADS, causal=True) for _ in range(BLOCKS)),
        nn.LayerNorm(WIDTH),
        nn.Dense(WIDTH, CHARACTERS),
        rng=seed,
    )


def write(
    model: nn.Module, vocabulary: data.CharVocabulary, length: int, seed: int, cold: float = 0.8
) -> str:
    """Return so many characters, each drawn from softmax(scores / cold) after those before it."""
    rng, codes = np.random.default_rng(seed), [int(vocabulary.encode("\n")[0])]
    model.eval()
    with no_grad():
        for _ in range(length):
            scores = model(np.array([codes[-LENGTH:]])).data[0, -1] / cold  # (65,)
            chances = np.exp(scores - scores.max())
            codes.append(int(rng.choice(CHARACTERS, p=chances / chances.sum())))
    return vocabulary.decode(codes[1:])


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="a small GPT on tiny Shakespeare")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="20,000 characters, one epoch")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on nine tenths of the text, test on the rest, write a page."""
    options = parse(arguments)
    epochs = 1 if options.short else 4

    plays = data.shakespeare()
    vocabulary = data.CharVocabulary(plays)
    ends = (20_000, LEARNED + 5_000) if options.short else (LEARNED, len(plays))
    learned = data.text(plays[: ends[0]], LENGTH, step=LENGTH, vocabulary=vocabulary)
    unseen = data.text(plays[LEARNED : ends[1]], LENGTH, step=LENGTH, vocabulary=vocabulary)
    updates = epochs * -(-len(learned) // 32)
    warm = updates // 10
    rate = optim.schedules.WarmUp(warm, optim.schedules.Cosine(0.005, updates - warm))
    optimizer = optim.AdamW(
        rate, weight_decay=0.01, clip_norm=1.0, groups=[optim.no_decay_on_vectors()]
    )
    model = train.Model(network(options.seed), "cross_entropy", optimizer, ["accuracy"])
    print(model.summary((LENGTH,)))

    start = time.perf_counter()
    history = model.fit(
        learned.x, learned.y, epochs=epochs, batch_size=32, validation_data=(unseen.x, unseen.y),
        seed=options.seed,
    )  # fmt: skip
    seconds = time.perf_counter() - start

    loss = model.evaluate(unseen.x, unseen.y)["loss"]
    print(f"\nloss on text held back {loss:.4f} (target {TARGET:.4f})\n")
    page = write(model.network, vocabulary, 40 if options.short else 600, options.seed)
    print(page)

    OUT.mkdir(parents=True, exist_ok=True)
    write_text(OUT / "sample.txt", page + "\n")
    viz.save(viz.training_curves(history), OUT / "training_curves.png")
    line = plays[15:39]  # Before we proceed any further ...
    with nn.capture(model.network, "layers.2.attention.dropout") as outputs:
        model.network(vocabulary.encode(line)[None])
    weights = outputs["layers.2.attention.dropout"].data
    viz.save(viz.attention_maps(weights, list(line)), OUT / "attention.png")
    results = {
        "task": "the next character of Shakespeare",
        "network": f"GPT, {BLOCKS} blocks of width {WIDTH}",
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
    print(f"sample, pictures and results.json are in {OUT}")


if __name__ == "__main__":
    main()
