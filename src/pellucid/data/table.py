"""Reader of tables: comma-, semicolon- or tab-separated text with a header row."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from pellucid.calls import helpful
from pellucid.data.columns import (
    Cells,
    Encode,
    Fill,
    TableEncoding,
    Unseen,
    check_options,
    is_strange_number,
)
from pellucid.data.dataset import Dataset, Task

_DELIMITERS = ",;\t"
_MOST_CLASSES = 20
_NEXT_TO_NONE = 2.0**53  # from here on, neighbouring whole numbers are one float
_LARGEST = float(np.finfo(np.float32).max)


@dataclass
class _Table:
    """What was read: features as numbers where they are, the target still as text."""

    path: Path
    header: list[str]
    target: int  # the target's place in the header
    as_text: frozenset[int]  # places of columns whose numbers are text too
    features: list[NDArray[np.float32]] = field(default_factory=list)  # NaN where there is text
    texts: dict[int, dict[int, str]] = field(default_factory=dict)  # by place in the header and row
    answers: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)  # where in the file each row ends

    def refuse(self, place: int, value: str, row: int, wanted: str, fix: str) -> ValueError:
        """Return the error for a cell."""
        return ValueError(
            f"{self.path}: line {self.lines[row]}, column {self.header[place]!r}: expected "
            f"{wanted}, got {value if len(value) <= 80 else value[:77] + '...'!r}; {fix}"
        )

    def cells(self) -> dict[str, Cells]:
        """Return the cells of each feature column, by name."""
        numbers = np.stack(self.features, axis=1)  # (columns - 1, N)
        places = _without(list(range(len(self.header))), self.target)
        return {
            self.header[place]: Cells(
                self.header[place],
                column,
                self.texts.get(place, {}),
                partial(self._refuse_feature, place),
            )
            for place, column in zip(places, numbers, strict=True)
        }

    def _refuse_feature(self, place: int, row: int, wanted: str, fix: str) -> ValueError:
        return self.refuse(place, self.texts[place][row], row, wanted, fix)


@helpful
def load_csv(
    path: str | Path,
    target: str | None = None,
    *,
    task: Task | None = None,
    delimiter: str | None = None,
    categorical: Collection[str] = (),
    encode: Encode = "one-hot",
    fill: Fill | None = None,
    unseen: Unseen = "error",
    like: Dataset | None = None,
) -> Dataset:
    r"""Read a table of features, numbers or text, one column of which is to be predicted.

    The target means classification if its values are text, or whole numbers with at most 20
    distinct values; otherwise regression. `task` overrides this: pass task="regression" for
    counts, marks or years of few different values, and "classification" where numbers and text
    mix. Classes are the sorted distinct values: numbers by size, text by character.

    A feature column without a number is text. Its categories are the sorted distinct texts, and
    each becomes a feature "column=text" that is 1 or 0. With `encode="codes"` the column becomes
    one feature, the category's number from 0, for an embedding. Another file is read by the same
    categories, classes and fillings with `like`:

        train = load_csv("train.csv", "price", fill="median")
        test = load_csv("test.csv", like=train)

    A column of nothing but numbers with commas (1,5 or 1,000), or beyond float32, is refused
    unless it is named in `categorical`, for a target by `task`.

    Empty cells, "?", NA, N/A, #N/A, <NA>, NaN and null (in any case) are missing values. They are
    refused unless `fill` says what becomes of them: in numbers the mean or median of the column
    or a number, in text a category "missing". A target is never filled.

    Args:
        path: A UTF-8 text file whose first row names the columns.
        target: The column to predict; None takes the last.
        task: "classification" or "regression"; None decides as above.
        delimiter: The character between cells; None takes whichever of comma, semicolon and tab
            cuts the header into most columns.
        categorical: Feature columns to take as text though there are numbers among their cells,
            such as postal codes.
        encode: What text becomes, "one-hot" or "codes".
        fill: What a missing value becomes: "mean", "median" or a number; None refuses it.
        unseen: What `like` does with a text that the first file did not have: "error" refuses
            it, "other" adds a last category to each text column for it.
        like: A dataset that `load_csv` read, to read this file as it read that one; it decides
            all but `path` and `delimiter`.

    Returns:
        x float32 (N, features) with `feature_names`; y int64 (N,) with `class_names`, or
        float32 (N, 1); and their `encoding`.

    Raises:
        OSError: The file cannot be opened.
        ValueError: The file is empty, has no rows or fewer than two columns, a column without a
            name or two of one name; a row has another length than the header; a cell is missing,
            or text among numbers (the message names line, column and value); a column has more
            than 1000 texts for one-hot; `target` or one of `categorical` is no column, `task` no
            task, `delimiter` no single character, or another option none of its values; or
            `like` was not read from a table, has other columns, categories or classes, or is
            given with options that it decides.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from pellucid import data
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "fruit.csv")
    ...     _ = path.write_text("grams,colour,name\n150,green,apple\n7,red,cherry\n")
    ...     fruit = data.load_csv(path, target="name")
    >>> fruit.feature_names, fruit.class_names
    (('grams', 'colour=green', 'colour=red'), ('apple', 'cherry'))
    >>> fruit.x.tolist(), fruit.y.tolist()
    ([[150.0, 1.0, 0.0], [7.0, 0.0, 1.0]], [0, 1])
    """
    path = Path(path)
    if task is not None and task not in get_args(Task):
        raise ValueError(
            f"task: expected one of {get_args(Task)} or None, got {task!r}; pass one of these"
        )
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise ValueError(
            f"delimiter: expected a single character, got {delimiter!r}; pass ',', ';' or '\\t'"
        )
    check_options(encode, fill, unseen)
    if like is not None:
        options = (target, task, tuple(categorical), encode, fill, unseen)
        encoding = _encoding_of(like, options)
        texts = [column.name for column in encoding.columns if column.categories]
        table = _read(path, encoding.target, delimiter, texts)
        y = _known_answers(table, encoding)
    else:
        table = _read(path, target, delimiter, categorical)
        _check_categorical(table, categorical)
        y, class_names = _answers(table, task)
        columns = tuple(
            cells.learn(cells.name in categorical, encode, fill, unseen)
            for cells in table.cells().values()
        )
        encoding = TableEncoding(
            table.header[table.target], class_names, columns, encode, fills=fill is not None
        )
    return Dataset(
        name=path.stem,
        x=_features(table, encoding),  # (N, features)
        y=y,
        class_names=encoding.class_names,
        feature_names=encoding.feature_names,
        encoding=encoding,
    )


def _encoding_of(like: Any, options: tuple[Any, ...]) -> TableEncoding:
    """Return the encoding of a dataset that was read from a table."""
    encoding = like.encoding if isinstance(like, Dataset) else None
    if encoding is None:
        raise ValueError(
            f"like: expected a dataset that load_csv read, got {like!r}; pass the training set"
        )
    if options != (None, None, (), "one-hot", None, "error"):
        raise ValueError(
            "like: expected no other option beside it but delimiter=, because it decides the "
            f"target, the task and the encoding, got {options}; leave them out"
        )
    return encoding


def _check_categorical(table: _Table, names: Collection[str]) -> None:
    features = _without(table.header, table.target)
    strange = [names] if isinstance(names, str) else [n for n in names if n not in features]
    if strange:
        raise ValueError(
            f"{table.path}: categorical: expected some of the features {features}, got "
            f"{strange[0]!r}; pass a list of their names"
        )


def _features(table: _Table, encoding: TableEncoding) -> NDArray[np.float32]:
    """Return the features of all columns in the order of the encoding, float32 (N, features)."""
    cells = table.cells()
    names = [column.name for column in encoding.columns]
    if sorted(cells) != sorted(names):
        raise ValueError(
            f"{table.path}: expected the columns {[*names, encoding.target]}, got {table.header}; "
            "add what is missing and remove the rest"
        )
    parts = [cells[column.name].features(column, encoding) for column in encoding.columns]
    return np.concatenate(parts, axis=1)


def _read(path: Path, target: str | None, delimiter: str | None, texts: Collection[str]) -> _Table:
    """Read the whole file, its features converted row by row but in the columns of `texts`."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.reader(
                file,
                delimiter=delimiter or _sniff(first),
                skipinitialspace=delimiter != " ",
                strict=True,
            )
            table = _start(path, next(reader, []), target, texts)
            _fill(table, ((reader.line_num, cells) for cells in reader if cells))
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: expected a table in UTF-8 text, got something else ({error}); "
            "export it again as CSV in UTF-8"
        ) from error
    except csv.Error as error:
        raise ValueError(
            f"{path}: line {reader.line_num}: expected cells, quoted or not, got what cannot be "
            f"cut into them ({error}); close every quote"
        ) from error
    if not table.features:
        raise ValueError(f"{path}: expected rows below the header, got none; add some")
    return table


def _sniff(line: str) -> str:
    """Return the delimiter that cuts the line into most cells, the comma where none does."""
    return max(_DELIMITERS, key=lambda mark: len(next(csv.reader([line], delimiter=mark), [])))


def _start(path: Path, header: list[str], target: str | None, texts: Collection[str]) -> _Table:
    """Check the header, find the target, and return a table without rows."""
    header = [name.strip() for name in header]
    if not any(header):
        raise ValueError(f"{path}: expected a header row, got an empty file or line; name columns")
    if len(header) < 2:
        raise ValueError(
            f"{path}: expected at least two columns, got {header}; if they are divided by "
            "something other than a comma, semicolon or tab, pass delimiter="
        )
    if target is not None and target not in header:
        raise ValueError(
            f"{path}: target: expected one of the columns {header}, got {target!r}; pass one of "
            "these"
        )
    place = len(header) - 1 if target is None else header.index(target)
    if all(_number(name) is not None for name in _without(header, place)):
        raise ValueError(
            f"{path}: expected a header row with the columns' names, got numbers {header[:4]}; "
            "write names into the first line"
        )
    if "" in header:
        raise ValueError(
            f"{path}: expected a name for every column, got none for column "
            f"{header.index('') + 1}; name it, or leave out a column of row numbers"
        )
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise ValueError(
            f"{path}: expected distinct column names, got {repeated} more than once; rename them"
        )
    as_text = frozenset(header.index(name) for name in texts if name in header)
    return _Table(path, header, place, as_text)


def _fill(table: _Table, rows: Iterator[tuple[int, list[str]]]) -> None:
    """Append the rows, given with their line numbers, to the table."""
    columns = range(len(table.header))
    places = _without(list(columns), table.target)
    for line, cells in rows:
        if len(cells) != len(columns):
            raise ValueError(
                f"{table.path}: line {line}: expected {len(columns)} cells as in the header, got "
                f"{len(cells)}; correct the row, or quote cells that contain the delimiter"
            )
        numbers = []
        for place in places:
            number = None if place in table.as_text else _number(cells[place])
            if number is None:
                table.texts.setdefault(place, {})[len(table.lines)] = cells[place].strip()
            numbers.append(math.nan if number is None else number)
        table.features.append(np.array(numbers, dtype=np.float32))
        table.answers.append(cells[table.target].strip())
        table.lines.append(line)


def _answers(
    table: _Table, task: Task | None
) -> tuple[NDArray[np.int64] | NDArray[np.float32], tuple[str, ...]]:
    """Return the target column as labels with class names, or as values (N, 1) with none."""
    numbers = []
    for row, text in enumerate(table.answers):
        numbers.append(_number(text))
        if numbers[-1] is None and (_is_missing(text) or task == "regression"):
            raise _refused_answer(table, row)
    values = [number for number in numbers if number is not None]
    mixed = 0 < len(values) < len(numbers)
    if mixed and task is None:
        row = numbers.index(None)
        raise ValueError(
            f"{table.path}: line {table.lines[row]}, column {table.header[table.target]!r}: "
            f"expected a number as in other rows, got {table.answers[row]!r}; correct the cell, "
            "or pass task='classification' to take every value as the name of a class"
        )
    if task is None and not values and all(map(is_strange_number, table.answers)):
        raise _refused_answer(table, 0)
    if task is None:
        few = len(set(values)) <= _MOST_CLASSES and all(value.is_integer() for value in values)
        task = "classification" if few else "regression"
    if task == "regression":
        return np.array(values, dtype=np.float32)[:, None], ()
    if len(values) < len(numbers) or max(map(abs, values)) >= _NEXT_TO_NONE:
        names, labels = np.unique(table.answers, return_inverse=True)
        return labels.astype(np.int64), tuple(str(name) for name in names)
    levels, labels = np.unique(values, return_inverse=True)
    return labels.astype(np.int64), tuple(map(_spelled, levels))


def _known_answers(
    table: _Table, encoding: TableEncoding
) -> NDArray[np.int64] | NDArray[np.float32]:
    """Return the target column by the classes of another table, or as values (N, 1)."""
    if not encoding.class_names:
        return _answers(table, "regression")[0]
    places = {name: label for label, name in enumerate(encoding.class_names)}
    labels = []
    for row, text in enumerate(table.answers):
        number = _number(text)
        name = text if text in places or number is None else _spelled(number)
        if name not in places:
            raise table.refuse(
                table.target,
                text,
                row,
                f"one of the classes {list(encoding.class_names)}",
                "correct the cell or remove its row",
            )
        labels.append(places[name])
    return np.array(labels, dtype=np.int64)


def _refused_answer(table: _Table, row: int) -> ValueError:
    fix = "fill in the cell or remove its row"
    return table.refuse(table.target, table.answers[row], row, "a finite number", fix)


def _spelled(level: float) -> str:
    """Return the name of the class that a number is."""
    return f"{level + 0.0:.0f}" if float(level).is_integer() else str(level)  # no -0


def _number(text: str) -> float | None:
    """Return the finite float32-sized number a cell spells, None if it spells none."""
    try:
        number = float(text)
    except ValueError:
        return None
    # Python reads 1_000 as a number; in a table it is text.
    return number if abs(number) <= _LARGEST and "_" not in text else None


def _is_missing(text: str) -> bool:
    """Whether a target cell is empty, NaN or infinite, rather than the name of a class."""
    try:
        return not math.isfinite(float(text))
    except ValueError:
        return not text


def _without(items: list[Any], place: int) -> list[Any]:
    return items[:place] + items[place + 1 :]
