"""Arguments of compiled functions: the arrays among them by name, and what else they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from pellucid import tree
from pellucid.arrays import Array
from pellucid.autograd import Tensor, tape
from pellucid.compiler.trace import Symbol, TraceError
from pellucid.errors import GraphError


def is_array(x: Any) -> bool:
    """Whether this becomes an input of the program."""
    return isinstance(x, Tensor | np.ndarray | np.generic)


def arrays_of(args: Any, kwargs: Any) -> dict[str, Array]:
    """Return the arrays among arguments by name: their place."""
    return dict([*_arrays(args, "arg"), *_arrays(kwargs, "kwarg")])


def _arrays(x: Any, name: str) -> Iterator[tuple[str, Array]]:
    if isinstance(x, Symbol) or (isinstance(x, Tensor) and isinstance(x.data, Symbol)):
        raise TraceError("expected arrays, got symbols: a compiled function cannot be traced")
    if is_array(x):
        yield name, np.asarray(x.data if isinstance(x, Tensor) else x)
    elif isinstance(x, list | tuple):
        for i, part in enumerate(x):
            yield from _arrays(part, f"{name}.{i}")
    elif isinstance(x, dict):
        for key, part in x.items():
            yield from _arrays(part, member(name, key))


def member(name: str, key: Any) -> str:
    """Return the name of what a dictionary has under a key: no two members have the same."""
    plain = isinstance(key, str) and key.isidentifier()
    return f"{name}.{key}" if plain else f"{name}[{key!r}]"


def wants_gradient(x: Any) -> bool:
    """Whether this is a tensor whose gradient is asked for."""
    return isinstance(x, Tensor) and x.requires_grad and bool(tape.is_recording())


def skeleton(x: Any) -> Any:
    """Return arguments without their arrays: what else a program depends on."""
    if is_array(x):
        return Tensor, wants_gradient(x)
    if isinstance(x, list | tuple):
        return type(x), tuple(skeleton(part) for part in x)
    if isinstance(x, dict):
        return tuple((key, skeleton(part)) for key, part in x.items())
    if hasattr(x, "__array__"):
        raise TypeError(
            f"expected arrays, tensors and settings as arguments, got {type(x).__name__}; convert "
            "it with numpy.asarray"
        )
    try:
        hash(x)
    except TypeError:
        raise TypeError(
            f"expected arrays, tensors and settings as arguments, got {type(x).__name__}; name "
            "what the function changes in state="
        ) from None
    return type(x).__name__, x


def with_symbols(x: Any, name: str, inputs: Mapping[str, Symbol]) -> Any:
    """Return arguments with a tensor of symbols in the place of each array."""
    if is_array(x):
        return Tensor(inputs[name], requires_grad=wants_gradient(x))
    if isinstance(x, list | tuple):
        parts = (with_symbols(part, f"{name}.{i}", inputs) for i, part in enumerate(x))
        return tree.sequence(type(x), parts)
    if isinstance(x, dict):
        return {key: with_symbols(part, member(name, key), inputs) for key, part in x.items()}
    return x


def check_gradients(given: Any, value: Any) -> None:
    """Refuse a result that a gradient should go through, to one of the tensors that were given.

    Raises:
        GraphError: the result will be a constant, and the gradient would be 0 without a word.
    """
    arguments = {id(x): name for name, x in tree.find(given, Tensor).items() if x.requires_grad}
    for result in tree.find(value, Tensor).values() if arguments else ():
        for node in tape.ancestors(result) if result.requires_grad else ():
            if id(node) in arguments:
                raise GraphError(
                    "expected arguments that are constants, since a compiled function returns "
                    f"numbers without a graph, got a result that depends on argument "
                    f"{arguments[id(node)]} and a gradient asked for; compile what computes the "
                    "gradient, pellucid.compile(pellucid.grad(f)), or the whole training step; or "
                    "pass x.detach()"
                )


def collected(
    x: Any, outputs: dict[str, Any], name: str = "out"
) -> Callable[[Mapping[str, Array]], Any]:
    """Add what a function returned to the outputs; return what puts it together again."""
    if isinstance(x, Tensor | Symbol | np.ndarray):
        outputs[name] = x.data if isinstance(x, Tensor) else x
        wrap = Tensor if isinstance(x, Tensor) else np.asarray
        return lambda found: wrap(found[name])
    if isinstance(x, list | tuple):
        kind, parts = type(x), [collected(p, outputs, f"{name}.{i}") for i, p in enumerate(x)]
        return lambda found: tree.sequence(kind, (part(found) for part in parts))
    if isinstance(x, dict):
        members = {key: collected(p, outputs, member(name, key)) for key, p in x.items()}
        return lambda found: {key: part(found) for key, part in members.items()}
    return lambda found: x


def stacked(values: list[Any]) -> Any:
    """Return several results of a function as one, each array with an axis for them in front."""
    first = values[0]
    if isinstance(first, Tensor):
        return Tensor(np.stack([value.data for value in values]))
    if isinstance(first, np.ndarray):
        return np.stack(values)
    if isinstance(first, list | tuple):
        parts = (stacked(list(several)) for several in zip(*values, strict=True))
        return tree.sequence(type(first), parts)
    if isinstance(first, dict):
        return {key: stacked([value[key] for value in values]) for key in first}
    return first
