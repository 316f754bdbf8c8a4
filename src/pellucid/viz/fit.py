"""How well a regression meets the points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.figures import style
from pellucid.train import metrics

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

_SPREAD = 0.05  # of the range of the values, left free at both ends of the diagonal


def regression_fit(
    x: ArrayLike, y_true: ArrayLike, y_pred: ArrayLike, *, ax: Axes | None = None
) -> Figure:
    """Draw the predictions of one real number against the truth.

    With one input, `x` (N,) or (N, 1): the points (x, y_true), and y_pred as a line in the order
    of x. With more, (N, D): predicted against true, where a perfect fit lies on the diagonal,
    and beside it the residuals y_pred - y_true against the prediction, where it lies on zero.
    `y_true` and `y_pred` are both (N,) or both (N, 1). R2 and RMSE stand above.

    Raises:
        TypeError: the values are not real numbers.
        ValueError: shapes that do not fit together, more than one output, or no rows.
        ImportError: matplotlib is not installed.

    >>> from pellucid import viz
    >>> figure = viz.regression_fit([1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [3.0, 4.0, 5.0])
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['data', 'prediction, R² 0.750, RMSE 0.816']
    """
    inputs, true, pred = _checked(x, y_true, y_pred)  # (N, D), (N,), (N,)
    if inputs.shape[1] == 1:
        figure, [panel] = style.panels(ax, 1, 1, 5.8, 4.2)
        _draw_line(panel, inputs[:, 0], true, pred)
    else:
        figure, [left, right] = style.panels(ax, 1, 2, 9.2, 4.4)
        _draw_agreement(left, true, pred)
        _draw_residuals(right, true, pred)
    return figure


def _checked(
    x: ArrayLike, y_true: ArrayLike, y_pred: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the inputs as float64 (N, D), truth and prediction as float64 (N,)."""
    metrics.mse(y_true, y_pred)  # refuses values that are no numbers, and shapes that differ
    true, pred = (np.asarray(values, dtype=np.float64) for values in (y_true, y_pred))
    if true.size != len(true):
        raise ValueError(
            f"y_true: expected one output, shape (n,) or (n, 1), got {true.shape}; "
            "draw one output at a time, y_true[:, 0] and y_pred[:, 0]"
        )
    inputs = np.asarray(x, dtype=np.float64)
    if inputs.ndim not in (1, 2) or len(inputs) != len(true) or inputs.size == 0:
        raise ValueError(
            f"x: expected inputs of shape ({len(true)},) or ({len(true)}, features), got "
            f"{inputs.shape}; pass the same rows as y_true, flattened to one row a sample"
        )
    return inputs.reshape(len(true), -1), true.reshape(-1), pred.reshape(-1)


def _scores(true: FloatArray, pred: FloatArray) -> str:
    r2 = metrics.r2(true, pred)  # as low as it likes, where training has diverged
    return f"R² {r2:.{'3f' if abs(r2) < 1000 else '3g'}}, RMSE {metrics.rmse(true, pred):.3g}"


def _draw_points(ax: Axes, x: FloatArray, y: FloatArray) -> Artist:
    return ax.scatter(x, y, s=18, color=style.BLUE, alpha=0.65, linewidths=0.0)


def _draw_line(ax: Axes, x: FloatArray, true: FloatArray, pred: FloatArray) -> None:
    """Draw the points and the predictions as a line from left to right."""
    style.dress(ax, "x", "y")
    points = _draw_points(ax, x, true)
    order = np.argsort(x, kind="stable")
    marker = "s" if len(x) == 1 else ""  # one point makes no line
    (line,) = ax.plot(
        x[order], pred[order], color=style.VERMILLION, linewidth=2.0, marker=marker, zorder=3
    )
    named = [("data", points), (f"prediction, {_scores(true, pred)}", line)]
    style.legend_above(ax, named, columns=1)


def _draw_agreement(ax: Axes, true: FloatArray, pred: FloatArray) -> None:
    """Draw predicted against true, with the diagonal that a perfect fit lies on."""
    style.dress(ax, "True value", "Predicted value")
    points = _draw_points(ax, true, pred)
    both = np.concatenate([true, pred])
    both = both[np.isfinite(both)]
    low, high = (both.min(), both.max()) if len(both) else (0.0, 1.0)
    margin = _SPREAD * (high - low) or 0.5
    ends = (low - margin, high + margin)
    (line,) = ax.plot(ends, ends, "--", color=style.VERMILLION, linewidth=1.6, zorder=1)
    ax.set(xlim=ends, ylim=ends, aspect="equal")
    named = [(f"prediction, {_scores(true, pred)}", points), ("perfect fit", line)]
    style.legend_above(ax, named, columns=1)


def _draw_residuals(ax: Axes, true: FloatArray, pred: FloatArray) -> None:
    """Draw the residuals against the prediction, around the line of zero."""
    style.dress(ax, "Predicted value", "Residual (predicted - true)")
    with np.errstate(invalid="ignore"):  # infinity minus infinity is not drawn
        _draw_points(ax, pred, pred - true)
    ax.axhline(0.0, linestyle="--", color=style.VERMILLION, linewidth=1.6, zorder=1)
