"""Text columns, missing values and second files in load_csv."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.data import Dataset, load_csv, moons, split

HOUSES = "rooms,town,heat,price\n3,Ulm,gas,1.5\n4,Bonn,oil,2.5\n5,Ulm,gas,3.5\n"
GAPS = "a,town,t\n1,Ulm,x\n,Bonn,y\n4,?,x\nNA,Ulm,y\n10,Bonn,x\n"


def read(folder: Path, text: str, *args: Any, name: str = "first", **kwargs: Any) -> Dataset:
    path = folder / f"{name}.csv"
    path.write_text(text, encoding="utf-8")
    return load_csv(path, *args, **kwargs)


class TestCategories:
    def test_text_becomes_one_feature_a_category(self, tmp_path: Path) -> None:
        houses = read(tmp_path, HOUSES)
        names = ("rooms", "town=Bonn", "town=Ulm", "heat=gas", "heat=oil")
        assert houses.feature_names == names
        np.testing.assert_array_equal(houses.x, [[3, 0, 1, 1, 0], [4, 1, 0, 0, 1], [5, 0, 1, 1, 0]])
        assert (houses.x.dtype, houses.task) == (np.float32, "regression")

    def test_or_one_feature_of_codes(self, tmp_path: Path) -> None:
        houses = read(tmp_path, HOUSES, encode="codes")
        assert houses.feature_names == ("rooms", "town", "heat")
        np.testing.assert_array_equal(houses.x, [[3, 1, 0], [4, 0, 1], [5, 1, 0]])

    def test_numbers_can_be_taken_as_text(self, tmp_path: Path) -> None:
        text = "code,t\n01,1.5\n1,2.5\n,0.5\n01,3.5\n"
        found = read(tmp_path, text, categorical=["code"], fill="mean")
        assert found.feature_names == ("code=01", "code=1", "code=missing")
        np.testing.assert_array_equal(found.x, np.eye(3)[[0, 1, 2, 0]])

    def test_numbers_and_text_in_one_column_are_a_question(self, tmp_path: Path) -> None:
        text = "a,t\n1,x\nred,y\n"
        with pytest.raises(
            ValueError, match=r"line 3, column 'a': expected a finite number, got 'red'; .*categor"
        ):
            read(tmp_path, text, fill="mean")
        assert read(tmp_path, text, categorical=("a",)).feature_names == ("a=1", "a=red")

    def test_the_split_parts_keep_the_encoding(self, tmp_path: Path) -> None:
        houses = read(tmp_path, HOUSES)
        assert split(houses, test=1, seed=0).train.encoding is houses.encoding

    @pytest.mark.parametrize(("count", "fits"), [(1000, True), (1001, False)])
    def test_a_column_of_names_is_no_category(self, tmp_path: Path, count: int, fits: bool) -> None:
        text = "who,t\n" + "".join(f"w{i},{i}.5\n" for i in range(count))
        if fits:
            assert read(tmp_path, text).x.shape == (count, count)
            return
        with pytest.raises(ValueError, match=r"column 'who': .* at most 1000 .*found 1001.*codes"):
            read(tmp_path, text)
        assert read(tmp_path, text, encode="codes").x.shape == (count, 1)

    @given(
        st.lists(st.sampled_from(["red", "green", "a b", "Ü", '"', ";"]), min_size=1, max_size=20)
    )
    @settings(max_examples=30)
    def test_codes_and_one_hot_say_the_same(
        self, tmp_path_factory: pytest.TempPathFactory, cells: list[str]
    ) -> None:
        rows = "".join(f'1,"{cell.replace(chr(34), chr(34) * 2)}",0.5\n' for cell in cells)
        folder = tmp_path_factory.mktemp("tables")
        one_hot, codes = (
            read(folder, "n,c,t\n" + rows, encode=encode) for encode in ("one-hot", "codes")
        )
        np.testing.assert_array_equal(one_hot.x[:, 1:].argmax(axis=1), codes.x[:, 1])
        np.testing.assert_array_equal(one_hot.x[:, 1:].sum(axis=1), 1)
        names = [one_hot.feature_names[1 + int(code)] for code in codes.x[:, 1]]
        assert names == [f"c={cell}" for cell in cells]


class TestMissing:
    @pytest.mark.parametrize("cell", ["", "?", "NA", "n/a", "NaN", "Null"])
    def test_a_missing_value_is_refused_by_row_and_column(self, tmp_path: Path, cell: str) -> None:
        message = f"expected a finite number, got '{re.escape(cell)}'; fill in .* fill= to load_csv"
        with pytest.raises(ValueError, match=rf"first\.csv: line 3, column 'a': {message}"):
            read(tmp_path, f"a,t\n1,x\n{cell},y\n")
        message = f"expected a value, got '{re.escape(cell)}'"
        with pytest.raises(ValueError, match=rf"first\.csv: line 2, column 'a': {message}"):
            read(tmp_path, f"a,t\n{cell},x\nred,y\n")

    @pytest.mark.parametrize(("fill", "value"), [("mean", 5.0), ("median", 4.0), (-1, -1.0)])
    def test_numbers_are_filled(self, tmp_path: Path, fill: Any, value: float) -> None:
        found = read(tmp_path, GAPS, fill=fill)
        np.testing.assert_array_equal(found.x[:, 0], [1, value, 4, value, 10])

    def test_missing_text_is_a_category(self, tmp_path: Path) -> None:
        found = read(tmp_path, GAPS, fill="mean")
        assert found.feature_names == ("a", "town=Bonn", "town=Ulm", "town=missing")
        np.testing.assert_array_equal(found.x[:, 3], [0, 0, 1, 0, 0])

    def test_a_target_is_never_filled(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="line 3, column 't'"):
            read(tmp_path, "a,t\n1,0.5\n2,\n", fill="mean")

    def test_a_column_without_any_value_is_refused(self, tmp_path: Path) -> None:
        text = "a,b,t\n1,,x\n2,?,y\n"
        for options in ({"fill": "mean"}, {"fill": 0.0, "categorical": ["b"]}):
            with pytest.raises(ValueError, match="column 'b': expected a value in at least one"):
                read(tmp_path, text, **options)
        np.testing.assert_array_equal(read(tmp_path, text, fill=0.0).x[:, 1], [0, 0])


class TestLike:
    def test_a_second_file_is_read_as_the_first(self, tmp_path: Path) -> None:
        first = read(tmp_path, HOUSES)
        text = "price,heat,town,rooms\n9,oil,Ulm,7\n"  # in another order, and oil without gas
        second = read(tmp_path, text, name="second", like=first)
        assert second.feature_names == first.feature_names
        np.testing.assert_array_equal(second.x, [[7, 0, 1, 0, 1]])
        np.testing.assert_array_equal(second.y, [[9]])
        assert (second.name, second.encoding) == ("second", first.encoding)

    def test_classes_keep_their_numbers(self, tmp_path: Path) -> None:
        first = read(tmp_path, "a,t\n1,no\n2,yes\n3,perhaps\n")
        second = read(tmp_path, "a,t\n1,yes\n2,yes\n", name="second", like=first)
        assert second.class_names == first.class_names == ("no", "perhaps", "yes")
        assert second.y.tolist() == [2, 2]
        marks = read(tmp_path, "a,t\n1,10\n2,9\n")
        assert read(tmp_path, "a,t\n1,10.0\n", name="second", like=marks).y.tolist() == [1]
        with pytest.raises(
            ValueError, match=r"line 2, column 't': .*classes \['9', '10'\], got '8"
        ):
            read(tmp_path, "a,t\n1,8\n", name="second", like=marks)

    def test_whole_numbers_stay_a_regression(self, tmp_path: Path) -> None:
        first = read(tmp_path, "a,t\n1,0.5\n2,1\n")
        second = read(tmp_path, "a,t\n1,3\n", name="second", like=first)
        assert (second.task, second.y.tolist()) == ("regression", [[3.0]])

    def test_gaps_are_filled_with_the_first_file_s_mean(self, tmp_path: Path) -> None:
        first = read(tmp_path, GAPS, fill="mean")
        second = read(tmp_path, "a,town,t\n,?,x\n100,Ulm,y\n", name="second", like=first)
        np.testing.assert_array_equal(second.x, [[5, 0, 0, 1], [100, 0, 1, 0]])

    def test_gaps_are_refused_where_the_first_file_s_were(self, tmp_path: Path) -> None:
        first = read(tmp_path, HOUSES)
        for text, column in (("?,Ulm,gas,1", "rooms"), ("1,,gas,1", "town")):
            with pytest.raises(ValueError, match=f"line 2, column '{column}': .* pass fill="):
                read(tmp_path, f"rooms,town,heat,price\n{text}\n", name="second", like=first)

    def test_an_unseen_category_is_refused(self, tmp_path: Path) -> None:
        first = read(tmp_path, HOUSES)
        text = "rooms,town,heat,price\n1,Ulm,gas,1\n1,Köln,gas,1\n"
        with pytest.raises(
            ValueError, match=r"second\.csv: line 3, column 'town': .*'Bonn', 'Ulm', got 'Köln'"
        ):
            read(tmp_path, text, name="second", like=first)

    @pytest.mark.parametrize("encode", ["one-hot", "codes"])
    def test_or_another_category_on_request(self, tmp_path: Path, encode: Any) -> None:
        first = read(tmp_path, HOUSES, encode=encode, unseen="other")
        second = read(tmp_path, "rooms,town,heat,price\n1,Köln,wood,1\n", name="second", like=first)
        if encode == "codes":
            np.testing.assert_array_equal(second.x, [[1, 2, 2]])
        else:
            assert first.feature_names[3] == "town=other"
            np.testing.assert_array_equal(second.x, [[1, 0, 0, 1, 0, 0, 1]])

    def test_text_among_numbers_is_refused(self, tmp_path: Path) -> None:
        first = read(tmp_path, HOUSES, fill="mean")
        text = "rooms,town,heat,price\nmany,Ulm,gas,1\n"
        with pytest.raises(ValueError, match="column 'rooms': expected a finite number, got 'many"):
            read(tmp_path, text, name="second", like=first)

    def test_other_columns_are_refused(self, tmp_path: Path) -> None:
        first = read(tmp_path, HOUSES)
        for header, row in (("rooms,heat,price", "1,gas,1"), ("town,heat,price", "Ulm,gas,1")):
            with pytest.raises(
                ValueError, match=r"second\.csv: expected the columns \['rooms', 'town'"
            ):
                read(tmp_path, f"{header}\n{row}\n", name="second", like=first)

    def test_it_decides_everything(self, tmp_path: Path) -> None:
        first = read(tmp_path, HOUSES)
        with pytest.raises(ValueError, match="like: expected no other option beside it"):
            read(tmp_path, HOUSES, "price", name="second", like=first)
        with pytest.raises(
            ValueError, match="like: expected a dataset that load_csv read, got <Da"
        ):
            read(tmp_path, HOUSES, name="second", like=moons())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encode": "onehot"}, "encode: expected 'one-hot' or 'codes', got 'onehot'"),
        ({"unseen": "ignore"}, "unseen: expected 'error' or 'other', got 'ignore'"),
        ({"fill": "mode"}, "fill: expected None, 'mean', 'median' or a finite number, got 'mode'"),
        ({"fill": float("nan")}, "fill: .*got nan"),
        ({"fill": True}, "fill: .*got True"),
        (
            {"categorical": ["street"]},
            r"categorical: expected some of the features .*, got 'street'",
        ),
        ({"categorical": ["price"]}, r"categorical: expected some of the features .*, got 'price'"),
        ({"categorical": "town"}, r"got 'town'; pass a list of their names"),
    ],
)
def test_senseless_options_are_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path, HOUSES, **options)


@pytest.mark.parametrize("cells", [("1,5", "2,25"), ("1,000", "-2,000,000"), ("1e50", "inf")])
def test_numbers_in_another_form_are_not_taken_for_categories(
    tmp_path: Path, cells: tuple[str, str]
) -> None:
    feature = "a;b;t\n1;{};x\n2;{};y\n".format(*cells)
    wanted = rf"line 2, column 'b': expected a finite number, got '{cells[0]}'; "
    wanted += "write .* categorical= of load_csv"
    with pytest.raises(ValueError, match=wanted):
        read(tmp_path, feature, fill="mean")
    assert read(tmp_path, feature, categorical=["b"]).feature_names[1:] == tuple(
        f"b={cell}" for cell in sorted(cells)
    )


def test_targets_in_another_form_are_not_taken_for_classes(tmp_path: Path) -> None:
    target = "a;t\n1;1,5\n2;2,5\n"
    with pytest.raises(ValueError, match=r"line 2, column 't': expected a finite number.*'1,5'"):
        read(tmp_path, target)
    assert read(tmp_path, target, task="classification").class_names == ("1,5", "2,5")


@pytest.mark.parametrize("cell", ["#N/A", "<NA>"])
def test_what_spreadsheets_write_for_nothing_is_missing(tmp_path: Path, cell: str) -> None:
    table = f"a,b,t\n1,{cell},x\n2,4,y\n"
    np.testing.assert_array_equal(read(tmp_path, table, fill="mean").x, [[1, 4], [2, 4]])
