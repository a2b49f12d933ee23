"""Text made to be slow: the work must grow with its length, not with its square.

No clock decides: the texts are so long that a method that is quadratic in them would not come back within the hour.
"""

from __future__ import annotations

import pytest

from labkit.pii import Policy, Redactor, Roster, find, people_evidence

MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    "unit",
    ["a@", "a.", "+4", "1 ", "1.", ":", "::1", "Aa ", "(0", "a@a.", "DE12", "born ", "1 A", "\u00e9", "[", "[person "],
)
def test_a_long_text_of_one_thing_comes_back(unit: str) -> None:
    find([unit * (MEGABYTE // 10 // len(unit))])


@pytest.mark.parametrize("letter", ["7", "Q", "@"])
def test_ten_megabytes_without_a_break_come_back_unchanged(letter: str) -> None:
    text = letter * (10 * MEGABYTE)
    result = Redactor(Policy(), Roster(), b"k" * 16).redact([text])
    assert result.texts == [text]
    assert result.spans == []


@pytest.mark.parametrize("unit", ["Q", "Q ", "Qa ", "\nQa Qb", "Owner: Q "])
def test_evidence_of_a_long_text_comes_back(unit: str) -> None:
    assert people_evidence([unit * (MEGABYTE // 2 // len(unit)) + " ext"], {}).authors == ()
