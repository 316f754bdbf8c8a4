"""MNIST and Fashion-MNIST: where the files are looked for, what is refused, and the real sets."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import os
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.idx_writer import idx_bytes, published, put, tiny_files
from pellucid.data import Dataset, digits, fashion_mnist, images, mnist
from pellucid.data.images import FASHION_MNIST, MNIST, ImageSource, load_images

FILES = tiny_files()
NOWHERE = dataclasses.replace(MNIST, mirrors=())
REAL = os.environ.get("PELLUCID_DATA")
needs_real = pytest.mark.skipif(not REAL, reason="PELLUCID_DATA names no folder with the real sets")


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither this machine's data nor its cache is seen unless a test asks."""
    monkeypatch.delenv("PELLUCID_DATA", raising=False)
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")


def test_values_shapes_and_names(tmp_path: Path) -> None:
    train, test = load_images(MNIST, put(tmp_path, FILES), flatten=True)
    assert (train.x.shape, test.x.shape) == ((12, 784), (5, 784))
    assert train.x.dtype == np.float32
    assert train.y.dtype == np.int64
    pixels = np.frombuffer(gzip.decompress(FILES["t10k-images-idx3-ubyte.gz"])[16:], np.uint8)
    np.testing.assert_array_equal(test.x.ravel(), pixels.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(test.y, np.arange(5))
    assert (test.name, test.image_shape, test.class_names[9]) == ("mnist", (28, 28), "9")


def test_unflattened_images_have_their_channel_last(tmp_path: Path) -> None:
    flat, _ = load_images(MNIST, put(tmp_path, FILES), flatten=True)
    deep, _ = load_images(MNIST, tmp_path, flatten=False)
    assert deep.x.shape == (12, 28, 28, 1)
    np.testing.assert_array_equal(deep.x.reshape(12, 784), flat.x)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("below", ["", "mnist"])
@pytest.mark.parametrize("way", ["folder", "PELLUCID_DATA", "cache"])
def test_where_files_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, below: str, packed: bool
) -> None:
    root = tmp_path / "root"
    put(tmp_path / "cache" / "mnist" if way == "cache" else root / below, FILES, packed=packed)
    if way == "PELLUCID_DATA":
        monkeypatch.setenv(way, str(root))
    train, _ = load_images(NOWHERE, root if way == "folder" else None, flatten=True)
    assert len(train) == 12


def test_an_unpacked_file_goes_before_the_packed_one(tmp_path: Path) -> None:
    put(tmp_path, dict.fromkeys(FILES, b"never read"))
    put(tmp_path, FILES, packed=False)
    assert len(load_images(MNIST, tmp_path, flatten=True)[0]) == 12


def test_the_data_folder_goes_before_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "cache" / "mnist", dict.fromkeys(FILES, b"never read"))
    monkeypatch.setenv("PELLUCID_DATA", str(put(tmp_path / "own", FILES)))
    assert len(load_images(NOWHERE, None, flatten=True)[0]) == 12


def test_a_data_folder_without_the_files_leaves_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "cache" / "mnist", FILES)
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path / "empty"))
    assert len(load_images(NOWHERE, None, flatten=True)[0]) == 12


def test_the_folder_of_its_name_goes_first(tmp_path: Path) -> None:
    put(tmp_path, dict.fromkeys(FILES, b"never read"))
    put(tmp_path / "mnist", FILES)
    assert len(load_images(MNIST, tmp_path, flatten=True)[0]) == 12


def test_a_given_folder_without_the_files_downloads_nothing(tmp_path: Path) -> None:
    put(tmp_path / "given", {name: FILES[name] for name in list(FILES)[:3]})
    with pytest.raises(FileNotFoundError) as caught:
        mnist(tmp_path / "given")
    message = str(caught.value)
    assert message.startswith("mnist: expected the files train-images-idx3-ubyte.gz, train-labels")
    assert f"{tmp_path / 'given' / 'mnist'} (lacks all of them)" in message
    assert f"{tmp_path / 'given'} (lacks t10k-labels-idx1-ubyte)" in message
    assert message.endswith("pass the folder that holds them")
    assert not (tmp_path / "cache").exists()


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """A server on this machine that has the tiny files."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    handler = partial(Quiet, directory=str(put(tmp_path / "served", FILES)))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{listener.server_port}/"
        listener.shutdown()
        thread.join()


def test_missing_files_are_downloaded_into_the_cache(tmp_path: Path, mirror: str) -> None:
    source = published(MNIST, FILES, [mirror])
    calls: list[tuple[int, int]] = []
    train, test = load_images(
        source, None, flatten=True, progress=lambda done, total: calls.append((done, total))
    )
    assert (len(train), len(test)) == (12, 5)
    assert [total for _, total in calls] == [file.size for file in source.files]
    kept = tmp_path / "cache" / "mnist"
    assert {path.name: path.read_bytes() for path in kept.glob("*.gz")} == FILES
    again, _ = load_images(dataclasses.replace(source, mirrors=()), None, flatten=True)
    np.testing.assert_array_equal(again.x, train.x)


def test_when_all_fails_every_place_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: str
) -> None:
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path / "own"))
    source = published(FASHION_MNIST, FILES, [mirror + "elsewhere/", "http://127.0.0.1:9/"])
    with pytest.raises(FileNotFoundError) as caught:
        load_images(source, None, flatten=True)
    message = str(caught.value)
    for place in (
        "fashion-mnist: expected the files train-images-idx3-ubyte.gz",
        f"{tmp_path / 'own' / 'fashion-mnist'} (lacks",
        f"{tmp_path / 'own'} (lacks",
        f"{tmp_path / 'cache' / 'fashion-mnist'} (lacks",
        f"{mirror}elsewhere/train-images-idx3-ubyte.gz (the server answered 404",
        "http://127.0.0.1:9/train-images-idx3-ubyte.gz (",
        "set PELLUCID_DATA to, or pass as folder=",
    ):
        assert place in message


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(FileNotFoundError, match=r"download \(.*Not a directory.*set PELLUCID_DATA"):
        load_images(NOWHERE, None, flatten=True)


def test_a_damaged_cached_file_is_named(tmp_path: Path) -> None:
    cache = put(tmp_path / "cache" / "mnist", FILES)
    damaged = cache / "train-labels-idx1-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"train-labels-idx1-ubyte\.gz: .* delete the file and"):
        load_images(NOWHERE, None, flatten=True)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("train-images-idx3", np.zeros((12, 28, 27), np.uint8), r"\(N, 28, 28\), got uint8 \(12, "),
        ("train-images-idx3", np.zeros((12, 28, 28), np.int16), r"got int16 \(12, 28, 28\)"),
        ("train-images-idx3", np.zeros((0, 28, 28), np.uint8), r"got uint8 \(0, 28, 28\)"),
        ("train-images-idx3", np.zeros(12, np.uint8), r"got uint8 \(12,\)"),
        ("t10k-labels-idx1", np.zeros(4, np.uint8), r"shape \(5,\), one for each image, got .*4,"),
        ("t10k-labels-idx1", np.zeros((5, 1), np.uint8), r"got uint8 \(5, 1\)"),
        ("t10k-labels-idx1", np.zeros(5, np.float32), r"got float32 \(5,\)"),
        ("t10k-labels-idx1", np.full(5, 10, np.uint8), r"labels in 0\.\.9, got 10"),
    ],
)
def test_idx_files_that_are_something_else(
    tmp_path: Path, name: str, array: np.ndarray[Any, Any], message: str
) -> None:
    put(tmp_path, FILES | {f"{name}-ubyte.gz": gzip.compress(idx_bytes(array))})
    with pytest.raises(ValueError, match=f"{name}-ubyte.gz: expected .*{message}"):
        load_images(MNIST, tmp_path, flatten=True)


def test_one_set_is_not_taken_for_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two sets' files have the same names, so PELLUCID_DATA=.../mnist could pass for both."""
    labels = np.arange(5, dtype=np.uint8).tobytes()
    known = dataclasses.replace(MNIST, fingerprint=hashlib.sha256(labels).hexdigest())
    monkeypatch.setattr(images, "MNIST", known)
    put(tmp_path, FILES)
    load_images(known, tmp_path, flatten=True)
    with pytest.raises(ValueError, match=r"expected fashion-mnist, got mnist, .* same names"):
        load_images(FASHION_MNIST, tmp_path, flatten=True)


@needs_real
@pytest.mark.parametrize(
    ("load", "source", "mean", "deviation", "train_labels", "test_labels", "train_counts"),
    [
        (
            mnist,
            MNIST,
            0.1307,
            0.3081,
            [5, 0, 4, 1, 9, 2, 1, 3, 1, 4],
            [7, 2, 1, 0, 4, 1, 4, 9, 5, 9],
            [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
        ),
        (
            fashion_mnist,
            FASHION_MNIST,
            0.2860,
            0.3530,
            [9, 0, 0, 3, 0, 2, 7, 2, 5, 5],
            [9, 2, 1, 1, 6, 1, 4, 6, 5, 7],
            [6000] * 10,
        ),
    ],
    ids=["mnist", "fashion-mnist"],
)
def test_the_real_sets(
    monkeypatch: pytest.MonkeyPatch,
    load: Any,
    source: ImageSource,
    mean: float,
    deviation: float,
    train_labels: list[int],
    test_labels: list[int],
    train_counts: list[int],
) -> None:
    monkeypatch.setenv("PELLUCID_DATA", str(REAL))
    train, test = load()
    assert (train.x.shape, test.x.shape) == ((60_000, 784), (10_000, 784))
    assert (train.name, train.classes) == (source.name, 10)
    assert (train.x.min(), train.x.max()) == (0.0, 1.0)
    assert abs(train.x.mean(dtype=np.float64) - mean) < 5e-5
    assert abs(train.x.std(dtype=np.float64) - deviation) < 5e-5
    np.testing.assert_array_equal(train.y[:10], train_labels)
    np.testing.assert_array_equal(test.y[:10], test_labels)
    np.testing.assert_array_equal(np.bincount(train.y), train_counts)


@needs_real
@pytest.mark.parametrize(("right", "wrong"), [(MNIST, FASHION_MNIST), (FASHION_MNIST, MNIST)])
def test_a_real_set_is_not_taken_for_the_other(right: ImageSource, wrong: ImageSource) -> None:
    with pytest.raises(ValueError, match=f"expected {wrong.name}, got {right.name}"):
        load_images(wrong, Path(str(REAL)) / right.name, flatten=True)


@needs_real
@pytest.mark.parametrize("source", [MNIST, FASHION_MNIST], ids=lambda source: source.name)
def test_the_published_digests_are_those_of_the_real_files(source: ImageSource) -> None:
    for file in source.files:
        content = (Path(str(REAL)) / source.name / file.name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (
            file.size,
            file.sha256,
        )


def test_mirrors_and_digests_are_well_formed() -> None:
    for source in (MNIST, FASHION_MNIST):
        assert len(source.mirrors) == 2
        assert all(url.startswith("http") and url.endswith("/") for url in source.mirrors)
        assert [len(file.sha256) for file in source.files] == [64] * 4


def test_digits() -> None:
    load_digits = pytest.importorskip("sklearn.datasets").load_digits
    dataset = digits()
    pixels, labels = load_digits(return_X_y=True)
    assert isinstance(dataset, Dataset)
    assert dataset.x.shape == (1797, 64)
    assert dataset.x.dtype == np.float32
    np.testing.assert_array_equal(dataset.x * 16, pixels)
    np.testing.assert_array_equal(dataset.y, labels)
    assert (dataset.x.min(), dataset.x.max(), dataset.image_shape) == (0.0, 1.0, (8, 8))
    assert dataset.class_names == tuple("0123456789")


def test_digits_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"expected scikit-learn.*pellucid\[sklearn\]"):
        digits()
