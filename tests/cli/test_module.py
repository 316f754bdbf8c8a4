"""The command line without the command."""

from __future__ import annotations

import subprocess
import sys


def test_the_package_runs_as_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pellucid", "datasets"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "digits" in done.stdout
    wrong = subprocess.run(
        [sys.executable, "-m", "pellucid", "trian"], capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2
    assert "trian" in wrong.stderr
