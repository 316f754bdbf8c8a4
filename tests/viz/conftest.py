"""What holds for every picture: it can be drawn, and it leaves nothing behind in pyplot."""

from __future__ import annotations

import matplotlib as mpl
import pytest

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _nothing_left_behind():
    """Fail a test whose picture stays in pyplot, or changes matplotlib's settings."""
    from matplotlib import pyplot

    before = dict(mpl.rcParams)
    yield
    left = pyplot.get_fignums()
    pyplot.close("all")
    assert left == []
    assert dict(mpl.rcParams) == before


@pytest.fixture
def axes():
    """The second of two axes in a caller's own figure."""
    from matplotlib.figure import Figure

    return Figure(figsize=(9, 4), layout="constrained").subplots(1, 2)[1]
