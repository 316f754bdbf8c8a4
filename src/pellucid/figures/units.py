"""Numbers for people: counts and sizes with a prefix once they are long."""

from __future__ import annotations

_LONG = 10_000  # from here on with a prefix


def count(number: int) -> str:
    """Return a count, exact while it is short: 9,216, then 36.9 k, 1.50 M, 2.00 G."""
    return _prefixed(number, "")


def size(number: int) -> str:
    """Return a number of bytes, exact while it is short: 512 B, then 36.9 kB of 1,000 bytes."""
    return _prefixed(number, "B")


def _prefixed(number: float, unit: str) -> str:
    if abs(number) < _LONG:
        return f"{number:,.0f} {unit}".rstrip()
    prefixes = "kMGTPE"
    for prefix in prefixes:
        number /= 1000
        if abs(number) < 999.5 or prefix == prefixes[-1]:
            break
    digits = max(0, 3 - len(f"{abs(number):.0f}"))
    return f"{number:,.{digits}f} {prefix}{unit}"
