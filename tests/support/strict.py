"""The array protocol on array-api-strict, which refuses whatever the standard does not promise.

The standard's functions are passed through as they are. Those that the protocol lists beyond the
standard are NumPy's, on a copy. Any other name does not exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import array_api_strict
import numpy as np

from pellucid import arrays
from pellucid.arrays.protocol import Namespace

VERSION = "2024.12"
DTYPES = frozenset(Namespace.__annotations__)
PROTOCOL = DTYPES | {name for name in vars(Namespace) if not name.startswith("_")}
BEYOND = frozenset(
    [
        *("own", "erf", "einsum", "index", "scatter_add", "pad"),
        *("windows", "windows_input", "conv", "conv_input", "conv_kernel"),
    ]
)
StrictArray = type(array_api_strict.zeros(()))


def strict(x: Any) -> Any:
    """Return NumPy arrays and dtypes, also within tuples, as strict ones; the rest as it is."""
    if isinstance(x, tuple):
        return tuple(map(strict, x))
    if isinstance(x, np.dtype):
        return getattr(array_api_strict, x.name)
    if isinstance(x, np.ndarray | np.generic):
        return array_api_strict.asarray(np.array(x))
    return x


def plain(x: Any) -> Any:
    """Return strict arrays, also within tuples, as NumPy ones; the rest as it is."""
    if isinstance(x, tuple):
        return tuple(map(plain, x))
    return np.array(x) if isinstance(x, StrictArray) else x


class Strict:
    """The namespace; ``used`` collects the names that were asked for."""

    def __init__(self) -> None:
        self.used: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        if name not in PROTOCOL:
            raise AttributeError(f"{name} is not in pellucid.arrays.protocol.Namespace")
        self.used.add(name)
        if name not in BEYOND:
            return getattr(array_api_strict, name)
        function = getattr(arrays.NUMPY, name)
        return lambda *args, **params: strict(function(*map(plain, args), **params))


@contextmanager
def registered() -> Iterator[Strict]:
    """Within this context strict arrays are computed by the namespace that this gives."""
    namespace = Strict()
    before = dict(arrays.NAMESPACES)
    flags = array_api_strict.get_array_api_strict_flags()
    array_api_strict.set_array_api_strict_flags(api_version=VERSION)
    arrays.register(StrictArray, namespace)
    try:
        yield namespace
    finally:
        arrays.NAMESPACES.clear()
        arrays.NAMESPACES.update(before)
        array_api_strict.set_array_api_strict_flags(api_version=flags["api_version"])
