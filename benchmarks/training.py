"""One training step as native code, against our own eager engine, PyTorch and hand-written NumPy.

    python benchmarks/training.py [--rounds 40] [--markdown]

The same network, batch and optimiser (Adam) for all peers, in turns in one process: see `eager`,
which has the other peers. Native code runs on one thread so far, the others on as many as they
take. Also printed: what the first call takes, tracing and compiling included.
"""

# ruff: noqa: I001 - eager comes before pellucid: it prepares the machine
from __future__ import annotations

import argparse
import sys
import time

import machine
from eager import B1, B2, CASES, EPS, LR, PAUSE, Case, Step, peers  # it calls machine.prepare()

import pellucid
from pellucid import Tensor, nn, optim


def compiled_step(case: Case) -> tuple[Step, float]:
    """Return the README's loop as one program, and the seconds that its first call took."""
    x, y = case.data()
    *hidden, last = zip(case.sizes, case.sizes[1:], strict=False)
    layers = [nn.Dense(n, m, "relu") for n, m in hidden]
    network = nn.Sequential(*layers, nn.Dense(*last), rng=0)
    loss_of, optimizer = nn.CrossEntropyLoss(), optim.Adam(LR, B1, B2, EPS)

    def step(x: Tensor, y: Tensor) -> Tensor:
        network.zero_grad()
        loss = loss_of(network(x), y)
        loss.backward()
        optimizer.step(network)
        return loss

    start = time.perf_counter()
    program = pellucid.compile(step, state=[network, optimizer])
    program(x, y)
    seconds = time.perf_counter() - start
    bound = program.bound(x, y)
    return lambda: bound.attempt(x, y).commit(), seconds


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="time one compiled training step against peers")
    parser.add_argument("--rounds", type=int, default=40, help="default %(default)s")
    parser.add_argument("--markdown", action="store_true", help="print a table for the README")
    options = parser.parse_args(arguments)
    if options.markdown:
        facts = machine.describe()
        print(f"{facts['processor']}, {facts['cores usable']} cores, {facts['BLAS']}.\n")
        print("| network, one training step | peer | median | against compiled |")
        print("| --- | --- | ---: | ---: |")
    else:
        machine.announce()
    for case in CASES:
        step, first = compiled_step(case)
        rivals = peers(case)
        rivals["pellucid, eager"] = rivals.pop("pellucid")
        found = machine.median_of_interleaved(
            {"pellucid, compiled": step, **rivals}, options.rounds, case.inner, pause=PAUSE
        )
        for peer, timing in found.items():
            micro, ratio = f"{timing.seconds * 1e6:.0f} us", f"{timing.ratio:.2f} x"
            if options.markdown:
                print(f"| {case.name} | {peer} | {micro} | {ratio} |")
            else:
                print(f"{case.name:<28} {peer:<20} {micro:>10}  {ratio:>8}")
        if not options.markdown:
            print(f"{case.name:<28} first call, with tracing and compiling: {first:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
