"""Each example runs, in short, and writes what it says it writes."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

import parameters
import results
from pellucid import data

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDERS = {  # of each example's results
    "moons": "moons",
    "four_points": "points",
    "xor": "xor",
    "spiral": "spiral",
    "sine_regression": "regression",
    "digits": "digits",
    "mnist": "mnist",
    "fashion_mnist": "fashion",
    "wine_quality": "wine",
    "names": "names",
    "char_gpt": "gpt",
}
FROM_FILES = {"mnist", "fashion_mnist", "wine_quality", "names", "char_gpt"}
TALKS = {"saturation"}  # print numbers, and train nothing
PICTURES = {
    "moons": {"decision_boundary.png"},
    "four_points": {"graph.svg"},
    "xor": {"decision_boundary.png"},
    "spiral": {"decision_boundary.png"},
    "sine_regression": {"regression_fit.png"},
    "wine_quality": {"regression_fit.png"},
    "fashion_mnist": {"confusion_matrix.png", "predictions.png", "model.safetensors"},
    "names": {"states.png"},
    "char_gpt": {"attention.png", "sample.txt"},
}


def run(name: str, *words: str) -> dict[str, object]:
    """Run an example in the current folder and return its results."""
    parameters.load(EXAMPLES / f"{name}.py").main(words)
    return results.read(FOLDERS[name], Path("runs/examples"))


def test_every_example_is_tried() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == FOLDERS.keys() | TALKS
    assert set(results.NAMES) == set(FOLDERS.values())


def test_no_example_writes_where_a_command_does() -> None:
    """`pellucid train spiral`, and `make train`, write to runs/NAME."""
    folders = [parameters.load(EXAMPLES / f"{name}.py").OUT for name in FOLDERS]
    assert {str(folder.parent) for folder in folders} == {str(Path("runs/examples"))}
    assert len(set(folders)) == len(folders)


@pytest.mark.parametrize("name", FOLDERS)
def test_in_short(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if name in FROM_FILES and not os.environ.get("PELLUCID_DATA"):
        pytest.skip("PELLUCID_DATA is not set to a folder with the files")
    if name == "digits":
        pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    written = run(name, "--short")
    printed = capsys.readouterr().out
    assert "(target " in printed
    assert written["short"] is True
    count = parameters.count(parameters.load(EXAMPLES / f"{name}.py").network())
    assert written["parameters"] == count
    assert f"parameters: {count:,}" in printed
    images = {"confusion_matrix.png", "predictions.png"}
    wanted = {"results.json", "training_curves.png"} | PICTURES.get(name, images)
    assert {path.name for path in Path("runs/examples", FOLDERS[name]).iterdir()} == wanted


@pytest.mark.skipif(
    not os.environ.get("PELLUCID_DATA"), reason="PELLUCID_DATA names no folder with the files"
)
def test_fashion_mnist_tells_images_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = pytest.importorskip("PIL.Image")
    monkeypatch.chdir(tmp_path)
    _, test = data.fashion_mnist()
    boot = test.x[0].reshape(28, 28)
    for kind, pixels in (("on black", boot), ("on white", 1 - boot)):
        Path("own", kind).mkdir(parents=True)
        picture = image.fromarray((255 * pixels).astype("uint8"))
        picture.resize((84, 84)).save(Path("own", kind, "boot.png"))
    run("fashion_mnist", "--short", "--images", "own")
    printed = capsys.readouterr().out
    assert "the same probabilities: True" in printed
    answers = dict(re.findall(r"an image from (on \w+): (.*) \(", printed))
    assert answers.keys() == {"on black", "on white"}
    assert answers["on black"] == answers["on white"]


def test_moons_reach_their_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in "01":
        written = run("moons", "--seed", seed)
        assert written["accuracy"] == 1.0
        assert written["epochs"] <= 100


def test_four_points_reach_their_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in "012":
        written = run("four_points", "--seed", seed)
        assert written["value"] < written["target"]


def test_saturation_shows_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    example = parameters.load(EXAMPLES / "saturation.py")
    for seed in "01":
        example.main(["--seed", seed])
        printed = capsys.readouterr().out
        *_, ratios = (line for line in printed.splitlines() if line.startswith("last/first"))
        small, good, large = (float(number) for number in ratios.split()[1:])
        assert good < 100 < 1000 < min(small, large)
        gradients = [line.split()[2::2] for line in printed.splitlines() if "gradient " in line]
        tanh, logit = zip(*((float(a), float(b)) for a, b in gradients), strict=True)
        assert list(tanh) == sorted(tanh, reverse=True)
        assert list(logit) == sorted(logit)


def test_xor_reaches_its_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in "012":
        written = run("xor", "--seed", seed)
        assert written["accuracy"] == 1.0
        assert written["seed"] == int(seed)


def test_digits_are_compared_with_the_same_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    written = run("digits", "--compare", "sklearn")
    assert written["value"] >= written["target"]  # type: ignore[operator]
    peer = json.loads(Path("runs/examples/digits/results.json").read_text())["peer"]
    assert peer["parameters"] == written["parameters"] == 17_226
    assert peer["value"] > 0.95
    assert "scikit-learn" in capsys.readouterr().out
