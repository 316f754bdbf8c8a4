"""Passes: each makes a simpler graph that computes the same.

They are run in the order of `PASSES`, and the graph is verified after each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.compiler.graph import Graph, Node, infer, rebuilt, run, verify, with_inputs
from pellucid.compiler.primitives import ELEMENTWISE

Pass = Callable[[Graph], Graph]
LARGEST = 1 << 16  # elements of a constant that is worth computing beforehand


def fold_constants(graph: Graph) -> Graph:
    """Compute what depends on constants alone."""

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        node = with_inputs(node, inputs)
        known = all(operand.op == "constant" for operand in inputs) and node.op != "constant"
        if not known or not inputs or node.size > LARGEST:
            return node
        value = np.asarray(run(node.op, [x.value for x in inputs], node.params))
        return Node("constant", (), node.shape, node.dtype, value=value, line=node.line)

    return rebuilt(graph, change)


def simplify(graph: Graph) -> Graph:
    """Drop what changes nothing: x * 1, x + 0, two reshapes in a row, a cast to the same dtype.

    x * 0 stays, because x may be infinite; so does x + 0 where it turns -0 into 0.
    """

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        node = with_inputs(node, inputs)
        if not inputs:
            return node
        x = inputs[0]
        if node.op in ("reshape", "broadcast_to", "astype") and node_type(x) == node_type(node):
            return x
        if node.op == "reshape" and x.op == "reshape":
            return with_inputs(node, x.inputs)
        if node.op == "permute_dims":
            axes = node.param("axes")
            if x.op == "permute_dims":
                axes = tuple(x.param("axes")[a] for a in axes)
                x = x.inputs[0]
            if axes == tuple(range(len(axes))):
                return x
            return Node(node.op, (x,), node.shape, node.dtype, (("axes", axes),), line=node.line)
        if node.op == "negative" and x.op == "negative":
            return x.inputs[0]
        for neutral, ops in ((1, {"multiply": (0, 1), "divide": (1,)}), (0, {"subtract": (1,)})):
            for place in ops.get(node.op, ()):
                other = inputs[1 - place]
                same = node_type(other) == node_type(node)
                if (
                    same
                    and inputs[place].op == "constant"
                    and (inputs[place].value == neutral).all()
                ):
                    return other
        return node

    return rebuilt(graph, change)


def broadcast_late(graph: Graph) -> Graph:
    """Let elementwise operations repeat their operands themselves, and constants be one number."""

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        if node.op not in ELEMENTWISE:
            return with_inputs(node, inputs)
        slim = tuple(slimmer(x) for x in inputs)
        for i in range(len(slim)):
            trial = (*inputs[:i], slim[i], *inputs[i + 1 :])
            if infer(node.op, trial, node.params) == (node.shape, node.dtype):
                inputs = trial
        return with_inputs(node, inputs)

    return rebuilt(graph, change)


def slimmer(node: Node) -> Node:
    """Return what a node repeats, if it repeats something."""
    if node.op == "broadcast_to":
        return node.inputs[0]
    if node.op == "constant" and node.size > 1:
        first = node.value.reshape(-1)[0]  # type: ignore[union-attr]
        if (node.value == first).all():
            value = np.asarray(first)
            return Node("constant", (), (), node.dtype, value=value, line=node.line)
    return node


def share(graph: Graph) -> Graph:
    """Compute what is asked for twice only once (common subexpressions)."""
    known: dict[Any, Node] = {}

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        node = with_inputs(node, inputs)
        value = node.value.tobytes() if node.value is not None else None
        key = (node.op, inputs, node.shape, node.dtype, node.params, value)
        return known.setdefault(key, node)

    return rebuilt(graph, change)


def node_type(node: Node) -> tuple[Any, Any]:
    """Return shape and dtype."""
    return node.shape, node.dtype


PASSES: dict[str, Pass] = {
    "fold_constants": fold_constants,
    "simplify": simplify,
    "broadcast_late": broadcast_late,
    "share": share,
}


def optimise(graph: Graph, seen: Callable[[str, Graph], None] | None = None) -> Graph:
    """Return the graph after all passes; ``seen`` is told of it after each.

    Raises:
        ValueError: a pass broke the graph.
    """
    verify(graph)
    for name, one in PASSES.items():
        graph = one(graph)
        verify(graph)
        if seen:
            seen(name, graph)
    return graph
