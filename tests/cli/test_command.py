"""The command itself: version, help, the list of data sets, and its defaults."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.commands import Command
from data.idx_writer import put, tiny_files
from pellucid.cli.defaults import TABLE
from pellucid.cli.main import main
from pellucid.data import catalogue
from pellucid.version import __version__

SCRIPT = Path(sys.executable).with_name("pellucid")
HEAVY = ("matplotlib", "sklearn", "rich", "pellucid.cli.train")


@pytest.mark.skipif(not SCRIPT.exists(), reason="the command is not installed beside this Python")
def test_the_console_script(tmp_path: Path) -> None:
    printed = subprocess.run([SCRIPT, "--version"], capture_output=True, text=True, check=True)
    assert printed.stdout == f"pellucid {__version__}\n"
    words = [SCRIPT, "train", "xor", "--quiet", "--no-plots"]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ended.stdout == f"xor: test accuracy 1.0000; written to {Path('runs/xor')}\n"
    words = [SCRIPT, "train", "xor", "--epochs", "0"]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["train", "--help"]])
def test_questions_are_answered_without_heavy_imports(words: list[str]) -> None:
    code = (
        "import sys\nfrom pellucid.cli.main import main\n"
        f"try:\n    main({words})\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert printed.stdout.splitlines()[-1] == "[]"


def test_help_names_every_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["train", "--help"])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    assert [name for name in catalogue() if name not in printed] == []
    assert "one output a class" in printed


def test_every_data_set_has_defaults() -> None:
    assert TABLE.keys() == catalogue().keys()


def test_the_list_of_data_sets(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = command("datasets")
    assert ended.status == 0
    lines = {line.split()[0]: line for line in ended.out.splitlines() if line}
    assert catalogue().keys() <= lines.keys()
    assert lines["name"].split()[-2:] == ["needs", "here"]
    assert lines["mnist"].split()[-5:] == ["60,000", "784", "10", "files", "download"]
    assert lines["digits"].endswith("scikit-learn  yes")
    assert lines["moons"].endswith("-             yes")
    assert "PELLUCID_DATA" in ended.out
    put(Path("files/mnist"), tiny_files(), packed=False)
    monkeypatch.setenv("PELLUCID_DATA", str(Path("files").absolute()))
    lines = {line.split()[0]: line for line in command("datasets").out.splitlines() if line}
    assert lines["mnist"].endswith("yes")
    assert lines["fashion-mnist"].endswith("download")


def test_a_package_that_is_missing_is_named(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    ended = command("datasets")
    (digits,) = [line for line in ended.out.splitlines() if line.startswith("digits")]
    assert digits.endswith("no")
    assert "pip install 'pellucid[sklearn]'" in ended.out


@pytest.mark.parametrize("columns", ["80", "120"])
def test_a_terminal_cuts_no_name(
    command: Command, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    printed = command("datasets").out
    assert "\x1b[1m" in printed or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    assert "…" not in printed
    assert [name for name in catalogue() if name not in printed] == []


def test_an_ascii_terminal_shows_other_letters_as_question_marks(tmp_path: Path) -> None:
    rows = "\n".join(f"{i},{'größer' if i > 10 else 'klein'}" for i in range(20))
    (tmp_path / "a.csv").write_text(f"x,y\n{rows}\n", encoding="utf-8")
    code = "import sys\nfrom pellucid.cli.main import main\nsys.exit(main())"
    words = [sys.executable, "-c", code, "train", "a.csv", "--epochs", "1", "--no-plots"]
    ended = subprocess.run(
        words, cwd=tmp_path, env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "gr??er" in ended.stdout
