"""Samples of the operations that normalise."""

from __future__ import annotations

from typing import Any

import numpy as np

from contracts.op_case import Sample, case, every, label, normal


def standardise(x: np.ndarray, axis: Any, eps: float) -> np.ndarray:
    """Return x less its mean, over the root of its variance."""
    return np.asarray((x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + eps))


def torch_standardise(t: Any, x: Any, axis: Any, eps: float) -> Any:
    """Return the same in PyTorch, whose var warns of an empty x."""
    deviation = x - x.mean(every(x, axis), True)
    return deviation / t.sqrt(t.square(deviation).mean(every(x, axis), True) + eps)


def samples(eps: float) -> list[Sample]:
    """Return operands of several shapes, over several axes."""
    return [
        *(
            Sample(label(shape, axis=axis), (2 * normal(*shape) + 0.5,), {"axis": axis, "eps": eps})
            for shape, axis in [
                ((5, 3), 0),
                ((5, 3), (0,)),
                ((4, 3), -1),
                ((2, 3, 2, 4), (0, 1, 2)),
                ((2, 3, 4), (-2, -1)),
                ((2, 3), None),
                ((0, 3), -1),
            ]
        ),
        Sample("large eps", (normal(4, 3),), {"axis": 0, "eps": 0.7}),
        Sample("constant", (np.full((4, 2), 3.0),), {"axis": 0, "eps": 0.01}),
    ]


case(
    "Standardise",
    standardise,
    torch_standardise,
    samples(1e-5),
)
case(
    "RmsNormalise",
    lambda x, axis, eps: x / np.sqrt(np.square(x).mean(axis, keepdims=True) + eps),
    lambda t, x, axis, eps: x / t.sqrt(t.square(x).mean(every(x, axis), True) + eps),
    samples(1e-6),
)
