"""Input that cannot be used: one line that says expected, got and the fix; nothing written."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from cli.commands import Command, Ended
from data.idx_writer import put, tiny_files
from pellucid.cli.errors import CommandError


def refused(ended: Ended, *parts: str) -> None:
    """Check that the command ended with one line that holds the parts, and wrote nothing."""
    assert ended.status == 2
    assert ended.out == ""
    assert ended.err.startswith("pellucid: error: ")
    assert len(ended.err.splitlines()) == 1
    assert "Traceback" not in ended.err
    assert [part for part in parts if part not in ended.err] == []
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["train", "digitz"], ["'digitz'", "fashion-mnist", "did you mean 'digits'", "CSV"]),
        (["train", "digits", "--activation", "rleu"], ["--activation", "did you mean 'relu'"]),
        (["train", "digits", "--optimizer", "adamm"], ["--optimizer", "adam, ", "'adamm'"]),
        (
            ["train", "digits", "--optimizer", "lion", "--compare", "sklearn"],
            ["--compare", "(adam, sgd)", "got lion"],
        ),
        (
            ["train", "digits", "--activation", "gelu", "--compare", "sklearn"],
            ["--compare", "scikit-learn has", "got gelu"],
        ),
        (["train", "digits", "--lr", "-0.1"], ["--lr", "positive number", "'-0.1'", "try"]),
        (["train", "digits", "--lr", "nan"], ["--lr", "positive number", "'nan'"]),
        (["train", "digits", "--epochs", "0"], ["--epochs", "at least 1", "'0'"]),
        (["train", "digits", "--batch-size", "1.5"], ["--batch-size", "whole number", "'1.5'"]),
        (["train", "digits", "--layers", "12x"], ["--layers", "'12x'", "128,64"]),
        (["train", "digits", "--layers", "8,,8"], ["--layers", "'8,,8'"]),
        (["train", "digits", "--layers", "8,0"], ["--layers", "'8,0'"]),
        (["train", "digits", "--dropout", "1.5"], ["--dropout", "below 1", "'1.5'"]),
        (["train", "digits", "--seed", "-1"], ["--seed", "at least 0"]),
        (["train", "digits", "--patience", "0"], ["--patience", "at least 1"]),
        (["train", "digits", "--threads", "0"], ["--threads", "at least 1", "'0'", "leave it out"]),
        (
            ["train", "digits", "--eager", "--threads", "2"],
            ["--threads", "compiled code", "got --eager", "leave out --threads 2"],
        ),
        (["train", "digits", "--validation", "1"], ["--validation", "below 1"]),
        (["train", "moons", "--noise", "inf"], ["--noise", "at least 0"]),
        (["train", "moons", "--task", "ranking"], ["--task", "classification, regression"]),
        (["train", "moons", "--compare", "torch"], ["--compare", "sklearn"]),
        (["train", "moons", "--target", "x"], ["--target", "a CSV file", "'moons'"]),
        (["train", "moons", "--fill", "mean"], ["--fill", "a CSV file", "'moons'"]),
        (["train", "a.csv", "--fill", "modus"], ["--fill", "mean, median or a number", "'modus'"]),
        (["train", "moons", "--data", "."], ["--data", "mnist", "'moons'"]),
        (["train", "digits", "--samples", "5"], ["--samples", "synthetic", "'digits'"]),
        (["train", "mnist", "--test", "0.2"], ["--test", "test set of its own"]),
        (["train", "moons", "--momentum", "0.5"], ["--momentum", "sgd", "adam"]),
        (
            ["train", "moons", "--patience", "3", "--validation", "0"],
            ["--patience", "--validation"],
        ),
        (["train", "moons", "--layers", "none", "--dropout", "0.2"], ["--dropout", "--layers"]),
        (
            ["train", "moons", "--compare", "sklearn", "--activation", "leaky_relu"],
            ["--compare", "leaky_relu"],
        ),
        (["train", "moons", "--samples", "1"], ["samples", "at least 2"]),
        (["train", "moons", "--test", "0.0001"], ["test", "0.0001"]),
        (["train", "moons", "--layers", "9000000,9000000"], ["--layers", "memory", "smaller"]),
        (["train", "moons", "--lrr", "1"], ["--lrr", "did you mean --lr?", "train --help"]),
        (["train", "moons", "--batchsize=8"], ["did you mean --batch-size?"]),
        (["train", "moons", "--learning-rate", "1"], ["did you mean --lr?"]),
        (["train", "moons", "xor"], ["unrecognized arguments: xor (see pellucid train --help)"]),
        (["train"], ["DATASET"]),
        (["trian", "moons"], ["'trian'", "did you mean 'train'?", "pellucid --help"]),
        (["train", "moons", "--datasets", "x"], ["did you mean --data?"]),
        (["--versoin"], ["--versoin (see pellucid --help)"]),
        ([], ["expected a command", "train"]),
    ],
)
def test_bad_words(command: Command, words: list[str], parts: list[str]) -> None:
    refused(command(*words), *parts)


@pytest.mark.parametrize(
    ("text", "words", "parts"),
    [
        ("", [], ["header", "empty"]),
        ("a,b\n", [], ["rows"]),
        ("a,b\n1,2\nnan,3\n", [], ["line 3", "'a'", "'nan'", "remove"]),
        ("a,b\n1,2\n,3\n", [], ["line 3", "'a'", "''", "--fill"]),
        ("a,b\n1,2\n2,3\n", ["--target", "c"], ["'c'", "['a', 'b']"]),
        ("a,b\n1,x\n2,x\n3,x\n", [], ["two classes", "'x'"]),
        ("a,b\n1,x\n2,accuracy\n3,x\n4,accuracy\n5,x\n6,x\n7,x\n", [], ["accuracy", "rename"]),
    ],
)
def test_tables_that_cannot_be_used(
    command: Command, text: str, words: list[str], parts: list[str]
) -> None:
    Path("bad.csv").write_text(text)
    refused(command("train", "bad.csv", "--test", "0.3", *words), *parts)


def test_tables_that_cannot_be_read(command: Command) -> None:
    refused(command("train", "none.csv"), "none.csv", "No such file", "check the path")
    Path("folder.csv").mkdir()
    refused(command("train", "folder.csv"), "folder.csv", "expected a file")
    Path("picture.csv").write_bytes(bytes(range(128, 256)))
    refused(command("train", "picture.csv"), "picture.csv", "UTF-8")


@pytest.mark.parametrize("keep", [0, 2, 20, 200])
@pytest.mark.parametrize("packed", [True, False])
def test_truncated_images(command: Command, keep: int, packed: bool) -> None:
    folder = put(Path("mnist"), tiny_files(), packed=packed)
    name = "train-images-idx3-ubyte" + (".gz" if packed else "")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:keep])
    refused(command("train", "mnist", "--data", "."), name, "expected", "download it again")


def test_corrupted_images(command: Command) -> None:
    folder = put(Path("mnist"), tiny_files())
    content = bytearray((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(content)
    refused(command("train", "mnist", "--data", "mnist"), "t10k-images-idx3-ubyte.gz", "damaged")


def test_a_folder_without_the_files(command: Command) -> None:
    files = tiny_files()
    del files["t10k-labels-idx1-ubyte.gz"]
    put(Path("some"), files)
    refused(command("train", "mnist", "--data", "some"), "some", "lacks t10k-labels-idx1-ubyte")
    refused(command("train", "mnist", "--data", "nowhere"), "nowhere", "train-images-idx3-ubyte")


@pytest.mark.parametrize("out", ["file", "file/deeper"])
def test_a_file_in_the_way_of_the_folder(command: Command, out: str) -> None:
    Path("file").write_text("mine")
    refused(command("train", "moons", "--out", out), "--out", out, "choose another")
    assert Path("file").read_text() == "mine"


def test_a_folder_in_the_way_of_a_file(command: Command) -> None:
    Path("here/config.json").mkdir(parents=True)
    refused(command("train", "moons", "--out", "here"), "--out", "config.json")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="everything can be written to by root"
)
def test_a_folder_that_cannot_be_written_to(command: Command) -> None:
    Path("here").mkdir(mode=0o500)
    refused(command("train", "moons", "--out", "here"), "--out", "here", "ermission")


def test_digits_without_scikit_learn(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    refused(command("train", "digits"), "scikit-learn", "pip install 'pellucid[sklearn]'")


def test_comparing_without_scikit_learn(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.neural_network", None)
    ended = command("train", "moons", "--compare", "sklearn")
    refused(ended, "scikit-learn", "pip install 'pellucid[sklearn]'", "leave out --compare")


def test_debug_shows_the_traceback(command: Command) -> None:
    Path("a.csv").write_text("a,b\n1,2\n2,3\n")
    with pytest.raises(CommandError, match="expected one of the columns"):
        command("train", "a.csv", "--target", "c", "--debug")
