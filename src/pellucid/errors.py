"""Errors that say what was expected, what came, and how to fix it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class ShapeError(ValueError):
    """A shape that an operation or a layer cannot take.

    ``source`` is the layer that refused it; containers use it to put the layer's dotted path
    before the message, so that the reader knows where in the network to look.
    """

    def __init__(self, message: str, source: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.path = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class GraphError(RuntimeError):
    """A backward pass that the recorded graph does not allow."""


def unknown(kind: str, name: object, known: Iterable[str]) -> ValueError:
    """Return the error for a name that is none of the known ones, with the likely meant one.

    A class in place of an object made from it is the other likely slip.
    """
    names = sorted(known)
    close = get_close_matches(str(name).lower(), names, n=1)
    meant = f"{name.__name__}()" if isinstance(name, type) else repr(close[0]) if close else ""
    hint = f"; did you mean {meant}?" if meant else ""
    return ValueError(f"unknown {kind} {name!r}: expected one of {', '.join(names)}{hint}")
