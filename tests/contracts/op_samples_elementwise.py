"""Samples of operations on one element at a time."""

from __future__ import annotations

import numpy as np

from contracts import op_oracles as oracle
from contracts.op_case import (
    INF,
    Sample,
    arrays,
    away,
    case,
    distinct,
    kink,
    label,
    normal,
    one,
    positive,
    shifted,
    truth,
    two,
    whole,
)

# steps and questions


def questions() -> list[Sample]:
    """Return samples of two operands in which some elements are equal."""
    a, b = whole(3, 4), whole(3, 4)
    return [
        Sample("some equal", (a.astype(float), b.astype(float))),
        Sample("broadcast", (a[:, :1].astype(float), b[0].astype(float))),
        Sample("float on the right", (a.astype(float), 1.0)),
        Sample("integers", (a, b)),
        Sample("scalars", (np.array(1.0), np.array(2.0))),
        Sample("empty", (np.zeros((0, 3)), np.zeros(3))),
        Sample("nan", (np.array([np.nan, 1.0]), np.array([np.nan, np.nan]))),
    ]


case("Equal", np.equal, lambda t, a, b: a == b, questions())
case("NotEqual", np.not_equal, lambda t, a, b: a != b, questions())
case("Less", np.less, lambda t, a, b: a < b, questions())
case("LessEqual", np.less_equal, lambda t, a, b: a <= b, questions())
case("Greater", np.greater, lambda t, a, b: a > b, questions())
case("GreaterEqual", np.greater_equal, lambda t, a, b: a >= b, questions())

BOTH = [
    Sample("pair", (truth(3, 4), truth(3, 4))),
    Sample("broadcast", (truth(2, 1), truth(3))),
    Sample("scalars", (np.array(True), np.array(False))),
]
case("LogicalAnd", np.logical_and, lambda t, a, b: t.logical_and(a, b), BOTH)
case("LogicalOr", np.logical_or, lambda t, a, b: t.logical_or(a, b), BOTH)
case("LogicalNot", np.logical_not, lambda t, x: t.logical_not(x), one(truth))

ODD = Sample("odd", (np.array([0.0, -0.0, INF, -INF, np.nan, 1.5]),))
HALVES = Sample("halves", (np.array([-2.5, -1.5, -0.5, -0.0, 0.5, 1.5, 2.5]),))
case("IsFinite", np.isfinite, lambda t, x: t.isfinite(x), one(normal), ODD)
case("IsNan", np.isnan, lambda t, x: t.isnan(x), one(normal), ODD)
case("Sign", np.sign, lambda t, x: t.sign(x), one(normal), HALVES)
case("Floor", np.floor, lambda t, x: t.floor(x), one(normal), HALVES)
case("Ceil", np.ceil, lambda t, x: t.ceil(x), one(normal), HALVES)
case("Round", np.round, lambda t, x: t.round(x), one(normal), HALVES)


# elementwise


case("Add", np.add, lambda t, a, b: a + b, two(normal, normal))
case("Subtract", np.subtract, lambda t, a, b: a - b, two(normal, normal))
case("Multiply", np.multiply, lambda t, a, b: a * b, two(normal, normal))
case("Divide", np.divide, lambda t, a, b: a / b, two(normal, away))
case("Negative", np.negative, lambda t, x: -x, one(normal))
case(
    "Power",
    lambda x, n: x**n,
    lambda t, x, n: x**n,
    *(one(normal, n=n) for n in (0, 1, 2, 2.0, 3)),
    one(away, n=-1),
    *(one(positive, n=n) for n in (0.5, -1.5)),
    *(Sample(f"0^{n}", (np.zeros(2),), {"n": n}) for n in (0, 1, 2, 3, 2.0)),
    kink("0^0.5", [0.0, 4.0], [INF, 0.25], n=0.5),
)
case(
    "Exponentiate",
    np.power,
    lambda t, a, b: t.pow(a, b),
    arrays(positive, normal),  # a number as the exponent is Power
    kink(
        "base 0",
        ([0.0, 0.0, 2.0], [2.0, 0.0, 3.0]),
        [0.0, 0.0, 12.0],
        [0.0, 0.0, 8 * np.log(2.0)],
    ),
    kink("0^0.5", ([0.0], [0.5]), [INF], [0.0]),
)
case("Square", np.square, lambda t, x: t.square(x), one(normal))
case(
    "Sqrt",
    np.sqrt,
    lambda t, x: t.sqrt(x),
    one(positive),
    kink("0", [0.0, 4.0], [INF, 0.25]),
)
case("Exp", np.exp, lambda t, x: t.exp(x), one(normal))
NEAR_0 = Sample("near 0", (np.array([1e-9, 0.0]),))
case("Expm1", np.expm1, lambda t, x: t.expm1(x), one(normal), NEAR_0)
case("Log", np.log, lambda t, x: t.log(x), one(positive), kink("0", [0.0, 2.0], [INF, 0.5]))
case(
    "Log1p",
    np.log1p,
    lambda t, x: t.log1p(x),
    one(positive),
    NEAR_0,
    kink("-1", [-1.0, 1.0], [INF, 0.5]),
)
case("Sin", np.sin, lambda t, x: t.sin(x), one(normal))
case("Cos", np.cos, lambda t, x: t.cos(x), one(normal))
LARGE = Sample("large", (np.array([-800.0, -40.0, 0.0, 40.0, 800.0]),))
case("Tanh", np.tanh, lambda t, x: t.tanh(x), one(normal), LARGE)
case(
    "Sigmoid",
    lambda x: np.exp(-np.logaddexp(0, -x)),
    lambda t, x: t.sigmoid(x),
    one(normal),
    LARGE,
    kink("infinite", [-INF, INF], [0.0, 0.0]),
)
case(
    "Softplus",
    lambda x: np.logaddexp(0, x),
    lambda t, x: t.logaddexp(t.zeros_like(x), x),
    one(normal),
    Sample("large", LARGE.operands, torch=False),
    kink("infinite", [-INF, INF], [0.0, 1.0], torch=False),
)
case(
    "Relu",
    lambda x: np.where(x > 0, x, 0),
    lambda t, x: t.relu(x),
    one(away),
    kink("kink", [-1.0, 0.0, 1.0], [0.0, 0.0, 1.0]),
)
case(
    "LeakyRelu",
    lambda x, slope: np.where(x > 0, x, slope * x),
    lambda t, x, slope: t.nn.functional.leaky_relu(x, slope),
    one(away, slope=0.1),
    one(away, slope=0.0),
    kink("kink", [-1.0, 0.0, 1.0], [0.1, 0.1, 1.0], slope=0.1),
)
case("Erf", oracle.erf, lambda t, x: t.erf(x), one(normal), LARGE)
case(
    "Abs",
    np.abs,
    lambda t, x: t.abs(x),
    one(away),
    kink("kink", [-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]),
)
TIES = ([1.0, 2.0, 3.0], [1.0, 3.0, 2.0])
case(
    "Maximum",
    np.maximum,
    lambda t, a, b: t.maximum(a, b),
    two(distinct, shifted),
    kink("ties", TIES, [0.5, 0.0, 1.0], [0.5, 1.0, 0.0]),
)
case(
    "Minimum",
    np.minimum,
    lambda t, a, b: t.minimum(a, b),
    two(distinct, shifted),
    kink("ties", TIES, [0.5, 1.0, 0.0], [0.5, 0.0, 1.0]),
)
case(
    "Clip",
    lambda x, low, high: np.clip(x, low, high),
    lambda t, x, low, high: x if low is high is None else t.clamp(x, low, high),
    one(distinct, low=-0.5, high=0.5),
    one(distinct, low=-0.5, high=None),
    one(shifted, low=None, high=0),
    Sample("no bounds", (normal(3),), {"low": None, "high": None}),
    kink(
        "on the bounds", [-2.0, -1.0, 0.0, 1.0, 2.0], [0.0, 1.0, 1.0, 1.0, 0.0], low=-1.0, high=1.0
    ),
)
case(
    "Where",
    np.where,
    lambda t, condition, a, b: t.where(condition, a, b),
    *(
        Sample(label(c, "with", a, b), (truth(*c), normal(*a), normal(*b)))
        for c, a, b in [
            ((2, 3), (2, 3), (2, 3)),
            ((3,), (2, 3), ()),
            ((2, 3), (1, 3), (2, 1)),
            ((4, 1, 1), (2, 3), (3,)),
            ((), (), ()),
            ((0, 3), (1, 3), (3,)),
        ]
    ),
    Sample("float on the right", (truth(2, 3), normal(2, 3), 0.5)),
    Sample("int on the left", (truth(2, 3), 1, normal(2, 3))),
    Sample("not a number is not chosen", (np.array([True]), np.array([1.0]), np.array([np.nan]))),
)
case("Identity", np.copy, lambda t, x: t.clone(x), one(normal))
case(
    "Cast",
    lambda x, dtype: x.astype(dtype),
    lambda t, x, dtype: x.to(getattr(t, str(dtype))),
    one(normal, dtype=np.dtype("float64")),
    Sample("to float32", (np.array([1 / 3, 2.0]),), {"dtype": np.dtype("float32")}, smooth=False),
    Sample("from integers", (whole(3),), {"dtype": np.dtype("float64")}),
    Sample("from booleans", (truth(3),), {"dtype": np.dtype("float32")}),
)
