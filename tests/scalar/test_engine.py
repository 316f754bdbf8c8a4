"""Values: numbers, gradients, errors, and graphs of any size."""

from __future__ import annotations

import ast
import gc
import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pellucid
from pellucid.scalar import Value, collector_paused

Function = Callable[..., Value]

UNARY: dict[str, tuple[Callable[[Value], Value], Callable[[float], float], list[float]]] = {
    "neg": (lambda x: -x, lambda x: -x, [-2.0, 0.0, 3.5]),
    "abs": (abs, abs, [-2.0, 3.5]),
    "exp": (Value.exp, math.exp, [-700.0, -2.0, 0.0, 3.5]),
    "log": (Value.log, math.log, [1e-3, 1.0, 7.0]),
    "sqrt": (Value.sqrt, math.sqrt, [1e-3, 1.0, 7.0]),
    "sin": (Value.sin, math.sin, [-2.0, 0.0, 3.5]),
    "cos": (Value.cos, math.cos, [-2.0, 0.0, 3.5]),
    "tanh": (Value.tanh, math.tanh, [-20.0, -2.0, 0.0, 3.5]),
    "sigmoid": (Value.sigmoid, lambda x: 1 / (1 + math.exp(-x)), [-30.0, -2.0, 0.0, 3.5, 30.0]),
    "relu": (Value.relu, lambda x: max(x, 0.0), [-2.0, 3.5]),
    "square": (lambda x: x**2, lambda x: x * x, [-2.0, 0.0, 3.5]),
    "inverse": (lambda x: x**-1, lambda x: 1 / x, [-2.0, 3.5]),
    "root": (lambda x: x**0.5, lambda x: x**0.5, [0.3, 3.5]),
    "power of 2": (lambda x: 2**x, lambda x: 2**x, [-2.0, 0.0, 3.5]),
    "2 + x": (lambda x: 2 + x, lambda x: 2 + x, [-2.0, 3.5]),
    "2 - x": (lambda x: 2 - x, lambda x: 2 - x, [-2.0, 3.5]),
    "2 x": (lambda x: 2 * x, lambda x: 2 * x, [-2.0, 3.5]),
    "2 / x": (lambda x: 2 / x, lambda x: 2 / x, [-2.0, 3.5]),
    "x / 4": (lambda x: x / 4, lambda x: x / 4, [-2.0, 3.5]),
    "x - 1": (lambda x: x - 1, lambda x: x - 1, [-2.0, 3.5]),
    "max with 1": (lambda x: x.max(1), lambda x: max(x, 1), [-2.0, 3.5]),
}
BINARY: dict[str, tuple[Callable[[Value, Value], Value], Callable[[float, float], float]]] = {
    "+": (lambda a, b: a + b, lambda a, b: a + b),
    "-": (lambda a, b: a - b, lambda a, b: a - b),
    "*": (lambda a, b: a * b, lambda a, b: a * b),
    "/": (lambda a, b: a / b, lambda a, b: a / b),
    "**": (lambda a, b: abs(a) ** b, lambda a, b: abs(a) ** b),
    "max": (lambda a, b: a.max(b), max),
}


def slope(f: Callable[[float], float], x: float) -> float:
    """Return the derivative by central differences, extrapolated once (Richardson)."""
    h = 1e-3 * max(1.0, abs(x)) if abs(x) > 1e-2 else 1e-5

    def central(h: float) -> float:
        return (f(x + h) - f(x - h)) / (2 * h)

    return (4 * central(h / 2) - central(h)) / 3


@pytest.mark.parametrize(
    ("name", "x"), [(name, x) for name, (_, _, xs) in UNARY.items() for x in xs]
)
def test_functions_of_one_value(name: str, x: float) -> None:
    function, plain, _ = UNARY[name]
    value = Value(x)
    out = function(value)
    out.backward()
    assert out.data == pytest.approx(plain(x), rel=1e-14)
    assert value.grad == pytest.approx(slope(plain, x), rel=1e-8, abs=1e-9)
    assert (value.data, out.grad) == (x, 1.0)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize(("x", "y"), [(2.0, -3.5), (-0.7, 1.2), (4.0, 3.0)])
def test_functions_of_two_values(name: str, x: float, y: float) -> None:
    function, plain = BINARY[name]
    a, b = Value(x), Value(y)
    out = function(a, b)
    out.backward()
    assert out.data == pytest.approx(plain(x, y), rel=1e-14)
    assert a.grad == pytest.approx(slope(lambda t: plain(t, y), x), rel=1e-8, abs=1e-9)
    assert b.grad == pytest.approx(slope(lambda t: plain(x, t), y), rel=1e-8, abs=1e-9)


def test_at_the_kinks_the_slope_is_the_tensor_s() -> None:
    for name in ("relu", "abs"):
        x, t = Value(0.0), pellucid.Tensor(0.0, requires_grad=True)
        UNARY[name][0](x).backward()
        getattr(pellucid, name)(t).backward()
        assert x.grad == t.grad == 0.0
    a, b = Value(2.0), Value(2.0)
    a.max(b).backward()
    assert (a.grad, b.grad) == (0.5, 0.5)
    a, b = Value(1.0), Value(2.0)
    max(a, b).backward()  # Python's own, which hands back one of the two
    assert (a.grad, b.grad) == (0.0, 1.0)


def test_a_value_that_is_used_again_receives_the_sum() -> None:
    a = Value(3.0)
    b = a + a
    (b * a + b).backward()  # 2 a^2 + 2 a
    assert a.grad == 4 * 3.0 + 2

    a, b = Value(-2.0), Value(3.0)
    d, e = a * b, a + b
    (d * e).backward()
    assert (a.grad, b.grad) == (-3.0, -8.0)


def test_a_second_backward_adds_to_leaves_only() -> None:
    x = Value(3.0)
    y = x * x
    z = y * 2
    z.backward()
    assert (x.grad, y.grad, z.grad) == (12.0, 2.0, 1.0)
    z.backward()
    assert (x.grad, y.grad, z.grad) == (24.0, 2.0, 1.0)
    y.backward()  # from inside the graph
    assert (x.grad, y.grad) == (30.0, 1.0)
    z.zero_grad()
    assert (x.grad, y.grad, z.grad) == (0.0, 0.0, 0.0)


def test_a_leaf_is_its_own_gradient() -> None:
    x = Value(3.0)
    x.backward()
    x.backward()
    assert x.grad == 2.0
    x.zero_grad()
    assert x.grad == 0.0


def test_zero_to_a_power() -> None:
    x = Value(0.0)
    root = x**0.5
    root.backward()
    assert (root.data, x.grad) == (0.0, math.inf)
    x = Value(0.0)
    x.sqrt().backward()
    assert x.grad == math.inf
    for n, value, gradient in ((0, 1.0, 0.0), (1, 0.0, 1.0), (2, 0.0, 0.0), (3, 0.0, 0.0)):
        x = Value(0)
        out = x**n
        out.backward()
        assert (out.data, x.grad) == (value, gradient)


def test_zero_times_infinity_is_zero() -> None:
    for lost in (lambda r: r * 0, lambda r: r.relu() * 0 + r.max(5)):
        x = Value(0.0)
        lost(x**0.5).backward()
        assert x.grad == 0.0
    x = Value(-1.0)
    (x.relu() ** 0.5).backward()
    assert x.grad == 0.0


def test_a_base_of_zero_or_less_with_a_value_as_exponent() -> None:
    a, b = Value(0.0), Value(2.0)
    (a**b).backward()
    assert (a.grad, b.grad) == (0.0, 0.0)
    a, b = Value(-2.0), Value(3.0)
    out = a**b
    out.backward()
    assert (out.data, a.grad) == (-8.0, 12.0)
    assert math.isnan(b.grad)  # (-2)^b is no number for b beside 3


@pytest.mark.parametrize(
    ("build", "error", "says"),
    [
        (lambda: Value(0.0).log(), ValueError, "expected a number above 0 for log, got 0"),
        (lambda: Value(-1.0).log(), ValueError, "got -1"),
        (lambda: Value(-1.0).sqrt(), ValueError, "expected a number of at least 0 for sqrt"),
        (lambda: Value(-8.0) ** (1 / 3), ValueError, "expected a base of at least 0"),
        (lambda: Value(-8.0) ** Value(0.5), ValueError, "expected a base of at least 0"),
        (lambda: 1 / Value(0.0), ZeroDivisionError, "division by zero"),
        (lambda: Value(1.0) / 0, ZeroDivisionError, "division by zero"),
        (lambda: Value(0.0) ** -1, ZeroDivisionError, "negative power"),
        (lambda: Value(1000.0).exp(), OverflowError, "range error"),
        (lambda: Value("3"), TypeError, "expected a number, got str"),
        (lambda: Value(None), TypeError, "expected a number, got NoneType"),
        (lambda: Value(1) + "a", TypeError, "expected a number, got str"),
        (lambda: Value(1) * [1], TypeError, "expected a number, got list"),
        (lambda: Value(1) ** "a", TypeError, "expected a number, got str"),
        (lambda: Value(1) < "a", TypeError, "not supported"),
    ],
)
def test_what_cannot_be_computed(
    build: Callable[[], object], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        build()


@pytest.mark.parametrize("number", [2, True, np.float64(2), np.float32(2), np.int64(2), 2.5])
def test_numbers_mix_in_from_both_sides(number: float) -> None:
    x = Value(3.0)
    for out, expected in (
        (x + number, 3 + number),
        (number + x, 3 + number),
        (x * number, 3 * number),
        (number * x, 3 * number),
        (x - number, 3 - number),
        (number - x, number - 3),
        (x / number, 3 / number),
        (number / x, number / 3),
        (x**number, 3.0**number),
        (number**x, float(number) ** 3),
    ):
        assert isinstance(out, Value)
        assert out.data == pytest.approx(float(expected))
        assert type(out.data) is float


@pytest.mark.parametrize("name", [name for name, (_, _, _) in UNARY.items()])
def test_nan_travels(name: str) -> None:
    x = Value(math.nan)
    out = UNARY[name][0](x)
    out.backward()
    assert math.isnan(out.data)
    assert math.isnan(Value(1.0).max(x).data)
    assert math.isnan(x.max(1.0).data)


def test_nan_compares_as_a_float_does() -> None:
    nan, one = Value(math.nan), Value(1.0)
    for other in (1, 1.0, one, nan):
        assert not any([nan > other, nan >= other, nan < other, nan <= other, nan == other])
        assert not any([other > nan, other >= nan, other < nan, other <= nan, other == nan])
        assert nan != other
    assert Value(2.0**53) != 2**53 + 1  # exact, as floats and integers compare
    assert Value(1.0) < 10**400


def test_it_formats_as_its_number() -> None:
    assert f"{Value(2 / 3):.4f}" == "0.6667"
    assert f"{Value(2.0, 'x')}" == "Value(2, 'x', grad=0)"
    assert bool(Value(0.0)) is False
    assert bool(Value(-1.0)) is True
    assert +Value(3.0) == 3


def test_a_value_of_a_value_is_refused() -> None:
    with pytest.raises(TypeError, match="value already"):
        Value(Value(3.0))  # type: ignore[arg-type]


def test_slopes_at_the_edge_of_floats() -> None:
    x = Value(1e-200)
    (x**-1).backward()
    assert x.grad == -math.inf
    x = Value(1e-200)
    (x**2).backward()
    assert x.grad == 2e-200
    high, low = Value(40.0), Value(-40.0)
    high.sigmoid().backward()
    low.sigmoid().backward()
    assert high.grad == pytest.approx(low.grad, rel=1e-12)
    assert low.grad == pytest.approx(math.exp(-40), rel=1e-12)


def test_comparison_is_by_data_and_identity_by_object() -> None:
    a, b = Value(1.0), Value(1.0)
    assert a == b == 1
    assert a != Value(2)
    assert a < 2 <= Value(2) < Value(3)
    assert a > 0
    assert a >= b > 0.5
    assert a != "1"
    assert len({a, b}) == 2
    assert {a: "a", b: "b"}[b] == "b"
    assert sorted([Value(3), Value(1), Value(2)]) == [1, 2, 3]
    assert float(a) == 1.0


def test_repr_shows_what_matters() -> None:
    assert repr(Value(3, "x")) == "Value(3, 'x', grad=0)"
    assert repr(Value(0.5)) == "Value(0.5, grad=0)"


def test_an_expression_by_hand() -> None:
    """Every number worked out on paper: o = tanh(2 * -3 + 0 * 1 + b), at n = 0.8814."""
    x1, x2, w1, w2 = Value(2.0, "x1"), Value(0.0, "x2"), Value(-3.0, "w1"), Value(1.0, "w2")
    n = x1 * w1 + x2 * w2 + 6.881373587019543
    o = n.tanh()
    o.backward()
    expected = {x1: -1.5, w1: 1.0, x2: 0.5, w2: 0.0, n: 0.5}
    for value, grad in expected.items():
        assert value.grad == pytest.approx(grad, abs=1e-12)


# graphs of any size


def test_sum_of_a_hundred_thousand_terms() -> None:
    terms = [Value(i % 7) for i in range(100_000)]
    total = sum(terms)
    total.backward()
    assert total.data == sum(i % 7 for i in range(100_000))
    assert all(term.grad == 1.0 for term in terms)


def test_chain_of_a_million_values() -> None:
    x = Value(1.0)
    y = x
    for _ in range(1_000_000):
        y = y * 1.0
    y.backward()
    assert x.grad == 1.0
    y.zero_grad()
    assert x.grad == 0.0
    del y  # frees a million values one inside the other


def test_a_graph_is_freed_without_the_collector() -> None:
    class Watched(Value):
        __slots__ = ("__weakref__",)

    import weakref

    with collector_paused():
        x = Watched(2.0)
        y = ((x * 3).tanh() + x) * x
        y.backward()
        gone = weakref.ref(x)
        del x, y
        assert gone() is None


# the collector


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_as_it_was(was_on: bool) -> None:
    try:
        gc.enable() if was_on else gc.disable()
        with collector_paused():
            assert not gc.isenabled()
            with collector_paused():
                assert not gc.isenabled()
            assert not gc.isenabled()
        assert gc.isenabled() is was_on
        with pytest.raises(RuntimeError, match="on purpose"), collector_paused():
            raise RuntimeError("on purpose")
        assert gc.isenabled() is was_on
        Value(2.0).exp().backward()
        assert gc.isenabled() is was_on
    finally:
        gc.enable()


# what it may lean on


def test_nothing_but_the_standard_library() -> None:
    folder = Path(pellucid.scalar.__file__).parent
    optional = {"picture.py": {"matplotlib"}}
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                top = name.split(".")[0]
                own = name.startswith("pellucid.scalar")
                allowed = (
                    own or top in sys.stdlib_module_names or top in optional.get(file.name, ())
                )
                assert allowed, f"{file.name} imports {name}"


def test_the_engine_can_be_read_aloud() -> None:
    lines = Path(pellucid.scalar.engine.__file__).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 215


# invariants

numbers = st.floats(-50, 50)


@given(numbers, numbers)
def test_a_sum_of_losses_is_a_sum_of_gradients(x: float, k: float) -> None:
    a = Value(x)
    (a * a).backward()
    (a * k).backward()
    apart = a.grad
    b = Value(x)
    (b * b + b * k).backward()
    assert apart == pytest.approx(b.grad, rel=1e-12, abs=1e-12)


@given(st.lists(numbers, min_size=1, max_size=30))
def test_softmax_gradients_sum_to_zero(xs: list[float]) -> None:
    values = [Value(x) for x in xs]
    top = max(xs)
    exps = [(v - top).exp() for v in values]
    (exps[0] / sum(exps)).backward()
    assert sum(v.grad for v in values) == pytest.approx(0.0, abs=1e-12)
