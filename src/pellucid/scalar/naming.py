"""Names for values without a label, so that they can be spoken of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pellucid.scalar.engine import Value


def names(results: Sequence[Value]) -> dict[Value, str]:
    """Return a name for each of the results, newest first, and their parents.

    That is the label, if no other value has it; else a number for a leaf, v1, v2, ... for a result.
    """
    found: dict[Value, str] = {}
    taken: set[str] = set()
    fresh = 0
    for result in reversed(results):
        for value in (*result.parents, result):
            if value in found:
                continue
            name = value.label
            if not name and not value.parents:
                name = f"{value.data:.4g}"
            elif not name or name in taken:
                fresh += 1
                name = f"{name}v{fresh}" if not name else f"{name}#{fresh}"
            taken.add(name)
            found[value] = name
    return found


def formula(value: Value, names: Mapping[Value, str]) -> str:
    """Return how a value was computed, such as ``a * b`` or ``tanh(n)``."""
    parts = [names[parent] for parent in value.parents]
    if value.op in ("+", "-", "*", "/", "**"):
        return f" {value.op} ".join(parts)
    if value.op.startswith("**"):
        return f"{parts[0]} {value.op[:2]} {value.op[2:]}"
    shown = parts if len(parts) <= 6 else [*parts[:3], "...", *parts[-2:]]
    return f"{value.op}({', '.join(shown)})"
