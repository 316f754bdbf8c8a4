"""What every test runs under: the BLAS as NumPy chooses it, Hypothesis without deadlines."""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile

for _variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # before NumPy is imported
    os.environ.pop(_variable, None)

import pytest
from hypothesis import settings

# A deadline measures the machine, not the code. The full check draws the same examples every time,
# so that it fails for a change and not for luck; elsewhere new examples are drawn on every run.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

REQUIRE_TORCH = "PELLUCID_REQUIRE_TORCH"


COMPILED = "PELLUCID_COMPILED"


def pytest_configure(config: pytest.Config) -> None:
    """Keep compiled programs in a folder of this run, not in the user's.

    Refuse to start where PyTorch is required and missing: its tests would all be skipped.
    """
    if not hasattr(config, "workerinput"):  # workers inherit the variable
        os.environ[COMPILED] = tempfile.mkdtemp(prefix="pellucid-compiled-")
    if os.environ.get(REQUIRE_TORCH) != "1":
        return
    try:
        importlib.import_module("torch")
    except Exception as error:
        raise pytest.UsageError(
            f"expected PyTorch, because {REQUIRE_TORCH}=1, got {error!r}; "
            f"fix: python -m pip install torch, or unset {REQUIRE_TORCH}"
        ) from error


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folder of compiled programs."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ[COMPILED], ignore_errors=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that required PyTorch and in which not one test passed."""
    if os.environ.get(REQUIRE_TORCH) != "1" or hasattr(session.config, "workerinput"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or session.exitstatus != pytest.ExitCode.OK:
        return
    if not reporter.stats.get("passed"):
        reporter.write_line(f"expected tests to pass with {REQUIRE_TORCH}=1, got only skipped ones")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
