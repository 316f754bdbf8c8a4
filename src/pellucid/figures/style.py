"""The look that the pictures share: colours, markers, fonts, and figures that nobody keeps.

The colours are those of Okabe and Ito, which colour-blind eyes can tell apart, in an order whose
neighbours also differ in grey. No picture relies on colour alone: lines differ in dashes and
markers, classes in markers, right and wrong in a sign and a frame. Every setting is given to the
artist itself, so matplotlib's global settings neither change nor matter.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.gridspec import GridSpecBase

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
VERMILLION, SKY, YELLOW = "#D55E00", "#56B4E9", "#F0E442"
INK, MUTED, GRID = "#222222", "#666666", "#DDDDDD"
CLASS_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY, YELLOW)
CLASS_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "p")
_BRIGHTEST = 0.92  # of viridis, whose end cannot be seen on white
LABEL_SIZE, TICK_SIZE, SMALL_SIZE = 10.0, 9.0, 8.0  # points


@functools.cache
def _picture_class() -> type[Figure]:
    """Return the figure class, made on first use because matplotlib is optional."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "pellucid.viz: expected matplotlib to draw with, got none installed; "
            "install it with: pip install pellucid[viz]"
        ) from error

    class Picture(Figure):
        """A figure that a notebook shows as an image and that pyplot never hears of."""

        def _repr_png_(self) -> bytes:
            image = io.BytesIO()
            self.savefig(image, format="png")
            return image.getvalue()

    return Picture


def new_figure(width: float, height: float) -> Figure:
    """Return an empty white figure of that size in inches, unknown to pyplot.

    Raises:
        ImportError: matplotlib is not installed.
    """
    picture = _picture_class()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.09, h_pad=0.09)
    figure = picture(figsize=(width, height), dpi=100, facecolor="white", layout=layout)
    FigureCanvasAgg(figure)
    return figure


def panels(
    ax: Axes | None, rows: int, columns: int, width: float, height: float
) -> tuple[Figure, list[Axes]]:
    """Return a figure and rows * columns axes in it, row by row.

    Without `ax`, the figure is new and its size is given in inches. With `ax`, a single panel is
    `ax` itself; several divide the place it takes, and `ax` becomes their invisible frame.
    """
    if ax is None:
        figure = new_figure(width, height)
        return figure, _filled(figure, figure.add_gridspec(rows, columns))
    figure = root_figure(ax)
    if rows * columns == 1:
        return figure, [ax]
    ax.set_axis_off()
    room = {"wspace": 0.35, "hspace": 0.55} if figure.get_layout_engine() is None else {}
    spec = ax.get_subplotspec()
    if spec is not None:
        return figure, _filled(ax.figure, spec.subgridspec(rows, columns, **room))
    place = ax.get_position()
    edges = {"left": place.x0, "right": place.x1, "bottom": place.y0, "top": place.y1}
    return figure, _filled(ax.figure, ax.figure.add_gridspec(rows, columns, **edges, **room))


def _filled(host: Figure | SubFigure, grid: GridSpecBase) -> list[Axes]:
    """Return new axes in every cell of a grid, row by row."""
    return [host.add_subplot(grid[index]) for index in range(grid.nrows * grid.ncols)]


def root_figure(ax: Axes) -> Figure:
    """Return the whole figure that `ax` lies in, through any subfigures."""
    from matplotlib.figure import SubFigure

    figure = ax.figure
    while isinstance(figure, SubFigure):
        figure = figure.figure
    return figure


def dress(ax: Axes, xlabel: str, ylabel: str, *, grid: bool = True) -> None:
    """Give axes their labels and the shared look: two spines, small ticks, a faint grid."""
    ax.set_facecolor("white")
    ax.set_xlabel(plain(xlabel), fontsize=LABEL_SIZE, color=INK)
    ax.set_ylabel(plain(ylabel), fontsize=LABEL_SIZE, color=INK)
    ax.tick_params(labelsize=TICK_SIZE, colors=INK, length=3)
    ax.tick_params(which="minor", colors=INK)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(MUTED)
    ax.set_axisbelow(True)
    if grid:
        ax.grid(visible=True, color=GRID, linewidth=0.6)
    else:
        ax.grid(visible=False)


def legend_above(host: Axes | Figure, entries: Sequence[tuple[str, Artist]], columns: int) -> None:
    """Put a legend over the top left corner of axes or figure, where it cannot cover the data."""
    from matplotlib.figure import FigureBase

    over_axes = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "borderaxespad": 0.2}
    over_figure = {"loc": "outside upper left"}
    legend = host.legend(
        [handle for _, handle in entries],
        ["label"] * len(entries),  # old versions drop a label that starts with an underscore
        **(over_figure if isinstance(host, FigureBase) else over_axes),
        ncols=columns,
        frameon=False,
        fontsize=SMALL_SIZE,
        labelcolor=INK,
        handlelength=2.2,
        columnspacing=1.2,
    )
    for text, (label, _) in zip(legend.get_texts(), entries, strict=True):
        text.set_text(plain(label))


def colour_bar(figure: Figure, shown: Any, label: str, **place: Any) -> Colorbar:
    """Add the colours of what is shown as a scale; `place` is that of `Figure.colorbar`."""
    bar = figure.colorbar(shown, **place)
    bar.set_label(label, fontsize=LABEL_SIZE, color=INK)
    bar.ax.tick_params(labelsize=TICK_SIZE, colors=INK, length=3)
    bar.ax.grid(visible=False)
    bar.outline.set(edgecolor=MUTED, linewidth=0.6)  # one end may be white
    return bar


def class_colours(count: int) -> list[str]:
    """Return one colour a class: Okabe and Ito's while they last, else steps of viridis."""
    if count <= len(CLASS_COLOURS):
        return list(CLASS_COLOURS[:count])
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    viridis = colormaps["viridis"]
    return [to_hex(viridis(_BRIGHTEST * index / (count - 1))) for index in range(count)]


def blues() -> Colormap:
    """Return a map from white to dark blue whose lightness falls steadily, so grey shows it too."""
    return _colour_map("pellucid", ["#FFFFFF", "#7FBCE6", BLUE, "#00304D"])


def signed() -> Colormap:
    """Return a map for numbers around zero: dark blue below, grey at zero, pale yellow above.

    Its lightness rises steadily, so that the sign can be read in grey as well.
    """
    colours = ["#001B3A", BLUE, "#A6A6A6", "#F2C14E", "#FFF8DC"]
    return _colour_map("pellucid signed", colours)


def _colour_map(name: str, colours: Sequence[str]) -> Colormap:
    """Return a map that runs evenly through the colours."""
    _picture_class()  # says what to install
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(name, colours)


def plain(text: str) -> str:
    """Return `text` on one line, with a dollar sign standing for itself and not for formulas."""
    return " ".join(str(text).split()).replace("$", r"\$")


def shorten(text: str, length: int) -> str:
    """Return `text` on one line, cut to at most `length` characters with an ellipsis."""
    text = " ".join(str(text).split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def shorten_to(text: str, width: float, size: float) -> str:
    """Return `text` on one line, cut to `width` points when set in a font of `size` points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size)
    cuts = (shorten(text, length) for length in range(len(text), 0, -1))
    for cut in cuts:
        if text_to_path.get_text_width_height_descent(cut, font, ismath=False)[0] <= width:
            return cut
    return "…"


def percent(rate: float) -> str:
    """Return a rate in [0, 1] with one decimal, so that only 0 reads 0% and only 1 reads 100%."""
    if rate in (0.0, 1.0):
        return f"{rate:.0%}"
    return f"{min(max(rate, 0.001), 0.999):.1%}"
