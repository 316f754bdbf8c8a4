"""Counts and sizes for people."""

from __future__ import annotations

import pytest

from pellucid.figures.units import count, size


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (9_999, "9,999"), (10_000, "10.0 k"), (36_949, "36.9 k"), (999_499, "999 k"),
     (999_500, "1.00 M"), (1_500_000, "1.50 M"), (2 * 10**9, "2.00 G"), (5 * 10**21, "5,000 E")],
)  # fmt: skip
def test_long_numbers_have_a_prefix(number: int, text: str) -> None:
    assert count(number) == text


def test_sizes_have_a_unit() -> None:
    assert (size(512), size(36_900)) == ("512 B", "36.9 kB")
