"""Code on disk: loaded where it is whole, the user's own and made for this machine, else not."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import pellucid
from pellucid import Tensor
from pellucid.compiler import program, threads
from pellucid.compiler.llvm import cache, target
from pellucid.compiler.llvm.cache import HEADER, VARIABLE, Cache, digest
from pellucid.compiler.llvm.target import AVX2, SSE2, Target, host

posix = pytest.mark.skipif(sys.platform == "win32", reason="owners and modes are POSIX's")
NAMES = [f"{number:064x}" for number in range(8)]
ONE, TWO, THREE, FOUR, *_ = NAMES


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that programs are kept in, which is not there yet."""
    threads.functions()  # compiled once in a process, elsewhere
    path = tmp_path / "cache" / "compiled"
    monkeypatch.setenv(VARIABLE, str(path))
    return path


def run() -> None:
    """Compile a function anew, and check what it computes."""
    x = np.linspace(-1, 1, 7)
    compiled = pellucid.compile(lambda x: x.exp() + 1)
    assert np.allclose(compiled(Tensor(x)).data, np.exp(x) + 1, rtol=1e-12)
    assert compiled.bound(Tensor(x)).traced.program is not None


def entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def unused(*_: Any) -> Any:
    raise AssertionError("expected a program from the cache, got one compiled")


def refuse(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


# Programs


def test_a_program_is_compiled_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    (entry,) = entries(folder)
    with monkeypatch.context() as patch:
        patch.setattr(cache, "compile_object", unused)
        patch.setattr(program.nest, "emit", unused)  # no text is made either
        run()
    assert entries(folder) == [entry]


def test_another_process_loads_it(folder: Path) -> None:
    script = (
        "import numpy, pellucid\n"
        "from pellucid.compiler.llvm import cache\n"
        "if {warm}: cache.compile_object = None\n"
        "print(pellucid.compile(lambda x: x * 3)(pellucid.Tensor(numpy.ones(5))).data.sum())\n"
    )
    for warm in (False, True):
        command = [sys.executable, "-c", script.format(warm=warm)]
        assert (
            subprocess.run(command, check=True, capture_output=True, text=True).stdout == "15.0\n"
        )
    assert len(entries(folder)) == 2  # the program, and the runtime for threads


def test_the_text_is_there_when_it_is_asked_for(folder: Path) -> None:
    x = Tensor(np.ones(3))
    texts = []
    for _ in range(2):  # the second one is loaded
        compiled = pellucid.compile(lambda x: x + 2)
        traced = compiled.bound(x).traced
        assert traced.program is not None
        texts.append(traced.program.text)
    assert texts[0] == texts[1]
    assert "define void @step" in texts[0]


def test_programs_with_one_key_have_one_text() -> None:
    functions: list[Callable[[Tensor], Tensor]] = [
        lambda x: x + 1, lambda x: x + 2, lambda x: x * 2, lambda x: x @ x, lambda x: x.sum(),
        lambda x: x.sum(axis=0), lambda x: x.mT + x, lambda x: x.exp(), lambda x: x[1:],
    ]  # fmt: skip
    texts: dict[str, str] = {}
    count = 0
    for function in functions:
        for dtype in (np.float32, np.float64):
            for size in (4, 5):
                x = Tensor(np.ones((size, size), dtype))
                made = pellucid.compile(function).bound(x).traced.program
                assert made is not None
                assert texts.setdefault(made.key(), made.text) == made.text
                count += 1
    assert len(texts) == count  # and these are all different


# What an entry is for


def test_another_processor_has_other_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = host()
    wider = Target(mine.name, mine.features, 2 * mine.vector_bytes, mine.registers, mine.fma)
    plainer = Target(mine.name, "-avx2", mine.vector_bytes, mine.registers, mine.fma)
    names = {digest("key", one) for one in (mine, wider, plainer, AVX2, SSE2)}
    names.add(digest("another", mine))
    triple = target.binding().get_default_triple
    for version in ((1, 0, 0), (1, 0, 1)):
        llvm = SimpleNamespace(llvm_version_info=version, get_default_triple=triple)
        with monkeypatch.context() as patch:
            patch.setattr(target, "binding", lambda llvm=llvm: llvm)
            names.add(digest("key", mine))
    with monkeypatch.context() as patch:
        patch.setattr(cache, "source", lambda: "changed")
        names.add(digest("key", mine))
    assert len(names) == 9


def test_a_changed_source_outdates_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for text in ("x = 1\n", "x = 2\n", "x = 1\n"):
        (tmp_path / "emitter.py").write_text(text)
        os.utime(tmp_path / "emitter.py", (0, 0))
        monkeypatch.setattr(cache, "COMPILER", tmp_path)
        found.append(cache.source.__wrapped__())
    assert found[0] == found[2] != found[1]


def test_a_process_that_runs_an_older_source_keeps_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "IMPORTED", 0.0)
    monkeypatch.setattr(cache, "source", cache.source.__wrapped__)
    run()
    assert not folder.exists()
    assert "the compiler was changed" in cache.state()


# What is not whole, or not what it should be

DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "part of the header": lambda content: content[: HEADER.size - 1],
    "truncated": lambda content: content[:-1],
    "longer": lambda content: content + b"\0",
    "another code": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "another digest": lambda content: content[:12] + bytes(32) + content[44:],
    "another magic": lambda content: b"foreign!" + content[8:],
    "another format": lambda content: content[:11] + b"\xff" + content[12:],
    "no entry": lambda content: b"\x7fELF" + bytes(200),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_entry_is_replaced(
    folder: Path, damage: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    (entry,) = entries(folder)
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    run()
    assert entries(folder) == [entry]
    assert entry.read_bytes() == whole
    monkeypatch.setattr(cache, "compile_object", unused)
    run()


def test_an_entry_counts_under_its_own_name_alone(tmp_path: Path) -> None:
    kept = Cache(tmp_path / "compiled")
    kept.put(ONE, b"code")
    (entry,) = entries(kept.folder)
    entry.rename(entry.with_name(entry.name.replace(ONE, TWO)))
    assert kept.get(TWO) is None
    assert kept.get(ONE) is None


@posix
def test_the_folder_and_its_entries_are_private(folder: Path) -> None:
    before = os.umask(0o002)
    try:
        run()
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert entries(folder)[0].stat().st_mode & 0o777 == 0o600


@posix
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_write_to_is_not_used(folder: Path, mode: int) -> None:
    run()
    (entry,) = entries(folder)
    whole = entry.read_bytes()
    entry.write_bytes(b"")
    folder.chmod(mode)
    run()
    assert entry.read_bytes() == b""
    assert "expected a folder that only its owner, you, can write to" in cache.state()
    entry.write_bytes(whole)
    assert Cache(folder).get(entry.name.partition(".")[0]) is None


@posix
def test_a_link_to_a_folder_is_not_used(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(0o700)
    folder.parent.mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    run()
    assert list(folder.iterdir()) == []
    assert "got a file or a link" in cache.state()


@posix
def test_what_belongs_to_somebody_else_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Cache(tmp_path / "compiled")
    kept.put(ONE, b"code")
    assert kept.get(ONE) == b"code"
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    assert kept.get(ONE) is None
    kept.put(TWO, b"code")
    assert len(entries(kept.folder)) == 1


@posix
@pytest.mark.parametrize("kind", ["writable", "link", "pipe", "folder"])
def test_an_entry_is_a_file_that_only_the_user_writes(tmp_path: Path, kind: str) -> None:
    kept = Cache(tmp_path / "compiled")
    kept.put(ONE, b"code")
    (entry,) = entries(kept.folder)
    if kind == "writable":
        entry.chmod(0o620)
    else:
        entry.rename(tmp_path / "moved")
    if kind == "link":
        entry.symlink_to(tmp_path / "moved")
    elif kind == "pipe":
        os.mkfifo(entry)
    elif kind == "folder":
        entry.mkdir()
    assert kept.get(ONE) is None
    kept.put(ONE, b"code")
    assert kept.get(ONE) == (None if kind == "folder" else b"code")


# Where there is no cache


def test_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "off")
    run()
    assert not folder.parent.exists()
    assert "off" in cache.state()


def test_the_folder_is_in_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.folder({"PELLUCID_CACHE": str(tmp_path)}) == tmp_path / "compiled"
    assert cache.folder({VARIABLE: str(tmp_path), "PELLUCID_CACHE": "/c"}) == tmp_path
    assert cache.folder({VARIABLE: "", "PELLUCID_CACHE": str(tmp_path)}) == tmp_path / "compiled"

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert cache.folder({}) is None


def test_a_file_in_the_place_of_the_folder(folder: Path) -> None:
    folder.parent.write_text("mine")
    run()
    assert folder.parent.read_text() == "mine"
    assert "is not used" in cache.state()


@pytest.mark.parametrize(
    ("module", "name"), [(tempfile, "mkstemp"), (os, "replace"), (os, "utime"), (os, "scandir")]
)
def test_no_error_of_the_disk_is_seen(
    folder: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, name, refuse)
        run()
        run()
    assert [path for path in entries(folder) if path.suffix == ".part"] == []


# Size


def test_the_least_recently_used_go(tmp_path: Path) -> None:
    size = 1000
    kept = Cache(tmp_path / "compiled", limit=3 * (HEADER.size + size))
    for number, name in enumerate((ONE, TWO, THREE)):
        kept.put(name, bytes(size))
        os.utime(kept.folder / f"{name}.object", (number, number))
    assert kept.get(ONE) is not None  # now the last one used
    kept.put(FOUR, bytes(size))
    assert [kept.get(name) is not None for name in (ONE, TWO, THREE, FOUR)] == [
        True, False, True, True,
    ]  # fmt: skip


def test_what_is_larger_than_everything_is_not_kept(tmp_path: Path) -> None:
    kept = Cache(tmp_path / "compiled", limit=1000)
    kept.put(ONE, bytes(500))
    kept.put(TWO, bytes(1000))
    assert kept.get(ONE) == bytes(500)
    assert kept.get(TWO) is None


def test_only_entries_are_removed(tmp_path: Path) -> None:
    kept = Cache(tmp_path, limit=1000)
    tmp_path.chmod(0o700)
    others = [tmp_path / "thesis.txt", tmp_path / "a.object", tmp_path / f"{ONE}.pdf"]
    for path in others:
        path.write_bytes(bytes(5000))
        os.utime(path, (0, 0))
    left = tmp_path / f"{TWO}.object.x.part"  # by a process that was killed
    left.write_bytes(bytes(900))
    os.utime(left, (0, 0))
    kept.put(ONE, bytes(500))
    assert entries(tmp_path) == sorted([*others, tmp_path / f"{ONE}.object"])


def test_state_counts(folder: Path) -> None:
    run()
    assert cache.state() == f"{folder}: 1 compiled, 0.0 MB"


WRITER = """
import random, sys
from pathlib import Path
from pellucid.compiler.llvm.cache import Cache

kept, chance, hits = Cache(Path(sys.argv[1]), limit=20_000), random.Random(int(sys.argv[2])), 0
for _ in range(400):
    name = f"{chance.randrange(40):064x}"
    code = kept.get(name)
    if code is None:
        kept.put(name, name.encode() * 30)
    else:
        assert code == name.encode() * 30
        hits += 1
print(hits)
"""


def test_many_processes_share_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "compiled"
    command = [sys.executable, "-c", WRITER, str(path)]
    running = [
        subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE, text=True)
        for seed in range(4)
    ]
    hits = [int(process.communicate()[0]) for process in running]
    assert [process.returncode for process in running] == [0] * 4
    assert min(hits) > 0
    entry = HEADER.size + 64 * 30
    sizes = [file.stat().st_size for file in path.iterdir()]
    assert set(sizes) == {entry}
    assert sum(sizes) <= 20_000 + 4 * (20_000 // 16 + entry)  # what each may add before it looks
