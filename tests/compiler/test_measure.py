"""Measured explanations: no time is checked, but that each kernel has one and nothing changes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import pellucid
from pellucid import nn, optim
from pellucid.compiler import measure
from pellucid.compiler.cells import cells_of
from pellucid.compiler.cost import Cost
from pellucid.compiler.explain import Explanation
from pellucid.compiler.graph import Graph
from pellucid.compiler.listing import WIDTH
from pellucid.compiler.measure import Speed
from pellucid.compiler.program import Program

RNG = np.random.default_rng(11)


def training(threads: int) -> tuple[Any, list[Any], tuple[np.ndarray, ...]]:
    """Return a compiled step with an embedding and batch statistics, its state, and a batch."""
    network = nn.Sequential(
        nn.Embedding(20, 16), nn.Flatten(), nn.BatchNorm1D(64), nn.Dense(64, 5), rng=0
    )
    optimizer = optim.Adam(1e-2)
    loss_of = nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> Any:
        network.zero_grad()
        loss = loss_of(network(x), y)
        loss.backward()
        optimizer.step(network)
        return loss

    state = [network, optimizer]
    batch = RNG.integers(0, 20, (64, 4)), RNG.integers(0, 5, 64)
    return pellucid.compile(step, state, threads=threads), state, batch


def values(state: list[Any]) -> dict[str, np.ndarray]:
    """Return a copy of all state."""
    return {name: np.array(cell.get()) for name, cell in cells_of(state).items()}


@pytest.fixture(scope="module")
def measured() -> Explanation:
    """Return the measured explanation of a training step of two threads."""
    step, _, batch = training(threads=2)
    step(*batch)
    return step.explain(*batch).measured()


def test_each_kernel_has_a_time_and_a_share(measured: Explanation) -> None:
    assert measured.seconds is not None
    assert measured.seconds > 0
    for part in measured.kernels:
        assert part.speed is not None
        assert part.speed.cost == part.cost
        assert part.speed.seconds > 0
        assert 0 < part.speed.share <= 1.5
        assert part.speed.limit in ("arithmetic", "memory")


def test_the_report_shows_times_longest_first(measured: Explanation) -> None:
    text = str(measured)
    assert max(map(len, text.splitlines())) <= WIDTH
    table = text[text.index("== times: ") : text.index("== phases: ")]
    assert "for a call on 2 threads" in table
    rows = [line.split() for line in table.splitlines() if re.search(" of (arith|mem)", line)]
    seconds = {part.number: part.speed.seconds for part in measured.kernels if part.speed}
    assert [int(row[0]) for row in rows] == sorted(seconds, key=seconds.__getitem__, reverse=True)
    assert text.count("of this core's peak (") == len(measured.kernels)


def test_an_explanation_has_no_times_before_it_is_measured(measured: Explanation) -> None:
    bare = replace(
        measured,
        seconds=None,
        kernels=tuple(replace(part, speed=None) for part in measured.kernels),
    )
    assert "== times" not in str(bare)
    assert "GFLOP/s" not in str(bare)


def test_measuring_changes_neither_state_nor_arguments() -> None:
    (step, state, batch), (other, others, _) = training(threads=2), training(threads=2)
    for one in (step, other):
        one(*batch)
    before, given = values(state), [array.copy() for array in batch]
    explanation = step.explain(*batch)
    explanation.measured()
    after = values(state)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert all(map(np.array_equal, batch, given))
    assert step(*batch).item() == other(*batch).item()
    trained, expected = values(state), values(others)
    assert all(np.array_equal(expected[name], trained[name]) for name in expected)
    kept = explanation.inputs  # the state as it was, though a step has been made since
    assert all(np.array_equal(kept[name], before[name]) for name in before)


def test_without_inputs_there_is_nothing_to_measure(measured: Explanation) -> None:
    with pytest.raises(ValueError, match=r"expected 0\.layers\.0\.weight as .*, got nothing"):
        replace(measured, inputs={}).measured()


def test_kernels_are_measured_on_what_those_before_them_computed(
    measured: Explanation, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Program(measured.source, apart=True)
    calls = [task.calls for task in program.tasks]
    assert repr(calls) == repr([list(part.calls) for part in measured.kernels])  # NaN is in them
    assert any(measure.adds(call.kernel) for call in program.calls)  # of the embedding's gradient
    held: list[list[np.ndarray]] = []
    filled = measure.filled

    def watched(*arguments: Any) -> Any:
        frame, arrays = filled(*arguments)
        held.append(arrays)
        return frame, arrays

    monkeypatch.setattr(measure, "filled", watched)
    measure.kernel_seconds(program, measured.inputs)
    (arrays,) = held
    expected = program(measured.inputs)
    found = arrays[len(program.graph.inputs) :]
    for (name, x), y in zip(expected.items(), found, strict=True):
        np.testing.assert_array_equal(x, y, err_msg=name)


def test_products_of_a_stack_are_measured_as_one() -> None:
    x = np.ones((3, 8, 8))
    explanation = pellucid.compile(lambda x: x @ x).explain(x).measured()
    (kernel,) = explanation.kernels
    assert len(kernel.calls) == 3
    assert kernel.speed is not None
    assert kernel.speed.peak == measure.most_operations("float64")


@pytest.mark.parametrize("shape", [(3,), (0, 3), ()])
@pytest.mark.parametrize("function", [lambda x: x, lambda x: x * 2], ids=["nothing", "something"])
def test_what_has_next_to_nothing_to_do_is_measured(function: Any, shape: tuple[int, ...]) -> None:
    explanation = pellucid.compile(function).explain(np.ones(shape)).measured()
    assert explanation.seconds is not None
    assert explanation.seconds > 0
    assert "== times" in str(explanation)


# Arithmetic


def test_the_share_is_the_larger_one() -> None:
    speed = Speed(Cost(read=300, written=100, operations=1000), seconds=2.0, peak=1000, roof=1000)
    assert (speed.operations, speed.bandwidth) == (500, 200)
    assert (speed.share, speed.limit) == (0.5, "arithmetic")
    speed = replace(speed, roof=250)
    assert (speed.share, speed.limit) == (0.8, "memory")


def test_a_core_has_a_peak_and_bandwidths(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measure.most_operations("float32") > 0
    assert measure.most_operations("float64") > 0
    asked: list[int] = []
    monkeypatch.setattr(measure, "_bandwidth", lambda size: asked.append(size) or 1.0)
    for size in (0, 5000, 1 << 20, (1 << 21) - 1, 1 << 40):
        assert measure.most_bytes(size) > 0
    assert asked == [measure.LEAST, measure.LEAST, 1 << 20, 1 << 20, measure.MOST]


def test_the_loops_do_what_they_are_measured_for() -> None:
    work, operations = measure.arithmetic("float64")
    work(3)  # each of the sums was x, and became x * sum + x three times
    (numbers,) = work.arrays  # type: ignore[attr-defined]
    count = operations // 2
    total = 0.5
    for _ in range(3):
        total = 0.5 * total + 0.5
    lanes = measure.host().vector_bytes // 8
    np.testing.assert_allclose(numbers[:lanes], total * count / lanes)
    assert count == len(numbers)

    work, moved = measure.traffic(1 << 14)
    x, y = (array.view(np.float32) for array in work.arrays)  # type: ignore[attr-defined]
    x[:] = np.arange(len(x))
    work(2)
    np.testing.assert_array_equal(y, 2 * x)
    assert moved == 3 * x.nbytes
    assert x.nbytes + y.nbytes == 1 << 14


def test_work_is_repeated_until_it_can_be_timed() -> None:
    turns: list[int] = []

    def work(count: int) -> None:
        turns.append(count)
        sum(range(count))

    times = measure.samples(work)
    assert len(times) == measure.TRIES
    assert all(time > 0 for time in times)
    assert turns[:2] == [1, 4]
    assert set(turns[-measure.TRIES :]) == {turns[-1]}


def test_the_graph_of_the_program_is_kept() -> None:
    step, _, batch = training(threads=1)
    explanation = step.explain(*batch)
    assert isinstance(explanation.source, Graph)
    assert explanation.source is step.bound(*batch).traced.graph
