"""A hundred training steps as native code: the weights are those of eager training.

Both round, in different places, and training carries the difference on. In float64 what is left of
it after a hundred steps is negligible. In float32 the measure is the error that rounding makes
anyway: native weights may be as far from those of float64 training as eager float32 weights are,
a few times over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import pellucid
from pellucid import Tensor, nn, optim
from pellucid.compiler.arguments import arrays_of
from pellucid.compiler.bound import number
from pellucid.compiler.interpret import interpret
from pellucid.nn.losses import LOSSES
from pellucid.nn.penalties import L1L2
from pellucid.optim import OPTIMIZERS

STEPS = 100
N, FEATURES, CLASSES = 24, 6, 3
RNG = np.random.default_rng(7)
X = RNG.normal(size=(4, N, FEATURES))
LABELS = RNG.integers(0, CLASSES, (4, N))
ANSWERS = RNG.integers(0, 2, (4, N, 1))
SOFT = RNG.dirichlet(np.ones(CLASSES), (4, N))
NUMBERS = X.sum(-1, keepdims=True) + RNG.normal(size=(4, N, 1))
TARGETS = {
    "cross_entropy": LABELS, "categorical_hinge": LABELS, "kl": SOFT,
    "bce": ANSWERS, "hinge": ANSWERS, "squared_hinge": ANSWERS,
}  # fmt: skip

Build = Callable[[], tuple[nn.Module, optim.Optimizer]]


def plain(outputs: int) -> nn.Module:
    """Return a network without anything special."""
    return nn.Sequential(nn.Dense(FEATURES, 17, "tanh"), nn.Dense(17, outputs), rng=3)


def varied(outputs: int) -> nn.Module:
    """Return a network with dropout and both normalisations."""
    return nn.Sequential(
        nn.Dense(FEATURES, 16, "gelu"),
        nn.BatchNorm1D(16),
        nn.Dense(16, 9, "relu"),
        nn.Dropout(0.2),
        nn.LayerNorm(9),
        nn.Dense(9, outputs),
        rng=3,
    )


def step_of(
    net: nn.Module, optimizer: optim.Optimizer, loss: nn.Loss, penalty: Any
) -> Callable[..., Any]:
    """Return a training step; the penalty is on every matrix."""

    def step(x: Any, y: Any) -> Tensor:
        net.zero_grad()
        total = loss(net(x), y)
        if penalty is not None:
            for parameter in net.named_parameters().values():
                if parameter.ndim > 1:
                    total = total + penalty(parameter)
        total.backward()
        optimizer.step(net)
        return total

    return step


def trained(
    net: nn.Module,
    optimizer: optim.Optimizer,
    loss: str,
    dtype: str,
    compiled: bool,
    penalty: Any = None,
) -> dict[str, np.ndarray]:
    """Return every parameter and buffer after a hundred steps."""
    net.astype(dtype)
    step = step_of(net, optimizer, LOSSES[loss](), penalty)
    run: Any = pellucid.compile(step, state=[net, optimizer]) if compiled else step
    targets = TARGETS.get(loss, NUMBERS)
    for turn in range(STEPS):
        x, y = X[turn % 4].astype(dtype), targets[turn % 4]
        run(Tensor(x), Tensor(y if y.dtype.kind == "i" else y.astype(dtype)))
    if compiled:
        (bound,) = run._programs.values()
        assert bound.traced.program is not None, bound.traced.reason
    return {name: tensor.data for name, tensor in net.named_tensors().items()}


def apart(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> float:
    """Return the distance of two sets of weights in proportion to their size."""
    assert list(a) == list(b)
    floats = [name for name, x in b.items() if x.dtype.kind == "f"]
    for name in set(a) - set(floats):
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    gap = sum(float(((a[name].astype("f8") - b[name]) ** 2).sum()) for name in floats)
    size = sum(float((b[name].astype("f8") ** 2).sum()) for name in floats)
    return (gap / size) ** 0.5


def check_training(build: Build, loss: str, penalty: Any = None) -> None:
    """Train natively and eagerly, in both dtypes, and compare."""
    found = {
        (dtype, compiled): trained(*build(), loss, dtype, compiled, penalty)
        for dtype in ("float64", "float32")
        for compiled in (False, True)
    }
    exact = found["float64", False]
    for name, tensor in found["float32", True].items():
        assert tensor.dtype == found["float32", False][name].dtype, name
        assert tensor.shape == exact[name].shape, name
    assert apart(found["float64", True], exact) < 1e-10
    eager = apart(found["float32", False], exact)
    assert apart(found["float32", True], exact) < max(1e-5, 4 * eager)


def outputs_of(loss: str) -> int:
    """Return how many outputs a network needs."""
    return CLASSES if loss in ("cross_entropy", "categorical_hinge", "kl") else 1


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(loss: str) -> None:
    check_training(lambda: (plain(outputs_of(loss)), optim.Adam(0.01)), loss)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer(name: str) -> None:
    check_training(lambda: (plain(CLASSES), OPTIMIZERS[name]()), "cross_entropy")


def test_dropout_normalisation_penalty_clipping_and_schedule_together() -> None:
    def build() -> tuple[nn.Module, optim.Optimizer]:
        rate = optim.schedules.WarmUp(5, optim.schedules.Cosine(0.05, STEPS))
        decay = optim.no_decay_on_vectors()
        return varied(CLASSES), optim.SGD(
            rate, momentum=0.9, weight_decay=0.01, clip_norm=1.0, clip_value=0.5, groups=[decay]
        )

    check_training(build, "cross_entropy", L1L2(1e-3, 1e-3))


SCHEDULES = {
    "constant": optim.schedules.Constant(0.1),
    "inverse time": optim.schedules.InverseTime(0.1, 0.5),
    "step": optim.schedules.Step(0.1, 4, 0.5),
    "several steps": optim.schedules.MultiStep(0.1, [3, 7]),
    "exponential": optim.schedules.Exponential(0.1, 0.9),
    "polynomial": optim.schedules.Polynomial(0.1, 10, 2.0),
    "linear": optim.schedules.Linear(0.1, 0.01, 10),
    "cosine": optim.schedules.Cosine(0.1, 10),
    "cosine with restarts": optim.schedules.CosineRestarts(0.1, 3, 2),
    "one cycle": optim.schedules.OneCycle(0.1, 10),
    "warm up": optim.schedules.WarmUp(4, optim.schedules.Exponential(0.1, 0.9)),
    "chain": optim.schedules.Chain([optim.schedules.Linear(0.0, 0.1, 5), 0.05], [5]),
    "product": optim.schedules.Product(
        optim.schedules.Constant(0.1), optim.schedules.Exponential(1.0, 0.5)
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule(name: str) -> None:
    """Each of fifteen steps takes its own rate, not the one that was traced."""

    def moved(compiled: bool) -> list[float]:
        w = Tensor(np.zeros(1), requires_grad=True)
        optimizer = optim.SGD(SCHEDULES[name])

        def step() -> None:
            w.grad = None
            w.sum().backward()
            optimizer.step([w])

        owners = [[w], optimizer]
        run: Any = pellucid.compile(step, state=owners) if compiled else step
        places = []
        for _ in range(15):
            run()
            places.append(float(w.data[0]))
        return places

    np.testing.assert_allclose(moved(True), moved(False), rtol=1e-12)


def test_every_schedule_is_tried() -> None:
    kinds = {type(schedule).__name__ for schedule in SCHEDULES.values()}
    known = {
        name
        for name, kind in vars(optim.schedules).items()
        if isinstance(kind, type) and issubclass(kind, optim.schedules.Schedule)
    }
    assert kinds == known - {"Schedule"}


def test_a_program_and_its_interpreter_take_the_same_steps() -> None:
    """One step of the varied network, output by output."""
    net, optimizer = varied(CLASSES), optim.AdamW(0.01)
    step = pellucid.compile(
        step_of(net, optimizer, nn.CrossEntropyLoss(), None), state=[net, optimizer]
    )
    arguments = Tensor(X[0].astype("f4")), Tensor(LABELS[0])
    for _ in range(3):
        step(*arguments)
    bound = step.bound(*arguments)
    traced = bound.traced
    assert traced.program is not None
    inputs = {name: number(cell.get()) for name, cell in bound.cells.items()}
    inputs |= arrays_of(arguments, {})
    native, expected = traced.program(inputs), interpret(traced.graph, inputs)
    for name, array in expected.items():
        scale = float(np.abs(array).max(initial=0.0))
        np.testing.assert_allclose(native[name], array, 0, 1e-5 * scale, err_msg=name)
