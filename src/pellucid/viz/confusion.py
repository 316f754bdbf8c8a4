"""Which classes a classifier takes for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.figures import style
from pellucid.train import metrics
from pellucid.train.report import name_classes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAME_LENGTH = 28  # characters, past which a class name is cut
_CHARACTER = 0.6  # width of a digit over the font size
_LINE = 1.25  # height of a line over the font size
_MOST_ZEROS = 12  # classes, past which empty cells stay empty


def confusion_matrix(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    class_names: Sequence[str] | None = None,
    normalize: bool = True,
    *,
    ax: Axes | None = None,
) -> Figure:
    """Draw the confusion matrix of integer labels (n,): a row a true class, a column a guess.

    Each cell shows how many rows it counts; with `normalize` also their share of the true class,
    which then sets the colour. With `class_names` the classes are 0 to len(class_names) - 1, else
    the labels that occur. Above 12 classes, cells that count nothing stay empty.

    Raises:
        TypeError: the labels are not integers, or `class_names` is a single string.
        ValueError: labels of bad shape, or names that are repeated or too few for the labels.
        ImportError: matplotlib is not installed.

    >>> from pellucid import viz
    >>> true, predicted = [0, 0, 1, 1], [0, 1, 1, 1]
    >>> figure = viz.confusion_matrix(true, predicted, ["cat", "dog"], normalize=False)
    >>> [text.get_text() for text in figure.axes[0].texts]  # row by row
    ['1', '1', '0', '2']
    """
    labels, names = name_classes(y_true, y_pred, class_names)
    counts = metrics.confusion_matrix(y_true, y_pred, labels)  # (k, k)
    rates = metrics.confusion_matrix(y_true, y_pred, labels, "true")
    figure, [axes] = style.panels(ax, 1, 1, *_size(names))
    shade, top = (rates, 1.0) if normalize else (counts, max(counts.max(), 1))
    image = axes.imshow(shade, cmap=style.blues(), vmin=0.0, vmax=top, aspect="equal")
    scale = axes.inset_axes((1.03, 0.0, 0.035, 1.0))
    label = "share of the true class" if normalize else "rows"
    style.colour_bar(figure, image, label, cax=scale)
    _label(axes, names)
    _write_cells(axes, counts, rates if normalize else None, shade / top)
    return figure


def _size(names: Sequence[str]) -> tuple[float, float]:
    """Return the width and height in inches that give every cell room for two lines."""
    cell = max(0.42, min(1.4, 5.0 / len(names)))
    side = cell * len(names)
    longest = min(max(map(len, names)), _NAME_LENGTH) * 0.075
    below = 0.7 * longest if longest > cell else 0.1  # slanted or level
    return 1.065 * side + longest + 1.4, side + below + 0.7


def _label(ax: Axes, names: Sequence[str]) -> None:
    """Write the class names along both axes, slanted below where they would meet."""
    style.dress(ax, "Predicted class", "True class", grid=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    edges = [index - 0.5 for index in range(len(names) + 1)]
    ax.set_xticks(edges, minor=True)
    ax.set_yticks(edges, minor=True)
    ax.tick_params(which="minor", length=0)
    ax.set_axisbelow(False)  # lines between the cells, over the colours
    ax.grid(visible=True, which="minor", color=style.GRID, linewidth=0.6)
    shown = [style.plain(style.shorten(name, _NAME_LENGTH)) for name in names]
    ticks = range(len(names))
    ax.set_yticks(ticks, labels=shown)
    ax.set_xticks(ticks, labels=shown)
    if max(map(len, shown)) * _CHARACTER * style.TICK_SIZE > 0.95 * _cell_size(ax, len(names)):
        ax.set_xticks(ticks, labels=shown, rotation=45, ha="right", rotation_mode="anchor")


def _write_cells(
    ax: Axes, counts: NDArray[np.int64], rates: NDArray[np.float64] | None, shade: NDArray[Any]
) -> None:
    """Write the count of each cell, and its rate below, as large as the cells allow."""
    k = len(counts)
    texts = {}
    for row, column in np.ndindex(k, k):
        count = counts[row, column]
        if count and rates is not None:
            texts[row, column] = f"{count}\n{style.percent(float(rates[row, column]))}"
        elif count or k <= _MOST_ZEROS:
            texts[row, column] = str(count)
    lines = [line for text in texts.values() for line in text.split("\n")]
    widest = max(map(len, lines))
    room = 0.82 * _cell_size(ax, k)  # points
    size = min(10.5, room / (widest * _CHARACTER), room / (_LINE if rates is None else 2 * _LINE))
    for (row, column), text in texts.items():
        colour = "white" if shade[row, column] > 0.55 else style.INK
        if text == "0":
            colour = style.MUTED
        ax.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)


def _cell_size(ax: Axes, k: int) -> float:
    """Return the side of a cell in points, once the layout has settled."""
    figure = style.root_figure(ax)
    figure.draw_without_rendering()
    return ax.get_window_extent().width / k * 72.0 / figure.dpi
