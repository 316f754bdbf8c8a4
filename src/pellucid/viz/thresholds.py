"""How good scores and probabilities are, whatever threshold turns them into answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.figures import style
from pellucid.train import metrics
from pellucid.viz import checks

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

_NAME_LENGTH = 14  # characters, past which a class name is cut
_DASHES = ("-", "--", "-.", ":")


def roc_curve(
    y_true: ArrayLike,
    y_score: ArrayLike,
    class_names: Sequence[str] | None = None,
    *,
    ax: Axes | None = None,
) -> Figure:
    """Draw the share of positives found against the share of negatives taken for such.

    `y_true` (N,) holds 0 or 1 with `y_score` (N,), (N, 1) or (N, 2), one curve for class 1; or
    labels 0 to C - 1 with (N, C), one curve a class against all others. Scores may be
    probabilities or logits. The area under each curve stands in the legend; chance lies on the
    diagonal.

    Raises:
        TypeError: labels that are not integers.
        ValueError: shapes that do not fit together, NaN scores, or a class that never or always
            occurs.
        ImportError: matplotlib is not installed.

    >>> from pellucid import viz
    >>> figure = viz.roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['AUC 0.750', 'chance']
    """
    curves = _one_against_rest(y_true, y_score, class_names)
    drawn = []
    for name, positive, scores in curves:
        curve = metrics.roc_curve(positive, scores)
        drawn.append((f"{name}AUC {metrics.roc_auc(positive, scores):.3f}", curve.fpr, curve.tpr))
    figure, [axes] = style.panels(ax, 1, 1, 5.2, _height(len(drawn) + 1))
    style.dress(axes, "False positive rate", "True positive rate")
    entries = _draw_curves(axes, drawn, steps="default")
    (chance,) = axes.plot([0, 1], [0, 1], ":", color=style.MUTED, linewidth=1.2, zorder=1)
    _frame(axes, [*entries, ("chance", chance)])
    return figure


def precision_recall_curve(
    y_true: ArrayLike,
    y_score: ArrayLike,
    class_names: Sequence[str] | None = None,
    *,
    ax: Axes | None = None,
) -> Figure:
    """Draw precision against recall, for class 1 or for each class against all others.

    Takes what `roc_curve` takes. Each legend entry tells the average precision; for two classes a
    dotted line lies at the share of positives, the precision of guessing.

    Raises:
        TypeError: labels that are not integers.
        ValueError: shapes that do not fit together, NaN scores, or a class that never occurs.
        ImportError: matplotlib is not installed.

    >>> from pellucid import viz
    >>> figure = viz.precision_recall_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['AP 0.833', 'guessing (50.0% positive)']
    """
    curves = _one_against_rest(y_true, y_score, class_names)
    drawn = []
    for name, positive, scores in curves:
        curve = metrics.precision_recall_curve(positive, scores)
        mean = metrics.average_precision(positive, scores)
        drawn.append((f"{name}AP {mean:.3f}", curve.recall, curve.precision))
    figure, [axes] = style.panels(ax, 1, 1, 5.2, _height(len(drawn) + 1))
    style.dress(axes, "Recall", "Precision")
    entries = _draw_curves(axes, drawn, steps="steps-pre")
    if len(curves) == 1:
        share = float(np.mean(curves[0][1]))
        guess = axes.axhline(share, linestyle=":", color=style.MUTED, linewidth=1.2, zorder=1)
        entries.append((f"guessing ({style.percent(share)} positive)", guess))
    _frame(axes, entries)
    return figure


def calibration_curve(
    y_true: ArrayLike, probabilities: ArrayLike, bins: int = 10, *, ax: Axes | None = None
) -> Figure:
    """Draw how often predictions come true against how probable they were said to be.

    For two classes, `probabilities` (N,), (N, 1) or (N, 2), it is class 1; for more, (N, C), the
    predicted class and its probability. Predictions are put into `bins` of equal width; a point
    that is drawn larger stands for more rows, and bars below count them. Well calibrated
    probabilities lie on the diagonal, overconfident ones below. The legend tells the expected
    calibration error, sum_b n_b |observed_b - said_b| / N (Guo, Pleiss, Sun and Weinberger, "On
    calibration of modern neural networks", ICML 2017).

    Raises:
        TypeError: labels that are not integers.
        ValueError: numbers that are no probabilities, labels outside the classes, or no bins.
        ImportError: matplotlib is not installed.

    >>> from pellucid import viz
    >>> figure = viz.calibration_curve([1, 0, 1, 1], [0.6, 0.6, 0.9, 0.9], bins=5)
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()][0]
    'these probabilities, calibration error 0.100'
    """
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
        raise ValueError(f"bins: expected a whole number of at least 1, got {bins!r}; try 10")
    rows = len(np.asarray(y_true))
    chances = checks.as_probabilities(probabilities, rows, "probabilities")  # (N, C)
    labels = checks.as_class_labels(y_true, rows, chances.shape[1], "y_true")
    if chances.shape[1] == 2:
        said, true, what = chances[:, 1], labels == 1, "Probability of class 1"
    else:
        said, true = chances.max(axis=1), chances.argmax(axis=1) == labels
        what = "Probability of the predicted class"
    where = np.minimum((said.clip(0.0, 1.0) * bins).astype(int), bins - 1)
    counts = np.bincount(where, minlength=bins)
    filled = counts > 0
    mean_said = np.bincount(where, said, bins)[filled] / counts[filled]
    observed = np.bincount(where, true, bins)[filled] / counts[filled]
    error = float((counts[filled] * np.abs(observed - mean_said)).sum() / rows)
    figure, [axes] = style.panels(ax, 1, 1, 5.2, _height(3))
    style.dress(axes, what, "Share that came true" if chances.shape[1] == 2 else "Share right")
    (ideal,) = axes.plot([0, 1], [0, 1], ":", color=style.MUTED, linewidth=1.2, zorder=1)
    (line,) = axes.plot(mean_said, observed, "-", color=style.BLUE, linewidth=1.6)
    sizes = 20.0 + 120.0 * counts[filled] / counts.max()
    axes.scatter(mean_said, observed, s=sizes, color=style.BLUE, zorder=3)
    edges = np.arange(bins) / bins
    bars = axes.bar(
        edges, 0.15 * counts / counts.max(), 1 / bins, align="edge", color=style.GRID, zorder=0.5,
        edgecolor="white",
    )  # fmt: skip
    name = f"these probabilities, calibration error {error:.3f}"
    most = f"rows in each bin (highest: {counts.max():,})"
    _frame(axes, [(name, line), ("well calibrated", ideal), (most, bars.patches[0])])
    return figure


def _one_against_rest(
    y_true: ArrayLike, y_score: ArrayLike, class_names: Sequence[str] | None
) -> list[tuple[str, NDArray[np.int64], FloatArray]]:
    """Return for each curve its name, who is positive (N,) and the scores (N,)."""
    scores = np.asarray(y_score, dtype=np.float64)
    scores = scores[:, np.newaxis] if scores.ndim == 1 else scores
    labels = metrics.as_labels(y_true, "y_true")
    if scores.ndim != 2 or len(scores) != len(labels) or scores.shape[1] == 0:
        raise ValueError(
            f"y_score: expected one score a row, ({len(labels)},), or one a class, "
            f"({len(labels)}, C), got {np.shape(y_score)}; pass the scores of the rows of y_true"
        )
    classes = max(scores.shape[1], 2)
    labels = checks.as_class_labels(labels, len(scores), classes, "y_true")
    names = checks.as_class_names(class_names, classes)
    if classes == 2:
        return [("" if class_names is None else f"{_cut(names[1])}, ", labels, scores[:, -1])]
    return [
        (f"{_cut(name)}, ", (labels == c).astype(np.int64), scores[:, c])
        for c, name in enumerate(names)
    ]


def _cut(name: str) -> str:
    return style.shorten(name, _NAME_LENGTH)


def _height(entries: int) -> float:
    """Return the height in inches that leaves a square for the curves below the legend."""
    return 4.8 + 0.2 * math.ceil(entries / _columns(entries))


def _columns(entries: int) -> int:
    return 1 if entries <= 3 else 3


def _draw_curves(
    ax: Axes, curves: Sequence[tuple[str, FloatArray, FloatArray]], steps: str
) -> list[tuple[str, Artist]]:
    """Draw curves that differ in colour, dashes and markers, and return the legend's entries."""
    entries: list[tuple[str, Artist]] = []
    colours = style.class_colours(len(curves))
    for i, (name, x, y) in enumerate(curves):
        (line,) = ax.plot(
            x,
            y,
            linestyle=_DASHES[i % len(_DASHES)],
            color=colours[i],
            linewidth=1.8,
            drawstyle=steps,
            marker=style.CLASS_MARKERS[i % len(style.CLASS_MARKERS)] if len(curves) > 1 else "",
            markersize=4.5,
            markevery=0.12,
        )
        entries.append((name, line))
    return entries


def _frame(ax: Axes, entries: Sequence[tuple[str, Artist]]) -> None:
    """Give both axes the range of rates, and name what is drawn above them."""
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    style.legend_above(ax, entries, _columns(len(entries)))
