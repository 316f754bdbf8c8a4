"""Errors that say what was expected, what came, and how to fix it."""

from __future__ import annotations


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
