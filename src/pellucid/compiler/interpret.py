"""Running a graph with NumPy, one node after the other: the reference, and the way without LLVM."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pellucid.arrays import Array
from pellucid.compiler.graph import Graph, Node, run


def interpret(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return the outputs by name for inputs by name.

    Raises:
        ValueError: an input is missing, or of another shape or dtype.
    """
    known: dict[Node, Array] = {}
    for name, node in graph.inputs.items():
        array = np.asarray(inputs[name]) if name in inputs else None
        if array is None or array.shape != node.shape or array.dtype != node.dtype:
            got = "nothing" if array is None else f"{array.dtype}{list(array.shape)}"
            raise ValueError(f"expected {name} as {node.type}, got {got}; compile for this shape")
        known[node] = array
    for node in graph.nodes():
        if node.op == "constant":
            known[node] = node.value
        elif node not in known:
            known[node] = np.asarray(run(node.op, [known[x] for x in node.inputs], node.params))
    return {name: known[node] for name, node in graph.outputs.items()}
