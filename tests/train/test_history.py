"""The record of a training run: a mapping, the best epoch, and files of it."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from pellucid import nn, train
from pellucid.train import History
from train.problems import blobs, classifier

VALUES = {
    "loss": [3.0, 2.0, 1.0, 0.5],
    "accuracy": [0.1, 0.9, 0.8, 0.85],
    "val_loss": [3.0, 1.0, 1.5, 2.0],
    "val_f1": [0.2, math.nan, 0.6, 0.6],
}


def history() -> History:
    return History(VALUES, stopped="because")


def test_it_is_a_read_only_mapping_of_names_to_values() -> None:
    h = history()
    assert list(h) == list(VALUES)
    assert len(h) == 4
    assert h["loss"] == [3.0, 2.0, 1.0, 0.5]
    assert "val_loss" in h
    assert "r2" not in h
    assert h.get("r2") is None
    assert dict(h)["accuracy"] == VALUES["accuracy"]
    assert (h.epochs, h.stopped) == (4, "because")
    with pytest.raises(TypeError):
        h["loss"] = []
    with pytest.raises(KeyError):
        h["r2"]


def test_it_copies_what_it_is_made_of() -> None:
    values = {"loss": [1.0]}
    h = History(values)
    values["loss"].append(2.0)
    assert h.epochs == 1


def test_appending_fills_what_is_missing_with_nan() -> None:
    h = History()
    h.append({"loss": np.float32(1)})
    h.append({"loss": 2, "val_loss": 3})
    h.append({"loss": 4})
    assert h["loss"] == [1, 2, 4]
    assert all(type(v) is float for v in h["loss"])
    assert [math.isnan(v) for v in h["val_loss"]] == [True, False, True]
    assert h.epochs == 3


def test_the_best_epoch_counts_from_1() -> None:
    h = history()
    assert h.best_epoch() == 2  # of the validation loss
    assert h.best_epoch("loss") == 4
    assert h.best_epoch("accuracy") == 2
    assert h.best_epoch("accuracy", mode="min") == 1
    assert h.best_epoch("val_f1") == 3  # the first of equals; NaN is never best
    assert History({"loss": [2.0, 1.0]}).best_epoch() == 2


@pytest.mark.parametrize("name", ["loss", "mae", "mse", "rmse"])
def test_losses_and_errors_are_better_when_smaller(name: str) -> None:
    for prefix in ("", "val_"):
        assert History({prefix + name: [2.0, 1.0, 3.0]}).best_epoch(prefix + name) == 2


def test_names_given_as_lower_are_better_when_smaller() -> None:
    h = History({"brier": [2.0, 1.0, 3.0], "val_brier": [3.0, 2.0, 1.0]}, lower=["brier"])
    assert h.best_epoch("brier") == 2
    assert h.best_epoch("val_brier") == 3
    assert h.best_epoch("brier", mode="max") == 3


def test_what_has_no_best_epoch_says_why() -> None:
    with pytest.raises(ValueError, match="expected at least one epoch, got an empty history"):
        History().best_epoch()
    with pytest.raises(ValueError, match="expected at least one epoch"):
        History({"loss": []}).best_epoch()
    with pytest.raises(ValueError, match=r"unknown history entry 'acuracy'.*mean 'accuracy'"):
        history().best_epoch("acuracy")
    with pytest.raises(ValueError, match="got val_loss of NaN in every epoch"):
        History({"val_loss": [math.nan, math.nan]}).best_epoch()
    with pytest.raises(ValueError, match='expected mode to be "min", "max" or None'):
        history().best_epoch("loss", mode="least")


def test_json_round_trip(tmp_path: Path) -> None:
    h = History(VALUES | {"r2": [-math.inf, math.inf, 0.1 + 0.2, 1e-300]}, "Ctrl-C", lower=["f1"])
    h.to_json(tmp_path / "h.json")
    again = History.from_json(tmp_path / "h.json")
    assert list(again) == list(h)
    for name in VALUES:
        np.testing.assert_array_equal(again[name], h[name])
    assert [math.isnan(v) for v in again["r2"]] == [True, True, False, False]
    assert again["r2"][2:] == h["r2"][2:]
    assert again.stopped == "Ctrl-C"
    assert again.best_epoch("val_f1") == h.best_epoch("val_f1") == 1


def test_json_is_standard_without_nan(tmp_path: Path) -> None:
    history().to_json(tmp_path / "h.json")

    def refuse(name: str) -> float:
        raise AssertionError(f"{name} is not in the standard")

    text = (tmp_path / "h.json").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=refuse)["values"]["val_f1"] == [0.2, None, 0.6, 0.6]


def test_csv_round_trip(tmp_path: Path) -> None:
    h = history()
    h.to_csv(tmp_path / "h.csv")
    with (tmp_path / "h.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", *VALUES]
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    for name, values in VALUES.items():
        np.testing.assert_array_equal([float(row[name]) for row in rows], values)


def test_a_file_is_replaced_whole_and_a_missing_folder_is_named(tmp_path: Path) -> None:
    history().to_json(tmp_path / "h.json")
    History({"loss": [1.0]}).to_json(tmp_path / "h.json")
    assert History.from_json(tmp_path / "h.json").epochs == 1
    assert [p.name for p in tmp_path.iterdir()] == ["h.json"]
    for write in (history().to_json, history().to_csv):
        with pytest.raises(
            FileNotFoundError, match=r"cannot write h\.x: expected a folder that can"
        ):
            write(tmp_path / "none" / "h.x")


def test_an_empty_history_can_be_written(tmp_path: Path) -> None:
    History().to_csv(tmp_path / "h.csv")
    assert (tmp_path / "h.csv").read_text() == "epoch\n"
    History().to_json(tmp_path / "h.json")
    assert History.from_json(tmp_path / "h.json").epochs == 0


def test_repr_is_short() -> None:
    assert repr(history()) == ("History(4 epochs: loss=0.5, accuracy=0.85, val_loss=2, val_f1=0.6)")
    assert repr(History()) == "History(0 epochs)"
    model = train.Model(classifier(), "cross_entropy")
    one = model.fit(*blobs(), epochs=1, verbose=False)
    assert repr(one).startswith("History(1 epoch: loss=")


def test_fit_returns_one_value_an_epoch(tmp_path: Path) -> None:
    x, y = blobs()
    model = train.Model(classifier(nn.Softmax()), "cross_entropy", metrics=["accuracy"])
    h = model.fit(x, y, epochs=4, validation_split=0.2, seed=0, verbose=False)
    assert h.epochs == 4
    assert all(len(values) == 4 and all(type(v) is float for v in values) for values in h.values())
    h.to_json(tmp_path / "h.json")
    assert dict(History.from_json(tmp_path / "h.json")) == dict(h)


def test_it_is_plotted() -> None:
    history = History({"loss": [1.0, 0.5], "val_loss": [1.1, 0.7]})
    figure = history.plot()
    assert [axes.get_ylabel() for axes in figure.axes] == ["Loss"]
    assert list(figure.axes[0].lines[0].get_ydata()) == [1.0, 0.5]
    assert history.plot(ax=figure.axes[0]) is figure
    with pytest.raises(ValueError, match="train for an epoch"):
        History().plot()


def test_a_notebook_shows_a_table_escaped() -> None:
    nan = math.nan
    history = History({"loss": [2.0, 1.0, 1.5], "<b>": [0.5, nan, 0.75], "lr": [0.1] * 3})
    html = history._repr_html_()
    assert "<th>3 epochs</th>" in html
    assert "<th>loss</th><td>2</td><td>1 (epoch 2)</td><td>1.5</td>" in html
    assert "<th>&lt;b&gt;</th><td>0.5</td><td>0.75 (epoch 3)</td><td>0.75</td>" in html
    assert "<th>lr</th><td>0.1</td><td></td><td>0.1</td>" in html
    assert "<td>nan</td><td></td>" in History({"loss": [nan]})._repr_html_()
    assert History()._repr_html_().startswith("<table>")
