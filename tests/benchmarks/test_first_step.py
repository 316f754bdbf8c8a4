"""The benchmark of the first compiled step; nothing here asserts a speed."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("llvmlite")

import first_step


def rounds(*totals: float) -> list[first_step.Times]:
    return [{"loading": total / 2, first_step.TOTAL: total} for total in totals]


def test_medians_are_held_against_the_limits() -> None:
    found = {"cold": rounds(0.1, 0.2, 0.9), "warm": rounds(0.01, 0.02, 0.03)}
    text, kept = first_step.report(found)
    assert "cold  loading                100.0 ms\n" in text
    assert "cold  first call             200.0 ms, at most 500 ms" in text
    assert "warm  first call              20.0 ms, at most 50 ms" in text
    assert kept


@pytest.mark.parametrize("slow", ["cold", "warm"])
def test_a_slow_step_is_reported(slow: str) -> None:
    found = {"cold": rounds(0.1), "warm": rounds(0.01)} | {slow: rounds(0.6)}
    text, kept = first_step.report(found)
    assert f"{slow}  first call             600.0 ms, MORE than" in text
    assert not kept


def test_only_the_first_process_compiles(tmp_path: Path) -> None:
    cold, warm = first_step.fresh(tmp_path / "programs"), first_step.fresh(tmp_path / "programs")
    compiling = first_step.PARTS["compile_object"]
    assert cold.keys() - warm.keys() == {compiling}
    assert min(cold[first_step.TOTAL], warm[first_step.TOTAL]) > 0


def test_no_rounds_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        first_step.main(["--rounds", "0"])
    assert "expected --rounds of at least 1, got 0" in capsys.readouterr().err
