"""Pictures of graphs of values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pellucid.scalar.engine import Value, history
from pellucid.scalar.layout import Edge
from pellucid.scalar.naming import names
from pellucid.scalar.picture import Box, Drawing


def draw_graph(
    value: Value,
    format: str = "svg",  # noqa: A002
    *,
    named: bool = False,
    limit: int = 2000,
) -> Drawing:
    r"""Return a picture of all that a value was computed from, it itself on the right.

    Every box says the value's label and the operation that made it, its data and its gradient. A
    network of fused neurons has far fewer boxes.

    Args:
        value: the result.
        format: "svg", "dot" (text for Graphviz) or "png" (needs matplotlib).
        named: whether values without a label are shown by the names that `backprop` and `why` call
            them.
        limit: refuse graphs of more values, which nobody could read.

    Raises:
        ValueError: the format is unknown or the graph is larger than ``limit``.
        TypeError: it is no value.

    >>> from pellucid.scalar import Value, draw_graph
    >>> print(draw_graph(Value(2.0, "x") * Value(3.0, "y"), "dot"))
    digraph {
      ...
      n0 [label="*\ndata 6\ngrad 0", fillcolor="#fdf0d8"];
      n1 [label="x\ndata 2\ngrad 0", fillcolor="#e8f1fb"];
      n2 [label="y\ndata 3\ngrad 0", fillcolor="#e8f1fb"];
      n1 -> n0;
      n2 -> n0;
    }
    """
    called = names(value) if named and isinstance(value, Value) else None
    return draw(value, called=called, format=format, limit=limit)


def draw(
    value: Value,
    *,
    called: Mapping[Value, str] | None = None,
    grads: Mapping[Value, float] | None = None,
    lit: Iterable[tuple[Value, Value]] = (),
    notes: Mapping[tuple[Value, Value], str] | None = None,
    format: str = "svg",  # noqa: A002
    limit: int = 2000,
) -> Drawing:
    """Return a picture with some lines, parent to child, lit up and written on.

    ``called`` and ``grads`` are shown instead of the values' own; a value without a gradient there
    has none yet.
    """
    if not isinstance(value, Value):
        raise TypeError(
            f"expected a value to draw, got {type(value).__name__}; draw one of its values, such "
            "as a loss or an output"
        )
    numbers, edges = graph(value)
    if len(numbers) > limit:
        raise ValueError(
            f"expected a graph of at most {limit} values to draw, got {len(numbers)}; draw a part "
            "of it, such as one neuron or the loss of one example, or raise limit"
        )
    bright = [(numbers[a], numbers[b]) for a, b in lit]
    ends = {node for edge in bright for node in edge}
    boxes = []
    for v, i in numbers.items():
        name = v.label if called is None else called[v]
        plain = box(v, name, v.grad if grads is None else grads.get(v))
        kind = "output" if v is value else plain.kind
        boxes.append(replace(plain, kind=kind, lit=i in ends))
    written = {(numbers[a], numbers[b]): text for (a, b), text in (notes or {}).items()}
    return Drawing(boxes, edges, bright, written, format)


def graph(value: Value) -> tuple[dict[Value, int], list[Edge]]:
    """Return a number for each value of a graph, and its edges from parent to child."""
    numbers: dict[Value, int] = {value: 0}
    edges: list[Edge] = []
    for node in history(value):
        edges += [(numbers.setdefault(p, len(numbers)), numbers[node]) for p in node.parents]
    return numbers, edges


def box(value: Value, name: str, grad: float | None) -> Box:
    """Return what is drawn of a value."""
    data = f"{value.data:.6g}"
    title = " = ".join(part for part in (str(name), value.op) if part and part != data)
    lines = (f"data {data}", "grad ..." if grad is None else f"grad {grad:.6g}")
    return Box(printable(title), lines, "result" if value.parents else "leaf")


def printable(text: str) -> str:
    """Return text on one line, without characters that no picture can hold, not too long."""
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= 40 else f"{text[:37]}..."
