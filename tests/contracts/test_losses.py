"""The contract of every loss: what `nn.LOSSES` lists is enrolled by itself.

The variants are the same losses with other settings; they keep the same contract.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from contracts.loss_samples import RNG, SAMPLES, VARIANTS, Sample
from pellucid import ShapeError, Tensor, gradcheck, nn

BUILD: dict[str, Callable[[], nn.Loss]] = {
    **nn.LOSSES,
    **{name: build for name, (build, _) in VARIANTS.items()},
}
ALL_SAMPLES = SAMPLES | {name: samples for name, (_, samples) in VARIANTS.items()}

ALL = [
    pytest.param(name, sample, id=f"{name}-{sample.label}")
    for name in BUILD
    for sample in ALL_SAMPLES.get(name, [])
]
PROBABILITIES = [  # the losses that take logits
    pytest.param(name, sample, id=f"{name}-{sample.label}")
    for name in nn.LOSSES
    if nn.LOSSES[name].probabilistic
    for sample in SAMPLES.get(name, [])
]


def complaint(name: str) -> str:
    """Return what is missing for a loss, if anything is."""
    if SAMPLES.get(name):
        return ""
    return (
        f"expected samples for the loss {name!r}, got none; add {name!r}: [Sample(label, "
        "<prediction>, <target>, <loss of each example in NumPy>, <the loss in PyTorch>)] to "
        "SAMPLES in tests/contracts/loss_samples.py"
    )


@pytest.mark.parametrize("name", nn.LOSSES)
def test_every_loss_has_samples(name: str) -> None:
    assert not complaint(name), complaint(name)


def test_a_loss_without_samples_is_told_how_to_add_them() -> None:
    assert "add 'cauchy': [Sample(" in complaint("cauchy")


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
    text = nn.LOSSES[name].__doc__ or ""
    assert "L = mean" in text, f"{name}: expected its equation"
    assert re.search(r"\b(19|20)\d\d\b", text), f"{name}: expected its source with the year"


@pytest.mark.parametrize("name", nn.LOSSES)
def test_every_loss_says_what_it_is_for(name: str) -> None:
    loss = nn.LOSSES[name]
    links = {"classification": nn.Softmax, "binary": nn.Sigmoid}
    assert loss.link is (links[loss.task] if loss.probabilistic else nn.Linear)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_value_is_the_textbook_s(name: str, sample: Sample) -> None:
    losses = sample.oracle(sample.prediction, sample.target)
    loss = BUILD[name]()
    found = loss.per_example(Tensor(sample.prediction), Tensor(sample.target))
    assert found.shape == (len(sample.prediction),)
    np.testing.assert_allclose(found.data, losses, 1e-12)
    total = loss(sample.prediction, sample.target)
    assert total.shape == ()
    np.testing.assert_allclose(total.data, sample.exact(), 1e-12)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_the_loss_averages_over_examples_once(name: str, sample: Sample) -> None:
    """The same examples twice are no more loss, and no larger gradient of the whole."""
    loss = BUILD[name]()
    z, y = sample.prediction, sample.target
    one, two = (Tensor(np.concatenate([z] * times), requires_grad=True) for times in (1, 2))
    single, double = loss(one, y), loss(two, np.concatenate([y, y]))
    np.testing.assert_allclose(single.data, double.data, 1e-12)
    single.backward()
    double.backward()
    np.testing.assert_allclose(two.grad[: len(z)] * 2, one.grad, 1e-12)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_parts_weighted_by_their_size_make_the_whole(name: str, sample: Sample) -> None:
    loss = BUILD[name]()
    z, y = sample.prediction, sample.target
    cut = max(1, len(z) // 4)
    parts = [(z[:cut], y[:cut]), (z[cut:], y[cut:])]
    weights = [loss.total_weight(Tensor(a), b) for a, b in parts if len(a)]
    total = sum(loss(a, b).item() * w for (a, b), w in zip(parts, weights, strict=False))
    assert loss(z, y).item() == pytest.approx(total / sum(weights), rel=1e-12)
    assert sum(weights) == pytest.approx(sample.weight(z, y).sum(), rel=1e-12)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_whole_weights_are_repeated_examples(name: str, sample: Sample) -> None:
    """In the loss and in the gradient; a weight of 0 leaves an example out."""
    loss = BUILD[name]()
    z, y = sample.prediction, sample.target
    times = np.arange(len(z)) % 3 if len(z) > 1 else np.array([2])
    one = Tensor(z, requires_grad=True)
    two = Tensor(np.repeat(z, times, axis=0), requires_grad=True)
    weighted, repeated = loss(one, y, times), loss(two, np.repeat(y, times, axis=0))
    np.testing.assert_allclose(weighted.data, repeated.data, 1e-12)
    weighted.backward()
    repeated.backward()
    expected = np.zeros_like(z)
    np.add.at(expected, np.repeat(np.arange(len(z)), times), two.grad)
    np.testing.assert_allclose(one.grad, expected, 1e-12, 1e-16)
    total = loss.total_weight(one, y, times)
    assert total == pytest.approx((sample.weight(z, y) * times).sum(), rel=1e-12)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_the_scale_of_the_weights_does_not_matter(name: str, sample: Sample) -> None:
    loss = BUILD[name]()
    w = RNG.uniform(0.5, 2, size=len(sample.prediction))
    one, other = (loss(sample.prediction, sample.target, k * w).item() for k in (1, 1000))
    assert one == pytest.approx(other, rel=1e-12)
    assert loss(sample.prediction.astype("float32"), sample.target, w).dtype == np.float32


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_gradient_with_weights(name: str, sample: Sample) -> None:
    loss, w = BUILD[name](), np.linspace(0, 2, len(sample.prediction)) + 0.1
    assert gradcheck(lambda z: loss(z, sample.target, w), sample.prediction)


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
    loss = BUILD[name]()(z, y)
    assert loss.dtype == np.float32
    loss.backward()
    assert z.grad is not None
    assert z.grad.dtype == np.float32
    np.testing.assert_allclose(loss.data, sample.exact(), 1e-5)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_float64_stays_float64(name: str, sample: Sample) -> None:
    y = sample.target.astype("float32") if sample.target.dtype.kind == "f" else sample.target
    assert BUILD[name]()(sample.prediction, y).dtype == np.float64


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_whole_numbers_as_prediction(name: str, sample: Sample) -> None:
    z = np.round(3 * sample.prediction)
    found = BUILD[name]()(z.astype(int), sample.target)
    exact = sample.oracle(z, sample.target).sum() / sample.weight(z, sample.target).sum()
    np.testing.assert_allclose(found.data, exact, 1e-5)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("name", "sample"), ALL)
def test_gradient_by_the_prediction(name: str, sample: Sample, order: int) -> None:
    loss = BUILD[name]()
    report = gradcheck(lambda z: loss(z, sample.target), sample.prediction, order=order)
    assert report, report


SOFT = [
    pytest.param(name, sample, id=f"{name}-{sample.label}")
    for name in BUILD
    for sample in ALL_SAMPLES.get(name, [])
    if sample.target.dtype.kind == "f" and sample.label != "one-hot"  # at the edge of its range
]


@pytest.mark.parametrize(("name", "sample"), SOFT)
def test_gradient_by_the_target(name: str, sample: Sample) -> None:
    report = gradcheck(BUILD[name](), sample.prediction, sample.target, order=2)
    assert report, report


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e2, 1e4])
@pytest.mark.parametrize(("name", "sample"), PROBABILITIES)
def test_extreme_logits_give_finite_losses_and_gradients(
    name: str, sample: Sample, scale: float, dtype: str
) -> None:
    """Warnings are errors here: neither overflow nor log(0) may happen on the way."""
    z = scale * np.sign(sample.prediction)
    loss = BUILD[name]()
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
    return np.where(hit, right, wrong), hit.astype(float) if name == "kl" else y


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "sample"), PROBABILITIES)
def test_extreme_logits_on_the_wrong_side_cost_their_distance(
    name: str, sample: Sample, dtype: str
) -> None:
    z, y = extreme(name, sample, -1e4, 1e4)
    ties = np.log(z.shape[-1] - 1) if name != "bce" else 0  # ln of the number of winners
    distance = 2e4 if name != "bce" else 1e4
    assert BUILD[name]()(z.astype(dtype), y).item() == pytest.approx(distance + ties, rel=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "sample"), PROBABILITIES)
def test_extreme_logits_on_the_right_side_cost_nothing(
    name: str, sample: Sample, dtype: str
) -> None:
    z, y = extreme(name, sample, 1e4, -1e4)
    prediction = Tensor(z.astype(dtype), requires_grad=True)
    loss = BUILD[name]()(prediction, y)
    assert loss.item() == 0
    loss.backward()
    np.testing.assert_array_equal(prediction.grad, 0)


@pytest.mark.parametrize(("name", "sample"), PROBABILITIES)
def test_no_prediction_through_the_link_twice(name: str, sample: Sample) -> None:
    """Softmax (or sigmoid) in the network and again in the loss is refused."""
    loss = BUILD[name]()
    z = Tensor(sample.prediction, requires_grad=True)
    with pytest.raises(ValueError, match=r"takes logits and applies .* already; train with"):
        loss(loss.link()(z), sample.target)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_no_examples_are_refused(name: str, sample: Sample) -> None:
    with pytest.raises(ShapeError, match="expected at least one example, got none"):
        BUILD[name]()(sample.prediction[:0], sample.target[:0])


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_a_column_against_a_row_is_refused(name: str, sample: Sample) -> None:
    """(n, 1) against (n,) would broadcast to (n, n)."""
    z, y = sample.prediction, sample.target
    with pytest.raises(ShapeError, match="expected"):
        BUILD[name]()(z, y[..., None])
    with pytest.raises(ShapeError, match="expected"):
        BUILD[name]()(z[..., None], y)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_another_number_of_targets_is_refused(name: str, sample: Sample) -> None:
    z, y = sample.prediction, sample.target
    with pytest.raises(ShapeError, match="expected"):
        BUILD[name]()(z, np.concatenate([y, y]))


@pytest.mark.torch
@pytest.mark.parametrize(("name", "sample"), ALL)
def test_value_and_gradient_are_torch_s(name: str, sample: Sample) -> None:
    torch = pytest.importorskip("torch")
    z = Tensor(sample.prediction, requires_grad=True)
    loss = BUILD[name]()(z, sample.target)
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
    loss = BUILD[name]()(z, sample.target)
    loss.backward()
    theirs = torch.tensor(z.data, requires_grad=True)
    y = torch.tensor(sample.target)
    expected = sample.torch(torch, theirs, y.float() if y.is_floating_point() else y)
    expected.backward()
    np.testing.assert_allclose(loss.data, expected.item(), 1e-6)
    np.testing.assert_allclose(z.grad, theirs.grad.numpy(), 1e-5, 1e-7)
