"""Every operation and primitive: NumPy, interpreter and native code give the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import pellucid
from contracts import (
    op_contract,
    test_ops,  # noqa: F401 - fills CASES
)
from contracts.op_samples import CASES, Sample
from pellucid import Tensor
from pellucid.arrays import namespace
from pellucid.autograd.apply import apply
from pellucid.compiler import trace
from pellucid.compiler.llvm.target import AVX2, SSE2, Target, host
from pellucid.compiler.passes import optimise
from pellucid.compiler.places import UnsupportedError
from pellucid.compiler.primitives import ELEMENTWISE, OPERATORS
from pellucid.compiler.schedule import schedule
from pellucid.ops import REGISTRY, Op
from support.compiled import Traced, check, joined, three_way, traced

# Operations for which native code is made, whatever they are given.
NATIVE = {
    "Add", "Subtract", "Multiply", "Divide", "Negative", "Power", "Exponentiate", "Square", "Sqrt",
    "Exp", "Expm1", "Log", "Log1p", "Sin", "Cos", "Tanh", "Sigmoid", "Softplus", "Relu",
    "LeakyRelu", "Erf", "Abs", "Maximum", "Minimum", "Clip", "Where", "Identity", "Cast", "Elu",
    "Silu", "Gelu", "GeluTanh", "Equal", "NotEqual", "Less", "LessEqual", "Greater",
    "GreaterEqual", "LogicalAnd", "LogicalOr", "LogicalNot", "IsFinite", "IsNan", "Sign", "Floor",
    "Ceil", "Round", "Sum", "Mean", "Var", "Max", "Min", "Norm", "LogSumExp", "Softmax",
    "LogSoftmax", "CrossEntropy", "Any", "All", "Standardise", "RmsNormalise", "Uniform",
    "Reshape", "Rnn", "Lstm", "Gru", "Concat", "Stack", "Flip", "Pad", "MatMul", "Transpose",
    "BroadcastTo", "ExpandDims", "Squeeze",
}  # fmt: skip
# Operations that fall back to NumPy where they are given what is listed.
PARTLY: dict[str, set[str]] = {
    "Index": {"an array and a slice", "an array and an integer", "arrays apart", "columns"},
    "ScatterAdd": {"an array and a slice", "an array and an integer", "arrays apart", "columns"},
}
# Operations that fall back to NumPy altogether.
FALLS_BACK = {
    "Conv", "ConvInput", "ConvKernel", "Einsum", "ArgMax", "ArgMin", "Windows", "WindowsInput",
    "MaxPool", "AvgPool",
}  # fmt: skip


def gradients(op: type[Op]) -> list[bool]:
    """Return whether to ask for no gradients or for gradients: both where there are some."""
    return [False, True] if op.differentiable else [False]


def called(
    op: type[Op], sample: Sample, dtype: str, backward: bool
) -> tuple[Callable[..., Any], list[np.ndarray]]:
    """Return an operation, with its gradients if wanted, as a function of arrays; and those."""
    operands = op_contract.operands_of(sample, dtype)
    places = [i for i, x in enumerate(operands) if isinstance(x, np.ndarray)]

    def function(*arrays: Any) -> list[Any]:
        given = list(operands)
        for place, array in zip(places, arrays, strict=True):
            wanted = backward and op_contract.is_float(operands[place])
            given[place] = Tensor(array, requires_grad=wanted)
        out = apply(op, *given, **sample.params)
        if not backward:
            return [out.data]
        out.backward(op_contract.upstream(out, sample))
        leaves = [x for x in given if isinstance(x, Tensor) and x.requires_grad]
        return [out.data, *(leaf.grad for leaf in leaves)]

    return function, [operands[place] for place in places]


def has_mask(sample: Sample) -> bool:
    """Whether a key picks elements by their values, which cannot be traced."""
    return "key" in sample.params and any(
        isinstance(x, np.ndarray) and x.dtype == np.bool_ for x in sample.operands
    )


def parts(name: str) -> list[tuple[Sample, Traced]]:
    """Return the graphs of an operation's samples, forward and backward, in both float dtypes."""
    found = []
    for backward in gradients(REGISTRY[name]):
        for dtype in ("float64", "float32"):
            for number, sample in enumerate(CASES[name].samples):
                floats = any(map(op_contract.is_float, sample.operands))
                if (backward and not floats) or has_mask(sample):
                    continue
                function, inputs = called(REGISTRY[name], sample, dtype, backward)
                label = f"{sample.label}{number}{dtype}{backward}"
                found.append((sample, traced(function, *inputs, name=f"{label} ")))
    return found


def falls_back(graph: Traced) -> bool:
    """Whether no native code can be made."""
    try:
        schedule(optimise(graph.graph))
    except UnsupportedError:
        return True
    return False


@pytest.mark.parametrize("name", [name for name in REGISTRY if name in CASES])
def test_operation(name: str) -> None:
    native = []
    refused = set()
    for sample, graph in parts(name):
        if falls_back(graph):
            refused.add(sample.label)
        else:
            native.append(graph)
    if name in FALLS_BACK:
        assert not native, f"native code can be made for {name} now: list it in PARTLY or NATIVE"
    else:
        assert refused == PARTLY.get(name, set())
        check(joined(native))


def test_every_operation_is_listed_once() -> None:
    """Whoever adds an operation says whether there is native code for it."""
    listed = [*NATIVE, *PARTLY, *FALLS_BACK]
    assert len(set(listed)) == len(listed)
    assert set(listed) == set(REGISTRY)


# primitives, on the sizes at which vectors end

SHAPES = ((), (1,), (3,), (15,), (16,), (17,), (31,), (100,), (0,), (3, 17), (2, 3, 5))
DTYPES = ("float32", "float64", "int32", "int64", "uint32", "bool")
BINARY = {
    name for name in ELEMENTWISE
    if name in OPERATORS or name in ("logical_and", "logical_or", "maximum", "minimum")
} - {"negative", "bitwise_invert"}  # fmt: skip
UNARY = set(ELEMENTWISE) - BINARY - {"where", "astype"}


def drawn(shape: tuple[int, ...], dtype: str, seed: int) -> np.ndarray:
    """Return numbers that every primitive is defined for: 0.5 to 2, 1 to 4, or truth values."""
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return np.asarray(rng.random(shape) < 0.5)
    if dtype.startswith("float"):
        return np.asarray(rng.uniform(0.5, 2.0, shape)).astype(dtype)
    return np.asarray(rng.integers(1, 5, shape)).astype(dtype)


def primitive(name: str) -> Callable[..., Any]:
    """Return a primitive as a function of arrays or symbols."""

    def function(*operands: Any) -> Any:
        if any(isinstance(x, trace.Symbol) for x in operands):
            return trace.record(name, *operands)
        return ELEMENTWISE[name](*operands)

    return function


def kinds(name: str, count: int) -> list[str]:
    """Return the dtypes that NumPy takes, and for which it returns one that we know."""
    found = []
    for dtype in DTYPES:
        one = np.ones(1, dtype)
        try:
            result = ELEMENTWISE[name](*(one for _ in range(count)))
        except TypeError:
            continue
        if str(result.dtype) in DTYPES and (name != "erf" or dtype.startswith("float")):
            found.append(dtype)
    return found


TARGETS: dict[str, Target] = {"AVX2": AVX2, "SSE2": SSE2}


@pytest.mark.parametrize("name", sorted(UNARY))
def test_unary_primitive(name: str) -> None:
    for number, target in enumerate((host(), *TARGETS.values())):
        shapes = SHAPES if number == 0 else ((17,), (3,))
        graphs = [
            traced(primitive(name), drawn(shape, dtype, i), name=f"{dtype}{i} ")
            for dtype in kinds(name, 1)
            for i, shape in enumerate(shapes)
        ]
        assert graphs
        check(joined(graphs), target)


PAIRS = (
    ((17,), (17,)), ((), (16,)), ((31,), ()), ((), ()), ((3, 1), (1, 15)), ((2, 3, 17), (3, 1)),
    ((1, 100), (100,)), ((0,), (1,)), ((1,), (1, 1)),
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(BINARY))
def test_binary_primitive(name: str) -> None:
    """Also with a constant on either side."""
    graphs = []
    for dtype in kinds(name, 2):
        function = primitive(name)
        for i, (left, right) in enumerate(PAIRS):
            a, b = drawn(left, dtype, i), drawn(right, dtype, 100 + i)
            graphs += [
                traced(function, a, b, name=f"{dtype}{i} "),
                traced(lambda x, a=a, f=function: f(a, x), b, name=f"{dtype}{i} left "),
                traced(lambda x, b=b, f=function: f(x, b), a, name=f"{dtype}{i} right "),
            ]
    assert graphs
    check(joined(graphs))


def test_dtypes_meet_as_in_numpy() -> None:
    graphs = [
        traced(primitive(name), drawn((5,), a, 1), drawn((5,), b, 2), name=f"{a} {b} {name} ")
        for a in DTYPES
        for b in DTYPES
        for name in ("multiply", "less", "maximum")
        if str(np.result_type(a, b)) in DTYPES
    ]
    check(joined(graphs))


def test_casts() -> None:
    graphs = [
        traced(
            lambda x, b=b: namespace(x).astype(x, b), drawn((17,), a, 3) * sign, name=f"{a} {b} "
        )
        for a in DTYPES
        for b in DTYPES
        for sign in ([np.array(-1, a)] if a in ("float32", "int32", "int64") else [True])
        if not (b == "uint32" and a == "float32")
    ]
    check(joined(graphs))


def test_where() -> None:
    graphs = [
        traced(
            lambda c, a, b: namespace(c).where(c, a, b),
            drawn(c, "bool", 1), drawn(a, dtype, 2), drawn(b, dtype, 3), name=f"{dtype}{number} ",
        )
        for dtype in DTYPES
        for number, (c, a, b) in enumerate(
            [((17,), (17,), (17,)), ((3, 1), (), (5,)), ((), (4,), (4,)), ((1,), (2, 1), (1, 3))]
        )
    ]  # fmt: skip
    check(joined(graphs))


@pytest.mark.parametrize("name", ["sum", "max", "min", "any", "all"])
@pytest.mark.parametrize("target", ["host", *TARGETS])
def test_reduction(name: str, target: str) -> None:
    """Over any axes, also those of size 1, and the whole array."""
    shapes = ((17,), (3, 17), (17, 3), (2, 1, 5), (1, 1), (4, 3, 16), (100,))
    graphs = [
        traced(
            lambda x, axis=axis, keep=keep: getattr(namespace(x), name)(
                x, axis=axis, keepdims=keep
            ),
            drawn(shape, dtype, 5),
            name=f"{dtype}{shape}{axis}{keep} ",
        )
        for dtype in DTYPES
        if name != "sum" or dtype != "uint32"  # which is summed as uint64
        for shape in shapes
        for axis in (None, 0, -1, tuple(range(len(shape))), (0, -1)[: len(shape)])
        for keep in (False, True)
    ]
    check(joined(graphs), TARGETS.get(target))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", ["host", *TARGETS])
def test_products_of_matrices(dtype: str, target: str) -> None:
    """Also of transposed ones, with sizes of 1, and with nothing to add up."""
    sizes = ((1, 1, 1), (3, 5, 7), (17, 16, 15), (1, 31, 3), (33, 1, 2), (4, 17, 1), (2, 0, 3),
             (0, 2, 3), (100, 16, 17))  # fmt: skip
    graphs = []
    for m, k, n in sizes:
        a, b = drawn((m, k), dtype, 1), drawn((k, n), dtype, 2)
        name = f"{m} {k} {n}"
        graphs += [
            traced(lambda a, b: a @ b, a, b, name=f"{name} "),
            traced(lambda a, b: a.mT @ b, a.T.copy(), b, name=f"{name} left "),
            traced(lambda a, b: a @ b.mT, a, b.T.copy(), name=f"{name} right "),
            traced(lambda a, b: (a.mT @ b.mT).mT, a.T.copy(), b.T.copy(), name=f"{name} both "),
        ]
    check(joined(graphs), TARGETS.get(target))


SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5, -2.5, 3.4e38, -1e-45], "f4")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_and_infinity_travel_as_in_numpy(dtype: str) -> None:
    """Through every primitive, from either side, and through reductions and softmax."""
    x = SPECIAL.astype(dtype)
    a, b = np.repeat(x, len(x)), np.tile(x, len(x))
    graphs = [
        traced(primitive(name), x, name=f"{name} ")
        for name in sorted(UNARY)
        if dtype in kinds(name, 1)
    ]
    graphs += [
        traced(primitive(name), a, b, name=f"{name} ")
        for name in sorted(BINARY)
        if dtype in kinds(name, 2) and name not in ("power",)
    ]
    rows = np.stack([x[5:8], x[:3], x[[5, 0, 6]], x[[1, 6, 5]], x[[2, 2, 5]]])
    for name in ("sum", "max", "min", "any", "all"):
        for axis in (0, 1, None):
            graphs.append(
                traced(
                    lambda x, name=name, axis=axis: getattr(namespace(x), name)(x, axis=axis),
                    rows if name != "sum" else rows[1:],
                    name=f"{name}{axis} ",
                )
            )

    def softmax(x: Any) -> Any:
        xp = namespace(x)
        e = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
        return e / xp.sum(e, axis=-1, keepdims=True)

    graphs.append(traced(softmax, rows, name="softmax "))
    graphs.append(traced(lambda a, b: a @ b, rows[1:], rows[1:4], name="matmul "))
    check(joined(graphs))


def test_wrong_native_code_is_found() -> None:
    """The comparison sees an error in the last thousandth."""
    graph = traced(lambda x: x * 2, drawn((5,), "float32", 1))
    graph.eager["y0"][3] *= 1.001
    with pytest.raises(AssertionError, match="y0"):
        check(graph)


def test_a_result_belongs_to_the_caller() -> None:
    """A second run does not change the results of the first; an input is returned as a copy."""
    x = drawn((4,), "float32", 1)
    program = three_way(lambda x: [x, x * 2, x.reshape(2, 2)], x)
    first = program({"x0": x})
    first["y0"][:] = 7
    assert (x != 7).all()
    second = program({"x0": x + 1})
    np.testing.assert_array_equal(first["y1"], x * 2)
    np.testing.assert_array_equal(second["y2"], (x + 1).reshape(2, 2))


def test_inputs_are_checked() -> None:
    program = three_way(lambda x: x + 1, drawn((4,), "float32", 1))
    with pytest.raises(ValueError, match=r"expected x0 as float32\[4\], got nothing"):
        program({})
    with pytest.raises(ValueError, match="got float64"):
        program({"x0": np.ones(4)})
    layouts = np.arange(16, dtype="f4").reshape(4, 4)
    np.testing.assert_array_equal(program({"x0": layouts[:, 1]})["y0"], layouts[:, 1] + 1)


@pytest.mark.parametrize("product", [False, True])
def test_zeros_keep_their_signs(product: bool) -> None:
    """Kernels that differ by the sign of a zero alone are two; an array of both is no number."""
    zeros = np.full((4, 5), -0.0, "f4")
    mixed = np.where(np.arange(5) % 2, np.float32(0.0), np.float32(-0.0))

    def function(*arrays: Any) -> list[Any]:
        xs = [a.data @ np.eye(5, dtype="f4") * -1 if product else a.data for a in arrays]
        return [xs[0] + np.float32(0.0), xs[1] + np.float32(-0.0), xs[2] + mixed]

    arrays = [zeros * (-1 if product else 1) for _ in range(3)]
    expected = function(*map(Tensor, arrays))
    for mine, theirs in zip(pellucid.compile(function)(*arrays), expected, strict=True):
        np.testing.assert_array_equal(np.signbit(mine), np.signbit(theirs))
