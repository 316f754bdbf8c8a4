"""Short trainings of a copy: which learning rate to take, and whether one batch can be learned."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.calls import helpful
from pellucid.figures import style
from pellucid.figures.html import table
from pellucid.optim import Optimizer
from pellucid.optim.checks import is_number
from pellucid.train.batches import is_loader, parts
from pellucid.train.callbacks import Callback, Run
from pellucid.train.model import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMOOTHING = 0.9  # share of the losses before in their running mean
TOO_HIGH = 4.0  # times the lowest loss: where the ramp of rates ends
FALL = 0.99  # of the loss at first: what has fallen less has not fallen
LEARNED = 0.1  # share of the loss at first that may be left of a batch known by heart


@dataclass(frozen=True)
class LearningRates:
    """What `lr_find` saw: the loss of each update, and the rate it was made with.

    ``smooth`` are the losses averaged with those before. ``suggestion`` is a tenth of the rate at
    which they were lowest; NaN where they never fell.

    >>> from pellucid import train
    >>> train.LearningRates((0.1, 1.0, 10.0), (2.0, 1.0, 8.0), (2.0, 1.5, 3.7), suggestion=0.1)
    3 updates with rates from 0.1 to 10: the loss was 2 at first, and lowest, 1.5, at 1;
    take a learning rate of about 0.1
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smooth: tuple[float, ...]
    suggestion: float

    def plot(self, *, ax: Axes | None = None) -> Figure:
        """Return a picture of loss against rate, with the suggestion marked."""
        figure, [axes] = style.panels(ax, 1, 1, 5.6, 3.6)
        style.dress(axes, "Learning rate", "Loss")
        (each,) = axes.plot(self.rates, self.losses, color=style.SKY, linewidth=1.0)
        (mean,) = axes.plot(self.rates, self.smooth, color=style.BLUE, linewidth=2.0)
        entries: list[Any] = [("each update", each), ("running mean", mean)]
        if math.isfinite(self.suggestion):
            line = axes.axvline(self.suggestion, color=style.VERMILLION, linestyle="--")
            entries.append((f"suggested: {self.suggestion:.2g}", line))
        axes.set_xscale("log")
        low, high = min(*self.smooth, *self.losses), max(self.smooth[0], min(self.smooth))
        axes.set_ylim(low - 0.1 * (high - low) - 1e-12, high + 0.3 * (high - low) + 1e-12)
        style.legend_above(axes, entries, columns=3)
        return figure

    def __str__(self) -> str:
        low = int(np.argmin(self.smooth))
        said = (
            f"take a learning rate of about {self.suggestion:.2g}"
            if math.isfinite(self.suggestion)
            else "the loss never fell: run overfit_one_batch and diagnose first"
        )
        return (
            f"{len(self.rates)} updates with rates from {self.rates[0]:.2g} to "
            f"{self.rates[-1]:.2g}: the loss was {self.smooth[0]:.4g} at first, and lowest, "
            f"{self.smooth[low]:.4g}, at {self.rates[low]:.2g}; {said}"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        low = int(np.argmin(self.smooth))
        rows = [
            ("suggested rate", f"{self.suggestion:.3g}"),
            ("rate of the lowest loss", f"{self.rates[low]:.3g}"),
            ("lowest loss", f"{self.smooth[low]:.4g}"),
            ("loss at first", f"{self.smooth[0]:.4g}"),
        ]
        return table((f"{len(self.rates)} updates", "value"), rows)


@dataclass(frozen=True)
class Overfit:
    """What `overfit_one_batch` saw: the loss of each update, and whether the batch was learned.

    >>> from pellucid import train
    >>> train.Overfit(losses=(2.0, 1.0, 0.1), learned=True)
    3 updates on one batch: loss 2 at first, 0.1 at last; the batch was learned by heart, ...
    """

    losses: tuple[float, ...]
    learned: bool

    def __bool__(self) -> bool:
        return self.learned

    def __str__(self) -> str:
        course = f"{len(self.losses)} updates on one batch: loss {self.losses[0]:.4g}"
        course += f" at first, {self.losses[-1]:.4g} at last"
        if self.learned:
            return f"{course}; the batch was learned by heart, as it should be"
        return (
            f"{course}; the batch was not learned by heart: look for a fault in the network, the "
            "loss or the labels with model.diagnose(x, y), try lr_find, and switch dropout and "
            "penalties off"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [
            ("learned", "yes" if self.learned else "no"),
            ("loss at first", f"{self.losses[0]:.4g}"),
            ("loss at last", f"{self.losses[-1]:.4g}"),
        ]
        return table((f"{len(self.losses)} updates", "value"), rows)


@helpful
def lr_find(
    model: Model,
    data: Any,
    *,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
    batch_size: int | None = None,
    seed: int | None = 0,
) -> LearningRates:
    """Return how the loss changes while the learning rate grows from `low` to `high`.

    Each update of a copy of the model has a rate larger by the same factor. While the rate is too
    low nothing happens, then the loss falls, then it rises: a tenth of the rate where it was lowest
    is a good one to begin with. It ends early where the loss is four times its lowest, or is not
    finite. The model itself is left exactly as it was. Smith, "Cyclical learning rates for
    training neural networks", 2017.

    Args:
        model: what to train; its optimiser starts afresh.
        data: ``(x, y)``, or what brings batches, as `Model.fit` takes it.
        low: the first rate.
        high: the last.
        steps: updates in all.
        batch_size: of ``(x, y)``.
        seed: of the order of examples and of dropout.

    Raises:
        ValueError, TypeError: a setting, or data that the model cannot be trained on.

    >>> from pellucid import data, nn, optim, train
    >>> moons = data.moons(300, seed=0)
    >>> network = nn.Sequential(nn.Dense(2, 16, "relu"), nn.Dense(16, 2), rng=0)
    >>> model = train.Model(network, "cross_entropy", optim.SGD())
    >>> found = train.lr_find(model, (moons.x, moons.y))
    >>> 0.1 < found.suggestion < 1.0  # found.plot() draws the losses
    True
    """
    if not (is_number(low) and is_number(high) and 0 < low < high < math.inf):
        raise ValueError(f"expected 0 < low < high, got {low!r} and {high!r}; try 1e-6 and 10")
    _check_steps(steps, 10)
    apart = model.copy()
    ramp = _Ramp(low, (high / low) ** (1 / (steps - 1)), steps)
    x, y, weight = (data, None, None) if is_loader(data) else parts(data, "data")
    with _quietly():
        apart.fit(
            x,
            y,
            sample_weight=weight,
            epochs=steps,  # enough for one batch an epoch; the ramp ends it before
            batch_size=batch_size,
            callbacks=[ramp],
            seed=seed,
            compile=False,
            verbose=False,
        )
    smooth = ramp.smooth or [math.nan]
    best = int(np.argmin(smooth))
    fell = smooth[best] < FALL * smooth[0]
    return LearningRates(
        tuple(ramp.rates[: len(smooth)]),
        tuple(ramp.losses or [math.nan]),
        tuple(smooth),
        ramp.rates[best] / 10 if fell else math.nan,
    )


@helpful
def overfit_one_batch(model: Model, batch: Any, *, steps: int = 300, seed: int = 0) -> Overfit:
    """Train a copy of the model on one small batch; return whether it learned that by heart.

    What cannot learn a handful of rows by heart will learn nothing from many: there is a fault in
    the network, the loss or the labels, or the learning rate is far off. It is true if at most a
    tenth is left of the loss at first. The model itself is left exactly as it was. Karpathy, "A
    recipe for training neural networks", 2019.

    Args:
        model: what to train, with its own optimiser from the start.
        batch: ``(x, y)``, a few rows.
        steps: updates.
        seed: of dropout.

    Raises:
        ValueError, TypeError: a setting, or a batch that the model cannot be trained on.

    >>> import numpy as np
    >>> from pellucid import nn, optim, train
    >>> x = np.linspace(-1.0, 1.0, 20)[:, None]  # (20, 1)
    >>> model = train.Model(nn.Dense(1, 1, rng=0), "mse", optim.SGD(0.1))
    >>> bool(train.overfit_one_batch(model, (x, 3 * x)))
    True
    >>> bool(train.overfit_one_batch(model, (x, x**2)))  # no line is a parabola
    False
    """
    _check_steps(steps, 1)
    x, y, weight = parts(batch, "batch")
    apart = model.copy()
    apart.optimizer.reset()
    with _quietly():
        history = apart.fit(
            x, y, sample_weight=weight, epochs=steps, batch_size=len(x), seed=seed, verbose=False
        )
    losses = tuple(history.get("loss", [math.nan]))
    return Overfit(losses, bool(losses[-1] <= LEARNED * losses[0]))


class _Ramp(Callback):
    """Makes the rate of each update larger by a factor, and ends training when that is too much."""

    def __init__(self, low: float, factor: float, steps: int) -> None:
        self.low, self.factor, self.steps = low, factor, steps
        self.rates: list[float] = []
        self.losses: list[float] = []
        self.smooth: list[float] = []
        self._base = 1.0
        self._mean = 0.0

    def on_fit_begin(self, run: Run) -> None:
        run.optimizer.reset()
        if callable(run.optimizer.lr):
            run.optimizer.lr = 1.0
        self._base = float(run.optimizer.rate(1)) or 1.0
        self._next(run.optimizer)

    def on_batch_end(self, run: Run) -> None:
        loss = float(run.logs["loss"])
        self.losses.append(loss)
        self._mean = SMOOTHING * self._mean + (1 - SMOOTHING) * loss
        self.smooth.append(self._mean / (1 - SMOOTHING ** len(self.losses)))
        too_high = self.smooth[-1] > TOO_HIGH * min(self.smooth)
        if len(self.losses) == self.steps or (too_high and min(self.smooth) > 0):
            run.stop("enough seen")
        else:
            self._next(run.optimizer)

    def _next(self, optimizer: Optimizer) -> None:
        self.rates.append(self.low * self.factor ** len(self.rates))
        optimizer.scale = self.rates[-1] / self._base


@contextmanager
def _quietly() -> Iterator[None]:
    """Let a trial give no warnings, and draw nothing from NumPy's own stream in the end."""
    everywhere = np.random.get_state()  # noqa: NPY002 - a layer of the user's own may draw from it
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        np.random.set_state(everywhere)  # noqa: NPY002


def _check_steps(steps: Any, least: int) -> None:
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < least:
        raise ValueError(f"expected steps of at least {least}, got {steps!r}; try {10 * least}")
