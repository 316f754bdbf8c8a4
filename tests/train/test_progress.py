"""What training prints: lines where the output is no terminal, a bar where it is one."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from typing import Any

import pytest

from pellucid import optim, train
from pellucid.train import EarlyStopping, Model
from train.problems import Spy, blobs, classifier

X, Y = blobs()
NUMBER = r"\d+\.\d{4}"
LINE = re.compile(
    rf"epoch +(\d+)/(\d+)  +(\d+\.\d\d) s  loss ({NUMBER})  accuracy ({NUMBER})"
    rf"(?:  val_loss ({NUMBER})  val_accuracy ({NUMBER}))?"
)
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def fit(**options: Any) -> train.History:
    model = Model(classifier(), "cross_entropy", metrics=["accuracy"])
    return model.fit(X, Y, **({"epochs": 3, "seed": 0} | options))


class Terminal(io.StringIO):
    """Standard output that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Return what stands in for a terminal of 120 columns that knows colours."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    return Terminal()


@pytest.mark.parametrize("verbose", [False, 0])
def test_silence(verbose: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fit(verbose=verbose)
    out, err = capsys.readouterr()
    assert out + err == ""


@pytest.mark.parametrize("verbose", ["lines", "auto", True, 1, 2])
def test_one_line_an_epoch_where_there_is_no_terminal(
    verbose: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    history = fit(verbose=verbose, validation_data=(X, Y))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for epoch, line in enumerate(lines, 1):
        found = LINE.fullmatch(line)
        assert found, line
        assert found.group(1, 2) == (str(epoch), "3")
        values = [float(number) for number in found.group(4, 5, 6, 7)]
        assert values == [pytest.approx(h[epoch - 1], abs=5e-5) for h in history.values()]


def test_without_validation_the_line_ends_with_the_metrics(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fit(verbose="lines", epochs=10)
    lines = capsys.readouterr().out.splitlines()
    assert all(LINE.fullmatch(line) for line in lines)
    assert lines[0].startswith("epoch  1/10 ")
    assert lines[9].startswith("epoch 10/10 ")


@pytest.mark.parametrize("verbose", ["lines", "bar"])
def test_the_reason_for_stopping_comes_last(
    verbose: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = Spy(lambda event, run: run.stop("enough") if event == "epoch_end" else None)
    fit(verbose=verbose, callbacks=[stop])
    lines = capsys.readouterr().out.splitlines()
    assert LINE.match(lines[0])
    assert [line.strip() for line in lines if line.strip()][-1] == "stopped: enough"


def test_ctrl_c_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    def act(event: str, run: train.Run) -> None:
        if event == "epoch_begin" and run.epoch == 2:
            raise KeyboardInterrupt

    fit(verbose="lines", callbacks=[Spy(act)])
    assert capsys.readouterr().out.splitlines()[-1] == "stopped: interrupted in epoch 2"


def test_small_numbers_and_rates_are_readable() -> None:
    logs = {"loss": 0.5, "penalty": 0.00012345, "r2": -0.0000001, "mae": 0.0, "lr": 0.00125}
    expected = "loss 0.5000  penalty 1.23e-04  r2 -1.00e-07  mae 0.0000  lr 0.00125"
    assert train.progress.describe(logs) == expected
    assert train.progress.describe({"loss": float("nan"), "lr": 3e-5}) == "loss nan  lr 3e-05"


@pytest.mark.parametrize("verbose", ["lines", "bar"])
def test_the_rate_of_a_schedule_ends_the_line(
    verbose: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule = optim.schedules.Step(0.003, every=3, factor=0.1)
    model = Model(classifier(), "cross_entropy", optim.SGD(schedule))
    model.fit(X, Y, epochs=2, seed=0, verbose=verbose)
    ends = re.findall(r"epoch \d/2 .* (loss .*)", capsys.readouterr().out)
    assert [re.sub(r"loss \d\.\d{4}", "loss ?", end).strip() for end in ends[:2]] == [
        "loss ?  lr 0.003",
        "loss ?  lr 0.0003",
    ]


@pytest.mark.parametrize("verbose", ["bar", "auto", True, 1])
def test_a_bar_on_a_terminal(verbose: Any, terminal: Terminal) -> None:
    with redirect_stdout(terminal):
        history = fit(verbose=verbose, epochs=3, batch_size=10, validation_data=(X, Y))
    text = ANSI.sub("", terminal.getvalue())
    lines = LINE.findall(text)
    assert [line[:2] for line in lines] == [("1", "3"), ("2", "3"), ("3", "3")]
    for epoch, line in enumerate(lines):
        assert float(line[3]) == pytest.approx(history["loss"][epoch], abs=5e-5)
        assert float(line[6]) == pytest.approx(history["val_accuracy"][epoch], abs=5e-5)
    assert "epoch 1/3" in text
    assert re.search(r"\d+/27", text), "the bar counts the batches of all epochs"
    assert "left" in text
    assert re.search(r"left +(\d+:)?\d+:\d\d|left +-:--:--", text), "the time that is left"
    assert "\x1b[" in terminal.getvalue()


def test_the_bar_shows_the_loss_and_the_time_left_on_the_way(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train.progress.ProgressBar, "interval", 0.0)
    with redirect_stdout(terminal):
        fit(verbose="bar", epochs=2, batch_size=10)
    text = ANSI.sub("", terminal.getvalue())
    bar = [part for part in re.split(r"[\r\n]", text) if "left" in part]
    assert any(re.search(r"epoch 2/2.*/18.*left.*loss \d", part) for part in bar)


def test_the_bar_leaves_the_terminal_as_it_found_it(terminal: Terminal) -> None:
    """The cursor is shown again, also after an error."""

    def act(event: str, run: train.Run) -> None:
        if event == "batch_end":
            raise LookupError

    with redirect_stdout(terminal):
        fit(verbose="bar")
    with redirect_stdout(terminal), pytest.raises(LookupError):
        fit(verbose="bar", callbacks=[Spy(act)])
    shown, hidden = (terminal.getvalue().count(f"\x1b[?25{c}") for c in "hl")
    assert hidden >= 2
    assert shown >= hidden
    assert terminal.getvalue().rindex("\x1b[?25h") > terminal.getvalue().rindex("\x1b[?25l")


def test_a_bar_without_a_terminal_prints_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    fit(verbose="bar")
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert len(LINE.findall(text)) == 3


def test_a_bar_says_once_why_updates_are_eager(terminal: Terminal) -> None:
    with redirect_stdout(terminal):
        history = fit(verbose="bar", accumulate=2)
    text = ANSI.sub("", terminal.getvalue())
    assert text.count(f"updates are eager: {history.eager}\n") == 1


def test_the_bar_shows_a_stop(terminal: Terminal) -> None:
    with redirect_stdout(terminal):
        fit(verbose="bar", epochs=50, callbacks=[EarlyStopping("accuracy", patience=1)])
    assert "stopped: accuracy has not improved since epoch" in ANSI.sub("", terminal.getvalue())


@pytest.mark.parametrize("verbose", [3, "loud", None, "", 1.5, [True]], ids=repr)
def test_other_wishes_are_refused(verbose: Any) -> None:
    with pytest.raises(
        ValueError, match='expected verbose to be True, False, "auto", "bar" or "lines"'
    ):
        fit(verbose=verbose)
