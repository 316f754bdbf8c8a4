"""The pictures of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pellucid import viz
from pellucid.cli.console import note
from pellucid.cli.learn import Outcome, numbers_may_overflow
from pellucid.cli.output import Folder
from pellucid.cli.source import Source
from pellucid.figures import style
from pellucid.train import Model
from pellucid.train.native import Compile

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = 16  # sample images
_CURVE = 400  # points of the curve of a fit
_CAPTIONS = {
    "training_curves.png": "Loss and metrics by epoch",
    "confusion_matrix.png": "Confusion matrix of the test",
    "predictions.png": "The surest mistakes, then right answers",
    "decision_boundary.png": "What the network answers everywhere",
    "regression_fit.png": "Predictions of the test",
    "comparison.png": "Training loss by epoch, beside the other library's",
}
_INSTALL = "pip install 'pellucid[viz]'"


def draw(
    folder: Folder, model: Model, source: Source, outcome: Outcome, choice: Compile
) -> dict[str, Figure]:
    """Write every picture that the run has data for, and return them by caption.

    A picture that cannot be drawn is left out. ``choice`` is whether the model uses compiled code.
    """
    try:
        import matplotlib.figure  # noqa: F401 - to see whether it is there
    except ImportError:
        note(f"no pictures: expected matplotlib to draw with, got none; install it: {_INSTALL}")
        return {}
    figures = {}
    for name, make in _pictures(model, source, outcome, choice).items():
        try:
            with numbers_may_overflow():
                figure = make()
        except ValueError as error:  # a diverged network has no probabilities to draw
            note(f"no {name}: {error}")
            continue
        folder.write(name, lambda path, figure=figure: viz.save(figure, path))  # type: ignore[misc]
        figures[_CAPTIONS[name]] = figure
    return figures


def draw_losses(folder: Folder, losses: Mapping[str, Sequence[float]]) -> dict[str, Figure]:
    """Write the picture of the training losses of several libraries; return it by caption."""
    from matplotlib.ticker import MaxNLocator

    figure, (ax,) = style.panels(None, 1, 1, 4.4, 3.3)
    style.dress(ax, "Epoch", "Loss")
    ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    looks = ((style.BLUE, "-"), (style.VERMILLION, "--"))
    lines = {}
    for (library, values), (colour, dashes) in zip(losses.items(), looks, strict=True):
        epochs = range(1, len(values) + 1)
        marker = "o" if len(values) == 1 else ""  # no line would show it
        (lines[library],) = ax.plot(epochs, values, dashes, color=colour, marker=marker)
    style.legend_above(figure, list(lines.items()), 2)
    folder.write("comparison.png", lambda path: viz.save(figure, path))
    return {_CAPTIONS["comparison.png"]: figure}


def _pictures(
    model: Model, source: Source, outcome: Outcome, choice: Compile
) -> dict[str, Callable[[], Figure]]:
    """Return how to draw each picture there is to draw, by the name of its file."""
    test = source.test
    pictures: dict[str, Callable[[], Figure]] = {}
    if outcome.history.epochs:
        pictures["training_curves.png"] = lambda: viz.training_curves(outcome.history)
    if outcome.probabilities is None:
        if test.y.shape[1] == 1:
            pictures["regression_fit.png"] = lambda: _fit(model, source, outcome, choice)
        return pictures
    pictures["confusion_matrix.png"] = lambda: viz.confusion_matrix(
        test.y, outcome.predicted, test.class_names
    )
    if test.image_shape is not None:
        pictures["predictions.png"] = lambda: _samples(source, outcome)
    if test.x.shape[1:] == (2,):
        pictures["decision_boundary.png"] = lambda: _boundary(model, source, choice)
    return pictures


def _fit(model: Model, source: Source, outcome: Outcome, choice: Compile) -> Figure:
    """Draw predictions and truth; for one input the whole curve, not the test rows joined up."""
    test = source.test
    figure = viz.regression_fit(test.x, test.y, outcome.predicted)
    if test.x.shape[1] == 1:
        ends = (min(source.train.x.min(), test.x.min()), max(source.train.x.max(), test.x.max()))
        x = np.linspace(*ends, _CURVE, dtype=np.float32)[:, None]  # (points, 1)
        curve = source.restored(model.predict(source.inputs(x), compile=choice))  # (points, 1)
        axes = figure.axes[0]
        axes.lines[0].set_data(x[:, 0], curve[:, 0])
        axes.relim()
        axes.autoscale_view()
        axes.set_xlabel(style.plain((*test.feature_names, "x")[0]))
    return figure


def _samples(source: Source, outcome: Outcome) -> Figure:
    """Draw the surest mistakes, at most half of the pictures, and right answers."""
    test, chances = source.test, outcome.probabilities
    if chances is None:
        raise ValueError("expected probabilities to draw, got none; classify first")
    right = outcome.predicted == test.y  # (N,)
    wrong = np.flatnonzero(~right)
    wrong = wrong[np.argsort(-chances[wrong].max(axis=1), kind="stable")][: _SHOWN // 2]
    rows = np.concatenate([wrong, np.flatnonzero(right)[: _SHOWN - len(wrong)]])
    return viz.predictions(
        test.x[rows], test.y[rows], chances[rows], test.class_names, test.image_shape, len(rows)
    )


def _boundary(model: Model, source: Source, choice: Compile) -> Figure:
    """Draw what the network answers everywhere in the plane, and all points of the data set."""

    def predict(points: NDArray[np.float32]) -> NDArray[np.float32]:
        answers: NDArray[np.float32] = model.predict_proba(source.inputs(points), compile=choice)
        return answers

    parts = [source.train, source.validation, None if source.tests_training_rows else source.test]
    given = [part for part in parts if part is not None]
    x, y = (np.concatenate([getattr(part, name) for part in given]) for name in ("x", "y"))
    figure = viz.decision_boundary(predict, x, y, source.train.class_names)
    if source.train.feature_names:
        first, second = map(style.plain, source.train.feature_names)
        figure.axes[0].set(xlabel=first, ylabel=second)
    return figure
