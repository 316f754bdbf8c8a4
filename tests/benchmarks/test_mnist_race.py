"""The race to a test accuracy; nothing here asserts a speed."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pellucid import data


@pytest.fixture
def race(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("mnist_race")


@pytest.fixture
def runners(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("mnist_runners")


def easy() -> tuple[data.Dataset, data.Dataset]:
    """Return digits as if they were MNIST: training images and test images alike."""
    digits = data.digits()
    return digits, digits.take(np.arange(500))


@pytest.mark.parametrize("name", ["pellucid, one cycle", "pellucid", "scikit-learn"])
def test_training_stops_at_the_target(
    runners: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "mnist", easy)
    monkeypatch.setattr(runners, "IMAGES", 5 * 1797)  # a cycle of five epochs
    accuracies = runners.RUNNERS[name](0)
    assert 1 < len(accuracies) < runners.MOST_EPOCHS
    assert accuracies[-1] >= runners.TARGET
    assert all(accuracy < runners.TARGET for accuracy in accuracies[:-1])


def test_both_train_the_network_of_118_282_parameters(runners: ModuleType) -> None:
    sizes = (784, *runners.HIDDEN, 10)
    assert sum(n * m + m for n, m in pairwise(sizes)) == 118_282


def test_medians_and_their_ratio(
    race: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    seconds = {"pellucid, one cycle": 1.0, "pellucid": 2.0, "scikit-learn": 14.0}

    def run(name: str, seed: int) -> Any:
        return race.Race(seconds[name] + seed**2, [0.9, 0.971])

    monkeypatch.setattr(race, "race", run)
    monkeypatch.setattr(data, "mnist", easy)
    assert race.main(["--runs", "3", "--json", str(tmp_path / "found.json")]) == 0
    printed = capsys.readouterr().out
    assert "medians: scikit-learn 15.00 s\n" in printed
    assert "pellucid, one cycle 2.00 s: 1/7.5 of that\n" in printed
    assert "pellucid 3.00 s: 1/5.0 of that\n" in printed
    runs = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))["runs"]
    assert [run["seconds"] for run in runs["pellucid"]] == [2.0, 3.0, 6.0]


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("raise SystemExit(3)", "expected pellucid to train, got exit status 3"),
        ("print('[0.5, 0.9]')", "expected pellucid to meet 97% in 20 epochs, got 90.00%"),
    ],
)
def test_a_run_that_fails_is_no_result(
    race: ModuleType, program: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    monkeypatch.setattr(race, "RUNNER", tmp_path / "program.py")
    with pytest.raises(RuntimeError, match=message):
        race.race("pellucid", 0)


def test_a_runner_is_told_its_name_and_seed(
    race: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = "import sys; name, seed = sys.argv[1:]; print([0.97 + int(seed) / 1000, 0.98])"
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    monkeypatch.setattr(race, "RUNNER", tmp_path / "program.py")
    assert race.race("pellucid", 3).accuracies == [0.973, 0.98]
