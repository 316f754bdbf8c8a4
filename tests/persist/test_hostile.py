"""Damaged and forged files: a clear error each time, nothing run, no memory taken on their word."""

from __future__ import annotations

import io
import json
import os
import pickle
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import nn
from pellucid.persist import container, load_objects, load_parameters, save_objects, save_parameters
from pellucid.train import Model
from train.problems import blobs, classifier

RAN = "PELLUCID_RAN"
REASON = r"expected a \.safetensors file at .*, got something else or a damaged one \(.+\); save it"


class Payload:
    """What pickle would run."""

    def __reduce__(self) -> Any:
        return exec, (f"import os; os.environ[{RAN!r}] = 'yes'",)


def packed(header: Any, data: bytes = b"") -> bytes:
    """Return a file of a header, as JSON or as it is."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype: Any = "F32", shape: Any = (2, 3), offsets: Any = (0, 24)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def forged(whole: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return a file with another description, and the checksum that belongs to it."""
    end = 8 + int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8:end])
    notes = header["__metadata__"]
    described = json.loads(notes["description"])
    change(described)
    notes["description"] = json.dumps(described)
    places = sorted(e["data_offsets"] for name, e in header.items() if name != "__metadata__")
    arrays = [memoryview(whole[end + start : end + stop]) for start, stop in places]
    notes["checksum"] = container.checksum(header, arrays)
    return packed(header, whole[end:])


def refused(path: Path, content: bytes, match: str = REASON) -> None:
    """Check that whatever loads the file refuses it, and takes no memory for it."""
    path.write_bytes(content)
    layer = nn.Dense(2, 3)
    before = layer.state()
    for load in (Model.load, load_objects, lambda p: load_parameters(layer, p)):
        tracemalloc.start()
        with pytest.raises(ValueError, match=match):
            load(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 200_000 + 40 * len(content)
    assert all(np.array_equal(layer.state()[name], before[name]) for name in before)
    assert list(path.parent.iterdir()) == [path]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hostile.safetensors"


# files of another kind


def test_pickles_are_refused_and_not_run(path: Path) -> None:
    for content in (pickle.dumps(Payload()), pickle.dumps([Payload()], protocol=0)):
        refused(path, content)
        refused(path, packed(content))
    buffer = io.BytesIO()
    np.save(buffer, np.array([Payload()], object), allow_pickle=True)
    refused(path, buffer.getvalue())
    assert RAN not in os.environ
    pickle.loads(pickle.dumps(Payload()))  # noqa: S301 - it would have run
    assert os.environ.pop(RAN) == "yes"


@pytest.mark.parametrize("size", range(9))
def test_files_too_short_for_a_header(path: Path, size: int) -> None:
    refused(path, bytes(size))


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are POSIX's")
@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_what_is_no_file_is_not_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path = Path("/dev/zero")
    with pytest.raises(FileNotFoundError, match="expected a .safetensors file at"):  # noqa: RUF043
        Model.load(path)


# headers


@pytest.mark.parametrize("length", [0, 1, 10**8, 2**24 + 1, 2**31, 2**63, 2**64 - 1])
def test_lengths_of_the_header(path: Path, length: int) -> None:
    content = packed({"weight": entry()}, bytes(24))
    refused(path, length.to_bytes(8, "little") + content[8:])


@pytest.mark.parametrize(
    "header",
    [
        b"", b"{", b"nul", b"null", b"[]", b"3", b'"x"', b"{}x", b"\xff\xfe", b"{'a': 1}",
        b'{"a": NaN}', b'{"a": Infinity}', b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000,
        b'{"w": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}, "w": '
        b'{"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}}',
        b'{"__metadata__": {"a": 1}}', b'{"__metadata__": []}', b'{"__metadata__": null}',
    ],
    ids=lambda h: repr(h[:12]),
)  # fmt: skip
def test_headers_that_are_none(path: Path, header: bytes) -> None:
    refused(path, packed(header))


@pytest.mark.parametrize(
    "wrong",
    [
        3, None, [], "F32", {}, {"dtype": "F32"}, entry() | {"more": 1},
        entry(dtype=3), entry(dtype=None), entry(dtype=["F32"]), entry(dtype="F64"),
        entry(shape=None), entry(shape=6), entry(shape=[-2, -3]), entry(shape=[2.0, 3]),
        entry(shape=[True, 6]), entry(shape=["2", 3]), entry(shape=[2, 2]), entry(shape=[2**62, 4]),
        entry(shape=[0, 2**61], offsets=[0, 0]), entry(shape=[1] * 40 + [6]),
        entry(offsets=None), entry(offsets=[0]), entry(offsets=[0, 24, 48]), entry(offsets=[24, 0]),
        entry(offsets=[-24, 0]), entry(offsets=[0, 25]), entry(offsets=[8, 32]),
        entry(offsets=[0, 2**62]), entry(offsets=[0.0, 24]), entry(offsets=["0", "24"]),
        entry(offsets=[2**63, 2**63 + 24]), entry(shape=[2**40, 2**10], offsets=[0, 2**52]),
        entry(dtype="BOOL", shape=[24]),
    ],
    ids=str,
)  # fmt: skip
def test_entries_that_cannot_be(path: Path, wrong: Any) -> None:
    refused(path, packed({"weight": wrong}, b"\x02" * 24))


@pytest.mark.parametrize(
    "places",
    [
        [(0, 24), (0, 24)], [(0, 24), (12, 36)], [(0, 24), (25, 49)], [(24, 48), (49, 73)],
        [(0, 24), (24, 48), (24, 48)], [(0, 24)], [(0, 24), (24, 48), (48, 72)],
    ],
    ids=str,
)  # fmt: skip
def test_arrays_that_overlap_or_leave_holes(path: Path, places: list[tuple[int, int]]) -> None:
    header = {f"w{i}": entry(offsets=place) for i, place in enumerate(places)}
    refused(path, packed(header, bytes(48)))


@pytest.mark.parametrize(
    "dtype", ["F8_E4M3", "F4", "C64", "O", "|O8", "f32", "<U99999", "", "F32 "]
)
def test_dtypes_that_are_none(path: Path, dtype: str) -> None:
    match = "'weight': expected numbers that NumPy knows, got .*; save them as float32"
    refused(path, packed({"weight": entry(dtype=dtype)}, bytes(24)), match)


def test_names_are_names_and_no_paths(path: Path) -> None:
    names = ["../../up", "/etc/passwd", "a/b", "C:\\x", "con", "\x00", "", "__class__", "\ud800"]
    header = {name: entry("U8", [1], [i, i + 1]) for i, name in enumerate(names)}
    refused(path, packed(header, bytes(len(names))), "unexpected|arrays alone")


# damage


def weights(path: Path) -> bytes:
    save_parameters(nn.Dense(2, 3, rng=0), path, {"note": "text"})
    return path.read_bytes()


def a_model(path: Path) -> bytes:
    x, y = blobs()
    model = Model(classifier(nn.Dropout(0.1)), "cross_entropy", "adam", ["accuracy"])
    model.fit(x, y, epochs=1, seed=0, verbose=False)
    model.save(path)
    return path.read_bytes()


def unreadable(path: Path, content: bytes) -> bool:
    """Whether a file is refused, with a reason."""
    path.write_bytes(content)
    try:
        load_parameters(nn.Dense(2, 3), path)
    except ValueError as error:
        return path.name in str(error) and len(str(error)) < 500
    return False


def test_files_cut_off_anywhere_are_refused(path: Path) -> None:
    for whole in (weights(path), a_model(path)):
        header = 8 + int.from_bytes(whole[:8], "little")
        ends = (*range(header + 1), *range(header, len(whole), 61), len(whole) - 1)
        assert all(unreadable(path, whole[:end]) for end in ends)


def test_every_single_bit_that_turns_over_is_noticed(path: Path) -> None:
    whole = bytearray(weights(path))
    for place in range(len(whole)):
        for bit in range(8):
            whole[place] ^= 1 << bit
            assert unreadable(path, bytes(whole)), f"bit {bit} of byte {place}"
            whole[place] ^= 1 << bit


def test_random_damage_to_a_model_is_noticed(path: Path) -> None:
    whole, draw = a_model(path), np.random.default_rng(0)
    for _ in range(500):
        damaged = np.frombuffer(whole, np.uint8).copy()
        places = draw.choice(len(damaged), draw.integers(1, 5), replace=False)
        damaged[places] ^= draw.integers(1, 256, len(places), np.uint8)
        assert unreadable(path, damaged.tobytes())


def test_a_file_without_its_checksum_is_refused(path: Path) -> None:
    whole = weights(path)
    end = 8 + int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8:end])
    header["__metadata__"].pop("checksum")
    refused(path, packed(header, whole[end:]), "its checksum is another one")


@pytest.mark.parametrize("version", ["", "0", "-1", "1.5", "x", "²", "9" * 30])
def test_versions_that_are_none(path: Path, version: str) -> None:
    header = {"__metadata__": {"format": "pellucid", "format_version": version, "checksum": "0"}}
    refused(path, packed(header), "its format has the version")


# forged descriptions: the checksum is right, what it describes is not


def put(place: list[Any], value: Any) -> Callable[[Any], object]:
    def change(described: Any) -> None:
        for key in place[:-1]:
            described = described[key]
        described[place[-1]] = value

    return change


LAYER = ["network", "state", "layers", 0]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (put(["loss"], {"named": "os.system"}), "expected the name of a registered class"),
        (put(["loss", "object"], "builtins.eval"), "expected the name of a registered class"),
        (put(["loss", "object"], "subprocess.Popen"), "expected the name of a registered class"),
        (put(["loss", "object"], "functions.exp"), "expected a class with plain attributes"),
        (put(["loss", "object"], ["nn.Loss"]), r"loss: expected a str, got \['nn.Loss'\]"),
        (put(["loss", "state"], {"__class__": {"named": "nn.Dense"}}), "the name of a plain attri"),
        (put(["loss", "state"], {"__init__": 3}), "expected the name of a plain attribute"),
        (put(["loss", "state"], {"forward": {"named": "functions.exp"}}), "beside the methods of"),
        (put(["loss", "state"], {"a.b": 3}), "expected the name of a plain attribute"),
        (put(["loss", "state"], []), "expected a dict"),
        (put(["loss"], {"again": "nowhere"}), "expected the path of an object before"),
        (put(["loss"], {"object": "nn.MSELoss"}), "expected a description"),
        (put(["loss"], {"partial": {"named": "functions.exp"}, "args": [], "keywords": {"": 1}}),
         "expected the name of a plain attribute"),
        (put(["loss"], {"partial": 3, "args": [], "keywords": {}}), "expected a function, got 3"),
        (put(["loss"], {"scalar": 300, "dtype": "|u1"}), "loss: .*300"),
        (put(["loss"], {"scalar": 1, "dtype": "O"}), "expected a dtype, got 'O'"),
        (put(["loss"], {"dtype": "f4,O"}), "expected a dtype"),
        (put(["loss"], {"dict": [[[], 1]]}), "expected numbers and texts as keys"),
        (put(["loss"], {"set": [{"dict": []}]}), "expected numbers and texts as keys"),
        (put(["loss"], {"generator": "PCG64", "seed": {}, "state": 0}), "expected a random gener"),
        (put([*LAYER, "state", "weight", "tensor"], "layers.9.weight"), "the name of an array in"),
        (put([*LAYER, "state", "weight", "tensor"], "../x"), "the name of an array in the file"),
        (put([*LAYER, "state", "weight", "tensor"], "layers.1.bias"), "description of all arrays"),
        (put([*LAYER, "state", "weight", "grad"], 1), "expected a bool, got 1"),
        (put(["network", "state", "layers", 2, "state", "stream", "grad"], True), "floating-point"),
        (put(["network", "at"], 3), "expected a str, got 3"),
        (put([*LAYER, "at"], "network"), "expected a path of its own"),
        (put(["optimizer", "object"], "nn.Dense"), "expected"),
        (put(["optimizer", "state", "b1"], 7), "expected b1 to be at least 0 and below 1, got 7"),
        (put(["optimizer", "state", "lr"], -1), "expected lr to be a rate of at least 0"),
        (put(["optimizer", "state", "steps"], "x"), "no sound model: expected optimizer.steps"),
        (put(["metrics"], [{"object": "metrics.Metric", "at": "m", "state": {}}]), "no sound mod"),
        (put(["more"], {"named": "os.system"}), "expected the name of a registered class"),
        (lambda described: described.clear(), "expected a description of all arrays, got none of"),
        (lambda described: described.pop("loss"), r"expected a file that Model\.save wrote"),
    ],
)  # fmt: skip
def test_forged_descriptions(path: Path, change: Callable[[Any], object], match: str) -> None:
    path.write_bytes(forged(a_model(path), change))
    with pytest.raises(ValueError, match=f"{path.name}: .*{match}"):
        Model.load(path)


def test_a_forged_file_is_otherwise_sound(path: Path) -> None:
    path.write_bytes(forged(a_model(path), lambda described: None))
    assert Model.load(path).optimizer.steps == 3


def test_descriptions_nested_without_end(path: Path) -> None:
    deep: Any = 0
    for _ in range(120):
        deep = [deep]
    refused_deep = forged(a_model(path), put(["loss"], deep))
    path.write_bytes(refused_deep)
    with pytest.raises(ValueError, match="expected at most 100 levels of nesting"):
        Model.load(path)


def test_a_description_that_is_no_json(path: Path) -> None:
    for text in ("", "[1]", "{", "[" * 100_000, '{"a": NaN}', '{"a": ' + "9" * 5000 + "}"):
        container.write(path, {}, {"description": text})
        with pytest.raises(ValueError, match=path.name):
            load_objects(path)


def test_a_description_too_large_is_not_written(path: Path) -> None:
    with pytest.raises(ValueError, match="expected a description of at most 16,777,216 bytes, got"):
        save_objects(path, {"text": "x" * 17_000_000})
    assert list(path.parent.iterdir()) == []


def test_zeros_that_claim_to_be_many_take_no_memory(path: Path) -> None:
    """A sparse file of a terabyte with a small header: what it claims is there, but not ours."""
    path.write_bytes(packed({"weight": entry("U8", [100], [0, 100])}, bytes(100)))
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match="bytes of arrays, where the header tells of 100"):
        load_objects(path)
