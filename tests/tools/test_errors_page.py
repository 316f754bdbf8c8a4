"""Forty-two wrong programs: docs/errors.md shows the message of each, and each message helps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import errors_page
from pellucid.elsewhere import CHOICES
from pellucid.errors import unknown
from pellucid.nn import ACTIVATIONS, LOSSES
from pellucid.train import metrics

TEXT = errors_page.PAGE.read_text(encoding="utf-8")
PROGRAMS = errors_page.programs(TEXT)


def test_there_are_forty_two_programs_numbered_in_order() -> None:
    assert [int(title.split(".")[0]) for title in PROGRAMS] == list(range(1, 43))


@pytest.mark.parametrize("title", PROGRAMS)
def test_a_message_says_what_was_expected_and_what_to_do(title: str) -> None:
    said = errors_page.message(PROGRAMS[title])
    kind, _, text = said.partition(": ")
    assert kind in {"ShapeError", "ValueError", "TypeError", "GraphError"}
    assert re.search(r"expected|takes|has no", text)
    assert re.search(r"; |: softmax of one|: were they", text), "no fix"
    assert len(said) < 330
    shown = TEXT.split(f"### {title}\n")[1].split("```text\n")[1].split("\n```")[0]
    assert " ".join(shown.split()) == " ".join(said.split())


def test_the_page_is_as_its_tool_writes_it() -> None:
    assert errors_page.main(["--check"]) == 0


def test_an_old_message_is_found_and_rewritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "errors.md"
    page.write_text(TEXT.replace("(32, 128)", "(32, 129)", 1), encoding="utf-8")
    assert errors_page.main(["--check"], page) == 1
    assert "python tools/errors_page.py" in capsys.readouterr().err
    assert errors_page.main([], page) == 0
    assert page.read_text(encoding="utf-8") == TEXT


def test_a_program_without_an_error_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a program that gives an error"):
        errors_page.message("x = 1")


@pytest.mark.parametrize("name", ["binary_crossentropy", "mean_squared_error", "l1", "kl_div"])
def test_what_other_libraries_call_a_loss_is_understood(name: str) -> None:
    assert f"did you mean {CHOICES[name]!r}?" in str(unknown("loss", name, LOSSES))
    assert CHOICES[name] in LOSSES


def test_every_name_that_is_suggested_is_known() -> None:
    assert set(CHOICES.values()) <= {*LOSSES, *ACTIVATIONS, *metrics.__all__}
    for metric in ("acc", "r2_score", "auc"):
        with pytest.raises(ValueError, match=f"did you mean '{CHOICES[metric]}'"):
            metrics.get(metric)


def test_a_name_of_another_kind_is_not_suggested() -> None:
    assert "did you mean" not in str(unknown("activation", "kl_div", ACTIVATIONS))
