"""Samples of operations that fold axes away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from contracts import op_oracles as oracle
from contracts.op_case import (
    INF,
    Sample,
    away,
    case,
    distinct,
    every,
    kink,
    label,
    normal,
    truth,
)

# reductions

AXES = (
    ((2, 3, 4), None),
    ((2, 3, 4), 1),
    ((2, 3, 4), -1),
    ((2, 3, 4), (0, 2)),
    ((2, 3, 4), (-1, 0, 1)),
    ((1, 3), 0),
    ((), None),
)


def folds(draw: Callable[..., np.ndarray], **params: Any) -> list[Sample]:
    """Return samples of a reduction over no, one and several axes, kept and not."""
    return [
        Sample(
            label(shape, axis=axis, keepdims=keep, **params),
            (draw(*shape),),
            {"axis": axis, "keepdims": keep, **params},
        )
        for shape, axis in AXES
        for keep in (False, True)
    ]


def fold(name: str, x: Any, axis: Any = None, keepdims: bool = False, **rest: Any) -> Sample:
    """Return one sample of a reduction."""
    gradients, torch = rest.pop("gradients", None), rest.pop("torch", True)
    params = {"axis": axis, "keepdims": keepdims, **rest}
    return Sample(name, (np.asarray(x),), params, gradients is None, gradients, torch)


EMPTY = [fold("empty", np.zeros((0, 3)), 0), fold("beside an empty axis", np.zeros((0, 3)), 1)]
case(
    "Sum",
    np.sum,
    lambda t, x, axis, keepdims: t.sum(x, every(x, axis), keepdims),
    folds(normal),
    EMPTY,
    fold("no axes", normal(2, 3), (), torch=False),
)
case(
    "Mean",
    np.mean,
    lambda t, x, axis, keepdims: t.mean(x, every(x, axis), keepdims),
    folds(normal),
    EMPTY[1],
)
case(
    "Var",
    oracle.var,
    lambda t, x, axis, keepdims, ddof: t.var(x, every(x, axis), correction=ddof, keepdim=keepdims),
    folds(normal, ddof=0),
    [fold(label(ddof=d), normal(3, 4), 1, ddof=d) for d in (1, 2)],
    fold("beside an empty axis", np.zeros((0, 3)), 1, ddof=1, torch=False),
    fold("of one element", [[2.0]], 1, ddof=1, torch=False, gradients=([[np.nan]],)),
    fold("all equal", np.ones((2, 3)), 1, ddof=0),
)
case(
    "Max",
    np.max,
    lambda t, x, axis, keepdims: t.amax(x, every(x, axis), keepdims),
    folds(distinct),
    EMPTY[1],
    fold("ties", [3.0, 1.0, 3.0], gradients=([0.5, 0.0, 0.5],)),
    fold("ties in rows", [[1.0, 1.0], [0.0, 2.0]], 1, gradients=([[0.5, 0.5], [0.0, 1.0]],)),
)
case(
    "Min",
    np.min,
    lambda t, x, axis, keepdims: t.amin(x, every(x, axis), keepdims),
    folds(distinct),
    EMPTY[1],
    fold("ties", [3.0, 1.0, 1.0, 1.0], gradients=([0.0, 1 / 3, 1 / 3, 1 / 3],)),
)
case(
    "Norm",
    lambda x, axis, keepdims: np.sqrt(np.sum(np.square(x), axis=axis, keepdims=keepdims)),
    lambda t, x, axis, keepdims: t.linalg.vector_norm(x, dim=every(x, axis), keepdim=keepdims),
    folds(away),
    EMPTY[1],
    fold("at 0", [[0.0, 0.0], [3.0, 4.0]], 1, gradients=([[0.0, 0.0], [0.6, 0.8]],)),
)
case(
    "LogSumExp",
    lambda x, axis, keepdims: np.logaddexp.reduce(x, axis=axis, keepdims=keepdims),
    lambda t, x, axis, keepdims: t.logsumexp(x, every(x, axis), keepdims),
    folds(normal),
    EMPTY[1],
    fold("large", [[800.0, 801.0], [-800.0, -801.0]], 1),
    fold(
        "ln 0",
        [[-INF, -INF], [-INF, 0.0]],
        1,
        gradients=([[0.0, 0.0], [0.0, 1.0]],),
        torch=False,
    ),
)


def rows(draw: Callable[..., np.ndarray]) -> list[Sample]:
    """Return samples of an operation along one axis."""
    return [
        Sample(label(shape, axis=axis), (draw(*shape),), {"axis": axis})
        for shape, axis in [((2, 3), -1), ((2, 3), 0), ((2, 3, 4), 1), ((0, 3), 1), ((1,), 0)]
    ]


HUGE = Sample("large", (np.array([[800.0, 801.0], [-800.0, -801.0]]),), {"axis": 1})
MASKED = Sample("one is impossible", (np.array([[-INF, 0.5, 1.0]]),), {"axis": 1}, smooth=False)
case(
    "Softmax",
    lambda x, axis: np.exp(x - np.logaddexp.reduce(x, axis=axis, keepdims=True)),
    lambda t, x, axis: t.softmax(x, axis),
    rows(normal),
    HUGE,
    MASKED,
)
case(
    "LogSoftmax",
    lambda x, axis: x - np.logaddexp.reduce(x, axis=axis, keepdims=True),
    lambda t, x, axis: t.log_softmax(x, axis),
    rows(normal),
    HUGE,
)


case(
    "CrossEntropy",
    lambda z, y: np.logaddexp.reduce(z, axis=1) - z[np.arange(len(y)), y],
    lambda t, z, y: t.nn.functional.cross_entropy(z, y, reduction="none"),
    Sample("labels", (normal(4, 3), np.array([0, 2, 2, 1]))),
    Sample("short integers", (normal(2, 3), np.array([0, 2], np.int32)), torch=False),
    Sample("one class", (normal(2, 1), np.array([0, 0]))),
    Sample("no rows", (normal(0, 3), np.zeros(0, np.int64))),
    Sample("large", (np.array([[800.0, 801.0], [-800.0, 800.0]]), np.array([0, 0]))),
    kink("impossible", ([[-INF, 0.0]], [1]), [[0.0, 0.0]]),
)


def places(draw: Callable[..., np.ndarray]) -> list[Sample]:
    """Return samples of a reduction that takes one axis or none."""
    return [s for s in folds(draw) if not isinstance(s.params["axis"], tuple)]


case(
    "ArgMax",
    np.argmax,
    lambda t, x, axis, keepdims: t.argmax(x, axis, keepdims),
    places(distinct),
    fold("the first of equals", [[1.0, 3.0, 3.0], [2.0, 2.0, 0.0]], 1, torch=False),
)
case(
    "ArgMin",
    np.argmin,
    lambda t, x, axis, keepdims: t.argmin(x, axis, keepdims),
    places(distinct),
    fold("the first of equals", [[3.0, 1.0, 1.0], [2.0, 2.0, 3.0]], 1, torch=False),
)
case(
    "Any",
    np.any,
    lambda t, x, axis, keepdims: t.any(x, every(x, axis), keepdims),
    folds(truth),
    fold("of nothing", np.zeros((0, 3), bool), 0),
)
case(
    "All",
    np.all,
    lambda t, x, axis, keepdims: t.all(x, every(x, axis), keepdims),
    folds(truth),
    fold("of nothing", np.zeros((0, 3), bool), 0),
)
