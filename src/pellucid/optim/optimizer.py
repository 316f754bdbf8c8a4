"""What an optimiser is: a starting state for each parameter, and a rule that moves it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from pellucid import tree
from pellucid.arrays import Array, namespace
from pellucid.autograd import Tensor

State: TypeAlias = dict[str, Array]
Rate: TypeAlias = float | Callable[[Any], Any]
BLOCK = 32768  # elements: few calls for a large array, and what they work on stays in the cache


class Optimizer:
    """The base of optimisers; each defines an elementwise rule, `init` and `update`, on arrays.

    `step` is all a training loop calls. The state of each parameter is kept in ``state`` under its
    dotted path, ``steps`` counts the steps taken.

    Args:
        lr: learning rate, a positive number, or a function of the step number (1, 2, ...) that
            gives it.
    """

    def __init__(self, lr: Rate) -> None:
        if not callable(lr):
            positive("lr", lr)
        self.lr = lr
        self.steps = 0
        self.state: dict[str, State] = {}

    def init(self, param: Array) -> State:
        """Return the state a parameter starts with."""
        return {}

    def update(self, param: Array, grad: Array, state: State, step: int) -> tuple[Array, State]:
        """Return the new parameter and its new state; ``step`` counts from 1."""
        raise TypeError(f"{type(self).__name__} has no update(); define it in the class")

    def rate(self, step: int) -> Any:
        """Return the learning rate of a step."""
        return self.lr(step) if callable(self.lr) else self.lr

    def step(self, parameters: Any) -> None:
        """Move every parameter that has a gradient, once.

        Args:
            parameters: a module, or a list or dictionary of tensors; always the same, since the
                state of each is known by its path.

        Raises:
            ValueError: no parameter has a gradient: ``backward`` was not called, or nothing
                requires one.
        """
        named = tree.find(parameters, Tensor)
        moved = [(path, p) for path, p in named.items() if p.grad is not None and p.requires_grad]
        if not moved:
            raise ValueError(
                "expected parameters with a gradient, got none; call loss.backward() before "
                "optimizer.step(network), and create parameters with requires_grad=True"
            )
        self.steps += 1
        for path, p in moved:
            state = self.state.get(path)
            if state is None:
                state = self.init(p.data)
            move = self._move_in_blocks if isinstance(p.data, np.ndarray) else self.update
            moved, self.state[path] = move(p.data, p.grad, state, self.steps)
            p.data = namespace(p.data).asarray(moved)  # NumPy makes one number a scalar

    def _move_in_blocks(
        self, param: Array, grad: Array, state: State, step: int
    ) -> tuple[Array, State]:
        """Update a large array block by block, so that intermediate results stay in the cache.

        Rules are elementwise, so the blocks do not know of each other; the state is kept in place.
        """
        if param.size <= BLOCK or not param.flags.c_contiguous:
            return self.update(param, grad, state, step)
        moved = np.empty_like(param)
        flat = {name: array.reshape(-1) for name, array in state.items()}
        old, new, slopes = param.reshape(-1), moved.reshape(-1), grad.reshape(-1)
        for start in range(0, param.size, BLOCK):
            block = slice(start, start + BLOCK)
            part = {name: array[block] for name, array in flat.items()}
            new[block], part = self.update(old[block], slopes[block], part, step)
            for name, array in part.items():
                flat[name][block] = array
        return moved, state


def positive(name: str, value: Any) -> float:
    """Return a positive finite number, or say that it is none."""
    if not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError(
            f"expected {name} to be a positive number, got {value!r}; try 0.001 to 0.1"
        )
    return float(value)


def fraction(name: str, value: Any) -> float:
    """Return a number in [0, 1), or say that it is none."""
    if not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError(f"expected {name} to be at least 0 and below 1, got {value!r}")
    return float(value)
