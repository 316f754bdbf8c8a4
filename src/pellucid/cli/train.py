"""`pellucid train`: from a data set's name to a folder that tells all of the run."""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import textwrap
from collections.abc import Callable, Sequence
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Any

from pellucid.cli.compare import compare, require_sklearn
from pellucid.cli.console import Console, note
from pellucid.cli.errors import CommandError
from pellucid.cli.learn import DIVERGED, INTERRUPTED, Outcome, compose, learn
from pellucid.cli.network import Architecture, architecture
from pellucid.cli.output import CONFIG, REPORT, Folder
from pellucid.cli.pictures import draw, draw_losses
from pellucid.cli.report import report_page
from pellucid.cli.settings import Settings, resolve
from pellucid.cli.source import Source, prepare
from pellucid.train import Model, classification_report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SLOWING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
_VERSIONED = ("pellucid", "numpy", "scikit-learn", "matplotlib")


def run(options: argparse.Namespace) -> int:
    """Train, test, write; return the exit status."""
    settings = resolve(options)
    console = Console(options.quiet)
    source, layers, model = _checked(settings)
    folder = Folder(settings.out)
    folder.prepare(options.resume)
    _announce(settings, source, model, console)
    try:
        verbose, place = not options.quiet, folder.checkpoints
        outcome = learn(model, settings, source, place, verbose, options.resume)
    except SystemExit as ended:  # SIGTERM leaves no time for more
        note(f"terminated; go on from {folder.checkpoints} with --resume")
        return int(ended.code or 0)
    stopped = outcome.history.stopped
    console.say(f"\ntest of {_tested(source)}, in evaluation mode\n\n{outcome.report}\n")
    if outcome.findings is not None and not options.quiet:
        console.say("doctor")
        outcome.findings.print()
        console.say()
    figures, page = _write(folder, settings, source, layers, model, outcome)
    if settings.compare and not stopped.startswith((INTERRUPTED, DIVERGED)):
        found = compare(settings, source, model, outcome, folder, console)
        if figures:
            figures |= draw_losses(folder, found.losses)
        folder.text(REPORT, page(comparison=found))
        console.say()
    console.item("written", textwrap.fill(", ".join(folder.written), width=80))
    print(f"{source.train.name}: {outcome.headline}; written to {folder.path}", flush=True)
    return _status(stopped)


def _checked(settings: Settings) -> tuple[Source, Architecture, Model]:
    """Return everything training needs, none of it written or trained yet.

    Raises:
        CommandError: something about the input cannot be used; nothing was done then.
    """
    if settings.compare:
        require_sklearn()
    try:
        source = prepare(settings)
        if source.train.task == "classification":  # refuses class names that the report cannot show
            classification_report(source.test.y, source.test.y, source.test.class_names)
        layers = architecture(settings, source.train.x.shape[1], source.outputs)
        return source, layers, compose(settings, source, layers)
    except OSError as error:
        if error.strerror is None:
            raise CommandError(str(error)) from error
        raise CommandError(
            f"{error.filename or settings.dataset}: expected a file that can be read, got none "
            f"({error.strerror}); check the path"
        ) from error
    except MemoryError as error:
        raise CommandError(
            f"--layers: expected a network that fits into memory, got {settings.layers} ({error}); "
            "make the layers smaller"
        ) from error
    except (ValueError, TypeError, ImportError) as error:
        raise CommandError(str(error)) from error


def _announce(settings: Settings, source: Source, model: Model, console: Console) -> None:
    """Print what is about to happen."""
    for name in _SLOWING:
        if os.environ.get(name):
            note(
                f"{name}={os.environ[name]} chooses the kernels of NumPy's BLAS and can slow it "
                "and scikit-learn down several times; unset it"
            )
    names = source.train.class_names
    if settings.is_file and settings.task is None and len(names) > 2 and _are_numbers(names):
        note(
            f"the {len(names)} different whole numbers to predict are taken as classes; to predict "
            "the number itself pass --task regression"
        )
    rows = len(source.train)
    if settings.batch_size > rows:
        note(f"--batch-size {settings.batch_size} is more than the {rows} training rows; using all")
    console.item("data", source.description)
    parts = [f"{rows:,} to train on"]
    if source.validation is not None:
        parts.append(f"{len(source.validation):,} for validation")
    parts.append(f"test of {_tested(source)}")
    console.item("rows", ", ".join(parts))
    console.item("network", str(model.summary(source.train.x.shape[1:])))
    console.item("settings", _described(settings, source))
    console.say()


def _are_numbers(names: Sequence[str]) -> bool:
    return all(name.removeprefix("-").isdigit() for name in names)


def _tested(source: Source) -> str:
    if source.tests_training_rows:
        return f"the {len(source.test):,} training rows themselves"
    return f"{len(source.test):,} rows"


def _described(settings: Settings, source: Source) -> str:
    """Return the settings that matter to training, on two lines."""
    momentum = f", momentum {settings.momentum:g}" if settings.momentum is not None else ""
    patience = f", patience {settings.patience}" if settings.patience is not None else ""
    dropout = f", dropout {settings.dropout:g}" if settings.dropout else ""
    scaled = ", standardized" if settings.standardize else ""
    eager = ", eager" if settings.eager else ""
    threads = f", threads {settings.threads}" if settings.threads is not None else ""
    loss = "cross-entropy" if source.train.task == "classification" else "mean squared error"
    return (
        f"{loss}, {settings.optimizer}, learning rate {settings.lr:g}{momentum}\n"
        f"{settings.epochs} epochs, batches of {min(settings.batch_size, len(source.train))}"
        f"{dropout}{patience}{scaled}{eager}{threads}, seed {settings.seed}"
    )


def _write(
    folder: Folder,
    settings: Settings,
    source: Source,
    layers: Architecture,
    model: Model,
    outcome: Outcome,
) -> tuple[dict[str, Figure], Callable[..., str]]:
    """Write every file of the run but the comparison; return the pictures, and the page to write.

    The page is written without the comparison already, which may fail.
    """
    config = _config(settings, source, layers)
    folder.json(CONFIG, config)
    folder.write("history.csv", outcome.history.to_csv)
    folder.write("history.json", outcome.history.to_json)
    folder.text(
        "report.txt", f"{source.description}\ntest of {_tested(source)}\n\n{outcome.report}\n"
    )
    stopped = {"stopped": outcome.history.stopped, "epochs": outcome.history.epochs}
    folder.json("report.json", {**outcome.scores, **stopped, "seconds": outcome.seconds})
    if outcome.confusion is not None:
        names = source.test.class_names
        rows = [[name, *counts] for name, counts in zip(names, outcome.confusion, strict=True)]
        folder.csv("confusion_matrix.csv", [["true \\ predicted", *names], *rows])
    if outcome.findings is not None:
        folder.json("doctor.json", outcome.findings.to_dicts())
    _note(model, source)
    folder.write("model.safetensors", model.save)
    figures = {} if settings.no_plots else draw(folder, model, source, outcome, settings.compile)
    page = partial(report_page, config, model, source, outcome, figures)
    folder.text(REPORT, page())
    folder.forget_earlier_run()
    return figures, page


def _note(model: Model, source: Source) -> None:
    """Keep with the model what using it takes beside its weights."""
    model.class_names = list(source.train.class_names) or None
    model.preprocessing = {"features": source.features, "targets": source.targets}
    model.metadata = {
        "task": source.train.task,
        "feature_names": source.train.feature_names,
        "image_shape": source.train.image_shape,
    }


def _config(settings: Settings, source: Source, layers: Architecture) -> dict[str, Any]:
    """Return what it takes to repeat the run."""
    arguments = settings.to_arguments()
    return {
        "command": shlex.join(["pellucid", *arguments]),
        "arguments": arguments,
        "seed": settings.seed,
        "settings": vars(settings),
        "data": {
            "description": source.description,
            "task": source.train.task,
            "sha256": source.sha256,
            "train rows": len(source.train),
            "validation rows": len(source.validation) if source.validation is not None else 0,
            "test rows": len(source.test),
            "test is the training rows": source.tests_training_rows,
            "class names": source.train.class_names,
            "feature names": source.train.feature_names,
        },
        "architecture": layers,
        "versions": {"python": platform.python_version(), **_versions()},
        "platform": platform.platform(),
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in _VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _status(stopped: str) -> int:
    """Return the exit status that the reason for stopping asks for, and say what that was."""
    if stopped.startswith(INTERRUPTED):
        note(f"{stopped}; what was learned so far is saved")
        return 130
    if stopped.startswith(DIVERGED):
        note(f"training failed: {stopped}")
        return 1
    return 0
