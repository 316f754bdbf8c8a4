"""Random expressions: the scalar engine, the tensor engine, differences and PyTorch agree."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import pellucid
from pellucid.scalar import Value

UNARY = ("exp", "log", "tanh", "relu", "sigmoid", "sin", "cos", "sqrt", "abs", "neg", "square")
BINARY = ("+", "-", "*", "/", "**", "max")
INPUTS = 3


@dataclass(frozen=True)
class Step:
    """One operation on earlier results; operands count from the inputs on."""

    op: str
    operands: tuple[int, ...]
    number: float | None = None  # a plain number instead of the second operand

    def __str__(self) -> str:
        return f"{self.op}{self.operands}{'' if self.number is None else self.number}"


@st.composite
def programs(draw: st.DrawFn) -> list[Step]:
    """Return some operations, each on the inputs and the results before it."""
    steps: list[Step] = []
    for count in range(INPUTS, INPUTS + draw(st.integers(1, 12))):
        operand = st.integers(0, count - 1)
        if draw(st.booleans()):
            steps.append(Step(draw(st.sampled_from(UNARY)), (draw(operand),)))
        else:
            number = draw(st.none() | st.sampled_from([-2.0, -0.5, 0.5, 1.0, 2.0, 3.0]))
            steps.append(
                Step(draw(st.sampled_from(BINARY)), (draw(operand), draw(operand)), number)
            )
    return steps


def run(steps: Sequence[Step], inputs: Sequence[Any], engine: Any) -> Any:
    """Return the mean of the last results, so that nothing is computed in vain."""
    found = list(inputs)
    for step in steps:
        a = found[step.operands[0]]
        if step.op in UNARY:
            found.append(getattr(engine, step.op)(a))
            continue
        b = found[step.operands[1]] if step.number is None else step.number
        found.append(engine.two[step.op](a, b))
    return sum(found[INPUTS:], start=found[0] * 0.5)


def arithmetic(power: Callable[[Any, Any], Any], larger: Callable[[Any, Any], Any]) -> Any:
    return {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b,
        "**": power,
        "max": larger,
    }


PLAIN = SimpleNamespace(
    exp=math.exp,
    log=math.log,
    tanh=math.tanh,
    relu=lambda x: max(x, 0.0),
    sigmoid=lambda x: 1 / (1 + math.exp(-x)),
    sin=math.sin,
    cos=math.cos,
    sqrt=math.sqrt,
    abs=abs,
    neg=lambda x: -x,
    square=lambda x: x * x,
    two=arithmetic(lambda a, b: a**b, max),
)
VALUES = SimpleNamespace(
    **{name: getattr(Value, name) for name in ("exp", "log", "tanh", "relu", "sigmoid", "sin")},
    cos=Value.cos,
    sqrt=Value.sqrt,
    abs=abs,
    neg=lambda x: -x,
    square=lambda x: x**2,
    two=arithmetic(lambda a, b: a**b, lambda a, b: a.max(b)),
)
TENSORS = SimpleNamespace(
    **{name: getattr(pellucid, name) for name in UNARY if name != "neg"},
    neg=lambda x: -x,
    two=arithmetic(lambda a, b: a**b, pellucid.maximum),
)


def away_from_kinks(steps: Sequence[Step], x: Sequence[float]) -> bool:
    """Whether every operation is smooth here, and no number too large for differences."""
    found = list(x)
    for step in steps:
        a = found[step.operands[0]]
        b = a if step.op in UNARY else found[step.operands[1]]
        b = b if step.number is None else step.number
        if step.op in ("relu", "abs", "log", "sqrt", "**") and abs(a) < 0.05:
            return False
        if step.op == "**" and (a < 0 or abs(b) > 4):
            return False
        if (step.op == "/" and abs(b) < 0.05) or (step.op == "max" and abs(a - b) < 0.05):
            return False
        try:
            found.append(
                getattr(PLAIN, step.op)(a) if step.op in UNARY else PLAIN.two[step.op](a, b)
            )
        except (ValueError, OverflowError, ZeroDivisionError):
            return False
        if isinstance(found[-1], complex) or abs(found[-1]) > 50:
            return False
    return True


def by_values(steps: Sequence[Step], x: Sequence[float]) -> tuple[float, list[float]]:
    inputs = [Value(xi) for xi in x]
    out = run(steps, inputs, VALUES)
    out.backward()
    return out.data, [v.grad for v in inputs]


inputs = st.lists(st.floats(-3, 3), min_size=INPUTS, max_size=INPUTS)


@settings(max_examples=400, deadline=None)
@given(programs(), inputs)
def test_the_tensor_engine_agrees(steps: list[Step], x: list[float]) -> None:
    assume(away_from_kinks(steps, x))
    data, grads = by_values(steps, x)
    tensors = [pellucid.Tensor(np.float64(xi), requires_grad=True) for xi in x]
    out = run(steps, tensors, TENSORS)
    out.backward()
    np.testing.assert_allclose(data, out.data, rtol=1e-12, atol=1e-12)
    theirs = [0.0 if t.grad is None else float(t.grad) for t in tensors]
    np.testing.assert_allclose(grads, theirs, rtol=1e-10, atol=1e-10)


@settings(max_examples=300, deadline=None)
@given(programs(), inputs)
def test_differences_agree(steps: list[Step], x: list[float]) -> None:
    assume(away_from_kinks(steps, x))
    data, grads = by_values(steps, x)
    assert data == pytest.approx(run(steps, x, PLAIN), rel=1e-12, abs=1e-12)
    for i, grad in enumerate(grads):

        def along(t: float, i: int = i) -> float:
            return run(steps, [*x[:i], t, *x[i + 1 :]], PLAIN)

        estimates = []
        for h in (1e-4, 5e-5):
            lower, upper = [*x[:i], x[i] - h, *x[i + 1 :]], [*x[:i], x[i] + h, *x[i + 1 :]]
            assume(away_from_kinks(steps, lower) and away_from_kinks(steps, upper))
            estimates.append((along(x[i] + h) - along(x[i] - h)) / (2 * h))
        # where two steps disagree the function bends too fast for either
        assume(abs(estimates[0] - estimates[1]) <= 1e-5 * max(1.0, abs(grad)))
        estimate = (4 * estimates[1] - estimates[0]) / 3
        assert grad == pytest.approx(estimate, rel=1e-5, abs=1e-5)


@pytest.mark.torch
@settings(max_examples=300, deadline=None)
@given(programs(), inputs)
def test_torch_agrees(steps: list[Step], x: list[float]) -> None:
    torch = pytest.importorskip("torch")
    assume(away_from_kinks(steps, x))
    data, grads = by_values(steps, x)

    def larger(a: Any, b: Any) -> Any:
        return torch.maximum(a, torch.as_tensor(b, dtype=torch.float64))

    engine = SimpleNamespace(
        **{name: getattr(torch, name) for name in UNARY}, two=arithmetic(lambda a, b: a**b, larger)
    )
    tensors = [torch.tensor(xi, dtype=torch.float64, requires_grad=True) for xi in x]
    out = run(steps, tensors, engine)
    out.backward()
    np.testing.assert_allclose(data, out.item(), rtol=1e-12, atol=1e-12)
    theirs = [0.0 if t.grad is None else t.grad.item() for t in tensors]
    np.testing.assert_allclose(grads, theirs, rtol=1e-10, atol=1e-10)


def test_a_wrong_slope_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks above are worth something: a tanh with slope 1.001 - out^2 fails them."""

    def wrong(self: Value) -> Value:
        out = math.tanh(self.data)
        return Value(out, "", "tanh", (self,), (1.001 - out * out,))

    monkeypatch.setattr(VALUES, "tanh", wrong)
    steps = [Step("tanh", (0,)), Step("*", (3, 1))]
    _, grads = by_values(steps, [0.3, 2.0, 1.0])
    tensors = [pellucid.Tensor(np.float64(x), requires_grad=True) for x in (0.3, 2.0, 1.0)]
    run(steps, tensors, TENSORS).backward()
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(grads[0], tensors[0].grad, rtol=1e-10, atol=1e-10)
