"""The README's figures are what commands print, its code runs, and its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import readme

OLD = """# Title
<!-- begin: one -->
old one
<!-- end: one -->
between
<!-- begin: two -->
<!-- end: two -->
"""
NEW = """# Title
<!-- begin: one -->

ONE

<!-- end: one -->
between
<!-- begin: two -->

TWO

<!-- end: two -->
"""
REGIONS = {
    "one": readme.Region(("one.py",), deterministic=True),
    "two": readme.Region(("two.py",)),
}


def shout(region: readme.Region) -> str:
    return region.command[0].removesuffix(".py").upper()


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "README.md"
    path.write_text(OLD)
    return path


def test_the_readme_is_current() -> None:
    assert readme.main(["--check"]) == 0


def links(page: Path) -> set[Path]:
    """Return the files that a page links to or shows."""
    found = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    return {(page.parent / link).resolve() for link in found}


def dead(page: Path) -> list[Path]:
    """Return the files that a page links to and that do not exist."""
    return sorted(path for path in links(page) if not path.exists())


def test_the_readme_leads_to_the_pages() -> None:
    start = readme.ROOT / "README.md"
    pages = {page for folder in ("", "notebooks/") for page in readme.ROOT.glob(f"{folder}*.md")}
    assert sorted(pages - links(start)) == [start]
    assert readme.ROOT / "docs" / "index.md" in links(start)  # whose contents Sphinx checks


def test_every_link_leads_somewhere() -> None:
    for page in (*readme.ROOT.glob("*.md"), *readme.ROOT.glob("docs/**/*.md")):
        assert dead(page) == [], page.name


def test_dead_links_are_found(page: Path) -> None:
    page.write_text(
        "[here](README.md#part), [gone](a.md), [too](b/c.md#d), [a site](https://x.org)"
    )
    assert dead(page) == [page.parent / "a.md", page.parent / "b" / "c.md"]


def test_regions_are_rewritten_and_the_rest_is_kept(page: Path) -> None:
    assert readme.main([], page, REGIONS, shout) == 0
    assert page.read_text() == NEW
    assert readme.main([], page, REGIONS, shout) == 0
    assert page.read_text() == NEW
    assert [path.name for path in page.parent.iterdir()] == ["README.md"]


def test_one_region_alone(page: Path) -> None:
    assert readme.main(["two"], page, REGIONS, shout) == 0
    assert "TWO" in page.read_text()
    assert "old one" in page.read_text()


def test_check_compares_what_every_machine_prints_alike(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert readme.main(["--check"], page, REGIONS, shout) == 1
    assert page.read_text() == OLD
    complaint = capsys.readouterr().err
    assert "-old one" in complaint
    assert "+ONE" in complaint
    assert "make readme ARGS='one'" in complaint
    page.write_text(NEW.replace("TWO", "figures of another machine"))
    assert readme.main(["--check"], page, REGIONS, shout) == 0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (OLD.replace("<!-- end: one -->\n", ""), "unpaired or repeated `<!-- begin: two -->`"),
        (OLD.replace("<!-- begin: one -->\n", ""), "unpaired or repeated `<!-- end: one -->`"),
        (OLD.replace("<!-- end: two -->\n", ""), "expected `<!-- end: two -->`"),
        (OLD + OLD, "unpaired or repeated `<!-- begin: one -->`"),
        (OLD.replace("two", "three"), r"expected the regions \['one', 'two'\]"),
        ("# Nothing\n", r"got \[\]"),
    ],
)
def test_broken_marks_are_refused_before_any_command_runs(
    page: Path, capsys: pytest.CaptureFixture[str], text: str, complaint: str
) -> None:
    page.write_text(text)

    def run(region: readme.Region) -> str:
        raise AssertionError(region)

    assert readme.main([], page, REGIONS, run) == 1
    assert page.read_text() == text
    assert re.search(complaint, capsys.readouterr().err)


def test_a_failing_command_changes_nothing(
    page: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    script = tmp_path / "fails.py"
    script.write_text("raise SystemExit('no such data')")
    regions = {name: readme.Region((str(script),)) for name in REGIONS}
    assert readme.main([], page, regions) == 1
    assert page.read_text() == OLD
    assert "no such data" in capsys.readouterr().err


def test_a_silent_command_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "silent.py"
    script.write_text("print()")
    with pytest.raises(RuntimeError, match="to print the region, got no output"):
        readme.output(readme.Region((str(script),)))


def test_an_unknown_region_is_refused(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        readme.main(["three"], page, REGIONS, shout)
    assert "got ['three']" in capsys.readouterr().err
