"""How the layers of a network fare while it learns: their values, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.arrays import quiet
from pellucid.autograd import Tensor, no_grad
from pellucid.figures import style
from pellucid.nn import Module, capture
from pellucid.nn.capture import layers_of
from pellucid.train import Model
from pellucid.train.callbacks import case_of
from pellucid.train.doctor import gradients, held
from pellucid.train.events import Callback, Run
from pellucid.train.inputs import dtype_of, examples
from pellucid.train.intake import in_mode

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

_FEWEST_BINS, _MOST_BINS = 8, 48
_TAIL = 0.1  # percent of the values left out at each end of a panel
_ROWS = 64  # training rows whose gradient is watched
_NAME_ROOM = 185.0  # points for a path over its panel


class LayerWatch(Callback):
    """A callback that keeps samples of weights, gradients and activations of every epoch.

    ``weights`` and ``gradients`` map the path of each trained parameter, ``activations`` that of
    each layer without parts, to one array an epoch. `layer_histograms` draws them. Gradients are
    those of the loss on 64 training rows, spread evenly, after the epoch: one pass of their own,
    which leaves everything as it was, for compiled training and eager alike. Layers' outputs are
    watched in evaluation mode, on the examples `x`; without, there are none. Of large arrays evenly
    spaced elements are kept, at most `most` of each.

    Raises:
        ValueError: `most` is below 1.

    >>> from pellucid import data, nn, viz
    >>> from pellucid.train import Model
    >>> xor = data.xor()
    >>> model = Model(nn.Sequential(nn.Dense(2, 2), rng=0), "cross_entropy")
    >>> watch = viz.LayerWatch(xor.x)
    >>> _ = model.fit(xor.x, xor.y, epochs=3, callbacks=[watch], verbose=0)
    >>> {path: len(epochs) for path, epochs in watch.weights.items()}
    {'layers.0.weight': 3, 'layers.0.bias': 3}
    """

    def __init__(self, x: ArrayLike | None = None, most: int = 2000) -> None:
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            raise ValueError(f"most: expected at least 1 value a layer, got {most!r}; try 2000")
        self.x = x
        self.most = most
        self.on_fit_begin()

    def on_fit_begin(self, run: Run | None = None) -> None:
        """Forget an earlier run."""
        self.weights: dict[str, list[FloatArray]] = {}
        self.gradients: dict[str, list[FloatArray]] = {}
        self.activations: dict[str, list[FloatArray]] = {}

    def on_epoch_end(self, run: Run) -> None:
        """Take samples."""
        for path, tensor in run.network.named_parameters().items():
            self._keep(self.weights, path, tensor.data)
        for path, gradient in gradients(case_of(run, _ROWS)).items():
            self._keep(self.gradients, path, gradient)
        if self.x is not None:
            for path, values in activations(run.network, self.x).items():
                self._keep(self.activations, path, values)

    def _keep(self, place: dict[str, list[FloatArray]], path: str, values: Any) -> None:
        flat = np.asarray(values, dtype=np.float64).reshape(-1)
        chosen = np.linspace(0, flat.size - 1, min(flat.size, self.most)).round().astype(int)
        place.setdefault(path, []).append(flat[chosen])


def activations(network: Module, x: ArrayLike) -> dict[str, NDArray[Any]]:
    """Return what each layer without parts makes of the examples `x`, by path.

    A layer's own activation, such as the ReLU of ``Dense(4, 8, "relu")``, is the layer's output.
    """
    parts = {path: len(layers_of(module)) for path, module in layers_of(network).items()}
    leaves = [path for path, count in parts.items() if count == 1]
    given = examples(x, dtype_of(network))
    with (
        held(network),
        in_mode(network, training=False),
        no_grad(),
        quiet(),
        capture(network, leaves) as outputs,
    ):
        network(Tensor(given))
    return {path: out.numpy() for path, out in outputs.items() if isinstance(out, Tensor)}


@dataclass(frozen=True)
class LayerStatistics:
    """One layer's outputs on some examples, and its parameters, in a few numbers.

    Attributes:
        path: Of the layer.
        layer: Its kind.
        mean: Of all outputs.
        std: Their standard deviation.
        zeros: Share of outputs that are exactly 0, as ReLU makes them.
        dead: Share of units (places along the last axis) that are 0 for every example.
        weights: Root mean square of the trained parameters; NaN for a layer without any.
        gradients: Root mean square of the gradients of the parameters; NaN without any.

    >>> from pellucid import nn, viz
    >>> (found,) = viz.layer_statistics(nn.Sequential(nn.ReLU()), [[-1.0, 3.0]])
    >>> found.path, found.layer, found.mean
    ('layers.0', 'ReLU', 1.5)
    """

    HEADERS: ClassVar = (
        "layer", "kind", "output mean", "std", "zeros", "dead units", "weights, RMS",
        "gradients, RMS",
    )  # fmt: skip

    path: str
    layer: str
    mean: float
    std: float
    zeros: float
    dead: float
    weights: float
    gradients: float

    def cells(self) -> tuple[str, ...]:
        """Return the row of a table."""
        numbers = (f"{value:.3g}" for value in (self.mean, self.std))
        sizes = ("" if math.isnan(x) else f"{x:.3g}" for x in (self.weights, self.gradients))
        shares = (style.percent(self.zeros), style.percent(self.dead))
        return (self.path or "network", self.layer, *numbers, *shares, *sizes)


def layer_statistics(
    target: Module | Model, x: ArrayLike, y: ArrayLike | None = None
) -> list[LayerStatistics]:
    """Return how each layer without parts fares on the examples `x`, in evaluation mode.

    Gradients are those of a `Model`'s loss on `x` and `y`, see `Model.gradients`; without `y` those
    that the last backward pass left on the parameters, if it left any.

    Raises:
        TypeError: `y` for a network, which has no loss.

    >>> from pellucid import nn, viz
    >>> network = nn.Sequential(nn.ReLU())
    >>> (relu,) = viz.layer_statistics(network, [[-1.0, 3.0], [-3.0, 1.0]])
    >>> relu.mean, relu.zeros, relu.dead  # the first unit is 0 for both examples
    (1.0, 0.5, 0.5)
    """
    network = target.network if isinstance(target, Model) else target
    modules, parameters = network.modules(), network.named_parameters()
    arrived = _gradients(target, x, y)
    found = []
    for path, out in activations(network, x).items():
        mine = {id(tensor) for tensor in modules[path].parameters()}
        own = [name for name, tensor in parameters.items() if id(tensor) in mine]
        values = out.astype(np.float64)
        is_zero = values == 0.0
        with np.errstate(all="ignore"):
            found.append(
                LayerStatistics(
                    path,
                    type(modules[path]).__name__,
                    float(values.mean()),
                    float(values.std()),
                    float(is_zero.mean()),
                    float(is_zero.reshape(-1, values.shape[-1]).all(axis=0).mean()),
                    _rms([parameters[name].data for name in own]),
                    _rms([arrived[name] for name in own if name in arrived]),
                )
            )
    return found


def _rms(arrays: Sequence[Any]) -> float:
    """Return the root mean square of all elements; NaN without any."""
    total = sum(array.size for array in arrays)
    squares = sum(float(np.sum(np.square(array, dtype=np.float64))) for array in arrays)
    return math.sqrt(squares / total) if total and squares >= 0 else math.nan


def layer_histograms(
    values: Mapping[str, Sequence[ArrayLike]], label: str = "value", *, ax: Axes | None = None
) -> Figure:
    """Draw how the values of each layer are distributed, epoch by epoch, one panel a layer.

    `values` maps a layer's path to one array an epoch, such as ``weights``, ``gradients`` or
    ``activations`` of a `LayerWatch`. The darker, the more of that epoch's values lie there; each
    epoch counts for itself. The line is the median. The outermost 0.1 % of all values are left out
    of sight, and values that are not finite are not counted.

    Raises:
        ValueError: no layers, a layer without epochs, or an epoch without values.
        ImportError: matplotlib is not installed.

    >>> from pellucid import viz
    >>> epochs = [[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0]]  # the weights after two epochs
    >>> figure = viz.layer_histograms({"layers.0.weight": epochs}, "weight")
    >>> [axes.get_title(loc="left") for axes in figure.axes]
    ['layers.0.weight']
    """
    layers = {
        path: [np.asarray(one, dtype=np.float64).reshape(-1) for one in epochs]
        for path, epochs in values.items()
    }
    empty = [
        path for path, epochs in layers.items() if not epochs or any(not e.size for e in epochs)
    ]
    if not layers or empty:
        raise ValueError(
            "values: expected at least one array of values for every epoch of every layer, got "
            f"{'none for ' + ', '.join(map(repr, empty)) if empty else 'no layers'}; train with a "
            "LayerWatch among the callbacks, LayerWatch(x) for activations"
        )
    columns = math.ceil(len(layers) / math.ceil(len(layers) / 3))
    rows = math.ceil(len(layers) / columns)
    figure, axes = style.panels(ax, rows, columns, 3.4 * columns + 0.4, 2.3 * rows + 0.3)
    for number, (panel, (path, epochs)) in enumerate(zip(axes, layers.items(), strict=False)):
        below = number + columns >= len(layers)
        style.dress(
            panel, "Epoch" if below else "", label if number % columns == 0 else "", grid=False
        )
        name = style.plain(style.shorten_to(path or "network", _NAME_ROOM, style.SMALL_SIZE))
        panel.set_title(name, fontsize=style.SMALL_SIZE, color=style.INK, loc="left")
        _draw_distributions(panel, epochs)
    for spare in axes[len(layers) :]:
        spare.remove()
    return figure


def _draw_distributions(ax: Axes, epochs: Sequence[FloatArray]) -> None:
    """Draw one column an epoch, as dark as many of its values are there, and the medians."""
    from matplotlib.ticker import MaxNLocator

    finite = [one[np.isfinite(one)] for one in epochs]
    whole = np.concatenate(finite)
    low, high = np.percentile(whole, [_TAIL, 100 - _TAIL]) if whole.size else (0.0, 1.0)
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
        low, high = low - 0.5 * max(abs(low), 1.0), high + 0.5 * max(abs(high), 1.0)
    bins = min(max(int(2 * math.sqrt(whole.size / len(epochs))), _FEWEST_BINS), _MOST_BINS)
    counts = np.stack([np.histogram(one, bins, (low, high))[0] for one in finite])  # (E, bins)
    shares = counts / np.maximum(counts.max(axis=1, keepdims=True), 1)
    ax.imshow(
        np.sqrt(shares.T),  # the square root, so that thin tails can be seen
        extent=(0.5, len(epochs) + 0.5, low, high),
        origin="lower",
        aspect="auto",
        cmap=style.blues(),
        vmin=0.0,
        vmax=1.15,
        interpolation="nearest",
    )
    medians = [float(np.median(one)) if one.size else math.nan for one in finite]
    marker = "o" if len(epochs) == 1 else ""
    at = np.arange(1, len(epochs) + 1)
    ax.plot(at, medians, color="white", linewidth=3.0, marker=marker)
    ax.plot(at, medians, color=style.VERMILLION, linewidth=1.4, marker=marker, markersize=4.0)
    ax.set(xlim=(0.5, len(epochs) + 0.5), ylim=(low, high))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5))


def gradient_flow(
    source: Model | Module | Mapping[str, ArrayLike],
    x: ArrayLike | None = None,
    y: ArrayLike | None = None,
    *,
    ax: Axes | None = None,
) -> Figure:
    """Draw how large the gradient of each parameter is, from the first layer to the last.

    `source` is a `Model`, with examples `x` and targets `y` whose loss is differentiated, see
    `Model.gradients`; or a network after a backward pass of yours; or a mapping from paths to
    arrays. A bar reaches from 0 to the root mean square of a parameter's gradient, on a logarithmic
    scale, and a mark stands at its largest element. Bars that shrink towards the first layer tell
    of vanishing gradients, growing ones of exploding gradients. A gradient that is 0 or not finite
    is named.

    Raises:
        TypeError: examples for what is no `Model`, and has no loss.
        ValueError: no gradients: no backward pass has been made.
        ImportError: matplotlib is not installed.

    >>> from pellucid import viz
    >>> gradients = {"layers.0.weight": [1e-4, 3e-4], "layers.1.weight": [0.1, 0.3]}
    >>> figure = viz.gradient_flow(gradients)
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['layers.0.weight', 'layers.1.weight']
    """
    arrived = _gradients(source, x, y)
    arrays = {path: np.asarray(g, dtype=np.float64) for path, g in arrived.items()}
    if not arrays or any(not g.size for g in arrays.values()):
        raise ValueError(
            "expected the gradient of at least one parameter, got none; pass a Model with x and y, "
            "call loss.backward() first, or pass {path: gradient}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        typical = np.array([np.sqrt(np.mean(g * g)) for g in arrays.values()])
        largest = np.array([np.abs(g).max() for g in arrays.values()])
    good = np.isfinite(typical) & np.isfinite(largest) & (typical > 0)
    floor = 10.0 ** math.floor(math.log10(typical[good].min()) - 0.3) if good.any() else 0.1
    figure, [axes] = style.panels(ax, 1, 1, 6.2, max(2.4, 0.9 + 0.27 * len(arrays)))
    from matplotlib.patches import Patch  # once the figure has said what is missing
    from matplotlib.ticker import NullFormatter

    style.dress(axes, "Size of the gradient (loss per unit of the parameter)", "")
    axes.grid(visible=False, axis="y")
    places = np.arange(len(arrays))
    look: dict[str, Any] = {"facecolor": style.SKY, "edgecolor": style.BLUE}
    axes.barh(places[good], typical[good] - floor, 0.62, left=floor, **look)
    (marks,) = axes.plot(largest[good], places[good], "D", color=style.INK, markersize=4.0)
    for place in places[~good]:
        what = "0 everywhere" if typical[place] == 0 else "not finite"
        text = axes.text(0.01, place, what, transform=axes.get_yaxis_transform(), va="center")
        text.set(fontsize=style.SMALL_SIZE, color=style.VERMILLION)
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())  # powers of ten are enough
    axes.set_xlim(floor, 2.0 * largest[good].max() if good.any() else 1.0)
    names = [style.plain(style.shorten(path, 32)) for path in arrays]
    axes.set_yticks(places, labels=names, fontsize=style.SMALL_SIZE)
    axes.set_ylim(len(arrays) - 0.4, -0.6)
    entries = [("root mean square", Patch(**look)), ("largest element", marks)]
    style.legend_above(axes, entries, columns=2)
    return figure


def _gradients(
    source: Model | Module | Mapping[str, ArrayLike], x: ArrayLike | None, y: ArrayLike | None
) -> Mapping[str, Any]:
    """Return gradients by path: of a model's loss on examples, or those that are there."""
    if isinstance(source, Model) and y is not None:
        return source.gradients(x, y)
    if y is not None:
        raise TypeError(
            f"expected a train.Model beside y, got {type(source).__name__}, which has no loss; "
            "pass the model, or leave y out after loss.backward()"
        )
    network = source.network if isinstance(source, Model) else source
    if not isinstance(network, Module):
        return network
    tensors = network.named_parameters()
    return {path: tensor.grad for path, tensor in tensors.items() if tensor.grad is not None}
