"""One page that tells all of a run."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

from pellucid.figures.html import page, table
from pellucid.train import History
from pellucid.train.doctor import Diagnosis, Finding
from pellucid.train.summary import Summary
from pellucid.viz.layers import LayerStatistics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = """
.settings td { white-space: normal; }
"""
_DPI = 110


class HasHTML(Protocol):
    """What a notebook can show, such as a `ClassificationReport`."""

    def _repr_html_(self) -> str: ...


Cells = tuple[Sequence[str], Sequence[Sequence[str]]]  # the headers and rows of a table


def run_report(
    title: str,
    *,
    headline: str = "",
    command: str = "",
    configuration: Mapping[str, Any] | None = None,
    history: History | None = None,
    scores: HasHTML | None = None,
    comparison: HasHTML | None = None,
    pictures: Mapping[str, Figure] | None = None,
    mistakes: Cells | None = None,
    summary: Summary | None = None,
    layers: Sequence[LayerStatistics] = (),
    findings: Iterable[Finding] | None = None,
    environment: Mapping[str, Any] | None = None,
) -> str:
    """Return a page on a run as HTML that needs nothing else: no network, no files, no script.

    Sections without content are left out. Whatever comes from outside is escaped.

    Args:
        title: of the page.
        headline: the result in one line.
        command: what repeats the run.
        configuration: settings by name; nested ones are shown with dots.
        history: loss and metrics by epoch.
        scores: a report on the test, such as `train.classification_report` returns.
        comparison: figures of this network and others side by side.
        pictures: figures by caption; none is changed or closed.
        mistakes: headers and rows of a table of the worst mistakes.
        summary: the network's layers, `Model.summary`.
        layers: what `layer_statistics` returns.
        findings: what was found wrong; an empty list says that nothing was.
        environment: versions and machine by name.

    >>> from pellucid import viz
    >>> settings = {"optimizer": {"name": "adam", "lr": 0.001}}
    >>> html = viz.run_report("Wines", headline="accuracy 0.91", configuration=settings)
    >>> "<h1>Wines</h1>" in html, "optimizer.lr" in html
    (True, True)
    """
    parts = [f"<h1>{escape(title)}</h1>"]
    if headline:
        parts.append(f"<p>{escape(headline)}</p>")
    if findings is not None:
        parts.append(_section("Findings", Diagnosis(findings)._repr_html_()))
    if scores is not None:
        parts.append(_section("Test", scores._repr_html_()))
    if comparison is not None:
        parts.append(_section("Comparison", comparison._repr_html_()))
    if pictures:
        figures = "\n".join(_figure(caption, figure) for caption, figure in pictures.items())
        parts.append(_section("Pictures", figures))
    if mistakes is not None and mistakes[1]:
        parts.append(_section("Worst mistakes", table(*mistakes)))
    if history is not None and history.epochs:
        stopped = f"<p>Stopped early: {escape(history.stopped)}.</p>" if history.stopped else ""
        found = f"<pre>{escape(history.anomaly)}</pre>" if history.anomaly else ""
        parts.append(_section("Training", history._repr_html_() + stopped + found))
    if summary is not None:
        parts.append(_section("Network", summary._repr_html_()))
    if layers:
        rows = [statistics.cells() for statistics in layers]
        parts.append(_section("Layers after training", table(LayerStatistics.HEADERS, rows, 2)))
    if configuration:
        parts.append(_section("Configuration", _settings(configuration)))
    if environment:
        parts.append(_section("Environment", _settings(environment)))
    if command:
        parts.append(_section("Command", f"<pre>{escape(command)}</pre>"))
    return page(title, "\n".join(parts), _STYLE)


def _section(heading: str, content: str) -> str:
    return f"<section>\n<h2>{heading}</h2>\n{content}\n</section>"


def _figure(caption: str, figure: Figure) -> str:
    """Return a picture with its caption, held by the page itself."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DPI)
    data = base64.b64encode(content.getvalue()).decode("ascii")
    text = escape(caption)
    width = round(figure.get_size_inches()[0] * 96)  # pixels of the page
    return (
        f'<figure><img alt="{text}" width="{width}" src="data:image/png;base64,{data}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def _settings(values: Mapping[str, Any]) -> str:
    return f'<div class="settings">{table(("setting", "value"), list(_flat(values)), 2)}</div>'


def _flat(values: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, str]]:
    """Yield the names and values of nested settings as text; what is None or empty was not set."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif isinstance(value, list | tuple):
            if not value:
                continue
            yield f"{before}{name}", ", ".join(map(str, value))
        elif value is not None:
            yield f"{before}{name}", str(value)
