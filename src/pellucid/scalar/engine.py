"""Reverse-mode differentiation of scalars.

    x, w = Value(2.0, "x"), Value(-3.0, "w")
    out = (x * w + 1).tanh()
    out.backward()
    print(x.grad, w.grad)  # d out / d x, d out / d w

Computing with `Value` instead of float leaves a trail: every result remembers its ``parents``, the
values it was computed from, and for each of them a ``slope``, the derivative of the result with
respect to that parent. From there `Value.backward` needs nothing but the chain rule.
"""

from __future__ import annotations

import math
from typing import Any

from pellucid.scalar.collector import collector_paused
from pellucid.scalar.manners import Manners, to_float

Number = float | int


class Value(Manners):
    """A number that remembers how it was computed.

    ``data`` is the number and ``grad`` the derivative, with respect to it, of whatever `backward`
    was called on. ``label`` is a name for pictures and explanations. A graph belongs to the data it
    was computed from: after a change, such as a step of training, compute again.

    Values compute as floats do, and raise where Python does: 1 / x and x ** -1 at 0 are a
    ZeroDivisionError, log of 0 or less and roots of negative numbers a ValueError, exp(1000) an
    OverflowError. 0 ** 0.5 is 0 and its slope infinite; but where one factor of a chain is 0, so is
    the chain. Use ``x.exp()``, not ``math.exp(x)``: that is a float, and the trail ends.

    >>> from pellucid.scalar import Value
    >>> x, w = Value(2.0, "x"), Value(-3.0, "w")
    >>> out = x * w + 1
    >>> out.backward()
    >>> out.data, x.grad, w.grad
    (-5.0, -3.0, 2.0)
    """

    __slots__ = ("data", "grad", "label", "op", "parents", "slopes")

    def __init__(
        self,
        data: Number,
        label: str = "",
        op: str = "",
        parents: tuple[Value, ...] = (),
        slopes: tuple[float, ...] = (),
    ) -> None:
        self.data = data if parents else to_float(data)  # results are floats already
        self.grad = 0.0
        self.label = label
        self.op = op
        self.parents = parents
        self.slopes = slopes

    # a binary operation has two parents, and so two slopes

    def __add__(self, other: Value | Number) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, "", "+", (self, other), (1.0, 1.0))

    def __sub__(self, other: Value | Number) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data - other.data, "", "-", (self, other), (1.0, -1.0))

    def __mul__(self, other: Value | Number) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, "", "*", (self, other), (other.data, self.data))

    def __truediv__(self, other: Value | Number) -> Value:
        b = other if isinstance(other, Value) else Value(other)
        out = self.data / b.data
        return Value(out, "", "/", (self, b), (1.0 / b.data, -out / b.data))

    def __pow__(self, other: Value | Number) -> Value:
        """a^b; slopes b a^(b-1) and, where b is a value too, a^b ln a. 0^0 is 1, with slope 0."""
        a, b = self.data, other.data if isinstance(other, Value) else to_float(other)
        if a < 0 and b % 1:
            raise ValueError(f"expected a base of at least 0 for the power {b:g}, got {a:g}")
        out = a**b
        if a == 0:  # where a^(b-1) may be a division by 0
            da = 0.0 if b == 0 or b > 1 else 1.0 if b == 1 else math.inf
        else:
            da = b * (out / a) if out else b * a ** (b - 1)
        if not isinstance(other, Value):
            return Value(out, "", f"**{b:g}", (self,), (da,))
        if a > 0:
            db = out * math.log(a)
        else:  # flat at 0; below, a^b is no number for b beside a whole one
            db = 0.0 if a == 0 else math.nan
        return Value(out, "", "**", (self, other), (da, db))

    def max(self, other: Value | Number) -> Value:
        """Return the larger of two; the gradient goes to it, and half to each if they are equal."""
        other = other if isinstance(other, Value) else Value(other)
        a, b = self.data, other.data
        if a != a or b != b:  # nan
            return Value(math.nan, "", "max", (self, other), (math.nan, math.nan))
        share = 0.5 if a == b else float(a > b)
        return Value(a if a > b else b, "", "max", (self, other), (share, 1.0 - share))

    # a function of one value has one slope

    def __neg__(self) -> Value:
        return Value(-self.data, "", "neg", (self,), (-1.0,))

    def __abs__(self) -> Value:
        """|x|, with slope 0 at 0."""
        slope = math.copysign(1.0, self.data) if self.data else 0.0
        return Value(abs(self.data), "", "abs", (self,), (slope,))

    def exp(self) -> Value:
        """e^x is its own slope."""
        out = math.exp(self.data)
        return Value(out, "", "exp", (self,), (out,))

    def log(self) -> Value:
        """The natural logarithm; slope 1 / x."""
        if self.data <= 0:
            raise ValueError(f"expected a number above 0 for log, got {self.data:g}")
        return Value(math.log(self.data), "", "log", (self,), (1.0 / self.data,))

    def sqrt(self) -> Value:
        """The square root; slope 1 / (2 out), infinite at 0."""
        if self.data < 0:
            raise ValueError(f"expected a number of at least 0 for sqrt, got {self.data:g}")
        out = math.sqrt(self.data)
        return Value(out, "", "sqrt", (self,), (0.5 / out if out else math.inf,))

    def sin(self) -> Value:
        """Sine; slope cos x."""
        return Value(math.sin(self.data), "", "sin", (self,), (math.cos(self.data),))

    def cos(self) -> Value:
        """Cosine; slope -sin x."""
        return Value(math.cos(self.data), "", "cos", (self,), (-math.sin(self.data),))

    def tanh(self) -> Value:
        """The hyperbolic tangent; slope 1 - out^2."""
        out = math.tanh(self.data)
        return Value(out, "", "tanh", (self,), (1.0 - out * out,))

    def sigmoid(self) -> Value:
        """1 / (1 + e^-x), between 0 and 1; slope out (1 - out), without losing digits."""
        out = logistic(self.data)
        return Value(out, "", "sigmoid", (self,), (out * logistic(-self.data),))

    def relu(self) -> Value:
        """max(x, 0), with slope 0 at 0."""
        if self.data > 0:
            return Value(self.data, "", "relu", (self,), (1.0,))
        return Value(0.0 if self.data <= 0 else math.nan, "", "relu", (self,), (0.0,))

    # the chain rule

    def backward(self) -> None:
        """Set ``grad`` of every value this one was computed from to d self / d value.

        A value that was used several times receives the sum over its uses. Gradients of results are
        computed anew each time; those of leaves, such as weights, are added to what is there, so
        that several losses can add up: call `zero_grad` before the next step.
        """
        with collector_paused():
            results = history(self)
            for node in results:
                node.grad = 0.0
            self.grad += 1.0
            for node in results:  # all uses of a value come before it, so its gradient is complete
                if g := node.grad:
                    for parent, slope in zip(node.parents, node.slopes):
                        if slope:
                            parent.grad += g * slope

    def zero_grad(self) -> None:
        """Set the gradient of this value, and of all it was computed from, to 0."""
        for node in (self, *history(self)):
            node.grad = 0.0
            for parent in node.parents:
                parent.grad = 0.0


def history(value: Value) -> list[Value]:
    """Return the results that a value was computed through, itself first, parents after children.

    A depth-first walk that keeps its own stack, so that chains of a million values are not too deep
    for Python. A value goes back on the stack under a mark, None, and on top of it its parents:
    when the mark comes up again, all parents are listed, and the value is listed after them.
    """
    listed: list[Value] = []
    seen: set[Value] = set()
    stack: list[Any] = [value] if value.parents else []
    while stack:
        node = stack.pop()
        if node is None:
            node = stack.pop()
            listed.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append(node)
            stack.append(None)
            for parent in node.parents:
                if parent.parents:
                    stack.append(parent)
    listed.reverse()
    return listed


def logistic(x: float) -> float:
    """1 / (1 + e^-x), from whichever of e^x and e^-x cannot overflow."""
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))
