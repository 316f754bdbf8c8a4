"""Writer of IDX files, the opposite of the reader under test, and small stand-ins for MNIST."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.data.images import ImageSource
from pellucid.data.sources import RemoteFile

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array: NDArray[Any]) -> bytes:
    """The array in IDX, after the format's own description."""
    header = struct.pack(">HBB", 0, CODES[array.dtype.str[1:]], array.ndim)
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return header + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


def tiny_files(classes: int = 10) -> dict[str, bytes]:
    """Twelve training and five test images and labels, by published file name."""
    rng = np.random.default_rng(7)
    files = {}
    for part, rows in (("train", 12), ("t10k", 5)):
        images = rng.integers(0, 256, size=(rows, 28, 28), dtype=np.uint8)
        labels = (np.arange(rows) % classes).astype(np.uint8)
        files[f"{part}-images-idx3-ubyte.gz"] = gzip.compress(idx_bytes(images))
        files[f"{part}-labels-idx1-ubyte.gz"] = gzip.compress(idx_bytes(labels))
    return files


def put(folder: Path, files: dict[str, bytes], *, packed: bool = True) -> Path:
    """Write the files into the folder, gzip-compressed or plain, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if packed:
            (folder / name).write_bytes(content)
        else:
            (folder / name.removesuffix(".gz")).write_bytes(gzip.decompress(content))
    return folder


def remote(name: str, content: bytes) -> RemoteFile:
    """The description of a file with this content."""
    return RemoteFile(name, len(content), hashlib.sha256(content).hexdigest())


def published(source: ImageSource, files: dict[str, bytes], mirrors: list[str]) -> ImageSource:
    """The source as if these were its files and mirrors."""
    first, second, third, fourth = (remote(file.name, files[file.name]) for file in source.files)
    return dataclasses.replace(source, files=(first, second, third, fourth), mirrors=tuple(mirrors))
