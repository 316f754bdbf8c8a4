"""A model is a tree of plain attributes; this walk gives every leaf its dotted path.

The same walk serves parameters, state, optimisers, saving and drawing. Containers are lists,
tuples, dictionaries and instances of `Node`; whatever else is found (an array, a number, a
function) is a leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


class Node:
    """An object whose attributes are branches of the tree, in the order they were assigned.

    Attributes whose names begin with an underscore are its own affair and stay out of the tree.
    """


def branches(tree: object) -> Iterator[tuple[str, Any]]:
    """Yield the name and value of each direct child; nothing for a leaf."""
    if isinstance(tree, Node):
        yield from ((name, value) for name, value in vars(tree).items() if name[0] != "_")
    elif isinstance(tree, dict):
        yield from ((str(key), value) for key, value in tree.items())
    elif isinstance(tree, list | tuple):
        yield from ((str(index), value) for index, value in enumerate(tree))


def is_leaf(tree: object) -> bool:
    """Whether the walk stops here."""
    return not isinstance(tree, Node | dict | list | tuple)


def walk(tree: object, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield ``(dotted path, leaf)`` in order; a `Node` that is reached twice is walked once."""
    yield from ((at, value) for at, value in visit(tree, path) if is_leaf(value))


def visit(tree: object, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield ``(dotted path, value)`` of the tree itself and everything below it, parents first."""
    seen: set[int] = set()
    stack: list[tuple[str, Any]] = [(path, tree)]
    while stack:
        at, value = stack.pop()
        if isinstance(value, Node):
            if id(value) in seen:
                continue
            seen.add(id(value))
        yield at, value
        below = [(f"{at}.{name}" if at else name, child) for name, child in branches(value)]
        stack.extend(reversed(below))


def find(tree: object, kind: type[T]) -> dict[str, T]:
    """Return everything of one kind in the tree by dotted path, in the order of `visit`.

    An object that is reached twice appears under its first path only. Training asks this of the
    same model at every step, so it does not go through the generators above.
    """
    found: dict[str, T] = {}
    _search(tree, "", kind, (kind, Node, dict, list, tuple), found, set())
    return found


def _search(
    value: Any,
    path: str,
    kind: type[T],
    branching: tuple[type, ...],
    found: dict[str, T],
    seen: set[int],
) -> None:
    if id(value) in seen:
        return
    wanted = isinstance(value, kind)
    if wanted:
        found[path] = value
    if wanted or isinstance(value, Node):
        seen.add(id(value))
    if isinstance(value, Node):
        below: Iterable[tuple[Any, Any]] = vars(value).items()
    elif isinstance(value, dict):
        below = value.items()
    else:
        below = enumerate(value) if isinstance(value, list | tuple) else ()
    for name, child in below:
        if isinstance(child, branching) and not (isinstance(value, Node) and name[0] == "_"):
            _search(child, f"{path}.{name}" if path else str(name), kind, branching, found, seen)


def flatten(tree: object) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """Return the leaves of nested containers, and the function that puts such leaves back.

    Raises:
        TypeError: the tree holds a `Node`, which cannot be rebuilt from its leaves.
    """
    if isinstance(tree, Node):
        raise TypeError(
            f"expected nested lists, tuples and dictionaries of tensors, got a "
            f"{type(tree).__name__}; pass a list of its parameters instead"
        )
    if is_leaf(tree):
        return [tree], lambda leaves: leaves[0]
    parts = [flatten(child) for _, child in branches(tree)]
    sizes = [len(leaves) for leaves, _ in parts]

    def unflatten(leaves: list[Any]) -> Any:
        children, start = [], 0
        for size, (_, rebuild) in zip(sizes, parts, strict=True):
            children.append(rebuild(leaves[start : start + size]))
            start += size
        if isinstance(tree, dict):
            return dict(zip(tree, children, strict=True))
        return sequence(type(tree), children)

    return [leaf for leaves, _ in parts for leaf in leaves], unflatten


def sequence(kind: Any, items: Iterable[Any]) -> Any:
    """Return items as a list or tuple of some class, which may be that of a named tuple."""
    return kind(*items) if hasattr(kind, "_fields") else kind(items)
