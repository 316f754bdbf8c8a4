"""Losses of scalars: one value that training makes small.

Each takes the network's outputs and the targets, one a row, and returns the mean over them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pellucid.scalar.engine import Number, Value, logistic


def mse(predictions: Sequence[Value], targets: Sequence[Number]) -> Value:
    """Mean squared error: L = mean (p - y)^2.

    >>> from pellucid.scalar import Value, mse
    >>> mse([Value(1.0), Value(2.0)], [0.0, 4.0])  # (1 + 4) / 2
    Value(2.5, grad=0)
    """
    return mean([(p - y) ** 2 for p, y in pairs(predictions, targets)])


def hinge(scores: Sequence[Value], targets: Sequence[Number]) -> Value:
    """Hinge or max-margin loss: L = mean max(0, 1 - y s), targets y of -1 and 1.

    A score on the right side of 0 by at least 1 costs nothing. Cortes and Vapnik, "Support-vector
    networks", Machine Learning 20, 1995.

    Raises:
        ValueError: a target is neither -1 nor 1.

    >>> from pellucid.scalar import Value, hinge
    >>> hinge([Value(2.0), Value(0.5)], [1, -1])  # (0 + 1.5) / 2
    Value(0.75, grad=0)
    """
    rows = pairs(scores, targets)
    for y in targets:
        if y not in (-1, 1):
            raise ValueError(f"hinge: expected targets of -1 and 1, got {y!r}; try 2 * y - 1")
    return mean([(1 - y * s).relu() for s, y in rows])


def binary_cross_entropy(logits: Sequence[Value], targets: Sequence[Number]) -> Value:
    """Binary cross-entropy: L = mean -(y ln p + (1 - y) ln (1 - p)), p = sigmoid(z), y from 0 to 1.

    Computed from the logits z as y softplus(-z) + (1 - y) softplus(z), which neither takes the
    logarithm of 0 nor loses digits.

    Raises:
        ValueError: a target is below 0 or above 1.

    >>> from pellucid.scalar import Value, binary_cross_entropy
    >>> loss = binary_cross_entropy([Value(0.0), Value(100.0)], [1, 0])
    >>> round(loss.data, 4)  # (ln 2 + 100) / 2
    50.3466
    """
    rows = pairs(logits, targets)
    for y in targets:
        if not 0 <= y <= 1:
            raise ValueError(f"binary_cross_entropy: expected targets from 0 to 1, got {y!r}")
    return mean([y * softplus(-z) + (1 - y) * softplus(z) for z, y in rows])


def softplus(z: Value) -> Value:
    """Return ln(1 + e^z), written so that e^z cannot overflow; slope sigmoid(z)."""
    out = max(z.data, 0.0) + math.log1p(math.exp(-abs(z.data)))
    return Value(out, "", "softplus", (z,), (logistic(z.data),))


def mean(values: Sequence[Value]) -> Value:
    """Return the mean of values, as sums of two and one division."""
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total / len(values)


def pairs(predictions: Sequence[Value], targets: Sequence[Number]) -> list[tuple[Value, Number]]:
    """Return predictions with their targets, if there is one for each."""
    for name, given in (("predictions", predictions), ("targets", targets)):
        if isinstance(given, Value) or not hasattr(given, "__len__"):
            raise TypeError(f"expected a list of {name}, got {given!r}; write [{given!r}]")
    if len(predictions) != len(targets) or len(predictions) == 0:
        raise ValueError(
            f"expected one target for each prediction, at least one, got {len(targets)} targets "
            f"for {len(predictions)} predictions"
        )
    for prediction in predictions:
        if not isinstance(prediction, Value):
            raise TypeError(
                f"expected one Value a prediction, got {type(prediction).__name__}; take the "
                "outputs of a network with one output"
            )
    return list(zip(predictions, targets, strict=True))
