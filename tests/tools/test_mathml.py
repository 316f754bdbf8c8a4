"""Formulas of the site become MathML, those of other spellings too; what is unknown is refused."""

from __future__ import annotations

import re

import pytest
from docutils import nodes
from docutils.utils import new_document

import mathml


def tags(latex: str, block: bool = False) -> str:
    """Return the MathML of a formula without the space between tags."""
    return re.sub(r">\s+<", "><", mathml.mathml(latex, block)).replace("\n", "")


def test_a_formula_becomes_mathml() -> None:
    made = tags(r"\frac{a}{b}")
    assert made.startswith("<math")
    assert "<mfrac><mi>a</mi><mi>b</mi></mfrac>" in made
    assert 'display="block"' in tags("a", block=True)


def test_an_index_stands_beside_a_letter_with_an_accent() -> None:
    for latex in (r"\hat m_t", r"\hat{m}_t", r"\bar{x}_t"):
        assert "<msub>" in tags(latex)
        assert "<munder" not in tags(latex)


def test_bars_reach_around_what_they_enclose_only() -> None:
    for latex in (r"\lvert x \rvert + y", r"\lVert x \rVert + y", r"\lfloor x \rfloor + y"):
        assert re.search(r"<mrow><mo[^>]*>.</mo><mi>x</mi><mo[^>]*>.</mo></mrow>", tags(latex))


@pytest.mark.parametrize(
    ("spelling", "known"),
    [
        (r"\tfrac14", r"\tfrac{1}{4}"),
        (r"a, \dots, b", r"a, \ldots, b"),
        (r"\left\lfloor x \right\rfloor", r"\lfloor x \rfloor"),
        (r"\big(x\big)", r"\bigl(x\bigr)"),
        (r"\Big[x\Big]", r"\Bigl[x\Bigr]"),
    ],
)
def test_other_spellings_mean_the_same(spelling: str, known: str) -> None:
    assert tags(spelling) == tags(known)


def test_functions_and_primes_have_their_space() -> None:
    space = '<mo lspace="0" rspace="0.17em">&ApplyFunction;</mo>'
    assert f"<mi>ln</mi>{space}<mi>x</mi>" in tags(r"\ln x")
    assert space not in tags(r"\ln(x)")
    assert '<mi>f</mi><mo lspace="0" rspace="0">&prime;</mo>' in tags("f'(x)")


def test_the_comma_after_a_formula_stays_with_it() -> None:
    document = new_document("page")
    document += nodes.paragraph("", "", nodes.math("", "x"), nodes.Text(", y"), nodes.math("", "z"))
    mathml.hold_together(None, document, "page")
    x, rest, z = document[0].children
    assert (x["sign"], rest, z.get("sign")) == (",", " y", None)


def test_rows_after_large_brackets_are_rows() -> None:
    made = tags(r"\begin{aligned} a &= \Big( b \Big) \\ c &= d \end{aligned}", block=True)
    assert made.count("<mtr>") == 2


def test_unknown_commands_are_refused() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        mathml.mathml(r"\nonsense x")
