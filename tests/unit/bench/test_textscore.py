"""Text scores: what counts, what does not, and what is fair."""

import pytest

from labkit.bench.textscore import difference, repaired_characters, stored_text, text_f1, token_f1, true_text
from labkit.bench.truth import Clean, Personal

from .conftest import document, marked


def test_layout_and_order_do_not_count_but_words_and_signs_do():
    assert token_f1("Torque: 18 N·m\n\n• first", "first | torque 18 N m") == 1.0
    assert token_f1("18 %", "18") < 1.0
    assert token_f1("one two three four", "one two") == pytest.approx(2 * 2 / 6)
    assert token_f1("", "") == 1.0
    assert token_f1("one", "") == 0.0


def test_repeated_text_costs_precision():
    assert token_f1("a b c", "a b c a b c") == pytest.approx(2 * 3 / 9)


def test_difference_names_what_is_missing_and_what_is_too_much():
    assert difference("a b b", "a c") == ("b", "c")


def test_the_title_counts_once():
    twice = document("a", "Pump manual\n\nTurn it.", title="Pump manual")
    apart = document("b", "Turn it.", title="Pump manual")
    assert token_f1("Pump manual\n\nTurn it.", stored_text(twice)) == 1.0
    assert token_f1("Pump manual\n\nTurn it.", stored_text(apart)) == 1.0


def test_redaction_is_neither_punished_nor_ignored():
    clean = marked("Call Ada Byron on 01632 960 123.", ("Ada Byron", "person", "redact"),
                   ("01632 960 123", "phone", "redact"))  # fmt: skip
    gone = document("a", "Call [person 3fa9c1d2] on [phone 00ab12cd].", title="Call [person 3fa9c1d2]")
    stayed = document("b", "Call Ada Byron on 01632 960 123.", title="Call")
    too_much = document("c", "Call [person 3fa9c1d2] [person aaaabbbb] [phone 00ab12cd].", title="Call")
    assert text_f1(clean, gone) == 1.0
    assert text_f1(clean, stayed) < 0.7
    assert text_f1(clean, too_much) < 1.0


def test_kept_names_are_part_of_the_truth():
    clean = marked("Ada Byron signed.", ("Ada Byron", "person", "keep"))
    assert text_f1(clean, document("a", "[person 3fa9c1d2] signed.")) < 1.0


TABLE = "Prices\n\nPart | Price\nbelt | 4 EUR\nidler | 5 EUR\n\nEnd."
START = TABLE.index("Part")
CLEAN = Clean(TABLE, tables=((START, TABLE.index("\n\nEnd")),))


def test_tables_are_expected_with_their_headers_in_each_row():
    assert true_text(CLEAN) == "Prices\n\nPart: belt | Price: 4 EUR\nPart: idler | Price: 5 EUR\n\nEnd."
    named = document("a", true_text(CLEAN), format="html")
    plain = document("b", TABLE, format="html")
    assert text_f1(CLEAN, named) == 1.0
    assert text_f1(CLEAN, plain) < 1.0


def test_formats_without_tables_may_leave_them_plain():
    assert text_f1(CLEAN, document("a", TABLE, format="eml")) == 1.0
    assert text_f1(CLEAN, document("a", true_text(CLEAN), format="eml")) == 1.0


def test_a_redacted_cell_of_a_table_is_left_out_with_its_header():
    start = TABLE.index("4 EUR")
    clean = Clean(TABLE, CLEAN.tables, (Personal(start, start + 5, "card", "redact", "4 EUR"),))
    assert "Part: belt\n" in true_text(clean)


def test_letters_count_when_their_word_is_right():
    clean = Clean("Zieliński sagt “Größe” – nicht Grösse")
    assert repaired_characters(clean, document("a", clean.text)) == (7, 7)
    right, total = repaired_characters(clean, document("b", "ZieliÅ„ski sagt “Größe” – nicht Grösse"))
    assert (right, total) == (6, 7)
    assert repaired_characters(clean, document("c", "Zielinski sagt Grosse"))[0] == 0
