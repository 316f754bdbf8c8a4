"""The contract of every registered operation, and planted faults that it must catch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from contracts import op_contract as contract
from contracts.op_samples import CASES, Case, Sample
from pellucid import Tensor
from pellucid.autograd.apply import apply
from pellucid.ops import REGISTRY, Op, elementwise

Rule = Callable[..., Any]


def chosen(wanted: Callable[[str, Sample], bool] = lambda name, sample: True) -> list[Any]:
    """Return the samples of registered operations that a test is about."""
    return [
        pytest.param(name, sample, id=f"{name}-{sample.label}")
        for name in REGISTRY
        if name in CASES
        for sample in CASES[name].samples
        if wanted(name, sample)
    ]


def has_gradient(name: str, sample: Sample) -> bool:
    """Whether a gradient goes to one of the operands."""
    return REGISTRY[name].differentiable and any(map(contract.is_float, sample.operands))


ALL = chosen()
WITH_GRADIENT = chosen(has_gradient)
SMOOTH = chosen(lambda name, sample: has_gradient(name, sample) and sample.smooth)
KINKS = chosen(lambda name, sample: sample.gradients is not None)
CONSTANT = chosen(lambda name, sample: not REGISTRY[name].differentiable)
IN_TORCH = chosen(lambda name, sample: CASES[name].torch is not None and sample.torch)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Samples at 0 and at infinity are meant."""
    with np.errstate(all="ignore"):
        yield


def complaint(name: str) -> str:
    """Return what is missing for an operation, if anything is."""
    if CASES.get(name, Case(np.copy, None, ())).samples:
        return ""
    return (
        f"expected samples for the operation {name}, got none; add case({name!r}, "
        "<NumPy function>, <PyTorch function or None>, Sample(...)) to one of "
        "tests/contracts/op_samples_*.py"
    )


@pytest.mark.parametrize("name", REGISTRY)
def test_every_operation_has_samples(name: str) -> None:
    assert not complaint(name), complaint(name)


def test_samples_name_operations() -> None:
    assert set(CASES) <= set(REGISTRY)


@pytest.mark.parametrize("name", REGISTRY)
def test_every_operation_says_what_it_computes(name: str) -> None:
    assert "out" in (REGISTRY[name].__doc__ or ""), (
        f"{name}: expected its equation in the docstring"
    )


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_value(name: str, sample: Sample) -> None:
    contract.check_value(REGISTRY[name], CASES[name], sample)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_layouts(name: str, sample: Sample) -> None:
    contract.check_layouts(REGISTRY[name], sample)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_operands_are_left_alone(name: str, sample: Sample) -> None:
    contract.check_operands_are_left_alone(REGISTRY[name], sample)


@pytest.mark.parametrize(("name", "sample"), CONSTANT)
def test_no_gradient(name: str, sample: Sample) -> None:
    contract.check_no_gradient(REGISTRY[name], sample)


@pytest.mark.parametrize(("name", "sample"), WITH_GRADIENT)
def test_gradient_form(name: str, sample: Sample) -> None:
    contract.check_gradient_form(REGISTRY[name], sample)


@pytest.mark.parametrize(("name", "sample"), KINKS)
def test_documented_gradients(name: str, sample: Sample) -> None:
    contract.check_documented_gradients(REGISTRY[name], sample)


@pytest.mark.parametrize(("name", "sample"), SMOOTH)
def test_against_differences(name: str, sample: Sample) -> None:
    contract.check_against_differences(REGISTRY[name], sample)


@pytest.mark.parametrize(("name", "sample"), SMOOTH)
def test_second_order(name: str, sample: Sample) -> None:
    contract.check_second_order(REGISTRY[name], sample)


@pytest.mark.torch
@pytest.mark.parametrize(("name", "sample"), IN_TORCH)
def test_against_torch(name: str, sample: Sample) -> None:
    torch = pytest.importorskip("torch")
    contract.check_against_torch(torch, REGISTRY[name], CASES[name], sample)


# dtypes


FLOAT_OPS = chosen(
    lambda name, sample: (
        has_gradient(name, sample)
        and REGISTRY[name].casts == "float"
        and all(np.isfinite(x).all() for x in sample.operands)
    )
)
COMMON_OPS = chosen(
    lambda name, sample: (
        has_gradient(name, sample)
        and REGISTRY[name].casts == "common"
        and all(isinstance(x, np.ndarray) and np.isfinite(x).all() for x in sample.operands)
        and not any(isinstance(x, float) or x == -1 for x in sample.params.values())
    )
)
MIXED = chosen(
    lambda name, sample: (
        REGISTRY[name].casts != "keep"
        and REGISTRY[name].differentiable
        and sum(map(contract.is_float, sample.operands)) > 1
    )
)


def integers(sample: Sample) -> list[Any]:
    """Return the operands with floating-point arrays rounded away from 0 to integers."""
    return [
        np.where(x < 0, np.floor(x), np.ceil(x)).astype(np.int32) if contract.is_float(x) else x
        for x in sample.operands
    ]


@pytest.mark.parametrize(("name", "sample"), FLOAT_OPS)
def test_integers_become_float32(name: str, sample: Sample) -> None:
    operands = integers(sample)
    out, _ = contract.call(REGISTRY[name], operands, sample)
    assert out.dtype == np.float32
    again, _ = contract.call(
        REGISTRY[name],
        [np.asarray(x, np.float32) if isinstance(x, np.ndarray) else x for x in operands],
        sample,
    )
    np.testing.assert_array_equal(out.data, again.data)


@pytest.mark.parametrize(("name", "sample"), COMMON_OPS)
def test_integers_stay_integers(name: str, sample: Sample) -> None:
    out, _ = contract.call(REGISTRY[name], integers(sample), sample)
    assert out.dtype == np.int32
    np.testing.assert_array_equal(out.data, CASES[name].value(*integers(sample), **sample.params))


@pytest.mark.parametrize(("name", "sample"), MIXED)
def test_mixed_dtypes_meet_at_the_wider(name: str, sample: Sample) -> None:
    places = [i for i, x in enumerate(sample.operands) if contract.is_float(x)]
    operands = contract.operands_of(sample)
    operands[places[0]] = operands[places[0]].astype(np.float32)
    out, leaves = contract.call(REGISTRY[name], operands, sample)
    assert out.dtype == np.float64
    out.backward(np.ones(out.shape))
    assert leaves[0].grad.dtype == np.float32
    assert all(leaf.grad.dtype == np.float64 for leaf in leaves[1:])


# planted faults: the contract is only as good as what it catches


def samples_of(name: str, check: Rule) -> list[Sample]:
    """Return the samples that a check is run on."""
    listed = KINKS if check is contract.check_documented_gradients else SMOOTH
    return [p.values[1] for p in listed if p.values[0] == name]


def caught(op: type[Op], check: Rule) -> int:
    """Return how many samples of the operation of that name fail the check."""
    failed = 0
    for sample in samples_of(op.__name__, check):
        try:
            check(op, sample)
        except (AssertionError, ValueError, TypeError, AttributeError):
            failed += 1
    return failed


FAULTS: dict[str, tuple[type[Op], Rule]] = {
    "a factor of 2.001 for 2": (
        contract.plant(elementwise.Square, vjp=lambda xp, g, out, x: (g * (2.001 * x),)),
        contract.check_against_differences,
    ),
    "a sign": (
        contract.plant(elementwise.Cos, vjp=lambda xp, g, out, x: (g * xp.sin(x),)),
        contract.check_against_differences,
    ),
    "operands swapped": (
        contract.plant(elementwise.Multiply, vjp=lambda xp, g, out, a, b: (g * a, g * b)),
        contract.check_against_differences,
    ),
    "a constant taken for a value": (
        contract.plant(
            elementwise.Tanh, vjp=lambda xp, g, out, x: (g * Tensor(1 - np.tanh(_data(x)) ** 2),)
        ),
        contract.check_second_order,
    ),
    "the upstream gradient forgotten": (
        contract.plant(elementwise.Sin, vjp=lambda xp, g, out, x: (xp.cos(x),)),
        contract.check_against_differences,
    ),
    "float64 by a NumPy scalar": (
        contract.plant(elementwise.Square, vjp=lambda xp, g, out, x: (g * np.float64(2) * x,)),
        contract.check_gradient_form,
    ),
    "the kink on the other side": (
        contract.plant(
            elementwise.Relu, vjp=lambda xp, g, out, x: (g * xp.astype(out >= 0, g.dtype),)
        ),
        contract.check_documented_gradients,
    ),
    "an operand written to": (
        contract.plant(elementwise.Negative, forward=lambda xp, x: np.negative(x, out=x)),
        contract.check_operands_are_left_alone,
    ),
    "the memory's order": (
        contract.plant(
            elementwise.Negative, forward=lambda xp, x: -x.ravel(order="K").reshape(x.shape)
        ),
        contract.check_layouts,
    ),
}


def _data(x: Any) -> np.ndarray:
    return x.data if isinstance(x, Tensor) else x


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault: str) -> None:
    op, check = FAULTS[fault]
    assert caught(REGISTRY[op.__name__], check) == 0
    assert caught(op, check) > 0


def test_a_wrong_value_is_caught() -> None:
    op = contract.plant(elementwise.Exp, forward=lambda xp, x: 1 + x + x * x / 2)
    with pytest.raises(AssertionError, match="value in float64"):
        contract.check_value(op, CASES["Exp"], CASES["Exp"].samples[0])


def test_a_promoted_value_is_caught() -> None:
    op = contract.plant(elementwise.Exp, forward=lambda xp, x: np.exp(x.astype(np.float64)))
    with pytest.raises(AssertionError, match="expected float32, got float64"):
        contract.check_value(op, CASES["Exp"], CASES["Exp"].samples[0])


def test_a_gradient_that_should_not_be_is_caught() -> None:
    step = type("Floor", (elementwise.Identity,), {"differentiable": True})
    with pytest.raises(AssertionError):
        contract.check_no_gradient(step, CASES["Floor"].samples[0])


def test_an_operation_without_samples_is_told_how_to_add_them() -> None:
    assert "add case('Planted', <NumPy function>, " in complaint("Planted")


def test_planting_leaves_the_registry_alone() -> None:
    assert all(op.__module__.startswith("pellucid.") for op in REGISTRY.values())
    assert (apply(elementwise.Square, Tensor(3.0))).item() == 9
