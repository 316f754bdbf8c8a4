"""The page of a run: all of it is there, in one file, and escaped."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from PIL import Image

from pellucid import nn
from pellucid.figures.html import table
from pellucid.train import History, Model, classification_report
from pellucid.train.doctor import Diagnosis, Finding, Severity
from pellucid.viz import layer_statistics, run_report, training_curves
from viz.test_graph import parsed

EVIL = "<script>alert('x')</script> & \"co\""


def finding(severity: Severity, text: str) -> Finding:
    """Return a finding that says a text wherever one can stand."""
    return Finding(text, text, severity, text, text, text, text, text)


def full(text: str = "plain") -> str:
    """Return a page with every section, in which a text stands wherever one can."""
    history = History({"loss": [1.0, 0.5], text: [0.1, 0.2]}, stopped=text)
    net = nn.Sequential(nn.Dense(2, 3, "relu"), nn.Dense(3, 2), rng=0)
    return run_report(
        text,
        headline=text,
        command=text,
        configuration={text: text, "a": {text: [text, 1]}, "unset": None},
        history=history,
        scores=classification_report([0, 1, 1], [0, 1, 0], [text, "b"]),
        comparison=classification_report([0, 1], [0, 1], [text, "b"]),
        pictures={text: training_curves({"loss": [1.0, 0.5]})},
        mistakes=((text, "b"), [(text, text)]),
        summary=Model(net, "cross_entropy").summary(),
        layers=layer_statistics(net, np.ones((2, 2))),
        findings=[finding("note", text)],
        environment={text: text},
    )


def test_every_section_is_there() -> None:
    headings = re.findall(r"<h2>(.*?)</h2>", full())
    assert headings == [
        "Findings", "Test", "Comparison", "Pictures", "Worst mistakes", "Training", "Network",
        "Layers after training", "Configuration", "Environment", "Command",
    ]  # fmt: skip
    for text in ("Stopped early: plain", "FLOPs for one example", "a.plain", "plain, 1"):
        assert text in full()
    assert "unset" not in full()


def test_sections_without_content_are_left_out() -> None:
    page = run_report("t")
    parsed(page)
    assert "<h2>" not in page
    assert "<h2>" not in run_report("t", history=History(), pictures={}, mistakes=((), ()))


def test_the_page_is_well_formed_and_needs_nothing() -> None:
    for text in ("plain", EVIL):
        page = full(text)
        tags = parsed(page)
        assert not {"script", "link", "iframe", "object"} & set(tags)
        assert "://" not in page
        assert set(re.findall(r'src="([^,]*),', page)) == {"data:image/png;base64"}


def test_whatever_comes_from_outside_is_escaped() -> None:
    page = full(EVIL)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 10


def test_pictures_are_held_by_the_page() -> None:
    data = re.search(r"base64,([^\"]+)", full())
    assert data
    image = Image.open(io.BytesIO(base64.b64decode(data[1])))
    assert image.format == "PNG"
    assert '<img alt="plain"' in full()


def test_findings_come_with_the_gravest_first() -> None:
    severities: list[Severity] = ["note", "warning", "error"]
    page = run_report("t", findings=[finding(one, f"of {one}") for one in severities])
    assert re.findall(r"<b>(Error|Warning|Note): (.*?) <code>(.*?)</code></b>", page) == [
        (one.capitalize(), f"of {one}", f"of {one}") for one in reversed(severities)
    ]
    assert "<b>Evidence:</b> of note: of note</p>" in page  # with the time it was seen first
    assert page.count("<b>Why:</b>") == page.count("<b>Change:</b>") == 3
    assert "Nothing was found wrong." in run_report("t", findings=[])


def test_a_diagnosis_shows_itself_escaped() -> None:
    shown = Diagnosis([finding("error", EVIL)])._repr_html_()
    parsed(shown)
    assert "<script" not in shown
    assert Diagnosis()._repr_html_() == "<p>Nothing was found wrong.</p>"


def test_tables_have_words_on_the_left_and_numbers_on_the_right() -> None:
    html = table(("a", "b", "c"), [("x", "<y>", "1")], 2)
    assert "<th>x</th>" in html
    assert '<td style="text-align: left">&lt;y&gt;</td>' in html
    assert "<td>1</td>" in html
