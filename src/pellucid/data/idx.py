"""Reader of IDX, the array format the MNIST family is published in.

A file is two zero bytes, a type code, the number of dimensions, then each dimension as a
big-endian uint32, then the values in row-major order, also big-endian. It may be compressed
with gzip.
"""

from __future__ import annotations

import gzip
import math
import zlib
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.calls import helpful

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
_BLOCK = 1 << 20  # bytes read at a time
_RATIO = 1032  # bytes at most that one of a gzip file becomes
_FIX = "delete the file and download it again"


@helpful
def read_idx(path: str | Path) -> NDArray[Any]:
    """Return the array in an IDX file, plain or gzip-compressed (told by its first bytes).

    The header is not trusted: memory is taken for what a file of its size can hold, and no more.

    Returns:
        The array in the shape of the header and native byte order, of uint8, int8, int16, int32,
        float32 or float64.

    Raises:
        OSError: The file cannot be opened.
        ValueError: The file is no IDX file, ends early, goes on after its values, or its
            compressed data are damaged; the message names the file and what was expected.

    Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits",
    section "The IDX file format".

    >>> import tempfile
    >>> from pathlib import Path
    >>> from pellucid import data
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "labels.idx")
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))  # uint8, (3,)
    ...     data.read_idx(path)
    array([7, 2, 1], dtype=uint8)
    """
    path = Path(path)
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP_MAGIC
    try:
        with gzip.open(path, "rb") if packed else path.open("rb") as stream:
            return _parse(stream, path)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"{path}: expected a whole gzip file, got damaged data ({error}); {_FIX}"
        ) from error


def _parse(stream: BufferedIOBase, path: Path) -> NDArray[Any]:
    """Read header and values; reach the end of the stream, so that gzip checks its CRC."""
    dtype, shape = _read_header(stream, path)
    wanted = math.prod(shape) * dtype.itemsize
    try:
        values = _read_at_most(stream, min(wanted + 1, path.stat().st_size * _RATIO + _BLOCK))
    except MemoryError as error:
        raise ValueError(
            f"{path}: expected values that fit into memory, got a header for {wanted} bytes; {_FIX}"
        ) from error
    if len(values) != wanted:
        got = "more" if len(values) > wanted else f"{len(values)}"
        raise ValueError(
            f"{path}: expected {wanted} bytes of values for {dtype.name} of shape {shape}, "
            f"got {got}; {_FIX}"
        )
    try:
        array = values.view(dtype).reshape(shape)
    except ValueError as error:  # too many dimensions, or huge ones beside a zero
        raise ValueError(
            f"{path}: expected a shape NumPy can hold, got {shape} ({error}); {_FIX}"
        ) from error
    return array.astype(dtype.newbyteorder("="), copy=False)


def _read_header(stream: BufferedIOBase, path: Path) -> tuple[np.dtype[Any], tuple[int, ...]]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or magic[3] == 0:
        raise ValueError(
            f"{path}: expected an IDX file, which begins with two zero bytes, a type code (one of "
            f"{', '.join(f'{code:02x}' for code in _TYPES)}) and a number of dimensions, "
            f"got bytes '{magic.hex(' ')}'; {_FIX}"
        )
    dimensions = magic[3]
    sizes = stream.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise ValueError(
            f"{path}: expected {4 * dimensions} bytes for {dimensions} dimensions, "
            f"got {len(sizes)}; {_FIX}"
        )
    return np.dtype(_TYPES[magic[2]]), tuple(int(size) for size in np.frombuffer(sizes, ">u4"))


def _read_at_most(stream: BufferedIOBase, limit: int) -> NDArray[np.uint8]:
    """Return up to `limit` bytes; memory that is not written to costs nothing."""
    values = np.empty(limit, np.uint8)
    view, length = values.data, 0
    while count := stream.readinto(view[length : length + _BLOCK]):
        length += count
    return values[:length]
