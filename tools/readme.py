"""Rewrite the README's figures with what commands print, so that none is typed.

A region of README.md stands between two comments:

    <!-- begin: NAME -->
    <!-- end: NAME -->

    python tools/readme.py [NAME ...]    rewrite these regions, or all of them
    python tools/readme.py --check       compare the regions that every machine prints alike
"""

from __future__ import annotations

import argparse
import difflib
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from pellucid.files import atomic

ROOT = Path(__file__).parents[1]
MARK = re.compile(r"^<!-- (begin|end): ([\w-]+) -->$", re.MULTILINE)


class Region(NamedTuple):
    """The command that prints a region, and whether it prints the same on every machine."""

    command: tuple[str, ...]
    deterministic: bool = False


REGIONS = {
    "results": Region(("tools/results.py",)),
    "parameters": Region(("tools/parameters.py",), deterministic=True),
    "speed": Region(("benchmarks/training.py", "--markdown")),
    "scalar-speed": Region(("benchmarks/scalar.py", "--markdown")),
}


def output(region: Region) -> str:
    """Run the region's command in the repository's folder and return what it prints.

    Raises:
        RuntimeError: the command fails or prints nothing.
    """
    result = subprocess.run(
        [sys.executable, *region.command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    command = " ".join(("python", *region.command))
    if result.returncode:
        raise RuntimeError(
            f"expected `{command}` to succeed, got exit status {result.returncode}:\n"
            f"{result.stderr}"
        )
    if not result.stdout.strip():
        raise RuntimeError(f"expected `{command}` to print the region, got no output")
    return result.stdout.strip()


def find(text: str, known: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return where the content of each region starts and ends.

    Raises:
        ValueError: a mark without its partner, a region that occurs twice or that no command
            prints, or a known region that is missing.
    """
    spans: dict[str, tuple[int, int]] = {}
    opened: re.Match[str] | None = None
    for mark in MARK.finditer(text):
        kind, name = mark.groups()
        line = text.count("\n", 0, mark.start()) + 1
        if kind == "begin" and opened is None and name not in spans:
            opened = mark
        elif kind == "end" and opened is not None and opened[2] == name:
            spans[name] = (opened.end() + 1, mark.start())
            opened = None
        else:
            raise ValueError(
                f"line {line}: expected each region to begin and end once, got an unpaired or "
                f"repeated `{mark[0]}`; write one begin and one end, not nested"
            )
    if opened is not None:
        raise ValueError(f"expected `<!-- end: {opened[2]} -->`, got the end of the file; add it")
    if set(spans) != set(known):
        raise ValueError(
            f"expected the regions {sorted(known)}, got {sorted(spans)}; "
            "REGIONS in tools/readme.py and the comments in README.md must name the same"
        )
    return spans


def rewrite(text: str, contents: Mapping[str, str], known: Iterable[str]) -> str:
    """Return ``text`` with new contents for the regions named; the rest stays as it is."""
    spans = find(text, known)
    for name, (start, end) in sorted(spans.items(), key=lambda item: item[1], reverse=True):
        if name in contents:
            text = f"{text[:start]}\n{contents[name].strip()}\n\n{text[end:]}"
    return text


def main(
    arguments: list[str] | None = None,
    path: Path = ROOT / "README.md",
    regions: Mapping[str, Region] = REGIONS,
    run: Callable[[Region], str] = output,
) -> int:
    """Rewrite or check the regions; return the exit status."""
    parser = argparse.ArgumentParser(description="rewrite the README's figures")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(regions))
    parser.add_argument("--check", action="store_true", help="change nothing; fail if one is old")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in regions]
    if unknown:
        parser.error(f"expected regions of {sorted(regions)}, got {unknown}")
    names = options.names or [
        name for name, region in regions.items() if region.deterministic or not options.check
    ]
    old = path.read_text(encoding="utf-8")
    try:
        find(old, regions)  # before anything runs for minutes
        new = rewrite(old, {name: run(regions[name]) for name in names}, regions)
    except (ValueError, RuntimeError) as error:
        print(f"{path.name}: {error}", file=sys.stderr)
        return 1
    if not options.check:
        with atomic(path) as temporary:
            temporary.write_text(new, encoding="utf-8")
        return 0
    if old == new:
        return 0
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), path.name, "printed", n=0, lineterm=""
    )
    print(
        f"{path.name}: expected what the commands print, got other figures; "
        f"fix: make readme ARGS='{' '.join(names)}'",
        *lines,
        sep="\n",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
