"""Schedules against their equations, against PyTorch's, in an optimiser, and recorded."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid import Tensor, optim
from pellucid.optim import schedules
from pellucid.optim.schedules import (
    Chain,
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    InverseTime,
    Linear,
    MultiStep,
    OneCycle,
    Polynomial,
    Product,
    Schedule,
    Step,
    WarmUp,
)
from support.trace import tracing

STEPS = 120
Torch = Callable[[Any, Any], Any]  # (torch.optim.lr_scheduler, optimizer) -> scheduler


def lambda_of(rule: Callable[[int], float]) -> Torch:
    return lambda lr, o: lr.LambdaLR(o, rule)


def after(milestone: int, first: Torch, then: Torch) -> Torch:
    return lambda lr, o: lr.SequentialLR(o, [first(lr, o), then(lr, o)], [milestone])


CASES: dict[str, tuple[Schedule, float, Torch]] = {  # ours, their lr, theirs
    "constant": (Constant(0.3), 0.3, lambda lr, o: lr.ConstantLR(o, 1.0, 1)),
    "inverse time": (InverseTime(0.3, 0.1), 0.3, lambda_of(lambda t: 1 / (1 + 0.1 * t))),
    "step": (Step(0.3, 7), 0.3, lambda lr, o: lr.StepLR(o, 7)),
    "step of 1": (Step(0.3, 1, 0.9), 0.3, lambda lr, o: lr.StepLR(o, 1, 0.9)),
    "multi step": (
        MultiStep(0.3, [5, 6, 40], 0.5),
        0.3,
        lambda lr, o: lr.MultiStepLR(o, [5, 6, 40], 0.5),
    ),
    "exponential": (Exponential(0.3, 0.97), 0.3, lambda lr, o: lr.ExponentialLR(o, 0.97)),
    "exponential of 10": (
        Exponential(0.3, 0.5, every=10),
        0.3,
        lambda_of(lambda t: 0.5 ** (t / 10)),
    ),
    "polynomial": (Polynomial(0.3, 50), 0.3, lambda lr, o: lr.PolynomialLR(o, 50)),
    "quadratic": (Polynomial(0.3, 80, 2.0), 0.3, lambda lr, o: lr.PolynomialLR(o, 80, 2.0)),
    "linear": (Linear(0.3, 0.03, 60), 0.3, lambda lr, o: lr.LinearLR(o, 1.0, 0.1, 60)),
    "linear, rising": (Linear(0.03, 0.3, 60), 0.3, lambda lr, o: lr.LinearLR(o, 0.1, 1.0, 60)),
    "cosine": (Cosine(0.3, STEPS), 0.3, lambda lr, o: lr.CosineAnnealingLR(o, STEPS)),
    "cosine to an end": (
        Cosine(0.3, STEPS, end=0.05),
        0.3,
        lambda lr, o: lr.CosineAnnealingLR(o, STEPS, 0.05),
    ),
    "cosine with restarts": (
        CosineRestarts(0.3, 13, end=0.01),
        0.3,
        lambda lr, o: lr.CosineAnnealingWarmRestarts(o, 13, 1, 0.01),
    ),
    "cosine with growing restarts": (
        CosineRestarts(0.3, 5, growth=2),
        0.3,
        lambda lr, o: lr.CosineAnnealingWarmRestarts(o, 5, 2),
    ),
    "cosine with restarts growing by 3": (
        CosineRestarts(0.3, 1, growth=3),
        0.3,
        lambda lr, o: lr.CosineAnnealingWarmRestarts(o, 1, 3),
    ),
    "one cycle": (OneCycle(0.3, STEPS), 0.3, lambda lr, o: lr.OneCycleLR(o, 0.3, STEPS)),
    "one cycle, early peak": (
        OneCycle(0.3, STEPS, warm=0.11, start=5, end=50),
        0.3,
        lambda lr, o: lr.OneCycleLR(
            o, 0.3, STEPS, pct_start=0.11, div_factor=5, final_div_factor=50
        ),
    ),
    "warm-up": (WarmUp(9, Constant(0.3)), 0.3, lambda lr, o: lr.LinearLR(o, 0.1, 1.0, 9)),
    "warm-up to a number": (WarmUp(9, 0.3), 0.3, lambda lr, o: lr.LinearLR(o, 0.1, 1.0, 9)),
    "warm-up, then cosine": (
        WarmUp(19, Cosine(0.3, STEPS)),
        0.3,
        after(
            19,
            lambda lr, o: lr.LinearLR(o, 0.05, 1.0, 19),
            lambda lr, o: lr.CosineAnnealingLR(o, STEPS),
        ),
    ),
    "chain": (
        Chain([Step(0.3, 7), Exponential(0.3, 0.9)], [30]),
        0.3,
        after(30, lambda lr, o: lr.StepLR(o, 7), lambda lr, o: lr.ExponentialLR(o, 0.9)),
    ),
    "product": (
        Exponential(0.3, 0.98) * Step(1.0, 20, 0.5),
        0.3,
        lambda lr, o: lr.ChainedScheduler([lr.ExponentialLR(o, 0.98), lr.StepLR(o, 20, 0.5)]),
    ),
    "product with a number": (
        0.5 * Exponential(0.6, 0.98),
        0.3,
        lambda lr, o: lr.ExponentialLR(o, 0.98),
    ),
}
OURS = [pytest.param(case[0], id=name) for name, case in CASES.items()]


@pytest.mark.torch
@pytest.mark.parametrize("name", CASES)
def test_every_rate_is_torch_s_from_the_first_one_on(name: str) -> None:
    torch = pytest.importorskip("torch")
    ours, rate, make = CASES[name]
    p = torch.ones(1, requires_grad=True)
    p.grad = torch.ones(1)
    optimizer = torch.optim.SGD([p], rate)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    for step in range(1, STEPS + 1):
        found, expected = ours(step), optimizer.param_groups[0]["lr"]
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-15), step
        optimizer.step()
        if step < STEPS:
            scheduler.step()


def test_every_schedule_has_a_case() -> None:
    kinds = {
        kind
        for kind in vars(schedules).values()
        if isinstance(kind, type) and issubclass(kind, Schedule)
    }
    assert kinds - {Schedule} == {type(case[0]) for case in CASES.values()}


PLAIN = (schedules.Constant, schedules.Product, schedules.Chain)  # nobody's invention


@pytest.mark.parametrize("schedule", OURS)
def test_every_schedule_says_what_it_computes(schedule: Schedule) -> None:
    text = type(schedule).__doc__ or ""
    assert text.startswith("rate = "), "expected its equation"
    assert re.search(r"\b(19|20)\d\d\b", text) or isinstance(schedule, PLAIN), "expected a source"


@pytest.mark.parametrize("schedule", OURS)
def test_an_optimiser_takes_the_first_rate_in_its_first_step(schedule: Schedule) -> None:
    p = Tensor(np.zeros(1), requires_grad=True)
    p.grad = np.ones(1)
    optimizer, sum_of_rates = optim.SGD(schedule), 0.0
    for step in range(1, 40):
        optimizer.step([p])
        sum_of_rates += schedule(step)
        assert p.data[0] == pytest.approx(-sum_of_rates, rel=1e-12)


@pytest.mark.parametrize("schedule", OURS)
def test_an_array_of_steps_gives_an_array_of_rates(schedule: Schedule) -> None:
    steps = np.arange(1, 3 * STEPS)
    rates = schedule(steps)
    assert rates.shape == steps.shape
    np.testing.assert_allclose(rates, [schedule(int(step)) for step in steps], 1e-12, 1e-15)


@pytest.mark.parametrize("schedule", OURS)
def test_rates_are_python_s_numbers_and_never_negative(schedule: Schedule) -> None:
    for step in (1, 2, STEPS, STEPS + 1, 10**6):
        assert type(schedule(step)) is float
        assert 0 <= schedule(step) <= 0.3 + 1e-12


@pytest.mark.parametrize("schedule", OURS)
def test_a_schedule_is_recorded(schedule: Schedule) -> None:
    """The step as an array without elements: nothing is asked of it, and float32 stays."""
    with tracing() as trace:
        rate = schedule(trace.input(np.float32(0)))
        assert rate.dtype == np.float32
        for step in (1, 2, 9, 10, 19, 30, 31, 36, 75, STEPS, STEPS + 30):
            found = trace.run(rate, np.float32(step))
            assert found.dtype == np.float32
            assert float(found) == pytest.approx(schedule(step), rel=2e-4, abs=2e-7), step


@pytest.mark.parametrize("schedule", OURS)
def test_repr_is_how_to_make_it(schedule: Schedule) -> None:
    again = eval(repr(schedule), vars(schedules))  # noqa: S307 - our own text
    assert [again(step) for step in range(1, 99)] == [schedule(step) for step in range(1, 99)]


def test_repr_names_the_settings() -> None:
    assert repr(WarmUp(5, Cosine(0.1, 100))) == (
        "WarmUp(steps=5, then=Cosine(lr=0.1, steps=100, end=0.0))"
    )


# the equations at places one can work out


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (InverseTime(1.0, 0.5), {1: 1, 3: 0.5, 5: 1 / 3}),
        (Step(1.0, 3, 0.5), {1: 1, 3: 1, 4: 0.5, 6: 0.5, 7: 0.25}),
        (MultiStep(1.0, [2, 5], 0.1), {1: 1, 2: 1, 3: 0.1, 5: 0.1, 6: 0.01}),
        (Exponential(1.0, 0.25, every=2), {1: 1, 2: 0.5, 3: 0.25}),
        (Polynomial(1.0, 4, 2.0, end=0.2), {1: 1, 3: 0.4, 5: 0.2, 99: 0.2}),
        (Linear(0.0, 1.0, 4), {1: 0, 2: 0.25, 5: 1, 99: 1}),
        (Cosine(1.0, 4), {1: 1, 3: 0.5, 5: 0, 99: 0}),
        (CosineRestarts(1.0, 2, growth=2), {1: 1, 2: 0.5, 3: 1, 5: 0.5, 7: 1, 11: 0.5, 15: 1}),
        (WarmUp(3, Step(1.0, 2, 0.5)), {1: 0.25, 2: 0.5, 3: 0.75, 4: 1, 5: 1, 6: 0.5}),
        (Chain([1.0, Linear(0.5, 0.0, 5), 0.2], [2, 4]), {1: 1, 2: 1, 3: 0.5, 4: 0.4, 5: 0.2}),
        (Product(Constant(0.5), lambda step: step), {1: 0.5, 4: 2}),
        (OneCycle(1.0, 11, warm=6 / 11), {1: 0.04, 6: 1.0, 11: 4e-6, 50: 4e-6}),
    ],
)
def test_rates(schedule: Schedule, rates: dict[int, float]) -> None:
    assert {s: schedule(s) for s in rates} == pytest.approx(rates, rel=1e-9, abs=1e-15)


@given(st.integers(1, 50), st.integers(2, 7), st.integers(0, 5))
def test_each_cycle_begins_at_the_highest_rate(period: int, growth: int, cycle: int) -> None:
    """Logarithms round: without care a restart comes a step late."""
    schedule = CosineRestarts(1.0, period, growth)
    begin = 1 + period * (growth**cycle - 1) // (growth - 1)
    assert schedule(begin) == pytest.approx(1.0, abs=1e-6)
    last = math.pi * (1 - 1 / (period * growth**cycle))
    assert schedule(begin + period * growth**cycle - 1) == pytest.approx(
        (1 + math.cos(last)) / 2, abs=1e-6
    )


@given(st.integers(1, 200))
def test_warm_up_rises_evenly_to_the_first_rate_of_what_follows(steps: int) -> None:
    schedule = WarmUp(steps, Cosine(0.5, 100))
    rates = [0.0, *(schedule(step) for step in range(1, steps + 2))]
    np.testing.assert_allclose(np.diff(rates), 0.5 / (steps + 1), 1e-9)
    assert schedule(steps + 2) < schedule(steps + 1) == 0.5


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: Cosine(0, 10), ValueError, "expected lr to be a positive number, got 0"),
        (lambda: Cosine(0.1, 0), ValueError, "expected steps to be a whole number from 1 on"),
        (lambda: Cosine(0.1, 10.5), ValueError, "expected steps to be a whole number from 1 on"),
        (lambda: Cosine(0.1, 10, end=-1), ValueError, "expected end to be a number of at least 0"),
        (lambda: Constant(-1), ValueError, "expected lr to be a number of at least 0, got -1"),
        (lambda: InverseTime(0.1, -1), ValueError, "expected decay to be a number of at least 0"),
        (lambda: Step(0.1, 0), ValueError, "expected every to be a whole number from 1 on, got 0"),
        (lambda: Step(0.1, 5, 0), ValueError, "expected factor to be a positive number, got 0"),
        (lambda: MultiStep(0.1, []), ValueError, r"expected milestones to be a list of steps"),
        (lambda: MultiStep(0.1, 5), ValueError, r"expected milestones to be a list of steps"),
        (lambda: MultiStep(0.1, [5, 5]), ValueError, r"milestones in rising order, got \[5, 5\]"),
        (lambda: Polynomial(0.1, 5, 0), ValueError, "expected power to be a positive number"),
        (lambda: CosineRestarts(0.1, 5, 1.5), ValueError, "expected growth to be a whole number"),
        (lambda: OneCycle(0.1, 2), ValueError, r"expected warm \* steps between 1 and steps"),
        (lambda: OneCycle(0.1, 100, warm=1), ValueError, r"expected warm \* steps between 1 and"),
        (lambda: Chain([0.1, 0.2], [5, 6]), ValueError, "one boundary less than schedules, got 2"),
        (lambda: WarmUp(5, Cosine), TypeError, "expected then to be a schedule or a number"),
        (lambda: WarmUp(5, "cosine"), TypeError, "expected then to be a schedule or a number"),
        (lambda: Constant(1) * "2", TypeError, "expected second to be a schedule or a number"),
        (
            lambda: optim.SGD(Cosine),  # type: ignore[arg-type]
            ValueError,
            r"expected lr to be a number or a schedule, got the class Cosine; did you mean Cos",
        ),
    ],
)
def test_settings_that_are_refused(
    make: Callable[[], Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        make()


def test_a_schedule_of_one_s_own_needs_its_call() -> None:
    class Half(Schedule):
        def __call__(self, step: Any) -> Any:
            return 0.5

    assert (Half() * 0.5)(1) == 0.25
    with pytest.raises(TypeError, match=r"Schedule has no __call__\(step\); define it"):
        Schedule()(1)
