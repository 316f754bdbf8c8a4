"""`compile`: a function of tensors, traced once for each kind of arguments, then run natively."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import tree
from pellucid.arrays import Array
from pellucid.autograd import Tensor
from pellucid.compiler.cells import Cell, cells_of, is_stateful
from pellucid.compiler.explain import Explanation, explain
from pellucid.compiler.graph import Graph
from pellucid.compiler.interpret import interpret
from pellucid.compiler.llvm.target import unavailable
from pellucid.compiler.passes import optimise
from pellucid.compiler.program import Program
from pellucid.compiler.schedule import UnsupportedError
from pellucid.compiler.trace import Symbol, TraceError, finished, input_symbol

Rebuild = Callable[[Mapping[str, Array]], Any]
PROGRAMS = 16  # kept of one function: one for each kind of arguments


@dataclass(frozen=True)
class Traced:
    """One traced call: the graph, what runs it, and how its results are put together again."""

    graph: Graph
    seen: tuple[tuple[str, Graph], ...]
    run: Callable[[Mapping[str, Array]], dict[str, Array]]
    rebuild: Rebuild
    program: Program | None
    reason: str  # why there is no native code, if there is none


@dataclass(frozen=True)
class Result:
    """What a call computed, and the new state, which `commit` puts into its place."""

    value: Any
    state: Mapping[str, Array]
    cells: Mapping[str, Cell]

    def commit(self) -> None:
        """Take over the new state."""
        for name, cell in self.cells.items():
            cell.set(self.state[name].item() if cell.weak else self.state[name])


@dataclass(frozen=True)
class Bound:
    """A program and the state that it reads and writes."""

    traced: Traced
    cells: Mapping[str, Cell]

    def attempt(self, *args: Any, **kwargs: Any) -> Result:
        """Return what a call computes, without changing the state."""
        inputs = {name: number(cell.get()) for name, cell in self.cells.items()}
        found = self.traced.run(inputs | arrays_of(args, kwargs))
        state = {name: found[f"new {name}"] for name in self.cells}
        return Result(self.traced.rebuild(found), state, self.cells)


class Compiled:
    """A function that is traced at its first call with new kinds of arguments; see `compile`."""

    def __init__(self, function: Callable[..., Any], state: Sequence[Any], native: bool) -> None:
        self.function, self.state, self.native = function, tuple(state), native
        self._programs: OrderedDict[Any, Traced] = OrderedDict()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function returns, and change the state as it does."""
        result = self.attempt(*args, **kwargs)
        result.commit()
        return result.value

    def attempt(self, *args: Any, **kwargs: Any) -> Result:
        """Return what a call computes, without changing the state.

        Raises:
            TraceError: the function looks at values while it is traced.
        """
        return self.bound(*args, **kwargs).attempt(*args, **kwargs)

    def bound(self, *args: Any, **kwargs: Any) -> Bound:
        """Return the program for arguments like these, bound to the state there is now.

        Calling it saves looking for what has changed. It is good for as long as only values do:
        not the network's layers, the optimiser's settings, or the shapes of arguments.
        """
        cells, arrays = cells_of(self.state), arrays_of(args, kwargs)
        key = self._key(cells, arrays, args, kwargs)
        if key not in self._programs:
            self._add(args, kwargs, arrays)
            cells = cells_of(self.state)  # the first step has made an optimiser's state
            key = self._key(cells, arrays, args, kwargs)
        self._programs.move_to_end(key)
        return Bound(self._programs[key], cells)

    def explain(self, *args: Any, **kwargs: Any) -> Explanation:
        """Return how a call with such arguments becomes machine code; print it to read it.

        Raises:
            UnsupportedError: there is no native code for it yet; says why.
        """
        traced = self.bound(*args, **kwargs).traced
        if traced.program is None:
            raise UnsupportedError(f"expected a function that compiles: {traced.reason}")
        (_, before), *seen = traced.seen
        return explain(before, seen, traced.program)

    def _add(self, args: Any, kwargs: Any, arrays: Mapping[str, Array]) -> None:
        """Trace and compile the function for these arguments."""
        key = self._key(cells_of(self.state), arrays, args, kwargs)
        traced = self._trace(args, kwargs)
        after = self._key(cells_of(self.state), arrays, args, kwargs)
        if after != key:
            traced = self._trace(args, kwargs)
        self._programs[after] = self._compiled(*traced)
        if len(self._programs) > PROGRAMS:
            self._programs.popitem(last=False)

    def _key(
        self, cells: Mapping[str, Cell], arrays: Mapping[str, Array], args: Any, kwargs: Any
    ) -> Any:
        """Return what a program depends on: shapes, dtypes, settings, modes such as training."""
        return (
            tuple((name, a.shape, a.dtype) for name, a in arrays.items()),
            tuple((name, cell.weak or shape_of(cell.get())) for name, cell in cells.items()),
            tuple(map(mode, self.state)),
            skeleton(args),
            skeleton(kwargs),
        )

    def _trace(self, args: Any, kwargs: Any) -> tuple[Graph, Rebuild]:
        """Run the function on symbols; return what it asked for."""
        cells = cells_of(self.state)
        before = {name: cell.get() for name, cell in cells.items()}
        undo = [owner.traced() for owner in self.state if is_stateful(owner)]
        tensors = [t for owner in self.state for t in tensors_in(owner)]
        gradients = [t.grad for t in tensors]
        inputs = {
            name: input_symbol(name, np.float64(0) if cell.weak else before[name], cell.weak)
            for name, cell in cells.items()
        }
        inputs |= {n: input_symbol(n, array) for n, array in arrays_of(args, kwargs).items()}
        try:
            for name, cell in cells.items():
                cell.set(inputs[name])
            given, named = with_symbols(args, kwargs, inputs)
            value = self.function(*given, **named)
            outputs: dict[str, Any] = {f"new {name}": cell.get() for name, cell in cells.items()}
            rebuild = collected(value, outputs)
        finally:
            for name, cell in cells.items():
                cell.set(before[name])
            for put_back in undo:
                put_back()
            for tensor, grad in zip(tensors, gradients, strict=True):
                tensor.grad = grad
        return finished(inputs, outputs), rebuild

    def _compiled(self, graph: Graph, rebuild: Rebuild) -> Traced:
        seen = [("traced", graph)]
        graph = optimise(graph, lambda name, after: seen.append((name, after)))
        program, reason = None, "" if self.native else "native=False"
        if self.native and not (reason := unavailable()):
            try:
                program = Program(graph)
            except UnsupportedError as error:
                reason = str(error)
        run = program if program is not None else lambda inputs: interpret(graph, inputs)
        return Traced(graph, tuple(seen), run, rebuild, program, reason)


def compile(  # noqa: A001 - the word for it
    function: Callable[..., Any], state: Any = (), *, native: bool = True
) -> Compiled:
    """Return a function that computes the same, traced once and then run as native code.

        step = pellucid.compile(train_step, state=[network, optimizer])
        loss = step(x, y)

    The function is run once on symbols for each new kind of arguments (shapes, dtypes, settings,
    training or evaluation): forward pass, backward pass and update become one program. What it
    reads and changes besides its arguments is named in ``state``; everything else that it looks at
    is taken as it was at that time. Arrays among the arguments become tensors. Gradients of the
    state's tensors are not kept.

    Args:
        function: takes and returns tensors, arrays, numbers, and tuples, lists and dictionaries of
            them.
        state: networks, tensors and optimisers that the function uses, or one of them.
        native: whether to generate native code; otherwise, and where there is none for an
            operation yet, NumPy runs the graph.

    Raises (at the call):
        TraceError: the function looks at values, for example with ``if loss > 1``; says where.
    """
    several = state if isinstance(state, list | tuple) else [state]
    for owner in several:
        cells_of([owner])
    return Compiled(function, several, native)


def number(x: Any) -> Array:
    """Return state as an array: counts and scales are float64."""
    return x if isinstance(x, np.ndarray) else np.array(x, np.float64)


def shape_of(x: Array) -> Any:
    """Return the shape and dtype of an array."""
    return x.shape, x.dtype


def mode(owner: Any) -> Any:
    """Return what the program of an owner depends on besides its arrays."""
    if is_stateful(owner):
        return owner.settings()
    nodes = tree.find(owner, tree.Node).values()
    return tuple(getattr(node, "training", None) for node in nodes)


def tensors_in(owner: Any) -> list[Tensor]:
    """Return the tensors of an object."""
    return [] if is_stateful(owner) else list(tree.find(owner, Tensor).values())


def is_array(x: Any) -> bool:
    """Whether this becomes an input of the program."""
    return isinstance(x, Tensor | np.ndarray | np.generic)


def arrays_of(args: Any, kwargs: Any) -> dict[str, Array]:
    """Return the arrays among arguments by name: their place."""
    found: dict[str, Array] = {}

    def visit(x: Any, name: str) -> None:
        if isinstance(x, Symbol) or (isinstance(x, Tensor) and isinstance(x.data, Symbol)):
            raise TraceError("expected arrays, got symbols: a compiled function cannot be traced")
        if is_array(x):
            found[name] = np.asarray(x.data if isinstance(x, Tensor) else x)
        elif isinstance(x, list | tuple):
            for i, part in enumerate(x):
                visit(part, f"{name}.{i}")
        elif isinstance(x, dict):
            for key, part in x.items():
                visit(part, f"{name}.{key}")

    visit(args, "arg")
    visit(kwargs, "kwarg")
    return found


def skeleton(x: Any) -> Any:
    """Return arguments without their arrays: what else a program depends on."""
    if is_array(x):
        return Tensor
    if isinstance(x, list | tuple):
        return type(x).__name__, tuple(skeleton(part) for part in x)
    if isinstance(x, dict):
        return tuple((key, skeleton(part)) for key, part in x.items())
    try:
        hash(x)
    except TypeError:
        raise TypeError(
            f"expected arrays, tensors and settings as arguments, got {type(x).__name__}; name "
            "what the function changes in state="
        ) from None
    return type(x).__name__, x


def with_symbols(args: Any, kwargs: Any, inputs: Mapping[str, Symbol]) -> tuple[Any, Any]:
    """Return the arguments with a tensor of symbols in the place of each array."""

    def visit(x: Any, name: str) -> Any:
        if is_array(x):
            wants = isinstance(x, Tensor) and x.requires_grad
            return Tensor(inputs[name], requires_grad=wants)
        if isinstance(x, list | tuple):
            return type(x)(visit(part, f"{name}.{i}") for i, part in enumerate(x))
        if isinstance(x, dict):
            return {key: visit(part, f"{name}.{key}") for key, part in x.items()}
        return x

    return visit(args, "arg"), visit(kwargs, "kwarg")


def collected(value: Any, outputs: dict[str, Any]) -> Callable[[Mapping[str, Array]], Any]:
    """Add what a function returned to the outputs; return what puts it together again."""

    def visit(x: Any, name: str) -> Callable[[Mapping[str, Array]], Any]:
        if isinstance(x, Tensor | Symbol | np.ndarray):
            outputs[name] = x.data if isinstance(x, Tensor) else x
            wrap = Tensor if isinstance(x, Tensor) else np.asarray
            return lambda found: wrap(found[name])
        if isinstance(x, list | tuple):
            kind, parts = type(x), [visit(part, f"{name}.{i}") for i, part in enumerate(x)]
            return lambda found: kind(part(found) for part in parts)
        if isinstance(x, dict):
            members = {key: visit(part, f"{name}.{key}") for key, part in x.items()}
            return lambda found: {key: part(found) for key, part in members.items()}
        return lambda found: x

    return visit(value, "out")
