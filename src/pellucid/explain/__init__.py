"""The backward pass by hand: every layer's gradients derived in plain NumPy, beside autograd's.

`rule.py` says what a rule is; `layers.py`, `elementwise.py`, `windows.py` and `losses.py` hold one
a kind; `chain.py` takes a network apart, `backward.py` runs the rules, and `report.py` is the page
that comes out.
"""

from __future__ import annotations

from pellucid.explain.backward import explain_backward
from pellucid.explain.report import BackwardReport, Gradient, Step

__all__ = ["BackwardReport", "Gradient", "Step", "explain_backward"]
