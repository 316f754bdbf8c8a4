"""Thousands of changed files are read or refused; a loader that does anything else is caught."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fuzz_files

COUNT = os.environ.get("PELLUCID_FUZZ", "3000")
SCRIPT = Path(fuzz_files.__file__)


def test_no_changed_file_does_harm() -> None:
    """PELLUCID_FUZZ=100000 changes as many."""
    command = [sys.executable, str(SCRIPT), COUNT, "--seed", str(random.randrange(10**6))]
    if os.environ.get("CI"):
        command[-1] = "0"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.match(r"([\d,]+) read, ([\d,]+) refused", done.stdout)
    assert found is not None
    read, refused = (int(count.replace(",", "")) for count in found.groups())
    assert read + refused == int(COUNT)
    assert read > 0.01 * refused > 0  # changes reach beyond the first check


PLANTED = """
import sys
from pathlib import Path
import fuzz_files

def imports(path): import this_is_not_there
def runs(path): exec("1")
def writes(path): Path(sys.argv[1], "new").write_text("x")
def starts(path): import subprocess; subprocess.run(["true"])
def crashes(path): raise KeyError(path.name)
def mumbles(path): raise ValueError("no")
def sound(path): raise ValueError(f"{path.name}: refused")

for plant in (imports, runs, writes, starts, crashes, mumbles, sound):
    watch = fuzz_files.Watch()
    try:
        print(plant.__name__, fuzz_files.outcome(Path("file"), plant, watch))
    except Exception as error:
        print(plant.__name__, "caught")
"""


def test_loaders_that_do_harm_are_caught(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PLANTED, str(tmp_path)]
    known = os.pathsep.join([str(SCRIPT.parent), *sys.path])
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": known}
    )
    lines = dict(line.split() for line in done.stdout.splitlines())
    assert lines.pop("sound") == "refused"
    assert lines == dict.fromkeys(
        ("imports", "runs", "writes", "starts", "crashes", "mumbles"), "caught"
    )


@pytest.mark.parametrize("number", range(50))
def test_changes_are_the_same_for_the_same_number(number: int) -> None:
    whole = fuzz_files.theirs()
    one, two = (fuzz_files.changed(whole, random.Random(number)) for _ in range(2))
    assert one == two
