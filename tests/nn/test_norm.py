"""Normalisation: batch statistics, running statistics, and that gradients see all of it."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pellucid as pl
from pellucid import ShapeError, Tensor, gradcheck, nn, optim, persist, train
from support.trace import Symbol, tracing

RNG = np.random.default_rng(0)


def numbers(*shape: int) -> np.ndarray:
    return 3 * RNG.normal(size=shape) + 2


def running(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return copies of the running mean and variance."""
    return layer.running_mean.data.copy(), layer.running_var.data.copy()


# batch normalisation in training


BATCHES = [
    (nn.BatchNorm1D, (7, 3)),
    (nn.BatchNorm1D, (2, 3)),
    (nn.BatchNorm1D, (4, 5, 3)),
    (nn.BatchNorm1D, (1, 5, 3)),
    (nn.BatchNorm2D, (3, 4, 5, 3)),
    (nn.BatchNorm2D, (1, 4, 4, 3)),
]


@pytest.mark.parametrize(("kind", "shape"), BATCHES)
def test_in_training_it_is_the_textbook_s(kind: Any, shape: tuple[int, ...]) -> None:
    layer = kind(3, momentum=0.2).astype("float64")
    layer.weight.data, layer.bias.data = RNG.normal(size=3), RNG.normal(size=3)
    x = numbers(*shape)
    rows = x.reshape(-1, 3)
    xhat = (rows - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-5)
    expected = layer.weight.data * xhat + layer.bias.data
    np.testing.assert_allclose(layer(x).data, expected.reshape(shape), 1e-12, 1e-13)
    mean, var = running(layer)
    np.testing.assert_allclose(mean, 0.2 * rows.mean(0), 1e-13)
    np.testing.assert_allclose(var, 0.8 + 0.2 * rows.var(0, ddof=1), 1e-13)


@pytest.mark.torch
@pytest.mark.parametrize("settings", [{}, {"momentum": 0.3, "eps": 1e-3}, {"affine": False}])
@pytest.mark.parametrize(("kind", "shape"), BATCHES)
def test_several_steps_of_training_are_torch_s(
    kind: Any, shape: tuple[int, ...], settings: dict[str, Any]
) -> None:
    """Values, gradients and running statistics step by step, then evaluation."""
    torch = pytest.importorskip("torch")
    layer = kind(3, **settings).astype("float64")
    theirs = {nn.BatchNorm1D: torch.nn.BatchNorm1d, nn.BatchNorm2D: torch.nn.BatchNorm2d}[kind]
    theirs = theirs(3, **settings).double()
    for step in range(4):
        if step == 3:
            layer.eval()
            theirs.eval()
        x, v = Tensor(numbers(*shape), requires_grad=True), RNG.normal(size=shape)
        their_x = torch.tensor(x.data, requires_grad=True)
        out, expected = layer(x), theirs(their_x.movedim(-1, 1)).movedim(1, -1)
        out.backward(v)
        expected.backward(torch.tensor(v))
        np.testing.assert_allclose(out.data, expected.detach().numpy(), 1e-11, 1e-12)
        np.testing.assert_allclose(x.grad, their_x.grad.numpy(), 1e-9, 1e-10)
        for name, parameter in theirs.named_parameters():
            ours = getattr(layer, name)
            np.testing.assert_allclose(ours.grad, parameter.grad.numpy(), 1e-10, 1e-12)
            ours.data = ours.data - 0.1 * ours.grad
            with torch.no_grad():
                parameter -= 0.1 * parameter.grad
            ours.grad = parameter.grad = None
        for name in ("running_mean", "running_var"):
            np.testing.assert_allclose(
                getattr(layer, name).data, getattr(theirs, name).numpy(), 1e-12, err_msg=name
            )


def test_the_running_statistics_approach_those_of_the_data() -> None:
    layer = nn.BatchNorm1D(2)
    rng = np.random.default_rng(0)
    for _ in range(200):
        layer((np.array([1.0, 4.0]) * rng.normal(size=(64, 2)) + [5.0, -3.0]).astype("float32"))
    mean, var = running(layer)
    np.testing.assert_allclose(mean, [5, -3], atol=0.4)
    np.testing.assert_allclose(var, [1, 16], rtol=0.2)
    assert mean.dtype == var.dtype == np.float32


@pytest.mark.parametrize(("momentum", "kept"), [(0.0, 1.0), (1.0, 0.0)])
def test_momentum_is_the_share_of_the_new_batch(momentum: float, kept: float) -> None:
    layer = nn.BatchNorm1D(3, momentum=momentum).astype("float64")
    x = numbers(6, 3)
    layer(x)
    mean, var = running(layer)
    np.testing.assert_allclose(mean, (1 - kept) * x.mean(0), 1e-13)
    np.testing.assert_allclose(var, kept + (1 - kept) * x.var(0, ddof=1), 1e-13)


def test_statistics_are_rebound_and_not_written_to() -> None:
    layer = nn.BatchNorm1D(3)
    before = [layer.running_mean.data, layer.running_var.data]
    copies = copy.deepcopy(before)
    layer(numbers(5, 3))
    assert layer.running_mean.data is not before[0]
    for array, old in zip(before, copies, strict=True):
        np.testing.assert_array_equal(array, old)


def test_they_are_followed_without_a_graph_too() -> None:
    one, other = nn.BatchNorm1D(3), nn.BatchNorm1D(3)
    x = numbers(5, 3)
    one(x)
    with pl.no_grad():
        other(x)
    for array, expected in zip(running(other), running(one), strict=True):
        np.testing.assert_array_equal(array, expected)
        assert array.any()


def test_buffers_take_no_gradient_and_are_state() -> None:
    layer = nn.BatchNorm1D(3)
    assert list(layer.state()) == ["weight", "bias", "running_mean", "running_var"]
    assert list(layer.named_parameters()) == ["weight", "bias"]
    assert nn.BatchNorm1D(3, affine=False).parameters() == []


@pytest.mark.parametrize("order", [1, 2])
def test_gradcheck_leaves_the_statistics_where_they_were(order: int) -> None:
    layer = nn.BatchNorm2D(2).astype("float64")
    layer(numbers(2, 3, 3, 2))
    before = running(layer)
    assert gradcheck(layer, numbers(2, 3, 3, 2), order=order)
    for array, old in zip(running(layer), before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_a_gradient_that_forgets_the_statistics_would_be_seen() -> None:
    """Mean and variance depend on x; as constants they give another gradient."""

    def careless(x: Tensor) -> Tensor:
        mean, var = Tensor(x.data.mean(0)), Tensor(x.data.var(0))
        return (x - mean) / (var + 1e-5).sqrt()

    x = numbers(5, 3)
    np.testing.assert_allclose(careless(Tensor(x)).data, pl.standardise(x, axis=0).data, 1e-12)
    assert gradcheck(lambda x: pl.standardise(x, axis=0), x)
    assert not gradcheck(careless, x)


def test_a_recorded_step_moves_the_statistics_each_time_it_runs() -> None:
    """They are inputs and results of the program, not constants of the day it was recorded."""
    layer = nn.BatchNorm1D(3).astype("float64")
    x = numbers(5, 3)
    with tracing() as trace:
        symbols = [trace.input(array) for array in (x, *running(layer))]
        layer.running_mean.data, layer.running_var.data = symbols[1:]
        out = layer(Tensor(symbols[0]))
        results = [out.data, layer.running_mean.data, layer.running_var.data]
    assert all(isinstance(result, Symbol) for result in results)
    other = nn.BatchNorm1D(3).astype("float64")
    statistics = running(other)
    for _ in range(3):
        x = numbers(5, 3)
        found, *statistics = trace.run(results, x, *statistics)
        np.testing.assert_allclose(found, other(x).data, 1e-12)
        for array, expected in zip(statistics, running(other), strict=True):
            np.testing.assert_allclose(array, expected, 1e-12)


# and in evaluation


def test_in_evaluation_examples_are_normalised_by_the_running_statistics() -> None:
    layer = nn.BatchNorm1D(3).astype("float64")
    layer(numbers(8, 3))
    layer.eval()
    before = running(layer)
    x = numbers(5, 3)
    out = layer(x).data
    np.testing.assert_allclose(out, (x - before[0]) / np.sqrt(before[1] + 1e-5), 1e-12)
    np.testing.assert_allclose(layer(x[2:3]).data, out[2:3], 1e-14)
    for array, old in zip(running(layer), before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_a_layer_frozen_by_eval_stays_so_while_others_train() -> None:
    network = nn.Sequential(nn.Dense(3, 3), nn.BatchNorm1D(3), nn.BatchNorm1D(3), rng=0)
    frozen: Any = network[1]
    frozen.eval()
    network(numbers(5, 3))
    np.testing.assert_array_equal(running(frozen)[0], 0)
    assert running(network[2])[0].any()


def test_a_saved_network_predicts_the_same(tmp_path: Path) -> None:
    def build(seed: int) -> nn.Sequential:
        return nn.Sequential(nn.Dense(3, 4), nn.BatchNorm1D(4), nn.Dense(4, 2), rng=seed)

    network, other = build(0), build(1)
    for _ in range(3):
        network(numbers(6, 3))
    persist.save_parameters(network, tmp_path / "network.safetensors")
    persist.load_parameters(other, tmp_path / "network.safetensors")
    x = numbers(4, 3)
    np.testing.assert_array_equal(other.eval()(x).data, network.eval()(x).data)


def test_initialise_forgets_the_statistics() -> None:
    layer = nn.BatchNorm1D(3).astype("float64")
    fresh = layer.state()
    layer(numbers(5, 3))
    assert layer.weight is not None
    layer.weight.data = layer.weight.data * 3
    layer.initialise(0)
    for path, array in layer.state().items():
        np.testing.assert_array_equal(array, fresh[path], err_msg=path)
        assert array.dtype == np.float64


# training with it


def test_fit_trains_with_it_and_predicts_example_by_example() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(96, 4)).astype("float32") * [1, 10, 100, 1000] + [5, 50, 500, 5000]
    y = (x[:, 3] > 5000).astype(int)
    network = nn.Sequential(nn.BatchNorm1D(4), nn.Dense(4, 8, "relu"), nn.Dense(8, 2), rng=0)
    model = train.Model(network, "cross_entropy", optim.Adam(0.05), metrics=["accuracy"])
    model.fit(x, y, epochs=20, batch_size=32, seed=0, verbose=0)
    assert model.evaluate(x, y)["accuracy"] > 0.95
    whole = model.predict(x)
    np.testing.assert_allclose(model.predict(x[:1]), whole[:1], 1e-4, 1e-5)
    assert {tensor.dtype for tensor in network.named_tensors().values()} == {np.dtype("float32")}


def test_a_lone_example_in_the_last_batch_is_refused_with_the_fix() -> None:
    network = nn.Sequential(nn.Dense(3, 4), nn.BatchNorm1D(4), nn.Dense(4, 2), rng=0)
    model = train.Model(network, "cross_entropy", optim.SGD(0.1))
    with pytest.raises(ValueError, match=r"layers.1 \(BatchNorm1D\): expected at least 2 values a"):
        model.fit(numbers(9, 3), np.arange(9) % 2, epochs=1, batch_size=4, verbose=0)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(nn.BatchNorm1D(3), (1, 3)), (nn.BatchNorm1D(3), (1, 1, 3)), (nn.BatchNorm1D(3), (0, 3)),
     (nn.BatchNorm2D(3), (1, 1, 1, 3))],
)  # fmt: skip
def test_one_value_a_channel_says_nothing_of_the_variance(
    layer: nn.Module, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ShapeError, match=r"at least 2 values a channel in training.*with eval\(\)"):
        layer(np.ones(shape))
    layer.eval()
    assert layer(np.ones(shape)).shape == shape


# numbers


def test_constant_values_are_no_division_by_0() -> None:
    for layer in (nn.BatchNorm1D(2), nn.LayerNorm(2), nn.RMSNorm(2)):
        x = Tensor(np.zeros((4, 2), np.float32), requires_grad=True)
        out = layer(x)
        np.testing.assert_array_equal(out.data, 0)
        (out * np.arange(8.0).reshape(4, 2)).sum().backward()
        assert np.isfinite(x.grad).all()


def test_a_large_mean_costs_little_precision() -> None:
    """The mean is taken off first; from x^2 and the mean's square nothing would be left.

    The sum of n numbers in float32 is off by some sqrt(n) halves of its last place, here 0.016 n.
    """
    x = (1e4 + np.random.default_rng(0).normal(size=(1000, 3))).astype(np.float32)
    exact = nn.BatchNorm1D(3).astype("float64")(x.astype("float64")).data
    np.testing.assert_allclose(nn.BatchNorm1D(3)(x).data, exact, atol=0.016)
    layer = nn.BatchNorm1D(3)
    layer(x)
    np.testing.assert_allclose(layer.running_var.data, 0.9 + 0.1 * x.astype(float).var(0), 1e-3)


def test_a_float64_input_does_not_widen_the_statistics() -> None:
    layer = nn.BatchNorm1D(3)
    layer(numbers(5, 3))
    assert [array.dtype for array in running(layer)] == [np.float32, np.float32]


def test_whole_numbers_become_floating_point() -> None:
    x = RNG.integers(0, 255, size=(6, 3)).astype(np.uint8)
    for layer in (nn.BatchNorm1D(3), nn.LayerNorm(3), nn.RMSNorm(3)):
        out = layer(x)
        assert out.dtype == np.float32
        np.testing.assert_allclose(out.data, layer(x.astype(np.float32)).data)


def spread(shape: tuple[int, int], seed: int) -> np.ndarray:
    """Return positive numbers whose columns have a variance far above eps."""
    rng = np.random.default_rng(seed)
    rows = rng.permuted(np.tile(np.arange(1.0, shape[0] + 1), (shape[1], 1)), axis=1).T
    return rows + rng.uniform(-0.2, 0.2, size=shape)


SHAPES = st.tuples(st.integers(2, 6), st.integers(2, 5))


@given(SHAPES, st.integers(0, 100), st.floats(0.1, 50), st.floats(-100, 100))
def test_neither_shift_nor_scale_matters(
    shape: tuple[int, int], seed: int, scale: float, shift: float
) -> None:
    x = spread(shape, seed)
    found = pl.standardise(scale * x + shift, axis=0, eps=1e-12).data
    np.testing.assert_allclose(found, pl.standardise(x, axis=0, eps=1e-12).data, atol=1e-5)
    np.testing.assert_allclose(
        pl.rms_normalise(scale * x, axis=1, eps=1e-12).data,
        pl.rms_normalise(x, axis=1, eps=1e-12).data,
        atol=1e-5,
    )


@given(SHAPES, st.integers(0, 100))
def test_mean_0_variance_1_and_a_gradient_across_both(shape: tuple[int, int], seed: int) -> None:
    x = Tensor(spread(shape, seed), requires_grad=True)
    out = pl.standardise(x, axis=0, eps=1e-12)
    np.testing.assert_allclose(out.data.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(out.data.var(0), 1, atol=1e-9)
    out.backward(np.random.default_rng(seed).normal(size=shape))
    np.testing.assert_allclose(x.grad.sum(0), 0, atol=1e-12)
    np.testing.assert_allclose((x.grad * out.data).sum(0), 0, atol=1e-8)


def test_layer_normalisation_is_batch_normalisation_of_the_transpose() -> None:
    x = numbers(5, 4)
    one, other = nn.LayerNorm(4, affine=False), nn.BatchNorm1D(5, affine=False).astype("float64")
    np.testing.assert_allclose(one(x).data, other(x.T).data.T, 1e-12)


def test_rms_normalisation_of_centred_rows_is_layer_normalisation() -> None:
    x = numbers(5, 4)
    x -= x.mean(1, keepdims=True)
    one, other = (k.astype("float64") for k in (nn.RMSNorm(4, eps=1e-5), nn.LayerNorm(4)))
    np.testing.assert_allclose(one(x).data, other(x).data, 1e-12)
    lengths = np.sqrt(np.square(nn.RMSNorm(4)(numbers(5, 4)).data).mean(1))
    np.testing.assert_allclose(lengths, 1, atol=1e-5)


# what is refused


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.BatchNorm1D(3), (4, 5), r"\(N, 3\) or \(N, L, 3\), channels last, got \(4, 5\); "
         r"BatchNorm1D\(5\) would fit"),
        (nn.BatchNorm1D(3), (4, 3, 5), r"move them with x.transpose\(0, 2, 1\)"),
        (nn.BatchNorm1D(3), (4, 5, 5, 3), r"got \(4, 5, 5, 3\); BatchNorm2D would fit"),
        (nn.BatchNorm1D(3), (3,), r"channels last, got \(3,\)$"),
        (nn.BatchNorm2D(3), (4, 3), r"\(N, H, W, 3\), .*; BatchNorm1D would fit"),
        (nn.BatchNorm2D(3), (4, 3, 8, 8), r"move them with x.transpose\(0, 2, 3, 1\)"),
        (nn.LayerNorm(3), (4, 5), r"\(..., 3\), got \(4, 5\); LayerNorm\(5\) would fit"),
        (nn.LayerNorm((2, 3)), (3,), r"\(..., 2, 3\), got \(3,\)"),
        (nn.RMSNorm(3), (), r"\(..., 3\), got \(\)$"),
    ],
)  # fmt: skip
def test_other_shapes_are_refused(layer: nn.Module, shape: tuple[int, ...], message: str) -> None:
    before = layer.state()
    with pytest.raises(ShapeError, match=message):
        layer(np.ones(shape))
    for path, array in layer.state().items():
        np.testing.assert_array_equal(array, before[path])


def test_the_shape_error_says_where() -> None:
    network = nn.Sequential(nn.Dense(3, 4), nn.Sequential(nn.LayerNorm(5)))
    with pytest.raises(ShapeError, match=r"^layers.1.layers.0 \(LayerNorm\): expected input"):
        network(np.ones((2, 3)))


WRONG: dict[str, tuple[Any, str]] = {
    "no channels": (lambda: nn.BatchNorm1D(0), "expected features to be a positive whole number"),
    "a fraction": (lambda: nn.BatchNorm2D(2.5), "BatchNorm2D: expected features"),  # type: ignore[arg-type]
    "several": (lambda: nn.BatchNorm1D((2, 3)), r"expected features .* got \(2, 3\)"),  # type: ignore[arg-type]
    "momentum": (lambda: nn.BatchNorm1D(3, momentum=1.5), r"momentum in \[0, 1\].*Keras's"),
    "nan": (lambda: nn.BatchNorm1D(3, momentum=math.nan), "momentum"),
    "momentum as a switch": (lambda: nn.BatchNorm1D(3, momentum=True), "momentum.*got True"),
    "no eps": (lambda: nn.LayerNorm(3, eps=0), "expected eps between 0 and 1"),
    "eps": (lambda: nn.RMSNorm(3, eps=-1e-5), "RMSNorm: expected eps"),
    "no shape": (lambda: nn.LayerNorm(()), "at least one size in shape"),
    "a bad size": (lambda: nn.LayerNorm((3, -1)), r"or several of them, got \(3, -1\)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_settings_that_make_no_sense_are_refused(case: str) -> None:
    make, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        make()


def test_repr_says_what_differs_from_the_defaults() -> None:
    assert repr(nn.BatchNorm1D(3)) == "BatchNorm1D(3)"
    assert repr(nn.BatchNorm2D(3, momentum=0.2, affine=False)) == (
        "BatchNorm2D(3, momentum=0.2, affine=False)"
    )
    assert repr(nn.LayerNorm((2, 3), eps=1e-3)) == "LayerNorm((2, 3), eps=0.001)"
    assert repr(nn.RMSNorm(4)) == "RMSNorm(4)"
