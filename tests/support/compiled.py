"""One function three ways: NumPy as it is written, the interpreter of its graph, native code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.compiler import passes, trace
from pellucid.compiler.graph import Graph
from pellucid.compiler.interpret import interpret
from pellucid.compiler.llvm.target import Target
from pellucid.compiler.program import Program

Arrays = list[np.ndarray]
EXACT = 1e-12  # of the largest element: for float64, and between NumPy and the interpreter
SINGLE = 2e-6  # float32: sums of a few hundred numbers in another order
EQUAL: Mapping[str, float] = defaultdict(float)
ROUNDING = {"float32": SINGLE, "float64": EXACT}


@dataclass(frozen=True)
class Traced:
    """The graph of a function and what it was traced on; ``eager`` is what NumPy made of it.

    ``errors`` says how far the native results may be from that.
    """

    graph: Graph
    inputs: dict[str, np.ndarray]
    eager: dict[str, np.ndarray]
    errors: dict[str, float]


def listed(out: Any) -> list[Any]:
    """Return results as a list of arrays or symbols."""
    return list(out) if isinstance(out, list | tuple) else [out]


def traced(
    function: Callable[..., Any],
    *inputs: Any,
    name: str = "",
    errors: Sequence[float] | None = None,
) -> Traced:
    """Return the graph of a function of arrays, which returns one array or several.

    Without ``errors``, native numbers may differ by what their dtype rounds of the largest in
    their array: what cancels in a sum leaves an error in proportion to what was summed.
    """
    arrays = {f"{name}x{i}": np.asarray(x) for i, x in enumerate(inputs)}
    with np.errstate(all="ignore"):
        results = listed(function(*(np.array(x) for x in arrays.values())))
    eager = {f"{name}y{i}": np.asarray(x) for i, x in enumerate(results)}
    symbols = {key: trace.input_symbol(key, x) for key, x in arrays.items()}
    outputs = dict(zip(eager, listed(function(*symbols.values())), strict=True))
    graph = trace.finished(symbols, outputs)
    if errors is None:
        errors = [ROUNDING.get(str(x.dtype), 0.0) * largest(x) for x in eager.values()]
    return Traced(graph, arrays, eager, dict(zip(eager, errors, strict=True)))


def largest(x: np.ndarray) -> float:
    """Return the largest finite magnitude."""
    return float(np.abs(x[np.isfinite(x)]).max(initial=0))


def joined(parts: Sequence[Traced]) -> Traced:
    """Return several graphs as one, so that they are compiled as one."""
    whole = Traced(Graph({}, {}), {}, {}, {})
    for part in parts:
        whole = Traced(
            Graph(
                {**whole.graph.inputs, **part.graph.inputs},
                {**whole.graph.outputs, **part.graph.outputs},
            ),
            whole.inputs | part.inputs,
            whole.eager | part.eager,
            whole.errors | part.errors,
        )
    return whole


def check(one: Traced, target: Target | None = None) -> Program:
    """Compare the three ways, and return the program.

    Raises:
        AssertionError: a result differs in shape, dtype, or by more than rounding.
        UnsupportedError: no native code can be made for the graph.
    """
    optimised = passes.optimise(one.graph)
    # to rounding: NumPy sums in the order of memory, in which it lays results out as operands are
    compare(interpret(one.graph, one.inputs), one.eager, one.errors, "interpreter")
    compare(interpret(optimised, one.inputs), one.eager, one.errors, "interpreter after the passes")
    program = Program(optimised, target)
    before = {key: x.copy() for key, x in one.inputs.items()}
    for _ in range(2):  # again, in memory that is no longer full of zeros
        compare(program(one.inputs), one.eager, one.errors, "native")
    compare(one.inputs, before, EQUAL, "inputs")
    return program


def compare(
    actual: dict[str, np.ndarray],
    expected: dict[str, np.ndarray],
    errors: Mapping[str, float],
    what: str,
) -> None:
    """Compare arrays by name; NaN is equal to NaN."""
    assert list(actual) == list(expected), what
    for key, x in expected.items():
        got = actual[key]
        found, wanted = f"{got.dtype}{got.shape}", f"{x.dtype}{x.shape}"
        assert found == wanted, f"{what} {key}: expected {wanted}, got {found}"
        np.testing.assert_allclose(
            got.astype(np.float64) if got.dtype.kind == "f" else got,
            x,
            0,
            errors[key],
            err_msg=f"{what} {key}",
        )


def three_way(function: Callable[..., Any], *inputs: Any, target: Target | None = None) -> Program:
    """Trace a function on inputs and compare the three ways."""
    return check(traced(function, *inputs), target)
