"""How a command ended, and what its files hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Ended(NamedTuple):
    """The exit status and what was printed."""

    status: int
    out: str
    err: str


Command = Callable[..., Ended]


def read(path: str | Path) -> Any:
    """Return what a JSON file holds."""
    return json.loads(Path(path).read_text(encoding="utf-8"))
