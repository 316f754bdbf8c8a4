"""A model in a file: what belongs to it, and what is checked before it is one again."""

from __future__ import annotations

import os
from typing import Any

from pellucid.optim import Optimizer
from pellucid.persist import load_objects

SETTINGS = ("network", "loss", "optimizer", "metrics", "penalties", "constraints")
NOTES = ("input_shape", "class_names", "preprocessing", "metadata")


def load_parts(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what `Model.save` wrote, by name.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or holds something else.
    """
    parts = load_objects(path)
    if missing := [name for name in (*SETTINGS, *NOTES) if name not in parts]:
        raise ValueError(
            f"{path}: expected a file that Model.save wrote, got one without "
            f"{', '.join(missing)}; read it with pellucid.persist.load_objects"
        )
    shape, names, notes = (parts[n] for n in ("input_shape", "class_names", "metadata"))
    sound = (
        (shape is None or (isinstance(shape, tuple) and all(type(n) is int for n in shape)))
        and (names is None or (isinstance(names, list) and all(type(n) is str for n in names)))
        and isinstance(notes, dict)
    )
    if not sound:
        raise ValueError(
            f"{path}: expected a shape, class names and notes in a model's file, got "
            f"{shape!r:.80}, {names!r:.80} and {notes!r:.80}; save it again"
        )
    return parts


def check_memory(optimizer: Optimizer, shapes: dict[str, tuple[int, ...]]) -> None:
    """Refuse what an optimiser cannot remember of parameters of these shapes.

    Raises:
        ValueError: a setting is out of range, or a state belongs to no parameter, or to one of
            another shape.
    """
    optimizer.check()
    optimizer.rate(1)
    if type(optimizer.steps) is not int or optimizer.steps < 0:
        raise ValueError(f"expected steps that were taken, got {optimizer.steps!r:.80}")
    for path, state in optimizer.state.items():
        for name, array in state.items():
            if path not in shapes or array.shape not in (shapes[path], ()):
                raise ValueError(
                    f"expected what the optimizer remembers to be of the network's parameters, got "
                    f"{name} of {path!r:.80} in the shape {array.shape}"
                )
