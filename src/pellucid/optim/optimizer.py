"""What an optimiser is: a starting state for each parameter, and a rule that moves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from pellucid import tree
from pellucid.arrays import Array
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
        named = parameters if isinstance(parameters, Mapping) else named_parameters(parameters)
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
            p.data, self.state[path] = self.update(p.data, p.grad, state, self.steps)


def named_parameters(parameters: Any) -> dict[str, Tensor]:
    """Return the tensors of a module, list or dictionary by path, each once."""
    found: dict[int, tuple[str, Tensor]] = {}
    for path, leaf in tree.walk(parameters):
        if isinstance(leaf, Tensor):
            found.setdefault(id(leaf), (path, leaf))
    return dict(found.values())


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
