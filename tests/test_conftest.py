"""The run that requires PyTorch fails when nothing was compared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
PASSES = "import pytest\n\n@pytest.mark.torch\ndef test_one():\n    pytest.importorskip('torch')\n"
SKIPS = PASSES + "    pytest.skip('for another reason')\n"


def run(
    folder: Path, torch: str, test: str, workers: list[str]
) -> subprocess.CompletedProcess[str]:
    """Run one test file under this folder's conftest.py, with a stand-in for PyTorch."""
    (folder / "conftest.py").write_text(CONFTEST.read_text())
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    torch: compares with PyTorch\n")
    (folder / "torch.py").write_text(torch)
    (folder / "test_sample.py").write_text(test)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
    } | {"PELLUCID_REQUIRE_TORCH": "1", "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "torch", "-p", "no:cacheprovider", *workers],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "workers"])
def test_passes_when_a_comparison_passed(tmp_path: Path, workers: list[str]) -> None:
    result = run(tmp_path, "", PASSES, workers)
    assert result.returncode == 0, result.stdout + result.stderr


def test_fails_when_torch_cannot_be_imported(tmp_path: Path) -> None:
    result = run(tmp_path, "raise ImportError('broken library')", PASSES, [])
    assert result.returncode != 0
    assert "expected PyTorch" in result.stderr
    assert "broken library" in result.stderr


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "workers"])
def test_fails_when_everything_was_skipped(tmp_path: Path, workers: list[str]) -> None:
    result = run(tmp_path, "", SKIPS, workers)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "got only skipped ones" in result.stdout


def test_fails_when_there_is_no_comparison(tmp_path: Path) -> None:
    result = run(tmp_path, "", "def test_other():\n    pass\n", [])
    assert result.returncode == 5, result.stdout + result.stderr
