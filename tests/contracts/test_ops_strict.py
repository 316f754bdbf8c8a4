"""Operations ask a backend for nothing but what the array protocol promises."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from contracts.op_contract import operands_of, plant
from contracts.op_samples import CASES, Sample
from pellucid import arrays
from pellucid.autograd import tape
from pellucid.ops import REGISTRY, Op, elementwise
from support import strict

SOURCE = Path(pellucid.__file__).parent
ALL = [
    pytest.param(name, sample, dtype, id=f"{name}-{sample.label}-{dtype}")
    for name in REGISTRY
    if name in CASES
    for sample in CASES[name].samples
    for dtype in ("float64", "float32")
]


@pytest.fixture
def xp() -> Iterator[strict.Strict]:
    """Samples at 0 and at infinity are meant."""
    with np.errstate(all="ignore"), strict.registered() as namespace:
        yield namespace


def evaluate(xp: Any, op: type[Op], operands: list[Any], params: dict[str, Any]) -> list[Any]:
    """Return the value and, as the tape takes them, the gradients of its sum."""
    out = op.forward(xp, *operands, **params)
    if not op.differentiable:
        return [out]
    g = xp.ones_like(out)
    parts = op.vjp(xp, g, out, *operands, **params)
    gradients = []
    for operand, part in zip(operands, parts, strict=True):
        wanted = part is not None and hasattr(operand, "shape") and "float" in str(operand.dtype)
        if wanted:
            part = part() if callable(part) else part
            gradients.append(tape.unbroadcast(xp, part, operand.shape))
    return [out, *gradients]


@pytest.mark.parametrize(("name", "sample", "dtype"), ALL)
def test_value_and_gradients(xp: strict.Strict, name: str, sample: Sample, dtype: str) -> None:
    op, operands = REGISTRY[name], operands_of(sample, dtype)
    expected = evaluate(arrays.NUMPY, op, operands, sample.params)
    params = {key: strict.strict(value) for key, value in sample.params.items()}
    found = evaluate(xp, op, [strict.strict(x) for x in operands], params)
    for a, b in zip(found, expected, strict=True):
        assert isinstance(a, strict.StrictArray)
        assert a.shape == np.shape(b)
        assert strict.plain(a).dtype == b.dtype
        np.testing.assert_allclose(strict.plain(a), b, rtol=1e-6 if dtype == "float32" else 1e-13)


PLANTED = {
    "a function of NumPy's": lambda xp, x: xp.nan_to_num(x),
    "booleans as numbers": lambda xp, x: x * (x > 0),
    "booleans summed": lambda xp, x: xp.sum(x > 0, axis=None, keepdims=False) + x,
    "integers and floats together": lambda xp, x: x * xp.arange(x.shape[-1]),
    "a list of places": lambda xp, x: x[[0]],
    "a method of NumPy's": lambda xp, x: x.sum() + x,
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_caught(xp: strict.Strict, fault: str) -> None:
    op = plant(elementwise.Negative, forward=PLANTED[fault])
    x = np.array([[1.0, 2.0]])
    if fault != "a function of NumPy's":
        evaluate(arrays.NUMPY, op, [x], {})
    with pytest.raises((AttributeError, TypeError, IndexError)):
        evaluate(xp, op, [strict.strict(x)], {})


def test_a_planted_gradient_rule_is_caught(xp: strict.Strict) -> None:
    op = plant(elementwise.Negative, vjp=lambda xp, g, out, x: (xp.nan_to_num(-g),))
    with pytest.raises(AttributeError, match=r"nan_to_num is not in .*Namespace"):
        evaluate(xp, op, [strict.strict(np.ones(2))], {})


def asked_for(*folders: str) -> set[str]:
    """Return the names that the source asks of a namespace ``xp``."""
    return {
        node.attr
        for folder in folders
        for path in sorted((SOURCE / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "xp"
    }


def test_operations_ask_only_for_what_the_protocol_lists() -> None:
    assert asked_for("ops", "autograd", "nn", "optim") <= strict.PROTOCOL


def test_samples_reach_every_name_that_operations_ask_for(xp: strict.Strict) -> None:
    for name, case in CASES.items():
        for sample in case.samples:
            params = {key: strict.strict(value) for key, value in sample.params.items()}
            operands = [strict.strict(x) for x in operands_of(sample)]
            evaluate(xp, REGISTRY[name], operands, params)
    assert xp.used - {"ones_like"} == asked_for("ops")  # with which the gradients start


def test_the_protocol_lists_nothing_else() -> None:
    elsewhere = {"own"}  # of the tape, which calls it on the namespace of a gradient
    assert strict.PROTOCOL - asked_for("ops", "autograd", "nn", "optim") - elsewhere == set()


def test_numpy_supplies_what_the_protocol_lists() -> None:
    for name in strict.PROTOCOL:
        assert hasattr(arrays.NUMPY, name), name
    assert set(arrays.numpy_backend.__all__) == strict.PROTOCOL


def test_the_tensor_namespace_supplies_what_gradient_rules_ask_for() -> None:
    for name in asked_for("ops"):
        assert hasattr(arrays.namespace(pellucid.Tensor(1.0)), name), name
