"""Recall and precision of redaction, on documents made by hand."""

import pytest

from labkit.bench.redaction import leaks, recall_figures, staff_words
from labkit.bench.replacement import Replaced, by_kind, precision_figure, to_be_redacted

from .conftest import marked

NOBODY: frozenset[str] = frozenset()
PHONE = marked("Ring +44 7700 900123 now, order 900-55.", ("+44 7700 900123", "phone", "redact"))


@pytest.mark.parametrize(
    ("stored", "gone"),
    [
        ("Ring [phone 0a1b2c3d] now, order 900-55.", True),
        ("Ring +44 7700 900123 now", False),
        ("Ring +44-7700-900-123 now", False),
        ("Ring [phone 0a1b2c3d] 900123 now", False),
        ("Ring +44 7700 [phone 0a1b2c3d] now", False),
    ],
)
def test_an_identifier_is_gone_when_no_telling_part_of_it_is_left(case, stored, gone):
    found = leaks(case("a", stored, PHONE), NOBODY)
    assert (found.identifiers, not found.kept_identifiers) == (1, gone)


def test_a_mailbox_without_its_domain_is_still_there(case):
    clean = marked("Write to ada.byron@x.example", ("ada.byron@x.example", "email", "redact"))
    assert leaks(case("a", "Write to ada.byron at x", clean), NOBODY).kept_identifiers
    assert not leaks(case("a", "Write to [email 0a1b2c3d]", clean), NOBODY).kept_identifiers


def test_what_the_document_says_rightfully_elsewhere_is_no_leak(case):
    clean = marked("Born 01.02.1990. Valid from 01.02.1990.", ("01.02.1990", "birthdate", "redact"))
    assert not leaks(case("a", "Born [birthdate 0a1b2c3d]. Valid from 01.02.1990.", clean), NOBODY).kept_identifiers


def test_titles_and_headings_are_looked_at(case):
    clean = marked("Visit of Ada Byron\n\nAda Byron came.", ("Ada Byron", "person", "redact"),
                   ("Ada Byron", "person", "redact"))  # fmt: skip
    text = "Visit of [person 0a1b2c3d]\n\n[person 0a1b2c3d] came."
    assert not leaks(case("a", text, clean, {"title": "Visit of [person 0a1b2c3d]"}), NOBODY).kept_names
    assert leaks(case("a", text, clean, {"title": "Visit of Ada Byron"}), NOBODY).kept_names == ["Ada Byron"]
    assert leaks(case("a", text, clean, heading=("Ada Byron's visit",)), NOBODY).kept_names == ["Ada Byron"]


def test_each_mention_counts_and_a_part_of_a_name_is_a_leak(case):
    clean = marked("Ada Byron rang. Ada agreed. Byron paid.", ("Ada Byron", "person", "redact"),
                   ("Ada", "person", "redact"), ("Byron", "person", "redact"))  # fmt: skip
    found = leaks(case("a", "[person 00000001] rang. Ada agreed. [person 00000001] paid.", clean), NOBODY)
    assert (found.names, len(found.kept_names)) == (3, 1)
    stored = "[person 00000001] Byron rang. [person 00000001] agreed. [person 00000001] paid."
    found = leaks(case("a", stored, clean), NOBODY)
    assert len(found.kept_names) == 1
    assert len(leaks(case("a", clean.text, clean), NOBODY).kept_names) == 3


def test_words_inside_words_are_no_names(case):
    clean = marked("Ada came to the Adagio.", ("Ada", "person", "redact"))
    assert not leaks(case("a", "[person 0a1b2c3d] came to the Adagio.", clean), NOBODY).kept_names


def test_a_name_the_document_also_keeps_is_not_judged(case):
    clean = marked("Ada wrote. Ada answered.", ("Ada", "person", "keep"), ("Ada", "person", "redact"))
    assert leaks(case("a", clean.text, clean), NOBODY).names == 0


def test_a_first_name_that_a_colleague_shares_is_counted_apart(case):
    ours = case("s", "", marked("Ada Lovell leads the team.", ("Ada Lovell", "person", "keep")))
    alone = case("a", "Thanks, Ada", marked("Thanks, Ada", ("Ada", "person", "redact")))
    told = marked("Ada Byron rang. Thanks, Ada", ("Ada Byron", "person", "redact"), ("Ada", "person", "redact"))
    staff = staff_words([ours, alone])
    found = [leaks(alone, staff), leaks(case("b", "[person 0a1b2c3d] rang. Thanks, Ada", told), staff)]
    assert [(leak.names, leak.unattributable) for leak in found] == [(0, 1), (2, 0)]
    figures = recall_figures(found)
    assert (figures["person_name_recall"].value, figures["person_name_recall"].n) == (0.5, 2)
    assert figures["person_name_recall_all"].value == pytest.approx(1 / 3)


def test_recall_is_over_all_documents(case):
    figures = recall_figures([leaks(case("a", PHONE.text, PHONE), NOBODY), leaks(case("b", "gone", PHONE), NOBODY)])
    assert (figures["pii_recall"].value, figures["pii_recall"].n) == (0.5, 2)
    assert figures["person_name_recall"].value is None


BOTH = marked(
    "Martin (ours) wrote to the buyer. The buyer, Martin Vale, did not answer Martin.",
    ("Martin", "person", "keep"),
    ("Martin Vale", "person", "redact"),
    ("Martin", "person", "keep"),
)


def test_a_replacement_is_right_where_it_overlaps_what_is_to_go():
    clean = marked("Ask Ada Byron at Byron Pumps.", ("Ada Byron", "person", "redact"))
    assert to_be_redacted(clean, "Ada Byron")
    assert to_be_redacted(clean, "Ask Ada Byron")
    assert not to_be_redacted(clean, "Pumps")
    assert not to_be_redacted(clean, "nowhere in it")


def test_the_words_around_decide_where_policy_differs():
    assert to_be_redacted(BOTH, "Martin", "The buyer, ", " Vale, did not")
    assert not to_be_redacted(BOTH, "Martin", "", " (ours) wrote to the")
    assert not to_be_redacted(BOTH, "Martin", "did not answer ", ".")


def test_a_value_the_parser_read_differently_counts_by_what_it_holds():
    clean = marked("IBAN DE12 3456", ("DE12 3456", "iban", "redact"))
    assert to_be_redacted(clean, "No. DE12 3456 EUR")


def test_precision_counts_spans_of_all_kinds():
    spans = [
        Replaced("a", "phone", "1", True),
        Replaced("a", "person", "Burr", False),
        Replaced("b", "person", "A", True),
    ]
    assert precision_figure(spans)["pii_precision"].value == pytest.approx(2 / 3)
    assert by_kind(spans) == [
        {"kind": "person", "replaced": 2, "right": 1},
        {"kind": "phone", "replaced": 1, "right": 1},
    ]
