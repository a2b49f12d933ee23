"""Signatures and legal notices go, and nothing else of a message does."""

import pytest

from labkit.ingest.parse import parse
from labkit.ingest.parse.signature import trim_message

LEGAL = [
    "This e-mail and any attachments are confidential and may be legally privileged.",
    "If you have received this message in error, please delete it.",
    "This message is intended only for the addressee named above.",
    "Please consider the environment before printing this mail.",
    "Diese E-Mail kann vertrauliche Informationen enthalten.",
    "Any views expressed in this message are those of the author and not necessarily of the company.",
]


@pytest.mark.parametrize("notice", LEGAL)
def test_a_legal_notice_goes_only_at_the_end(notice: str) -> None:
    assert trim_message(f"It holds.\n\nRegards, Ida\n\n{notice}\n").rstrip() == "It holds.\n\nRegards, Ida"
    in_the_middle = f"The footer we agreed on says:\n\n{notice}\n\nDo you like it?\n"
    assert trim_message(in_the_middle) == in_the_middle
    assert trim_message(notice) == notice  # a mail that says nothing else says this


def test_a_signature_ends_where_the_quoted_mail_begins() -> None:
    mail = "New.\n\n-- \nIda Öst\n+47 22 00 00 00\n\nOn Thu, 13 Mar 2025, Bo wrote:\n> Old.\n>\n> -- \n> Bo\n> Oslo\n"
    kept = trim_message(mail)
    assert [line for line in kept.split("\n") if line.strip(" >")] == [
        "New.", "On Thu, 13 Mar 2025, Bo wrote:", "> Old.",
    ]  # fmt: skip


def test_without_the_delimiter_a_name_stays() -> None:
    mail = "It holds.\n\nKind regards\nIda Öst\nWelding, room 4, telephone 22 00\n"
    assert trim_message(mail) == mail


def test_a_rule_is_no_signature() -> None:
    mail = "Steps\n--\n" + "\n".join(f"step {number}" for number in range(30))
    assert trim_message(mail) == mail


def test_the_defect_is_named_and_dates_are_plain() -> None:
    mail = b"From: a@example.com\nSubject: x\nDate: Fri, 14 Mar 2025 09:12:00 +0000\n\nText.\n\n-- \nAnn\n"
    parsed = parse("eml", mail)
    assert [block.text for block in parsed.blocks] == ["x", "From: a@example.com\nDate: 2025-03-14 09:12", "Text."]
    assert (parsed.defects, parsed.metadata["date"]) == (["boilerplate"], "2025-03-14")
