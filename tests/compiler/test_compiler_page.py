"""The listings of docs/compiler.md are what its examples print."""

from __future__ import annotations

import platform
import re
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("llvmlite")

from pellucid.compiler.explain import Explanation, explain
from pellucid.compiler.llvm.target import AVX2, binding
from pellucid.compiler.program import Program

PAGE = (Path(__file__).parents[2] / "docs" / "compiler.md").read_text(encoding="utf-8")
LINUX = sys.platform == "linux" and platform.machine() == "x86_64"


def listing(name: str) -> str:
    """Return what the page shows in a region."""
    pattern = rf"<!-- begin: {name} -->\n\n```text\n(.*?)```\n\n<!-- end: {name} -->"
    found = re.search(pattern, PAGE, re.DOTALL)
    assert found, f"expected the region {name}"
    return found[1].strip()


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """Return what the page's examples define."""
    found: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(code, "example.py", "exec"), found)  # noqa: S102 - the page's own
    return found


@pytest.fixture(scope="module")
def shown(names: dict[str, Any]) -> Explanation:
    """Return the explanation of the first example, for the processor that the page shows."""
    traced = names["compiled"].bound(names["x"], names["w"], names["b"]).traced
    (_, before), *seen = traced.seen
    return explain(before, seen, Program(traced.graph, AVX2))


def test_the_graph_and_the_schedule(names: dict[str, Any]) -> None:
    program = names["explanation"].program
    assert str(program.graph) == listing("graph")
    assert str(program.plan) == listing("plan")


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="AVX2 is shown")
def test_the_kernels_and_their_code(shown: Explanation) -> None:
    assert "\n\n".join(map(str, shown.kernels)) == listing("kernels")
    assert shown.llvm("k0").strip() == listing("llvm")


@pytest.mark.skipif(not LINUX, reason="other systems have other conventions")
def test_the_machine_code(shown: Explanation) -> None:
    stated = re.search(r"on Linux with LLVM (\d+):", PAGE)
    assert stated
    if int(stated[1]) != binding().llvm_version_info[0]:
        pytest.skip("another version may choose other instructions")
    lines = shown.assembly("k0").splitlines()
    code = [line for line in lines if line.startswith(("k0:", ".LBB")) or not is_directive(line)]
    assert "\n".join(code).strip() == listing("assembly")


def test_the_phases(names: dict[str, Any]) -> None:
    text = str(names["training"].explain(*names["batch"]))
    start = text.index("== phases")
    assert text[start : text.index("\n\n", start)] == listing("phases")


def test_the_program_has_a_function_that_runs_a_task(names: dict[str, Any]) -> None:
    head = "define void @step(ptr %table, i64 %task, i64 %worker)"
    assert head in names["explanation"].llvm()


def test_what_is_said_to_compile_does_and_the_rest_does_not(names: dict[str, Any]) -> None:
    pellucid, np = names["pellucid"], names["np"]
    images = np.ones((2, 6, 6, 3), np.float32)
    for layer in (pellucid.nn.Conv2D(3, 4, 3, rng=0), pellucid.nn.MaxPool2D(2)):
        state = [layer] if list(layer.parameters()) else []
        assert pellucid.compile(layer, state).bound(images).traced.reason
    words = np.ones((2, 5, 8), np.float32)
    for layer in (pellucid.nn.LSTM(8, 4, rng=0), pellucid.nn.TransformerBlock(8, 2, rng=0)):
        assert not pellucid.compile(layer, [layer]).bound(words).traced.reason


def is_directive(line: str) -> bool:
    """Whether a line of assembly is for the assembler."""
    return line.startswith(("\t.", ".")) or not line
