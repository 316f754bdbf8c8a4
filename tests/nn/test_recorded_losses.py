"""Losses and penalties recorded as a program: nothing in them looks at the elements."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid as pl
from contracts.loss_samples import SAMPLES, VARIANTS
from pellucid import Tensor, nn
from support.trace import tracing

BUILD = {**nn.LOSSES, **{name: build for name, (build, _) in VARIANTS.items()}}
ALL = [
    pytest.param(name, sample, id=f"{name}-{sample.label}")
    for name, samples in (
        SAMPLES | {name: samples for name, (_, samples) in VARIANTS.items()}
    ).items()
    for sample in samples
]


def recorded(function: Any, *arrays: np.ndarray) -> tuple[list[Any], list[Any]]:
    """Return value and gradient as a recorded program gives them, and as computed at once."""
    with tracing() as trace:
        first = Tensor(trace.input(arrays[0]), requires_grad=True)
        rest = [Tensor(trace.input(array)) for array in arrays[1:]]
        loss = function(first, *rest)
        loss.backward()
        found = trace.run([loss.data, first.grad], *arrays)
    value, gradient = pl.value_and_grad(function)(*arrays)
    return found, [value.data, gradient.data]


@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize(("name", "sample"), ALL)
def test_a_recorded_loss_is_the_loss(name: str, sample: Any, weighted: bool) -> None:
    w = (np.linspace(1, 2, len(sample.prediction)),) if weighted else ()
    found, expected = recorded(BUILD[name](), sample.prediction, sample.target, *w)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, 1e-12, 1e-15)


@pytest.mark.parametrize("penalty", [nn.L1(0.1), nn.L2(0.1), nn.L1L2(0.1, 0.2)], ids=repr)
def test_a_recorded_penalty_is_the_penalty(penalty: nn.Penalty) -> None:
    found, expected = recorded(penalty, np.random.default_rng(0).normal(size=(3, 4)))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, 1e-14)
