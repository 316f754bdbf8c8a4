"""The table of results is made of the examples' own files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import results

DIGITS = {
    "task": "8x8 digits",
    "network": "64-128-10",
    "parameters": 9610,
    "epochs": 20,
    "seed": 0,
    "metric": "test accuracy",
    "value": 0.97778,
    "seconds": 0.94,
}
PEER = {"name": "scikit-learn", "value": 0.975, "seconds": 1.44}


def write(runs: Path, name: str, content: object) -> None:
    (runs / name).mkdir()
    (runs / name / "results.json").write_text(json.dumps(content))


def test_the_table_shows_each_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "digits", DIGITS | {"peer": PEER})
    write(tmp_path, "xor", DIGITS | {"task": "XOR"})
    assert results.main(["--runs", str(tmp_path), "digits", "xor"]) == 0
    digits, xor = capsys.readouterr().out.splitlines()[2:]
    assert digits == (
        "| `make digits` | 8x8 digits | 64-128-10 | 9,610 | 20 | test accuracy 0.9778 | 0.9 s "
        "| scikit-learn: 0.9750, 1.4 s |"
    )
    assert xor.startswith("| `make xor` | XOR |")
    assert xor.endswith("| 0.9 s | |")


def test_every_missing_example_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "digits", DIGITS)
    assert results.main(["--runs", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert [line.rpartition("run: make ")[2] for line in printed.err.splitlines()] == [
        name for name in results.NAMES if name != "digits"
    ]


@pytest.mark.parametrize("wrong", [{"value": "0.97"}, {"value": None}])
def test_a_wrong_field_is_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    write(tmp_path, "digits", DIGITS | wrong)
    with pytest.raises(ValueError, match=r"got no good value for \['value'\]"):
        results.read("digits", tmp_path)


def test_a_short_run_is_no_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in results.NAMES:
        write(tmp_path, name, DIGITS | {"short": name == "mnist"})
    assert results.main(["--runs", str(tmp_path)]) != 0
    assert "make mnist" in capsys.readouterr().err
