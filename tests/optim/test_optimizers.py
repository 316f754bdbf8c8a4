"""Faults of other libraries' optimisers, their settings, and optimisers of one's own."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from pellucid import ShapeError, Tensor, nn, optim


def parameter(value: float, grad: float) -> Tensor:
    p = Tensor(np.array([value]), requires_grad=True)
    p.grad = np.array([grad])
    return p


def test_adam_s_first_step_is_the_rate_whatever_the_gradient_s_size() -> None:
    """m' = g and v' = g^2: without the power t in the bias corrections it would not be."""
    for size in (1e-3, 1.0, 1e6):
        p = parameter(0.0, size)
        optim.Adam(lr=0.01).step([p])
        np.testing.assert_allclose(p.data, -0.01, 1e-4)


def test_adam_s_later_steps_with_one_gradient_are_the_rate_too() -> None:
    """The power t in the bias correction: with b^1 in its place these steps would shrink."""
    p = parameter(0.0, 5.0)
    optimizer = optim.Adam(lr=0.01)
    for step in range(1, 21):
        optimizer.step([p])
        np.testing.assert_allclose(p.data, -0.01 * step, 1e-6)


def test_adam_s_epsilon_is_added_to_the_corrected_root() -> None:
    """w = -lr * g / (|g| + eps) after one step: not in the root, not outside the division."""
    p = parameter(0.0, 0.5)
    optim.Adam(lr=0.1, eps=0.25).step([p])
    np.testing.assert_allclose(p.data, -0.1 * 0.5 / (0.5 + 0.25), 1e-12)


def test_adam_s_defaults_are_the_paper_s() -> None:
    adam = optim.Adam()
    assert (adam.lr, adam.b1, adam.b2, adam.eps) == (0.001, 0.9, 0.999, 1e-8)


def test_the_other_defaults() -> None:
    for optimizer, expected in {
        optim.Momentum(): {"lr": 0.01, "momentum": 0.9, "nesterov": False, "weight_decay": 0},
        optim.Nesterov(): {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 0},
        optim.Adagrad(): {"lr": 0.01, "eps": 1e-10},
        optim.Adadelta(): {"lr": 1.0, "rho": 0.95, "eps": 1e-6},
        optim.RMSprop(): {"lr": 0.001, "rho": 0.9, "eps": 1e-8, "momentum": 0, "centered": False},
        optim.AdamW(): {"lr": 0.001, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": 0.01},
        optim.Nadam(): {"lr": 0.002, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "psi": 0.004},
        optim.Lion(): {"lr": 1e-4, "b1": 0.9, "b2": 0.99, "weight_decay": 0},
    }.items():
        assert {name: getattr(optimizer, name) for name in expected} == expected


def test_decay_is_not_a_penalty_in_the_loss_under_adam() -> None:
    """Where the gradient is large, Adam all but ignores the penalty; decay pulls all alike."""
    decayed = {}
    for way in ("none", "penalty", "decay"):
        p = Tensor(np.array([1.0, 1.0]), requires_grad=True)
        optimizer = optim.AdamW(0.01, weight_decay=0.5) if way == "decay" else optim.Adam(0.01)
        for step in range(200):
            swing = np.array([100.0, 0.01]) * (-1) ** step
            p.grad = swing + (0.5 * p.data if way == "penalty" else 0.0)
            optimizer.step([p])
        decayed[way] = p.data
    steep, flat = 0, 1
    by_decay, by_penalty = decayed["decay"], decayed["penalty"] - decayed["none"]
    assert by_decay[steep] == pytest.approx(by_decay[flat], abs=0.02)
    assert by_decay[steep] < 0.5
    assert abs(by_penalty[steep]) < 0.1
    assert by_penalty[flat] < -0.5


def test_decay_without_momentum_is_l2_of_the_same_strength() -> None:
    one, other = parameter(2.0, 3.0), parameter(2.0, 3.0 + 0.1 * 2.0)
    optim.SGD(0.5, weight_decay=0.1).step([one])
    optim.SGD(0.5).step([other])
    np.testing.assert_allclose(one.data, other.data, 1e-12)


def test_decay_does_not_enter_the_velocity() -> None:
    p, optimizer = parameter(2.0, 0.0), optim.SGD(0.5, momentum=0.9, weight_decay=0.1)
    for _ in range(3):
        optimizer.step([p])
    np.testing.assert_allclose(p.data, 2.0 * 0.95**3, 1e-12)
    np.testing.assert_array_equal(optimizer.state["0"]["v"], 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_centred_rmsprop_takes_no_root_of_a_rounded_negative_variance(dtype: str) -> None:
    p = Tensor(np.ones(50, dtype), requires_grad=True)
    p.grad = np.linspace(0.1, 1.7, 50).astype(dtype)
    optimizer = optim.RMSprop(1e-12, rho=0.5, centered=True)
    for _ in range(200):
        optimizer.step([p])
        assert np.isfinite(p.data).all()


def test_lion_s_moves_have_one_length() -> None:
    for size in (1e-3, 1.0, 1e6):
        p = parameter(0.0, size)
        optim.Lion(0.01).step([p])
        np.testing.assert_allclose(p.data, -0.01)


def test_adadelta_s_first_move_has_the_size_of_epsilon_s_root() -> None:
    """sqrt(eps) / sqrt((1 - rho) g^2 + eps) * g, in the unit of w whatever the gradient's."""
    for size in (1.0, 1e6):
        p = parameter(0.0, size)
        optim.Adadelta(rho=0.75, eps=1e-6).step([p])
        np.testing.assert_allclose(p.data, -1e-3 / 0.5, 1e-4)


def test_momentum_keeps_the_rate_out_of_the_velocity() -> None:
    """A schedule then acts at once."""
    p = parameter(0.0, 1.0)
    optimizer = optim.SGD(lr=lambda step: 1.0 if step == 1 else 0.1, momentum=0.9)
    optimizer.step([p])
    np.testing.assert_allclose(p.data, -1)
    optimizer.step([p])
    np.testing.assert_allclose(p.data, -1 - 0.1 * 1.9)


def test_nesterov_looks_ahead() -> None:
    p = parameter(0.0, 1.0)
    optim.SGD(lr=0.1, momentum=0.5, nesterov=True).step([p])
    np.testing.assert_allclose(p.data, -0.1 * 1.5)


def test_nesterov_needs_momentum() -> None:
    with pytest.raises(ValueError, match="expected momentum > 0 with nesterov=True, got 0; try"):
        optim.SGD(nesterov=True)


@pytest.mark.parametrize("value", [-0.1, 1, 1.5, float("nan"), "0.9", None, True], ids=str)
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (optim.SGD, "momentum"),
        (optim.Momentum, "momentum"),
        (optim.Nesterov, "momentum"),
        (optim.Adam, "b1"),
        (optim.Adam, "b2"),
        (optim.AdamW, "b1"),
        (optim.Nadam, "b2"),
        (optim.Lion, "b1"),
        (optim.Lion, "b2"),
        (optim.Adadelta, "rho"),
        (optim.RMSprop, "rho"),
        (optim.RMSprop, "momentum"),
    ],
)
def test_fractions_out_of_range_are_refused(kind: Any, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"expected {name} to be at least 0 and below 1, got"):
        kind(**{name: value})


@pytest.mark.parametrize("value", [0, -1e-8, float("inf"), "1e-8"], ids=str)
@pytest.mark.parametrize(
    "kind",
    [optim.Adam, optim.AdamW, optim.Nadam, optim.Adagrad, optim.Adadelta, optim.RMSprop],
)
def test_epsilon_is_positive(kind: Any, value: Any) -> None:
    with pytest.raises(ValueError, match=r"expected eps to be a positive number, got .*; try 1e-"):
        kind(eps=value)


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), "0.1", None, True], ids=str)
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (optim.SGD, "weight_decay"),
        (optim.Momentum, "weight_decay"),
        (optim.Nesterov, "weight_decay"),
        (optim.AdamW, "weight_decay"),
        (optim.Lion, "weight_decay"),
        (optim.Nadam, "psi"),
    ],
)
def test_decays_below_0_are_refused(kind: Any, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"expected {name} to be a number of at least 0, got"):
        kind(**{name: value})


def test_an_argument_that_does_not_exist_is_refused() -> None:
    with pytest.raises(
        TypeError, match=r"Adam: expected lr, .* got weight_decay=0.1; SGD, .*AdamW"
    ):
        optim.Adam(weight_decay=0.1)  # type: ignore[call-arg]


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown optimizer 'adm'.*did you mean 'adam'"):
        optim.optimizer("adm")
    with pytest.raises(ValueError, match=r"unknown optimizer \['adam'\]: .*did you mean 'adam'"):
        optim.optimizer(["adam"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"unknown optimizer 'SGD'.*did you mean 'sgd'"):
        optim.optimizer("SGD")


def test_a_class_in_place_of_an_optimiser_is_told_to_call_it() -> None:
    with pytest.raises(ValueError, match=r"did you mean Adam\(\)"):
        optim.optimizer(optim.Adam)


def test_an_optimiser_is_taken_as_it_is() -> None:
    adam = optim.Adam()
    assert optim.optimizer(adam) is adam


class SignDescent(optim.Optimizer):
    """w <- w - lr * sign g: a user's optimiser needs only its rule."""

    def update(self, param: Any, grad: Any, state: Any, step: int) -> tuple[Any, Any]:
        return param - self.rate(step) * np.sign(grad), {}


def test_an_optimiser_of_one_s_own() -> None:
    layer = nn.Dense(3, 2, rng=0)
    before = layer.state()
    layer(np.ones((1, 3))).sum().backward()
    SignDescent(lr=0.5).step(layer)
    for path, array in layer.state().items():
        np.testing.assert_allclose(array, before[path] - 0.5, 1e-6)


def test_an_optimiser_without_a_rule_says_so() -> None:
    layer = nn.Dense(3, 2)
    layer(np.ones((1, 3))).sum().backward()
    with pytest.raises(TypeError, match=r"Optimizer has no update\(\); define it in the class"):
        optim.Optimizer(0.1).step(layer)


def test_one_tensor_alone_is_a_tree_too() -> None:
    p = parameter(1.0, 2.0)
    optim.SGD(lr=0.25).step(p)
    np.testing.assert_array_equal(p.data, 0.5)


def test_the_gradient_is_kept_for_whoever_looks_at_it() -> None:
    p = parameter(1.0, 2.0)
    optim.Adam().step([p])
    np.testing.assert_array_equal(p.grad, 2)


def test_regularisation_in_the_loss_is_not_divided_by_the_batch() -> None:
    """The loss averages the examples; a penalty added to it counts once, whatever the batch."""
    slopes = []
    for rows in (1, 50):
        layer = nn.Dense(2, 1, rng=0)
        z = layer(np.zeros((rows, 2)))
        (nn.MSELoss()(z, z.data) + 0.5 * (layer.weight**2).sum()).backward()
        slopes.append(layer.weight.grad)
    np.testing.assert_allclose(slopes[0], slopes[1], 1e-6)
    np.testing.assert_allclose(slopes[0], nn.Dense(2, 1, rng=0).weight.data, 1e-6)


def test_a_parameter_that_joins_later_counts_its_own_updates() -> None:
    """Adam's bias correction is that of a first update, as it is in PyTorch."""
    early, late = parameter(0.0, 1.0), parameter(0.0, 5.0)
    late.requires_grad = False
    optimizer = optim.Adam(lr=0.01)
    for _ in range(10):
        optimizer.step([early, late])
    late.requires_grad = True
    optimizer.step([early, late])
    np.testing.assert_allclose(late.data, -0.01, 1e-6)
    np.testing.assert_allclose(early.data, -0.11, 1e-6)
    assert optimizer.steps == 11
    assert optimizer.counts == {"0": 11, "1": 1}


def test_a_gradient_of_another_shape_is_refused() -> None:
    """(1,) against (3,) would broadcast."""
    p = Tensor(np.ones(3), requires_grad=True)
    p.grad = np.ones(1)
    with pytest.raises(
        ShapeError, match=r"0: expected a gradient in the .* \(3,\), got \(1,\); set"
    ):
        optim.SGD().step([p])
    np.testing.assert_array_equal(p.data, 1)


def test_a_step_that_fails_moves_nothing() -> None:
    """Not even the parameters before the one it failed at."""

    class Failing(optim.SGD):
        def update(self, param: Any, grad: Any, state: Any, step: int) -> tuple[Any, Any]:
            if param[0] == 2:
                raise LookupError
            return super().update(param, grad, state, step)

    optimizer, parameters = Failing(0.1, momentum=0.9), [parameter(1.0, 1.0), parameter(2.0, 1.0)]
    with pytest.raises(LookupError):
        optimizer.step(parameters)
    assert [p.data[0] for p in parameters] == [1, 2]
    assert optimizer.state == optimizer.counts == {}


def test_a_rate_set_on_the_way_acts_at_once_and_is_checked() -> None:
    p, optimizer = parameter(1.0, 1.0), optim.SGD(0.1)
    optimizer.lr = 0.5
    optimizer.step([p])
    np.testing.assert_array_equal(p.data, 0.5)
    optimizer.lr = -0.5
    with pytest.raises(ValueError, match=r"expected lr to be a rate of at least 0 .*, got -0\.5"):
        optimizer.step([p])
    np.testing.assert_array_equal(p.data, 0.5)


GIVEN = [nn.Dense(2, 2, rng=0), [parameter(0.0, 1.0)], [{"params": [parameter(0.0, 1.0)]}]]


class Halfway(optim.Optimizer):
    """Goes a part of the way to 0; its first argument is no rate."""

    def __init__(self, part: float = 0.5, lr: optim.Rate = 1.0) -> None:
        self.part = part
        super().__init__(lr)


@pytest.mark.parametrize("given", [*GIVEN, iter(GIVEN[1])], ids=lambda given: type(given).__name__)
@pytest.mark.parametrize("kind", [*optim.OPTIMIZERS.values(), Halfway])
def test_parameters_as_the_first_argument_are_refused(kind: Any, given: Any) -> None:
    """PyTorch's optimisers take them there; Python would speak of several values for lr."""
    said = r"expected .*learning rate.*, got parameters \(.*\); .*step\(network\).* Model"
    with pytest.raises(TypeError, match=said):
        kind(given, lr=0.01)
    with pytest.raises(TypeError, match=said):
        kind(given)


@pytest.mark.parametrize("given", GIVEN[:2])
def test_parameters_named_as_the_learning_rate_are_refused(given: Any) -> None:
    with pytest.raises(TypeError, match=r"expected .*learning rate.*, got parameters"):
        optim.Adam(lr=given)


def test_other_first_arguments_beside_a_rate_are_as_python_has_them() -> None:
    assert Halfway(0.25, lr=0.5).part == 0.25
    with pytest.raises(TypeError, match="multiple values for argument 'lr'"):
        optim.Adam(0.1, lr=0.1)  # type: ignore[misc]


def test_what_an_optimizer_takes_is_shown_as_it_is() -> None:
    assert [*inspect.signature(optim.Adam).parameters] == ["lr", "b1", "b2", "eps", "common"]
    assert [*inspect.signature(Halfway).parameters] == ["part", "lr"]
