"""What an optimiser is: a starting state for each parameter, and a rule that moves it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from pellucid import tree
from pellucid.arrays import Array, namespace
from pellucid.autograd import Tensor
from pellucid.errors import ShapeError

State: TypeAlias = dict[str, Array]
Rate: TypeAlias = float | Callable[[Any], Any]


class Optimizer:
    """The base of optimisers; each defines `init` and `update` over plain arrays.

    `step` is all a training loop calls. The state of each parameter is kept in ``state`` and the
    number of its updates in ``counts``, both under its dotted path; ``steps`` counts the steps
    taken.

    Args:
        lr: learning rate, a positive number, or a function of the step number (1, 2, ...) that
            gives it.
    """

    def __init__(self, lr: Rate) -> None:
        self.lr = lr if callable(lr) else positive("lr", lr, "try 0.001 to 0.1")
        self.steps = 0
        self.state: dict[str, State] = {}
        self.counts: dict[str, int] = {}

    def init(self, param: Array) -> State:
        """Return the state a parameter starts with."""
        return {}

    def update(self, param: Array, grad: Array, state: State, step: int) -> tuple[Array, State]:
        """Return the new parameter and its new state; ``step`` counts its updates from 1."""
        raise TypeError(f"{type(self).__name__} has no update(); define it in the class")

    def rate(self, step: int | None = None) -> Any:
        """Return the learning rate of a step, by default of the one being taken.

        Raises:
            ValueError: it is something else than a finite number of at least 0.
        """
        step = self.steps if step is None else step
        rate = self.lr(step) if callable(self.lr) else self.lr
        if isinstance(rate, np.generic | np.ndarray):
            rate = rate.item()  # NumPy's float64 scalars would make float32 parameters float64
        if not hasattr(rate, "dtype") and not (is_number(rate) and 0 <= rate < float("inf")):
            what = "the schedule to give a rate" if callable(self.lr) else "lr to be a rate"
            raise ValueError(
                f"expected {what} of at least 0 in step {step}, got {rate!r}; use a number, or a "
                "function that returns one for every step from 1 on"
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
            ShapeError: a gradient has another shape than its parameter.
        """
        named = tree.find(parameters, Tensor)
        moving = {path: p for path, p in named.items() if p.grad is not None and p.requires_grad}
        if not moving:
            raise ValueError(
                "expected parameters with a gradient, got none; call loss.backward() before "
                "optimizer.step(network), and create parameters with requires_grad=True"
            )
        for path, p in moving.items():
            self._check(path, p)
        self.steps += 1
        try:
            moved = {path: self._moved(path, p) for path, p in moving.items()}
        except BaseException:
            self.steps -= 1  # nothing has moved
            raise
        for path, p in moving.items():  # all or, if interrupted above, none
            self.counts[path] = self._next(path)
            p.data, self.state[path] = moved[path]

    def _moved(self, path: str, p: Tensor) -> tuple[Array, State]:
        xp, dtype = namespace(p.data), p.dtype
        grad = p.grad if p.grad.dtype == dtype else xp.astype(p.grad, dtype)  # type: ignore[union-attr]
        state = self.state[path] if path in self.state else self.init(p.data)
        new, state = self.update(p.data, grad, state, self._next(path))
        return xp.asarray(new), state  # asarray: NumPy makes one number a scalar

    def _next(self, path: str) -> int:
        """Return the number of a parameter's next update: it may have joined later than others."""
        before = self.steps - 1 if path in self.state else 0  # where state came without counts
        return self.counts.get(path, before) + 1

    def _check(self, path: str, p: Tensor) -> None:
        """Refuse a gradient, or a state from the steps before, of another shape."""
        if p.grad.shape != p.data.shape:  # type: ignore[union-attr]
            raise ShapeError(
                f"{path}: expected a gradient in the parameter's shape {p.shape}, got "
                f"{p.grad.shape}; set grad only to what backward computed"  # type: ignore[union-attr]
            )
        for array in self.state.get(path, {}).values():
            if array.shape != p.data.shape:
                raise ValueError(
                    f"expected {path} in the shape {array.shape} of the steps before, got "
                    f"{p.shape}; make a new optimizer for another network"
                )


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
