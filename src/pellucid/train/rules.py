"""Which penalty or constraint a parameter is under: one for all weights, or by path."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TypeVar

from pellucid.autograd import Tensor
from pellucid.nn import Module
from pellucid.nn.norm import Normalisation

T = TypeVar("T")


def rules(
    given: T | Mapping[str, T] | None, kind: type[T], name: str, network: Module
) -> dict[str, T]:
    """Return a rule for each pattern of paths; the pattern "" stands for all weights.

    Raises:
        TypeError: what was given is no rule of this kind, nor a mapping to such.
        ValueError: a pattern matches nothing in the network: it is a misspelt path.
    """
    if given is None:
        return {}
    found = dict(given) if isinstance(given, Mapping) else {"": given}
    for rule in found.values():
        if not isinstance(rule, kind):
            raise TypeError(
                f"expected {name} to be a {kind.__name__}, or a mapping from the paths of "
                f"parameters to such, got {rule!r}; pass for example nn.{_example(kind)}"
            )
    tensors = network.named_tensors()
    for pattern in found:
        if pattern and not any(fnmatchcase(path, pattern) for path in tensors):
            raise ValueError(
                f"expected the paths of {name} to match parameters, got {pattern!r}, which matches "
                f"none of {', '.join(tensors)}"
            )
    return found


def matched(rules: Mapping[str, T], network: Module) -> list[tuple[Tensor, T]]:
    """Return each parameter with the rule it is under; with several, once for each.

    A pattern is a path such as "layers.0.weight", in which * stands for anything. It covers every
    parameter it matches; the pattern "" covers the weights, which have two axes or more and are not
    those of a normalisation.
    """
    if not rules:
        return []
    modules = network.modules()
    norms = {path for path, module in modules.items() if isinstance(module, Normalisation)}

    def covers(pattern: str, path: str, tensor: Tensor) -> bool:
        if pattern:
            return fnmatchcase(path, pattern)
        return tensor.ndim > 1 and path.rpartition(".")[0] not in norms

    return [
        (tensor, rule)
        for pattern, rule in rules.items()
        for path, tensor in network.named_parameters().items()
        if covers(pattern, path, tensor)
    ]


def _example(kind: type[object]) -> str:
    return "L2(1e-4)" if kind.__name__ == "Penalty" else "MaxNorm(3.0)"
