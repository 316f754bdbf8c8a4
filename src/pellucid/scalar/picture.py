"""A graph as a picture: SVG and DOT without any further program, PNG through matplotlib."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

from pellucid.scalar.layout import Edge, Layout, Point, layered

FORMATS = ("svg", "dot", "png")
CHARACTER, LINE, PAD = 7.3, 16.0, 9.0  # pixels: a character, a line, the margin inside a box
MARGIN = 16.0
FILL = {"leaf": "#e8f1fb", "result": "#ffffff", "output": "#fdf0d8", "part": "#e6f2ec"}
BOLD = ' font-weight="bold"'
INK, FAINT, ACCENT = "#22303c", "#8a99a8", "#c2410c"


@dataclass(frozen=True)
class Box:
    """What is drawn of one value: its lines of text, what kind it is, whether it stands out."""

    title: str
    lines: tuple[str, ...]
    kind: str
    lit: bool = False

    def text(self) -> list[tuple[str, bool]]:
        """Return the lines that are not empty, and whether each is the title."""
        rows = [(self.title, True), *((line, False) for line in self.lines)]
        return [row for row in rows if row[0]]


class Drawing:
    """A picture of a graph as SVG, as text for Graphviz, or as PNG; `draw_graph` makes it.

    It shows itself in a notebook; `save` writes it to a file. Lines lead to the right, or
    ``downwards``. Those in ``lit`` are bright, and ``notes`` are written on them.

    Raises:
        ValueError: the format is none of "svg", "dot" and "png".

    >>> import tempfile
    >>> from pellucid.scalar import Value, draw_graph
    >>> drawing = draw_graph(Value(2.0, "x") * Value(3.0, "y"))
    >>> len(drawing.boxes), drawing.svg.startswith("<svg")
    (3, True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     drawing.save(f"{folder}/graph.svg").name
    'graph.svg'
    """

    def __init__(
        self,
        boxes: Sequence[Box],
        edges: Sequence[Edge],
        lit: Iterable[Edge] = (),
        notes: dict[Edge, str] | None = None,
        format: str = "svg",  # noqa: A002 - the word that users of graph drawing know
        downwards: bool = False,
    ) -> None:
        if format not in FORMATS:
            raise ValueError(f"expected a format among {', '.join(FORMATS)}, got {format!r}")
        self.boxes = boxes
        self.edges = list(dict.fromkeys(edges))
        self.lit = set(lit)
        self.notes = notes or {}
        self.format = format
        self.downwards = downwards
        self._layout: Layout | None = None

    @property
    def svg(self) -> str:
        """The picture as SVG text."""
        return to_svg(self)

    @property
    def dot(self) -> str:
        """The graph in the DOT language of Graphviz."""
        return to_dot(self)

    @property
    def png(self) -> bytes:
        """The picture as PNG; needs matplotlib.

        Raises:
            ImportError: matplotlib is not installed.
        """
        return to_png(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture, in one step, in the format that the file's suffix names.

        Raises:
            ValueError: the suffix is none of .svg, .dot, .png.
        """
        path = Path(path)
        suffix = path.suffix.removeprefix(".") or self.format
        if suffix not in FORMATS:
            raise ValueError(f"expected a file ending in .svg, .dot or .png, got {path.name!r}")
        content = getattr(self, suffix)
        write(path, content if isinstance(content, bytes) else content.encode())
        return path

    def layout(self) -> Layout:
        """Return where everything goes; it is computed once."""
        if self._layout is None:
            widths, height = [box_width(box) for box in self.boxes], box_height(self.boxes)
            if self.downwards:
                across = layered([height] * len(widths), max(widths), self.edges, (46.0, 28.0))
                self._layout = turned(across)
                return self._layout
            room: dict[int, float] = {}  # before the boxes whose lines are written on
            for (_, target), note in self.notes.items():
                room[target] = max(room.get(target, 0.0), text_width(note) + 6 * PAD)
            self._layout = layered(widths, height, self.edges, (56.0, 14.0), room)
        return self._layout

    def __str__(self) -> str:
        return self.dot if self.format == "dot" else self.svg

    def _repr_svg_(self) -> str | None:
        return self.svg if self.format == "svg" else None

    def _repr_png_(self) -> bytes | None:
        return self.png if self.format == "png" else None

    def __repr__(self) -> str:
        if self.format == "dot":
            return self.dot
        return f"Drawing of {len(self.boxes)} values; save('graph.svg') writes it to a file"


def turned(layout: Layout) -> Layout:
    """Return a layout whose lines lead down in place of to the right."""
    return Layout(
        [(y, x) for x, y in layout.centres],
        {edge: [(y, x) for x, y in route] for edge, route in layout.routes.items()},
        layout.height,
        layout.width,
    )


def box_height(boxes: Sequence[Box]) -> float:
    """Return the height of every box."""
    return (1 + max(len(box.lines) for box in boxes)) * LINE + PAD


# SVG


def to_svg(drawing: Drawing) -> str:
    """Return the drawing as an SVG picture that needs nothing else."""
    layout, height = drawing.layout(), box_height(drawing.boxes)
    width, tall = layout.width + 2 * MARGIN, layout.height + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {tall:.0f}" '
        f'width="{width:.0f}" height="{tall:.0f}" font-family="ui-monospace, Menlo, Consolas, '
        'monospace" font-size="12">',
        f'<rect width="100%" height="100%" fill="#ffffff"/>'
        f'<g transform="translate({MARGIN:g} {MARGIN:g})">',
    ]
    for edge in sorted(drawing.edges, key=drawing.lit.__contains__):  # those lit up lie on top
        lit = edge in drawing.lit
        stroke, weight = (ACCENT, 2.4) if lit else (FAINT, 1.1)
        curve = "".join(
            f"{'M' if i == 0 else 'C' if i == 1 else ''}{x:.1f} {y:.1f} "
            for i, (x, y) in enumerate(way(drawing, edge))
        )
        parts.append(
            f'<path d="{curve.strip()}" fill="none" stroke="{stroke}" stroke-width="{weight}"/>'
        )
    for number, (x, y) in enumerate(layout.centres):
        parts.append(svg_box(drawing.boxes[number], x, y, box_width(drawing.boxes[number]), height))
    for edge, text in drawing.notes.items():
        x, y = note_place(drawing, edge)
        ink, bold = (ACCENT, BOLD) if edge in drawing.lit else (INK, "")
        left, right = gap(drawing, edge)
        parts.append(
            f'<rect x="{left:.1f}" y="{y - LINE / 2:.1f}" width="{right - left:.1f}" '
            f'height="{LINE:.0f}" fill="#ffffff"/>'
            f'<text x="{x:.1f}" y="{y + 4:.1f}" fill="{ink}" text-anchor="middle"{bold}>'
            f"{escape(text)}</text>"
        )
    return "\n".join([*parts, "</g></svg>"]) + "\n"


def svg_box(box: Box, x: float, y: float, width: float, height: float) -> str:
    """Return one box with its text."""
    left, top = x - width / 2, y - height / 2
    stroke, weight = (ACCENT, 2.4) if box.lit else (INK, 1.0)
    tip = escape(" ".join(line for line, _ in box.text()))
    text = "".join(
        f'<text x="{left + PAD:.1f}" y="{line_middle(box, y, i) + 4:.1f}" fill="{INK}"'
        f"{BOLD if is_title else ''}>{escape(line)}</text>"
        for i, (line, is_title) in enumerate(box.text())
    )
    return (
        f'<g><title>{tip}</title><rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" rx="5" fill="{FILL[box.kind]}" stroke="{stroke}" '
        f'stroke-width="{weight}"/>{text}</g>'
    )


def box_width(box: Box) -> float:
    """Return the width of a box: that of its longest line."""
    return max(text_width(line) for line, _ in box.text()) + 2 * PAD


def text_width(text: str) -> float:
    """Return the width of a line of text; Chinese characters and their like are two wide."""
    return sum(CHARACTER * (1 + (east_asian_width(c) in "WF")) for c in text)


def line_middle(box: Box, y: float, number: int) -> float:
    """Return the height at which a line of text stands in a box around y."""
    return y + LINE * (number - (len(box.text()) - 1) / 2)


def way(drawing: Drawing, edge: Edge) -> list[Point]:
    """Return a start and then the control points of cubic curves, from box to box."""
    source, target = (drawing.layout().centres[node] for node in edge)
    ends = [extent(drawing, node) / 2 for node in edge]
    route = drawing.layout().routes[edge]
    if drawing.downwards:  # as if it led to the right, and then turned
        source, target, *route = ((y, x) for x, y in (source, target, *route))
    (left, start), (right, end) = source, target
    points = [(left + ends[0], start)]
    for number, (x, y) in enumerate(route):
        x0, y0 = points[-1]
        middle = (x0 + x) / 2 if number % 2 else x0  # straight, and then a bend
        points += [(middle, y0), (middle, y), (x, y)]
    x0, y0 = points[-1]
    edge_of_box = right - ends[1]
    points += [(x0, y0), (edge_of_box, end), (edge_of_box, end)]
    return [(y, x) for x, y in points] if drawing.downwards else points


def extent(drawing: Drawing, node: int) -> float:
    """Return how long a box is along the lines."""
    return box_height(drawing.boxes) if drawing.downwards else box_width(drawing.boxes[node])


def note_place(drawing: Drawing, edge: Edge) -> Point:
    """Return where a line is written on: where it leaves the column before its target.

    There lines stand apart; further on they run together.
    """
    (x, y), _ = drawing.layout().routes[edge][-2:]
    if drawing.downwards:
        return x + text_width(drawing.notes[edge]) / 2 + PAD / 2, y + LINE
    return x + PAD + text_width(drawing.notes[edge]) / 2, y


def gap(drawing: Drawing, edge: Edge) -> tuple[float, float]:
    """Return from where to where a line makes room for its note.

    What would be left of it before the note looks like a minus sign, and is left out as well.
    """
    half = text_width(drawing.notes[edge]) / 2
    middle, _ = note_place(drawing, edge)
    if drawing.downwards:
        return middle - half - 2, middle + half + 2
    source, _ = edge
    rim = drawing.layout().centres[source][0] + box_width(drawing.boxes[source]) / 2 + 2
    left = middle - half - PAD + 2
    return (rim if left - 2 * PAD < rim < left else left), middle + half + 2


# DOT


def to_dot(drawing: Drawing) -> str:
    """Return the graph in the DOT language."""
    lines = [
        "digraph {",
        f"  rankdir={'TB' if drawing.downwards else 'LR'};",
        '  node [shape=box, style=filled, fontname="monospace"];',
    ]
    for number, box in enumerate(drawing.boxes):
        text = "\\n".join(dot_text(line) for line, _ in box.text())
        rim = f', color="{ACCENT}", penwidth=2.4' if box.lit else ""
        lines.append(f'  n{number} [label="{text}", fillcolor="{FILL[box.kind]}"{rim}];')
    for source, target in drawing.edges:
        parts = [f'color="{ACCENT}", penwidth=2.4'] if (source, target) in drawing.lit else []
        if note := drawing.notes.get((source, target)):
            parts.append(f'label="{dot_text(note)}"')
        lines.append(f"  n{source} -> n{target}{' [' + ', '.join(parts) + ']' if parts else ''};")
    return "\n".join([*lines, "}"]) + "\n"


def dot_text(text: str) -> str:
    """Return text as it stands between quotation marks in DOT."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


# PNG


def to_png(drawing: Drawing) -> bytes:
    """Return the drawing as a PNG picture."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyBboxPatch, PathPatch
        from matplotlib.path import Path as Curve
    except ImportError:
        raise ImportError(
            "a PNG needs matplotlib; install it with: pip install 'pellucid[viz]', or choose "
            "format='svg', which needs nothing"
        ) from None
    layout, height = drawing.layout(), box_height(drawing.boxes)
    width, tall = layout.width + 2 * MARGIN, layout.height + 2 * MARGIN
    dpi = min(144.0, 60_000 / max(width / 72, tall / 72))  # no side of more than 60,000 pixels
    figure: Any = Figure(figsize=(width / 72, tall / 72), dpi=dpi)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-MARGIN, layout.width + MARGIN), ylim=(layout.height + MARGIN, -MARGIN))
    axes.set_axis_off()
    for edge in sorted(drawing.edges, key=drawing.lit.__contains__):
        points = way(drawing, edge)
        codes = [Curve.MOVETO, *[Curve.CURVE4] * (len(points) - 1)]
        stroke, weight = (ACCENT, 2.4) if edge in drawing.lit else (FAINT, 1.1)
        axes.add_patch(PathPatch(Curve(points, codes), fc="none", ec=stroke, lw=weight))
    style = {"family": "monospace", "fontsize": 11.5, "va": "center", "parse_math": False}
    for box, (x, y) in zip(drawing.boxes, layout.centres, strict=True):
        wide = box_width(box)
        left, top = x - wide / 2, y - height / 2
        ink, weight = (ACCENT, 2.4) if box.lit else (INK, 1.0)
        rim = FancyBboxPatch(
            (left, top), wide, height, boxstyle="round,pad=0,rounding_size=5", fc=FILL[box.kind],
            ec=ink, lw=weight, zorder=2,
        )  # fmt: skip
        axes.add_patch(rim)
        for i, (line, is_title) in enumerate(box.text()):
            place = left + PAD, line_middle(box, y, i)
            bold = "bold" if is_title else "normal"
            axes.text(*place, line, color=INK, weight=bold, zorder=3, **style)
    for edge, text in drawing.notes.items():
        back = {"fc": "white", "ec": "none", "pad": 1}
        spot, ink = note_place(drawing, edge), ACCENT if edge in drawing.lit else INK
        axes.text(*spot, text, color=ink, ha="center", zorder=4, bbox=back, **style)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=dpi)
    return out.getvalue()


def write(path: Path, content: bytes) -> None:
    """Write a file in one step, so that a crash leaves the old one or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
