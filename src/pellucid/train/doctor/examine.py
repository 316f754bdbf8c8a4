"""Whole examinations: of a network and data by themselves, and of a training run as it goes on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from pellucid.train.batches import Batch
from pellucid.train.doctor import course, data, passes
from pellucid.train.doctor.finding import Diagnosis, Finding
from pellucid.train.doctor.probe import Case, outputs, read, trial


def diagnose(case: Case, rows: Batch, validation: Batch | None) -> Diagnosis:
    """Return what is wrong with a network and its data, without training it."""
    is_new = case.optimizer.steps == 0

    def findings() -> Iterator[Finding]:
        yield from at_start(case, rows, validation)
        yield from data.unrelated_labels(case.loss, rows, trained=False)
        yield from passes.check(case, read(case))
        yield from course.tried(trial(case), passes.baseline(case, rows))
        yield from course.constant(case.loss, outputs(case), case.sample, may_be_new=is_new)

    return Diagnosis(_one_of_a_kind(findings()))


def at_start(case: Case, rows: Batch, validation: Batch | None) -> Iterator[Finding]:
    """Yield what is wrong with the data."""
    yield from data.check(case.network, case.loss, rows)
    if validation is not None:
        yield from data.leak(rows, validation)


def at_end(
    case: Case,
    rows: Batch,
    history: Mapping[str, Sequence[float]],
    first: float,
    stopped: str,
    moves: Mapping[str, float],
) -> Iterator[Finding]:
    """Yield what can be said after training."""
    losses = list(history.get("loss", ()))
    if not stopped.startswith("val_loss has not improved"):  # early stopping has dealt with it
        yield from course.overfitting(history, first)
    broken = list(course.diverged(losses, first, stopped))
    yield from broken
    if broken:
        return
    yield from course.slow(losses, first, case.optimizer.steps, moves)
    yield from course.constant(case.loss, outputs(case), case.sample)
    reached = min(history.get("val_loss") or losses or [math.inf])
    if not reached < 0.95 * passes.baseline(case, rows):
        yield from data.unrelated_labels(case.loss, rows, trained=True)


def _one_of_a_kind(findings: Iterator[Finding]) -> list[Finding]:
    """Return the first finding of each kind."""
    found: dict[str, Finding] = {}
    for finding in findings:
        found.setdefault(finding.kind, finding)
    return list(found.values())
