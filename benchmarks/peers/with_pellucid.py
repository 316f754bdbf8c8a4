"""The step with Pellucid, as one native program and eagerly; through `Model.fit` over rows.

The program makes as many steps as are asked for in one call, as `fit` does, or one in a call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import machine
import pellucid
from cases import B1, B2, EPS, Case, Run, repeated
from pellucid import Tensor, nn, optim, train


def compiled(case: Case) -> Run:
    """Return the README's loop as one program, or `fit` as it is by default."""
    network, optimizer = parts(case)
    if case.rows:
        return fitted(network, optimizer, case)
    x, y = case.data()
    program = pellucid.compile(step_of(network, optimizer), state=[network, optimizer])
    return lambda count: float(program.repeat(count, x, y).data[-1])


def called(case: Case) -> Run:
    """Return the same program, called once for each step."""
    network, optimizer = parts(case)
    if case.rows:
        return fitted(network, optimizer, case, callbacks=[Watch()])
    x, y = case.data()
    bound = pellucid.compile(step_of(network, optimizer), state=[network, optimizer]).bound(x, y)

    def run(count: int) -> float:
        for _ in range(count):
            result = bound.attempt(x, y)
            result.commit()
        return float(result.value)

    return run


class Watch(train.Callback):
    """Wants to be told of every update, so that each is a call of its own."""

    def on_batch_end(self, run: train.Run) -> None:
        """Do nothing."""


def eager(case: Case) -> Run:
    """Return the same loop without compiling it."""
    network, optimizer = parts(case)
    if case.rows:
        return fitted(network, optimizer, case, compile=False)
    x, y = case.data()
    return repeated(step_of(network, optimizer), Tensor(x), y)


def parts(case: Case) -> tuple[nn.Sequential, optim.Adam]:
    """Return the network with the case's weights, and its optimiser."""
    *hidden, last = case.layers
    layers = [*(nn.Dense(n, m, "relu") for n, m in hidden), nn.Dense(*last)]
    for layer, weight in zip(layers, case.weights(), strict=True):
        layer.weight.data = weight
    return nn.Sequential(*layers), optim.Adam(case.rate, B1, B2, EPS)


def step_of(network: nn.Module, optimizer: optim.Optimizer) -> Callable[[Any, Any], Tensor]:
    """Return the loop's body."""
    loss_of = nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> Tensor:
        network.zero_grad()
        loss = loss_of(network(x), y)
        loss.backward()
        optimizer.step(network)
        return loss

    return step


def fitted(network: nn.Module, optimizer: optim.Optimizer, case: Case, **options: Any) -> Run:
    """Return what goes over the case's rows with `Model.fit`."""
    model = train.Model(network, "cross_entropy", optimizer)
    x, y = case.data()

    def run(count: int) -> float:
        history = model.fit(
            x, y, epochs=count, batch_size=case.batch, seed=0, verbose=False, **options
        )
        return history["loss"][-1]

    return run


def about() -> str:
    """Return the version, and the BLAS of the eager engine."""
    return f"pellucid {pellucid.__version__}, NumPy's BLAS {machine.describe()['BLAS']}"
