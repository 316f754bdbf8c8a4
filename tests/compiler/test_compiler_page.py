"""The listings of docs/compiler.md are what its example prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("llvmlite")

PAGE = (Path(__file__).parents[2] / "docs" / "compiler.md").read_text(encoding="utf-8")


def listing(name: str) -> str:
    """Return what the page shows in a region."""
    pattern = rf"<!-- begin: {name} -->\n\n```text\n(.*?)```\n\n<!-- end: {name} -->"
    found = re.search(pattern, PAGE, re.DOTALL)
    assert found, f"expected the region {name}"
    return found[1].strip()


def test_the_page_shows_what_its_example_prints() -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    names: dict[str, object] = {}
    exec(compile(code, "example.py", "exec"), names)  # noqa: S102 - the page's own
    traced = names["traced"]
    assert str(traced.graph) == listing("graph")  # type: ignore[attr-defined]
    assert str(traced.program.plan) == listing("plan")  # type: ignore[attr-defined]
    assert "define void @step" in traced.program.text  # type: ignore[attr-defined]
