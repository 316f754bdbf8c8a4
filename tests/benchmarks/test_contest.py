"""Processes that take turns, and what is made of their answers; nothing here asserts a speed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import contest
from cases import Case
from contest import Figures, Outcome, measure, open_workers
from peers import PEERS, Peer

CASE = Case((6, 8, 4), batch=12)
BENCHMARKS = Path(contest.__file__).parent


class Fake:
    """A worker whose steps take as long as it says: a second longer in each of its turns."""

    def __init__(self, peer: str, seconds: float, log: list[str], missing: str = "") -> None:
        self.peer, self.seconds, self.log, self.turns = peer, seconds, log, 0
        self.hello = {"missing": missing} if missing else {"about": f"{peer} 1.0", "first": 9.0}

    def turn(self, count: int) -> dict[str, Any]:
        self.log.append(self.peer)
        seconds = self.seconds * count
        return {"seconds": seconds, "processor": 2 * seconds, "settled": self.peer != "restless"}


def outcome(**seconds: float) -> Outcome:
    figures = {name: Figures(s, s, 1.0, (s,)) for name, s in seconds.items()}
    return Outcome(CASE, figures, {})


def test_figures_are_those_of_one_step() -> None:
    log: list[str] = []
    fakes: Any = [Fake("pellucid", 0.01, log), Fake("NumPy", 0.02, log), Fake("x", 1, log, "no x")]
    found = measure(CASE, fakes, rounds=3, turn=0.1)
    assert found.figures["pellucid"].rounds == pytest.approx((0.01,) * 3)
    assert found.figures["NumPy"].seconds == pytest.approx(0.02)
    assert found.figures["NumPy"].processor == pytest.approx(0.04)
    assert found.left_out == {"x": "no x"}
    assert found.about == {"pellucid": "pellucid 1.0", "NumPy": "NumPy 1.0"}
    assert log[-6:] == ["pellucid", "NumPy", "NumPy", "pellucid", "pellucid", "NumPy"]


def test_over_rows_figures_are_those_of_one_update() -> None:
    fakes: Any = [Fake("pellucid", 0.4, [])]
    found = measure(Case((6, 8, 4), batch=12, rows=48), fakes, rounds=1)
    assert found.figures["pellucid"].seconds == pytest.approx(0.1)


def test_threads_that_do_not_sleep_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    fakes: Any = [Fake("restless", 0.01, [])]
    measure(CASE, fakes, rounds=1)
    assert "restless: its threads do not go to sleep" in capsys.readouterr().err


def test_the_advantage_is_over_the_best_peer() -> None:
    found = outcome(**{"pellucid": 2.0, "pellucid, eager": 1.0, "JAX": 3.0, "PyTorch": 4.0})
    assert found.best == "JAX"
    assert found.advantage == 1.5
    assert outcome(pellucid=2.0).advantage is None
    assert outcome(JAX=2.0).advantage is None


@pytest.mark.parametrize("count", [1, 7])
def test_a_turn_is_about_as_long_as_wanted(count: int) -> None:
    worker: Any = Fake("a", 0.1 / count, [])
    assert contest.count_for(worker, turn=0.1) == count


def test_real_processes_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "PRESCOTT")
    with open_workers(CASE, ["pellucid", "NumPy by hand"]) as workers:
        found = measure(CASE, workers, rounds=2, turn=0.001)
    assert list(found.figures) == ["pellucid", "NumPy by hand"]
    assert all(f.seconds > 0 and f.first > 0 for f in found.figures.values())
    assert all("Prescott" not in line for line in found.about.values())
    assert json.loads(json.dumps(found.as_json()))["best peer"] == "NumPy by hand"
    assert all(worker._process.poll() == 0 for worker in workers)


def test_a_process_that_fails_is_named() -> None:
    with (
        pytest.raises(RuntimeError, match="expected an answer of 'nobody'"),
        open_workers(CASE, ["nobody"]),
    ):
        pass


def test_a_peer_that_is_not_installed_says_what_to_install(
    script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = script("worker")
    monkeypatch.setitem(PEERS, "absent", Peer("with_nothing", "step", "nothing"))
    run, hello = worker.started("absent", CASE)
    assert run is None
    assert hello["missing"] == (
        "ModuleNotFoundError: No module named 'peers.with_nothing'; pip install nothing"
    )


def test_a_failure_of_our_own_is_not_passed_over(
    script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = script("worker")
    monkeypatch.setitem(PEERS, "pellucid", Peer("with_nothing", "step", "nothing"))
    with pytest.raises(ModuleNotFoundError):
        worker.started("pellucid", CASE)


def test_threads_that_spin_are_noticed(
    script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = script("worker")
    now = [0.0]

    def busy() -> float:
        now[0] += worker.SLICE
        return now[0]

    monkeypatch.setattr(worker.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(worker.time, "process_time", busy)
    assert not worker.settle()
    monkeypatch.setattr(worker.time, "process_time", lambda: 0.0)
    assert worker.settle()


def test_the_command_prints_tables_and_writes_every_round(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    command = [sys.executable, str(BENCHMARKS / "training.py"), "--case", "0", "--rounds", "1"]
    command += ["--json", str(file), "--peers", "pellucid", "NumPy by hand"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "64-128-64-10, batch 32" in printed
    assert "advantage over the best peer, NumPy by hand: " in printed
    [case] = json.loads(file.read_text(encoding="utf-8"))["cases"]
    assert list(case["results"]) == ["pellucid", "NumPy by hand"]


def test_the_table_is_in_markdown(script: Callable[[str], ModuleType]) -> None:
    training = script("training")
    assert training.rows(outcome(pellucid=1e-4, JAX=3e-4)) == (
        "| 6-8-4, batch 12 | pellucid | 100 us | 1.00 x |\n"
        "| 6-8-4, batch 12 | JAX | 300 us | 3.00 x |"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--markdown", "--peers", "JAX"], "expected 'pellucid' among the peers"),
        (["--rounds", "0"], "expected at least one round, got 0"),
        (["--json", "nowhere/at/all.json"], "expected a folder for all.json that exists"),
    ],
)
def test_options_are_refused_before_anything_runs(
    script: Callable[[str], ModuleType],
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        script("training").main(arguments)
    assert message in capsys.readouterr().err
