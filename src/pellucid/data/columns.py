"""How the columns of a table become features: numbers as they are, text as categories."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Encode: TypeAlias = Literal["one-hot", "codes"]
Fill: TypeAlias = Literal["mean", "median"] | float
Unseen: TypeAlias = Literal["error", "other"]

MISSING, OTHER = "missing", "other"  # the names of the categories that stand for these
_NO_VALUE = frozenset({"", "?", "na", "n/a", "nan", "null", "#n/a", "<na>"})
_MOST_CATEGORIES = 1000
_COMMAS = re.compile(r"[-+]?\d[\d.]*,[\d.,]*\d")  # 1,5 and 1,000


@dataclass(frozen=True)
class Column:
    """What is known of one column: categories for text, none for numbers.

    Attributes:
        name: The column's name in the header.
        categories: Every category, in the order of its code; empty for numbers.
        fill: What a missing number becomes; None refuses it.
    """

    name: str
    categories: tuple[str, ...] = ()
    fill: float | None = None


@dataclass(frozen=True)
class TableEncoding:
    r"""What one table taught about reading another like it.

    Attributes:
        target: The name of the column to predict.
        class_names: The name of each class; empty for regression.
        columns: The feature columns, in their order.
        encode: Whether a text column becomes one 0-or-1 feature a category, or one of codes.
        fills: Whether a missing text is a category of its own.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from pellucid import data
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "fruit.csv")
    ...     _ = path.write_text("colour,name\ngreen,apple\nred,cherry\n")
    ...     encoding = data.load_csv(path).encoding
    >>> encoding.target, encoding.class_names, encoding.feature_names
    ('name', ('apple', 'cherry'), ('colour=green', 'colour=red'))
    """

    target: str
    class_names: tuple[str, ...]
    columns: tuple[Column, ...]
    encode: Encode
    fills: bool

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The name of each feature, that of its column or, for one-hot, "column=category"."""
        return tuple(
            name
            for column in self.columns
            for name in (
                [f"{column.name}={category}" for category in column.categories]
                if column.categories and self.encode == "one-hot"
                else [column.name]
            )
        )


@dataclass
class Cells:
    """The cells of one column of a file.

    Attributes:
        name: The column's name.
        numbers: The numbers, float32 (N,), NaN where there is text instead.
        texts: The text of those cells, by row.
        refuse: Makes the error for a row, from what was expected there and how to mend it.
    """

    name: str
    numbers: NDArray[np.float32]
    texts: dict[int, str]
    refuse: Callable[[int, str, str], ValueError]

    def learn(self, as_text: bool, encode: Encode, fill: Fill | None, unseen: Unseen) -> Column:
        """Return what this column teaches.

        It is text if no cell of it is a number, or if `as_text` says so.

        Raises:
            ValueError: Numbers and text mix, all numbers are in a form that is not read, a cell
                is missing and there is no `fill`, no cell has a value, or the categories are too
                many for one-hot.
        """
        told = {row: text for row, text in self.texts.items() if not is_missing(text)}
        if not as_text and (not told or len(self.texts) < len(self.numbers)):
            return self._learn_numbers(told, fill)
        if not told:
            raise self._no_values()
        if not as_text and all(map(is_strange_number, told.values())):
            raise self.refuse(*_not_a_number(told))
        if fill is None:
            self._refuse_missing(self.texts)
        names = set(told.values()) | ({MISSING} if len(told) < len(self.texts) else set())
        categories = tuple(sorted(names - {OTHER})) if unseen == "other" else tuple(sorted(names))
        if len(categories) > _MOST_CATEGORIES and encode == "one-hot":
            raise self.refuse(
                next(iter(told)),
                f"at most {_MOST_CATEGORIES} different texts in the column, found "
                f"{len(categories)}",
                "remove the column, or pass encode='codes'",
            )
        return Column(self.name, (*categories, OTHER) if unseen == "other" else categories)

    def features(self, column: Column, encoding: TableEncoding) -> NDArray[np.float32]:
        """Return the features of this column, float32 (N, k), as another table taught it.

        Raises:
            ValueError: A text is none of the categories, a number is none, or a cell is missing
                that must not be.
        """
        if not column.categories:
            return self._numbers(column)[:, None]
        if not encoding.fills:
            self._refuse_missing(self.texts)
        places = {name: code for code, name in enumerate(column.categories)}
        other = places.get(OTHER) if column.categories[-1] == OTHER else None
        codes = np.empty(len(self.numbers), np.int64)
        for row, text in self.texts.items():
            name = MISSING if is_missing(text) else text
            code = places.get(name, other)
            if code is None:
                raise self.refuse(
                    row,
                    f"one of the categories {_listed(column.categories)}",
                    "correct the cell, or read the first table with unseen='other'",
                )
            codes[row] = code
        if encoding.encode == "codes":
            return codes[:, None].astype(np.float32)
        return np.eye(len(places), dtype=np.float32)[codes]

    def _learn_numbers(self, told: dict[int, str], fill: Fill | None) -> Column:
        if told:
            raise self.refuse(*_not_a_number(told))
        if fill is None:
            self._refuse_missing(self.texts)
            return Column(self.name)
        if not isinstance(fill, str):
            return Column(self.name, fill=float(fill))
        if len(self.texts) == len(self.numbers):
            raise self._no_values()
        average = np.nanmean if fill == "mean" else np.nanmedian
        return Column(self.name, fill=float(average(self.numbers.astype(np.float64))))

    def _numbers(self, column: Column) -> NDArray[np.float32]:
        told = {row: text for row, text in self.texts.items() if not is_missing(text)}
        if told:
            raise self.refuse(*_not_a_number(told))
        if column.fill is None:
            self._refuse_missing(self.texts)
            return self.numbers
        return np.where(np.isnan(self.numbers), np.float32(column.fill), self.numbers)

    def _refuse_missing(self, texts: dict[int, str]) -> None:
        for row, text in texts.items():
            if is_missing(text):
                wanted = "a finite number" if len(texts) < len(self.numbers) else "a value"
                fix = (
                    "fill in the cell, remove its row, or pass fill= to load_csv (--fill on the "
                    "command line)"
                )
                raise self.refuse(row, wanted, fix)

    def _no_values(self) -> ValueError:
        return self.refuse(0, "a value in at least one row of the column", "remove the column")


def is_missing(text: str) -> bool:
    """Whether a cell says that it has no value: empty, "?", NA, N/A, NaN, null, #N/A or <NA>."""
    return text.lower() in _NO_VALUE


def is_strange_number(text: str) -> bool:
    """Whether a text is meant as a number, though with commas, infinite or beyond float32."""
    try:
        return "_" not in text and not np.isnan(float(text))
    except ValueError:
        return _COMMAS.fullmatch(text) is not None


def _not_a_number(texts: dict[int, str]) -> tuple[int, str, str]:
    """Return the row, what was expected and what to do, of the first text among numbers."""
    fix = "correct the cell or remove its row, or name the column in categorical= of load_csv"
    if is_strange_number(next(iter(texts.values()))):
        fix = "write numbers as 1234.5, within float32, or name it in categorical= of load_csv"
    return next(iter(texts)), "a finite number", fix


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")


def check_options(encode: Any, fill: Any, unseen: Any) -> None:
    """Refuse what these options of a table cannot be.

    Raises:
        ValueError: One is none of its values.
    """
    if encode not in ("one-hot", "codes"):
        raise ValueError(f"encode: expected 'one-hot' or 'codes', got {encode!r}; pass one of them")
    if unseen not in ("error", "other"):
        raise ValueError(f"unseen: expected 'error' or 'other', got {unseen!r}; pass one of them")
    is_number = isinstance(fill, int | float | np.integer | np.floating)
    if fill in (None, "mean", "median") or (
        is_number and not isinstance(fill, bool) and np.isfinite(fill)
    ):
        return
    raise ValueError(
        f"fill: expected None, 'mean', 'median' or a finite number, got {fill!r}; pass one of them"
    )
