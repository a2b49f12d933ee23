"""Which facts can be read in a passage."""

import pytest

from labkit.tune.truth import WorldTruth

SITE, SHEET = "sites/crosswater.md", "parts/sheet.csv"


@pytest.fixture
def truth(world):
    return WorldTruth(world)


def test_a_sentence_is_found_however_it_is_spaced_and_named_as_it_is_written(truth):
    (seen,) = truth.seen(SITE, "About us.\nThe site  XNT is run\nby E. Marsh. And so on.")
    assert (seen.fact_id, seen.subject, seen.relation, seen.value) == ("f1", "XNT", "site.manager", "E. Marsh")
    assert seen.at == len("About us. ")


def test_the_subject_may_stand_in_the_title_only(truth):
    assert truth.seen(SITE, "It has 42 robots in all.") == []
    (seen,) = truth.seen(SITE, "It has 42 robots in all.", title="Sites > Crosswater")
    assert (seen.subject, seen.value) == ("Crosswater", "42")


def test_a_row_is_found_by_its_cells_in_one_line_however_it_is_drawn(truth):
    found = truth.seen(SHEET, "| wrist flange WF-1727 | A-grade | 12 Nm | 9.50 EUR |")
    assert [(seen.fact_id, seen.value) for seen in found] == [("f3", "12 Nm"), ("f4", "9.50 EUR")]
    assert {seen.subject for seen in found} == {"wrist flange WF-1727"}
    assert truth.seen(SHEET, "wrist flange WF-1727\n12 Nm\n9.50 EUR") == []


def test_what_another_document_states_is_not_seen_in_this_one(truth):
    assert truth.seen(SHEET, TEXT := "The site XNT is run by E. Marsh.") == []
    assert len(truth.seen(SITE, TEXT)) == 1
    assert truth.seen("nowhere.md", TEXT) == []


def test_a_part_of_a_statement_is_no_statement(truth):
    assert truth.seen(SITE, "The site XNT is run by") == []


def test_facts_come_in_the_order_of_the_text(truth):
    text = "Crosswater. It has 42 robots in all. The site XNT is run by E. Marsh."
    assert [seen.fact_id for seen in truth.seen(SITE, text)] == ["f2", "f1"]


def test_pools_names_and_wordings(truth):
    assert truth.pools == {SITE: "train", SHEET: "test"}
    assert truth.pool("f1") == "train"
    assert truth.pool("f3") == "test"
    assert truth.wordings("f1") == ("Edna Marsh", "E. Marsh")
    assert truth.about["part-test", "part.price"] == ["f4"]
    assert truth.version == "tidewater-tiny"


def test_sentences_are_kept_and_rows_are_not(truth):
    assert truth.sentences == {"f1": ["The site XNT is run by E. Marsh."], "f2": ["It has 42 robots in all."]}


def test_a_mention_is_any_wording_as_whole_words(truth):
    assert truth.mentions("They torque it to 12 Nm, no more.", "f3")
    assert not truth.mentions("They torque it to 112 Nm.", "f3")
    assert not truth.mentions("Room 420", "f2")


def test_a_name_within_a_word_is_not_that_name(truth):
    assert truth.seen(SITE, "It has 42 robots in all.", title="Crosswaters") == []


def test_values_are_those_of_a_split(truth):
    assert "9.50 EUR" in truth.values["test", "part.price"]
    assert ("train", "part.price") not in truth.values


def test_a_thing_of_another_split_is_no_value(truth):
    kept = {"subject_id": "site-train", "relation": "site.part", "value": "a", "object_id": None}
    truth.facts |= {"f8": kept, "f9": {**kept, "value": "b", "object_id": "part-test"}}
    assert truth.values["train", "site.part"] == ["a"]
