"""What stands in the boxes of a graph."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.autograd import Tensor
from pellucid.compiler.flops import Flops
from pellucid.figures.units import count
from pellucid.scalar.drawing import printable
from pellucid.scalar.picture import Box

Sizes = Sequence[int | str]


def box(title: str, lines: Sequence[str], kind: str) -> Box:
    """Return a box whose lines are printable and not too long; empty ones are left out."""
    return Box(printable(title), tuple(printable(line) for line in lines if line), kind)


def tensor_box(node: Tensor, name: str, shape: Sizes, cost: Flops, kind: str = "result") -> Box:
    """Return the box of one tensor: a leaf, or an operation and what it costs."""
    if node.op is None:
        what = name or ("value" if node.requires_grad else "constant")
        value = f" = {node.data.item():.4g}" if node.size == 1 else ""
        return box(what + value, [f"{shape_text(shape)} {node.dtype}".strip()], "leaf")
    numbers = [f"{x:.4g}" for x in node.inputs if isinstance(x, int | float)]
    operation = " ".join([node.op.__name__, *numbers])
    title = f"{name} = {operation}" if name else operation
    return box(title, [shape_text(shape), cost_text(cost)], kind)


def cost_text(cost: Flops) -> str:
    """Return FLOPs forward and backward; nothing where there are none."""
    return f"{count(cost.forward)} FLOPs, {count(cost.backward)} back" if any(cost) else ""


def shape_text(shape: Sizes) -> str:
    """Return a shape such as (N, 10); nothing for a single number."""
    comma = "," if len(shape) == 1 else ""
    return f"({', '.join(map(str, shape))}{comma})" if shape else ""
