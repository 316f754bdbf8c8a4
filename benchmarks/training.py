"""One training step against PyTorch, JAX, scikit-learn and hand-written NumPy.

    python benchmarks/training.py [--fit] [--rounds 20] [--markdown] [--json FILE]

The same dense network, weights, batch and optimiser (Adam) for all peers, each in a process of its
own with as many threads as it takes; they work in turns. ``--fit`` times an update in training over
8,192 shuffled rows: through `Model.fit`, and in the peers' usual loops. "Advantage" is the best
peer's median over ours. Peers that are not installed are named and left out: see
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import machine

machine.prepare()

from cases import Case
from contest import Outcome, compare
from peers import OURS, PEERS
from pellucid.files import write_text

CASES = (
    Case((64, 128, 64, 10), 32),
    Case((784, 128, 128, 10), 128),
    Case((784, 256, 128, 10), 128),
    Case((784, 1024, 1024, 10), 256),
)
ROWS = 8192


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="time a training step against peers")
    parser.add_argument("--fit", action="store_true", help="updates in training over shuffled rows")
    parser.add_argument("--rounds", type=int, default=20, help="default %(default)s")
    parser.add_argument("--markdown", action="store_true", help="print a table for the README")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every round there")
    parser.add_argument(
        "--peers", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER", help="only these"
    )
    parser.add_argument("--case", type=int, nargs="+", choices=range(len(CASES)), help="only these")
    chosen = parser.parse_args(arguments)
    machine.check_options(parser, chosen.rounds, chosen.json)
    if chosen.markdown and OURS not in chosen.peers:
        parser.error(f"expected {OURS!r} among the peers for a table, got {chosen.peers}")
    return chosen


def text(outcome: Outcome) -> str:
    """Return an outcome as lines."""
    lines = [outcome.case.name]
    ours = outcome.figures.get(OURS)
    for peer, found in sorted(outcome.figures.items(), key=lambda item: item[1].seconds):
        ratio = f"{found.seconds / ours.seconds:6.2f} x" if ours else ""
        lines.append(
            f"  {peer:<32}{micro(found.seconds):>10}  processor{micro(found.processor):>10}"
            f"  {ratio}  first call {found.first:.2f} s"
        )
    if outcome.best is not None and outcome.advantage is not None:
        lines.append(f"  advantage over the best peer, {outcome.best}: {outcome.advantage:.2f}")
    return "\n".join(lines)


def rows(outcome: Outcome) -> str:
    """Return an outcome as rows of a Markdown table."""
    ours = outcome.figures[OURS]
    return "\n".join(
        f"| {outcome.case.name} | {peer} | {micro(found.seconds)} "
        f"| {found.seconds / ours.seconds:.2f} x |"
        for peer, found in outcome.figures.items()
    )


def micro(seconds: float) -> str:
    """Return seconds as microseconds."""
    return f"{seconds * 1e6:.0f} us"


def heading(facts: dict[str, str], what: str) -> str:
    """Return what stands above the rows."""
    return (
        f"{facts['processor']}, {facts['cores usable']} cores, {facts['BLAS']}.\n\n"
        f"| network, one {what} | by | median | against pellucid |\n"
        "| --- | --- | ---: | ---: |"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    chosen = options(arguments)
    facts, outcomes = machine.describe(), list[Outcome]()
    if chosen.markdown:
        print(heading(facts, "update in training" if chosen.fit else "training step"))
    else:
        machine.announce()
    for number in chosen.case or range(len(CASES)):
        case = replace(CASES[number], rows=ROWS if chosen.fit else 0)
        outcome = compare(case, chosen.peers, chosen.rounds)
        if not (outcomes or chosen.markdown):
            print(*(f"{peer}: {line}" for peer, line in outcome.about.items()), sep="\n")
        outcomes.append(outcome)
        print(rows(outcome) if chosen.markdown else text(outcome), flush=True)
    if chosen.json:
        cases = [outcome.as_json() for outcome in outcomes]
        found = {"machine": facts, "peers": dict(outcomes[0].about), "cases": cases}
        write_text(chosen.json, json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
