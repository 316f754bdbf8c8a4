"""Execute the notebooks: from ``notebooks/NN_title.py`` to ``NN_title.ipynb`` with its outputs.

The text is the source, in jupytext's percent format; outputs are never typed. A notebook takes the
place of its old one only after all of its cells ran.

    python tools/notebooks.py                 all of them
    python tools/notebooks.py 03 06           some of them
    python tools/notebooks.py --short         with small sizes, to see that they run; writes nothing
    python tools/notebooks.py --check         runs nothing; are text and notebook in step?
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, DeadKernelError

from pellucid.files import write_text

FOLDER = Path(__file__).parents[1] / "notebooks"
SHORT = "PELLUCID_SHORT"
SECONDS = 900  # that a cell may take
BYTES = 1_000_000  # that a notebook may have
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
# A folder that only one machine has, and an object's address
MACHINE = re.compile(
    r"(?<![\w.~*)}\]-])/(?:home|root|Users|work|opt|mnt|tmp|usr|private)/\w|\b0x[0-9a-f]{6,}"
)
COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # of a terminal
PICTURES = ("image/png", "image/gif", "image/jpeg")  # in base64, where any letters may meet


def sources(folder: Path, names: Sequence[str] = ()) -> list[Path]:
    """Return the texts of the notebooks with these names or numbers, or of all, in order.

    Raises:
        ValueError: there is none of that name.
    """
    found = sorted(folder.glob("[0-9][0-9]_*.py"))
    for name in names:
        if not any(named(path, name) for path in found):
            known = ", ".join(path.stem for path in found) or "none"
            raise ValueError(f"expected a notebook among {known}, got {name!r}")
    return [path for path in found if not names or any(named(path, name) for name in names)]


def named(path: Path, name: str) -> bool:
    """Return whether a notebook's text is meant by ``03``, ``03_title`` or a path to it."""
    return Path(name).stem in (path.stem, path.stem.partition("_")[0])


def read(path: Path) -> nbformat.NotebookNode:
    """Return the notebook that a text describes, without outputs and the same every time."""
    notebook = nbformat.v4.new_notebook(
        cells=jupytext.read(path).cells,
        metadata={
            "jupytext": {"formats": "ipynb,py:percent"},
            "kernelspec": KERNEL,
            "language_info": {"name": "python"},
        },
    )
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"cell-{number:02d}"
    return notebook


def execute(notebook: nbformat.NotebookNode, *, short: bool) -> None:
    """Run all cells in a new process, in a folder of its own that is gone afterwards.

    Raises:
        CellControlSignal: a cell gave an error, or took too long.
        DeadKernelError: the process ended.
    """
    environment = os.environ | {SHORT: "1" if short else "0"}
    with tempfile.TemporaryDirectory(prefix="pellucid-notebook-") as folder:
        client = NotebookClient(
            notebook,
            timeout=SECONDS,
            kernel_name=KERNEL["name"],
            record_timing=False,
            coalesce_streams=True,
            extra_arguments=["--log-level=ERROR"],  # a kernel of this machine needs no encryption
            resources={"metadata": {"path": folder}},
        )
        client.execute(env=environment)
    notebook.metadata["kernelspec"], notebook.metadata["language_info"] = KERNEL, {"name": "python"}


def complaints(source: Path) -> list[str]:
    """Return what is wrong with the notebook that belongs to a text."""
    made = source.with_suffix(".ipynb")
    if not made.is_file():
        return [f"{made.name}: expected the executed notebook, got none"]
    notebook = nbformat.read(made, as_version=4)
    found = []
    if contents(notebook) != contents(read(source)):
        found.append(f"{made.name}: expected the cells of {source.name}, got others")
    if any(cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code"):
        found.append(f"{made.name}: expected every cell executed, got one that was not")
    if made.stat().st_size > BYTES:
        found.append(f"{made.name}: expected at most {BYTES:,} bytes, got {made.stat().st_size:,}")
    return found + [f"{made.name}: {complaint}" for complaint in bad_outputs(notebook)]


def contents(notebook: nbformat.NotebookNode) -> list[tuple[str, str, list[str]]]:
    """Return kind, text and tags of each cell."""
    return [
        (cell.cell_type, cell.source, list(cell.metadata.get("tags", ())))
        for cell in notebook.cells
    ]


def bad_outputs(notebook: nbformat.NotebookNode) -> Iterator[str]:
    """Yield errors, warnings and places of a machine among the outputs."""
    for number, cell in enumerate(notebook.cells, 1):
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                yield f"cell {number}: expected no error, got {output.ename}: {output.evalue}"
            elif output.output_type == "stream" and output.name == "stderr":
                yield f"cell {number}: expected no warnings, got {output.text.strip()!r}"
            elif place := MACHINE.search(told(output)):
                yield f"cell {number}: expected nothing of the machine, got {place[0]!r}"


def told(output: Any) -> str:
    """Return all that an output shows as text."""
    data = output.get("data", {})
    shown = [str(value) for kind, value in data.items() if kind not in PICTURES]
    return "\n".join([output.get("text", ""), *shown])


def run(source: Path, *, short: bool) -> list[str]:
    """Execute one notebook, write it unless it is short, and return what is wrong with it."""
    notebook = read(source)
    try:
        execute(notebook, short=short)
    except (CellControlSignal, DeadKernelError) as error:
        plain = COLOURS.sub("", str(error))
        return [f"{source.name}: expected cells without errors, got\n{plain}"]
    wrong = [f"{source.name}: {complaint}" for complaint in bad_outputs(notebook)]
    if not short and not wrong:
        write_text(source.with_suffix(".ipynb"), nbformat.writes(notebook) + "\n")
    return wrong


def main(arguments: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Execute or check notebooks; return the exit status."""
    parser = argparse.ArgumentParser(description="execute the notebooks")
    parser.add_argument("names", nargs="*", help="such as 03 or 03_scalar_engine; all by default")
    parser.add_argument("--short", action="store_true", help="small sizes; write nothing")
    parser.add_argument("--check", action="store_true", help="run nothing; check what is there")
    options = parser.parse_args(arguments)
    try:
        chosen = sources(folder, options.names)
    except ValueError as error:
        parser.error(str(error))
    failed = False
    for source in chosen:
        start = time.perf_counter()
        wrong = complaints(source) if options.check else run(source, short=options.short)
        failed |= bool(wrong)
        for complaint in wrong:
            print(complaint, file=sys.stderr)
        if not options.check:
            ended = "failed" if wrong else "ran"
            print(f"{source.stem}: {ended}, {time.perf_counter() - start:.1f} s", flush=True)
    if failed and options.check:
        print("fix: python tools/notebooks.py", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
