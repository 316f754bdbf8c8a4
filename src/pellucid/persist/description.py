"""Objects as plain data and arrays; `building` makes objects of them again.

An object is written as the name its class is registered under (`pellucid.register`) and the
attributes that a copy of it would have; read, it is an empty object of that class with these
attributes. No constructor runs, so nothing is drawn or allocated twice, and what was changed after
construction is kept: a new head, a frozen layer, a lowered rate. Arrays and tensors are named by
their dotted paths and go beside the description; where one object, tensor or array is reached
twice, it is one again.

In JSON numbers, texts, None and lists stand for themselves. Everything else is an object with one
of these sets of keys:

    {"object": name, "at": path, "state": {attribute: value}}     {"again": path}
    {"tensor": name, "grad": whether it requires one}             {"array": name}
    {"named": name of a class or function}                        {"dict": [[key, value], ...]}
    {"partial": function, "args": [...], "keywords": {...}}       {"tuple": [...]}
    {"generator": kind, "seed": {...}, "state": {...}}            {"set": [...]}
    {"scalar": number, "dtype": name}                             {"frozenset": [...]}
    {"dtype": name}                                               {"number": "nan"}
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from functools import partial
from types import FunctionType
from typing import Any

import numpy as np

from pellucid import registry
from pellucid.arrays import Array
from pellucid.autograd import Tensor
from pellucid.persist.values import GENERATORS, SEED, Nesting, is_plain, key, known, problem


class Describer(Nesting):
    """Turns objects into plain data; ``arrays`` gathers the arrays that are met on the way.

    Args:
        names: what tensors are to be called, by `id`; the others are called by their path.
    """

    def __init__(self, names: Mapping[int, str]) -> None:
        self.arrays: dict[str, Array] = {}
        self._names = names
        self._places: dict[int, str] = {}  # of objects, and names of arrays, met before
        self._met: list[Any] = []  # kept, for an `id` is only theirs as long as they live

    def describe(self, value: Any, path: str) -> Any:
        """Return plain data for a value that is reached by a path.

        Raises:
            TypeError: it is, or holds, what no file can name; the message says where.
            ValueError: it is nested too deeply, or two arrays have one name.
        """
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"number": str(value)}
        with self.deeper(path):
            how = self._HOW.get(type(value))
            if how is not None:
                return how(self, value, path)
            if isinstance(value, np.dtype):
                return {"dtype": known(value, path)}
            if isinstance(value, np.generic):
                dtype = known(value.dtype, path)
                return {"scalar": self.describe(value.item(), path), "dtype": dtype}
            return self._registered(value, path)

    def _list(self, value: list[Any], path: str) -> Any:
        return [self.describe(part, f"{path}.{i}") for i, part in enumerate(value)]

    def _tuple(self, value: tuple[Any, ...], path: str) -> Any:
        return {"tuple": self._list(list(value), path)}

    def _set(self, value: set[Any] | frozenset[Any], path: str) -> Any:
        members = self._list([key(k, path) for k in sorted(value, key=repr)], path)
        return {type(value).__name__: members}

    def _dict(self, value: dict[Any, Any], path: str) -> Any:
        pairs = [
            [self.describe(key(name, path), path), self.describe(part, f"{path}.{name}")]
            for name, part in value.items()
        ]
        return {"dict": pairs}

    def _partial(self, value: partial[Any], path: str) -> Any:
        return {
            "partial": self.describe(value.func, path),
            "args": self._list(list(value.args), path),
            "keywords": self._attributes(value.keywords, path),
        }

    def _tensor(self, value: Tensor, path: str) -> Any:
        name = self._array_name(value, value.data, self._names.get(id(value), _of(path)))
        return {"tensor": name, "grad": value.requires_grad}

    def _array(self, value: Array, path: str) -> Any:
        return {"array": self._array_name(value, value, _of(path))}

    def _array_name(self, owner: Any, array: Array, name: str) -> str:
        """Return the name of an array among ``arrays``; that of before where it was met before."""
        if id(owner) not in self._places:
            if name in self.arrays:
                raise ValueError(f"{name}: expected one array of this name, got two; rename one")
            self.arrays[name] = array
            self._places[id(owner)] = name
            self._met.append(owner)
        return self._places[id(owner)]

    def _generator(self, value: np.random.Generator, path: str) -> Any:
        kind: Any = value.bit_generator
        seed = kind.seed_seq
        if type(kind).__name__ not in GENERATORS or not isinstance(seed, np.random.SeedSequence):
            raise TypeError(
                f"{path}: expected a generator made by np.random.default_rng, got {kind!r}"
            )
        return {
            "generator": type(kind).__name__,
            "seed": {name: self.describe(getattr(seed, name), path) for name in SEED},
            "state": self.describe(kind.state, path),
        }

    def _registered(self, value: Any, path: str) -> Any:
        """Describe a class, a function or an object of a class that is registered."""
        name = registry.name_of(value)
        if name is not None:
            return {"named": name}
        kind = type(value)
        name = registry.name_of(kind)
        if name is None or isinstance(value, type):
            raise _unregistered(value, path)
        if id(value) in self._places:
            return {"again": self._places[id(value)]}
        self._places[id(value)] = path
        self._met.append(value)
        state = value.__getstate__()
        if not isinstance(state, dict | None) or not is_plain(kind):
            raise TypeError(
                f"{path}: expected an object whose attributes are all there is to it, got a "
                f"{kind.__name__}, which has __slots__, a __new__ or a built-in type's content; "
                "write it as a class with plain attributes"
            )
        return {"object": name, "at": path, "state": self._attributes(state or {}, path, kind)}

    def _attributes(
        self, state: Mapping[str, Any], path: str, kind: type | None = None
    ) -> dict[str, Any]:
        """Describe values by name."""
        for name in state:
            if fault := problem(name, kind):
                raise TypeError(f"{path}.{name}: {fault}; rename it, or leave it out")
        return {name: self.describe(part, f"{path}.{name}") for name, part in state.items()}

    _HOW: Mapping[type, Callable[..., Any]] = {
        list: _list,
        tuple: _tuple,
        set: _set,
        frozenset: _set,
        dict: _dict,
        partial: _partial,
        Tensor: _tensor,
        np.ndarray: _array,
        np.random.Generator: _generator,
    }


def _of(path: str) -> str:
    """Return the name of an array that is no weight: its root is set apart, ``optimizer:...``."""
    root, _, rest = path.partition(".")
    return f"{root}:{rest}"


def _unregistered(value: Any, path: str) -> TypeError:
    """Return the error for what has no name in files."""
    what = value if isinstance(value, type | FunctionType) else type(value)
    name = getattr(what, "__name__", repr(what))
    if isinstance(value, FunctionType) and name == "<lambda>":
        fix = "define it with def, and put @pellucid.register before that"
    elif what.__module__.partition(".")[0] in sys.stdlib_module_names:
        fix = "leave it out, or keep what it says as numbers and texts"
        if callable(value):
            fix = "write a function or class that uses it, with @pellucid.register before it"
    else:
        fix = f"put @pellucid.register before the definition of {name}"
    return TypeError(f"{path}: expected what a file can name, got {value!r:.80} ({name}); {fix}")
