"""The training doctor: faults that give no error, told by what they do to numbers.

In `finding.py` what is said; in `probe.py` the one pass that everything is read from; in
`passes.py`, `data.py` and `course.py` the checks, of a pass, of data and of a run; in `examine.py`
when each is made; in `watch.py` what watches a loop of one's own.
"""

from __future__ import annotations

from pellucid.train.doctor.data import spread
from pellucid.train.doctor.examine import at_end, at_start, diagnose
from pellucid.train.doctor.finding import Diagnosis, Finding, Severity
from pellucid.train.doctor.passes import check
from pellucid.train.doctor.probe import Case, Readings, anomaly, gradients, held, read
from pellucid.train.doctor.watch import watch

__all__ = [
    "Case",
    "Diagnosis",
    "Finding",
    "Readings",
    "Severity",
    "anomaly",
    "at_end",
    "at_start",
    "check",
    "diagnose",
    "gradients",
    "held",
    "read",
    "spread",
    "watch",
]
