"""The same network in scikit-learn: same shape, rows, rates, batches and epochs; side by side."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from pellucid.cli.console import Console
from pellucid.cli.errors import CommandError
from pellucid.cli.learn import Outcome
from pellucid.cli.output import Folder
from pellucid.cli.settings import Settings
from pellucid.cli.source import Source
from pellucid.figures.html import table
from pellucid.train import Model, metrics

Result = dict[str, Any]
_ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic", "linear": "identity"}


@dataclass(frozen=True)
class Comparison:
    """The figures of both libraries, their losses by epoch, and what is not the same in the two."""

    figures: dict[str, Result]  # by library
    losses: dict[str, list[float]]
    notes: list[str]

    def rows(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Return the header and the rows of a table."""
        names = list(self.figures["pellucid"])
        rows = [
            (library, *(_shown(result[name]) for name in names))
            for library, result in self.figures.items()
        ]
        return ("", *names), rows

    def _repr_html_(self) -> str:
        return table(*self.rows()) + "".join(f"<p>{escape(note)}.</p>" for note in self.notes)


def require_sklearn() -> None:
    """See that scikit-learn is there, before anything is trained.

    Raises:
        CommandError: it is not.
    """
    try:
        import sklearn.neural_network  # noqa: F401
    except ImportError:
        raise CommandError(
            "--compare: expected scikit-learn to compare with, got none; install it with "
            "pip install 'pellucid[sklearn]', or leave out --compare"
        ) from None


def compare(
    settings: Settings,
    source: Source,
    model: Model,
    outcome: Outcome,
    folder: Folder,
    console: Console,
) -> Comparison:
    """Train scikit-learn's network, show both, and write comparison.json."""
    console.say("\ntraining scikit-learn's network of the same shape ...")
    own = {
        "parameters": sum(p.size for p in model.network.parameters()),
        "epochs": outcome.history.epochs,
        **_scores(source, outcome.predicted),
        "seconds": outcome.seconds,
    }
    peer, losses, arguments = _train_sklearn(settings, source)
    found = Comparison(
        {"pellucid": own, "scikit-learn": peer},
        {"pellucid": outcome.history["loss"], "scikit-learn": losses},
        _differences(settings, source),
    )
    folder.json(
        "comparison.json",
        {
            "rows": {"train": len(source.train), "test": len(source.test)},
            **found.figures,
            "losses": found.losses,
            "scikit-learn arguments": arguments,
            "notes": found.notes,
        },
    )
    console.say()
    console.table(*found.rows(), numbers=",".join(own))
    for text in found.notes:
        console.say(f"  {text}")
    return found


def _train_sklearn(
    settings: Settings, source: Source
) -> tuple[Result, list[float], dict[str, Any]]:
    """Return scikit-learn's figures, its losses by epoch, and the arguments it was given."""
    from sklearn import neural_network
    from sklearn.exceptions import ConvergenceWarning

    arguments = _arguments(settings, source)
    is_classification = source.train.task == "classification"
    kind = neural_network.MLPClassifier if is_classification else neural_network.MLPRegressor
    estimator: Any = kind(**arguments)
    x, y = source.pair(source.train)
    if settings.patience is not None and source.validation is not None:
        more = source.pair(source.validation)
        x, y = np.concatenate([x, more[0]]), np.concatenate([y, more[1]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is told to stop after the epochs
        start = time.perf_counter()
        try:
            estimator.fit(x, y if is_classification else y.ravel())
        except ValueError as error:
            raise CommandError(
                f"--compare: scikit-learn's network failed: {error}", status=1
            ) from error
        seconds = time.perf_counter() - start
    predicted = estimator.predict(source.inputs(source.test.x))
    if not is_classification:
        predicted = source.restored(np.reshape(predicted, (-1, 1)))
    weights = [*estimator.coefs_, *estimator.intercepts_]
    result = {
        "parameters": sum(array.size for array in weights),
        "epochs": estimator.n_iter_,
        **_scores(source, predicted),
        "seconds": seconds,
    }
    whole = 1 if is_classification else 2  # its loss is half the squared error
    return result, [whole * float(loss) for loss in estimator.loss_curve_], arguments


def _arguments(settings: Settings, source: Source) -> dict[str, Any]:
    """Return what makes scikit-learn's network the same as ours."""
    lr = settings.lr
    if settings.optimizer == "sgd" and source.train.task == "regression":
        lr *= 2  # scikit-learn's loss is half the squared error: twice the rate is the same step
    arguments = {
        "hidden_layer_sizes": settings.layers,
        "activation": _ACTIVATIONS[settings.activation],
        "solver": settings.optimizer,
        "alpha": 0.0,
        "batch_size": min(settings.batch_size, len(source.train)),
        "learning_rate_init": lr,
        "max_iter": settings.epochs,
        "tol": 0.0,
        "n_iter_no_change": settings.epochs,
        "random_state": settings.seed,
    }
    if settings.optimizer == "sgd":
        arguments |= {"momentum": settings.momentum, "nesterovs_momentum": False}
    if settings.patience is not None and source.validation is not None:
        held = len(source.validation)
        arguments |= {
            "early_stopping": True,
            "n_iter_no_change": settings.patience,
            "validation_fraction": held / (held + len(source.train)),
        }
    return arguments


def _scores(source: Source, predicted: Any) -> Result:
    truth = source.test.y
    if source.train.task == "classification":
        return {"test accuracy": metrics.accuracy(truth, predicted)}
    return {"test R2": metrics.r2(truth, predicted), "test MSE": metrics.mse(truth, predicted)}


def _differences(settings: Settings, source: Source) -> list[str]:
    """Return what is not the same in the two, for the reader to weigh."""
    notes = []
    if source.train.classes == 2:
        notes.append("scikit-learn has one output for two classes, pellucid one for each")
    if settings.dropout:
        notes.append(f"scikit-learn has no dropout; pellucid's rate is {settings.dropout:g}")
    if settings.patience is not None:
        notes.append(
            "scikit-learn draws as many validation rows itself, from ours and the training rows, "
            "and stops by its score on them"
        )
    elif source.validation is not None:
        notes.append("pellucid's time includes a validation after each epoch")
    notes.append(
        "a first run makes native code, which pellucid's time includes; the next one has it"
    )
    return notes


def _shown(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
