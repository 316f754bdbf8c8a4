"""The IDX reader: a round trip for every dtype and shape, and every way a file can be damaged."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from data.idx_writer import CODES, idx_bytes
from pellucid.data import idx, read_idx

SMALL = np.arange(6, dtype=np.int16).reshape(2, 3)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("idx") / "array.idx"


@given(
    array=st.sampled_from(sorted(CODES)).flatmap(
        lambda code: hnp.arrays(np.dtype(code), hnp.array_shapes(min_side=0, max_dims=5))
    ),
    packed=st.booleans(),
)
def test_round_trip(file: Path, array: NDArray[Any], packed: bool) -> None:
    file.write_bytes(gzip.compress(idx_bytes(array)) if packed else idx_bytes(array))
    read = read_idx(file)
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, array, strict=True)


def test_values_are_big_endian(file: Path) -> None:
    file.write_bytes(bytes([0, 0, 0x0B, 1, 0, 0, 0, 2, 0x01, 0x02, 0xFF, 0xFE]))
    np.testing.assert_array_equal(read_idx(str(file)), [258, -2])


def test_the_array_can_be_written_to(file: Path) -> None:
    file.write_bytes(idx_bytes(np.zeros(3, np.uint8)))
    read_idx(file)[0] = 1


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("length", range(len(idx_bytes(SMALL))))
def test_cut_at_every_byte(file: Path, length: int, packed: bool) -> None:
    cut = idx_bytes(SMALL)[:length]
    file.write_bytes(gzip.compress(cut) if packed else cut)
    with pytest.raises(ValueError, match=r"array\.idx: expected .* got .*; delete the file and"):
        read_idx(file)


@pytest.mark.parametrize("length", range(2, len(gzip.compress(idx_bytes(SMALL)))))
def test_a_gzip_stream_cut_at_every_byte(file: Path, length: int) -> None:
    file.write_bytes(gzip.compress(idx_bytes(SMALL))[:length])
    with pytest.raises(ValueError, match=r"array\.idx: expected .* got .*; delete the file and"):
        read_idx(file)


def test_a_flipped_bit_is_caught_by_the_crc(file: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 10_000, dtype=np.uint8)
    content = bytearray(gzip.compress(idx_bytes(noise)))
    content[5_000] ^= 1  # incompressible data is stored as it is, so the stream still decodes
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"expected a whole gzip file, got damaged data .*CRC"):
        read_idx(file)


def test_broken_compression(file: Path) -> None:
    content = bytearray(gzip.compress(idx_bytes(SMALL)))
    content[10] |= 0b110  # the block type that does not exist
    file.write_bytes(content)
    with pytest.raises(ValueError, match="expected a whole gzip file, got damaged data"):
        read_idx(file)


@pytest.mark.parametrize("packed", [False, True])
def test_trailing_bytes(file: Path, packed: bool) -> None:
    content = idx_bytes(SMALL) + b"\0"
    file.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(ValueError, match=r"expected 12 bytes of values for int16 .* got more"):
        read_idx(file)


def test_missing_values_are_counted(file: Path) -> None:
    file.write_bytes(idx_bytes(SMALL)[:-5])
    with pytest.raises(ValueError, match=r"expected 12 bytes .* shape \(2, 3\), got 7;"):
        read_idx(file)


@pytest.mark.parametrize(
    "magic", [b"\1\0\x08\1", b"\0\1\x08\1", b"\0\0\x0a\1", b"\0\0\x08\0", b"\x89PNG", b"<htm"]
)
def test_wrong_magic(file: Path, magic: bytes) -> None:
    file.write_bytes(magic + bytes(20))
    with pytest.raises(ValueError, match=f"begins with .* got bytes '{magic.hex(' ')}'"):
        read_idx(file)


@pytest.mark.parametrize("packed", [False, True])
def test_memory_is_not_taken_on_the_word_of_the_header(file: Path, packed: bool) -> None:
    content = struct.pack(">HBB3I", 0, 0x0E, 3, *[2**32 - 1] * 3) + bytes(100)
    file.write_bytes(gzip.compress(content) if packed else content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"expected \d{29,} bytes .* got 100;"):
            read_idx(file)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", [(1,) * 255, (2**32 - 1, 2**32 - 1, 2**32 - 1, 0)])
def test_a_shape_numpy_cannot_hold(file: Path, shape: tuple[int, ...]) -> None:
    header = struct.pack(f">HBB{len(shape)}I", 0, 0x08, len(shape), *shape)
    file.write_bytes(header + bytes(0 if 0 in shape else 1))
    with pytest.raises(ValueError, match=r"array\.idx: expected a shape NumPy can hold"):
        read_idx(file)


def test_values_that_do_not_fit_into_memory(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where memory is not lent, a large file with a false header could ask for too much of it."""
    file.write_bytes(idx_bytes(SMALL))

    def none(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(idx.np, "empty", none)
    with pytest.raises(ValueError, match="values that fit into memory, got a header for 12 bytes"):
        read_idx(file)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "none")
