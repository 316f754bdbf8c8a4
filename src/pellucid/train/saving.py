"""A model in a file: what belongs to it, and what is checked before it is one again."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from pellucid import nn, optim
from pellucid.persist import load_objects, save_objects
from pellucid.train.metrics import Metric

BASES = {"network": nn.Module, "loss": nn.Loss, "optimizer": optim.Optimizer}
RULES = {"penalties": nn.Penalty, "constraints": nn.Constraint}
NOTES = ("input_shape", "class_names", "preprocessing", "metadata")
PARTS = (*BASES, "metrics", *RULES, *NOTES)


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a model's parts; see `Model.save`."""
    parts = {name: getattr(model, name) for name in PARTS}
    if parts["class_names"] is not None:
        parts["class_names"] = list(map(str, parts["class_names"]))
    save_objects(path, parts)


def load(kind: Any, path: str | os.PathLike[str]) -> Any:
    """Return the model, of that class, whose parts are in a file; see `Model.load`."""
    parts = load_objects(path)
    if missing := [name for name in PARTS if name not in parts]:
        raise ValueError(
            f"{path}: expected a file that Model.save wrote, got one without "
            f"{', '.join(missing)}; read it with pellucid.persist.load_objects"
        )
    try:
        _check(parts)
        model = kind(*(parts[name] for name in BASES))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: expected a sound model, got: {error!s:.500}") from None
    for name in PARTS[3:]:  # as they were, though the constructor might refuse them now
        setattr(model, name, parts[name])
    return model


def _check(parts: dict[str, Any]) -> None:
    """Refuse parts that make no model."""
    for name, base in BASES.items():
        _expect(name, isinstance(parts[name], base), parts[name])
    _expect("metrics", isinstance(parts["metrics"], list), parts["metrics"])
    for metric in parts["metrics"]:
        _expect("metrics", isinstance(metric, Metric), metric)
        metric.__post_init__()
    for name, kind in RULES.items():
        rules = parts[name]
        sound = isinstance(rules, dict) and all(type(path) is str for path in rules)
        _expect(name, sound and all(isinstance(r, kind) for r in rules.values()), rules)
    shape, names = parts["input_shape"], parts["class_names"]
    _expect("input_shape", shape is None or _are(shape, tuple, int), shape)
    _expect("class_names", names is None or _are(names, list, str), names)
    _expect("metadata", isinstance(parts["metadata"], dict), parts["metadata"])
    optimizer = parts["optimizer"]
    optimizer.check()
    optimizer.rate(1)
    memory = [(path, state) for path, state in optimizer.state.items()]
    sound = all(_are(list(state.values()), list, np.ndarray) for _, state in memory)
    _expect("optimizer.state", sound, memory)
    steps = [optimizer.steps, *optimizer.counts.values()]
    _expect("optimizer.steps", _are(steps, list, int) and min(steps) >= 0, steps)


def _are(values: Any, kind: type, each: type) -> bool:
    return isinstance(values, kind) and all(type(value) is each for value in values)  # type: ignore[attr-defined]


def _expect(name: str, sound: bool, value: Any) -> None:
    if not sound:
        raise ValueError(f"{name} that cannot be, {value!r:.80}")
