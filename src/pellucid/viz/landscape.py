"""The loss around the point that training found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.figures import style
from pellucid.nn import Module
from pellucid.train import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]
Direction = dict[str, NDArray[Any]]

_LEVELS = 14


def loss_landscape(
    model: Model,
    x: Any,
    y: Any,
    *,
    span: float = 1.0,
    resolution: int = 21,
    dimensions: int = 2,
    seed: int = 0,
    ax: Axes | None = None,
) -> Figure:
    """Draw a slice of the loss: at theta + a d1 + b d2, for a and b from -`span` to `span`.

    theta are the parameters of the model, which are put back afterwards. d1 and d2 are random
    directions in which every filter (the weights of one unit; a whole vector of biases or gains)
    is as long as its own parameters, so that 1 on an axis means as far as the weights are large.
    With `dimensions=1` the slice is a line. The loss is that of `Model.evaluate` on (`x`, `y`),
    asked resolution^dimensions times. Its levels lie closer where it is low: in a bowl, a^2, they
    are rings of one width.

    Raises:
        ValueError: other dimensions than 1 and 2, a resolution below 3, or a span that is not
            positive.
        ImportError: matplotlib is not installed.

    Source: Li, Xu, Taylor, Studer and Goldstein, "Visualizing the loss landscape of neural nets",
    NeurIPS 2018.

    >>> from pellucid import data, nn, viz
    >>> from pellucid.train import Model
    >>> moons = data.moons(40, seed=0)
    >>> model = Model(nn.Sequential(nn.Dense(2, 2), rng=0), "cross_entropy")
    >>> figure = viz.loss_landscape(model, moons.x, moons.y, resolution=5, dimensions=1)
    >>> len(figure.axes[0].lines[0].get_xdata())
    5
    """
    if dimensions not in (1, 2) or resolution < 3 or not span > 0:
        raise ValueError(
            "expected dimensions of 1 or 2, a resolution of at least 3 and a positive span, got "
            f"dimensions={dimensions!r}, resolution={resolution!r} and span={span!r}"
        )
    resolution += 1 - resolution % 2  # odd, so that the parameters themselves are a point
    rng = np.random.default_rng(seed)
    directions = [_direction(model.network, rng) for _ in range(dimensions)]
    steps = np.linspace(-span, span, resolution)
    losses = _losses(model, x, y, directions, steps)  # (resolution,) or (resolution, resolution)
    if dimensions == 1:
        return _draw_line(steps, losses, ax)
    return _draw_plane(steps, losses, ax)


def _direction(network: Module, rng: np.random.Generator) -> Direction:
    """Return a random direction whose filters are as long as the network's own."""
    direction = {}
    for path, tensor in network.named_parameters().items():
        drawn = rng.normal(size=tensor.shape)
        axes = tuple(range(tensor.ndim - 1)) if tensor.ndim > 1 else None  # all but the units
        own, length = (
            np.sqrt(np.sum(np.square(values, dtype=np.float64), axis=axes, keepdims=True))
            for values in (tensor.numpy(), drawn)
        )
        direction[path] = (drawn * own / np.maximum(length, 1e-12)).astype(tensor.dtype)
    return direction


def _losses(
    model: Model, x: Any, y: Any, directions: list[Direction], steps: FloatArray
) -> FloatArray:
    """Return the loss at every combination of steps along the directions."""
    tensors = model.network.named_parameters()
    start = {path: tensor.data for path, tensor in tensors.items()}
    losses = np.empty((len(steps),) * len(directions))
    try:
        for place in np.ndindex(losses.shape):
            for path, tensor in tensors.items():
                moves = zip(place, directions, strict=True)
                shift = sum(steps[i] * direction[path] for i, direction in moves)
                tensor.data = (start[path] + shift).astype(tensor.dtype)
            losses[place] = model.evaluate(x, y)["loss"]
    finally:
        for path, tensor in tensors.items():
            tensor.data = start[path]
    return losses


def _draw_line(steps: FloatArray, losses: FloatArray, ax: Axes | None) -> Figure:
    figure, [axes] = style.panels(ax, 1, 1, 5.4, 3.8)
    style.dress(axes, "Distance along a random direction (length of the weights)", "Loss")
    axes.plot(steps, losses, color=style.BLUE, linewidth=1.8)
    (here,) = axes.plot(0.0, losses[len(steps) // 2], "o", color=style.VERMILLION, markersize=8)
    here.set(markeredgecolor="white", zorder=3)
    style.legend_above(axes, [("the parameters found", here)], columns=1)
    return figure


def _draw_plane(steps: FloatArray, losses: FloatArray, ax: Axes | None) -> Figure:
    """Draw levels of the loss, (a, b), as a map."""
    from matplotlib.colors import BoundaryNorm
    from matplotlib.ticker import FuncFormatter

    figure, [axes] = style.panels(ax, 1, 1, 5.8, 4.7)
    style.dress(axes, "Direction 1 (lengths of the weights)", "Direction 2", grid=False)
    finite = np.where(np.isfinite(losses), losses, np.nan)
    if np.isnan(finite).all():
        raise ValueError("expected a finite loss somewhere, got none; train the model first")
    low, high = float(np.nanmin(finite)), float(np.nanmax(finite))
    high = high if high > low else low + 1.0
    levels = low + (high - low) * np.linspace(0.0, 1.0, _LEVELS) ** 2
    colours = style.blues()
    norm = BoundaryNorm(levels, colours.N)
    grid = np.ma.masked_invalid(finite.T)  # rows are b, columns a
    areas = axes.contourf(steps, steps, grid, levels=levels, cmap=colours, norm=norm)
    axes.contour(steps, steps, grid, levels=levels, colors=style.INK, linewidths=0.4, alpha=0.6)
    (here,) = axes.plot(0.0, 0.0, "o", color=style.VERMILLION, markersize=9)
    here.set(markeredgecolor="white", markeredgewidth=1.5)
    axes.set(aspect="equal")
    figures = FuncFormatter(lambda value, _: f"{value:.3g}")
    style.colour_bar(figure, areas, "loss", ax=axes, format=figures).ax.minorticks_off()
    style.legend_above(axes, [("the parameters found", here)], columns=1)
    return figure
