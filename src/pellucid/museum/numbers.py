"""Mistakes with number types and files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.arrays import Array
from pellucid.files import atomic
from pellucid.museum.exhibit import Exhibit

Function = Callable[..., Any]


class SilentFloat64(Exhibit):
    """One float64 turns the whole network into float64.

    NumPy's random numbers and np.zeros are float64, and float32 times float64 is float64. One array
    that is made without a dtype, and everything behind it takes twice the memory and time.
    """

    @staticmethod
    def wrong(x: Array, rate: float, rng: np.random.Generator) -> Array:
        mask = (rng.random(x.shape) >= rate) / (1 - rate)
        return x * mask

    @staticmethod
    def right(x: Array, rate: float, rng: np.random.Generator) -> Array:
        mask = ((rng.random(x.shape) >= rate) / (1 - rate)).astype(x.dtype)
        return x * mask

    @staticmethod
    def measure(dropout: Function) -> str:
        out = dropout(np.ones((64, 128), np.float32), 0.5, np.random.default_rng(0))
        return f"float32 goes in, {out.dtype} comes out: {out.nbytes:,} bytes"

    @staticmethod
    def check(dropout: Function) -> str:
        for dtype in (np.float32, np.float64):
            out = dropout(np.ones(4, dtype), 0.5, np.random.default_rng(0))
            if out.dtype != dtype:
                return f"{np.dtype(dtype)} becomes {out.dtype}"
        return ""


class TransposedBytes(Exhibit):
    """A transposed array is written as its memory lies.

    A transpose is a view: the same memory, read in another order. Who writes the bytes and the
    shape, and not the order, reads back another matrix, without any error.
    """

    @staticmethod
    def wrong(w: Array) -> tuple[bytes, tuple[int, ...]]:
        memory = w.base if w.base is not None else w
        return memory.tobytes(), w.shape

    @staticmethod
    def right(w: Array) -> tuple[bytes, tuple[int, ...]]:
        return np.ascontiguousarray(w).tobytes(), w.shape

    @staticmethod
    def measure(write: Function) -> str:
        w = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).T
        data, shape = write(w)
        return f"{w.tolist()} comes back as {np.frombuffer(data).reshape(shape).tolist()}"

    @staticmethod
    def check(write: Function) -> str:
        w = np.arange(6.0).reshape(2, 3)
        for view in (w, w.T):
            data, shape = write(view)
            if not np.array_equal(np.frombuffer(data).reshape(shape), view):
                return "a transposed matrix comes back as another one"
        return ""


class Evaluated(Exhibit):
    """A file is read by running it.

    eval is a quick way to read settings back, and Python's object files, pickles, work alike: what
    is in the file is executed. A model from somewhere else can so do anything on this machine. Read
    formats that hold nothing but data: JSON for settings, safetensors for arrays.
    """

    @staticmethod
    def wrong(file: str) -> Any:
        return eval(file)

    @staticmethod
    def right(file: str) -> Any:
        return json.loads(file)

    @staticmethod
    def measure(read: Function) -> str:
        ran.clear()
        with suppress(ValueError):
            read("spring('a function call')")
        return f"a prepared file could run {', '.join(ran) or 'nothing'}"

    @staticmethod
    def check(read: Function) -> str:
        ran.clear()
        with suppress(ValueError):
            read("spring('a function call')")
        harmless = read('{"layers": [64, 10]}') == {"layers": [64, 10]}
        return "a file was able to call a function" if ran or not harmless else ""


ran: list[str] = []  # what a prepared file has called


def spring(word: str) -> None:
    """Do what the file wants; here it only leaves a note."""
    ran.append(word)


class HalfWritten(Exhibit):
    """A file is written over the old one.

    A crash, a full disk or Ctrl-C in the midst of it leaves half a file, and the good old one is
    gone. Write beside it and rename: a rename happens entirely or not at all.
    """

    @staticmethod
    def wrong(path: Path, parts: Any) -> None:
        with path.open("w") as file:
            for part in parts:
                file.write(part)

    @staticmethod
    def right(path: Path, parts: Any) -> None:
        with atomic(path) as temporary, temporary.open("w") as file:
            for part in parts:
                file.write(part)

    @staticmethod
    def measure(write: Function) -> str:
        return f"after a crash in the midst of writing the file holds {interrupted(write)!r}"

    @staticmethod
    def check(write: Function) -> str:
        left = interrupted(write)
        return "" if left == "the old weights" else f"a crash leaves {left!r}"


def interrupted(write: Function) -> str:
    """Return what is in a file after writing it was interrupted."""

    def parts() -> Any:
        yield "half of the n"
        raise OSError("no space left on the device")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.txt"
        path.write_text("the old weights", encoding="utf-8")
        with suppress(OSError):
            write(path, parts())
        return path.read_text(encoding="utf-8")


EXHIBITS: list[type[Exhibit]] = [SilentFloat64, TransposedBytes, Evaluated, HalfWritten]
