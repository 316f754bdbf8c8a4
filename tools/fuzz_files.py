"""Load thousands of damaged and forged files: each must be read or refused with a reason.

    python tools/fuzz_files.py [100000] [--seed 0]

Files of every kind that `pellucid.persist` reads are changed at random: bits, bytes, lengths, and
values in the header and in the description within it, with the checksum mended in half of them so
that the change gets past it. What counts as a failure is any error but ValueError, an allocation
far beyond the file, an import, a command, a file opened for writing, or anything else that loading
has no business to do.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import data, nn, optim
from pellucid.optim import schedules
from pellucid.persist import container, load_objects, load_parameters, save_objects, save_parameters
from pellucid.train import Model

Load = Callable[[Path], object]

ROOM = 1 << 28  # bytes beyond what the process has that loading a small file may not need
FORBIDDEN = (
    "compile", "ctypes", "exec", "import", "marshal", "os.", "pickle", "shutil", "socket",
    "subprocess", "tempfile", "urllib",
)  # fmt: skip
NASTY = [  # values, as JSON
    "null", "true", "false", "-1", "0", "1", "8", "4294967296", "4611686018427387904", "1e308",
    "18446744073709551616", "1" + "0" * 40, "-0.5", '""', '"nan"', f'"{"x" * 3000}"',
    '"F32"', '"F64"', '"BF16"', '"F8_E4M3"', '"__class__"', '"__init__"', '"forward"', '"layers"',
    '"nn.Dense"', '"nn.Loss"', '"optim.Adam"', '"functions.exp"', '"os.system"', '"pickle.loads"',
    '"builtins.eval"', '"../../../etc/passwd"', '"/dev/zero"', '"a\\u0000b"', '"\\ud800"',
    "[]", "{}", "[[]]", "[1, 2]", "[0, 8]", "[4611686018427387904, 4611686018427387904]",
    '{"named": "os.system"}', '{"named": "nn.initialisers.fill"}', '{"array": "weight"}',
    '{"tensor": "layers.0.weight", "grad": 1}', '{"again": "network"}', '{"tuple": [1]}',
    '{"object": "nn.Dense", "at": "network", "state": {}}', '{"dict": [[{"tuple": [[]]}, 1]]}',
    '{"object": "nn.Loss", "at": "x", "state": {"__class__": 1}}', '{"dtype": "O"}',
    '{"scalar": 300, "dtype": "|u1"}', '{"number": "nan"}', "[" * 300 + "]" * 300,
    '{"partial": {"named": "functions.exp"}, "args": [1], "keywords": {"x": 1}}',
]  # fmt: skip


# the files to change


def samples(folder: Path) -> list[tuple[bytes, Load]]:
    """Return files of every kind, each with what loads it."""
    rng = np.random.default_rng(0)
    network = nn.Sequential(
        nn.Dense(3, 4, "relu"), nn.Dropout(0.2), nn.BatchNorm1D(4), nn.Dense(4, 2), rng=0
    )
    rate = schedules.WarmUp(2, schedules.Cosine(0.1, 9))
    optimizer = optim.AdamW(rate, groups=[optim.no_decay_on_vectors()])
    model = Model(network, nn.CrossEntropyLoss(0.1), optimizer, ["accuracy"], nn.L2(1e-4))
    model.fit(rng.normal(size=(8, 3)), np.arange(8) % 2, epochs=1, verbose=False)
    model.preprocessing = {"x": data.Standardizer().fit(rng.normal(size=(5, 3)))}
    model.metadata = {"a": (1, 2.5), "b": {1, 2}, "c": np.float32(2), "rng": rng}
    names = [folder / name for name in ("model", "weights", "objects", "theirs")]
    model.save(names[0])
    save_parameters(network, names[1], {"note": "text"})
    save_objects(names[2], {"network": nn.LSTM(2, 3), "rng": rng, "list": [np.arange(3), None]})
    names[3].write_bytes(theirs())
    into = partial(load_parameters, network)
    loads: list[Load] = [Model.load, into, load_objects, lambda path: container.read(path)]
    return [(name.read_bytes(), load) for name, load in zip(names, loads, strict=True)]


def theirs() -> bytes:
    """Return a file as other programs write them: no checksum, other dtypes, an empty array."""
    kinds = {"BF16": ([2, 2], 8), "F16": ([3], 6), "BOOL": ([2], 2), "I64": ([], 8)}
    entries, at = {}, 0
    for name, (shape, size) in (kinds | {"F64": ([0, 4], 0)}).items():
        entries[name.lower()] = {"dtype": name, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps({"__metadata__": {"format": "pt"}, **entries}).encode()
    return len(text).to_bytes(8, "little") + text + bytes(i % 2 for i in range(at))


# changes


def changed(whole: bytes, draw: random.Random) -> bytes:
    """Return a file forged with care, or after one to three changes at random."""
    if draw.random() < 0.5:
        return rewritten(whole, draw, forged=True)
    for _ in range(draw.randint(1, 3)):
        whole = draw.choice([flipped, overwritten, cut, grown, resized, rewritten, rewritten])(
            whole, draw
        )
    return whole


def flipped(whole: bytes, draw: random.Random) -> bytes:
    """Turn one bit over, in the header most of the time."""
    out = bytearray(whole)
    if out:
        out[_place(whole, draw)] ^= 1 << draw.randrange(8)
    return bytes(out)


def overwritten(whole: bytes, draw: random.Random) -> bytes:
    """Put other bytes in the place of some."""
    at = _place(whole, draw)
    other = draw.choice([draw.randbytes(draw.randint(1, 9)), b'"', b"{", b"]", b",", b"\x00", b"9"])
    return whole[:at] + other + whole[at + len(other) :]


def cut(whole: bytes, draw: random.Random) -> bytes:
    """Leave out a piece, or all that follows."""
    at = _place(whole, draw)
    return whole[:at] + whole[at + draw.choice([1, 8, 64, len(whole)]) :]


def grown(whole: bytes, draw: random.Random) -> bytes:
    """Put a piece in a second time."""
    at, size = _place(whole, draw), draw.choice([1, 8, 64])
    return whole[: at + size] + whole[at:]


def resized(whole: bytes, draw: random.Random) -> bytes:
    """Claim another length of the header."""
    near = int.from_bytes(whole[:8], "little") + draw.randint(-9, 9)
    length = draw.choice([near, 0, 1, 2**31, 2**63, 2**64 - 1, len(whole), 10**8])
    return (length % 2**64).to_bytes(8, "little") + whole[8:]


def rewritten(whole: bytes, draw: random.Random, forged: bool = False) -> bytes:
    """Change values of the header or of the description in it, ``forged`` of the latter alone.

    The checksum is mended, if forged always.
    """
    end = 8 + int.from_bytes(whole[:8], "little")
    try:
        header = json.loads(whole[8:end])
        notes = header["__metadata__"]
        described = json.loads(notes["description"]) if "description" in notes else None
    except (ValueError, LookupError, TypeError):
        return whole
    for _ in range(1 if forged else draw.randint(1, 3)):
        if described is not None and (forged or draw.random() < 0.7):
            described = replaced(described, draw)
            notes["description"] = json.dumps(described)
        else:
            header = replaced(header, draw)
    if not isinstance(header, dict):
        return _packed(header, whole[end:])
    if (forged or draw.random() < 0.5) and isinstance(header.get("__metadata__"), dict):
        arrays = [memoryview(part) for part in _parts(header, whole[end:])]
        header["__metadata__"]["checksum"] = container.checksum(header, arrays)
    return _packed(header, whole[end:])


def replaced(tree: Any, draw: random.Random) -> Any:
    """Return a JSON value with a nasty one, or one from elsewhere in it, somewhere in it."""
    if not isinstance(tree, dict | list) or not tree or draw.random() < 0.03:
        return json.loads(draw.choice(NASTY))
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    key = draw.choice(keys)
    kind = draw.random()
    if kind < 0.05:
        tree.pop(key)
    elif kind < 0.1 and isinstance(tree, dict):
        tree[draw.choice(NASTY).strip('"')] = tree[key]
    elif kind < 0.15:
        tree[key] = tree[draw.choice(keys)]
    else:
        tree[key] = replaced(tree[key], draw)
    return tree


def _parts(header: dict[str, Any], rest: bytes) -> list[bytes]:
    """Return the bytes of each array, as far as the header makes sense."""
    try:
        places = sorted(e["data_offsets"] for name, e in header.items() if name != "__metadata__")
        return [rest[start:end] for start, end in places]
    except (LookupError, TypeError, ValueError):
        return [rest]


def _packed(header: Any, rest: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + rest


def _place(whole: bytes, draw: random.Random) -> int:
    """Return a place, in the header three times of four."""
    end = min(8 + int.from_bytes(whole[:8], "little"), len(whole))
    return draw.randrange(max(end if draw.random() < 0.75 else len(whole), 1))


# loading them


class Watch:
    """Notes what a process does that loading has no business to do, while it is on."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and set(str(arguments[1])) & set("wax+")
        if self.on and (writes or event.startswith(FORBIDDEN)):
            self.seen.append(f"{event}{arguments!r:.200}")


def outcome(path: Path, load: Load, watch: Watch) -> str:
    """Return "read" or "refused".

    Raises:
        AssertionError: something else became of it.
    """
    gc.disable()  # what it collects is no affair of loading
    watch.on = True
    try:
        load(path)
        result = "read"
    except ValueError as error:
        result = "refused"
        if len(str(error)) > 4000 or path.name not in str(error):
            raise AssertionError(f"expected a short reason with the file's name: {error}") from None
    finally:
        watch.on = False
        gc.enable()
    if watch.seen:
        raise AssertionError(f"loading did {watch.seen[0]}")
    return result


def limit_memory() -> None:
    """Let the process take little more memory than it has, where the system can be asked to."""
    try:
        import resource
    except ImportError:
        return
    taken = Path("/proc/self/statm")
    if taken.exists():
        pages = int(taken.read_text().split()[0])
        room = pages * resource.getpagesize() + ROOM
        resource.setrlimit(resource.RLIMIT_AS, (room, resource.getrlimit(resource.RLIMIT_AS)[1]))


def main(arguments: list[str] | None = None) -> int:
    """Change, load, count; return the exit status."""
    parser = argparse.ArgumentParser(description="load damaged and forged files")
    parser.add_argument("count", nargs="?", type=int, default=100_000, help="default %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kinds = samples(folder)
        watch = Watch()
        path = folder / "changed"
        for whole, load in kinds:  # sound, they are read; and whatever is imported late is by now
            path.write_bytes(whole)
            load(path)
        limit_memory()
        warnings.simplefilter("error")
        for number in range(options.count):
            draw = random.Random(f"{options.seed}:{number}")
            whole, load = kinds[number % len(kinds)]
            path.write_bytes(changed(whole, draw))
            try:
                counts[outcome(path, load, watch)] += 1
            except Exception as error:
                print(f"file {number}, seed {options.seed}: {type(error).__name__}: {error!s:.300}")
                counts["failed"] += 1
    print(", ".join(f"{count:,} {what}" for what, count in sorted(counts.items())))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
