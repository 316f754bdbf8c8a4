"""The roofline's arithmetic and the picture of growth; nothing here asserts a speed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import roofline
from cases import Case
from roofline import Roof

CASE = Case((784, 128, 10), batch=64)


def test_operations_and_bytes_of_a_step() -> None:
    # forward and the weights' gradients of both layers, and the hidden layer's gradient
    assert roofline.operations(CASE) == 2 * 64 * (2 * 784 * 128 + 3 * 128 * 10)
    assert roofline.state_bytes(CASE) == 3 * 4 * (784 * 128 + 128 + 128 * 10 + 10)


def test_the_roof_is_the_higher_of_two_bounds() -> None:
    power = round(roofline.log2(roofline.state_bytes(CASE)))
    arithmetic = Roof(1, operations=1e9, bandwidths={power: 1e15})
    assert arithmetic.seconds(CASE) == roofline.operations(CASE) / 1e9
    memory = Roof(1, operations=1e15, bandwidths={power: 1e9})
    assert memory.seconds(CASE) == 2 * roofline.state_bytes(CASE) / 1e9


def test_small_networks_share_a_bandwidth(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []
    monkeypatch.setattr(roofline, "most_bytes", lambda size, threads: measured.append(size) or 1.0)
    roof = Roof(1, operations=1e9)
    roof.bandwidth(1000)
    roof.bandwidth(2000)
    assert measured == [roofline.LEAST]


def test_the_machine_has_a_peak_and_a_bandwidth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roofline, "TRIES", 1)
    assert Roof.measured().operations > 0
    assert roofline.most_bytes(roofline.LEAST, threads=2) > 0


def test_sweeps_end_where_they_are_to_end(script: Callable[[str], ModuleType]) -> None:
    width, depth, batch = script("scaling").SWEEPS
    assert width.values(2) == [64, 128, 256, 512, 1024, 2048, 4096]
    assert depth.values(4) == [2, 8, 32, 64]
    assert (batch.values(2)[0], batch.values(2)[-1]) == (8, 4096)
    assert width.case(64) == Case((784, 64, 64, 10), 128)
    assert depth.case(3) == Case((784, 128, 128, 128, 10), 128)
    assert batch.case(16) == Case((784, 256, 256, 10), 16)


def test_the_picture_has_every_peer_and_the_roof(
    script: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    scaling = script("scaling")
    points = {
        "width": [(64, {"pellucid": 1e-3, "JAX": 2e-3, "roofline": 5e-4})],
        "depth": [(2, {"pellucid": 1e-3, "roofline": 5e-4}), (4, {"JAX": 1.0, "roofline": 1e-3})],
    }
    figure = scaling.draw(points)
    width, depth, batch = figure.axes
    assert [len(line.get_xdata()) for line in width.lines] == [1, 1, 1]
    assert [list(line.get_xdata()) for line in depth.lines] == [[2], [4], [2, 4]]
    assert [list(line.get_xdata()) for line in batch.lines] == [[], [], []]
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["pellucid", "JAX", "roofline"]
