"""Every layer, activation, loss, optimiser and schedule has its formulas on a page, and checks."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import pytest

import mathml
from pellucid import nn, optim

PAGES = sorted((Path(__file__).parents[2] / "docs" / "explanation").glob("*.md"))
MATH = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+(?:\n[^$\n]+)*)\$", re.DOTALL)
CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)

# bases of classes, and what only names or watches others
NO_FORMULA = {"Activation", "Constraint", "Loss", "Module", "Penalty", "Optimizer", "Schedule"}
NO_FORMULA |= {"capture", "optimizer"}
SPACES: dict[str, tuple[ModuleType, Iterable[str]]] = {
    "nn": (nn, nn.__all__),
    "optim": (optim, optim.__all__),
    "schedules": (optim.schedules, [name for name in vars(optim.schedules) if name[0].isupper()]),
    "initialisers": (nn.initialisers, [*nn.initialisers.INITIALISERS, "constant"]),
}


def named(space: str) -> list[str]:
    """Return the classes and functions of a space that compute something."""
    module, names = SPACES[space]
    own = {name: getattr(module, name) for name in names}
    return [
        name
        for name, entry in own.items()
        if (inspect.isclass(entry) or inspect.isfunction(entry))
        and entry.__module__.startswith("pellucid")
        and name not in NO_FORMULA
    ]


def code(text: str) -> str:
    """Return the blocks of code of a page."""
    return "\n".join(CODE.findall(text))


def prose(text: str) -> str:
    """Return a page without its blocks of code and formulas."""
    return re.sub(r"\$\$.*?\$\$", "", CODE.sub("", text), flags=re.DOTALL)


def missing(names: Iterable[str], text: str) -> list[str]:
    """Return the names that do not stand, whole, in the text."""
    words = set(re.findall(r"\w+", text))
    return [name for name in names if name not in words]


@pytest.mark.parametrize("space", SPACES)
def test_every_name_is_on_a_page_and_in_its_checks(space: str) -> None:
    names = named(space)
    text = "\n\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert len(names) > 10
    assert missing(names, prose(text)) == []
    assert missing(names, code(text)) == []


def test_planted_names_are_found_missing() -> None:
    text = "`Dense` is here.\n\n```python\nnn.Conv1D\n```\n\n$$\nReLU\n$$\n"
    names = ["Dense", "Conv1D", "ReLU", "Dens", "PlantedLayer"]
    assert missing(names, prose(text)) == ["Conv1D", "ReLU", "Dens", "PlantedLayer"]
    assert missing(names, code(text)) == ["Dense", "ReLU", "Dens", "PlantedLayer"]


def test_classes_count_and_other_things_do_not() -> None:
    assert {"Dense", "GRU", "MaxNorm", "attention_weights"} <= set(named("nn"))
    assert not {"ACTIVATIONS", "initialisers", "Loss"} & set(named("nn"))
    assert {"WarmUp", "Linear"} <= set(named("schedules"))
    assert {"he_normal", "orthogonal", "constant"} <= set(named("initialisers"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_formula_can_be_shown(page: Path) -> None:
    formulas = MATH.findall(CODE.sub("", page.read_text(encoding="utf-8")))
    assert len(formulas) > 20
    for block, inline in formulas:
        mathml.mathml(block or inline, block=bool(block))
