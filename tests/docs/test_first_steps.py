"""What the first steps tell a newcomer to expect is what comes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "first_steps.md"


def test_the_page_says_what_comes() -> None:
    pytest.importorskip("sklearn")
    text = PAGE.read_text(encoding="utf-8")
    getting, building, training, *_ = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    space: dict[str, Any] = {}
    exec(getting + building + training, space)  # noqa: S102 - it is our page
    assert f"# {space['digits']!r}\n" in text
    assert f"# {space['x'].shape}, and" in text
    assert f"# ({len(space['parts'].test)}, 10):" in text
    size = sum(parameter.size for parameter in space["network"].parameters())
    assert f"{size:,} weights and biases" in text
    test = space["parts"].test
    assert "is about 0.97." in text
    assert space["model"].evaluate(test.x, test.y)["accuracy"] == pytest.approx(0.97, abs=0.015)
