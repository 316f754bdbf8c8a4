"""Tracing: what is written down, and what is refused with the line it stands on."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import Tensor
from pellucid.compiler import trace
from pellucid.compiler.graph import infer, verify
from pellucid.compiler.interpret import interpret
from pellucid.compiler.trace import TraceError

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def symbol() -> trace.Symbol:
    return trace.input_symbol("x", X)


def if_on_a_tensor(x: Tensor) -> Any:
    return x if x.sum() > 1 else -x


def float_of_a_loss(x: Tensor) -> Any:
    return float(x.sum())


def numpy_function(x: Tensor) -> Any:
    return np.sum(x.data)


def numpy_array(x: Tensor) -> Any:
    return np.asarray(x.data)


def numpy_exp(x: Tensor) -> Any:
    return np.exp(x.data)


def iteration(x: Tensor) -> Any:
    return list(x.data)


def item(x: Tensor) -> Any:
    return x.sum().item()


def boolean_mask(x: Tensor) -> Any:
    return x[x > 2]


def place_from_a_value(x: Tensor) -> Any:
    return [1, 2, 3][x.data]


def while_on_a_symbol(x: Tensor) -> Any:
    while x.data[0, 0] < 3:
        x = x + 1
    return x


@pytest.mark.parametrize(
    "function",
    [
        if_on_a_tensor, float_of_a_loss, numpy_function, numpy_array, numpy_exp, iteration, item,
        boolean_mask, place_from_a_value, while_on_a_symbol,
    ],
)  # fmt: skip
def test_what_looks_at_values_is_refused_with_its_line(function: Callable[..., Any]) -> None:
    with pytest.raises(TraceError) as caught:
        function(Tensor(symbol()))
    first = inspect.getsourcelines(function)[1]
    expected = f"{Path(__file__).name}:{first + 1}"
    assert expected in str(caught.value)
    assert "where()" in str(caught.value)


def test_shapes_may_be_asked_for() -> None:
    x = symbol()
    assert (x.shape, x.ndim, x.size, x.dtype) == ((2, 3), 2, 6, np.float32)
    assert len(x) == len(Tensor(x)) == 2


def test_lines_of_a_notebook_are_those_of_its_cell() -> None:
    names: dict[str, Any] = {}
    code = compile("def twice(x):\n    return x * 2", "/somewhere/ipykernel_17/2571.py", "exec")
    exec(code, names)  # noqa: S102 - as a notebook runs its cells
    assert "cell:2" in str(trace.finished({}, {"y": names["twice"](symbol())}))


def test_a_graph_prints_its_nodes_and_the_lines_they_come_from() -> None:
    x = symbol()
    line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
    graph = trace.finished({"x": x}, {"y": x * 2})
    text = str(graph)
    assert "multiply" in text
    assert "float32[2,3]" in text
    assert f"test_trace.py:{line}" in text
    assert text.endswith("return y=%1")
    verify(graph)


@pytest.mark.parametrize(
    ("function", "dtype"),
    [
        (lambda x: x * 2, "float32"),
        (lambda x: x * 2.5, "float32"),
        (lambda x: 1 / (x + 1), "float32"),
        (lambda x: x * np.float64(2), "float64"),
        (lambda x: x * np.float32(2), "float32"),
        (lambda x: x * np.ones(3), "float64"),
        (lambda x: np.ones(3) * x, "float64"),
        (lambda x: x > 1, "bool"),
        (lambda x: (x > 1) & True, "bool"),
        (lambda x: (x > 1) * 2, "int64"),
        (lambda x: x**2, "float32"),
    ],
)
def test_numbers_meet_arrays_as_in_numpy(function: Callable[..., Any], dtype: str) -> None:
    assert str(function(X).dtype) == dtype
    assert str(function(symbol()).dtype) == dtype


def test_weak_symbols_take_the_dtype_of_what_they_meet() -> None:
    count = trace.input_symbol("count", np.float64(3), weak=True)
    rate = 0.1 * 0.9**count
    assert rate.weak
    assert (symbol() * rate).dtype == np.float32
    assert (np.ones(2) * rate).dtype == np.float64
    assert trace.TRACING.astype(rate, "float32").dtype == np.float32


def test_what_depends_on_no_symbol_is_computed_at_once() -> None:
    assert isinstance(trace.TRACING.argmax(X, axis=1), np.ndarray)


def test_every_function_of_the_protocol_is_written_down() -> None:
    """With the shape and dtype that NumPy has, and the same value by the interpreter."""
    calls: dict[str, Callable[..., Any]] = {
        "argmax": lambda xp, x: xp.argmax(x, axis=1, keepdims=True),
        "argmin": lambda xp, x: xp.argmin(x),
        "flip": lambda xp, x: xp.flip(x, axis=1),
        "concat": lambda xp, x: xp.concat([x, x * 2], axis=1),
        "stack": lambda xp, x: xp.stack([x, x], axis=-1),
        "einsum": lambda xp, x: xp.einsum("ij,kj->ik", x, x),
        "pad": lambda xp, x: xp.pad(x, widths=((1, 0), (0, 2)), value=3.0),
        "clip": lambda xp, x: xp.clip(x, 1, 3),
        "clip, named": lambda xp, x: xp.clip(x, max=3),
        "squeeze": lambda xp, x: xp.squeeze(xp.expand_dims(x, axis=1), axis=1),
        "asarray": lambda xp, x: xp.asarray(x, dtype="float64"),
        "reshape": lambda xp, x: xp.reshape(x, (3, -1)),
        "index": lambda xp, x: xp.index(x, (Ellipsis, slice(None, None, -1), None)),
        "index by 0-d": lambda xp, x: xp.index(x, (xp.astype(x[0, 1], "int64"), slice(1, 3))),
        "weak": lambda xp, x: xp.where(x > 2, 1.0, x),
    }
    for name, call in calls.items():
        x = symbol()
        made = call(trace.TRACING, x)
        expected = np.asarray(call(trace.NUMPY, X))
        assert (made.shape, made.dtype) == (expected.shape, expected.dtype), name
        graph = trace.finished({"x": x}, {"y": made})
        verify(graph)
        np.testing.assert_array_equal(interpret(graph, {"x": X})["y"], expected, err_msg=name)


def test_types_are_inferred_without_computing() -> None:
    """Also of arrays that would not fit into memory."""
    big = trace.Node("input", (), (10**6, 10**6), np.dtype("float32"))
    assert infer("sum", [big], (("axis", (0,)), ("keepdims", False)))[0] == (10**6,)
    assert infer("matmul", [big, big], ())[0] == (10**6, 10**6)
