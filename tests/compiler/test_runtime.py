"""The runtime by itself: tasks written in Python, run by generated code."""

from __future__ import annotations

import ctypes
import random
import threading
import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from pellucid.compiler.llvm import runtime
from pellucid.compiler.threads import functions, shared

TASK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def address(array: Any) -> int:
    """Return where an array begins."""
    return int(array.ctypes.data)


class Given:
    """A job of some phases, and all it needs to be run; ``task`` is called with its number."""

    def __init__(
        self,
        task: Callable[[int, int], None],
        phases: Sequence[int],
        *,
        steps: int = 1,
        crew: int = 1,
        pointers: Sequence[int] = (0,),
        moves: Sequence[tuple[int, int]] = (),
        pairs: Sequence[tuple[int, int]] = (),
        status: int = -1,
    ) -> None:
        self.task = TASK(lambda _, number, worker: task(number, worker))
        self.count = sum(phases) + 1
        self.table = np.array(pointers, np.int64)
        rng = random.Random(crew)
        orders: list[list[int]] = []
        for _ in range(crew):
            order: list[int] = []
            for n in phases:
                mine = [*range(len(order), len(order) + n)]
                rng.shuffle(mine)
                order += mine
            orders.append([*order, self.count - 1])
        self.orders = np.array(orders, np.int64)
        self.ends = np.array([*accumulate(phases), self.count], np.int64)
        self.claims = np.zeros(self.count, np.int64)
        self.moves = np.array(moves, np.int64).reshape(-1, 2)
        self.pairs = np.array(pairs, np.int64).reshape(-1, 2)
        entry = ctypes.cast(self.task, ctypes.c_void_p).value
        words = {
            "task": entry, "table": address(self.table), "orders": address(self.orders),
            "ends": address(self.ends), "claimed": address(self.claims), "count": self.count,
            "steps": steps, "moves": address(self.moves), "moved": len(self.moves),
            "pairs": address(self.pairs), "paired": len(self.pairs), "status": status, "crew": crew,
        }  # fmt: skip
        self.words = np.array([words[name] for name in runtime.JOB], np.int64)

    def run(self, team: Any) -> int:
        """Run the job by the calling thread, and whoever serves the team."""
        return int(functions().launch(address(team), address(self.words)))


class Crew:
    """Threads that serve a team; each is late now and then."""

    def __init__(self, team: Any, workers: int) -> None:
        self.team, self.end = team, False
        self.threads = [threading.Thread(target=self.serve, args=(n + 1,)) for n in range(workers)]

    def serve(self, number: int) -> None:
        rng, seen = random.Random(number), 0
        while not self.end:
            seen = functions().serve(address(self.team), number, seen, 50)
            if rng.random() < 0.3:
                time.sleep(rng.random() * 1e-3)

    def __enter__(self) -> Crew:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end = True
        self.team[runtime.CLOSING] = 1
        self.team[runtime.GENERATION] += 1
        for thread in self.threads:
            thread.join(timeout=20)
        assert not any(thread.is_alive() for thread in self.threads), "a worker hangs"


@pytest.mark.parametrize("workers", [0, 1, 2, 7])
def test_every_task_is_run_once_a_step_and_phases_follow_each_other(workers: int) -> None:
    """Under every number of workers, many of whom come late, and often to the wrong job."""
    team, rng = shared(), random.Random(workers)
    with Crew(team, workers):
        for _ in range(60):
            phases = [rng.randrange(1, 6) for _ in range(rng.randrange(1, 5))]
            ends = [*accumulate(phases)]
            steps, events = rng.randrange(1, 5), []

            def task(number: int, worker: int, events: Any = events) -> None:
                events.append(("begin", number))
                if (number + worker) % 3 == 0:
                    time.sleep(1e-5)
                events.append(("end", number))

            job = Given(task, phases, steps=steps, crew=rng.randrange(1, workers + 2))
            while (made := job.run(team)) < 0:
                time.sleep(1e-4)
            assert made == steps
            done = len(events)
            time.sleep(1e-5)
            assert len(events) == done == 2 * steps * sum(phases)
            begun: dict[int, int] = dict.fromkeys(range(sum(phases)), 0)
            ended = dict(begun)
            for what, number in events:
                if what == "end":
                    ended[number] += 1
                    continue
                phase = next(i for i, end in enumerate(ends) if number < end)
                step = begun[number]
                begun[number] += 1
                start = ends[phase - 1] if phase else 0
                assert all(ended[i] == step + 1 for i in range(start))
                assert all(ended[i] == step for i in range(ends[phase], sum(phases)))


def test_pointers_move_and_are_exchanged() -> None:
    seen: list[list[int]] = []
    job = Given(
        lambda *_: seen.append(job.table.tolist()),
        [1],
        steps=4,
        pointers=[100, 200, 300],
        moves=[(0, 8), (0, 1)],
        pairs=[(1, 2)],
    )
    assert job.run(shared()) == 4
    assert seen == [[100, 200, 300], [109, 300, 200], [118, 200, 300], [127, 300, 200]]
    assert job.table.tolist() == [136, 200, 300]


@pytest.mark.parametrize("workers", [0, 3])
def test_a_false_status_ends_the_job(workers: int) -> None:
    """Pointers stay as they were in the step that ended badly; its own tasks are all run."""
    team = shared()
    with Crew(team, workers):
        for stop in range(4):
            flag = np.ones(1, np.uint8)
            count = [0]

            def task(
                number: int, worker: int, count: Any = count, stop: int = stop, flag: Any = flag
            ) -> None:
                if number == 3:
                    flag[0] = count[0] != stop
                    count[0] += 1

            job = Given(
                task, [3, 1], steps=4, crew=workers + 1, pointers=[0, address(flag)],
                moves=[(0, 5)], status=1,
            )  # fmt: skip
            while (made := job.run(team)) < 0:
                time.sleep(1e-4)
            time.sleep(1e-3)
            assert (made, count[0], job.table[0]) == (stop, stop + 1, 5 * stop)


def test_a_worker_that_comes_after_a_job_ended_badly_does_nothing() -> None:
    """The job is over, but still open: the caller has not yet said that nobody may join."""
    team, ran, flag = shared(), [], np.zeros(1, np.uint8)
    job = Given(
        lambda number, _: ran.append(number), [2], steps=3, crew=2, pointers=[address(flag)],
        status=0,
    )  # fmt: skip
    assert job.run(team) == 0
    assert len(ran) == 2
    team[runtime.OPEN] = 1
    functions().serve(address(team), 1, 0, 1)
    assert len(ran) == 2
    assert team[runtime.ACTIVE] == 0


def test_a_worker_that_comes_after_a_job_ended_well_does_nothing() -> None:
    team, ran = shared(), []
    job = Given(lambda number, _: ran.append(number), [2, 1], steps=3, crew=2)
    assert job.run(team) == 3
    team[runtime.OPEN] = 1
    functions().serve(address(team), 1, 0, 1)
    assert len(ran) == 9


def test_workers_beyond_the_crew_stay_out() -> None:
    team, ran = shared(), []
    job = Given(lambda number, _: ran.append(number), [2], steps=1, crew=2)
    job.run(team)
    team[runtime.OPEN], team[runtime.DONE] = 1, 0
    job.claims[:] = 0
    functions().serve(address(team), 2, 0, 1)
    assert len(ran) == 2
    functions().serve(address(team), 1, 0, 1)
    assert len(ran) == 4


def test_a_job_is_refused_while_a_worker_is_still_in_the_last_one() -> None:
    """Nothing of the team is touched then."""
    team, ran = shared(), []
    job = Given(lambda number, _: ran.append(number), [2])
    team[runtime.ACTIVE] = 1
    before = team.copy()
    assert job.run(team) == -1
    assert not ran
    np.testing.assert_array_equal(team, before)
