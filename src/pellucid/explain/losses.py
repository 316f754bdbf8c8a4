"""Losses, and the gradient that each begins the backward pass with."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid import nn
from pellucid.explain.elementwise import softmax
from pellucid.explain.rule import Numbers

Derived = tuple[float, Numbers]  # the loss, and its gradient by the prediction


class LossRule:
    """A loss by hand: its value, and dL/dP for a prediction P and a target Y."""

    value = ""
    equation = ""

    def __init__(self, loss: Any) -> None:
        self.loss = loss

    def derive(self, p: Numbers, y: Numbers) -> Derived:
        """Return the loss and its gradient."""
        raise TypeError(f"{type(self).__name__} has no derive(); define it in the class")


class MSE(LossRule):
    """Squared error."""

    value = "L = mean over examples and outputs of (P - Y)^2"
    equation = "dP = 2 (P - Y) / (examples * outputs)"

    def derive(self, p: Numbers, y: Numbers) -> Derived:
        """Return L and dP."""
        d = p - y
        return float((d * d).mean()), 2 * d / d.size


class MAE(LossRule):
    """Absolute error."""

    value = "L = mean over examples and outputs of |P - Y|"
    equation = "dP = sign(P - Y) / (examples * outputs)"

    def derive(self, p: Numbers, y: Numbers) -> Derived:
        """Return L and dP."""
        d = p - y
        return float(np.abs(d).mean()), np.sign(d) / d.size


class Huber(LossRule):
    """Huber's error."""

    value = "L = mean of h(P - Y): half the square up to delta, then a straight line"
    equation = "dP = (P - Y held between -delta and delta) / (examples * outputs)"

    def derive(self, p: Numbers, y: Numbers) -> Derived:
        """Return L and dP."""
        d, delta = p - y, self.loss.delta
        c = np.clip(d, -delta, delta)
        h = np.where(np.abs(d) <= delta, 0.5 * d * d, delta * (np.abs(d) - 0.5 * delta))
        return float(h.mean()), c / d.size


class BCE(LossRule):
    """Sigmoid and binary cross-entropy together, so that the factors A (1 - A) cancel."""

    value = "L = mean of -(Y ln A + (1 - Y) ln(1 - A)), A = sigmoid(Z)"
    equation = "dZ = (A - Y) / (examples * outputs)"

    def derive(self, p: Numbers, y: Numbers) -> Derived:
        """Return L and dZ."""
        a = 0.5 * (1 + np.tanh(0.5 * p))
        softplus = np.maximum(p, 0) + np.log1p(np.exp(-np.abs(p)))
        return float((softplus - p * y).mean()), (a - y) / p.size


class CrossEntropy(LossRule):
    """Softmax and cross-entropy together."""

    value = "L = mean over examples of -ln A[y], A = softmax(Z)"
    equation = "dZ = (A - Y) / examples, Y the labels as one-hot rows"

    def __init__(self, loss: Any) -> None:
        super().__init__(loss)
        if loss.label_smoothing or loss.class_weight is not None:
            self.value = "L = sum of c_j q_ij (-ln A_ij) / sum of c_j y_ij, q the smoothed labels"
            self.equation = "dz_i = (A_i sum_j(c_j q_ij) - c q_i) / sum of c_j y_ij"

    def derive(self, p: Numbers, y: Numbers) -> Derived:
        """Return L and dZ."""
        classes = p.shape[-1]
        t = (y[..., None] == np.arange(classes)).astype(np.float64) if y.ndim < p.ndim else y
        e = self.loss.label_smoothing
        c = np.ones(classes) if self.loss.class_weight is None else self.loss.class_weight
        w = c * ((1 - e) * t + e / classes)  # (..., C)
        total = float((c * t).sum()) if self.loss.class_weight is not None else p.size / classes
        m = p.max(axis=-1, keepdims=True)
        ln_a = p - m - np.log(np.exp(p - m).sum(axis=-1, keepdims=True))
        dz = (softmax(p) * w.sum(axis=-1, keepdims=True) - w) / total
        return float(-(w * ln_a).sum() / total), dz


class Sum(LossRule):
    """No loss: L = sum of P * G, which begins with the gradient G that was given, or with ones."""

    value = "L = sum of P * G, G what was given as the gradient of the output (ones by default)"
    equation = "dP = G"

    def derive(self, p: Numbers, y: Numbers) -> Derived:
        """Return L and G."""
        return float((p * y).sum()), np.array(y)


RULES: dict[type[nn.Loss], type[LossRule]] = {
    nn.MSELoss: MSE,
    nn.MAELoss: MAE,
    nn.HuberLoss: Huber,
    nn.BCELoss: BCE,
    nn.CrossEntropyLoss: CrossEntropy,
}


def rule_of(loss: nn.Loss) -> LossRule:
    """Return the hand-derived rule of a loss.

    Raises:
        TypeError: this kind has none.
    """
    kind = RULES.get(type(loss))
    if kind is None or not getattr(loss, "from_logits", True):
        got = type(loss).__name__ + ("" if kind is None else "(from_logits=False)")
        known = ", ".join(one.__name__ for one in RULES)
        raise TypeError(
            f"expected a loss that is derived by hand, one of {known} (on logits), got {got}; "
            "check its gradient with pellucid.gradcheck"
        )
    return kind(loss)
