"""Threads: workers that stay, and help whoever runs a program.

Starting a thread takes longer than a training step, so workers are kept: they wait in generated
code for a few microseconds, for the next step most often comes at once, and then sleep, which costs
nothing. There is one team a process. Who finds it busy with another thread's program, has forked,
or is past the end of the interpreter runs alone: the result is the same, bit for bit.
"""

from __future__ import annotations

import atexit
import ctypes
import math
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock, RLock, Thread
from typing import Any, TypeVar

import numpy as np

from pellucid.arrays import Array
from pellucid.compiler.llvm import runtime
from pellucid.compiler.llvm.cache import cached_module
from pellucid.compiler.llvm.target import Module, host

WATCH = 60e-6  # seconds that a worker waits for more before it sleeps
SHORT = 200e3  # nanoseconds below which other Python threads may as well wait, too
LINE = 128  # bytes: see `runtime.APART`
CLAIMED = runtime.JOB.index("claimed")
T = TypeVar("T")


def cores() -> int:
    """Return how many cores this process may use."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        count = os.cpu_count() or 1
    return max(1, min(count, quota()))


def quota() -> int:
    """Return how many cores' time the container this runs in is given."""
    try:
        allowed, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return math.ceil(int(allowed) / int(period))
    except (OSError, ValueError):  # no container of that kind, or "max"
        return sys.maxsize


def checked(threads: int | None) -> int:
    """Return the number of threads to use: that which was asked for, or one for each core.

    Raises:
        ValueError: it is no whole number of at least 1.
    """
    if threads is None:
        return cores()
    if isinstance(threads, bool) or not isinstance(threads, int | np.integer) or threads < 1:
        raise ValueError(f"expected threads to be a whole number of at least 1, got {threads!r}")
    return int(threads)


@dataclass(frozen=True)
class Runtime:
    """The functions of `llvm.runtime`; ``launch`` lets other Python threads run meanwhile."""

    module: Module
    serve: Any
    launch: Any
    holding: Any

    def turns(self) -> int:
        """Return how many turns of waiting a worker takes in `WATCH`."""
        words = shared()
        count = 2000
        start = time.perf_counter()
        self.serve(words.ctypes.data, 1, 0, count)
        return max(count, int(count * WATCH / max(time.perf_counter() - start, 1e-7)))


@cache
def functions() -> Runtime:
    """Return the runtime, compiled for this processor."""
    text = runtime.module_text()
    module = cached_module(text, lambda: text, host())
    word, pointer = ctypes.c_int64, ctypes.c_void_p
    serve = ctypes.CFUNCTYPE(word, pointer, word, word, word)
    launch = ctypes.CFUNCTYPE(word, pointer, pointer)
    holding = ctypes.PYFUNCTYPE(word, pointer, pointer)
    at = module.address("launch")
    return Runtime(module, serve(module.address("serve")), launch(at), holding(at))


@cache
def offer() -> int:
    """Return the address of the system's function that offers the core to another thread."""
    windows = sys.platform == "win32"
    library = ctypes.CDLL("kernel32" if windows else None)
    function = library.SwitchToThread if windows else library.sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def shared() -> Array:
    """Return the words of a team, where cache lines begin."""
    raw = np.zeros(runtime.WORDS * 8 + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    words = raw[start : start + runtime.WORDS * 8].view(np.int64)
    words[runtime.OFFER] = offer()
    return words


class Team:
    """Workers, and the words that they and generated code share."""

    def __init__(self) -> None:
        self.words = shared()
        self.busy = Lock()
        self.lent: Any = None  # arrays of the last job, which workers may still look at
        self.workers: list[Thread] = []
        self._asleep: list[Any] = []
        self._calls = 0
        self.closed = False
        self._turns = functions().turns()

    def run(self, job: Job, nanoseconds: float) -> int:
        """Run a job; return how many steps were made, -1 if a worker is still in the one before."""
        slept, run = self.gather(job.crew), functions()
        call = run.launch if slept or nanoseconds > SHORT else run.holding
        before, self.lent = self.lent, (self.lent, job.arrays)
        made = int(call(self.words.ctypes.data, job.words.ctypes.data))
        self.lent = before if made < 0 else job.arrays
        return made

    def gather(self, crew: int) -> bool:
        """Have workers ready for a crew that counts the caller; return whether one was asleep."""
        while len(self.workers) < crew - 1 and self._hire(len(self.workers) + 1):
            pass
        self._calls += 1
        return self._wake()

    def close(self) -> None:
        """Send the workers home."""
        self.closed = True
        self.words[runtime.CLOSING] = 1
        self.words[runtime.GENERATION] += 1
        end = time.monotonic() + 1
        for worker in self.workers:
            while worker.is_alive() and time.monotonic() < end:
                self._wake()  # again: one may have been about to sleep
                worker.join(timeout=0.01)

    def _hire(self, number: int) -> bool:
        """Start a worker; return whether there could be one more."""
        worker = Thread(target=self._serve, args=(number,), name=f"pellucid-{number}", daemon=True)
        self.workers.append(worker)  # first: no two may have the same number
        try:
            worker.start()
        except RuntimeError:  # too many threads, or the interpreter is about to end
            self.workers.remove(worker)
            return False
        return True

    def _wake(self) -> bool:
        """Wake all workers; return whether one was asleep."""
        slept = False
        with suppress(IndexError):  # no more of them
            while True:
                self._asleep.pop().release()
                slept = True
        return slept

    def _serve(self, number: int) -> None:
        """Be a worker."""
        bell = Lock()
        bell.acquire()
        serve, address, seen = functions().serve, self.words.ctypes.data, 0
        while not self.closed:
            calls = self._calls
            seen = serve(address, number, seen, self._turns)
            if calls == self._calls and not self.closed:
                self._asleep.append(bell)
                bell.acquire()


class Guard:
    """Lets one function run at a time; a forked process finds it free, whoever was in it then.

    Ctrl-C leaves it free as well: unlike a method of ours, the lock's own code is not interrupted.
    """

    def __init__(self) -> None:
        self._locks: dict[int, Any] = {}  # by process
        self._inside = 0  # the process in which a function is running

    def alone(self, function: Callable[..., T], *args: Any) -> T:
        """Return what a function returns.

        Raises:
            RuntimeError: this thread is in one already, which it has left only for a while.
        """
        process = os.getpid()
        with self._locks.setdefault(process, RLock()):
            if self._inside == process:
                raise RuntimeError(
                    "expected one call of a compiled function to end before the next, got one from "
                    "a signal handler or __del__ in the middle of another; call it later"
                )
            self._inside = process
            try:
                return function(*args)
            finally:
                self._inside = 0


_teams: list[Team] = []  # the one of this process; there is none before it is needed


def _forget() -> None:
    """Start without workers: those of the parent process are not here."""
    _teams.clear()


def _close() -> None:
    for team in _teams:
        team.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
atexit.register(_close)


@dataclass(frozen=True)
class Job:
    """What generated code is told of a program's use: the ``words`` of `runtime.JOB`.

    ``arrays`` are what these point to. ``alone`` is a team without workers, and the words for it:
    a worker that comes late to the last run may still look at what was claimed in that.
    """

    words: Array
    arrays: tuple[Array, ...]
    alone: tuple[Array, Array]
    crew: int


def launch(job: Job, nanoseconds: float) -> int:
    """Run a job, which takes about so long, and return how many steps were made."""
    if job.crew > 1:
        if not _teams:
            _teams.append(Team())
        team = _teams[0]
        if not (team.closed or team.busy.locked()):
            with team.busy:  # unlike a call of acquire, this is not left locked by Ctrl-C
                made = team.run(job, nanoseconds)
            if made >= 0:
                return made
    run = functions()
    call = run.launch if nanoseconds > SHORT else run.holding
    team_words, words = job.alone
    words[:CLAIMED], words[CLAIMED + 1 :] = job.words[:CLAIMED], job.words[CLAIMED + 1 :]
    return int(call(team_words.ctypes.data, words.ctypes.data))
