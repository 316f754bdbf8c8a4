"""What a run prints and writes, and that it can be repeated from what it wrote."""

from __future__ import annotations

import csv
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from cli.commands import Command, read
from data.idx_writer import put, tiny_files
from pellucid import data, train
from pellucid.compiler.program import Program
from pellucid.train import History

ALWAYS = {
    "config.json",
    "history.csv",
    "history.json",
    "report.txt",
    "report.json",
    "report.html",
    "model.safetensors",
}
FAST = ("--epochs", "2", "--no-plots")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def parameters(path: Path) -> dict[str, np.ndarray]:
    with safe_open(path, framework="numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def test_two_dimensional_data(command: Command) -> None:
    ended = command("train", "moons", "--epochs", "60")
    assert ended.status == 0
    assert ended.err == ""
    assert "moons: 500 rows, 2 features, 2 classes" in ended.out
    assert "350 to train on, 50 for validation, test of 100 rows" in ended.out
    assert "Dense(2, 16, Tanh())" in ended.out
    assert "epoch 60/60" in ended.out
    assert "weighted avg" in ended.out
    assert ended.out.endswith("written to runs/moons\n")
    pictures = {"training_curves.png", "confusion_matrix.png", "decision_boundary.png"}
    assert names(Path("runs/moons")) == ALWAYS | pictures | {"confusion_matrix.csv"}
    report = read(Path("runs/moons/report.json"))
    assert report["accuracy"] >= 0.97
    assert report["rows"] == 100
    assert f"{report['accuracy']:.4f}" in Path("runs/moons/report.txt").read_text()


def test_digits_reach_their_target(command: Command) -> None:
    pytest.importorskip("sklearn")
    assert command("train", "digits", "--quiet", "--epochs", "30").status == 0
    pictures = {"training_curves.png", "confusion_matrix.png", "predictions.png"}
    assert names(Path("runs/digits")) == ALWAYS | pictures | {"confusion_matrix.csv"}
    assert read(Path("runs/digits/report.json"))["accuracy"] >= 0.97
    rows = list(csv.reader(Path("runs/digits/confusion_matrix.csv").read_text().splitlines()))
    assert rows[0][1:] == [row[0] for row in rows[1:]] == list("0123456789")
    assert sum(int(cell) for row in rows[1:] for cell in row[1:]) == 359


def test_the_page_of_a_run_tells_all_of_it(command: Command) -> None:
    assert command("train", "moons", "--quiet", "--epochs", "3").status == 0
    page = Path("runs/moons/report.html").read_text(encoding="utf-8")
    config = read(Path("runs/moons/config.json"))
    assert config["command"] in page
    assert page.count("data:image/png;base64,") == 3
    for text in ("<th>val_loss</th>", "weighted avg", "Worst mistakes", "numpy",
                 "FLOPs for one example", "dead units"):  # fmt: skip
        assert text in page, text


def test_the_page_without_pictures_and_of_names_with_markup(command: Command) -> None:
    rows = [f"{i % 7},{i % 3},{'<script>' if i % 2 else 'b&c'}" for i in range(40)]
    Path("t.csv").write_text("\n".join(["<i>x,y,kind", *rows]), encoding="utf-8")
    assert command("train", "t.csv", "--target", "kind", "--out", "o", *FAST).status == 0
    page = Path("o/report.html").read_text(encoding="utf-8")
    assert "data:image" not in page
    assert "<script" not in page
    assert "<i>" not in page
    assert "&lt;script&gt;" in page


def test_the_truth_table_is_learned_and_tested_whole(command: Command) -> None:
    ended = command("train", "xor")
    assert "test of the 4 training rows themselves" in ended.out
    assert read(Path("runs/xor/report.json"))["accuracy"] == 1.0
    assert read(Path("runs/xor/config.json"))["data"]["test is the training rows"] is True


def test_more_of_xor_is_divided(command: Command) -> None:
    ended = command("train", "xor", "--samples", "40", "--noise", "0.1", *FAST)
    assert "28 to train on, 4 for validation, test of 8 rows" in ended.out


def test_the_sine_reaches_its_target(command: Command) -> None:
    ended = command("train", "sine", "--quiet")
    assert ended.out.startswith("sine: test MSE ")
    assert read(Path("runs/sine/report.json"))["mse"] < 1e-3
    assert names(Path("runs/sine")) == ALWAYS | {"training_curves.png", "regression_fit.png"}


def test_the_spiral_reaches_its_target(command: Command) -> None:
    assert command("train", "spiral", "--quiet", "--no-plots").status == 0
    assert read(Path("runs/spiral/report.json"))["accuracy"] >= 0.98


def test_images_with_a_test_set_of_their_own(command: Command, tmp_path: Path) -> None:
    put(tmp_path / "files" / "mnist", tiny_files())
    ended = command("train", "mnist", "--data", "files", "--epochs", "2", "--validation", "0.25")
    assert ended.status == 0
    assert "9 to train on, 3 for validation, test of 5 rows" in ended.out
    assert "--batch-size 128 is more than the 9 training rows; using all" in ended.err
    assert "predictions.png" in names(Path("runs/mnist"))
    assert read(Path("runs/mnist/config.json"))["settings"]["test"] is None


def test_a_regression_is_reported_in_the_unit_of_the_data(command: Command, houses: Path) -> None:
    ended = command("train", str(houses), "--target", "price", "--task", "regression")
    assert ended.status == 0
    assert ", standardized, " in ended.out
    folder = Path("runs/houses")
    report = read(folder / "report.json")
    assert report["r2"] > 0.9
    assert report["rmse"] == pytest.approx(report["mse"] ** 0.5)
    history = History.from_json(folder / "history.json")
    assert history["rmse"][-1] / history["loss"][-1] ** 0.5 > 10  # the loss is of scaled prices
    assert "regression_fit.png" in names(folder)


@pytest.mark.parametrize(("fill", "expected"), [("median", 2.0), ("-1", -1.0)])
def test_missing_numbers_are_filled(command: Command, fill: str, expected: float) -> None:
    rows = [f"{1 + n % 3},{n},{'ab'[n % 2]}" for n in range(60)]
    Path("gaps.csv").write_text("\n".join(["x,z,kind", *rows, ",60,a"]), encoding="utf-8")
    words = ("--fill", fill, "--test", "0", "--validation", "0", *FAST)
    assert command("train", "gaps.csv", *words).status == 0
    scale = train.Model.load("runs/gaps/model.safetensors").preprocessing["features"]
    x = [1 + n % 3 for n in range(60)] + [expected]
    np.testing.assert_allclose(scale.mean_, [np.mean(x), 30.0], rtol=1e-6)
    assert read("runs/gaps/config.json")["settings"]["fill"] == (fill if fill == "median" else -1)


def test_numbers_that_are_taken_as_classes_are_said_to_be(command: Command) -> None:
    rows = [f"{n},{100 + n % 4}" for n in range(80)]
    Path("prices.csv").write_text("\n".join(["area,price", *rows]), encoding="utf-8")
    ended = command("train", "prices.csv", *FAST)
    assert "the 4 different whole numbers" in ended.err
    assert "--task regression" in ended.err
    for task in ("classification", "regression"):
        assert command("train", "prices.csv", "--task", task, *FAST).err == ""


def test_a_saved_regression_can_be_used_again(command: Command, houses: Path) -> None:
    command("train", str(houses), "--task", "regression", "--quiet", "--epochs", "5")
    path = Path("runs/houses/model.safetensors")
    model = train.Model.load(path)
    test = data.split(
        data.load_csv(houses, task="regression"), test=0.2, validation=0.1, seed=0
    ).test
    x, y = model.preprocessing["features"], model.preprocessing["targets"]
    predicted = y.inverse_transform(model.predict(x.transform(test.x)))
    mse = train.metrics.mse(test.y, predicted)
    assert mse == pytest.approx(read(Path("runs/houses/report.json"))["mse"], rel=1e-4)


def test_classes_and_columns_keep_their_names(command: Command, flowers: Path) -> None:
    ended = command("train", str(flowers), "--epochs", "30")
    assert ended.status == 0
    assert ended.err == ""
    folder = Path("runs/flowers")
    assert "decision_boundary.png" in names(folder)
    config = read(folder / "config.json")
    assert config["data"]["class names"] == ["rose", "tulip $"]
    assert config["data"]["feature names"] == ["length cm", "petals"]
    assert len(config["data"]["sha256"]) == 64
    model = train.Model.load(folder / "model.safetensors")
    assert model.class_names == ["rose", "tulip $"]
    assert model.metadata["feature_names"] == ("length cm", "petals")
    assert model.metadata["task"] == "classification"


def test_the_scale_is_that_of_the_training_rows(command: Command, flowers: Path) -> None:
    command("train", str(flowers), *FAST)
    scaler = train.Model.load("runs/flowers/model.safetensors").preprocessing
    parts = data.split(data.load_csv(flowers), test=0.2, validation=0.1, seed=0)
    assert scaler["features"].mean_ == pytest.approx(parts.train.x.mean(axis=0), rel=1e-6)
    assert scaler["targets"] is None


@pytest.mark.parametrize("extra", [(), ("--dropout", "0.3", "--optimizer", "sgd")])
def test_the_same_seed_gives_the_same_run(command: Command, extra: tuple[str, ...]) -> None:
    words = ("train", "circles", *FAST, "--seed", "5", *extra)
    command(*words, "--out", "one")
    command(*words, "--out", "two", "--quiet")
    command(*words[: -len(extra) or None], "--seed", "6", "--out", "other")
    assert Path("one/history.json").read_bytes() == Path("two/history.json").read_bytes()
    one, two = (parameters(Path(f"{name}/model.safetensors")) for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert Path("one/history.json").read_bytes() != Path("other/history.json").read_bytes()


@pytest.mark.parametrize(
    "words",
    [
        ("moons", "--layers", "none", "--lr", "0.5", "--optimizer", "sgd", "--momentum", "0.5"),
        ("sine", "--standardize", "--patience", "3", "--activation", "leaky_relu"),
        ("blobs", "--samples", "90", "--noise", "2.5", "--test", "0", "--dropout", "0.1"),
        ("moons", "--eager"),
        ("circles", "--threads", "1"),
    ],
)
def test_the_written_command_repeats_the_run(command: Command, words: tuple[str, ...]) -> None:
    command("train", *words, *FAST, "--out", "one")
    config = read(Path("one/config.json"))
    again = shlex.split(config["command"])
    assert again[0] == "pellucid"
    history = Path("one/history.json").read_bytes()
    assert command(*again[1:]).status == 0
    assert Path("one/history.json").read_bytes() == history
    assert read(Path("one/config.json")) == config


def test_training_stops_when_validation_no_longer_improves(command: Command) -> None:
    ended = command("train", "circles", "--noise", "0.4", "--patience", "3", "--no-plots")
    history = History.from_json("runs/circles/history.json")
    assert history.epochs < 100
    assert "has not improved" in history.stopped
    assert ended.status == 0
    assert history.stopped in ended.out


def test_a_new_run_leaves_nothing_of_the_one_before(command: Command) -> None:
    command("train", "moons", "--epochs", "1", "--out", "here")
    Path("here/notes.txt").write_text("mine")
    command("train", "sine", *FAST, "--out", "here")
    assert names(Path("here")) == ALWAYS | {"notes.txt"}


def test_files_of_no_run_are_left_alone(command: Command) -> None:
    Path("here").mkdir()
    Path("here/predictions.png").write_text("mine")
    command("train", "moons", *FAST, "--out", "here")
    assert Path("here/predictions.png").read_text() == "mine"


def test_quiet_prints_one_line(command: Command) -> None:
    ended = command("train", "blobs", *FAST, "--quiet")
    assert len(ended.out.splitlines()) == 1
    assert ended.err == ""


def test_a_large_batch_is_all_rows(command: Command) -> None:
    ended = command("train", "moons", *FAST, "--batch-size", "9999")
    assert ended.status == 0
    assert "--batch-size 9999 is more than the 350 training rows; using all" in ended.err
    assert "batches of 350" in ended.out


def test_variables_that_slow_numpy_down_are_noted(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "256")
    assert "OPENBLAS_L2_SIZE=256" in command("train", "blobs", *FAST).err


def test_without_matplotlib_the_rest_is_written(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ended = command("train", "moons", "--epochs", "2")
    assert ended.status == 0
    assert "pip install 'pellucid[viz]'" in ended.err
    assert names(Path("runs/moons")) == ALWAYS | {"confusion_matrix.csv"}


def test_the_doctor_writes_what_it_found(command: Command) -> None:
    ended = command("train", "moons", "--doctor", "--epochs", "5", "--no-plots")
    assert ended.status == 0
    assert "doctor\n\nnothing found\n" in ended.out
    assert read("runs/moons/doctor.json") == []
    assert "--doctor" in read("runs/moons/config.json")["command"]
    ended = command("train", "moons", "--doctor", "--epochs", "3", "--lr", "9", "--no-plots")
    assert "error: " in ended.out
    findings = read("runs/moons/doctor.json")
    assert {"kind", "title", "severity", "path", "evidence", "cause", "advice"} < findings[0].keys()
    command("train", "moons", "--epochs", "2", "--no-plots")
    assert not Path("runs/moons/doctor.json").exists()


def test_eager_runs_use_no_compiled_code(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("expected no program to be made")

    monkeypatch.setattr(Program, "__init__", refuse)
    ended = command("train", "moons", "--epochs", "1", "--eager", "--out", "run")
    assert ended.status == 0
    assert ", eager, seed 0" in ended.out
    assert read(Path("run/config.json"))["settings"]["eager"] is True
    with pytest.raises(AssertionError, match="expected no program"):
        command("train", "moons", *FAST, "--debug")


def test_threads_are_what_was_asked_for(command: Command) -> None:
    ended = command("train", "moons", *FAST, "--threads", "3", "--out", "three")
    assert ", threads 3, seed 0" in ended.out
    command("train", "moons", *FAST, "--threads", "1", "--out", "one")
    command("train", "moons", *FAST, "--out", "usual")
    assert read(Path("three/config.json"))["settings"]["threads"] == 3
    assert "--threads" not in read(Path("usual/config.json"))["command"]
    histories = [Path(f"{name}/history.json").read_bytes() for name in ("one", "three", "usual")]
    assert len(set(histories)) == 1
