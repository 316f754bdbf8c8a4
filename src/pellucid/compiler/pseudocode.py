"""Kernels as pseudo-code: the loops that code generation writes, for people to read.

A value that is used once, where it is computed, is written into the line that uses it; the others
have names. What depends on fewer loops than the others stands outside of them, as in the machine
code. A loop over a single element is no loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pellucid.compiler.graph import Node
from pellucid.compiler.kernels import Access, Gemm, Instruction, Nest, Reduction, Stage, Store
from pellucid.compiler.llvm.analysis import Analysis, lanes, vector_axis
from pellucid.compiler.llvm.gemm_plan import planned
from pellucid.compiler.llvm.target import Target
from pellucid.compiler.lower import Call

INFIX = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**",
    "equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=",
    "greater": ">", "greater_equal": ">=", "bitwise_and": "&", "bitwise_or": "|",
    "bitwise_xor": "^", "bitwise_left_shift": "<<", "bitwise_right_shift": ">>",
    "logical_and": "and", "logical_or": "or",
}  # fmt: skip
PREFIX = {"negative": "-", "bitwise_invert": "~", "logical_not": "not "}
BEGIN = {"sum": "0", "prod": "1", "max": "-inf", "min": "inf", "any": "False", "all": "True"}
STEP = {"sum": "+=", "prod": "*=", "any": "or=", "all": "and="}
COUNTERS = "ijklmnopqrstuvwxyz"
LONG = 60  # characters of an expression that is better given a name


def code(call: Call, names: Mapping[Node, str], target: Target) -> list[str]:
    """Return a kernel as lines of pseudo-code, buffers under the names of nodes."""
    if isinstance(call.kernel, Gemm):
        lines = product(call.kernel, [names[node] for node in call.buffers], target)
        if call.epilogue:
            lines += [
                "each finished while the next one is summed up:",
                *code(call.epilogue, names, target),
            ]
        return lines
    return Loops(call.kernel, [names[node] for node in call.buffers], target).lines


def product(kernel: Gemm, buffers: Sequence[str], target: Target) -> list[str]:
    """Return a product of matrices in one line, and how it is cut in another."""
    m, n, k = kernel.m, kernel.n, kernel.k
    turned = [".T" if strides[1] != 1 else "" for strides in (kernel.a, kernel.b)]
    a, b, c = (*buffers[:2], "product") if kernel.epilogue else buffers
    lines = [f"{c}[{m},{n}] = {a}{turned[0]}[{m},{k}] @ {b}{turned[1]}[{k},{n}]"]
    if n > 1:
        plan = planned(kernel, target)
        if plan.dots:
            return [*lines, f"each element as one sum of {plan.lanes} lanes"]
        packed = f", b packed in blocks of {plan.depth} rows" if plan.packed else ""
        lines.append(f"in tiles of {plan.rows} by {min(plan.width, n)}{packed}")
    return lines


class Loops:
    """The pseudo-code of one nest: `lines`."""

    def __init__(self, nest: Nest, buffers: Sequence[str], target: Target) -> None:
        self.nest, self.buffers, self.target = nest, buffers, target
        self.plan = Analysis(nest)
        self.depth = len(nest.outer)
        self.lines: list[str] = []
        self.text: dict[int, str] = {}  # how a value is written where it is used
        self.named, self.reduced = 0, 0
        self.made, self.used = uses(nest, self.plan)
        self.sizes = nest.outer  # of the loops that an access may have strides for
        if 0 in nest.outer:
            self.lines.append("nothing: there are no elements")
        else:
            self._outer(0, 0)

    def _write(self, indent: int, line: str) -> None:
        self.lines.append("    " * indent + line)

    # Loops, in the order of llvm/nest.py

    def _outer(self, level: int, indent: int) -> None:
        """Write what is inside so many outer loops."""
        if level == self.depth:
            for number in range(len(self.nest.stages)):
                self._stage(number, indent)
            return
        for stage, (body, _, after) in zip(self.nest.stages, self.plan.first, strict=True):
            self._compute(body, stage.body, level, indent)
            self._compute(after, stage.after, level, indent)
        vector = self.nest.vector == "outer" and level == vector_axis(self.nest.outer)
        stages = self.nest.stages if vector else None
        self._outer(level + 1, self._loop(level, self.nest.outer[level], stages, indent))

    def _stage(self, number: int, indent: int) -> None:
        """Write one stage, inside all outer loops."""
        stage, (body, reduced, after) = self.nest.stages[number], self.plan.first[number]
        self.sizes = (*self.nest.outer, *stage.inner)
        for index, reduction in enumerate(stage.reductions, reduced):
            self.text[index] = f"{reduction.op}{self.reduced}"
            self.reduced += 1
            self._write(indent, f"{self.text[index]} = {BEGIN[reduction.op]}")
        if 0 not in stage.inner:
            self._inner(stage, body, 0, indent)
        self._compute(after, stage.after, self.depth, indent)
        self._stores(stage.last, self.depth, indent)

    def _inner(self, stage: Stage, body: int, level: int, indent: int) -> None:
        """Write what is inside all outer loops and so many inner ones."""
        self._compute(body, stage.body, self.depth + level, indent)
        if level < len(stage.inner):
            vector = self.nest.vector == "inner" and level == vector_axis(stage.inner)
            stages = [stage] if vector else None
            deeper = self._loop(self.depth + level, stage.inner[level], stages, indent)
            self._inner(stage, body, level + 1, deeper)
            return
        self._stores(stage.stores, self.depth + level, indent)
        for index, reduction in enumerate(stage.reductions, body + len(stage.body)):
            self._write(indent, self._accumulated(index, reduction))

    def _loop(self, axis: int, size: int, stages: Sequence[Stage] | None, indent: int) -> int:
        """Write the head of a loop, if there is one; return the indentation of what is inside."""
        if size == 1:
            return indent
        width = 0
        if stages is not None:
            width = lanes(stages, size, self.target.vector_bytes, self.target.registers)
        by = f" by {width} lanes" if width else ""
        self._write(indent, f"for {COUNTERS[axis]} in {size}{by}:")
        return indent + 1

    # Lines

    def _compute(
        self, first: int, instructions: Sequence[Instruction], level: int, indent: int
    ) -> None:
        """Write the values that belong inside so many loops and no more."""
        for number, instruction in enumerate(instructions, first):
            if self.plan.level[number] != level:
                continue
            text = self._expression(instruction)
            if self._is_inline(number, instruction, text):
                self.text[number] = text
            else:
                self.text[number] = f"v{self.named}"
                self.named += 1
                self._write(indent, f"{self.text[number]} = {text}")

    def _is_inline(self, number: int, instruction: Instruction, text: str) -> bool:
        """Whether a value is written where it is used."""
        if instruction.op in ("constant", "counter", "product"):
            return True
        return self.used[number] == [self.made[number]] and len(text) <= LONG

    def _stores(self, stores: Sequence[Store], loops: int, indent: int) -> None:
        for store in stores:
            sign = "+=" if store.add else "="
            self._write(indent, f"{self._place(store)} {sign} {self.text[store.value]}")

    def _accumulated(self, index: int, reduction: Reduction) -> str:
        """Return the line that takes a value into a reduction."""
        held, value = self.text[index], self.text[reduction.value]
        if reduction.op in STEP:
            return f"{held} {STEP[reduction.op]} {value}"
        return f"{held} = {reduction.op}({held}, {value})"

    def _expression(self, instruction: Instruction) -> str:
        """Return what computes a value."""
        op = instruction.op
        operands = [self.text[arg] for arg in instruction.args]
        if op == "constant":
            return short(instruction.value)
        if op == "counter":
            return COUNTERS[int(instruction.value or 0)]
        if op == "load":
            return self._place(instruction)
        if op == "product":
            return f"product[{COUNTERS[0]}, {COUNTERS[1]}]"
        if op == "astype":
            return f"{instruction.dtype}({operands[0]})"
        if op in INFIX:
            return f" {INFIX[op]} ".join(map(closed, operands))
        if op in PREFIX:
            return f"{PREFIX[op]}{closed(operands[0])}"
        return f"{op}({', '.join(operands)})"

    def _place(self, item: Instruction | Store) -> str:
        """Return an access as an index of its buffer."""
        access: Access = item.access  # type: ignore[assignment]
        terms = [
            (stride, COUNTERS[axis])
            for axis, (stride, size) in enumerate(zip(access.strides, self.sizes, strict=False))
            if stride and size != 1
        ]
        terms += [
            (scale, closed(self.text[arg]))
            for arg, scale in zip(item.args, item.scales, strict=True)
            if scale
        ]
        index = ""
        for factor, what in terms:
            times = what if abs(factor) == 1 else f"{abs(factor)}*{what}"
            index += (" - " if factor < 0 else " + ") + times
        if access.offset:
            start = f" + {access.offset}"
            index = start + index if index.startswith(" -") else index + start
        return f"{self.buffers[access.buffer]}[{index.removeprefix(' + ') or '0'}]"


def uses(nest: Nest, plan: Analysis) -> tuple[dict[int, int], dict[int, list[int]]]:
    """Return inside how many loops each value is computed, and used, once for every use.

    Loops over a single element do not count.
    """
    made: dict[int, int] = {}
    used: dict[int, list[int]] = {number: [] for number in plan.level}
    for stage, (body, reduced, after) in zip(nest.stages, plan.first, strict=True):
        sizes = (*nest.outer, *stage.inner)
        open_ = [sum(n != 1 for n in sizes[:level]) for level in range(len(sizes) + 1)]
        outer = open_[len(nest.outer)]
        for first, instructions in ((body, stage.body), (after, stage.after)):
            for number, instruction in enumerate(instructions, first):
                made[number] = open_[plan.level[number]]
                for arg in instruction.args:
                    used[arg].append(made[number])
        for number, reduction in enumerate(stage.reductions, reduced):
            made[number] = outer
            used[reduction.value].append(open_[-1])
        for stores, level in ((stage.stores, open_[-1]), (stage.last, outer)):
            for store in stores:
                for value in (store.value, *store.args):
                    used[value].append(level)
    return made, used


def closed(text: str) -> str:
    """Return an expression in parentheses if it needs them inside another."""
    depth = 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character == " " and not depth:
            return f"({text})"
    return f"({text})" if text.startswith(("-", "~")) else text


def short(value: Any) -> str:
    """Return a constant in at most seven digits."""
    return f"{value:.7g}" if isinstance(value, float) else str(value)
