"""The notebooks: text and executed pair in step, all of one form; and the tool that makes them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest

import notebooks

SOURCES = notebooks.sources(notebooks.FOLDER)
HELPER = '''def size(full, short):
    """Return the full size of a computation, or the short one with PELLUCID_SHORT=1."""
    return short if os.environ.get("PELLUCID_SHORT") == "1" else full'''
HEAD = """# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
"""

every_notebook = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def tagged(notebook: nbformat.NotebookNode, tag: str) -> list[int]:
    """Return the places of the cells with a tag."""
    cells = enumerate(notebook.cells)
    return [place for place, cell in cells if tag in cell.metadata.get("tags", ())]


def test_they_are_numbered_in_order() -> None:
    numbers = [int(source.stem[:2]) for source in SOURCES]
    assert numbers == list(range(1, len(numbers) + 1))
    assert not {p.stem for p in notebooks.FOLDER.glob("*.ipynb")} - {p.stem for p in SOURCES}


@every_notebook
def test_text_and_notebook_are_in_step(source: Path) -> None:
    assert notebooks.complaints(source) == []


@every_notebook
def test_a_notebook_has_the_form_of_all(source: Path) -> None:
    text = source.read_text(encoding="utf-8")
    assert text.startswith(HEAD)
    cells = notebooks.read(source).cells
    assert cells[0].source.startswith(f"# {source.stem[:2]} ")
    assert HELPER in cells[1].source
    assert 10 <= sum(cell.cell_type == "code" for cell in cells) <= 30
    headings = re.findall(r"^## (.*)", "\n".join(cell.source for cell in cells), re.MULTILINE)
    assert headings[-2:] == ["What to remember", "Exercises"]
    following = [other for other in SOURCES if other.stem > source.stem][:1]
    for other in following:
        assert cells[-1].source.startswith("Next: [")
        assert cells[-1].source.endswith(f"({other.name.replace('.py', '.ipynb')})")


@every_notebook
def test_exercises_come_with_solutions_that_are_checked(source: Path) -> None:
    notebook = notebooks.read(source)
    solutions, checks = tagged(notebook, "solution"), tagged(notebook, "check")
    assert 2 <= len(solutions) <= 4
    assert checks == [place + 1 for place in solutions]
    for number, place in enumerate(checks, 1):
        assert f"**Exercise {number}.**" in notebook.cells[place - 2].source
        parts = ast.walk(ast.parse(notebook.cells[place].source))
        assert any(isinstance(part, ast.Assert | ast.Raise) for part in parts)


PLANTED = f"""{HEAD}
# %% [markdown]
# # 01 Planted

# %%
import os
from pathlib import Path

Path("left_behind.txt").write_text("x")
print("short", os.environ["PELLUCID_SHORT"])

# %% tags=["check"]
6 * 7
"""


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    path = tmp_path / "01_planted.py"
    path.write_text(PLANTED, encoding="utf-8")
    return path


def test_a_notebook_is_executed_into_its_folder_and_nothing_else_is_left(planted: Path) -> None:
    folder = planted.parent
    assert notebooks.main([], folder) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["01_planted.ipynb", "01_planted.py"]
    made = nbformat.read(folder / "01_planted.ipynb", as_version=4)
    nbformat.validate(made)
    assert made.cells[1].outputs[0].text == "short 0\n"
    assert made.cells[2].outputs[0].data == {"text/plain": "42"}
    first = (folder / "01_planted.ipynb").read_bytes()
    assert notebooks.main(["--check"], folder) == 0
    assert notebooks.main(["01"], folder) == 0
    assert (folder / "01_planted.ipynb").read_bytes() == first


def test_short_mode_reaches_the_notebook_and_writes_nothing(planted: Path) -> None:
    text = PLANTED + '\nassert os.environ["PELLUCID_SHORT"] == "1"\n'
    planted.write_text(text, encoding="utf-8")
    assert notebooks.main(["--short"], planted.parent) == 0
    assert [path.name for path in planted.parent.iterdir()] == ["01_planted.py"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import os\nos._exit(1)", "died"),
        ("import warnings\nwarnings.warn('doubtful')", "expected no warnings"),
        ("print('see /ho' + 'me/ada/data')", "expected nothing of the machine, got '/ho" + "me/a'"),
        ("object()", "expected nothing of the machine, got '0x"),
    ],
)
def test_a_bad_notebook_fails_and_does_not_replace_the_old_one(
    planted: Path, code: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old = planted.with_suffix(".ipynb")
    old.write_text("old", encoding="utf-8")
    planted.write_text(f"{HEAD}\n# %%\n{code}\n", encoding="utf-8")
    assert notebooks.main([], planted.parent) == 1
    printed = capsys.readouterr()
    assert said in printed.err
    assert "01_planted: failed" in printed.out
    assert old.read_text(encoding="utf-8") == "old"


def executed(planted: Path) -> nbformat.NotebookNode:
    """Return the planted notebook as if it had been executed."""
    notebook = notebooks.read(planted)
    for number, cell in enumerate(notebook.cells[1:], 1):
        cell.execution_count = number
    return notebook


def test_the_check_finds_what_is_out_of_step(planted: Path) -> None:
    made = planted.with_suffix(".ipynb")
    assert "expected the executed notebook, got none" in notebooks.complaints(planted)[0]

    notebook = executed(planted)
    nbformat.write(notebook, made)
    assert notebooks.complaints(planted) == []

    notebook.cells[2].source = "6 * 8"
    nbformat.write(notebook, made)
    assert "expected the cells of 01_planted.py" in notebooks.complaints(planted)[0]

    notebook = executed(planted)
    notebook.cells[2].execution_count = None
    nbformat.write(notebook, made)
    assert "expected every cell executed" in notebooks.complaints(planted)[0]

    notebook = executed(planted)
    notebook.cells[2].outputs = [nbformat.v4.new_output("error", ename="E", evalue="bad")]
    nbformat.write(notebook, made)
    assert notebooks.complaints(planted) == [
        "01_planted.ipynb: cell 3: expected no error, got E: bad"
    ]


def test_the_check_finds_a_notebook_that_is_too_large(
    planted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbformat.write(executed(planted), planted.with_suffix(".ipynb"))
    monkeypatch.setattr(notebooks, "BYTES", 100)
    assert "expected at most 100 bytes" in notebooks.complaints(planted)[0]


def test_a_name_that_nobody_has_is_refused(
    planted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        notebooks.main(["02"], planted.parent)
    assert "expected a notebook among 01_planted, got '02'" in capsys.readouterr().err
