"""Listings of graphs in columns: what the parts of an `explain.Explanation` are written with."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from pellucid.compiler.graph import Graph, Node

WIDTH = 100  # columns
LEFT = 44  # of them at most for a result and its type


class Row(NamedTuple):
    """One line of a listing: the result and its type, what computes it, the user's line."""

    result: str
    call: str
    line: str


# Names and listings


def renamed(graph: Graph, before: Mapping[Node, str], used: int) -> tuple[dict[Node, str], int]:
    """Return a name for each node, and how many of %0, %1, ... have been given away.

    A node that was there before keeps its name. One that a pass made anew takes the name of the one
    most like it that is gone: of the same operation, type and line, with the most operands in
    common. So listings before and after a pass can be compared.
    """
    nodes = dict.fromkeys(graph.nodes())
    gone: dict[object, list[Node]] = {}
    for node in before:
        if node not in nodes:
            gone.setdefault(kind(node), []).append(node)
    names = {node: name for name, node in graph.inputs.items()}
    for node in nodes:
        if is_number(node):
            names[node] = str(node.value[()])  # type: ignore[index]
        elif node in names or node in before:
            names[node] = names.get(node) or before[node]
        elif alike := gone.get(kind(node)):
            mine = {names[x] for x in node.inputs}
            best = max(alike, key=lambda x: len(mine & {before[y] for y in x.inputs}))
            alike.remove(best)
            names[node] = before[best]
        else:
            names[node] = f"%{used}"
            used += 1
    return names, used


def kind(node: Node) -> object:
    """Return what two versions of a node have in common."""
    value = None if node.value is None else node.value.tobytes()
    return node.op, node.type, node.params, node.line, value


def rows(graph: Graph, names: Mapping[Node, str]) -> list[Row]:
    """Return the listing of a graph; numbers stand where they are used."""
    listed = [row(node, names) for node in graph.nodes() if not is_number(node)]
    return [
        *listed,
        *(Row(f"return {key}", names[x], "") for key, x in graph.outputs.items()),
    ]


def row(node: Node, names: Mapping[Node, str]) -> Row:
    """Return the line of one node."""
    result = f"{names[node]}: {node.type}"
    if node.op == "input":
        return Row(result, "input", node.line)
    if node.op == "constant":
        return Row(result, f"{node.size} numbers", node.line)
    parts = [names[x] for x in node.inputs]
    parts += [f"{key}={setting(value)}" for key, value in node.params]
    return Row(result, f"{node.op}({', '.join(parts)})", node.line)


def setting(value: object) -> str:
    """Return a setting as text: a slice as 1:3, other tuples in parentheses."""
    if not isinstance(value, tuple):
        return str(value)
    if value[:1] == ("slice",):
        start, stop, step = ("" if x is None else str(x) for x in value[1:])
        return f"{start}:{stop}" + (f":{step}" if step else "")
    return f"({', '.join(map(setting, value))}{',' if len(value) == 1 else ''})"


def is_number(node: Node) -> bool:
    """Whether a node is a constant of one element and no axes."""
    return node.op == "constant" and node.shape == ()


def difference(before: Sequence[Row], after: Sequence[Row]) -> tuple[tuple[str, Row], ...]:
    """Return the lines of only one of two listings, each with its sign."""
    found: list[tuple[str, Row]] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag != "equal":
            found += (("-", row) for row in before[i:j])
            found += (("+", row) for row in after[k:m])
    return tuple(found)


# Text


def table(rows: Sequence[Row], signs: Sequence[str] | None = None) -> list[str]:
    """Return rows in columns; a long one goes on in the next line."""
    left = min(max((len(row.result) for row in rows), default=0), LEFT)
    right = max((len(row.line) for row in rows), default=0)
    room = WIDTH - 2 - left - 3 - 1 - right
    middle = min(max((len(row.call) for row in rows), default=0), room)
    lines = []
    for row, sign in zip(rows, signs or [" "] * len(rows), strict=True):
        first, *more = textwrap.wrap(
            row.call, max(middle - max(len(row.result) - left, 0), 20)
        ) or [""]
        start = f"{sign} {row.result:<{left}} = "
        lines.append(f"{start}{first:<{middle + left + 5 - len(start)}} {row.line}".rstrip())
        lines += (f"{sign} {'':<{left + 3}}{line}" for line in more)
    return lines


def wrap(line: str) -> list[str]:
    """Return a line as several that are short enough, the further ones indented."""
    indent = len(line) - len(line.lstrip())
    deeper = " " * (indent + 8) if indent else ""
    return textwrap.wrap(line, WIDTH, subsequent_indent=deeper, break_long_words=False)


def section(title: str, figures: str, lines: Iterable[str]) -> str:
    """Return a part of the report under its title."""
    return "\n".join([f"== {title}: {figures} ".ljust(WIDTH, "="), *lines])


def size_text(size: int) -> str:
    """Return a number of bytes, such as 1,280 B."""
    return f"{size:,} B"


def time_text(seconds: float) -> str:
    """Return a time in microseconds, such as 12.34 us."""
    return f"{seconds * 1e6:,.2f} us"


def share_text(share: float) -> str:
    """Return a share in percent, such as 61 %."""
    return f"{100 * share:.0f} %"


def columns(cells: Sequence[Sequence[str]], left: int) -> list[str]:
    """Return rows of cells, the last ``left`` columns of the first row aligned to the left."""
    widths = [max(len(row[i]) for row in cells if i < len(row)) for i in range(len(cells[0]))]
    right = len(widths) - left
    lines = []
    for row in cells:
        padded = [
            f"{cell:>{width}}" if i < right else f"{cell:<{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        lines += textwrap.wrap(
            "  " + "  ".join(padded).rstrip(), WIDTH,
            subsequent_indent=" " * (2 + sum(widths[:right]) + 2 * right),
        )  # fmt: skip
    return lines
