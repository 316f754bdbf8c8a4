"""The code on every page runs, from top to bottom."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"^( *)```python\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WORD = re.compile(r"\d+(?:\.\d*)?(?:e[+-]?\d+)?|[^\W\d]+|[^\w\s]")
OTHERS = {"checkpoints.md", "doctor.md", "errors.md", "files.md", "pictures.md"}  # test more of it
PAGES = [
    page.relative_to(ROOT).as_posix()
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if CODE.search(page.read_text(encoding="utf-8"))
    and page.name not in OTHERS
    and page.parent.name != "explanation"  # of which test_outputs asks for more
]


@pytest.mark.parametrize("name", PAGES)
def test_the_code_runs(tmp_path: Path, name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    script = tmp_path / "page.py"
    script.write_text("\n".join(code for _, code in CODE.findall(text)), encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MPLBACKEND": "agg", "PELLUCID_SHORT": "1"},
    )
    assert result.returncode == 0, result.stderr
    if name.startswith("docs/guides/"):
        shown = [part for block in SHOWN.findall(text) for part in pieces(block)]
        assert first_missing(shown, result.stdout) is None


def pieces(block: str) -> list[str]:
    """Return what a block of output shows, cut where it leaves something out."""
    return block.split("...")


def first_missing(shown: list[str], printed: str) -> str | None:
    """Return the first piece that was not printed after those before it; None if all were.

    Lines may be broken elsewhere, and numbers may differ by what machines differ in.
    """
    have, start = WORD.findall(printed), 0
    for piece in shown:
        want = WORD.findall(piece)
        ends = (
            place + len(want)
            for place in range(start, len(have) - len(want) + 1)
            if all(map(alike, want, have[place : place + len(want)]))
        )
        if (end := next(ends, None)) is None:
            return piece
        start = end
    return None


def alike(shown: str, printed: str) -> bool:
    """Whether two words are the same, or two numbers, not whole ones, near each other."""
    if shown == printed or shown.isdigit():
        return shown == printed
    try:
        return math.isclose(float(shown), float(printed), rel_tol=0.05, abs_tol=0.002)
    except ValueError:
        return False


def test_what_was_not_printed_is_found() -> None:
    printed = "loss 0.123\nkernel k1\nTrue\n"
    assert first_missing(["loss 0.125", "k1 True"], printed) is None
    assert first_missing(["loss 0.15"], printed) == "loss 0.15"
    assert first_missing(["kernel k2"], printed) == "kernel k2"
    assert first_missing(["True", "loss 0.123"], printed) == "loss 0.123"
    assert first_missing(pieces("loss ... True"), printed) is None
    assert first_missing(pieces("loss ... False"), printed) == " False"
