"""Every exhibit of the museum: the wrong code is caught, the right code is not."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from cli.commands import Command
from cli.conftest import command
from pellucid import museum
from pellucid.museum import EXHIBITS, ROOMS, Exhibit

__all__ = ["command"]  # the fixture
FOLDER = Path(museum.__file__).parent


def test_there_is_much_to_see() -> None:
    assert len(EXHIBITS) == sum(map(len, ROOMS.values())) >= 15


@pytest.mark.parametrize("name", EXHIBITS)
def test_the_check_catches_the_wrong_code_alone(name: str) -> None:
    one = EXHIBITS[name]
    complaint = one.check(one.wrong)
    assert len(complaint) > 15
    assert one.check(one.right) == ""
    assert one.check(one.wrong) == complaint


@pytest.mark.parametrize("name", EXHIBITS)
def test_the_symptom_is_seen(name: str) -> None:
    one = EXHIBITS[name]
    wrong, right = one.measure(one.wrong), one.measure(one.right)
    assert wrong != right
    assert (wrong, right) == (one.measure(one.wrong), one.measure(one.right))


@pytest.mark.parametrize("name", EXHIBITS)
def test_the_page_shows_the_code_that_runs(name: str) -> None:
    one = EXHIBITS[name]
    page = one.shown()
    assert page.startswith(f"{name}: {one.title()}\n")
    for part in ("wrong", "right", "check"):
        code = one.source(part)
        assert code.startswith(f"def {part}(")
        assert code.split("\n")[0] in inspect.getsource(getattr(one, part))
        assert code.split("\n")[-1].strip() in page
    assert " ".join(one.check(one.wrong).split()) in " ".join(page.split())
    assert "the check says: nothing" in page
    assert len(one.story()) > 100


def test_the_page_of_the_reference_names_every_exhibit() -> None:
    page = (Path(__file__).parents[2] / "docs" / "api" / "museum.md").read_text(encoding="utf-8")
    rows = []
    for room, exhibits in ROOMS.items():
        rows += [f"| **{room}** | |", *(f"| `{one.name}` | {one.title()} |" for one in exhibits)]
    assert page.split("| --- | --- |\n")[1].splitlines() == rows


def test_every_exhibit_is_in_a_room() -> None:
    def below(kind: type[Exhibit]) -> set[type[Exhibit]]:
        return {kind for kind in kind.__subclasses__() if kind.__module__.startswith("pellucid")}

    assert below(Exhibit) == set(EXHIBITS.values())


def test_a_misspelt_name_is_answered() -> None:
    with pytest.raises(ValueError, match=r"unknown exhibit 'softmax-twise'.* mean 'softmax-twice'"):
        museum.exhibit("softmax-twise")


def test_the_command(command: Command) -> None:
    listed = command("museum")
    assert listed.status == 0
    assert all(name in listed.out for name in EXHIBITS)
    assert all(one.title() in listed.out for one in EXHIBITS.values())
    two = command("museum", "all-pairs", "last-rows")
    assert EXHIBITS["all-pairs"].shown() in two.out
    assert EXHIBITS["last-rows"].shown() in two.out
    everything = command("museum", "--all")
    assert everything.out.count("the wrong code:") == len(EXHIBITS)
    wrong = command("museum", "softmax")
    assert wrong.status == 2
    assert "unknown exhibit 'softmax'" in wrong.err
