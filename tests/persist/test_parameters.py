"""Parameters in files: what is loaded is what was saved, or nothing is changed."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pellucid import Tensor, nn, optim, version
from pellucid.persist import load_parameters, save_parameters
from pellucid.train import Model
from train.problems import blobs, classifier, same_state


class Mixed(nn.Module):
    """Parameters and buffers of several dtypes and shapes, a scalar and an empty one among them."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.dense = nn.Dense(3, 4, "relu", rng=rng)
        self.dropout = nn.Dropout(0.5, rng=rng)
        self.scale = Tensor(rng.normal(), requires_grad=True, dtype="float32")
        self.table = {"wide": Tensor(rng.normal(size=(2, 3, 4)), requires_grad=True)}
        self.counts = [Tensor(rng.integers(9, size=5)), Tensor(rng.random(4) < 0.5)]
        self.none = Tensor(np.zeros((0, 3), np.float32))

    def forward(self, x: Any) -> Tensor:
        return self.dropout(self.dense(x)) * self.scale


def file_of(network: nn.Module, folder: Path, **options: Any) -> Path:
    path = folder / "network.safetensors"
    save_parameters(network, path, **options)
    return path


def unchanged(network: nn.Module, path: Path, error: type[Exception], match: str) -> None:
    """Check that loading is refused and has changed nothing."""
    before = network.state()
    with pytest.raises(error, match=match):
        load_parameters(network, path)
    for name, array in network.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_round_trip(tmp_path: Path) -> None:
    one, other = Mixed(1), Mixed(2)
    path = file_of(one, tmp_path)
    load_parameters(other, path)
    assert same_state(one, other)
    x = np.ones((5, 3), np.float32)
    for _ in range(3):  # the random stream goes on too
        np.testing.assert_array_equal(one(x).data, other(x).data)


def test_the_file_holds_arrays_by_their_paths(tmp_path: Path) -> None:
    network = Mixed(0)
    found = load_file(file_of(network, tmp_path))
    assert set(found) == set(network.state())
    for name, array in network.state().items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_a_trained_network_predicts_the_same_after_loading(tmp_path: Path) -> None:
    x, y = blobs()
    model = Model(classifier(nn.Softmax()), "cross_entropy", optim.Adam(0.05))
    model.fit(x, y, epochs=3, seed=0, verbose=False)
    path = file_of(model.network, tmp_path)
    again = Model(classifier(nn.Softmax(), seed=9), "cross_entropy")
    load_parameters(again.network, path)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert again.evaluate(x, y) == model.evaluate(x, y)


@pytest.mark.parametrize(
    "layout",
    [
        lambda a: np.ascontiguousarray(a.T).T,
        np.asfortranarray,
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: a[::-1].copy()[::-1],
        lambda a: np.broadcast_to(a[:1], a.shape),
    ],
    ids=["transposed", "fortran", "strided", "reversed", "broadcast"],
)
def test_weights_that_are_not_contiguous_are_written_right(tmp_path: Path, layout: Any) -> None:
    """safetensors writes the memory as it lies, in whatever order: silently another matrix."""
    network, other = nn.Dense(3, 4), nn.Dense(3, 4)
    weight = layout(np.arange(12, dtype=np.float32).reshape(3, 4))
    assert not weight.flags.c_contiguous
    network.weight.data = weight
    load_parameters(other, file_of(network, tmp_path))
    np.testing.assert_array_equal(other.weight.data, weight)


def test_loading_keeps_the_dtype_of_the_network(tmp_path: Path) -> None:
    path = file_of(nn.Dense(3, 2, rng=0).astype("float64"), tmp_path)
    single = nn.Dense(3, 2)
    load_parameters(single, path)
    assert single.weight.dtype == np.float32
    np.testing.assert_array_equal(single.weight.data, nn.Dense(3, 2, rng=0).weight.data)


def test_loaded_arrays_can_be_trained_further(tmp_path: Path) -> None:
    x, y = blobs()
    path = file_of(classifier(), tmp_path)
    model = Model(classifier(seed=4), "cross_entropy")
    load_parameters(model.network, path)
    model.fit(x, y, epochs=1, verbose=False)
    assert not same_state(model.network, classifier())


def test_a_frozen_parameter_is_saved_and_loaded_too(tmp_path: Path) -> None:
    one, other = nn.Dense(3, 2, rng=0), nn.Dense(3, 2, rng=1)
    one.weight.requires_grad = False
    load_parameters(other, file_of(one, tmp_path))
    np.testing.assert_array_equal(other.weight.data, one.weight.data)
    assert other.weight.requires_grad


def test_a_shared_parameter_is_written_once(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Dense(3, 3), nn.Dense(3, 3))
    network[1].weight = network[0].weight
    path = file_of(network, tmp_path)
    assert "layers.1.weight" not in load_file(path)
    load_parameters(network, path)
    assert network[1].weight is network[0].weight


# metadata


def test_metadata_comes_back(tmp_path: Path) -> None:
    notes = {"classes": json.dumps(["cat", "dög"]), "epochs": "12", "empty": ""}
    path = file_of(nn.Dense(3, 2), tmp_path, metadata=notes)
    found = load_parameters(nn.Dense(3, 2), path).metadata
    ours = {"format": "pellucid", "format_version": "1", "pellucid": version.__version__}
    assert found == {**ours, **notes}
    plain = file_of(nn.Dense(3, 2), tmp_path)
    assert load_parameters(nn.Dense(3, 2), plain).metadata == ours


@pytest.mark.parametrize("metadata", [{"epochs": 3}, {4: "x"}, {"x": None}], ids=str)
def test_metadata_that_is_no_text_is_refused(tmp_path: Path, metadata: Any) -> None:
    with pytest.raises(TypeError, match=r"expected metadata of texts, got .*; .*json\.dumps"):
        file_of(nn.Dense(3, 2), tmp_path, metadata=metadata)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_others_has_no_metadata(tmp_path: Path) -> None:
    network = nn.Dense(3, 2)
    save_file(network.state(), tmp_path / "other.safetensors")
    assert load_parameters(network, tmp_path / "other.safetensors").metadata == {}


# what is refused


def test_another_architecture_lists_the_differences_and_changes_nothing(tmp_path: Path) -> None:
    path = file_of(nn.Sequential(nn.Dense(2, 16), nn.Dense(16, 3), nn.Dense(3, 3)), tmp_path)
    network = nn.Sequential(nn.Dense(2, 16), nn.Dense(16, 4), nn.Dropout(0.5))
    match = (
        r"does not fit this Sequential: missing layers\.2\.stream; .*"
        r"layers\.1\.weight: expected shape \(16, 4\), got \(16, 3\).*unexpected layers\.2\.weight"
    )
    unchanged(network, path, ValueError, match)


KINDS = [
    "empty", "a few bytes", "half a header", "header alone", "truncated", "longer",
    "header length", "header text", "text", "zip",
]  # fmt: skip


def damaged(whole: bytes, kind: str) -> bytes:
    """Return what is left of a file, or something else."""
    header = struct.unpack("<Q", whole[:8])[0]
    return {
        "empty": b"",
        "a few bytes": whole[:5],
        "half a header": whole[: 8 + header // 2],
        "header alone": whole[: 8 + header],
        "truncated": whole[:-1],
        "longer": whole + bytes(1),
        "header length": struct.pack("<Q", 2**40) + whole[8:],
        "header text": whole[:8] + b"?" * header + whole[8 + header :],
        "text": b"this is a text and no file of arrays, however long it may be",
        "zip": b"PK\x03\x04" + bytes(100),
    }[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_or_another_one_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(damaged(file_of(nn.Dense(30, 20, rng=0), tmp_path).read_bytes(), kind))
    match = r"expected a \.safetensors file at .*damaged\.safetensors, got something else or a dam"
    unchanged(nn.Dense(30, 20, rng=1), path, ValueError, match)


def test_numbers_that_numpy_lacks_are_refused_by_name(tmp_path: Path) -> None:
    dtype, size = "F8_E4M3", 1
    entry = {"dtype": dtype, "shape": [1, 1], "data_offsets": [0, size]}
    header = json.dumps({"weight": entry}).encode()
    path = tmp_path / "other.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(size))
    match = rf"'weight': expected numbers that NumPy knows, got '{dtype}'; save them as float32"
    unchanged(nn.Dense(1, 1, bias=False), path, ValueError, match)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.safetensors"
    match = r"expected a \.safetensors file at .*none\.safetensors, found none; check the path"
    unchanged(nn.Dense(3, 2), path, FileNotFoundError, match)
    unchanged(nn.Dense(3, 2), tmp_path, FileNotFoundError, "found none; check the path")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match="expected a folder that can be written to"
    ) as caught:
        save_parameters(nn.Dense(3, 2), tmp_path / "none" / "network.safetensors")
    assert str(tmp_path / "none") in str(caught.value)


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="expected the name of a file, got a folder"):
        save_parameters(nn.Dense(2, 3), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("content", "told"), [
    (b"", "it is empty"),
    (pickle.dumps({"weight": [1.0] * 9}), "looks like one of torch.save or pickle"),
    (b"PK\x03\x04" + bytes(99), "looks like one of torch.save or pickle"),
    ((1 << 25).to_bytes(8, "little") + bytes(1 << 25), "33,554,432 bytes, more than 16,777,216"),
], ids=["empty", "pickle", "zip", "long"])  # fmt: skip
def test_what_a_file_of_another_kind_looks_like(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(ValueError, match=told):
        load_parameters(nn.Dense(2, 3), tmp_path / "w")


def test_paths_may_be_texts(tmp_path: Path) -> None:
    save_parameters(nn.Dense(3, 2, rng=0), str(tmp_path / "n.safetensors"))
    other = nn.Dense(3, 2)
    load_parameters(other, str(tmp_path / "n.safetensors"))
    assert same_state(other, nn.Dense(3, 2, rng=0))


def test_a_failure_while_writing_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file_of(nn.Dense(3, 2, rng=0), tmp_path)
    old = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        save_parameters(nn.Dense(3, 2, rng=1), path)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_saving_again_replaces_the_file(tmp_path: Path) -> None:
    file_of(nn.Dense(300, 20, rng=0), tmp_path)
    path = file_of(nn.Dense(3, 2, rng=1), tmp_path)
    other = nn.Dense(3, 2)
    load_parameters(other, path)
    assert same_state(other, nn.Dense(3, 2, rng=1))
    assert list(tmp_path.iterdir()) == [path]
