"""`compile`: a function of tensors, traced once for each kind of arguments, then run natively."""

from __future__ import annotations

import gc
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from threading import get_ident
from typing import Any, TypeVar

import numpy as np

from pellucid import tree
from pellucid.arrays import Array
from pellucid.autograd import Tensor
from pellucid.compiler.arguments import (
    arrays_of,
    check_gradients,
    collected,
    skeleton,
    stacked,
    with_symbols,
)
from pellucid.compiler.bound import (
    Bound,
    Rebuild,
    Result,
    Spare,
    Traced,
    number,
    tracing,
    untraced,
)
from pellucid.compiler.cells import Cell, around, as_set, cells_of, is_stateful, outline
from pellucid.compiler.explain import Explanation, explain
from pellucid.compiler.graph import NEW, Graph
from pellucid.compiler.llvm.target import unavailable
from pellucid.compiler.passes import optimise
from pellucid.compiler.places import UnsupportedError
from pellucid.compiler.program import Program
from pellucid.compiler.threads import Guard, checked
from pellucid.compiler.trace import TraceError, alone, finished, input_symbol

T = TypeVar("T")
PROGRAMS = 16  # kept of one function: one for each kind of arguments


class Compiled:
    """A function that is traced at its first call with new kinds of arguments; see `compile`.

    >>> import pellucid
    >>> total = pellucid.Tensor(0.0)
    >>> def add(x):
    ...     total.data = total.data + x.data
    ...     return total
    >>> add = pellucid.compile(add, state=total)
    >>> add(pellucid.Tensor(2.0))
    Tensor(2.)
    >>> add.repeat(3, pellucid.Tensor(2.0))
    Tensor([4., 6., 8.])
    """

    def __init__(
        self, function: Callable[..., Any], state: Sequence[Any], native: bool, threads: int
    ) -> None:
        self.function, self.state, self.native = function, tuple(state), native
        self.threads = threads
        self._programs: OrderedDict[Any, Bound] = OrderedDict()
        self._spares: dict[str, Spare] = {}  # memory for new state, which all programs share
        self._guard = Guard()

    def __getstate__(self) -> Any:
        """Refuse to be copied or pickled: the state is that of this program alone."""
        raise TypeError(
            "expected no copy of a compiled function, which belongs to its state; copy the network "
            "and the optimizer, and compile a function of these"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function returns, and change the state as it does."""
        result = self.attempt(*args, **kwargs)
        result.commit()
        return result.value

    def repeat(self, steps: int, *args: Any, **kwargs: Any) -> Any:
        """Make many calls with the same arguments, each on the state that the one before left.

            losses = step.repeat(1000, x, y)  # (1000,)

        They are one call of native code: Python has no part in between.

        Returns:
            What the function returns, each array with an axis for the calls in front.

        Raises:
            ValueError: ``steps`` is no whole number of at least 1.
        """
        if not isinstance(steps, int | np.integer) or isinstance(steps, bool) or steps < 1:
            raise ValueError(f"expected steps to be a whole number of at least 1, got {steps!r}")
        bound = self.bound(*args, **kwargs)
        if bound.traced.program is None or not bound.steady:
            return stacked([self(*args, **kwargs) for _ in range(steps)])
        _, found = bound.repeat(int(steps), arrays_of(args, kwargs), along=[])
        return bound.traced.rebuild(found)

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
        arrays = arrays_of(args, kwargs)
        if get_ident() in tracing:
            raise TraceError("expected no call of a compiled function in another one's code")
        return self._guard.alone(self._bound, args, kwargs, arrays)

    def _bound(self, args: Any, kwargs: Any, arrays: Mapping[str, Array]) -> Bound:
        cells: Mapping[str, Cell] = cells_of(self.state)
        key = self._key(cells, arrays, args, kwargs)
        if key not in self._programs:
            key = uncollected(self._add, args, kwargs, arrays)
            cells = self._programs[key].cells  # tracing has made an optimiser's state
        self._programs.move_to_end(key)
        found = self._programs[key]
        if any(cell.owner is not found.cells[name].owner for name, cell in cells.items()):
            found = self._programs[key] = Bound(found.traced, cells, self._spares, self._guard)
        return found

    def explain(self, *args: Any, **kwargs: Any) -> Explanation:
        """Return how a call with such arguments becomes machine code; print it to read it.

        ``explain(...).measured()`` adds times, ``.llvm()`` and ``.assembly()`` return the code
        itself. It keeps the arguments, and the state as it is now.

        Raises:
            UnsupportedError: there is no native code for it yet; says why.
        """
        bound = self.bound(*args, **kwargs)
        traced = bound.traced
        if traced.program is None:
            raise UnsupportedError(f"expected a function that compiles: {traced.reason}")
        (_, before), *seen = traced.seen
        state = {name: number(cell.get()) for name, cell in bound.cells.items()}
        return explain(before, seen, traced.program, state | arrays_of(args, kwargs))

    def _add(self, args: Any, kwargs: Any, arrays: Mapping[str, Array]) -> Any:
        """Trace and compile the function for these arguments; return the key of the program."""
        put_back = as_set(self._reached())
        try:
            traced, cells, after = self._settled(args, kwargs, arrays)
        except BaseException:
            try:
                put_back()
            except BaseException:  # Ctrl-C: nothing is put back by half
                put_back()
                raise
            raise
        program = self._compiled(*traced)
        self._programs[after] = Bound(program, cells, self._spares, self._guard)
        if len(self._programs) > PROGRAMS:
            self._programs.popitem(last=False)
        return after

    def _settled(
        self, args: Any, kwargs: Any, arrays: Mapping[str, Array]
    ) -> tuple[tuple[Graph, Rebuild], dict[str, Cell], Any]:
        """Trace the function until that changes no setting; return the trace, cells, and key."""
        foreseen = self._foreseen()
        cells = cells_of(self.state)
        key = self._key(cells, arrays, args, kwargs)
        for _ in range(3 if foreseen else 2):  # what is made in the first call is there in the next
            traced, moved = None, set[str]()
            try:
                traced = untraced(alone, self._trace, cells, args, kwargs)
                moved.update(traced[0].outputs)
            except ValueError:  # it may be that memory was foreseen for another parameter
                if not foreseen:
                    raise
            finally:
                for number, paths in foreseen.items():
                    unmoved = [p for p in paths if f"{NEW}{number}.counts.{p}" not in moved]
                    self.state[number].forget(unmoved)
                foreseen = {}
            cells = cells_of(self.state)
            before, key = key, self._key(cells, arrays, args, kwargs)
            if traced and key == before:
                return traced, cells, key
        raise TraceError(
            "expected a function that changes nothing but tensors, got one that changes an "
            "attribute whenever it runs, such as a count of its calls; keep that in a tensor, or "
            "run the function without compiling it"
        )

    def _foreseen(self) -> dict[int, list[str]]:
        """Let optimisers make the memory that a step of the one network there will ask for.

        Return the paths of its parameters by the optimisers' places.
        """
        networks = [owner for owner in self.state if isinstance(owner, tree.Node)]
        if len(networks) != 1:
            return {}
        return {
            number: paths
            for number, owner in enumerate(self.state)
            if hasattr(owner, "foresee") and (paths := owner.foresee(*networks))
        }

    def _reached(self) -> list[Any]:
        """Return the state, and what else has any that the function reaches."""
        return list({id(x): x for x in (*self.state, *around(self.function))}.values())

    def _key(
        self, cells: Mapping[str, Cell], arrays: Mapping[str, Array], args: Any, kwargs: Any
    ) -> Any:
        """Return what a program depends on: shapes, dtypes, settings, modes such as training."""
        seen: dict[int, int] = {}
        return (
            tuple((name, a.shape, a.dtype) for name, a in arrays.items()),
            tuple((name, cell.weak or shape_of(cell.get())) for name, cell in cells.items()),
            tuple([mode(owner, seen) for owner in self.state]),
            skeleton(args),
            skeleton(kwargs),
        )

    def _trace(self, cells: Mapping[str, Cell], args: Any, kwargs: Any) -> tuple[Graph, Rebuild]:
        """Run the function on symbols; return what it asked for."""
        before = {name: cell.get() for name, cell in cells.items()}
        owners = self._reached()
        undo = [owner.traced() for owner in owners if is_stateful(owner)]
        tensors = {id(t): t for owner in owners for t in tensors_in(owner)}.values()
        kept = [(tensor, tensor.data, tensor.grad) for tensor in tensors]
        inputs = {
            name: input_symbol(name, np.float64(0) if cell.weak else before[name], cell.weak)
            for name, cell in cells.items()
        }
        inputs |= {n: input_symbol(n, array) for n, array in arrays_of(args, kwargs).items()}

        def put_all_back() -> None:
            tracing.discard(get_ident())
            for name, cell in cells.items():
                cell.set(before[name])
            for put_back in undo:
                put_back()
            for tensor, data, grad in kept:
                tensor.data, tensor.grad = data, grad

        try:
            tracing.add(get_ident())
            for name, cell in cells.items():
                cell.set(inputs[name])
            given = with_symbols(args, "arg", inputs)
            named = with_symbols(kwargs, "kwarg", inputs)
            value = self.function(*given, **named)
            check_gradients(dict(enumerate(given)) | named, value)
            check_state(kept, cells)
            outputs: dict[str, Any] = {
                NEW + name: cell.get()
                for name, cell in cells.items()
                if cell.get() is not inputs[name]
            }
            rebuild = collected(value, outputs)
        finally:
            try:
                put_all_back()
            except BaseException:  # Ctrl-C: no symbols are left behind
                put_all_back()
                raise
        return finished(inputs, outputs), rebuild

    def _compiled(self, graph: Graph, rebuild: Rebuild) -> Traced:
        seen = [("traced", graph)]
        graph = optimise(graph, lambda name, after: seen.append((name, after)))
        program, reason = None, "" if self.native else "native=False"
        if self.native and (reason := unavailable()):
            say_once(reason)
        elif self.native:
            try:
                state = [(name[len(NEW) :], name) for name in graph.outputs if name.startswith(NEW)]
                program = Program(graph, threads=self.threads, state=state)
            except UnsupportedError as error:
                reason = str(error)
        return Traced(graph, tuple(seen), rebuild, program, reason)


def compile(  # noqa: A001 - the word for it
    function: Callable[..., Any],
    state: Any = (),
    *,
    native: bool = True,
    threads: int | None = None,
) -> Compiled:
    """Return a function that computes the same, traced once and then run as native code.

    The function is run once on symbols for each new kind of arguments (shapes, dtypes, settings,
    training or evaluation): forward pass, backward pass and update become one program. What it
    reads and changes besides its arguments is named in ``state``; everything else that it looks at
    is taken as it was at that time. Arrays among the arguments become tensors. Gradients of the
    state's tensors are not kept, and none goes through the compiled function from outside: compile
    what computes the gradient, ``compile(grad(f))``, or the whole training step.

    Args:
        function: takes and returns tensors, arrays, numbers, and tuples, lists and dictionaries of
            them.
        state: networks, tensors and optimisers that the function uses, or one of them.
        native: whether to generate native code; otherwise, and where there is none for an
            operation yet, NumPy runs the graph.
        threads: how many share the work; by default one for each core. The results have the same
            bits for any number.

    Raises:
        TraceError: at the call: the function looks at values, for example with ``if loss > 1``,
            or changes or keeps what ``state`` does not name; says where.
        GraphError: at the call: the result depends on an argument that requires a gradient.
        TypeError: this is no function, or something in ``state`` has none.

    >>> import pellucid
    >>> from pellucid import optim
    >>> w, sgd = pellucid.Tensor([4.0], requires_grad=True), optim.SGD(lr=0.25)
    >>> def descend():
    ...     w.grad = None
    ...     loss = (w * w).sum()
    ...     loss.backward()
    ...     sgd.step([w])  # w - 0.25 * 2 w = w / 2
    ...     return loss
    >>> step = pellucid.compile(descend, state=[w, sgd])
    >>> step(), step(), w
    (Tensor(16.), Tensor(4.), Tensor([1.], requires_grad=True))
    """
    if not callable(function):
        raise TypeError(f"expected a function to compile, got {type(function).__name__}")
    several = state if isinstance(state, list | tuple) else [state]
    for owner in several:
        cells_of([owner])
    return Compiled(function, several, native, checked(threads))


def uncollected(function: Callable[..., T], *args: Any) -> T:
    """Return what a function returns, with Python's collector of cycles kept out of it.

    A growing graph has none to be found, and looking for them was a sixth of the time in which the
    step of a network with eighty layers was traced and compiled.
    """
    was_on = gc.isenabled()
    try:
        gc.disable()
        return function(*args)
    finally:
        if was_on:
            gc.enable()


@cache
def say_once(reason: str) -> None:
    """Warn that there is no native code on this machine, once in a process."""
    warnings.warn(f"NumPy computes everything, which is slower: {reason}", stacklevel=2)


def shape_of(x: Array) -> Any:
    """Return the shape and dtype of an array."""
    return x.shape, x.dtype


def mode(owner: Any, seen: dict[int, int]) -> Any:
    """Return what the program of an owner depends on besides its arrays; see `outline`."""
    return owner.settings() if is_stateful(owner) else outline(owner, seen)


def check_state(kept: Sequence[tuple[Tensor, Any, Any]], cells: Mapping[str, Cell]) -> None:
    """Refuse a change of a tensor that is no state: it would be made once, while tracing.

    Raises:
        TraceError: says of what shape it is.
    """
    known = {id(cell.owner) for cell in cells.values()}
    for tensor, before, _ in kept:
        if tensor.data is not before and id(tensor) not in known:
            raise TraceError(
                "expected all that the function changes in state=, got one that changes a tensor "
                f"{before.dtype}{list(before.shape)} which is not there, such as a parameter or a "
                "layer's statistics; name the network or the tensor, "
                "pellucid.compile(function, state=[network, optimizer])"
            )


def tensors_in(owner: Any) -> list[Tensor]:
    """Return the tensors of an object."""
    return [] if is_stateful(owner) else list(tree.find(owner, Tensor).values())
