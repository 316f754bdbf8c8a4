"""What the command prints: headed lines, tables, notes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Literal

_HEADING = 10  # columns that the word in front takes


class Console:
    """Standard output, or nothing where the command was told to be quiet."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet

    def say(self, text: str = "") -> None:
        """Print text, unless quiet."""
        if not self.quiet:
            print(text, flush=True)

    def item(self, heading: str, text: str) -> None:
        """Print text after a word that says what it is; further lines of it line up."""
        first, *rest = text.split("\n")
        self.say("\n".join([f"{heading:<{_HEADING}} {first}", *(" " * 11 + line for line in rest)]))

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], numbers: str) -> None:
        """Print a table, unless quiet; see `table`."""
        if not self.quiet:
            table(header, rows, numbers)


def note(text: str) -> None:
    """Print what the user should know to standard error."""
    print(f"pellucid: note: {text}", file=sys.stderr, flush=True)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: str = "") -> None:
    """Print a table: drawn by rich on a terminal, aligned text elsewhere.

    Args:
        header: A name for each column.
        rows: The cells.
        numbers: The names of the columns that line up on the right, with commas between.
    """
    right = [name in numbers.split(",") for name in header]
    if sys.stdout.isatty():
        from rich.console import Console as Terminal
        from rich.table import Table
        from rich.text import Text

        drawn = Table(header_style="bold", box=None, padding=(0, 2, 0, 0), pad_edge=False)
        for name, is_number in zip(header, right, strict=True):
            justify: Literal["left", "right"] = "right" if is_number else "left"
            drawn.add_column(name, justify=justify, no_wrap=name != "description")
        for row in rows:
            drawn.add_row(*map(Text, row))
        Terminal(file=sys.stdout).print(drawn)
        return
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in [header, *rows]:
        cells = [
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(row, widths, right, strict=True)
        ]
        print("  ".join(cells).rstrip())
