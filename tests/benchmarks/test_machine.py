"""The timing and the description that the benchmarks share; nothing here asserts a speed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest

import machine


def test_prepare_unsets_what_would_choose_kernels_and_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "numpy", raising=False)
    monkeypatch.setenv("OPENBLAS_CORETYPE", "PRESCOTT")
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "1")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    machine.prepare()
    assert not [name for name in os.environ if name.startswith("OPENBLAS")]


def test_prepare_refuses_to_come_after_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", machine)
    with pytest.raises(RuntimeError, match=r"expected prepare\(\) before NumPy.*got NumPy"):
        machine.prepare()


def test_new_processes_may_keep_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PELLUCID_DATA", "here")
    found = machine.environment()
    assert "PYTHONDONTWRITEBYTECODE" not in found
    assert found["PELLUCID_DATA"] == "here"


def test_describe_names_what_a_figure_depends_on() -> None:
    facts = machine.describe()
    assert list(facts) == ["processor", "cores usable", "system", "Python", "NumPy", "BLAS"]
    assert all(facts.values())
    assert 1 <= int(facts["cores usable"]) <= (os.cpu_count() or 1)


def test_announce_prints_one_fact_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    machine.announce()
    printed = capsys.readouterr().out.splitlines()
    assert printed == [f"{name}: {value}" for name, value in machine.describe().items()]


def test_describe_reports_the_kernel_and_threads_of_the_blas(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import threadpoolctl

    blas = {"internal_api": "openblas", "version": "0.3", "num_threads": 2, "user_api": "blas"}
    pools = [blas | {"architecture": "Zen"}, {"user_api": "openmp"}, blas | {"version": None}]
    monkeypatch.setattr(threadpoolctl, "threadpool_info", lambda: pools)
    assert machine.describe()["BLAS"] == (
        "openblas 0.3 (Zen, 2 threads), openblas of unknown version (kernel unknown, 2 threads)"
    )


class Clock:
    """A clock that moves only when a function says how long it took."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def __call__(self) -> float:
        return self.now

    def taking(self, name: str, *seconds: float) -> Callable[[], None]:
        """Return a function that takes these times in turn, the last one for good."""
        left = list(seconds)

        def function() -> None:
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return function


def test_peers_take_turns_and_each_gets_to_start() -> None:
    clock = Clock()
    peers = {name: clock.taking(name, 1.0) for name in "abc"}
    machine.median_of_interleaved(peers, rounds=4, inner=1, clock=clock)
    assert "".join(clock.calls) == "cab" + "abc" + "bca" + "cab" + "abc"


def test_medians_ratios_and_rounds() -> None:
    clock = Clock()
    peers = {
        "first": clock.taking("first", 100.0, 1.0, 9.0, 2.0),  # 100 is the warm-up
        "second": clock.taking("second", 100.0, 2.0, 18.0, 6.0),
    }
    timings = machine.median_of_interleaved(peers, rounds=3, inner=1, clock=clock)
    assert timings["first"] == machine.Timing(2.0, 1.0, (1.0, 9.0, 2.0))
    assert timings["second"] == machine.Timing(6.0, 2.0, (2.0, 18.0, 6.0))


def test_inner_calls_are_divided_out() -> None:
    clock = Clock()
    timings = machine.median_of_interleaved(
        {"a": clock.taking("a", 0.5)}, rounds=2, inner=4, clock=clock
    )
    assert timings["a"].seconds == 0.5
    assert len(clock.calls) == (1 + 2) * 4


@pytest.mark.parametrize(("count", "rounds"), [(0, 1), (1, 0)])
def test_nothing_to_measure_is_refused(count: int, rounds: int) -> None:
    functions = {str(number): lambda: None for number in range(count)}
    with pytest.raises(ValueError, match="expected at least one peer and one round, got"):
        machine.median_of_interleaved(functions, rounds=rounds)


def test_turns_without_calls_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at least one call a turn, got 0"):
        machine.median_of_interleaved({"a": lambda: None}, rounds=1, inner=0)


def test_what_turns_return_is_kept_but_for_the_first_round() -> None:
    counts = iter(range(10))
    found = machine.in_turns({"a": lambda: next(counts), "b": lambda: next(counts)}, rounds=2)
    assert found == {"a": [2, 5], "b": [3, 4]}


def test_setup_comes_before_each_turn() -> None:
    calls: list[str] = []
    machine.median_of_interleaved(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")},
        rounds=2,
        inner=2,
        setup=lambda: calls.append("-"),
    )
    assert "".join(calls) in {"-bb-aa" + "-aa-bb" + "-bb-aa", "-aa-bb" + "-aa-bb" + "-bb-aa"}
