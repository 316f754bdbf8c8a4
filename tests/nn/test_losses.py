"""What losses refuse, and faults of other libraries that they must not have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import ShapeError, Tensor, nn

LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 1.0, -2.0], [1.0, 1.0, 3.0], [0.5, 0.0, 0.0]])
SEQUENCE = np.zeros((2, 3, 4))


# cross-entropy


@pytest.mark.parametrize(
    ("label", "place"), [(3, 1), (99, 2), (-1, 0), (-3, 3)], ids=["C", "far", "-1", "-C"]
)
@pytest.mark.parametrize("dtype", ["int64", "int32", "int8"])
def test_labels_out_of_range_are_refused_with_their_place(
    label: int, place: int, dtype: str
) -> None:
    y = np.zeros(4, dtype)
    y[place] = label
    with pytest.raises(
        ValueError,
        match=rf"expected labels from 0 to 2 for 3 classes, got {label} \(example {place}\); num",
    ):
        nn.CrossEntropyLoss()(LOGITS, y)


def test_a_label_out_of_range_within_a_sequence_names_its_example() -> None:
    y = np.zeros((2, 3), int)
    y[1, 2] = 4
    with pytest.raises(ValueError, match=r"for 4 classes, got 4 \(example 1\)"):
        nn.CrossEntropyLoss()(SEQUENCE, y)


def test_unsigned_labels_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="got 255"):
        nn.CrossEntropyLoss()(LOGITS, np.array([0, 1, 255, 2], np.uint8))


@pytest.mark.parametrize(
    ("y", "got"),
    [
        ([0.0, 1.0, 2.0, 0.0], r"float64; .*astype"),
        ([0.0, 1.5, 2.0, 0.0], r'1\.5 \(example 1\); .*"mse"'),
    ],
)
def test_float_labels_are_refused(y: list[float], got: str) -> None:
    with pytest.raises(ValueError, match=rf"expected class labels as integers, got {got}"):
        nn.CrossEntropyLoss()(LOGITS, np.array(y))


@pytest.mark.parametrize(
    ("shape", "got"),
    [((4, 1), r"\(4, 1\)"), ((3,), r"\(3,\)"), ((4, 2), r"\(4, 2\)"), ((1, 4), r"\(1, 4\)")],
)
def test_labels_of_another_shape_are_refused(shape: tuple[int, ...], got: str) -> None:
    with pytest.raises(
        ShapeError,
        match=rf"expected labels of shape \(4,\) or one-hot rows of .*\(4, 3\), got {got}",
    ):
        nn.CrossEntropyLoss()(LOGITS, np.zeros(shape, int))


@pytest.mark.parametrize("shape", [(4,), (4, 1), ()])
def test_cross_entropy_needs_two_classes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"at least 2 classes, got .*; for one output .* BCELoss"):
        nn.CrossEntropyLoss()(np.zeros(shape), np.zeros(shape[:1], int))


@pytest.mark.parametrize(
    ("row", "got"),
    [([1, 1, 0], "sum 2 "), ([0, 0, 0], "sum 0 "), ([2, -1, 0], "smallest number -1 ")],
    ids=["multi-label", "none", "negative"],
)
def test_rows_that_are_no_probabilities_are_refused(row: list[float], got: str) -> None:
    t = np.eye(3)[[0, 1, 2, 0]]
    t[2] = row
    with pytest.raises(
        ValueError, match=rf"expected one-hot rows.*{got}.*\(example 2\); .*BCELoss"
    ):
        nn.CrossEntropyLoss()(LOGITS, t)


def test_rows_of_nan_are_refused() -> None:
    with pytest.raises(ValueError, match="expected one-hot rows"):
        nn.CrossEntropyLoss()(LOGITS, np.full((4, 3), np.nan))


def test_rounded_probabilities_are_taken() -> None:
    t = np.random.default_rng(0).dirichlet(np.ones(3), 4).astype("float16")
    assert np.isfinite(nn.CrossEntropyLoss()(LOGITS, t).item())


@pytest.mark.parametrize("y", [[True, False], [False, False], [True, True]])
def test_boolean_labels_are_numbers_not_a_mask(y: list[bool]) -> None:
    z = np.array([[2.0, -1.0], [0.5, 1.0]])
    expected = nn.CrossEntropyLoss()(z, np.array(y, int)).item()
    assert nn.CrossEntropyLoss()(z, np.array(y)).item() == expected
    assert nn.CrossEntropyLoss()(z, y).item() == expected


def test_labels_one_hot_rows_and_soft_rows_agree() -> None:
    y = np.array([0, 2, 1, 0])
    losses = [
        nn.CrossEntropyLoss()(LOGITS, t).item() for t in (y, np.eye(3)[y], np.eye(3, dtype=int)[y])
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-14)
    assert losses[2] == pytest.approx(losses[0], rel=1e-14)


@pytest.mark.parametrize("offset", [1e3, 1e5, -1e5])
def test_adding_a_constant_to_the_logits_changes_nothing(offset: float) -> None:
    """ln sum e^z and z are both large then: their difference would lose its digits."""
    z = np.array([[0.0, 0.5, -0.25], [1.0, 0.0, -1.0]], np.float32)  # exact beside the offset
    y = np.array([1, 2])
    for target in (y, np.eye(3)[y]):
        expected = nn.CrossEntropyLoss()(z, target).item()
        moved = nn.CrossEntropyLoss()(z + np.float32(offset), target).item()
        assert moved == pytest.approx(expected, rel=1e-6)


def test_softmax_gradient_has_its_off_diagonal_part() -> None:
    """The gradient of cross-entropy is (p - t) / N; a diagonal Jacobian would give another."""
    z = Tensor(LOGITS, requires_grad=True)
    y = np.array([0, 2, 1, 0])
    nn.CrossEntropyLoss()(z, y).backward()
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    np.testing.assert_allclose(z.grad, (p - np.eye(3)[y]) / 4, 1e-13)


# softmax or sigmoid applied twice


@pytest.mark.parametrize(
    ("loss", "activation", "y"),
    [
        (nn.CrossEntropyLoss(), "softmax", np.zeros(4, int)),
        (nn.BCELoss(), "sigmoid", np.zeros((4, 2))),
    ],
)
def test_softmax_applied_twice_is_refused(loss: nn.Loss, activation: str, y: np.ndarray) -> None:
    network = nn.Dense(3, 2, activation)
    with pytest.raises(
        ValueError,
        match=rf"takes logits and applies {activation} itself, but the prediction has been through "
        rf"{activation} already; train with train.Model.*network.preactivation\(x\)",
    ):
        loss(network(LOGITS), y)
    assert np.isfinite(loss(network.preactivation(LOGITS), y).item())


@pytest.mark.parametrize(
    ("loss", "activation", "fix", "y"),
    [
        (nn.CrossEntropyLoss(), "sigmoid", "Softmax", np.zeros(4, int)),
        (nn.BCELoss(), "softmax", "Sigmoid", np.zeros((4, 2))),
    ],
)
def test_the_other_loss_s_activation_is_refused(
    loss: nn.Loss, activation: str, fix: str, y: np.ndarray
) -> None:
    with pytest.raises(
        ValueError, match=f"been through {activation} already; end the network in {fix}, or in no"
    ):
        loss(nn.Dense(3, 2, activation)(LOGITS), y)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "relu"])
def test_regression_losses_take_any_activation(activation: str) -> None:
    z = nn.Dense(3, 2, activation)(LOGITS)
    assert np.isfinite(nn.MSELoss()(z, np.zeros((4, 2))).item())
    assert np.isfinite(nn.MAELoss()(z, np.zeros((4, 2))).item())


# the others


@pytest.mark.parametrize("loss", [nn.MSELoss(), nn.MAELoss(), nn.BCELoss()])
@pytest.mark.parametrize(("z", "y"), [((5, 1), (5,)), ((5,), (5, 1)), ((5,), (1, 5))])
def test_shapes_that_would_broadcast_are_refused(
    loss: nn.Loss, z: tuple[int, ...], y: tuple[int, ...]
) -> None:
    shape = str(z).replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(
        ShapeError,
        match=rf"expected a target in the prediction's shape {shape}, got .*reshape{shape}",
    ):
        loss(np.zeros(z), np.zeros(y))


def test_a_target_that_no_reshaping_would_fit_is_told_so() -> None:
    with pytest.raises(
        ShapeError, match=r"shape \(5, 1\), got \(5, 2\); give the network one output"
    ):
        nn.MSELoss()(np.zeros((5, 1)), np.zeros((5, 2)))


@pytest.mark.parametrize(
    ("y", "got"), [([-1, 1], "-1.0 to 1.0"), ([0, 2], "0.0 to 2.0"), ([0, np.nan], "nan to nan")]
)
def test_bce_targets_outside_0_to_1_are_refused(y: list[float], got: str) -> None:
    with pytest.raises(ValueError, match=f"expected targets between 0 and 1, got {got}; code the"):
        nn.BCELoss()(np.zeros(2), np.array(y, float))


def test_bce_of_boolean_answers() -> None:
    z = np.array([1.0, -2.0])
    expected = nn.BCELoss()(z, np.array([1, 0])).item()
    assert nn.BCELoss()(z, np.array([True, False])).item() == expected


@pytest.mark.parametrize("loss", [nn.MSELoss(), nn.MAELoss()])
def test_prediction_and_target_may_be_swapped_only_where_the_loss_is_symmetric(
    loss: nn.Loss,
) -> None:
    a, b = np.array([1.0, 5.0]), np.array([2.0, 3.0])
    assert loss(a, b).item() == loss(b, a).item()
    z, y = np.array([0.25, 0.5]), np.array([1.0, 0.0])
    assert nn.BCELoss()(z, y).item() != nn.BCELoss()(y, z).item()


def test_the_slope_of_mae_at_0_is_0() -> None:
    z = Tensor(np.zeros(3), requires_grad=True)
    nn.MAELoss()(z, np.zeros(3)).backward()
    np.testing.assert_array_equal(z.grad, 0)


# names, and losses of one's own


def test_losses_by_name() -> None:
    for name, kind in nn.LOSSES.items():
        assert type(nn.losses.loss(name)) is kind
    given = nn.MSELoss()
    assert nn.losses.loss(given) is given


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown loss 'mse_los'.*did you mean 'mse'"):
        nn.losses.loss("mse_los")
    with pytest.raises(ValueError, match=r"unknown loss \['mse'\]: expected one of .*"):
        nn.losses.loss(["mse"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"unknown loss 'Cross_Entropy'.*mean 'cross_entropy'"):
        nn.losses.loss("Cross_Entropy")


def test_a_class_in_place_of_a_loss_is_told_to_call_it() -> None:
    with pytest.raises(ValueError, match=r"did you mean MSELoss\(\)"):
        nn.losses.loss(nn.MSELoss)
    with pytest.raises(TypeError, match=r"inherits from nn\.Loss and defines per_example"):
        nn.losses.loss(lambda prediction, target: prediction - target)  # type: ignore[arg-type]


class Huber(nn.Loss):
    """A user's loss: only what is per example is defined."""

    def per_example(self, prediction: Tensor, target: Tensor) -> Tensor:
        d = abs(prediction - target)
        return pellucid.where(d < 1, d * d / 2, d - 0.5).mean(axis=1)


@pytest.mark.parametrize("axis", [(), (0, 1)], ids=["one an output", "one for all"])
@pytest.mark.parametrize("weights", [None, [1.0, 0.0, 0.0]])
def test_a_loss_of_one_s_own_gives_one_number_an_example(axis: Any, weights: Any) -> None:
    """(N, 1) times weights (N,) would be (N, N): every loss with everyone's weight."""

    class Wrong(nn.Loss):
        def per_example(self, prediction: Tensor, target: Tensor) -> Tensor:
            squares = (prediction - target) ** 2
            return squares.mean(axis) if axis else squares

    with pytest.raises(ShapeError, match=r"Wrong\.per_example: expected one .* \(3,\), got \("):
        Wrong()(np.ones((3, 1)), np.zeros((3, 1)), weights)


def test_a_loss_of_one_s_own_is_averaged_and_checked() -> None:
    z, y = np.array([[0.5], [3.0]]), np.zeros((2, 1))
    assert Huber()(z, y).item() == pytest.approx((0.125 + 2.5) / 2)
    with pytest.raises(ShapeError, match="Huber: expected a target in"):
        Huber()(z, y[:, 0])
    assert pellucid.gradcheck(lambda z: Huber()(z, y), z)


def test_a_loss_without_per_example_says_so() -> None:
    with pytest.raises(TypeError, match=r"Loss has no per_example\(\); define it"):
        nn.Loss()(np.zeros(1), np.zeros(1))
