"""What every file of the repository keeps to: no hosts, no machine's paths, nothing unfinished."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pellucid.version import __version__

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "pellucid"
MADE = {"runs", "build", "dist", "__pycache__"}  # written by commands, never kept in the repository
BINARY = {".pyc", ".png", ".gz", ".npz", ".safetensors"}

# A bracket around one letter keeps a pattern from finding itself in this file; so do split strings.
INDEX = re.compile(r"index[-_][u]rl|find[-_][l]inks|/[s]imple\b", re.IGNORECASE)
MACHINE = re.compile(r"(?<![\w.~*)}\]-])/(?:home|root|Users|work|opt|mnt)/\w")
UNFINISHED = re.compile(r"\b(?:TO[D]O|FIX[M]E|X[X]X)\b")
UNSAFE = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "marshal", "shelve"}


def files(folder: Path = ROOT) -> Iterator[Path]:
    """Yield the repository's text files, without those that commands write."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if path.name not in MADE and (not path.name.startswith(".") or path.name == ".ci"):
                yield from files(path)
        elif path.suffix not in BINARY and path.name != ".git":  # a file in a worktree
            yield path


def matches(pattern: re.Pattern[str], paths: Iterator[Path]) -> list[str]:
    """Return ``path:line: text`` for each line in which the pattern is found."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


def test_the_files_are_found() -> None:
    found = {path.relative_to(ROOT).as_posix() for path in files()}
    assert {"Makefile", ".ci/run", "src/pellucid/tree.py", "requirements/dev.txt"} <= found
    assert not any(path.startswith((".venv/", ".git/", "runs/")) for path in found)


def test_no_package_index_is_named() -> None:
    assert matches(INDEX, files()) == []
    assert "://" not in (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")


def test_no_path_of_a_machine_is_named() -> None:
    assert matches(MACHINE, files()) == []


def test_nothing_is_left_unfinished() -> None:
    assert matches(UNFINISHED, files(ROOT / "src")) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (INDEX, "--index" + "-url something"),
        (INDEX, "PIP_FIND" + "_LINKS=wheels"),
        (INDEX, "https://example.org/sim" + "ple/"),
        (MACHINE, "data = '/ho" + "me/ada/data'"),
        (MACHINE, "see /o" + "pt/wheels"),
        (UNFINISHED, "# TO" + "DO: later"),
        (UNFINISHED, "FIX" + "ME"),
    ],
)
def test_a_planted_line_is_found(pattern: re.Pattern[str], line: str) -> None:
    assert pattern.search(line)


@pytest.mark.parametrize(
    "line", ["https://example.org/home/page", "a/work/b", "/usr/bin/env", "./opt/x"]
)
def test_other_paths_are_not_taken_for_a_machine_s(line: str) -> None:
    assert not MACHINE.search(line)


def unsafe(tree: ast.AST) -> list[str]:
    """Return the names of modules and arguments in the tree that execute code from a file."""
    found = []
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            off = isinstance(node.value, ast.Constant) and node.value.value is False
            found += [] if off else ["allow_pickle"]
        found += [name for name in names if name.split(".")[0] in UNSAFE]
    return found


def test_no_file_format_can_execute_code() -> None:
    found = {
        str(path.relative_to(ROOT)): names
        for path in files(SOURCE)
        if path.suffix == ".py" and (names := unsafe(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert found == {}


@pytest.mark.parametrize(
    "code",
    ["import pickle", "def f():\n    from cloudpickle import dumps", "load(f, allow_pickle=True)"],
)
def test_planted_pickle_is_found(code: str) -> None:
    assert unsafe(ast.parse(code))


def test_refusing_pickle_is_allowed() -> None:
    assert unsafe(ast.parse("import json\nload(f, allow_pickle=False)")) == []


def test_make_help_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    targets = set(" ".join(re.findall(r"^\.PHONY:(.*)$", text, re.MULTILINE)).split())
    assert {"help", "train", "test", "lint", "types", "bench", "clean", "lock"} <= targets
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    printed = subprocess.run(
        [make, "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = re.findall(r"^  (\w+)  +\S", printed.stdout, re.MULTILINE)
    assert sorted(listed) == sorted(targets)


def test_every_python_file_that_make_runs_exists() -> None:
    scripts = re.findall(r"\$\(PY\) ([\w/]+\.py)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert scripts
    assert [script for script in scripts if not (ROOT / script).is_file()] == []


def test_the_changelog_has_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d[^\]]*)\]", text, re.MULTILINE)
    assert versions
    assert versions[0] == __version__


def test_locked_requirements_are_all_pinned_and_hashed() -> None:
    text = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip()]
    assert lines
    assert [line for line in lines if "==" not in line or "--hash=sha256:" not in line] == []
    names = {line.split("==")[0] for line in lines}
    assert {"numpy", "hatchling", "editables", "pytest", "scikit-learn"} <= names
    assert "torch" not in names
