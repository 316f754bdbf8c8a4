"""Saving that is killed, or that the system refuses: the old file stays whole."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pellucid import nn
from pellucid.train import Model

KILLS = os.environ.get("PELLUCID_KILLS", "30")
SCRIPT = Path(__file__).with_name("killing.py")

posix = pytest.mark.skipif(os.name != "posix", reason="the means are POSIX's")


@posix
def test_a_process_killed_while_it_saves_leaves_one_whole_file(tmp_path: Path) -> None:
    """PELLUCID_KILLS=200 kills it as often."""
    command = [sys.executable, str(SCRIPT), str(tmp_path), KILLS]
    alone = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # a fork has none of its parent's threads
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=alone)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.match(r"(\d+) files whole, (\d+) times killed with a temporary", done.stdout)
    assert found is not None
    assert found[1] == KILLS
    assert int(found[2]) > 0  # otherwise nothing was killed while it saved


def child(code: str, *arguments: object) -> str:
    """Run Python code that tries to save to its first argument; return what it printed."""
    begin = "import os, resource, sys\nfrom pellucid import nn\nfrom pellucid.train import Model\n"
    command = [sys.executable, "-c", begin + code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


SAVE = """
try:
    Model(nn.Dense(200, 200), "mse").save(sys.argv[1])
except OSError as error:
    print(type(error).__name__, error)
"""


@posix
def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path) -> None:
    """A limit on the size of files stands for it: the system refuses in the midst of writing."""
    path = tmp_path / "model.safetensors"
    Model(nn.Dense(3, 2), "mse").save(path)
    old = path.read_bytes()
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
    printed = child(limit + SAVE, path)
    assert "cannot write model.safetensors: expected room on the disk" in printed
    assert "File too large" in printed
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


@posix
@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_lost_permission_leaves_the_old_file_whole(what: str) -> None:
    # not in tmp_path, which pytest closes to other users whenever it starts
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "model.safetensors"
        Model(nn.Dense(3, 2), "mse").save(path)
        old = path.read_bytes()
        folder.chmod(0o555 if what == "folder" else 0o777)
        path.chmod(0o666 if what == "folder" else 0o444)
        another_user = "if os.geteuid() == 0: os.setuid(65534)\n"  # root may do anything
        try:
            printed = child(another_user + SAVE, path)
        finally:
            folder.chmod(0o755)
        assert printed.startswith("PermissionError")
        assert "cannot write model.safetensors: expected a f" in printed
        assert path.read_bytes() == old
        assert list(folder.iterdir()) == [path]
