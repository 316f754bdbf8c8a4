"""`pellucid datasets`: what there is to train on, and whether it is here."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from pellucid.cli.console import table
from pellucid.cli.defaults import TABLE
from pellucid.data import DatasetInfo, cache_folder, catalogue
from pellucid.data.images import FASHION_MNIST, MNIST, ImageSource

_NEEDS = {"nothing": "-", "scikit-learn": "scikit-learn", "download": "files"}
_HINTS = {
    "no": "no: install scikit-learn with pip install 'pellucid[sklearn]'",
    "download": "download: fetched on first use; or set PELLUCID_DATA to a folder with the files",
}


def run() -> int:
    """Print the table; return the exit status."""
    header = ("name", "description", "rows", "shape", "classes", "needs", "here")
    rows = [
        (
            info.name,
            info.description,
            f"{TABLE[info.name].samples or info.rows:,}",
            "x".join(map(str, info.shape)),
            str(info.classes or "-"),
            _NEEDS[info.needs],
            _available(info),
        )
        for info in catalogue().values()
    ]
    table(header, rows, numbers="rows,shape,classes")
    found = {row[-1] for row in rows}
    print()
    print("".join(f"{hint}\n" for word, hint in _HINTS.items() if word in found), end="")
    print("any CSV file with a header row: pellucid train FILE --target COLUMN")
    return 0


def _available(info: DatasetInfo) -> str:
    """Return whether the data set can be had here without a network."""
    if info.needs == "scikit-learn":
        return "yes" if _has_sklearn() else "no"
    if info.needs == "download":
        source = {source.name: source for source in (MNIST, FASHION_MNIST)}[info.name]
        return "yes" if _on_disk(source) else "download"
    return "yes"


def _has_sklearn() -> bool:
    try:
        return find_spec("sklearn") is not None
    except ValueError:  # imported, but blocked
        return False


def _on_disk(source: ImageSource) -> bool:
    """Whether all files of a set lie where `pellucid.data` looks for them."""
    places = [cache_folder() / source.name]
    if given := os.environ.get("PELLUCID_DATA"):
        root = Path(given).expanduser()
        places += [root / source.name, root]
    return any(all(_is_there(place / file.name) for file in source.files) for place in places)


def _is_there(path: Path) -> bool:
    """Whether the file is there, compressed or not."""
    return path.is_file() or path.with_suffix("").is_file()
