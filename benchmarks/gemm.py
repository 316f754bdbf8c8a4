"""Generated matrix products on one core against NumPy's BLAS and what the core can do at most.

The last lines say how much faster all cores are than one, for the largest product as a program.

    python benchmarks/gemm.py [--rounds 40] [--markdown]

The peak is that of a loop of independent multiplication-additions in registers, measured in turns
with the products. NumPy's BLAS runs on one thread. Times to compile are those of one product in a
module of its own, of which an empty module takes the part that is printed with them.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import machine

machine.prepare()

import numpy as np
import threadpoolctl

import pellucid
from pellucid import Tensor
from pellucid.compiler.kernels import Gemm
from pellucid.compiler.llvm import gemm
from pellucid.compiler.llvm.builder import Function
from pellucid.compiler.llvm.target import compile_module, host
from pellucid.compiler.measure import Native, arithmetic
from pellucid.compiler.threads import cores

WORK = 2e7  # operations that are timed at once
TURNS = 20_000  # of the loop that measures the peak


@dataclass(frozen=True)
class Case:
    """The product of an (m, k) and a (k, n) matrix, of which each may lie transposed."""

    m: int
    k: int
    n: int
    a_transposed: bool = False
    b_transposed: bool = False

    @property
    def name(self) -> str:
        """The sizes as m x k x n, and how the matrices lie."""
        layout = "".join(
            f", {name} transposed"
            for name, transposed in (("a", self.a_transposed), ("b", self.b_transposed))
            if transposed
        )
        return f"{self.m} x {self.k} x {self.n}{layout}"

    @property
    def operations(self) -> int:
        """How many multiplications and additions."""
        return 2 * self.m * self.k * self.n

    def kernel(self) -> Gemm:
        """Return the product as the compiler describes it."""
        a = (1, self.m) if self.a_transposed else (self.k, 1)
        b = (1, self.k) if self.b_transposed else (self.n, 1)
        return Gemm("product", "float32", self.m, self.n, self.k, a, b, self.n)

    def matrices(self) -> tuple[Any, Any, Any]:
        """Return random a and b as they lie, and room for c."""
        rng = np.random.default_rng(0)
        a = rng.normal(size=(self.k, self.m) if self.a_transposed else (self.m, self.k))
        b = rng.normal(size=(self.n, self.k) if self.b_transposed else (self.k, self.n))
        c = np.empty((self.m, self.n), np.float32)
        return a.astype(np.float32), b.astype(np.float32), c


CASES = (
    Case(32, 64, 128),
    Case(128, 784, 128),
    Case(784, 128, 128, a_transposed=True),
    Case(128, 128, 784, b_transposed=True),
    Case(128, 128, 10),
    Case(128, 10, 128, b_transposed=True),
    Case(128, 784, 1),
    Case(256, 1024, 1024),
    Case(256, 1024, 1024, b_transposed=True),
)


def ours(case: Case) -> tuple[Native, float]:
    """Return our product, checked, and how many seconds it took to generate and compile."""
    a, b, c = case.matrices()
    kernel, target = case.kernel(), host()
    space = np.empty(gemm.workspace(kernel, target), np.uint8)
    start = time.perf_counter()
    module = compile_module(gemm.emit(kernel, target), target)
    seconds = time.perf_counter() - start
    native = Native(module, kernel.name, (a, b, c, space))
    native()
    product = (a.T if case.a_transposed else a) @ (b.T if case.b_transposed else b)
    np.testing.assert_allclose(c, product, rtol=0, atol=1e-5 * case.k)
    return native, seconds


def theirs(case: Case) -> Callable[[], object]:
    """Return NumPy's product."""
    a, b, c = case.matrices()
    return partial(
        np.matmul, a.T if case.a_transposed else a, b.T if case.b_transposed else b, out=c
    )


def on_threads(case: Case, threads: int) -> Callable[[], object]:
    """Return the product as a program that threads share."""
    a, b, _ = case.matrices()
    x, y = Tensor(a), Tensor(b)
    bound = pellucid.compile(lambda x, y: x @ y, threads=threads).bound(x, y)
    np.testing.assert_allclose(bound.attempt(x, y).value.data, a @ b, rtol=0, atol=1e-5 * case.k)
    return partial(bound.attempt, x, y)


def empty() -> float:
    """Return the seconds to compile a function that does nothing."""
    start = time.perf_counter()
    compile_module(Function("nothing", [], fma=False).text(), host())
    return time.perf_counter() - start


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="time matrix products on one core")
    parser.add_argument("--rounds", type=int, default=40, help="default %(default)s")
    parser.add_argument("--markdown", action="store_true", help="print a table for the README")
    options = parser.parse_args(arguments)
    top, operations = arithmetic()
    work = TURNS * operations
    nothing = min(empty() for _ in range(5))
    rows = []
    with threadpoolctl.threadpool_limits(1, "blas"):
        for case in CASES:
            compiled = [ours(case) for _ in range(5)]
            native, seconds = min(compiled, key=lambda pair: pair[1])
            inner = max(1, round(WORK / case.operations))
            timings = machine.median_of_interleaved(
                {"peak": partial(top, TURNS), "pellucid": native, "NumPy": theirs(case)},
                options.rounds,
                inner,
            )
            for peer in ("pellucid", "NumPy"):
                speed = case.operations / timings[peer].seconds
                share = case.operations / (work * timings[peer].ratio)
                rows.append((case.name, peer, speed, share, seconds))
        facts = machine.describe()
        largest = CASES[-2]
        crews = {f"{n} threads": on_threads(largest, n) for n in range(1, cores() + 1)}
        scaling = machine.median_of_interleaved(
            crews, options.rounds, max(1, round(WORK / largest.operations))
        )
    if options.markdown:
        print(f"{facts['processor']}, one core, {facts['BLAS']}.\n")
        print("| m x k x n, float32 | by | GFLOP/s | of the core's peak |")
        print("| --- | --- | ---: | ---: |")
    else:
        print("\n".join(f"{name}: {value}" for name, value in facts.items()))
        print(f"compiling nothing: {nothing * 1e3:.1f} ms")
    for name, peer, speed, share, seconds in rows:
        rate, part = f"{speed / 1e9:.0f}", f"{100 * share:.0f} %"
        if options.markdown:
            print(f"| {name} | {peer} | {rate} | {part} |")
        else:
            made = f"  compiled in {seconds * 1e3:.1f} ms" if peer == "pellucid" else ""
            print(f"{name:<34} {peer:<10} {rate:>5} GFLOP/s {part:>6} of the peak{made}")
    alone = scaling["1 threads"].seconds
    if not options.markdown:
        for crew, timing in scaling.items():
            print(f"{largest.name:<34} {crew}: {alone / timing.seconds:.2f} times as fast as one")
    return 0


if __name__ == "__main__":
    sys.exit(main())
