"""Mistakes in losses and their averages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.arrays import Array
from pellucid.museum.exhibit import Exhibit

Function = Callable[..., Any]


class SoftmaxOverflow(Exhibit):
    """Softmax of large numbers is not a number.

    e^1000 is more than any float holds, and infinity over infinity is nan. Softmax does not change
    when a number is taken off all of a row, so take off the largest: then no exponent is above 0.
    """

    @staticmethod
    def wrong(z: Array) -> Array:
        e = np.exp(z)
        return e / e.sum(axis=-1, keepdims=True)

    @staticmethod
    def right(z: Array) -> Array:
        e = np.exp(z - z.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    @staticmethod
    def measure(softmax: Function) -> str:
        with np.errstate(all="ignore"):
            return f"softmax of 1000, 999, 0 is {softmax(np.array([1000.0, 999.0, 0.0]))}"

    @staticmethod
    def check(softmax: Function) -> str:
        z = np.array([3.0, 2.0, 0.0])
        with np.errstate(all="ignore"):
            same = np.allclose(softmax(z + 1000), softmax(z))
        return "" if same else "adding 1000 to all logits changes the probabilities"


class SoftmaxTwice(Exhibit):
    """Softmax stands in the network and in the loss.

    The loss applies softmax to what it is given. Probabilities lie between 0 and 1, and softmax of
    such numbers is nearly even: however sure the network is, the loss stays far from 0 and its
    gradient is small. Nothing crashes, and the network even learns, badly. Give the loss logits.
    """

    @staticmethod
    def wrong(logits: Array, label: int) -> float:
        p = np.exp(logits) / np.exp(logits).sum()  # the network's last layer
        q = np.exp(p) / np.exp(p).sum()  # the loss, which expected logits
        return float(-np.log(q[label]))

    @staticmethod
    def right(logits: Array, label: int) -> float:
        q = np.exp(logits) / np.exp(logits).sum()  # the loss; the network ends in its logits
        return float(-np.log(q[label]))

    @staticmethod
    def measure(loss: Function) -> str:
        return f"an answer that is right beyond doubt costs {loss(np.array([20.0, 0, 0]), 0):.4f}"

    @staticmethod
    def check(loss: Function) -> str:
        sure = loss(np.array([20.0, 0.0, 0.0]), 0)
        return "" if sure < 0.01 else f"the loss of a sure and right answer is {sure:.2f}, not 0"


class SoftmaxDiagonal(Exhibit):
    """The backward pass of softmax uses only the diagonal.

    Every output of softmax depends on every input of its row, through the sum below. The derivative
    is a matrix, da_j / dz_k = a_j (1[j = k] - a_k), and its diagonal a (1 - a) is only a part.
    """

    @staticmethod
    def wrong(g: Array, a: Array) -> Array:
        return g * a * (1 - a)

    @staticmethod
    def right(g: Array, a: Array) -> Array:
        return a * (g - (g * a).sum(axis=-1, keepdims=True))

    @staticmethod
    def measure(backward: Function) -> str:
        z, g = np.array([1.0, 2.0, 0.5]), np.array([1.0, 0.0, -1.0])
        return f"dz is {np.round(backward(g, SoftmaxOverflow.right(z)), 4)}"

    @staticmethod
    def check(backward: Function) -> str:
        z, g, h = np.array([1.0, 2.0, 0.5]), np.array([1.0, 0.0, -1.0]), 1e-6
        steps = h * np.eye(3)
        differences = [
            (SoftmaxOverflow.right(z + d) @ g - SoftmaxOverflow.right(z - d) @ g) / (2 * h)
            for d in steps
        ]
        wrong_by = np.abs(backward(g, SoftmaxOverflow.right(z)) - differences).max()
        return "" if wrong_by < 1e-6 else f"finite differences disagree by {wrong_by:.2f}"


class AllPairs(Exhibit):
    """Predictions (n, 1) minus targets (n,) are a table of all pairs.

    NumPy stretches both to (n, n) without a word. The loss then compares every prediction with
    every target, and the best it can do is to predict the mean. Pellucid's losses refuse it.
    """

    @staticmethod
    def wrong(prediction: Array, target: Array) -> float:
        return float(((prediction - target) ** 2).mean())

    @staticmethod
    def right(prediction: Array, target: Array) -> float:
        if prediction.shape != target.shape:
            target = target.reshape(prediction.shape)
        return float(((prediction - target) ** 2).mean())

    @staticmethod
    def measure(mse: Function) -> str:
        y = np.array([0.0, 1.0, 2.0])
        return f"predictions that equal their targets have a loss of {mse(y[:, None], y):.3f}"

    @staticmethod
    def check(mse: Function) -> str:
        y = np.array([0.0, 1.0, 2.0])
        loss = mse(y[:, None], y)
        return "" if loss == 0 else f"the loss of perfect predictions is {loss:.3f}, not 0"


class AveragedTwice(Exhibit):
    """The gradient is divided by the batch twice.

    The loss is a mean, so its gradient is divided by n already. A layer that divides its weight
    gradient by n again makes it n times too small, and the learning rate has to grow with the
    batch. Average once, in the loss; layers sum.
    """

    @staticmethod
    def wrong(x: Array, error: Array) -> Array:
        dz = 2 * error / len(x)  # the loss: a mean over examples
        return x.T @ dz / len(x)

    @staticmethod
    def right(x: Array, error: Array) -> Array:
        dz = 2 * error / len(x)
        return x.T @ dz

    @staticmethod
    def measure(gradient: Function) -> str:
        x, error = np.ones((1, 1)), np.ones((1, 1))
        sizes = ", ".join(
            f"{n}: {gradient(x.repeat(n, axis=0), error.repeat(n, axis=0))[0, 0]:.3g}"
            for n in (1, 10, 100)
        )
        return f"the gradient for so many copies of one example is {sizes}"

    @staticmethod
    def check(gradient: Function) -> str:
        x, error = np.array([[1.0, 2.0]]), np.array([[0.5]])
        twice = gradient(np.vstack([x, x]), np.vstack([error, error]))
        same = np.allclose(twice, gradient(x, error))
        return "" if same else "the mean over a batch changes when every example is there twice"


class LogOfZero(Exhibit):
    """The logarithm of a probability that is exactly 0.

    In float32 the sigmoid of 40 is 1 exactly, so 1 - p is 0 and its logarithm minus infinity.
    Compute the cross-entropy from the logit z: ln(1 + e^z) - y z never leaves what a float holds.
    """

    @staticmethod
    def wrong(z: Array, y: Array) -> float:
        p = 1 / (1 + np.exp(-z))
        return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())

    @staticmethod
    def right(z: Array, y: Array) -> float:
        softplus = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
        return float((softplus - y * z).mean())

    @staticmethod
    def measure(bce: Function) -> str:
        with np.errstate(all="ignore"):
            loss = bce(np.array([40], np.float32), 0)
        return f"sure and wrong, z = 40 for y = 0: the loss is {loss}"

    @staticmethod
    def check(bce: Function) -> str:
        with np.errstate(all="ignore"):
            loss = bce(np.array([40, -40], np.float32), np.array([0, 1]))
        return "" if abs(loss - 40) < 1e-3 else f"expected a loss of 40, got {loss}"


EXHIBITS: list[type[Exhibit]] = [
    SoftmaxOverflow,
    SoftmaxTwice,
    SoftmaxDiagonal,
    AllPairs,
    AveragedTwice,
    LogOfZero,
]
