"""Explanations of gradients."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.scalar import MLP, Value, backprop, dot, why


def test_one_path_is_a_product() -> None:
    x, w = Value(2.0, "x"), Value(-3.0, "w")
    out = (x * w).tanh()
    out.label = "out"
    explained = why(x, out)
    assert explained.count == 1
    assert str(explained) == (
        "d out / d x = -7.373e-05, the sum over 1 path:\n"
        "  x -> v1 -> out: -3 * 2.458e-05 = -7.373e-05"
    )


def test_several_paths_are_a_sum() -> None:
    a = Value(3.0, "a")
    out = a * a + a
    out.label = "out"
    explained = why(a, out)
    assert (explained.gradient, explained.count) == (7.0, 3)
    assert sorted(path.product for path in explained.paths) == [1.0, 3.0, 3.0]
    assert str(explained).splitlines()[0] == "d out / d a = 7, the sum over 3 paths:"


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda a: a * Value(0.0, "z"), "the other factor, z, is 0"),
        (lambda a: (a - 5).relu(), "relu is flat up to 0, and v1 is -3"),
        (lambda a: a.max(7), "7 is larger"),
        (lambda a: (a * 100).tanh(), "tanh is flat at 200: saturated"),
        (lambda a: (a * 1000).sigmoid(), "sigmoid is flat at 2000: saturated"),
        (lambda a: abs(a - 2), "|x| has slope 0 at 0"),
        (lambda a: (a - 2) ** 2, "**2 is flat at 0"),
        (lambda a: Value(0.0, "zero") / a, "the numerator, zero, is 0"),
        (lambda a: Value(1.0, "one") ** a, "the base, one, is 1"),
        (lambda a: a / math.inf, "the denominator, inf, is infinite"),
        (lambda a: dot([a], [Value(0.0)], Value(1.0)), "a is multiplied by 0"),
    ],
)
def test_the_factor_that_makes_it_zero_is_named(build: object, says: str) -> None:
    a = Value(2.0, "a")
    out = build(a) * 3 + 1
    explained = why(a, out)
    assert explained.gradient == 0.0
    assert len(explained.blocked) == 1
    assert explained.blocked[0].slope == 0.0
    assert says in str(explained)
    out.backward()
    assert a.grad == 0.0


def test_every_blocking_factor_is_listed() -> None:
    a = Value(-2.0, "a")
    out = (a * 3).relu() + (a * a - 4).relu() * a
    text = str(why(a, out))
    assert "because every path has a factor of 0:" in text
    assert text.count("\n  - ") == 3


def test_paths_that_cancel() -> None:
    a = Value(2.0, "a")
    text = str(why(a, a - a))
    assert "because the shares of its paths cancel" in text
    assert "a -> v1: 1" in text
    assert "a -> v1: -1" in text


def test_a_product_that_underflows_is_told_apart() -> None:
    a = Value(2.0, "a")
    assert "too small for a float" in str(why(a, a * 1e-200 * 1e-200))


def test_a_path_that_underflows_beside_one_that_is_blocked() -> None:
    a = Value(2.0, "a")
    assert "too small for a float" in str(why(a, a * 1e-200 * 1e-200 + a * 0))


def test_a_factor_is_named_once() -> None:
    a = Value(0.0, "a")
    assert str(why(a, a * a)).count("the other factor") == 1


def test_infinite_gradients_are_explained() -> None:
    x = Value(0.0, "x")
    out = x**0.5
    for k in range(6):
        out = out - (x * (k + 2)) ** 0.5
    assert "d v" in str(why(x, out))
    big = Value(1.0, "b")
    explained = why(big, (big * 1e-300) * 1e200 * 1e200)
    assert explained.paths[0].product == pytest.approx(explained.gradient)


def test_it_shows_itself() -> None:
    a = Value(2.0, "a")
    explained = why(a, a * a + a)
    assert repr(explained) == str(explained)
    assert explained.draw().svg.count("#c2410c") > 2
    with pytest.raises(TypeError, match="expected two values, got float"):
        why(3.0, a)  # type: ignore[arg-type]


def test_what_is_not_connected() -> None:
    a, b = Value(2.0, "a"), Value(1.0, "b")
    out = b * 2
    out.label = "out"
    explained = why(a, out)
    assert (explained.gradient, explained.count, explained.paths) == (0.0, 0, ())
    assert str(explained) == "d out / d a = 0, because out was not computed from a"


def test_a_value_itself() -> None:
    a = Value(2.0, "a")
    out = a * 2
    assert why(out, out).gradient == 1.0
    assert "own derivative" in str(why(a, a))


def test_backward_is_not_needed_and_nothing_is_changed() -> None:
    a = Value(2.0)
    out = a * a
    assert why(a, out).gradient == 4.0
    assert (a.grad, out.grad) == (0.0, 0.0)


def test_it_can_be_asked_of_a_walk() -> None:
    a = Value(2.0, "a")
    walk = backprop(a * a)
    assert str(walk.why(a)) == str(why(a, walk.out))


def test_more_paths_than_can_be_walked() -> None:
    a = Value(1.0, "a")
    z = a
    for _ in range(300):
        z = (z + z) * 0.5
    explained = why(a, z, paths=2)
    assert explained.gradient == 1.0
    text = str(explained)
    assert "more paths than can be counted" in text
    assert "and the others, together 1" in text
    assert all(len(line) < 400 for line in text.splitlines())


def test_a_long_chain_is_shortened() -> None:
    a = Value(1.0, "a")
    z = a
    for _ in range(5000):
        z = z + 1.0
    text = str(why(a, z))
    assert "(4,988 more)" in text
    assert len(text) < 300


def test_at_least_one_path() -> None:
    a = Value(1.0)
    with pytest.raises(ValueError, match="expected at least 1 path to show, got 0"):
        why(a, a * 2, paths=0)


def test_the_largest_shares_come_first() -> None:
    a = Value(1.0, "a")
    out = sum(a * k for k in (1.0, -7.0, 3.0, 5.0))
    explained = why(a, out, paths=2)
    assert [path.product for path in explained.paths] == [-7.0, 5.0]
    assert "and the others, together 4" in str(explained)


@given(st.integers(0, 2), st.integers(0, 8))
def test_paths_add_up_to_the_gradient(layer: int, which: int) -> None:
    network = MLP(2, [3, 2, 1], rng=0)
    out = network([1.5, -0.5])
    out.backward()
    parameters = network.layers[layer].parameters()
    parameter = parameters[which % len(parameters)]
    explained = why(parameter, out, paths=100)
    assert explained.gradient == pytest.approx(parameter.grad, rel=1e-12)
    assert len(explained.paths) == explained.count
    total = sum(path.product for path in explained.paths)
    assert total == pytest.approx(parameter.grad, rel=1e-12)
