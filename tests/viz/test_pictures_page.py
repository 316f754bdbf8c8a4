"""The code of docs/pictures.md runs, and the page shows every picture there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pellucid import viz

PAGE = (Path(__file__).parents[2] / "docs" / "pictures.md").read_text(encoding="utf-8")
CODE = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))


def test_the_code_on_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sklearn")  # the digits come with it
    pytest.importorskip("llvmlite")
    monkeypatch.chdir(tmp_path)
    exec(compile(CODE, "pictures.py", "exec"), {})  # noqa: S102 - the page's own
    assert {path.name for path in tmp_path.iterdir()} == {
        "boundary.gif", "network.html", "report.html",
    }  # fmt: skip
    assert "FLOPs" in capsys.readouterr().out


def test_the_page_shows_every_public_name() -> None:
    plain = {"GraphDrawing", "LayerStatistics", "save", "training_curves"}  # told of, or returned
    shown = set(re.findall(r"viz\.(\w+)", CODE))
    assert shown == set(viz.__all__) - plain
