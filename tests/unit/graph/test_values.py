from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.graph import values as reading
from labkit.graph.schema import Relation, Schema
from labkit.graph.values import days, quantities, since, stated

SHIPPED = Schema.load().relation


def of(*units):
    return Relation(subject="part", value="number", units=units)


def numbers(text, *units):
    return [value.number for value in quantities(text, of(*units))]


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ("12 kg", "kg", 12),
        ("12kg", "kg", 12),
        ("12-kg load", "kg", 12),
        ("2.5 kg", "kg", 2.5),
        ("2,5 kg", "kg", 2.5),
        ("1,200 EUR", "EUR", 1200),
        ("1 200 EUR", "EUR", 1200),
        ("1,200.50 EUR", "EUR", 1200.5),
        ("1,234,567 EUR", "EUR", 1234567),
        ("EUR 1,200", "EUR", 1200),
        ("EUR 12.50.", "EUR", 12.5),
        ("ext. 4471", "ext.", 4471),
        ("(12 kg)", "kg", 12),
        ("12 kg.", "kg", 12),
    ],
)
def test_a_number_with_its_unit_before_or_behind(text, unit, number):
    assert numbers(text, unit) == [number]


@pytest.mark.parametrize(
    "text",
    ["", "12", "kg", "kg kg", "12 g", "12 kgs", "12 kg/h", "BT-12 kg", "v1.12 kg", "-12 kg", "10-12 kg", "12  kg",
     "twelve kg", "12 kg per hour", "pkg 12"],
)  # fmt: skip
def test_other_numbers_and_other_units_are_none(text):
    assert numbers(text, "kg") == []


def test_a_rate_is_no_price_and_a_price_no_rate():
    assert numbers("500 EUR per hour", "EUR") == []
    assert numbers("500 EUR/hour", "EUR") == []
    assert numbers("500 EUR per hour", "EUR per hour") == [500]
    assert numbers("500 EUR", "EUR per hour") == []
    assert numbers("250 k EUR", "EUR") == []
    assert numbers("250 k EUR", "k EUR") == [250]


def test_units_are_told_by_their_first_way_of_writing_the_longest_found_first():
    found = quantities("It runs 8 hrs, then 2 h and 1 hours.", SHIPPED["product.runtime"])
    assert [(value.text, value.number, value.unit) for value in found] == [
        ("8 hrs", 8, "hours"), ("2 h", 2, "hours"), ("1 hours", 1, "hours"),
    ]  # fmt: skip


def test_a_unit_is_not_found_in_its_compound():
    assert numbers("12 N·m", "N") == []
    assert [value.number for value in quantities("12 N·m, 13 Nm, 14 N m", SHIPPED["part.torque"])] == [12, 13, 14]


def test_units_are_no_patterns():
    assert numbers("12 m2", "m.") == []
    assert numbers("12 (x", "(x") == [12]


@pytest.mark.parametrize(
    "text",
    ["2025-03-14", "14 March 2025", "14th of March 2025", "14. Mar 2025", "March 14, 2025", "Mar. 14th 2025",
     "14.03.2025", "14/3/2025", "3/14/2025", "14 MARCH 2025"],
)  # fmt: skip
def test_a_day_however_it_is_written(text):
    (day,) = days(f"On {text} it began.")
    assert day.number == date(2025, 3, 14).toordinal()
    assert day.text == text


@pytest.mark.parametrize("text", ["", "2025", "March 2025", "31 April 2025", "2025-02-30", "31.4.2025", "1.2.3", "Q1"])
def test_what_is_no_day(text):
    assert days(text) == []


def test_several_days_in_their_order():
    assert [day.text for day in days("From 2025-01-02 to 3 Feb 2025")] == ["2025-01-02", "3 Feb 2025"]


SEPARATORS = st.sampled_from(["", " ", ","])


@settings(deadline=None)
@given(st.integers(0, 10**12), SEPARATORS, st.sampled_from(["{} kg", "{}kg", "{}-kg", "kg {}"]))
def test_whole_numbers_come_back_whatever_parts_their_thousands(number, separator, form):
    text = form.format(f"{number:,}".replace(",", separator))
    (value,) = quantities(f"It has {text} now", of("kg"))
    assert value.number == number
    assert value.text == text


@settings(deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 99), st.sampled_from([",", " "]))
def test_two_decimals_come_back_with_their_thousands(whole, cents, separator):
    written = f"{whole:,}".replace(",", separator) + f".{cents:02}"
    assert numbers(f"{written} EUR", "EUR") == [pytest.approx(whole + cents / 100)]


@settings(deadline=None)
@given(st.integers(0, 999_999), st.integers(0, 99))
def test_a_decimal_comma_counts_where_no_three_digits_follow(whole, cents):
    assert numbers(f"{whole},{cents:02} EUR", "EUR") == [pytest.approx(whole + cents / 100)]


@settings(deadline=None)
@given(st.dates(date(1900, 1, 1), date(2200, 12, 31)), st.sampled_from(["%Y-%m-%d", "%d %B %Y", "%B %d, %Y"]))
def test_every_day_comes_back(day, form):
    assert [value.number for value in days(f"({day.strftime(form)})")] == [day.toordinal()]


@settings(deadline=None)
@given(st.text())
def test_any_text_is_read_and_spans_hold_the_values(text):
    for value in (*quantities(text, of("h", "EUR")), *days(text)):
        assert text[value.start : value.end] == value.text


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ("0.125 kg", "kg", 0.125), ("3.141 m/s", "m/s", 3.141), ("1234,567 kg", "kg", 1234.567),
        ("0,125 kg", "kg", 0.125),
        ("1\u202f200 EUR", "EUR", 1200), ("1\u2009200 EUR", "EUR", 1200), ("1.200,50 EUR", "EUR", 1200.5),
        ("1.234.567 EUR", "EUR", 1234567), ("EUR12.50", "EUR", 12.5), ("kg0", "kg", 0), ("ext.4471", "ext.", 4471),
        ("EUR 400 per hour", "EUR per hour", 400), ("400 EUR/hour", "EUR per hour", 400),
        ("EUR 400/hour", "EUR per hour", 400), ("net 30 days", "days net", 30), ("EUR 710k", "k EUR", 710),
        ("k EUR 250", "k EUR", 250),
    ],
)  # fmt: skip
def test_numbers_and_units_in_other_ways_of_writing(text, unit, number):
    assert numbers(text, unit) == [number]


@pytest.mark.parametrize(
    ("text", "unit"),
    [("EUR 500 per hour", "EUR"), ("EUR 500/hour", "EUR"), ("k EUR 250", "EUR"), ("EUR 710k", "EUR"),
     ("10–15 kg", "kg"),
     ("10 – 15 kg", "kg"), ("EUR 10–15", "EUR"), ("12,345,6 kg", "kg"), ("EUR 400 per hourly", "EUR per hour")],
)  # fmt: skip
def test_rates_thousands_and_ranges_are_no_amounts(text, unit):
    assert numbers(text, unit) == []


def test_only_a_month_is_a_month():
    assert days("12 mayhem 2020, mayor 12, 2020 and 12 Sept 2020")[0].text == "12 Sept 2020"
    assert len(days("12 mayhem 2020, mayor 12, 2020 and 12 Sept 2020")) == 1


@pytest.mark.parametrize("cue", ["Since", "as of", "with effect from", "As agreed on", "as amended on", "effective"])
def test_the_day_from_which_on_something_is_so(cue):
    assert since(f"It ends, {cue} 2 May 2024, on 3 June 2025.").text == "2 May 2024"
    assert since("It ends on 3 June 2025; a sincere 2 May 2024.") is None
    assert since(f"{cue} then") is None


@pytest.mark.parametrize("text", ["", "x", "12 kg", "1,2,3", "1.2.3", "-1", "1,23,456"])
def test_what_is_no_number(text):
    assert reading.number(text) is None


GRADE = Relation(subject="supplier", value="words", form="[A-D][+-]?")


def test_words_of_a_form_are_found_wherever_they_stand_as_a_whole():
    assert [value.text for value in stated("Kestrel is rated B+ now.", GRADE)] == ["B+"]
    assert [value.text for value in stated("It fell from B to C-.", GRADE)] == ["B", "C-"]
    assert stated("A supplier in Building-B, type BB or B2.", GRADE) == []
    assert [value.text for value in stated("A", GRADE)] == ["A"]


def test_a_form_does_not_reach_into_a_day_or_a_time():
    amount = Relation(subject="policy", value="words", form=r"\d+ [A-Za-z]+")
    assert [value.text for value in stated("Since 3 May 2024 at 13:16 on site, 30 days", amount)] == ["30 days"]


def test_a_line_may_end_inside_a_day_or_a_quantity():
    assert [value.text for value in days("on 24\nFebruary 2025.")] == ["24 February 2025"]
    pieces = Relation(subject="lot", value="number", units=("pieces",))
    assert [value.number for value in quantities("of 12\npieces", pieces)] == [12]
