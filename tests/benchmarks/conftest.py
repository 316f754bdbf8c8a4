"""Scripts of the benchmarks as modules: here NumPy is imported long before they prepare."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType

import pytest

import machine


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return a function that imports a script."""
    monkeypatch.setattr(machine, "prepare", lambda: None)
    return importlib.import_module
