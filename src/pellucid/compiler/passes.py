"""Passes: each makes a simpler graph that computes the same.

They are run in the order of `PASSES`, and the graph is verified after each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.compiler.graph import Graph, Node, infer, rebuilt, run, verify, with_inputs
from pellucid.compiler.primitives import ELEMENTWISE

Pass = Callable[[Graph], Graph]
BOOL = np.dtype(bool)
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
        for neutral, ops in NEUTRAL.items():
            for place in ops.get(node.op, ()):
                other = inputs[1 - place]
                if node_type(other) == node_type(node) and is_all(inputs[place], neutral):
                    return other
        return node

    return rebuilt(graph, change)


# numbers that leave an operand as it is, and the places where they stand
NEUTRAL: dict[int, dict[str, tuple[int, ...]]] = {
    1: {"multiply": (0, 1), "divide": (1,)},
    0: {"subtract": (1,)},
}


def is_all(node: Node, number: int) -> bool:
    """Whether a node is a constant that holds nothing but a number; -0 is not 0."""
    if node.value is None:
        return False
    return bool((node.value == number).all() and not np.signbit(node.value.astype("f8")).any())


def broadcast_late(graph: Graph) -> Graph:
    """Let elementwise operations repeat their operands themselves, and constants be one number."""

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        if node.op not in ELEMENTWISE:
            return with_inputs(node, inputs)
        slim = tuple(slimmer(x) for x in inputs)
        for i in range(len(slim)):
            trial = (*inputs[:i], slim[i], *inputs[i + 1 :])
            if trial != inputs and infer(node.op, trial, node.params) == node_type(node):
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


def explicit_casts(graph: Graph) -> Graph:
    """Write down the conversions that NumPy makes on its own, which machine code does not.

    Functions such as tanh turn integers into float64, a sum of bools counts in int64, and numbers
    stand for truth values where these are asked for. Sums and products of bools become or and and.
    """

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        op, kinds = node.op, [x.dtype for x in inputs]
        if op in TRUTH and all(kind == BOOL for kind in (*kinds, node.dtype)):
            return replace(with_inputs(node, inputs), op=TRUTH[op])
        if op == "where":
            inputs = (cast(inputs[0], BOOL), *inputs[1:])
        elif op.startswith("logical_"):
            inputs = tuple(cast(x, BOOL) for x in inputs)
        elif op in ("sum", "matmul", "concat", "stack") or (
            op in ELEMENTWISE and op != "astype" and node.dtype.kind == "f"
        ):
            inputs = tuple(cast(x, node.dtype) for x in inputs)
        return with_inputs(node, inputs)

    return rebuilt(graph, change)


# what operations on numbers mean for bools
TRUTH = {
    "add": "logical_or", "multiply": "logical_and", "maximum": "logical_or",
    "minimum": "logical_and", "max": "any", "min": "all",
}  # fmt: skip


def cast(node: Node, dtype: np.dtype[Any]) -> Node:
    """Return a node in another dtype: itself if it has that."""
    if node.dtype == dtype:
        return node
    return Node("astype", (node,), node.shape, dtype, (("dtype", str(dtype)),), line=node.line)


def node_type(node: Node) -> tuple[Any, Any]:
    """Return shape and dtype."""
    return node.shape, node.dtype


PASSES: dict[str, Pass] = {
    "explicit_casts": explicit_casts,
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
    sound: set[Node] = set()
    verify(graph, sound)
    for name, one in PASSES.items():
        graph = one(graph)
        verify(graph, sound)
        if seen:
            seen(name, graph)
    return graph
