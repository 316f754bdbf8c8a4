"""Objects as plain data and arrays, and plain data made objects again.

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
    {"scalar": number, "dtype": name}                             {"number": "nan"}
    {"dtype": name}
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from inspect import getattr_static, isabstract
from types import FunctionType
from typing import Any

import numpy as np

from pellucid import registry
from pellucid.arrays import Array
from pellucid.autograd import Tensor

DEEPEST = 100  # how far objects and lists may be nested
GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")
SEED = ("entropy", "spawn_key", "pool_size", "n_children_spawned")
UNUSUAL = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
METHODS = (FunctionType, property, classmethod, staticmethod)
DTYPES = frozenset(np.dtype(code).str for code in "?bBhHiIqQefd")


class Nesting:
    """Counts how deep the walk is, and refuses what is deeper than the limit."""

    depth = 0

    @contextmanager
    def deeper(self, path: str) -> Iterator[None]:
        """Go one level down, for as long as the context lasts."""
        if self.depth >= DEEPEST:
            raise ValueError(f"{path:.200}: expected at most {DEEPEST} levels of nesting, got more")
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1


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
                return {"dtype": _known(value, path)}
            if isinstance(value, np.generic):
                dtype = _known(value.dtype, path)
                return {"scalar": self.describe(value.item(), path), "dtype": dtype}
            return self._registered(value, path)

    def _list(self, value: list[Any], path: str) -> Any:
        return [self.describe(part, f"{path}.{i}") for i, part in enumerate(value)]

    def _tuple(self, value: tuple[Any, ...], path: str) -> Any:
        return {"tuple": self._list(list(value), path)}

    def _set(self, value: set[Any], path: str) -> Any:
        return {"set": self._list([_key(k, path) for k in sorted(value, key=repr)], path)}

    def _dict(self, value: dict[Any, Any], path: str) -> Any:
        pairs = [
            [self.describe(_key(key, path), path), self.describe(part, f"{path}.{key}")]
            for key, part in value.items()
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
        if not isinstance(state, dict | None) or not _is_plain(kind):
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
            if problem := _problem(name, kind):
                raise TypeError(f"{path}.{name}: {problem}; rename it, or leave it out")
        return {name: self.describe(part, f"{path}.{name}") for name, part in state.items()}

    _HOW: Mapping[type, Callable[..., Any]] = {
        list: _list,
        tuple: _tuple,
        set: _set,
        dict: _dict,
        partial: _partial,
        Tensor: _tensor,
        np.ndarray: _array,
        np.random.Generator: _generator,
    }


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
            return how(self, path, *(node[key] for key in keys))

    def _list(self, path: str, parts: Any) -> list[Any]:
        return [self.build(part, f"{path}.{i}") for i, part in enumerate(_a(list, parts, path))]

    def _tuple(self, path: str, parts: Any) -> Any:
        return tuple(self._list(path, parts))

    def _set(self, path: str, parts: Any) -> Any:
        return {_key(part, path) for part in self._list(path, parts)}

    def _dict(self, path: str, pairs: Any) -> Any:
        found = {}
        for pair in _a(list, pairs, path):
            if not isinstance(pair, list) or len(pair) != 2:
                raise _unexpected(path, "a key and a value", pair)
            key = _key(self.build(pair[0], path), path)
            found[key] = self.build(pair[1], f"{path}.{key!s:.80}")
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
        if not isinstance(kind, type) or not _is_plain(kind):
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
            if problem := _problem(name, kind):
                raise ValueError(f"{path:.200}.{name:.80}: {problem}")
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
            (("scalar", "dtype"), _scalar),
            (("number",), _number),
            (("dtype",), _dtype),
        )
    }


# what both take for sound


def _problem(name: Any, kind: type | None) -> str:
    """Return why a name is none of an attribute that objects of this class may have, if so."""
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("__"):
        return f"expected the name of a plain attribute, got {name!r:.80}"
    if kind is not None and isinstance(getattr_static(kind, name, None), METHODS):
        return f"expected an attribute beside the methods of {kind.__name__}, got one in its place"
    return ""


def _is_plain(kind: type) -> bool:
    """Whether objects of a class are made of nothing but their attributes."""
    makes: Any = kind.__new__
    return makes is object.__new__ and kind.__dictoffset__ != 0 and not isabstract(kind)


def _key(key: Any, path: str) -> Any:
    """Return a key of a dictionary or a member of a set, or refuse what is not plain."""
    plain = key if isinstance(key, tuple) else (key,)
    if any(part is not None and type(part) not in (bool, int, float, str) for part in plain):
        raise TypeError(f"{path:.200}: expected numbers and texts as keys, got {key!r:.80}")
    return key


def _known(dtype: Any, path: str) -> str:
    """Return the name of a dtype that files know."""
    if dtype.str not in DTYPES:
        raise TypeError(f"{path}: expected a dtype of numbers that files know, got {dtype}")
    return str(dtype.str)


def _of(path: str) -> str:
    """Return the name of an array that is no weight: its root is set apart, ``optimizer:...``."""
    root, _, rest = path.partition(".")
    return f"{root}:{rest}"


# errors


def _unregistered(value: Any, path: str) -> TypeError:
    """Return the error for what has no name in files."""
    what = value if isinstance(value, type | FunctionType) else type(value)
    name = getattr(what, "__name__", repr(what))
    if isinstance(value, FunctionType) and name == "<lambda>":
        fix = "define it with def, and put @pellucid.register before that"
    elif isinstance(what, type) and what.__module__ == "builtins":
        fix = "write it as a class of yours, with @pellucid.register before it"
    else:
        fix = f"put @pellucid.register before the definition of {name}"
    return TypeError(f"{path}: expected what a file can name, got {value!r:.80} ({name}); {fix}")


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
