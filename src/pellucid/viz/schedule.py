"""The learning rate over the steps of training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.figures import style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Schedule = Callable[[int], Any]

_MOST_POINTS = 2000
_DASHES = ("-", "--", "-.", ":")


def learning_rate(
    schedules: Schedule | Mapping[str, Schedule],
    steps: int,
    *,
    log: bool = False,
    ax: Axes | None = None,
) -> Figure:
    """Draw the rate that a schedule gives at the steps 1, 2, ..., `steps`.

    `schedules` is one of `optim.schedules` or any function of the step; or several by name, drawn
    into one picture.

    Raises:
        TypeError: what cannot be called.
        ValueError: no schedules, no steps, or with `log` a rate that is not positive anywhere.
        ImportError: matplotlib is not installed.

    >>> from pellucid import viz
    >>> from pellucid.optim.schedules import Cosine, Linear
    >>> schedules = {"linear": Linear(0.1, 0.0, steps=50), "cosine": Cosine(0.1, steps=50)}
    >>> figure = viz.learning_rate(schedules, steps=60)
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['linear', 'cosine']
    """
    named = dict(schedules) if isinstance(schedules, Mapping) else {"": schedules}
    for name, schedule in named.items():
        if not callable(schedule):
            raise TypeError(
                f"schedules: expected a schedule or functions of the step, got {schedule!r}"
                f"{f' as {name!r}' if name else ''}; pass for example optim.schedules.Cosine(...)"
            )
    if not named or isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(
            f"expected at least one schedule and one step to draw, got {len(named)} and "
            f"{steps!r}; pass the number of updates, epochs * batches"
        )
    at = np.unique(np.linspace(1, steps, min(steps, _MOST_POINTS)).round().astype(int))
    figure, [axes] = style.panels(ax, 1, 1, 5.6, 3.6)
    style.dress(axes, "Step (update of the parameters)", "Learning rate")
    colours = style.class_colours(len(named))
    entries: list[tuple[str, Artist]] = []
    for i, (name, schedule) in enumerate(named.items()):
        rates = np.array([float(schedule(int(step))) for step in at])
        if log and not (rates > 0).any():
            raise ValueError(
                f"log: expected a positive rate somewhere, got none of {name!r}; "
                "draw with log=False"
            )
        (line,) = axes.plot(
            at,
            rates,
            linestyle=_DASHES[i % len(_DASHES)],
            color=colours[i],
            linewidth=1.8,
            marker="o" if len(at) == 1 else "",
        )
        entries.append((name, line))
    axes.set_yscale("log" if log else "linear")
    if not log:
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.set_xlim(left=0)
    if list(named) != [""]:
        style.legend_above(axes, entries, columns=3)
    return figure
