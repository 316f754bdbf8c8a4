"""Modules made of modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from textwrap import indent
from typing import Any

from pellucid.autograd import Tensor, as_tensor
from pellucid.nn.module import Module, Rng

Layer = Callable[[Any], Tensor]


class Sequential(Module):
    """out = layer_n(... layer_2(layer_1(x))).

    Args:
        layers: modules, or any functions of a tensor; or one list of them.
        rng: generator or seed from which all layers draw their starting values, in order; without
            it they keep those they have.
    """

    def __init__(self, *layers: Layer | list[Layer], rng: Rng = None) -> None:
        if len(layers) == 1 and isinstance(layers[0], list | tuple):
            layers = tuple(layers[0])
        for index, layer in enumerate(layers):
            if not callable(layer) or isinstance(layer, type):
                name = layer.__name__ if isinstance(layer, type) else ""
                hint = f"did you mean {name}()?" if name else "pass for example nn.ReLU()"
                raise TypeError(
                    f"Sequential: expected modules or functions, got {layer!r} at {index}; {hint}"
                )
        self.layers: list[Layer] = list(layers)  # type: ignore[arg-type]
        if rng is not None:
            self.initialise(rng)

    def forward(self, x: Any) -> Tensor:
        """Return the output of the last layer."""
        for layer in self.layers:
            x = layer(x)
        return as_tensor(x)

    def output_activation(self) -> Module | None:
        """Return the activation that ends the last layer."""
        last = self.layers[-1] if self.layers else None
        return last.output_activation() if isinstance(last, Module) else None

    def preactivation(self, x: Any) -> Tensor:
        """Return the output of the last layer before its activation."""
        for layer in self.layers[:-1]:
            x = layer(x)
        last = self.layers[-1] if self.layers else as_tensor
        return last.preactivation(x) if isinstance(last, Module) else last(x)

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, index: int) -> Layer:
        return self.layers[index]

    def describe(self) -> str:
        """Return one line a layer."""
        lines = [f"({i}) {layer!r}" for i, layer in enumerate(self.layers)]
        return "\n" + indent("\n".join(lines), "  ") + "\n" if lines else ""
