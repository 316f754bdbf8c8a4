"""The network as plain data, which goes into files, and the network built from it."""

from __future__ import annotations

from typing import Any

from pellucid import nn
from pellucid.cli.settings import Settings

Architecture = list[dict[str, Any]]


def architecture(settings: Settings, inputs: int, outputs: int) -> Architecture:
    """Return one dictionary a layer: dense layers, with dropout after each hidden one if asked."""
    layers: Architecture = []
    sizes = [inputs, *settings.layers]
    for before, after in zip(sizes, settings.layers, strict=False):
        layers.append(_dense(before, after, settings.activation))
        if settings.dropout:
            layers.append({"layer": "Dropout", "rate": settings.dropout})
    return [*layers, _dense(sizes[-1], outputs, None)]


def build(layers: Architecture, seed: int) -> nn.Sequential:
    """Return the network of these layers, its starting values drawn from the seed.

    Raises:
        ValueError: a layer of another kind than Dense and Dropout, or sizes that cannot be.
    """
    built: list[Any] = []
    for layer in layers:
        if layer["layer"] == "Dense":
            built.append(nn.Dense(layer["in_features"], layer["out_features"], layer["activation"]))
        elif layer["layer"] == "Dropout":
            built.append(nn.Dropout(layer["rate"]))
        else:
            raise ValueError(f"expected a Dense or Dropout layer, got {layer['layer']!r}")
    return nn.Sequential(*built, rng=seed)


def _dense(inputs: int, outputs: int, activation: str | None) -> dict[str, Any]:
    return {
        "layer": "Dense",
        "in_features": inputs,
        "out_features": outputs,
        "activation": activation,
    }
