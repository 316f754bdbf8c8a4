"""What every operation keeps: each function checks one promise and raises AssertionError.

They take the operation's class rather than its name, so that planted faults can be given to them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from contracts.op_samples import Case, Sample
from pellucid import Tensor
from pellucid.autograd import tape
from pellucid.autograd.apply import apply
from pellucid.ops import Op
from support.differences import central

Operands = list[Any]


def is_float(x: Any) -> bool:
    """Whether x is an array that a gradient goes to."""
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def operands_of(sample: Sample, dtype: str = "float64") -> Operands:
    """Return fresh copies of the operands, floating-point arrays in the dtype."""
    return [
        x.astype(dtype) if is_float(x) else x.copy() if isinstance(x, np.ndarray) else x
        for x in sample.operands
    ]


def call(op: type[Op], operands: Operands, sample: Sample) -> tuple[Tensor, list[Tensor]]:
    """Return the result and the leaves that it can be differentiated by."""
    tensors = [
        Tensor(x, requires_grad=is_float(x)) if isinstance(x, np.ndarray) else x for x in operands
    ]
    out = apply(op, *tensors, **sample.params)
    return out, [x for x in tensors if isinstance(x, Tensor) and x.requires_grad]


def upstream(out: Tensor, sample: Sample) -> np.ndarray:
    """Return a random gradient of a scalar with respect to the result, the same on every call."""
    return np.random.default_rng(len(sample.label)).normal(size=out.shape).astype(out.dtype)


def first_order(
    op: type[Op], operands: Operands, sample: Sample, v: np.ndarray | None = None
) -> list[np.ndarray]:
    """Return the gradient of <out, v> with respect to each floating-point operand."""
    out, leaves = call(op, operands, sample)
    out.backward(upstream(out, sample) if v is None else v)
    return [leaf.grad for leaf in leaves]


def directions(operands: Operands) -> list[np.ndarray]:
    """Return a random direction for each floating-point operand, the same on every call."""
    rng = np.random.default_rng(99)
    return [rng.normal(size=x.shape) for x in operands if is_float(x)]


def second_order(op: type[Op], operands: Operands, sample: Sample) -> list[np.ndarray]:
    """Return the gradients of <grad, u> by the operands and by v, through the recorded rules."""
    out, leaves = call(op, operands, sample)
    seed = Tensor(upstream(out, sample), requires_grad=True)
    firsts = tape.gradients(out, leaves, seed, create_graph=True)
    dot = sum((g * Tensor(u)).sum() for g, u in zip(firsts, directions(operands), strict=True))
    wanted = [*leaves, seed]
    found = tape.gradients(dot, wanted, np.ones(()), create_graph=False)
    return [np.zeros(x.shape) if g is None else g for g, x in zip(found, wanted, strict=True)]


def close(actual: Any, expected: Any, rtol: float, atol: float, what: str) -> None:
    """Compare shapes and values."""
    expected = np.asarray(expected)
    assert np.shape(actual) == expected.shape, f"{what}: {np.shape(actual)}, not {expected.shape}"
    np.testing.assert_allclose(actual, expected, rtol, atol, err_msg=what)


def check_value(op: type[Op], case: Case, sample: Sample) -> None:
    """The value is the oracle's; float32 stays float32 and float64 stays float64."""
    for dtype, rtol in [("float64", 1e-12), ("float32", 2e-5)]:
        operands = operands_of(sample, dtype)
        out, _ = call(op, operands, sample)
        exact = case.value(
            *(x.astype("float64") if is_float(x) else x for x in operands), **sample.params
        )
        assert type(out.data) is np.ndarray, f"the value is a {type(out.data).__name__}"
        close(out.data, exact, rtol, rtol, f"value in {dtype}")
        if op.differentiable and any(map(is_float, operands)):
            expected = sample.params.get("dtype", dtype)
        else:
            expected = np.asarray(case.value(*operands, **sample.params)).dtype
        assert out.dtype == expected, f"expected {expected}, got {out.dtype}"


def check_no_gradient(op: type[Op], sample: Sample) -> None:
    """What a step function returns is a constant."""
    out, _ = call(op, operands_of(sample), sample)
    assert not out.requires_grad
    assert out.is_leaf
    assert out.inputs == ()


def check_gradient_form(op: type[Op], sample: Sample) -> None:
    """A gradient has its operand's shape and dtype; float32 agrees with float64."""
    operands = operands_of(sample)
    exact = first_order(op, operands, sample)
    single = first_order(op, operands_of(sample, "float32"), sample)
    floats = [x for x in operands if is_float(x)]
    for x, g64, g32 in zip(floats, exact, single, strict=True):
        for g, dtype in [(g64, "float64"), (g32, "float32")]:
            assert type(g) is np.ndarray, f"the gradient is a {type(g).__name__}"
            assert g.shape == x.shape, f"expected a gradient of shape {x.shape}, got {g.shape}"
            assert g.dtype == dtype, f"expected a gradient in {dtype}, got {g.dtype}"
        np.testing.assert_allclose(g32, g64, 2e-4, 2e-5, err_msg="float32 against float64")


def check_documented_gradients(op: type[Op], sample: Sample) -> None:
    """At a kink the gradients are the documented ones, in proportion to the upstream gradient."""
    operands = operands_of(sample)
    out, _ = call(op, operands, sample)
    found = first_order(op, operands, sample, np.full(out.shape, 3.0))
    assert sample.gradients is not None
    for g, expected in zip(found, sample.gradients, strict=True):
        close(g, 3 * np.asarray(expected), 1e-12, 0, "gradient at the kink")


def check_against_differences(op: type[Op], sample: Sample) -> None:
    """The gradient of <out, v> is that of central differences."""
    operands = operands_of(sample)
    v = upstream(call(op, operands, sample)[0], sample)

    def scalar(at: Operands) -> float:
        return float((call(op, at, sample)[0].data * v).sum())

    places = [i for i, x in enumerate(operands) if is_float(x)]
    for i, g in zip(places, first_order(op, operands, sample), strict=True):
        close(g, central(replacing(scalar, operands, i), operands[i]), 1e-6, 1e-7, f"operand {i}")


def check_second_order(op: type[Op], sample: Sample) -> None:
    """The gradients of <grad, u> by the operands and by v are those of central differences."""
    operands = operands_of(sample)
    found = second_order(op, operands, sample)
    v = upstream(call(op, operands, sample)[0], sample)
    along = directions(operands)

    def scalar(at: Operands) -> float:
        gradients = first_order(op, at[:-1], sample, at[-1])
        return float(sum((g * u).sum() for g, u in zip(gradients, along, strict=True)))

    at = [*operands, v]
    places = [i for i, x in enumerate(at) if is_float(x)]
    for i, g in zip(places, found, strict=True):
        close(g, central(replacing(scalar, at, i), at[i]), 1e-6, 1e-7, f"operand {i} of {len(at)}")


def replacing(f: Callable[[Operands], float], at: Operands, i: int) -> Callable[..., float]:
    """Return f as a function of its i-th operand."""
    return lambda x: f([*at[:i], x, *at[i + 1 :]])


def fortran(x: np.ndarray) -> np.ndarray:
    """Return an equal array whose first axis is the fastest."""
    return np.array(x, order="F")


def strided(x: np.ndarray) -> np.ndarray:
    """Return an equal view of every second element of a larger array."""
    big = np.zeros(tuple(2 * n for n in x.shape), x.dtype)
    view = big[(..., *(slice(None, None, 2),) * x.ndim)]
    view[...] = x
    return view


def reverse(x: np.ndarray) -> np.ndarray:
    """Return an equal view with negative strides."""
    every = (..., *(slice(None, None, -1),) * x.ndim)
    return x[every].copy()[every]


def frozen(x: np.ndarray) -> np.ndarray:
    """Return an equal array that cannot be written to."""
    x = x.copy()
    x.flags.writeable = False
    return x


def check_layouts(op: type[Op], sample: Sample) -> None:
    """Transposed, strided, reversed and read-only operands and gradients change no result."""
    operands = operands_of(sample)
    value = call(op, operands, sample)[0].data
    v = upstream(call(op, operands, sample)[0], sample)
    has_gradient = op.differentiable and any(map(is_float, operands))
    gradients = first_order(op, operands, sample, v) if has_gradient else []
    for layout in (fortran, strided, reverse, frozen):
        moved = [layout(x) if isinstance(x, np.ndarray) else x for x in operands]
        out, leaves = call(op, moved, sample)
        close(out.data, value, 1e-12, 1e-12, f"value, {layout.__name__}")
        if gradients:
            out.backward(layout(v))
        for leaf, g in zip(leaves if gradients else [], gradients, strict=True):
            close(leaf.grad, g, 1e-12, 1e-12, f"gradient, {layout.__name__}")


def check_operands_are_left_alone(op: type[Op], sample: Sample) -> None:
    """Neither value nor gradients, first and second order, write to operands or to v."""
    operands = [frozen(x) if isinstance(x, np.ndarray) else x for x in operands_of(sample)]
    before = [np.copy(x) for x in operands]
    out, leaves = call(op, operands, sample)
    if op.differentiable and leaves:
        v = frozen(upstream(out, sample))
        first_order(op, operands, sample, v)
        second_order(op, operands, sample)
        np.testing.assert_array_equal(v, upstream(out, sample))
    for x, old in zip(operands, before, strict=True):
        np.testing.assert_array_equal(x, old)


def check_against_torch(torch: Any, op: type[Op], case: Case, sample: Sample) -> None:
    """Value and gradient are PyTorch's, and its double backward's where the function is smooth."""
    assert case.torch is not None
    operands = operands_of(sample)
    theirs = [
        torch.tensor(x, requires_grad=is_float(x))
        if isinstance(x, np.ndarray)
        else torch.tensor(x, dtype=torch.float64)
        for x in operands
    ]
    expected = case.torch(torch, *theirs, **sample.params)
    out, _ = call(op, operands, sample)
    close(out.data, expected.detach().numpy(), 1e-10, 1e-12, "value")
    leaves = [x for x in theirs if x.requires_grad]
    if not (op.differentiable and leaves):
        return
    v = torch.tensor(upstream(out, sample), requires_grad=True)
    asked: dict[str, bool] = {"create_graph": True, "materialize_grads": True}
    firsts = torch.autograd.grad(expected, leaves, v, **asked)
    for g, theirs_g in zip(first_order(op, operands, sample), firsts, strict=True):
        close(g, theirs_g.detach().numpy(force=True), 1e-9, 1e-11, "gradient")
    if not sample.smooth:
        return
    dot = sum(
        (g * torch.tensor(u)).sum() for g, u in zip(firsts, directions(operands), strict=True)
    )
    dot = dot + 0 * v.sum()  # where the gradient is a constant, torch has no graph to ask
    seconds = torch.autograd.grad(dot, [*leaves, v], **asked)
    for g, theirs_g in zip(second_order(op, operands, sample), seconds, strict=True):
        close(g, theirs_g.detach().numpy(force=True), 1e-8, 1e-10, "second order")


def plant(
    of: type[Op], forward: Callable[..., Any] | None = None, vjp: Callable[..., Any] | None = None
) -> type[Op]:
    """Return a copy of an operation with another value or gradient."""
    rules = {"forward": forward or of.forward, "vjp": vjp or of.vjp}
    return type(of.__name__, (of,), {name: staticmethod(rule) for name, rule in rules.items()})
