"""scikit-learn's network beside ours: same shape, same rows, same settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.commands import Command, read
from pellucid import data

neural_network = pytest.importorskip("sklearn.neural_network")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the classifier is made with and fitted on, noted as it happens."""
    seen: dict[str, Any] = {}

    class Noted(neural_network.MLPClassifier):  # type: ignore[misc, name-defined]
        def fit(self, x: Any, y: Any) -> Any:
            seen.update(x=x, y=y, settings=self.get_params())
            return super().fit(x, y)

    monkeypatch.setattr(neural_network, "MLPClassifier", Noted)
    return seen


def test_both_are_shown_and_written(command: Command) -> None:
    ended = command("train", "blobs", "--compare", "sklearn", "--no-plots", "--epochs", "20")
    assert ended.status == 0
    assert ended.err == ""
    lines = [line.split() for line in ended.out.splitlines()]
    (header,) = [line for line in lines if line[:1] == ["parameters"]]
    assert header == ["parameters", "epochs", "test", "accuracy", "seconds"]
    written = read("runs/blobs/comparison.json")
    for name in ("pellucid", "scikit-learn"):
        (shown,) = [line for line in lines if line[:1] == [name] and len(line) == 5]
        assert shown[1] == "99" == str(written[name]["parameters"])
        assert written[name]["epochs"] == 20
        assert written[name]["test accuracy"] > 0.9
        assert written[name]["seconds"] > 0
        losses = written["losses"][name]
        assert len(losses) == 20
        assert losses[-1] < losses[0]
    page = Path("runs/blobs/report.html").read_text(encoding="utf-8")
    (section,) = re.findall(r"<h2>Comparison</h2>\n(.*)", page)
    assert re.findall(r"<th>([a-z-]+)</th><td>99</td><td>20</td>", section) == [
        "pellucid",
        "scikit-learn",
    ]
    assert ended.out.count("report.html") == 1
    assert not Path("runs/blobs/comparison.png").exists()


def test_the_losses_of_both_are_drawn(command: Command) -> None:
    ended = command("train", "moons", "--compare", "sklearn", "--epochs", "3")
    assert "comparison.png" in ended.out
    assert Path("runs/moons/comparison.png").is_file()
    page = Path("runs/moons/report.html").read_text(encoding="utf-8")
    assert "Training loss by epoch, beside the other library&#x27;s" in page
    assert "one output for two classes" in page


def test_the_rows_and_settings_are_the_same(command: Command, given: dict[str, Any]) -> None:
    command(
        "train", "moons", "--compare", "sklearn", "--no-plots", "--epochs", "3", "--seed", "4",
        "--optimizer", "sgd", "--lr", "0.03", "--layers", "7,5", "--activation", "sigmoid",
    )  # fmt: skip
    parts = data.split(data.moons(500, seed=4), test=0.2, validation=0.1, seed=4)
    assert np.array_equal(given["x"], parts.train.x)
    assert np.array_equal(given["y"], parts.train.y)
    wanted = {
        "hidden_layer_sizes": (7, 5),
        "activation": "logistic",
        "solver": "sgd",
        "learning_rate_init": 0.03,
        "batch_size": 32,
        "max_iter": 3,
        "alpha": 0.0,
        "momentum": 0.9,
        "nesterovs_momentum": False,
        "early_stopping": False,
    }
    assert {name: given["settings"][name] for name in wanted} == wanted
    notes = read("runs/moons/comparison.json")["notes"]
    assert any("one output for two classes" in note for note in notes)
    assert any("native code, which pellucid's time includes" in note for note in notes)


def test_early_stopping_is_given_to_both(command: Command, given: dict[str, Any]) -> None:
    ended = command(
        "train", "spiral", "--compare", "sklearn", "--no-plots", "--patience", "2", "--dropout",
        "0.1",
    )  # fmt: skip
    assert given["settings"]["early_stopping"] is True
    assert given["settings"]["n_iter_no_change"] == 2
    assert len(given["x"]) == 480  # ours to train on, and ours for validation
    assert round(480 * given["settings"]["validation_fraction"]) == 60
    assert "draws as many validation rows itself" in ended.out
    assert "no dropout" in ended.out


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_regression(command: Command, houses: Path, optimizer: str) -> None:
    ended = command(
        "train", str(houses), "--task", "regression", "--compare", "sklearn", "--no-plots",
        "--optimizer", optimizer,
    )  # fmt: skip
    assert ended.status == 0
    written = read("runs/houses/comparison.json")
    for name in ("pellucid", "scikit-learn"):
        assert written[name]["test R2"] > 0.9  # in the unit of the data, so both were scaled back


def test_its_loss_is_brought_to_ours(
    command: Command, houses: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """scikit-learn's is half the squared error; at so small a rate nothing moves meanwhile."""
    seen = []

    class Noted(neural_network.MLPRegressor):  # type: ignore[misc, name-defined]
        def fit(self, x: Any, y: Any) -> Any:
            super().fit(x, y)
            seen.append(float(np.mean((self.predict(x) - y) ** 2)))
            return self

    monkeypatch.setattr(neural_network, "MLPRegressor", Noted)
    command(
        "train", str(houses), "--task", "regression", "--compare", "sklearn", "--no-plots",
        "--epochs", "1", "--lr", "1e-12",
    )  # fmt: skip
    assert read("runs/houses/comparison.json")["losses"]["scikit-learn"] == pytest.approx(seen)


def test_its_failure_comes_after_our_results(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("non-finite weights")

    monkeypatch.setattr(neural_network.MLPClassifier, "fit", fail)
    ended = command("train", "blobs", "--compare", "sklearn", "--epochs", "1", "--no-plots")
    assert ended.status == 1
    assert "scikit-learn's network failed: non-finite weights" in ended.err
    assert Path("runs/blobs/report.json").is_file()
    assert "Comparison" not in Path("runs/blobs/report.html").read_text(encoding="utf-8")
