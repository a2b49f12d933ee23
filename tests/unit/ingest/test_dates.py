"""Dates as people write them, and what a document says about its own validity, version and kind."""

from datetime import date

import pytest

from labkit.ingest.dates import parse_date, validity
from labkit.ingest.label import stated_class, stated_version


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2025-03-14", date(2025, 3, 14)),
        ("2025-03-14T10:00:00Z", date(2025, 3, 14)),
        ("14 March 2025", date(2025, 3, 14)),
        ("14th of March, 2025", date(2025, 3, 14)),
        ("14. März 2025", date(2025, 3, 14)),
        ("March 14, 2025", date(2025, 3, 14)),
        ("05-Jul-2001", date(2001, 7, 5)),
        ("Fri, 3 Jan 2025 09:12:00 +0100", date(2025, 1, 3)),
        ("14.03.2025", date(2025, 3, 14)),
        ("03/04/2025", date(2025, 4, 3)),  # day first
        ("03/14/2025", date(2025, 3, 14)),  # unless impossible
        ("May 2025", date(2025, 5, 1)),
        ("31 April 2025", None),
        ("4/5", None),
        ("part 2025-99-99", None),
        ("", None),
    ],
)
def test_parse_date(written: str, meant: date | None) -> None:
    assert parse_date(written) == meant


@pytest.mark.parametrize(
    ("text", "metadata", "expected"),
    [
        ("Effective from 1 March 2025. Date: 2025-02-01", {}, (date(2025, 3, 1), None)),
        ("Effective date: **2025-03-01**", {}, (date(2025, 3, 1), None)),
        ("Valid from 01.03.2025 until 31.12.2025", {}, (date(2025, 3, 1), date(2026, 1, 1))),
        ("Valid from 2025-03-01\nValid until: 2025-12-31", {}, (date(2025, 3, 1), date(2026, 1, 1))),
        ("Policy\n\nDate: 3 May 2024\n\nText", {}, (date(2024, 5, 3), None)),
        ("Text", {"created": "05-Jul-2001"}, (date(2001, 7, 5), None)),
        ("Text", {"date": "2024-01-01", "effective date": "2024-02-01"}, (date(2024, 2, 1), None)),
        ("This guide is withdrawn as of 2025-09-22.", {"date": "2024-01-01"}, (date(2024, 1, 1), date(2025, 9, 22))),
        # A notice about the end of something else holds on.
        ("Revision B is withdrawn as of 2025-09-22.", {"date": "2025-09-22"}, (date(2025, 9, 22), None)),
        ("The licence of the tool expires on 2025-09-22.", {}, (None, None)),
        ("We were effective in the meeting of 2025-03-01.", {}, (None, None)),
        ("Nothing here.", {}, (None, None)),
        ("Valid from 2025-03-01\nValid until 2024-01-01", {}, (date(2025, 3, 1), None)),
    ],
)
def test_validity(text: str, metadata: dict[str, str], expected: tuple[date | None, date | None]) -> None:
    assert validity(text, metadata) == expected


def test_what_a_program_filled_in_counts_last() -> None:
    metadata = {"created": "2026-01-01"}
    weak = frozenset({"created"})
    assert validity("Date: 2024-05-03", metadata, weak=weak)[0] == date(2024, 5, 3)
    assert validity("no statement", metadata, weak=weak)[0] == date(2026, 1, 1)


def test_only_the_top_counts_and_white_space_cannot_stall_it() -> None:
    assert validity("x " * 5000 + "Effective from 2025-01-01", {}) == (None, None)
    assert validity("effective" + " " * 100_000 + "x", {}) == (None, None)


@pytest.mark.parametrize(
    ("title", "text", "metadata", "version"),
    [
        ("Torque sheet Rev. C2", "", {}, "C2"),
        ("Manual v2.1.0", "", {}, "2.1.0"),
        ("Manual", "Version: 2.1\nText", {}, "2.1"),
        ("Manual", "Doc 12 | Rev B | 2025", {}, "B"),
        ("Manual", "", {"version": "3.0"}, "3.0"),
        ("Manual", "Works on Python version 3.3 and later versions.", {}, ""),
    ],
)
def test_stated_version(title: str, text: str, metadata: dict[str, str], version: str) -> None:
    assert stated_version(title, text, metadata) == version


def test_stated_class() -> None:
    assert stated_class("markdown", "Runbook review minutes", {}) == "minutes"
    assert stated_class("markdown", "anything", {"type": "Change Notice"}) == "change_notice"
    assert stated_class("eml", "Re: policy", {}) == "mail"
    assert stated_class("text", "Nothing to see", {}) == ""
