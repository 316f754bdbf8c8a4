"""What the schedule hands to code generation: loop nests and matrix products over flat buffers.

A kernel is a pure description: sizes, strides and operations, nothing of the machine. Its arguments
are pointers to the first byte of buffers, in the order of ``buffers``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

DType: TypeAlias = Literal["float32", "float64", "int32", "int64", "uint32", "bool"]
Vector: TypeAlias = Literal["outer", "inner", "none"]

DEEPEST = 512  # k, at most, for which a tile of a product is summed up in one go


class Access(NamedTuple):
    """Where an element lies: buffer[offset + sum of strides * loop counters], in elements.

    There is one stride for each axis that is being looped over, outer axes first; 0 repeats.
    """

    buffer: int
    strides: tuple[int, ...]
    offset: int = 0


class Instruction(NamedTuple):
    """One scalar operation of a loop's body.

    ``op`` is an elementwise primitive ("add", "exp", "where", "astype", ...) on earlier values, or

    - "load": an element of ``access``; with ``args``, integer values v_k whose multiples by
      ``scales`` are added to the place: a gather. A value below 0 counts from the end: it is taken
      modulo ``limits[k]``, which also keeps every access inside the buffer.
    - "constant": ``value``.
    - "counter": the loop counter of axis ``value`` (outer axes first), as an integer.
    - "product": in the epilogue of a product of matrices, its element in this place.

    ``args`` number earlier values of the same nest: the instructions of the stages before, then the
    reductions of each stage as they come; see `Nest`.
    """

    op: str
    args: tuple[int, ...]
    dtype: DType
    access: Access | None = None
    value: float | int | bool | None = None
    scales: tuple[int, ...] = ()
    limits: tuple[int, ...] = ()


class Store(NamedTuple):
    """Writes a value to a place, which ``args`` move as in a load: a scatter.

    With ``add`` it is added to what is there.
    """

    value: int
    access: Access
    add: bool = False
    args: tuple[int, ...] = ()
    scales: tuple[int, ...] = ()
    limits: tuple[int, ...] = ()


class Reduction(NamedTuple):
    """The sum, product, maximum, minimum, any or all of a value over a stage's inner loops."""

    op: Literal["sum", "prod", "max", "min", "any", "all"]
    value: int


@dataclass(frozen=True)
class Stage:
    """One pass over ``inner`` loops for each place of the outer ones.

    ``body`` and ``stores`` are run for every inner place; accesses have strides for the outer and
    the inner axes. Then ``reductions`` are complete, and ``after`` and ``last`` are run once for
    the outer place; their accesses have strides for the outer axes alone. A stage without inner
    loops has no reductions: its body is run once.
    """

    inner: tuple[int, ...]
    body: tuple[Instruction, ...]
    stores: tuple[Store, ...] = ()
    reductions: tuple[Reduction, ...] = ()
    after: tuple[Instruction, ...] = ()
    last: tuple[Store, ...] = ()


@dataclass(frozen=True)
class Nest:
    """Loops over ``outer``, and in each place of them the ``stages`` one after the other.

    Values are numbered in the order in which they come: for each stage the instructions of its
    body, its reductions, the instructions after. A body may use what earlier stages reduced or
    computed after their loops, but nothing of an earlier body: that is computed anew.

    ``vector`` says which loop is to be run several elements at a time: the last outer axis
    ("outer": elementwise work, and reductions over other axes than the last), the last inner axis
    of each stage ("inner": reductions along rows, softmax), or no axis ("none": scatters).
    """

    name: str
    buffers: tuple[DType, ...]
    outer: tuple[int, ...]
    stages: tuple[Stage, ...]
    vector: Vector = "outer"


@dataclass(frozen=True)
class Gemm:
    """c[i, j] = sum over k of a[i, k] * b[k, j]; buffers are a, b, c, and work space if any.

    ``a`` and ``b`` are (row stride, column stride) in elements, one of the two 1; c is row-major
    with row stride ``ldc``.

    With an ``epilogue`` c is not written. The epilogue is a nest over (m, n), of one stage without
    inner loops, whose body may ask for the "product", an element of c; it is run tile by tile. Its
    buffers stand in the place of c. Then m, n > 1, and k is at most `DEEPEST`.
    """

    name: str
    dtype: DType
    m: int
    n: int
    k: int
    a: tuple[int, int]
    b: tuple[int, int]
    ldc: int
    epilogue: Nest | None = None


Kernel: TypeAlias = Nest | Gemm
