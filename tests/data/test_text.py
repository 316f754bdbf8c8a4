"""Characters by number, windows of text, and the published texts and tables."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.data import (
    CharVocabulary,
    Loader,
    collection,
    names,
    shakespeare,
    text,
    wine_quality,
)
from pellucid.data.sources import RemoteFile

REAL = os.environ.get("PELLUCID_DATA")
needs_real = pytest.mark.skipif(not REAL, reason="PELLUCID_DATA names no folder with the real sets")
some_text = st.text(st.characters(codec=None), min_size=1)


class TestVocabulary:
    @given(some_text)
    def test_decoding_undoes_encoding(self, written: str) -> None:
        vocabulary = CharVocabulary(written)
        codes = vocabulary.encode(written)
        assert codes.dtype == np.int64
        assert vocabulary.decode(codes) == written
        assert set(codes.tolist()) == set(range(len(vocabulary)))

    @given(some_text)
    def test_characters_are_in_order_and_make_the_same_vocabulary(self, written: str) -> None:
        vocabulary = CharVocabulary(written)
        assert vocabulary.characters == "".join(sorted(set(written)))
        assert CharVocabulary(vocabulary.characters) == vocabulary
        assert hash(CharVocabulary(vocabulary.characters)) == hash(vocabulary)

    def test_numbers(self) -> None:
        vocabulary = CharVocabulary("banana\n")
        assert vocabulary.characters == "\nabn"
        assert vocabulary.encode("nab").tolist() == [3, 1, 2]
        assert vocabulary.decode([0, 3]) == "\nn"
        assert vocabulary.encode("").tolist() == []
        assert vocabulary.decode([]) == ""
        assert repr(vocabulary) == r"CharVocabulary('\nabn')"
        assert CharVocabulary(["ba", "na"]) == CharVocabulary("ban") != "abn"

    @pytest.mark.parametrize(("word", "place"), [("abz", 2), ("AB", 0), ("a\U0001f600", 1)])
    def test_unknown_characters_are_named(self, word: str, place: int) -> None:
        with pytest.raises(ValueError, match=f"got '{word[place]}' at place {place}; make the voc"):
            CharVocabulary("abc").encode(word)

    def test_what_is_no_code_is_refused(self) -> None:
        vocabulary = CharVocabulary("abc")
        with pytest.raises(ValueError, match=r"in 0\.\.2, got 0\.\.3; they are of another"):
            vocabulary.decode([0, 3])
        with pytest.raises(ValueError, match=r"got -1\.\.0"):
            vocabulary.decode([-1, 0])
        with pytest.raises(TypeError, match="expected integers, got float64"):
            vocabulary.decode([0.5])
        with pytest.raises(ValueError, match="decode one row at a time"):
            vocabulary.decode([[0, 1]])

    def test_what_is_no_text_is_refused(self) -> None:
        for nothing in ("", []):
            with pytest.raises(ValueError, match="at least one character"):
                CharVocabulary(nothing)
        with pytest.raises(TypeError, match="got int among them; decode bytes first"):
            CharVocabulary(b"abc")  # type: ignore[arg-type]


class TestWindows:
    def test_targets_are_one_character_on(self) -> None:
        windows = text("hello you", 4)
        decode = windows.vocabulary.decode
        pairs = [(decode(x), decode(y)) for x, y in windows]
        assert pairs[:2] == [("hell", "ello"), ("ello", "llo ")]
        assert pairs[-1] == ("o yo", " you")
        assert len(windows) == len(pairs) == 5
        assert windows.x.shape == windows.y.shape == (5, 4)
        assert repr(windows) == "<TextWindows 5 of 4 characters, 7 different>"

    @given(st.integers(2, 40), st.integers(1, 10), st.integers(1, 12))
    def test_every_window_is_whole_and_in_its_place(self, n: int, length: int, step: int) -> None:
        written = "".join(chr(65 + i % 26) for i in range(n))
        if length >= n:
            with pytest.raises(ValueError, match=f"length: expected fewer than the {n} char"):
                text(written, length, step=step)
            return
        windows = text(written, length, step=step)
        assert len(windows) == (n - 1 - length) // step + 1
        for i, (x, y) in enumerate(windows):
            assert windows.vocabulary.decode(x) == written[i * step :][:length]
            assert windows.vocabulary.decode(y) == written[i * step + 1 :][:length]

    def test_a_vocabulary_can_be_shared(self) -> None:
        train = text("abcd", 2)
        held = text("dcb", 2, vocabulary=train.vocabulary)
        assert held.codes.tolist() == [3, 2, 1]
        with pytest.raises(ValueError, match="got 'x' at place 1"):
            text("axb", 1, vocabulary=train.vocabulary)

    def test_a_loader_draws_from_all_of_them_without_making_them_all(self) -> None:
        windows = text("ab c" * 50_000, 256)  # 800 kB a column of them
        tracemalloc.start()
        try:
            x, y = next(iter(Loader(windows, 8, seed=0)))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert x.shape == y.shape == (8, 256)
        np.testing.assert_array_equal(x[:, 1:], y[:, :-1])
        assert peak < 8_000_000  # the order of the rows takes 1.6 MB; all windows 410 MB

    def test_every_window_comes_once_an_epoch(self) -> None:
        windows = text("abcdefgh", 3)
        starts = np.concatenate([x[:, 0] for x, _ in Loader(windows, 2, seed=1)])
        assert sorted(starts) == [0, 1, 2, 3, 4]

    def test_windows_cannot_be_written_into(self) -> None:
        windows = text("abcdef", 2)
        with pytest.raises(ValueError, match="read-only"):
            windows.x[0] = 0

    def test_a_path_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "poem.txt"
        path.write_bytes("\ufefföde\r\nwüst\n".encode())
        windows = text(path, 3)
        assert windows.vocabulary.decode(windows.codes) == "öde\nwüst\n"

    def test_the_name_of_a_file_is_not_taken_for_text(self, tmp_path: Path) -> None:
        path = tmp_path / "poem.txt"
        path.write_text("roses are red")
        with pytest.raises(ValueError, match=r"got the name of a file.* pass pathlib\.Path"):
            text(str(path), 3)

    def test_what_is_no_text_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "sheet.txt"
        path.write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ValueError, match=r"sheet\.txt: expected text in UTF-8"):
            text(path, 3)
        with pytest.raises(TypeError, match=r"source: expected a string or a pathlib\.Path, got "):
            text(b"abc", 1)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="source: expected text, got none"):
            text("", 1)
        with pytest.raises(FileNotFoundError):
            text(tmp_path / "none.txt", 3)

    @pytest.mark.parametrize("options", [{"length": 0}, {"length": 2, "step": 0}])
    def test_senseless_sizes_are_refused(self, options: Any) -> None:
        with pytest.raises(ValueError, match="expected an integer of at least 1, got 0"):
            text("abcdef", **options)


class TestPublished:
    @pytest.fixture(autouse=True)
    def _isolated(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PELLUCID_DATA", raising=False)
        monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))

    @pytest.fixture
    def small(self, monkeypatch: pytest.MonkeyPatch) -> bytes:
        """A text that stands for the published names."""
        content = b"emma\nzzyzx"
        file = RemoteFile("names.txt", len(content), hashlib.sha256(content).hexdigest())
        here = dataclasses.replace(collection.NAMES, files=(file,), mirrors=())
        monkeypatch.setattr(collection, "NAMES", here)
        return content

    @pytest.mark.parametrize("place", ["own", "own/names", "cache/names"])
    def test_where_it_is_found(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: bytes, place: str
    ) -> None:
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "names.txt").write_bytes(small)
        if place.startswith("own"):
            assert names(tmp_path / "own") == ("emma", "zzyzx")
            monkeypatch.setenv("PELLUCID_DATA", str(tmp_path / "own"))
        assert names() == ("emma", "zzyzx")

    def test_where_it_is_not(self, tmp_path: Path, small: bytes) -> None:
        with pytest.raises(FileNotFoundError, match=r"names: expected the files names\.txt, tried"):
            names(tmp_path)
        with pytest.raises(FileNotFoundError, match="set PELLUCID_DATA to, or pass as folder="):
            names()

    def test_another_file_of_that_name_is_refused(self, tmp_path: Path, small: bytes) -> None:
        (tmp_path / "names.txt").write_bytes(b"anna\n")
        with pytest.raises(ValueError, match=r"names\.txt: expected the published file of 10 byte"):
            names(tmp_path)

    def test_wine_is_red_or_white(self) -> None:
        with pytest.raises(ValueError, match="colour: expected 'red' or 'white', got 'rose'"):
            wine_quality("rose")  # type: ignore[arg-type]


@needs_real
def test_tiny_shakespeare() -> None:
    plays = shakespeare()
    assert plays.startswith("First Citizen:\nBefore we proceed any further, hear me speak.")
    windows = text(plays, 64)
    assert (len(windows.codes), len(windows.vocabulary)) == (1_115_394, 65)
    assert len(windows) == 1_115_394 - 64


@needs_real
def test_names() -> None:
    everyone = names()
    assert (len(everyone), len(set(everyone))) == (32_033, 29_494)
    assert (everyone[:3], everyone[-1]) == (("emma", "olivia", "ava"), "zzyzx")
    assert {len(name) for name in everyone} == set(range(2, 16))


@needs_real
@pytest.mark.parametrize(("colour", "rows", "marks"), [("red", 1599, 6), ("white", 4898, 7)])
def test_wine_quality(colour: Any, rows: int, marks: int) -> None:
    dataset = wine_quality(colour)
    assert (dataset.x.shape, dataset.classes) == ((rows, 11), marks)
    assert dataset.name == f"{colour} wine quality"
    graded = wine_quality(colour, task="regression")
    assert (graded.task, graded.y.shape) == ("regression", (rows, 1))


@pytest.mark.parametrize("content", ["\u65e5" * 150, "a" * 255, "\ud800 a", "a\0b"])
def test_text_that_could_be_no_file_name_is_text(content: str) -> None:
    windows = text(content, 2)
    assert windows.vocabulary.decode(windows.codes) == content


def test_what_is_no_text_is_refused_by_the_vocabulary() -> None:
    with pytest.raises(TypeError, match="text: expected a string or several, got int"):
        CharVocabulary(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="text: expected a string, got bytes"):
        CharVocabulary("ab").encode(b"a")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="vocabulary: expected a CharVocabulary, got str"):
        text("abab", 2, vocabulary="ab")  # type: ignore[arg-type]
