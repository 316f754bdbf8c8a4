"""A Sphinx extension for the reference, which is made from docstrings.

    .. objects:: pellucid.nn
       :without: locate

       Dense Embedding

is a table of these objects, each with its first line, and below it all of them in full, but without
their members of the names in ``without``, which are for the library itself.

Docstrings are plain text with names between backticks; the bars and stars of their formulas mean
themselves. Objects are documented under the names users write, ``pellucid.nn.Dense``; docstrings
call them `Dense` or `nn.Dense` and find them by how the name ends. The names of an object's own
arguments and other words between backticks stay code without a link, and a name that claims to be
the library's and is not, ``nn.Dens``, is a warning.

A class shows the bases that users can reach, and of the methods it overrides those of which it has
more to say than in one line. Signatures have types as the source writes them.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from abc import ABC
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from itertools import groupby
from typing import Any, Generic, Protocol, get_origin

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python._object import PyObject
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

CODE = re.compile(r"(``.*?``|(?::[\w:]+:)?`.*?`)", re.DOTALL)
SIGNS = re.compile(r"([|*]|(?<=\w)_(?!\w))")
WRITTEN = {  # what Python makes of annotations, and what the source says
    r"TypeAliasForwardRef\('(\w+)'\)": r"\1",
    r"[\w.~]*ndarray\[tuple\[[\w.~]*Any, \.\.\.\], [\w.~]*dtype\[([^][]*)\]\]": r"NDArray[\1]",
    r"\[\[\.\.\.\],": "[...,",  # of Callable
    r": [\w.~]*Unpack\[[^]]*\]": "",
    "<factory>": "...",
}
SPACES = ("pellucid", "nn", "optim", "data", "train", "viz", "persist", "interop", "scalar")


def plain(lines: list[str], own: Iterable[str] = ()) -> list[str]:
    """Return a docstring's lines as reStructuredText that looks like them.

    A block that is indented after a blank line is a formula or code: it is shown as it stands, and
    so are examples. In other lines the signs that would be taken for markup are escaped, and the
    object's ``own`` names are code.
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
                paragraph = escaped("\n".join(paragraph), own).split("\n")
        made += paragraph
    return made


def escaped(text: str, own: Iterable[str] = ()) -> str:
    """Return the text with bars, stars and ends of references escaped, but in code."""
    parts = CODE.split(text)
    parts[::2] = [SIGNS.sub(r"\\\1", part) for part in parts[::2]]
    parts[1::2] = [f"`{part}`" if part[1:-1] in own else part for part in parts[1::2]]
    return "".join(parts)


class Objects(SphinxDirective):
    """The directive ``objects``."""

    required_arguments = 1
    has_content = True
    option_spec = {"without": directives.unchanged}  # noqa: RUF012 - docutils' form

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
            lines += [f".. auto{kind(entry)}:: {name}"]
            if isinstance(entry, type) and "without" in self.options:
                lines += [f"   :exclude-members: {', '.join(self.options['without'].split())}"]
            if isinstance(entry, type) and any(shown_bases(entry.__bases__)):
                lines += ["   :show-inheritance:"]
            lines += [""]
        return self.parse_text_to_nodes("\n".join(lines))


def kind(entry: object) -> str:
    """Return which of Sphinx's automatic directives documents an object."""
    if inspect.isclass(entry):
        return "exception" if issubclass(entry, BaseException) else "class"
    return "function" if inspect.isroutine(entry) else "data"


@cache
def public() -> set[type]:
    """Return the classes that users reach by name."""
    modules = [importlib.import_module(f"pellucid.{s}".removesuffix(".pellucid")) for s in SPACES]
    named = (getattr(module, name) for module in modules for name in module.__all__)
    return {entry for entry in named if isinstance(entry, type)}


def shown_bases(bases: Iterable[Any]) -> Iterator[Any]:
    """Yield of classes those that users know, and for each other one those of its bases."""
    for base in bases:
        made = get_origin(base) or base
        if made in public() or not getattr(made, "__module__", "").startswith("pellucid"):
            if made not in (object, ABC, Generic, Protocol):
                yield base
        else:
            yield from shown_bases(made.__bases__)


def owner(member: object) -> type | None:
    """Return the class that a method or a property was written in."""
    function = getattr(member, "fget", member)
    name = getattr(function, "__qualname__", "").rpartition(".")[0]
    found = getattr(sys.modules.get(getattr(function, "__module__", "")), name, None)
    return found if isinstance(found, type) else None


def arguments(*entries: object) -> set[str]:
    """Return the names of the arguments of those that can be called."""
    found: set[str] = set()
    for entry in entries:
        try:
            found |= set(inspect.signature(entry).parameters)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
    return found


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
    target = str(node["reftarget"])
    full = by_ending(tuple(objects)).get(target, "")
    entry = objects.get(full)
    if entry and ("." in target or entry.objtype not in ("attribute", "property")):
        return make_refnode(
            app.builder, node["refdoc"], entry.docname, entry.node_id, content, full
        )
    ours = node["reftype"] == "obj" and target.partition(".")[0] in SPACES and "." in target
    return None if ours else content


def escape(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Escape a docstring's lines in place, before napoleon reads its sections."""
    lines[:] = plain(lines, arguments(obj, owner(obj)))


def written(text: str) -> str:
    """Return a signature, or a part of one, with types as the source has them."""
    for pattern, short in WRITTEN.items():
        text = re.sub(pattern, short, text)
    return text


def attribute_types(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Write the types of attributes in place as in signatures, after napoleon found them."""
    lines[:] = [written(line) if line.startswith(":vartype") else line for line in lines]


def signature(
    app: Sphinx, what: str, name: str, obj: object, options: object, takes: str, returns: str
) -> tuple[str, ...]:
    """Return a signature as it is written; a protocol is there to be defined, not called."""
    takes = "" if getattr(obj, "_is_protocol", False) else takes
    return tuple(part and written(part) for part in (takes, returns))


def bases(app: Sphinx, name: str, obj: type, options: object, found: list[Any]) -> None:
    """Leave in place the bases that users know."""
    found[:] = dict.fromkeys(shown_bases(found))


def skip(
    app: Sphinx, what: str, name: str, obj: object, skipped: bool, options: object
) -> bool | None:
    """Leave out what says no more than its class or its base does; else decide nothing.

    These are classes as attributes, the fields of named tuples, and methods with a docstring of one
    line that a base has, too.
    """
    text = inspect.getdoc(obj) or ""
    if isinstance(obj, type) or text.startswith("Alias for field number"):
        return True
    above = getattr(owner(obj), "__mro__", ())[1:]
    return True if "\n" not in text and any(name in vars(base) for base in above) else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    for group in PyObject.doc_field_types:
        if group.name == "variable":
            group.label = "Attributes"
    app.add_directive("objects", Objects)
    app.connect("autodoc-process-docstring", escape, priority=100)
    app.connect("autodoc-process-docstring", attribute_types, priority=900)
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-process-bases", bases)
    app.connect("autodoc-skip-member", skip)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
