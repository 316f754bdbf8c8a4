"""Samples of dense layers, activations, dropout and containers."""

from __future__ import annotations

from typing import Any

from contracts.layer_case import Parameters, Sample, dense, elementwise, normal
from pellucid import nn


def deep(torch: Any, x: Any, p: Parameters) -> Any:
    """Return the output of the nested network below."""
    x = torch.relu(dense(torch, x, p, "layers.0.layers.0."))
    x = torch.tanh(dense(torch, x, p, "layers.0.layers.1."))
    return torch.softmax(dense(torch, x, p, "layers.1."), -1)


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
