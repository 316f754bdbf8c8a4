"""Random programs over arrays: every pattern that the schedule has a rule for, in any order.

Values are small whole numbers as long as every operation on them is exact, so that they can be
compared bit for bit, and so that steps such as ``x > y`` go the same way everywhere. What has been
rounded (exp, a quotient) is marked, and goes only where a small error stays small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from random import Random
from typing import Any

import numpy as np

from pellucid.arrays import NUMPY, Shape, namespace
from support.compiled import EXACT, SINGLE, largest

SIZES = (1, 2, 3, 4, 5, 7, 15, 16, 17, 31, 33)
LARGEST = 3000  # elements of an array
HIGHEST_INPUT = 3.0
HIGHEST = 1 << 16  # of exact numbers: float32 adds as many of them as there are without rounding
FLOATS = ("float32", "float64")
KINDS = ("float32", "float32", "float64", "int32", "int64", "bool")


@dataclass
class Value:
    """What a step computed, and the rounding in it: that of a dtype, or none.

    ``scale`` bounds the magnitudes that it is made of, which may have cancelled.
    """

    array: np.ndarray
    scale: float
    error: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether no step before it rounded."""
        return self.error == 0


@dataclass
class Draft:
    """A program that is being drawn: inputs, then steps on earlier values."""

    rng: Random
    inputs: list[np.ndarray] = field(default_factory=list)
    steps: list[tuple[Callable[..., Any], tuple[int, ...]]] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)

    def __call__(self, *arrays: Any) -> list[Any]:
        """Run the program on arrays or on symbols."""
        known = list(arrays)
        for step, places in self.steps:
            with np.errstate(all="ignore"):
                out = step(namespace(*known), *(known[place] for place in places))
            known.append(out if hasattr(out, "dtype") else np.asarray(out))
        return [known[place] for place in self.outputs]

    def errors(self) -> list[float]:
        """Return how far each output may be from what NumPy computes."""
        return [self.values[place].error * self.values[place].scale for place in self.outputs]

    # what to draw from

    def one(self, options: Sequence[Any]) -> Any:
        """Return one of the options."""
        return options[self.rng.randrange(len(options))]

    def chance(self, percent: int) -> bool:
        """Return whether something rare happens."""
        return self.rng.randrange(100) < percent

    def shape(self) -> Shape:
        """Return a shape; now and then an empty one."""
        shape = [self.one(SIZES) for _ in range(self.one((0, 1, 1, 2, 2, 2, 3, 4)))]
        if shape and self.chance(3):
            shape[self.rng.randrange(len(shape))] = 0
        while prod(shape) > LARGEST:
            shape[self.rng.randrange(len(shape))] = 1
        return tuple(shape)

    def fill(self, shape: Shape, dtype: str, low: int = -3, high: int = 4) -> np.ndarray:
        """Return whole numbers; few draws fill many elements."""
        generator = np.random.default_rng(self.rng.randrange(1000))
        return np.asarray(generator.integers(low, high, shape)).astype(dtype)

    def any_of(self, wanted: Callable[[Value], bool] = lambda value: True) -> int:
        """Return the number of a value, late ones rather than early ones; -1 if there is none."""
        places = [i for i, value in enumerate(self.values) if wanted(value)]
        if not places:
            return -1
        return places[-1] if self.chance(40) else self.one(places)

    def array(self, place: int) -> np.ndarray:
        """Return the elements of a value."""
        return self.values[place].array

    # writing

    def add_input(self, shape: Shape, dtype: str, low: int = -3, high: int = 4) -> int:
        """Add an input; inputs come before all steps."""
        assert not self.steps
        self.inputs.append(self.fill(shape, dtype, low, high))
        self.values.append(Value(self.inputs[-1], HIGHEST_INPUT))
        return len(self.values) - 1

    def do(
        self,
        step: Callable[..., Any],
        *places: int,
        exact: bool = True,
        grown: Callable[..., float] = sum,
    ) -> int:
        """Add a step unless its result is too large; return its number, or -1.

        ``grown`` bounds the magnitudes in the result by those in its operands.
        """
        with np.errstate(all="ignore"):
            array = np.asarray(step(NUMPY, *(self.array(place) for place in places)))
        parts = [self.values[place] for place in places]
        own = 0.0 if exact else SINGLE if array.dtype == np.float32 else EXACT
        error = max(own, *(part.error for part in parts), 0.0)
        scale = max(largest(array), grown([part.scale for part in parts]))
        if array.size > LARGEST or str(array.dtype) not in KINDS:
            return -1
        if array.dtype.kind != "b" and largest(array) > HIGHEST:
            return -1
        self.steps.append((step, places))
        self.values.append(Value(array, scale, error))
        return len(self.values) - 1

    def fits(self, place: int) -> int:
        """Return a value, or a new constant, that broadcasts with another."""
        shape = self.array(place).shape
        if self.chance(25):
            return self.constant(shape)

        def wanted(value: Value) -> bool:
            try:
                return prod(np.broadcast_shapes(shape, value.array.shape)) <= LARGEST
            except ValueError:
                return False

        return self.any_of(wanted)

    def constant(self, shape: Shape) -> int:
        """Add an array of constants that broadcasts to a shape."""
        own = tuple(n if self.chance(60) else 1 for n in shape[self.rng.randrange(3) :])
        array = self.fill(own, self.one(KINDS))
        if self.chance(30):
            array = np.full(own, array.flat[0]) if array.size else array
        return self.do(lambda xp: array)


def is_float(value: Value) -> bool:
    """Whether a value holds floating-point numbers."""
    return value.array.dtype.kind == "f"


def is_number(value: Value) -> bool:
    """Whether a value holds numbers."""
    return value.array.dtype.kind != "b"


def is_exact(value: Value) -> bool:
    """Whether a value was never rounded."""
    return value.exact


# the kinds of step


def product(scales: Sequence[float]) -> float:
    """Return what products of numbers so large can be, or the square of one."""
    return prod(max(1.0, scale) for scale in (scales if len(scales) > 1 else [*scales] * 2))


def many(d: Draft, place: int) -> Callable[[Sequence[float]], float]:
    """Return what sums of a value's elements can be."""
    return lambda scales: max(scales) * max(1, d.array(place).size)


def unary(d: Draft) -> None:
    x = d.any_of(is_number)
    if x < 0:
        return
    name = d.one(("negative", "abs", "square", "relu", "tanh", "exp", "weak"))
    steps: dict[str, Callable[..., Any]] = {
        "negative": lambda xp, x: -x,
        "abs": lambda xp, x: xp.abs(x),
        "square": lambda xp, x: x * x,
        "relu": lambda xp, x: xp.maximum(x, 0),
        "tanh": lambda xp, x: xp.tanh(x),
        "exp": lambda xp, x: xp.exp(-xp.abs(x)),
        "weak": lambda xp, x: 2 * x + 1,
    }
    grown = product if name == "square" else sum
    d.do(steps[name], x, exact=name not in ("tanh", "exp"), grown=grown)


def exact_unary(d: Draft) -> None:
    x = d.any_of(lambda value: is_number(value) and is_exact(value))
    if x < 0:
        return
    name = d.one(("sign", "floor", "sqrt", "log", "quotient", "astype", "isnan"))
    dtype = d.one(KINDS)
    steps: dict[str, Callable[..., Any]] = {
        "sign": lambda xp, x: xp.sign(x),
        "floor": lambda xp, x: xp.floor(x),
        "sqrt": lambda xp, x: xp.sqrt(xp.abs(x)),
        "log": lambda xp, x: xp.log(xp.abs(x) + 1),
        "quotient": lambda xp, x: 1 / (xp.abs(x) + 1),
        "astype": lambda xp, x: xp.astype(x, dtype),
        "isnan": lambda xp, x: xp.isnan(x),
    }
    d.do(steps[name], x, exact=name not in ("sqrt", "log", "quotient"))


def binary(d: Draft) -> None:
    a = d.any_of(is_number)
    b = d.fits(a) if a >= 0 else -1
    if a < 0 or b < 0:
        return
    a, b = (a, b) if d.chance(50) else (b, a)
    steps: tuple[Callable[..., Any], ...] = (
        lambda xp, a, b: a + b,
        lambda xp, a, b: a - b,
        lambda xp, a, b: a * b,
        lambda xp, a, b: xp.maximum(a, b),
        lambda xp, a, b: xp.minimum(a, b),
    )
    if not is_number(d.values[a]) and not is_number(d.values[b]):
        steps = (lambda xp, a, b: xp.logical_and(a, b), lambda xp, a, b: xp.logical_or(a, b))
    d.do(d.one(steps), a, b, grown=product)


def compare(d: Draft) -> None:
    a = d.any_of(is_exact)
    b = d.fits(a) if a >= 0 else -1
    if a < 0 or b < 0 or not d.values[b].exact:
        return
    steps: tuple[Callable[..., Any], ...] = (
        lambda xp, a, b: a == b,
        lambda xp, a, b: a != b,
        lambda xp, a, b: a < b,
        lambda xp, a, b: a <= b,
        lambda xp, a, b: a > b,
        lambda xp, a, b: a >= b,
    )
    d.do(d.one(steps), a, b)


def select(d: Draft) -> None:
    c = d.any_of(lambda value: not is_number(value))
    a = d.fits(c) if c >= 0 else -1
    b = d.fits(a) if a >= 0 else -1
    if b < 0:
        return
    shapes = [d.array(place).shape for place in (c, a, b)]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return
    d.do(lambda xp, c, a, b: xp.where(c, a, b), c, a, b)


def bits(d: Draft) -> None:
    a = d.any_of(lambda value: value.array.dtype.kind == "i")
    if a < 0:
        return
    steps: tuple[Callable[..., Any], ...] = (
        lambda xp, a: a & 3,
        lambda xp, a: a | 5,
        lambda xp, a: a ^ 7,
        lambda xp, a: ~a,
        lambda xp, a: a << 1,
        lambda xp, a: a >> 1,
    )
    d.do(d.one(steps), a)


def some_axes(d: Draft, n: int) -> tuple[int, ...]:
    """Return axes to reduce: often the last ones, as in a softmax."""
    if d.chance(50):
        return tuple(range(d.rng.randrange(n + 1), n))
    return tuple(a for a in range(n) if d.chance(50))


def reduce(d: Draft) -> None:
    name = d.one(("sum", "sum", "max", "min", "any", "all"))
    rounded = name in ("any", "all")
    x = d.any_of(lambda v: (v.exact or not rounded) and (v.array.size > 0 or name == "sum"))
    if x < 0 or (name in ("max", "min") and not is_number(d.values[x])):
        return
    axes, keep = some_axes(d, d.array(x).ndim), d.chance(50)
    d.do(lambda xp, x: getattr(xp, name)(x, axis=axes, keepdims=keep), x, grown=many(d, x))


def rows(d: Draft) -> None:
    """A softmax, or a layer normalisation: reductions and what is made of them."""
    x = d.any_of(lambda v: is_float(v) and v.array.ndim > 0 and v.array.size > 0)
    if x < 0:
        return
    axes = some_axes(d, d.array(x).ndim) or (-1,)

    def softmax(xp: Any, x: Any) -> Any:
        e = xp.exp(x - xp.max(x, axis=axes, keepdims=True))
        return e / xp.sum(e, axis=axes, keepdims=True)

    def centred(xp: Any, x: Any) -> Any:
        n = max(1, prod(x.shape[a] for a in axes))
        return x - xp.sum(x, axis=axes, keepdims=True) / n

    def dropped(xp: Any, x: Any) -> Any:
        return xp.sum(xp.tanh(x), axis=axes) * 2 + xp.max(x, axis=axes)

    d.do(d.one((softmax, centred, dropped)), x, exact=False, grown=many(d, x))


def reshape(d: Draft) -> None:
    x = d.any_of()
    shape = list(d.array(x).shape)
    size = prod(shape)
    if d.chance(40):
        shape = [size]
    elif d.chance(60) and size:
        n = d.one([n for n in range(1, size + 1) if size % n == 0])
        shape = [n, size // n]
    else:
        shape.insert(d.rng.randrange(len(shape) + 1), 1)
    d.do(lambda xp, x: xp.reshape(x, tuple(shape)), x)


def transpose(d: Draft) -> None:
    x = d.any_of(lambda value: value.array.ndim > 1)
    if x < 0:
        return
    axes = list(range(d.array(x).ndim))
    d.rng.shuffle(axes)
    d.do(lambda xp, x: xp.permute_dims(x, tuple(axes)), x)


def broadcast(d: Draft) -> None:
    x = d.any_of()
    lead = tuple(d.one((1, 2, 3)) for _ in range(d.rng.randrange(2)))
    shape = (*lead, *(d.one((2, 5, 16)) if n == 1 else n for n in d.array(x).shape))
    if prod(shape) <= LARGEST:
        d.do(lambda xp, x: xp.broadcast_to(x, shape), x)


def cut(d: Draft) -> None:
    x = d.any_of(lambda value: value.array.ndim > 0)
    if x < 0:
        return
    key: list[Any] = []
    for n in d.array(x).shape[: 1 + d.rng.randrange(3)]:
        if n and d.chance(30):
            key.append(d.rng.randrange(-n, n))
        else:
            low, high = d.rng.randrange(n + 1), d.rng.randrange(n + 1)
            step = d.one((1, 1, 2, 3, -1, -2, None))
            key.append(slice(low, high, step) if d.chance(60) else slice(None, None, step))
        if d.chance(10):
            key.append(None)
    if d.chance(20):
        key.insert(0, Ellipsis)
        key = key[: d.array(x).ndim + 1 - sum(part is None for part in key)]
    whole = tuple(key)
    try:
        d.array(x)[whole]
    except IndexError:
        return
    d.do(lambda xp, x: xp.index(x, whole), x)


def whole_numbers(d: Draft, n: int, shape: Shape) -> Callable[..., Any]:
    """Return an array of places along an axis of n."""
    array = d.fill(shape, d.one(("int32", "int64")), -n, n)
    return lambda xp: array


def gather(d: Draft) -> None:
    x = d.any_of(lambda value: value.array.ndim > 0 and value.array.size > 0)
    if x < 0:
        return
    depth = 1 + (d.array(x).ndim > 1 and d.chance(50))
    shape = d.shape()
    if prod(shape) * prod(d.array(x).shape[depth:]) > LARGEST:
        shape = (2,)
    places = []
    for n in d.array(x).shape[:depth]:
        made = d.do(whole_numbers(d, n, shape if d.chance(70) else shape[-1:]))
        places.append(moving(d, made, n) if d.chance(50) else made)
    d.do(lambda xp, x, *parts: xp.index(x, parts), x, *places)


def moving(d: Draft, place: int, n: int) -> int:
    """Return indices that are computed: those of a value, cut to what an axis of n has."""
    x = d.any_of(lambda v: v.exact and v.array.dtype.kind == "i" and v.array.ndim > 0)
    if x < 0:
        return place
    shape = d.array(place).shape
    try:
        np.broadcast_to(d.array(x), shape)
    except ValueError:
        return place
    out = d.do(lambda xp, x: xp.maximum(xp.minimum(xp.broadcast_to(x, shape), n - 1), -n), x)
    return out if out >= 0 else place


def scatter(d: Draft) -> None:
    x = d.any_of(lambda value: is_float(value) and value.array.ndim > 0)
    if x < 0:
        return
    depth = 1 + (d.array(x).ndim > 1 and d.chance(30))
    shared = 1 + d.rng.randrange(d.array(x).ndim)
    lead, rest = d.array(x).shape[:shared], d.array(x).shape[shared:]
    sizes = tuple(d.one((1, 2, 5, 17)) for _ in range(depth))
    if prod(sizes) * prod(rest) > LARGEST:
        return
    places = [d.do(whole_numbers(d, n, lead)) for n in sizes]
    shape = (*sizes, *rest)
    d.do(lambda xp, x, *parts: xp.scatter_add(x, parts, shape=shape), x, *places, grown=many(d, x))


def matmul(d: Draft) -> None:
    a = d.any_of(lambda value: is_float(value) and value.array.ndim == 2)
    if a < 0:
        return
    k = d.array(a).shape[1]
    dtype = d.array(a).dtype
    b = d.any_of(lambda v: v.array.ndim == 2 and v.array.dtype == dtype and k in v.array.shape)
    if b < 0 or d.chance(30):
        array = d.fill((k, d.one(SIZES)), str(dtype))
        b = d.do(lambda xp: array)
    if b >= 0 and d.array(b).shape[0] != k:
        b = d.do(lambda xp, b: xp.permute_dims(b, (1, 0)), b)
    if b >= 0:
        d.do(lambda xp, a, b: a @ b, a, b, grown=lambda scales: product(scales) * k)


def products(d: Draft) -> None:
    """Products of stacks of matrices, repeated or transposed."""
    a = d.any_of(lambda value: is_float(value) and value.array.ndim > 2)
    if a < 0:
        return
    *batch, _, k = d.array(a).shape
    n = d.one((1, 3, 16))
    lead = [size if d.chance(70) else 1 for size in batch[d.rng.randrange(2) :]]
    array = d.fill((*lead, k, n), str(d.array(a).dtype))
    b = d.do(lambda xp: array)
    if b >= 0 and prod(batch) <= 64:
        d.do(lambda xp, a, b: a @ b, a, b, grown=lambda scales: product(scales) * k)
        d.do(
            lambda xp, a, b: swapped(xp, b) @ swapped(xp, a), a, b,
            grown=lambda scales: product(scales) * k,
        )  # fmt: skip


def swapped(xp: Any, x: Any) -> Any:
    """Return matrices transposed."""
    *lead, a, b = range(x.ndim)
    return xp.permute_dims(x, (*lead, b, a))


def flip(d: Draft) -> None:
    x = d.any_of(lambda value: value.array.ndim > 0)
    if x >= 0:
        axis = d.one((None, 0, -1))
        d.do(lambda xp, x: xp.flip(x, axis=axis), x)


def pad(d: Draft) -> None:
    x = d.any_of(lambda value: value.array.ndim > 0 and is_number(value))
    if x >= 0:
        widths = tuple((d.rng.randrange(3), d.rng.randrange(3)) for _ in d.array(x).shape)
        d.do(lambda xp, x: xp.pad(x, widths=widths, value=2), x)


def join(d: Draft) -> None:
    x = d.any_of(lambda value: value.array.ndim > 0)
    if x < 0:
        return
    shape = d.array(x).shape
    y = d.any_of(lambda value: value.array.shape == shape)
    axis = d.rng.randrange(-len(shape), len(shape))
    name = d.one(("concat", "stack"))
    d.do(lambda xp, x, y: getattr(xp, name)([x, y, x], axis=axis), x, y)


KINDS_OF_STEP = (
    unary, unary, exact_unary, binary, binary, binary, compare, select, bits, reduce, reduce, rows,
    reshape, transpose, broadcast, cut, gather, scatter, matmul,
    products, flip, pad, join,
)  # fmt: skip


def draw(rng: Random, steps: int) -> Draft:
    """Return a random program."""
    d = Draft(rng)
    shape = d.shape()
    for _ in range(1 + rng.randrange(3)):
        own = tuple(n if d.chance(80) else 1 for n in shape) if d.chance(60) else d.shape()
        d.add_input(own, d.one(KINDS))
    for _ in range(steps):
        d.one(KINDS_OF_STEP)(d)
    last = len(d.values) - 1
    d.outputs = [last] + [place for place in range(last) if d.chance(15)]
    if d.chance(10):
        d.outputs.append(d.one(d.outputs))
    return d
