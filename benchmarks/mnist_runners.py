"""One runner of the race: train on MNIST as a user's script would, in a process of its own.

    python benchmarks/mnist_runners.py RUNNER SEED

It prints the test accuracy after each epoch. Only what training needs is imported, since the race
counts everything from the start of the process; `mnist_race` starts such processes.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

TARGET = 0.97  # test accuracy
HIDDEN = (128, 128)
BATCH, RATE, MOST_EPOCHS = 128, 1e-3, 20
IMAGES, CYCLE_BATCH, PEAK, WARM = 60_000, 32, 4e-3, 0.1  # of one cycle


def one_cycle(seed: int) -> list[float]:
    """Train with Pellucid, the rate rising and falling; see `pellucid`."""
    from pellucid.optim.schedules import OneCycle

    steps = -(-IMAGES // CYCLE_BATCH)
    return pellucid(seed, OneCycle(PEAK, steps, warm=WARM), CYCLE_BATCH)


def pellucid(seed: int, rate: Any = RATE, batch: int = BATCH) -> list[float]:
    """Train with Pellucid; return the test accuracy after each epoch."""
    from pellucid import data, nn, optim, train

    class Enough(train.Callback):
        def on_epoch_end(self, run: train.Run) -> None:
            if run.logs["val_accuracy"] >= TARGET:
                run.stop("the target is met")

    images, test = data.mnist()
    first, second = HIDDEN
    network = nn.Sequential(
        nn.Dense(images.x.shape[1], first, "relu"),
        nn.Dense(first, second, "relu"),
        nn.Dense(second, 10),
        rng=seed,
    )
    model = train.Model(network, "cross_entropy", optim.Adam(rate), ["accuracy"])
    history = model.fit(
        images.x,
        images.y,
        epochs=MOST_EPOCHS,
        batch_size=batch,
        validation_data=(test.x, test.y),
        callbacks=[Enough()],
        seed=seed,
        verbose=False,
    )
    return list(history["val_accuracy"])


def scikit_learn(seed: int) -> list[float]:
    """Train with scikit-learn; return the test accuracy after each epoch."""
    import numpy as np
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    from pellucid import data

    images, test = data.mnist()
    model = MLPClassifier(
        HIDDEN,
        alpha=0,
        batch_size=BATCH,
        learning_rate_init=RATE,
        max_iter=1,
        warm_start=True,
        random_state=np.random.RandomState(seed),
    )
    accuracies: list[float] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a call of fit is one epoch
        while len(accuracies) < MOST_EPOCHS and max(accuracies, default=0) < TARGET:
            model.fit(images.x, images.y)
            accuracies.append(float(model.score(test.x, test.y)))
    return accuracies


RUNNERS: dict[str, Callable[[int], list[float]]] = {
    "pellucid, one cycle": one_cycle,
    "pellucid": pellucid,
    "scikit-learn": scikit_learn,
}


if __name__ == "__main__":
    name, seed = sys.argv[1:]
    print(json.dumps(RUNNERS[name](int(seed))))
