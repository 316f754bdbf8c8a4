"""What descriptions may consist of: one set of rules for writing and for reading them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import getattr_static, isabstract
from types import FunctionType
from typing import Any

import numpy as np

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


def problem(name: Any, kind: type | None) -> str:
    """Return why a name is none of an attribute that objects of this class may have, if so."""
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("__"):
        return f"expected the name of a plain attribute, got {name!r:.80}"
    if kind is not None and isinstance(getattr_static(kind, name, None), METHODS):
        return f"expected an attribute beside the methods of {kind.__name__}, got one in its place"
    return ""


def is_plain(kind: type) -> bool:
    """Whether objects of a class are made of nothing but their attributes."""
    makes: Any = kind.__new__
    return makes is object.__new__ and kind.__dictoffset__ != 0 and not isabstract(kind)


def key(given: Any, path: str) -> Any:
    """Return a key of a dictionary or a member of a set, or refuse what is not plain."""
    plain = given if isinstance(given, tuple) else (given,)
    if any(part is not None and type(part) not in (bool, int, float, str) for part in plain):
        raise TypeError(f"{path:.200}: expected numbers and texts as keys, got {given!r:.80}")
    return given


def known(dtype: Any, path: str) -> str:
    """Return the name of a dtype that files know."""
    if dtype.str not in DTYPES:
        raise TypeError(f"{path}: expected a dtype of numbers that files know, got {dtype}")
    return str(dtype.str)
