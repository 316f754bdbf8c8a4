"""A Sphinx extension for the reference, which is made from docstrings.

    .. objects:: pellucid.nn

       Dense Embedding

is a table of these objects, each with its first line, and below it all of them in full.

Docstrings are plain text with names between backticks; the bars and stars of their formulas mean
themselves. Objects are documented under the names users write, ``pellucid.nn.Dense``; docstrings
call them `Dense` or `nn.Dense`, signatures by the module that defines them. All of these find the
object by how its name ends. Other words between backticks stay code without a link, and a name that
claims to be the library's and is not, ``nn.Dens``, is a warning.
"""

from __future__ import annotations

import importlib
import inspect
import re
from functools import lru_cache
from itertools import groupby

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

CODE = re.compile(r"(``.*?``|(?::[\w:]+:)?`.*?`)", re.DOTALL)
SIGNS = re.compile(r"([|*]|(?<=\w)_(?!\w))")
ALIAS = re.compile(r"TypeAliasForwardRef\('(\w+)'\)")
SPACES = ("pellucid", "nn", "optim", "data", "train", "viz", "persist", "interop", "scalar")


def plain(lines: list[str]) -> list[str]:
    """Return a docstring's lines as reStructuredText that looks like them.

    A block that is indented after a blank line is a formula or code: it is shown as it stands, and
    so are examples. In other lines the signs that would be taken for markup are escaped.
    """
    made: list[str] = []
    display = False
    last = ""  # the last line that is not blank
    for blank, group in groupby(lines, key=lambda line: not line.strip()):
        paragraph = list(group)
        if not blank:
            display = paragraph[0].startswith(" ") and (display or not last.startswith(" "))
            if display and not last.startswith(" ") and not last.endswith("::"):
                made += ["::", ""]
            last = paragraph[-1]
            if not display and not paragraph[0].startswith(">>>"):
                paragraph = escaped("\n".join(paragraph)).split("\n")
        made += paragraph
    return made


def escaped(text: str) -> str:
    """Return the text with bars, stars and ends of references escaped, but in code."""
    parts = enumerate(CODE.split(text))  # code is every other one
    return "".join(part if i % 2 else SIGNS.sub(r"\\\1", part) for i, part in parts)


class Objects(SphinxDirective):
    """The directive ``objects``."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Write the table and the entries in Sphinx's own directives."""
        module = importlib.import_module(self.arguments[0])
        names = " ".join(self.content).split()
        lines = [
            f".. currentmodule:: {module.__name__}",
            "",
            ".. autosummary::",
            "   :nosignatures:",
        ]
        lines += ["", *(f"   {name}" for name in names), ""]
        for name in names:
            entry = getattr(module, name, None)
            if entry is None:
                raise self.error(f"expected a name of {module.__name__}, got {name!r}")
            lines += [f".. auto{kind(entry)}:: {name}", ""]
        return self.parse_text_to_nodes("\n".join(lines))


def kind(entry: object) -> str:
    """Return which of Sphinx's automatic directives documents an object."""
    if inspect.isclass(entry):
        return "exception" if issubclass(entry, BaseException) else "class"
    return "function" if inspect.isroutine(entry) else "data"


@lru_cache(maxsize=1)
def by_ending(names: tuple[str, ...]) -> dict[str, str]:
    """Return the full name for each ending that belongs to one only: ``nn.Dense``, ``Model.fit``.

    Where several names end alike the one of the fewest parts has it, if that is one: a class before
    another's method.
    """
    found: dict[str, list[str]] = {}
    for name in names:
        parts = name.split(".")
        for start in range(len(parts)):
            found.setdefault(".".join(parts[start:]), []).append(name)
    chosen = {}
    for ending, full in found.items():
        least = min(name.count(".") for name in full)
        shortest = [name for name in full if name.count(".") == least]
        if len(shortest) == 1:
            chosen[ending] = shortest[0]
    return chosen


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Element | None:
    """Find a Python object by how its name ends; leave words that are none as they are."""
    if node.get("refdomain") != "py":
        return None
    objects = env.domains.python_domain.objects
    known = by_ending(tuple(objects))
    target = str(node["reftarget"])
    last = target.rpartition(".")[2]
    full = known.get(target)
    if full is None and node["reftype"] != "obj":  # a type, by the module that defines it
        full = known.get(last)
    if full is not None:
        entry = objects[full]
        return make_refnode(
            app.builder, node["refdoc"], entry.docname, entry.node_id, content, full
        )
    ours = node["reftype"] == "obj" and target.partition(".")[0] in SPACES and target != last
    return None if ours else content


def escape(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Escape a docstring's lines in place, before napoleon reads its sections."""
    lines[:] = plain(lines)


def named(
    app: Sphinx, what: str, name: str, obj: object, options: object, takes: str, returns: str
) -> tuple[str, ...]:
    """Return a signature with types by their aliases, and an ellipsis for what a factory makes."""
    parts = (takes, returns)
    return tuple(part and ALIAS.sub(r"\1", part).replace("<factory>", "...") for part in parts)


def skip(
    app: Sphinx, what: str, name: str, obj: object, skipped: bool, options: object
) -> bool | None:
    """Leave out the fields of named tuples, which their class tells of; else decide nothing."""
    return True if "Alias for field number" in (inspect.getdoc(obj) or "") else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_directive("objects", Objects)
    app.connect("autodoc-process-docstring", escape, priority=100)
    app.connect("autodoc-process-signature", named)
    app.connect("autodoc-skip-member", skip)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
