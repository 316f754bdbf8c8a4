"""Reports that say in one table how good a set of predictions is.

A report is a value: print it for a text table, leave it at the end of a notebook cell for an HTML
one, or take its numbers with `to_dict()`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.calls import helpful
from pellucid.figures.html import table
from pellucid.train import metrics

_HEADERS = ("precision", "recall", "f1-score", "support")
_AVERAGES = ("accuracy", "macro avg", "weighted avg")


@dataclass(frozen=True)
class ClassScores:
    """Precision, recall and F1 in [0, 1], and the support: how many rows they rest on."""

    precision: float
    recall: float
    f1: float
    support: int

    def to_dict(self) -> dict[str, float]:
        """Return the four numbers under scikit-learn's names, all of them floats."""
        numbers = (self.precision, self.recall, self.f1, float(self.support))
        return dict(zip(_HEADERS, numbers, strict=True))


@dataclass(frozen=True, eq=False)
class ClassificationReport:
    """Scores of each class, their averages, the accuracy and the confusion matrix.

    `confusion` is int64 (k, k): rows are the true classes, columns the predicted ones, in the
    order of `per_class`. `digits` is the number of decimals in the text and HTML tables.
    """

    per_class: Mapping[str, ClassScores]
    accuracy: float
    macro: ClassScores
    weighted: ClassScores
    confusion: NDArray[np.int64]
    digits: int = 4

    def to_dict(self) -> dict[str, float | dict[str, float]]:
        """Return what scikit-learn's `classification_report(output_dict=True)` returns."""
        return {
            **{name: scores.to_dict() for name, scores in self.per_class.items()},
            "accuracy": self.accuracy,
            "macro avg": self.macro.to_dict(),
            "weighted avg": self.weighted.to_dict(),
        }

    def __str__(self) -> str:
        classes, averages = self._rows()
        width = max(_width(row[0]) for row in classes + averages)
        lines = [_line(("", *_HEADERS), width), ""]
        lines += [_line(row, width) for row in classes] + [""]
        lines += [_line(row, width) for row in averages]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        classes, averages = self._rows()
        return table(("", *_HEADERS), classes + averages)

    def _rows(self) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
        """Return the rows of the classes and those of the averages, as text."""
        accuracy = ("accuracy", "", "", f"{self.accuracy:.{self.digits}f}", f"{self.macro.support}")
        classes = [self._row(name, scores) for name, scores in self.per_class.items()]
        means = [self._row("macro avg", self.macro), self._row("weighted avg", self.weighted)]
        return classes, [accuracy, *means]

    def _row(self, name: str, scores: ClassScores) -> tuple[str, ...]:
        numbers = (scores.precision, scores.recall, scores.f1)
        name = " ".join(name.split())  # a line break would tear the table
        return (name, *(f"{number:.{self.digits}f}" for number in numbers), f"{scores.support}")


@dataclass(frozen=True)
class RegressionReport:
    """R2, mean absolute, root mean squared and largest absolute error over `support` rows.

    The errors are in the unit of the truth. `digits` counts the significant digits in the tables.
    """

    r2: float
    mae: float
    rmse: float
    max_error: float
    support: int
    digits: int = 4

    def to_dict(self) -> dict[str, float]:
        """Return the four scores and the number of rows, by name."""
        names = ("r2", "mae", "rmse", "max_error")
        scores: dict[str, float] = {name: getattr(self, name) for name in names}
        return {**scores, "support": float(self.support)}

    def __str__(self) -> str:
        rows = self._rows()
        left, right = (max(len(row[column]) for row in rows) for column in (0, 1))
        return "\n".join(f"{name:>{left}}  {value:>{right}}" for name, value in rows)

    def _repr_html_(self) -> str:
        return table(("", "value"), self._rows())

    def _rows(self) -> list[tuple[str, str]]:
        scores = [
            ("R2", self.r2),
            ("mean absolute error", self.mae),
            ("root mean squared error", self.rmse),
            ("largest error", self.max_error),
        ]
        rows = [(name, self._number(score)) for name, score in scores]
        return [*rows, ("rows", str(self.support))]

    def _number(self, score: float) -> str:
        whole = 10.0**self.digits <= abs(score) < 1e15  # too long for decimals
        return f"{score:.0f}" if whole else f"{score:#.{self.digits}g}".rstrip(".")


@helpful
def classification_report(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    class_names: Sequence[str] | None = None,
    digits: int = 4,
) -> ClassificationReport:
    """Score integer labels (n,) class by class.

    With `class_names` the classes are 0 to len(class_names) - 1, including any that does not
    occur, which scores 0 with support 0. Without, they are the labels that occur, ascending.

    Raises:
        TypeError: the labels are not integers, or `class_names` is a single string.
        ValueError: labels of bad shape, or names that are repeated, too few for the labels, or
            the name of an average.

    Source: scikit-learn, ``classification_report``.

    >>> from pellucid import train
    >>> report = train.classification_report([0, 0, 1, 1], [0, 1, 1, 1], ["cat", "dog"], digits=2)
    >>> print(report)
                  precision     recall   f1-score    support
    <BLANKLINE>
             cat       1.00       0.50       0.67          2
             dog       0.67       1.00       0.80          2
    <BLANKLINE>
        accuracy                             0.75          4
       macro avg       0.83       0.75       0.73          4
    weighted avg       0.83       0.75       0.73          4
    >>> report.confusion.tolist()
    [[1, 1], [0, 2]]
    """
    labels, names = name_classes(y_true, y_pred, class_names)
    reserved = sorted(set(names) & set(_AVERAGES))
    if reserved:
        raise ValueError(
            f"class_names: expected names other than {', '.join(_AVERAGES)}, got {reserved}; "
            "rename the class, since the report needs that line for itself"
        )
    confusion = metrics.confusion_matrix(y_true, y_pred, labels)
    support = confusion.sum(axis=1)  # (k,)
    scores = [
        score(y_true, y_pred, average=None, classes=labels)
        for score in (metrics.precision, metrics.recall, metrics.f1)
    ]  # three of shape (k,)
    grid = np.stack(scores, axis=1)  # (k, 3)
    rows = [_class_scores(row, n) for row, n in zip(grid, support, strict=True)]
    return ClassificationReport(
        per_class=dict(zip(names, rows, strict=True)),
        accuracy=metrics.accuracy(y_true, y_pred),
        macro=_class_scores(grid.mean(axis=0), support.sum()),
        weighted=_class_scores(np.average(grid, axis=0, weights=support), support.sum()),
        confusion=confusion,
        digits=digits,
    )


@helpful
def regression_report(y_true: ArrayLike, y_pred: ArrayLike, digits: int = 4) -> RegressionReport:
    """Score real numbers of shape (n,) or (n, k), whose k outputs count equally.

    R2, MAE and RMSE are those of `pellucid.train.metrics`; the largest error is
    max_ij |t_ij - p_ij|.

    Raises:
        TypeError: the values are not real numbers.
        ValueError: the shapes differ, or there are no rows.

    >>> from pellucid import train
    >>> print(train.regression_report([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 8.0]))
                         R2  -2.200
        mean absolute error   1.000
    root mean squared error   2.000
              largest error   4.000
                       rows       4
    """
    r2, mae, rmse = (score(y_true, y_pred) for score in (metrics.r2, metrics.mae, metrics.rmse))
    with np.errstate(all="ignore"):  # a diverged model has an error of NaN or infinity
        errors = np.abs(np.asarray(y_true, np.float64) - np.asarray(y_pred, np.float64))
    return RegressionReport(r2, mae, rmse, float(errors.max()), len(errors), digits)


def name_classes(
    y_true: ArrayLike, y_pred: ArrayLike, class_names: Sequence[str] | None
) -> tuple[NDArray[np.int64], list[str]]:
    """Return the labels that a table of classes has rows for, int64 (k,), and their names.

    Names make the labels 0 to k - 1. Without, each label that occurs is named by its number.

    Raises:
        TypeError: the labels are not integers, or `class_names` is a single string.
        ValueError: labels of bad shape, or a name that is repeated or missing.
    """
    pair = (metrics.as_labels(y_true, "y_true"), metrics.as_labels(y_pred, "y_pred"))
    seen = np.unique(np.concatenate(pair))
    if class_names is None:
        return seen, [str(label) for label in seen]
    if isinstance(class_names, str):
        raise TypeError(
            f"class_names: expected a list of names, got the string {class_names!r}; "
            f"put it in a list, [{class_names!r}]"
        )
    names = [str(name) for name in class_names]
    if len(set(names)) < len(names):
        raise ValueError(
            f"class_names: expected {len(names)} different names, got {names}; "
            "give each class its own"
        )
    outside = seen[(seen < 0) | (seen >= len(names))].tolist()
    if outside:
        raise ValueError(
            f"class_names: expected a name for every label that occurs, got {len(names)} names, "
            f"for the labels 0 to {len(names) - 1}, and also the labels {outside}; pass one name a "
            "class, or number the classes from 0"
        )
    return np.arange(len(names)), names


def _class_scores(scores: NDArray[np.float64], support: int) -> ClassScores:
    precision, recall, f1 = map(float, scores)
    return ClassScores(precision, recall, f1, int(support))


def _width(text: str) -> int:
    """Return how many terminal columns `text` takes: wide characters two, combining marks none."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    marks = sum(unicodedata.category(character) in ("Mn", "Me", "Cf") for character in text)
    return len(text) + wide - marks


def _line(cells: Sequence[str], width: int) -> str:
    name, *numbers = cells
    return " " * (width - _width(name)) + name + "".join(f" {cell:>10}" for cell in numbers)
