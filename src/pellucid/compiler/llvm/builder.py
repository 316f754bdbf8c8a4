"""Writes functions in LLVM's intermediate language, a line at a time, as readable text.

Values know their dtype and how many lanes they have, so ``a * b + c`` writes the two instructions
it looks like. Lines and names are numbered in the order in which they are asked for: the same
calls give the same text.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

# The six dtypes of arrays, the byte in which a bool lies in memory, and addresses.
Kind: TypeAlias = Literal[
    "float32", "float64", "int32", "int64", "uint32", "bool", "int8", "pointer"
]
Number: TypeAlias = "float | int | bool"

TYPES: dict[str, str] = {
    "float32": "float", "float64": "double", "int32": "i32", "int64": "i64", "uint32": "i32",
    "bool": "i1", "int8": "i8", "pointer": "ptr",
}  # fmt: skip
SUFFIXES = {"float": "f32", "double": "f64", "ptr": "p0"}
BYTES = {"float32": 4, "float64": 8, "int32": 4, "int64": 8, "uint32": 4, "bool": 1, "int8": 1}
FLOATS = frozenset({"float32", "float64"})
# A float and the signed integer of its size, to get at its bits.
INTEGER: dict[str, Kind] = {"float32": "int32", "float64": "int64"}
ATTRIBUTES = (
    'nounwind "no-trapping-math"="true" "min-legal-vector-width"="512" "prefer-vector-width"="512"'
)
PREDICATES = {
    "equal": ("oeq", "eq", "eq"),
    "not_equal": ("une", "ne", "ne"),
    "less": ("olt", "slt", "ult"),
    "less_equal": ("ole", "sle", "ule"),
    "greater": ("ogt", "sgt", "ugt"),
    "greater_equal": ("oge", "sge", "uge"),
}  # of floats, signed and unsigned integers; NaN compares as in NumPy


@dataclass(frozen=True, slots=True)
class Value:
    """A number that the generated code computes: one (``lanes`` is 0) or a vector of them.

    Operators write instructions into ``function``. A Python number beside a value becomes a
    constant of its type, a single value beside a vector is repeated.
    """

    text: str
    kind: Kind
    lanes: int
    function: Function = field(repr=False, compare=False)

    @property
    def type(self) -> str:
        """The type in LLVM's language."""
        return vector_type(self.kind, self.lanes)

    def __add__(self, other: Value | Number) -> Value:
        return self.function.arithmetic("add", self, other)

    def __radd__(self, other: Value | Number) -> Value:
        return self.function.arithmetic("add", other, self)

    def __sub__(self, other: Value | Number) -> Value:
        return self.function.arithmetic("sub", self, other)

    def __rsub__(self, other: Value | Number) -> Value:
        return self.function.arithmetic("sub", other, self)

    def __mul__(self, other: Value | Number) -> Value:
        return self.function.arithmetic("mul", self, other)

    def __rmul__(self, other: Value | Number) -> Value:
        return self.function.arithmetic("mul", other, self)

    def __truediv__(self, other: Value | Number) -> Value:
        return self.function.arithmetic("div", self, other)

    def __rtruediv__(self, other: Value | Number) -> Value:
        return self.function.arithmetic("div", other, self)

    def __neg__(self) -> Value:
        if self.kind in FLOATS:
            return self.function.emit(f"fneg {self.type} {self.text}", self.kind, self.lanes)
        return self.function.arithmetic("sub", 0, self)

    def __and__(self, other: Value | Number) -> Value:
        return self.function.bitwise("and", self, other)

    def __or__(self, other: Value | Number) -> Value:
        return self.function.bitwise("or", self, other)

    def __xor__(self, other: Value | Number) -> Value:
        return self.function.bitwise("xor", self, other)

    def __invert__(self) -> Value:
        return self.function.bitwise("xor", self, True if self.kind == "bool" else -1)

    def __lshift__(self, other: Value | Number) -> Value:
        return self.function.bitwise("shl", self, other)

    def __rshift__(self, other: Value | Number) -> Value:
        unsigned = self.kind == "uint32"
        return self.function.bitwise("lshr" if unsigned else "ashr", self, other)

    def __lt__(self, other: Value | Number) -> Value:
        return self.function.compare("less", self, other)

    def __le__(self, other: Value | Number) -> Value:
        return self.function.compare("less_equal", self, other)

    def __gt__(self, other: Value | Number) -> Value:
        return self.function.compare("greater", self, other)

    def __ge__(self, other: Value | Number) -> Value:
        return self.function.compare("greater_equal", self, other)


def vector_type(kind: Kind, lanes: int) -> str:
    """Return LLVM's name of a number of ``kind``, or of a vector of ``lanes`` of them."""
    return f"<{lanes} x {TYPES[kind]}>" if lanes else TYPES[kind]


def literal(number: Number, kind: Kind) -> str:
    """Return a number as LLVM reads it; floats bit by bit, so that none is rounded twice."""
    if kind == "bool":
        return "true" if number else "false"
    if kind not in FLOATS:
        return str(int(number))
    value = float(number)
    if kind == "float32":  # LLVM writes a float32 as the float64 of the same value
        try:
            value = struct.unpack("f", struct.pack("f", value))[0]
        except OverflowError:
            value = float("inf") if value > 0 else -float("inf")
    if value != value:  # one NaN for all, whose bits are the same in both
        return "0x7FF8000000000000"
    return f"0x{struct.pack('>d', value).hex().upper()}"


class Function:
    """One function under construction: it takes pointers (or other kinds) and returns nothing.

    ``fma`` tells whether the processor multiplies and adds in one rounding; `multiply_add` does
    so where it does.
    """

    def __init__(
        self,
        name: str,
        parameters: Sequence[tuple[str, Kind]],
        *,
        fma: bool,
        internal: bool = False,
    ) -> None:
        self.name = name
        self.fma = fma
        self.internal = internal
        self.parameters = tuple(Value(f"%{name}", kind, 0, self) for name, kind in parameters)
        self.declarations: set[str] = set()
        self._lines: list[str] = []
        self._names = 0
        self._block = "entry"

    # What a module needs

    def text(self) -> str:
        """Return the declarations that the function needs, one on each line, and the function."""
        parameters = ", ".join(f"{value.type} {value.text}" for value in self.parameters)
        linkage, attributes = ("internal ", f"noinline {ATTRIBUTES}") if self.internal else (
            "", ATTRIBUTES
        )  # fmt: skip
        return "\n".join(
            [
                *sorted(self.declarations),
                f"define {linkage}void @{self.name}({parameters}) {attributes} {{",
                "entry:",
                *self._lines,
                "  ret void",
                "}",
                "",
            ]
        )

    # Lines

    def emit(self, instruction: str, kind: Kind, lanes: int = 0) -> Value:
        """Write an instruction and return the value that it defines."""
        self._names += 1
        name = f"%v{self._names}"
        self._lines.append(f"  {name} = {instruction}")
        return Value(name, kind, lanes, self)

    def effect(self, instruction: str) -> None:
        """Write an instruction that defines no value."""
        self._lines.append(f"  {instruction}")

    # Constants

    def constant(self, number: Number, kind: Kind, lanes: int = 0) -> Value:
        """Return a number as a value, in every lane alike."""
        text = literal(number, kind)
        return Value(f"splat ({TYPES[kind]} {text})" if lanes else text, kind, lanes, self)

    def vector(self, numbers: Sequence[Number], kind: Kind) -> Value:
        """Return a vector of known numbers."""
        return Value(numbers_text(numbers, kind), kind, len(numbers), self)

    def poison(self, kind: Kind, lanes: int) -> Value:
        """Return a vector whose lanes hold nothing yet."""
        return Value("poison", kind, lanes, self)

    # Arithmetic

    def like(self, *operands: Value | Number) -> list[Value]:
        """Return operands as values of one type: numbers as constants, single values repeated."""
        values = [operand for operand in operands if isinstance(operand, Value)]
        lanes = max(value.lanes for value in values)
        return [
            self.splat(operand, lanes)
            if isinstance(operand, Value)
            else self.constant(operand, values[0].kind, lanes)
            for operand in operands
        ]

    def arithmetic(self, op: str, a: Value | Number, b: Value | Number) -> Value:
        """Return a + b, a - b, a * b or a / b; integers wrap around."""
        a, b = self.like(a, b)
        prefix = "f" if a.kind in FLOATS else ""
        return self.emit(f"{prefix}{op} {a.type} {a.text}, {b.text}", a.kind, a.lanes)

    def bitwise(self, op: str, a: Value | Number, b: Value | Number) -> Value:
        """Return and, or, xor, shl, ashr, lshr, srem or urem of two integers."""
        a, b = self.like(a, b)
        return self.emit(f"{op} {a.type} {a.text}, {b.text}", a.kind, a.lanes)

    def multiply_add(self, a: Value, b: Value | Number, c: Value | Number) -> Value:
        """Return a * b + c, in one rounding where the processor can."""
        if not self.fma:
            return a * b + c
        return self.intrinsic("fma", *self.like(a, b, c))

    def compare(self, relation: str, a: Value | Number, b: Value | Number) -> Value:
        """Return whether a is ``equal`` to b, ``less``, ...; see PREDICATES."""
        a, b = self.like(a, b)
        ordered, signed, unsigned = PREDICATES[relation]
        if a.kind in FLOATS:
            return self.emit(f"fcmp {ordered} {a.type} {a.text}, {b.text}", "bool", a.lanes)
        predicate = unsigned if a.kind in ("uint32", "bool") else signed
        return self.emit(f"icmp {predicate} {a.type} {a.text}, {b.text}", "bool", a.lanes)

    def is_nan(self, x: Value) -> Value:
        """Return whether floats are NaN."""
        return self.emit(f"fcmp uno {x.type} {x.text}, {x.text}", "bool", x.lanes)

    def select(self, condition: Value, a: Value | Number, b: Value | Number) -> Value:
        """Return a where the condition holds and b elsewhere."""
        a, b = self.like(a, b)
        if condition.lanes and not a.lanes:
            a, b = self.splat(a, condition.lanes), self.splat(b, condition.lanes)
        text = f"select {condition.type} {condition.text}, {a.type} {a.text}, {b.type} {b.text}"
        return self.emit(text, a.kind, a.lanes)

    def maximum(self, a: Value, b: Value | Number) -> Value:
        """Return the larger; where one is NaN, b, which the processor's own instruction does."""
        return self.select(self.compare("greater", a, b), a, b)

    def minimum(self, a: Value, b: Value | Number) -> Value:
        """Return the smaller; where one is NaN, b."""
        return self.select(self.compare("less", a, b), a, b)

    def intrinsic(self, name: str, *operands: Value) -> Value:
        """Return one of LLVM's functions (fma, sqrt, floor, ...) of operands of one type."""
        kind, lanes = operands[0].kind, operands[0].lanes
        return self._call(f"llvm.{name}.{suffix(kind, lanes)}", operands, kind, lanes)

    def call(self, name: str, *operands: Value) -> Value:
        """Return an external C function of single numbers, of their kind."""
        return self._call(name, operands, operands[0].kind, 0)

    def _call(self, name: str, operands: Sequence[Value], kind: Kind, lanes: int) -> Value:
        result = vector_type(kind, lanes)
        types = ", ".join(operand.type for operand in operands)
        self.declarations.add(f"declare {result} @{name}({types})")
        arguments = ", ".join(f"{operand.type} {operand.text}" for operand in operands)
        return self.emit(f"call {result} @{name}({arguments})", kind, lanes)

    # Conversions

    def cast(self, instruction: str, x: Value, kind: Kind) -> Value:
        """Return x converted by one of LLVM's instructions (sitofp, zext, bitcast, ...)."""
        text = f"{instruction} {x.type} {x.text} to {vector_type(kind, x.lanes)}"
        return self.emit(text, kind, x.lanes)

    def bits(self, x: Value) -> Value:
        """Return the bits of a float as a signed integer."""
        return self.cast("bitcast", x, INTEGER[x.kind])

    def from_bits(self, x: Value) -> Value:
        """Return the float whose bits a signed integer holds."""
        return self.cast("bitcast", x, "float32" if x.kind == "int32" else "float64")

    def freeze(self, x: Value) -> Value:
        """Return x, or some number or other where LLVM leaves open what x is."""
        return self.emit(f"freeze {x.type} {x.text}", x.kind, x.lanes)

    # Lanes

    def splat(self, x: Value, lanes: int) -> Value:
        """Return a single value repeated in each lane; a vector as it is."""
        if x.lanes or not lanes:
            return x
        if not x.text.startswith("%"):
            return Value(f"splat ({x.type} {x.text})", x.kind, lanes, self)
        first = self.insert(self.poison(x.kind, lanes), x, 0)
        return self.shuffle(first, self.poison(x.kind, lanes), [0] * lanes)

    def extract(self, x: Value, lane: int) -> Value:
        """Return one lane of a vector."""
        return self.emit(f"extractelement {x.type} {x.text}, i64 {lane}", x.kind)

    def insert(self, x: Value, item: Value, lane: int) -> Value:
        """Return a vector with one lane replaced."""
        text = f"insertelement {x.type} {x.text}, {item.type} {item.text}, i64 {lane}"
        return self.emit(text, x.kind, x.lanes)

    def shuffle(self, a: Value, b: Value, lanes: Sequence[int]) -> Value:
        """Return the named lanes of a followed by b."""
        mask = f"<{len(lanes)} x i32> {numbers_text(lanes, 'int32')}"
        text = f"shufflevector {a.type} {a.text}, {b.type} {b.text}, {mask}"
        return self.emit(text, a.kind, len(lanes))

    def fold(self, x: Value, combine: Callable[[Value, Value], Value]) -> Value:
        """Return all lanes combined into one: the upper half with the lower, again and again."""
        while x.lanes > 1:
            half = x.lanes // 2
            nothing = self.poison(x.kind, x.lanes)
            upper = self.shuffle(x, nothing, range(half, x.lanes))
            x = combine(self.shuffle(x, nothing, range(half)), upper)
        return self.extract(x, 0)

    def any(self, x: Value) -> Value:
        """Return whether any lane of a vector of bools holds."""
        if not x.lanes:
            return x
        number = f"i{x.lanes}"
        bits = self.emit(f"bitcast {x.type} {x.text} to {number}", "bool")
        return self.emit(f"icmp ne {number} {bits.text}, 0", "bool")

    # Memory

    def offset(self, pointer: Value, index: Value | int, kind: Kind) -> Value:
        """Return the address of the element that many elements of ``kind`` further on."""
        if index == 0:
            return pointer
        place = index if isinstance(index, Value) else self.constant(index, "int64")
        element = "i8" if kind == "bool" else TYPES[kind]
        text = f"getelementptr inbounds {element}, ptr {pointer.text}, i64 {place.text}"
        return self.emit(text, "pointer")

    def load(self, pointer: Value, kind: Kind, lanes: int = 0, valid: int | None = None) -> Value:
        """Return an element, or ``lanes`` successive ones of which the first ``valid`` are read.

        A bool is a byte in memory, and a single bit here.
        """
        if kind == "bool":
            byte = self.load(pointer, "int8", lanes, valid)
            return self.compare("not_equal", byte, 0)
        type_ = vector_type(kind, lanes)
        if not lanes or valid in (None, lanes):
            text = f"load {type_}, ptr {pointer.text}, align {BYTES[kind]}"
            return self.emit(text, kind, lanes)
        name = f"llvm.masked.load.{suffix(kind, lanes)}.p0"
        self.declarations.add(f"declare {type_} @{name}(ptr, i32, <{lanes} x i1>, {type_})")
        text = (
            f"call {type_} @{name}(ptr {pointer.text}, i32 {BYTES[kind]}, "
            f"{self._first(valid, lanes)}, {type_} zeroinitializer)"
        )
        return self.emit(text, kind, lanes)

    def store(self, x: Value, pointer: Value, valid: int | None = None) -> None:
        """Write an element, or successive ones: the first ``valid`` lanes, or all."""
        if x.kind == "bool":
            self.store(self.cast("zext", x, "int8"), pointer, valid)
        elif not x.lanes or valid in (None, x.lanes):
            self.effect(f"store {x.type} {x.text}, ptr {pointer.text}, align {BYTES[x.kind]}")
        else:
            name = f"llvm.masked.store.{suffix(x.kind, x.lanes)}.p0"
            self.declarations.add(f"declare void @{name}({x.type}, ptr, i32, <{x.lanes} x i1>)")
            self.effect(
                f"call void @{name}({x.type} {x.text}, ptr {pointer.text}, i32 {BYTES[x.kind]}, "
                f"{self._first(valid, x.lanes)})"
            )

    def first(self, valid: int, lanes: int) -> Value:
        """Return a vector of bools: whether a lane is among the first ``valid``."""
        return self.vector([lane < valid for lane in range(lanes)], "bool")

    def _first(self, valid: int | None, lanes: int) -> str:
        mask = self.first(lanes if valid is None else valid, lanes)
        return f"{mask.type} {mask.text}"

    # Control flow

    def loop(
        self,
        stop: int | Value,
        body: Callable[[Value, list[Value]], Sequence[Value]],
        carried: Sequence[Value] = (),
        *,
        step: int = 1,
    ) -> list[Value]:
        """Write a loop of a counter from 0 in steps while it is below ``stop``, at least once.

        ``body`` takes the counter and the carried values, and returns their new ones; the last
        of them are returned.
        """
        before, label = self._block, self._label("loop")
        counter = Value(f"%i.{label}", "int64", 0, self)
        held = [
            Value(f"%c{number}.{label}", value.kind, value.lanes, self)
            for number, value in enumerate(carried)
        ]
        self.effect(f"br label %{label}")
        self._open(label)
        place = len(self._lines)
        new = list(body(counter, held))
        following = self.emit(f"add nuw nsw i64 {counter.text}, {step}", "int64")
        more = self.compare("less", following, stop)
        after = f"after.{label}"
        merges = [
            f"  {into.text} = phi {into.type} [ {first.text}, %{before} ], "
            f"[ {again.text}, %{self._block} ]"
            for into, first, again in zip(
                [counter, *held],
                [self.constant(0, "int64"), *carried],
                [following, *new],
                strict=True,
            )
        ]
        self._lines[place:place] = merges
        self.effect(f"br i1 {more.text}, label %{label}, label %{after}")
        self._open(after)
        return new

    def when(self, condition: Value, body: Callable[[], None]) -> None:
        """Write ``body``, which defines nothing for later, to be run if the condition holds."""
        label = self._label("when")
        after = f"after.{label}"
        self.effect(f"br i1 {condition.text}, label %{label}, label %{after}")
        self._open(label)
        body()
        self.effect(f"br label %{after}")
        self._open(after)

    def replace_if(self, condition: Value, x: Value, other: Callable[[], Value]) -> Value:
        """Return ``other()`` if the single condition holds, and x, already computed, if not."""
        before, label = self._block, self._label("rare")
        after = f"after.{label}"
        self.effect(f"br i1 {condition.text}, label %{label}, label %{after}")
        self._open(label)
        value = other()
        end = self._block
        self.effect(f"br label %{after}")
        self._open(after)
        text = f"phi {x.type} [ {x.text}, %{before} ], [ {value.text}, %{end} ]"
        return self.emit(text, x.kind, x.lanes)

    def _label(self, prefix: str) -> str:
        self._names += 1
        return f"{prefix}{self._names}"

    def _open(self, label: str) -> None:
        self._lines.append(f"{label}:")
        self._block = label


def numbers_text(numbers: Sequence[Number], kind: Kind) -> str:
    """Return known numbers as a vector in LLVM's language."""
    return f"<{', '.join(f'{TYPES[kind]} {literal(number, kind)}' for number in numbers)}>"


def suffix(kind: Kind, lanes: int) -> str:
    """Return how LLVM's functions name a type, such as v16f32."""
    name = TYPES[kind]
    return (f"v{lanes}" if lanes else "") + SUFFIXES.get(name, name)


def module_text(functions: Iterable[str]) -> str:
    """Return the texts of functions as those of one module: each declaration once."""
    declarations: set[str] = set()
    bodies: list[str] = []
    for text in functions:
        lines = text.splitlines()
        declarations.update(line for line in lines if line.startswith("declare "))
        bodies.extend(line for line in lines if not line.startswith("declare "))
    return "\n".join([*sorted(declarations), *bodies, ""])
