"""Samples of dense layers, activations, dropout, embeddings and containers."""

from __future__ import annotations

from typing import Any

import numpy as np

from contracts.layer_case import Parameters, Sample, dense, elementwise, normal
from pellucid import nn


def deep(torch: Any, x: Any, p: Parameters) -> Any:
    """Return the output of the nested network below."""
    x = torch.relu(dense(torch, x, p, "layers.0.layers.0."))
    x = torch.tanh(dense(torch, x, p, "layers.0.layers.1."))
    return torch.softmax(dense(torch, x, p, "layers.1."), -1)


def branches(torch: Any, x: Any, p: Parameters) -> list[Any]:
    """Return what comes out of two dense branches."""
    return [dense(torch, x, p, "layers.0."), torch.tanh(dense(torch, x, p, "layers.1."))]


def padded(torch: Any, x: Any, p: Parameters) -> Any:
    """Return the rows of a table whose row 1 reads as 0."""
    keep = torch.ones(p["weight"].shape, dtype=torch.float64)
    keep[1] = 0
    return torch.nn.functional.embedding(x, p["weight"] * keep)


def embedding(torch: Any, x: Any, p: Parameters) -> Any:
    """Return the rows of a table."""
    return torch.nn.functional.embedding(x, p["weight"])


ROWS = np.array([[0, 3, 1, 0], [4, 1, 1, 2]])

SAMPLES: dict[str, list[Sample]] = {
    "Linear": elementwise(nn.Linear, lambda torch, x: x),
    "ReLU": elementwise(nn.ReLU, lambda torch, x: torch.relu(x)),
    "LeakyReLU": [
        *elementwise(nn.LeakyReLU, lambda torch, x: torch.nn.functional.leaky_relu(x, 0.01)),
        Sample(
            "slope",
            lambda: nn.LeakyReLU(0.3),
            normal(2, 3),
            (2, 3),
            lambda torch, x, p: torch.nn.functional.leaky_relu(x, 0.3),
        ),
    ],
    "ELU": [
        *elementwise(nn.ELU, lambda torch, x: torch.nn.functional.elu(x)),
        Sample(
            "alpha",
            lambda: nn.ELU(0.4),
            normal(2, 3),
            (2, 3),
            lambda torch, x, p: torch.nn.functional.elu(x, 0.4),
        ),
    ],
    "SELU": elementwise(nn.SELU, lambda torch, x: torch.nn.functional.selu(x)),
    "GELU": [
        *elementwise(nn.GELU, lambda torch, x: torch.nn.functional.gelu(x)),
        *(
            Sample(
                f"approximate {shape}",
                lambda: nn.GELU(approximate=True),
                normal(*shape),
                shape,
                lambda torch, x, p: torch.nn.functional.gelu(x, approximate="tanh"),
            )
            for shape in [(4, 3), (2, 3, 5)]
        ),
    ],
    "SiLU": elementwise(nn.SiLU, lambda torch, x: torch.nn.functional.silu(x)),
    "Softplus": elementwise(nn.Softplus, lambda torch, x: torch.nn.functional.softplus(x)),
    "HardTanh": [
        *elementwise(nn.HardTanh, lambda torch, x: torch.nn.functional.hardtanh(x)),
        Sample(
            "bounds",
            lambda: nn.HardTanh(-0.3, 0.6),
            normal(2, 3),
            (2, 3),
            lambda torch, x, p: torch.nn.functional.hardtanh(x, -0.3, 0.6),
        ),
    ],
    "LogSoftmax": elementwise(nn.LogSoftmax, lambda torch, x: torch.log_softmax(x, -1)),
    "Sigmoid": elementwise(nn.Sigmoid, lambda torch, x: torch.sigmoid(x)),
    "Tanh": elementwise(nn.Tanh, lambda torch, x: torch.tanh(x)),
    "Softmax": elementwise(nn.Softmax, lambda torch, x: torch.softmax(x, -1)),
    "Dense": [
        Sample("matrix", lambda: nn.Dense(3, 4), normal(5, 3), (5, 4), dense),
        Sample("sequence", lambda: nn.Dense(3, 2), normal(2, 4, 3), (2, 4, 2), dense),
        Sample("one example", lambda: nn.Dense(3, 2), normal(3), (2,), dense),
        Sample("one feature", lambda: nn.Dense(1, 1), normal(5, 1), (5, 1), dense),
        Sample("no bias", lambda: nn.Dense(3, 4, bias=False), normal(5, 3), (5, 4), dense),
        Sample(
            "relu",
            lambda: nn.Dense(3, 6, "relu"),
            normal(5, 3),
            (5, 6),
            lambda torch, x, p: torch.relu(dense(torch, x, p)),
        ),
        Sample(
            "softmax",
            lambda: nn.Dense(3, 4, nn.Softmax()),
            normal(5, 3),
            (5, 4),
            lambda torch, x, p: torch.softmax(dense(torch, x, p), -1),
        ),
    ],
    "Embedding": [
        Sample("matrix", lambda: nn.Embedding(5, 3), ROWS, (2, 4, 3), embedding),
        Sample("labels", lambda: nn.Embedding(5, 3), ROWS[0], (4, 3), embedding),
        Sample("padding", lambda: nn.Embedding(5, 3, padding_idx=1), ROWS, (2, 4, 3), padded),
    ],
    "Dropout": [
        Sample(
            "rate 0.4",
            lambda: nn.Dropout(0.4),
            normal(6, 5),
            (6, 5),
            lambda t, x, p: x,
            random=True,
        ),
        Sample("rate 0", lambda: nn.Dropout(0.0), normal(4, 3), (4, 3), lambda t, x, p: x),
    ],
    "Residual": [
        Sample(
            "same shape",
            lambda: nn.Residual(nn.Dense(3, 5, "tanh"), nn.Dense(5, 3)),
            normal(4, 3),
            (4, 3),
            lambda torch, x, p: (
                x + dense(torch, torch.tanh(dense(torch, x, p, "layers.0.")), p, "layers.1.")
            ),
        ),
        Sample(
            "shortcut",
            lambda: nn.Residual([nn.Dense(3, 5, "tanh")], shortcut=nn.Dense(3, 5, bias=False)),
            normal(2, 4, 3),
            (2, 4, 5),
            lambda torch, x, p: (
                dense(torch, x, p, "shortcut.") + torch.tanh(dense(torch, x, p, "layers.0."))
            ),
        ),
    ],
    "Parallel": [
        Sample(
            "concat",
            lambda: nn.Parallel(nn.Dense(3, 2), nn.Dense(3, 4, "tanh")),
            normal(5, 3),
            (5, 6),
            lambda torch, x, p: torch.concat(branches(torch, x, p), -1),
        ),
        Sample(
            "concat along another axis",
            lambda: nn.Parallel(nn.Dense(3, 2), nn.Dense(3, 2, "tanh"), axis=1),
            normal(2, 5, 3),
            (2, 10, 2),
            lambda torch, x, p: torch.concat(branches(torch, x, p), 1),
        ),
        Sample(
            "sum",
            lambda: nn.Parallel(nn.Dense(3, 4), nn.Dense(3, 4, "tanh"), merge="sum"),
            normal(5, 3),
            (5, 4),
            lambda torch, x, p: sum(branches(torch, x, p)),
        ),
        Sample(
            "mean",
            lambda: nn.Parallel([nn.Dense(3, 4), nn.Dense(3, 4, "tanh")], merge="mean"),
            normal(5, 3),
            (5, 4),
            lambda torch, x, p: sum(branches(torch, x, p)) / 2,
        ),
        Sample(
            "product",
            lambda: nn.Parallel(
                nn.Dense(3, 4), nn.Dense(3, 4, "tanh"), merge=lambda parts: parts[0] * parts[1]
            ),
            normal(5, 3),
            (5, 4),
            lambda torch, x, p: branches(torch, x, p)[0] * branches(torch, x, p)[1],
        ),
    ],
    "Sequential": [
        Sample("empty", nn.Sequential, normal(4, 3), (4, 3), lambda t, x, p: x),
        Sample(
            "nested",
            lambda: nn.Sequential(
                nn.Sequential(nn.Dense(3, 6, "relu"), nn.Dense(6, 5, "tanh")),
                nn.Dense(5, 4, "softmax"),
            ),
            normal(4, 3),
            (4, 4),
            deep,
        ),
        Sample(
            "with dropout",
            lambda: nn.Sequential(nn.Dense(3, 8), nn.Dropout(0.5), nn.Dense(8, 2)),
            normal(4, 3),
            (4, 2),
            lambda torch, x, p: dense(torch, dense(torch, x, p, "layers.0."), p, "layers.2."),
            random=True,
        ),
        Sample(
            "functions",
            lambda: nn.Sequential([lambda x: x.reshape(len(x), -1), nn.Dense(6, 2)]),
            normal(4, 2, 3),
            (4, 2),
            lambda torch, x, p: dense(torch, x.reshape(4, 6), p, "layers.1."),
        ),
    ],
}
