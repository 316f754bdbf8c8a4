"""A model in a file: what belongs to it, and what is checked before it is one again."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from pellucid import nn, optim
from pellucid.persist import load_objects, save_objects
from pellucid.train.checkpoint import Saved
from pellucid.train.events import Callbacks, Run
from pellucid.train.metrics import Metric

BASES = {"network": nn.Module, "loss": nn.Loss, "optimizer": optim.Optimizer}
RULES = {"penalties": nn.Penalty, "constraints": nn.Constraint}
NOTES = ("input_shape", "class_names", "preprocessing", "metadata")
PARTS = (*BASES, "metrics", *RULES, *NOTES)


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a model's parts; see `Model.save`."""
    save_objects(path, parts_of(model))


def parts_of(model: Any) -> dict[str, Any]:
    """Return what a model consists of, by name."""
    parts = {name: getattr(model, name) for name in PARTS}
    if parts["class_names"] is not None:
        parts["class_names"] = list(map(str, parts["class_names"]))
    return parts


def take_over(model: Any, saved: Saved) -> None:
    """Put a model's parts, which stay the same objects, into the state of those of a checkpoint.

    That is parameters, buffers and what the optimiser remembers, and whatever else may have been
    changed while training: which parameters are frozen, numbers such as a rate of dropout.
    """
    network, parts = model.network, saved.parts
    tensors, modules = parts["network"].named_tensors(), parts["network"].modules()
    network.load_state({path: tensor.data for path, tensor in tensors.items()}, copy=False)
    for path, tensor in network.named_tensors().items():
        tensor.requires_grad = tensors[path].requires_grad
    pairs = [(mine, modules[path]) for path, mine in network.modules().items()]
    pairs += [(model.loss, parts["loss"])]
    for name in RULES:
        pairs += [(mine, parts[name][path]) for path, mine in getattr(model, name).items()]
    for mine, theirs in pairs:
        _adopt(mine, theirs)
    vars(model.optimizer).update(vars(parts["optimizer"]))


def task(model: Any, run: Run, callbacks: Callbacks, **options: Any) -> dict[str, Any]:
    """Return a description of a training, as plain data: what a checkpoint of it must agree with.

    Raises:
        TypeError: the batches come from what cannot say where it is.
    """
    sources = {"data": run.training, "validation": run.validation}
    tensors = model.network.named_tensors().items()
    modules = model.network.modules().items()
    rules = {kind: getattr(model, kind).items() for kind in RULES}
    return {
        **options,
        **{name: source.marks() if source else {"rows": 0} for name, source in sources.items()},
        "parameters": {path: f"{t.dtype} {t.shape}" for path, t in tensors},
        "network": {path or "itself": _settings(module) for path, module in modules},
        "loss": _settings(model.loss),
        "optimizer": repr(model.optimizer),
        "metrics": [metric.name for metric in model.metrics],
        **{kind: {path: repr(rule) for path, rule in each} for kind, each in rules.items()},
        "callbacks": [type(each).__name__ for each in callbacks.members],
    }


def _settings(module: nn.Module) -> str:
    """Return a module's class and its plain settings."""
    plain = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, bool | int | float | str) and name != "training"
    }
    return f"{type(module).__name__}({', '.join(f'{n}={v!r}' for n, v in plain.items())})"


def _adopt(mine: Any, theirs: Any) -> None:
    """Set an object's plain attributes, and its random generators, to those of another."""
    for name, value in vars(theirs).items():
        own = vars(mine).get(name)
        if isinstance(value, np.random.Generator) and isinstance(own, np.random.Generator):
            own.bit_generator.state = value.bit_generator.state  # others may draw from it, too
        elif value is None or isinstance(value, bool | int | float | str | np.ndarray):
            setattr(mine, name, value)


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
