"""Plain data made objects again; `description` says what it consists of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from pellucid import registry
from pellucid.arrays import Array
from pellucid.autograd import Tensor
from pellucid.persist.values import (
    DTYPES,
    GENERATORS,
    SEED,
    UNUSUAL,
    Nesting,
    is_plain,
    key,
    problem,
)


class Builder(Nesting):
    """Turns what a `Describer` returned into objects again, with the arrays of the file.

    ``used`` gathers the names of the arrays that are part of them.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.used: set[str] = set()
        self._arrays = arrays
        self._tensors: dict[str, Tensor] = {}
        self._objects: dict[str, Any] = {}

    def build(self, node: Any, path: str) -> Any:
        """Return the value that plain data stands for.

        Raises:
            ValueError: it stands for nothing, or for something that is not registered here; the
                message says where.
        """
        if node is None or type(node) in (bool, int, str):
            return node
        if type(node) is float and math.isfinite(node):
            return node
        with self.deeper(path):
            if isinstance(node, list):
                return self._list(path, node)
            keys, how = self._HOW.get(frozenset(node) if isinstance(node, dict) else "", ((), None))
            if how is None:
                raise _unexpected(path, "a description", node)
            return how(self, path, *(node[name] for name in keys))

    def _list(self, path: str, parts: Any) -> list[Any]:
        return [self.build(part, f"{path}.{i}") for i, part in enumerate(_a(list, parts, path))]

    def _tuple(self, path: str, parts: Any) -> Any:
        return tuple(self._list(path, parts))

    def _set(self, path: str, parts: Any) -> Any:
        return {key(part, path) for part in self._list(path, parts)}

    def _frozenset(self, path: str, parts: Any) -> Any:
        return frozenset(self._set(path, parts))

    def _dict(self, path: str, pairs: Any) -> Any:
        found = {}
        for pair in _a(list, pairs, path):
            if not isinstance(pair, list) or len(pair) != 2:
                raise _unexpected(path, "a key and a value", pair)
            name = key(self.build(pair[0], path), path)
            found[name] = self.build(pair[1], f"{path}.{name!s:.80}")
        return found

    def _number(self, path: str, name: Any) -> Any:
        if not isinstance(name, str) or name not in UNUSUAL:
            raise _unexpected(path, "nan or inf", name)
        return UNUSUAL[name]

    def _dtype(self, path: str, name: Any) -> Any:
        if not isinstance(name, str) or name not in DTYPES:
            raise _unexpected(path, "a dtype", name)
        return np.dtype(name)

    def _scalar(self, path: str, number: Any, dtype: Any) -> Any:
        kind, value = self._dtype(path, dtype), self.build(number, path)
        if type(value) not in (bool, int, float):
            raise _unexpected(path, "a number", value)
        with _sound(path), np.errstate(all="raise"):
            return kind.type(value)

    def _array(self, path: str, name: Any) -> Any:
        if not isinstance(name, str) or name not in self._arrays:
            raise _unexpected(path, "the name of an array in the file", name)
        self.used.add(name)
        return self._arrays[name]

    def _tensor(self, path: str, name: Any, grad: Any) -> Any:
        array = self._array(path, name)
        if name not in self._tensors:
            wanted = _a(bool, grad, path)
            with _sound(path):
                self._tensors[name] = Tensor(array, requires_grad=wanted)
        return self._tensors[name]

    def _named(self, path: str, name: Any) -> Any:
        known = _a(str, name, path)
        with _sound(path):
            return registry.find(known)

    def _partial(self, path: str, function: Any, args: Any, keywords: Any) -> Any:
        called = self.build(function, path)
        if not callable(called):
            raise _unexpected(path, "a function", called)
        return partial(called, *self._list(path, args), **self._attributes(path, keywords, None))

    def _generator(self, path: str, kind: Any, seed: Any, state: Any) -> Any:
        if kind not in GENERATORS or not isinstance(seed, dict) or seed.keys() != set(SEED):
            raise _unexpected(path, "a random generator", kind)
        entropy, spawn_key, pool_size, children = (self.build(seed[k], path) for k in SEED)
        if pool_size != 4 or not all(type(n) is int for n in _a(tuple, spawn_key, path)):
            raise _unexpected(path, "the seed of a generator", seed)
        where = self.build(state, path)
        with _sound(path):
            sequence = np.random.SeedSequence(
                entropy, spawn_key=spawn_key, n_children_spawned=children
            )
            bits = getattr(np.random, kind)(sequence)
            bits.state = where
            return np.random.Generator(bits)

    def _again(self, path: str, place: Any) -> Any:
        if not isinstance(place, str) or place not in self._objects:
            raise _unexpected(path, "the path of an object before", place)
        return self._objects[place]

    def _object(self, path: str, name: Any, at: Any, state: Any) -> Any:
        kind = self._named(path, name)
        if not isinstance(kind, type) or not is_plain(kind):
            raise _unexpected(path, "a class with plain attributes", name)
        if _a(str, at, path) in self._objects:
            raise _unexpected(path, "a path of its own", at)
        thing: Any = object.__new__(kind)
        self._objects[at] = thing  # before its attributes, which may lead back to it
        attributes = self._attributes(path, state, kind)
        with _sound(path):
            if hasattr(kind, "__setstate__"):
                thing.__setstate__(attributes)
            else:
                vars(thing).update(attributes)
        return thing

    def _attributes(self, path: str, state: Any, kind: type | None) -> dict[str, Any]:
        for name in _a(dict, state, path):
            if fault := problem(name, kind):
                raise ValueError(f"{path:.200}.{name:.80}: {fault}")
        return {name: self.build(part, f"{path}.{name}") for name, part in state.items()}

    _HOW: Mapping[Any, tuple[tuple[str, ...], Callable[..., Any]]] = {
        frozenset(keys): (keys, how)
        for keys, how in (
            (("object", "at", "state"), _object),
            (("again",), _again),
            (("tensor", "grad"), _tensor),
            (("array",), _array),
            (("named",), _named),
            (("partial", "args", "keywords"), _partial),
            (("generator", "seed", "state"), _generator),
            (("dict",), _dict),
            (("tuple",), _tuple),
            (("set",), _set),
            (("frozenset",), _frozenset),
            (("scalar", "dtype"), _scalar),
            (("number",), _number),
            (("dtype",), _dtype),
        )
    }


def _unexpected(path: str, wanted: str, got: Any) -> ValueError:
    return ValueError(f"{path:.200}: expected {wanted}, got {got!r:.80}")


def _a(kind: type, value: Any, path: str) -> Any:
    """Return a value of a kind, or refuse it."""
    if type(value) is not kind:
        raise _unexpected(path, f"a {kind.__name__}", value)
    return value


@contextmanager
def _sound(path: str) -> Iterator[None]:
    """Say where it was that something refused what the file says."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{path:.200}: {error!s:.500}") from None
