"""What is wrong with a network as one pass through it shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from pellucid.nn import BCELoss, CrossEntropyLoss, MSELoss
from pellucid.ops.elementwise import Relu, Sigmoid, Tanh
from pellucid.train.batches import Batch
from pellucid.train.doctor.finding import Finding
from pellucid.train.doctor.probe import Activity, Case, Readings

DEAD = 0.5  # share of a layer's units that never answer
SATURATED = 0.6  # share of outputs where the slope is below SLOPE
SLOPE = 0.01
VANISHED = 1e-4  # gradient at the first layer over that at the last
MOVE_HIGH, MOVE_LOW = 0.3, 1e-6  # |update| / |weight|
FEW_ROWS, FEW_VALUES = 16, 16


def check(case: Case, seen: Readings) -> Iterator[Finding]:
    """Yield what a pass shows, at any time of training."""
    if case.optimizer.steps == 0:
        yield from _initial_loss(case, seen)
    yield from _softmax_twice(case, seen)
    yield from _dead(case, seen)
    yield from _saturated(seen)
    yield from _gradients(seen)
    yield from _moves(seen)
    yield from _tiny_batches(case, seen)


def _initial_loss(case: Case, seen: Readings) -> Iterator[Finding]:
    """Yield a finding if the loss of a network that is new is not that of knowing nothing."""
    if isinstance(case.loss, CrossEntropyLoss):
        classes = seen.prediction.shape[-1]
        expected, what = math.log(classes), f"ln {classes}"
    elif isinstance(case.loss, BCELoss):
        expected, what = math.log(2), "ln 2"
    else:
        return
    if not math.isfinite(seen.loss) or seen.loss > max(2 * expected, expected + 2):
        yield Finding(
            "initial-loss",
            "The first loss is far above that of guessing",
            "warning",
            "",
            f"the loss of the untrained network is {seen.loss:.4g}; even chances give {what} = "
            f"{expected:.4g}; logits reach {np.abs(seen.prediction).max():.3g}",
            "the network starts out sure of wrong answers: its last weights, or its inputs, are "
            "too large, and the first epochs go into unlearning that",
            "scale the inputs, keep the initialiser that layers choose by default, or make the "
            "last layer's starting weights smaller",
        )


def baseline(case: Case, rows: Batch) -> float:
    """Return the loss of the best constant answer, as far as that is known; else infinity."""
    y = rows.y
    if isinstance(case.loss, CrossEntropyLoss) and y.dtype.kind in "iu":
        p = np.bincount(y.reshape(-1)) / y.size
        return float(-(p[p > 0] * np.log(p[p > 0])).sum())
    if isinstance(case.loss, BCELoss):
        q = np.clip(np.mean(np.asarray(y, np.float64), axis=0), 1e-12, 1 - 1e-12)
        return float(-np.mean(q * np.log(q) + (1 - q) * np.log(1 - q)))
    if isinstance(case.loss, MSELoss):
        return float(np.mean(np.var(np.asarray(y, np.float64), axis=0)))
    return math.inf


def _softmax_twice(case: Case, seen: Readings) -> Iterator[Finding]:
    loss, p = case.loss, seen.prediction
    if not getattr(loss, "from_logits", True) or loss.link.op is None or not loss.probabilistic:
        return
    rows = p.ndim > 1 and p.shape[-1] > 1 and isinstance(loss, CrossEntropyLoss) and len(p) > 1
    sums = rows and bool(p.min() >= 0 and np.abs(p.sum(axis=-1) - 1).max() < 1e-4)
    if seen.through or sums:
        name, own = seen.through or "softmax", loss.link.__name__.lower()
        yield Finding(
            "softmax-twice",
            f"{name.capitalize()} is applied twice",
            "error",
            "",
            f"the prediction given to {type(loss).__name__} lies between {p.min():.3g} and "
            f"{p.max():.3g}" + (", each row sums to 1" if sums else "") + f"; it has been through "
            f"{name}, and the loss applies {own} itself",
            "of numbers between 0 and 1 softmax makes nearly even chances: the loss cannot get "
            "near 0, and gradients are small",
            f"leave {name} out of the network's forward, or end the network in the layer "
            f"nn.{loss.link.__name__}(), whose input train.Model hands to the loss",
        )


def _dead(case: Case, seen: Readings) -> Iterator[Finding]:
    if len(case.sample.x) < FEW_ROWS:
        return
    shares = []
    for activity in seen.activities:
        if activity.op is Relu and activity.out.ndim > 1:
            dead = ~(activity.out > 0).any(axis=tuple(range(activity.out.ndim - 1)))  # (units,)
            shares.append((float(dead.mean()), activity))
    shares = [(share, activity) for share, activity in shares if share > DEAD]
    if shares:
        (share, (path, _, out)), *others = sorted(shares, key=lambda pair: -pair[0])
        units = out.shape[-1]
        yield Finding(
            "dead-relu",
            "Units of a ReLU never answer",
            "error" if share > 0.9 else "warning",
            path,
            f"{round(share * units)} of {units} units are 0 for all {len(case.sample.x)} examples"
            + _elsewhere(activity for _, activity in others),
            "where the input of ReLU is negative its slope is 0: a unit that is so for every "
            "example gets no gradient and stays that way; a large step or a strongly negative bias "
            "puts it there",
            "lower the learning rate, let the bias start at 0, scale the inputs; or use leaky_relu "
            "or gelu, whose slope is not 0",
        )


def _saturated(seen: Readings) -> Iterator[Finding]:
    found = []
    for activity in seen.activities:
        out = activity.out
        if activity.op is Relu or out.size < 2 * FEW_ROWS:
            continue
        slope = 1 - out * out if activity.op is Tanh else 4 * out * (1 - out)  # of the largest
        share = float((slope < SLOPE).mean())
        if share > SATURATED:
            found.append((share, activity))
    if found:
        (share, (path, op, out)), *others = sorted(found, key=lambda pair: -pair[0])
        name = "sigmoid" if op is Sigmoid else "tanh"
        yield Finding(
            "saturated",
            f"Outputs of {name} are saturated",
            "warning",
            path,
            f"at {share:.0%} of {out.size:,} outputs the slope is below {SLOPE:g} of its largest"
            + _elsewhere(activity for _, activity in others),
            f"far from 0 {name} is flat: the gradient is multiplied by nearly 0 there, so neither "
            "this layer nor those before it learn from these examples",
            "scale the inputs, use the default initialiser (Xavier), lower the learning rate, put "
            "normalisation before it, or use relu",
        )


def _gradients(seen: Readings) -> Iterator[Finding]:
    signals = [signal for signal in seen.signals if math.isfinite(signal.norm)]
    if len(signals) < 2 or len(signals) < len(seen.signals):
        return
    first, last = signals[0], signals[-1]
    if last.norm == 0:
        return
    ratio = first.norm / last.norm
    numbers = (
        f"|dL/dz| is {first.norm:.2g} at {first.path or 'the first layer'} and {last.norm:.2g} at "
        f"{last.path or 'the last'}: {ratio:.2g} of it, over {len(signals)} layers"
    )
    if ratio < VANISHED:
        yield Finding(
            "vanishing-gradient",
            "Gradients vanish on the way to the first layers",
            "error" if ratio == 0 else "warning",
            first.path,
            numbers,
            "each layer multiplies the gradient by its weights and slopes; where that makes it "
            "smaller every time, the first layers get nothing to learn from",
            "use relu with its default initialiser (He), put BatchNorm or LayerNorm between "
            "layers, add nn.Residual around blocks, or take fewer layers",
        )
    elif ratio > 1 / VANISHED:
        yield Finding(
            "exploding-gradient",
            "Gradients explode on the way to the first layers",
            "error",
            first.path,
            numbers,
            "each layer multiplies the gradient by its weights; where those are too large it grows "
            "at every layer, and one step throws the first layers away",
            "use the default initialiser, clip with clip_norm=1.0 in the optimiser, normalise "
            "between layers, or lower the learning rate",
        )


def _moves(seen: Readings) -> Iterator[Finding]:
    if not seen.moves:
        return
    middle = float(np.median(list(seen.moves.values())))
    path, extreme = max(seen.moves.items(), key=lambda item: item[1])
    if not middle <= MOVE_HIGH:
        yield Finding(
            "update-ratio",
            "Updates are very large beside the weights",
            "warning",
            path,
            f"the next update changes weights by {middle:.2g} of their size (the median of "
            f"{len(seen.moves)}), these by {extreme:.2g}; about 1e-3 is usual",
            "a step that replaces the weights forgets what they had learned: the learning rate is "
            "too high, or gradients are too large",
            "divide the learning rate by 10, and again until the ratio is near 1e-3",
        )
    elif extreme < MOVE_LOW:
        yield Finding(
            "update-ratio",
            "Updates are very small beside the weights",
            "warning",
            path,
            f"the next update changes no weight by more than {extreme:.2g} of its size; about 1e-3 "
            "is usual",
            "such steps get nowhere: the learning rate is too low, or hardly any gradient arrives",
            "multiply the learning rate by 10, and again until the ratio is near 1e-3; see that "
            "the gradients do not vanish",
        )


def _tiny_batches(case: Case, seen: Readings) -> Iterator[Finding]:
    few = {path: n for path, n in seen.per_channel.items() if n < FEW_VALUES}
    if few:
        path, values = min(few.items(), key=lambda item: item[1])
        yield Finding(
            "tiny-batches",
            "Batch normalisation over very few values",
            "warning",
            path,
            f"batches of {case.batch_size} give {values} values a channel to take mean and "
            "variance of",
            "so few values say little of the mean and variance: each example is shifted by its "
            "neighbours in the batch, and evaluation with running statistics differs from training",
            f"make batches of {2 * FEW_VALUES} or more, or use nn.LayerNorm, which looks at one "
            "example at a time",
        )


def _elsewhere(others: Iterable[Activity]) -> str:
    paths = [other.path for other in others]
    return f"; similar at {', '.join(paths[:3])}" if paths else ""
