"""Mistakes in engines that differentiate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.arrays import Array
from pellucid.museum.exhibit import Exhibit

Function = Callable[..., Any]


class Node:
    """A result: its parents, each with the derivative by it, and its own gradient."""

    def __init__(self, *parents: tuple[Node, float]) -> None:
        self.parents, self.grad = parents, 0.0


class Overwritten(Exhibit):
    """A gradient is assigned where it should be added.

    A value that is used twice has two paths to the output, and its gradient is the sum over both.
    An engine that assigns keeps only the path it walked last. It is right for every chain, so the
    first tests pass.
    """

    @staticmethod
    def wrong(nodes: list[Node]) -> None:
        nodes[-1].grad = 1.0
        for node in reversed(nodes):
            for parent, slope in node.parents:
                parent.grad = slope * node.grad

    @staticmethod
    def right(nodes: list[Node]) -> None:
        nodes[-1].grad = 1.0
        for node in reversed(nodes):
            for parent, slope in node.parents:
                parent.grad += slope * node.grad

    @staticmethod
    def measure(backward: Function) -> str:
        x = Node()  # x = 3; y = x * x + x
        square = Node((x, 3.0), (x, 3.0))
        y = Node((square, 1.0), (x, 1.0))
        backward([x, square, y])
        return f"of x * x + x the derivative at 3 is said to be {x.grad:g}"

    @staticmethod
    def check(backward: Function) -> str:
        x = Node()
        y = Node((x, 1.0), (x, 1.0))  # x + x
        backward([x, y])
        return "" if x.grad == 2 else f"the derivative of x + x is {x.grad:g}, not 2"


class Recursion(Exhibit):
    """The topological order is found by recursion.

    It reads well and works for small graphs. A sum of a thousand losses, or a long sequence, is a
    chain a thousand deep, and Python stops at that. Keep the nodes still to visit in a list.
    """

    @staticmethod
    def wrong(output: Node) -> list[Node]:
        order, seen = [], set()

        def visit(node: Node) -> None:
            if node not in seen:
                seen.add(node)
                for parent, _ in node.parents:
                    visit(parent)
                order.append(node)

        visit(output)
        return order

    @staticmethod
    def right(output: Node) -> list[Node]:
        order, seen = [], set()
        stack = [(output, False)]
        while stack:
            node, has_parents_done = stack.pop()
            if has_parents_done:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack += [(parent, False) for parent, _ in node.parents]
        return order

    @staticmethod
    def measure(sort: Function) -> str:
        node = Node()
        for _ in range(20_000):
            node = Node((node, 1.0))
        try:
            return f"a chain of 20,000 operations is put in order: {len(sort(node)):,} nodes"
        except RecursionError as error:
            return f"a chain of 20,000 operations: RecursionError, {str(error).split(' while')[0]}"

    @staticmethod
    def check(sort: Function) -> str:
        node = Node()
        for _ in range(20_000):
            node = Node((node, 1.0))
        try:
            sort(node)
        except RecursionError:
            return "a deep graph exhausts Python's stack"
        return ""


class Unsummed(Exhibit):
    """The gradient of a bias keeps the shape of the batch.

    Z = X W + b repeats b for every row, so b takes part in all of them and its gradient is the sum
    over the rows. Without it the gradient has another shape, and a subtraction quietly turns the
    bias into a table.
    """

    @staticmethod
    def wrong(dz: Array, shape: tuple[int, ...]) -> Array:
        return dz

    @staticmethod
    def right(dz: Array, shape: tuple[int, ...]) -> Array:
        extra = tuple(range(dz.ndim - len(shape)))
        dz = dz.sum(axis=extra)
        stretched = tuple(i for i, n in enumerate(shape) if n == 1)
        return dz.sum(axis=stretched, keepdims=True)

    @staticmethod
    def measure(unbroadcast: Function) -> str:
        after = np.zeros(3) - unbroadcast(np.ones((32, 3)), (3,))
        return f"a bias of shape (3,) has the shape {after.shape} after one step"

    @staticmethod
    def check(unbroadcast: Function) -> str:
        for shape in ((3,), (1, 3), (32, 1), ()):
            found = np.shape(unbroadcast(np.ones((32, 3)), shape))
            if found != shape:
                return f"the gradient of an operand {shape} has the shape {found}"
        return ""


class PoisonedWhere(Exhibit):
    """A branch that was not taken makes the gradient nan.

    where(x > 0, sqrt(x), 0) is 0 at 0, and its gradient there should be that of the branch taken,
    0. The other branch has an infinite slope, and infinity times 0 is nan. Put a harmless number
    into the branch first: what is not selected must not be computed from the bad one.
    """

    @staticmethod
    def wrong(x: Array) -> Array:
        slope_of_root = 0.5 / np.sqrt(x)
        return (x > 0) * slope_of_root

    @staticmethod
    def right(x: Array) -> Array:
        safe = np.where(x > 0, x, 1.0)
        return (x > 0) * (0.5 / np.sqrt(safe))

    @staticmethod
    def measure(gradient: Function) -> str:
        with np.errstate(all="ignore"):
            return f"the gradient at 0, 1 and 4 is {gradient(np.array([0.0, 1.0, 4.0]))}"

    @staticmethod
    def check(gradient: Function) -> str:
        with np.errstate(all="ignore"):
            finite = np.isfinite(gradient(np.array([0.0, -1.0, 1.0]))).all()
        return "" if finite else "the gradient is nan where the other branch was taken"


class Overwriting(Exhibit):
    """A value that backward still needs is changed in place.

    The derivative of h * h is 2 h, with the h of the forward pass. ``h += 1`` writes into the same
    memory, and the derivative is taken at another place. Pellucid's tensors are never changed by an
    operation: ``h += 1`` makes a new one.
    """

    @staticmethod
    def wrong(x: Array) -> Array:
        h = x.copy()
        kept = h  # for backward
        square = h * h
        h += 1
        _ = square * h
        return 2 * kept

    @staticmethod
    def right(x: Array) -> Array:
        h = x.copy()
        kept = h
        square = h * h
        h = h + 1  # a new array
        _ = square * h
        return 2 * kept

    @staticmethod
    def measure(slope: Function) -> str:
        return f"the derivative of h * h at 3 is said to be {slope(np.array([3.0]))[0]:g}"

    @staticmethod
    def check(slope: Function) -> str:
        x, h = np.array([3.0]), 1e-6
        difference = (((x + h) ** 2 - (x - h) ** 2) / (2 * h))[0]
        found = slope(x)[0]
        return "" if abs(found - difference) < 1e-4 else f"{found:g}, but differences say 6"


class CoarseDifferences(Exhibit):
    """A gradient is checked in float32.

    A central difference takes two numbers that agree in most of their digits, and keeps what is
    left. float32 has 7 digits: with a step of 1e-5 hardly any are left, and a right gradient looks
    wrong; with a tolerance wide enough to pass, a wrong one looks right. Check in float64.
    """

    @staticmethod
    def wrong(f: Function, x: float) -> float:
        h = np.float32(1e-5)
        at = np.float32(x)
        return float((f(at + h) - f(at - h)) / (2 * h))

    @staticmethod
    def right(f: Function, x: float) -> float:
        h = np.float64(1e-5)
        at = np.float64(x)
        return float((f(at + h) - f(at - h)) / (2 * h))

    @staticmethod
    def measure(difference: Function) -> str:
        found = difference(np.square, 20)
        return f"the slope of the square at 20 is 40; the difference says {found:.6f}"

    @staticmethod
    def check(difference: Function) -> str:
        error = abs(difference(np.square, 20) / 40 - 1)
        return "" if error < 1e-6 else f"a known slope is missed by {error:.1%}"


EXHIBITS: list[type[Exhibit]] = [
    Overwritten,
    Recursion,
    Unsummed,
    PoisonedWhere,
    Overwriting,
    CoarseDifferences,
]
