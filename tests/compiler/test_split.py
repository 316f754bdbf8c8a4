"""Kernels cut into parts: every element is computed once, and has the same bits."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("llvmlite")

from compiler.test_three_way import called, falls_back, has_mask
from contracts import (
    op_contract,
    test_ops,  # noqa: F401 - fills CASES
)
from contracts.op_samples import CASES
from pellucid.arrays import namespace
from pellucid.compiler import program as module
from pellucid.compiler.graph import Node
from pellucid.compiler.kernels import Gemm
from pellucid.compiler.lower import Call, lower
from pellucid.compiler.passes import optimise
from pellucid.compiler.program import Program
from pellucid.compiler.schedule import schedule
from pellucid.compiler.split import GRAIN, Span, columns, cut, ranges, reach, span, spans, split
from pellucid.ops import REGISTRY
from support.compiled import Traced, joined, traced
from support.hazards import elements
from support.random_graphs import draw

THREADS = (2, 3, 5, 16)
F4 = np.float32


@pytest.fixture(autouse=True)
def _even_little_work_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORTH", -1)


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(F4)


def check(one: Traced, threads: tuple[int, ...] = THREADS) -> list[Program]:
    """Compare the bits that any number of threads gives with those that one gives."""
    graph = optimise(one.graph)
    alone = Program(graph)(one.inputs)
    programs = [Program(graph, threads=number) for number in threads]
    for number, program in zip(threads, programs, strict=True):
        for _ in range(2):
            found = program(one.inputs)
            for name, array in alone.items():
                assert found[name].tobytes() == array.tobytes(), (name, number)
    return programs


def check_function(function: Callable[..., Any], *inputs: np.ndarray) -> list[Program]:
    return check(traced(function, *inputs))


# where to cut


@given(st.integers(0, 5000), st.integers(1, 70))
def test_ranges_are_all_rows_in_parts_of_about_equal_size(n: int, parts: int) -> None:
    found = ranges(n, parts)
    assert [i for start, stop in found for i in range(start, stop)] == list(range(n))
    assert all(stop > start for start, stop in found)
    assert len(found) == min(n, parts)
    sizes = [stop - start for start, stop in found]
    if n:
        assert max(sizes) - min(sizes) <= (
            2 * GRAIN if n >= 2 * GRAIN * parts else max(sizes) // 2 + 1
        )


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(-7, 7)), max_size=4), st.integers(0, 3))
def test_reach_is_the_first_and_the_last_place(axes: list[tuple[int, int]], empty: int) -> None:
    shape, strides = [n for n, _ in axes], [s for _, s in axes]
    places = [
        sum(i * s for i, s in zip(index, strides, strict=True)) for index in np.ndindex(*shape)
    ]
    assert reach(shape, strides) == (min(places), max(places) + 1)
    if axes and not empty:
        assert reach([0, *shape[1:]], strides) == (0, 0)


loops = st.tuples(
    st.integers(100, 112),
    st.lists(
        st.tuples(st.integers(1, 5), st.sampled_from([-6, -1, 0, 1, 1, 2, 3, 4, 6, 6, 12])),
        max_size=3,
    ),
)


def is_in(place: int, s: Span) -> bool:
    """Whether a span says that an element is touched."""
    return s.start <= place < s.stop and (not s.line or s.left <= place % s.line < s.right)


@settings(max_examples=500)
@given(st.tuples(loops, loops, loops))
def test_spans_hold_what_loops_touch_and_meet_where_two_do(several: Any) -> None:
    """Also the union of two: it meets whatever touches an element of one of them."""
    node = Node("input", (), (200,), np.dtype(F4))
    found, places = [], []
    for at, axes in several:
        shape, strides = [n for n, _ in axes], [s for _, s in axes]
        found.append(span(node, at, shape, strides, written=True))
        turns = (zip(index, strides, strict=True) for index in np.ndindex(*shape))
        places.append({at + sum(i * s for i, s in turn) for turn in turns})
        assert all(is_in(place, found[-1]) for place in places[-1])
    first, second, third = found
    assert first.meets(second) or not places[0] & places[1]
    assert first.meets(second) == second.meets(first)
    both = first.union(second)
    assert all(is_in(place, both) for place in places[0] | places[1])
    assert third.meets(both) or not places[2] & (places[0] | places[1])


def test_columns_side_by_side_do_not_meet() -> None:
    node = Node("input", (), (8, 6), np.dtype(F4))
    left, right = (span(node, at, (8, 3), (6, 1), written=True) for at in (0, 3))
    assert not left.meets(right)
    assert left.meets(span(node, 2, (8, 2), (6, 1), written=False))
    assert right.meets(span(node, 0, (48,), (1,), written=False))  # all of it, in one line
    assert right.meets(left.union(right))


def calls_of(seed: int) -> list[list[Call]]:
    """Return the calls of a random program."""
    d = draw(Random(seed), 15)
    return lower(schedule(optimise(traced(d, *d.inputs, errors=d.errors()).graph)))[0]


@given(st.integers(0, 10_000), st.sampled_from([2, 3, 5, 16]), st.booleans())
def test_parts_touch_what_the_whole_does_and_write_apart(
    seed: int, parts: int, halved: bool
) -> None:
    """Nothing is left out or written by two; and the spans of a part hold all its elements.

    Also where a nest is halved first, even one that a program would leave as it is.
    """
    for group in calls_of(seed):
        whole: dict[tuple[Node, bool], set[int]] = {}
        for call in group:
            for node, at, written in elements(call):
                whole.setdefault((node, written), set()).update(at.tolist())
        found: dict[tuple[Node, bool], set[int]] = {key: set() for key in whole}
        halves = [half for call in group for half in (columns(call) if halved else [call])]
        for part in split(halves, parts):
            mine: dict[tuple[Node, bool], set[int]] = {key: set() for key in whole}
            for call in part:
                known = spans(call)
                for node, at, written in elements(call):
                    mine[node, written].update(at.tolist())
                    for place in at.tolist():
                        assert any(
                            s.node is node and s.written >= written and is_in(place, s)
                            for s in known
                        )
            for (node, written), places in mine.items():
                assert not (written and found[node, written] & places)
                found[node, written] |= places
        assert found == whole


# the same bits


@pytest.mark.parametrize("m", [1, 2, 5, 6, 33])
@pytest.mark.parametrize("n", [1, 2, 5, 33])
def test_products(m: int, n: int) -> None:
    """Also those of which a part has one row or one column; in all layouts."""
    graphs = []
    for k, (left, right) in product((1, 2, 17, 40), product((False, True), repeat=2)):
        a = numbers(k, m) if left else numbers(m, k)
        b = numbers(n, k) if right else numbers(k, n)

        def function(a: Any, b: Any, left: bool = left, right: bool = right) -> Any:
            return (a.mT if left else a) @ (b.mT if right else b)

        graphs.append(traced(function, a, b, name=f"{k} {left} {right} "))
    check(joined(graphs), (2, 5))


@pytest.mark.parametrize("shape", [(40, 600, 900), (3, 720, 750), (64, 1030, 600)])
def test_large_products(shape: tuple[int, int, int]) -> None:
    """Blocks of b are packed in the whole, and perhaps not in a part; columns are cut."""
    m, k, n = shape
    (program,) = check(
        traced(lambda a, b: (a @ b, a @ b[:, ::-1]), numbers(m, k), numbers(k, n)), (3,)
    )
    products = [
        call for task in program.tasks for call in task.calls if isinstance(call.kernel, Gemm)
    ]
    assert len(products) == 6


def softmax(x: Any) -> Any:
    xp = namespace(x)
    e = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
    return e / xp.sum(e, axis=-1, keepdims=True)


def total(x: Any, axis: int | None) -> Any:
    return namespace(x).sum(x, axis=axis)


FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[tuple[int, ...], ...]]] = {
    "flip": (lambda x: namespace(x).flip(x, axis=0) * 2 + x, ((37, 5),)),
    "flip all": (lambda x: namespace(x).flip(x, axis=None) - x, ((37, 5),)),
    "steps backwards": (lambda x: x[::-2, 1:] * x[1::2, :0:-1], ((38, 7),)),
    "transposed": (lambda x: x.mT + x, ((33, 33),)),
    "shifted": (lambda x: x[1:] * x[:-1] + total(x[2:], 0), ((50, 3),)),
    "one buffer, several steps": (lambda x: x[:, None] * x[None, :] + x[::-1], ((35,),)),
    "rows": (softmax, ((41, 17),)),
    "columns": (lambda x: (total(x, 0), namespace(x).max(x, axis=0), total(x, None)), ((50, 35),)),
    "middle": (lambda x: total(x, 1) + namespace(x).max(x, axis=(1,)), ((7, 9, 40),)),
    "repeated": (lambda x: namespace(x).broadcast_to(x, (40, 6)) * 2, ((6,),)),
    "joined": (lambda x: namespace(x).concat([x, x[::-1], x * 2], axis=0), ((40, 3),)),
    "stacked": (lambda x: namespace(x).stack([x, x + 1], axis=1), ((40, 3),)),
    "padded": (lambda x: namespace(x).pad(x, widths=((3, 20), (1, 2)), value=7), ((40, 3),)),
    "nothing": (lambda x: (x * 2, total(x, 0), total(x, 1)), ((0, 40),)),
    "rows of nothing": (lambda x: (total(x, 1), x @ x.mT), ((40, 0),)),
    "one": (lambda x: x * 3, ((),)),
    "stack of products": (lambda a, b: a @ b + 1, ((7, 20, 3), (7, 3, 5))),
    "one matrix for all": (lambda a, b: total(a @ b, 0), ((7, 20, 3), (3, 5))),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_accesses(name: str) -> None:
    function, shapes = FUNCTIONS[name]
    check_function(function, *(numbers(*shape) for shape in shapes))


def test_gathers_and_scatters() -> None:
    """What is added to places that values decide is added in one order: that is never cut."""
    x, i = numbers(60, 3), np.random.default_rng(0).integers(-60, 60, 500)
    programs = check_function(
        lambda x, i: (
            namespace(x).index(x, (i,)) * 2,
            namespace(x).scatter_add(namespace(x).index(x, (i,)), (i,), shape=(60, 3)),
        ),
        x, i,
    )  # fmt: skip
    for program in programs:
        adding = [
            call for task in program.tasks for call in task.calls
            if not isinstance(call.kernel, Gemm)
            and any(store.add for stage in call.kernel.stages for store in stage.stores)
        ]  # fmt: skip
        assert len(adding) == 1


def test_loop_counters_are_not_cut() -> None:
    for group in calls_of(3):
        for call in group:
            for part in cut(call, 3):
                assert part.buffers == call.buffers


# every operation


@pytest.mark.parametrize("name", [name for name in REGISTRY if name in CASES])
def test_every_operation(name: str) -> None:
    """The samples of the three-way test for which there is native code."""
    graphs = []
    for number, sample in enumerate(CASES[name].samples):
        floats = any(map(op_contract.is_float, sample.operands))
        if not has_mask(sample):
            backward = floats and REGISTRY[name].differentiable
            function, inputs = called(REGISTRY[name], sample, "float32", backward)
            one = traced(function, *inputs, name=f"{number} ")
            if not falls_back(one):
                graphs.append(one)
    if graphs:
        check(joined(graphs), (2 + len(name) % 2,))
