"""Passes: each makes another graph that computes the same.

The last, `halve_products`, does so up to rounding: it writes some sums in another order. They are
run in the order of `PASSES`, and the graph is verified after each.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.compiler.graph import NEW, Graph, Node, infer, rebuilt, run, verify, with_inputs
from pellucid.compiler.primitives import ELEMENTWISE

Pass = Callable[[Graph], Graph]
BOOL = np.dtype(bool)
LARGEST = 1 << 16  # elements of a constant that is worth computing beforehand
TALL = 2  # times the rows of the data, or more, are those of weights whose product is halved
BROAD = 16  # columns of such weights, or more
LIGHT = 2 << 20  # bytes of the first layer's weights, at most, for the second's to be halved


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
        if node.value.tobytes() == first.tobytes() * node.size:  # type: ignore[union-attr]
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


def halve_products(graph: Graph) -> Graph:
    """Write a product with weights that the step changes as a sum of two halves.

    Each half is over half of the rows of the weights, for which a thread then cares from the
    product to the update: they, what the optimiser remembers of them, and their columns of what
    they are multiplied with stay in its core's cache. Only outputs go from core to core. It is done
    for the second layer if the first is light and has no more inputs than outputs; a thread then
    cares also for those columns of the first layer's weights whose outputs it multiplies, as in
    M. Shoeybi et al., "Megatron-LM", 2019. Else it is done for the first layer if its weights have
    many more rows than the data. It does not depend on the number of threads, nor do the bits.
    """
    weights = {node for name, node in graph.inputs.items() if NEW + name in graph.outputs}
    changing = set(weights)  # whatever depends on them
    for node in graph.nodes():
        if changing.intersection(node.inputs):
            changing.add(node)

    chosen: dict[Node, Node] = {}  # second products, by those before them
    for node in graph.nodes():
        source = product_in(node.inputs[0]) if is_product(node, weights) else None
        if source and source is not node and is_product(source, weights):
            x, k = source.inputs[0], node.inputs[0].shape[1]
            light = source.inputs[1].size * node.dtype.itemsize <= LIGHT
            if x not in changing and light and x.shape[1] <= k >= BROAD and not k % 2:
                chosen.setdefault(source, node)
    seconds = set(chosen.values())

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        if is_product(node, weights):
            x, n = node.inputs[0], node.shape[1]
            m, k = x.shape
            tall = x not in changing and k >= TALL * m and not k % 2 and n >= BROAD
            if node in seconds or (tall and node not in chosen):
                return halved(node, inputs, m, k // 2, n)
        return with_inputs(node, inputs)

    return rebuilt(graph, change)


def is_product(node: Node, weights: Container[Node]) -> bool:
    """Whether a node is the product of a matrix with weights."""
    return node.op == "matmul" and len(node.shape) == 2 and node.inputs[1] in weights


def product_in(node: Node) -> Node | None:
    """Return the product that a node is computed of element by element, if there is one.

    What else it is computed of, a bias for example, is given.
    """
    found, waiting, seen = None, [node], {node}
    while waiting:
        one = waiting.pop()
        if one.op == "matmul" and found in (None, one):
            found = one
        elif one.op in ELEMENTWISE:
            waiting += (x for x in one.inputs if x not in seen)
            seen.update(one.inputs)
        elif one.op not in ("input", "constant"):
            return None
    return found


def halved(node: Node, inputs: tuple[Node, ...], m: int, half: int, n: int) -> Node:
    """Return a product as the sum of two, which are a stack of products."""

    def made(op: str, *inputs: Node, **params: Any) -> Node:
        settings = tuple(params.items())
        shape, dtype = infer(op, inputs, settings)
        return Node(op, inputs, shape, dtype, settings, line=node.line)

    x, w = inputs
    x = made("permute_dims", made("reshape", x, shape=(m, 2, half)), axes=(1, 0, 2))
    both = made("matmul", x, made("reshape", w, shape=(2, half, n)))
    return made("add", made("index", both, key=(0,)), made("index", both, key=(1,)))


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
    "halve_products": halve_products,
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
