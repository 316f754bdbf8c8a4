"""The schedule: which nodes are computed together, in which order, and where results are kept.

Nodes are gathered into groups, each of which becomes one kernel. A group is a set of loops over a
domain; elementwise nodes of that shape share them, and so do reductions over its last axes with
what is computed from them: a softmax with its cross-entropy is one group. So are a product of
matrices and the elementwise nodes that its result goes to, its epilogue: they are computed tile by
tile, before the product is stored. Gathers and scatters stand alone. What is used outside its
group, or through another view, is stored; everything else lives in registers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from pellucid.arrays import Shape
from pellucid.compiler.graph import Graph, Node, rebuilt, with_inputs
from pellucid.compiler.kernels import DEEPEST
from pellucid.compiler.places import (
    VIEWS,
    UnsupportedError,
    has_unit_stride,
    is_view,
    place,
    reshaped,
    stretched,
)
from pellucid.compiler.primitives import ARRAY, ELEMENTWISE, HEAVY, REDUCTIONS

DTYPES = frozenset(map(np.dtype, ("float32", "float64", "int32", "int64", "uint32", "bool")))
JOINS = ("concat", "stack", "pad")
PRODUCTS = 1024  # of matrices in one node: each is a call
LONGEST = 96  # nodes in a group: beyond, registers would not do
NEAR = 2 << 20  # bytes of a product with an epilogue, at most: larger ones had better be streamed
BRIEF = 24  # nodes in an epilogue: its code stands in the midst of that of each tile


@dataclass
class Group:
    """Nodes that share loops over ``domain``; reductions are over its axes from ``kept`` on."""

    domain: Shape
    kept: int
    nodes: dict[Node, None] = field(default_factory=dict)
    alone: bool = False

    @property
    def reduces(self) -> bool:
        """Whether there is a reduction."""
        return self.kept < len(self.domain)


@dataclass(frozen=True)
class Schedule:
    """Groups in the order in which they are run, and the nodes that are stored."""

    graph: Graph
    groups: tuple[Group, ...]
    stored: Mapping[Node, None]

    def __str__(self) -> str:
        """One paragraph a group: its domain, its nodes, and which of them are stored."""
        names = self.graph.names()
        lines = []
        for number, group in enumerate(self.groups):
            inner = group.domain[group.kept :]
            loops = f"{list(group.domain[: group.kept])}" + (f" x {list(inner)}" if inner else "")
            lines.append(f"kernel {number}: {loops}")
            for node in group.nodes:
                operands = ", ".join(names[x] for x in node.inputs)
                kept = "  stored" if node in self.stored else ""
                lines.append(f"  {names[node]}: {node.type} = {node.op}({operands}){kept}")
        return "\n".join(lines)


def schedule(graph: Graph) -> Schedule:
    """Return the groups of a graph.

    Raises:
        UnsupportedError: a node is none that native code can be made for.
    """
    graph = with_copies(graph)
    groups: list[Group] = []
    home: dict[Node, int] = {}  # the group that computes a node, or what it is a view of
    readers: dict[Node, set[int]] = {}  # the groups with members that a node is an operand of
    for node in graph.nodes():
        check(node)
        if node.op in ("input", "constant"):
            home[node] = -1
        elif is_view(node):
            home[node] = home[node.inputs[0]]
        else:
            home[node] = placed(node, groups, home, readers)
            for x in node.inputs:
                readers.setdefault(x, set()).add(home[node])
    sink(graph, groups, home)
    groups = divided(groups, home)
    add_epilogues(groups, home)
    return Schedule(graph, tuple(g for g in groups if g.nodes), stored(graph, groups, home))


def with_copies(graph: Graph) -> Graph:
    """Return the graph with copies where an operand must lie otherwise than it does.

    A product of matrices wants rows or columns in one piece, and so does a reshape of a view; what
    is returned has memory of its own.
    """

    def copied(x: Node) -> Node:
        return Node("copy", (x,), x.shape, x.dtype, line=x.line)

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        if node.op == "matmul":
            inputs = tuple(x if has_unit_stride(x) else copied(x) for x in inputs)
        elif node.op == "reshape" and is_view(inputs[0]):
            x = inputs[0]
            if reshaped(x.shape, place(x).strides, node.shape) is None:
                inputs = (copied(x),)
        return with_inputs(node, inputs)

    graph = rebuilt(graph, change)
    outputs: dict[str, Node] = {}
    for name, node in graph.outputs.items():
        owned = not is_view(node) and node.op not in ("input", "constant")
        outputs[name] = node if owned and node not in outputs.values() else copied(node)
    return Graph(graph.inputs, outputs)


def sink(graph: Graph, groups: list[Group], home: dict[Node, int]) -> None:
    """Move elementwise nodes to the group of their users, where they need not be stored.

    So the moments of an optimiser are not read long before the gradient is there.
    """
    users: dict[Node, list[Node]] = {}
    for node in graph.nodes():
        for x in node.inputs:
            users.setdefault(x, []).append(node)
    for number in reversed(range(len(groups))):
        for node in reversed(list(groups[number].nodes)):
            mine = users.get(node, [])
            homes = {home[user] for user in mine}
            if len(homes) != 1 or homes == {number} or any(is_view(user) for user in mine):
                continue
            (target,) = homes
            group = groups[target]
            if node.op in ELEMENTWISE and movable(node, group):
                del groups[number].nodes[node]
                group.nodes = {node: None} | group.nodes
                home[node] = target


def movable(node: Node, group: Group) -> bool:
    """Whether a node may be computed in the loops of a later group instead of its own."""
    return not group.alone and node.shape == group.domain and len(group.nodes) < LONGEST


def divided(groups: Sequence[Group], home: dict[Node, int]) -> list[Group]:
    """Return the groups, with those as two that would be epilogues but for reductions of bools.

    So an update stays one if it is asked afterwards whether all new numbers are finite.
    """
    found: list[Group] = []
    for group in groups:
        full = {node: None for node in group.nodes if is_full(node, group)}
        rest = {node: None for node in group.nodes if node not in full}
        first = Group(group.domain, len(group.domain), full)
        ends = group.reduces and not any(x in rest for node in full for x in node.inputs)
        between = (x for node in rest for x in node.inputs if x in full)
        ends = ends and all(x.dtype.kind == "b" for x in between)
        operands = {x for node in full for x in node.inputs if x.op == "matmul"}
        if ends and not group.alone and any(is_epilogue(first, x) for x in operands):
            found += [first, Group(group.domain, group.kept, rest)]
        else:
            found.append(group)
    for number, group in enumerate(found):
        home.update(dict.fromkeys(group.nodes, number))
    for node in home:
        if is_view(node):
            home[node] = home[node.inputs[0]]
    return found


def add_epilogues(groups: Sequence[Group], home: dict[Node, int]) -> None:
    """Make products of matrices one with the loops that look at their results first.

    The product moves to where the loops are: all that these read is there by then.
    """
    readers: dict[Node, list[int]] = {}  # the groups that look at a node, through views too
    for number, group in enumerate(groups):
        for x in dict.fromkeys(x for node in group.nodes for x in node.inputs):
            readers.setdefault(place(x).stored, []).append(number)
    for group in groups:
        node = next(iter(group.nodes), None)
        if node is None or node.op != "matmul" or node not in readers:
            continue
        target = readers[node][0]
        if is_epilogue(groups[target], node):
            groups[target].nodes = {node: None} | groups[target].nodes
            groups[target].alone = True
            group.nodes = {}
            home[node] = target


def is_epilogue(group: Group, product: Node) -> bool:
    """Whether a group can be computed tile by tile along with its operand, a product.

    Tiles are of several rows and columns of a sum that is taken in one go. Other operands must lie
    along the rows, or be repeated there.
    """
    if group.alone or group.reduces or group.domain != product.shape or len(product.shape) != 2:
        return False
    brief = len(group.nodes) <= BRIEF and not any(node.op in HEAVY for node in group.nodes)
    k = product.inputs[0].shape[1]
    near = product.size * product.dtype.itemsize <= NEAR
    if not (brief and near and 0 < k <= DEEPEST and min(product.shape) > 1):
        return False
    operands = {x for node in group.nodes for x in node.inputs} - {product, *group.nodes}
    return all(
        place(x).stored is not product
        and stretched(x.shape, place(x).strides, group.domain)[1] in (0, 1)
        for x in operands
    )


def check(node: Node) -> None:
    """Refuse what native code cannot be made for."""
    known = (
        node.op in ELEMENTWISE
        or node.op in REDUCTIONS
        or node.op in (*VIEWS, "input", "constant", "matmul", "index", "scatter_add", *JOINS)
    )
    if not known:
        raise UnsupportedError(f"no native code for {node.op} yet ({node.line})")
    if node.dtype not in DTYPES:
        raise UnsupportedError(f"no native code for {node.dtype} yet ({node.op} at {node.line})")
    if node.op == "erf" and node.dtype.kind != "f":
        raise UnsupportedError(f"no native code for erf of {node.dtype} yet ({node.line})")
    if (
        node.op in ("index", "scatter_add")
        and len({part == ARRAY for part in node.param("key")}) > 1
    ):
        raise UnsupportedError(f"no native code for the key {node.param('key')} yet ({node.line})")
    if node.op == "matmul":
        a, b = node.inputs
        if node.dtype.kind != "f" or prod(node.shape[:-2]) > PRODUCTS:
            raise UnsupportedError(f"no native code for {a.type} @ {b.type} yet ({node.line})")


def placed(
    node: Node, groups: list[Group], home: Mapping[Node, int], readers: Mapping[Node, set[int]]
) -> int:
    """Put a node into the first group that can take it, or a new one; return its number.

    Only the groups that compute or read an operand are asked: no other has anything to do with it.
    """
    earliest = max((home[x] for x in node.inputs), default=-1)
    if node.op in ELEMENTWISE or (node.op in REDUCTIONS and trailing(node)):
        related = {earliest}.union(*(readers.get(x, ()) for x in node.inputs if x.size > 1))
        for number in sorted(related):
            if number >= max(earliest, 0) and fits(node, groups[number], home, number):
                join(node, groups[number])
                return number
    groups.append(new_group(node))
    return len(groups) - 1


def new_group(node: Node) -> Group:
    """Return a group for a node that no other can take."""
    if node.op in REDUCTIONS:
        x = node.inputs[0].shape
        if trailing(node):
            return Group(x, len(x) - len(node.param("axis")), {node: None})
        return Group(x, len(x), {node: None}, alone=True)
    return Group(node.shape, len(node.shape), {node: None}, node.op not in ELEMENTWISE)


def trailing(node: Node) -> bool:
    """Whether a reduction is over the last axes of its operand."""
    n = len(node.inputs[0].shape)
    axes = node.param("axis")
    return axes == tuple(range(n - len(axes), n)) and len(axes) > 0


def fits(node: Node, group: Group, home: Mapping[Node, int], number: int) -> bool:
    """Whether a node can be computed in the loops of a group."""
    if group.alone or len(group.nodes) >= LONGEST:
        return False
    inside = [x for x in node.inputs if home[x] == number]
    if any(x not in group.nodes for x in inside):  # another view of a member
        return False
    if node.op in REDUCTIONS:
        x = node.inputs[0]
        kept = len(x.shape) - len(node.param("axis"))
        if x.shape != group.domain or kept != (group.kept if group.reduces else kept):
            return False
        return bool(inside) and is_full(x, group)
    if node.shape == group.domain:
        return shares(node, group, inside)
    return (
        group.reduces and is_outer(node.shape, group) and all_outer(inside, group) and bool(inside)
    )


def is_full(node: Node, group: Group) -> bool:
    """Whether a member has one value for every place of the domain."""
    return node.shape == group.domain and node.op not in REDUCTIONS


def is_outer(shape: Shape, group: Group) -> bool:
    """Whether an array has one element for each outer place, with or without axes of size 1."""
    outer = group.domain[: group.kept]
    return shape in (outer, (*outer, *(1 for _ in group.domain[group.kept :])))


def all_outer(nodes: Iterable[Node], group: Group) -> bool:
    """Whether all of these members have one value for each outer place."""
    return all(is_outer(node.shape, group) and not is_full(node, group) for node in nodes)


def shares(node: Node, group: Group, inside: Sequence[Node]) -> bool:
    """Whether a node of the group's own shape has something to do with it.

    An operand inside must be a value of every place, or one of each outer place that lines up with
    the domain by its axes of size 1.
    """
    for x in inside:
        full = (1,) * len(group.domain[group.kept :])
        lines_up = x.shape == (*group.domain[: group.kept], *full) or x.shape == ()
        if not is_full(x, group) and not lines_up:
            return False
    if inside:
        return True
    mine = {x for x in node.inputs if x.size > 1}
    return any(mine & set(member.inputs) for member in group.nodes)


def join(node: Node, group: Group) -> None:
    """Make a node a member."""
    if node.op in REDUCTIONS:
        group.kept = len(group.domain) - len(node.param("axis"))
    group.nodes[node] = None


def stored(graph: Graph, groups: Sequence[Group], home: Mapping[Node, int]) -> dict[Node, None]:
    """Return the computed nodes that other kernels or the caller look at."""
    found: dict[Node, None] = {}

    def keep(node: Node) -> None:
        while is_view(node):
            node = node.inputs[0]
        if node.op not in ("input", "constant"):
            found[node] = None

    for node in graph.outputs.values():
        keep(node)
    for number, group in enumerate(groups):
        for node in group.nodes:
            for x in node.inputs:
                if home[x] != number or is_view(x):
                    keep(x)
    return found
