"""What a classifier or a regressor of two inputs answers everywhere in the plane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.figures import style
from pellucid.train import Model
from pellucid.viz import checks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Points = NDArray[np.float32]  # (M, 2)
Function = Callable[[Points], ArrayLike]


class Estimator(Protocol):
    """What is asked as scikit-learn's estimators are."""

    def predict(self, points: Any) -> Any:
        """Return one answer a point."""


_MARGIN = 0.08  # of the range of the points, added on each side
_LEGEND_WIDTH = 4.8  # inches
_PALEST, _STRONGEST = 0.10, 0.55  # how much class colour a region has, from a tie to certainty


def decision_boundary(
    predict: Model | Estimator | Function,
    x: ArrayLike,
    y: ArrayLike,
    class_names: Sequence[str] | None = None,
    resolution: int = 200,
    *,
    ax: Axes | None = None,
) -> Figure:
    """Draw the regions that a classifier of two inputs assigns to its classes, and the points.

    `predict` is a `Model`; or an estimator in scikit-learn's manner, fitted to labels from 0; or a
    function of float32 (M, 2) to probabilities (M, C), or to the probability of class 1 as (M, 1)
    or (M,). It is asked once, with M = resolution^2 points of a grid around the points `x` (N, 2),
    labelled `y` (N,) from 0. A region has the colour of its likeliest class, stronger where the
    classifier is surer: its share of colour grows linearly from a tie, 1 / C, to 1. Lines run where
    the two likeliest classes tie. What gives classes without probabilities, such as a model with
    hinge loss, has regions of one strength; for a regression the picture is that of
    `regression_surface`.

    Raises:
        TypeError: nothing that can be asked, labels that are no integers, or `class_names` is a
            single string.
        ValueError: `x` is not (N, 2) or not finite, labels of another length or outside the
            classes, probabilities of another shape or range, or a resolution below 2.
        ImportError: matplotlib is not installed.

    >>> from pellucid import data, viz
    >>> moons = data.moons(40, seed=0)
    >>> def is_lower(points):  # (M, 2); a Model would be passed as it is
    ...     return points[:, 1] < 0.25
    >>> figure = viz.decision_boundary(is_lower, moons.x, moons.y, moons.class_names, 50)
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['upper', 'lower']
    """
    if _is_regression(predict):
        return regression_surface(predict, x, y, resolution, ax=ax)
    points = _checked(x, resolution)
    first, second = (_ticks(points[:, axis], resolution) for axis in (0, 1))  # (resolution,) each
    answers = _probabilities_of(predict)(_grid(first, second))
    probabilities = checks.as_probabilities(answers, resolution**2, "predict")  # (r * r, C)
    classes = probabilities.shape[1]
    labels = checks.as_class_labels(y, len(points), classes, "y")
    names = checks.as_class_names(class_names, classes)
    figure, [axes] = style.panels(ax, 1, 1, 5.6, 4.8)
    style.dress(axes, "x1", "x2", grid=False)
    _draw_regions(axes, first, second, probabilities.reshape(resolution, resolution, classes))
    _draw_points(axes, points, labels, names)
    return figure


def regression_surface(
    predict: Model | Estimator | Function,
    x: ArrayLike,
    y: ArrayLike,
    resolution: int = 200,
    *,
    ax: Axes | None = None,
) -> Figure:
    """Draw the number that a regressor of two inputs answers everywhere, and the points.

    `predict` is a `Model`, an estimator with ``predict``, or a function of float32 (M, 2) to
    numbers (M,) or (M, 1). The darker, the larger; lines join places of one answer. The points `x`
    (N, 2) are filled by the same scale with their own `y`, (N,) or (N, 1), so that a point that
    vanishes into its surroundings is met.

    Raises:
        ValueError: `x` is not (N, 2), numbers of another shape or not finite, or a resolution
            below 2.
        ImportError: matplotlib is not installed.

    >>> from pellucid import viz
    >>> def total(points):  # (M, 2); a Model would be passed as it is
    ...     return points.sum(axis=1)
    >>> figure = viz.regression_surface(total, [[0.0, 0.0], [1.0, 1.0]], [0.0, 2.0])
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['x2', 'y (points: true, surface: predicted)']
    """
    points = _checked(x, resolution)
    first, second = (_ticks(points[:, axis], resolution) for axis in (0, 1))
    ask = _asked(predict, "predict")
    surface = _numbers(ask(_grid(first, second)), resolution**2, "predict")
    truth = _numbers(y, len(points), "y")
    both = np.concatenate([surface, truth])
    low, high = both.min(), both.max()
    scale = {"cmap": style.blues(), "vmin": low, "vmax": high if high > low else low + 1.0}
    figure, [axes] = style.panels(ax, 1, 1, 5.8, 4.6)
    style.dress(axes, "x1", "x2", grid=False)
    picture = surface.reshape(resolution, resolution)
    shown = axes.imshow(
        picture, extent=_extent(first, second), origin="lower", aspect="auto", **scale
    )
    if picture.max() > picture.min():
        axes.contour(
            first, second, picture, levels=9, colors="white", linewidths=0.7, linestyles="-"
        )
    across, up = points[:, 0], points[:, 1]
    axes.scatter(across, up, s=52, color="white", linewidths=0.0, zorder=2.5)  # seen on dark
    axes.scatter(across, up, s=30, c=truth, edgecolors=style.INK, linewidths=0.8, zorder=3, **scale)
    style.colour_bar(figure, shown, "y (points: true, surface: predicted)", ax=axes)
    return figure


def _is_regression(predict: Any) -> bool:
    """Whether a model or an estimator answers with numbers; a function is not looked into."""
    if isinstance(predict, Model):
        return predict.loss.task == "regression"
    classifies = hasattr(predict, "classes_") or hasattr(predict, "predict_proba")
    return hasattr(predict, "predict") and not classifies


def _probabilities_of(predict: Any) -> Function:
    """Return what answers with probabilities, or with 0 and 1 where there are only classes."""
    is_model = isinstance(predict, Model)
    has_classes_only = hasattr(predict, "classes_") and not hasattr(predict, "predict_proba")
    if predict.loss.probabilistic if is_model else not has_classes_only:
        return _asked(predict, "predict_proba")

    def sure(points: Points) -> NDArray[np.float64]:
        if is_model:
            classes, found = predict.predict(points[:1]).shape[-1], predict.predict_classes(points)
        else:
            classes, found = len(predict.classes_), predict.predict(points)
        chosen: NDArray[np.float64] = np.eye(max(2, classes))[np.asarray(found).astype(int)]
        return chosen

    return sure


def _asked(predict: Any, method: str) -> Function:
    """Return a method where there is one, else the function itself."""
    ask: Any = getattr(predict, method, predict)
    if not callable(ask):
        raise TypeError(
            "predict: expected a Model, an estimator with predict, or a function of points, got "
            f"{type(predict).__name__}; pass for example lambda points: ..."
        )
    return ask  # type: ignore[no-any-return]


def _numbers(values: ArrayLike, rows: int, name: str) -> NDArray[np.float64]:
    """Return one finite number a row as float64 (rows,)."""
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.shape not in ((rows,), (rows, 1)):
        raise ValueError(
            f"{name}: expected one number a row, ({rows},) or ({rows}, 1), got {numbers.shape}; "
            "draw one output at a time"
        )
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name}: expected finite numbers to draw, got NaN or infinity")
    return numbers.reshape(rows)


def _grid(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the points of a grid row by row, (r * r, 2)."""
    return np.stack(np.meshgrid(first, second), axis=-1).astype(np.float32).reshape(-1, 2)


def _extent(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[float, float, float, float]:
    """Return the edges of a picture whose pixels have these centres."""
    halves = (first[1] - first[0]) / 2, (second[1] - second[0]) / 2
    across = first[0] - halves[0], first[-1] + halves[0]
    return *across, second[0] - halves[1], second[-1] + halves[1]


def _checked(x: ArrayLike, resolution: int) -> NDArray[np.float64]:
    points = np.asarray(x, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) == 0:
        raise ValueError(
            f"x: expected points in the plane, shape (n, 2), got {points.shape}; "
            "choose two columns, x[:, [0, 1]], and a classifier trained on those"
        )
    if not np.isfinite(points).all():
        raise ValueError(
            "x: expected finite coordinates, got NaN or infinity; drop those rows before drawing"
        )
    if resolution < 2:
        raise ValueError(
            f"resolution: expected at least 2 points a side, got {resolution}; try 200"
        )
    return points


def _ticks(values: NDArray[np.float64], resolution: int) -> NDArray[np.float64]:
    """Return evenly spaced coordinates that cover the values and a margin, (resolution,)."""
    low, high = values.min(), values.max()
    margin = _MARGIN * (high - low) or 0.5  # one point, or a line, still gets an area
    return np.linspace(low - margin, high + margin, resolution)


def _draw_regions(
    ax: Axes,
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    probabilities: NDArray[np.float64],
) -> None:
    """Colour the grid (r, r, C) by likeliest class and confidence, and line the borders."""
    from matplotlib.colors import to_rgb

    classes = probabilities.shape[-1]
    colours = np.array([to_rgb(colour) for colour in style.class_colours(classes)])  # (C, 3)
    sureness = (probabilities.max(axis=-1, keepdims=True) - 1 / classes) / (1 - 1 / classes)
    share = _PALEST + (_STRONGEST - _PALEST) * sureness.clip(0.0, 1.0)  # (r, r, 1)
    picture = 1.0 - share * (1.0 - colours[probabilities.argmax(axis=-1)])  # (r, r, 3)
    ax.imshow(
        picture,
        extent=_extent(first, second),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )
    for index in range(classes if classes > 2 else 1):
        lead = probabilities[..., index] - np.delete(probabilities, index, axis=-1).max(axis=-1)
        if lead.min() < 0.0 < lead.max():  # without a tie, some versions of matplotlib warn
            ax.contour(first, second, lead, levels=[0.0], colors=style.INK, linewidths=1.2)


def _draw_points(
    ax: Axes, points: NDArray[np.float64], labels: NDArray[np.int64], names: Sequence[str]
) -> None:
    """Draw the points, each class with its own marker, and name the classes above the axes."""
    handles = []
    colours = style.class_colours(len(names))
    for index, colour in enumerate(colours):
        chosen = points[labels == index]
        marker = style.CLASS_MARKERS[index % len(style.CLASS_MARKERS)]
        first, second = chosen.T
        (drawn,) = ax.plot(
            first,
            second,
            marker,
            markersize=5.5,
            color=colour,
            markeredgecolor=style.INK,
            markeredgewidth=0.7,
        )
        handles.append(drawn)
    shown = [style.shorten(name, 24) for name in names]
    width = 0.5 + 0.065 * max(map(len, shown))  # inches that an entry of the legend takes
    columns = max(1, int(_LEGEND_WIDTH / width))
    style.legend_above(ax, list(zip(shown, handles, strict=True)), columns)
