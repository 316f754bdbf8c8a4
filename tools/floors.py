"""Check that imports inside the package point down only.

The package is a house of floors; a module may import from its own floor and from those below it.
An import of the package's own modules inside a function hides the plan of the house, so only the
command line, which must start quickly, may have one.

    python tools/floors.py
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = "pellucid"
FLOORS: tuple[tuple[str, ...], ...] = (
    ("tree", "elsewhere", "errors", "calls", "files", "registry", "version", "figures"),
    ("arrays",),
    ("ops",),
    ("autograd",),
    ("compiler",),
    ("nn",),
    ("optim",),
    ("data",),
    ("persist",),
    ("train",),
    ("interop",),
    ("viz", "explain", "museum"),
    ("cli", "playground"),
)
ROOF = len(FLOORS)  # the package itself (`__init__`, `__main__`), which may import everything
ALONE = "scalar"  # imports nothing of the package
LATE = "cli"  # may import inside functions

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}


class Import(NamedTuple):
    """One import of the package's own: its line, and its part ("nn"; "" for the package itself)."""

    line: int
    part: str
    in_function: bool


def violations(package: Path) -> list[str]:
    """Return ``file:line: what is wrong; what to do`` for the modules in the folder ``package``."""
    found = []
    for file in sorted(package.rglob("*.py")):
        relative = file.relative_to(package)
        part = relative.parts[0].removesuffix(".py")
        part = "" if part in ("__init__", "__main__") else part
        if part != ALONE and part and part not in FLOOR:
            found.append(f"{file}:1: {part} has no floor; give it one in FLOORS of floors.py")
            continue
        inside = [PACKAGE, *relative.parts[:-1]]
        tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
        for item in imports(tree, inside):
            complaint = judge(part, item)
            if complaint:
                found.append(f"{file}:{item.line}: {complaint}")
    return found


def judge(part: str, item: Import) -> str:
    """Return what is wrong with ``item`` in a module of ``part``, or nothing."""
    target = f"{PACKAGE}.{item.part}".removesuffix(".")
    if part == ALONE:
        alone = f"{ALONE} imports {target}; it must import nothing of the package"
        return "" if item.part == ALONE else alone
    here = FLOOR.get(part, ROOF)
    there = -1 if item.part == ALONE else FLOOR.get(item.part, ROOF)
    if there > here:
        return (
            f"imports higher floor: {part} (floor {here}) imports {target} (floor {there}); "
            "move what both need to a lower one"
        )
    if item.in_function and part != LATE:
        return f"imports {target} inside a function; import it at the top of the file"
    return ""


def imports(tree: ast.AST, inside: list[str]) -> Iterator[Import]:
    """Yield the imports of the package's own modules in a file of the dotted package ``inside``."""
    stack: list[tuple[ast.AST, bool]] = [(tree, False)]
    while stack:
        node, in_function = stack.pop()
        for name in imported(node, inside):
            first, _, rest = name.partition(".")
            if first == PACKAGE:
                yield Import(getattr(node, "lineno", 1), rest.partition(".")[0], in_function)
        deeper = in_function or isinstance(node, FUNCTIONS)
        stack.extend((child, deeper) for child in ast.iter_child_nodes(node))


def imported(node: ast.AST, inside: list[str]) -> list[str]:
    """Return the dotted names that one statement or call imports."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, names=names, level=level):
            base = inside[: len(inside) - level + 1] if level else []
            origin = ".".join([*base, *([module] if module else [])])
            if origin != PACKAGE:
                return [origin]
            # `from pellucid import nn` imports a part, `from pellucid import Tensor` the whole
            return [
                f"{origin}.{alias.name}" if alias.name in FLOOR or alias.name == ALONE else origin
                for alias in names
            ]
        case ast.Call(
            func=ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(name)), *_],
        ):
            return [name]
    return []


def main() -> int:
    """Print the violations in this repository; the exit status says whether there are any."""
    found = violations(Path(__file__).parents[1] / "src" / PACKAGE)
    print("\n".join(found) if found else "imports point down only")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
