"""Print the table of what the examples reached, from the files they wrote.

Each example writes ``runs/examples/NAME/results.json``:

    {"task": "8x8 digits", "network": "64-128-10", "parameters": 9610, "epochs": 20, "seed": 0,
     "metric": "test accuracy", "value": 0.978, "seconds": 0.9,
     "peer": {"name": "scikit-learn", "value": 0.975, "seconds": 1.4}}

``peer`` is there when the same network was also trained by another library.

    python tools/results.py [--runs runs/examples] [NAME ...]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NAMES = (
    "moons", "points", "xor", "spiral", "regression", "digits", "mnist", "fashion", "wine", "names",
    "gpt",
)  # fmt: skip
FIELDS: dict[str, type | tuple[type, ...]] = {
    "task": str,
    "network": str,
    "parameters": int,
    "epochs": int,
    "seed": int,
    "metric": str,
    "value": (int, float),
    "seconds": (int, float),
}
HEADER = ("example", "task", "network", "parameters", "epochs", "result", "time", "peer")


def read(name: str, runs: Path) -> dict[str, Any]:
    """Return what the example ``name`` wrote.

    Raises:
        ValueError: the file is missing, or lacks a field.
    """
    path = runs / name / "results.json"
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"expected {path}, got no such file; run: make {name}") from None
    wrong = [field for field, kind in FIELDS.items() if not isinstance(result.get(field), kind)]
    if wrong:
        raise ValueError(f"expected {path} to hold {list(FIELDS)}, got no good value for {wrong}")
    return dict(result)


def row(name: str, result: dict[str, Any]) -> tuple[str, ...]:
    """Return one example's line of the table."""
    peer = result.get("peer")
    return (
        f"`make {name}`",
        result["task"],
        result["network"],
        f"{result['parameters']:,}",
        f"{result['epochs']:,}",
        f"{result['metric']} {result['value']:.4f}",
        f"{result['seconds']:.1f} s",
        f"{peer['name']}: {peer['value']:.4f}, {peer['seconds']:.1f} s" if peer else "",
    )


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)


def main(arguments: list[str] | None = None) -> int:
    """Print the table; the exit status is 1 where a result is missing."""
    parser = argparse.ArgumentParser(description="print what the examples reached")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--runs", type=Path, default=Path("runs/examples"))
    options = parser.parse_args(arguments)
    results: dict[str, dict[str, Any]] = {}
    problems = []
    for name in options.names or NAMES:
        try:
            results[name] = read(name, options.runs)
            if results[name].get("short"):
                problems.append(f"{name}: expected a full run, got a short one; run: make {name}")
        except ValueError as error:
            problems.append(str(error))
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 1
    print(table(HEADER, [row(name, result) for name, result in results.items()]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
