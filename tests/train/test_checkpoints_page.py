"""The code of docs/checkpoints.md runs, and runs again."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "checkpoints.md").read_text(encoding="utf-8")
AGAIN = 'print(history.epochs, history["loss"][-1], history["val_loss"][-1])'


def test_the_code_of_the_page_runs_and_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    samples = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(samples) == 2
    command = [sys.executable, "-c", "\n".join([*samples, AGAIN])]
    ends = []
    for _ in range(2):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        ends.append(done.stdout.splitlines())
    assert len(ends[0]) >= 11
    assert ends[1] == ends[0][-1:]  # no epoch was trained again
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names[0] == "best.safetensors"
    assert names[-1] == "checkpoint-000010-00000000.safetensors"
