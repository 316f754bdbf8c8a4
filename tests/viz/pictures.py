"""Questions that the tests ask of a picture."""

from __future__ import annotations


def texts(owner):
    """Return every non-empty text of a figure or of axes, as drawn."""
    from matplotlib.text import Text

    return [text.get_text() for text in owner.findobj(Text) if text.get_text()]


def legend_texts(owner):
    """Return the entries of the legends of a figure, whichever axes they belong to."""
    from matplotlib.legend import Legend

    return [text.get_text() for legend in owner.findobj(Legend) for text in legend.get_texts()]


def assert_nothing_is_cut_off(figure):
    """Fail if any text or axes of the figure reaches past its edge."""
    figure.draw_without_rendering()
    tight = figure.get_tightbbox()  # inches
    width, height = figure.get_size_inches()
    assert tight.x0 >= -0.01
    assert tight.y0 >= -0.01
    assert tight.x1 <= width + 0.01
    assert tight.y1 <= height + 0.01


def assert_apart(texts):
    """Fail if two of the texts overlap."""
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])
