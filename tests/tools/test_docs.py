"""The site's links are checked, and what docstrings say reaches it unharmed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import docs
import references
from pellucid import data, errors, nn, train

PAGE = """
Page
====

.. objects:: pellucid.optim
   :without: snapshot restore

   Optimizer SGD no_decay_on_vectors

.. objects:: pellucid.data

   Dataset TableEncoding load_csv
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a page of the reference, made with the site's settings."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "index.rst").write_text(PAGE)
    out = folder / "out"
    command = [sys.executable, "-m", "sphinx", "--quiet", "--conf-dir", str(docs.ROOT / "docs")]
    command += ["-D", "root_doc=index", "-D", "include_patterns=**", "-D", "html_theme=basic"]
    subprocess.run([*command, str(folder), str(out)], check=True)
    return (out / "index.html").read_text()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "index.html").write_text(
        '<a href="sub/a.html#there">a</a><a href="#here">h</a><p id="here">'
    )
    (tmp_path / "sub" / "a.html").write_text(
        '<h1 id="there"></h1><img src="../p%20q.png"><a href="https://example.org/">'
    )
    (tmp_path / "p q.png").write_bytes(b"")
    return tmp_path


def test_a_sound_site_has_no_dead_links(site: Path) -> None:
    assert list(docs.dead_links(docs.read(site))) == []


@pytest.mark.parametrize(
    "link", ["sub/b.html", "#nowhere", "sub/a.html#here", "sub", "../index.html"]
)
def test_planted_dead_links_are_found(site: Path, link: str) -> None:
    (site / "planted.html").write_text(f'<a href="{link}">')
    assert list(docs.dead_links(docs.read(site))) == [(site / "planted.html", link)]


@pytest.mark.parametrize("text", ["a ``b`` c", "x: TypeAliasForwardRef('X')", "= &lt;factory&gt;"])
def test_planted_leftovers_are_found(site: Path, text: str) -> None:
    (site / "planted.html").write_text(f"<p>{text}</p>")
    assert [path.name for path, _ in docs.leftovers(docs.read(site))] == ["planted.html"]


def test_markup_that_could_not_be_read_is_found(site: Path) -> None:
    (site / "planted.html").write_text('<span class="a problematic">*</span>')
    assert list(docs.leftovers(docs.read(site))) == [(site / "planted.html", "problematic")]


def test_code_may_have_what_text_may_not(site: Path) -> None:
    (site / "sound.html").write_text('<pre>"""``x``"""</pre><code>``</code><p>words</p>')
    assert list(docs.leftovers(docs.read(site))) == []


def test_signs_of_formulas_are_escaped_and_code_is_not() -> None:
    lines = ["|x| * y, `a|b` and ``*args``, mean_", "", ">>> x = |y", "*"]
    assert references.plain(lines) == [
        r"\|x\| \* y, `a|b` and ``*args``, mean\_",
        "",
        ">>> x = |y",
        "*",
    ]


def test_code_may_go_on_in_the_next_line_and_signs_may_follow_it() -> None:
    lines = ["W ``(a,", "*b)``: |W|, b ``(*c,)``"]
    assert references.plain(lines) == ["W ``(a,", r"*b)``: \|W\|, b ``(*c,)``"]


def test_code_may_go_on_in_the_next_line() -> None:
    lines = ["sum_ of ``(x,", "*rest)`` or ``__iter__``, mean_"]
    assert references.plain(lines) == [r"sum\_ of ``(x,", r"*rest)`` or ``__iter__``, mean\_"]


@pytest.mark.parametrize(
    ("made", "source"),
    [
        ("y: TypeAliasForwardRef('ArrayLike') | None = None", "y: ArrayLike | None = None"),
        (
            "~numpy.ndarray[tuple[~typing.Any, ...], ~numpy.dtype[~numpy.int64]]",
            "NDArray[~numpy.int64]",
        ),
        ("Iterator[ndarray[tuple[Any, ...], dtype[Any]]]", "Iterator[NDArray[Any]]"),
        ("~collections.abc.Callable[[...], float]", "~collections.abc.Callable[..., float]"),
        ("lr: float, **common: ~typing.Unpack[~optim.Common]", "lr: float, **common"),
        ("logs: dict = <factory>", "logs: dict = ..."),
    ],
)
def test_a_signature_has_types_as_they_are_written(made: str, source: str) -> None:
    assert references.signature(*[None] * 5, f"({made})", "float") == (f"({source})", "float")


def test_what_has_no_signature_gets_none() -> None:
    assert references.signature(*[None] * 5, None, None) == (None, None)


def test_a_protocol_is_not_shown_as_something_to_call() -> None:
    takes = references.signature(None, "class", "", train.Callback, None, "(*args, **kwargs)", "")
    assert takes == ("", "")


def test_fields_of_a_named_tuple_are_left_to_its_class() -> None:
    class Pair(NamedTuple):
        """Two numbers."""

        x: float
        y: float = 0.0

    assert references.skip(None, "class", "x", Pair.x, False, None) is True
    assert references.skip(None, "class", "count", Pair.count, False, None) is None


@pytest.mark.parametrize(
    ("member", "left_out"),
    [
        (nn.Dense.describe, True),  # one line, and Module has it
        (nn.Module.describe, None),  # none above has it
        (nn.MultiHeadAttention.forward, None),  # more than a line
        (train.Diagnosis.to_dicts, None),  # its own
        (nn.BCELoss.link, True),  # a class
    ],
)
def test_overrides_that_say_nothing_new_are_left_out(member: object, left_out: bool | None) -> None:
    name = getattr(member, "__name__", "link")
    assert references.skip(None, "class", name, member, False, None) is left_out


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        (nn.MaxPool2D, [nn.Module]),  # by way of a base that is not public
        (nn.Sigmoid, [nn.Activation]),
        (errors.ShapeError, [ValueError]),
        (data.Augmentation, []),  # an ABC
        (train.Callback, []),  # a Protocol
        (nn.Module, []),
    ],
)
def test_bases_are_those_that_users_know(made: type, shown: list[type]) -> None:
    found = list(made.__bases__)
    references.bases(None, "", made, None, found)
    assert found == shown


def test_names_of_own_arguments_are_code() -> None:
    lines: list[str] = ["Cut `size` of ``size`` as `split` does,", "", "    `size`"]
    references.escape(None, "class", "", data.RandomCrop, None, lines)
    assert lines[0] == "Cut ``size`` of ``size`` as `split` does,"
    assert lines[-1] == "    `size`"


def test_a_method_may_name_the_arguments_of_its_class() -> None:
    lines = ["The windows are `size` high for each `x`; see `change`."]
    references.escape(None, "method", "", data.RandomCrop.change, None, lines)
    assert lines == ["The windows are ``size`` high for each ``x``; see `change`."]


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("pellucid.optim.Optimizer.step", True),
        ("pellucid.optim.Optimizer.snapshot", False),  # left out by the page
        ("pellucid.optim.SGD.update", False),  # Optimizer's says as much
        ("pellucid.data.Dataset.task", True),
    ],
)
def test_a_page_has_what_is_not_left_out(page: str, name: str, there: bool) -> None:
    assert (f'id="{name}"' in page) is there


def test_a_page_tells_the_bases_that_are_public(page: str) -> None:
    assert re.findall(r"Bases: .*?>([\w.]+)</", page) == ["Optimizer"]  # of SGD


def test_names_between_backticks_lead_to_what_is_meant(page: str) -> None:
    links = set(re.findall(r'href="#(pellucid[\w.]*)" title="[\w.]*"><code', page))
    assert "pellucid.optim.Optimizer.step" in links  # a method of the class itself
    assert "pellucid.data.load_csv" in links  # a function
    assert "pellucid.data.TableEncoding.feature_names" not in links  # another class's property
    assert "pellucid.data.Dataset.task" not in links  # an argument of load_csv


def test_an_indented_block_is_shown_as_it_stands() -> None:
    lines = ["With *:", "", "    a * b", "", "    c", "", "Args:", "    a: |a|", "", "    b: more"]
    assert references.plain(lines) == [
        r"With \*:",
        "",
        "::",
        "",
        "    a * b",
        "",
        "    c",
        "",
        "Args:",
        r"    a: \|a\|",
        "",
        "    b: more",
    ]


def test_a_name_is_found_by_its_ending() -> None:
    known = references.by_ending(
        ("p.nn.Dense", "p.scalar.Dense", "p.train.Model.fit", "p.train.fit", "p.nn.ReLU")
    )
    assert known["nn.Dense"] == "p.nn.Dense"
    assert "Dense" not in known  # two have it
    assert known["ReLU"] == "p.nn.ReLU"
    assert known["fit"] == "p.train.fit"  # a function before a method
    assert known["Model.fit"] == "p.train.Model.fit"
