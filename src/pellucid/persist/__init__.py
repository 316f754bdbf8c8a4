"""Safe files: a network's parameters, or a model with all that belongs to it."""

from __future__ import annotations

from pellucid.persist.known import register_own
from pellucid.persist.objects import load_objects, save_objects
from pellucid.persist.parameters import Loaded, load_parameters, save_parameters

__all__ = ["Loaded", "load_objects", "load_parameters", "save_objects", "save_parameters"]

register_own()
