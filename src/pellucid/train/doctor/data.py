"""What is wrong with the data: scales, classes, labels that belong to other rows, leaks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.arrays import Array
from pellucid.data.several import Several
from pellucid.nn import Embedding, Loss, Module
from pellucid.nn.norm import Normalisation
from pellucid.train.batches import Batch
from pellucid.train.doctor.finding import Finding
from pellucid.train.inputs import labels

LARGE, SMALL = 20.0, 0.01  # root mean squares of a feature between which networks learn easily
LARGE_TARGET = 100.0
IMBALANCE = 10.0  # examples of the most frequent class for one of the rarest
MANY = 20  # classes from which on some are rare by nature, as letters are
FEW = 50  # rows below which nothing is said of statistics
SOME = 300  # rows that are looked at where all would take long
LEAK = 0.05  # share of validation rows met in training, beyond what the data repeat by themselves

Floats = NDArray[np.float64]


def check(network: Module, loss: Loss, rows: Batch) -> Iterator[Finding]:
    """Yield what is wrong with the training rows by themselves."""
    some = rows.rows(spread(len(rows.x), 4 * SOME))
    yield from _scale_of_inputs(network, some)
    if loss.task == "regression":
        yield from _scale_of_targets(some)
    else:
        yield from _imbalance(loss, rows)


def spread(rows: int, most: int) -> NDArray[np.int64]:
    """Return at most so many row numbers, evenly spaced."""
    return np.unique(np.linspace(0, rows - 1, min(rows, most)).astype(np.int64))


def _scale_of_inputs(network: Module, rows: Batch) -> Iterator[Finding]:
    modules = list(network.modules().values())
    first = next((module for module in modules if _holds_tensors(module)), None)
    if isinstance(rows.x, Several):  # lengths and the like need no scaling
        return
    tokens = rows.x.dtype.kind != "f" and any(isinstance(m, Embedding) for m in modules)
    if tokens or isinstance(first, Normalisation):
        return
    x = _flat(rows.x)
    rms = np.sqrt(np.mean(x * x, axis=0))  # (features,)
    worst = int(rms.argmax())
    if rms[worst] > LARGE:
        many = int((rms > LARGE).sum())
        yield Finding(
            "unscaled-inputs",
            "Inputs are not scaled",
            "warning",
            "",
            f"{many} of {len(rms)} features have a root mean square above {LARGE:g}; the largest, "
            f"feature {worst}, has {rms[worst]:.4g} (mean {x[:, worst].mean():.4g}, standard "
            f"deviation {x[:, worst].std():.4g})",
            "large inputs make large sums: activations saturate, and the loss is steep along some "
            "weights and flat along others, so that no single learning rate suits them all",
            "bring each feature to mean 0 and deviation 1 with data.Standardizer, fitted on the "
            "training rows; divide pixels by 255",
        )
    elif 0 < rms[worst] < SMALL:
        yield Finding(
            "unscaled-inputs",
            "Inputs are tiny",
            "warning",
            "",
            f"no feature has a root mean square above {rms[worst]:.2g}",
            "small inputs make small sums and small gradients: the first layer hardly learns",
            "bring each feature to mean 0 and deviation 1 with data.Standardizer",
        )


def _holds_tensors(module: Module) -> bool:
    """Whether a module holds tensors of its own."""
    return any(hasattr(value, "requires_grad") for value in vars(module).values())


def _scale_of_targets(rows: Batch) -> Iterator[Finding]:
    y = _flat(rows.y)
    rms = float(np.sqrt(np.mean(y * y)))
    if rms > LARGE_TARGET:
        yield Finding(
            "unscaled-targets",
            "Targets are not scaled",
            "warning",
            "",
            f"targets have a root mean square of {rms:.4g} (mean {y.mean():.4g}, standard "
            f"deviation {y.std():.4g})",
            "a new network predicts numbers around 0, so the loss and its gradients begin with "
            "the square of that distance",
            "train on (y - mean) / deviation, as data.Standardizer makes it, and turn "
            "predictions back with inverse_transform",
        )


def _imbalance(loss: Loss, rows: Batch) -> Iterator[Finding]:
    classes = classes_of(loss, rows.y)
    if classes is None or len(classes) < FEW:
        return
    counts = np.bincount(classes, weights=rows.weight)
    present = np.flatnonzero(counts)
    if not 2 <= len(present) <= MANY:
        return
    most, least = present[counts[present].argmax()], present[counts[present].argmin()]
    ratio = counts[most] / counts[least]
    if ratio >= IMBALANCE:
        yield Finding(
            "class-imbalance",
            "Classes are of very different size",
            "warning",
            "",
            f"class {most} has {counts[most]:,.0f} examples, class {least} has "
            f"{counts[least]:,.0f}: {ratio:.3g} to 1; always answering {most} is right in "
            f"{counts[most] / counts.sum():.1%}",
            "the loss is the mean over examples, so a rare class hardly counts in it, and accuracy "
            "looks good without it",
            "pass class_weight='balanced' to fit, and watch balanced_accuracy, F1 or the confusion "
            "matrix in place of accuracy",
        )


def unrelated_labels(loss: Loss, rows: Batch, trained: bool) -> Iterator[Finding]:
    """Yield a finding if neither neighbours nor a linear fit tell anything of the targets.

    It is the graver for a network that was trained, and has learned nothing.
    """
    some = rows.rows(spread(len(rows.x), SOME))
    x, n = _standardised(_flat(some.x)), len(some.x)
    if n < FEW or isinstance(rows.x, Several) or rows.x.dtype.kind != "f":
        return
    if loss.task == "regression":
        t = _standardised(_flat(some.y))
        if not t.any():
            return
    else:
        classes = classes_of(loss, some.y)
        if classes is None or len(np.unique(classes)) < 2:
            return
        t = _standardised((classes[:, None] == np.unique(classes)).astype(np.float64))
    near, linear = _correlation(t[_neighbours(x)], t), _linear_fit(x, t)
    chance = 2.5 / math.sqrt(n)
    if near < chance and linear < 2 * chance:
        yield Finding(
            "labels-unrelated",
            "Labels look unrelated to the inputs",
            "error" if trained else "warning",
            "",
            f"among {n} rows the targets of nearest neighbours correlate by {near:.2f} and a "
            f"linear fit by {linear:.2f} on rows it has not seen; by chance alone that is up to "
            f"{chance:.2f}",
            "most often x and y were shuffled, sorted or filtered apart from each other; a weak "
            "relation between many features can look like this too",
            "index both with the same array, x[order] and y[order]; look at some examples beside "
            "their labels",
        )


def leak(training: Batch, validation: Batch) -> Iterator[Finding]:
    """Yield a finding if validation rows are met among the training rows."""
    train, held = _rows(training.x), _rows(validation.x)
    if train.shape[1] != held.shape[1] or len(held) == 0 or len(train) == 0:
        return
    step = -(-train.shape[1] // 32)
    keys = np.ascontiguousarray(train[:, ::step], np.float64).sum(axis=1)
    order = np.argsort(keys)

    def met(rows: Array, least: int) -> int:
        """Return how many of the rows occur in training at least so often."""
        own = np.ascontiguousarray(rows[:, ::step], np.float64).sum(axis=1)
        margin = 1e-9 * np.abs(own)  # sums of equal rows may be rounded differently
        low = np.searchsorted(keys, own - margin, "left", order)
        high = np.minimum(np.searchsorted(keys, own + margin, "right", order), low + SOME)
        return sum(
            int((train[order[a:b]] == row).all(axis=1).sum()) >= least
            for row, a, b in zip(rows, low, high, strict=True)
        )

    some = held[spread(len(held), SOME)]
    repeated = train[spread(len(train), SOME)]
    share, usual = met(some, 1) / len(some), met(repeated, 2) / len(repeated)
    if share - usual > max(LEAK, 3 * math.sqrt(usual / len(some))):
        yield Finding(
            "validation-leak",
            "Validation rows are among the training rows",
            "error",
            "",
            f"{share:.0%} of {len(some)} validation rows examined occur in the training data; "
            f"training rows repeat each other in {usual:.0%}",
            "what was trained on is no test of what was learned: the validation loss follows the "
            "training loss, and overfitting goes unseen",
            "split before anything else, with data.split or validation_split, and augment or "
            "duplicate rows only afterwards",
        )


def classes_of(loss: Loss, y: Array) -> NDArray[np.int64] | None:
    """Return one class number an example, None where an example has several."""
    found = labels(loss, y, threshold=0.5).reshape(len(y), -1)
    return found[:, 0].astype(np.int64) if found.shape[1] == 1 else None


def _rows(x: Any) -> Array:
    """Return examples as rows of numbers, those of several inputs side by side."""
    if isinstance(x, Several):
        return np.concatenate([_rows(array) for array in x.arrays], axis=1)
    return x.reshape(len(x), -1)


def _flat(x: Array) -> Floats:
    return np.asarray(_rows(x), np.float64)


def _standardised(x: Floats) -> Floats:
    """Return columns of mean 0 and variance 1; constant ones are 0."""
    spread_of = x.std(axis=0)
    return np.asarray((x - x.mean(axis=0)) / np.where(spread_of > 1e-12, spread_of, 1.0))


def _neighbours(x: Floats) -> NDArray[np.int64]:
    """Return for each row the number of the nearest other one."""
    squares = (x * x).sum(axis=1)
    distance = squares[:, None] + squares - 2 * (x @ x.T)
    np.fill_diagonal(distance, np.inf)
    return np.asarray(distance.argmin(axis=1))


def _linear_fit(x: Floats, t: Floats) -> float:
    """Return how a ridge regression on every other row correlates with the targets of the rest."""
    fit, test = x[::2], x[1::2]
    gram = fit @ fit.T + x.shape[1] * np.eye(len(fit))
    return _correlation(test @ fit.T @ np.linalg.solve(gram, t[::2]), t[1::2])


def _correlation(a: Floats, b: Floats) -> float:
    size = math.sqrt(float((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size else 0.0
