"""Products of matrices to be run natively: processors, layouts, and buffers between canaries."""

from __future__ import annotations

import platform
from itertools import product
from typing import Any

import numpy as np
import pytest

from pellucid.compiler.kernels import Gemm
from pellucid.compiler.llvm.target import AVX2, SSE2, host

LAYOUTS = tuple(product((False, True), repeat=2))  # whether a, whether b is transposed
NAN, CANARY = 0xFF, 0x5A  # bytes around what is read, and around what is written
MARGIN = 192  # bytes of canaries on each side of a buffer
TARGETS = [
    pytest.param(host(), id="host"),
    pytest.param(
        AVX2,
        id="avx2",
        marks=pytest.mark.skipif(
            not (host().vector_bytes >= 32 and host().fma), reason="the processor has no AVX2"
        ),
    ),
    pytest.param(
        SSE2,
        id="sse2",
        marks=pytest.mark.skipif(
            platform.machine() not in ("x86_64", "AMD64"), reason="the processor is no x86"
        ),
    ),
]
every_target = pytest.mark.parametrize("target", TARGETS)


class Buffer:
    """A matrix in the middle of canaries, at an odd multiple of the size of its elements."""

    def __init__(
        self, dtype: str, shape: tuple[int, int], strides: tuple[int, int], canary: int = CANARY
    ) -> None:
        self.canary = canary
        size = np.dtype(dtype).itemsize
        rows, columns = shape
        reach = (rows - 1) * strides[0] + (columns - 1) * strides[1] + 1 if rows * columns else 0
        self.bytes = np.full(2 * MARGIN + reach * size, canary, np.uint8)
        start = MARGIN + (size - (self.bytes.ctypes.data + MARGIN)) % (2 * size)
        steps = tuple(stride * size for stride in strides)
        self.matrix: Any = np.ndarray(shape, dtype, self.bytes.data, start, steps)
        self.address = self.bytes.ctypes.data + start
        assert self.address % (2 * size) == size

    def fill(self, values: np.ndarray) -> None:
        self.matrix[...] = values

    def canaries_alive(self) -> bool:
        """Whether nothing but the matrix itself was written."""
        start = self.address - self.bytes.ctypes.data
        outside = np.full(self.bytes.shape, True)
        same = (self.matrix.shape, f"V{self.matrix.itemsize}", outside.data, start)
        inside = np.ndarray(*same, self.matrix.strides)
        inside[...] = b""  # zeros
        return bool((self.bytes[outside] == self.canary).all())


def described(
    m: int, n: int, k: int, transposed: tuple[bool, bool] = (False, False), *,
    dtype: Any = "float32", padding: int = 0,
) -> Gemm:  # fmt: skip
    """Return a product whose matrices have ``padding`` elements between rows (or columns)."""
    a = (1, m + padding) if transposed[0] else (k + padding, 1)
    b = (1, k + padding) if transposed[1] else (n + padding, 1)
    return Gemm("product", dtype, m, n, k, a, b, n + padding)
