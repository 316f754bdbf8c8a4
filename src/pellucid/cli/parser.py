"""The options of the command, and what its help says of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from pellucid.cli import arguments
from pellucid.cli.defaults import TABLE
from pellucid.cli.errors import CommandError
from pellucid.errors import unknown
from pellucid.nn import ACTIVATIONS as LAYERS
from pellucid.optim import OPTIMIZERS
from pellucid.version import __version__

ACTIVATIONS = tuple(name for name in LAYERS if "softmax" not in name)  # those end a network
TASKS = ("classification", "regression")
PEERS = ("sklearn",)
_NOT_OPTIONS = {"command", "dataset", "names"}  # words without dashes
_ELSEWHERE = {  # options that other commands have for what is here
    "--learning-rate": "--lr",
    "--hidden": "--layers",
    "--hidden-layers": "--layers",
}

_TRAIN = """\
Train a network of fully connected layers, test it, and write everything into a folder: settings,
history, report, parameters, pictures. Classification has one output a class, also with two
classes, and is trained with cross-entropy; regression with the mean squared error."""


class Parser(argparse.ArgumentParser):
    """A parser that raises its complaints, so that they all end the command in the same way."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        """Raise the complaint."""
        raise CommandError(f"{message} (see {self.prog} --help)")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a word that is no command, and name the likely meant one; argparse does not."""
        if action.choices is not None and value not in action.choices:
            self.error(str(unknown("command", value, action.choices)))


def read(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options that the words of a command line give.

    Args:
        words: Those after the command's name; those of this process by default.

    Raises:
        CommandError: They are not what the command takes; a likely meant word is named.
    """
    options, rest = parser().parse_known_args(words)
    if rest:
        named = vars(options).keys() - _NOT_OPTIONS
        known = [f"--{name.replace('_', '-')}" for name in sorted(named)]
        word = rest[0].partition("=")[0]
        close = get_close_matches(_ELSEWHERE.get(word, word), known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        command = f"pellucid {options.command}" if options.command else "pellucid"
        raise CommandError(f"unrecognized arguments: {' '.join(rest)}{hint} (see {command} --help)")
    return options


def parser() -> Parser:
    """Return the parser of the whole command."""
    whole = Parser(prog="pellucid", description="A neural-network framework you can see through.")
    whole.add_argument("--version", action="version", version=f"pellucid {__version__}")
    commands = whole.add_subparsers(dest="command", metavar="COMMAND")
    train = commands.add_parser(
        "train", help="train a network on a data set", description=_TRAIN, epilog=_defaults()
    )
    train.formatter_class = argparse.RawDescriptionHelpFormatter
    _data(train.add_argument_group("data"))
    _network(train.add_argument_group("network"))
    _training(train.add_argument_group("training"))
    _output(train.add_argument_group("output"))
    datasets = commands.add_parser("datasets", help="list the data sets and what they need")
    museum = commands.add_parser("museum", help="run classic mistakes, and what catches them")
    museum.add_argument("names", nargs="*", metavar="NAME", help="exhibits to run; none lists them")
    museum.add_argument("--all", action="store_true", help="run every exhibit")
    for command in (datasets, museum):
        command.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return whole


def _defaults() -> str:
    """Return the table of what each data set is trained with."""
    lines = ["defaults:"]
    for name, own in TABLE.items():
        sizes = ",".join(map(str, own.layers))
        dropout = f", dropout {own.dropout:g}" if own.dropout else ""
        lines.append(
            f"  {name:<14} --layers {sizes:<8} {own.activation}, {own.epochs} epochs, "
            f"batches of {own.batch_size}, adam {own.lr:g}{dropout}"
        )
    return "\n".join(lines)


def _data(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "dataset", metavar="DATASET", help=f"{', '.join(TABLE)}, or the path of a CSV file"
    )
    group.add_argument("--target", metavar="COLUMN", help="of a CSV file: the column to predict")
    group.add_argument(
        "--task",
        type=arguments.one_of("task", TASKS),
        metavar="TASK",
        help=f"of a CSV file: {' or '.join(TASKS)}",
    )
    group.add_argument(
        "--fill",
        type=arguments.filling,
        metavar="VALUE",
        help="of a CSV file: what missing numbers become, mean or median of the column (over the "
        "whole file) or a number; without it they are refused",
    )
    group.add_argument("--data", metavar="FOLDER", help="where the files of mnist and its like are")
    group.add_argument(
        "--samples", type=arguments.count, metavar="N", help="rows to make, for synthetic data"
    )
    group.add_argument(
        "--noise",
        type=arguments.deviation,
        metavar="S",
        help="standard deviation of the noise in synthetic data (of a cloud, for blobs)",
    )
    group.add_argument(
        "--standardize",
        action=argparse.BooleanOptionalAction,
        help="scale features, and targets of a regression, to mean 0 and variance 1, as measured "
        "on the training rows (on for CSV files)",
    )
    group.add_argument(
        "--validation",
        type=arguments.share,
        metavar="SHARE",
        help="rows set aside to watch training with (0.1)",
    )
    group.add_argument(
        "--test",
        type=arguments.share,
        metavar="SHARE",
        help="rows set aside to test with, where the data set has no test set (0.2); 0 tests on "
        "the training rows",
    )


def _network(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--layers",
        type=arguments.layers,
        metavar="SIZES",
        help="units of each hidden layer, for example 128,64; none for no hidden layer",
    )
    group.add_argument(
        "--activation",
        type=arguments.one_of("activation", ACTIVATIONS),
        metavar="NAME",
        help=", ".join(ACTIVATIONS),
    )
    group.add_argument(
        "--dropout",
        type=arguments.share,
        metavar="RATE",
        help="share of hidden units left out of each update",
    )


def _training(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--epochs", type=arguments.count, metavar="N", help="passes over the rows")
    group.add_argument("--lr", type=arguments.rate, metavar="RATE", help="learning rate")
    group.add_argument("--batch-size", type=arguments.count, metavar="N", help="rows an update")
    group.add_argument(
        "--optimizer",
        type=arguments.one_of("optimizer", tuple(OPTIMIZERS)),
        default="adam",
        metavar="NAME",
        help=f"{', '.join(OPTIMIZERS)} (adam)",
    )
    group.add_argument(
        "--momentum", type=arguments.share, metavar="M", help="of sgd: what is kept of a step (0.9)"
    )
    group.add_argument(
        "--patience",
        type=arguments.count,
        metavar="N",
        help="stop after so many epochs without a lower validation loss, and keep the best weights",
    )
    group.add_argument(
        "--eager", action="store_true", help="compute with NumPy alone, without compiled code"
    )
    group.add_argument(
        "--threads",
        type=arguments.threads,
        metavar="N",
        help="that compiled code uses (one for each core); the results are the same for any number",
    )
    group.add_argument(
        "--seed", type=arguments.seed, default=0, metavar="N", help="of everything random (0)"
    )


def _output(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--out", metavar="FOLDER", help="where to write (runs/DATASET)")
    group.add_argument("--no-plots", action="store_true", help="write no pictures")
    group.add_argument(
        "--compare",
        type=arguments.one_of("library to compare with", PEERS),
        metavar="LIBRARY",
        help="sklearn: train its network of the same shape on the same rows, and show both",
    )
    group.add_argument(
        "--doctor",
        action="store_true",
        help="look for faults that give no error: dead units, wrong learning rates, leaks, ...",
    )
    group.add_argument(
        "--checkpoint",
        action="store_true",
        help="write training down after every epoch and every 5 minutes, in FOLDER/checkpoints",
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="go on from the newest checkpoint there, bit for bit, and write further ones; begin "
        "where there is none",
    )
    group.add_argument("--quiet", action="store_true", help="print the last line only")
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")
