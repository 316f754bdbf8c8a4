"""Published sets of files: looked for on disk, then in the cache, then downloaded and checked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pellucid.data.sources import Progress, RemoteFile, fetch
from pellucid.files import cache_folder


@dataclass(frozen=True)
class Published:
    """Where a set of files is published.

    Attributes:
        name: The set's name, and that of its folder.
        mirrors: Addresses, each ending in a slash, that the files lie below.
        files: The files, those whose name ends in .gz compressed with gzip.
    """

    name: str
    mirrors: tuple[str, ...]
    files: tuple[RemoteFile, ...]


def locate(
    source: Published, folder: str | Path | None, progress: Progress | None = None
) -> list[Path]:
    """Return the paths of the files of `source`, in their order.

    They are looked for in `folder`, first in its folder of the set's name; where no folder is
    given, likewise in the one PELLUCID_DATA names, then in the cache, into which missing files
    are at last downloaded. A file may lie there compressed or not; of the two the latter is
    taken, which is quicker to read.

    Raises:
        FileNotFoundError: The files are in none of the places; the message names each.
    """
    if folder is not None:
        found, tried = _search(Path(folder).expanduser(), source)
        if found is None:
            raise FileNotFoundError(_nowhere(source, tried, "pass the folder that holds them"))
        return found
    tried = []
    if given := os.environ.get("PELLUCID_DATA"):
        found, tried = _search(Path(given).expanduser(), source)
        if found is not None:
            return found
    cache = cache_folder() / source.name
    found, lacking = _in_folder(cache, source)
    if found is not None:
        return found
    try:
        return [fetch(file, cache, source.mirrors, progress) for file in source.files]
    except OSError as error:
        raise FileNotFoundError(
            _nowhere(
                source,
                [*tried, lacking, f"download ({error})"],
                f"set PELLUCID_DATA to, or pass as folder=, a folder with them or with them in "
                f"its folder {source.name}",
            )
        ) from error


def read_checked(path: Path, file: RemoteFile) -> bytes:
    """Return the content of a small file, which must be the published one.

    Raises:
        ValueError: It is another.
    """
    import hashlib

    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise ValueError(
            f"{path}: expected the published file of {file.size} bytes, got another of "
            f"{len(content)} bytes; remove it to have it fetched again"
        )
    return content


def _search(root: Path, source: Published) -> tuple[list[Path] | None, list[str]]:
    """Look in root/name, then in root; return the paths, or None and what each place lacks."""
    tried = []
    for place in (root / source.name, root):
        found, lacking = _in_folder(place, source)
        if found is not None:
            return found, []
        tried.append(lacking)
    return None, tried


def _in_folder(place: Path, source: Published) -> tuple[list[Path] | None, str]:
    """Return the paths of the files, or None and a phrase that says which of them it lacks."""
    found, missing = [], []
    for file in source.files:
        packed = place / file.name
        plain = place / file.name.removesuffix(".gz")
        if packed.is_file() or plain.is_file():
            found.append(plain if plain.is_file() else packed)
        else:
            missing.append(plain.name)
    if not missing:
        return found, ""
    return None, f"{place} (lacks {', '.join(missing) if found else 'all of them'})"


def _nowhere(source: Published, tried: list[str], fix: str) -> str:
    names = ", ".join(file.name for file in source.files)
    plain = " (or each without .gz)" if names.endswith(".gz") else ""
    return f"{source.name}: expected the files {names}{plain}, tried {'; '.join(tried)}; {fix}"
