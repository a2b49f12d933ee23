import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.graph.names import Names
from labkit.graph.schema import Schema

SCHEMA = Schema.load()
KNOWN = {"Hexham": "site", "IT": "team", "Shuttle Team": "team", "Shuttle Team North": "team", "Acme Foods": "customer",
         "belt tensioner BT-4471": "part", "BT-4471": "part", "Émile Roux": "person"}  # fmt: skip
NAMES = Names(KNOWN, SCHEMA)


def found(text, names=NAMES):
    return [(name.kind, text[name.start : name.end]) for name in names.find(text)]


def test_names_are_found_left_to_right():
    assert found("The Shuttle Team of Hexham") == [("team", "Shuttle Team"), ("site", "Hexham")]


def test_the_longest_name_is_found_and_none_inside_it():
    assert found("Shuttle Team North has a belt tensioner BT-4471.") == [
        ("team", "Shuttle Team North"), ("part", "belt tensioner BT-4471"),
    ]  # fmt: skip


def test_a_name_of_one_word_counts_in_its_own_case_only():
    assert found("It is it that IT fixes, says HEXHAM, not hexham.") == [("team", "IT")]


def test_a_name_of_several_words_counts_in_any_case_and_keeps_its_surface():
    (name,) = NAMES.find("ask ACME foods")
    assert name.surface == "Acme Foods"
    assert (name.start, name.end) == (4, 14)


@pytest.mark.parametrize(
    "text", ["", "Hexhamshire", "NewHexham", "Acme Foodstuffs", "Shuttle", "Acme, Foods", "BT-4471-B"]
)
def test_a_name_stands_as_a_whole(text):
    assert found(text) == []


def test_letters_that_grow_in_lower_case_do_not_move_what_is_found():
    text = "İİİ Acme Foods and Émile Roux"  # İ has two characters in lower case
    assert found(text) == [("customer", "Acme Foods"), ("person", "Émile Roux")]


def test_numbers_follow_their_scheme_without_being_known():
    text = "INC-2031 at E-417, under POL-12 (CN-77), RMA-100 and SLA-HX-4; not INC-12, XINC-2031 or INC-2031-b"
    assert found(text) == [
        ("incident", "INC-2031"), ("error", "E-417"), ("policy", "POL-12"), ("change", "CN-77"), ("rma", "RMA-100"),
        ("contract", "SLA-HX-4"),
    ]  # fmt: skip


def test_where_a_number_could_be_two_kinds_the_first_of_the_dictionary_counts():
    assert found("E-417 and F-417") == [("error", "E-417"), ("lot", "F-417")]


def test_a_function_word_in_front_is_no_part_of_a_number():
    assert found("Since DriftOS 1.2.3 it runs; With PickOS 2.0.1 too") == [
        ("firmware", "DriftOS 1.2.3"), ("firmware", "PickOS 2.0.1"),
    ]  # fmt: skip
    schema = Schema.model_validate({"kind": {"a": {"number": r"(?:\w+ )*N-\d+"}}, "relation": {}})
    assert found("from the N-1", Names({}, schema)) == [("a", "N-1")]


PIECES = st.sampled_from(
    [*KNOWN, "acme", "foods", " ", "-", "'s", "(", ")", "INC-2031", "Since DriftOS 1.2.3", "1", "İ", "\n"]
)


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(PIECES, max_size=20).map("".join)))
def test_spans_lie_in_the_text_and_do_not_overlap(text):
    end = 0
    for name in NAMES.find(text):
        assert end <= name.start < name.end <= len(text)
        assert text[name.start : name.end].replace("\n", " ").lower() == name.surface.lower()
        end = name.end


@settings(deadline=None)
@given(
    st.sampled_from(sorted(KNOWN)),
    st.sampled_from(["", "(", "at ", "“", "\n"]),
    st.sampled_from(["", ".", ", ok", ")", "\n"]),
)
def test_a_known_name_is_found_whatever_marks_stand_around_it(name, before, after):
    assert [one.surface for one in NAMES.find(before + name + after)] == [name]


@pytest.mark.parametrize("text", ["Hexham's robots", "Hexham’s", "Hexham-based", "Hexham/Leeds", "Leeds/Hexham",
                                  "(Hexham)", "Hexham.", "‘Hexham’", "Hexham–Leeds"])  # fmt: skip
def test_a_name_of_one_word_is_found_before_an_ending_a_dash_and_a_stroke(text):
    assert found(text) == [("site", "Hexham")]


@pytest.mark.parametrize(
    "text",
    ["Hexham-North", "North-Hexham", "O'Hexham", "Hexham-2", "hexham.com Hexham.com", "Hexham&Co", "BT-4471-B",
     "BT-4471.2", "the belt tensioner BT-4471-B", "BT-4471/2", "XBT-4471", "Hexham_2"],
)  # fmt: skip
def test_a_part_of_a_longer_name_is_none(text):
    assert found(text) == []


def test_numbers_on_both_sides_of_a_stroke_are_two():
    assert found("INC-2031/INC-2032 or BT-4471/BT-4472") == [
        ("incident", "INC-2031"), ("incident", "INC-2032"), ("part", "BT-4471"),
    ]  # fmt: skip


def test_a_name_goes_on_over_the_end_of_a_line():
    assert found("ask Acme\nFoods") == [("customer", "Acme\nFoods")]
    assert found("ask Acme\n\nFoods") == []


def test_words_that_lead_to_a_version_are_no_part_of_its_name():
    for text in (
        "The robot runs on version 1.2.3",
        "Robot runs on version 1.2.3",
        "Since version 1.2.3",
        "Update to 1.2.3",
    ):
        assert found(text) == [], text
    assert found("Changelog 1.2.3") == [("firmware", "Changelog 1.2.3")]
    known = Names({"DriftOS 1.2.3": "firmware", "1.2.3": "firmware"}, SCHEMA)
    assert found("The robot runs on version 1.2.3", known) == [("firmware", "1.2.3")]


def test_only_usable_names_are_found_where_it_is_said_which():
    names = NAMES.find("Shuttle Team North of Hexham", lambda name: name.surface in {"Shuttle Team", "IT"})
    assert [name.surface for name in names] == ["Shuttle Team"]
