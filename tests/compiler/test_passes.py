"""Passes: what each does to a small graph, and that a broken one is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pellucid.compiler import passes, trace
from pellucid.compiler.graph import Graph, Node, rebuilt, verify, with_inputs
from pellucid.compiler.interpret import interpret
from pellucid.compiler.trace import TRACING as XP

X = np.arange(-3, 3, dtype=np.float32).reshape(2, 3)


def graph_of(function: Callable[..., Any], like: np.ndarray = X) -> Graph:
    """Return the graph of a function of one symbol, verified."""
    x = trace.input_symbol("x", like)
    graph = trace.finished({"x": x}, {"y": function(x)})
    verify(graph)
    return graph


def after(name: str, graph: Graph, like: np.ndarray = X) -> Graph:
    """Return the graph after one pass, which computes the same to the bit."""
    changed = passes.PASSES[name](graph)
    verify(changed)
    before, now = (interpret(g, {"x": like})["y"] for g in (graph, changed))
    assert before.dtype == now.dtype
    assert before.tobytes() == now.tobytes()
    return changed


def ops(graph: Graph) -> Counter[str]:
    """Return how often each primitive occurs."""
    return Counter(node.op for node in graph.nodes())


def test_constants_are_folded() -> None:
    graph = graph_of(lambda x: x + XP.sum(XP.ones_like(x) * 3, axis=0))
    folded = after("fold_constants", graph)
    assert ops(folded) == {"input": 1, "constant": 1, "add": 1}
    np.testing.assert_array_equal(folded.outputs["y"].inputs[1].value, [6, 6, 6])


def test_large_constants_are_not_folded() -> None:
    """They would be kept for as long as the program."""
    graph = graph_of(lambda x: x[0, 0] + XP.broadcast_to(XP.ones_like(x)[0, :1], (1 << 17,)))
    assert ops(after("fold_constants", graph))["broadcast_to"] == 1


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * 1,
        lambda x: 1 * x,
        lambda x: x / 1,
        lambda x: x - 0,
        lambda x: -XP.reshape(-x, (2, 3)),
        lambda x: XP.permute_dims(XP.permute_dims(x, (1, 0)), (1, 0)),
        lambda x: XP.permute_dims(x, (0, 1)),
        lambda x: XP.reshape(XP.reshape(x, (6,)), (2, 3)),
    ],
)
def test_what_changes_nothing_is_dropped(function: Callable[..., Any]) -> None:
    graph = graph_of(function)
    for _ in range(2):
        graph = after("simplify", graph)
    assert graph.outputs["y"].op == "input"


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * 0,  # NaN and infinity times 0 are NaN
        lambda x: x + 0,  # -0 + 0 is 0
        lambda x: 0 - x,
        lambda x: x - np.float32(-0.0),  # alike
        lambda x: 1 / x,
        lambda x: x * np.ones((4, 2, 3), "f4"),
        lambda x: XP.astype(XP.astype(x, "int32"), "float32"),
        lambda x: XP.reshape(x, (3, 2)),
    ],
)
def test_what_changes_something_stays(function: Callable[..., Any]) -> None:
    special = np.array([[np.nan, np.inf, -0.0], [0.0, 1.5, -2.0]], "f4")
    graph = graph_of(function)
    assert ops(after("simplify", graph, X)) == ops(graph)
    if "astype" not in ops(graph):
        after("simplify", graph, special)


def test_casts_are_written_down() -> None:
    whole = X.astype("int32")
    graph = after("explicit_casts", graph_of(lambda x: XP.exp(x), whole), whole)
    assert graph.outputs["y"].inputs[0].type == "float64[2,3]"
    graph = after("explicit_casts", graph_of(lambda x: XP.sum(x > 0), whole), whole)
    assert graph.outputs["y"].inputs[0].type == "int64[2,3]"
    graph = after("explicit_casts", graph_of(lambda x: XP.where(x, x, 2), whole), whole)
    assert graph.outputs["y"].inputs[0].type == "bool[2,3]"


@pytest.mark.parametrize(
    ("function", "op"),
    [
        (lambda x: (x > 0) + (x < 2), "logical_or"),
        (lambda x: (x > 0) * (x < 2), "logical_and"),
        (lambda x: XP.maximum(x > 0, x < 2), "logical_or"),
        (lambda x: XP.min(x > 0, axis=0), "all"),
        (lambda x: XP.max(x > 0), "any"),
    ],
)
def test_arithmetic_of_bools_becomes_logic(function: Callable[..., Any], op: str) -> None:
    assert after("explicit_casts", graph_of(function)).outputs["y"].op == op


def test_repetition_is_left_to_elementwise_operations() -> None:
    graph = graph_of(lambda x: XP.broadcast_to(x[:1], (2, 3)) + x * np.full((2, 3), 2, "f4"))
    late = after("broadcast_late", graph)
    assert ops(late)["broadcast_to"] == 0
    assert {node.shape for node in late.nodes() if node.op == "constant"} == {()}


def test_a_result_keeps_the_shape_that_repetition_gave_it() -> None:
    """One of the two operands must stay as large as the result."""
    graph = graph_of(lambda x: XP.broadcast_to(x, (4, 2, 3)) * XP.broadcast_to(x, (4, 2, 3)))
    late = after("broadcast_late", graph)
    assert late.outputs["y"].shape == (4, 2, 3)
    assert ops(late)["broadcast_to"] == 1


def test_equal_nodes_are_computed_once() -> None:
    graph = after("share", graph_of(lambda x: XP.exp(x * 2) + XP.exp(x * 2)))
    assert ops(graph) == {"input": 1, "constant": 1, "multiply": 1, "exp": 1, "add": 1}


def test_alike_is_not_equal() -> None:
    """0 and -0, another axis, another dtype."""

    def function(x: Any) -> Any:
        zero = (x * np.float32(0)) + (x * np.float32(-0.0))
        sums = XP.sum(x, axis=0, keepdims=True) + XP.sum(x, axis=1, keepdims=True)
        return zero + sums + XP.astype(XP.astype(x, "int32"), "float32")

    graph = graph_of(function)
    shared = after("share", graph)
    assert ops(shared)["sum"] == 2
    assert ops(shared)["constant"] == ops(graph)["constant"]


def test_what_no_output_needs_is_gone() -> None:
    def function(x: Any) -> Any:
        XP.exp(x)
        return x + 1

    assert ops(graph_of(function))["exp"] == 0


def test_passes_are_told_of() -> None:
    seen = []
    passes.optimise(graph_of(lambda x: x + 1), lambda name, graph: seen.append(name))
    assert seen == list(passes.PASSES)


def wrong_shape(graph: Graph) -> Graph:
    return rebuilt(graph, lambda node, inputs: replace(with_inputs(node, inputs), shape=(1,)))


def wrong_dtype(graph: Graph) -> Graph:
    kind = np.dtype("float64")
    return rebuilt(graph, lambda node, inputs: replace(with_inputs(node, inputs), dtype=kind))


def unknown_primitive(graph: Graph) -> Graph:
    return rebuilt(graph, lambda node, inputs: replace(with_inputs(node, inputs), op="add_all"))


def lost_operand(graph: Graph) -> Graph:
    stranger = Node("input", (), (2, 3), np.dtype("float32"))
    return rebuilt(graph, lambda node, inputs: with_inputs(node, (stranger,) * len(inputs)))


def several_dtypes(graph: Graph) -> Graph:
    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        if node.op != "add":
            return with_inputs(node, inputs)
        half = Node("constant", (), (), np.dtype("float16"), value=np.float16(1).reshape(()))
        return with_inputs(node, (inputs[0], half))

    return rebuilt(graph, change)


def wrong_constant(graph: Graph) -> Graph:
    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        node = with_inputs(node, inputs)
        return replace(node, value=np.ones(5)) if node.op == "constant" else node

    return rebuilt(graph, change)


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        (wrong_shape, "from its operands|another type"),
        (wrong_dtype, "from its operands|another type"),
        (unknown_primitive, "no primitive"),
        (lost_operand, "does not list"),
        (several_dtypes, "several dtypes"),
        (wrong_constant, "another type"),
    ],
)
def test_a_broken_pass_is_found(
    fault: passes.Pass, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(passes.PASSES, "share", fault)
    graph = graph_of(lambda x: XP.exp(x) + np.float32(2))
    with pytest.raises(ValueError, match=complaint) as caught:
        passes.optimise(graph)
    assert "the graph is broken at" in str(caught.value)
    assert "x: float32[2,3]" in str(caught.value)  # the graph is printed
