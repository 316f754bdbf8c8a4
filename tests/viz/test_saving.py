"""Saved pictures: whole files of the right kind, or an error and nothing."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid.viz import save, training_curves


def names(folder):
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def figure():
    return training_curves({"loss": [1.0, 0.5], "val_loss": [1.2, 0.7]})


def test_a_png_can_be_read_back(figure, tmp_path):
    path = save(figure, tmp_path / "curves.png", dpi=100)
    assert path == tmp_path / "curves.png"
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        assert image.size == tuple(round(side * 100) for side in figure.get_size_inches())
        assert len(np.unique(np.asarray(image.convert("L")))) > 10  # something is drawn
    assert names(tmp_path) == ["curves.png"]


@pytest.mark.parametrize(
    ("name", "start"), [("a.SVG", b"<?xml"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF-")]
)
def test_the_suffix_chooses_the_format(figure, tmp_path, name, start):
    assert save(figure, str(tmp_path / name)).read_bytes().startswith(start)
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_same_picture_is_the_same_file(tmp_path, suffix):
    first, second = (
        save(training_curves({"loss": [1.0, 0.5]}), tmp_path / f"{name}{suffix}").read_bytes()
        for name in ("a", "b")
    )
    assert first == second


@pytest.mark.parametrize("name", ["picture", "picture.gif", "png", ".png", "a.png.txt"])
def test_another_suffix_is_refused(figure, tmp_path, name):
    with pytest.raises(ValueError, match=r"path: expected a name that ends in \.png, \.svg, \.pdf"):
        save(figure, tmp_path / name)
    assert names(tmp_path) == []


def test_no_folder_is_made(figure, tmp_path):
    with pytest.raises(FileNotFoundError, match="folder"):
        save(figure, tmp_path / "new" / "a.png")
    assert names(tmp_path) == []


def test_a_file_in_place_of_the_folder_is_refused(figure, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="folder"):
        save(figure, tmp_path / "file" / "a.png")


def test_an_unwritable_folder_is_refused(figure, tmp_path, monkeypatch):
    """A root user may write anywhere, so the refusal of the system is played."""

    def refuse(path, *_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match="expected a folder that can be written to"):
        save(figure, tmp_path / "a.png")


def test_a_failure_leaves_the_old_file_and_nothing_else(figure, tmp_path, monkeypatch):
    target = tmp_path / "a.png"
    target.write_bytes(b"old")

    def fail(file, **_):
        Path(file).write_bytes(b"half")
        raise RuntimeError("the disk caught fire")

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(RuntimeError, match="fire"):
        save(figure, target)
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["a.png"]


def test_an_old_file_is_replaced(figure, tmp_path):
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    assert save(figure, target).read_bytes().startswith(b"\x89PNG")
