"""Schedules: the learning rate as a function of the step, 1, 2, ...

An optimiser takes one in place of a number and asks it in every step, so that no rate is lost::

    optim.AdamW(schedules.WarmUp(500, schedules.Cosine(1e-3, steps=9_500)))

Steps are those of the optimiser: an epoch of N examples in batches of B has ceil(N / B) of them.
Below, t = step - 1 is the number of steps taken before. Schedules can be multiplied by numbers and
by each other. Any function of the step may stand for one. A setting that is out of range is a
ValueError.

A step may be a number, a NumPy array of numbers, as for a picture of the schedule, or an array of
another backend: a schedule computes with it and never asks what it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from pellucid import calls
from pellucid.optim.checks import Rate, at_least_0, is_number, positive, whole
from pellucid.optim.steps import floor, log, maximum, minimum, wave, where


class Schedule(calls.Helpful):
    """The base of schedules; each defines ``__call__(step)`` by its equation.

    >>> from pellucid.optim import schedules
    >>> class InverseRoot(schedules.Schedule):
    ...     def __call__(self, step):
    ...         return 0.1 / step**0.5
    >>> rate = 2 * InverseRoot()
    >>> [rate(step) for step in (1, 4, 16)]
    [0.2, 0.1, 0.05]
    """

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step, counted from 1."""
        raise TypeError(f"{type(self).__name__} has no __call__(step); define it in the class")

    def __mul__(self, other: Rate) -> Product:
        return Product(self, other)

    __rmul__ = __mul__

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({settings})"


class Constant(Schedule):
    """rate = lr.

    Args:
        lr: the rate, of at least 0.

    >>> from pellucid.optim import schedules
    >>> rate = schedules.Constant(0.1)
    >>> [round(rate(step), 3) for step in range(1, 4)]
    [0.1, 0.1, 0.1]
    """

    def __init__(self, lr: float) -> None:
        self.lr = at_least_0("lr", lr, "try 0.001 to 0.1")

    def __call__(self, step: Any) -> Any:
        """Return lr."""
        return self.lr + 0.0 * step


class InverseTime(Schedule):
    """rate = lr / (1 + decay * t). Robbins and Monro, "A stochastic approximation method", 1951.

    Args:
        lr: the first rate.
        decay: after 1 / decay steps the rate is half the first.

    >>> from pellucid.optim import schedules
    >>> rate = schedules.InverseTime(1.0, decay=0.5)
    >>> [round(rate(step), 3) for step in (1, 3, 7)]
    [1.0, 0.5, 0.25]
    """

    def __init__(self, lr: float, decay: float) -> None:
        self.lr = positive("lr", lr, "try 0.001 to 0.1")
        self.decay = at_least_0("decay", decay, "try 0.001")

    def __call__(self, step: Any) -> Any:
        """Return lr / (1 + decay * t)."""
        return self.lr / (1 + self.decay * (step - 1))


class Step(Schedule):
    """rate = lr * factor^floor(t / every): a staircase.

    Szegedy et al., "Going deeper with convolutions", CVPR 2015, section 6.

    Args:
        lr: the first rate.
        every: how many steps each rate lasts.
        factor: what one is multiplied by to give the next.

    >>> from pellucid.optim import schedules
    >>> rate = schedules.Step(1.0, every=2)
    >>> [round(rate(step), 3) for step in range(1, 6)]
    [1.0, 1.0, 0.1, 0.1, 0.01]
    """

    def __init__(self, lr: float, every: int, factor: float = 0.1) -> None:
        self.lr = positive("lr", lr, "try 0.001 to 0.1")
        self.every = whole("every", every, "give the steps of some epochs")
        self.factor = positive("factor", factor, "try 0.1")

    def __call__(self, step: Any) -> Any:
        """Return lr * factor^floor(t / every)."""
        return self.lr * self.factor ** floor((step - 1) / self.every)


class MultiStep(Schedule):
    """rate = lr * factor^n, where n is the number of milestones that are at most t.

    He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016, section 4.2.

    Args:
        lr: the first rate.
        milestones: after how many steps the rate is multiplied, in rising order.
        factor: by what.

    >>> from pellucid.optim import schedules
    >>> rate = schedules.MultiStep(1.0, milestones=[1, 4])
    >>> [round(rate(step), 3) for step in range(1, 6)]
    [1.0, 0.1, 0.1, 0.1, 0.01]
    """

    def __init__(self, lr: float, milestones: Sequence[int], factor: float = 0.1) -> None:
        self.lr = positive("lr", lr, "try 0.001 to 0.1")
        self.milestones = rising("milestones", milestones)
        self.factor = positive("factor", factor, "try 0.1")

    def __call__(self, step: Any) -> Any:
        """Return lr * factor^n."""
        rate = self.lr + 0.0 * step
        for milestone in self.milestones:
            rate = where(step, step > milestone, self.factor * rate, rate)
        return rate


class Exponential(Schedule):
    """rate = lr * factor^(t / every).

    Senior, Heigold, Ranzato and Yang, "An empirical study of learning rates in deep neural networks
    for speech recognition", ICASSP 2013.

    Args:
        lr: the first rate.
        factor: what the rate is multiplied by in ``every`` steps.
        every: for example the steps of an epoch.

    >>> from pellucid.optim import schedules
    >>> rate = schedules.Exponential(1.0, factor=0.25, every=2)
    >>> [round(rate(step), 3) for step in range(1, 5)]
    [1.0, 0.5, 0.25, 0.125]
    """

    def __init__(self, lr: float, factor: float, every: int = 1) -> None:
        self.lr = positive("lr", lr, "try 0.001 to 0.1")
        self.factor = positive("factor", factor, "try 0.95, with every=<steps of an epoch>")
        self.every = whole("every", every, "give the steps of an epoch")

    def __call__(self, step: Any) -> Any:
        """Return lr * factor^(t / every)."""
        return self.lr * self.factor ** ((step - 1) / self.every)


class Polynomial(Schedule):
    """rate = end + (lr - end) * (1 - min(t, steps) / steps)^power.

    Chen et al., "DeepLab: semantic image segmentation with deep convolutional nets, atrous
    convolution, and fully connected CRFs", TPAMI 2018, the "poly" policy, there with end = 0.

    Args:
        lr: the first rate.
        steps: after how many the rate is ``end``.
        power: 1 is a straight line; above it the rate falls quickly first.
        end: the last rate.

    >>> from pellucid.optim import schedules
    >>> rate = schedules.Polynomial(1.0, steps=4, power=2)
    >>> [rate(step) for step in range(1, 6)]
    [1.0, 0.5625, 0.25, 0.0625, 0.0]
    """

    def __init__(self, lr: float, steps: int, power: float = 1.0, end: float = 0.0) -> None:
        self.lr = positive("lr", lr, "try 0.001 to 0.1")
        self.steps = whole("steps", steps, "give the steps of the whole training")
        self.power = positive("power", power, "try 1 or 2")
        self.end = at_least_0("end", end, "try 0")

    def __call__(self, step: Any) -> Any:
        """Return end + (lr - end) * (1 - min(t, steps) / steps)^power."""
        left = 1 - minimum(step - 1, self.steps) / self.steps
        return self.end + (self.lr - self.end) * left**self.power


class Linear(Schedule):
    """rate = lr + (end - lr) * min(t, steps) / steps: a straight line, up or down.

    Goodfellow, Bengio and Courville, Deep Learning, 2016, section 8.3.1.

    Args:
        lr: the first rate, of at least 0.
        end: the last rate, of at least 0.
        steps: after how many the rate is ``end``.

    >>> from pellucid.optim import schedules
    >>> rate = schedules.Linear(0.0, 1.0, steps=4)
    >>> [round(rate(step), 3) for step in range(1, 7)]
    [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    """

    def __init__(self, lr: float, end: float, steps: int) -> None:
        self.lr = at_least_0("lr", lr, "try 0.001 to 0.1")
        self.end = at_least_0("end", end, "try 0")
        self.steps = whole("steps", steps, "give the steps of the whole training")

    def __call__(self, step: Any) -> Any:
        """Return lr + (end - lr) * min(t, steps) / steps."""
        return self.lr + (self.end - self.lr) * (minimum(step - 1, self.steps) / self.steps)


class Cosine(Schedule):
    """rate = end + (lr - end) * (1 + cos(pi * min(t, steps) / steps)) / 2.

    Half a wave from lr down to end, flat at both. Loshchilov and Hutter, "SGDR: stochastic gradient
    descent with warm restarts", ICLR 2017, equation 5; `CosineRestarts` has the restarts.

    Args:
        lr: the first rate.
        steps: after how many the rate is ``end``.
        end: the last rate.

    >>> from pellucid.optim import schedules
    >>> rate = schedules.Cosine(1.0, steps=4)
    >>> [round(rate(step), 3) for step in range(1, 7)]
    [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """

    def __init__(self, lr: float, steps: int, end: float = 0.0) -> None:
        self.lr = positive("lr", lr, "try 0.001 to 0.1")
        self.steps = whole("steps", steps, "give the steps of the whole training")
        self.end = at_least_0("end", end, "try 0")

    def __call__(self, step: Any) -> Any:
        """Return end + (lr - end) * (1 + cos(pi * min(t, steps) / steps)) / 2."""
        return wave(self.lr, self.end, minimum(step - 1, self.steps) / self.steps)


class CosineRestarts(Schedule):
    """rate = end + (lr - end) * (1 + cos(pi * s / p)) / 2, s steps after the last restart.

    Cycle i = 0, 1, ... lasts p = period * growth^i steps and begins at lr again. Loshchilov and
    Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.

    Args:
        lr: the first rate of each cycle.
        period: the steps of the first cycle.
        growth: how many times as long each cycle is as the one before, a whole number.
        end: what the rate falls to within a cycle.

    >>> from pellucid.optim import schedules
    >>> rate = schedules.CosineRestarts(1.0, period=2, growth=2)
    >>> [round(rate(step), 3) for step in range(1, 8)]
    [1.0, 0.5, 1.0, 0.854, 0.5, 0.146, 1.0]
    """

    def __init__(self, lr: float, period: int, growth: int = 1, end: float = 0.0) -> None:
        self.lr = positive("lr", lr, "try 0.001 to 0.1")
        self.period = whole("period", period, "give the steps of some epochs")
        self.growth = whole("growth", growth, "try 1 or 2")
        self.end = at_least_0("end", end, "try 0")

    def __call__(self, step: Any) -> Any:
        """Return end + (lr - end) * (1 + cos(pi * s / p)) / 2."""
        share = (step - 1) / self.period  # in units of the first cycle
        if self.growth == 1:
            return wave(self.lr, self.end, share - floor(share))
        # cycle i begins at (growth^i - 1) / (growth - 1); the last term is for rounding
        i = floor(log(1 + share * (self.growth - 1)) / math.log(self.growth) + 1e-9)
        length = self.growth**i
        return wave(self.lr, self.end, (share - (length - 1) / (self.growth - 1)) / length)


class OneCycle(Schedule):
    """rate = a wave from lr / start up to lr, and one down to lr / (start * end), as in PyTorch.

    A wave from a to b at share s of its way is b + (a - b) * (1 + cos(pi * s)) / 2, where the paper
    has straight lines. The peak is at t = warm * steps - 1, the end at t = steps - 1. Smith and
    Topin, "Super-convergence: very fast training of neural networks using large learning rates",
    arXiv 1708.07120, 2018; momentum is left as it is.

    Args:
        lr: the highest rate.
        steps: those of the whole training; later the rate stays.
        warm: share of the steps on the way up, in (0, 1).
        start: how many times lower than ``lr`` the first rate is.
        end: how many times lower than the first rate the last one is.

    >>> from pellucid.optim import schedules
    >>> rate = schedules.OneCycle(1.0, steps=10, warm=0.5)
    >>> [round(rate(step), 3) for step in (1, 5, 10)]
    [0.04, 1.0, 0.0]
    """

    def __init__(
        self, lr: float, steps: int, warm: float = 0.3, start: float = 25.0, end: float = 1e4
    ) -> None:
        self.lr = positive("lr", lr, "try 0.01 to 1")
        self.steps = whole("steps", steps, "give the steps of the whole training")
        self.warm = positive("warm", warm, "try 0.3")
        self.start = positive("start", start, "try 25")
        self.end = positive("end", end, "try 1e4")
        if not 1 < self.warm * self.steps < self.steps:
            raise ValueError(
                f"expected warm * steps between 1 and steps, got {warm} * {steps}; try warm=0.3 "
                "with the steps of the whole training"
            )

    def __call__(self, step: Any) -> Any:
        """Return the rate on the way up, or down."""
        first, peak = self.lr / self.start, self.warm * self.steps - 1
        up = wave(first, self.lr, minimum((step - 1) / peak, 1.0))
        share = (step - 1 - peak) / (self.steps - 1 - peak)
        down = wave(self.lr, first / self.end, maximum(minimum(share, 1.0), 0.0))
        return where(step, step - 1 > peak, down, up)


# of other schedules


class Product(Schedule):
    """rate = first(step) * second(step); written ``first * second`` as well.

    Args:
        first: a schedule, any function of the step, or a number.
        second: likewise.

    >>> from pellucid.optim import schedules
    >>> rate = schedules.Linear(1.0, 0.0, steps=4) * schedules.Constant(0.1)
    >>> [round(rate(step), 3) for step in range(1, 6)]
    [0.1, 0.075, 0.05, 0.025, 0.0]
    """

    def __init__(self, first: Rate, second: Rate) -> None:
        self.first = part("first", first)
        self.second = part("second", second)

    def __call__(self, step: Any) -> Any:
        """Return first(step) * second(step)."""
        return self.first(step) * self.second(step)


class Chain(Schedule):
    """rate = the first schedule's up to the first boundary, then the second's, and so on.

    The steps of each count from 1 again.

    Args:
        schedules: at least two schedules, functions of the step, or numbers.
        boundaries: the last step of each but the last, in rising order.

    >>> from pellucid.optim import schedules
    >>> rate = schedules.Chain([0.1, schedules.Linear(0.1, 0.0, steps=2)], boundaries=[3])
    >>> [round(rate(step), 3) for step in range(1, 7)]
    [0.1, 0.1, 0.1, 0.1, 0.05, 0.0]
    """

    def __init__(self, schedules: Sequence[Rate], boundaries: Sequence[int]) -> None:
        self.schedules = [part("schedules", schedule) for schedule in schedules]
        self.boundaries = rising("boundaries", boundaries)
        if len(self.schedules) != len(self.boundaries) + 1:
            raise ValueError(
                f"expected one boundary less than schedules, got {len(self.boundaries)} for "
                f"{len(self.schedules)}; the last schedule has no end"
            )

    def __call__(self, step: Any) -> Any:
        """Return the rate of the schedule whose turn it is."""
        rate = self.schedules[0](step)
        for boundary, schedule in zip(self.boundaries, self.schedules[1:], strict=True):
            later = schedule(maximum(step - boundary, 1))
            rate = where(step, step > boundary, later, rate)
        return rate


class WarmUp(Schedule):
    """rate = then(1) * step / (steps + 1) for steps steps, then(step - steps) after them.

    The rate rises in even parts, of which the first is that of step 1. Goyal et al., "Accurate,
    large minibatch SGD: training ImageNet in 1 hour", 2017, section 2.2.

    Args:
        steps: how many to rise in.
        then: the schedule after them, whose steps count from 1 again; or a number.

    >>> from pellucid.optim import schedules
    >>> rate = schedules.WarmUp(3, schedules.Cosine(1.0, steps=2))
    >>> [round(rate(step), 3) for step in range(1, 7)]
    [0.25, 0.5, 0.75, 1.0, 0.5, 0.0]
    """

    def __init__(self, steps: int, then: Rate) -> None:
        self.steps = whole("steps", steps, "give the steps of an epoch")
        self.then = part("then", then)

    def __call__(self, step: Any) -> Any:
        """Return the rate before, or after the last step of the rise."""
        after = self.then(maximum(step - self.steps, 1))
        share = minimum(step / (self.steps + 1), 1.0)
        return after * share  # while the share is below 1, then is in its step 1


def part(name: str, schedule: Rate) -> Callable[[Any], Any]:
    """Return a schedule or function as it is, and a number as a constant one."""
    if isinstance(schedule, type) or not (callable(schedule) or is_number(schedule)):
        raise TypeError(f"expected {name} to be a schedule or a number, got {schedule!r}")
    return schedule if callable(schedule) else Constant(schedule)


def rising(name: str, steps: Sequence[int]) -> list[int]:
    """Return whole numbers from 1 on, each larger than the one before."""
    if not isinstance(steps, list | tuple) or not steps:
        raise ValueError(f"expected {name} to be a list of steps, got {steps!r}; try [1000, 2000]")
    numbers = [whole(name, step, "steps count from 1") for step in steps]
    if any(a >= b for a, b in pairwise(numbers)):
        raise ValueError(f"expected {name} in rising order, got {numbers}; sort them")
    return numbers
