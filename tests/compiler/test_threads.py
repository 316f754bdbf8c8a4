"""Threads that share a program: the same bits for any number, and safe whatever happens around."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import pellucid
from pellucid import nn, optim, train
from pellucid.compiler import program as module
from pellucid.compiler import threads
from pellucid.compiler.llvm.target import host
from pellucid.compiler.passes import optimise
from pellucid.compiler.program import Program
from support.compiled import traced
from support.random_graphs import draw

NUMBERS = (1, 2, 3, 5, 16)
F4 = np.float32
RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 12)).astype(F4)
LABELS = (X[:, 0] + X[:, 1] > 0).astype(int) + (X[:, 2] > 0.5)
TOKENS = RNG.integers(0, 20, (96, 7))


@pytest.fixture
def _shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share even little work."""
    monkeypatch.setattr(module, "WORTH", -1)


# the same bits


@pytest.mark.usefixtures("_shared")
@pytest.mark.parametrize("seed", range(10))
def test_random_programs(seed: int) -> None:
    d = draw(Random(seed), 30)
    one = traced(d, *d.inputs, errors=d.errors())
    graph = optimise(one.graph)
    alone = Program(graph)(one.inputs)
    for number in NUMBERS[1:] if seed % 5 == 0 else (2 + seed % 4,):
        program = Program(graph, threads=number)
        for _ in range(3):
            found = program(one.inputs)
            for name, array in alone.items():
                assert found[name].tobytes() == array.tobytes()


class Recurrent(nn.Module):
    """Embedding, a recurrent layer and attention over what it says."""

    def __init__(self, kind: str) -> None:
        self.embedding = nn.Embedding(20, 8, rng=1)
        self.layer: Any = nn.GRU(8, 9, rng=2) if kind == "gru" else None
        if kind == "attention":
            self.layer = nn.MultiHeadAttention(8, 2, rng=3)
        self.head = nn.Dense(9 if kind == "gru" else 8, 3, rng=4)
        self.kind = kind

    def forward(self, x: Any) -> Any:
        z = self.embedding(x)
        if self.kind == "gru":
            z = self.layer(z)
        if self.kind == "attention":
            z = self.layer(z)
        return self.head(z.mean(axis=1))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], np.ndarray]] = {
    "dense": (lambda: nn.Sequential(nn.Dense(12, 40, "gelu"), nn.Dense(40, 3), rng=0), X),
    "norm": (
        lambda: nn.Sequential(
            nn.Dense(12, 33), nn.BatchNorm1D(33), nn.LayerNorm(33), nn.Dense(33, 3), rng=0
        ),
        X,
    ),
    "dropout": (
        lambda: nn.Sequential(nn.Dense(12, 40, "relu"), nn.Dropout(0.3), nn.Dense(40, 3), rng=0),
        X,
    ),
    "embedding": (lambda: Recurrent("none"), TOKENS),
    "recurrent": (lambda: Recurrent("gru"), TOKENS),
    "attention": (lambda: Recurrent("attention"), TOKENS),
}


def fitted(
    build: Callable[[], nn.Module],
    x: np.ndarray,
    number: int | None,
    epochs: int = 2,
    **options: Any,
) -> tuple[dict[str, list[float]], dict[str, bytes]]:
    """Return the history and the weights of a training."""
    model = train.Model(build(), "cross_entropy", optim.AdamW(0.01), metrics=["accuracy"])
    history = model.fit(
        x, LABELS, epochs=epochs, batch_size=20, seed=0, verbose=False, threads=number, **options
    )
    weights = {path: t.data.tobytes() for path, t in model.network.named_tensors().items()}
    return {name: history[name] for name in history}, weights


@pytest.mark.usefixtures("_shared")
@pytest.mark.parametrize("name", NETWORKS)
def test_training(name: str) -> None:
    build, x = NETWORKS[name]
    alone = fitted(build, x, 1)
    for number in NUMBERS[1:] if name == "dense" else (3, 16):
        assert fitted(build, x, number) == alone, number


def test_more_threads_than_cores_and_rows() -> None:
    assert fitted(*NETWORKS["dense"], 64) == fitted(*NETWORKS["dense"], 1)
    assert len(threads._teams) <= 1


@pytest.mark.parametrize("number", [0, -1, 1.5, True, "2"])
@pytest.mark.parametrize("choice", [False, "auto"])
def test_numbers_that_are_none(number: Any, choice: Any) -> None:
    with pytest.raises(ValueError, match="expected threads to be a whole number of at least 1"):
        fitted(*NETWORKS["dense"], number, compile=choice)
    with pytest.raises(ValueError, match="expected threads to be a whole number of at least 1"):
        pellucid.compile(lambda x: x, threads=number)


# around it


@pytest.fixture
def _hogs() -> Iterator[None]:
    """Keep every core busy."""
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    yield
    for hog in hogs:
        hog.kill()
        hog.wait()


@pytest.mark.usefixtures("_shared", "_hogs")
def test_models_may_be_trained_in_threads_at_once() -> None:
    """Four, while other processes take the cores away; each as if it were alone."""
    names = ["dense", "norm", "dropout", "embedding"]
    alone = [fitted(*NETWORKS[name], 1, epochs=6) for name in names]
    found: dict[int, Any] = {}

    def work(number: int) -> None:
        found[number] = [fitted(*NETWORKS[names[number]], 3, epochs=6) for _ in range(2)]

    several = [threading.Thread(target=work, args=(i,)) for i in range(len(names))]
    for thread in several:
        thread.start()
    for thread in several:
        thread.join(timeout=120)
    for number, expected in enumerate(alone):
        assert found[number] == [expected, expected], names[number]


@pytest.mark.usefixtures("_shared")
def test_workers_that_have_nothing_to_do_take_no_time() -> None:
    fitted(*NETWORKS["dense"], 4)
    (team,) = threads._teams
    assert len(team.workers) >= 3
    time.sleep(0.05)

    def spent() -> list[float]:
        clocks = [time.pthread_getcpuclockid(w.ident) for w in team.workers if w.ident]  # type: ignore[attr-defined]
        return [time.clock_gettime(clock) for clock in clocks]

    if hasattr(time, "pthread_getcpuclockid"):
        before = spent()
        time.sleep(0.3)
        assert max(b - a for a, b in zip(before, spent(), strict=True)) < 0.01


def test_without_further_threads_there_is_less_help(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the system has no more of them, or the interpreter is about to end."""
    refused = []

    def start(thread: threading.Thread) -> None:
        refused.append(thread)
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(module, "WORTH", -1)
        patch.setattr(threads, "_teams", [])
        expected = fitted(*NETWORKS["dense"], 1)
        patch.setattr(threading.Thread, "start", start)
        assert fitted(*NETWORKS["dense"], 3) == expected
        (team,) = threads._teams
        assert refused
        assert not team.workers
        team.close()


def test_a_team_that_was_sent_home_is_not_called() -> None:
    team = threads.Team()
    team.gather(4)
    assert all(worker.is_alive() for worker in team.workers)
    time.sleep(0.01)
    team.close()
    assert not any(worker.is_alive() for worker in team.workers)


def test_guard() -> None:
    """One at a time; a failure leaves it free; a fork finds it free; no way back in."""
    guard = threads.Guard()
    assert guard.alone(max, 1, 2) == 2
    with pytest.raises(ZeroDivisionError):
        guard.alone(lambda: 1 / 0)
    with pytest.raises(RuntimeError, match="got one from a signal handler or __del__"):
        guard.alone(guard.alone, max, 1, 2)
    assert guard.alone(max, 1, 2) == 2
    inside, count, most = [0], [0], [0]

    def work() -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(1e-4)
        count[0] += 1
        inside[0] -= 1

    several = [
        threading.Thread(target=lambda: [guard.alone(work) for _ in range(20)]) for _ in range(4)
    ]
    for thread in several:
        thread.start()
    for thread in several:
        thread.join()
    assert (count, most) == ([80], [1])


# processes of their own


COMMON = """
import os, signal, sys, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, from 3.12 on
import numpy as np
from pellucid import nn, optim, train
from pellucid.compiler import program, threads
program.WORTH = -1
X = np.random.default_rng(0).normal(size=(96, 12)).astype("f4")
LABELS = (X[:, 0] > 0).astype(int)

def model():
    network = nn.Sequential(nn.Dense(12, 40, "relu"), nn.Dropout(0.2), nn.Dense(40, 2), rng=0)
    return train.Model(network, "cross_entropy", optim.Adam(0.01))

def fit(model, epochs=3, **options):
    return model.fit(X, LABELS, epochs=epochs, batch_size=20, seed=0, verbose=False, threads=3,
                     **options)

def weights(model):
    return [t.data.tobytes() for t in model.network.named_tensors().values()]
"""


def script(text: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a script that begins with `COMMON`; it ends well, and in time."""
    done = subprocess.run(
        [sys.executable, "-c", COMMON + textwrap.dedent(text)],
        capture_output=True, text=True, timeout=60, check=False, env=environment(), **options,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done


def environment() -> dict[str, str]:
    source = str(Path(pellucid.__file__).parents[1])
    return os.environ | {"PYTHONPATH": source}


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")


@forks
def test_a_forked_process_trains() -> None:
    """Also one that is forked in the middle of an epoch, or while another thread trains."""
    script("""
        expected = model()
        fit(expected)

        def child(action):
            process = os.fork()
            if process == 0:
                try:
                    action()
                    os._exit(0)
                except BaseException:
                    import traceback
                    traceback.print_exc()
                    os._exit(1)
            assert os.waitpid(process, 0)[1] == 0

        def anew():
            mine = model()
            fit(mine)
            assert weights(mine) == weights(expected)
            fit(expected)  # one that the parent compiled
            assert len(threads._teams) == 1

        child(anew)

        class Forking(train.Callback):
            def on_batch_end(self, run):
                if run.batch == 2:
                    child(anew)

        fit(model(), epochs=2, callbacks=[Forking()])
        end = threading.Event()
        other = model()
        fit(other, epochs=1)

        def train_on():
            while not end.is_set():
                fit(other, epochs=20)

        thread = threading.Thread(target=train_on)
        thread.start()

        def others():  # whose guard was perhaps held
            fit(other, epochs=1)

        for _ in range(5):
            time.sleep(0.01)
            child(others)
        end.set()
        thread.join()
        child(lambda: child(anew))
    """)


@forks
def test_multiprocessing_by_fork() -> None:
    script("""
        import multiprocessing
        expected = model()
        fit(expected)

        def work(number):
            mine = model()
            fit(mine)
            return weights(mine)

        with multiprocessing.get_context("fork").Pool(2) as pool:
            for found in pool.map(work, range(4)):
                assert found == weights(expected)
    """)


ENDS = {
    "while workers wait": "fit(model())",
    "while workers sleep": "fit(model()); time.sleep(0.02)",
    "while another thread trains": """
        other = threading.Thread(target=lambda: fit(model(), epochs=10**6), daemon=True)
        other.start()
        time.sleep(0.3)
    """,
    "and then trains again": """
        import atexit
        atexit.register(lambda: fit(model()))
        fit(model())
    """,
    "and then trains for the first time": """
        import atexit
        atexit.register(lambda: fit(model()))
    """,
    "and waits for a thread that trains": """
        fit(model())
        threading.Timer(0, fit, [model()]).start()
        sys.exit(0)
    """,
}


@pytest.mark.parametrize("how", ENDS)
def test_the_interpreter_ends(how: str) -> None:
    script(textwrap.dedent(ENDS[how]))


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
@pytest.mark.parametrize("number", [1, 3])
def test_ctrl_c_leaves_whole_weights(number: int) -> None:
    """Those after some number of updates, all of which were made."""
    text = f"""
        mine = model()

        class Ready(train.Callback):
            def on_epoch_end(self, run):
                if run.epoch == 2:
                    threading.Timer({number} * 0.01, os.kill, [os.getpid(), signal.SIGINT]).start()

        history = fit(mine, epochs=10**6, callbacks=[Ready()], compile=True)
        assert history.stopped.startswith("interrupted in epoch"), history.stopped
        assert np.isfinite(history["loss"]).all()
        steps = mine.optimizer.steps
        assert set(mine.optimizer.counts.values()) == {{steps}}

        class Until(train.Callback):
            def on_batch_end(self, run):
                if mine.optimizer.steps and twin.optimizer.steps == steps:
                    run.stop("enough")

        twin = model()
        fit(twin, epochs=10**6, callbacks=[Until()], compile=True)
        assert twin.optimizer.steps == steps
        assert weights(twin) == weights(mine)
        for path, arrays in twin.optimizer.state.items():
            for name, array in arrays.items():
                assert np.array_equal(array, mine.optimizer.state[path][name])
        fit(mine)
    """
    script(text)


# every access inside the memory it belongs to


@pytest.mark.skipif(sys.platform == "win32", reason="pages are protected otherwise there")
@pytest.mark.parametrize("target", ["host", "AVX2", "SSE2"])
def test_whole_programs_keep_to_their_memory(target: str) -> None:
    """A training step and random programs, split and not, between pages that end the process."""
    if target == "AVX2" and not (host().vector_bytes >= 32 and host().fma):
        pytest.skip("the processor has no AVX2")
    if target != "host" and platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("the processor is no x86")
    done = guarded(target, 12 if target == "host" else 3, 0)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="pages are protected otherwise there")
def test_memory_that_is_too_small_is_noticed() -> None:
    assert guarded("host", 0, 64).returncode in (-signal.SIGSEGV, -signal.SIGBUS)


def guarded(target: str, seeds: int, lacking: int) -> subprocess.CompletedProcess[str]:
    """Run programs in guarded memory, in a process that may end there."""
    tests = Path(__file__).parents[1]
    return subprocess.run(
        [sys.executable, "-m", "support.guarded", target, str(seeds), str(lacking)],
        capture_output=True, text=True, timeout=120, check=False, env=environment(), cwd=tests,
    )  # fmt: skip
