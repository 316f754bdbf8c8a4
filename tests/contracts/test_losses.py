"""The contract of every loss: what `nn.LOSSES` lists is enrolled by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pellucid import ShapeError, Tensor, gradcheck, nn

RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Sample:
    """A prediction, a target, what the loss is of each example, and the same loss in PyTorch.

    ``oracle(z, y)`` returns ``(N,)`` from float64 arrays by the textbook's formula, without any
    care for overflow; ``torch(torch, z, y)`` a scalar.
    """

    label: str
    prediction: np.ndarray
    target: np.ndarray
    oracle: Callable[[np.ndarray, np.ndarray], np.ndarray]
    torch: Callable[[Any, Any, Any], Any]


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


def labels(classes: int, *shape: int) -> np.ndarray:
    return RNG.integers(classes, size=shape)


def soft(*shape: int) -> np.ndarray:
    """Return rows of probabilities."""
    t = RNG.uniform(size=shape)
    return t / t.sum(-1, keepdims=True)


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum(-1, keepdims=True)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def by_example(losses: np.ndarray) -> np.ndarray:
    """Return the mean over everything but the first axis."""
    return losses.reshape(len(losses), -1).mean(axis=1)


def of_labels(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    p = np.take_along_axis(softmax(z), y[..., None], -1)[..., 0]
    return by_example(-np.log(p))


def of_soft(z: np.ndarray, t: np.ndarray) -> np.ndarray:
    return by_example(-(t * np.log(softmax(z))).sum(-1))


def of_answers(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    p = sigmoid(z)
    return by_example(-(y * np.log(p) + (1 - y) * np.log(1 - p)))


def squared(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    return by_example((z - y) ** 2)


def absolute(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    return by_example(np.abs(z - y))


def torch_ce(torch: Any, z: Any, y: Any) -> Any:
    """PyTorch has the classes on axis 1."""
    if z.ndim > 2:
        z, y = z.movedim(-1, 1), y.movedim(-1, 1) if y.ndim == z.ndim else y
    return torch.nn.functional.cross_entropy(z, y)


def torch_bce(torch: Any, z: Any, y: Any) -> Any:
    return torch.nn.functional.binary_cross_entropy_with_logits(z, y.to(z.dtype))


def torch_mse(torch: Any, z: Any, y: Any) -> Any:
    return torch.nn.functional.mse_loss(z, y.to(z.dtype))


def torch_mae(torch: Any, z: Any, y: Any) -> Any:
    return torch.nn.functional.l1_loss(z, y.to(z.dtype))


def numbers(oracle: Callable[..., np.ndarray], torch: Callable[..., Any]) -> list[Sample]:
    """Return the samples of a loss between numbers."""
    return [
        Sample(str(shape), normal(*shape), normal(*shape), oracle, torch)
        for shape in [(5,), (5, 1), (5, 3), (4, 2, 3), (1, 1)]
    ] + [Sample("whole", normal(5, 2), labels(4, 5, 2), oracle, torch)]


SAMPLES: dict[str, list[Sample]] = {
    "cross_entropy": [
        Sample("labels", normal(6, 4), labels(4, 6), of_labels, torch_ce),
        Sample("two classes", normal(5, 2), labels(2, 5), of_labels, torch_ce),
        Sample("one example", normal(1, 3), labels(3, 1), of_labels, torch_ce),
        Sample("one-hot", normal(6, 4), np.eye(4)[labels(4, 6)], of_soft, torch_ce),
        Sample("soft", normal(6, 4), soft(6, 4), of_soft, torch_ce),
        Sample("sequence", normal(3, 5, 4), labels(4, 3, 5), of_labels, torch_ce),
        Sample("soft sequence", normal(3, 5, 4), soft(3, 5, 4), of_soft, torch_ce),
        Sample("square", normal(4, 4), labels(4, 4), of_labels, torch_ce),
    ],
    "bce": [
        Sample("answers", normal(6, 1), labels(2, 6, 1), of_answers, torch_bce),
        Sample("flat", normal(6), labels(2, 6), of_answers, torch_bce),
        Sample("multi-label", normal(5, 3), labels(2, 5, 3), of_answers, torch_bce),
        Sample("probabilities", normal(5, 3), RNG.uniform(size=(5, 3)), of_answers, torch_bce),
        Sample("sequence", normal(2, 4, 3), labels(2, 2, 4, 3), of_answers, torch_bce),
    ],
    "mse": numbers(squared, torch_mse),
    "mae": numbers(absolute, torch_mae),
}  # fmt: skip

ALL = [
    pytest.param(name, sample, id=f"{name}-{sample.label}")
    for name in nn.LOSSES
    for sample in SAMPLES.get(name, [])
]
PROBABILITIES = [  # the losses that take logits
    pytest.param(name, sample, id=f"{name}-{sample.label}")
    for name in nn.LOSSES
    if nn.LOSSES[name].task != "regression"
    for sample in SAMPLES.get(name, [])
]


def complaint(name: str) -> str:
    """Return what is missing for a loss, if anything is."""
    if SAMPLES.get(name):
        return ""
    return (
        f"expected samples for the loss {name!r}, got none; add {name!r}: [Sample(label, "
        "<prediction>, <target>, <loss of each example in NumPy>, <the loss in PyTorch>)] to "
        "SAMPLES in tests/contracts/test_losses.py"
    )


@pytest.mark.parametrize("name", nn.LOSSES)
def test_every_loss_has_samples(name: str) -> None:
    assert not complaint(name), complaint(name)


def test_a_loss_without_samples_is_told_how_to_add_them() -> None:
    assert "add 'huber': [Sample(" in complaint("huber")


def test_samples_name_losses() -> None:
    assert set(SAMPLES) <= set(nn.LOSSES)


def test_every_exported_loss_has_a_name() -> None:
    exported = {
        kind
        for name in nn.__all__
        if isinstance(kind := getattr(nn, name), type) and issubclass(kind, nn.Loss)
    }
    assert exported - {nn.Loss} == set(nn.LOSSES.values())


@pytest.mark.parametrize("name", nn.LOSSES)
def test_every_loss_says_what_it_computes(name: str) -> None:
    assert "L = mean" in (nn.LOSSES[name].__doc__ or ""), f"{name}: expected its equation"


@pytest.mark.parametrize("name", nn.LOSSES)
def test_every_loss_says_what_it_is_for(name: str) -> None:
    loss = nn.LOSSES[name]
    links = {"classification": nn.Softmax, "binary": nn.Sigmoid, "regression": nn.Linear}
    assert loss.link is links[loss.task]


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_value_is_the_textbook_s(name: str, sample: Sample) -> None:
    losses = sample.oracle(sample.prediction, sample.target)
    loss = nn.LOSSES[name]()
    found = loss.per_example(Tensor(sample.prediction), Tensor(sample.target))
    assert found.shape == (len(sample.prediction),)
    np.testing.assert_allclose(found.data, losses, 1e-12)
    total = loss(sample.prediction, sample.target)
    assert total.shape == ()
    np.testing.assert_allclose(total.data, losses.mean(), 1e-12)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_the_loss_averages_over_examples_once(name: str, sample: Sample) -> None:
    """The same examples twice are no more loss, and no larger gradient of the whole."""
    loss = nn.LOSSES[name]()
    z, y = sample.prediction, sample.target
    one, two = (Tensor(np.concatenate([z] * times), requires_grad=True) for times in (1, 2))
    single, double = loss(one, y), loss(two, np.concatenate([y, y]))
    np.testing.assert_allclose(single.data, double.data, 1e-12)
    single.backward()
    double.backward()
    np.testing.assert_allclose(two.grad[: len(z)] * 2, one.grad, 1e-12)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_parts_weighted_by_their_size_make_the_whole(name: str, sample: Sample) -> None:
    loss = nn.LOSSES[name]()
    z, y = sample.prediction, sample.target
    cut = max(1, len(z) // 4)
    parts = [(z[:cut], y[:cut]), (z[cut:], y[cut:])]
    total = sum(loss(a, b).item() * len(a) for a, b in parts if len(a))
    assert loss(z, y).item() == pytest.approx(total / len(z), rel=1e-12)


@pytest.mark.parametrize("target_dtype", ["float32", "float64", "as it is", "list"])
@pytest.mark.parametrize(("name", "sample"), ALL)
def test_float32_stays_float32_whatever_the_target(
    name: str, sample: Sample, target_dtype: str
) -> None:
    z = Tensor(sample.prediction.astype("float32"), requires_grad=True)
    y: Any = sample.target
    if target_dtype == "list":
        y = y.tolist()
    elif target_dtype != "as it is" and y.shape == z.shape:  # labels stay integers
        y = y.astype(target_dtype)
    loss = nn.LOSSES[name]()(z, y)
    assert loss.dtype == np.float32
    loss.backward()
    assert z.grad is not None
    assert z.grad.dtype == np.float32
    exact = sample.oracle(sample.prediction, sample.target).mean()
    np.testing.assert_allclose(loss.data, exact, 1e-5)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_float64_stays_float64(name: str, sample: Sample) -> None:
    y = sample.target.astype("float32") if sample.target.dtype.kind == "f" else sample.target
    assert nn.LOSSES[name]()(sample.prediction, y).dtype == np.float64


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_whole_numbers_as_prediction(name: str, sample: Sample) -> None:
    z = np.round(3 * sample.prediction)
    found = nn.LOSSES[name]()(z.astype(int), sample.target)
    np.testing.assert_allclose(found.data, sample.oracle(z, sample.target).mean(), 1e-5)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("name", "sample"), ALL)
def test_gradient_by_the_prediction(name: str, sample: Sample, order: int) -> None:
    loss = nn.LOSSES[name]()
    report = gradcheck(lambda z: loss(z, sample.target), sample.prediction, order=order)
    assert report, report


SOFT = [
    pytest.param(name, sample, id=f"{name}-{sample.label}")
    for name in nn.LOSSES
    for sample in SAMPLES.get(name, [])
    if sample.target.dtype.kind == "f" and sample.label != "one-hot"  # at the edge of its range
]


@pytest.mark.parametrize(("name", "sample"), SOFT)
def test_gradient_by_the_target(name: str, sample: Sample) -> None:
    report = gradcheck(nn.LOSSES[name](), sample.prediction, sample.target, order=2)
    assert report, report


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e2, 1e4])
@pytest.mark.parametrize(("name", "sample"), PROBABILITIES)
def test_extreme_logits_give_finite_losses_and_gradients(
    name: str, sample: Sample, scale: float, dtype: str
) -> None:
    """Warnings are errors here: neither overflow nor log(0) may happen on the way."""
    z = scale * np.sign(sample.prediction)
    loss = nn.LOSSES[name]()
    prediction = Tensor(z.astype(dtype), requires_grad=True)
    found = loss(prediction, sample.target)
    assert np.isfinite(found.data)
    found.backward()
    assert np.isfinite(prediction.grad).all()


def extreme(name: str, sample: Sample, right: float, wrong: float) -> tuple[np.ndarray, np.ndarray]:
    """Return logits, ``right`` for the target and ``wrong`` for the others, and the target."""
    y = sample.target
    if name == "bce":
        y = np.round(y)
        return np.where(y == 1, right, wrong), y
    if y.shape == sample.prediction.shape:
        y = y.argmax(-1)
    hit = np.arange(sample.prediction.shape[-1]) == y[..., None]
    return np.where(hit, right, wrong), y


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "sample"), PROBABILITIES)
def test_extreme_logits_on_the_wrong_side_cost_their_distance(
    name: str, sample: Sample, dtype: str
) -> None:
    z, y = extreme(name, sample, -1e4, 1e4)
    ties = np.log(z.shape[-1] - 1) if name == "cross_entropy" else 0  # ln of the number of winners
    distance = 2e4 if name == "cross_entropy" else 1e4
    assert nn.LOSSES[name]()(z.astype(dtype), y).item() == pytest.approx(distance + ties, rel=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "sample"), PROBABILITIES)
def test_extreme_logits_on_the_right_side_cost_nothing(
    name: str, sample: Sample, dtype: str
) -> None:
    z, y = extreme(name, sample, 1e4, -1e4)
    prediction = Tensor(z.astype(dtype), requires_grad=True)
    loss = nn.LOSSES[name]()(prediction, y)
    assert loss.item() == 0
    loss.backward()
    np.testing.assert_array_equal(prediction.grad, 0)


@pytest.mark.parametrize(("name", "sample"), PROBABILITIES)
def test_no_prediction_through_the_link_twice(name: str, sample: Sample) -> None:
    """Softmax (or sigmoid) in the network and again in the loss is refused."""
    loss = nn.LOSSES[name]()
    z = Tensor(sample.prediction, requires_grad=True)
    with pytest.raises(ValueError, match=r"takes logits and applies .* already; train with"):
        loss(loss.link()(z), sample.target)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_no_examples_are_refused(name: str, sample: Sample) -> None:
    with pytest.raises(ShapeError, match="expected at least one example, got none"):
        nn.LOSSES[name]()(sample.prediction[:0], sample.target[:0])


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_a_column_against_a_row_is_refused(name: str, sample: Sample) -> None:
    """(n, 1) against (n,) would broadcast to (n, n)."""
    z, y = sample.prediction, sample.target
    with pytest.raises(ShapeError, match="expected"):
        nn.LOSSES[name]()(z, y[..., None])
    with pytest.raises(ShapeError, match="expected"):
        nn.LOSSES[name]()(z[..., None], y)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_another_number_of_targets_is_refused(name: str, sample: Sample) -> None:
    z, y = sample.prediction, sample.target
    with pytest.raises(ShapeError, match="expected"):
        nn.LOSSES[name]()(z, np.concatenate([y, y]))


@pytest.mark.torch
@pytest.mark.parametrize(("name", "sample"), ALL)
def test_value_and_gradient_are_torch_s(name: str, sample: Sample) -> None:
    torch = pytest.importorskip("torch")
    z = Tensor(sample.prediction, requires_grad=True)
    loss = nn.LOSSES[name]()(z, sample.target)
    loss.backward()
    theirs = torch.tensor(sample.prediction, requires_grad=True)
    expected = sample.torch(torch, theirs, torch.tensor(sample.target))
    expected.backward()
    np.testing.assert_allclose(loss.data, expected.item(), 1e-12)
    np.testing.assert_allclose(z.grad, theirs.grad.numpy(), 1e-10, 1e-14)


@pytest.mark.torch
@pytest.mark.parametrize(("name", "sample"), PROBABILITIES)
def test_extreme_logits_are_torch_s(name: str, sample: Sample) -> None:
    torch = pytest.importorskip("torch")
    z = Tensor((1e4 * np.sign(sample.prediction)).astype("float32"), requires_grad=True)
    loss = nn.LOSSES[name]()(z, sample.target)
    loss.backward()
    theirs = torch.tensor(z.data, requires_grad=True)
    y = torch.tensor(sample.target)
    expected = sample.torch(torch, theirs, y.float() if y.is_floating_point() else y)
    expected.backward()
    np.testing.assert_allclose(loss.data, expected.item(), 1e-6)
    np.testing.assert_allclose(z.grad, theirs.grad.numpy(), 1e-5, 1e-7)
