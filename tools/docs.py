"""Build the documentation site into ``build/docs`` and check it: no warnings, no dead links.

python tools/docs.py              the site; open build/docs/index.html
python tools/docs.py --external   asks the web's pages that it links to as well
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build" / "docs"


class Page(HTMLParser):
    """What a page links to, and the places in it that a link can lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the tag's link and its anchor."""
        for name, value in attrs:
            if value and name in ("href", "src"):
                self.links.add(value)
            elif value and name == "id":
                self.anchors.add(value)


def dead_links(folder: Path) -> Iterator[str]:
    """Yield ``page: link`` for each link to a file or an anchor that the folder does not have."""
    pages = {path.resolve(): Page(path) for path in sorted(folder.rglob("*.html"))}
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[target].anchors if target in pages else None
            missing = anchors is not None and parts.fragment and parts.fragment not in anchors
            if not target.is_file() or missing:
                yield f"{path.relative_to(folder.resolve())}: {link}"


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
    dead = list(dead_links(OUT))
    if dead:
        print("links that lead nowhere:", *dead, sep="\n  ", file=sys.stderr)
        return 1
    print(f"open {(OUT / 'index.html').relative_to(ROOT)} in a browser")
    return 0


if __name__ == "__main__":
    sys.exit(main())
