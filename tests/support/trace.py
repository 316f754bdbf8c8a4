"""Code recorded by the compiler's tracer and run by its interpreter, for tests of other floors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from pellucid.compiler.interpret import interpret
from pellucid.compiler.trace import Symbol, finished, input_symbol

__all__ = ["Symbol", "Trace", "tracing"]


def replace(x: Any, of: Callable[[Symbol], Any]) -> Any:
    """Return x, a symbol, a constant or nested tuples and lists, with its symbols replaced."""
    if isinstance(x, tuple | list):
        return type(x)(replace(part, of) for part in x)
    return of(x) if isinstance(x, Symbol) else x


class Trace:
    """The inputs of what is being recorded."""

    def __init__(self) -> None:
        self.inputs: dict[str, Symbol] = {}

    def input(self, like: Any) -> Symbol:
        """Return a symbol for an array that is given when the program is run."""
        name = f"x{len(self.inputs)}"
        self.inputs[name] = input_symbol(name, np.asarray(like))
        return self.inputs[name]

    def run(self, results: Any, *values: Any) -> Any:
        """Return the results, symbols in nested tuples and lists, computed with NumPy."""
        wanted: list[Symbol] = []
        replace(results, wanted.append)
        outputs = {f"y{number}": symbol for number, symbol in enumerate(wanted)}
        inputs = dict(zip(self.inputs, map(np.asarray, values), strict=True))
        found = iter(interpret(finished(self.inputs, outputs), inputs).values())
        return replace(results, lambda _: next(found))


@contextmanager
def tracing() -> Iterator[Trace]:
    """Give a new trace."""
    yield Trace()
