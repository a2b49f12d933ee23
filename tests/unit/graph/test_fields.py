import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.graph.fields import rows
from labkit.graph.schema import Schema

SCHEMA = Schema.load()
# What a line is made of, so that generated texts have fields in them, and much else that looks like one.
PIECES = st.sampled_from(
    [*SCHEMA.labels[:12], *SCHEMA.head, "Site", ": ", ":", " | ", "|", " (", ") ", "\n", " ", "\t", ",", ";", "12 kg",
     "Hexham", "É", "İ", "\u2028", "\x1c", "- "]
)  # fmt: skip
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join))


def fields(text):
    return [[(field.label, field.about, field.value) for field in row] for row in rows(text, SCHEMA)]


def test_a_label_and_what_stands_behind_it():
    assert fields("Site: Hexham") == [[("site", "", "Hexham")]]


def test_a_field_says_where_it_and_its_value_stand():
    text = "See below.\nRobots in service (Hexham):  20 robots | City: York"
    (row,) = rows(text, SCHEMA)
    robots, city = row
    assert text[robots.start : robots.end] == "Robots in service (Hexham):  20 robots"
    assert text[robots.at :].startswith("20 robots")
    assert text[city.start : city.end] == "City: York"


def test_what_stands_in_brackets_is_what_the_field_is_about():
    assert fields("Torque (belt tensioner BT-4471): 12 N·m") == [[("torque", "belt tensioner BT-4471", "12 N·m")]]
    assert fields("Torque ( ): 12 N·m") == [[("torque", "", "12 N·m")]]


def test_a_bar_parts_fields_and_so_does_the_next_label():
    expected = [[("supplier", "", "Brandt Drives"), ("lead time", "", "6 weeks")]]
    assert fields("Supplier: Brandt Drives | Lead time: 6 weeks") == expected
    assert fields("| Supplier: Brandt Drives | Lead time: 6 weeks |") == expected
    assert fields("Supplier: Brandt Drives Lead time: 6 weeks") == expected
    assert fields("Supplier: Brandt Drives; Lead time: 6 weeks,") == expected


def test_the_longer_of_two_labels_counts():
    assert fields("Error code: E-417") == [[("error code", "", "E-417")]]


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", "Site: ", "Site:", "Site:Hexham", "Site : Hexham", "site: Hexham", "Website: Hexham", "Note: Hexham",
     "Sites: Hexham", "Hexham", ": ", "Site: ,", "Site:  | City: "],
)  # fmt: skip
def test_what_is_no_field_of_the_dictionary_is_left_out(text):
    assert fields(text) == []


def test_an_empty_field_does_not_take_what_belongs_to_the_next():
    assert fields("Site:  | City: York") == [[("city", "", "York")]]
    assert fields("Site: City: York") == [[("city", "", "York")]]


def test_every_line_is_a_row_of_its_own_and_lines_without_fields_are_none():
    text = "Site: Hexham\n\nIt rains.\nCity: York | Site manager: Ann Lee"
    assert [[label for label, _, _ in row] for row in fields(text)] == [["site"], ["city", "site manager"]]


def test_a_value_ends_with_its_line():
    assert fields("Site: Hexham\nis far away") == [[("site", "", "Hexham")]]


def test_the_head_of_a_document_and_the_lines_beside_it_are_left_out():
    head = "Owner: Safety Team\nDocument: POL-12 | Revision: 3\nDate: 2025-01-02\n"
    assert fields(head + "Limit: two hours") == [[("limit", "", "two hours")]]


def test_an_empty_line_does_not_part_the_head_from_what_belongs_to_it():
    assert fields("Document: POL-12\n\nOwner: Safety Team\nLimit: two hours") == [[("limit", "", "two hours")]]


def test_one_line_of_text_parts_the_head_from_what_follows():
    assert fields("Document: POL-12\nAll staff read this.\nOwner: Safety Team") == [[("owner", "", "Safety Team")]]


def test_labels_are_taken_as_they_are_written_however_odd():
    schema = Schema.model_validate({"kind": {"a": {"labels": ["Temp. (C)", "A+B"]}}, "relation": {}})
    found = [field.value for row in rows("Temp. (C): 12 | A+B: 3 | Tempx (C): 4 | AAB: 5", schema) for field in row]
    assert found == ["12", "3"]


@settings(deadline=None)
@given(TEXTS)
def test_any_text_is_read_and_offsets_point_at_the_values(text):
    labels = {label.lower() for label in SCHEMA.labels}
    end = 0
    for row in rows(text, SCHEMA):
        assert row
        for field in row:
            assert field.label in labels
            assert field.value
            assert text[field.at : field.at + len(field.value)].replace("\n", " ") == field.value
            assert end <= field.start <= field.at < field.end <= len(text)
            end = field.end


def test_the_keys_that_lead_to_a_field_of_json_are_no_part_of_it():
    assert fields("fields.Downtime: 35 minutes") == [[("downtime", "", "35 minutes")]]
    assert fields("- a.b.Site: Hexham") == [[("site", "", "Hexham")]]


def test_a_space_that_pdf_sets_into_a_long_label_does_not_hide_it():
    assert fields("Replaceme nt interval: 900 hours") == [[("replacement interval", "", "900 hours")]]
    assert fields("Si te: Hexham") == []


def test_the_bar_behind_an_empty_field_is_no_value():
    assert fields("City: | Weather: fine") == []
    assert fields("City: | Site: Hexham") == [[("site", "", "Hexham")]]


def test_a_dictionary_without_labels_has_no_fields():
    assert rows("Site: Hexham\n: x", Schema(kind={}, relation={})) == []


def test_a_table_set_with_tabs_or_spaces_has_its_labels_in_a_line_above():
    text = "Site\tRobots in service\tWarehouse system\nHexham\t20\tMovara\nLeeds   30   –"
    assert fields(text) == [
        [("site", "", "Hexham"), ("robots in service", "", "20"), ("warehouse system", "", "Movara")],
        [("site", "", "Leeds"), ("robots in service", "", "30")],
    ]
    (row, _) = rows(text, SCHEMA)
    assert [text[field.at : field.end].strip() for field in row] == ["Hexham", "20", "Movara"]


def test_the_last_cell_of_a_row_may_go_on_below():
    assert fields("Incident   Resolved by\nINC-2031   Dario\nAhlgren") == [
        [("incident", "", "INC-2031"), ("resolved by", "", "Dario Ahlgren")]
    ]


def test_a_table_ends_with_an_empty_line_and_has_known_labels_only():
    assert fields("Site   City\nHexham   York\n\nLeeds   Hull") == [[("site", "", "Hexham"), ("city", "", "York")]]
    assert fields("Site   Weather\nHexham   fine") == []
    assert fields("Site   City\nHexham   York   today") == []


def test_a_label_that_ends_a_phrase_is_no_field():
    assert fields("Review date of the Badge Policy: 2 May 2026.") == []
    assert fields("He was at the gate. Site: Hexham") == [[("site", "", "Hexham")]]
