"""Random programs: NumPy, interpreter and native code give the same, on every processor."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

pytest.importorskip("llvmlite")

from pellucid.arrays import namespace
from pellucid.compiler.llvm.target import AVX2, SSE2, Target, host
from support.compiled import check, three_way, traced
from support.random_graphs import draw

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def run(rng: Random, steps: int, target: Target) -> None:
    """Draw a program and compare the three ways; every pass verifies the graph it makes."""
    program = draw(rng, steps)
    one = traced(program, *program.inputs, errors=program.errors())
    note(str(one.graph))
    check(one, target)


@settings(max_examples=60, suppress_health_check=SLOW)
@given(st.randoms(use_true_random=False), st.integers(1, 12), st.sampled_from([host(), AVX2, SSE2]))
def test_small_programs(rng: Random, steps: int, target: Target) -> None:
    """Hypothesis draws every choice, so that it can show the smallest program that fails."""
    run(rng, steps, target)


@settings(max_examples=120)
@given(st.integers(0, 2**32), st.integers(10, 60), st.sampled_from([host(), AVX2, SSE2]))
def test_large_programs(seed: int, steps: int, target: Target) -> None:
    run(Random(seed), steps, target)


# patterns that a rule of the schedule stands for

F4 = np.float32


def numbers(*shape: int) -> np.ndarray:
    """Return small whole numbers."""
    rng = np.random.default_rng(len(shape))
    return rng.integers(-3, 4, shape).astype(F4)


def test_outer_values_that_are_repeated_from_the_left() -> None:
    """What is joined to a reduction over the last axes lines up with its outer axes."""
    for keep in (False, True):

        def function(x: Any, b: Any, keep: bool = keep) -> Any:
            return namespace(x).maximum(namespace(x).sum(x, axis=(2, 3), keepdims=keep), b)

        three_way(function, numbers(4, 15, 5, 5), numbers(15, 1, 1) if keep else numbers(15))


def test_a_long_chain_is_cut() -> None:
    """More elementwise nodes than a kernel takes, all of them used again at the end."""

    def function(x: Any, y: Any) -> Any:
        values = [x]
        for i in range(150):
            values.append(values[-1] + y if i % 3 else namespace(x).maximum(values[-1], -y) - i)
        total = values[0]
        for value in values[::7]:
            total = total + value
        return [total, values[40]]

    three_way(function, numbers(3, 17), numbers(17))


def test_a_member_that_is_read_through_a_view() -> None:
    """A transposed member cannot be read in the loops that compute it."""
    three_way(lambda x: (x + 1) * (x + 1).mT, numbers(5, 5))
    three_way(lambda x: (x + 1) + (x + 1)[0], numbers(5, 5))
    three_way(lambda x: [(x * 2).reshape(25), x * 2 + 1], numbers(5, 5))
    three_way(lambda x: (x * 2)[::-1] + x * 2, numbers(7))


def test_reductions_of_reductions() -> None:
    def function(x: Any) -> Any:
        xp = namespace(x)
        centred = x - xp.max(x, axis=-1, keepdims=True)
        scaled = centred * xp.sum(centred, axis=-1, keepdims=True)
        lowest = xp.min(scaled, axis=-1)
        return [scaled, lowest, xp.sum(lowest * 2), xp.sum(scaled, axis=0), centred]

    for shape in ((4, 3), (1, 17), (17, 1), (1, 1), (2, 3, 16), (0, 3)):
        three_way(function, numbers(*shape))


def test_costly_values_are_kept_between_stages() -> None:
    """exp is stored and loaded again, not computed twice; also where it is an output."""

    def function(x: Any) -> Any:
        xp = namespace(x)
        e = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
        p = e / xp.sum(e, axis=-1, keepdims=True)
        return [p * 2, xp.sum(p * p, axis=-1, keepdims=True) * p, e]

    program = three_way(function, numbers(5, 17))
    assert program.text.count("define") < 10


def test_values_that_stay_for_later_kernels_are_not_overwritten() -> None:
    """Early results are used after many later ones have taken turns in memory."""

    def function(x: Any, w: Any) -> Any:
        hidden = [x]
        for i in range(6):
            hidden.append(namespace(x).maximum(hidden[-1] @ w - i, -3) + hidden[0])
            hidden[-1] = namespace(x).minimum(hidden[-1], 3)
        back = hidden[-1]
        for value in reversed(hidden):
            back = namespace(x).minimum(namespace(x).maximum((back * value) @ w.mT, -3), 3)
        return [back, hidden[2]]

    three_way(function, numbers(9, 9), numbers(9, 9))


def test_gathers_and_scatters() -> None:
    """Indices from either end, repeated, computed, and scalars; values that are repeated."""
    table = numbers(5, 3)
    where = np.array([[0, -1, 4], [2, 2, -5]])

    def function(x: Any, i: Any) -> Any:
        xp = namespace(x)
        rows = xp.index(x, (i,))
        spread = xp.scatter_add(rows * 2, (i,), shape=(5, 3))
        one = xp.index(x, (i[0, 0], i[1, 0]))
        return [rows + 1, spread - x, one, xp.index(x, (xp.maximum(i - 1, 0), i * 0 + 1))]

    for dtype in ("int64", "int32"):
        three_way(function, table, where.astype(dtype))
    three_way(lambda v, i: namespace(v).scatter_add(v, (i,), shape=(5,)), F4(2), where)
    three_way(lambda v, i: namespace(v).scatter_add(v, (i,), shape=(5, 3)), numbers(3), where)


def test_the_same_result_twice_and_inputs_as_results() -> None:
    three_way(lambda x, y: [x, x + y, x + y, y.reshape(3), x, y], numbers(3), numbers(3, 1))
    three_way(lambda x: [np.ones(3, F4), x, np.float32(4)], numbers(2))
