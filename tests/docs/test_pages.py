"""The code on every page runs, from top to bottom."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"^( *)```python\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
OTHERS = {"checkpoints.md", "doctor.md", "errors.md", "files.md", "pictures.md"}  # test more of it
PAGES = [
    page.relative_to(ROOT).as_posix()
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if CODE.search(page.read_text(encoding="utf-8")) and page.name not in OTHERS
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
