"""A model in a file: what belongs to it, and what is checked before it is one again."""

from __future__ import annotations

import os
from collections.abc import Iterable
from types import FunctionType
from typing import Any

import numpy as np

from pellucid import nn, optim
from pellucid.autograd import Tensor
from pellucid.persist import load_objects, save_objects
from pellucid.train.checkpoint import Saved
from pellucid.train.events import Callbacks, Run
from pellucid.train.metrics import Metric

BASES = {"network": nn.Module, "loss": nn.Loss, "optimizer": optim.Optimizer}
RULES = {"penalties": nn.Penalty, "constraints": nn.Constraint}
NOTES = ("input_shape", "class_names", "preprocessing", "metadata")
PARTS = (*BASES, "metrics", *RULES, *NOTES)
PLAIN = (type(None), bool, int, float, str, set, frozenset, np.ndarray, np.generic)


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a model's parts; see `Model.save`."""
    save_objects(path, parts_of(model))


def parts_of(model: Any) -> dict[str, Any]:
    """Return what a model consists of, by name.

    Raises:
        ValueError: one of them is what `load` would refuse.
    """
    parts = {name: getattr(model, name) for name in PARTS}
    names, shape = parts["class_names"], parts["input_shape"]
    if isinstance(names, Iterable) and not isinstance(names, str):
        parts["class_names"] = list(map(str, names))
    if isinstance(shape, list | tuple):
        parts["input_shape"] = tuple(int(n) if isinstance(n, np.integer) else n for n in shape)
    _check(parts)
    return parts


def take_over(model: Any, saved: Saved) -> None:
    """Put a model's parts, which stay the same objects, into the state of those of a checkpoint.

    That is parameters, buffers and what the optimiser remembers, and whatever else may have been
    changed while training: which parameters are frozen, numbers such as a rate of dropout, what a
    layer of one's own counts.
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
    met: set[int] = set()
    for mine, theirs in pairs:
        _adopt(mine, theirs, met)
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


def _adopt(mine: Any, theirs: Any, met: set[int]) -> None:
    """Give an object the attributes of another, but for modules and tensors; ``met`` are done."""
    if id(mine) not in met:
        met.add(id(mine))
        for name, value in vars(theirs).items():
            setattr(mine, name, _adopted(vars(mine).get(name), value, met))


def _adopted(own: Any, value: Any, met: set[int]) -> Any:
    """Return what is the value of a checkpoint; where others may hold it, too, ``own`` itself."""
    if own is None or isinstance(value, PLAIN):
        return value
    if type(own) is not type(value) or isinstance(own, nn.Module | Tensor | type | FunctionType):
        return own
    if isinstance(own, list):
        own[:] = _adopted(tuple(own), tuple(value), met)
    elif isinstance(own, tuple):
        more = value[len(own) :]
        return tuple(_adopted(*pair, met) for pair in zip((*own, *more), value, strict=False))
    elif isinstance(own, dict):
        new = {name: _adopted(own.get(name), part, met) for name, part in value.items()}
        own.clear()
        own.update(new)
    elif isinstance(own, np.random.Generator):
        own.bit_generator.state = value.bit_generator.state
    elif hasattr(own, "__dict__"):
        _adopt(own, value, met)
    return own


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
        parts["optimizer"].rate(1)
        model = kind(*(parts[name] for name in BASES))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: no sound model: {error!s:.500}") from None
    for name in PARTS[3:]:  # as they were, though the constructor might refuse them now
        setattr(model, name, parts[name])
    return model


def _check(parts: dict[str, Any]) -> None:
    """Refuse parts that make no model.

    Raises:
        ValueError: says which, and what it has to be.
    """
    for name, base in BASES.items():
        _expect(name, isinstance(parts[name], base), f"of class {base.__name__}", parts[name])
    _expect("metrics", isinstance(parts["metrics"], list), "a list", parts["metrics"])
    for metric in parts["metrics"]:
        _expect("metrics", isinstance(metric, Metric), "of class Metric", metric)
        metric.__post_init__()
    for name, kind in RULES.items():
        rules = parts[name]
        sound = isinstance(rules, dict) and all(type(path) is str for path in rules)
        sound = sound and all(isinstance(rule, kind) for rule in rules.values())
        _expect(name, sound, f"a dictionary of paths, each with a {kind.__name__}", rules)
    shape, names = parts["input_shape"], parts["class_names"]
    _expect("input_shape", shape is None or _are(shape, tuple, int), "whole numbers", shape)
    _expect("class_names", names is None or _are(names, list, str), "a list of names", names)
    metadata = parts["metadata"]
    _expect("metadata", isinstance(metadata, dict), "a dictionary, such as {'data': ...}", metadata)
    optimizer = parts["optimizer"]
    optimizer.check()
    memory = [value for state in optimizer.state.values() for value in state.values()]
    sound = all(isinstance(value, int | float | np.ndarray | np.generic) for value in memory)
    _expect("optimizer.state", sound, "of arrays and numbers", optimizer.state)
    steps = [optimizer.steps, *optimizer.counts.values()]
    sound = _are(steps, list, int) and min(steps) >= 0
    _expect("optimizer.steps", sound, "whole numbers of at least 0, with its counts", steps)


def _are(values: Any, kind: type, each: type) -> bool:
    return isinstance(values, kind) and all(type(value) is each for value in values)  # type: ignore[attr-defined]


def _expect(name: str, sound: bool, wanted: str, value: Any) -> None:
    if not sound:
        raise ValueError(f"expected {name} to be {wanted}, got {value!r:.80}")
