"""Parameters are counted on the networks that the examples build."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import parameters

EXAMPLE = """
import numpy as np

class Network:
    def parameters(self):
        return [np.zeros((2, 3)), np.zeros(3)]

def network():
    return Network()

if __name__ == "__main__":
    raise AssertionError("trains")
"""


def test_the_table_counts_every_example(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xor.py").write_text(EXAMPLE)
    monkeypatch.setattr(parameters, "EXAMPLES", tmp_path)
    assert parameters.main() == 0
    assert capsys.readouterr().out.splitlines()[2:] == ["| `examples/xor.py` | 2x3 3 | 9 |"]


def test_no_examples_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameters, "EXAMPLES", tmp_path)
    with pytest.raises(FileNotFoundError, match="expected examples"):
        parameters.main()


def test_of_many_shapes_only_the_ends_are_listed() -> None:
    class Network:
        def parameters(self) -> list[object]:
            return [np.zeros((n, 2)) for n in range(1, 15)]

    assert parameters.shapes(Network()) == "1x2 2x2 3x2 ... (14 arrays) ... 12x2 13x2 14x2"


def test_sizes_are_summed() -> None:
    class Network:
        def parameters(self) -> list[object]:
            return [np.zeros((64, 128)), np.zeros(128)]

    assert parameters.count(Network()) == 64 * 128 + 128
