"""One peer in a process of its own, so that its threads and its memory disturb no other.

    python benchmarks/worker.py PEER CASE

The process answers in lines of JSON: first what it is, then, for each count on its standard input,
how long so many steps took. `contest` starts such processes and lets them take turns.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, TextIO

import machine

machine.prepare()

from cases import Case, Run
from peers import OURS, PEERS

SLICE = 0.02  # seconds between two looks at the threads
PATIENCE = 2.0  # seconds until threads that do not go to sleep are reported


def answers() -> TextIO:
    """Return the standard output for answers alone: whatever libraries print goes elsewhere."""
    mine = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return mine


def settle() -> bool:
    """Wait until the threads of this process sleep; return whether they do.

    Pools of threads go on spinning for a while after their work, and would take the cores away from
    the peer whose turn is next.
    """
    for _ in range(round(PATIENCE / SLICE)):
        before = time.process_time()
        time.sleep(SLICE)
        if time.process_time() - before < SLICE / 10:
            return True
    return False


def started(peer: str, case: Case) -> tuple[Run | None, dict[str, Any]]:
    """Make the peer's step and call it once; return it, or None, and what to answer."""
    choice, begin = PEERS[peer], time.perf_counter()
    try:
        make, about = choice.load()
        loaded = time.perf_counter()
        run = make(case)
        run(1)
    except Exception as error:
        if peer.startswith(OURS):
            raise
        fix = choice.install if isinstance(error, ModuleNotFoundError) else ""
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        return None, {"missing": f"{reason}; pip install {fix}" if fix else reason}
    ready = time.perf_counter()
    return run, {"about": about(), "import": loaded - begin, "first": ready - loaded}


def timed(run: Run, count: int) -> dict[str, Any]:
    """Return the seconds of so many steps by the clock and by the processor, after a warm-up."""
    run(1 + count // 5)
    clock, processor = time.perf_counter(), time.process_time()
    run(count)
    taken = {"seconds": time.perf_counter() - clock, "processor": time.process_time() - processor}
    return taken | {"settled": settle()}


def main() -> None:
    """Answer until there are no more questions."""
    peer, case = sys.argv[1:]
    out = answers()
    run, hello = started(peer, Case.from_json(case))
    settle()
    print(json.dumps(hello), file=out, flush=True)
    if run is not None:
        for line in sys.stdin:
            print(json.dumps(timed(run, int(line))), file=out, flush=True)


if __name__ == "__main__":
    main()
