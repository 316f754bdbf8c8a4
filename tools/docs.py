"""Build the documentation site into ``build/docs`` and check it.

It may have no warnings, no dead links, and no markup or machinery where there should be words.

python tools/docs.py              the site; open build/docs/index.html
python tools/docs.py --external   asks the web's pages that it links to as well
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build" / "docs"


CODE = {"code", "pre", "script", "style"}  # what is in them may be anything
FAULTS = {"system-message", "problematic"}  # the classes of what could not be read as markup
LEFTOVERS = ["``", ":class:`", ":func:`", "TypeAliasForwardRef", "Alias for field"]
LEFTOVERS += ["<factory>", "object at 0x", "Unpack["]


class Page(HTMLParser):
    """What a page says, what it links to, and the places in it that a link can lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.classes: set[str] = set()
        self.text = ""
        self.code = 0  # how many elements with code are open
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the tag's link, its anchor and its classes."""
        self.code += tag in CODE
        for name, value in attrs:
            if value and name in ("href", "src"):
                self.links.add(value)
            elif value and name == "id":
                self.anchors.add(value)
            elif value and name == "class":
                self.classes |= set(value.split())

    def handle_endtag(self, tag: str) -> None:
        """Count the elements with code."""
        self.code -= tag in CODE

    def handle_data(self, data: str) -> None:
        """Keep what is no code."""
        if not self.code:
            self.text += data


def read(folder: Path) -> dict[Path, Page]:
    """Return the pages below a folder."""
    return {path: Page(path) for path in sorted(folder.resolve().rglob("*.html"))}


def dead_links(pages: Mapping[Path, Page]) -> Iterator[tuple[Path, str]]:
    """Yield the page and the link for each that leads to no file, or no anchor in a page."""
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[target].anchors if target in pages else None
            missing = anchors is not None and parts.fragment and parts.fragment not in anchors
            if not target.is_file() or missing:
                yield path, link


def leftovers(pages: Mapping[Path, Page]) -> Iterator[tuple[Path, str]]:
    """Yield the page and the text of each piece of markup or machinery that a reader would see."""
    for path, page in pages.items():
        for text in LEFTOVERS:
            if text in page.text:
                yield path, text
        for fault in sorted(FAULTS & page.classes):
            yield path, fault


def build(builder: str, out: Path) -> None:
    """Run Sphinx; a warning is an error, shown after the others.

    Raises:
        subprocess.CalledProcessError: the site has warnings, or links to pages that do not answer.
    """
    command = [sys.executable, "-m", "sphinx", "--builder", builder, "--conf-dir", "docs"]
    command += ["--nitpicky", "--fail-on-warning", "--quiet", "--jobs", "auto", ".", str(out)]
    subprocess.run(command, cwd=ROOT, check=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build and check; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--external", action="store_true", help="check links to the web too")
    options = parser.parse_args(arguments)
    shutil.rmtree(OUT, ignore_errors=True)  # pages of an earlier build link to what is gone
    try:
        build("html", OUT)
        if options.external:
            build("linkcheck", OUT.with_name("links"))
    except subprocess.CalledProcessError as error:
        return error.returncode
    pages = read(OUT)
    checks = {"links that lead nowhere": dead_links, "left over in the text": leftovers}
    found = {title: list(check(pages)) for title, check in checks.items()}
    for title, places in found.items():
        lines = [f"{path.relative_to(OUT.resolve())}: {what}" for path, what in places]
        if lines:
            print(f"{title}:", *lines, sep="\n  ", file=sys.stderr)
    if any(found.values()):
        return 1
    print(f"open {(OUT / 'index.html').relative_to(ROOT)} in a browser")
    return 0


if __name__ == "__main__":
    sys.exit(main())
