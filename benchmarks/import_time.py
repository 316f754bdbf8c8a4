"""How long `import pellucid` takes beyond `import numpy`, in fresh interpreters.

    python benchmarks/import_time.py [--rounds 15]

The interpreters run in turns: one that imports nothing, one that imports NumPy, one that imports
Pellucid. The exit status is 1 if Pellucid takes more than the limit longer than NumPy.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable

import machine

LIMIT = 0.15  # seconds beyond NumPy
LEAST_ROUNDS = 15


def fresh(statement: str) -> Callable[[], object]:
    """Return a function that runs ``statement`` in a new interpreter, which may keep bytecode."""
    command, environment = [sys.executable, "-c", statement], machine.environment()
    return lambda: subprocess.run(command, env=environment, check=True)


def report(timings: dict[str, machine.Timing], limit: float = LIMIT) -> tuple[str, bool]:
    """Return the figures as text, and whether Pellucid keeps within the limit."""
    beyond = statistics.median(
        own - base
        for own, base in zip(timings["pellucid"].rounds, timings["numpy"].rounds, strict=True)
    )
    kept = beyond <= limit
    lines = [f"{name:<9} {timing.seconds * 1e3:7.1f} ms" for name, timing in timings.items()]
    lines.append(
        f"pellucid beyond numpy: {beyond * 1e3:.1f} ms, "
        f"{'at most' if kept else 'MORE than'} {limit * 1e3:.0f} ms"
    )
    return "\n".join(lines), kept


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description="time `import pellucid` against `import numpy`")
    parser.add_argument("--rounds", type=int, default=LEAST_ROUNDS, help="at least %(default)s")
    rounds = parser.parse_args(arguments).rounds
    if rounds < LEAST_ROUNDS:
        parser.error(f"expected --rounds of at least {LEAST_ROUNDS}, got {rounds}")
    machine.prepare()
    timings = machine.median_of_interleaved(
        {
            "nothing": fresh("pass"),
            "numpy": fresh("import numpy"),
            "pellucid": fresh("import pellucid"),
        },
        rounds,
    )
    text, kept = report(timings)
    machine.announce()
    print(f"median of {rounds} fresh interpreters each, in turns:")
    print(text)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
