"""Writing a file is all or nothing."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pellucid.files import atomic, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_new_content_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    write_text(path, "old")
    write_text(path, "new — with a dash")
    assert path.read_text(encoding="utf-8") == "new — with a dash"
    assert names(tmp_path) == ["notes.txt"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_whole_and_nothing_else(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    path = tmp_path / "notes.txt"
    write_text(path, "old")

    def interrupted() -> None:
        with atomic(path) as temporary:
            temporary.write_text("half of the n", encoding="utf-8")
            raise failure

    with pytest.raises(failure):
        interrupted()
    assert path.read_text(encoding="utf-8") == "old"
    assert names(tmp_path) == ["notes.txt"]


def test_the_target_is_untouched_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    with atomic(path) as temporary:
        temporary.write_text("new", encoding="utf-8")
        assert temporary.parent == tmp_path  # a rename is atomic only within one file system
        assert not path.exists()
    assert path.read_text(encoding="utf-8") == "new"


def test_a_missing_folder_is_named_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="create it or choose another") as error:
        write_text(tmp_path / "absent" / "notes.txt", "text")
    assert "absent" in str(error.value)
    assert "notes.txt" in str(error.value)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX modes only")
def test_others_may_read_the_file_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_text(tmp_path / "notes.txt", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "notes.txt").stat().st_mode) == 0o644
