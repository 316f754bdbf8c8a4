"""A Sphinx extension that writes formulas as MathML, which browsers show by themselves.

No script and no font is fetched from elsewhere, so the site is whole without a network. docutils,
on which Sphinx is built, converts LaTeX; what it does not understand is a warning.
"""

from __future__ import annotations

import re
from html import escape

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

LOGGER = logging.getLogger(__name__)
# what docutils does not know, or leaves open how far it goes, so that it grows as tall as its line
SPELLINGS = {
    "lvert": r"\left|",
    "rvert": r"\right|",
    "lVert": r"\left\|",
    "rVert": r"\right\|",
    "lfloor": r"\left\lfloor",
    "rfloor": r"\right\rfloor",
    "dots": r"\ldots",
}
COMMAND = re.compile(rf"(?<!\\left)(?<!\\right)\\({'|'.join(SPELLINGS)})(?![A-Za-z])")
OPENING = re.compile(r"\\([bB]ig)(?= *[(\[])")
ENDING = re.compile(r"\\([bB]ig)(?= *[)\]])")
DIGITS = re.compile(r"(\\[dt]?frac)(\d)(\d)")
ACCENT = re.compile(r"(\\(?:hat|bar|tilde)(?: [A-Za-z]|\{[^{}]*\}))_")
FUNCTION = re.compile(r"<mo>&ApplyFunction;</mo>(?=\s*<m(?!o|row))")  # sin x, but sin(x)
CLOSING = tuple(",.:;)")


def mathml(latex: str, block: bool = False) -> str:
    """Return a formula as MathML, in a line of its own if told so.

    Raises:
        ValueError: docutils does not understand a command.
    """
    latex = COMMAND.sub(lambda found: SPELLINGS[found[1]], latex)
    latex = ENDING.sub(r"\\\1r", OPENING.sub(r"\\\1l", latex))
    latex = DIGITS.sub(r"\1{\2}{\3}", latex)
    latex = ACCENT.sub(r"\1{}_", latex)  # else an index goes below the letter, like a limit
    made = str(tex2mathml(latex, as_block=block))
    made = made.replace("<mo>'</mo>", '<mo lspace="0" rspace="0">&prime;</mo>')
    made = re.sub("<mo>(max|min)</mo>", r'<mo lspace="0.17em" rspace="0">\1</mo>', made)
    return FUNCTION.sub('<mo lspace="0" rspace="0.17em">&ApplyFunction;</mo>', made)


def converted(node: nodes.math | nodes.math_block, block: bool) -> str:
    """Return a formula as MathML; where that fails say so, and show its LaTeX."""
    try:
        return mathml(node.astext(), block)
    except ValueError as error:
        LOGGER.warning("expected LaTeX that docutils understands: %s", error, location=node)
        return f"<code>{escape(node.astext())}</code>"


def hold_together(app: Sphinx, document: nodes.document, name: str) -> None:
    """Give each formula in a line the sign that follows it, which else may begin the next line."""
    for node in list(document.findall(nodes.math)):
        following = node.next_node(descend=False, siblings=True)
        if isinstance(following, nodes.Text) and following.startswith(CLOSING):
            node["sign"] = following[0]
            following.parent.replace(following, nodes.Text(following[1:]))


def inline(self: HTML5Translator, node: nodes.math) -> None:
    """Write a formula within a line."""
    made = converted(node, block=False) + node.get("sign", "")
    self.body.append(f'<span class="math">{made}</span>')
    raise nodes.SkipNode


def display(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula in a line of its own, with its number if it has one."""
    self.body.append(self.starttag(node, "div", CLASS="math"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})</span>')
    self.body.append(f"{converted(node, block=True)}</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension; ``html_math_renderer = "mathml"`` chooses it."""
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    app.connect("doctree-resolved", hold_together)
    app.add_css_file("math.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
