"""Pieces of HTML: tables and whole pages. Whatever comes from outside is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222222; background: #ffffff;
       max-width: 68rem; margin: 0 auto; padding: 1rem 1.5rem 3rem; }
h1 { font-size: 1.6rem; margin: 0.6rem 0 0; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 0.6rem; border-bottom: 1px solid #dddddd; }
table { border-collapse: collapse; font-size: 0.9rem; }
th, td { padding: 0.2rem 0.7rem; text-align: right; border-bottom: 1px solid #eeeeee;
         white-space: nowrap; }
section { overflow-x: auto; }
thead th { border-bottom: 1px solid #888888; }
th { text-align: left; font-weight: 600; }
thead th:not(:first-child) { text-align: right; }
pre { background: #f5f5f5; padding: 0.6rem 0.8rem; overflow-x: auto; }
figure { margin: 0.8rem 0; overflow-x: auto; }
figcaption { color: #555555; font-size: 0.9rem; }
img { max-width: 100%; height: auto; }
""".strip()


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    """Return a table whose cells are escaped, with the first cell of a row as its heading.

    The first `text_columns` hold words, which begin on the left, the others numbers.
    """
    head = "".join(_cell("th", header, 0 < i < text_columns) for i, header in enumerate(headers))
    body = "".join(
        "<tr>"
        + "".join(
            _cell("td" if i else "th", cell, 0 < i < text_columns) for i, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(tag: str, text: str, left: bool) -> str:
    style = ' style="text-align: left"' if left else ""
    return f"<{tag}{style}>{escape(text)}</{tag}>"


def page(title: str, body: str, style: str = "") -> str:
    """Return a whole page that needs nothing else; the title is escaped, the body is HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE}\n{style}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )
