"""Errors that say what was expected, what came, and how to fix it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from pellucid.elsewhere import CHOICES


class ShapeError(ValueError):
    """A shape that an operation or a layer cannot take.

    ``source`` is the layer that refused it; containers use it to put the layer's dotted path
    before the message, so that the reader knows where in the network to look.

    >>> import pellucid
    >>> from pellucid import nn
    >>> try:
    ...     nn.Sequential(nn.Dense(2, 3), nn.Dense(4, 1))([[1.0, 2.0]])
    ... except pellucid.ShapeError as error:
    ...     print(error)
    layers.1 (Dense): expected input of shape (..., 4), got (1, 3); ...
    """

    def __init__(self, message: str, source: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.path = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class GraphError(RuntimeError):
    """A backward pass that the recorded graph does not allow.

    >>> import pellucid
    >>> x = pellucid.Tensor([1.0, 2.0], requires_grad=True)
    >>> try:
    ...     (x * x).backward()
    ... except pellucid.GraphError as error:
    ...     print(error)
    expected a scalar to differentiate, got shape (2,); reduce it with .sum() ...
    """


class AnomalyError(FloatingPointError):
    """NaN or infinity; ``anomaly`` tells which operation made it, where, and the usual cause.

    It comes from `detect_anomaly` and from `Model.fit`.

    >>> import pellucid
    >>> x = pellucid.Tensor(0.0, requires_grad=True)
    >>> try:
    ...     with pellucid.detect_anomaly():
    ...         x.sqrt().backward()
    ... except pellucid.AnomalyError as error:
    ...     print(error.anomaly.op, error.anomaly.direction)
    ...     print(error.anomaly.cause)
    Sqrt backward
    the slope of the root is infinite at 0; take the root of x + 1e-12
    """

    def __init__(self, message: str, anomaly: object = None) -> None:
        super().__init__(message)
        self.anomaly = anomaly


def unknown(kind: str, name: object, known: Iterable[str]) -> ValueError:
    """Return the error for a name that is none of the known ones, with the likely meant one.

    That is what another library calls so, or else the most similar one. A class in place of an
    object made from it is the other likely slip.
    """
    names = sorted(known)
    word = str(name).lower()
    alias = CHOICES.get(word, word)
    close = [alias] if alias in names else get_close_matches(word, names, n=1)
    meant = f"{name.__name__}()" if isinstance(name, type) else repr(close[0]) if close else ""
    hint = f"; did you mean {meant}?" if meant else ""
    return ValueError(f"unknown {kind} {name!r}: expected one of {', '.join(names)}{hint}")
