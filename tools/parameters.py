"""Print how many parameters each example's network has, counted on the network itself.

Each example has a function ``network()`` that builds the network it trains.

    python tools/parameters.py
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from pellucid import interop, scalar
from results import table

EXAMPLES = Path(__file__).parents[1] / "examples"
MOST = 12  # arrays whose shapes are all listed


def load(path: Path) -> ModuleType:
    """Import one example by its path, without running its main part."""
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"expected a Python file, got {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def on_tensors(network: Any) -> Any:
    """Return the network, one on scalars as the same on tensors."""
    return interop.to_tensors(network) if isinstance(network, scalar.MLP) else network


def count(network: Any) -> int:
    """Return the number of trained values: the sum of the parameters' sizes."""
    return sum(int(parameter.size) for parameter in on_tensors(network).parameters())


def shapes(network: Any) -> str:
    """Return the shape of each parameter; of many, how many there are and the first and last."""
    found = ["x".join(map(str, one.shape)) for one in on_tensors(network).parameters()]
    if len(found) > MOST:
        found[3:-3] = [f"... ({len(found)} arrays) ..."]
    return " ".join(found)


def main() -> int:
    """Print the table."""
    rows = []
    paths = sorted(EXAMPLES.glob("*.py"))
    if not paths:
        raise FileNotFoundError(f"expected examples in {EXAMPLES}, got none")
    for path in paths:
        network = on_tensors(load(path).network())
        rows.append((f"`examples/{path.name}`", shapes(network), f"{count(network):,}"))
    print(table(("example", "shapes", "parameters"), rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
