"""What a classifier of images saw, and what it said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.figures import style
from pellucid.viz import checks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GUESS_ROOM, _TRUE_ROOM = 60.0, 84.0  # points, past which a class name is cut
_WIDTH, _HEIGHT = 1.75, 2.05  # inches for one image and its two lines of text
_MOST_COLUMNS = 8
_GAP = 0.04  # between an image and its frame, over the side of the image


def predictions(
    images: ArrayLike,
    y_true: ArrayLike,
    probabilities: ArrayLike,
    class_names: Sequence[str] | None = None,
    image_shape: tuple[int, ...] | None = None,
    count: int = 16,
    wrong_first: bool = True,
    *,
    ax: Axes | None = None,
) -> Figure:
    """Draw sample images with the true class, the predicted class and its probability.

    `images` is (N, H, W), (N, H, W, 1) or (N, H, W, 3), or flat (N, D) with `image_shape` (H, W)
    or (H, W, channels); uint8 counts to 255, floats outside [0, 1] are stretched to it together.
    `probabilities` is (N, C), or (N,) or (N, 1) for class 1 of two. The first `count` images are
    drawn, after sorting, with `wrong_first`, the mistakes to the front, the surest mistake
    leading. A right answer has a tick and a thin solid frame, a wrong one a cross and a thick
    dashed frame.

    Raises:
        TypeError: the labels are not integers, or `class_names` is a single string.
        ValueError: images of another shape, arrays of different lengths, labels outside the
            classes, numbers that are no probabilities, or a count below 1.
        ImportError: matplotlib is not installed.

    >>> import numpy as np
    >>> from pellucid import viz
    >>> sure = [[0.9, 0.1], [0.8, 0.2]]
    >>> figure = viz.predictions(np.zeros((2, 8, 8)), [0, 1], sure, ["cat", "dog"])
    >>> print(figure.axes[0].get_title(loc="left"))
    ✗ cat (80.0%)
    true: dog
    """
    pictures = _as_pictures(images, image_shape)  # (N, H, W, 1 or 3)
    chances = checks.as_probabilities(probabilities, len(pictures), "probabilities")  # (N, C)
    classes = chances.shape[1]
    true = checks.as_class_labels(y_true, len(pictures), classes, "y_true")
    names = checks.as_class_names(class_names, classes)
    if count < 1:
        raise ValueError(f"count: expected at least 1 image to draw, got {count}; try 16")
    guess, sureness = chances.argmax(axis=1), chances.max(axis=1)  # (N,) each
    order = np.arange(len(pictures))
    if wrong_first:
        order = np.lexsort((np.where(guess == true, 0.0, -sureness), guess == true))
    order = order[:count]
    columns = min(_MOST_COLUMNS, math.ceil(math.sqrt(len(order))))
    rows = math.ceil(len(order) / columns)
    figure, axes = style.panels(ax, rows, columns, _WIDTH * columns, _HEIGHT * rows)
    shown = _stretched(pictures[order])
    for panel, picture, row in zip(axes, shown, order, strict=False):
        _draw_picture(panel, picture)
        said = f"{_cut(names[guess[row]], _GUESS_ROOM)} ({style.percent(sureness[row])})"
        _caption(panel, guess[row] == true[row], said, _cut(names[true[row]], _TRUE_ROOM))
    for spare in axes[len(order) :]:
        spare.remove()
    return figure


def _as_pictures(images: ArrayLike, image_shape: tuple[int, ...] | None) -> NDArray[np.generic]:
    """Return images as (N, H, W, channels), 1 or 3 channels, of the dtype they came in."""
    pictures = np.asarray(images)
    if pictures.ndim == 2:
        pictures = _unflattened(pictures, image_shape)
    if pictures.ndim == 3:
        pictures = pictures[..., np.newaxis]
    if pictures.ndim != 4 or pictures.shape[3] not in (1, 3) or pictures.size == 0:
        raise ValueError(
            "images: expected shape (N, H, W), (N, H, W, 1) or (N, H, W, 3), or (N, D) with "
            f"image_shape, got {np.shape(images)}; move channels that come first to the end with "
            "np.moveaxis(images, 1, -1)"
        )
    return pictures


def _unflattened(rows: NDArray[np.generic], shape: tuple[int, ...] | None) -> NDArray[np.generic]:
    """Return flat images (N, D) in the shape they had."""
    pixels = rows.shape[1]
    side = math.isqrt(pixels)
    guess = (side, side) if side * side == pixels else "(height, width)"
    if shape is None:
        raise ValueError(
            f"image_shape: expected the shape of an image for flat rows of {pixels} numbers, "
            f"got None; pass for example image_shape={guess}"
        )
    if len(shape) not in (2, 3) or math.prod(shape) != pixels:
        raise ValueError(
            f"image_shape: expected (H, W) or (H, W, channels) with {pixels} numbers, the width "
            f"of the rows, got {shape}; pass for example image_shape={guess}"
        )
    return rows.reshape(len(rows), *shape)


def _stretched(pictures: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the images as float64 in [0, 1]."""
    values = pictures.astype(np.float64)
    if pictures.dtype == np.uint8:
        return values / 255.0
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    if low >= 0.0 and high <= 1.0:
        low, high = 0.0, 1.0
    return np.nan_to_num((values - low) / (high - low or 1.0)).clip(0.0, 1.0)


def _draw_picture(ax: Axes, picture: NDArray[np.float64]) -> None:
    if picture.shape[2] == 1:
        ax.imshow(picture[..., 0], cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
    else:
        ax.imshow(picture, interpolation="nearest")
    ax.set_axis_off()


def _cut(name: str, room: float) -> str:
    return style.plain(style.shorten_to(name, room, style.SMALL_SIZE))


def _caption(ax: Axes, right: bool, said: str, meant: str) -> None:
    """Write what was said and meant over an image, and frame it as right or wrong."""
    from matplotlib.patches import Rectangle

    colour, dashes, width = (style.BLUE, "-", 1.2) if right else (style.VERMILLION, "--", 2.6)
    frame = Rectangle((-_GAP, -_GAP), 1 + 2 * _GAP, 1 + 2 * _GAP, transform=ax.transAxes)
    frame.set(fill=False, edgecolor=colour, linestyle=dashes, linewidth=width, clip_on=False)
    ax.add_patch(frame)
    ax.set_title(
        f"{'✓' if right else '✗'} {said}\ntrue: {meant}",
        loc="left",
        fontsize=style.SMALL_SIZE,
        color=style.INK,
        pad=9.0,
    )
