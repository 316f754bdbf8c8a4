"""docs/architecture.md names what is there: every folder, every file of the long ones, no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pellucid

PACKAGE = Path(pellucid.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
TEXT = PAGE.read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([\w/]+(?:\.py|/))`", TEXT))  # files and folders
LATER = {"playground/"}  # planned


def missing(named: set[str]) -> set[str]:
    """Return the files and folders that are nowhere in the package or the repository."""
    files = {path for path in PACKAGE.rglob("*") if "__pycache__" not in path.parts}
    known = {name for path in files for name in endings(path.relative_to(PACKAGE))}
    return {name for name in named if name.removesuffix("/") not in known}


def endings(path: Path) -> list[str]:
    """Return the ways to name a file: with all of the folders it is in, some, or none."""
    return ["/".join(path.parts[i:]) for i in range(len(path.parts))]


def test_what_it_names_is_there() -> None:
    assert missing(NAMED - LATER - {"src/pellucid/"}) == set()
    assert missing({"compiler/nowhere.py", "nowhere/"}) == {"compiler/nowhere.py", "nowhere/"}


def test_every_folder_is_on_a_floor() -> None:
    folders = {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    rows = "\n".join(re.findall(r"^\| (?:\d+|beside the house) \|.*", TEXT, re.MULTILINE))
    assert folders <= set(re.findall(r"`(\w+/)`", rows))


@pytest.mark.parametrize("folder", ["autograd", "compiler", "persist", "train"])
def test_every_file_is_named(folder: str) -> None:
    files = {path.name for path in (PACKAGE / folder).glob("*.py")} - {"__init__.py"}
    assert files <= {name.rpartition("/")[2] for name in NAMED}
