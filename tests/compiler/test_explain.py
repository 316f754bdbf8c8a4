"""Explanations: costs counted by hand, pseudo-code that computes what the kernel does when it is
run, every kernel named, planted changes seen.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import pellucid
from pellucid import nn, optim
from pellucid.compiler import passes, trace
from pellucid.compiler.cost import Cost, cost
from pellucid.compiler.explain import Explanation, explain
from pellucid.compiler.graph import Graph, Node, rebuilt, with_inputs
from pellucid.compiler.kernels import Access, Instruction, Nest, Stage, Store
from pellucid.compiler.listing import WIDTH
from pellucid.compiler.llvm.target import AVX2, Target, host
from pellucid.compiler.lower import Call
from pellucid.compiler.program import Program
from pellucid.compiler.trace import TRACING as XP

RNG = np.random.default_rng(5)
Arrays = dict[str, np.ndarray]
INTEL = platform.machine().lower() in ("x86_64", "amd64")


def graph_of(function: Callable[..., Any], *arrays: np.ndarray) -> Graph:
    """Return the graph of a function of arrays."""
    symbols = {f"x{i}": trace.input_symbol(f"x{i}", x) for i, x in enumerate(arrays)}
    return trace.finished(symbols, {"y": function(*symbols.values())})


def explained(
    function: Callable[..., Any], *arrays: np.ndarray, target: Target | None = None
) -> Explanation:
    """Return the explanation of a function of arrays."""
    seen: list[tuple[str, Graph]] = []
    graph = graph_of(function, *arrays)
    last = passes.optimise(graph, lambda name, after: seen.append((name, after)))
    return explain(graph, seen, Program(last, target or host()))


def zeros(*shape: int, dtype: str = "float32") -> np.ndarray:
    return np.zeros(shape, dtype)


# Costs


def test_a_dense_layer_costs_what_is_counted_by_hand() -> None:
    (layer,) = explained(lambda x, w, b: x @ w + b, zeros(32, 64), zeros(64, 10), zeros(10)).kernels
    read, written, operations = (32 * 64 + 64 * 10 + 10) * 4, 32 * 10 * 4, 2 * 32 * 10 * 64 + 320
    assert layer.cost == Cost(read, written, operations)
    (product,) = explained(lambda x, w: x @ w, zeros(32, 64), zeros(64, 10)).kernels
    assert product.cost == Cost(read - 40, written, operations - 320)
    assert product.cost.intensity == 40960 / (10752 + 1280)


def test_what_is_read_in_two_stages_counts_once() -> None:
    def centred(x: Any) -> Any:
        return x - XP.max(x, axis=(1,), keepdims=True)

    (kernel,) = explained(centred, zeros(4, 8, dtype="float64")).kernels
    assert kernel.cost == Cost(4 * 8 * 8, 4 * 8 * 8, 2 * 4 * 8)


def test_what_lies_in_fewer_loops_counts_less() -> None:
    body = (
        Instruction("load", (), "float32", Access(0, (1, 0))),
        Instruction("exp", (0,), "float32"),
        Instruction("load", (), "float32", Access(1, (8, 1))),
        Instruction("add", (1, 2), "float32"),
    )
    stage = Stage((), body, (Store(3, Access(2, (8, 1))),))
    nest = Nest("k", ("float32",) * 3, (4, 8), (stage,))
    shapes = (4, 1), (4, 8), (4, 8)
    buffers = tuple(Node("input", (), shape, np.dtype(np.float32)) for shape in shapes)
    assert cost(Call(nest, buffers)) == Cost((4 + 32) * 4, 32 * 4, 4 + 32)


@pytest.mark.parametrize(
    ("indices", "elements"), [(3, 3), (100, 5)], ids=["few of the table", "all of it"]
)
def test_a_gather_reads_what_it_can_reach(indices: int, elements: int) -> None:
    (kernel,) = explained(lambda x, i: x[i], zeros(5, 2), zeros(indices, dtype="int64")).kernels
    assert kernel.cost == Cost(indices * 8 + elements * 2 * 4, indices * 2 * 4, 0)


def test_a_scatter_reads_what_it_adds_to() -> None:
    fill, add = explained(
        lambda v, i: XP.scatter_add(v, i, shape=(7,)), zeros(3), zeros(3, dtype="int64")
    ).kernels
    assert fill.cost == Cost(0, 7 * 4, 0)
    assert add.cost == Cost(3 * 4 + 3 * 8 + 3 * 4, 3 * 4, 3)


def test_slices_that_overlap_are_no_more_than_their_array() -> None:
    (kernel,) = explained(lambda x: x[1:] - x[:-1], zeros(10)).kernels
    assert kernel.cost == Cost(10 * 4, 9 * 4, 9)


def test_products_of_a_stack_are_one_kernel_of_several_calls() -> None:
    (kernel,) = explained(lambda x, y: x @ y, zeros(3, 4, 5), zeros(3, 5, 6)).kernels
    assert len(kernel.calls) == 3
    assert kernel.cost == Cost(3 * (20 + 30) * 4, 3 * 24 * 4, 3 * 2 * 4 * 5 * 6)
    assert "3 times" in str(kernel)


# Pseudo-code


def test_loops_lanes_and_places_are_shown() -> None:
    part = explained(
        lambda x, b: XP.exp(x) + b, zeros(3, 20), zeros(20), target=AVX2 if INTEL else None
    ).kernels[0]
    lanes = 8 if INTEL else 4
    assert part.code == (
        "for i in 3:",
        f"    for j in 20 by {lanes} lanes:",
        "        %1[20*i + j] = exp(x0[20*i + j]) + x1[j]",
    )


def test_operands_are_in_parentheses_and_offsets_in_the_index() -> None:
    part = explained(lambda x: (x[1:] - 2.5) * -(x[:-1] + x[1:]), zeros(6)).kernels[0]
    assert part.code[-1].endswith("= (v0 - 2.5) * (-(x0[i] + v0))")
    assert part.code[-2].endswith("v0 = x0[i + 1]")


def test_a_reversed_axis_counts_down() -> None:
    part = explained(lambda x: XP.flip(x, axis=0) + 1.0, zeros(6)).kernels[0]
    assert part.code[-1].endswith("= x0[5 - i] + 1")


def test_a_transposed_matrix_is_named_so() -> None:
    part = explained(lambda x, y: x.mT @ y, zeros(5, 4), zeros(5, 6)).kernels[0]
    assert part.code[0] == "%1[4,6] = x0.T[4,5] @ x1[5,6]"


def train(optimizer: optim.Optimizer) -> tuple[Any, tuple[np.ndarray, np.ndarray]]:
    """Return a compiled training step with dropout and normalisation, and a batch for it."""
    network = nn.Sequential(
        nn.Dense(4, 7, "tanh"), nn.Dropout(0.2), nn.LayerNorm(7), nn.Dense(7, 3), rng=0
    ).astype(np.float64)
    loss_of = nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> Any:
        network.zero_grad()
        loss = loss_of(network(x), y)
        loss.backward()
        optimizer.step(network)
        return loss

    batch = RNG.normal(size=(5, 4)), RNG.integers(0, 3, 5)
    return pellucid.compile(step, [network, optimizer]), batch


@pytest.fixture(scope="module", params=[1.0, None], ids=["clipped", "plain"])
def training(request: pytest.FixtureRequest) -> tuple[Explanation, Arrays]:
    """Return the explanation of a training step, and inputs of its program."""
    step, batch = train(optim.Adam(1e-3, clip_norm=request.param))
    for _ in range(2):
        step(*batch)
    bound = step.bound(*batch)
    assert not bound.traced.reason
    (_, graph), *seen = bound.traced.seen
    cells = {name: np.asarray(cell.get()) for name, cell in bound.cells.items()}
    given = cells | {"arg.0": batch[0], "arg.1": batch[1]}
    inputs = {
        name: given[name].astype(node.dtype) for name, node in bound.traced.graph.inputs.items()
    }
    return explain(graph, seen, bound.traced.program), inputs


FUNCTIONS = ("exp", "expm1", "log", "log1p", "tanh", "sqrt", "abs", "sign", "where", "maximum",
             "minimum", "isfinite", "float32", "float64", "int64", "uint32", "inf")  # fmt: skip
PRODUCT = re.compile(
    r"(?P<c>\S+)\[(?P<m>\d+),(?P<n>\d+)\] = "
    r"(?P<a>\S+?)(?P<left>\.T)?\[\d+,(?P<k>\d+)\] @ (?P<b>\S+?)(?P<right>\.T)?\["
)


def run(lines: tuple[str, ...], memory: Arrays) -> None:
    """Run a kernel's pseudo-code as Python, on flat buffers by name."""
    if product := PRODUCT.match(lines[0]):
        m, n, k = (int(product[size]) for size in "mnk")
        a, b = memory[product["a"]], memory[product["b"]]
        a = a.reshape(k, m).T if product["left"] else a.reshape(m, k)
        b = b.reshape(n, k).T if product["right"] else b.reshape(k, n)
        if product["c"] != "product":
            memory[product["c"]][:] = (a @ b).ravel()
            return
        memory["product"] = a @ b
        lines = lines[3:]
    text = re.sub(r"for (\w) in (\d+).*:", r"for \1 in range(\2):", "\n".join(lines))
    text = text.replace(" or= ", " |= ").replace(" and= ", " &= ")
    text = re.sub(r"[%\w][\w.]*(?=\[)", lambda name: f"memory[{name[0]!r}]", text)
    with np.errstate(over="ignore"):  # random bits are made by products that overflow
        exec(text, {name: getattr(np, name) for name in FUNCTIONS} | {"memory": memory})  # noqa: S102 - our own listing


def results(explanation: Explanation, inputs: Arrays) -> Arrays:
    """Return what all kernels compute as they are explained, one after the other."""
    program, memory = explanation.program, {}
    buffers = {node for part in explanation.kernels for call in part.calls for node in call.buffers}
    for node in buffers:
        name = explanation.names[node]
        start = inputs.get(name, node.value)
        whole = np.full(node.shape, 7) if start is None else start
        memory[name] = whole.astype(node.dtype).reshape(-1)
    for part in explanation.kernels:
        run(part.code, memory)
    outputs = program.graph.outputs.items()
    return {key: memory[explanation.names[node]].reshape(node.shape) for key, node in outputs}


def test_pseudo_code_computes_what_machine_code_does(
    request: pytest.FixtureRequest, training: tuple[Explanation, Arrays]
) -> None:
    explanation, inputs = training
    updates = [part for part in explanation.kernels if part.code[0].startswith("product[")]
    clipped = request.node.callspec.params["training"]  # gradients are looked at before the update
    assert len(updates) == (0 if clipped else 2)
    native, explained = explanation.program(inputs), results(explanation, inputs)
    assert native.keys() == explained.keys()
    for name, x in native.items():
        np.testing.assert_allclose(explained[name], x, 1e-9, 1e-12, err_msg=name)


def test_wrong_pseudo_code_is_found_wrong(training: tuple[Explanation, Arrays]) -> None:
    explanation, inputs = training
    native = explanation.program(inputs)
    kernels = list(explanation.kernels)
    place = next(i for i, part in enumerate(kernels) if any(" += " in line for line in part.code))
    code = tuple(line.replace(" += ", " = ") for line in kernels[place].code)
    kernels[place] = replace(kernels[place], code=code)
    wrong = results(replace(explanation, kernels=tuple(kernels)), inputs)
    assert any(not np.allclose(wrong[name], x, 1e-9) for name, x in native.items())


# The whole


def test_every_kernel_and_every_node_of_a_training_step_appears(
    training: tuple[Explanation, Arrays],
) -> None:
    explanation, _ = training
    program, text = explanation.program, str(explanation)
    assert [call for part in explanation.kernels for call in part.calls] == program.calls
    named = {row.result for part in explanation.kernels for row in part.rows}
    computed = [node for group in program.plan.groups for node in group.nodes]
    assert named == {f"{explanation.names[node]}: {node.type}" for node in computed}
    for number, part in enumerate(explanation.kernels):
        assert f"\n\nkernel {number} (@{part.function}): " in text
        assert all(re.fullmatch(r"test_explain\.py:\d+", line) for line in part.lines)
    assert explanation.cost.operations == sum(p.cost.operations for p in explanation.kernels)


def test_names_stay_and_differ(training: tuple[Explanation, Arrays]) -> None:
    explanation, _ = training
    names = [x for node, x in explanation.names.items() if node.op != "constant" or node.shape]
    assert len(names) == len(set(names))


def test_the_report_fits_a_terminal(training: tuple[Explanation, Arrays]) -> None:
    assert max(map(len, str(training[0]).splitlines())) <= WIDTH


def test_the_arena_is_shown_with_the_lives_in_it(training: tuple[Explanation, Arrays]) -> None:
    explanation, _ = training
    program = explanation.program
    assert {slot.name: slot.offset for slot in explanation.slots} == {
        explanation.names[node]: offset for node, offset in program.arena.offsets.items()
    }
    assert max(slot.offset + slot.size for slot in explanation.slots) == program.arena.size
    assert program.arena.size < explanation.without_reuse
    for one in explanation.slots:
        for other in explanation.slots:
            together = one.first <= other.last and other.first <= one.last
            apart = one.offset + one.size <= other.offset or other.offset + other.size <= one.offset
            assert one is other or apart or not together


def test_a_chart_of_few_kernels_has_one_column_for_each() -> None:
    def three(x: Any, w: Any) -> Any:
        return (x @ w) @ w

    lines = str(explained(three, zeros(4, 4), zeros(4, 4))).splitlines()
    assert lines[-2:] == [
        "  result      offset       bytes  kernels 0 to 1",
        "  %0               0          64  ## 0 to 1",
    ]


def test_a_planted_change_shows_and_a_pass_that_does_nothing_does_not() -> None:
    def swapped(node: Node, inputs: tuple[Node, ...]) -> Node:
        return replace(with_inputs(node, inputs), op="subtract" if node.op == "add" else node.op)

    graph = graph_of(lambda x, y: XP.exp(x + y), zeros(3), zeros(3))
    wrong = rebuilt(graph, swapped)
    explanation = explain(graph, [("nothing", graph), ("planted", wrong)], Program(wrong))
    nothing, planted, _ = explanation.changes
    assert not nothing.diff
    assert [(sign, row.call) for sign, row in planted.rows] == [
        ("-", "add(x0, x1)"),
        ("-", "exp(%0)"),
        ("+", "subtract(x0, x1)"),
        ("+", "exp(%2)"),
    ]
    assert "== planted: 4 nodes -> 4 " in str(explanation)
    assert "== nothing" not in str(explanation)


def test_a_node_that_a_pass_made_anew_keeps_its_name() -> None:
    explanation = explained(lambda x: XP.exp(x * 1.0) - 2.0, zeros(3))
    (change,) = (change for change in explanation.changes if change.diff)
    assert change.name == "simplify"
    assert [(sign, row.result.split(":")[0], row.call) for sign, row in change.rows] == [
        ("-", "%0", "multiply(x0, 1.0)"),
        ("-", "%1", "exp(%0)"),
        ("+", "%1", "exp(x0)"),
    ]


def test_llvm_code_of_one_kernel_or_all() -> None:
    explanation = explained(lambda x, w: XP.exp(x @ w), zeros(4, 4), zeros(4, 4))
    assert explanation.llvm() == explanation.program.text
    for part in explanation.kernels:
        assert f"define void @{part.function}(" in explanation.llvm(part.function)
    with pytest.raises(KeyError, match="expected one of k0, k1, got 'k7'"):
        explanation.llvm("k7")


def test_machine_code_of_one_kernel_or_all() -> None:
    explanation = explained(
        lambda x, w: XP.exp(x @ w), zeros(8, 40), zeros(40, 40), target=AVX2 if INTEL else None
    )
    whole = explanation.assembly()
    assert re.search(r"^_?step:", whole, re.MULTILINE)
    for part in explanation.kernels:
        text = explanation.assembly(part.function)
        assert re.search(rf"^_?{part.function}:", text, re.MULTILINE)
        assert "step:" not in text
        assert any(word in text for word in ("fmadd", "fmla"))  # of products and of polynomials
    assert not INTEL or ("%ymm" in whole and "%zmm" not in whole)
    with pytest.raises(KeyError, match="expected one of k0, k1, got 'k7'"):
        explanation.assembly("k7")


# Phases


def shared(threads: int, **settings: Any) -> Explanation:
    """Return the explanation of products and a sum, shared by threads; old becomes new."""
    seen: list[tuple[str, Graph]] = []
    symbols = {n: trace.input_symbol(n, zeros(64, 64)) for n in ("old", "other", "w")}
    new = symbols["old"] - XP.exp(symbols["w"] @ symbols["w"])
    outputs = {"new old": new, "new other": (new @ symbols["w"]).mT @ symbols["other"]}
    graph = passes.optimise(trace.finished(symbols, outputs), lambda *one: seen.append(one))
    state = [("old", "new old"), ("other", "new other")]
    return explain(graph, seen, Program(graph, threads=threads, state=state), **settings)


def test_every_part_of_every_kernel_is_in_a_task() -> None:
    explanation = shared(2)
    program = explanation.program
    assert len(explanation.phases) > 1
    for phase, tasks in zip(program.phases, explanation.phases, strict=True):
        assert [(task.home, task.weight) for task in phase] == [
            (task.thread, task.nanoseconds) for task in tasks
        ]
        assert all(0 <= task.thread < 2 for task in tasks)
    numbers = [n for phase in explanation.phases for task in phase for n in task.kernels]
    assert set(numbers) == {part.number for part in explanation.kernels}
    assert numbers.count(0) == 2  # the first product, one half for each thread
    text = str(explanation)
    assert f"== phases: {len(program.phases)}, {len(program.tasks)} tasks on 2 threads, " in text


def test_one_thread_has_one_task() -> None:
    explanation = shared(1)
    ((task,),) = explanation.phases
    assert task.kernels == tuple(range(len(explanation.kernels)))
    assert "== phases: 1, 1 task on 1 thread, " in str(explanation)
    assert f"  0-{task.kernels[-1]}\n" in str(explanation)


def test_little_work_is_said_not_to_be_shared() -> None:
    graph = graph_of(lambda x: x + 1.0, zeros(3))
    assert "Less work than 10.00 us is not shared." in str(explain(graph, [], Program(graph)))
    assert "is not shared" not in str(shared(2))


def test_state_is_written_in_place_or_beside() -> None:
    explanation = shared(2)
    assert explanation.in_place == ("old",)
    assert explanation.exchanged == ("other",)  # a product reads all of it for each element
    text = str(explanation)
    assert "\nWritten where the old value lies: old\n" in text
    assert "\nWritten beside the old value: other\n" in text
    assert "Written" not in str(explained(lambda x: x + 1.0, zeros(3)))
