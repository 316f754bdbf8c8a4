"""The backward pass by hand agrees with autograd, is independent of it, and says what it shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pellucid
from pellucid import nn, optim, train
from pellucid.errors import ShapeError
from pellucid.explain import BackwardReport, chain, explain_backward, losses

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(5, 4))
IMAGES = RNG.normal(size=(2, 6, 5, 3))
SEQUENCE = RNG.normal(size=(2, 7, 3))

CASES: dict[str, tuple[nn.Module, Any]] = {
    "dense": (nn.Dense(4, 3, rng=0), ROWS),
    "dense without bias": (nn.Dense(4, 3, bias=False, rng=0), ROWS),
    "dense of sequences": (nn.Dense(3, 2, "tanh", rng=0), SEQUENCE),
    "embedding": (nn.Embedding(6, 3, padding_idx=0, rng=0), np.array([[1, 5, 1], [0, 2, 1]])),
    "flatten": (nn.Flatten(), IMAGES),
    "dropout": (nn.Dropout(0.4, rng=0), np.where(ROWS > 1, 0.0, ROWS)),
    "dropout in evaluation": (nn.Dropout(0.4, rng=0).eval(), ROWS),
    "batch norm": (nn.BatchNorm1D(4), ROWS),
    "batch norm of sequences": (nn.BatchNorm1D(3), SEQUENCE),
    "batch norm of images": (nn.BatchNorm2D(3, affine=False), IMAGES),
    "batch norm in evaluation": (nn.BatchNorm1D(4).eval(), ROWS),
    "layer norm": (nn.LayerNorm(4), ROWS),
    "layer norm over two axes": (nn.LayerNorm((5, 3)), IMAGES),
    "rms norm": (nn.RMSNorm(4), ROWS),
    "conv": (nn.Conv2D(3, 4, 3, rng=0), IMAGES),
    "conv, stride and padding": (nn.Conv2D(3, 4, 3, "relu", stride=2, padding="same"), IMAGES),
    "conv, dilation": (nn.Conv2D(3, 2, 2, dilation=2, padding=((1, 0), (2, 1)), rng=0), IMAGES),
    "conv without bias": (nn.Conv2D(3, 2, (1, 2), bias=False, rng=0), IMAGES),
    "conv of sequences": (nn.Conv1D(3, 4, 3, stride=2, padding=1, rng=0), SEQUENCE),
    "max pool": (nn.MaxPool2D(2), IMAGES),
    "max pool that overlaps": (nn.MaxPool2D(3, stride=1, padding="same"), IMAGES),
    "max pool with ties": (nn.MaxPool2D(2), np.ones((1, 4, 4, 2))),
    "average pool": (nn.AvgPool2D(2), IMAGES),
    "average pool, padded": (nn.AvgPool2D(3, stride=2, padding=1), IMAGES),
    "average pool, padding counted": (
        nn.AvgPool2D(3, stride=2, padding=1, count_include_pad=True), IMAGES,
    ),
    "pool of sequences": (nn.MaxPool1D(2), SEQUENCE),
    "average pool of sequences": (nn.AvgPool1D(3, padding=1), SEQUENCE),
    "global average": (nn.GlobalAvgPool2D(), IMAGES),
    "global average, axes kept": (nn.GlobalAvgPool1D(keepdims=True), SEQUENCE),
    **{name: (kind(), 2 * ROWS) for name, kind in nn.ACTIVATIONS.items()},
    "residual": (nn.Residual(nn.Dense(4, 6, "relu"), nn.Dense(6, 4), rng=0), ROWS),
    "residual with a shortcut": (
        nn.Residual(nn.LayerNorm(4), nn.Dense(4, 3, "tanh"), shortcut=nn.Dense(4, 3), rng=0), ROWS,
    ),
    "residual in a residual": (
        nn.Residual(nn.Dense(4, 4), nn.Residual(nn.Dense(4, 4, "tanh")), nn.Tanh(), rng=0), ROWS,
    ),
    "gelu by tanh": (nn.GELU(approximate=True), 2 * ROWS),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_kind_agrees_with_autograd(name: str) -> None:
    layer, x = CASES[name]
    state = layer.state()
    shape = explain_backward(layer, x).steps[0].gradients[0].by_hand.shape
    report = explain_backward(layer, x, np.random.default_rng(1).normal(size=shape))
    assert report.ok, report
    assert all(np.array_equal(layer.state()[path], state[path]) for path in state)
    compared = {g.name for step in report.steps for g in step.gradients}
    assert set(layer.named_parameters()) <= compared
    assert name == "embedding" or any(
        g.symbol == "dX" or g.symbol == "dZ" for g in compared_of(report)
    )


def compared_of(report: BackwardReport) -> list[Any]:
    return [g for step in report.steps[1:] for g in step.gradients if not g.name]


def test_every_rule_has_a_case() -> None:
    kinds = {type(layer) for layer, _ in CASES.values()}
    assert kinds >= set(chain.RULES)


@pytest.mark.parametrize(
    ("loss", "x", "y"),
    [
        (nn.MSELoss(), ROWS, ROWS + 1),
        (nn.MAELoss(), ROWS, ROWS[::-1].copy()),
        (nn.HuberLoss(0.7), ROWS, ROWS[::-1].copy()),
        (nn.BCELoss(), ROWS, (ROWS > 0.3).astype(float)),
        (nn.CrossEntropyLoss(), ROWS, [0, 3, 1, 1, 2]),
        (nn.CrossEntropyLoss(), ROWS, np.full((5, 4), 0.25)),
        (nn.CrossEntropyLoss(), SEQUENCE, np.arange(14).reshape(2, 7) % 3),
        (nn.CrossEntropyLoss(0.2), ROWS, [0, 3, 1, 1, 2]),
        (nn.CrossEntropyLoss(0.1, [1.0, 2.0, 0.5, 3.0]), ROWS, [0, 3, 1, 1, 2]),
    ],
)
def test_each_loss_agrees_with_autograd(loss: nn.Loss, x: Any, y: Any) -> None:
    report = explain_backward(nn.Linear(), x, y, loss=loss)
    assert report.ok, report
    assert report.loss == pytest.approx(loss(x, np.asarray(y)).item(), rel=1e-6)


def test_every_loss_rule_is_tried() -> None:
    assert set(losses.RULES) == {
        nn.MSELoss, nn.MAELoss, nn.HuberLoss, nn.BCELoss, nn.CrossEntropyLoss,
    }  # fmt: skip


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2D(3, 4, 3, "relu", padding="same"), nn.BatchNorm2D(4), nn.MaxPool2D(2),
        nn.Sequential(nn.Flatten(), nn.Dropout(0.3)), nn.Dense(24, 8), pellucid.tanh,
        nn.Dense(8, 3, "softmax"), rng=0,
    )  # fmt: skip


def test_a_whole_model_layer_by_layer() -> None:
    model = train.Model(network(), "cross_entropy", optim.Adam())
    before = {path: t.data for path, t in model.network.named_tensors().items()}
    report = pellucid.explain_backward(model, IMAGES, [0, 2])
    assert report.ok, report
    assert [step.path for step in report.steps] == [
        "loss", "layers.6", "layers.5", "layers.4", "layers.3.layers.1", "layers.3.layers.0",
        "layers.2", "layers.1", "layers.0.activation", "layers.0",
    ]  # fmt: skip
    assert set(report.gradients) == set(model.network.named_parameters())
    assert all(t.data is before[path] for path, t in model.network.named_tensors().items())
    assert all(p.grad is None for p in model.network.parameters())


def test_the_page_has_equations_shapes_numbers_and_differences() -> None:
    page = str(explain_backward(nn.Dense(2, 1, "tanh", rng=0), [[1.0, 2.0]], [[1.0]], loss="mse"))
    for text in (
        "dW = X^T dZ", "db = sum over rows of dZ", "dX = dZ W^T", "dZ = dA * (1 - A^2)",
        "X (1, 2)   W (2, 1)   b (1,)   Z (1, 1)", "dP = 2 (P - Y) / (examples * outputs)",
        "by hand", "autograd", "difference", "by hand and autograd agree",
    ):  # fmt: skip
        assert text in page


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.sampled_from(["relu", "tanh", "sigmoid", "gelu", "silu", "elu"]),
    st.integers(0, 2**16),
)
def test_any_dense_network(widths: list[int], activation: str, seed: int) -> None:
    sizes = [3, *widths]
    layers = [nn.Dense(a, b, activation) for a, b in zip(sizes, widths, strict=False)]
    net = nn.Sequential(*layers, rng=seed)
    x = np.random.default_rng(seed).normal(size=(4, 3))
    assert explain_backward(net, x, np.ones((4, widths[-1])), loss="mse").ok


def test_a_notebook_shows_it_escaped() -> None:
    report = explain_backward(nn.Sequential(nn.Dense(4, 3, "relu"), rng=0), ROWS)
    html = report._repr_html_()
    assert html.count("<table>") == len(report.steps)
    assert "max(Z, 0)" in html
    assert "where Z &gt; 0" in html
    assert "by hand and autograd agree" in html


def test_a_wrong_gradient_of_autograd_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def slope(xp: Any, g: Any, out: Any, x: Any) -> Any:
        return (g * (1 - out),)

    monkeypatch.setattr(pellucid.ops.elementwise.Tanh, "vjp", staticmethod(slope))
    report = explain_backward(nn.Sequential(nn.Dense(4, 3), nn.Tanh(), rng=0), ROWS)
    assert not report.ok
    assert "WRONG" in str(report)
    assert "DO NOT AGREE" in str(report)


class Doubled(nn.Dense):
    def preactivation(self, x: Any) -> Any:
        return 2 * super().preactivation(x)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.LSTM(3, 4), "got LSTM at layers.1; recurrent layers, attention and"),
        (nn.TransformerBlock(8, 2), "got TransformerBlock at layers.1; recurrent layers"),
        (Doubled(3, 4), "got Doubled at layers.1; .* and modules of your own are not"),
        (nn.Conv1D(4, 4, 1, groups=2), "groups=1, .* got groups=2 in Conv1D at layers.1"),
    ],
)
def test_an_unknown_kind_is_named(layer: nn.Module, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        explain_backward(nn.Sequential(nn.Dense(3, 3), layer), SEQUENCE)


def test_a_layer_that_is_used_twice_is_refused() -> None:
    layer = nn.Dense(4, 4)
    with pytest.raises(TypeError, match=r"one that layers\.0 and layers\.2 share"):
        explain_backward(nn.Sequential(layer, nn.Tanh(), layer), ROWS)
    with pytest.raises(TypeError, match=r"one that layers\.1\.layers\.0 and .*\.1 share"):
        explain_backward(nn.Sequential(nn.Tanh(), nn.Residual(layer, layer)), ROWS)
    tied = nn.Dense(4, 4)
    tied.weight = layer.weight
    with pytest.raises(TypeError, match=r"one that layers\.0 and layers\.1 share"):
        explain_backward(nn.Sequential(layer, tied), ROWS)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(TypeError, match=r"one of MSELoss, .* got LogCoshLoss"):
        explain_backward(nn.Dense(4, 3), ROWS, ROWS[:, :3], loss="log_cosh")
    loss = nn.CrossEntropyLoss(from_logits=False)
    with pytest.raises(TypeError, match=r"got CrossEntropyLoss\(from_logits=False\)"):
        explain_backward(nn.Dense(4, 3, "softmax"), ROWS, [0] * 5, loss=loss)
    with pytest.raises(ValueError, match="expected y, the targets for MSELoss, got None"):
        explain_backward(nn.Dense(4, 3), ROWS, loss="mse")
    with pytest.raises(ShapeError, match=r"expected y in the output's shape \(5, 3\), .*loss="):
        explain_backward(nn.Dense(4, 3), ROWS, [1, 2, 0, 1, 2])
    with pytest.raises(TypeError, match=r"expected a train\.Model or an nn\.Module"):
        explain_backward(np.tanh, ROWS)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=r"layers.0 \(Dense\): expected input of shape"):
        explain_backward(nn.Sequential(nn.Dense(3, 3)), ROWS)
