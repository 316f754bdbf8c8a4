"""Pictures of graphs: what is in them, where it stands, and that nothing breaks them."""

from __future__ import annotations

import io
import random
import re
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.scalar import MLP, Drawing, Value, draw_graph, mse
from pellucid.scalar.drawing import draw
from pellucid.scalar.layout import Layout, crossings, depth_first, layered, uncross, with_bends
from pellucid.scalar.layout import columns_of as columns

SVG = "{http://www.w3.org/2000/svg}"


def neuron() -> Value:
    x1, x2, w1, w2 = Value(2.0, "x1"), Value(0.0, "x2"), Value(-3.0, "w1"), Value(1.0, "w2")
    n = x1 * w1 + x2 * w2 + Value(6.881373587019543, "b")
    n.label = "n"
    o = n.tanh()
    o.label = "o"
    o.backward()
    return o


def pixels(drawing: Drawing) -> np.ndarray:
    """Return the picture as (height, width, 3) of colours from 0 to 1."""
    return matplotlib.image.imread(io.BytesIO(drawing.png))[:, :, :3]


def close(image: np.ndarray, rgb: np.ndarray) -> int:
    """Return how many pixels have a colour."""
    return int((np.abs(image - rgb).max(axis=-1) < 0.02).sum())


def texts(drawing: Drawing) -> list[str]:
    root = ElementTree.fromstring(drawing.svg)  # noqa: S314 - our own
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_every_value_shows_label_operation_data_and_gradient() -> None:
    drawing = draw_graph(neuron())
    found = texts(drawing)
    assert len(drawing.boxes) == 10
    for text in ("x1", "n = +", "o = tanh", "*", "data 0.707107", "grad -1.5", "data 6.88137"):
        assert text in found
    assert found.count("grad 0.5") == 6
    root = ElementTree.fromstring(drawing.svg)  # noqa: S314
    assert len(list(root.iter(f"{SVG}path"))) == 9
    assert next(e.text for e in root.iter(f"{SVG}title")) == "o = tanh data 0.707107 grad 1"


def test_the_picture_needs_nothing_from_outside() -> None:
    svg = draw_graph(neuron()).svg
    assert set(re.findall(r"https?://[^\"' ]+", svg)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(script|image|link|style|foreignObject)", svg)


def test_a_leaf_alone() -> None:
    drawing = draw_graph(Value(3.0, "x"))
    assert texts(drawing) == ["x", "data 3", "grad 0"]
    assert draw_graph(Value(3.0)).dot.count("->") == 0


@pytest.mark.parametrize(
    "label",
    ['<script>alert("x")</script>', "a & b", '"quoted"', "back\\slash", "two\nlines", "{a|b}",
     "ü→∂", "$x_1$", "\x00\x1b[31m", "]]>", "x" * 500],
)  # fmt: skip
def test_labels_are_escaped(label: str, tmp_path: Path) -> None:
    value = Value(1.0, label) * 2
    drawing = draw_graph(value)
    root = ElementTree.fromstring(drawing.svg)  # noqa: S314 - well-formed
    assert {element.tag for element in root.iter()} == {
        f"{SVG}{tag}" for tag in ("svg", "rect", "g", "path", "title", "text")
    }
    shown = "".join(c if c.isprintable() else " " for c in label)
    assert any(text == shown or text == f"{shown[:37]}..." for text in texts(drawing))
    dot = drawing.dot
    assert dot.count("\n") == len(drawing.boxes) + len(drawing.edges) + 4
    for line in dot.splitlines():  # quotation marks are balanced once escaped ones are gone
        assert re.sub(r"\\.", "", line).count('"') % 2 == 0
    drawing.save(tmp_path / "graph.png")


def test_dot_names_every_value_and_edge() -> None:
    dot = draw_graph(neuron(), format="dot")
    assert str(dot) == dot.dot == repr(dot)
    assert dot.dot.startswith("digraph {")
    assert dot.dot.endswith("}\n")
    assert len(re.findall(r"^  n\d+ \[label=", dot.dot, re.MULTILINE)) == 10
    assert len(re.findall(r"^  n\d+ -> n\d+;$", dot.dot, re.MULTILINE)) == 9


def test_it_shows_itself_in_a_notebook() -> None:
    drawing = draw_graph(neuron())
    assert drawing._repr_svg_() == drawing.svg
    assert drawing._repr_png_() is None
    assert str(drawing) == drawing.svg
    png = draw_graph(neuron(), format="png")
    assert png._repr_svg_() is None
    assert (png._repr_png_() or b"").startswith(b"\x89PNG")
    assert draw_graph(neuron(), format="dot")._repr_svg_() is None
    assert "10 values" in repr(drawing)


@pytest.mark.parametrize("suffix", ["svg", "dot", "png"])
def test_saving_by_suffix(tmp_path: Path, suffix: str) -> None:
    path = draw_graph(neuron()).save(tmp_path / f"graph.{suffix}")
    starts = {"svg": b"<svg", "dot": b"digraph", "png": b"\x89PNG"}
    assert path.read_bytes().startswith(starts[suffix])
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_saving_fails_before_anything_is_lost(tmp_path: Path) -> None:
    drawing = draw_graph(neuron())
    with pytest.raises(ValueError, match=r"expected a file ending in .svg, .dot or .png"):
        drawing.save(tmp_path / "graph.pdf")
    with pytest.raises(FileNotFoundError):
        drawing.save(tmp_path / "missing" / "graph.svg")
    with pytest.raises(ValueError, match="expected a format among svg, dot, png, got 'pdf'"):
        draw_graph(neuron(), format="pdf")


def test_png_without_matplotlib(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    old = tmp_path / "graph.png"
    old.write_bytes(b"old")
    with pytest.raises(ImportError, match="pip install 'pellucid"):
        draw_graph(neuron()).save(old)
    assert old.read_bytes() == b"old"


def test_a_graph_that_nobody_could_read_is_refused() -> None:
    total = sum(Value(i) for i in range(1500))
    with pytest.raises(ValueError, match="expected a graph of at most 2000 values to draw, got 3"):
        draw_graph(total)
    assert len(draw_graph(total, limit=4000).boxes) == 3001


def test_a_value_used_twice_has_one_line() -> None:
    a = Value(3.0, "a")
    drawing = draw_graph(a * a)
    assert drawing.edges == [(1, 0)]


# where things stand


def overlap(layout: Layout, widths: list[float], height: float) -> bool:
    places = list(zip(layout.centres, widths, strict=True))
    return any(
        abs(x0 - x1) < (w0 + w1) / 2 - 1e-6 and abs(y0 - y1) < height - 1e-6
        for i, ((x0, y0), w0) in enumerate(places)
        for (x1, y1), w1 in places[:i]
    )


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[float], list[tuple[int, int]]]:
    """Return the widths of nodes, and edges that lead from larger numbers to smaller ones."""
    size = draw(st.integers(1, 25))
    edges = [
        (source, target)
        for source in range(1, size)
        for target in draw(st.sets(st.integers(0, source - 1), max_size=3))
    ]
    return draw(st.lists(st.floats(20, 200), min_size=size, max_size=size)), edges


@settings(deadline=None)
@given(graphs())
def test_layout(graph: tuple[list[float], list[tuple[int, int]]]) -> None:
    widths, edges = graph
    layout = layered(widths, 50.0, edges, (56.0, 14.0))
    assert not overlap(layout, widths, 50.0)
    for (x, y), width in zip(layout.centres, widths, strict=True):
        assert width / 2 - 1e-6 <= x <= layout.width - width / 2 + 1e-6
        assert 25.0 - 1e-6 <= y <= layout.height - 25.0 + 1e-6
    boxes = [
        (x - w / 2, x + w / 2, y - 25.0, y + 25.0)
        for (x, y), w in zip(layout.centres, widths, strict=True)
    ]
    for source, target in edges:
        route = layout.routes[source, target]
        assert layout.centres[source][0] < layout.centres[target][0]
        assert route[0][0] >= boxes[source][1] - 1e-6
        assert route[-1][0] <= boxes[target][0] + 1e-6
        assert all(x0 <= x1 for (x0, _), (x1, _) in pairwise(route))
        for (x0, y0), (x1, y1) in list(pairwise(route))[1::2]:  # straight through a column
            assert y0 == y1
            for left, right, top, bottom in boxes:
                assert not (x0 < right and left < x1 and top < y0 < bottom), "a line through a box"


def test_few_lines_cross() -> None:
    """A tree can be drawn without crossings, whatever the order of its nodes."""
    edges = [(1, 0), (2, 0), (3, 2), (4, 1), (5, 2), (6, 1), (7, 5), (8, 4), (9, 6), (10, 3)]
    grid = with_bends(columns(11, edges), edges)
    uncross(grid)
    assert crossings(grid) == 0


def test_crossings_are_counted() -> None:
    grid = with_bends([0, 0, 1, 1], [(0, 3), (1, 2)])
    grid.columns = [[0, 1], [2, 3]]
    assert crossings(grid) == 1
    grid.columns = [[1, 0], [2, 3]]
    assert crossings(grid) == 0


def test_nodes_stand_right_before_what_they_lead_to() -> None:
    assert columns(4, [(1, 0), (2, 1), (3, 0)]) == [2, 1, 0, 1]


def test_five_hundred_values_do_not_overlap() -> None:
    network = MLP(3, [10, 10, 1], rng=1)
    loss = mse([network([2.0, 3.0, -1.0])], [1.0])
    loss.backward()
    drawing = draw_graph(loss)
    assert len(drawing.boxes) > 450
    widths = [max(len(t) for t, _ in box.text()) * 7.3 + 18 for box in drawing.boxes]
    assert not overlap(drawing.layout(), widths, 3 * 16 + 9)
    # as tall as the fullest column is with its gaps, and little more: nothing drifts apart
    places = [round(x) for x, _ in drawing.layout().centres]
    fullest = max(places.count(x) for x in set(places))
    assert drawing.layout().height < 2.5 * fullest * (3 * 16 + 9 + 14)


def test_sweeps_uncross_what_a_walk_leaves_crossed() -> None:
    rng = random.Random(64)
    edges = sorted({(source, rng.randrange(source)) for source in range(1, 20) for _ in range(2)})
    grid = with_bends(columns(20, edges), edges)
    depth_first(grid)
    assert crossings(grid) > 70
    uncross(grid)
    assert crossings(grid) < 20


def test_what_is_lit_stands_out_in_every_format() -> None:
    o = neuron()
    n = o.parents[0]
    plain = draw(o)
    lit = draw(o, lit=[(n, o)], notes={(n, o): "0.5 * 1"})
    for picture, marks in (("svg", 4), ("dot", 3)):  # two boxes, a line, and a note in SVG
        assert "#c2410c" not in getattr(plain, picture)
        assert getattr(lit, picture).count("#c2410c") == marks
    assert 'stroke="#c2410c" stroke-width="2.4"/>' in lit.svg
    before, after = pixels(plain), pixels(lit)
    accent = np.array([0xC2, 0x41, 0x0C]) / 255
    assert not close(before, accent)
    assert close(after, accent) > 500


def test_the_png_holds_boxes_lines_and_text() -> None:
    image = pixels(draw_graph(neuron()))
    for colour in ("e8f1fb", "fdf0d8"):  # leaves, the output
        rgb = np.array([int(colour[i : i + 2], 16) for i in (0, 2, 4)]) / 255
        assert close(image, rgb) > 2000
    assert close(image, np.array([0x8A, 0x99, 0xA8]) / 255) > 200  # lines
    assert close(image, np.array([0x22, 0x30, 0x3C]) / 255) > 1000  # rims and text


def test_notes_stand_beside_their_own_line() -> None:
    a, b = Value(1.0, "a"), Value(2.0, "b")
    total = a + b
    drawing = draw(total, lit=[(a, total), (b, total)], notes={(a, total): "x", (b, total): "y"})
    heights = [layout_y for _, layout_y in drawing.layout().centres]
    root = ElementTree.fromstring(drawing.svg)  # noqa: S314
    notes = {e.text: float(e.get("y", "nan")) for e in root.iter(f"{SVG}text") if e.text in "xy"}
    assert notes["x"] == pytest.approx(heights[1], abs=5)
    assert notes["y"] == pytest.approx(heights[2], abs=5)
    gaps = [e for e in root.iter(f"{SVG}rect") if e.get("fill") == "#ffffff" and e.get("x")]
    assert len(gaps) == 2  # one behind each note, or its line reads like a minus sign


def test_only_the_gap_with_notes_is_widened() -> None:
    o = neuron()
    n = o.parents[0]
    plain = draw(o).layout().width
    wide = draw(o, lit=[(n, o)], notes={(n, o): "-0.1234 * 0.5678 = -0.07007"}).layout().width
    assert plain + 100 < wide < plain + 300


def test_names_may_be_shown() -> None:
    assert "v3 = +" in texts(draw_graph(neuron(), named=True))
    assert "v3 = +" not in texts(draw_graph(neuron()))


def test_wide_letters_have_room() -> None:
    narrow, wide = (draw_graph(Value(1.0, label)).layout().width for label in ("x" * 20, "网" * 20))
    assert wide > 1.7 * narrow


def test_a_label_that_is_no_text_is_shown_as_text() -> None:
    assert "5" in texts(draw_graph(Value(3.0, 5)))  # type: ignore[arg-type]


@pytest.mark.parametrize("other", [[Value(1.0)], MLP(1, [1]), 3.0])
def test_only_values_are_drawn(other: object) -> None:
    with pytest.raises(TypeError, match="expected a value to draw, got"):
        draw_graph(other)  # type: ignore[arg-type]


def test_a_tangle_is_refused() -> None:
    xs = [Value(i) for i in range(400)]
    z: Value = sum(xs, Value(0.0))
    for x in xs:
        z = z * x
    with pytest.raises(ValueError, match="expected a graph that can be followed by eye"):
        draw_graph(z).layout()
