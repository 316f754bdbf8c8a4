"""The catalogue says of every dataset what loading it shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest

import pellucid.data
from data.idx_writer import put, tiny_files
from pellucid.data import Dataset, catalogue, load, registry, xor

REAL = os.environ.get("PELLUCID_DATA")
NAMES = ["digits", "mnist", "fashion-mnist", "moons", "circles", "blobs", "spiral", "xor", "sine"]


def test_the_names() -> None:
    assert list(catalogue()) == NAMES
    assert all(name == info.name for name, info in catalogue().items())
    needing = {info.name: info.needs for info in catalogue().values() if info.needs != "nothing"}
    assert needing == {"digits": "scikit-learn", "mnist": "download", "fashion-mnist": "download"}


@pytest.mark.parametrize("name", NAMES)
def test_what_it_says_is_what_is_loaded(name: str) -> None:
    info = catalogue()[name]
    if info.needs == "download" and not REAL:
        pytest.skip("PELLUCID_DATA names no folder with the real sets")
    if info.needs == "scikit-learn":
        pytest.importorskip("sklearn")
    train, test = load(name, seed=0)
    assert (len(train), train.x.shape[1:], train.classes) == (info.rows, info.shape, info.classes)
    assert train.name == name
    assert (test is None) == (info.needs != "download")


def test_seeds() -> None:
    np.testing.assert_array_equal(load("moons", seed=5)[0].x, load("moons", seed=5)[0].x)
    assert not np.array_equal(load("moons", seed=5)[0].x, load("moons", seed=6)[0].x)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_a_folder_is_passed_on(tmp_path: Path, name: str) -> None:
    train, test = load(name, folder=put(tmp_path, tiny_files()))
    assert test is not None
    assert (train.name, len(train), len(test)) == (name, 12, 5)


def test_progress_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = []

    def recorded(folder: object, *, progress: object) -> tuple[Dataset, Dataset]:
        passed.append(progress)
        return xor(), xor()

    monkeypatch.setitem(registry._FROM_FILES, "mnist", recorded)
    load("mnist", progress=print)
    assert passed == [print]


@pytest.mark.parametrize("name", ["moons", "digits"])
def test_a_folder_for_what_has_no_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"folder: expected none for {name}"):
        load(name, folder=tmp_path)


def test_unknown_names() -> None:
    with pytest.raises(ValueError, match=r"one of digits, mnist, .* got 'mnits'; did you mean 'mn"):
        load("mnits")
    with pytest.raises(ValueError, match="got 'imagenet-21k'; pass one of these"):
        load("imagenet-21k")


def test_everything_public_is_there_and_documented() -> None:
    for name in pellucid.data.__all__:
        public = getattr(pellucid.data, name)
        if isinstance(public, type | FunctionType):  # the rest are names of types
            assert public.__doc__, name


def test_importing_the_folder_loads_no_network_code_and_no_scikit_learn() -> None:
    heavy = "{'urllib.request', 'http.client', 'sklearn', 'ssl'}"
    code = (
        f"import sys, numpy; before = set(sys.modules); import pellucid.data; "
        f"print(sorted((set(sys.modules) - before) & {heavy}))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
