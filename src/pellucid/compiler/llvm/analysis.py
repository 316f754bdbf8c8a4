"""What is to be known of a nest before its code is written: its values and where they belong."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.compiler.kernels import Access, DType, Instruction, Nest, Stage, Store
from pellucid.compiler.llvm.builder import BYTES, Kind
from pellucid.compiler.primitives import HEAVY


class Analysis:
    """The values of a nest by number, each with its dtype and level.

    The level of a value is how many loops must be open to compute it, outer axes first: inside
    more of them it would be the same again. ``first`` has, for each stage, the number of the first
    value of its body, of its reductions, and after them.

    Raises:
        ValueError: an access has not one stride for each loop, or a value is not known where it is
            used.
    """

    def __init__(self, nest: Nest) -> None:
        self.nest = nest
        self.first: list[tuple[int, int, int]] = []
        self.instructions: dict[int, Instruction] = {}
        self.kind: dict[int, Kind] = {}
        self.level: dict[int, int] = {}
        self._written = {
            store.access.buffer for stage in nest.stages for store in (*stage.stores, *stage.last)
        }
        self._known: set[int] = set()  # the values that may be used at some place
        number = 0
        for stage in nest.stages:
            number = self._stage(stage, number)

    def accesses(self) -> dict[Access, None]:
        """Return the accesses, each once, in the order in which they come."""
        items: list[Instruction | Store] = []
        for stage in self.nest.stages:
            items += [*stage.body, *stage.stores, *stage.after, *stage.last]
        return dict.fromkeys(item.access for item in items if item.access is not None)

    def _stage(self, stage: Stage, number: int) -> int:
        """Take in a stage whose first value has the number; return the number after its last."""
        outer, all_ = len(self.nest.outer), len(self.nest.outer) + len(stage.inner)
        reduced = number + len(stage.body)
        after = reduced + len(stage.reductions)
        self.first.append((number, reduced, after))
        self._instructions(number, stage.body, all_)
        self._check(stage.stores, all_)
        self._use("a reduction", [reduction.value for reduction in stage.reductions])
        self._known -= set(range(number, reduced))
        for index, reduction in enumerate(stage.reductions, reduced):
            kind: DType = self.kind[reduction.value]  # type: ignore[assignment]
            truth = reduction.op in ("any", "all")
            if kind == "bool" and reduction.op in ("sum", "prod"):
                raise ValueError(
                    f"{self.nest.name}: expected numbers for {reduction.op}, got bool; "
                    "convert with astype"
                )
            self.kind[index] = "bool" if truth else kind
            self.level[index] = outer
            self._known.add(index)
        self._instructions(after, stage.after, outer)
        self._check(stage.last, outer)
        return after + len(stage.after)

    def _instructions(self, first: int, instructions: Sequence[Instruction], loops: int) -> None:
        self._check(instructions, loops)
        for number, instruction in enumerate(instructions, first):
            self._use(f"value {number}", instruction.args)
            levels = [0, *(self.level[arg] for arg in instruction.args)]
            if instruction.access is not None:
                strides = instruction.access.strides
                levels += [axis + 1 for axis, stride in enumerate(strides) if stride]
                if instruction.access.buffer in self._written:
                    levels.append(loops)
            if instruction.op == "counter":
                levels.append(int(instruction.value or 0) + 1)
            if instruction.op == "product":
                levels.append(loops)
            self.level[number] = max(levels)
            self.kind[number] = instruction.dtype
            self.instructions[number] = instruction
            self._known.add(number)

    def _use(self, user: str, values: Sequence[int]) -> None:
        unknown = [value for value in values if value not in self._known]
        if unknown:
            raise ValueError(
                f"{self.nest.name}: {user} uses {unknown}, not known there; expected values of the "
                "same body before it, or what earlier stages reduced or computed after their loops"
            )

    def _check(self, items: Sequence[Instruction | Store], loops: int) -> None:
        for item in items:
            if isinstance(item, Store):
                self._use("a store", (item.value, *item.args))
            access = item.access
            if access is not None and len(access.strides) != loops:
                raise ValueError(
                    f"{self.nest.name}: expected a stride for each of {loops} loops, "
                    f"got {access.strides}"
                )


def lanes(stages: Sequence[Stage], size: int, vector_bytes: int, registers: int) -> int:
    """Return how many elements of a vector axis to take at a time: a power of two, 0 for one.

    A sum waits for the addition before it. Several vectors at a time hide that, if there are
    registers for them.
    """
    instructions = [item for stage in stages for item in (*stage.body, *stage.after)]
    widths = {BYTES[item.dtype] for item in instructions if item.op != "constant"} - {1}
    count = vector_bytes // min(widths, default=1)
    reduces = any(stage.reductions for stage in stages)
    if reduces and not any(item.op in HEAVY for item in instructions):
        room = registers // (2 * max(1, len(instructions)))
        count *= 4 if room >= 4 else 2 if room >= 2 else 1
    while count >= 2 * size and count > 1:
        count //= 2
    return count if count > 1 else 0


def vector_axis(sizes: Sequence[int]) -> int:
    """Return the last axis of more than one element, or the last if there is none."""
    return max((axis for axis, size in enumerate(sizes) if size > 1), default=len(sizes) - 1)
