"""Phases: no task needs anything of another, and the memory they share is never too small."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("llvmlite")

import pellucid
from pellucid import Tensor, nn, optim
from pellucid.arrays import namespace
from pellucid.compiler.bound import NEW
from pellucid.compiler.graph import Graph
from pellucid.compiler.passes import optimise
from pellucid.compiler.phases import orders
from support.compiled import traced
from support.hazards import Dealt, crowded, dealt, faults, without_barrier
from support.random_graphs import draw

THREADS = st.sampled_from([1, 2, 3, 5, 16])


def random_graph(seed: int, steps: int) -> Graph:
    """Return a random program's graph; most of its values are looked at."""
    d = draw(Random(seed), steps)
    return optimise(traced(d, *d.inputs, errors=d.errors()).graph)


def training_step(normalised: bool, width: int = 20) -> tuple[Graph, list[tuple[str, str]]]:
    """Return the graph of an update on some rows of the data, and its state.

    The first layer's product is halved where the data are wide, of at least 128 columns.
    """
    middle = [nn.BatchNorm1D(48), nn.Dropout(0.2)] if normalised else []
    net = nn.Sequential(nn.Dense(width, 48, "relu"), *middle, nn.Dense(48, 5), rng=0)
    optimizer, loss = optim.Adam(0.01), nn.CrossEntropyLoss()

    def step(x: Any, y: Any, rows: Any) -> Tensor:
        net.zero_grad()
        value = loss(net(x[rows]), y)
        value.backward()
        optimizer.step(net)
        return value

    compiled = pellucid.compile(step, state=[net, optimizer], native=False)
    arguments = np.zeros((80, width), np.float32), np.zeros(64, np.int64), np.arange(64)
    graph = compiled.bound(*arguments).traced.graph
    return graph, [(name[len(NEW) :], name) for name in graph.outputs if name.startswith(NEW)]


@given(st.integers(0, 2**32), st.integers(3, 25), THREADS, st.booleans())
def test_random_programs(seed: int, steps: int, threads: int, halved: bool) -> None:
    assert not faults(dealt(random_graph(seed, steps), threads, halved=halved))


@given(st.integers(0, 2**32), st.integers(3, 15), THREADS, st.booleans())
def test_random_programs_with_state(seed: int, steps: int, threads: int, halved: bool) -> None:
    """Any input may be replaced by any result that is like it."""
    graph = random_graph(seed, steps)
    pairs: dict[str, str] = {}
    for old, x in graph.inputs.items():
        for new, y in graph.outputs.items():
            if new not in pairs and (x.shape, x.dtype) == (y.shape, y.dtype):
                pairs[new] = old
                break
    assert not faults(dealt(graph, threads, [(old, new) for new, old in pairs.items()], halved))


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("width", [20, 128])
@pytest.mark.parametrize("threads", [1, 2, 3, 5, 16])
def test_training_steps(normalised: bool, width: int, threads: int) -> None:
    graph, state = training_step(normalised, width)
    one = dealt(graph, threads, state)
    assert not faults(one)
    shapes = [node.shape for node in graph.nodes() if node.op == "matmul"]
    assert ((2, 64, 48) in shapes) == (width == 128)
    if threads > 1:
        assert 1 < len(one.phases) < len(one.works)
        assert max(map(len, one.phases)) >= threads
    assert len(one.overlay) > 6


def test_what_goes_wrong_is_found() -> None:
    """A barrier that is missing, memory for one that all share, an overlay that is not right."""
    barriers = missed = crowds = 0
    for seed in range(12):
        one = dealt(random_graph(seed, 25), 3)
        for number in range(len(one.phases) - 1):
            barriers += 1
            missed += not faults(without_barrier(one, number))
        if len(one.arena.offsets) > 4:
            crowds += 1
            assert faults(crowded(one))
    assert crowds > 3
    assert missed < barriers / 4  # some are there for calls that only might meet
    for width in (20, 128):
        graph, state = training_step(True, width)
        one = dealt(graph, 3, state)
        for number in range(len(one.phases) - 1):
            assert faults(without_barrier(one, number))
    square = np.ones((40, 40), np.float32)
    transposing = traced(lambda a, b: a.mT + b, square, square).graph
    assert not faults(overlaid_by_force(transposing, "x1"))
    assert faults(overlaid_by_force(transposing, "x0"))
    read_later = traced(lambda a, b: [a + 1, namespace(a).sum(a, axis=0)], square, square).graph
    assert faults(overlaid_by_force(read_later, "x0"))


def overlaid_by_force(graph: Graph, old: str) -> Dealt:
    """Return it with the first result in the place of an input, right or not."""
    one = dealt(graph, 3)
    calls = [call for work in one.works for part in work for call in part]
    written = next(call.buffers[-1] for call in calls if call.buffers[-1].shape == (40, 40))
    return Dealt(one.works, one.phases, one.arena, {written: graph.inputs[old]})


@given(st.integers(0, 2**32), st.sampled_from([2, 3, 5, 16]))
def test_every_thread_looks_at_every_task_its_own_first(seed: int, threads: int) -> None:
    phases = dealt(random_graph(seed, 12), threads).phases
    for thread, order in enumerate(orders(phases, threads)):
        start = 0
        for phase in phases:
            mine = order[start : start + len(phase)]
            assert sorted(mine) == list(range(start, start + len(phase)))
            homes = [phase[number - start].home == thread for number in mine]
            assert homes == sorted(homes, reverse=True)
            start += len(phase)
        assert start == len(order)
        assert all(0 <= task.home < threads for phase in phases for task in phase)
