"""The package without matplotlib, and figures as a notebook and other figures see them."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys

import pytest
from PIL import Image

from pellucid.figures import style
from pellucid.viz import confusion_matrix, training_curves

CALLS = [
    "viz.training_curves({'loss': [1.0]})",
    "viz.confusion_matrix([0, 1], [0, 1])",
    "viz.predictions([[[0.0]]], [0], [[1.0, 0.0]])",
    "viz.decision_boundary(lambda p: p[:, 0] * 0, [[0.0, 0.0]], [0])",
    "viz.regression_fit([1.0], [1.0], [1.0])",
    "viz.regression_surface(lambda p: p[:, 0], [[0.0, 0.0]], [0.0])",
    "viz.roc_curve([0, 1], [0.1, 0.2])",
    "viz.precision_recall_curve([0, 1], [0.1, 0.2])",
    "viz.calibration_curve([0, 1], [0.1, 0.2])",
    "viz.learning_rate(lambda step: 0.1, 5)",
    "viz.weight_images([[1.0], [2.0]], (1, 2))",
    "viz.feature_maps([[[1.0]]])",
    "viz.attention_maps([[1.0]])",
    "viz.state_maps([[1.0]])",
    "viz.layer_histograms({'a': [[1.0]]})",
    "viz.gradient_flow({'a': [1.0]})",
    "train.History({'loss': [1.0]}).plot()",
]


def run(code):
    """Run code in an interpreter of its own and return its output."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_importing_viz_does_not_import_matplotlib():
    code = "import sys, pellucid.viz; print('matplotlib' in sys.modules)"
    assert run(code).strip() == "False"


def test_without_matplotlib_every_picture_says_what_to_install():
    tries = "".join(
        f"\ntry:\n    {call}\nexcept ImportError as error:\n    print(error)" for call in CALLS
    )
    printed = run(
        f"import sys; sys.modules['matplotlib'] = None\nfrom pellucid import train, viz{tries}"
    )
    assert len(printed.splitlines()) == len(CALLS)
    assert all(line.endswith("pip install pellucid[viz]") for line in printed.splitlines())


def test_drawing_does_not_import_pyplot():
    code = "import sys\nfrom pellucid import viz\nviz.training_curves({'loss': [1.0]})\n"
    assert run(code + "print('matplotlib.pyplot' in sys.modules)").strip() == "False"


def test_a_notebook_shows_the_figure_itself():
    image = Image.open(io.BytesIO(training_curves({"loss": [1.0, 0.5]})._repr_png_()))
    assert image.format == "PNG"


def test_axes_of_a_subfigure_return_the_whole_figure():
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    _, inner = figure.subfigures(1, 2)
    assert confusion_matrix([0, 1], [0, 1], ax=inner.subplots()) is figure
    assert training_curves({"loss": [1.0], "accuracy": [1.0]}, ax=inner.subplots()) is figure


def test_axes_placed_by_hand_are_divided_too():
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.add_axes((0.5, 0.1, 0.4, 0.8))
    training_curves({"loss": [1.0], "accuracy": [1.0]}, ax=axes)
    for added in figure.axes[1:]:
        place = added.get_position()
        assert 0.5 <= place.x0 < place.x1 <= 0.9 + 1e-9


def test_the_settings_of_the_user_are_not_what_a_picture_looks_like():
    import matplotlib as mpl

    plain = training_curves({"loss": [1.0, 0.5]})._repr_png_()
    with mpl.rc_context({"axes.facecolor": "black", "axes.grid": True, "figure.facecolor": "red"}):
        assert training_curves({"loss": [1.0, 0.5]})._repr_png_() == plain


@pytest.mark.parametrize(
    ("rate", "text"),
    [(0.0, "0%"), (1.0, "100%"), (0.5, "50.0%"), (0.99999, "99.9%"), (0.00001, "0.1%")],
)
def test_only_none_and_all_read_0_and_100_percent(rate, text):
    assert style.percent(rate) == text


@pytest.mark.parametrize("count", [1, 7, 8, 30])
def test_every_class_has_a_colour_of_its_own(count):
    assert len(set(style.class_colours(count))) == count


def test_neighbouring_colours_differ_in_grey():
    from matplotlib.colors import to_rgb

    greys = [
        sum(weight * part for weight, part in zip((0.299, 0.587, 0.114), to_rgb(c), strict=True))
        for c in style.CLASS_COLOURS
    ]
    assert all(abs(a - b) > 0.05 for a, b in itertools.pairwise(greys))
