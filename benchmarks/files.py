"""Saving and loading a model of 100 MB against the safetensors library with the same arrays.

    python benchmarks/files.py [--megabytes 100] [--rounds 9] [--folder .]

The library writes arrays and returns; `Model.save` also waits until they are on the disk, renames
the file into place and adds a checksum, which `Model.load` holds against what it reads. Saving is
therefore also compared with the library followed by fsync, and it is this that the limit is about.
The exit status is 1 if saving or loading takes more than 1.5 times as long as the library.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import machine

machine.prepare()

from safetensors.numpy import load_file, save_file

from pellucid import nn
from pellucid.persist import load_parameters, save_parameters
from pellucid.train import Model

LIMIT = 1.5
UNITS = 1000  # a square layer is 4 MB
Task = Callable[[], object]


def network(megabytes: int) -> nn.Sequential:
    """Return dense layers of about so many megabytes."""
    return nn.Sequential([nn.Dense(UNITS, UNITS) for _ in range(max(megabytes // 4, 1))], rng=0)


def synced(path: Path) -> None:
    """Wait until a file is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def give_memory_back() -> None:
    """Return free memory to the system, where the C library can, so that all start without any.

    Otherwise who finds pages that another has just freed is twice as fast.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def tasks(folder: Path, megabytes: int) -> tuple[dict[str, Task], dict[str, Task]]:
    """Return what saves and what loads, by name; the first of each is what counts."""
    model = Model(network(megabytes), "mse", "sgd")
    arrays = model.network.state()
    ours, theirs, weights = (folder / name for name in ("ours", "theirs", "weights"))

    def library_and_fsync() -> None:
        save_file(arrays, theirs)
        synced(theirs)

    saving: dict[str, Task] = {
        "safetensors, then fsync": library_and_fsync,
        "safetensors": lambda: save_file(arrays, theirs),
        "Model.save": lambda: model.save(ours),
        "save_parameters": lambda: save_parameters(model.network, weights),
    }
    loading: dict[str, Task] = {
        "safetensors": lambda: load_file(theirs),
        "Model.load": lambda: Model.load(ours),
        "load_parameters": lambda: load_parameters(model.network, weights),
    }
    return saving, loading


def table(title: str, timings: dict[str, machine.Timing]) -> str:
    """Return the figures as text."""
    lines = [f"{title:<26}    median   times the first"]
    lines += [f"  {n:<24} {t.seconds * 1e3:7.1f} ms  {t.ratio:6.2f}" for n, t in timings.items()]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description="time saving and loading a model")
    parser.add_argument("--megabytes", type=int, default=100, help="default %(default)s")
    parser.add_argument("--rounds", type=int, default=9, help="default %(default)s")
    parser.add_argument("--folder", default=None, help="on the disk to write to")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        saving, loading = tasks(Path(name), options.megabytes)
        saved = machine.median_of_interleaved(saving, options.rounds, setup=give_memory_back)
        loaded = machine.median_of_interleaved(loading, options.rounds, setup=give_memory_back)
    machine.announce()
    print(f"{options.megabytes} MB, median of {options.rounds} rounds, in turns:")
    print(table("saving", saved))
    print(table("loading", loaded))
    slowest = max(saved["Model.save"].ratio, loaded["Model.load"].ratio)
    print(f"at most {LIMIT} times the library: {'yes' if slowest <= LIMIT else 'NO'}")
    return 0 if slowest <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
