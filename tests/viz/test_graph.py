"""Graphs of expressions, networks and programs: what is in them, and that nothing breaks them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

import pellucid
from pellucid import Tensor, nn
from pellucid.train import Model
from pellucid.viz import GraphDrawing, draw_graph

SVG = "{http://www.w3.org/2000/svg}"
VOID = {"meta", "input", "img", "br"}


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Dense(4, 8, "relu"),
        nn.Residual(nn.Dense(8, 8), nn.Tanh()),
        nn.Dense(8, 3, "softmax"),
        rng=0,
    )


def titles(drawing: GraphDrawing) -> list[str]:
    return [box.title for box in drawing.boxes]


def said(drawing: GraphDrawing, title: str) -> tuple[str, ...]:
    (found,) = [box for box in drawing.boxes if box.title == title]
    return found.lines


def joined(drawing: GraphDrawing) -> set[tuple[str, str, str]]:
    """Return the edges as (from, to, what is written on them)."""
    names = titles(drawing)
    return {(names[a], names[b], drawing.notes.get((a, b), "")) for a, b in drawing.edges}


class Balanced(HTMLParser):
    """Fails where tags do not close in order; collects them."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(html: str) -> list[str]:
    parser = Balanced()
    parser.feed(html)
    assert parser.open == []
    return parser.seen


def test_an_expression() -> None:
    x = Tensor(np.ones((4, 3), np.float32), requires_grad=True)
    w = Tensor(np.ones((3, 2), np.float32), requires_grad=True)
    loss = ((x @ w).tanh() ** 2).mean()
    drawing = draw_graph(loss, names={"x": x, "w": w, "loss": loss})
    assert titles(drawing) == ["x", "w", "MatMul", "Tanh", "Power", "loss = Mean"]
    assert said(drawing, "MatMul") == ("(4, 2)", "48 FLOPs, 96 back")
    assert said(drawing, "x") == ("(4, 3) float32",)
    assert ("x", "MatMul", "(4, 3)") in joined(drawing)
    assert ("Power", "loss = Mean", "(4, 2)") in joined(drawing)
    assert [box.kind for box in drawing.boxes].count("output") == 1


def test_a_tensor_used_twice_and_numbers() -> None:
    x = Tensor(2.0, requires_grad=True)
    drawing = draw_graph(x * x + 3.0)
    assert titles(drawing) == ["value = 2", "Multiply", "Add 3"]
    assert len(drawing.edges) == 2


def test_a_network_with_every_module_open() -> None:
    drawing = draw_graph(network())
    assert titles(drawing) == [
        "input", "layers.0", "layers.1.layers.0", "layers.1.layers.1", "Add", "layers.2", "output",
    ]  # fmt: skip
    assert said(drawing, "layers.0") == (
        "Dense(4, 8, ReLU())", "40 parameters", "80 FLOPs, 88 back",
    )  # fmt: skip
    assert joined(drawing) == {
        ("input", "layers.0", "(N, 4)"),
        ("layers.0", "layers.1.layers.0", "(N, 8)"),
        ("layers.1.layers.0", "layers.1.layers.1", "(N, 8)"),
        ("layers.1.layers.1", "Add", "(N, 8)"),
        ("layers.0", "Add", "(N, 8)"),
        ("Add", "layers.2", "(N, 8)"),
        ("layers.2", "output", "(N, 3)"),
    }


def test_a_network_opened_less_and_more() -> None:
    assert titles(draw_graph(network(), depth=1)) == [
        "input", "layers.0", "layers.1", "layers.2", "output",
    ]  # fmt: skip
    closed = draw_graph(network(), depth=0)
    assert titles(closed) == ["input", "Sequential", "output"]
    assert "139 parameters" in said(closed, "Sequential")
    operations = draw_graph(network(), depth=-1)
    assert {"layers.0.weight", "layers.2.bias", "MatMul", "Softmax"} <= set(titles(operations))
    assert ("input", "MatMul", "(N, 4)") in joined(operations)


def test_modules_that_stay_closed() -> None:
    drawing = draw_graph(network(), closed=["layers.1"])
    assert titles(drawing) == ["input", "layers.0", "layers.1", "layers.2", "output"]
    operations = draw_graph(network(), depth=-1, closed=["layers.1", "layers.2"])
    assert titles(operations) == [
        "layers.0.weight", "layers.0.bias", "input", "MatMul", "Add", "Relu", "layers.1",
        "layers.2", "output",
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"unknown path of a module 'layers\.7'"):
        draw_graph(network(), closed=["layers.7"])


def test_operations_and_parameters_do_not_depend_on_the_depth() -> None:
    def total(drawing: GraphDrawing) -> int:
        texts = [line for box in drawing.boxes for line in box.lines]
        return sum(int(n) for n in re.findall(r"(\d+) FLOPs", " ".join(texts)))

    assert len({total(draw_graph(network(), depth=depth)) for depth in (-1, 0, 1, 2)}) == 1


def test_a_module_called_twice_is_two_boxes() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            self.dense = nn.Dense(3, 3)
            self.scale = Tensor(np.ones(3, np.float32), requires_grad=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.dense(self.dense(x)) * self.scale

    drawing = draw_graph(Twice())
    assert titles(drawing).count("dense") == 2
    lines = [box.lines[1] for box in drawing.boxes if box.title == "dense"]
    assert lines == ["12 parameters", "the same parameters again"]
    assert "scale" in titles(drawing)  # a parameter of what is open


def test_parts_that_are_called_without_what_holds_them() -> None:
    class Inner(nn.Module):
        def __init__(self) -> None:
            self.first, self.second = nn.Dense(3, 3, "relu"), nn.Dense(3, 3)

    class Outer(nn.Module):
        def __init__(self) -> None:
            self.input = Inner()

        def forward(self, x: Tensor) -> Tensor:
            return self.input.second(self.input.first(x) * 2.0)

    drawing = draw_graph(Outer(), depth=1)
    assert titles(drawing) == ["input", "input.first", "Multiply 2", "input.second", "output"]
    assert len(drawing.edges) == 4
    assert titles(draw_graph(Outer(), depth=0)) == ["input", "Outer", "output"]


def test_a_network_of_several_results() -> None:
    class Pair(nn.Module):
        def forward(self, x: Tensor) -> object:
            return x * 2.0, x

    drawing = draw_graph(Pair(), np.ones((3, 2), np.float32))
    assert titles(drawing) == ["input", "Pair", "output 0", "output 1"]
    assert ("input", "output 1", "(N, 2)") in joined(drawing)


def test_a_network_of_tokens_and_a_transformer() -> None:
    net = nn.Sequential(nn.Embedding(9, 8), nn.TransformerBlock(8, 2), nn.GRU(8, 4), rng=0)
    drawing = draw_graph(net, np.zeros((3, 5), np.int64), depth=1)
    assert titles(drawing) == ["input", "layers.0", "layers.1", "layers.2", "output"]
    assert ("input", "layers.0", "(N, 5)") in joined(drawing)
    assert len(draw_graph(net, np.zeros((1, 5), np.int64)).levels) == 5


def test_the_network_is_left_as_it_was() -> None:
    net = network()
    net[0].eval()  # type: ignore[attr-defined]
    before = {path: tensor.data for path, tensor in net.named_tensors().items()}
    draw_graph(net)
    assert net.training
    assert not net[0].training  # type: ignore[attr-defined]
    assert all(tensor.data is before[path] for path, tensor in net.named_tensors().items())


def test_a_model_knows_the_shape_of_its_data() -> None:
    net = nn.Sequential(nn.Conv2D(1, 2, 3), nn.Flatten(), nn.Dense(8, 2), rng=0)
    model = Model(net, "cross_entropy")
    model.predict(np.zeros((2, 4, 4, 1), np.float32))
    assert ("input", "layers.0", "(N, 4, 4, 1)") in joined(draw_graph(model))


def test_a_compiled_program() -> None:
    pytest.importorskip("llvmlite")

    def layer(x: Tensor, w: Tensor) -> Tensor:
        return (x @ w).relu().sum()

    compiled = pellucid.compile(layer)
    arrays = [np.ones(shape, np.float32) for shape in ((4, 3), (3, 2))]
    explanation = compiled.explain(*arrays)
    drawing = draw_graph(explanation)
    assert titles(drawing)[:2] == ["arg.0", "arg.1"]
    assert any(title.endswith("= maximum 0.0") for title in titles(drawing))
    lines = " ".join(line for box in drawing.boxes for line in box.lines)
    assert "kernel 0" in lines
    assert "test_graph.py:" in lines
    assert "returned as out" in lines
    graph = compiled.bound(*arrays).traced.graph
    assert len(draw_graph(graph).boxes) == len(drawing.boxes)


def test_the_formats(tmp_path: object) -> None:
    drawing = draw_graph(network())
    root = ElementTree.fromstring(drawing.svg)  # noqa: S314 - our own
    under = len(drawing.notes)  # the gaps in lines on which notes stand
    assert len(list(root.iter(f"{SVG}rect"))) == 1 + len(drawing.boxes) + under
    assert "rankdir=TB" in drawing.dot
    for name, start in [("a.svg", b"<svg"), ("a.html", b"<!DOCTYPE"), ("a.dot", b"digraph"),
                        ("a.png", b"\x89PNG")]:  # fmt: skip
        assert drawing.save(tmp_path / name).read_bytes().startswith(start)  # type: ignore[operator]
    with pytest.raises(ValueError, match=r"\.svg"):
        drawing.save(tmp_path / "a.gif")  # type: ignore[operator]
    assert str(drawing) == repr(drawing)


def test_lines_lead_down_from_box_to_box() -> None:
    drawing = draw_graph(network())
    layout = drawing.layout()
    for a, b in drawing.edges:
        assert layout.centres[a][1] < layout.centres[b][1]
    every = ElementTree.fromstring(drawing.svg).iter(f"{SVG}rect")  # noqa: S314
    rectangles = list(every)[1 : 1 + len(drawing.boxes)]
    boxes = [[float(r.get(key, 0)) for key in ("x", "y", "width", "height")] for r in rectangles]
    for i, (x, y, w, h) in enumerate(boxes):
        assert x >= -0.1
        assert x + w <= layout.width + 0.1
        for left, top, wide, tall in boxes[i + 1 :]:
            apart = x + w <= left or left + wide <= x or y + h <= top or top + tall <= y
            assert apart


def test_the_page_shows_one_of_all_depths_without_any_script() -> None:
    drawing = draw_graph(network())
    assert list(drawing.levels) == ["closed", "depth 1", "depth 2", "operations"]
    tags = parsed(drawing.html)
    assert tags.count("input") == tags.count("label") == 4 + 1 + 1  # and a switch for layers.1
    assert tags.count("svg") == 4 + 2
    assert "script" not in tags
    assert drawing.html.count(" checked>") == 1 + 1
    assert drawing.html == draw_graph(network()).html
    assert set(re.findall(r"https?://[^\"' ]+", drawing.html)) == {"http://www.w3.org/2000/svg"}


def test_modules_are_opened_and_closed_one_by_one() -> None:
    block = nn.Sequential(nn.Dense(4, 4), nn.Residual(nn.Dense(4, 4)))
    drawing = draw_graph(nn.Sequential(block, nn.Dense(4, 2), rng=0))
    assert drawing.switches == ("layers.0", "layers.0.layers.1")
    both = {shut: [box.title for box in one.boxes] for shut, one in drawing.states.items()}
    parts = ["input", "layers.0.layers.0", "layers.0.layers.1", "layers.1", "output"]
    assert both[frozenset({"layers.0.layers.1"})] == parts
    assert both[frozenset({"layers.0"})] == ["input", "layers.0", "layers.1", "output"]
    assert both[frozenset()] == titles(drawing)
    rule = "#graph-open-0:checked ~ #graph-open-1:not(:checked) ~ .state-2 { display: block }"
    assert rule in drawing.html
    assert draw_graph(nn.Dense(4, 2)).switches == ()
    assert draw_graph(nn.Sequential(block), closed=["layers.0"]).switches == ("layers.0.layers.1",)


def test_many_modules_share_a_switch_for_each_kind() -> None:
    blocks = [nn.Residual(nn.Sequential(nn.Dense(4, 4), nn.ReLU())) for _ in range(4)]
    drawing = draw_graph(nn.Sequential(*blocks, rng=0))
    assert drawing.switches == ("all Residual", "all Sequential")
    assert [len(one.boxes) for one in drawing.states.values()] == [14, 6, 10, 6]


def test_a_notebook_shows_one_picture() -> None:
    drawing = draw_graph(Tensor(1.0, requires_grad=True) * 2.0)
    assert parsed(drawing._repr_html_()).count("svg") == 1
    assert drawing._repr_svg_() is None
    assert drawing._repr_png_() is None


def test_names_are_escaped() -> None:
    class Evil(nn.Module):
        def __init__(self) -> None:
            self.parts = {"<script>alert(1)</script>": nn.Dense(2, 2), '"&': nn.Dense(2, 2)}

        def forward(self, x: Tensor) -> Tensor:
            for part in self.parts.values():
                x = part(x)
            return x

    Evil.__name__ = "<script>"
    drawing = draw_graph(Evil())
    assert "script" not in parsed(drawing.html)
    ElementTree.fromstring(drawing.svg)  # noqa: S314


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        (3.0, TypeError, "expected a tensor, a network, .* got float"),
        (Tensor([1.0]), ValueError, "got a leaf"),
        (nn.Conv2D(1, 2, 3), ValueError, "expected an example to run the network on"),
    ],
)
def test_what_cannot_be_drawn_is_refused(target: object, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        draw_graph(target)


def test_a_graph_that_is_gone_is_refused() -> None:
    loss = (Tensor([1.0], requires_grad=True) * 2.0).sum()
    loss.backward()
    with pytest.raises(ValueError, match=r"backward\(\) has freed"):
        draw_graph(loss)


@pytest.mark.parametrize("depth", [-2, 1.5, True])
def test_a_depth_is_a_number_of_levels(depth: object) -> None:
    with pytest.raises(ValueError, match="depth: expected a number of levels"):
        draw_graph(network(), depth=depth)  # type: ignore[arg-type]


def test_graphs_that_nobody_could_read_are_refused() -> None:
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(2001):
        y = y * 1.0
    with pytest.raises(ValueError, match="at most 2,000 boxes"):
        draw_graph(y)


def test_a_compiled_function_is_drawn_by_its_explanation() -> None:
    with pytest.raises(TypeError, match=r"pass what its explain\(...\) returns"):
        draw_graph(pellucid.compile(lambda x: x))
