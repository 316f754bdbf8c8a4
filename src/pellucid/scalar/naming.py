"""Names for values without a label, so that they can be spoken of."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

from pellucid.scalar.engine import Value, history


def names(out: Value) -> dict[Value, str]:
    """Return a name of its own for each value that ``out`` was computed from, and for itself.

    That is the label; or the number, for a leaf; or v1, v2, ... for a result, parents before their
    children. What would have the name of another has #2, #3, ... behind it.
    """
    values = dict.fromkeys(
        value for result in reversed(history(out)) for value in (*result.parents, result)
    ) or {out: None}
    taken = {str(value.label) for value in values if value.label}
    fresh = (name for number in count(1) if (name := f"v{number}") not in taken)
    found: dict[Value, str] = {}
    uses: dict[str, int] = {}
    for value in values:
        name = str(value.label) or (next(fresh) if value.parents else f"{value.data:.6g}")
        uses[name] = uses.get(name, 0) + 1
        found[value] = name if uses[name] == 1 else f"{name}#{uses[name]}"
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
