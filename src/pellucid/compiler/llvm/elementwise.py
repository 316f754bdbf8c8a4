"""The elementwise primitives as generated code: what each is for floats, integers and bools.

Additions, multiplications, divisions and square roots round exactly as NumPy's do; they are not
contracted. Functions such as exp are within a few units in the last place; see `math`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from pellucid.compiler.llvm import math
from pellucid.compiler.llvm.builder import FLOATS, Function, Kind, Number, Value

SIGNED = frozenset({"int32", "int64"})
LIMITS: dict[str, tuple[int, int]] = {
    "int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1), "uint32": (0, 2**32 - 1),
}  # fmt: skip
BYTES = {"bool": 0, "int32": 4, "uint32": 4, "int64": 8, "float32": 4, "float64": 8}


def apply(f: Function, op: str, operands: list[Value]) -> Value:
    """Return an elementwise primitive of values; TypeError if it has no meaning for their dtype."""
    values = f.like(*operands) if op != "where" else operands
    kinds = {value.kind for value in (values if op != "where" else values[1:])}
    if len(kinds) > 1 or (op == "where" and values[0].kind != "bool"):
        raise TypeError(_refusal(op, operands, "operands of one dtype (of where: a bool first)"))
    result = PRIMITIVES[op](f, *values)
    if result is None:
        raise TypeError(_refusal(op, operands, "a dtype for which it is defined"))
    return result


def _refusal(op: str, operands: list[Value], expected: str) -> str:
    kinds = ", ".join(operand.kind for operand in operands)
    return f"{op}: expected {expected}, got {kinds}; convert with astype"


def power(f: Function, x: Value, exponent: Value, known: Number | None) -> Value:
    """Return x ** exponent; a few ``known`` exponents need no logarithm, as in NumPy."""
    if known == 0.5 and x.kind in FLOATS:
        return f.intrinsic("sqrt", x)
    if known is not None and (known in range(5) or x.kind in LIMITS):
        return _product(f, x, int(known))
    if known in (-1, -2) and x.kind in FLOATS:
        return 1.0 / _product(f, x, -int(known))
    if x.kind == "bool" or x.kind != exponent.kind:
        raise TypeError(_refusal("power", [x, exponent], "two operands of one number dtype"))
    x, exponent = f.like(x, exponent)
    return math.power(f, x, exponent) if x.kind in FLOATS else _integer_power(f, x, exponent)


def _product(f: Function, x: Value, count: int) -> Value:
    """Return x multiplied ``count`` times, by squaring."""
    result = f.constant(1, x.kind, x.lanes)
    started = False
    while count > 0:
        if count & 1:
            result, started = (result * x if started else x), True
        count >>= 1
        x = x * x if count else x
    return result


def _integer_power(f: Function, x: Value, exponent: Value) -> Value:
    """Return x ** exponent bit by bit; NumPy refuses negative exponents, here they mean nothing."""
    result = f.constant(1, x.kind, x.lanes)
    for bit in range(63 if x.kind == "int64" else 32):
        taken = f.compare("not_equal", exponent & (1 << bit), 0)
        result, x = f.select(taken, result * x, result), x * x
    return result


def astype(f: Function, x: Value, kind: Kind) -> Value:
    """Return x in another dtype: floats lose their fraction, integers wrap around.

    What NumPy leaves undefined (a float outside the integers' range) is some integer; a negative
    float becomes the uint32 of that integer modulo 2^32.
    """
    if x.kind == kind:
        return x
    if kind == "bool":
        return f.compare("not_equal", x, 0)
    if kind in FLOATS:
        if x.kind in FLOATS:
            return f.cast("fpext" if kind == "float64" else "fptrunc", x, kind)
        return f.cast("sitofp" if x.kind in SIGNED else "uitofp", x, kind)
    if x.kind in FLOATS:
        if kind == "uint32":
            return f.cast("trunc", f.freeze(f.cast("fptosi", x, "int64")), kind)
        return f.freeze(f.cast("fptosi", x, kind))
    if BYTES[x.kind] == BYTES[kind]:
        return Value(x.text, kind, x.lanes, f)
    if BYTES[x.kind] > BYTES[kind]:
        return f.cast("trunc", x, kind)
    return f.cast("sext" if x.kind in SIGNED else "zext", x, kind)


def maximum(f: Function, a: Value, b: Value) -> Value:
    """Return the larger, the first of equals; NaN if either is."""
    if a.kind == "bool":
        return a | b
    larger = f.maximum(b, a)  # a, unless b is larger
    return f.select(f.is_nan(b), b, larger) if a.kind in FLOATS else larger


def minimum(f: Function, a: Value, b: Value) -> Value:
    """Return the smaller, the first of equals; NaN if either is."""
    if a.kind == "bool":
        return a & b
    smaller = f.minimum(b, a)
    return f.select(f.is_nan(b), b, smaller) if a.kind in FLOATS else smaller


def combine(f: Function, op: str, a: Value, b: Value) -> Value:
    """Return two parts of a reduction as one."""
    match op:
        case "sum":
            return a + b
        case "prod":
            return a * b
        case "max":
            return maximum(f, a, b)
        case "min":
            return minimum(f, a, b)
        case "any":
            return a | b
        case _:
            return a & b


def identity(op: str, kind: Kind) -> Number:
    """Return what a reduction starts from, and what nothing reduces to.

    The least of nothing, an error in NumPy, is the largest number.
    """
    if op in ("any", "all") or kind == "bool":
        return op in ("all", "min")
    if op == "sum":
        return -0.0 if kind in FLOATS else 0  # x + -0.0 is x for every x
    if op == "prod":
        return 1
    low, high = (-inf, inf) if kind in FLOATS else LIMITS[kind]
    return low if op == "max" else high


# One function for each primitive, None where the dtype is refused.
Primitive = Callable[..., Value | None]


def _numbers(compute: Callable[..., Value]) -> Primitive:
    """Return a primitive of numbers, not bools."""
    return lambda f, *x: None if x[0].kind == "bool" else compute(f, *x)


def _floats(compute: Callable[..., Value]) -> Primitive:
    """Return a primitive of floats alone."""
    return lambda f, *x: compute(f, *x) if x[0].kind in FLOATS else None


def _whole(compute: Callable[..., Value]) -> Primitive:
    """Return a primitive of integers alone."""
    return lambda f, *x: compute(f, *x) if x[0].kind not in FLOATS | {"bool"} else None


def _bits(compute: Callable[..., Value]) -> Primitive:
    """Return a primitive of integers and bools."""
    return lambda f, *x: None if x[0].kind in FLOATS else compute(f, *x)


def _rounding(name: str) -> Primitive:
    """Return a rounding to integers, which leaves integers as they are."""
    return lambda f, x: f.intrinsic(name, x) if x.kind in FLOATS else x


def _relation(name: str) -> Primitive:
    return lambda f, a, b: f.compare(name, a, b)


def _abs(f: Function, x: Value) -> Value:
    if x.kind in FLOATS:
        return f.intrinsic("fabs", x)
    return f.select(x < 0, -x, x) if x.kind in SIGNED else x


def _sign(f: Function, x: Value) -> Value:
    zero = f.constant(0, x.kind, x.lanes)
    below = f.select(x < 0, -1, zero) if x.kind != "uint32" else zero
    sign = f.select(x > 0, 1, below)
    return f.select(f.is_nan(x), x, sign) if x.kind in FLOATS else sign


def _is_finite(f: Function, x: Value) -> Value:
    if x.kind in FLOATS:
        return f.intrinsic("fabs", x) < inf
    return f.constant(True, "bool", x.lanes)


def _is_nan(f: Function, x: Value) -> Value:
    return f.is_nan(x) if x.kind in FLOATS else f.constant(False, "bool", x.lanes)


def _truth(f: Function, x: Value) -> Value:
    return astype(f, x, "bool")


def _shift(f: Function, x: Value, count: Value, shifted: Value, beyond: Value | int) -> Value:
    """Return a shift as NumPy has it: by the width and more, or less than 0, all bits are gone."""
    inside = count < BYTES[x.kind] * 8
    if x.kind in SIGNED:
        inside = (count >= 0) & inside
    return f.select(inside, shifted, beyond)


def _left(f: Function, x: Value, count: Value) -> Value:
    return _shift(f, x, count, x << count, 0)


def _right(f: Function, x: Value, count: Value) -> Value:
    beyond: Value | int = x >> (BYTES[x.kind] * 8 - 1) if x.kind in SIGNED else 0
    return _shift(f, x, count, x >> count, beyond)


PRIMITIVES: dict[str, Primitive] = {
    "add": lambda f, a, b: a | b if a.kind == "bool" else a + b,
    "subtract": _numbers(lambda f, a, b: a - b),
    "multiply": lambda f, a, b: a & b if a.kind == "bool" else a * b,
    "divide": _floats(lambda f, a, b: a / b),
    "negative": _numbers(lambda f, x: -x),
    "abs": _abs,
    "sign": _numbers(_sign),
    "maximum": maximum,
    "minimum": minimum,
    "where": lambda f, condition, a, b: f.select(condition, a, b),
    **{
        name: _relation(name)
        for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
    },
    "logical_and": lambda f, a, b: _truth(f, a) & _truth(f, b),
    "logical_or": lambda f, a, b: _truth(f, a) | _truth(f, b),
    "logical_not": lambda f, x: ~_truth(f, x),
    "bitwise_and": _bits(lambda f, a, b: a & b),
    "bitwise_or": _bits(lambda f, a, b: a | b),
    "bitwise_xor": _bits(lambda f, a, b: a ^ b),
    "bitwise_invert": _bits(lambda f, x: ~x),
    "bitwise_left_shift": _whole(_left),
    "bitwise_right_shift": _whole(_right),
    "floor": _rounding("floor"),
    "ceil": _rounding("ceil"),
    "round": _rounding("rint"),
    "isfinite": _is_finite,
    "isnan": _is_nan,
    "sqrt": _floats(lambda f, x: f.intrinsic("sqrt", x)),
    "exp": _floats(math.exp),
    "expm1": _floats(math.expm1),
    "log": _floats(math.log),
    "log1p": _floats(math.log1p),
    "sin": _floats(math.sin),
    "cos": _floats(math.cos),
    "tanh": _floats(math.tanh),
    "erf": _floats(math.erf),
}
