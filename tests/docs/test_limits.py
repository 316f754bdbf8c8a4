"""What docs/explanation/limits.md says is missing is missing, and nothing else is."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import pellucid
from compiler.test_three_way import FALLS_BACK
from contracts.layer_case import Sample
from contracts.test_layers import SAMPLES
from pellucid import Tensor, nn, train
from pellucid.cli.parser import parser
from pellucid.compiler.places import UnsupportedError
from pellucid.compiler.schedule import schedule

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explanation" / "limits.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
ELSEWHERE = ("cupy", "jax", "mpi4py", "onnx", "onnxruntime", "tensorboard", "torch")


def table(after: str) -> list[list[str]]:
    """Return the rows of the table under a heading, without its own head."""
    lines = PAGE.split(f"## {after}\n", 1)[1].split("\n## ", 1)[0].splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    return rows[2:]


def quoted(cells: list[str]) -> set[str]:
    """Return what stands between backquotes."""
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def has_kernels(sample: Sample) -> bool:
    """Whether forward and backward pass of a layer become native code."""
    layer, floats = sample.build(), sample.x.dtype.kind == "f"
    x = Tensor(sample.x.astype(np.float32) if floats else sample.x, requires_grad=floats)

    def step(x: Tensor) -> object:
        out = layer(x)
        (out * out).sum().backward()
        return out.detach(), x.grad, [p.grad for p in layer.parameters()]

    state = [layer] if layer.named_tensors() else []
    graph = pellucid.compile(step, state, native=False).bound(x).traced.graph
    try:
        schedule(graph)
    except UnsupportedError:
        return False
    return True


def test_the_operations_without_kernels() -> None:
    assert quoted([row[1] for row in table("No native code")]) == FALLS_BACK


def test_the_layers_without_kernels() -> None:
    listed = quoted([row[0] for row in table("No native code")])
    found = {name for name, some in SAMPLES.items() if not all(map(has_kernels, some))}
    assert found == {name for name in listed if hasattr(nn, name)}
    for name in found:
        assert not any(map(has_kernels, SAMPLES[name])), f"{name} has kernels for some settings"
    for name in listed - found:
        assert callable(getattr(pellucid, name))


def test_fit_takes_no_weights_of_steps_and_one_target() -> None:
    network = nn.Sequential(nn.Embedding(5, 4), nn.Dense(4, 5), rng=0)
    ids = np.ones((8, 6), np.int64)
    model = train.Model(network, "cross_entropy")
    with pytest.raises(ValueError, match="one weight an example"):
        model.fit(ids, ids, sample_weight=np.ones((8, 6)), verbose=False)
    with pytest.raises(ValueError, match="expected labels"):
        model.fit(ids, -100 * ids, verbose=False)


def test_nothing_of_other_libraries_is_used() -> None:
    names = "|".join(ELSEWHERE)
    pattern = re.compile(rf"^\s*(?:import|from) (?:{names})\b", re.MULTILINE)
    for file in sorted((ROOT / "src").rglob("*.py")):
        assert not pattern.search(file.read_text(encoding="utf-8")), file


def test_layers_that_are_not_there() -> None:
    assert not [name for name in nn.__all__ if re.search("3D|GroupNorm|InstanceNorm", name)]


def test_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    parser().print_help()
    commands = re.findall(r"^    (\w+)  ", capsys.readouterr().out, re.MULTILINE)
    assert sorted(commands) == ["datasets", "museum", "train"]


def test_the_sizes_are_those_of_the_readme() -> None:
    counts = re.findall(r" \| ([\d,]+) \|$", README, re.MULTILINE)  # of the examples
    assert f"{max(int(n.replace(',', '')) for n in counts):,}" in PAGE
    networks = re.findall(r"^\| ([\d-]+), batch", README, re.MULTILINE)  # of the benchmarks
    shapes = [[int(n) for n in name.split("-")] for name in networks]
    most = max(sum(n * m + m for n, m in pairwise(shape)) for shape in shapes)
    assert f"{most / 1e6:.1f} million" in PAGE


def test_the_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    python = project["requires-python"].removeprefix(">=")
    numpy = next(x for x in project["dependencies"] if x.startswith("numpy")).partition(">=")[2]
    assert f"Python {python} or later, NumPy {numpy} or later" in PAGE
    assert f"This is version {'.'.join(pellucid.__version__.split('.')[:2])}." in PAGE
