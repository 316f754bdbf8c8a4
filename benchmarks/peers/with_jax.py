"""The step with JAX: one jitted function that is given its buffers and may write over them."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import machine
from cases import B1, B2, EPS, Case, Run

State = tuple[Any, Any, Any, Any]


def compiled(case: Case) -> Run:
    """Return the step, or the usual loop over shuffled rows, which are gathered in the step."""
    state = start(case)
    x, y = map(jnp.asarray, case.data())
    rng = np.random.default_rng(0)

    def run(count: int) -> float:
        nonlocal state
        for _ in range(count):
            state, loss = step(case.rate, state, x, y)
        return float(loss)

    def over_rows(count: int) -> float:
        nonlocal state
        for _ in range(count):
            order, total = rng.permutation(case.rows), jnp.zeros(())
            for i in range(0, case.rows, case.batch):
                index = order[i : i + case.batch]
                state, total = step_at(case.rate, state, total, x, y, index)
        return float(total) / case.updates

    return over_rows if case.rows else run


def start(case: Case) -> State:
    """Return parameters, Adam's two moments, and the count of steps."""
    p = [(jnp.asarray(w), jnp.zeros(w.shape[1])) for w in case.weights()]
    m, v = (jax.tree.map(jnp.zeros_like, p) for _ in range(2))
    return p, m, v, jnp.zeros(())


def loss_of(p: Any, x: Any, y: Any) -> Any:
    """Return the mean cross-entropy."""
    *hidden, (w, b) = p
    for hidden_w, hidden_b in hidden:
        x = jax.nn.relu(x @ hidden_w + hidden_b)
    chances = jax.nn.log_softmax(x @ w + b)
    return -jnp.take_along_axis(chances, y[:, None], axis=1).mean()


def update(rate: float, state: State, x: Any, y: Any) -> tuple[State, Any]:
    """Return what a step makes of the state, and the loss before it."""
    p, m, v, steps = state
    loss, g = jax.value_and_grad(loss_of)(p, x, y)
    steps = steps + 1
    first, second = 1 - B1**steps, 1 - B2**steps
    m = jax.tree.map(lambda m, g: B1 * m + (1 - B1) * g, m, g)
    v = jax.tree.map(lambda v, g: B2 * v + (1 - B2) * g * g, v, g)
    p = jax.tree.map(lambda p, m, v: p - rate * (m / first) / (jnp.sqrt(v / second) + EPS), p, m, v)
    return (p, m, v, steps), loss


step = partial(jax.jit, static_argnums=0, donate_argnums=1)(update)


@partial(jax.jit, static_argnums=0, donate_argnums=(1, 2))
def step_at(rate: float, state: State, total: Any, x: Any, y: Any, index: Any) -> Any:
    """Make a step on some of the rows; return the new state and the sum of losses."""
    state, loss = update(rate, state, x[index], y[index])
    return state, total + loss


def about() -> str:
    """Return the version and the threads, which are as many as there are cores."""
    return f"JAX {jax.__version__} ({jax.default_backend()}, {machine.cores()} threads)"
