"""The command run in this process, and tables for it to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.commands import Command, Ended
from pellucid.cli.main import main


@pytest.fixture
def command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Run `pellucid WORDS` in an empty folder, where no data set can be found by chance."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PELLUCID_DATA", raising=False)
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))

    def run(*words: str) -> Ended:
        capsys.readouterr()
        status = main(words)
        return Ended(status, *capsys.readouterr())

    return run


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    """A CSV file of 60 houses: price = 3 area + 20 rooms."""
    path = tmp_path / "houses.csv"
    sizes = [(20 + 7 * i % 90, 1 + i % 5) for i in range(60)]
    rows = [f"{area},{rooms},{3 * area + 20 * rooms}" for area, rooms in sizes]
    path.write_text("\n".join(["area,rooms,price", *rows]), encoding="utf-8")
    return path


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """A CSV file of 60 flowers of two kinds, told apart by the first column."""
    path = tmp_path / "flowers.csv"
    rows = [f"{i / 10:.1f};{i % 7};{'rose' if i < 30 else 'tulip $'}" for i in range(60)]
    path.write_text("\n".join(["length cm;petals;kind", *rows]), encoding="utf-8")
    return path
