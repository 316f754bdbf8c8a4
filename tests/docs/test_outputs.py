"""On the pages of explanation, the text after a block of code is what the code prints."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PAGES = sorted((Path(__file__).parents[2] / "docs" / "explanation").glob("*.md"))
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)


def compare(page: str) -> None:
    """Run the code of a page from top to bottom; each block prints what is shown after it."""
    names: dict[str, Any] = {"__name__": "page"}
    for number, block in enumerate(BLOCK.finditer(page)):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block[1], "page.py", "exec"), names)  # noqa: S102 - the page's own
        assert printed.getvalue() == (block[2] or ""), f"block {number}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_page_shows_what_its_code_prints(path: Path) -> None:
    if "compile" in path.read_text(encoding="utf-8"):
        pytest.importorskip("llvmlite")
    with np.errstate():  # which a page may change
        compare(path.read_text(encoding="utf-8"))


def test_a_wrong_output_is_noticed() -> None:
    right = "```python\nx = 1\n```\n\n```python\nprint(x + 1)\n```\n\n```text\n2\n```\n"
    compare(right)
    for wrong in (right.replace("\n2\n", "\n3\n"), right.replace("x = 1", "print(1)")):
        with pytest.raises(AssertionError, match="block"):
            compare(wrong)
