"""Silent float64: a network in float32 stays there, whatever numbers it meets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid as pl
from pellucid import Tensor
from pellucid.optim import SGD, Adam

F32 = np.array([[0.5, 1.5, 2.5], [3.5, 0.25, 0.75]], np.float32)
BIG = F32.astype(np.float64)  # an array of a user who did not think of dtypes
FLOAT = np.float64(0.5)
INTS = np.array([[1, 2, 3], [3, 2, 1]])

CALLS: dict[str, Callable[[Tensor], Tensor]] = {
    "sum() with its start value": lambda x: sum([x, x, x]),
    "a Python float": lambda x: 0.5 * x + 1.5 - x / 2.5,
    "a NumPy scalar": lambda x: FLOAT * x + FLOAT - x / FLOAT,
    "a NumPy scalar on the left": lambda x: FLOAT / (FLOAT - x - 4) + FLOAT**x,
    "a NumPy array": lambda x: x * BIG + BIG - BIG / x,
    "a list": lambda x: x * [1.0, 2.0, 3.0],
    "integers": lambda x: x * INTS + INTS / x,
    "booleans": lambda x: x * (BIG > 1) + True,
    "a power": lambda x: x**FLOAT + x**2.0 + x ** np.float32(3) + x ** np.int64(2) + x**BIG,
    "power()": lambda x: pl.power(x, FLOAT) + pl.power(2.0, x) + pl.power(x, BIG),
    "power() of an array": lambda x: pl.power(BIG, x) + pl.power(FLOAT, x) + pl.power(2, x),
    "maximum": lambda x: pl.maximum(x, BIG) + pl.maximum(0.5, x) + pl.maximum(x, FLOAT),
    "minimum": lambda x: pl.minimum(BIG, x) + pl.minimum(x, 0.5) + pl.minimum(FLOAT, x),
    "clip": lambda x: x.clip(FLOAT, np.float64(2)) + pl.clip(x, 0, max=FLOAT),
    "where": lambda x: (
        pl.where(BIG > 1, x, BIG) + pl.where(x > 1, FLOAT, x) + pl.where(x > 1, 0.5, x)
    ),
    "leaky_relu": lambda x: pl.leaky_relu(x, slope=FLOAT),
    "pad": lambda x: pl.pad(x, widths=((1, 1), (0, 0)), value=FLOAT),
    "matmul": lambda x: x @ BIG.T + (BIG @ x.T),
    "einsum": lambda x: pl.einsum("ij,kj->ik", x, BIG) + pl.einsum("ij,kj->ik", BIG, x),
    "concat": lambda x: pl.concat([x, BIG, F32]) * pl.concat([BIG, x, x]),
    "stack": lambda x: pl.stack([x, BIG]) + pl.stack([INTS, x]),
    "stack of scalars": lambda x: pl.stack([x[0, 0], 0.5, FLOAT, 1]),
    "conv": lambda x: pl.conv(
        x.reshape(1, 6, 1), BIG.reshape(3, 1, 2), stride=(1,), padding=((0, 0),), dilation=(1,)
    ),
    "mean": lambda x: x.mean() + x.mean(axis=1).sum() + x.sum() / 3,
    "variance": lambda x: x.var(ddof=1) + x.std(axis=0).sum() + pl.var(x, axis=1).mean(),
    "norms": lambda x: pl.norm(x, axis=1) + pl.logsumexp(x, axis=1),
    "softmax": lambda x: pl.softmax(x) * pl.log_softmax(x, axis=0),
    "sigmoid": lambda x: x.sigmoid() + pl.softplus(x) + pl.erf(x),
    "extremes": lambda x: x.max(axis=0) + x.min(axis=0),
    "scatter_add": lambda x: pl.scatter_add(x[0], [0, 0, 1], shape=(2,)),
    "a random mask": lambda x: x * (pl.uniform(np.array([1, 2], np.uint32), shape=(2, 3)) < 0.5),
    "scalars": lambda x: x[0, 0].exp() * FLOAT + x[0, 1].relu() ** FLOAT + abs(x[1, 1]).sigmoid(),
}


@pytest.mark.parametrize("call", CALLS)
def test_float32_stays_float32(call: str) -> None:
    x = Tensor(F32, requires_grad=True)
    out = CALLS[call](x)
    assert out.dtype == np.float32
    out.backward(np.ones(out.shape))
    assert x.grad.dtype == np.float32
    slope = pl.grad(lambda x: (CALLS[call](x) ** 2).sum())
    second = pl.grad(lambda x: (slope(x) ** 2).sum())(x)
    assert second.dtype == np.float32


@pytest.mark.parametrize("call", CALLS)
def test_float64_stays_float64(call: str) -> None:
    x = Tensor(BIG, requires_grad=True)
    out = CALLS[call](x)
    assert out.dtype == np.float64
    out.backward(np.ones(out.shape))
    assert x.grad.dtype == np.float64


@pytest.mark.parametrize("call", ["a Python float", "a NumPy array", "norms", "softmax", "conv"])
def test_float16_stays_float16(call: str) -> None:
    x = Tensor(F32.astype(np.float16), requires_grad=True)
    out = CALLS[call](x)
    assert out.dtype == np.float16
    out.backward(np.ones(out.shape))
    assert x.grad.dtype == np.float16


def test_float32_survives_training() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 3)), rng.integers(0, 2, size=8)  # float64: a user's own arrays
    w = [Tensor(rng.normal(size=s).astype("float32"), requires_grad=True) for s in ((3, 4), (4, 2))]
    for optimizer in (Adam(lr=0.5), SGD(lr=0.1, momentum=0.9, nesterov=True)):
        for _ in range(3):
            hidden = (x @ w[0]).tanh() * FLOAT
            loss = pl.cross_entropy(hidden @ w[1], y).mean() + 1e-3 * sum((p**2).sum() for p in w)
            loss.backward()
            assert loss.dtype == np.float32
            assert all(p.grad.dtype == np.float32 for p in w)
            optimizer.step(w)
            assert all(p.data.dtype == np.float32 for p in w)
            for p in w:
                p.grad = None
        state = [array for part in optimizer.state.values() for array in part.values()]
        assert all(array.dtype == np.float32 for array in state)


def test_two_tensors_meet_at_the_wider_dtype() -> None:
    narrow, wide = Tensor(F32, requires_grad=True), Tensor(BIG, requires_grad=True)
    for out in (
        narrow * wide,
        pl.maximum(wide, narrow),
        pl.concat([narrow, wide]),
        narrow @ wide.T,
        pl.where(narrow > 1, narrow, wide),
        pl.einsum("ij,ij->i", narrow, wide),
        narrow**wide,
    ):
        assert out.dtype == np.float64
        out.sum().backward()
    assert narrow.grad.dtype == np.float32
    assert wide.grad.dtype == np.float64


def test_integers_take_the_dtype_of_the_floats() -> None:
    for dtype in ("float32", "float64"):
        x, k = Tensor(BIG.astype(dtype)), Tensor(INTS)
        for out in (x * k, k - x, k / x, pl.maximum(k, x), pl.concat([k, x]), k @ x.T):
            assert out.dtype == dtype


@pytest.mark.parametrize(
    "call",
    [
        lambda k: k / 2,
        lambda k: k + 0.5,
        lambda k: k * FLOAT,
        lambda k: k.mean(),
        lambda k: k.var(),
        lambda k: pl.exp(k),
        lambda k: pl.softmax(k),
        lambda k: k**0.5,
        lambda k: 2.0**k,
        lambda k: pl.power(2, k),
        lambda k: k.clip(0.5, 1.5),
        lambda k: pl.clip(k, None, FLOAT),
        lambda k: pl.leaky_relu(k, slope=0.5),
        lambda k: pl.maximum(k, 0.5),
        lambda k: pl.stack([k[0], 0.5]) if k.ndim == 1 else pl.where(k > 1, 0.5, k),
    ],
)
def test_integers_become_float32_where_they_must(call: Callable[[Tensor], Tensor]) -> None:
    assert call(Tensor(INTS)).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda k: k.clip(2, None), np.int64),
        (lambda k: k.clip(np.int64(2), 3), np.int64),
        (lambda k: k.sum(), np.int64),
        (lambda k: k.max(axis=0), np.int64),
        (lambda k: k.relu(), np.int64),
        (lambda k: -k, np.int64),
        (lambda k: k > 1, np.bool),
        (lambda k: k.argmax(), np.int64),
        (lambda k: (k > 1).sum(), np.int64),
        (lambda k: pl.concat([k, k]), np.int64),
    ],
)
def test_integers_stay_integers_where_they_can(
    call: Callable[[Tensor], Tensor], expected: Any
) -> None:
    assert call(Tensor(INTS)).dtype == expected


def test_bounds_are_numbers() -> None:
    for bounds in [(BIG, None), (None, Tensor(1.0)), ("a", 1)]:
        with pytest.raises(TypeError, match="expected numbers or None as bounds, got"):
            Tensor(F32).clip(*bounds)
