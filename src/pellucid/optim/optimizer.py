"""What an optimiser is: a starting state for each parameter, and a rule that moves it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self, TypeAlias, TypedDict
from weakref import ref

import numpy as np

from pellucid import tree
from pellucid.arrays import Array, DType, Shape, namespace
from pellucid.autograd import Tensor
from pellucid.calls import Helpful
from pellucid.compiler.cells import Cell, outline
from pellucid.compiler.trace import Symbol, TraceError
from pellucid.errors import ShapeError
from pellucid.optim import groups as grouping
from pellucid.optim.checks import Rate, is_number, learning_rate, positive, without_parameters
from pellucid.optim.clipping import clip_by_global_norm, clip_by_value
from pellucid.optim.groups import Group

State: TypeAlias = dict[str, Array]


class Snapshot(NamedTuple):
    """The memory of an optimiser at one time; its arrays are those of that time, never changed."""

    steps: int
    counts: dict[str, int]
    state: dict[str, State]


class Common(TypedDict, total=False):
    """The arguments that all optimisers have besides their own; see `Optimizer`."""

    groups: Sequence[Group]
    clip_value: float | None
    clip_norm: float | None


class Optimizer(Helpful):
    """The base of optimisers; each defines `init` and `update` over plain arrays.

    `step` is all a training loop calls. The state of each parameter is kept in ``state`` and the
    number of its updates in ``counts``, both under its dotted path; ``steps`` counts the steps
    taken. Every rate is multiplied by ``scale``, 1 at first, which `ReduceLROnPlateau` lowers.

    An optimiser stays with the parameters it has moved: what it remembers of them is of no use to
    another network, see `reset`. Its copy goes with a copy of them.

    Args:
        lr: learning rate, a positive number, or a function of the step number (1, 2, ...) that
            gives it, such as those in `pellucid.optim.schedules`. It may be set anew at any time.
        groups: settings that differ for some parameters; see `Group`.
        clip_value: cut each element of a gradient to [-clip_value, clip_value] before the update.
        clip_norm: scale all gradients of a step so that their norm over all parameters together is
            at most this; after ``clip_value``. ``grad`` of the parameters keeps what backward
            computed in both cases. See `clip_by_global_norm` for what is not finite.

    Raises:
        ValueError: a setting is out of range, or a group sets what the optimiser does not have.
        TypeError: parameters are given; they belong to `step`.

    >>> import numpy as np
    >>> import pellucid
    >>> from pellucid import optim
    >>> class SignDescent(optim.Optimizer):
    ...     def update(self, param, grad, state, step):
    ...         return param - self.rate() * np.sign(grad), state
    >>> w = pellucid.Tensor([3.0, -5.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> SignDescent(0.5).step([w])
    >>> w.tolist()
    [2.5, -4.5]
    """

    def __init__(
        self,
        lr: Rate,
        *,
        groups: Sequence[Group] = (),
        clip_value: float | None = None,
        clip_norm: float | None = None,
    ) -> None:
        self._names = ("lr", *(name for name in vars(self) if name[0] != "_"))
        self.lr = learning_rate(lr)
        self.check()
        self.scale = 1.0
        self.clip_value = (
            None if clip_value is None else positive("clip_value", clip_value, "try 1")
        )
        self.clip_norm = None if clip_norm is None else positive("clip_norm", clip_norm, "try 1")
        self.steps = 0
        self.state: dict[str, State] = {}
        self.counts: dict[str, int] = {}
        self._owners: dict[str, tuple[ref[Tensor], ref[Array], Shape]] = {}
        self._members: dict[str, tuple[int, ...]] = {}  # the groups each path is in
        self.groups = grouping.checked(groups, type(self).__name__, self._names)
        for i, group in enumerate(self.groups):
            variant = self._with((i,))
            variant.check()
            settings = {name: getattr(variant, name) for name in group.settings}
            self.groups[i] = Group(group.which, **settings)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = without_parameters(cls.__init__)  # type: ignore[method-assign]

    # what each optimiser defines

    def check(self) -> None:
        """Refuse settings that are out of range; attributes are set before ``super().__init__``."""

    def init(self, param: Array) -> State:
        """Return the state a parameter starts with."""
        return {}

    def update(self, param: Array, grad: Array, state: State, step: int) -> tuple[Array, State]:
        """Return the new parameter and its new state; ``step`` counts its updates from 1.

        For the parameters of a group it is called on a copy of the optimiser that has the group's
        settings.
        """
        raise TypeError(f"{type(self).__name__} has no update(); define it in the class")

    # what a training loop calls

    def rate(self, step: int | None = None) -> Any:
        """Return the learning rate of a step, by default of the one being taken.

        Raises:
            ValueError: it is something else than a finite number of at least 0.
        """
        return self._base_rate(self.steps if step is None else step) * self.scale

    def step(self, parameters: Any) -> None:
        """Move every parameter that has a gradient, once.

        Args:
            parameters: a module, or a list or dictionary of tensors; always the same, since the
                state of each is known by its path.

        Raises:
            ValueError: no parameter has a gradient: ``backward`` was not called, or nothing
                requires one; or a parameter is another one than in the steps before; or a group's
                pattern matches no path in the first step.
            ShapeError: a gradient has another shape than its parameter.
        """
        named = tree.find(parameters, Tensor)
        moving = {path: p for path, p in named.items() if p.grad is not None and p.requires_grad}
        if not moving:
            raise ValueError(
                "expected parameters with a gradient, got none; call loss.backward() before "
                "optimizer.step(network), and create parameters with requires_grad=True"
            )
        states = {path: self._memory(path, p) for path, p in moving.items()}
        if self.groups and not self._members.keys() >= moving.keys():
            self._members |= grouping.members(self.groups, named, self._members)
        self.steps += 1
        try:
            rules, grads = self._rules(moving), self._clipped(moving)
            counts = {path: self._next(path) for path in moving}
            moved = {}
            for path, p in moving.items():
                grad = grads[path] if grads else _as(p.grad, p.data.dtype)
                rule = rules.get(path, self)
                moved[path] = rule._moved(p.data, grad, states[path], counts[path])
        except BaseException:
            self.steps -= 1  # nothing has moved
            raise
        for path, p in moving.items():  # all or, if interrupted above, none
            p.data, self.state[path] = moved[path]
            self._owners[path] = ref(p), ref(p.data), p.shape
        self.counts |= counts

    # memory

    def snapshot(self) -> Snapshot:
        """Return what the optimiser remembers now, for `restore`; nothing is copied."""
        return Snapshot(self.steps, dict(self.counts), dict(self.state))

    def restore(self, snapshot: Snapshot) -> None:
        """Undo the steps since then, for parameters that are put back as well."""
        self.steps = snapshot.steps
        self.counts, self.state = dict(snapshot.counts), dict(snapshot.state)

    def cells(self) -> dict[str, Cell]:
        """Return what a compiled step reads and writes: counts, rates, moments of parameters.

        So a new number for ``lr`` needs no new program; a new schedule does.
        """

        def count(path: str) -> Cell:
            def write(value: Any) -> None:
                self.counts[path] = whole(value)

            return Cell(lambda: self.counts[path], write, self, weak=True)

        def steps(value: Any) -> None:
            self.steps = whole(value)

        def moment(path: str, name: str) -> Cell:
            def write(value: Any) -> None:
                self.state[path] = self.state[path] | {name: value}

            return Cell(lambda: self.state[path][name], write, self)

        def scale(value: Any) -> None:
            self.scale = value

        def rate(value: Any) -> None:
            self.lr = value

        found = {"steps": Cell(lambda: self.steps, steps, self, weak=True)}
        found["scale"] = Cell(lambda: self.scale, scale, self, weak=True)
        if not callable(self.lr):
            found["lr"] = Cell(lambda: self._base_rate(self.steps), rate, self, weak=True)
        found |= {f"counts.{path}": count(path) for path in self.counts}
        for path, arrays in self.state.items():
            found |= {f"state.{path}.{name}": moment(path, name) for name in arrays}
        return found

    def settings(self) -> tuple[Any, ...]:
        """Return what a compiled step takes as it is when it is traced."""
        inputs = ["steps", "scale", "counts", "state", *([] if callable(self.lr) else ["lr"])]
        own = {n: x for n, x in vars(self).items() if n[0] != "_" and n not in inputs}
        groups = [(group.which, group.settings) for group in self.groups]
        found: tuple[Any, ...] = outline(own | {"groups": groups})
        return found

    def traced(self) -> Callable[[], None]:
        """Return what undoes a step that was made on symbols.

        Parameters that it moved for the first time have their starting state afterwards.
        """
        before, owners, members = self.snapshot(), dict(self._owners), dict(self._members)
        self.restore(before)  # into new dictionaries: who holds the old ones sees no symbols

        def undo() -> None:
            moved = {p: self._owners[p][0] for p in self.state if p not in before.state}
            self.restore(before)
            self._owners, self._members = dict(owners), members
            self._begin({path: p for path, tensor in moved.items() if (p := tensor()) is not None})

        return undo

    def foresee(self, network: Any) -> list[str]:
        """Make the starting state of a network's parameters, if there is no state yet.

        Then a step can be traced with all that it will read. Return the paths; those that do not
        move in it are to be forgotten. There are none if one of the parameters is refused, which
        need not be among those that a step moves.
        """
        if self.state or self.counts:
            return []
        parameters = {p: t for p, t in tree.find(network, Tensor).items() if t.requires_grad}
        try:
            self._begin(parameters)
        except Exception:  # whatever `init` of somebody's own optimiser raises
            return []
        return list(parameters)

    def forget(self, paths: Iterable[str]) -> None:
        """Forget parameters, as if they had never been moved."""
        for path in paths:
            for known in (self.state, self.counts, self._owners):
                known.pop(path, None)

    def reset(self) -> Self:
        """Forget every step, as if newly made, so that another network can be trained."""
        self.steps, self.scale = 0, 1.0
        self.state, self.counts, self._owners, self._members = {}, {}, {}, {}
        return self

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of all that the optimiser remembers, in plain dictionaries.

        That is ``steps``, ``scale``, ``counts`` and ``state``; settings are not part of it.
        """
        state = {
            path: {name: np.array(array) for name, array in arrays.items()}
            for path, arrays in self.state.items()
        }
        return {
            "steps": self.steps,
            "scale": self.scale,
            "counts": dict(self.counts),
            "state": state,
        }

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned, for the parameters of the next step.

        They may be those of a network that was loaded from a file. Shapes are compared then.

        Raises:
            ValueError: an entry is missing or unexpected; nothing is changed then.
        """
        expected = self.state_dict()
        if saved.keys() != expected.keys():
            raise ValueError(
                f"expected the entries {', '.join(expected)}, got {', '.join(map(str, saved))}; "
                "pass what state_dict() of the same kind of optimizer returned"
            )
        state = {
            path: {name: np.array(array) for name, array in arrays.items()}
            for path, arrays in saved["state"].items()
        }
        self.reset()
        self.steps, self.scale, self.state = int(saved["steps"]), float(saved["scale"]), state
        self.counts = {path: int(count) for path, count in saved["counts"].items()}

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy takes over: not whose the state is, for that is copied as well."""
        return vars(self) | {"_owners": {}}

    def __repr__(self) -> str:
        common = [name for name in ("groups", "clip_value", "clip_norm") if getattr(self, name)]
        shown = (f"{name}={getattr(self, name)!r}" for name in (*self._names, *common))
        return f"{type(self).__name__}({', '.join(shown)})"

    # how

    def _begin(self, parameters: Mapping[str, Tensor]) -> None:
        """Give parameters the state that they start with."""
        self.state = self.state | {path: self.init(p.data) for path, p in parameters.items()}
        self.counts = self.counts | dict.fromkeys(parameters, 0)
        self._owners = self._owners | {
            path: (ref(p), ref(p.data), p.shape) for path, p in parameters.items()
        }

    def _base_rate(self, step: int) -> Any:
        """Return the learning rate of a step before it is scaled, a number or a symbol."""
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

    def _with(self, places: tuple[int, ...]) -> Self:
        """Return a copy that has the settings of the groups at these places."""
        variant = copy.copy(self)
        for place in places:
            vars(variant).update(self.groups[place].settings)
        return variant

    def _rules(self, moving: Mapping[str, Tensor]) -> dict[str, Optimizer]:
        """Return the optimisers of the paths that are in a group; parameters alike share one."""
        places = {path: at for path in moving if (at := self._members.get(path))}
        variants = {at: self._with(at) for at in set(places.values())}
        return {path: variants[at] for path, at in places.items()}

    def _clipped(self, moving: Mapping[str, Tensor]) -> dict[str, Array]:
        """Return the gradients in the parameters' dtype, clipped; none where nothing is to clip."""
        if self.clip_value is None and self.clip_norm is None:
            return {}
        grads = {path: _as(p.grad, p.data.dtype) for path, p in moving.items()}
        if self.clip_value is not None:
            grads = clip_by_value(grads, self.clip_value)
        if self.clip_norm is not None:
            grads, _ = clip_by_global_norm(grads, self.clip_norm)
        return grads

    def _moved(
        self, param: Array, grad: Array, state: State | None, count: int
    ) -> tuple[Array, State]:
        """Return a parameter after its update, and its new state."""
        state = self.init(param) if state is None else state
        new, state = self.update(param, grad, state, count)
        return namespace(param).asarray(new), state  # asarray: NumPy makes one number a scalar

    def _next(self, path: str) -> int:
        """Return the number of a parameter's next update: it may have joined later than others."""
        before = self.steps - 1 if path in self.state else 0  # where state came without counts
        return self.counts.get(path, before) + 1

    def _memory(self, path: str, p: Tensor) -> State | None:
        """Return the state of a parameter, None before its first update.

        A gradient of another shape is refused, and a parameter that the state is not of.
        """
        if isinstance(p.grad, Symbol):
            self._check_traced(p)
        if p.grad.shape != p.data.shape:  # type: ignore[union-attr]
            raise ShapeError(
                f"{path}: expected a gradient in the parameter's shape {p.shape}, got "
                f"{p.grad.shape}; set grad only to what backward computed"  # type: ignore[union-attr]
            )
        state = self.state.get(path)
        tensor, data, known = self._owners.get(path, (None, None, None))
        if state is None or (data is not None and data() is p.data):  # as the last step left it
            return state
        shapes = [known or array.shape for array in state.values()]
        for shape in shapes:  # () is one number for all elements
            if shape not in ((), p.data.shape):
                raise ValueError(
                    f"expected {path} in the shape {shape} of the steps before, got "
                    f"{p.shape}; make a new optimizer for another network"
                )
        if tensor is not None and tensor() is not p and (state or callable(self.lr)):
            raise ValueError(
                f"expected {path} to be the tensor of the steps before, got another one; make a "
                "new optimizer for another network, call optimizer.reset() to start afresh, or "
                "optimizer.load_state_dict(optimizer.state_dict()) to go on with what it remembers"
            )
        return {name: _as(array, p.data.dtype) for name, array in state.items()}

    def _check_traced(self, p: Tensor) -> None:
        """Refuse to be traced where the compiled function's ``state`` does not name both."""
        for missing, there in (("the network", p.data), ("the optimizer", self.steps)):
            if not isinstance(there, Symbol):
                raise TraceError(
                    f"expected {missing} among the state of the function that is compiled, got a "
                    f"step of {type(self).__name__} without it; name both, "
                    "pellucid.compile(function, state=[network, optimizer])"
                )


def whole(value: Any) -> Any:
    """Return a count, which programs keep as a float; symbols as they are."""
    return int(value) if isinstance(value, float) else value


def _as(array: Array, dtype: DType) -> Array:
    """Return the array in a dtype, itself if it has it."""
    return array if array.dtype == dtype else namespace(array).astype(array, dtype)
