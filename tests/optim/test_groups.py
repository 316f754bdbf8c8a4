"""Parameter groups: other settings for some dotted paths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid import Tensor, nn, optim
from pellucid.optim import Group, schedules


def network(seed: int = 0) -> nn.Sequential:
    """Return two layers with gradients, in float64."""
    made = nn.Sequential(nn.Dense(3, 4, "tanh"), nn.Dense(4, 2), rng=seed).astype("float64")
    made(np.ones((5, 3))).sum().backward()
    return made


def moves(optimizer: optim.Optimizer, steps: int = 1) -> dict[str, Any]:
    """Return how far each parameter of the network goes, by path."""
    net = network()
    before = net.state()
    for _ in range(steps):
        optimizer.step(net)
    return {path: array - before[path] for path, array in net.state().items()}


def test_a_group_has_a_rate_of_its_own() -> None:
    plain = moves(optim.SGD(0.1))
    found = moves(optim.SGD(0.1, groups=[Group("layers.0.*", lr=0.01)]))
    for path, move in plain.items():
        np.testing.assert_allclose(found[path], move * (0.1 if "layers.0" in path else 1), 1e-9)


@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize(
    ("kind", "settings", "other"),
    [
        (optim.SGD, {"momentum": 0.9}, {"momentum": 0.0}),
        (optim.SGD, {}, {"momentum": 0.5, "nesterov": True}),
        (optim.Adam, {"b1": 0.9}, {"b1": 0.5, "b2": 0.9, "eps": 0.1}),
        (optim.AdamW, {"weight_decay": 0.5}, {"weight_decay": 0.0, "lr": 0.7}),
        (optim.Nadam, {}, {"psi": 0.5}),
        (optim.RMSprop, {}, {"centered": True, "momentum": 0.5}),
        (optim.Adadelta, {}, {"rho": 0.5}),
        (optim.Lion, {}, {"b1": 0.5}),
    ],
)
def test_each_group_moves_as_under_an_optimiser_with_its_settings(
    kind: Any, settings: dict[str, Any], other: dict[str, Any], steps: int
) -> None:
    """Any setting, also one that needs more state."""
    found = moves(kind(lr=0.1, **settings, groups=[Group("*.bias", **other)]), steps)
    alone = moves(kind(**({"lr": 0.1} | settings)), steps)
    within = moves(kind(**({"lr": 0.1} | settings | other)), steps)
    for path, move in found.items():
        np.testing.assert_array_equal(move, (within if "bias" in path else alone)[path])


def test_where_groups_overlap_each_sets_its_own_and_the_later_one_wins() -> None:
    groups = [
        Group("*.bias", weight_decay=0.0, lr=0.5),
        Group("layers.0.*", lr=0.01),
    ]
    found = moves(optim.AdamW(0.1, weight_decay=0.3, groups=groups))
    for path, settings in {
        "layers.0.weight": {"lr": 0.01, "weight_decay": 0.3},
        "layers.0.bias": {"lr": 0.01, "weight_decay": 0.0},
        "layers.1.weight": {"lr": 0.1, "weight_decay": 0.3},
        "layers.1.bias": {"lr": 0.5, "weight_decay": 0.0},
    }.items():
        np.testing.assert_array_equal(found[path], moves(optim.AdamW(**settings))[path])


@pytest.mark.parametrize("kind", list(optim.OPTIMIZERS.values()))
def test_a_group_with_a_rate_of_0_is_frozen(kind: Any) -> None:
    found = moves(kind(lr=0.1, groups=[Group("layers.0.*", lr=0)]), 3)
    for path, move in found.items():
        assert np.any(move) == ("layers.0" not in path), path


def test_a_group_may_have_a_schedule_and_its_steps_are_all_steps() -> None:
    group = Group("*.bias", lr=schedules.Step(1.0, every=1, factor=0.5))
    optimizer = optim.SGD(0.1, groups=[group])
    whole = moves(optim.SGD(1.0))["layers.0.bias"]
    np.testing.assert_allclose(moves(optimizer, 3)["layers.0.bias"], 1.75 * whole, 1e-12)


def test_the_scale_of_the_rate_is_that_of_groups_too() -> None:
    optimizer = optim.SGD(0.1, groups=[Group("*.bias", lr=0.4)])
    optimizer.scale = 0.5
    plain = moves(optim.SGD(1.0))
    for path, move in moves(optimizer).items():
        np.testing.assert_allclose(move, plain[path] * (0.2 if "bias" in path else 0.05), 1e-9)


def test_settings_that_change_later_hold_for_groups_that_do_not_set_them() -> None:
    optimizer = optim.AdamW(0.1, weight_decay=0.5, groups=[Group("*.bias", weight_decay=0.0)])
    optimizer.lr = 0.3
    expected = moves(optim.AdamW(0.3, weight_decay=0.5, groups=optimizer.groups))
    for path, move in moves(optimizer).items():
        np.testing.assert_array_equal(move, expected[path])


def test_no_decay_on_vectors() -> None:
    net = network()
    for p in net.parameters():
        p.data, p.grad = np.ones(p.shape), np.zeros(p.shape)
    optim.AdamW(0.1, weight_decay=0.5, groups=[optim.no_decay_on_vectors()]).step(net)
    for path, array in net.state().items():
        np.testing.assert_allclose(array, 0.95 if "weight" in path else 1.0, err_msg=path)


def test_a_function_is_asked_once_for_each_parameter() -> None:
    asked: list[str] = []

    def second(path: str, parameter: Tensor) -> bool:
        asked.append(path)
        return parameter.shape == (4, 2)

    found = moves(optim.SGD(0.1, groups=[Group(second, lr=0)]), 3)
    assert asked == list(found)
    assert [path for path, move in found.items() if not np.any(move)] == ["layers.1.weight"]


def test_a_pattern_that_matches_nothing_names_the_paths() -> None:
    net = network()
    before = net.state()
    optimizer = optim.SGD(0.1, groups=[Group("*.bias", lr=0.1), Group("layers.2.*", lr=0.2)])
    with pytest.raises(
        ValueError,
        match=r"pattern of Group\('layers.2.\*', lr=0.2\) to match a parameter, got none; the paths"
        r" are layers.0.weight, layers.0.bias, layers.1.weight, layers.1.bias",
    ):
        optimizer.step(net)
    for path, array in net.state().items():
        np.testing.assert_array_equal(array, before[path])
    assert optimizer.steps == 0


def test_a_frozen_layer_counts_as_matched_and_may_join_later() -> None:
    net = network()
    net[0].weight.requires_grad = net[0].bias.requires_grad = False
    optimizer = optim.SGD(0.1, groups=[Group("layers.0.*", lr=0.01)])
    optimizer.step(net)
    net[0].weight.requires_grad = True
    before = net[0].weight.data
    optimizer.step(net)
    np.testing.assert_allclose(net[0].weight.data, before - 0.01 * net[0].weight.grad)


def test_a_parameter_that_joins_later_finds_its_group() -> None:
    one, other = Tensor(np.ones(2), requires_grad=True), Tensor(np.ones(2), requires_grad=True)
    one.grad = other.grad = np.ones(2)
    optimizer = optim.SGD(0.1, groups=[Group("a*", lr=0.5)])
    optimizer.step({"a1": one})
    optimizer.step({"b": other})  # the group was matched before
    optimizer.step({"a2": other})
    np.testing.assert_allclose(other.data, 1 - 0.1 - 0.5)


def test_numpy_s_numbers_in_a_group_do_not_make_float64() -> None:
    p = Tensor(np.ones(3, np.float32), requires_grad=True)
    p.grad = np.ones(3, np.float32)
    group = Group("*", lr=np.float64(0.1), b1=np.float64(0.5), weight_decay=np.float64(0.1))
    optimizer = optim.AdamW(groups=[group])
    optimizer.step([p])
    assert p.dtype == np.float32
    assert all(array.dtype == np.float32 for array in optimizer.state["0"].values())


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: Group("*"), ValueError, r"expected settings that differ for '\*', got none"),
        (lambda: Group(3, lr=0.1), TypeError, "expected a pattern such as .* got 3"),
        (lambda: Group("*", lr=-1), ValueError, "expected lr to be a positive number, got -1"),
        (lambda: Group("*", lr="0.1"), ValueError, "expected lr to be a positive number"),
        (lambda: optim.SGD(groups=Group("*", lr=1)), TypeError, "SGD: expected a list of groups"),
        (lambda: optim.SGD(groups=["*.bias"]), TypeError, r"got '\*.bias' in it; write optim"),
        (
            lambda: optim.Adam(groups=[Group("*", weight_decay=0)]),
            ValueError,
            "unknown setting of Adam 'weight_decay': expected one of b1, b2, eps, lr",
        ),
        (
            lambda: optim.AdamW(groups=[Group("*", weight_decay=-1)]),
            ValueError,
            "expected weight_decay to be a number of at least 0, got -1",
        ),
        (
            lambda: optim.SGD(groups=[Group("*", nesterov=True)]),
            ValueError,
            "expected momentum > 0 with nesterov=True",
        ),
    ],
)
def test_groups_that_are_refused(make: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        make()


def test_an_optimiser_of_one_s_own_has_groups_too() -> None:
    class Scaled(optim.Optimizer):
        def __init__(self, lr: float, power: float, **common: Any) -> None:
            self.power = power
            super().__init__(lr, **common)

        def update(self, param: Any, grad: Any, state: Any, step: int) -> tuple[Any, Any]:
            return param - self.rate() * np.sign(grad) * np.abs(grad) ** self.power, {}

    found = moves(Scaled(0.1, 1.0, groups=[Group("*.bias", power=0.0)]))
    np.testing.assert_allclose(found["layers.1.bias"], -0.1, 1e-9)


def test_repr() -> None:
    optimizer = optim.SGD(0.1, groups=[Group("*.bias", lr=0), optim.no_decay_on_vectors()])
    assert repr(optimizer) == (
        "SGD(lr=0.1, momentum=0.0, nesterov=False, weight_decay=0.0, "
        "groups=[Group('*.bias', lr=0), Group(is_vector, weight_decay=0.0)])"
    )
    assert repr(optim.Adam(clip_norm=1)) == (
        "Adam(lr=0.001, b1=0.9, b2=0.999, eps=1e-08, clip_norm=1.0)"
    )
