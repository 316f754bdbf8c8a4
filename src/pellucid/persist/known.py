"""What files may name of this library: registered once, when the library is imported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import FunctionType
from typing import Any

from pellucid import data, nn, optim
from pellucid.autograd import functions
from pellucid.data import columns
from pellucid.nn import initialisers
from pellucid.nn.recurrent import Cell
from pellucid.optim import schedules
from pellucid.optim.groups import is_vector
from pellucid.registry import enrol

OWN = (nn.Module, nn.Penalty, nn.Constraint, optim.Optimizer, optim.Group, schedules.Schedule)


def register_own() -> None:
    """Register layers, losses, optimisers, schedules, functions of tensors and preprocessing."""
    _enrol("nn", _classes(vars(nn)))
    _enrol("nn", {"recurrent.Cell": Cell})
    _enrol("nn.initialisers", _functions(vars(initialisers), initialisers.DRAWING))
    _enrol("optim", _classes(vars(optim)))
    _enrol("optim", {"groups.is_vector": is_vector})
    _enrol("optim.schedules", _classes(vars(schedules)))
    _enrol("functions", _functions(vars(functions), functions.__all__))
    scaling = (data.Standardizer, data.CharVocabulary, data.TableEncoding, columns.Column)
    _enrol("data", {kind.__name__: kind for kind in scaling})


def _enrol(family: str, things: Mapping[str, Any]) -> None:
    for name, thing in things.items():
        enrol(thing, f"{family}.{name}")


def _classes(names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the classes among names that are of a kind that files hold."""
    return {n: c for n, c in names.items() if isinstance(c, type) and issubclass(c, OWN)}


def _functions(names: Mapping[str, Any], chosen: Iterable[str]) -> dict[str, Any]:
    """Return the functions among chosen names."""
    return {name: names[name] for name in chosen if isinstance(names[name], FunctionType)}
