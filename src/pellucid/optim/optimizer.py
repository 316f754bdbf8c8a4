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


class Optimizer:
    """The base of optimisers; each defines `init` and `update` over plain arrays.

    `step` is all a training loop calls. The state of each parameter is kept in ``state`` under its
    dotted path, ``steps`` counts the steps taken.

    Args:
        lr: learning rate, a positive number, or a function of the step number (1, 2, ...) that
            gives it.
    """

    def __init__(self, lr: Rate) -> None:
        self.lr = lr if callable(lr) else positive("lr", lr, "try 0.001 to 0.1")
        self.steps = 0
        self.state: dict[str, State] = {}

    def init(self, param: Array) -> State:
        """Return the state a parameter starts with."""
        return {}

    def update(self, param: Array, grad: Array, state: State, step: int) -> tuple[Array, State]:
        """Return the new parameter and its new state; ``step`` counts from 1."""
        raise TypeError(f"{type(self).__name__} has no update(); define it in the class")

    def rate(self, step: int) -> Any:
        """Return the learning rate of a step.

        Raises:
            ValueError: the schedule gave something else than a finite number of at least 0.
        """
        if not callable(self.lr):
            return self.lr
        rate = self.lr(step)
        if isinstance(rate, np.generic | np.ndarray):
            rate = rate.item()  # NumPy's float64 scalars would make float32 parameters float64
        if not hasattr(rate, "dtype") and not (is_number(rate) and 0 <= rate < float("inf")):
            raise ValueError(
                f"expected the schedule to give a rate of at least 0 in step {step}, got {rate!r}; "
                "return a number for every step from 1 on"
            )
        return rate

    def step(self, parameters: Any) -> None:
        """Move every parameter that has a gradient, once.

        Args:
            parameters: a module, or a list or dictionary of tensors; always the same, since the
                state of each is known by its path.

        Raises:
            ValueError: no parameter has a gradient: ``backward`` was not called, or nothing
                requires one; or a parameter has another shape than in the steps before.
        """
        named = tree.find(parameters, Tensor)
        moving = [
            (path, p, p.grad) for path, p in named.items() if p.grad is not None and p.requires_grad
        ]
        if not moving:
            raise ValueError(
                "expected parameters with a gradient, got none; call loss.backward() before "
                "optimizer.step(network), and create parameters with requires_grad=True"
            )
        states = [self._state_of(path, p.data) for path, p, _ in moving]
        step = self.steps + 1
        for (path, p, g), state in zip(moving, states, strict=True):
            xp, dtype = namespace(p.data), p.data.dtype
            grad = g if g.dtype == dtype else xp.astype(g, dtype)
            new, self.state[path] = self.update(p.data, grad, state, step)
            p.data = xp.asarray(new)  # NumPy makes one number a scalar
        self.steps = step

    def _state_of(self, path: str, param: Array) -> State:
        """Return the state of a parameter, or the one it starts with."""
        state = self.state.get(path)
        if state is None:
            return self.init(param)
        for array in state.values():
            if array.shape != param.shape:
                raise ValueError(
                    f"expected {path} in the shape {array.shape} of the steps before, got "
                    f"{param.shape}; make a new optimizer for another network"
                )
        return state


def is_number(value: Any) -> bool:
    """Whether it is a real number, Python's or NumPy's, and no truth value."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def positive(name: str, value: Any, hint: str) -> float:
    """Return a positive finite number, or say that it is none."""
    if not is_number(value) or not 0 < value < float("inf"):
        raise ValueError(f"expected {name} to be a positive number, got {value!r}; {hint}")
    return float(value)


def fraction(name: str, value: Any) -> float:
    """Return a number in [0, 1), or say that it is none."""
    if not is_number(value) or not 0 <= value < 1:
        raise ValueError(f"expected {name} to be at least 0 and below 1, got {value!r}; try 0.9")
    return float(value)
