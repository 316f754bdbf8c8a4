"""The programs of docs/doctor.md run, and its listing is what they print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pellucid.train import Finding, doctor

PAGE = Path(__file__).parents[2] / "docs" / "doctor.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_s_programs(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    names: dict[str, object] = {}
    programs = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    for number, code in enumerate(programs):
        exec(compile(code, f"program {number}", "exec"), names)  # noqa: S102 - the page's own
        printed = capsys.readouterr().out
        if number == 0:
            assert printed.startswith("nothing found\n")
        elif number == 1:
            assert printed == "[]\n"
        elif number == 2:
            assert printed.strip() == listing("spoiled")
        elif number == 3:
            assert "learned by heart, as it should be\n" in printed
            assert "take a learning rate of about" in printed
    assert re.sub(r" at .*:\d+", " at program.py:8", printed).strip() == listing("anomaly")


def listing(name: str) -> str:
    """Return what the page says that a program prints."""
    found = re.search(rf"<!-- begin: {name} -->\n\n```text\n(.*?)```", TEXT, re.DOTALL)
    assert found
    return found[1].strip()


def test_every_kind_is_on_the_page() -> None:
    folder = Path(doctor.__file__).parent
    code = "".join(file.read_text(encoding="utf-8") for file in folder.glob("*.py"))
    kinds = set(re.findall(rf'{Finding.__name__}\(\s*"([a-z-]+)"', code))
    assert len(kinds) == 18
    assert kinds == set(re.findall(r"^\| `([a-z-]+)` \|", TEXT, re.MULTILINE))
