"""Downloads, against a server on this machine: resuming, mirrors in turn, checked digests."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from data.idx_writer import remote
from pellucid.data import DownloadError, cache_folder
from pellucid.data.sources import fetch

CONTENT = bytes(range(256)) * 1000
FILE = remote("data.bin", CONTENT)
Answer = Callable[[BaseHTTPRequestHandler, "Server"], None]


@dataclass
class Server:
    """What the server on this machine sends, and the Range headers it has been sent."""

    address: str
    content: bytes = CONTENT
    answers: dict[str, Answer] = field(default_factory=dict)  # by the folder asked for
    asked: list[str | None] = field(default_factory=list)

    def mirror(self, answer: Answer) -> str:
        folder = f"m{len(self.answers)}"
        self.answers[folder] = answer
        return f"{self.address}/{folder}/"


def send(
    handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str | None
) -> None:
    """Send a reply; a header given as None is left out."""
    handler.send_response(status)
    for name, value in ({"Content_Length": str(len(body))} | headers).items():
        if value is not None:
            handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def whole(handler: BaseHTTPRequestHandler, server: Server) -> None:
    """A server that ignores Range."""
    send(handler, server.content)


def ranged(handler: BaseHTTPRequestHandler, server: Server) -> None:
    """A server that honours Range."""
    asked = handler.headers["Range"]
    if asked is None:
        send(handler, server.content)
        return
    start = int(asked.removeprefix("bytes=").removesuffix("-"))
    span = f"bytes {start}-{len(server.content) - 1}/{len(server.content)}"
    send(handler, server.content[start:], 206, Content_Range=span)


def missing(handler: BaseHTTPRequestHandler, server: Server) -> None:
    send(handler, b"no such file", 404)


def hangs_up(handler: BaseHTTPRequestHandler, server: Server) -> None:
    """A server that promises all and breaks off after the first thousand bytes."""
    send(handler, server.content[:1000], Content_Length=str(len(server.content)))


def unlengthed(body: bytes) -> Answer:
    """A server that sends these bytes without saying how many they are."""
    return lambda handler, server: send(handler, body, Content_Length=None)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    state = Server("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.headers["Range"])
            state.answers[self.path.split("/")[1]](self, state)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        state.address = f"http://127.0.0.1:{listener.server_port}"
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        yield state
        listener.shutdown()
        thread.join()


def part(folder: Path, content: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "data.bin.part"
    path.write_bytes(content)
    return path


def test_a_download(server: Server, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    path = fetch(
        FILE,
        tmp_path / "deep" / "cache",
        [server.mirror(ranged)],
        lambda done, total: calls.append((done, total)),
    )
    assert path == tmp_path / "deep" / "cache" / "data.bin"
    assert path.read_bytes() == CONTENT
    assert not path.with_name("data.bin.part").exists()
    assert server.asked == [None]
    assert len(calls) > 1
    assert calls == sorted(set(calls))
    assert calls[-1] == (len(CONTENT), len(CONTENT))


def test_a_file_that_is_there_is_not_fetched(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(b"mine")
    assert fetch(FILE, tmp_path, [server.mirror(whole)]).read_bytes() == b"mine"
    assert server.asked == []


def test_an_interrupted_download_is_resumed(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=f"expected {len(CONTENT)} bytes, got 1000 before"):
        fetch(FILE, tmp_path, [server.mirror(hangs_up)])
    assert (tmp_path / "data.bin.part").read_bytes() == CONTENT[:1000]
    assert not (tmp_path / "data.bin").exists()
    calls: list[int] = []
    path = fetch(FILE, tmp_path, [server.mirror(ranged)], lambda done, _: calls.append(done))
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000-"]
    assert calls[0] > 1000


def test_the_next_mirror_resumes(server: Server, tmp_path: Path) -> None:
    fetch(FILE, tmp_path, [server.mirror(hangs_up), server.mirror(ranged)])
    assert server.asked == [None, "bytes=1000-"]
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_server_that_ignores_ranges(server: Server, tmp_path: Path) -> None:
    part(tmp_path, CONTENT[:1000])
    assert fetch(FILE, tmp_path, [server.mirror(whole)]).read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-"]


def test_a_damaged_part_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    part(tmp_path, b"x" * 1000)
    assert fetch(FILE, tmp_path, [server.mirror(ranged)]).read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-", None]


@pytest.mark.parametrize("excess", [b"", b"more"])
def test_a_damaged_part_of_full_size(server: Server, tmp_path: Path, excess: bytes) -> None:
    part(tmp_path, b"x" * len(CONTENT) + excess)
    assert fetch(FILE, tmp_path, [server.mirror(ranged)]).read_bytes() == CONTENT
    assert server.asked == [None]


def test_a_whole_part_needs_no_server(tmp_path: Path) -> None:
    part(tmp_path, CONTENT)
    assert fetch(FILE, tmp_path, ["http://127.0.0.1:9/"]).read_bytes() == CONTENT


def test_a_wrong_checksum(server: Server, tmp_path: Path) -> None:
    wrong = server.content = CONTENT[:-1] + b"?"
    with pytest.raises(DownloadError) as caught:
        fetch(FILE, tmp_path, [server.mirror(ranged)])
    got = hashlib.sha256(wrong).hexdigest()
    assert f"expected SHA-256 {FILE.sha256}, got {got}" in str(caught.value)
    assert not (tmp_path / "data.bin").exists()
    assert not (tmp_path / "data.bin.part").exists()


def test_after_a_wrong_checksum_the_next_mirror(server: Server, tmp_path: Path) -> None:
    mirrors = [server.mirror(unlengthed(bytes(len(CONTENT)))), server.mirror(ranged)]
    assert fetch(FILE, tmp_path, mirrors).read_bytes() == CONTENT
    assert server.asked == [None, None]


def test_after_a_404_the_next_mirror(server: Server, tmp_path: Path) -> None:
    mirrors = [server.mirror(missing), server.mirror(whole)]
    assert fetch(FILE, tmp_path, mirrors).read_bytes() == CONTENT


def test_after_a_refused_connection_the_next_mirror(server: Server, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening
        refusing = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        mirrors = [refusing, server.mirror(whole)]
        assert fetch(FILE, tmp_path, mirrors).read_bytes() == CONTENT


def test_every_failure_is_named(server: Server, tmp_path: Path) -> None:
    mirrors = [server.mirror(missing), server.mirror(hangs_up), "ftp://127.0.0.1/", "file:///etc/"]
    with pytest.raises(DownloadError) as caught:
        fetch(FILE, tmp_path, mirrors)
    message = str(caught.value)
    assert "data.bin: expected one of 4 mirrors to have it" in message
    assert f"{mirrors[0]}data.bin (the server answered 404 Not Found)" in message
    assert f"{mirrors[1]}data.bin (expected {len(CONTENT)} bytes, got 1000 before" in message
    assert "ftp://127.0.0.1/data.bin (expected an http or https address)" in message
    assert "file:///etc/data.bin (expected an http or https address)" in message


def test_a_page_in_place_of_the_file_is_not_kept(server: Server, tmp_path: Path) -> None:
    page = b"<html>please log in</html>"
    login = server.mirror(lambda handler, _: send(handler, page))
    with pytest.raises(DownloadError, match=f"a file of {len(CONTENT)} bytes, got {len(page)}"):
        fetch(FILE, tmp_path, [login])
    assert not (tmp_path / "data.bin.part").exists()


def test_no_more_is_written_than_the_file_has(server: Server, tmp_path: Path) -> None:
    calls: list[int] = []
    mirror = server.mirror(unlengthed(CONTENT + b"more"))
    fetch(FILE, tmp_path, [mirror], lambda done, _: calls.append(done))
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert max(calls) == len(CONTENT)


def test_a_range_from_elsewhere_is_refused(server: Server, tmp_path: Path) -> None:
    kept = part(tmp_path, CONTENT[:1000])
    odd = server.mirror(
        lambda handler, _: send(handler, CONTENT[5:], 206, Content_Range="bytes 5-9/10")
    )
    with pytest.raises(DownloadError, match="bytes from 1000, got Content-Range 'bytes 5-9/10'"):
        fetch(FILE, tmp_path, [odd])
    assert kept.read_bytes() == CONTENT[:1000]


def test_a_server_that_speaks_no_http(server: Server, tmp_path: Path) -> None:
    def greet(handler: BaseHTTPRequestHandler, server: Server) -> None:
        handler.wfile.write(b"SSH-2.0-none\r\n")

    mirror = server.mirror(greet)
    with pytest.raises(DownloadError, match="the connection broke: BadStatusLine"):
        fetch(FILE, tmp_path, [mirror])


def test_an_error_of_the_caller_s_progress_passes_through(server: Server, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(FILE, tmp_path, [server.mirror(whole)], stop)
    assert 0 < (tmp_path / "data.bin.part").stat().st_size < len(CONTENT)


def test_two_at_once_fetch_once(server: Server, tmp_path: Path) -> None:
    mirrors = [server.mirror(ranged)]
    threads = [threading.Thread(target=fetch, args=(FILE, tmp_path, mirrors)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert server.asked == [None]


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({"PELLUCID_CACHE": "/c", "XDG_CACHE_HOME": "/x"}, "linux", "/c"),
        ({"XDG_CACHE_HOME": "/x"}, "linux", "/x/pellucid"),
        ({"XDG_CACHE_HOME": "/x"}, "darwin", "/x/pellucid"),
        ({}, "linux", "~/.cache/pellucid"),
        ({"PELLUCID_CACHE": "", "XDG_CACHE_HOME": ""}, "linux", "~/.cache/pellucid"),
        ({"PELLUCID_CACHE": "~/c"}, "linux", "~/c"),
        ({}, "darwin", "~/Library/Caches/pellucid"),
        ({"LOCALAPPDATA": "/local"}, "win32", "/local/pellucid"),
        ({}, "win32", "~/.cache/pellucid"),
    ],
)
def test_the_cache_folder(environ: dict[str, str], platform: str, expected: str) -> None:
    assert cache_folder(environ, platform) == Path(expected).expanduser()
