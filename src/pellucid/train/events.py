"""What may watch training and step in: the events of a run, and what is told of them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from pellucid.arrays import Array
from pellucid.autograd import Tensor
from pellucid.nn import Loss, Module
from pellucid.optim import Optimizer
from pellucid.train.batches import Source
from pellucid.train.history import History


@dataclass
class Run:
    """One call of ``fit`` as callbacks see it; counts start at 1.

    Where the learning rate is a schedule, logs and history hold that of each epoch's last update as
    "lr". A callback that changes the rate sets ``reports_lr`` in `on_fit_begin` to have it there.
    ``predict`` makes of examples what ``loss`` takes; ``training`` and ``validation`` are the data.

    ``updates`` counts those of all epochs. ``interrupted`` tells that a signal, and no callback or
    fault, ended training; ``anomaly`` which operation made what is not finite; ``eager`` why
    updates are no native code, if they should be. ``state`` returns what a checkpoint keeps of the
    run between two updates, and ``resumed`` is the folder of those it goes on from.

    >>> import numpy as np
    >>> from pellucid import nn, optim, train
    >>> x = np.linspace(-1.0, 1.0, 20)[:, None]  # (20, 1)
    >>> model = train.Model(nn.Dense(1, 1, rng=0), "mse", optim.SGD(0.1))
    >>> class Enough(train.Callback):
    ...     def on_epoch_end(self, run):
    ...         if run.logs["loss"] < 1.0:
    ...             run.stop("the loss is below 1")
    >>> history = model.fit(x, 3 * x, epochs=100, callbacks=[Enough()], verbose=False)
    >>> history.stopped, history["loss"][-1] < 1.0 < history["loss"][-2]
    ('the loss is below 1', True)
    """

    network: Module
    optimizer: Optimizer
    history: History
    epochs: int
    batches: int
    epoch: int = 0
    batch: int = 0
    logs: dict[str, float] = field(default_factory=dict)
    stopped: str = ""
    anomaly: str = ""
    eager: str = ""
    reports_lr: bool = False
    loss: Loss | None = None
    predict: Callable[[Array], Tensor] | None = None
    training: Source | None = None
    validation: Source | None = None
    updates: int = 0
    interrupted: bool = False
    state: Callable[[], dict[str, Any]] | None = None
    resumed: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        self.reports_lr = self.reports_lr or callable(self.optimizer.lr)

    def rate(self) -> dict[str, float]:
        """Return the rate of the last update as "lr", or nothing where it is not reported."""
        step = max(self.optimizer.steps, 1)
        return {"lr": float(self.optimizer.rate(step))} if self.reports_lr else {}

    def stop(self, reason: str) -> None:
        """End training after the current batch or epoch."""
        self.stopped = self.stopped or reason


class Callback(Protocol):
    """The events of a training run; inherit and define those you need, the others do nothing.

    ``run.logs`` holds "loss" in `on_batch_end`, which is told once an update: with ``accumulate``
    it is the loss of all batches of the update. In `on_epoch_end` it holds the epoch's loss and
    metrics (with ``val_`` in front for validation), and "lr" where the rate may change. Where
    weights are penalised both hold "penalty" besides.

    Compiled training makes many updates without Python in between, unless a callback defines
    `on_batch_end`. With ``every_batch = False`` it is told of one now and then, and `next_look`
    may say when at the latest.

    Checkpoints keep what `state_dict` returns: all attributes, unless a callback says otherwise.

    >>> import numpy as np
    >>> from pellucid import nn, train
    >>> x = np.linspace(-1.0, 1.0, 20)[:, None]  # (20, 1)
    >>> model = train.Model(nn.Dense(1, 1, rng=0), "mse")
    >>> class Report(train.Callback):
    ...     def on_epoch_end(self, run):
    ...         print(f"epoch {run.epoch} of {run.epochs}: {run.updates} updates")
    >>> history = model.fit(
    ...     x, 3 * x, epochs=2, batch_size=5, callbacks=[Report()], verbose=False
    ... )
    epoch 1 of 2: 4 updates
    epoch 2 of 2: 8 updates
    """

    every_batch: bool = True

    def on_fit_begin(self, run: Run) -> None:
        """Before the first epoch, and before a checkpoint is taken up."""
        return

    def on_epoch_begin(self, run: Run) -> None:
        """Before the first batch of an epoch; again where training goes on in its midst."""
        return

    def on_batch_end(self, run: Run) -> None:
        """After each update."""
        return

    def on_epoch_end(self, run: Run) -> None:
        """After an epoch and its validation."""
        return

    def on_fit_end(self, run: Run) -> None:
        """After the last epoch, also when training was stopped or interrupted."""
        return

    def next_look(self, run: Run) -> float:
        """Return after how many more updates, at least 1, `on_batch_end` has to be told."""
        defined = getattr(type(self), "on_batch_end", None) is not Callback.on_batch_end
        return 1 if defined and getattr(self, "every_batch", True) else math.inf

    def state_dict(self) -> dict[str, Any]:
        """Return what must be remembered for training to go on from a checkpoint.

        It may hold what files can: numbers, texts, lists, dictionaries, arrays, random generators,
        objects of registered classes. The run, networks, tensors and optimisers are left out here,
        since checkpoints have them anyway.
        """
        return {
            name: value
            for name, value in vars(self).items()
            if not isinstance(value, Run | Module | Optimizer | Tensor)
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned; told after `on_fit_begin`."""
        vars(self).update(state)


class Callbacks(Callback):
    """Several callbacks as one.

    Raises:
        TypeError: they are no list, or one of them lacks an event.
    """

    def __init__(self, members: Any) -> None:
        if isinstance(members, str) or not isinstance(members, Sequence):
            raise TypeError(
                f"expected a list of callbacks, got {members!r}; put it in a list: [...]"
            )
        events = [name for name in vars(Callback) if name.startswith("on_")]
        for member in members:
            if isinstance(member, type) or not all(hasattr(member, name) for name in events):
                raise TypeError(
                    f"expected a list of callbacks, got {member!r} in it; pass objects of classes "
                    "that inherit from train.Callback"
                )
        self.members: list[Callback] = list(members)

    def on_fit_begin(self, run: Run) -> None:
        """Tell each, in order."""
        for member in self.members:
            member.on_fit_begin(run)

    def on_epoch_begin(self, run: Run) -> None:
        """Tell each, in order."""
        for member in self.members:
            member.on_epoch_begin(run)

    def on_batch_end(self, run: Run) -> None:
        """Tell each, in order."""
        for member in self.members:
            member.on_batch_end(run)

    def on_epoch_end(self, run: Run) -> None:
        """Tell each, in order."""
        for member in self.members:
            member.on_epoch_end(run)

    def on_fit_end(self, run: Run) -> None:
        """Tell each, in order."""
        for member in self.members:
            member.on_fit_end(run)

    def next_look(self, run: Run) -> float:
        """Return when the first of them has to be told."""
        looks = (_own(member, "next_look")(run) for member in self.members)
        return min(looks, default=math.inf)

    def state_dict(self) -> dict[str, Any]:
        """Return what each remembers, in order, with the name of its class."""
        told = [{type(each).__name__: _own(each, "state_dict")()} for each in self.members]
        return {"members": told}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Give each what it remembered."""
        for member, told in zip(self.members, state["members"], strict=True):
            _own(member, "load_state_dict")(told[type(member).__name__])


def _own(member: Callback, name: str) -> Callable[..., Any]:
    """Return a callback's method; that of `Callback` where it has all the events and no more."""
    own: Callable[..., Any] | None = getattr(member, name, None)
    return own or partial(getattr(Callback, name), member)


def monitored(name: str | None, run: Run, callback: str) -> str | None:
    """Return the name of the value to watch; None where an epoch cut short does not have it."""
    name = name or ("val_loss" if "val_loss" in run.history else "loss")
    if name in run.logs:
        return name
    if run.stopped:  # in the middle of the epoch, which was not validated then
        return None
    values = [entry for entry in run.logs if entry != "lr"]
    unvalidated = name.startswith("val_") and "val_loss" not in values
    metric = name.removeprefix("val_")
    fixes = ["pass validation_data or validation_split for the val_ ones"] if unvalidated else []
    if metric not in values:
        fixes.append(f'for "{metric}" name it in metrics=[...] of Model, if it is one')
    raise ValueError(
        f"{callback}: expected monitor to be one of {', '.join(values)}, got {name!r}; "
        f"{'; '.join(fixes)}"
    )
