"""Layers while they learn: what is watched, and how it is drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pellucid import Tensor, nn, optim
from pellucid.train import Model
from pellucid.viz import (
    LayerWatch,
    gradient_flow,
    layer_histograms,
    layer_statistics,
    learning_rate,
    loss_landscape,
)
from viz.pictures import assert_nothing_is_cut_off, legend_texts, texts

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


def model() -> Model:
    net = nn.Sequential(nn.Dense(3, 8, "relu"), nn.Dropout(0.5), nn.Dense(8, 2), rng=0)
    return Model(net, "cross_entropy", optim.Adam(1e-2))


def fitted(watch, epochs=3, seed=0, **options):
    trained = model()
    trained.fit(X, Y, epochs=epochs, seed=seed, verbose=False, callbacks=[watch], **options)
    return trained


@pytest.mark.parametrize("options", [{"compile": True}, {"compile": False}, {"accumulate": 2}])
def test_every_epoch_is_watched(options):
    watch = LayerWatch(X[:5])
    trained = fitted(watch, **options)
    paths = list(trained.network.named_parameters())
    assert list(watch.weights) == list(watch.gradients) == paths
    assert list(watch.activations) == ["layers.0", "layers.1", "layers.2"]
    assert all(len(epochs) == 3 for epochs in watch.weights.values())
    last = trained.network.named_parameters()["layers.0.weight"]
    np.testing.assert_array_equal(watch.weights["layers.0.weight"][-1], last.data.reshape(-1))
    assert all(len(epochs) == 3 for epochs in watch.gradients.values())
    flat = trained.gradients(X, Y)["layers.0.weight"].reshape(-1)  # X has less rows than are taken
    np.testing.assert_allclose(watch.gradients["layers.0.weight"][-1], flat)
    assert watch.activations["layers.0"][0].shape == (5 * 8,)
    assert (watch.activations["layers.0"][0] >= 0).all()  # after its ReLU


@pytest.mark.parametrize("options", [{"compile": True}, {"compile": False}, {"accumulate": 2}])
def test_watching_changes_nothing(options):
    plain, watched = model(), fitted(LayerWatch(X), **options)
    plain.fit(X, Y, epochs=3, seed=0, verbose=False, **options)
    for a, b in zip(plain.network.parameters(), watched.network.parameters(), strict=True):
        np.testing.assert_array_equal(a.data, b.data)
    assert watched.network.training == plain.network.training


def test_large_arrays_are_sampled_and_a_new_run_begins_anew():
    watch = LayerWatch(most=7)
    trained = fitted(watch, epochs=2)
    assert watch.weights["layers.0.weight"][0].shape == (7,)
    assert watch.activations == {}
    trained.fit(X, Y, epochs=1, verbose=False, callbacks=[watch])
    assert len(watch.weights["layers.0.weight"]) == 1


@pytest.mark.parametrize("most", [0, 1.5, True])
def test_at_least_one_value_is_kept(most):
    with pytest.raises(ValueError, match="most: expected at least 1"):
        LayerWatch(most=most)


def test_a_panel_a_layer_with_an_epoch_a_column():
    values = {"a": [RNG.normal(size=500) + e for e in range(4)], "b$": [np.arange(9.0)] * 4}
    figure = layer_histograms(values, "weight")
    first, second = figure.axes
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["a", r"b\$"]
    assert first.get_ylabel() == "weight"
    picture = np.asarray(first.images[0].get_array())
    assert picture.shape[1] == 4
    middles = picture.argmax(axis=0)
    assert (np.diff(middles) > 0).all()  # the values rise from epoch to epoch
    np.testing.assert_allclose(first.lines[1].get_ydata(), [np.median(one) for one in values["a"]])
    assert list(second.lines[1].get_ydata()) == [4.0] * 4


@pytest.mark.parametrize(
    "epochs",
    [[np.zeros(5)], [np.zeros(5)] * 3, [np.array([np.nan, 1.0, 2.0])], [np.full(3, np.inf)] * 2,
     [np.full(4, 1e-30)], [np.array([1e30, -1e30])]],
)  # fmt: skip
def test_values_that_are_alike_or_not_finite_can_be_drawn(epochs):
    layer_histograms({"a": epochs}).draw_without_rendering()


@pytest.mark.parametrize("layers", [1, 2, 3, 4, 7])
def test_every_number_of_layers_fits(layers):
    figure = layer_histograms(
        {"layers.0.long.path.of.it." * 3 + str(i): [np.arange(5.0)] for i in range(layers)}
    )
    assert len(figure.axes) == layers
    assert_nothing_is_cut_off(figure)


@pytest.mark.parametrize("values", [{}, {"a": []}, {"a": [np.zeros(0)]}])
def test_histograms_want_values(values):
    with pytest.raises(ValueError, match="values: expected at least one array"):
        layer_histograms(values)


def test_bars_end_at_the_root_mean_square():
    gradients = {"a": np.array([3.0, -4.0]), "b": np.full(3, 1e-3)}
    figure = gradient_flow(gradients)
    ends = [bar.get_x() + bar.get_width() for bar in figure.axes[0].patches]
    np.testing.assert_allclose(ends, [math.sqrt(12.5), 1e-3])
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xdata(), [4.0, 1e-3])
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["a", "b"]
    assert figure.axes[0].get_xscale() == "log"
    assert legend_texts(figure) == ["root mean square", "largest element"]


def test_only_powers_of_ten_are_named_on_a_short_scale():
    figure = gradient_flow({"a": np.full(3, 4e-3), "b": np.array([2e-3, 5e-2])})
    figure.draw_without_rendering()
    axis = figure.axes[0].xaxis
    assert not any(label.get_text() for label in axis.get_ticklabels(minor=True))
    low, high = figure.axes[0].get_xlim()
    assert sum(low <= place <= high for place in axis.get_majorticklocs()) >= 2


def test_gradients_of_a_network_and_those_that_are_missing():
    net = nn.Sequential(nn.Dense(3, 4, "tanh"), nn.Dense(4, 1), rng=0)
    with pytest.raises(ValueError, match=r"call loss\.backward"):
        gradient_flow(net)
    net(X).sum().backward()
    drawn = {t.get_text() for t in gradient_flow(net).axes[0].get_yticklabels()}
    assert drawn == set(net.named_parameters())


def test_gradients_of_a_model_are_those_of_its_loss():
    trained = fitted(LayerWatch(), epochs=1)
    drawn = gradient_flow(trained, X, Y)
    net = trained.network.train()
    net[1].rate = 0.0  # type: ignore[attr-defined]
    found = trained.gradients(X, Y)
    net.zero_grad()
    trained.loss(net(X), Y).backward()
    assert [t.get_text() for t in drawn.axes[0].get_yticklabels()] == list(found)
    for path, parameter in net.named_parameters().items():
        np.testing.assert_allclose(found[path], parameter.grad, rtol=1e-5, atol=1e-8)
    first, *_ = layer_statistics(trained, X, Y)
    squares = sum((found[f"layers.0.{name}"] ** 2).sum() for name in ("weight", "bias"))
    assert first.gradients == pytest.approx(math.sqrt(squares / 32), rel=1e-5)


def test_a_network_has_no_loss_to_differentiate():
    net = model().network
    for picture in (gradient_flow, layer_statistics):
        with pytest.raises(TypeError, match=r"expected a train\.Model beside y, got Sequential"):
            picture(net, X, Y)


def test_gradients_of_zero_or_nan_are_named():
    figure = gradient_flow({"a": np.zeros(3), "b": np.array([np.nan]), "c": np.ones(2)})
    assert {"0 everywhere", "not finite"} <= set(texts(figure))
    assert len(figure.axes[0].patches) == 1
    gradient_flow({"a": np.zeros(3)}).draw_without_rendering()


@pytest.mark.parametrize("layers", [1, 3, 40])
def test_every_number_of_gradients_fits(layers):
    assert_nothing_is_cut_off(
        gradient_flow({f"layers.{i}.weight": np.ones(2) for i in range(layers)})
    )


def test_statistics_in_numbers():
    net = nn.Sequential(nn.Dense(2, 3, "relu"), nn.Flatten())
    net[0].weight.data = np.array([[1, -1, 0], [0, 0, 0]], np.float32)  # type: ignore[attr-defined]
    first, second = layer_statistics(net, [[1.0, 0.0], [3.0, 0.0]])
    assert (first.path, first.layer, second.layer) == ("layers.0", "Dense", "Flatten")
    assert first.mean == pytest.approx(4 / 6)
    assert first.zeros == pytest.approx(4 / 6)
    assert first.dead == pytest.approx(2 / 3)
    assert first.weights == pytest.approx(math.sqrt(2 / 9))
    assert math.isnan(first.gradients)
    assert math.isnan(second.weights)
    assert len(first.cells()) == len(first.HEADERS)
    assert first.cells()[-1] == ""


def test_the_rate_at_every_step():
    schedule = optim.schedules.WarmUp(10, optim.schedules.Cosine(1e-2, 90))
    line = learning_rate(schedule, 100).axes[0].lines[0]
    assert list(line.get_xdata()) == list(range(1, 101))
    np.testing.assert_allclose(line.get_ydata(), [float(schedule(s)) for s in range(1, 101)])


def test_schedules_side_by_side():
    figure = learning_rate({"a": lambda s: 1 / s, "b": lambda s: 0.5}, 30, log=True)
    assert legend_texts(figure) == ["a", "b"]
    first, second = figure.axes[0].lines
    assert first.get_linestyle() != second.get_linestyle()
    assert figure.axes[0].get_yscale() == "log"
    assert learning_rate(lambda s: 0.1, 1).axes[0].lines[0].get_marker() == "o"


@pytest.mark.parametrize(
    ("schedules", "steps", "error", "message"),
    [
        (0.1, 10, TypeError, "expected a schedule"),
        ({"a": 0.1}, 10, TypeError, "as 'a'"),
        ({}, 10, ValueError, "at least one schedule"),
        (lambda s: s, 0, ValueError, "one step"),
    ],
)
def test_bad_schedules_are_refused(schedules, steps, error, message):
    with pytest.raises(error, match=message):
        learning_rate(schedules, steps)


def test_a_logarithm_wants_a_positive_rate():
    with pytest.raises(ValueError, match="expected a positive rate somewhere"):
        learning_rate(lambda s: 0.0, 5, log=True)


def test_the_landscape_has_the_loss_of_the_model_in_the_middle():
    trained = model()
    before = trained.network.state()
    line = loss_landscape(trained, X, Y, dimensions=1, resolution=5).axes[0].lines[0]
    assert line.get_ydata()[2] == pytest.approx(trained.evaluate(X, Y)["loss"])
    assert len(line.get_xdata()) == 5
    figure = loss_landscape(trained, X, Y, resolution=4)
    assert_nothing_is_cut_off(figure)
    for path, tensor in trained.network.named_tensors().items():
        np.testing.assert_array_equal(tensor.data, before[path])


def test_the_landscape_of_a_square_is_a_parabola():
    class Weight(nn.Module):
        def __init__(self) -> None:
            self.w = Tensor(np.full((1, 1), 2.0, np.float32), requires_grad=True)

        def forward(self, x: Tensor) -> Tensor:
            return x * self.w

    trained = Model(Weight(), "mse")
    line = loss_landscape(trained, np.ones((1, 1)), np.zeros((1, 1)), dimensions=1).axes[0].lines[0]
    steps = np.asarray(line.get_xdata())
    signs = ((2 + 2 * steps) ** 2, (2 - 2 * steps) ** 2)  # the direction is as long as w itself
    assert any(np.allclose(line.get_ydata(), expected, rtol=1e-5, atol=1e-6) for expected in signs)


def test_the_landscape_is_left_as_it_was_after_an_error(monkeypatch):
    trained = model()
    before = [tensor.data for tensor in trained.network.parameters()]
    monkeypatch.setattr(trained, "evaluate", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        loss_landscape(trained, X, Y)
    assert all(a is t.data for a, t in zip(before, trained.network.parameters(), strict=True))


@pytest.mark.parametrize("options", [{"dimensions": 3}, {"resolution": 2}, {"span": 0.0}])
def test_bad_slices_are_refused(options):
    with pytest.raises(ValueError, match="expected dimensions of 1 or 2, a resolution"):
        loss_landscape(model(), X, Y, **options)
