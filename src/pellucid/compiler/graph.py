"""The graph: what is computed from what, each result with its shape and dtype.

A node is one primitive: a function of the array protocol, or an operator, applied to earlier nodes.
Graphs are never changed; a pass makes a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import count
from math import prod
from typing import Any

import numpy as np

from pellucid.arrays import Array, Shape
from pellucid.compiler.primitives import ELEMENTWISE, PRIMITIVES, REDUCTIONS

Params = tuple[tuple[str, Any], ...]
NEW = "new "  # in front of an input's name: the output that is its new value


@dataclass(frozen=True, eq=False)
class Node:
    """One result. ``value`` is the array of a constant; ``line`` the line of code it comes from."""

    op: str
    inputs: tuple[Node, ...] = field(repr=False)
    shape: Shape
    dtype: np.dtype[Any]
    params: Params = ()
    value: Array | None = field(default=None, repr=False)
    line: str = ""

    def param(self, name: str) -> Any:
        """Return a setting, such as the axis of a sum."""
        return dict(self.params)[name]

    @property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    def type(self) -> str:
        """Dtype and shape as text, such as float32[32,10]."""
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class Graph:
    """Inputs by name, and the nodes whose values are wanted, by name."""

    inputs: Mapping[str, Node]
    outputs: Mapping[str, Node]

    def nodes(self) -> list[Node]:
        """Return every node that an output needs, and all inputs, operands before their users."""
        return list(self._nodes)

    @cached_property
    def _nodes(self) -> tuple[Node, ...]:
        listed: dict[Node, None] = dict.fromkeys(self.inputs.values())
        stack: list[Any] = list(self.outputs.values())[::-1]
        while stack:
            node = stack.pop()
            if node is None:
                listed[stack.pop()] = None
            elif node not in listed:
                stack += (node, None, *node.inputs[::-1])
        return tuple(listed)

    def __str__(self) -> str:
        """One line a node: its name, its type, what computes it, and where that was asked for."""
        names = self.names()
        lines = []
        for node, name in names.items():
            operands = [names[operand] for operand in node.inputs]
            operands += [f"{key}={value!r}" for key, value in node.params]
            if node.op == "constant":
                operands = [shown(node.value)]
            call = f"{node.op}({', '.join(operands)})"
            lines.append(f"{f'{name}: {node.type}':<34} = {call:<48} {node.line}".rstrip())
        wanted = ", ".join(f"{key}={names[node]}" for key, node in self.outputs.items())
        return "\n".join([*lines, f"return {wanted}"])

    def names(self) -> dict[Node, str]:
        """Return a name for each node: that of an input, else a number."""
        given = {node: name for name, node in self.inputs.items()}
        numbers = count()
        return {node: given.get(node) or f"%{next(numbers)}" for node in self.nodes()}


def shown(value: Any) -> str:
    """Return a constant as text: a number, or what kind of array it is."""
    array = np.asarray(value)
    return str(array.item()) if array.ndim == 0 else f"{array.size} numbers"


def rebuilt(graph: Graph, change: Callable[[Node, tuple[Node, ...]], Node]) -> Graph:
    """Return the graph with every node replaced by what ``change`` makes of it.

    ``change`` is given a node and its new operands, and returns the new node: most often
    `with_inputs` of both. Inputs stay as they are, and so does a graph of which no node changes.
    """
    new: dict[Node, Node] = {node: node for node in graph.inputs.values()}
    for node in graph.nodes():
        if node not in new:
            new[node] = change(node, tuple([new[operand] for operand in node.inputs]))
    outputs = {name: new[node] for name, node in graph.outputs.items()}
    return graph if outputs == graph.outputs else Graph(graph.inputs, outputs)


def with_inputs(node: Node, inputs: tuple[Node, ...]) -> Node:
    """Return a node with other operands: itself if they are the same."""
    if inputs == node.inputs:
        return node
    return Node(node.op, inputs, node.shape, node.dtype, node.params, node.value, node.line)


def verify(graph: Graph, sound: set[Node] | None = None) -> None:
    """Check that shapes and dtypes of every node follow from its operands.

    Nodes that are ``sound`` have been checked before, and others are added to them: no node ever
    changes, so a graph that shares nodes with a verified one needs to be checked in part only.

    Raises:
        ValueError: one does not; the graph is printed up to it.
    """
    sound = set() if sound is None else sound
    inputs = set(graph.inputs.values())
    for node in graph.nodes():
        if node.op == "input":
            problem = "" if node in inputs else "an input that the graph does not list"
        elif node in sound:
            continue
        else:
            problem = complaint(node, sound)
        if problem:
            raise ValueError(f"the graph is broken at {node.op} {node.type}: {problem}\n{graph}")
        sound.add(node)


def complaint(node: Node, known: set[Node]) -> str:
    """Return what is wrong with a node that is no input, if anything is."""
    if node.op == "constant":
        value = np.asarray(node.value)
        same = (value.shape, value.dtype) == (node.shape, node.dtype)
        return "" if same else "its value is of another type"
    if node.op not in PRIMITIVES:
        return f"{node.op} is no primitive"
    if any(operand not in known for operand in node.inputs):
        return "an operand comes later"
    shape, dtype = infer(node.op, node.inputs, node.params)
    if (shape, dtype) != (node.shape, node.dtype):
        return f"expected {dtype}{list(shape)} from its operands"
    if node.op in ELEMENTWISE and node.op not in MIXED:
        kinds = {operand.dtype for operand in node.inputs}
        if len(kinds) > 1:
            return f"operands of several dtypes, {', '.join(sorted(map(str, kinds)))}"
    return ""


MIXED = {"where", "astype"}  # elementwise primitives whose operands may differ in dtype


def infer(op: str, inputs: Sequence[Any], params: Params) -> tuple[Shape, np.dtype[Any]]:
    """Return the shape and the dtype of a primitive's result.

    Elementwise results have the broadcast shape, and the dtype that NumPy finds for single
    elements; reductions alike. The others are asked of NumPy, once, on arrays of zeros that hold a
    single element.
    """
    return _inferred(op, tuple((x.shape, x.dtype) for x in inputs), params)


@cache
def _inferred(
    op: str, types: tuple[tuple[Shape, np.dtype[Any]], ...], params: Params
) -> tuple[Shape, np.dtype[Any]]:
    if op == "matmul":
        (a, kind), (b, other) = types
        return matmul_shape(a, b), np.result_type(kind, other)
    if op in ELEMENTWISE:
        ones = [np.ones((), dtype) for _, dtype in types]
        shape = np.broadcast_shapes(*(shape for shape, _ in types))
        return shape, np.asarray(run(op, ones, params)).dtype
    if op in REDUCTIONS and 0 not in types[0][0]:  # of nothing there is no maximum
        ((shape, dtype),) = types
        settings = dict(params)
        out = np.asarray(run(op, [np.ones(1, dtype)], ()))
        return reduced(shape, settings["axis"], settings["keepdims"]), out.dtype
    zeros = [np.broadcast_to(np.zeros((), dtype), shape) for shape, dtype in types]
    out = np.asarray(run(op, zeros, params))
    return out.shape, out.dtype


def reduced(shape: Shape, axes: tuple[int, ...], keepdims: bool) -> Shape:
    """Return the shape of a reduction over axes."""
    if any(not 0 <= a < len(shape) for a in axes):
        raise ValueError(f"expected axes of an array {shape}, got {axes}")
    sizes = (1 if a in axes else n for a, n in enumerate(shape))
    return tuple(n for a, n in enumerate(sizes) if keepdims or a not in axes)


def matmul_shape(a: Shape, b: Shape) -> Shape:
    """Return the shape of a @ b."""
    if len(a) < 2 or len(b) < 2 or a[-1] != b[-2]:
        raise ValueError(f"matmul: expected (..., m, k) and (..., k, n), got {a} and {b}")
    return (*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1])


def run(op: str, operands: Sequence[Array], params: Params) -> Array:
    """Return what NumPy computes for a primitive."""
    with np.errstate(all="ignore"):
        return PRIMITIVES[op](*operands, **dict(params))
