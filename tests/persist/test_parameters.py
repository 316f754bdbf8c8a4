"""Parameters to a file and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from pellucid import Tensor, nn, persist


def network(seed: int = 0, width: int = 5) -> nn.Sequential:
    return nn.Sequential(nn.Dense(3, width, "relu"), nn.Dropout(0.5), nn.Dense(width, 2), rng=seed)


def test_what_is_saved_comes_back_bit_for_bit(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    saved, other = network(0), network(1)
    saved(np.ones((2, 3), np.float32))  # the dropout stream has moved on
    persist.save_parameters(saved, path, {"classes": json.dumps(["a", "b"])})
    metadata = persist.load_parameters(other, path)
    assert json.loads(metadata["classes"]) == ["a", "b"]
    assert saved.state().keys() == other.state().keys()
    for name, array in saved.state().items():
        np.testing.assert_array_equal(other.state()[name], array)
        assert other.state()[name].dtype == array.dtype
    x = np.ones((4, 3), np.float32)
    np.testing.assert_array_equal(saved(x).data, other(x).data)  # the same masks follow


def test_a_transposed_weight_is_written_as_it_reads(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    layer = nn.Dense(3, 4)
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    layer.weight.data = rows.T
    persist.save_parameters(layer, path)
    np.testing.assert_array_equal(load_file(path)["weight"], rows.T)


def test_a_view_with_gaps_is_written_as_it_reads(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    layer = nn.Dense(3, 4)
    layer.weight.data = np.arange(24, dtype=np.float32).reshape(3, 8)[:, ::2]
    expected = layer.weight.data.copy()
    persist.save_parameters(layer, path)
    np.testing.assert_array_equal(load_file(path)["weight"], expected)


def test_another_architecture_is_refused_with_every_difference(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    persist.save_parameters(network(width=5), path)
    narrow = network(width=4)
    before = narrow.state()
    with pytest.raises(
        ValueError, match=r"layers\.0\.weight: expected shape \(3, 4\), got \(3, 5\)"
    ):
        persist.load_parameters(narrow, path)
    longer = nn.Sequential(*network(), nn.Dense(2, 2))
    with pytest.raises(ValueError, match=r"missing layers\.3\.weight"):
        persist.load_parameters(longer, path)
    shorter = nn.Sequential(nn.Dense(3, 5, "relu"))
    with pytest.raises(ValueError, match=r"unexpected layers\.2\.weight"):
        persist.load_parameters(shorter, path)
    for name, array in narrow.state().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("content", [b"", b"no safetensors file at all", b"\xff" * 64])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"expected a \.safetensors file"):
        persist.load_parameters(network(), path)


def test_a_file_cut_anywhere_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    persist.save_parameters(network(0), path)
    whole = path.read_bytes()
    target = network(1)
    before = target.state()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"expected a \.safetensors file"):
            persist.load_parameters(target, path)
    for name, array in target.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_an_absent_file_and_an_absent_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        persist.load_parameters(network(), tmp_path / "absent.safetensors")
    with pytest.raises(FileNotFoundError, match="create it or choose another"):
        persist.save_parameters(network(), tmp_path / "absent" / "model.safetensors")


def test_a_failed_save_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    persist.save_parameters(network(0), path)
    before = path.read_bytes()
    broken = nn.Dense(3, 4)
    broken.weight = Tensor(np.zeros((3, 4), np.float32), requires_grad=True)
    broken.weight.data = np.zeros((3, 4), "datetime64[s]")  # nothing a file can hold
    with pytest.raises(Exception):  # noqa: B017 - whatever the library says of such data
        persist.save_parameters(broken, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
