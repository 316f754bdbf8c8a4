"""Reader of numeric tables: comma-, semicolon- or tab-separated text with a header row."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from pellucid.data.dataset import Dataset, Task

_DELIMITERS = ",;\t"
_MOST_CLASSES = 20
_LARGEST = float(np.finfo(np.float32).max)


@dataclass
class _Table:
    """What was read: features as numbers, the target still as text."""

    path: Path
    header: list[str]
    target: int  # the target's place in the header
    features: list[NDArray[np.float32]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)  # where in the file each row ends

    def refuse(self, line: int, column: int, value: str) -> ValueError:
        """Return the error for a cell that is not a finite number."""
        return ValueError(
            f"{self.path}: line {line}, column {self.header[column]!r}: expected a finite number, "
            f"got {value!r}; fill in the cell or remove its row"
        )


def load_csv(
    path: str | Path,
    target: str | None = None,
    *,
    task: Task | None = None,
    delimiter: str | None = None,
) -> Dataset:
    """Read a table whose columns but one are numeric features, and one is to be predicted.

    The target means classification if its values are text, or whole numbers with at most 20
    distinct values; otherwise regression. `task` overrides this, and is needed where numbers
    and text mix. Classes are the sorted distinct values: numbers by size, text by character.

    Args:
        path: A UTF-8 text file whose first row names the columns.
        target: The column to predict; None takes the last.
        task: "classification" or "regression"; None decides as above.
        delimiter: The character between cells; None takes whichever of comma, semicolon and tab
            cuts the header into most columns.

    Returns:
        x float32 (N, columns - 1) with `feature_names`; y int64 (N,) with `class_names`, or
        float32 (N, 1).

    Raises:
        OSError: The file cannot be opened.
        ValueError: The file is empty, has no rows or fewer than two columns, a column without a
            name or two of one name; a row has another length than the header; a cell is missing
            or no finite number (the message names line, column and value); `target` is no
            column, `task` no task, or `delimiter` no single character.
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
    table = _read(path, target, delimiter)
    y, class_names = _answers(table, task)
    return Dataset(
        name=path.stem,
        x=np.stack(table.features),  # (N, columns - 1)
        y=y,
        class_names=class_names,
        feature_names=tuple(_without(table.header, table.target)),
    )


def _read(path: Path, target: str | None, delimiter: str | None) -> _Table:
    """Read the whole file, its features converted row by row."""
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
            table = _start(path, next(reader, []), target)
            _fill(table, ((reader.line_num, cells) for cells in reader if cells))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"{path}: expected a table in UTF-8 text, got something else ({error}); "
            "export it again as CSV in UTF-8"
        ) from error
    if not table.features:
        raise ValueError(f"{path}: expected rows below the header, got none; add some")
    return table


def _sniff(line: str) -> str:
    """Return the delimiter that cuts the line into most cells, the comma where none does."""
    return max(_DELIMITERS, key=lambda mark: len(next(csv.reader([line], delimiter=mark), [])))


def _start(path: Path, header: list[str], target: str | None) -> _Table:
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
    return _Table(path, header, place)


def _fill(table: _Table, rows: Iterator[tuple[int, list[str]]]) -> None:
    """Append the rows, given with their line numbers, to the table."""
    columns = range(len(table.header))
    for line, cells in rows:
        if len(cells) != len(columns):
            raise ValueError(
                f"{table.path}: line {line}: expected {len(columns)} cells as in the header, got "
                f"{len(cells)}; correct the row, or quote cells that contain the delimiter"
            )
        numbers = [_number(cell) for cell in _without(cells, table.target)]
        if None in numbers:
            column = _without(list(columns), table.target)[numbers.index(None)]
            raise table.refuse(line, column, cells[column])
        table.features.append(np.array(numbers, dtype=np.float32))
        table.answers.append(cells[table.target].strip())
        table.lines.append(line)


def _answers(
    table: _Table, task: Task | None
) -> tuple[NDArray[np.int64] | NDArray[np.float32], tuple[str, ...]]:
    """Return the target column as labels with class names, or as values (N, 1) with none."""
    numbers = []
    for line, text in zip(table.lines, table.answers, strict=True):
        numbers.append(_number(text))
        if numbers[-1] is None and (_is_missing(text) or task == "regression"):
            raise table.refuse(line, table.target, text)
    values = [number for number in numbers if number is not None]
    mixed = 0 < len(values) < len(numbers)
    if mixed and task is None:
        row = numbers.index(None)
        raise ValueError(
            f"{table.path}: line {table.lines[row]}, column {table.header[table.target]!r}: "
            f"expected a number as in other rows, got {table.answers[row]!r}; correct the cell, "
            "or pass task='classification' to take every value as the name of a class"
        )
    if task is None:
        few = len(set(values)) <= _MOST_CLASSES and all(value.is_integer() for value in values)
        task = "classification" if few else "regression"
    if task == "regression":
        return np.array(values, dtype=np.float32)[:, None], ()
    if len(values) < len(numbers):
        names, labels = np.unique(table.answers, return_inverse=True)
        return labels.astype(np.int64), tuple(str(name) for name in names)
    levels, labels = np.unique(values, return_inverse=True)
    return labels.astype(np.int64), tuple(
        f"{level:.0f}" if level.is_integer() else str(level) for level in levels
    )


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
