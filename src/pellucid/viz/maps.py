"""What is inside a network as pictures: weights, filters, feature maps, attention."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

_SIDE, _TITLE = 1.05, 0.22  # inches for one small picture, and for the line above it
_MOST_COLUMNS = 8
_LONGEST_LABELS = 40  # tokens, past which attention is drawn without their names


def weight_images(
    weights: ArrayLike,
    image_shape: tuple[int, ...] | None = None,
    count: int = 32,
    *,
    ax: Axes | None = None,
) -> Figure:
    """Draw weights as images, one a unit or filter: what each responds to.

    `weights` are a dense layer's, (D, units), with the `image_shape` (H, W) or (H, W, channels)
    of its input, or a convolution's, (h, w, Ci, Co). Of several channels each makes an image of
    its own. Zero is grey, positive weights are lighter, negative ones darker; all images share one
    scale, so that strong ones stand out. The first `count` are drawn.

    Raises:
        ValueError: another shape, weights that are not finite, or a count below 1.
        ImportError: matplotlib is not installed.

    >>> from pellucid import nn, viz
    >>> layer = nn.Dense(16, 3, rng=0)  # its inputs are images of 4x4 pixels
    >>> figure = viz.weight_images(layer.weight.data, (4, 4))
    >>> [axes.get_title() for axes in figure.axes[:3]]
    ['0', '1', '2']
    """
    filters = _as_filters(np.asarray(weights, dtype=np.float64), image_shape)  # (n, H, W)
    _check_count(count)
    _check_finite(filters, "weights")
    shown = filters[:count]
    scale = float(np.abs(shown).max()) or 1.0
    titles = [str(i) for i in range(len(shown))]
    return _grid(shown, titles, ax, "weight", cmap=style.signed(), vmin=-scale, vmax=scale)


def feature_maps(
    outputs: ArrayLike,
    image: ArrayLike | None = None,
    count: int = 32,
    *,
    ax: Axes | None = None,
) -> Figure:
    """Draw the output of a convolution or pooling layer for one example, one image a channel.

    `outputs` are (H, W, C), or (1, H, W, C); with `image`, (H, W) or (H, W, channels), what went
    in is drawn first. Get them with `nn.capture`. All maps share one scale, white for the lowest
    value (or 0, if no value is negative) and dark for the highest.

    Raises:
        ValueError: another shape, values that are not finite, or a count below 1.
        ImportError: matplotlib is not installed.

    >>> import numpy as np
    >>> from pellucid import nn, viz
    >>> image = np.eye(6, dtype="float32")[:, :, None]
    >>> maps = nn.Conv2D(1, 4, 3, rng=0)(image[None]).data  # (1, 4, 4, 4)
    >>> figure = viz.feature_maps(maps, image)
    >>> [axes.get_title() for axes in figure.axes[:5]]
    ['input', '0', '1', '2', '3']
    """
    maps = np.asarray(outputs, dtype=np.float64)
    if maps.ndim == 4 and len(maps) == 1:
        maps = maps[0]
    if maps.ndim != 3 or maps.size == 0:
        raise ValueError(
            f"outputs: expected the maps of one example, (H, W, C), got {np.shape(outputs)}; pick "
            "one with outputs[0]"
        )
    _check_count(count)
    _check_finite(maps, "outputs")
    shown = np.moveaxis(maps, -1, 0)[:count]
    low, high = min(0.0, float(shown.min())), float(shown.max())
    titles = [str(i) for i in range(len(shown))]
    scale = {"cmap": style.blues(), "vmin": low, "vmax": high if high > low else low + 1.0}
    return _grid(shown, titles, ax, "activation", first=_as_image(image), **scale)


def state_maps(
    outputs: ArrayLike, tokens: Sequence[str] | None = None, *, ax: Axes | None = None
) -> Figure:
    """Draw what a recurrent layer remembers of one sequence: a column a step, a row a unit.

    `outputs` are (T, H), or (1, T, H), of a layer that returns all steps; `tokens` name the T
    columns. Zero is grey, positive states are lighter, negative ones darker.

    Raises:
        TypeError: tokens that are a single string for another number of steps.
        ValueError: another shape, values that are not finite, or names of another number.
        ImportError: matplotlib is not installed.

    >>> import numpy as np
    >>> from pellucid import viz
    >>> figure = viz.state_maps(np.eye(3), tokens=list("cat"))
    >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
    ['c', 'a', 't']
    """
    states = np.asarray(outputs, dtype=np.float64)
    states = states[0] if states.ndim == 3 and len(states) == 1 else states
    if states.ndim != 2 or states.size == 0:
        raise ValueError(
            f"outputs: expected the states of one sequence, (T, H), got {np.shape(outputs)}; pick "
            "one with outputs[0], of a layer with return_sequences=True"
        )
    _check_finite(states, "outputs")
    names = _names(tokens, len(states), "tokens")
    largest = float(np.abs(states).max()) or 1.0
    width = min(11.0, max(4.2, 1.6 + 0.24 * len(states)))
    height = min(8.0, max(2.6, 1.0 + 0.13 * states.shape[1]))
    figure, [axes] = style.panels(ax, 1, 1, width, height)
    scale: dict[str, Any] = {"cmap": style.signed(), "vmin": -largest, "vmax": largest}
    picture = axes.imshow(states.T, aspect="auto", interpolation="nearest", **scale)
    style.dress(axes, "step", "unit", grid=False)
    _label_steps(axes, None, names)
    _colour_bar(figure, picture, [axes], "state")
    return figure


def attention_maps(
    weights: ArrayLike,
    tokens: Sequence[str] | None = None,
    keys: Sequence[str] | None = None,
    *,
    ax: Axes | None = None,
) -> Figure:
    """Draw how much each step attends to each other, one panel a head: rows ask, columns answer.

    `weights` are (T, S) or (heads, T, S), or (1, heads, T, S), from 0 to 1: what
    `nn.attention_weights` returns, or `nn.capture` of an attention's ``dropout``. `tokens` name
    the T rows, and the S columns as well unless `keys` does.

    Raises:
        TypeError: tokens that are a single string for more than one step; pass a list.
        ValueError: another shape, numbers outside [0, 1], or names of another number.
        ImportError: matplotlib is not installed.

    >>> from pellucid import viz
    >>> figure = viz.attention_maps([[1.0, 0.0], [0.5, 0.5]], tokens=["the", "cat"])
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['the', 'cat']
    """
    heads = np.asarray(weights, dtype=np.float64)
    if heads.ndim == 4 and len(heads) == 1:
        heads = heads[0]
    heads = heads[np.newaxis] if heads.ndim == 2 else heads
    if heads.ndim != 3 or heads.size == 0:
        raise ValueError(
            f"weights: expected (T, S) or (heads, T, S), got {np.shape(weights)}; pick one "
            "sequence with weights[0]"
        )
    if not ((heads >= -1e-6) & (heads <= 1 + 1e-6)).all():
        raise ValueError(
            f"weights: expected attention from 0 to 1, got {heads.min():.4g} to {heads.max():.4g}; "
            "pass what comes out of the softmax"
        )
    rows = _names(tokens, heads.shape[1], "tokens")
    columns = _names(keys if keys is not None else tokens, heads.shape[2], "keys")
    side = min(4.2, max(2.2, 0.24 * max(heads.shape[1:])))
    across = min(len(heads), 4 if side < 2.5 else 2)
    down = math.ceil(len(heads) / across)
    figure, axes = style.panels(ax, down, across, (side + 0.5) * across + 0.7, (side + 0.6) * down)
    for number, (panel, head) in enumerate(zip(axes, heads, strict=False)):
        picture = panel.imshow(
            head, cmap=style.blues(), vmin=0.0, vmax=1.0, interpolation="nearest"
        )
        left = number % across == 0
        below = number + across >= len(heads)
        style.dress(panel, "attended to" if below else "", "attends" if left else "", grid=False)
        _label_steps(panel, rows, columns)
        panel.tick_params(labelleft=left, labelbottom=below)
        if len(heads) > 1:
            panel.set_title(f"head {number}", fontsize=style.SMALL_SIZE, color=style.INK)
    for spare in axes[len(heads) :]:
        spare.remove()
    _colour_bar(figure, picture, axes[: len(heads)], "attention")
    return figure


def _as_filters(weights: FloatArray, image_shape: tuple[int, ...] | None) -> FloatArray:
    """Return weights as images (n, H, W) or (n, H, W, 3)."""
    if weights.ndim == 4:
        stacked = np.moveaxis(weights, -1, 0)  # (Co, h, w, Ci)
    elif weights.ndim == 2:
        if image_shape is None or math.prod(image_shape) != len(weights):
            raise ValueError(
                f"image_shape: expected (H, W) or (H, W, channels) with {len(weights)} numbers, "
                f"the inputs of each unit, got {image_shape}; pass the shape of one input image"
            )
        stacked = weights.T.reshape(-1, *image_shape)
        stacked = stacked[..., np.newaxis] if stacked.ndim == 3 else stacked
    else:
        stacked = weights
    if stacked.ndim != 4 or stacked.size == 0:
        raise ValueError(
            "weights: expected those of a dense layer, (D, units), or of a convolution in two "
            f"dimensions, (h, w, Ci, Co), got {weights.shape}; pass layer.weight.data"
        )
    if stacked.shape[-1] == 1:
        return stacked[..., 0]
    return np.moveaxis(stacked, -1, 1).reshape(-1, *stacked.shape[1:3])  # (Co Ci, h, w)


def _as_image(image: ArrayLike | None) -> FloatArray | None:
    """Return the image that went in as (H, W) or (H, W, 3), from 0 to 1."""
    if image is None:
        return None
    picture = np.asarray(image, dtype=np.float64)
    if picture.ndim == 3 and picture.shape[-1] == 1:
        picture = picture[..., 0]
    if picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[-1] != 3):
        raise ValueError(
            f"image: expected (H, W), (H, W, 1) or (H, W, 3), got {np.shape(image)}; pass one "
            "example, images[0]"
        )
    low, high = float(picture.min()), float(picture.max())
    return (picture - low) / (high - low or 1.0)


def _check_count(count: int) -> None:
    if count < 1:
        raise ValueError(f"count: expected at least 1 image to draw, got {count}; try 32")


def _check_finite(values: FloatArray, name: str) -> None:
    if not np.isfinite(values).all():
        raise ValueError(
            f"{name}: expected finite numbers, got NaN or infinity; look at an earlier epoch, or "
            "train with a lower learning rate"
        )


def _grid(
    pictures: FloatArray,
    titles: Sequence[str],
    ax: Axes | None,
    unit: str,
    first: FloatArray | None = None,
    **scale: Any,
) -> Figure:
    """Draw small images side by side under one scale, with a colour bar."""
    total = len(pictures) + (first is not None)
    columns = min(_MOST_COLUMNS, math.ceil(math.sqrt(2 * total)))
    rows = math.ceil(total / columns)
    tall = pictures.shape[1] / pictures.shape[2]
    width, height = _SIDE * columns + 0.9, (_SIDE * min(max(tall, 0.3), 3.0) + _TITLE) * rows + 0.1
    figure, axes = style.panels(ax, rows, columns, width, max(height, 1.4))
    if first is not None:
        axes[0].imshow(first, cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
        axes[0].set_title("input", fontsize=style.SMALL_SIZE, color=style.INK, pad=3.0)
        _bare(axes[0])
    drawn = axes[total - len(pictures) : total]
    for panel, picture, title in zip(drawn, pictures, titles, strict=True):
        shown = panel.imshow(picture, interpolation="nearest", **scale)
        panel.set_title(title, fontsize=style.SMALL_SIZE, color=style.INK, pad=3.0)
        _bare(panel)
    for spare in axes[total:]:
        spare.remove()
    _colour_bar(figure, shown, axes[:total], unit)
    return figure


def _bare(ax: Axes) -> None:
    """Leave of the axes only a thin frame."""
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set(color=style.MUTED, linewidth=0.6, visible=True)


def _colour_bar(figure: Figure, picture: Any, axes: Sequence[Axes], unit: str) -> None:
    place = {"ax": list(axes), "shrink": 0.9, "aspect": 25, "pad": 0.02}
    style.colour_bar(figure, picture, unit, **place)


def _names(names: Sequence[str] | None, steps: int, what: str) -> list[str] | None:
    """Return one short name a step, or None where there are none."""
    if names is None:
        return None
    if isinstance(names, str) and steps != len(names):
        raise TypeError(
            f"{what}: expected a list of {steps} names, one a step, got the string {names!r}; "
            "split it"
        )
    if len(names) != steps:
        raise ValueError(
            f"{what}: expected {steps} names, one a step, got {len(names)}; pass those of the "
            "sequence that was attended to"
        )
    return [style.plain(style.shorten(str(name).replace(" ", "␣"), 14)) for name in names]


def _label_steps(ax: Axes, rows: list[str] | None, columns: list[str] | None) -> None:
    """Write the tokens along the axes; numbers stand where there are none, or too many."""
    from matplotlib.ticker import MaxNLocator

    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=True))
    if rows is not None and len(rows) <= _LONGEST_LABELS:
        ax.set_yticks(range(len(rows)), labels=rows, fontsize=style.SMALL_SIZE)
    if columns is not None and len(columns) <= _LONGEST_LABELS:
        turned = max(map(len, columns)) > 2
        ax.set_xticks(
            range(len(columns)),
            labels=columns,
            fontsize=style.SMALL_SIZE,
            rotation=90 if turned else 0,
        )
