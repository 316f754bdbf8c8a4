"""One eager training step (forward, backward, Adam) against PyTorch eager and hand-written NumPy.

    python benchmarks/eager.py [--rounds 40] [--markdown]

The same network, batch and optimiser for all peers, in turns in one process. PyTorch runs with its
default Adam and with the fused one; it is left out, with a note, where it is not installed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

import machine

machine.prepare()

import numpy as np
from numpy.typing import NDArray

from pellucid import nn, optim

Step = Callable[[], object]
Floats = NDArray[np.float32]
Labels = NDArray[np.int64]
LR, B1, B2, EPS = 1e-3, 0.9, 0.999, 1e-8
PAUSE = 0.1  # seconds, until the threads of OpenBLAS and OpenMP have gone to sleep


@dataclass(frozen=True)
class Case:
    """A network and a batch size; ``inner`` steps are timed at once."""

    sizes: tuple[int, ...]
    batch: int
    inner: int

    @property
    def name(self) -> str:
        """The network and the batch, as a heading."""
        return f"{'-'.join(map(str, self.sizes))}, batch {self.batch}"

    def data(self) -> tuple[Floats, Labels]:
        """Return random inputs and labels."""
        rng = np.random.default_rng(0)
        x = rng.normal(size=(self.batch, self.sizes[0])).astype(np.float32)
        return x, rng.integers(0, self.sizes[-1], self.batch)


CASES = (Case((64, 128, 64, 10), 32, 100), Case((784, 128, 128, 10), 128, 30))


def pellucid_step(case: Case) -> Step:
    """Return the loop of the README: relu between dense layers, cross-entropy, Adam."""
    x, y = case.data()
    *hidden, last = zip(case.sizes, case.sizes[1:], strict=False)
    layers = [nn.Dense(n, m, "relu") for n, m in hidden]
    network = nn.Sequential(*layers, nn.Dense(*last), rng=0)
    loss_of, optimizer = nn.CrossEntropyLoss(), optim.Adam(LR, B1, B2, EPS)

    def step() -> None:
        network.zero_grad()
        loss = loss_of(network(x), y)
        loss.backward()
        optimizer.step(network)

    return step


def numpy_step(case: Case) -> Step:
    """Return the same step written out for this network alone, in place where that is natural."""
    x, y = case.data()
    rng = np.random.default_rng(0)
    pairs = list(zip(case.sizes, case.sizes[1:], strict=False))
    weights = [rng.normal(0, (2 / n) ** 0.5, (n, m)).astype(np.float32) for n, m in pairs]
    biases = [np.zeros(m, np.float32) for _, m in pairs]
    parameters = weights + biases
    means = [np.zeros_like(p) for p in parameters]
    squares = [np.zeros_like(p) for p in parameters]
    rows = np.arange(case.batch)
    steps = 0

    def step() -> None:
        nonlocal steps
        activations = [x]
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            activations.append(np.maximum(activations[-1] @ w + b, 0))
        z = activations[-1] @ weights[-1] + biases[-1]
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        -np.log(p[rows, y]).mean()
        g = p
        g[rows, y] -= 1
        g /= len(x)
        weight_gradients: list[Floats] = []
        bias_gradients: list[Floats] = []
        for i in reversed(range(len(weights))):
            weight_gradients.insert(0, activations[i].T @ g)
            bias_gradients.insert(0, g.sum(axis=0))
            if i:
                g = (g @ weights[i].T) * (activations[i] > 0)
        steps += 1
        gradients = weight_gradients + bias_gradients
        for w, g, m, v in zip(parameters, gradients, means, squares, strict=True):
            m *= B1
            m += (1 - B1) * g
            v *= B2
            v += (1 - B2) * (g * g)
            w -= LR * (m / (1 - B1**steps)) / (np.sqrt(v / (1 - B2**steps)) + EPS)

    return step


def torch_step(case: Case, fused: bool) -> Step:
    """Return PyTorch's usual loop."""
    import torch

    x, y = (torch.from_numpy(array) for array in case.data())
    layers: list[torch.nn.Module] = []
    for n, m in zip(case.sizes, case.sizes[1:], strict=False):
        layers += [torch.nn.Linear(n, m), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1])
    loss_of = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(network.parameters(), lr=LR, fused=fused or None)

    def step() -> None:
        optimizer.zero_grad()
        loss = loss_of(network(x), y)
        loss.backward()
        optimizer.step()

    return step


def peers(case: Case) -> dict[str, Step]:
    """Return every peer's step for a case, ours first."""
    found = {"pellucid": pellucid_step(case), "NumPy by hand": numpy_step(case)}
    try:
        found["PyTorch"] = torch_step(case, fused=False)
        found["PyTorch, fused Adam"] = torch_step(case, fused=True)
    except ModuleNotFoundError:
        print("PyTorch is not installed: left out (pip install torch)", file=sys.stderr)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="time one eager training step against peers")
    parser.add_argument("--rounds", type=int, default=40, help="default %(default)s")
    parser.add_argument("--markdown", action="store_true", help="print a table for the README")
    options = parser.parse_args(arguments)
    results = {
        case.name: machine.median_of_interleaved(
            peers(case), options.rounds, case.inner, pause=PAUSE
        )
        for case in CASES
    }
    if options.markdown:
        facts = machine.describe()
        print(f"{facts['processor']}, {facts['cores usable']} cores, {facts['BLAS']}.\n")
        print("| network, one training step | peer | median | against pellucid |")
        print("| --- | --- | ---: | ---: |")
    else:
        machine.announce()
    for name, timings in results.items():
        for peer, timing in timings.items():
            micro, ratio = f"{timing.seconds * 1e6:.0f} us", f"{timing.ratio:.2f} x"
            if options.markdown:
                print(f"| {name} | {peer} | {micro} | {ratio} |")
            else:
                print(f"{name:<28} {peer:<20} {micro:>10}  {ratio:>8}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
