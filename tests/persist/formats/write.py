"""Write the file of this version that later ones must be able to load; run once a format.

python tests/persist/formats/write.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pellucid import data, nn, optim, version
from pellucid.optim import schedules
from pellucid.persist import container
from pellucid.train import Model

X = np.linspace(-1, 1, 5 * 6 * 6, dtype=np.float32).reshape(5, 6, 6, 1)


def model() -> Model:
    """Return a small model with something of everything, trained for two epochs."""
    network = nn.Sequential(
        nn.Conv2D(1, 2, 3, "relu", padding="same"),
        nn.BatchNorm2D(2),
        nn.MaxPool2D(2),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Dense(18, 4, init=nn.initialisers.normal(std=0.1)),
        nn.Residual(nn.LayerNorm(4), nn.Dense(4, 4, nn.GELU(approximate=True))),
        nn.Dense(4, 3),
        rng=0,
    )
    rate = schedules.WarmUp(2, 0.5 * schedules.Cosine(0.01, 20))
    optimizer = optim.AdamW(rate, groups=[optim.no_decay_on_vectors()], clip_norm=1.0)
    loss = nn.CrossEntropyLoss(0.1, [1.0, 2.0, 1.0])
    made = Model(network, loss, optimizer, ["accuracy", "f1_macro"], nn.L2(1e-4), nn.MaxNorm(3.0))
    made.fit(X, np.arange(5) % 3, epochs=2, batch_size=3, seed=0, verbose=False)
    made.class_names = ["a", "b", "c"]
    made.preprocessing = data.Standardizer().fit(X.reshape(-1, 2))
    made.metadata = {"predictions": made.predict(X), "words": ("x", 1.5, None)}
    return made


if __name__ == "__main__":
    name = f"format_{container.FORMAT}_version_{version.__version__}.safetensors"
    model().save(Path(__file__).parent / name)
