"""Samples of the activations in ``ops/activations.py``."""

from __future__ import annotations

import numpy as np

from contracts import op_oracles as oracle
from contracts.op_case import Sample, away, case, kink, normal, one

LARGE = Sample("large", (np.array([-1e4, -800.0, -40.0, 0.0, 40.0, 800.0, 1e4]),))
ZERO = Sample("0", (np.zeros(2),))


def tanh_gelu(x: np.ndarray) -> np.ndarray:
    """Return the approximation with tanh."""
    return np.asarray(0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))))


case(
    "Elu",
    lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
    lambda t, x, alpha: t.nn.functional.elu(x, alpha),
    one(away, alpha=1.0),
    one(away, alpha=0.3),
    Sample("large", (np.array([-1e4, -40.0, 40.0, 1e4]),), {"alpha": 1.0}),
    kink("kink", [-1.0, 0.0, 1.0], [0.5 * np.exp(-1), 0.5, 1.0], alpha=0.5),
)
case(
    "Silu",
    lambda x: x / (1 + np.exp(-np.maximum(x, -700))),
    lambda t, x: t.nn.functional.silu(x),
    one(normal),
    LARGE,
    ZERO,
)
case(
    "Gelu",
    lambda x: x * 0.5 * (1 + oracle.erf(x / np.sqrt(2))),
    lambda t, x: t.nn.functional.gelu(x),
    one(normal),
    LARGE,
    ZERO,
)
case(
    "GeluTanh",
    tanh_gelu,
    lambda t, x: t.nn.functional.gelu(x, approximate="tanh"),
    one(normal),
    LARGE,
    ZERO,
)
