"""Object code kept on disk: what one process has compiled, the next one loads.

A program's code is one file, an entry, named after a digest of all that the code depends on: the
kernels, the processor, LLVM and this compiler's own source. What is loaded is executed, so the
folder and its files must belong to the user, nobody else may write to them, and a checksum tells
whether a file is whole; otherwise it is as if the file were not there. Nothing here raises an
OSError: where there is no cache, programs are compiled.

PELLUCID_COMPILED names another folder, or is "off".
"""

from __future__ import annotations

import os
import re
import stat
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from struct import Struct

from pellucid.compiler.llvm.target import Module, Target, compile_object, load_object
from pellucid.files import cache_folder
from pellucid.version import __version__ as version

VARIABLE = "PELLUCID_COMPILED"
LIMIT = 256 << 20  # bytes of all entries
FORMAT = 1
HEADER = Struct(">8sI32s")  # MAGIC, FORMAT, and the digest of the entry's name and its code
MAGIC = b"pellucid"
OURS = re.compile(r"[0-9a-f]{64}\.object(\..*\.part)?")  # entries, and those being written
COMPILER = Path(__file__).parents[1]
IMPORTED = time.time()
# A link is not followed, a pipe not waited for.
OPENING = os.O_RDONLY | sum(getattr(os, n, 0) for n in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))


def cached_module(key: str, text: Callable[[], str], target: Target) -> Module:
    """Return code ready to run, from disk or else compiled.

    ``text`` makes the module in LLVM's language, and is called only when it has to be compiled.
    ``key`` says all that the text depends on, besides the target and the source of this compiler.
    """
    kept = cache_in(folder()) if source() else None
    name = digest(key, target)
    code = kept.get(name) if kept else None
    if code is None:
        code = compile_object(text(), target)
        if kept:
            kept.put(name, code)
    return load_object(code, target)


def digest(key: str, target: Target) -> str:
    """Return the name of an entry."""
    parts = (str(FORMAT), source(), target.key, key)
    return sha256("\0".join(parts).encode()).hexdigest()


@cache
def source() -> str:
    """Return a digest of this compiler's own source, so that a change of it outdates all code.

    There is none if a file was changed after it was imported: it is not what runs here.
    """
    found = sha256(version.encode())  # all there is to go by without source files
    with suppress(OSError):
        for file in sorted(COMPILER.rglob("*.py")):
            if file.stat().st_mtime > IMPORTED:
                return ""
            found.update(file.read_bytes())
    return found.hexdigest()


def folder(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder of compiled programs, None for none; it need not exist."""
    chosen = environ.get(VARIABLE)
    if chosen == "off":
        return None
    try:
        return Path(chosen).expanduser() if chosen else cache_folder(environ) / "compiled"
    except RuntimeError:  # the user has no home
        return None


@cache
def cache_in(path: Path | None) -> Cache | None:
    """Return this process's cache in a folder."""
    return Cache(path) if path else None


def state() -> str:
    """Return where compiled programs are kept and how many, or why they are not."""
    kept = cache_in(folder())
    if kept is None:
        return f"no folder: {VARIABLE} is off, or there is no home"
    problem = kept.problem() or ("" if source() else "the compiler was changed since it began")
    if problem:
        return f"{kept.folder} is not used: {problem}"
    sizes = [entry.size for entry in kept.entries()]
    return f"{kept.folder}: {len(sizes)} compiled, {sum(sizes) / (1 << 20):.1f} MB"


@dataclass(frozen=True)
class Entry:
    """A file of the cache: its size in bytes, and when it was last used or written."""

    used: int
    size: int
    path: Path


class Cache:
    """Entries in a folder of ``limit`` bytes, of which the least recently used ones go.

    Several processes may use one folder. Each looks at the size when it first writes, and again
    after every sixteenth of the limit.
    """

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self.folder, self.limit = path, limit
        self._room = 0  # bytes to write before looking again

    def problem(self) -> str:
        """Return why the folder cannot be used, nothing if it can; make it if it is not there."""
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                self.folder.mkdir(0o700)
            found = self.folder.lstat()
        except OSError as error:
            return str(error)
        if not stat.S_ISDIR(found.st_mode):
            return "expected a folder, got a file or a link"
        return "" if private(found) else "expected a folder that only its owner, you, can write to"

    def get(self, name: str) -> bytes | None:
        """Return the code of an entry; None if there is none that is whole and the user's own."""
        if self.problem():
            return None
        path = self._path(name)
        try:
            with os.fdopen(os.open(path, OPENING), "rb") as file:
                found = os.fstat(file.fileno())
                if not (stat.S_ISREG(found.st_mode) and private(found)):
                    return None
                content = file.read(self.limit + 1)
        except OSError:
            return None
        code = content[HEADER.size :]
        if content[: HEADER.size] != header(name, code):
            return None
        with suppress(OSError):
            os.utime(path)
        return code

    def put(self, name: str, code: bytes) -> None:
        """Keep code, unless there is no room for it."""
        import tempfile

        size = HEADER.size + len(code)
        if size > self.limit or self.problem():
            return
        path = self._path(name)
        with suppress(OSError):
            handle, part = tempfile.mkstemp(".part", f"{path.name}.", self.folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(header(name, code) + code)
                Path(part).replace(path)  # not synced to the disk: the checksum tells
            except BaseException:
                with suppress(OSError):
                    Path(part).unlink()
                raise
        self._room -= size
        if self._room <= 0:
            self._prune()
            self._room = self.limit // 16

    def entries(self) -> list[Entry]:
        """Return the entries, the least recently used first."""
        found = []
        with suppress(OSError), os.scandir(self.folder) as files:
            for file in files:
                if OURS.fullmatch(file.name):  # the folder may hold other things
                    with suppress(OSError):  # gone in the meantime
                        about = file.stat(follow_symlinks=False)
                        found.append(Entry(about.st_mtime_ns, about.st_size, Path(file.path)))
        return sorted(found, key=lambda entry: (entry.used, entry.path))

    def _prune(self) -> None:
        """Remove the least recently used entries beyond the limit."""
        entries = self.entries()
        surplus = sum(entry.size for entry in entries) - self.limit
        for entry in entries:
            if surplus <= 0:
                break
            with suppress(OSError):
                entry.path.unlink()
            surplus -= entry.size

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.object"


def header(name: str, code: bytes) -> bytes:
    """Return what an entry begins with."""
    return HEADER.pack(MAGIC, FORMAT, sha256(name.encode() + code).digest())


def private(found: os.stat_result) -> bool:
    """Whether a file is the user's, and nobody else may write to it; Windows is not asked."""
    if sys.platform == "win32":
        return True
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
