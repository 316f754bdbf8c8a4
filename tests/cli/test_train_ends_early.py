"""Runs that end before their last epoch, or in a way nobody planned."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.commands import Command, read
from pellucid.train import History
from pellucid.train.progress import ProgressLines

SCRIPT = Path(sys.executable).with_name("pellucid")


def interrupt_epoch(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let Ctrl-C come when the epoch of this number begins."""
    begin = ProgressLines.on_epoch_begin

    def interrupted(self: ProgressLines, run: Any) -> None:
        if run.epoch == number:
            raise KeyboardInterrupt
        begin(self, run)

    monkeypatch.setattr(ProgressLines, "on_epoch_begin", interrupted)


@pytest.mark.parametrize(("number", "epochs"), [(1, 0), (4, 3)])
def test_what_was_learned_until_ctrl_c_is_saved(
    command: Command, monkeypatch: pytest.MonkeyPatch, number: int, epochs: int
) -> None:
    interrupt_epoch(monkeypatch, number)
    ended = command("train", "moons", "--compare", "sklearn")
    assert ended.status == 130
    assert ended.err.count("interrupted in epoch") == 1
    assert "Traceback" not in ended.err
    history = History.from_json("runs/moons/history.json")
    assert history.stopped.startswith("interrupted")
    assert history.epochs <= epochs + 1
    assert Path("runs/moons/model.safetensors").is_file()
    assert Path("runs/moons/report.json").is_file()
    assert not Path("runs/moons/comparison.json").exists()


def test_ctrl_c_elsewhere_is_one_line(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pellucid.cli.train.prepare", interrupted)
    ended = command("train", "moons")
    assert ended == (130, "", "pellucid: interrupted\n")


@pytest.mark.skipif(not SCRIPT.exists(), reason="the command is not installed beside this Python")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_a_real_ctrl_c(tmp_path: Path) -> None:
    words = [SCRIPT, "train", "blobs", "--epochs", "100000", "--no-plots"]
    with subprocess.Popen(
        words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        while not run.stdout.readline().startswith("epoch"):
            pass
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=30)
    assert run.returncode == 130
    assert len(err.splitlines()) == 1
    assert "interrupted in epoch" in err
    assert History.from_json(tmp_path / "runs/blobs/history.json").epochs >= 1


@pytest.mark.parametrize("dataset", ["moons", "sine"])
def test_a_loss_that_is_not_finite_fails_after_saving(command: Command, dataset: str) -> None:
    ended = command(
        "train", dataset, "--optimizer", "sgd", "--lr", "1e6", "--activation", "relu",
        "--compare", "sklearn",
    )  # fmt: skip
    assert ended.status == 1
    assert "training failed: the loss is" in ended.err
    assert "try a lower learning rate" in ended.err
    assert "Warning" not in ended.err
    folder = Path("runs") / dataset
    assert read(folder / "report.json")["stopped"].startswith("the loss is")  # valid, so no NaN
    assert (folder / "model.safetensors").is_file()
    assert not (folder / "comparison.json").exists()


def test_a_full_disk_is_one_line(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "model.safetensors")

    monkeypatch.setattr("pellucid.train.Model.save", full)
    ended = command("train", "blobs", "--epochs", "1", "--quiet")
    assert ended == (1, "", "pellucid: error: model.safetensors: No space left on device\n")


def test_a_bug_is_one_line_too(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("pellucid.cli.train.learn", broken)
    ended = command("train", "blobs", "--quiet")
    assert ended.status == 1
    assert ended.err == (
        "pellucid: error: unexpected ZeroDivisionError: by zero; see where with --debug\n"
    )
    with pytest.raises(ZeroDivisionError):
        command("train", "blobs", "--quiet", "--debug")


@pytest.mark.skipif(not SCRIPT.exists(), reason="the command is not installed beside this Python")
@pytest.mark.skipif(sys.platform == "win32", reason="pipes end otherwise on Windows")
def test_a_reader_that_has_seen_enough(tmp_path: Path) -> None:
    with subprocess.Popen(
        [SCRIPT, "train", "blobs", "--epochs", "100000", "--no-plots"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as run:  # fmt: skip
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.readline()
        run.stdout.close()
        assert run.stderr.read() == ""
    assert run.returncode == 141
