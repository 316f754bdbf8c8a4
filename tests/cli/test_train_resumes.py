"""Runs that are ended from outside and gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.commands import Command, read

SCRIPT = Path(sys.executable).with_name("pellucid")
CHECKPOINTS = Path("runs/moons/checkpoints")
WORDS = ("train", "moons", "--samples", "60", "--layers", "8", "--batch-size", "16", "--no-plots")


def test_a_resumed_run_writes_the_files_of_a_whole_one(command: Command) -> None:
    assert command(*WORDS, "--epochs", "2", "--checkpoint", "--patience", "9").status == 0
    assert len(list(CHECKPOINTS.iterdir())) == 3
    ended = command(*WORDS, "--epochs", "5", "--resume", "--patience", "9")
    assert ended.status == 0
    assert "epoch 2/5" not in ended.out
    assert "epoch 3/5" in ended.out
    assert command(*WORDS, "--epochs", "5", "--patience", "9", "--out", "whole").status == 0
    for name in ("history.json", "report.txt", "confusion_matrix.csv"):
        assert Path("runs/moons", name).read_bytes() == Path("whole", name).read_bytes()
    arguments = read("runs/moons/config.json")["arguments"]
    assert "--checkpoint" in arguments
    assert "--resume" not in arguments
    again = command(*WORDS, "--epochs", "5", "--resume", "--patience", "9")
    assert again.status == 0
    assert "epoch" not in again.out.split("settings")[1].split("\n\n", 1)[1].split("test of")[0]


def test_resume_begins_where_there_is_nothing(command: Command) -> None:
    assert command(*WORDS, "--epochs", "1", "--resume").status == 0
    assert len(list(CHECKPOINTS.iterdir())) == 2


def test_what_does_not_fit_is_one_line(command: Command) -> None:
    assert command(*WORDS, "--epochs", "1", "--checkpoint").status == 0
    before = Path("runs/moons/model.safetensors").read_bytes()
    for options, told in (
        (("--checkpoint",), "go on with --resume, delete it, or choose another folder"),
        ((), "go on with --resume"),
        (("--resume", "--seed", "3"), "seed was 0, is 3"),
        (("--resume", "--lr", "0.5"), "optimizer was Adam("),
        (("--resume", "--patience", "3"), "is EarlyStopping"),
    ):
        ended = command(*WORDS, "--epochs", "2", *options)
        assert ended.status == 2
        assert told in ended.err
        assert len(ended.err.splitlines()) == 1
    assert Path("runs/moons/model.safetensors").read_bytes() == before


def test_a_damaged_checkpoint_is_told_of(command: Command) -> None:
    assert command(*WORDS, "--epochs", "2", "--checkpoint").status == 0
    (CHECKPOINTS / "checkpoint-000002-00000000.safetensors").write_bytes(b"")
    ended = command(*WORDS, "--epochs", "2", "--resume")
    assert ended.status == 0
    assert "epoch 2/2" in ended.out
    assert ended.err.startswith("pellucid: note: going on from checkpoint-000001-00000000")


@pytest.mark.skipif(not SCRIPT.exists(), reason="the command is not installed beside this Python")
@pytest.mark.skipif(os.name != "posix", reason="the means are POSIX's")
def test_a_real_sigterm(tmp_path: Path) -> None:
    words = [SCRIPT, *WORDS, "--epochs", "100000", "--checkpoint"]
    with subprocess.Popen(
        words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        while not run.stdout.readline().startswith("epoch"):
            pass
        run.send_signal(signal.SIGTERM)
        _, err = run.communicate(timeout=30)
    assert run.returncode == 143
    assert err == (f"pellucid: note: terminated; go on from {CHECKPOINTS} with --resume\n")
    assert any((tmp_path / CHECKPOINTS).iterdir())
    assert not (tmp_path / "runs/moons/model.safetensors").exists()
