"""Samples of operations that move, pick and contract elements."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from contracts import op_oracles as oracle
from contracts.op_case import Sample, case, every, label, normal
from pellucid.ops.index import ARRAY, fill

# shape

case(
    "Reshape",
    np.reshape,
    lambda t, x, shape: t.reshape(x, shape),
    *(
        Sample(label(a, "to", b), (normal(*a),), {"shape": b})
        for a, b in [
            ((2, 6), (3, 4)),
            ((2, 6), (-1,)),
            ((2, 6), (2, -1, 3)),
            ((), (1, 1)),
            ((1,), ()),
            ((0, 3), (3, 0)),
        ]
    ),
)
case(
    "Transpose",
    np.transpose,
    lambda t, x, axes: t.permute(x, axes),
    *(
        Sample(label(shape, axes=axes), (normal(*shape),), {"axes": axes})
        for shape, axes in [((2, 3), (1, 0)), ((2, 3, 4), (2, 0, 1)), ((), ()), ((0, 3), (1, 0))]
    ),
)
case(
    "BroadcastTo",
    np.broadcast_to,
    lambda t, x, shape: t.broadcast_to(x, shape),
    *(
        Sample(label(a, "to", b), (normal(*a),), {"shape": b})
        for a, b in [((1, 3), (2, 3)), ((3,), (2, 3)), ((), (2, 3)), ((1,), (0,)), ((2,), (2,))]
    ),
)
case(
    "ExpandDims",
    lambda x, axis: np.expand_dims(x, axis),
    lambda t, x, axis: t.unsqueeze(x, axis),
    *(Sample(label(axis=a), (normal(2, 3),), {"axis": a}) for a in (0, 1, 2, -1, -3)),
    Sample("scalar", (normal(),), {"axis": 0}),
)
case(
    "Squeeze",
    lambda x, axis: np.squeeze(x, axis),
    lambda t, x, axis: t.squeeze(x, axis),
    *(
        Sample(label(axis=a), (normal(1, 3, 1),), {"axis": a})
        for a in (0, 2, -1, (0, 2), (), (-1, 0))
    ),
    Sample("to a scalar", (normal(1),), {"axis": 0}),
)


def joins(*groups: tuple[int, tuple[tuple[int, ...], ...]]) -> list[Sample]:
    """Return samples of several operands and an axis."""
    return [
        Sample(label(*shapes, axis=axis), tuple(normal(*s) for s in shapes), {"axis": axis})
        for axis, shapes in groups
    ]


case(
    "Concat",
    lambda *arrays, axis: np.concatenate(arrays, axis),
    lambda t, *arrays, axis: t.cat(arrays, axis),
    joins(
        (0, ((2, 3), (1, 3))),
        (1, ((2, 3), (2, 1), (2, 2))),
        (-1, ((2, 3), (2, 1))),
        (-2, ((2, 3), (0, 3))),
        (0, ((2,),)),
        (1, ((0, 3), (0, 2))),
    ),
)
case(
    "Stack",
    lambda *arrays, axis: np.stack(arrays, axis),
    lambda t, *arrays, axis: t.stack(arrays, axis),
    joins(
        (0, ((2, 3), (2, 3))),
        (1, ((2, 3), (2, 3), (2, 3))),
        (-1, ((2, 3), (2, 3))),
        (-3, ((2, 3), (2, 3))),
        (0, ((), ())),
        (0, ((2,),)),
    ),
)
case(
    "Flip",
    lambda x, axis: np.flip(x, axis),
    lambda t, x, axis: t.flip(x, (axis,) if isinstance(axis, int) else every(x, axis)),
    *(Sample(label(axis=a), (normal(2, 3),), {"axis": a}) for a in (0, 1, -1, (0, 1), None)),
    Sample("scalar", (normal(),), {"axis": None}),
)
case(
    "Pad",
    lambda x, widths, value: np.pad(x, widths, constant_values=value),
    lambda t, x, widths, value: t.nn.functional.pad(
        x, [n for pair in reversed(widths) for n in pair], value=value
    ),
    Sample("zeros", (normal(2, 3),), {"widths": ((1, 0), (2, 1)), "value": 0.0}),
    Sample("a value", (normal(3),), {"widths": ((2, 2),), "value": -8.0}),
    Sample("nothing", (normal(2, 3),), {"widths": ((0, 0), (0, 0)), "value": 1.0}),
    Sample("empty", (normal(0, 2),), {"widths": ((1, 1), (0, 1)), "value": 2.0}),
)


# indexing


def key_of(parts: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[np.ndarray, ...]]:
    """Return the template of a key and the arrays that belong into it."""
    arrays = tuple(part for part in parts if isinstance(part, np.ndarray))
    return tuple(ARRAY if isinstance(part, np.ndarray) else part for part in parts), arrays


REPEATED = np.array([0, 2, 0, -1])
GRID = np.array([[0, 1], [2, 0]])
MASK = np.array([True, False, True])
KEYS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("integer", (1,)),
    ("negative integer", (-1, 0)),
    ("everything", ()),
    ("ellipsis", (..., 0)),
    ("slice", (slice(1, None),)),
    ("step", (slice(None), slice(0, 4, 2))),
    ("backwards", (slice(None, None, -1), slice(3, 0, -2))),
    ("no elements", (slice(0, 0),)),
    ("new axes", (None, 1, ..., None)),
    ("repeated rows", (REPEATED,)),
    ("rows, a table of them", (GRID,)),
    ("columns", (slice(None), REPEATED)),
    ("pairs", (REPEATED, REPEATED[::-1].copy())),
    ("pairs that broadcast", (np.array([[0], [1]]), np.array([0, 0, 3]))),
    ("an array and an integer", (1, REPEATED)),
    ("an array and a slice", (REPEATED, slice(1, 3))),
    ("arrays apart", (REPEATED, None, REPEATED)),
    ("one place", (np.array(1),)),
    ("no rows", (np.zeros(0, np.int64),)),
    ("mask of rows", (MASK,)),
    ("mask of everything", (np.outer(MASK, [True, True, False, True]),)),
    ("mask and integer", (MASK, 1)),
    ("mask and array", (MASK, np.array([3, 3]))),
    ("mask with nothing in it", (np.zeros(3, bool),)),
)


def indexed() -> Iterable[Sample]:
    """Yield samples of `Index`: a matrix of 3 rows and 4 columns and each key."""
    for name, parts in KEYS:
        key, arrays = key_of(parts)
        yield Sample(name, (normal(3, 4), *arrays), {"key": key}, torch=name != "backwards")


def scattered() -> Iterable[Sample]:
    """Yield samples of `ScatterAdd`: values in the shape that each key picks from such a matrix."""
    for name, parts in KEYS:
        key, arrays = key_of(parts)
        values = normal(*np.zeros((3, 4))[parts].shape)
        params = {"key": key, "shape": (3, 4)}
        yield Sample(name, (values, *arrays), params, torch=name != "backwards")


case(
    "Index",
    lambda x, *arrays, key: x[fill(key, arrays)],
    lambda t, x, *arrays, key: x[fill(key, arrays)],
    indexed(),
)
case(
    "ScatterAdd",
    lambda values, *arrays, key, shape: oracle.scatter_add(values, fill(key, arrays), shape),
    lambda t, values, *arrays, key, shape: oracle.torch_adjoint(
        t, lambda x: x[fill(key, arrays)], shape, values
    ),
    scattered(),
    Sample(
        "one value to several places",
        (normal(), np.array([0, 2, 2])),
        {"key": (ARRAY,), "shape": (4,)},
        torch=False,
    ),
)


# sums of products

case(
    "MatMul",
    np.matmul,
    lambda t, a, b: t.matmul(a, b),
    *(
        Sample(f"{a} @ {b}", (normal(*a), normal(*b)))
        for a, b in [
            ((2, 3), (3, 4)),
            ((1, 1), (1, 1)),
            ((4, 2, 3), (4, 3, 2)),
            ((4, 2, 3), (3, 2)),
            ((2, 3), (4, 3, 2)),
            ((1, 2, 3), (4, 3, 2)),
            ((4, 1, 2, 3), (5, 3, 1)),
            ((0, 3), (3, 2)),
            ((2, 0), (0, 3)),
        ]
    ),
)
case(
    "Einsum",
    lambda *operands, subscripts: np.einsum(subscripts, *operands),
    lambda t, *operands, subscripts: t.einsum(subscripts, *operands),
    *(
        Sample(subscripts, tuple(normal(*shape) for shape in shapes), {"subscripts": subscripts})
        for subscripts, shapes in [
            ("ij,jk->ik", [(2, 3), (3, 4)]),
            ("ij->ji", [(2, 3)]),
            ("ij->j", [(2, 3)]),
            ("ij->", [(2, 3)]),
            ("->", [()]),
            ("i,j->ij", [(2,), (3,)]),
            ("i,i->i", [(3,), (3,)]),
            ("ij,ij->", [(2, 3), (2, 3)]),
            ("ij,k->k", [(2, 3), (4,)]),
            ("bij,bjk->bik", [(2, 2, 3), (2, 3, 1)]),
            ("bhqd,bhkd->bhqk", [(1, 2, 3, 2), (1, 2, 2, 2)]),
            ("ij,jk,kl->il", [(2, 3), (3, 2), (2, 2)]),
            ("ij,jk->ik", [(0, 3), (3, 2)]),
        ]
    ),
)


# random numbers

case(
    "Uniform",
    oracle.uniform,
    None,
    *(
        Sample(label(key, counter, shape), (np.array([key, counter], np.uint32),), {"shape": shape})
        for key, counter, shape in [
            (0, 0, (7,)),
            (12345, 1, (2, 3)),
            (2**32 - 1, 2**32 - 1, (5,)),
            (7, 0x61C88647, ()),
            (7, 3, (0, 2)),
        ]
    ),
)
