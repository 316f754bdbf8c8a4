"""Every public name is in the API reference, and its docstring has an example that runs."""

from __future__ import annotations

import doctest
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import pellucid
from pellucid import museum

REFERENCE = Path(__file__).parents[2] / "docs" / "api"
SPACES = [pellucid, pellucid.nn, pellucid.optim, pellucid.data, pellucid.train, pellucid.viz]
SPACES += [pellucid.persist, pellucid.interop, pellucid.scalar, museum]

DTYPES = {"float32", "float64", "int64", "uint32", "bool"}  # NumPy's, named on a page


OBJECTS = re.compile(r"\.\. objects:: (\S+)\n(?:   :.*\n)*\n((?:   .*\n)+)")
DATA = re.compile(r"(?:objects|automodule|currentmodule):: (\S+)|py:data:: (\S+)")


def pages() -> Iterator[str]:
    """Yield the text of each page."""
    for page in sorted(REFERENCE.glob("*.md")):
        yield page.read_text(encoding="utf-8")


def listed() -> Iterator[tuple[str, str]]:
    """Yield the module and name of each object that a page lists."""
    for text in pages():
        for module, names in OBJECTS.findall(text):
            for name in names.split():
                yield module, name


def described() -> Iterator[tuple[str, str]]:
    """Yield the module and name of each object that a page describes itself."""
    for text in pages():
        current = "None"  # the module that names are put behind
        for module, name in DATA.findall(text):
            current = module or current
            if name:
                space, _, last = name.rpartition(".")
                yield space if current == "None" else f"{current}.{space}", last


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.__name__)
def test_every_public_name_is_in_the_reference(space: ModuleType) -> None:
    entries = {name for module, name in listed() if module == space.__name__}
    entries |= {name for module, name in described() if module == space.__name__}
    public = [name for name in space.__all__ if not isinstance(getattr(space, name), ModuleType)]
    assert [name for name in public if name not in entries | {"__version__", *DTYPES}] == []


@pytest.mark.parametrize(("module", "name"), sorted(set(described())))
def test_what_a_page_describes_itself_is_there(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize(("module", "name"), sorted(set(listed())))
def test_the_example_of_the_docstring_runs(module: str, name: str) -> None:
    entry = getattr(importlib.import_module(module), name)
    found = doctest.DocTestFinder().find(entry, name, globs={})  # its methods, too
    examples = [test for test in found if test.examples]
    own = [test.name for test in examples if test.name == name]
    assert own, f"{module}.{name} has no example in its docstring"
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for test in examples:
        report: list[str] = []
        runner.run(test, out=report.append)
        assert not runner.failures, "".join(report)
