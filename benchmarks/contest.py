"""Peers in processes of their own, timed in turns: one computes, the others wait without spinning.

    outcome = contest.compare(case, ("pellucid", "PyTorch"), rounds=20)
    print(outcome.best, outcome.advantage)

What such a process answers is in `worker`.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import machine
from cases import Case
from peers import OURS

WORKER = Path(__file__).with_name("worker.py")
TURN = 0.15  # seconds of work a turn, about


class Worker:
    """A process that makes one peer's steps when it is asked to.

    Attributes:
        hello: what the process said of itself; with "missing" in it the peer cannot run here.
    """

    def __init__(self, peer: str, case: Case) -> None:
        self.peer, self.hello = peer, dict[str, Any]()
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER), peer, case.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def greet(self) -> None:
        """Wait until the process has made its first step."""
        self.hello = self._answer()

    def turn(self, count: int) -> dict[str, Any]:
        """Let the process make so many steps; return how long they took."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"expected an answer of {self.peer!r}, got the end of its process; "
                "what it printed before says why"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer


@dataclass(frozen=True)
class Figures:
    """One peer's step: medians in seconds by the clock and by the processor, and every round.

    The processor's time is that of all threads together. ``first`` are the seconds that the first
    step took, with all that is prepared for it.
    """

    seconds: float
    processor: float
    first: float
    rounds: tuple[float, ...]


@dataclass(frozen=True)
class Outcome:
    """A case's figures by peer, who was left out and why, and what each peer says of itself."""

    case: Case
    figures: Mapping[str, Figures]
    left_out: Mapping[str, str]
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def best(self) -> str | None:
        """The quickest peer that is not ours."""
        rivals = [name for name in self.figures if not name.startswith(OURS)]
        return min(rivals, key=lambda name: self.figures[name].seconds, default=None)

    @property
    def advantage(self) -> float | None:
        """How many times our time the best peer's is: the ratio of the medians."""
        if self.best is None or OURS not in self.figures:
            return None
        return self.figures[self.best].seconds / self.figures[OURS].seconds

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON takes it."""
        results = {name: asdict(figures) for name, figures in self.figures.items()}
        return {
            **asdict(self.case),
            "results": results,
            "left out": dict(self.left_out),
            "best peer": self.best,
            "advantage": self.advantage,
        }


def compare(case: Case, peers: Sequence[str], rounds: int, turn: float = TURN) -> Outcome:
    """Start the peers' processes, `measure` them, and say on standard error who is left out."""
    with open_workers(case, peers) as workers:
        outcome = measure(case, workers, rounds, turn)
    for peer, reason in outcome.left_out.items():
        print(f"{peer} is left out: {reason}", file=sys.stderr)
    return outcome


@contextmanager
def open_workers(case: Case, peers: Sequence[str]) -> Iterator[list[Worker]]:
    """Start a process for each peer, one after the other, and end them all afterwards."""
    with ExitStack() as stack:
        workers = []
        for peer in peers:
            worker = Worker(peer, case)
            stack.callback(worker.close)
            worker.greet()
            workers.append(worker)
        yield workers


def measure(case: Case, workers: Sequence[Worker], rounds: int, turn: float = TURN) -> Outcome:
    """Let the workers take turns of about ``turn`` seconds each; return medians over the rounds."""
    left_out = {w.peer: w.hello["missing"] for w in workers if "missing" in w.hello}
    able = {w.peer: w for w in workers if w.peer not in left_out}
    figures = {}
    if able:
        counts = {peer: count_for(worker, turn) for peer, worker in able.items()}
        found = machine.in_turns(
            {peer: partial(worker.turn, counts[peer]) for peer, worker in able.items()}, rounds
        )
        for peer, answers in found.items():
            if not all(answer["settled"] for answer in answers):
                print(f"{peer}: its threads do not go to sleep between turns", file=sys.stderr)
            steps = counts[peer] * case.updates
            seconds = tuple(answer["seconds"] / steps for answer in answers)
            processor = statistics.median(answer["processor"] / steps for answer in answers)
            figures[peer] = Figures(
                statistics.median(seconds), processor, able[peer].hello["first"], seconds
            )
    about = {peer: worker.hello["about"] for peer, worker in able.items()}
    return Outcome(case, figures, left_out, about)


def count_for(worker: Worker, turn: float) -> int:
    """Return how many steps take about so many seconds: at least one."""
    seconds: float = worker.turn(2)["seconds"] / 2
    if seconds * 20 < turn:  # two are too short to tell
        seconds = worker.turn(20)["seconds"] / 20
    return max(1, round(turn / seconds))
