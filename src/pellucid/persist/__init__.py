"""Safe files."""

from __future__ import annotations

from pellucid.persist.parameters import load_parameters, save_parameters

__all__ = ["load_parameters", "save_parameters"]
