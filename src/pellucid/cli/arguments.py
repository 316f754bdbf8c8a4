"""What options may be: each function turns a word of the command line into a value."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from collections.abc import Callable

from pellucid.errors import unknown

_NO_LAYERS = ("", "none")


def layers(text: str) -> tuple[int, ...]:
    """Return the sizes in ``128,64``; none for an empty text or "none"."""
    if text.strip().lower() in _NO_LAYERS:
        return ()
    sizes = [_whole(part) for part in text.split(",")]
    good = [size for size in sizes if size is not None and size >= 1]
    if len(good) < len(sizes):
        raise ArgumentTypeError(
            f"expected the sizes of the hidden layers with commas between, got {text!r}; write for "
            "example 128,64, or none"
        )
    return tuple(good)


def count(text: str) -> int:
    """Return a whole number of at least 1."""
    return _at_least(text, 1, "50")


def threads(text: str) -> int:
    """Return a whole number of at least 1, to be left out where all cores are meant."""
    return _at_least(text, 1, "1, or leave it out to use every core")


def seed(text: str) -> int:
    """Return a whole number of at least 0."""
    return _at_least(text, 0, "0")


def rate(text: str) -> float:
    """Return a positive finite number."""
    number = _number(text)
    if not 0 < number < math.inf:
        raise ArgumentTypeError(f"expected a positive number, got {text!r}; try 0.001 to 0.1")
    return number


def deviation(text: str) -> float:
    """Return a finite number of at least 0."""
    number = _number(text)
    if not 0 <= number < math.inf:
        raise ArgumentTypeError(f"expected a number of at least 0, got {text!r}; try 0.1")
    return number


def filling(text: str) -> str | float:
    """Return "mean", "median" or a finite number."""
    if text in ("mean", "median"):
        return text
    number = _number(text)
    if not math.isfinite(number):
        raise ArgumentTypeError(f"expected mean, median or a number, got {text!r}; try median")
    return number


def share(text: str) -> float:
    """Return a number in [0, 1)."""
    number = _number(text)
    if not 0 <= number < 1:
        raise ArgumentTypeError(
            f"expected a share of at least 0 and below 1, got {text!r}; try 0.2"
        )
    return number


def one_of(kind: str, names: tuple[str, ...]) -> Callable[[str], str]:
    """Return the function that takes one of the names, and suggests one for a misspelt name."""

    def choose(text: str) -> str:
        if text not in names:
            raise ArgumentTypeError(str(unknown(kind, text, names)))
        return text

    return choose


def _at_least(text: str, least: int, example: str) -> int:
    number = _whole(text)
    if number is None or number < least:
        raise ArgumentTypeError(
            f"expected a whole number of at least {least}, got {text!r}; try {example}"
        )
    return number


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _number(text: str) -> float:
    """Return the number, NaN for what is none: NaN is in no range."""
    try:
        return float(text)
    except ValueError:
        return math.nan
