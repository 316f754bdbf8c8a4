"""Every optimiser's step, with schedule, groups and clipping, recorded and run again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from contracts.optimizer_samples import SAMPLES
from pellucid import Tensor, optim
from pellucid.optim import schedules
from support.trace import Symbol, tracing

CASES = [
    pytest.param(name, sample.settings, id=f"{name}-{i}")
    for name, samples in SAMPLES.items()
    for i, sample in enumerate(samples)
]
SHAPES = {"w": (3, 4), "b": (4,)}
RNG = np.random.default_rng(0)
START = {path: RNG.normal(size=shape).astype(np.float32) for path, shape in SHAPES.items()}
GRADS = [
    {path: RNG.normal(size=shape).astype(np.float32) for path, shape in SHAPES.items()}
    for _ in range(4)
]


def make(name: str, settings: dict[str, Any], clipping: bool) -> optim.Optimizer:
    kind: Any = optim.OPTIMIZERS[name]
    rate = schedules.WarmUp(2, schedules.Cosine(settings["lr"], 10))
    options: dict[str, Any] = {"clip_value": 1.5, "clip_norm": 2.0} if clipping else {}
    group = optim.Group("b", lr=schedules.Step(settings["lr"], 2))
    return kind(**(settings | {"lr": rate}), groups=[group], **options)


@pytest.mark.parametrize("clipping", [False, True])
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_a_step_is_recorded(name: str, settings: dict[str, Any], clipping: bool) -> None:
    with tracing() as trace:
        recorded = make(name, settings, clipping)
        symbols = {p: Tensor(trace.input(a), requires_grad=True) for p, a in START.items()}
        for path, p in symbols.items():
            p.grad = trace.input(START[path])
        fresh = {path: recorded.init(array) for path, array in START.items()}
        recorded.state = {
            path: {key: trace.input(a) for key, a in s.items()} for path, s in fresh.items()
        }
        recorded.steps = trace.input(np.float32(0))  # type: ignore[assignment]
        recorded.step(symbols)
        state = [list(s.values()) for s in recorded.state.values()]
        results = [[p.data for p in symbols.values()], state]
        assert all(isinstance(p.data, Symbol) for p in symbols.values())
        assert all(p.dtype == np.float32 for p in symbols.values())

        eager = make(name, settings, clipping)
        parameters = {path: Tensor(a, requires_grad=True) for path, a in START.items()}
        values, memory = list(START.values()), [list(s.values()) for s in fresh.values()]
        for step, grads in enumerate(GRADS):
            flat = [array for arrays in memory for array in arrays]
            values, memory = trace.run(results, *values, *grads.values(), *flat, np.float32(step))
            for path, p in parameters.items():
                p.grad = grads[path]
            eager.step(parameters)
            for found, p in zip(values, parameters.values(), strict=True):
                assert found.dtype == np.float32
                np.testing.assert_allclose(found, p.data, rtol=1e-4, atol=1e-5)
