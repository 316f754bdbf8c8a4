"""The safetensors format: arrays by name and a few texts in one file, nothing executable.

    8 bytes   n, the length of the header, a little-endian number
    n bytes   the header, JSON: {"__metadata__": {text: text}, name: {"dtype": "F32", "shape":
              [2, 3], "data_offsets": [0, 24]}, ...}, filled up with spaces
    the rest  the arrays in row-major order, one after the other, without holes

What we write carries a checksum of header and arrays in its metadata, so that a damaged file is
refused. Nothing is believed that a header says: every number is held against the size of the file
before any memory is taken. Format: the safetensors project's description, version 0.3 and later.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from pellucid.arrays import Array
from pellucid.files import atomic
from pellucid.version import __version__

FORMAT = 1  # raised when a file is written that the version before could not read
LARGEST_HEADER = 1 << 24  # bytes; the format itself allows 10^8
PAGE = 4096  # bytes
MARKS = ("format", "format_version", "pellucid", "checksum")  # metadata that `write` adds

PICKLED = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # how they begin

DTYPES = {
    "BOOL": "|b1",
    "U8": "|u1",
    "I8": "|i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
    "BF16": "<u2",
}
BF16 = np.dtype([("upper", "<u2")])  # the upper half of a float32
CODES = {np.dtype(dtype): code for code, dtype in DTYPES.items() if code != "BF16"}


class Contents(NamedTuple):
    """What a file holds."""

    arrays: dict[str, Array]
    metadata: dict[str, str]


class Entry(NamedTuple):
    """What a header says of one array; start and end count from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


# writing


def write(
    path: str | os.PathLike[str], arrays: Mapping[str, Array], metadata: Mapping[str, str]
) -> None:
    """Write arrays and texts to a file, atomically.

    Raises:
        OSError: the file cannot be written; what was there before is whole.
        TypeError: an array is not of numbers, or of numbers that the format does not have.
        ValueError: the header would be larger than `read` takes.
    """
    ordered = dict(sorted(_portable(arrays).items(), key=lambda item: -item[1].itemsize))
    header: dict[str, Any] = {"__metadata__": {**_marks(), **metadata}}
    at = 0
    for name, array in ordered.items():
        offsets = [at, at + array.nbytes]
        entry = {"dtype": CODES[array.dtype], "shape": list(array.shape), "data_offsets": offsets}
        header[name], at = entry, at + array.nbytes
    header["__metadata__"]["checksum"] = checksum(header, map(_memory, ordered.values()))
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 8)  # so that the arrays are aligned
    if len(text) > LARGEST_HEADER:
        raise ValueError(
            f"expected a description of at most {LARGEST_HEADER:,} bytes, got {len(text):,}; keep "
            "large things in arrays, or in a file of their own"
        )
    with atomic(path) as temporary, temporary.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in ordered.values():
            file.write(_memory(array))


def _marks() -> dict[str, str]:
    return {"format": "pellucid", "format_version": str(FORMAT), "pellucid": __version__}


def _portable(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays little-endian and in row-major order, whatever they were."""
    found = {}
    for name, given in arrays.items():
        array = np.asarray(given)
        dtype = array.dtype.newbyteorder("<")
        if dtype not in CODES:
            raise TypeError(
                f"{name}: expected an array of numbers that files know, got {array.dtype}; convert "
                "it, for example to float32"
            )
        found[name] = np.asarray(array, dtype, order="C")
    return found


def _memory(array: Array) -> memoryview:
    """Return the bytes of an array in row-major order."""
    return memoryview(array.reshape(-1).view(np.uint8))


def checksum(header: Mapping[str, Any], arrays: Iterable[memoryview]) -> str:
    """Return what tells whether a header, but for its own checksum, and the arrays are undamaged.

    It is the CRC-32 of one spelling of the header and then of a sum for each page of 4096 bytes of
    an array: that of its 64-bit words, mod 2^64, with zeros behind the last. So it takes a tenth of
    the time that a CRC of all bytes would take, and notices every bit that turns over all the same.
    """
    texts = {k: text for k, text in header["__metadata__"].items() if k != "checksum"}
    check = zlib.crc32(json.dumps({**header, "__metadata__": texts}, sort_keys=True).encode())
    for array in arrays:
        end = array.nbytes - array.nbytes % PAGE
        for part in (array[:end], bytes(array[end:]).ljust(PAGE, b"\0")):
            words = np.frombuffer(part, "<u8").reshape(-1, PAGE // 8)
            check = zlib.crc32(words.sum(axis=1, dtype=np.uint64).astype("<u8"), check)
    return f"{check:08x}"


# reading


def read(path: str | os.PathLike[str]) -> Contents:
    """Read what `write` or another program wrote; numbers of bfloat16 become float32.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no safetensors file, damaged, or of a later version of this library; or
            it holds numbers that NumPy does not have.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"expected a .safetensors file at {path}, found none; check the path"
        )
    with Path(path).open("rb") as file:
        try:
            size = os.fstat(file.fileno()).st_size
            header, start = _header(file, size)
            metadata = _metadata(header)
            ours = metadata.get("format") == "pellucid" or not metadata.keys().isdisjoint(MARKS[1:])
            if ours:
                _check_version(metadata.get("format_version"), metadata.get("pellucid"))
            arrays = _arrays(file, _entries(header, size - start))
            if ours and metadata.get("checksum") != checksum(header, map(_memory, arrays.values())):
                raise ValueError("its checksum is another one")
        except _UnusableError as error:
            raise ValueError(f"{path}: {error}") from None
        except ValueError as error:
            raise _damaged(path, error) from None
    return Contents({name: _native(array) for name, array in arrays.items()}, metadata)


class _UnusableError(Exception):
    """A sound file that cannot be used here."""


def _damaged(path: str | os.PathLike[str], why: object) -> ValueError:
    return ValueError(
        f"expected a .safetensors file at {path}, got something else or a damaged one ({why}); "
        "save it again"
    )


def _header(file: BinaryIO, size: int) -> tuple[dict[str, Any], int]:
    """Return the header, and where the arrays begin."""
    if size == 0:
        raise ValueError("it is empty")
    first = file.read(8)
    length = int.from_bytes(first, "little")
    if size < 8 or length > min(size - 8, LARGEST_HEADER):
        if first.startswith(PICKLED):
            raise ValueError(
                "it looks like one of torch.save or pickle, which can hold code and is not read; "
                "use safetensors.torch.save_file"
            )
        if size >= 8 + length:
            raise ValueError(f"a header of {length:,} bytes, more than {LARGEST_HEADER:,}")
        raise ValueError(f"no room for a header of {length:,} bytes in a file of {size:,}")
    try:
        header = json.loads(
            file.read(length).decode(), object_pairs_hook=_unique, parse_constant=_refuse
        )
    except RecursionError:
        raise ValueError("the header is nested too deeply") from None
    if not isinstance(header, dict):
        raise ValueError("the header is no JSON object")
    header.setdefault("__metadata__", {})
    return header, 8 + length


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    pairs = list(pairs)
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("the header has a name twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"the header has {constant}, which is no JSON")


def _metadata(header: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of a header."""
    metadata = header["__metadata__"]
    if not isinstance(metadata, dict) or not all(isinstance(t, str) for t in metadata.values()):
        raise ValueError("its metadata are no texts")
    return metadata


def _check_version(version: str | None, library: str | None) -> None:
    """Refuse a file in a format that is newer than this library."""
    if version is None or not version.isdecimal() or len(version) > 9 or int(version) < 1:
        raise ValueError(f"its format has the version {version!r:.40}")
    if int(version) > FORMAT:
        raise _UnusableError(
            f"expected a file of format {FORMAT} or earlier, got format {version}, written by "
            f"Pellucid {library!s:.40}; this is Pellucid {__version__}: install that version or a "
            "later one"
        )


def _entries(header: Mapping[str, Any], room: int) -> dict[str, Entry]:
    """Return what the header says of each array, in the order of the file.

    Raises:
        ValueError: an array is not where the one before ends, or the last not at the file's end.
    """
    found = {name: _entry(name, e) for name, e in header.items() if name != "__metadata__"}
    found = dict(sorted(found.items(), key=lambda item: (item[1].start, item[1].end)))
    at = 0
    for name, entry in found.items():
        if entry.start != at:
            raise ValueError(f"{name!r:.80} begins at {entry.start}, not at {at}")
        at = entry.end
    if at != room:
        raise ValueError(f"{room:,} bytes of arrays, where the header tells of {at:,}")
    return found


def _entry(name: str, given: Any) -> Entry:
    """Return what the header says of one array."""
    if not isinstance(given, dict) or given.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name!r:.80} has no dtype, shape and data_offsets")
    dtype, shape, offsets = given["dtype"], given["shape"], given["data_offsets"]
    if not isinstance(dtype, str) or not _whole(shape) or not _whole(offsets) or len(offsets) != 2:
        raise ValueError(f"{name!r:.80} has a dtype, shape or data_offsets that cannot be")
    if dtype not in DTYPES:
        raise _UnusableError(
            f"{name!r:.80}: expected numbers that NumPy knows, got {dtype!r:.20}; save them as "
            "float32"
        )
    entry, count = Entry(dtype, tuple(shape), *offsets), 1
    for n in shape:
        count *= n
    if len(shape) > 32 or max(shape, default=0) > 1 << 48:
        raise ValueError(f"{name!r:.80} has a shape that cannot be")
    if entry.end - entry.start != count * np.dtype(DTYPES[dtype]).itemsize:
        raise ValueError(f"{name!r:.80} has {entry.end - entry.start} bytes, too few or too many")
    return entry


def _whole(numbers: Any) -> bool:
    """Whether these are whole numbers of at least 0 that a file can be about."""
    return isinstance(numbers, list) and all(type(n) is int and 0 <= n < 1 << 62 for n in numbers)


def _arrays(file: BinaryIO, entries: Mapping[str, Entry]) -> dict[str, Array]:
    """Return the arrays as they are in the file; bfloat16 as ``BF16``."""
    found = {}
    for name, entry in entries.items():
        array = np.empty(entry.shape, DTYPES[entry.dtype])
        if file.readinto(_memory(array)) != array.nbytes:  # type: ignore[attr-defined]
            raise ValueError("it ends too early")
        if entry.dtype == "BOOL" and (array.view(np.uint8) > 1).any():
            raise ValueError(f"{name!r:.80} is of truth values, some neither 0 nor 1")
        found[name] = array.view(BF16) if entry.dtype == "BF16" else array
    return found


def _native(array: Array) -> Array:
    """Return an array in the machine's byte order, of bfloat16 as float32."""
    if array.dtype == BF16:
        return (array["upper"].astype(np.uint32) << 16).view(np.float32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)
