"""Settings of losses: weights, smoothing, probabilities as predictions, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid import ShapeError, Tensor, gradcheck, nn, softmax

Z = np.random.default_rng(0).normal(size=(5, 3))
Y = np.array([0, 2, 1, 0, 2])
ROWS = np.random.default_rng(1).dirichlet(np.ones(3), 5)


def slope(loss: nn.Loss, z: Any, y: Any) -> np.ndarray:
    z = Tensor(np.asarray(z, float), requires_grad=True)
    loss(z, np.asarray(y)).backward()
    assert z.grad is not None
    return z.grad


# sample weights

REFUSED_WEIGHTS = {
    "too few": ([1, 1], ShapeError, r"sample_weight: expected one weight an .* \(5,\), got \(2,\)"),
    "column": (np.ones((5, 1)), ShapeError, r"got \(5, 1\); pass a 1-D array"),
    "negative": ([1, 1, -2, 1, 1], ValueError, r"of at least 0, got -2\.0 \(example 2\)"),
    "nan": ([1, np.nan, 1, 1, 1], ValueError, r"finite weights .*, got nan \(example 1\)"),
    "inf": ([1, 1, 1, 1, np.inf], ValueError, r"got inf \(example 4\)"),
    "zeros": (np.zeros(5), ValueError, "at least one weight above 0, got zeros only"),
}


@pytest.mark.parametrize("kind", REFUSED_WEIGHTS)
@pytest.mark.parametrize("name", ["cross_entropy", "mse"])
def test_weights_that_are_refused(name: str, kind: str) -> None:
    weights, error, match = REFUSED_WEIGHTS[kind]
    with pytest.raises(error, match=match):
        nn.losses.loss(name)(Z, ROWS, weights)


def test_weighted_losses_are_scikit_learn_s() -> None:
    from sklearn import metrics

    w = np.array([0.5, 2, 0, 1, 3])
    p = softmax(Z).data
    assert nn.CrossEntropyLoss()(Z, Y, w).item() == pytest.approx(
        metrics.log_loss(Y, p, sample_weight=w), rel=1e-12
    )
    assert nn.MSELoss()(Z, ROWS, w).item() == pytest.approx(
        metrics.mean_squared_error(ROWS, Z, sample_weight=w), rel=1e-12
    )
    assert nn.MAELoss()(Z, ROWS, w).item() == pytest.approx(
        metrics.mean_absolute_error(ROWS, Z, sample_weight=w), rel=1e-12
    )
    assert nn.HingeLoss()(Z[:, 0], Y > 0, w).item() == pytest.approx(
        metrics.hinge_loss(Y > 0, Z[:, 0], sample_weight=w), rel=1e-12
    )
    assert nn.CategoricalHingeLoss()(Z, Y, w).item() == pytest.approx(
        metrics.hinge_loss(Y, Z, labels=[0, 1, 2], sample_weight=w), rel=1e-12
    )


def test_a_loss_of_one_s_own_is_weighted_without_knowing_of_weights() -> None:
    class Own(nn.Loss):
        def per_example(self, prediction: Tensor, target: Tensor) -> Tensor:
            return abs(prediction - target)[:, 0]

    z, y = np.array([[1.0], [2.0]]), np.zeros((2, 1))
    assert Own()(z, y, [3, 1]).item() == pytest.approx(5 / 4)


# label smoothing and class weights


def test_labels_and_one_hot_rows_agree_whatever_the_settings() -> None:
    for options in ({"label_smoothing": 0.1}, {"class_weight": [1, 2, 5]}):
        loss = nn.CrossEntropyLoss(**options)
        assert loss(Z, Y).item() == pytest.approx(loss(Z, np.eye(3)[Y]).item(), rel=1e-14)
        int_rows = np.eye(3, dtype=int)[Y]
        assert loss(Z, Y).item() == pytest.approx(loss(Z, int_rows).item(), rel=1e-14)


def test_class_weights_are_sample_weights_of_the_labels() -> None:
    c = np.array([1.0, 2.0, 5.0])
    loss = nn.CrossEntropyLoss(class_weight=c)
    assert loss(Z, Y).item() == pytest.approx(nn.CrossEntropyLoss()(Z, Y, c[Y]).item(), rel=1e-14)
    assert loss.total_weight(Tensor(Z), Y) == c[Y].sum()


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, 2, float("nan"), True, "0.1", None])
def test_smoothing_out_of_range_is_refused(smoothing: Any) -> None:
    with pytest.raises(ValueError, match="expected label_smoothing of at least 0 and below 1, got"):
        nn.CrossEntropyLoss(label_smoothing=smoothing)


@pytest.mark.parametrize(
    ("weights", "match"),
    [
        ({0: 1.0}, r"class_weight as a row of one number a class, got \{0: 1\.0\}; .*Model\.fit"),
        ("balanced", "as a row of one number a class, got 'balanced'"),
        ([[1, 2, 3]], "as a row of one number a class"),
        ([1, -1, 1], r"class_weight: expected finite weights of at least 0, got -1"),
        ([0, 0, 0], "class_weight: expected at least one weight above 0"),
    ],
)
def test_class_weights_that_are_refused(weights: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        nn.CrossEntropyLoss(class_weight=weights)


def test_class_weights_for_another_number_of_classes_are_refused() -> None:
    with pytest.raises(ShapeError, match="a class weight for each of the 3 classes, got 2"):
        nn.CrossEntropyLoss(class_weight=[1, 2])(Z, Y)


# probabilities as predictions


def test_probabilities_give_the_loss_of_their_logits() -> None:
    p = softmax(Z).data
    for target in (Y, ROWS, np.eye(3)[Y]):
        ours = nn.CrossEntropyLoss(from_logits=False)(p, target).item()
        assert ours == pytest.approx(nn.CrossEntropyLoss()(Z, target).item(), rel=1e-12)
        assert gradcheck(lambda p, t=target: nn.CrossEntropyLoss(from_logits=False)(p, t), p)
    answers = (Z > 0.2).astype(int)
    p = 1 / (1 + np.exp(-Z))
    ours = nn.BCELoss(from_logits=False)(p, answers).item()
    assert ours == pytest.approx(nn.BCELoss()(Z, answers).item(), rel=1e-12)
    assert gradcheck(lambda p: nn.BCELoss(from_logits=False)(p, answers), p, order=2)


@pytest.mark.torch
def test_losses_of_probabilities_are_torch_s() -> None:
    torch = pytest.importorskip("torch")
    p, y = 1 / (1 + np.exp(-Z)), (Z > 0.2).astype(float)
    theirs = torch.tensor(p, requires_grad=True)
    expected = torch.nn.functional.binary_cross_entropy(theirs, torch.tensor(y))
    expected.backward()
    assert nn.BCELoss(from_logits=False)(p, y).item() == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(
        slope(nn.BCELoss(from_logits=False), p, y), theirs.grad.numpy(), 1e-10
    )
    p = softmax(Z).data
    expected = torch.nn.functional.nll_loss(torch.log(torch.tensor(p)), torch.tensor(Y))
    ours = nn.CrossEntropyLoss(from_logits=False)(p, Y).item()
    assert ours == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_certainty_costs_little_when_right_and_no_more_than_16_when_wrong(dtype: str) -> None:
    """-ln 1e-7 = 16.1: no loss is infinite, and no gradient is NaN."""
    p = np.array([[0.0], [1.0]], dtype)
    loss = nn.BCELoss(from_logits=False)
    assert loss(p, p).item() == pytest.approx(1e-7, rel=0.3)
    assert loss(p, 1 - p).item() == pytest.approx(-np.log(1e-7), rel=0.02)
    assert np.isfinite(slope(loss, p, 1 - p)).all()
    rows = np.eye(2, dtype=dtype)
    loss = nn.CrossEntropyLoss(from_logits=False)
    assert loss(rows, [0, 1]).item() == pytest.approx(1e-7, rel=0.3)
    assert loss(rows, [1, 0]).item() == pytest.approx(-np.log(1e-7), rel=1e-6)
    assert np.isfinite(slope(loss, rows, [1, 0])).all()


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(ValueError, match=r"probabilities between 0 and 1, got .*; end the network"):
        nn.BCELoss(from_logits=False)(Z, np.zeros((5, 3)))
    with pytest.raises(ValueError, match=r"sum to 1, got .*end the network in Softmax, or leave"):
        nn.CrossEntropyLoss(from_logits=False)(Z, Y)


def test_a_network_that_ends_in_the_activation_is_taken_where_probabilities_are_wanted() -> None:
    network = nn.Dense(3, 3, "softmax", rng=0)
    loss = nn.CrossEntropyLoss(from_logits=False)
    expected = nn.CrossEntropyLoss()(network.preactivation(Z), Y).item()
    assert loss(network(Z), Y).item() == pytest.approx(expected, rel=1e-5)


# margins


@pytest.mark.parametrize("loss", [nn.HingeLoss(), nn.SquaredHingeLoss()])
def test_both_codes_of_yes_and_no_mean_the_same(loss: nn.Loss) -> None:
    y = np.array([0, 1, 1, 0, 1])
    expected = loss(Z[:, 0], y).item()
    for code in (2 * y - 1, y.astype(bool), y.astype(float), 2.0 * y - 1):
        assert loss(Z[:, 0], code).item() == expected


@pytest.mark.parametrize(
    ("y", "got"),
    [([0, 1, -1, 0, 1], "-1, 0, 1"), ([1, 2, 1, 2, 1], "1, 2"), ([0.5, 1, 1, 1, 1], r"0\.5, 1")],
)
@pytest.mark.parametrize("loss", [nn.HingeLoss(), nn.SquaredHingeLoss()])
def test_other_codes_are_refused(loss: nn.Loss, y: Any, got: str) -> None:
    with pytest.raises(ValueError, match=f"targets of 0 and 1, or of -1 and [+]1, got {got}; code"):
        loss(Z[:, 0], np.array(y))


@pytest.mark.parametrize("ending", ["sigmoid", "softmax"])
@pytest.mark.parametrize("loss", [nn.HingeLoss(), nn.SquaredHingeLoss()])
def test_margins_of_what_is_never_negative_are_refused(loss: nn.Loss, ending: str) -> None:
    with pytest.raises(ValueError, match=f"scores of both signs, got .* through {ending}; end"):
        loss(nn.Dense(3, 2, ending)(Z), np.zeros((5, 2)))
    assert np.isfinite(loss(nn.Dense(3, 2, "tanh")(Z), np.zeros((5, 2))).item())


def test_hinge_beyond_the_margin_costs_nothing_and_has_no_slope() -> None:
    for loss in (nn.HingeLoss(), nn.SquaredHingeLoss()):
        np.testing.assert_array_equal(slope(loss, [1.0, 2.0, -1.0, -7.0], [1, 1, 0, 0]), 0)
    np.testing.assert_array_equal(slope(nn.HingeLoss(), [0.5, -1.0], [0, 1]), [0.5, -0.5])


def test_rows_that_are_not_one_hot_are_refused_by_the_categorical_hinge() -> None:
    with pytest.raises(ValueError, match=r"expected one-hot rows, .*; pass class numbers"):
        nn.CategoricalHingeLoss()(Z, ROWS)
    with pytest.raises(ValueError, match="expected labels from 0 to 2 for 3 classes, got 3"):
        nn.CategoricalHingeLoss()(Z, np.array([0, 1, 3, 0, 0]))


# distributions


def test_a_distribution_does_not_diverge_from_itself() -> None:
    p = softmax(Z).data
    assert nn.KLDivergenceLoss()(Z, p).item() == pytest.approx(0, abs=1e-15)
    assert nn.KLDivergenceLoss()(Z, ROWS).item() > 0
    np.testing.assert_allclose(
        slope(nn.KLDivergenceLoss(), Z, ROWS), slope(nn.CrossEntropyLoss(), Z, ROWS), 1e-13
    )


def test_log_probabilities_may_stand_for_logits() -> None:
    log_p = np.log(softmax(Z).data)
    ours = nn.KLDivergenceLoss()(log_p, ROWS).item()
    assert ours == pytest.approx(nn.KLDivergenceLoss()(Z, ROWS).item(), rel=1e-12)


def test_labels_and_probabilities_are_refused_by_the_divergence() -> None:
    with pytest.raises(ShapeError, match=r"a row of probabilities an example, .*CrossEntropyLoss"):
        nn.KLDivergenceLoss()(Z, Y)
    with pytest.raises(ValueError, match="sum to 1"):
        nn.KLDivergenceLoss()(Z, np.ones((5, 3)))
    with pytest.raises(ValueError, match="takes logits and applies softmax itself"):
        nn.KLDivergenceLoss()(softmax(Tensor(Z, requires_grad=True)), ROWS)


# numbers


@pytest.mark.parametrize("delta", [0, -1, float("inf"), float("nan"), True, "1", None])
def test_huber_needs_a_positive_distance(delta: Any) -> None:
    with pytest.raises(ValueError, match="HuberLoss: expected delta to be a positive number, got"):
        nn.HuberLoss(delta)


@pytest.mark.parametrize("loss", [nn.HuberLoss(), nn.LogCoshLoss()])
def test_far_away_these_are_straight_and_do_not_overflow(loss: nn.Loss) -> None:
    far = np.float32(1e38)  # its square is not a float32
    assert loss(np.array([far, -far]), np.zeros(2, "float32")).item() == pytest.approx(1e38)
    np.testing.assert_allclose(slope(loss, [1e6, -1e6], [0, 0]), [0.5, -0.5], 1e-12)


def test_the_join_of_huber_is_smooth() -> None:
    np.testing.assert_allclose(slope(nn.HuberLoss(2.0), [2.0, -2.0], [0, 0]), [1.0, -1.0])


def test_log_cosh_is_half_the_square_near_0() -> None:
    assert nn.LogCoshLoss()(np.zeros(3), np.zeros(3)).item() == 0
    assert nn.LogCoshLoss()([1e-3], [0.0]).item() == pytest.approx(5e-7, abs=1e-7)
    np.testing.assert_array_equal(slope(nn.LogCoshLoss(), [0.0], [0.0]), 0)


def test_settings_show_in_the_representation() -> None:
    assert repr(nn.HuberLoss(2)) == "HuberLoss(delta=2.0)"
    assert "label_smoothing=0.1" in repr(nn.CrossEntropyLoss(0.1))
