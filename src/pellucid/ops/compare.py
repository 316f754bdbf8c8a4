"""Steps and questions: their derivative is zero or does not exist, so no gradient passes."""

from __future__ import annotations

from pellucid.arrays import Array, Namespace
from pellucid.ops.op import Op


class Constant(Op):
    """An operation that no gradient passes."""

    casts = "common"
    differentiable = False


class Equal(Constant):
    """out = (a == b)."""

    @staticmethod
    def forward(xp: Namespace, a: Array, b: Array) -> Array:
        return a == b


class NotEqual(Constant):
    """out = (a != b)."""

    @staticmethod
    def forward(xp: Namespace, a: Array, b: Array) -> Array:
        return a != b


class Less(Constant):
    """out = (a < b)."""

    @staticmethod
    def forward(xp: Namespace, a: Array, b: Array) -> Array:
        return a < b


class LessEqual(Constant):
    """out = (a <= b)."""

    @staticmethod
    def forward(xp: Namespace, a: Array, b: Array) -> Array:
        return a <= b


class Greater(Constant):
    """out = (a > b)."""

    @staticmethod
    def forward(xp: Namespace, a: Array, b: Array) -> Array:
        return a > b


class GreaterEqual(Constant):
    """out = (a >= b)."""

    @staticmethod
    def forward(xp: Namespace, a: Array, b: Array) -> Array:
        return a >= b


class LogicalAnd(Constant):
    """out = a and b."""

    @staticmethod
    def forward(xp: Namespace, a: Array, b: Array) -> Array:
        return xp.logical_and(a, b)


class LogicalOr(Constant):
    """out = a or b."""

    @staticmethod
    def forward(xp: Namespace, a: Array, b: Array) -> Array:
        return xp.logical_or(a, b)


class LogicalNot(Constant):
    """out = not x."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return xp.logical_not(x)


class IsFinite(Constant):
    """out = x is neither NaN nor infinite."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return xp.isfinite(x)


class IsNan(Constant):
    """out = x is NaN."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return xp.isnan(x)


class Sign(Constant):
    """out = -1, 0 or 1."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return xp.sign(x)


class Floor(Constant):
    """out = the largest integer <= x."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return xp.floor(x)


class Ceil(Constant):
    """out = the smallest integer >= x."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return xp.ceil(x)


class Round(Constant):
    """out = the nearest integer, halves to even."""

    @staticmethod
    def forward(xp: Namespace, x: Array) -> Array:
        return xp.round(x)
