"""The page of a run, `report.html`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import viz
from pellucid.cli.learn import Outcome, numbers_may_overflow
from pellucid.cli.source import Source
from pellucid.figures import style
from pellucid.train import Model
from pellucid.viz.report import Cells, HasHTML

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MISTAKES = 20  # rows
_SAMPLE = 256  # test rows on which layers are looked at


def report_page(
    config: Mapping[str, Any],
    model: Model,
    source: Source,
    outcome: Outcome,
    figures: Mapping[str, Figure],
    comparison: HasHTML | None = None,
) -> str:
    """Return all of a run as one page of HTML."""
    epochs = outcome.history.epochs
    seconds = f"trained for {epochs} epoch{'s' * (epochs != 1)} in {outcome.seconds:.1f} s"
    with numbers_may_overflow():
        some = source.test.take(np.arange(min(_SAMPLE, len(source.test.x))))
        layers = viz.layer_statistics(model, *source.pair(some))
    return viz.run_report(
        f"pellucid train {source.train.name}",
        headline=f"{outcome.headline}; {seconds}",
        command=config["command"],
        configuration={**config["settings"], "data": config["data"]},
        history=outcome.history,
        scores=outcome.scored,
        pictures=figures,
        comparison=comparison,
        mistakes=_mistakes(source, outcome),
        summary=model.summary(source.train.x.shape[1:]),
        layers=layers,
        findings=outcome.findings,
        environment={**config["versions"], "platform": config["platform"]},
    )


def _mistakes(source: Source, outcome: Outcome) -> Cells:
    """Return the surest wrong answers, or the largest errors, of the test."""
    test, chances = source.test, outcome.probabilities
    if chances is None:
        with numbers_may_overflow():
            errors = np.abs(outcome.predicted - test.y).max(axis=1)  # (N,)
        order = np.argsort(-errors, kind="stable")[:_MISTAKES]
        largest = [
            (str(row), _numbers(true), _numbers(said), f"{errors[row]:.4g}")
            for row, true, said in zip(order, test.y[order], outcome.predicted[order], strict=True)
        ]
        return ("test row", "true", "predicted", "error"), largest
    names = test.class_names
    wrong = np.flatnonzero(outcome.predicted != test.y)
    order = wrong[np.argsort(-chances[wrong].max(axis=1), kind="stable")][:_MISTAKES]
    rows = [
        (
            str(row),
            names[test.y[row]],
            names[outcome.predicted[row]],
            style.percent(float(chances[row].max())),
            style.percent(float(chances[row, test.y[row]])),
        )
        for row in order
    ]
    headers = ("test row", "true", "predicted", "probability", "of the true class")
    return headers, rows


def _numbers(values: Any) -> str:
    return ", ".join(f"{value:.4g}" for value in np.atleast_1d(values))
