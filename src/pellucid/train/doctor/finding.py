"""What the doctor says: findings, each with evidence, cause and advice."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from rich.console import RenderableType

Severity: TypeAlias = Literal["error", "warning", "note"]
ORDER: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}
_COLOURS = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}
_BORDER = "text-align: left; padding: 0.1em 0 0.1em 0.9em; margin: 1em 0; border-left: "
_BORDERS = {  # in grey too: the graver, the heavier
    "error": f"{_BORDER}9px double #d55e00",
    "warning": f"{_BORDER}5px solid #e69f00",
    "note": f"{_BORDER}2px solid #888888",
}
_WIDTH = 92


@dataclass(frozen=True)
class Finding:
    """One thing that is probably wrong.

    Attributes:
        kind: a word that stays the same for this fault, such as "dead-relu".
        title: what is wrong, in a line.
        severity: "error" for what surely harms, "warning" for what probably does, "note" for what
            is worth knowing.
        path: the layer's dotted path in the network; "" where no single layer is at fault.
        evidence: what was measured, with numbers.
        cause: why that happens.
        advice: what to change.
        when: "before training", "after epoch 3", ...; "" outside `fit`.

    >>> import numpy as np
    >>> from pellucid import nn, train
    >>> x = np.linspace(-1.0, 1.0, 20)[:, None]  # (20, 1)
    >>> model = train.Model(nn.Dense(1, 1, rng=0), "mse")
    >>> (finding,) = model.diagnose(1000 * x, 3 * x)
    >>> finding.kind, finding.severity
    ('unscaled-inputs', 'warning')
    >>> finding.advice
    'bring each feature to mean 0 and deviation 1 with data.Standardizer, ...'
    """

    kind: str
    title: str
    severity: Severity
    path: str
    evidence: str
    cause: str
    advice: str
    when: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return the finding as plain data."""
        return asdict(self)

    @property
    def heading(self) -> str:
        """The title with the layer's path, if there is one."""
        return f"{self.title} ({self.path})" if self.path else self.title

    def lines(self) -> list[tuple[str, str]]:
        """Return what follows the heading: words and what they say."""
        evidence = f"{self.when}: {self.evidence}" if self.when else self.evidence
        return [("evidence", evidence), ("why", self.cause), ("change", self.advice)]

    def _repr_html_(self) -> str:
        told = "".join(
            f'<p style="margin: 0.2em 0"><b>{word.capitalize()}:</b> {escape(text)}</p>'
            for word, text in self.lines()
            if text
        )
        return (
            f'<div class="finding" style="{_BORDERS[self.severity]}">'
            f'<p style="margin: 0.2em 0"><b>{self.severity.capitalize()}: {escape(self.title)}'
            f"{f' <code>{escape(self.path)}</code>' if self.path else ''}</b></p>{told}</div>"
        )

    def __str__(self) -> str:
        parts = [f"{self.severity}: {self.heading}"]
        for word, text in self.lines():
            indent = " " * 12
            parts.append(
                textwrap.fill(
                    text, _WIDTH, initial_indent=f"  {word:<8}  ", subsequent_indent=indent
                )
            )
        return "\n".join(parts)


class Diagnosis(tuple[Finding, ...]):
    """The findings of one examination, the gravest first; empty where all looks well.

    ``str`` gives them as text, ``rich.print`` in colour, `to_dicts` as plain data; a notebook shows
    them as HTML.

    >>> import numpy as np
    >>> from pellucid import nn, train
    >>> x = np.linspace(-1.0, 1.0, 20)[:, None]  # (20, 1)
    >>> model = train.Model(nn.Dense(1, 1, rng=0), "mse")
    >>> model.diagnose(x, 3 * x)
    nothing found
    >>> model.diagnose(1000 * x, 3 * x).kinds
    ['unscaled-inputs']
    """

    __slots__ = ()

    def __new__(cls, findings: Iterable[Finding] = ()) -> Diagnosis:
        """Sort the findings by severity; those alike stay in their order."""
        return super().__new__(cls, sorted(findings, key=lambda one: ORDER[one.severity]))

    @property
    def kinds(self) -> list[str]:
        """The kinds of the findings."""
        return [finding.kind for finding in self]

    def to_dicts(self) -> list[dict[str, str]]:
        """Return the findings as plain data."""
        return [finding.to_dict() for finding in self]

    def print(self) -> None:
        """Print the findings: in colour on a terminal, as plain text elsewhere."""
        if sys.stdout.isatty():
            from rich.console import Console

            Console(file=sys.stdout).print(self)
        else:
            print(f"\n{self}")

    def __str__(self) -> str:
        return "\n\n".join(map(str, self)) if self else "nothing found"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        found = "\n".join(finding._repr_html_() for finding in self)
        return found or "<p>Nothing was found wrong.</p>"

    def __rich__(self) -> RenderableType:
        from rich.console import Group
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        if not self:
            return Text("nothing found", "green")
        parts: list[Any] = []
        for finding in self:
            parts.append(Text(f"{finding.severity}: {finding.heading}", _COLOURS[finding.severity]))
            body = Table.grid(padding=(0, 2))
            for word, text in finding.lines():
                body.add_row(Text(word, "dim"), Text(text))
            parts.append(Padding(body, (0, 0, 1, 2)))
        return Group(*parts)
