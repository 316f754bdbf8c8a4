"""A network taken apart into the chain of layers that the hand-derived rules are for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from pellucid import nn
from pellucid.autograd import Tensor, functions
from pellucid.explain import elementwise, layers, windows
from pellucid.explain.rule import Numbers, Rule


class Link(NamedTuple):
    """A layer of the chain, or half of one: its linear part, or its activation."""

    path: str
    layer: nn.Module
    name: str
    apply: Callable[[Any], Tensor]
    rule: Rule


def chain(layer: Any, path: str) -> Iterator[Link]:
    """Yield the layers that a network applies one after the other, activations by themselves.

    Raises:
        TypeError: one of them is of a kind that is not derived by hand.
    """
    layer = layer if isinstance(layer, nn.Module) else FUNCTIONS.get(layer, layer)
    if type(layer) is nn.Sequential:
        yield from _several(layer, f"{path}.layers" if path else "layers")
        return
    kind = RULES.get(type(layer))
    where = f" at {path}" if path else ""
    if kind is None:
        known = ", ".join(one.__name__ for one in RULES)
        raise TypeError(
            f"expected a chain of layers that are derived by hand, got {type(layer).__name__}"
            f"{where}; recurrent layers, attention and modules of your own are not: pass the "
            f"layers before or after it by themselves, or check it with pellucid.gradcheck (known "
            f"are Sequential, {known})"
        )
    groups = getattr(layer, "groups", 1)
    if groups != 1:
        raise TypeError(
            f"expected a convolution with groups=1, which is derived by hand, got groups={groups} "
            f"in {type(layer).__name__}{where}; explain it with groups=1, or check it with "
            "pellucid.gradcheck"
        )
    end = getattr(layer, "activation", None)
    if end is None:
        name = repr(layer) if "\n" not in repr(layer) else type(layer).__name__
        yield Link(path, layer, name, layer, kind(layer))
        return
    yield Link(path, layer, f"{layer!r}, its linear part", layer.preactivation, kind(layer))
    yield from chain(end, f"{path}.activation" if path else "activation")


def _several(inner: Iterable[Any], path: str) -> Iterator[Link]:
    for i, layer in enumerate(inner):
        yield from chain(layer, f"{path}.{i}")


def innermost(links: Iterable[Link], path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield every single layer with its path, those inside a residual connection too."""
    for link in links:
        at = f"{path}.{link.path}" if path and link.path else path or link.path
        if isinstance(link.rule, Residual):
            yield from innermost([*link.rule.residue, *link.rule.direct], at)
        else:
            yield at, link.layer


def passed_back(links: list[Link], g: Numbers) -> list[dict[str, Numbers]]:
    """Return the gradients of each link, given that of the last one's output."""
    found = []
    for link in reversed(links):
        gradients = link.rule.backward(g)
        found.append(gradients)
        g = gradients.get("X", g)
    return found[::-1]


class Residual(Rule):
    """Z = S(X) + F(X): two paths from X to Z, so that dX is the sum over both."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        self.residue = list(_several(layer.layers, "layers"))
        self.direct = [] if layer.shortcut is None else list(chain(layer.shortcut, "shortcut"))
        self.value = "Z = X + F(X), F the layers inside one after the other"
        self.equations = ("dX = dZ + dZ passed back through F: both paths count",)
        if self.direct:
            self.value = "Z = S(X) + F(X), S the shortcut, F the layers inside"
            self.equations = ("dX = dZ passed back through S + dZ passed back through F",)

    def forward(self, x: Numbers) -> Numbers:
        """Return the sum of both paths."""
        ends = []
        for links in (self.direct, self.residue):
            h = x
            for link in links:
                h = link.rule.forward(h)
            ends.append(h)
        return ends[0] + ends[1]

    def backward(self, g: Numbers) -> dict[str, Numbers]:
        """Return the gradients of the parameters inside, and dX."""
        found: dict[str, Numbers] = {}
        parts: list[Numbers] = []
        for links in (self.direct, self.residue):
            gradients = passed_back(links, g)
            for link, own in zip(links, gradients, strict=True):
                found |= {f"{link.path}.{key}": d for key, d in own.items() if key != "X"}
            parts.append(gradients[0]["X"] if links else g)
        return found | {"X": parts[0] + parts[1]}


RULES: dict[type[nn.Module], type[Rule]] = {
    **layers.RULES,
    **elementwise.RULES,
    **windows.RULES,
    nn.Residual: Residual,
}
FUNCTIONS: dict[Any, nn.Module] = {
    functions.relu: nn.ReLU(),
    functions.sigmoid: nn.Sigmoid(),
    functions.tanh: nn.Tanh(),
}
