"""The code of docs/files.md runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "files.md").read_text(encoding="utf-8")


def test_the_code_of_the_page_runs(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    samples = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(samples) == 2
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(samples)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["digits.safetensors"]
