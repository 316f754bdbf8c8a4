"""Loop nests that training is made of, and those that mean nothing."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from pellucid.compiler.kernels import Access, Instruction, Nest, Reduction, Stage, Store
from pellucid.compiler.llvm import builder, nest, target
from pellucid.compiler.llvm.target import AVX2, SSE2, Target, host
from support.nests import compiled, interpret

F = "float32"
TARGETS = {"host": host(), "avx2": AVX2, "sse2": SSE2}
every_target = pytest.mark.parametrize("machine", TARGETS.values(), ids=TARGETS)
sizes = pytest.mark.parametrize("size", [1, 3, 15, 16, 17, 31, 100, 1000])


def load(buffer: int, *strides: int, dtype: Any = F) -> Instruction:
    return Instruction("load", (), dtype, Access(buffer, strides))


def constant(value: float) -> Instruction:
    return Instruction("constant", (), F, value=value)


def do(op: str, *args: int, dtype: Any = F) -> Instruction:
    return Instruction(op, args, dtype)


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(F)


def softmax(rows: int, columns: int) -> Nest:
    """out = e^(x - max) / sum e^(x - max), row by row; what is summed is kept in the output."""
    place = (columns, 1)
    largest = Stage((columns,), (load(0, *place),), (), (Reduction("max", 0),))
    powers = Stage(
        (columns,), (load(0, *place), do("subtract", 2, 1), do("exp", 3)),
        (Store(4, Access(1, place)),), (Reduction("sum", 4),),
    )  # fmt: skip
    shares = Stage((columns,), (load(1, *place), do("divide", 6, 5)), (Store(7, Access(1, place)),))
    return Nest("softmax", (F, F), (rows,), (largest, powers, shares), "inner")


def adam(size: int) -> Nest:
    """One step of Adam on w, g, m, v with the step size in a buffer of one element."""
    body = [load(0, 1), load(1, 1), load(2, 1), load(3, 1), load(4, 0)]
    body += [constant(0.9), constant(0.1), constant(0.999), constant(0.001), constant(1e-8)]
    body += [do("multiply", 2, 5), do("multiply", 1, 6), do("add", 10, 11)]  # 12: m
    body += [do("multiply", 1, 1), do("multiply", 13, 8), do("multiply", 3, 7), do("add", 14, 15)]
    body += [do("sqrt", 16), do("add", 17, 9), do("divide", 12, 18), do("multiply", 19, 4)]
    body += [do("subtract", 0, 20)]
    stores = (Store(21, Access(0, (1,))), Store(12, Access(2, (1,))), Store(16, Access(3, (1,))))
    return Nest("adam", (F,) * 5, (size,), (Stage((), tuple(body), stores),))


@every_target
@sizes
def test_softmax(size: int, machine: Target) -> None:
    x, out = 10 * normal(5, size), np.zeros(5 * size, F)
    x[3, 0] = np.nan
    compiled(softmax(5, size), machine)(x.reshape(-1), out)
    powers = np.exp((x - x.max(axis=1, keepdims=True)).astype("float64"))
    wanted = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(out.reshape(x.shape), wanted, rtol=5e-6, atol=1e-30)


@every_target
@sizes
def test_adam_changes_what_numpy_changes_to_the_last_bit(size: int, machine: Target) -> None:
    buffers = [normal(size), normal(size, seed=1), normal(size, seed=2), normal(size, seed=3) ** 2]
    buffers.append(np.array([1e-3], F))
    expected = [buffer.copy() for buffer in buffers]
    interpret(adam(size), expected)
    compiled(adam(size), machine)(*buffers)
    for got, wanted in zip(buffers, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


@every_target
@sizes
def test_sums_along_and_across_rows(size: int, machine: Target) -> None:
    x = normal(size, 37)
    place = (load(0, 37, 1),)
    along = Nest("along", (F, F), (size,), (
        Stage((37,), place, (), (Reduction("sum", 0),), (), (Store(1, Access(1, (1,))),)),
    ), "inner")  # fmt: skip
    across = Nest("across", (F, F), (37,), (
        Stage((size,), (load(0, 1, 37),), (), (Reduction("sum", 0),), (),
              (Store(1, Access(1, (1,))),)),
    ))  # fmt: skip
    for kernel, axis in ((along, 1), (across, 0)):
        out = np.zeros(x.shape[1 - axis], F)
        compiled(kernel, machine)(x.reshape(-1), out)
        bound = np.abs(x.astype("float64")).sum(axis=axis) * 2**-23 * 6
        assert (np.abs(out - x.astype("float64").sum(axis=axis)) <= bound * np.sqrt(size)).all()


@every_target
def test_rows_are_gathered_and_scattered_by_index(machine: Target) -> None:
    table, ids = normal(11, 20), np.array([3, 0, -1, 10, 3, -11, 14, -30], "int32")
    index = Instruction("load", (), "int32", Access(0, (1, 0)))
    row = Instruction("load", (0,), F, Access(1, (0, 1)), None, (20,), (11,))
    gather = Nest("gather", ("int32", F, F), (8, 20), (
        Stage((), (index, row), (Store(1, Access(2, (20, 1))),)),
    ))  # fmt: skip
    out = np.zeros((8, 20), F)
    compiled(gather, machine)(ids, table.reshape(-1), out.reshape(-1))
    np.testing.assert_array_equal(out, table[ids % 11])

    store = Store(1, Access(2, (0, 1)), True, (0,), (20,), (11,))
    scatter = Nest("scatter", ("int32", F, F), (8, 20), (
        Stage((), (index, load(1, 20, 1)), (store,)),
    ))  # fmt: skip
    total, wanted = np.zeros((11, 20), F), np.zeros((11, 20), F)
    compiled(scatter, machine)(ids, out.reshape(-1), total.reshape(-1))
    np.add.at(wanted, ids % 11, out)
    np.testing.assert_array_equal(total, wanted)


@every_target
@pytest.mark.parametrize("vector", ["outer", "none"])
def test_repeated_places_accumulate_in_order(vector: Any, machine: Target) -> None:
    ids, values = np.array([2, 0, 2, 2, 1] * 7, "int64"), normal(35) * 10.0 ** np.arange(35)
    values = values.astype(F)
    body = (load(0, 1, dtype="int64"), load(1, 1))
    for add in (True, False):
        store = Store(1, Access(2, (0,)), add, (0,), (1,), (3,))
        kernel = Nest("k", ("int64", F, F), (35,), (Stage((), body, (store,)),), vector)
        out, wanted = np.zeros(3, F), np.zeros(3, F)
        compiled(kernel, machine)(ids, values, out)
        if add:
            np.add.at(wanted, ids, values)
        else:
            wanted[ids] = values
        np.testing.assert_array_equal(out, wanted)


@every_target
def test_what_a_nest_writes_it_reads_again(machine: Target) -> None:
    """A running sum: what is loaded is what the turn before stored."""
    body = (load(0, 1), load(1, 0), do("add", 0, 1))
    stores = (Store(2, Access(1, (0,))), Store(2, Access(2, (1,))))
    kernel = Nest("k", (F, F, F), (20,), (Stage((), body, stores),), "none")
    x, total, out = np.arange(20, dtype=F), np.full(1, 5, F), np.zeros(20, F)
    compiled(kernel, machine)(x, total, out)
    np.testing.assert_array_equal(out, 5 + np.cumsum(x))
    assert total == out[-1]


@every_target
@sizes
def test_of_stores_to_one_place_the_last_stays(size: int, machine: Target) -> None:
    kernel = Nest("k", (F, F), (size,), (Stage((), (load(0, 1),), (Store(0, Access(1, (0,))),)),))
    x, out = normal(size), np.zeros(1, F)
    compiled(kernel, machine)(x, out)
    assert out[0] == x[-1]


@every_target
def test_a_transposed_operand_and_a_reversed_one(machine: Target) -> None:
    x, y = normal(17, 33), normal(33, 17)
    reverse = Instruction("load", (), F, Access(1, (-17, -1), 33 * 17 - 1))
    body = (load(0, 1, 33), reverse, do("subtract", 0, 1))
    kernel = Nest("k", (F, F, F), (33, 17), (Stage((), body, (Store(2, Access(2, (17, 1))),)),))
    out = np.zeros((33, 17), F)
    compiled(kernel, machine)(x.reshape(-1), y.reshape(-1), out.reshape(-1))
    np.testing.assert_array_equal(out, x.T - y[::-1, ::-1])


@every_target
def test_nothing_to_do(machine: Target) -> None:
    one = np.full(4, 7, F)
    copy = Stage((), (load(0, 1),), (Store(0, Access(1, (1,))),))
    compiled(Nest("k", (F, F), (0,), (copy,)), machine)(one, one)
    assert (one == 7).all()
    out = np.full(6, 7, F)
    names = ("sum", "prod", "max", "min", "any", "all")
    reductions = tuple(Reduction(op, 0) for op in names)  # type: ignore[arg-type]
    after = (do("astype", 5, dtype=F), do("astype", 6, dtype=F))
    last = tuple(Store(v, Access(1, (), n)) for n, v in enumerate((1, 2, 3, 4, 7, 8)))
    stage = Stage((3, 0), (load(0, 0, 1),), (), reductions, after, last)
    compiled(Nest("k", (F, F), (), (stage,), "inner"), machine)(one, out)
    assert out.tolist() == [0, 1, -np.inf, np.inf, 0, 1]


def test_what_belongs_outside_a_loop_is_computed_there() -> None:
    body = (load(0, 1, 0), do("exp", 0), load(1, 0, 1), do("multiply", 1, 2))
    text = nest.emit(
        Nest("k", (F, F, F), (1000, 1000), (Stage((), body, (Store(3, Access(2, (1000, 1))),)),)),
        host(),
    )
    inner = text[text.rindex("\nloop") :]
    assert "fmul <" in inner
    assert "fma" not in inner
    assert inner.count(" load ") == 1


def test_the_same_nest_gives_the_same_text() -> None:
    assert nest.emit(adam(100), host()) == nest.emit(adam(100), host())
    assert "define void @adam" in nest.emit(adam(100), host())
    assert "define internal void @adam" in nest.emit(adam(100), host(), internal=True)


def test_object_code_can_be_kept() -> None:
    x, out = normal(4, 9), np.zeros(36, F)
    text = builder.module_text([nest.emit(softmax(4, 9), host()), nest.emit(adam(5), host())])
    code = target.compile_object(text, host())
    assert code == target.compile_object(text, host())
    module = target.load_object(code, host())
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(module.address("softmax"))
    function(x.ctypes.data, out.ctypes.data)
    np.testing.assert_allclose(out.reshape(4, 9).sum(axis=1), 1, rtol=1e-6)
    with pytest.raises(ValueError, match=r"expected the name of a function.*got 'exp'"):
        module.address("exp")
    assert host().key != AVX2.key
    assert target.unavailable() == ""


def elementwise(body: list[Instruction], value: int, strides: tuple[int, ...] = (1,)) -> Nest:
    stage = Stage((), tuple(body), (Store(value, Access(0, strides)),))
    return Nest("k", (F, "bool"), (8,), (stage,))


BY_FLOAT = Instruction("load", (0,), F, Access(0, (1,)), None, (1,), (3,))
TRUTHS = Stage((2,), (load(0, 1, dtype="bool"),), (), (Reduction("sum", 0),))


@pytest.mark.parametrize(
    ("kernel", "error", "message"),
    [
        (elementwise([load(0, 1), do("cbrt", 0)], 1), ValueError, "unknown operation 'cbrt'"),
        (elementwise([load(0, 1, 1)], 0), ValueError, "a stride for each of 1 loops"),
        (elementwise([load(0, 1)], 0, (1, 1)), ValueError, "a stride for each of 1 loops"),
        (elementwise([load(1, 1)], 0), TypeError, "load gives bool, got it declared as float32"),
        (elementwise([load(1, 1, dtype="bool")], 0), TypeError, "to store, got bool"),
        (elementwise([do("exp", 0)], 0), ValueError, r"value 0 uses \[0\], not known there"),
        (elementwise([Instruction("load", (), F)], 0), ValueError, "a load's access"),
        (elementwise([Instruction("constant", (), F)], 0), ValueError, "a constant's value"),
        (
            elementwise([load(0, 1), load(1, 1, dtype="bool"), do("add", 0, 1)], 2),
            TypeError,
            "operands of one dtype.*got float32, bool; convert with astype",
        ),
        (
            elementwise([load(1, 1, dtype="bool"), do("negative", 0, dtype="bool")], 1),
            TypeError,
            "negative: expected a dtype for which it is defined, got bool",
        ),
        (
            elementwise([load(0, 1), BY_FLOAT], 1),
            ValueError,
            "expected integers and a limit above 0 as places, got float32",
        ),
        (
            Nest("k", (F,), (2,), (Stage((2,), (load(0, 1, 1),)), Stage((), (do("exp", 0),)))),
            ValueError,
            r"value 1 uses \[0\], not known there",
        ),
        (elementwise([load(0, 1)], 1), ValueError, r"a store uses \[1\], not known there"),
        (
            Nest("k", ("bool",), (), (TRUTHS,)),
            ValueError,
            "expected numbers for sum, got bool",
        ),
    ],
)
def test_a_nest_that_means_nothing(kernel: Nest, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        nest.emit(kernel, host())


def test_the_checker_notices_a_wrong_write() -> None:
    """A nest that goes one element too far, or before the first, meets the canaries."""
    copy = Stage((), (load(0, 1),), (Store(0, Access(1, (1,))),))
    kernel = Nest("k", (F, F), (17,), (copy,))
    run = compiled(kernel, host())
    run(normal(17), np.zeros(17, F))
    with pytest.raises(AssertionError, match="behind"):
        run(normal(17), np.zeros(16, F))
    before = replace(copy, stores=(Store(0, Access(1, (1,), -1)),))
    with pytest.raises(AssertionError, match="before"):
        compiled(replace(kernel, stages=(before,)), host())(normal(17), np.zeros(17, F))


def test_without_llvmlite_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "binding", lambda: None)
    assert "pip install llvmlite" in target.unavailable()
    with pytest.raises(ImportError, match="expected llvmlite"):
        host.__wrapped__()
