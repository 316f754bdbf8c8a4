"""Where a gradient is checked: the function, its arguments and parameters, all in float64."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import numpy as np

from pellucid import tree
from pellucid.arrays import Array
from pellucid.autograd.tensor import Tensor, apply
from pellucid.ops.op import Op


class Point:
    """The tensors that a function depends on, in float64, put back before every evaluation.

    ``leaves`` are what it is differentiated by. The constant tensors and the plain attributes of
    the trees are put back with them: whatever an evaluation changes, such as running statistics,
    the next one starts from the same state.
    """

    def __init__(self, inputs: list[tuple[str, Tensor]], *trees: object) -> None:
        self.leaves = list(inputs)
        self.base = {id(x): (x, x.data) for _, x in inputs}
        self.attributes: list[tuple[dict[str, Any], dict[str, Any]]] = []
        for path, value in chain.from_iterable(map(tree.visit, trees)):
            if isinstance(value, tree.Node):
                self.attributes.append((vars(value), dict(vars(value))))
            elif isinstance(value, Tensor) and value.is_leaf and id(value) not in self.base:
                self.base[id(value)] = value, _double(value.data)
                if value.requires_grad:
                    self.leaves.append((path or "parameter", value))
        if not self.leaves:
            raise ValueError(
                "expected floating-point inputs, or parameters with requires_grad=True, to "
                "differentiate by, got none; pass at least one, such as an array of floats"
            )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Give the tensors their own data and gradients back in the end, whatever happens."""
        saved = [(tensor, tensor.data, tensor.grad) for tensor, _ in self.base.values()]
        try:
            yield
        finally:
            self.move()
            for tensor, data, grad in saved:
                tensor.data, tensor.grad = data, grad

    def add(self, name: str, leaf: Tensor) -> None:
        """Differentiate by one tensor more."""
        self.leaves.append((name, leaf))
        self.base[id(leaf)] = leaf, leaf.data

    def move(self, leaf: Tensor | None = None, data: Array = None) -> None:
        """Put everything back; then, if a leaf is named, give it other data."""
        for attributes, saved in self.attributes:
            attributes.clear()
            attributes.update(saved)
        for tensor, own in self.base.values():
            tensor.data = own
        if leaf is not None:
            leaf.data = data


def _double(data: Array) -> Array:
    return data.astype(np.float64) if data.dtype.kind == "f" else data


def to_function(target: Any) -> Callable[..., Any]:
    """Return what is called with tensors: the target itself, or an operation, applied.

    Raises:
        TypeError: it cannot be called.
    """
    if isinstance(target, type) and issubclass(target, Op):
        return lambda *operands, **params: apply(target, *operands, **params)
    if not callable(target):
        raise TypeError(
            f"expected a function, an Op subclass or a module to check, got "
            f"{type(target).__name__}; wrap what you compute: gradcheck(lambda x: ..., x)"
        )
    return target  # type: ignore[no-any-return]


def argument_names(target: Any, count: int) -> list[str]:
    """Return the names of a function's arguments, or those of the ``forward`` of a module or op."""
    names = [f"input{i}" for i in range(count)]
    try:
        known = list(inspect.signature(getattr(target, "forward", target)).parameters.values())
    except (TypeError, ValueError):  # some built-in functions have no signature
        return names
    if isinstance(target, type) and issubclass(target, Op):
        known = known[1:]  # without xp
    for i, parameter in enumerate(known[:count]):
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names[i] = parameter.name
    return names


def to_argument(x: Any, name: str) -> Any:
    """Return floating-point values as a new float64 leaf, integers and booleans as they are.

    Raises:
        TypeError: it is not numeric.
    """
    try:
        array = x.data if isinstance(x, Tensor) else np.asarray(x)
        kind = array.dtype.kind
    except ValueError:  # nested lists of uneven lengths
        kind = "O"
    if kind not in "fiub":
        raise TypeError(
            f"expected tensors, arrays or numbers as inputs, got {type(x).__name__} for {name}; "
            "put other arguments into the function: gradcheck(lambda x: f(x, option), x)"
        )
    return Tensor(_double(array), requires_grad=True) if kind == "f" else x


def to_outputs(result: Any) -> list[Tensor]:
    """Return the floating-point tensors among what a function returned.

    Raises:
        TypeError: it returned something else than tensors, or none of floating point.
    """
    outputs = list(result) if isinstance(result, tuple | list) else [result]
    for output in outputs:
        if not isinstance(output, Tensor):
            raise TypeError(
                "expected the target to return a tensor or several, got "
                f"{type(output).__name__}; compute with tensors and return them as they are"
            )
    found = [output for output in outputs if output.dtype.kind == "f"]
    if not found:
        kinds = ", ".join(str(output.dtype) for output in outputs) or "nothing"
        raise TypeError(
            f"expected floating-point output, which alone has a gradient, got {kinds}; "
            "return what was computed before it was rounded or compared"
        )
    return found
