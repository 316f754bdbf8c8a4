"""Write under each wrong program of docs/errors.md the message that it gives.

A program is the Python code of a section that begins with ``###``; it follows the imports, the
page's first Python code.

    python tools/errors_page.py            rewrite the messages
    python tools/errors_page.py --check    change nothing; fail if one is old
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
import warnings
from pathlib import Path

from pellucid.files import atomic

PAGE = Path(__file__).parents[1] / "docs" / "errors.md"
WIDTH = 98
_IMPORTS = re.compile(r"```python\n(.*?)```", re.DOTALL)
_SECTION = re.compile(
    r"(?P<head>^### (?P<title>[^\n]+)\n\n```python\n(?P<code>.*?)```\n\n)```text\n(?P<said>.*?)```",
    re.DOTALL | re.MULTILINE,
)


def message(code: str) -> str:
    """Return what a program's error says, with the error's name in front.

    Raises:
        ValueError: the program gives no error.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            exec(compile(code, "program.py", "exec"), {"__name__": "program"})  # noqa: S102
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    raise ValueError(f"expected a program that gives an error, got none from:\n{code}")


def programs(page: str) -> dict[str, str]:
    """Return the programs of a page by title, each with the imports before it."""
    imports = _IMPORTS.search(page)
    if imports is None:
        raise ValueError("expected the imports as the page's first Python code, got none")
    return {found["title"]: imports[1] + found["code"] for found in _SECTION.finditer(page)}


def rewritten(page: str) -> str:
    """Return the page with the messages that its programs give now."""
    complete = programs(page)

    def section(found: re.Match[str]) -> str:
        said = textwrap.fill(message(complete[found["title"]]), WIDTH, break_on_hyphens=False)
        return f"{found['head']}```text\n{said}\n```"

    return _SECTION.sub(section, page)


def main(arguments: list[str] | None = None, path: Path = PAGE) -> int:
    """Rewrite or check the page; return the exit status."""
    parser = argparse.ArgumentParser(description="the messages of wrong programs")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if one is old")
    options = parser.parse_args(arguments)
    old = path.read_text(encoding="utf-8")
    new = rewritten(old)
    if old == new:
        return 0
    if options.check:
        print(
            f"{path.name}: expected the messages that the programs give, got others; fix: python "
            "tools/errors_page.py",
            file=sys.stderr,
        )
        return 1
    with atomic(path) as temporary:
        temporary.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
