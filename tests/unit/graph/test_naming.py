import pytest

from labkit.graph.fields import rows
from labkit.graph.names import Names
from labkit.graph.naming import kind_of_page, learn
from labkit.graph.schema import Schema
from labkit.schema import Chunk

SCHEMA = Schema.load()


def chunk(text, heading=()):
    return Chunk(
        chunk_id=text, doc_id=text, source_path="a.md", ordinal=0, text=text, start=0, end=len(text),
        tokens=1, content_hash=text, heading_path=heading,
    )  # fmt: skip


def learned(*texts, schema=SCHEMA):
    chunks = [chunk(text) if isinstance(text, str) else text for text in texts]
    return learn(chunks, {one.chunk_id: rows(one.text, schema) for one in chunks}, schema)


def test_a_field_vouches_for_the_name_in_it():
    kinds = learned("Site: Hexham | Customer: Acme Foods\nSite manager: Ann Lee").kinds
    assert kinds == {"Hexham": "site", "Acme Foods": "customer", "Ann Lee": "person"}


def test_a_label_vouches_for_what_it_names_in_brackets():
    assert learned("Torque (belt tensioner BT-4471): 12 N·m").kinds["belt tensioner BT-4471"] == "part"
    assert learned("Robots in service (Hexham): 20 robots").kinds == {"Hexham": "site"}


@pytest.mark.parametrize(
    "value",
    ["Lead", "City", "-", "n/a", "to be decided", "not yet known.", "Hexham: north", "Hexham, York", "Who knows?",
     "One two three four five six seven"],
)  # fmt: skip
def test_labels_dashes_and_sentences_in_a_field_are_no_names(value):
    assert learned(f"Site: {value}").kinds == {}


def test_what_most_fields_call_a_name_is_its_kind():
    assert learned("Site: Hexham", "Site: Hexham\n\nText.", "Team: Hexham").kinds == {"Hexham": "site"}


def test_a_thing_with_a_number_is_known_by_the_number_alone():
    kinds = learned("Part: belt tensioner BT-4471").kinds
    assert kinds == {"belt tensioner BT-4471": "part", "BT-4471": "part"}


def test_a_number_of_two_kinds_alone_says_nothing():
    kinds = learned("Part: belt X-1 | Product: Otter X-1").kinds
    assert "X-1" not in kinds


def test_where_most_of_a_kind_have_numbers_what_has_none_is_no_name():
    parts = [f"Part: belt BT-44{n}" for n in range(10, 20)]
    assert "Various" not in learned(*parts, "Part: Various").kinds
    assert learned("Part: Various", "Part: Other Belt", "Part: belt BT-4410").kinds["Various"] == "part"


def test_a_phrase_that_ends_in_what_its_kind_is_called_names_itself():
    assert learned("Read the Removable Media Policy first.").kinds["Removable Media Policy"] == "policy"
    assert learned("The Policy applies.").kinds == {}
    assert "Media Policy" not in learned("Media Policy: none").kinds


def test_names_no_field_holds_are_learned_from_the_words_around_those_that_one_does():
    known = ("Site: Hexham", "Site: Leeds", "Robots stationed at Hexham depot.", "Robots stationed at Leeds depot.")
    assert learned(*known, "Robots stationed at Thornaby depot.").kinds["Thornaby"] == "site"
    assert "Thornaby" not in learned(*known, "Robots sold to Thornaby today.").kinds


def test_one_known_name_makes_no_context():
    assert "Thornaby" not in learned("Site: Hexham", "Robots stationed at Hexham depot.",
                                     "Robots stationed at Thornaby depot.").kinds  # fmt: skip


def test_headings_are_contexts_too():
    titled = [
        chunk(f"Text {n}.", (f"Plan of shifts at {site} depot",))
        for n, site in enumerate(("Hexham", "Leeds", "Thornaby"))
    ]
    assert learned("Site: Hexham", "Site: Leeds", *titled).kinds["Thornaby"] == "site"


def test_ordinary_words_are_not_learned_as_names():
    known = ("Site: Hexham", "Site: Leeds", "Robots stationed at Hexham depot.", "Robots stationed at Leeds depot.")
    text = "Robots stationed at Maintenance depot. The maintenance is done."
    assert "Maintenance" not in learned(*known, text).kinds
    assert "ACME" not in learned(*known, "Robots stationed at ACME depot.").kinds


def test_a_context_of_two_kinds_tells_nothing():
    mixed = ("Site: Hexham", "Site: Leeds", "Customer: Acme", "Customer: Brandt",
             "Robots seen at Hexham today. Robots seen at Leeds today.",
             "Robots seen at Acme today. Robots seen at Brandt today.")  # fmt: skip
    assert "Thornaby" not in learned(*mixed, "Robots seen at Thornaby today.").kinds


def test_no_text_no_names():
    assert learned().kinds == {}
    assert learned("").kinds == {}
    assert Names({}, SCHEMA).find("") == []


def test_the_order_of_the_documents_does_not_matter():
    texts = ["Site: Hexham", "Team: Hexham", "Site: Leeds", "Robots at Hexham depot", "Robots at Leeds depot"]
    assert learned(*texts).kinds == learned(*reversed(texts)).kinds


def test_a_dictionary_without_labels_names_nothing():
    schema = Schema.model_validate({"kind": {"lot": {"number": r"L-\d+"}}, "relation": {}})
    assert learned("Read the Removable Media Policy, L-12.", schema=schema).kinds == {"L-12": "lot"}


def test_a_phrase_that_ends_in_name_is_no_person():
    assert learned("Enter the Host Name first. Name: Ann Lee").kinds == {"Ann Lee": "person"}


def test_what_its_kind_is_called_in_front_names_a_thing():
    known = ("Team: Night Desk", "Team: Tooling")
    assert learned(*known, "Ask the team Charging Systems.").kinds["Charging Systems"] == "team"
    assert learned(*known, chunk("Spent.", ("Budget of team Facilities",))).kinds["Facilities"] == "team"
    assert "September" not in learned(*known, "We met the team September last.").kinds


def test_a_phrase_with_a_preposition_is_one_name_if_it_is_used_more_than_once():
    often = learned("The Photography on Site Policy applies.", "This is the Photography on Site Policy.").kinds
    assert often["Photography on Site Policy"] == "policy"
    once = learned("Comments on Badge Policy are welcome.", "See the Badge Policy.").kinds
    assert "Comments on Badge Policy" not in once
    assert once["Badge Policy"] == "policy"


def test_the_title_of_a_page_with_the_fields_of_a_kind_is_its_name():
    known = ("Site: Hexham", "Site: Leeds")
    page = chunk("City: York\nGo-live: 3 May 2024\n\nThornaby is new.", ("Most things about Thornaby",))
    assert learned(*known, page).kinds["Thornaby"] == "site"
    other = chunk("City: York\n\nThornaby is new.", ("Most things about Thornaby",))  # one field is no page
    assert "Thornaby" not in learned(*known, other).kinds


def test_a_page_is_of_the_kind_whose_fields_it_has_beside_no_name():
    assert kind_of_page([rows("City: York\nGo-live: 3 May 2024", SCHEMA)], SCHEMA) == "site"
    assert kind_of_page([rows("City: York", SCHEMA)], SCHEMA) == ""
    assert kind_of_page([rows("Site: Hexham | City: York | Go-live: 3 May 2024", SCHEMA)], SCHEMA) == ""
    assert kind_of_page([], SCHEMA) == ""


def test_a_known_name_beside_a_name_is_as_any_other_of_its_kind():
    known = ("Customer: Acme Foods", "Customer: Brandt", "The party to SLA-AB-1 is Acme Foods.",
             "The party to SLA-CD-2 is Brandt.")  # fmt: skip
    assert learned(*known, "The party to SLA-EF-3 is Bramwith Toys.").kinds["Bramwith Toys"] == "customer"


def test_whom_only_the_tagger_takes_for_a_person_may_be_something_else():
    known = ("Customer: Acme Foods", "Customer: Brandt", "Leeds is operated by Acme Foods.",
             "Hexham is operated by Brandt.")  # fmt: skip
    firm = learned(*known, "Ostby is operated by Martin Smith.").kinds
    assert firm["Martin Smith"] == "customer"
    person = learned(*known, "Ostby is operated by Martin Smith.", "Ask Martin.", "Martin wrote it.").kinds
    assert person["Martin Smith"] == "person"
