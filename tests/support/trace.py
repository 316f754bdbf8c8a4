"""A tracer in miniature: arrays without elements, and a namespace that records what is asked.

Shape and dtype of a result are found by running the NumPy function on zeros. What depends on no
symbol is computed at once and stands in the record as a constant.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from pellucid import arrays
from support.strict import DTYPES, PROTOCOL

OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": operator.pow,
    "matmul": operator.matmul,
    "negative": operator.neg,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "bitwise_and": operator.and_,
    "bitwise_or": operator.or_,
    "bitwise_xor": operator.xor,
    "bitwise_invert": operator.invert,
    "bitwise_left_shift": operator.lshift,
    "bitwise_right_shift": operator.rshift,
    "matrix_transpose": operator.attrgetter("mT"),
}


class Instruction(NamedTuple):
    """One call that was recorded; its result has the instruction's number."""

    name: str
    args: tuple[Any, ...]
    params: dict[str, Any]


class Symbol:
    """An array without elements: a shape, a dtype, and the number of what computes it."""

    __array_ufunc__ = None  # NumPy leaves ``array + symbol`` to the symbol
    __hash__ = object.__hash__

    def __init__(self, trace: Trace, number: int, shape: tuple[int, ...], dtype: Any) -> None:
        self.trace, self.number, self.shape, self.dtype = trace, number, shape, np.dtype(dtype)
        self.ndim, self.size = len(shape), int(np.prod(shape))

    @property
    def mT(self) -> Symbol:  # noqa: N802 - the standard's name
        return self.trace.record("matrix_transpose", self)

    def __getitem__(self, key: Any) -> Symbol:
        return self.trace.record("index", self, key)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("expected to record a symbol, got asked for its elements")

    __bool__ = __len__ = __float__ = __int__ = __index__ = __iter__ = __array__


def _binary(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    return (
        lambda self, other: self.trace.record(name, self, other),
        lambda self, other: self.trace.record(name, other, self),
    )


for _name, _method in [
    ("add", "add"),
    ("subtract", "sub"),
    ("multiply", "mul"),
    ("divide", "truediv"),
    ("power", "pow"),
    ("matmul", "matmul"),
    ("bitwise_and", "and"),
    ("bitwise_or", "or"),
    ("bitwise_xor", "xor"),
    ("bitwise_left_shift", "lshift"),
    ("bitwise_right_shift", "rshift"),
]:
    _left, _right = _binary(_name)
    setattr(Symbol, f"__{_method}__", _left)
    setattr(Symbol, f"__r{_method}__", _right)
for _name, _method in [
    ("equal", "eq"),
    ("not_equal", "ne"),
    ("less", "lt"),
    ("less_equal", "le"),
    ("greater", "gt"),
    ("greater_equal", "ge"),
]:
    setattr(Symbol, f"__{_method}__", _binary(_name)[0])
Symbol.__neg__ = lambda self: self.trace.record("negative", self)
Symbol.__invert__ = lambda self: self.trace.record("bitwise_invert", self)


def replace(x: Any, of: Callable[[Symbol], Any]) -> Any:
    """Return x, a symbol, a constant or nested tuples and lists, with its symbols replaced."""
    if isinstance(x, tuple | list):
        return type(x)(replace(part, of) for part in x)
    return of(x) if isinstance(x, Symbol) else x


class Trace:
    """The namespace of symbols, and the program that they were asked for."""

    def __init__(self) -> None:
        self.inputs: list[Symbol] = []
        self.program: dict[int, Instruction] = {}

    def __getattr__(self, name: str) -> Any:
        if name not in PROTOCOL:
            raise AttributeError(f"{name} is not in pellucid.arrays.protocol.Namespace")
        if name in DTYPES:
            return getattr(arrays.NUMPY, name)
        return lambda *args, **params: self.record(name, *args, **params)

    def own(self, x: Any, /, *, copy: bool) -> Any:
        """Symbols share no memory."""
        return x

    def input(self, like: np.ndarray) -> Symbol:
        """Return a symbol for an array that is given when the program is run."""
        symbol = self._symbol(like)
        self.inputs.append(symbol)
        return symbol

    def record(self, name: str, *args: Any, **params: Any) -> Any:
        """Write a call down and return the symbol of its result."""
        symbols: list[Symbol] = []
        replace(args, symbols.append)
        if not symbols:
            return call(name, args, params)
        if name in ("index", "scatter_add") and any(s.dtype == bool for s in symbols):
            raise TypeError("expected shapes that do not depend on data, got a symbol as a mask")
        with np.errstate(all="ignore"):
            value = call(name, replace(args, lambda s: np.zeros(s.shape, s.dtype)), params)
        out = self._symbol(np.asarray(value))
        self.program[out.number] = Instruction(name, args, params)
        return out

    def _symbol(self, like: np.ndarray) -> Symbol:
        return Symbol(self, len(self.inputs) + len(self.program), like.shape, like.dtype)

    def names(self) -> set[str]:
        """Return the names of what was asked for."""
        return {instruction.name for instruction in self.program.values()}

    def run(self, results: Any, *values: np.ndarray) -> Any:
        """Return the results, symbols in nested tuples and lists, computed with NumPy."""
        known = dict(zip((symbol.number for symbol in self.inputs), values, strict=True))

        def value(symbol: Symbol) -> Any:
            return known[symbol.number]

        with np.errstate(all="ignore"):
            for number, (name, args, params) in self.program.items():
                known[number] = np.asarray(call(name, replace(args, value), params))
        return replace(results, value)


def call(name: str, args: Sequence[Any], params: dict[str, Any]) -> Any:
    """Return what NumPy computes for an instruction."""
    return (OPERATORS.get(name) or getattr(arrays.NUMPY, name))(*args, **params)


@contextmanager
def tracing() -> Iterator[Trace]:
    """Within this context symbols are computed by the namespace that this gives."""
    trace = Trace()
    before = dict(arrays.NAMESPACES)
    arrays.register(Symbol, trace)
    try:
        yield trace
    finally:
        arrays.NAMESPACES.clear()
        arrays.NAMESPACES.update(before)
