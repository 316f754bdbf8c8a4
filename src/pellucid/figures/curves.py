"""How training went, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.figures import style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

_VALIDATION = "val_"
_TITLES = {
    "lr": "Learning rate",
    "mae": "MAE",
    "mse": "MSE",
    "rmse": "RMSE",
    "r2": "R²",
    "f1": "F1",
}
_MOST_MARKERS = 25  # along a line; past that, every second or third epoch has one
_WIDE_RANGE = 30.0  # largest over smallest learning rate that a linear axis can show


def training_curves(history: Mapping[str, ArrayLike], *, ax: Axes | None = None) -> Figure:
    """Draw each metric of a training history against the epoch, one panel a metric.

    `history` maps a name to one number an epoch. "val_loss" is drawn in the panel of "loss", and
    so on; every other name, "lr" among them, has a panel of its own. The epoch of the lowest
    finite "val_loss" is marked in every panel. Epochs whose value is NaN or infinite leave a gap
    in the line and a cross at the foot of the panel. With `ax`, several panels share its place.

    Raises:
        ValueError: an empty history, lists of different lengths, or values that are no numbers.
        ImportError: matplotlib is not installed.

    >>> from pellucid import viz
    >>> history = {"loss": [1.0, 0.5, 0.4], "val_loss": [1.1, 0.6, 0.7]}
    >>> figure = viz.training_curves(history)
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['training', 'validation', 'best epoch (2)']
    """
    curves = _checked(history)
    names = list(dict.fromkeys(name.removeprefix(_VALIDATION) for name in curves))
    best = _best_epoch(curves)
    columns = len(names) if len(names) <= 3 else math.ceil(len(names) / math.ceil(len(names) / 3))
    rows = math.ceil(len(names) / columns)
    figure, axes = style.panels(ax, rows, columns, 4.4 * columns, 3.3 * rows)
    drawn: dict[str, Artist] = {}
    for panel, name in zip(axes, names, strict=False):
        drawn |= _draw_metric(panel, name, curves.get(name), curves.get(_VALIDATION + name), best)
    for spare in axes[len(names) :]:
        spare.remove()
    if len(drawn) > 1 or "training" not in drawn:
        style.legend_above(axes[0] if ax else figure, list(drawn.items()), 2 if ax else 4)
    return figure


def _checked(history: Mapping[str, ArrayLike]) -> dict[str, FloatArray]:
    """Return the curves as float64 (epochs,) each, or refuse them."""
    curves = {name: np.asarray(values, dtype=np.float64) for name, values in history.items()}
    shapes = {name: values.shape for name, values in curves.items()}
    if not curves or any(len(shape) != 1 or shape[0] == 0 for shape in shapes.values()):
        raise ValueError(
            "history: expected at least one name with a list of one number an epoch, got shapes "
            f"{shapes}; train for an epoch or more before drawing"
        )
    if len(set(shapes.values())) > 1:
        raise ValueError(
            "history: expected lists of one length, got "
            f"{ {name: len(values) for name, values in curves.items()} }; "
            "put NaN where an epoch has no value"
        )
    return curves


def _best_epoch(curves: Mapping[str, FloatArray]) -> int | None:
    """Return the epoch, counted from 1, of the lowest finite validation loss."""
    losses = curves.get("val_loss")
    if losses is None or not np.isfinite(losses).any():
        return None
    return int(np.where(np.isfinite(losses), losses, np.inf).argmin()) + 1


def _draw_metric(
    ax: Axes, name: str, train: FloatArray | None, validation: FloatArray | None, best: int | None
) -> dict[str, Artist]:
    """Draw the curves of one metric into one panel, and return what a legend must explain."""
    from matplotlib.ticker import MaxNLocator

    style.dress(ax, "Epoch", _TITLES.get(name, name.replace("_", " ").capitalize()))
    drawn: dict[str, Artist] = {}
    if train is not None:
        drawn["training"] = _draw_curve(ax, train, style.BLUE, "-", "o")
    if validation is not None:
        drawn["validation"] = _draw_curve(ax, validation, style.VERMILLION, "--", "s")
    given = [values for values in (train, validation) if values is not None]
    if best is not None:
        drawn[f"best epoch ({best})"] = ax.axvline(best, color=style.MUTED, linestyle=":", zorder=1)
    broken = np.flatnonzero(~np.isfinite(given).all(axis=0)) + 1
    if len(broken):
        drawn["not finite"] = _draw_broken(ax, broken)
    epochs = len(given[0])
    ax.set_xlim(0.5, epochs + 0.5 + 0.02 * (epochs - 1))
    steps = MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
    ax.xaxis.set_major_locator(steps)
    if name == "lr" and _is_wide(given[0]):
        ax.set_yscale("log")
    return drawn


def _draw_curve(ax: Axes, values: FloatArray, colour: str, dashes: str, marker: str) -> Artist:
    """Draw one curve, with a marker on some epochs and on each that no line would reach."""
    finite = np.isfinite(values)
    padded = np.concatenate([[False], finite, [False]])
    marked = finite & ~(padded[:-2] | padded[2:])  # alone between two gaps, (epochs,)
    marked[:: math.ceil(len(values) / _MOST_MARKERS)] = True
    (line,) = ax.plot(
        np.arange(1, len(values) + 1),
        np.where(finite, values, np.nan),
        color=colour,
        linestyle=dashes,
        linewidth=1.6,
        marker=marker,
        markersize=4.0,
        markevery=np.flatnonzero(marked).tolist(),
        zorder=2.5,
    )
    return line


def _draw_broken(ax: Axes, epochs: NDArray[np.int64]) -> Artist:
    """Put a cross at the foot of the panel for each epoch without a finite value."""
    (crosses,) = ax.plot(
        epochs,
        np.full(len(epochs), 0.03),
        "x",
        color=style.INK,
        markersize=5.0,
        transform=ax.get_xaxis_transform(),
    )
    return crosses


def _is_wide(rates: FloatArray) -> bool:
    """Say whether all rates are positive and span more than a linear axis can show."""
    return bool(rates.min() > 0.0 and rates.max() > _WIDE_RANGE * rates.min())
