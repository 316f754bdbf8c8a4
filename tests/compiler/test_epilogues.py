"""Epilogues: what becomes of a product while it is in registers, with the same bits as apart."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("llvmlite")

import pellucid
from pellucid import nn, optim
from pellucid.compiler.kernels import Access, Gemm, Instruction, Nest, Stage, Store
from pellucid.compiler.llvm import gemm as code
from pellucid.compiler.llvm import nest as loops
from pellucid.compiler.llvm.target import Target, compile_module, host
from pellucid.compiler.lower import lower
from pellucid.compiler.schedule import Schedule
from pellucid.compiler.split import cut
from pellucid.train.native import are_finite
from support.products import LAYOUTS, NAN, TARGETS, Buffer, described, every_target

# An epilogue over (m, n): y = max(product * x + bias, floor) and old += product where mask holds.
BIAS, FLOOR, X, MASK, OLD, Y = range(6)


def finished(gemm: Gemm, padding: int) -> Gemm:
    """Return a product with an epilogue of every kind of access."""
    m, n, kind = gemm.m, gemm.n, gemm.dtype
    line = n + padding
    body = (
        Instruction("product", (), kind),
        Instruction("load", (), kind, Access(BIAS, (0, 1))),
        Instruction("load", (), kind, Access(FLOOR, (1, 0))),
        Instruction("load", (), kind, Access(X, (line, 1), 0)),
        Instruction("load", (), "bool", Access(MASK, (line, 1))),
        Instruction("load", (), kind, Access(OLD, (line, 1))),
        Instruction("multiply", (0, 3), kind),
        Instruction("add", (6, 1), kind),
        Instruction("maximum", (7, 2), kind),
        Instruction("astype", (4,), kind),
        Instruction("multiply", (0, 9), kind),
        Instruction("add", (5, 10), kind),
    )
    stores = (Store(8, Access(Y, (line, 1))), Store(11, Access(OLD, (line, 1))))
    kinds = (kind, kind, kind, "bool", kind, kind)
    nest = Nest("product", kinds, (m, n), (Stage((), body, stores),))  # type: ignore[arg-type]
    return replace(gemm, epilogue=nest)


def buffers(gemm: Gemm, rng: np.random.Generator, padding: int) -> list[Buffer]:
    """Return a, b and the epilogue's buffers, filled."""
    m, n, k, kind = gemm.m, gemm.n, gemm.k, gemm.dtype
    line = n + padding
    shapes: list[tuple[Any, tuple[int, int], tuple[int, int]]] = [
        (kind, (m, k), gemm.a), (kind, (k, n), gemm.b), (kind, (1, n), (n, 1)),
        (kind, (m, 1), (1, 1)), (kind, (m, n), (line, 1)), ("bool", (m, n), (line, 1)),
        (kind, (m, n), (line, 1)), (kind, (m, n), (line, 1)),
    ]  # fmt: skip
    found = []
    for dtype, shape, strides in shapes:
        buffer = Buffer(dtype, shape, strides, 0x5A if len(found) > 5 else NAN)
        buffer.fill(rng.standard_normal(shape) > 0.5 if dtype == "bool" else rng.normal(size=shape))
        found.append(buffer)
    return found


def native(text: str, target: Target, places: Sequence[int]) -> None:
    """Run a function of pointers."""
    module = compile_module(text, target)
    ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(places))(module.address("product"))(*places)


def check(gemm: Gemm, target: Target, padding: int = 0) -> None:
    """Hold a product with its epilogue against a product and a nest after it, bit by bit."""
    mine, theirs = (buffers(gemm, np.random.default_rng(0), padding) for _ in range(2))
    whole = finished(gemm, padding)
    assert whole.epilogue
    size = np.dtype(gemm.dtype).itemsize
    space = Buffer(gemm.dtype, (1, code.workspace(whole, target) // size), (1, 1))
    native(code.emit(whole, target), target, [x.address for x in (*mine, space)])
    assert space.canaries_alive()
    assert all(buffer.canaries_alive() for buffer in mine)
    c = Buffer(gemm.dtype, (gemm.m, gemm.n), (gemm.n, 1))
    plain = replace(gemm, ldc=gemm.n)
    room = np.empty(code.workspace(plain, target), np.uint8)
    places = [x.address for x in (*theirs[:2], c)]
    native(code.emit(plain, target), target, [*places, room.ctypes.data])
    (stage,) = whole.epilogue.stages
    load = Instruction("load", (), gemm.dtype, Access(6, (gemm.n, 1)))
    nest = replace(
        whole.epilogue,
        buffers=(*whole.epilogue.buffers, gemm.dtype),
        stages=(replace(stage, body=(load, *stage.body[1:])),),
    )
    native(loops.emit(nest, target), target, [x.address for x in (*theirs[2:], c)])
    for one, other in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(one.matrix, other.matrix)


@every_target
@pytest.mark.parametrize("m", [2, 3, 15, 16, 17, 31, 100])
def test_awkward_sizes(m: int, target: Target) -> None:
    turn = [param.values[0] for param in TARGETS].index(target)
    for number, (n, k) in enumerate(product((2, 3, 15, 16, 17, 31, 100), (1, 2, 5, 16, 33, 100))):
        if (number + m) % len(TARGETS) == turn:  # each size on one of them
            dtype, padding = ("float32", "float64")[number // 3 % 2], number % 2
            layout = LAYOUTS[number // 2 % 4]
            check(described(m, n, k, layout, dtype=dtype, padding=padding), target, padding)


@every_target
@pytest.mark.parametrize(
    ("m", "n", "k", "transposed"),
    [
        (128, 128, 392, (False, False)),
        (300, 128, 128, (True, False)),  # several blocks of rows, the last one low
        (128, 600, 64, (False, True)),  # several blocks of columns
        (290, 1050, 300, (False, False)),  # b is packed
        (32, 10, 64, (False, False)),
        (2, 2, 512, (True, True)),
        (136, 32, 8, (False, False)),  # a single tile beyond the first block
    ],
)
def test_sizes_of_networks(
    m: int, n: int, k: int, transposed: tuple[bool, bool], target: Target
) -> None:
    check(described(m, n, k, transposed), target)


@given(
    sizes=st.tuples(st.integers(2, 150), st.integers(2, 80), st.integers(1, 80)),
    transposed=st.sampled_from(LAYOUTS),
    padding=st.integers(0, 5),
)
@settings(max_examples=25)
def test_any_size_and_layout(
    sizes: tuple[int, int, int], transposed: tuple[bool, bool], padding: int
) -> None:
    check(described(*sizes, transposed, padding=padding), host(), padding)


@pytest.mark.parametrize("sizes", [(1, 5, 5), (5, 1, 5), (5, 5, 0), (5, 5, 513)])
def test_refuses_epilogues_that_it_cannot_write(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="expected an epilogue where m, n > 1 and 0 < k <= 512"):
        code.emit(finished(described(*sizes), 0), host())


def planned(function: Any, *arrays: Any) -> Schedule:
    """Return the schedule of a function of tensors."""
    program = pellucid.compile(function).bound(*arrays).traced.program
    assert program
    return program.plan


def groups(function: Any, *arrays: Any) -> list[list[str]]:
    """Return the operations of each kernel of a function."""
    return [[node.op for node in group.nodes] for group in planned(function, *arrays).groups]


X_, W_, B_ = (np.ones(shape, np.float32) for shape in ((8, 6), (6, 4), (4,)))


def test_what_is_computed_of_a_product_belongs_to_its_kernel() -> None:
    assert groups(lambda x, w, b: (x @ w + b).relu(), X_, W_, B_) == [["matmul", "add", "maximum"]]


def test_a_product_that_others_need_is_stored_by_the_epilogue() -> None:
    x, w, b = X_, W_, B_

    def function(x: Any, w: Any, b: Any) -> Any:
        product = x @ w
        return product + b, product.sum(axis=0), product

    plan = planned(function, x, w, b)
    first = plan.groups[0]
    assert [node.op for node in first.nodes][:2] == ["matmul", "add"]
    assert next(iter(first.nodes)) in plan.stored
    expected = function(*map(pellucid.Tensor, (x, w, b)))
    for mine, theirs in zip(pellucid.compile(function)(x, w, b), expected, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (lambda x, w: (x @ w).sum(axis=1), ((8, 6), (6, 4))),  # a reduction
        (lambda x, w: (x @ w).reshape(32) * 2.0, ((8, 6), (6, 4))),  # another look at it
        (lambda x, w: (x @ w).tanh(), ((8, 6), (6, 4))),  # too much code for every vector
        (lambda x, w: (x @ w) * 2.0, ((8, 513), (513, 4))),  # not summed up in one go
        (lambda x, w: (x @ w) * 2.0, ((1, 6), (6, 4))),  # a single row
        (lambda x, w: (x @ w) * 2.0, ((8, 6), (6, 1))),
        (lambda x, w: (x @ w) * 2.0, ((3, 8, 6), (6, 4))),  # several products
        (lambda x, w: (x @ w) * 2.0, ((800, 6), (6, 800))),  # too large to stay near
        (lambda x, w: (x @ w) + (w.T @ x.T).T, ((4, 6), (6, 4))),  # an operand across the rows
    ],
)
def test_what_is_no_epilogue(function: Any, shapes: Any) -> None:
    arrays = [np.random.default_rng(0).normal(size=shape).astype("f4") for shape in shapes]
    found = groups(function, *arrays)
    assert all(len(ops) == 1 for ops in found if "matmul" in ops[:1]), found
    expected = function(*map(pellucid.Tensor, arrays)).numpy()
    got = pellucid.compile(function)(*arrays).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_an_update_is_the_epilogue_of_its_gradient_and_written_in_place() -> None:
    network = nn.Sequential(nn.Dense(32, 48, "relu"), nn.Dense(48, 10), rng=0)
    optimizer, loss_of = optim.Adam(1e-2), nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> Any:
        network.zero_grad()
        loss = loss_of(network(x), y)
        loss.backward()
        optimizer.step(network)
        return loss

    compiled = pellucid.compile(step, state=[network, optimizer])
    x = np.random.default_rng(0).normal(size=(16, 32)).astype(np.float32)
    explanation = compiled.explain(x, np.arange(16) % 10)
    updates = [
        part
        for part in explanation.kernels
        if " @ " in part.code[0] and "sqrt" in "".join(part.code)
    ]
    assert len(updates) == 2
    assert {"0.layers.0.weight", "1.state.layers.1.weight.v"} <= set(explanation.in_place)
    assert not explanation.exchanged


def test_parts_of_a_product_have_parts_of_its_epilogue() -> None:
    x, w, b = (np.ones(shape, np.float32) for shape in ((64, 6), (6, 32), (32,)))
    plan = planned(lambda x, w, b: x @ w + b, x, w, b)
    ((call,),), _ = lower(plan)
    for parts in (2, 3, 5):
        pieces = [piece.epilogue for piece in cut(call, parts)]
        assert sum(piece.kernel.outer[0] for piece in pieces if piece) == 64  # type: ignore[union-attr]
        assert len(pieces) == parts


def test_an_update_stays_an_epilogue_if_its_result_is_looked_at_afterwards() -> None:
    def update(x: Any, d: Any, w: Any) -> Any:
        new = w - (x.T @ d) * 0.1
        return new, are_finite([new])

    arrays = [np.ones(shape, np.float32) for shape in ((8, 6), (8, 4), (6, 4))]
    found = groups(update, *arrays)
    assert found[0] == ["matmul", "multiply", "subtract", "isfinite"]
    assert ["all"] in found
    new, fine = pellucid.compile(update)(*arrays)
    np.testing.assert_allclose(new.numpy(), np.full((6, 4), 0.2), rtol=1e-6)
    assert fine
    arrays[1][2, 3] = np.inf
    assert not pellucid.compile(update)(*arrays)[1]


def test_layers_alike_share_the_code_of_their_epilogues() -> None:
    weights = [np.ones((6, 6), np.float32) for _ in range(4)]

    def function(x: Any, *weights: Any) -> Any:
        for w in weights:
            x = (x @ w + 1.0).relu()
        return x

    program = pellucid.compile(function).bound(X_, *weights).traced.program
    assert program
    assert (len(program.calls), len(program.kernels)) == (4, 1)
