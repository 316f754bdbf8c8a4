"""Every setting of a training run, the data set's defaults filled in where one was left out."""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pellucid.cli.defaults import CSV, TABLE, Defaults
from pellucid.cli.errors import CommandError
from pellucid.errors import unknown
from pellucid.optim import OPTIMIZERS

VALIDATION, TEST, MOMENTUM = 0.1, 0.2, 0.9
_ONLY_FOR = {  # options that only one kind of data set has, and how to say which
    "target": ("csv", "a CSV file"),
    "task": ("csv", "a CSV file"),
    "fill": ("csv", "a CSV file"),
    "data": ("idx", "mnist or fashion-mnist"),
    "samples": ("synthetic", "a synthetic data set"),
    "noise": ("synthetic", "a synthetic data set"),
}


@dataclass(frozen=True)
class Settings:
    """What a run does; the options of the command line, in full.

    ``test`` is None where the data set has a test set of its own, and 0 where the training rows
    are the test; ``momentum`` is None without SGD.
    """

    dataset: str
    target: str | None
    task: str | None
    data: str | None
    samples: int | None
    noise: float | None
    standardize: bool
    validation: float
    test: float | None
    layers: tuple[int, ...]
    activation: str
    dropout: float
    epochs: int
    lr: float
    batch_size: int
    optimizer: str
    momentum: float | None
    patience: int | None
    seed: int
    out: str
    no_plots: bool
    compare: str | None
    doctor: bool = False
    eager: bool = False
    threads: int | None = None
    checkpoint: bool = False
    fill: str | float | None = None

    @property
    def compile(self) -> Literal[False, "auto"]:
        """Whether to use compiled code, as a `Model` takes it."""
        return False if self.eager else "auto"

    @property
    def is_file(self) -> bool:
        """Whether the data set is a CSV file."""
        return self.dataset not in TABLE

    def to_arguments(self) -> list[str]:
        """Return the words that repeat this run, with nothing left to defaults."""
        words = ["train", self.dataset]
        for name, value in dataclasses.asdict(self).items():
            option = f"--{name.replace('_', '-')}"
            is_flag = name in ("no_plots", "doctor", "eager", "checkpoint")
            if name == "dataset" or value is None or (is_flag and not value):
                continue
            if name == "layers":
                words += [option, ",".join(map(str, value)) or "none"]
            elif name == "standardize":
                words.append(option if value else "--no-standardize")
            elif is_flag:
                words.append(option)
            else:
                words += [option, str(value)]
        return words


def resolve(options: argparse.Namespace) -> Settings:
    """Return the settings that the options and the data set's defaults come to.

    Raises:
        CommandError: no such data set, or options that do not go together.
    """
    own = _defaults(options.dataset)
    _check_kind(options, own)
    made = own.kind == "synthetic"
    sgd = options.optimizer == "sgd"
    suited = {"adam": own.lr, "adamw": own.lr, "nadam": own.lr, "sgd": own.sgd_lr}
    samples = _either(options.samples, own.samples if made else None)
    share = own.share or samples != own.samples  # more than the truth table can be divided
    settings = Settings(
        dataset=options.dataset,
        target=options.target,
        task=options.task,
        data=options.data,
        samples=samples,
        noise=_either(options.noise, own.noise if made else None),
        standardize=_either(options.standardize, own.kind == "csv"),
        validation=_either(options.validation, VALIDATION if share else 0.0),
        test=_test_share(options.test, own, share),
        layers=_either(options.layers, own.layers),
        activation=_either(options.activation, own.activation),
        dropout=_either(options.dropout, own.dropout if options.layers != () else 0.0),
        epochs=_either(options.epochs, own.epochs),
        lr=_either(options.lr, suited.get(options.optimizer, _usual_rate(options.optimizer))),
        batch_size=_either(options.batch_size, own.batch_size),
        optimizer=options.optimizer,
        momentum=_either(options.momentum, MOMENTUM) if sgd else options.momentum,
        patience=options.patience,
        seed=options.seed,
        out=_either(options.out, str(Path("runs") / Path(options.dataset).stem)),
        no_plots=options.no_plots,
        compare=options.compare,
        doctor=options.doctor,
        eager=options.eager,
        threads=options.threads,
        checkpoint=options.checkpoint or options.resume,
        fill=options.fill,
    )
    _check(settings)
    return settings


def _defaults(dataset: str) -> Defaults:
    """Return the data set's defaults; those of CSV files for what looks like a path."""
    if dataset in TABLE:
        return TABLE[dataset]
    path = Path(dataset)
    if path.suffix or path.exists() or len(path.parts) > 1:
        return CSV
    raise CommandError(f"{unknown('data set', dataset, TABLE)} (or pass the path of a CSV file)")


def _test_share(given: float | None, own: Defaults, share: bool) -> float | None:
    if own.kind != "idx":
        default = TEST if share else 0.0
        return default if given is None else given
    if given is not None:
        raise CommandError(
            f"--test: expected a data set without a test set of its own, got {given:g} for one of "
            "10,000 test images; leave it out"
        )
    return None


def _check_kind(options: argparse.Namespace, own: Defaults) -> None:
    """Refuse options that the kind of data set does not have."""
    for name, (kind, what) in _ONLY_FOR.items():
        if getattr(options, name) is not None and own.kind != kind:
            raise CommandError(
                f"--{name}: expected {what} with it, got {options.dataset!r}; leave it out"
            )


def _check(settings: Settings) -> None:
    """Refuse options that contradict one another."""
    if settings.optimizer != "sgd" and settings.momentum is not None:
        raise CommandError(
            f"--momentum: expected --optimizer sgd with it, got {settings.optimizer}; leave out "
            f"--momentum {settings.momentum:g}, or choose sgd"
        )
    if settings.patience is not None and settings.validation == 0:
        raise CommandError(
            "--patience: expected --validation above 0 to stop early by, got 0; set for example "
            "--validation 0.1"
        )
    if settings.dropout and not settings.layers:
        raise CommandError(
            f"--dropout: expected hidden layers to drop units of, got none; leave out --dropout "
            f"{settings.dropout:g}, or add --layers"
        )
    if settings.eager and settings.threads is not None:
        raise CommandError(
            f"--threads: expected compiled code that threads can share, got --eager; leave out "
            f"--threads {settings.threads}, or --eager"
        )
    if settings.compare and settings.activation not in ("relu", "tanh", "sigmoid", "linear"):
        raise CommandError(
            "--compare: expected an activation that scikit-learn has (relu, tanh, sigmoid, "
            f"linear), got {settings.activation}; choose one of these, or leave out --compare"
        )
    if settings.compare and settings.optimizer not in ("adam", "sgd"):
        raise CommandError(
            "--compare: expected an optimizer that scikit-learn has (adam, sgd), got "
            f"{settings.optimizer}; choose one of these, or leave out --compare"
        )


def _usual_rate(optimizer: str) -> float:
    """Return the learning rate that an optimiser has by default."""
    return float(OPTIMIZERS[optimizer]().rate(1))


def _either(given: Any, default: Any) -> Any:
    return default if given is None else given
