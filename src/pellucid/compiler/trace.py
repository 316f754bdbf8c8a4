"""Tracing: run the user's code once on symbols, and write down what it asks for.

A `Symbol` has a shape and a dtype, but no elements. The tape, the operations and the optimisers
take it for an array, so that forward pass, backward pass and update become one graph. What needs an
element, such as ``if loss > 1``, cannot be traced, and says so with the line it stands on.
"""

from __future__ import annotations

import gc
import inspect
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from weakref import ref

import numpy as np

from pellucid import arrays
from pellucid.arrays import NUMPY, Shape
from pellucid.compiler.graph import Graph, Node, infer
from pellucid.compiler.primitives import ARRAY, ELEMENTWISE, OPERATORS

T = TypeVar("T")
# lines in here are not the user's
HOME = str(Path(arrays.__file__).parents[1])
NUMPY_HOME = str(Path(np.__file__).parent)
# what NumPy calls the operators
UFUNCS = {
    **{name: name for name in (*OPERATORS, "matmul")},
    "left_shift": "bitwise_left_shift",
    "right_shift": "bitwise_right_shift",
}


made: list[ref[Symbol]] = []  # while a function is traced, which is one at a time


class TraceError(TypeError):
    """Code that cannot be traced, because it looks at values that are not there yet.

    >>> import pellucid
    >>> def halved(x):
    ...     return x / 2 if x.sum() > 1 else x
    >>> try:
    ...     pellucid.compile(halved)(pellucid.ones(3))
    ... except pellucid.TraceError as error:
    ...     print(error)
    expected code that does not look at values while it is traced, ...; use where() instead ...
    """


class MissingError(TraceError, AttributeError):
    """A trace error for what symbols do not have, which is an attribute error as well."""


class Symbol:
    """An array without elements: a node of the graph that is being written.

    A ``weak`` symbol is a number, such as the count of steps: it takes on the dtype of the array
    that it meets, as Python's numbers do.
    """

    __slots__ = ("__weakref__", "node", "weak")
    __hash__ = object.__hash__

    def __init__(self, node: Node, weak: bool = False) -> None:
        self.node, self.weak = node, weak
        made.append(ref(self))

    @property
    def shape(self) -> Shape:
        """Sizes of the axes."""
        return self.node.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The kind of number."""
        return self.node.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.node.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.node.size

    @property
    def mT(self) -> Any:  # noqa: N802 - the standard's name
        """The matrix transpose: the last two axes exchanged."""
        *lead, a, b = range(self.ndim)
        return record("permute_dims", self, axes=(*lead, b, a))

    def reshape(self, *shape: Any) -> Any:
        """Return the same elements in another shape."""
        return TRACING.reshape(self, shape[0] if isinstance(shape[0], tuple) else shape)

    def __getitem__(self, key: Any) -> Any:
        return TRACING.index(self, key)

    def __neg__(self) -> Any:
        return record("negative", self)

    def __invert__(self) -> Any:
        return record("bitwise_invert", self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what Python and NumPy ask about any object
            raise AttributeError(name)
        raise MissingError(
            f"expected tensors' own operations while code is traced, got .{name} of a plain array "
            f"at {user_line()}; write it with tensors, without .data"
        )

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TraceError(
            "expected code that does not look at values while it is traced, got one that asks for "
            f"the elements of a {self.node.type} at {user_line()}; use where() instead of if, and "
            "keep numbers such as a loss as tensors"
        )

    def __len__(self) -> int:
        return self.shape[0]

    def __array_ufunc__(self, ufunc: Any, method: str, *operands: Any, **settings: Any) -> Any:
        """Take over ``array + symbol`` from NumPy; refuse its other functions."""
        name = UFUNCS.get(ufunc.__name__, "")
        if not name or method != "__call__" or settings:
            self._refuse()
        return record(name, *operands)

    __array__ = __bool__ = __float__ = __int__ = __index__ = __iter__ = _refuse
    item = tolist = _refuse


def _operator(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    return (
        lambda self, other: record(name, self, other),
        lambda self, other: record(name, other, self),
    )


for _name, _method in [
    ("add", "add"), ("subtract", "sub"), ("multiply", "mul"), ("divide", "truediv"),
    ("power", "pow"), ("bitwise_and", "and"), ("bitwise_or", "or"), ("bitwise_xor", "xor"),
    ("bitwise_left_shift", "lshift"), ("bitwise_right_shift", "rshift"), ("matmul", "matmul"),
]:  # fmt: skip
    _left, _right = _operator(_name)
    setattr(Symbol, f"__{_method}__", _left)
    setattr(Symbol, f"__r{_method}__", _right)
for _name, _method in [
    ("equal", "eq"), ("not_equal", "ne"), ("less", "lt"), ("less_equal", "le"),
    ("greater", "gt"), ("greater_equal", "ge"),
]:  # fmt: skip
    setattr(Symbol, f"__{_method}__", _operator(_name)[0])


class Tracing:
    """The array namespace of symbols: every function of the protocol writes a node."""

    float32, uint32 = NUMPY.float32, NUMPY.uint32

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in ELEMENTWISE:
            return lambda *operands: record(name, *operands)
        function = getattr(NUMPY, name)

        def other(x: Any, *args: Any, **params: Any) -> Any:
            if not isinstance(x, Symbol) and not any(isinstance(a, Symbol) for a in args):
                return function(x, *args, **params)
            operands = [x, *(a for a in args if isinstance(a, Symbol | np.ndarray))]
            rest = [a for a in args if not isinstance(a, Symbol | np.ndarray)]
            names = parameters(function)[len(operands) - 1 :]
            named = dict(zip(names, rest, strict=False)) | params
            return record(name, *operands, **named)

        return other

    def asarray(self, obj: Any, /, *, dtype: Any = None) -> Any:
        """Return a symbol as it is, or an array of constants."""
        if not isinstance(obj, Symbol):
            return NUMPY.asarray(obj, dtype=dtype)
        return obj if dtype in (None, obj.dtype) else self.astype(obj, dtype)

    def own(self, x: Any, /, *, copy: bool) -> Any:
        """Return x: symbols share no memory."""
        return x

    def zeros_like(self, x: Any, /) -> Any:
        """Return zeros in the shape and dtype of x: a constant, and a symbol, to be added to."""
        return Symbol(as_node(np.zeros(x.shape, x.dtype)))

    def ones_like(self, x: Any, /) -> Any:
        """Return ones in the shape and dtype of x, alike."""
        return Symbol(as_node(np.ones(x.shape, x.dtype)))

    def astype(self, x: Any, dtype: Any, /) -> Any:
        """Return x in another dtype."""
        if not isinstance(x, Symbol):
            return NUMPY.astype(x, dtype)
        dtype = np.dtype(dtype)
        return x if x.dtype == dtype and not x.weak else record("astype", x, dtype=str(dtype))

    def clip(self, x: Any, /, *bounds: Any, **named: Any) -> Any:
        """Return x cut to an interval."""
        limits = dict(zip(("min", "max"), bounds, strict=False)) | named
        low, high = limits.get("min"), limits.get("max")
        x = x if low is None else record("maximum", x, low)
        return x if high is None else record("minimum", x, high)

    def reshape(self, x: Any, /, shape: Shape) -> Any:
        """Return the same elements in another shape."""
        shape = tuple(int(n) for n in shape)
        if -1 in shape:
            known = -int(np.prod(shape, dtype=np.int64))
            shape = tuple(x.size // known if n == -1 else n for n in shape)
        return x if shape == x.shape else record("reshape", x, shape=shape)

    def permute_dims(self, x: Any, /, axes: Shape) -> Any:
        """Return x with its axes in another order."""
        return record("permute_dims", x, axes=tuple(int(a) % x.ndim for a in axes))

    def broadcast_to(self, x: Any, /, shape: Shape) -> Any:
        """Return x repeated to a larger shape."""
        shape = tuple(int(n) for n in shape)
        return x if x.shape == shape else record("broadcast_to", x, shape=shape)

    def expand_dims(self, x: Any, /, *, axis: int) -> Any:
        """Return x with a new axis of size 1."""
        shape = list(x.shape)
        shape.insert(axis % (x.ndim + 1), 1)
        return self.reshape(x, tuple(shape))

    def squeeze(self, x: Any, /, axis: int | tuple[int, ...]) -> Any:
        """Return x without axes of size 1."""
        gone = {a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,))}
        return self.reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in gone))

    def _reduce(self, name: str, x: Any, axis: Any, keepdims: bool) -> Any:
        axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        axes = tuple(sorted(a % x.ndim for a in axes))
        return record(name, x, axis=axes, keepdims=bool(keepdims))

    def sum(self, x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
        """Return the sum over axes."""
        return self._reduce("sum", x, axis, keepdims)

    def max(self, x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
        """Return the largest element over axes."""
        return self._reduce("max", x, axis, keepdims)

    def min(self, x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
        """Return the smallest element over axes."""
        return self._reduce("min", x, axis, keepdims)

    def any(self, x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
        """Return whether any element over axes is true."""
        return self._reduce("any", x, axis, keepdims)

    def all(self, x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
        """Return whether all elements over axes are true."""
        return self._reduce("all", x, axis, keepdims)

    def concat(self, arrays: Any, /, *, axis: int = 0) -> Any:
        """Return arrays one after the other along an axis."""
        return record("concat", *arrays, axis=axis)

    def stack(self, arrays: Any, /, *, axis: int = 0) -> Any:
        """Return arrays side by side along a new axis."""
        return record("stack", *arrays, axis=axis)

    def einsum(self, subscripts: str, /, *operands: Any) -> Any:
        """Return the sum of products that the subscripts name."""
        return record("einsum", *operands, subscripts=subscripts)

    def index(self, x: Any, key: Any, /) -> Any:
        """Return ``x[key]``."""
        template, parts = split_key(key)
        return record("index", x, *parts, key=template)

    def scatter_add(self, values: Any, key: Any, /, *, shape: Shape) -> Any:
        """Return zeros of a shape with values added at a key."""
        template, parts = split_key(key)
        return record("scatter_add", values, *parts, key=template, shape=tuple(shape))


TRACING: Any = Tracing()
arrays.register(Symbol, TRACING)


@cache
def parameters(function: Any) -> tuple[str, ...]:
    """Return the names of a function's parameters after x."""
    return tuple(name for name in inspect.signature(function).parameters if name != "x")


def split_key(key: Any) -> tuple[tuple[Any, ...], list[Any]]:
    """Return a key with `ARRAY` for each array and a triple for each slice, and the arrays."""
    template: list[Any] = []
    parts = []
    for part in key if isinstance(key, tuple) else (key,):
        if isinstance(part, Symbol | np.ndarray):
            if part.dtype == np.bool_:
                raise TraceError(
                    "expected shapes that do not depend on values, got a mask as an index at "
                    f"{user_line()}; use where() instead"
                )
            parts.append(part)
            template.append(ARRAY)
        elif isinstance(part, slice):
            template.append(("slice", part.start, part.stop, part.step))
        else:
            template.append(part)
    return tuple(template), parts


def record(op: str, *operands: Any, **params: Any) -> Any:
    """Write a node down and return its symbol; what depends on no symbol is computed at once."""
    if op in ELEMENTWISE and op != "astype":
        nodes, weak = typed(op, operands)
    else:
        weak = all(isinstance(x, Symbol) and x.weak for x in operands) and op != "astype"
        nodes = [as_node(x) for x in operands]
    settings = tuple(sorted((name, frozen(value)) for name, value in params.items()))
    shape, dtype = infer(op, nodes, settings)
    return Symbol(Node(op, tuple(nodes), shape, dtype, settings, line=user_line()), weak)


def typed(op: str, operands: tuple[Any, ...]) -> tuple[list[Node], bool]:
    """Return the operands as nodes of one dtype, found as NumPy finds it, and whether all are weak.

    Weak symbols and Python's numbers take on the dtype of the others.
    """
    first = 1 if op == "where" else 0  # the condition is a truth value, whatever the others are
    strong, numbers = [], []
    for x in operands[first:]:
        if isinstance(x, Symbol) and x.weak:
            numbers.append(float)
        elif isinstance(x, int | float) and not isinstance(x, np.generic):
            numbers.append(type(x))
        else:
            strong.append(x.dtype)
    dtype = common(tuple(strong), tuple(numbers)) if strong else np.dtype(np.float64)
    lead = [as_node(x) for x in operands[:first]]
    return [*lead, *(as_node(x, dtype) for x in operands[first:])], not strong


@cache
def common(strong: tuple[Any, ...], numbers: tuple[Any, ...]) -> np.dtype[Any]:
    """Return the dtype of what arrays of some dtypes and Python's numbers of some types make."""
    return np.result_type(*strong, *(number() for number in numbers))


def as_node(x: Any, dtype: Any = None) -> Node:
    """Return a symbol's node, or a constant, in a dtype if one is given."""
    if not isinstance(x, Symbol):
        value = np.asarray(x, dtype)
        return Node("constant", (), value.shape, value.dtype, value=value)
    if dtype is None or x.dtype == dtype:
        return x.node
    params = (("dtype", str(np.dtype(dtype))),)
    return Node("astype", (x.node,), x.shape, np.dtype(dtype), params, line=x.node.line)


def frozen(value: Any) -> Any:
    """Return a setting as something that can be compared and hashed."""
    if isinstance(value, list | tuple):
        return tuple(frozen(part) for part in value)
    return value.item() if isinstance(value, np.generic) else value


def user_line() -> str:
    """Return ``file.py:12`` of the innermost line that is not the library's own."""
    frame: Any = sys._getframe(1)
    inner = ""
    while frame is not None:
        name, users, shown = origin(frame.f_code.co_filename)
        if users:
            return f"{name}:{frame.f_lineno}"
        if shown and not inner:
            inner = f"{name}:{frame.f_lineno}"
        frame = frame.f_back
    return inner


@cache
def origin(file: str) -> tuple[str, bool, bool]:
    """Return a file's name, whether it is the user's, and else whether it is worth naming."""
    users = not file.startswith((HOME, NUMPY_HOME, "<"))
    path = Path(file)
    name = "cell" if path.parent.name.startswith("ipykernel_") else path.name  # of a notebook
    return name, users, file.startswith(HOME) and "compiler" not in file


def input_symbol(name: str, like: Any, weak: bool = False) -> Symbol:
    """Return the symbol of an array that is given when the program runs."""
    array = np.asarray(like)
    return Symbol(Node("input", (), array.shape, array.dtype, (("name", name),)), weak)


def alone(function: Callable[..., T], *args: Any) -> T:
    """Return what a function returns, which traces; no symbol that it has made may be left.

    Raises:
        TraceError: one is, where it would be taken for an array later; says which.
    """
    made.clear()
    try:
        found = function(*args)
        if any(symbol() is not None for symbol in made):
            gc.collect()  # it may be in a cycle that nobody holds
        left = [symbol.node for known in made if (symbol := known()) is not None]
    finally:
        made.clear()
    if left:
        node = next((node for node in left if node.line), left[0])
        raise TraceError(
            f"expected a function that keeps nothing but what state= names, got one that keeps a "
            f"{node.type} computed at {node.line or 'an unknown line'}, such as in an attribute or "
            "a list, or in a network or optimizer that state= does not name; name that, or return "
            "what is to be kept"
        )
    return found


def finished(inputs: Mapping[str, Symbol], outputs: Mapping[str, Any]) -> Graph:
    """Return the graph of what was written down between inputs and outputs."""
    return Graph(
        {name: symbol.node for name, symbol in inputs.items()},
        {name: as_node(x) for name, x in outputs.items()},
    )
