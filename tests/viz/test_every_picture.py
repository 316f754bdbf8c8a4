"""What holds for every picture: its own look, whatever is set elsewhere; axes that are given."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

from pellucid import nn, viz
from pellucid.train import Model
from viz.pictures import assert_nothing_is_cut_off

RNG = np.random.default_rng(0)
Y, P = RNG.integers(0, 3, 30), RNG.dirichlet(np.ones(3), 30)
X = RNG.normal(size=(30, 2)).astype(np.float32)
MODEL = Model(nn.Sequential(nn.Dense(2, 3), rng=0), "cross_entropy")
STEPS = np.arange(30.0)

PICTURES = {
    "training_curves": lambda **to: viz.training_curves({"loss": [1.0, 0.5]}, **to),
    "learning_rate": lambda **to: viz.learning_rate(lambda s: 1 / s, 30, **to),
    "loss_landscape": lambda **to: viz.loss_landscape(MODEL, X, Y, resolution=5, **to),
    "confusion_matrix": lambda **to: viz.confusion_matrix(Y, P.argmax(1), **to),
    "predictions": lambda **to: viz.predictions(RNG.random((30, 3, 3)), Y, P, count=4, **to),
    "roc_curve": lambda **to: viz.roc_curve(Y, P, **to),
    "precision_recall_curve": lambda **to: viz.precision_recall_curve(Y, P, **to),
    "calibration_curve": lambda **to: viz.calibration_curve(Y, P, **to),
    "regression_fit": lambda **to: viz.regression_fit(X, STEPS, STEPS + 1, **to),
    "decision_boundary": lambda **to: viz.decision_boundary(MODEL, X, Y, resolution=20, **to),
    "regression_surface": lambda **to: viz.regression_surface(
        lambda p: p[:, 0], X, STEPS, resolution=20, **to
    ),
    "weight_images": lambda **to: viz.weight_images(np.eye(4), (2, 2), **to),
    "feature_maps": lambda **to: viz.feature_maps(np.ones((3, 3, 2)), **to),
    "state_maps": lambda **to: viz.state_maps(X, **to),
    "attention_maps": lambda **to: viz.attention_maps(np.full((2, 3, 3), 1 / 3), **to),
    "layer_histograms": lambda **to: viz.layer_histograms({"a": [STEPS] * 3}, **to),
    "gradient_flow": lambda **to: viz.gradient_flow({"a": STEPS, "b": 1e-3 * STEPS}, **to),
}
STRANGE = {
    "axes.facecolor": "black", "axes.grid": True, "figure.facecolor": "red", "lines.linewidth": 9,
    "image.cmap": "hot", "axes.spines.top": False, "font.size": 20, "text.color": "red",
    "axes.labelcolor": "red", "xtick.color": "red", "ytick.color": "red",
}  # fmt: skip


def test_every_picture_is_here():
    others = {"BoundaryFilm", "GraphDrawing", "LayerStatistics", "LayerWatch", "draw_graph",
              "layer_statistics", "run_report", "save"}  # fmt: skip
    assert set(PICTURES) == set(viz.__all__) - others


@pytest.mark.parametrize("name", PICTURES)
def test_the_settings_of_the_user_do_not_change_it(name):
    if name == "predictions":  # draws new images each time
        return
    plain = PICTURES[name]()._repr_png_()
    with mpl.rc_context(STRANGE):
        assert PICTURES[name]()._repr_png_() == plain


@pytest.mark.parametrize("name", PICTURES)
def test_it_is_drawn_within_the_axes_given(name, axes):
    figure = PICTURES[name](ax=axes)
    assert figure is axes.figure
    assert_nothing_is_cut_off(figure)
    left = figure.axes[0].get_position()
    assert all(added.get_position().x0 > left.x0 for added in figure.axes[1:])
