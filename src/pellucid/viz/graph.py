"""Graphs of what is computed from what: expressions, networks, and compiled programs.

They are laid out and drawn by the code that draws the scalar engine's graphs, without any program
such as Graphviz.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from html import escape
from itertools import chain, combinations
from pathlib import Path
from typing import Any

from pellucid.autograd import Tensor
from pellucid.autograd.tape import Spent
from pellucid.compiler.api import Compiled
from pellucid.compiler.explain import Explanation
from pellucid.compiler.flops import flops_of
from pellucid.compiler.graph import Graph, Node, shown
from pellucid.errors import unknown
from pellucid.figures.html import page
from pellucid.files import write_text
from pellucid.nn import Module
from pellucid.nn.capture import everything
from pellucid.scalar.layout import Edge
from pellucid.scalar.picture import Box, Drawing
from pellucid.train import Model
from pellucid.viz.boxes import box, shape_text, tensor_box
from pellucid.viz.network import OPERATIONS, Parts

LIMIT = 2000  # boxes; nobody could read more
_LIMIT_BESIDE = 400  # boxes of a level that is not the one asked for
_SWITCHES = 5  # for modules; each doubles the drawings on a page
_STYLE = "body { max-width: none }\n"


class GraphDrawing(Drawing):
    """A drawing of a graph; of a network, with further ones for the depths it can be opened to.

    It shows itself in a notebook. ``svg``, ``dot`` and ``png`` are the drawing; ``html`` is a page
    on which the depth can be chosen, and modules opened and closed one by one. `save` writes any of
    them, by the file's suffix. ``levels`` are the drawings by name; ``states`` those in which only
    the switches of that set are closed, where ``switches`` are the names of modules with parts.

    Raises:
        ValueError: more boxes than anybody could read.

    >>> from pellucid import nn, viz
    >>> drawing = viz.draw_graph(nn.Sequential(nn.Dense(4, 8, "relu"), nn.Dense(8, 2)))
    >>> [box.title for box in drawing.boxes], list(drawing.levels)
    (['input', 'layers.0', 'layers.1', 'output'], ['closed', 'depth 1', 'operations'])
    >>> drawing.svg[:4], drawing.dot[:7]
    ('<svg', 'digraph')
    """

    def __init__(
        self,
        boxes: Sequence[Box],
        edges: Mapping[Edge, str],
        downwards: bool = False,
        levels: Mapping[str, Drawing] | None = None,
        level: str = "",
        switches: Sequence[str] = (),
        states: Mapping[frozenset[str], Drawing] | None = None,
    ) -> None:
        if len(boxes) > LIMIT:
            raise ValueError(
                f"expected a graph of at most {LIMIT:,} boxes to draw, got {len(boxes):,}; draw a "
                "part of it, or open fewer levels of a network with depth="
            )
        notes = {edge: text for edge, text in edges.items() if text}
        super().__init__(boxes, list(edges), notes=notes, downwards=downwards)
        self.levels = dict(levels or {})
        self.level = level
        self.switches = tuple(switches)
        self.states = dict(states or {})

    @property
    def html(self) -> str:
        """A page that needs nothing else; of a network, with a choice of how far it is opened."""
        return page("Graph", self._fragment("graph"), _STYLE)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the drawing whole or not at all, in the format that the file's suffix names.

        Raises:
            ValueError: the suffix is none of .svg, .html, .dot, .png.
        """
        target = Path(path)
        if target.suffix.lower() != ".html":
            return super().save(target)
        write_text(target, self.html)
        return target

    def _repr_html_(self) -> str:
        return self._fragment(f"pellucid-graph-{id(self)}")  # a notebook may show several

    def _fragment(self, name: str) -> str:
        """Return all levels, of which radio buttons show one; no script is needed."""
        if len(self.levels) < 2:
            return f'<div style="overflow-x: auto">{self.svg}</div>'
        buttons, rules, pictures = "", "", ""
        for i, (label, drawing) in enumerate(self.levels.items()):
            checked = " checked" if label == self.level else ""
            buttons += (
                f'<input type="radio" name="{name}" id="{name}-{i}"{checked}>'
                f'<label for="{name}-{i}">{escape(label)}</label>\n'
            )
            rules += f"#{name}-{i}:checked ~ .level-{i} {{ display: block }}\n"
            pictures += f'<div class="level level-{i}">{drawing.svg}</div>\n'
        if self.switches:
            more = self._switchboard(name)
            buttons, rules, pictures = buttons + more[0], rules + more[1], pictures + more[2]
        style = f"#{name} .level, #{name} .switch {{ display: none; overflow-x: auto }}\n"
        style += f"#{name} label {{ margin: 0 1.2em 0 0.2em }}\n{rules}"
        return f'<div id="{name}"><style>\n{style}</style>\n{buttons}{pictures}</div>'

    def _switchboard(self, name: str) -> tuple[str, str, str]:
        """Return a button for switches, one for each module, and the drawing of each state."""
        chosen = f"#{name}-parts:checked"
        buttons = (
            f'<input type="radio" name="{name}" id="{name}-parts">'
            f'<label for="{name}-parts">module by module</label>\n<br class="switch">'
        )
        for i, label in enumerate(self.switches):
            buttons += (
                f'<input class="switch" type="checkbox" id="{name}-open-{i}" checked>'
                f'<label class="switch" for="{name}-open-{i}">{escape(label)}</label>\n'
            )
        rules, pictures = f"{chosen} ~ .switch {{ display: inline }}\n", ""
        for number, (closed, drawing) in enumerate(self.states.items()):
            wanted = " ~ ".join(
                f"#{name}-open-{i}{':not(:checked)' if label in closed else ':checked'}"
                for i, label in enumerate(self.switches)
            )
            rules += f"{chosen} ~ {wanted} ~ .state-{number} {{ display: block }}\n"
            pictures += f'<div class="level state-{number}">{drawing.svg}</div>\n'
        return buttons, rules, pictures

    def _repr_svg_(self) -> None:
        return None  # the HTML has it

    def __str__(self) -> str:
        return repr(self)

    def __repr__(self) -> str:
        return f"GraphDrawing of {len(self.boxes)} boxes; save('graph.html') writes it to a file"


def draw_graph(
    target: object,
    x: Any = None,
    *,
    depth: int | None = None,
    closed: Sequence[str] = (),
    names: Mapping[str, Tensor] | None = None,
) -> GraphDrawing:
    """Return a drawing of what leads to a tensor, of a network, or of a compiled program.

    Every box says what it computes and how many floating-point operations that takes; the shape of
    what flows stands on the lines. Of a network, boxes also count parameters, N stands for the
    batch, and operations are those of one example. Nothing is trained or changed.

    Args:
        target: a tensor that was computed from others with requires_grad; a network or `Model`; or
            what ``compiled.explain(...)`` returns, or a `compiler.graph.Graph`.
        x: for a network: examples to run it on, the first of which is taken. By default zeros, if
            a model has seen data or the network has a `Dense` layer that tells the shape.
        depth: for a network: how many levels of modules are opened. 0 draws it as one box, 1 its
            direct parts, -1 all operations and parameters; by default every module that has parts
            is open.
        closed: for a network: paths of modules that stay closed at every depth.
        names: for a tensor: names to show for some tensors of the graph.

    Raises:
        TypeError: a target of another kind.
        ValueError: a tensor without a graph, a network whose input is not known, a depth below -1,
            a path of no module, or more boxes than anybody could read.
        ShapeError: `x` does not fit the network.

    >>> import pellucid
    >>> from pellucid import viz
    >>> x = pellucid.Tensor(3.0, requires_grad=True)
    >>> drawing = viz.draw_graph(x * x + x, names={"x": x})
    >>> [box.title for box in drawing.boxes]
    ['x = 3', 'Multiply', 'Add']
    """
    if isinstance(target, Tensor):
        return _draw_expression(target, names or {})
    if isinstance(target, Explanation):
        return _draw_program(target.program.graph, target)
    if isinstance(target, Graph):
        return _draw_program(target)
    if isinstance(target, Module | Model):
        return _draw_network(target, x, depth, closed)
    hint = "; pass what its explain(...) returns" if isinstance(target, Compiled) else ""
    raise TypeError(
        "expected a tensor, a network, a Model, a Graph or the explanation of a compiled function "
        f"to draw, got {type(target).__name__}{hint}"
    )


# an expression


def _draw_expression(output: Tensor, names: Mapping[str, Tensor]) -> GraphDrawing:
    if output.op is None or output.op is Spent:
        raise ValueError(
            "expected a tensor computed from one with requires_grad=True, got "
            f"{'one whose graph backward() has freed' if output.op else 'a leaf'}; draw the result "
            "of a computation, before its backward() or after backward(retain_graph=True)"
        )
    called = {id(tensor): name for name, tensor in names.items()}
    nodes = everything(output)
    number = {id(node): i for i, node in enumerate(nodes)}
    boxes: list[Box] = []
    edges: dict[Edge, str] = {}
    for i, node in enumerate(nodes):
        kind = "output" if node is output else "result"
        boxes.append(tensor_box(node, called.get(id(node), ""), node.shape, flops_of(node), kind))
        inputs = (x for x in node.inputs if id(x) in number)
        edges |= {(number[id(x)], i): shape_text(x.shape) for x in inputs}
    return GraphDrawing(boxes, edges)


# a network


def _draw_network(
    target: Module | Model, x: Any, depth: int | None, closed: Sequence[str]
) -> GraphDrawing:
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < -1):
        raise ValueError(f"depth: expected a number of levels, or -1 for operations, got {depth!r}")
    parts = Parts.of(target, x)
    for path in closed:
        if path not in parts.layers:
            raise unknown("path of a module", path, [known for known in parts.layers if known])
    depths = {"closed": 0}
    depths |= {f"depth {level}": level for level in range(1, parts.deepest + 1)}
    depths["operations"] = OPERATIONS
    wanted = parts.deepest if depth is None else min(depth, parts.deepest)
    chosen = next(label for label, level in depths.items() if level == wanted)
    opened = {label: parts.opened(level, closed) for label, level in depths.items()}
    levels = {
        label: GraphDrawing(boxes, edges, downwards=True, level=label)
        for label, (boxes, edges) in opened.items()
        if label == chosen or len(boxes) <= _LIMIT_BESIDE
    }
    switches = parts.switches(closed, _SWITCHES)
    states = {}
    for shut in powerset(switches):
        boxes, edges = parts.opened(
            parts.deepest, [*closed, *(path for label in shut for path in switches[label])]
        )
        if len(boxes) <= _LIMIT_BESIDE:
            states[frozenset(shut)] = GraphDrawing(boxes, edges, downwards=True)
    return GraphDrawing(*opened[chosen], True, levels, chosen, tuple(switches), states)


def powerset(labels: Collection[str]) -> Iterator[tuple[str, ...]]:
    """Return an iterator over all choices of some of the labels."""
    return chain.from_iterable(combinations(labels, n) for n in range(len(labels) + 1))


# a compiled program


def _draw_program(graph: Graph, explanation: Explanation | None = None) -> GraphDrawing:
    """Return a box for each primitive; numbers stand in the boxes that use them."""
    names = graph.names() if explanation is None else explanation.names
    kernels = {} if explanation is None else _kernels(explanation)
    nodes = [node for node in graph.nodes() if not _is_number(node)]
    number = {node: i for i, node in enumerate(nodes)}
    wanted: dict[Node, str] = {node: name for name, node in graph.outputs.items()}
    boxes: list[Box] = []
    edges: dict[Edge, str] = {}
    for i, node in enumerate(nodes):
        call = " ".join([node.op, *(shown(x.value) for x in node.inputs if _is_number(x))])
        title = names[node] if node.op == "input" else f"{names[node]} = {call}"
        kernel = f"kernel {kernels[node]}" if node in kernels else ""
        result = f"returned as {wanted[node]}" if node in wanted else ""
        lines = [node.type, ", ".join(filter(None, [kernel, node.line])), result]
        leaf = node.op in ("input", "constant")
        boxes.append(box(title, lines, "output" if result else "leaf" if leaf else "result"))
        edges |= {(number[x], i): shape_text(x.shape) for x in node.inputs if x in number}
    return GraphDrawing(boxes, edges, downwards=True)


def _is_number(node: Node) -> bool:
    return node.op == "constant" and node.size == 1


def _kernels(explanation: Explanation) -> dict[Node, int]:
    """Return the number of the kernel that computes each node."""
    groups = enumerate(explanation.program.plan.groups)
    return {node: number for number, group in groups for node in group.nodes}
