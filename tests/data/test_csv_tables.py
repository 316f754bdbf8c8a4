"""load_csv: what it makes of a table, and the cell it names when it cannot."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.data import Dataset, load_csv

FLOWERS = "width,length,kind\n1,2.5,rose\n3,-4e1,iris\n5, 6 ,rose\n"
REAL = os.environ.get("PELLUCID_DATA")


def read(folder: Path, text: str, *args: Any, **kwargs: Any) -> Dataset:
    path = folder / "flowers.csv"
    path.write_text(text, encoding="utf-8")
    return load_csv(path, *args, **kwargs)


def test_text_targets_are_classes(tmp_path: Path) -> None:
    dataset = read(tmp_path, FLOWERS, "kind")
    assert (dataset.name, dataset.task) == ("flowers", "classification")
    assert dataset.feature_names == ("width", "length")
    assert dataset.class_names == ("iris", "rose")
    np.testing.assert_array_equal(dataset.y, [1, 0, 1])
    np.testing.assert_array_equal(dataset.x, [[1, 2.5], [3, -40], [5, 6]])


def test_a_target_in_the_middle(tmp_path: Path) -> None:
    dataset = read(tmp_path, "a,t,b\n1,x,2\n3,y,4\n", "t")
    assert dataset.feature_names == ("a", "b")
    np.testing.assert_array_equal(dataset.x, [[1, 2], [3, 4]])


def test_the_last_column_is_the_target_if_none_is_named(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read(tmp_path, FLOWERS).y, [1, 0, 1])


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_delimiters_are_told_apart(tmp_path: Path, mark: str) -> None:
    dataset = read(tmp_path, FLOWERS.replace(",", mark))
    assert dataset.x.shape == (3, 2)


def test_a_delimiter_can_be_given(tmp_path: Path) -> None:
    dataset = read(tmp_path, "a,1|t\n1|x\n2|y\n", delimiter="|")
    assert dataset.feature_names == ("a,1",)
    assert read(tmp_path, "a t\n1 x\n", delimiter=" ").class_names == ("x",)


def test_quotes_byte_order_mark_blank_lines_and_windows_line_ends(tmp_path: Path) -> None:
    text = '\ufeff"a, first", "kind; of"\r\n\r\n"1", "big, ""red"""\r\n2,x\r\n\r\n'
    dataset = read(tmp_path, text, "kind; of")
    assert dataset.feature_names == ("a, first",)
    assert dataset.class_names == ('big, "red"', "x")


def test_few_whole_numbers_are_classes_in_order_of_size(tmp_path: Path) -> None:
    dataset = read(tmp_path, "a,t\n1,10\n2,9\n3,10.0\n4,-1\n")
    assert dataset.class_names == ("-1", "9", "10")
    np.testing.assert_array_equal(dataset.y, [2, 1, 2, 0])


@pytest.mark.parametrize(("levels", "task"), [(20, "classification"), (21, "regression")])
def test_more_than_twenty_whole_numbers_are_not(tmp_path: Path, levels: int, task: str) -> None:
    rows = "".join(f"1,{level}\n" for level in range(levels))
    dataset = read(tmp_path, "a,t\n" + rows)
    assert dataset.task == task
    np.testing.assert_array_equal(dataset.y.ravel(), np.arange(levels))


def test_fractions_are_regression(tmp_path: Path) -> None:
    dataset = read(tmp_path, "a,t\n1,0.5\n2,1\n")
    assert dataset.task == "regression"
    assert dataset.y.dtype == np.float32
    assert dataset.class_names == ()
    np.testing.assert_array_equal(dataset.y, [[0.5], [1]])


def test_the_task_can_be_given(tmp_path: Path) -> None:
    whole, fractions = "a,t\n1,3\n2,5\n", "a,t\n1,0.1\n2,2\n3,0.1\n"
    assert read(tmp_path, whole, task="regression").y.tolist() == [[3.0], [5.0]]
    dataset = read(tmp_path, fractions, task="classification")
    assert dataset.class_names == ("0.1", "2")
    assert dataset.y.tolist() == [0, 1, 0]


def test_numbers_among_text_are_a_question(tmp_path: Path) -> None:
    text = "a,t\n1,3\n2,unknown\n"
    with pytest.raises(ValueError, match="line 3, column 't': expected a number as in other rows"):
        read(tmp_path, text)
    assert read(tmp_path, text, task="classification").class_names == ("3", "unknown")
    with pytest.raises(ValueError, match=r"line 3, column 't': .* got 'unknown'"):
        read(tmp_path, text, task="regression")


def test_what_only_python_calls_a_number_is_text(tmp_path: Path) -> None:
    assert read(tmp_path, "a,t\n1,1_0\n2,2_0\n").class_names == ("1_0", "2_0")


@pytest.mark.parametrize("value", ["", "NaN", "inf", "-Infinity", "red", "1e39", "1_0", "1,5"])
def test_a_feature_that_is_no_number(tmp_path: Path, value: str) -> None:
    text = f'a,b,t\n1,2,x\n3,"{value}",x\n'
    with pytest.raises(ValueError, match=rf"flowers\.csv: line 3, column 'b': .* got '{value}'"):
        read(tmp_path, text)


@pytest.mark.parametrize("value", ["", "nan", "inf"])
@pytest.mark.parametrize("other", ["1", "0.5", "rose"])
def test_a_target_that_is_missing(tmp_path: Path, value: str, other: str) -> None:
    for task in (None, "classification"):
        with pytest.raises(ValueError, match=f"line 3, column 't': .* got '{value}'"):
            read(tmp_path, f"a,t\n1,{other}\n2,{value}\n", task=task)


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line 6, column 'a'"):
        read(tmp_path, 'a,t\n\n1,"two\nlines"\n\n?,x\n')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a header row, got an empty file"),
        ("\n\n", "expected a header row, got an empty file or line"),
        ("a,b\n", "expected rows below the header, got none"),
        ("a\n1\n", r"at least two columns, got \['a'\]; .* pass delimiter="),
        ("a,b,a\n1,2,3\n", r"distinct column names, got \['a'\]"),
        (",a,t\n0,1,x\n", "name for every column, got none for column 1"),
        ("5.1,3.5,rose\n4.9,3,iris\n", r"expected a header row .* got numbers \['5.1', '3.5'"),
        ("a,b\n1,2\n3\n", "line 3: expected 2 cells as in the header, got 1"),
        ("a,b\n1,2,3\n", "line 2: expected 2 cells as in the header, got 3"),
        ('a,b\n1,"2\n', r"line 2: expected cells, .*unexpected end of data.*close every quote"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"flowers\.csv: {'.*'}{message}"):
        read(tmp_path, text)


def test_arguments_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"target: .* \['width', 'length', 'kind'\], got 'color'"):
        read(tmp_path, FLOWERS, "color")
    with pytest.raises(ValueError, match=r"task: expected one of .* got 'ranking'"):
        read(tmp_path, FLOWERS, task="ranking")
    for mark in ("", ",,", "\n", '"'):
        with pytest.raises(ValueError, match="delimiter: expected a single character"):
            read(tmp_path, FLOWERS, delimiter=mark)
    with pytest.raises(FileNotFoundError):
        load_csv(tmp_path / "none.csv")


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    path.write_bytes("a,t\n1,x\n".encode("utf-16"))
    with pytest.raises(ValueError, match=r"sheet\.csv: expected a table in UTF-8 text"):
        load_csv(path)


@pytest.mark.skipif(not REAL, reason="PELLUCID_DATA names no folder with wine-quality")
@pytest.mark.parametrize(
    ("colour", "counts"),
    [
        ("red", {"3": 10, "4": 53, "5": 681, "6": 638, "7": 199, "8": 18}),
        ("white", {"3": 20, "4": 163, "5": 1457, "6": 2198, "7": 880, "8": 175, "9": 5}),
    ],
)
def test_wine_quality(colour: str, counts: dict[str, int]) -> None:
    path = Path(str(REAL)) / "wine-quality" / f"winequality-{colour}.csv"
    dataset = load_csv(path, "quality")
    assert dataset.x.shape == (sum(counts.values()), 11)
    assert dataset.feature_names[0] == "fixed acidity"
    assert dict(zip(dataset.class_names, np.bincount(dataset.y).tolist(), strict=True)) == counts
    graded = load_csv(path, "quality", task="regression")
    assert graded.y.shape == (len(dataset), 1)
    assert load_csv(path, "alcohol").task == "regression"


def test_large_numbers_are_distinct_classes(tmp_path: Path) -> None:
    table = "a,t\n1,9007199254740993\n2,9007199254740992\n3,9007199254740993\n"
    dataset = read(tmp_path, table)
    assert dataset.class_names == ("9007199254740992", "9007199254740993")
    np.testing.assert_array_equal(dataset.y, [1, 0, 1])
    again = read(tmp_path, "a,t\n1,9007199254740992\n", like=dataset)
    np.testing.assert_array_equal(again.y, [0])


def test_zero_has_one_name(tmp_path: Path) -> None:
    dataset = read(tmp_path, "a,t\n1,-0.0\n2,0\n3,1\n")
    assert dataset.class_names == ("0", "1")
    np.testing.assert_array_equal(read(tmp_path, "a,t\n1,-0\n", like=dataset).y, [0])


def test_a_quote_that_is_not_closed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"flowers\.csv: line 3: expected .*quote"):
        read(tmp_path, 'a,b,t\n1,"x,0\n2,z,1\n')


def test_a_long_cell_is_cut_short_in_the_message(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"got '1111.*\.\.\.'; write numbers") as caught:
        read(tmp_path, f"a,t\n2,x\n{'1' * 5000},y\n")
    assert len(str(caught.value)) < 400
