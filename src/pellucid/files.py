"""Where files are kept, and writing them so that a crash leaves the old one or the new one."""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what a disk says that has no room


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the same folder, which takes the place of ``path`` on success.

    What was written is on the disk before it takes that place, so that even a loss of power leaves
    one of the two. A process that is killed leaves the temporary file behind, ``.NAME.*``.

    Raises:
        OSError: the folder does not exist or cannot be written to, or ``path`` is a folder or a
            file that may not be, or the disk is full; the message says how to fix it.
    """
    path = Path(path)
    if path.is_symlink():  # what it leads to is written, and it stays
        path = Path(os.path.realpath(path))
    if path.is_dir():
        raise IsADirectoryError(
            errno.EISDIR,
            f"cannot write {path.name}: expected the name of a file, got a folder; add a file name",
            str(path),
        )
    if path.is_file() and not os.access(path, os.W_OK):
        raise PermissionError(
            errno.EACCES,
            f"cannot write {path.name}: expected a file that may be changed, got one that may only "
            "be read; allow it, or choose another name",
            str(path),
        )
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
        temporary.chmod(_mode(path))  # mkstemp's own mode lets nobody else read
        temporary.replace(path)
        _settle(path.parent)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.errno in FULL:
            raise OSError(
                error.errno,
                f"cannot write {path.name}: expected room on the disk, got none "
                f"({error.strerror}); what was there before is whole; make room, or choose another "
                "folder",
                str(path),
            ) from None
        raise


@contextmanager
def held(folder: str | os.PathLike[str]) -> Iterator[bool]:
    """Hold a folder until the end of the context or of the process; yield whether nobody else does.

    It is told by a lock that leaves no file behind. Where the system has none for folders, nobody
    else is ever noticed.
    """
    if sys.platform == "win32":
        yield True
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = True
        except OSError as error:  # other ones come from file systems without such locks
            mine = not isinstance(error, BlockingIOError)
        yield mine
    finally:
        os.close(handle)


def _mode(path: Path) -> int:
    """Return who may read and write a file: who might before, or whom the user's mask allows."""
    if path.is_file():
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _settle(folder: Path) -> None:
    """Have a folder's new entries written to the disk, where the system lets folders be opened."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a UTF-8 text file atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def cache_folder(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Return the folder for downloads and compiled programs; it need not exist.

    PELLUCID_CACHE where set, else XDG_CACHE_HOME/pellucid, else the platform's own place:
    ~/Library/Caches/pellucid on macOS, %LOCALAPPDATA%/pellucid on Windows, ~/.cache/pellucid
    elsewhere.

    Args:
        environ: Where the variables are looked up; those of the process.
        platform: The name of the system, as ``sys.platform`` has it.

    >>> from pellucid import data
    >>> data.cache_folder({"XDG_CACHE_HOME": "/var/cache/ada"}).as_posix()
    '/var/cache/ada/pellucid'
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
