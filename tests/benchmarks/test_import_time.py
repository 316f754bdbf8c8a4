"""The report of the import-time benchmark; nothing here asserts a speed."""

from __future__ import annotations

import subprocess

import pytest

import import_time
import machine


def timings(*pellucid: float) -> dict[str, machine.Timing]:
    numpy = (0.1, 0.2, 0.3)
    return {
        "numpy": machine.Timing(0.2, 1.0, numpy),
        "pellucid": machine.Timing(sorted(pellucid)[1], 1.0, pellucid),
    }


def test_the_difference_is_taken_round_by_round() -> None:
    text, kept = import_time.report(timings(0.15, 0.26, 0.37))
    assert "pellucid beyond numpy: 60.0 ms, at most 150 ms" in text
    assert kept


def test_a_slow_import_is_reported() -> None:
    text, kept = import_time.report(timings(0.3, 0.4, 0.5))
    assert "200.0 ms, MORE than 150 ms" in text
    assert not kept


def test_a_statement_runs_in_a_fresh_interpreter() -> None:
    import_time.fresh("import sys; assert 'pytest' not in sys.modules")()
    with pytest.raises(subprocess.CalledProcessError):
        import_time.fresh("raise SystemExit(1)")()


def test_too_few_rounds_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        import_time.main(["--rounds", "3"])
    assert "at least 15, got 3" in capsys.readouterr().err
