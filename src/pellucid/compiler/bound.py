"""A program bound to the state it reads and writes.

Nothing is copied from step to step: a program reads the arrays that hold the state and writes the
new one into others, which take their place when the step is taken over. The arrays that are free
then are written by the next step, unless somebody else holds one: whoever kept the weights of an
hour ago has them as they were.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.arrays import Array
from pellucid.compiler.arguments import arrays_of
from pellucid.compiler.cells import Cell
from pellucid.compiler.frame import Frame, Memory, Pages, address, aligned_array
from pellucid.compiler.graph import NEW, Graph, Node
from pellucid.compiler.interpret import interpret
from pellucid.compiler.program import Program, fitting
from pellucid.compiler.threads import Guard

Rebuild = Callable[[Mapping[str, Array]], Any]
Spare = tuple[Array, int]  # an array that may be written, and its address
untraced = Guard().alone  # calls what looks at state, or traces: not two at once
tracing: set[int] = set()  # threads that trace


@dataclass(frozen=True)
class Traced:
    """One traced call: the graph, what runs it, and how its results are put together again.

    Without a ``program``, for the ``reason`` given, NumPy runs the graph.
    """

    graph: Graph
    seen: tuple[tuple[str, Graph], ...]
    rebuild: Rebuild
    program: Program | None
    reason: str


@dataclass(eq=False)
class Slot:
    """A piece of state: its cell, the value that was there last, and the array that holds it.

    The array stands beside its address, which takes longer to ask for than to remember; both change
    at once, since Ctrl-C may come at any time.
    """

    name: str
    cell: Cell
    read: Node
    written: Any  # a node, None if it never changes
    value: Any = None
    held: tuple[Any, int] = (None, 0)  # no array before the first call

    @property
    def array(self) -> Any:
        """The array that holds it."""
        return self.held[0]


@dataclass(frozen=True)
class Result:
    """What a call computed, and the new state, which `commit` puts into its place."""

    value: Any
    state: Mapping[str, Array]
    bound: Bound
    places: Mapping[str, int]  # the addresses of what is new

    def commit(self) -> None:
        """Take over the new state."""
        self.bound.take_over(self.state, self.places)


class Bound:
    """A program and the state that it reads and writes.

    ``spares`` are arrays by the name of their cell that may be written, with their addresses.
    Programs that have these and their state in common share a ``guard``.
    """

    def __init__(
        self, traced: Traced, cells: Mapping[str, Cell], spares: dict[str, Spare], guard: Guard
    ) -> None:
        self.traced, self.cells, self._spares, self._guard = traced, cells, spares, guard
        program = traced.program
        if program is None:
            return
        self._frame, self._overlaid = Frame(program.layout), program.overlaid
        inputs, outputs = program.graph.inputs, program.graph.outputs
        self._slots = {
            name: Slot(name, cell, inputs[name], outputs.get(NEW + name))
            for name, cell in cells.items()
        }
        self._changing = [slot for slot in self._slots.values() if slot.written is not None]
        self._arguments = {name: node for name, node in inputs.items() if name not in cells}
        self.results = {name: n for name, n in outputs.items() if not name.startswith(NEW)}

    @property
    def steady(self) -> bool:
        """Whether all new state has the shape and dtype of the old, as `repeat` needs it."""
        return all(alike(slot.read, slot.written) for slot in self._changing)

    def attempt(self, *args: Any, **kwargs: Any) -> Result:
        """Return what a call computes, without changing the state."""
        return self._guard.alone(self._attempt, arrays_of(args, kwargs))

    def repeat(
        self, steps: int, given: Mapping[str, Array], along: Sequence[str], status: str = ""
    ) -> tuple[int, dict[str, Array]]:
        """Make many calls, each on the state that the one before left; take over the last.

        Python has no part in it, and nearly all new state is written over the old. Arguments named
        in ``along`` have an element for each call in front, and so have all results, by name. It
        ends before a call for which the result ``status`` would be false: that call's results are
        there, its state is not taken over.

        Returns:
            How many calls changed the state, and the results.

        Raises:
            ValueError: the new state is of another shape or dtype than the old; see `steady`.
        """
        if not self.steady:
            raise ValueError(
                "expected new state of the shapes and dtypes of the old, got a function that "
                "changes them; call it step by step"
            )
        return self._guard.alone(self._repeat, steps, given, along, status)

    def take_over(self, state: Mapping[str, Array], places: Mapping[str, int]) -> None:
        """Put new state into its place, and keep the arrays of the old one for the next call."""
        self._guard.alone(self._take_over, state, places)

    def _attempt(self, given: Mapping[str, Array]) -> Result:
        if self.traced.program is None:
            return self._interpreted(given)
        untraced(self._look)
        arguments = self._point(given)
        found = {name: np.empty(n.shape, n.dtype) for name, n in self.results.items()}
        for name, array in found.items():
            self._frame.point(self.results[name], array)
        state, places = {}, {}
        for slot in self._changing:
            state[slot.name], place = self._spare(slot)
            places[slot.name] = place
            self._frame.point_to(slot.written, place)
        self._frame.run()
        del arguments
        return Result(self.traced.rebuild(found), state, self, places)

    def _repeat(
        self, steps: int, given: Mapping[str, Array], along: Sequence[str], status: str
    ) -> tuple[int, dict[str, Array]]:
        untraced(self._look)
        state = {slot.name: self._spare(slot)[0] for slot in self._changing}
        found = {name: np.empty((steps, *n.shape), n.dtype) for name, n in self.results.items()}
        made = self._loop(steps, given, along, state, found, status)
        if made < steps:  # the last one may have written over the state: go there again
            self._loop(made, given, along, state, found, status)
        if made:
            self._take_over(state, {})
        return made, found

    def _loop(
        self,
        steps: int,
        given: Mapping[str, Array],
        along: Sequence[str],
        state: dict[str, Array],
        found: Mapping[str, Array],
        status: str,
    ) -> int:
        """Run so many steps from the state there is; return how many of them ended well.

        The new state comes into the arrays of ``state``, or others that take their place there.
        """
        if not steps:
            return 0
        moving = {name: np.ascontiguousarray(given[name]) for name in along}
        first = {name: array[0, ...] for name, array in moving.items()}
        arguments = self._point({**given, **first})
        moves = {self._arguments[name]: array.nbytes for name, array in first.items()}
        for name, array in found.items():
            self._frame.point(self.results[name], array)
            moves[self.results[name]] = array[0].nbytes if name != status else 0
        seconds: dict[str, Array] = {}
        pairs = []
        for slot in self._changing:
            new = array = state[slot.name]
            np.copyto(array, slot.array)
            if slot.written not in self._overlaid:
                new = seconds[slot.name] = aligned_array(array.shape, array.dtype)
                pairs.append((slot.read, slot.written))
            slot.value = None  # it is to be looked for again: the program now reads elsewhere
            self._frame.point(slot.read, array)
            self._frame.point(slot.written, new)
        made = self._frame.repeat(steps, moves, pairs, self.results[status] if status else None)
        if made % 2:
            state |= seconds
        del arguments, moving
        return made

    def _take_over(self, state: Mapping[str, Array], places: Mapping[str, int]) -> None:
        try:
            self._put(state, places)
        except BaseException:  # Ctrl-C: no update is left half made
            self._put(state, places)
            raise

    def _put(self, state: Mapping[str, Array], places: Mapping[str, int]) -> None:
        """Put new state into its place; the same once more changes nothing."""
        if self.traced.program is None:
            for name, array in state.items():
                put(self.cells[name], array)
            return
        for name, array in state.items():
            slot = self._slots[name]
            put(slot.cell, array)
            if slot.array is not array:
                if is_ours(slot.array):
                    self._spares[name] = slot.held
                slot.held = array, places.get(name) or address(array)
            slot.value = slot.cell.get()
            self._frame.point_to(slot.read, slot.held[1])

    def _interpreted(self, given: Mapping[str, Array]) -> Result:
        cells = self.cells.items()
        state = untraced(lambda: {name: number(cell.get()) for name, cell in cells})
        found = interpret(self.traced.graph, {**state, **given})
        new = {name: found[NEW + name] for name in self.cells if NEW + name in found}
        return Result(self.traced.rebuild(found), new, self, {})

    def _look(self) -> None:
        """Point to the state as it is now, where it is another than after the last call."""
        for slot in self._slots.values():
            value = slot.cell.get()
            if value is slot.value and slot.array is not None:
                continue
            array = fitting(slot.name, slot.read, {slot.name: number(value)})
            slot.held = array, self._frame.point(slot.read, array)
            slot.value = value if array is value or slot.cell.weak else None

    def _point(self, given: Mapping[str, Array]) -> list[Array]:
        """Point to the arguments; return what must be kept while the program runs."""
        arrays = []
        for name, node in self._arguments.items():
            arrays.append(fitting(name, node, given))
            self._frame.point(node, arrays[-1])
        return arrays

    def _spare(self, slot: Slot) -> Spare:
        """Return an array for a new value of a piece of state, an old one if nobody holds it."""
        array, place = self._spares.pop(slot.name, (None, 0))
        held = [array]
        del array
        if held[0] is None or not alike(held[0], slot.written) or holders(held) > ALONE:
            new = aligned_array(slot.written.shape, slot.written.dtype)
            return new, address(new)
        return held[0], place


def put(cell: Cell, array: Any) -> None:
    """Set a piece of state; counts and scales are numbers."""
    cell.set(array.item() if cell.weak else array)


def number(x: Any) -> Array:
    """Return state as an array: counts and scales are float64."""
    return x if isinstance(x, np.ndarray) else np.array(x, np.float64)


def is_ours(array: Any) -> bool:
    """Whether this is an `aligned_array`, so that all who look at its memory hold the array."""
    return type(array.base) in (Memory, Pages) and bool(array.flags.writeable)


def alike(a: Any, b: Any) -> bool:
    """Whether two arrays or nodes have the same shape and dtype."""
    return bool(a.shape == b.shape and a.dtype == b.dtype)


def holders(held: list[Any]) -> int:
    """Return how many references there are to the element of a list, or more; see `ALONE`."""
    return sys.getrefcount(held[0])


ALONE = holders([np.empty(0)])  # what `holders` returns where the list is the only one
