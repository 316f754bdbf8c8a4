"""Files from the network: mirrors in turn, resumed transfers, checked digests."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from http.client import HTTPResponse

Progress: TypeAlias = Callable[[int, int], None]
"""Called as a file arrives with the bytes it has so far and the bytes it will have."""

_BLOCK = 1 << 16  # bytes between two calls of progress
_TIMEOUT = 30.0  # seconds without an answer


class DownloadError(OSError):
    """A file could not be had; the message names every address tried and what came of it.

    `mnist` and the other functions that fetch files raise FileNotFoundError because of it, and have
    it as ``__cause__``.

    >>> from pellucid import data
    >>> issubclass(data.DownloadError, OSError)
    True
    """


@dataclass(frozen=True)
class RemoteFile:
    """A published file: what it is called on every mirror, and what it must be."""

    name: str
    size: int  # bytes
    sha256: str


def fetch(
    remote: RemoteFile, folder: Path, mirrors: Sequence[str], progress: Progress | None = None
) -> Path:
    """Return the path of `remote` in `folder`, downloading it first if it is not there.

    Bytes go to `<name>.part`, which an interrupted transfer leaves to be resumed by the next.
    Only a file of the right size and SHA-256 is renamed to its own name, in one step, so the
    name never stands for half a file. On POSIX a lock makes concurrent processes take turns.

    Args:
        remote: The file to get.
        folder: Where to keep it; made if absent.
        mirrors: Addresses to put before the name, tried in order.
        progress: Called with (bytes so far, bytes in all) after every block.

    Raises:
        DownloadError: No mirror had the file.
        OSError: The folder cannot be written to.
    """
    target = folder / remote.name
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{remote.name}.part"
    failures = []
    with _turn(folder / ".lock"):
        if target.exists():  # whoever held the lock before us has fetched it
            return target
        for mirror in mirrors:
            try:
                _complete(part, mirror + remote.name, remote, progress)
            except OSError as error:
                failures.append(f"{mirror}{remote.name} ({error})")
            else:
                part.replace(target)
                return target
    raise DownloadError(
        f"{remote.name}: expected one of {len(mirrors)} mirrors to have it, tried "
        f"{', '.join(failures)}; check the network, or fetch the file by other means"
    )


def _complete(part: Path, url: str, remote: RemoteFile, progress: Progress | None) -> None:
    """Bring `part` to its full size from `url` and check it; bad bytes are removed."""
    resumed = part.exists()
    if not resumed or part.stat().st_size < remote.size:
        _transfer(part, url, remote, progress)
    digest = _sha256(part)
    if digest == remote.sha256:
        return
    part.unlink()
    if resumed:  # the bytes from before may be the bad ones, so once more from the start
        _complete(part, url, remote, progress)
        return
    raise DownloadError(f"expected SHA-256 {remote.sha256}, got {digest}")


def _transfer(part: Path, url: str, remote: RemoteFile, progress: Progress | None) -> None:
    """Append to `part` what it lacks, or write it anew where the server sends the whole file."""
    import http.client

    start = part.stat().st_size if part.exists() else 0
    try:
        with _open(url, start) as reply:
            start = _first_byte(reply, start, remote.size)
            with part.open("ab" if start else "wb") as out:
                done = start
                while block := reply.read(min(_BLOCK, remote.size - done)):
                    out.write(block)
                    done += len(block)
                    if progress is not None:
                        progress(done, remote.size)
                out.flush()
                os.fsync(out.fileno())
    except http.client.HTTPException as error:
        raise DownloadError(f"the connection broke: {error!r}") from error
    if done < remote.size:
        raise DownloadError(f"expected {remote.size} bytes, got {done} before the end")


def _open(url: str, start: int) -> HTTPResponse:
    """Ask for the bytes of `url` from `start` on; the server may send all of them instead."""
    import urllib.error
    import urllib.request

    if not url.startswith(("http://", "https://")):
        raise DownloadError("expected an http or https address")
    headers = {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - checked just above
    try:
        reply: HTTPResponse = urllib.request.urlopen(request, timeout=_TIMEOUT)  # noqa: S310
    except urllib.error.HTTPError as error:
        with error:  # it holds the connection
            raise DownloadError(f"the server answered {error.code} {error.reason}") from error
    return reply


def _first_byte(reply: HTTPResponse, wanted: int, size: int) -> int:
    """Return the offset the reply begins at: `wanted`, or 0 where the server ignores ranges.

    A reply whose length gives it away as another file (an error page, say) is refused unread.
    """
    from http import HTTPStatus

    start = wanted if reply.status == HTTPStatus.PARTIAL_CONTENT else 0
    span = reply.headers.get("Content-Range", "")
    if start and not span.startswith(f"bytes {start}-"):
        raise DownloadError(f"expected bytes from {start}, got Content-Range '{span}'")
    length = reply.headers.get("Content-Length", "")
    if length.isdecimal() and start + int(length) != size:
        raise DownloadError(f"expected a file of {size} bytes, got {start + int(length)}")
    return start


def _sha256(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Wait for, then hold, the lock file at `path`; no lock where the system offers none."""
    with path.open("ab") as handle:
        if sys.platform != "win32":
            import fcntl

            with contextlib.suppress(OSError):  # some network file systems have no locks
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
