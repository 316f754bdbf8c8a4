"""The value every source returns and every split keeps: rows, their answers, and their names."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pellucid.arrays import all_finite
from pellucid.calls import helpful
from pellucid.data.columns import TableEncoding

Task: TypeAlias = Literal["classification", "regression"]


@helpful
@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Rows of features with a class label or target values each.

    Integer `y` means classification and needs `class_names`; floating `y` means regression and
    has none. Other real dtypes are converted once, here, so that what follows can rely on
    float32 features and targets and int64 labels.

    Attributes:
        name: A short name for headings and reports.
        x: Features, float32 (N, ...), all finite.
        y: Labels, int64 (N,) in 0..classes-1, or targets, float32 (N, outputs), all finite.
        class_names: The name of each label; empty for regression.
        feature_names: The name of each column of a two-dimensional `x`; empty where they have none.
        image_shape: The shape to draw a row in, such as (28, 28); None where rows are no images.
        encoding: How a table's columns became `x` and `y`, to read others alike; see `load_csv`.

    Raises:
        TypeError: `x` or `y` does not hold real numbers.
        ValueError: Shapes, lengths, label range or names disagree, or a value is not finite.

    >>> from pellucid import data
    >>> grams, names = [[150.0], [7.0]], ("apple", "cherry")
    >>> fruit = data.Dataset("fruit", grams, [0, 1], names, feature_names=("grams",))
    >>> fruit
    <Dataset fruit: 2 rows, 1 feature, 2 classes>
    >>> fruit.take([1]).x.tolist()
    [[7.0]]
    """

    name: str
    x: NDArray[np.float32]
    y: NDArray[np.int64] | NDArray[np.float32]
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    image_shape: tuple[int, ...] | None = None
    encoding: TableEncoding | None = None

    def __post_init__(self) -> None:
        """Convert the arrays and tuples, then check them against one another."""
        # A frozen dataclass sets its own fields through object.__setattr__, here and only here.
        object.__setattr__(self, "x", _finite_float32(self.x, f"{self.name}: x"))
        object.__setattr__(self, "y", _labels_or_targets(self.y, f"{self.name}: y"))
        object.__setattr__(self, "class_names", tuple(self.class_names))
        object.__setattr__(self, "feature_names", tuple(self.feature_names))
        if self.image_shape is not None:
            object.__setattr__(self, "image_shape", tuple(self.image_shape))
        self._check_rows()
        self._check_answers()
        self._check_names()

    @property
    def task(self) -> Task:
        """Whether "classification" is to be learned, where `y` holds labels, or "regression"."""
        return "classification" if self.y.dtype == np.int64 else "regression"

    @property
    def classes(self) -> int:
        """The number of classes, whether or not each has a row here; 0 for regression."""
        return len(self.class_names)

    @property
    def description(self) -> str:
        """A line for people with the name, the rows, what a row is, and what is to be predicted."""
        if self.image_shape is not None:
            row = "x".join(map(str, self.image_shape)) + " images"
        else:
            row = _plural(math.prod(self.x.shape[1:]), "feature")
        if self.task == "classification":
            answer = f"{self.classes} class" + ("es" if self.classes != 1 else "")
        else:
            answer = _plural(self.y.shape[1], "target")
        return f"{self.name}: {_plural(len(self), 'row')}, {row}, {answer}"

    def __len__(self) -> int:
        return int(self.x.shape[0])

    def __repr__(self) -> str:
        return f"<Dataset {self.description}>"

    def take(self, indices: ArrayLike) -> Dataset:
        """Return the rows at `indices`, in that order, as a new Dataset.

        Args:
            indices: Row numbers in 0..N-1, integer (M,), M at least 1; a row may be repeated.

        Raises:
            TypeError: `indices` is not a one-dimensional array of integers.
            ValueError: `indices` is empty.
            IndexError: An index lies outside 0..N-1.
        """
        rows = np.asarray(indices)
        if rows.size == 0:
            raise ValueError(f"{self.name}: expected at least one row index, got none; pass one")
        if rows.ndim != 1 or rows.dtype.kind not in "iu":
            raise TypeError(
                f"{self.name}: expected row indices as integers of shape (M,), got {rows.dtype} "
                f"of shape {rows.shape}; for a mask pass numpy.flatnonzero(mask)"
            )
        if rows.min() < 0 or rows.max() >= len(self):
            raise IndexError(
                f"{self.name}: expected row indices in 0..{len(self) - 1}, got "
                f"{rows.min()}..{rows.max()}; pass only rows the dataset has"
            )
        return dataclasses.replace(self, x=self.x[rows], y=self.y[rows])

    def _check_rows(self) -> None:
        if self.x.ndim < 2 or self.x.size == 0:
            raise ValueError(
                f"{self.name}: x: expected at least one row and one feature, shape (N, ...), got "
                f"shape {self.x.shape}; for a single feature pass x[:, None]"
            )
        if len(self.x) != len(self.y):
            raise ValueError(
                f"{self.name}: expected one y for each row of x, got {len(self.x)} rows of x and "
                f"{len(self.y)} of y; pass arrays of equal length"
            )
        if self.image_shape and math.prod(self.image_shape) != math.prod(self.x.shape[1:]):
            raise ValueError(
                f"{self.name}: image_shape: expected the {math.prod(self.x.shape[1:])} values of "
                f"a row, got {self.image_shape}; pass the shape of one row of x"
            )

    def _check_answers(self) -> None:
        if self.task == "regression":
            if self.class_names:
                raise ValueError(
                    f"{self.name}: expected no class_names with floating y, got "
                    f"{len(self.class_names)}; pass integer labels, or leave class_names out"
                )
            return
        if not self.class_names:
            raise ValueError(
                f"{self.name}: expected class_names with integer y, got none; pass one name for "
                f"each label, or for regression pass y as floats of shape (N, outputs)"
            )
        low, high = int(self.y.min()), int(self.y.max())
        if low < 0 or high >= self.classes:
            raise ValueError(
                f"{self.name}: y: expected labels in 0..{self.classes - 1}, one for each of "
                f"class_names, got {low}..{high}; renumber the labels or name every class"
            )

    def _check_names(self) -> None:
        for kind, names in (("class", self.class_names), ("feature", self.feature_names)):
            if len(set(names)) < len(names):
                repeated = sorted({name for name in names if names.count(name) > 1})
                raise ValueError(
                    f"{self.name}: {kind}_names: expected distinct names, got {repeated} more "
                    "than once; rename them"
                )
        if self.feature_names and self.x.shape[1:] != (len(self.feature_names),):
            raise ValueError(
                f"{self.name}: feature_names: expected one for each column of x, whose shape is "
                f"{self.x.shape}, got {len(self.feature_names)}; name every column or none"
            )


def _labels_or_targets(y: ArrayLike, what: str) -> NDArray[np.int64] | NDArray[np.float32]:
    """Return y as int64 (N,) labels or finite float32 (N, outputs) targets, by its dtype."""
    array = np.asarray(y)
    if array.dtype.kind == "f":
        if array.ndim != 2 or array.size == 0:
            raise ValueError(
                f"{what}: expected targets of shape (N, outputs), got shape {array.shape}; "
                "for a single output pass y[:, None], for classes pass integers"
            )
        return _finite_float32(array, what)
    if array.dtype.kind not in "iub":
        raise TypeError(
            f"{what}: expected integer labels or floating targets, got {array.dtype}; "
            "convert text labels to 0..classes-1 and name them in class_names"
        )
    if array.ndim != 1 or array.size == 0:
        raise ValueError(
            f"{what}: expected labels of shape (N,), got shape {array.shape}; "
            "pass one integer for each row (argmax of one-hot rows)"
        )
    return array.astype(np.int64, copy=False)


def _finite_float32(values: ArrayLike, what: str) -> NDArray[np.float32]:
    """Return the values as float32; refuse text, complex numbers, NaN and infinity."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{what}: expected real numbers, got {array.dtype}; encode text or objects as numbers"
        )
    with np.errstate(over="ignore"):  # what overflows float32 turns infinite and is refused below
        array = array.astype(np.float32, copy=False)
    if not all_finite(array):
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(
            f"{what}: expected finite float32 numbers, got {array[place]} at {place}; "
            "fill in or drop such rows"
        )
    return array


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("s" if count != 1 else "")
