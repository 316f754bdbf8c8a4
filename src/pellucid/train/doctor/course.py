"""What is wrong with the course of a training run: the history and what came of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from pellucid.arrays import Array
from pellucid.nn import Loss
from pellucid.train.batches import Batch
from pellucid.train.doctor.data import FEW, classes_of
from pellucid.train.doctor.finding import Finding

GAP = 0.1  # of the first loss: what validation must have lost again to speak of overfitting
STILL = 0.01  # of the first loss: less than that is no progress
ENOUGH = 20  # updates before slowness is spoken of
FEW_ROWS = FEW // 2

_TOO_HIGH = (
    "a step that is too long jumps over the valley and lands higher on the other side, and the "
    "next gradient is larger still"
)
_LOWER = "divide the learning rate by 3 to 10; clip gradients with clip_norm=1.0; scale the inputs"


def overfitting(history: Mapping[str, Sequence[float]], first: float) -> Iterator[Finding]:
    """Yield a finding if the validation loss rises again while the training loss falls.

    Args:
        history: the values of each epoch by name.
        first: the loss before training, which tells what is much.
    """
    val, train = list(history.get("val_loss", ())), list(history.get("loss", ()))
    if len(val) < 4 or not np.isfinite([*val, *train, first]).all():
        return
    best, last = int(np.argmin(val)), len(val) - 1
    rise, fall = val[last] - val[best], train[best] - train[last]
    if best <= last - 3 and fall > 0 and rise > GAP * first and rise > 0.25 * val[best]:
        yield Finding(
            "overfitting",
            "The network overfits",
            "warning",
            "",
            f"validation loss was lowest after epoch {best + 1}, {val[best]:.4g}, and is "
            f"{val[last]:.4g} after epoch {last + 1}; training loss went from {train[best]:.4g} to "
            f"{train[last]:.4g}",
            "the network has begun to remember the training rows instead of what they share",
            "stop in time with train.EarlyStopping; add nn.Dropout or penalty=nn.L2(1e-4); use "
            "more data, augmentation, or a smaller network",
        )


def diverged(losses: Sequence[float], first: float, stopped: str) -> Iterator[Finding]:
    """Yield a finding if the loss rose, or was no number in the end."""
    broken = "not finite" in stopped or stopped.startswith("the loss is")
    rose = bool(losses) and math.isfinite(first) and losses[-1] > 1.3 * first + 1e-6
    if broken or rose:
        yield Finding(
            "learning-rate-high",
            "The learning rate is too high",
            "error",
            "",
            f"the loss was {first:.4g} before training"
            + (f" and {losses[-1]:.4g} now" if losses else "")
            + (f"; {stopped.split(';')[0]}" if broken else ""),
            _TOO_HIGH,
            _LOWER,
        )


def slow(
    losses: Sequence[float], first: float, updates: int, moves: Mapping[str, float]
) -> Iterator[Finding]:
    """Yield a finding if many updates changed next to nothing because they were so small."""
    if not losses or updates < ENOUGH or not moves or not math.isfinite(first) or first <= 0:
        return
    largest = max(moves.values())
    if abs(first - losses[-1]) < STILL * first and largest < 1e-5:
        yield Finding(
            "learning-rate-low",
            "The learning rate is too low",
            "warning",
            "",
            f"{updates} updates brought the loss from {first:.4g} to {losses[-1]:.4g}; an update "
            f"changes weights by {largest:.2g} of their size, where 1e-3 is usual",
            "each step is so short that training would take forever",
            "multiply the learning rate by 10, and again until the loss falls clearly within an "
            "epoch",
        )


def tried(losses: Sequence[float], guessing: float) -> Iterator[Finding]:
    """Yield a finding if a few updates on the same rows made their loss rise.

    Args:
        losses: before each update and after the last.
        guessing: the loss of the best constant answer, infinity where it is not known: near 0 a
            loss may rise by more than it was, and still be near 0.
    """
    if len(losses) < 2 or not math.isfinite(losses[0]):
        return
    worst, last = max(losses), losses[-1]
    much = max(losses[0], guessing if math.isfinite(guessing) else 0.0)
    if not math.isfinite(last) or last > losses[0] + 0.3 * much + 1e-6:
        yield Finding(
            "learning-rate-high",
            "The learning rate is too high",
            "error",
            "",
            f"{len(losses) - 1} updates on the same rows brought their loss from {losses[0]:.4g} "
            f"to {last:.4g}" + (f", at worst {worst:.4g}" if worst > last else ""),
            _TOO_HIGH,
            _LOWER,
        )


def constant(
    loss: Loss, prediction: Array, rows: Batch, may_be_new: bool = False
) -> Iterator[Finding]:
    """Yield a finding if the network answers the same whatever it is asked.

    Args:
        loss: what it was trained by.
        prediction: as the loss takes it, in evaluation mode.
        rows: the rows it was asked.
        may_be_new: whether it may not have been trained; then one class for all is no fault yet.
    """
    if len(rows.x) < FEW_ROWS or not np.isfinite(prediction).all():
        return
    flat = np.asarray(prediction, np.float64).reshape(len(prediction), -1)
    spread, size = float(flat.std(axis=0).max()), float(np.abs(flat).max())
    same = spread <= 1e-5 * size or size == 0
    said = f"{len(flat)} examples get outputs that differ by {spread:.2g} at a size of {size:.2g}"
    if not same and not may_be_new:
        if loss.task == "regression":
            y = np.asarray(rows.y, np.float64).reshape(len(rows.y), -1)
            same = spread < 0.01 * float(y.std(axis=0).max())
            said += f", targets by {y.std(axis=0).max():.2g}"
        else:
            same, said = _one_class(loss, prediction, rows, said)
    if same:
        yield Finding(
            "constant-predictions",
            "The network answers the same to every example",
            "error",
            "",
            said,
            "nothing of the input reaches the output: units are dead or saturated, the gradient "
            "vanishes, the labels belong to other rows, or one class outweighs the rest",
            "look at the other findings first; then overfit a single batch: what cannot learn "
            "eight rows by heart has a fault in the network or its labels",
        )


def _one_class(loss: Loss, prediction: Array, rows: Batch, said: str) -> tuple[bool, str]:
    guess, truth = classes_of(loss, prediction), classes_of(loss, rows.y)
    if guess is None or truth is None:
        return False, said
    if loss.task == "binary":
        guess = (prediction.reshape(-1) > loss.threshold).astype(np.int64)
    counts = np.unique(truth, return_counts=True)[1]
    one = len(counts) > 1 and len(np.unique(guess)) == 1
    text = (
        f"all {len(guess)} examples are given to class {guess[0]}; their labels are of "
        f"{len(counts)} classes, the most frequent has {counts.max() / counts.sum():.0%}"
    )
    return one, text
