"""Where files are kept, and writing them so that a crash leaves the old one or the new one."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the same folder, which takes the place of ``path`` on success.

    Raises:
        OSError: the folder does not exist or cannot be written to; the message says how to fix it.
    """
    path = Path(path)
    try:
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix
        )
    except OSError as error:
        raise type(error)(
            error.errno,
            f"cannot write {path.name}: expected a folder that can be written to "
            f"({error.strerror}); create it or choose another",
            str(path.parent),
        ) from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # mkstemp's own mode lets nobody else read
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a UTF-8 text file atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def cache_folder(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Return the folder for downloads and compiled programs; it need not exist.

    PELLUCID_CACHE where set, else XDG_CACHE_HOME/pellucid, else the platform's own place:
    ~/Library/Caches/pellucid on macOS, %LOCALAPPDATA%/pellucid on Windows, ~/.cache/pellucid
    elsewhere.
    """
    if chosen := environ.get("PELLUCID_CACHE"):
        return Path(chosen).expanduser()
    if base := environ.get("XDG_CACHE_HOME"):
        return Path(base).expanduser() / "pellucid"
    if platform == "darwin":
        return Path.home() / "Library" / "Caches" / "pellucid"
    if platform == "win32" and (base := environ.get("LOCALAPPDATA")):
        return Path(base) / "pellucid"
    return Path.home() / ".cache" / "pellucid"
