"""What every benchmark shares: the machine it ran on, and timing that treats all peers alike.

A script calls `prepare` before anything imports NumPy:

    import machine

    machine.prepare()

    import numpy as np
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
BLAS_VARIABLES = "OPENBLAS_"  # how their names begin


def prepare() -> None:
    """Let the BLAS choose its kernels and threads: unset the variables that would choose for it.

    Raises:
        RuntimeError: NumPy is imported, so its BLAS has read the variables already.
    """
    if "numpy" in sys.modules:
        raise RuntimeError(
            "expected prepare() before NumPy is imported, because its BLAS reads the environment "
            "once, got NumPy imported; call machine.prepare() first, before other imports"
        )
    for name in [name for name in os.environ if name.startswith(BLAS_VARIABLES)]:
        del os.environ[name]


def environment() -> dict[str, str]:
    """Return this environment for a new process, which may keep bytecode as packages do."""
    return {name: x for name, x in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def describe() -> dict[str, str]:
    """Return what a figure depends on: processor, cores, Python, NumPy, and the BLAS in use.

    A BLAS reads "library version (kernel, threads)": the same library picks kernels by processor,
    and they differ by a factor of two and more.
    """
    import numpy as np  # not before `prepare`
    import threadpoolctl

    pools: list[dict[str, Any]] = threadpoolctl.threadpool_info()
    libraries = [
        f"{pool['internal_api']} {pool['version'] or 'of unknown version'} "
        f"({pool.get('architecture') or 'kernel unknown'}, {pool['num_threads']} threads)"
        for pool in pools
        if pool["user_api"] == "blas"
    ]
    return {
        "processor": processor(),
        "cores usable": str(cores()),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "BLAS": ", ".join(dict.fromkeys(libraries)) or "none that threadpoolctl knows",
    }


def announce() -> None:
    """Print the description, one fact a line."""
    print("\n".join(f"{name}: {value}" for name, value in describe().items()))


def check_options(
    parser: argparse.ArgumentParser, rounds: int | None, file: Path | None = None
) -> None:
    """End the program, before it measures for minutes, if rounds or file cannot be used."""
    if rounds is not None and rounds < 1:
        parser.error(f"expected at least one round, got {rounds}")
    if file is not None and not file.parent.is_dir():
        parser.error(f"expected a folder for {file.name} that exists, got {file.parent}; make it")


def processor() -> str:
    """Return the processor's model name, or at least its architecture."""
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        return answer.stdout.strip() or platform.machine()
    information = Path("/proc/cpuinfo")
    lines = information.read_text(encoding="utf-8").splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def cores() -> int:
    """Return how many cores this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Timing(NamedTuple):
    """One peer's times: the median in seconds, how many times the first peer's, and every round."""

    seconds: float
    ratio: float
    rounds: tuple[float, ...]


def in_turns(turns: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Let the peers take turns, so that whatever else the machine does hits all of them alike.

    The next round starts with the next peer. One round comes first whose results are not kept.

    Raises:
        ValueError: no peers, or fewer than one round.
    """
    if not turns or rounds < 1:
        raise ValueError(f"expected at least one peer and one round, got {len(turns)} and {rounds}")
    names = list(turns)
    results: dict[str, list[T]] = {name: [] for name in names}
    for number in range(-1, rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            result = turns[name]()
            if number >= 0:
                results[name].append(result)
    return results


def median_of_interleaved(
    functions: Mapping[str, Callable[[], object]],
    rounds: int,
    inner: int = 1,
    clock: Callable[[], float] = time.perf_counter,
    setup: Callable[[], object] | None = None,
) -> dict[str, Timing]:
    """Time functions of this process `in_turns`.

    Each turn calls a function ``inner`` times and divides. ``setup`` is called before each turn,
    unmeasured. ``ratio`` is the median over the rounds of (this peer's time / the first peer's time
    in the same round), so a slow round cancels out. Peers that have threads of their own go into
    processes of their own instead: see `contest`.

    Raises:
        ValueError: no functions, or fewer than one round or one call.
    """
    if inner < 1:
        raise ValueError(f"expected at least one call a turn, got {inner}")

    def turn(function: Callable[[], object]) -> float:
        if setup:
            setup()
        start = clock()
        for _ in range(inner):
            function()
        return (clock() - start) / inner

    times = in_turns({name: partial(turn, f) for name, f in functions.items()}, rounds)
    base = next(iter(times.values()))
    return {
        name: Timing(
            statistics.median(mine),
            statistics.median(own / other for own, other in zip(mine, base, strict=True)),
            tuple(mine),
        )
        for name, mine in times.items()
    }


if __name__ == "__main__":
    prepare()
    announce()
