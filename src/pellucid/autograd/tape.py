"""The backward pass: gradients flow from an output to everything it was computed from.

Every tensor that an operation made knows the operation and its operands; together they are the
tape. A tensor is made after its operands, so going through tensors in falling order of their serial
numbers meets each one only after all that used it: a reverse topological order, without recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import Any, Protocol

from pellucid.arrays import Array, DType, Namespace, Shape, namespace, quiet
from pellucid.errors import GraphError, ShapeError
from pellucid.ops.op import Gradients, Op

Hook = Callable[[Array], Array | None]
serials = count()


class Node:
    """What the tape knows of a tensor: its data, and the operation and operands that made it."""

    __slots__ = (
        "__weakref__",
        "data",
        "grad",
        "hooks",
        "inputs",
        "op",
        "params",
        "requires_grad",
        "retains_grad",
        "serial",
    )

    data: Array
    requires_grad: bool
    grad: Array | None
    op: type[Op] | None
    inputs: tuple[Any, ...]
    params: dict[str, Any]
    serial: int
    hooks: list[Hook] | None
    retains_grad: bool

    def __init__(self, data: Array, requires_grad: bool = False) -> None:
        self.data = data
        self.requires_grad = requires_grad
        self.grad = None
        self.op = None
        self.inputs = ()
        self.params = {}
        self.serial = next(serials)
        self.hooks = None
        self.retains_grad = False

    @property
    def shape(self) -> Shape:
        """The size along each axis."""
        return self.data.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> DType:
        """The type of the elements."""
        return self.data.dtype


class Watcher(Protocol):
    """Looks on while operations are recorded, and before gradients are computed."""

    def note(self, node: Node) -> None:
        """An operation was recorded."""

    def examine(self, output: Node, seed: Array) -> None:
        """The gradients of an output are about to be computed."""


_recording: ContextVar[bool | Watcher] = ContextVar("recording", default=True)
is_recording = _recording.get


@contextmanager
def recording(on: bool | Watcher) -> Iterator[None]:
    """Within this context operations are recorded, or not, or recorded while someone watches.

    Who watches already goes on where recording is switched on.
    """
    before = is_recording()
    _recording.set(before if on is True and before else on)
    try:
        yield
    finally:
        _recording.set(before)


@contextmanager
def no_grad() -> Iterator[None]:
    """Within this context (or decorated function) operations are computed but not recorded.

    >>> import pellucid
    >>> w = pellucid.Tensor(2.0, requires_grad=True)
    >>> with pellucid.no_grad():
    ...     y = 3 * w
    >>> y, y.requires_grad
    (Tensor(6.), False)
    """
    with recording(False):
        yield


class Spent(Op):
    """The operation of a tensor whose graph a backward pass has freed."""

    @staticmethod
    def vjp(*_: Any, **__: Any) -> Gradients:
        """Refuse: the operands are gone."""
        raise GraphError(
            "expected a recorded graph, got one that an earlier backward() has freed; "
            "call the first backward with retain_graph=True, or compute the value again"
        )


def unbroadcast(xp: Namespace, g: Array, shape: Shape) -> Array:
    """Sum g over the axes that broadcasting added or stretched, back to the operand's own shape."""
    if g.shape == shape:
        return g
    extra = g.ndim - len(shape)
    if g.shape[extra:] == shape:  # only new axes in front, as for a bias
        return xp.sum(g, axis=tuple(range(extra)))
    stretched = tuple(
        axis for axis, n in enumerate(g.shape) if axis < extra or shape[axis - extra] != n
    )
    return xp.reshape(xp.sum(g, axis=stretched), shape)


def ancestors(output: Node) -> list[Node]:
    """Return the tensors below the output that need a gradient, from the output to the oldest."""
    kind, seen, found, stack = type(output), {id(output)}, [output], [output]
    while stack:
        for operand in stack.pop().inputs:
            if type(operand) is kind and operand.requires_grad and id(operand) not in seen:
                seen.add(id(operand))
                found.append(operand)
                stack.append(operand)
    found.sort(key=lambda tensor: tensor.serial, reverse=True)
    return found


def propagate(
    nodes: Sequence[Node], seed: Array, create_graph: bool, hooks: bool = True
) -> Iterator[tuple[Node, Array]]:
    """Yield every node with its whole gradient, in the given order, which starts at the output.

    With ``create_graph`` gradients are tensors and the rules record themselves, so that they can be
    differentiated again; otherwise everything is a plain array. Who only looks calls no ``hooks``.
    """
    kind = type(nodes[0])
    xp = namespace(nodes[0] if create_graph else nodes[0].data)
    wanted = {id(node) for node in nodes}
    gradients: dict[int, Array] = {id(nodes[0]): seed}
    for node in nodes:
        g = gradients.pop(id(node), None)
        if g is None:  # no path from here to the output carries a gradient
            continue
        for hook in tuple(node.hooks or ()) if hooks else ():  # a copy: a hook may remove itself
            changed = hook(g)
            g = g if changed is None else _replacement(node, xp, changed)
        yield node, g
        if node.op is None:
            continue
        inputs = node.inputs
        out: Array
        operands: list[Array]
        if create_graph:
            out, operands = node, [_lift(kind, x) for x in inputs]
        else:
            out, operands = node.data, [x.data if type(x) is kind else x for x in inputs]
        parts = node.op.vjp(xp, g, out, *operands, **node.params)
        if type(parts) is not tuple or len(parts) != len(inputs):
            raise _miscounted(node.op, parts, len(inputs))
        for operand, data, part in zip(inputs, operands, parts, strict=True):
            key = id(operand)
            if part is None or key not in wanted:
                continue
            if callable(part):
                part = part()
            if part.shape != data.shape:
                part = unbroadcast(xp, part, data.shape)
            known = gradients.get(key)
            gradients[key] = part if known is None else known + part


def _miscounted(op: type[Op], parts: Any, count: int) -> TypeError:
    """Return what is wrong with what a gradient rule returned."""
    got = f"{len(parts)}" if type(parts) is tuple else f"a {type(parts).__name__}"
    return TypeError(
        f"expected {op.__name__}.vjp to return a tuple of {count} gradient{'s'[: count != 1]}, one "
        f"for each operand, got {got}; write return (dx,) for one, and None for an operand "
        "without a gradient"
    )


def _replacement(node: Node, xp: Namespace, changed: Any) -> Array:
    """Return what a hook made of a gradient, in the dtype of the node, as a view of it."""
    g = xp.astype(xp.asarray(changed), node.dtype)
    if g.shape != node.shape:
        raise ShapeError(f"expected a hook to keep the shape {node.shape}, got {g.shape}")
    return xp.reshape(g, node.shape)


def _lift(kind: type, x: Any) -> Any:
    """Return arrays as constant tensors; numbers stay numbers."""
    return x if type(x) is kind or isinstance(x, int | float) else kind(x)


def _let_examine(output: Node, seed: Array) -> None:
    watcher = is_recording()
    if not isinstance(watcher, bool):
        watcher.examine(output, seed)


def backward(output: Node, seed: Array, retain_graph: bool) -> None:
    """Add the gradient of ``output`` to ``grad`` of every leaf below it, then free the graph."""
    _let_examine(output, seed)
    nodes = ancestors(output)
    owned: set[int] = {id(seed)}
    with quiet():
        for node, g in propagate(nodes, seed, create_graph=False):
            if node.op is None or node.retains_grad:
                if node.grad is not None:
                    g = node.grad + g
                # two leaves must not share one array: a caller may scale gradients in place
                node.grad = namespace(g).own(g, copy=id(g) in owned)
                owned.add(id(g))
    if not retain_graph:
        for node in nodes:
            if node.op is not None:
                node.op, node.inputs, node.params = Spent, (), {}


def gradients(
    output: Node, wrt: Sequence[Node], seed: Array, create_graph: bool
) -> list[Array | None]:
    """Return the gradient of ``output`` for each tensor of ``wrt``; None where it has none."""
    _let_examine(output, seed)
    found: dict[int, Array] = {}
    targets = {id(tensor) for tensor in wrt}
    nodes = _towards(ancestors(output), targets)
    if nodes:
        with quiet():
            for node, g in propagate(nodes, seed, create_graph):
                if id(node) in targets:
                    found[id(node)] = g
    return [found.get(id(tensor)) for tensor in wrt]


def _towards(nodes: list[Node], targets: Collection[int]) -> list[Node]:
    """Keep the nodes that a path joins to a target; the others' gradients are not needed."""
    useful = set(targets)
    for node in reversed(nodes):
        if any(id(operand) in useful for operand in node.inputs):
            useful.add(id(node))
    return [node for node in nodes if id(node) in useful]


def check_seed(output: Node, seed: Array | None) -> Array:
    """Return the gradient to start from: the given one, or 1 for a scalar.

    Raises:
        GraphError: the output depends on nothing that requires a gradient, or is not a scalar.
        ShapeError: the seed's shape is not the output's.
    """
    if not output.requires_grad:
        raise GraphError(
            "expected a tensor computed from one with requires_grad=True, got a constant; create "
            "the parameters with requires_grad=True and compute outside no_grad()"
        )
    xp = namespace(output.data)
    if seed is None:
        if output.data.size != 1:
            raise GraphError(
                f"expected a scalar to differentiate, got shape {output.shape}; reduce it with "
                ".sum() or .mean(), or pass the gradient of the result with respect to it"
            )
        return xp.ones_like(output.data)
    seed = xp.astype(xp.asarray(seed.data if isinstance(seed, Node) else seed), output.dtype)
    if seed.shape != output.shape:
        raise ShapeError(f"expected a gradient of shape {output.shape}, got {seed.shape}")
    return seed
