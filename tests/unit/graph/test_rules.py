from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.graph.rules import RulesExtractor
from labkit.graph.schema import Schema
from labkit.schema import Chunk

RULES = RulesExtractor()


def chunk(text, *heading, doc_id=""):
    return Chunk(
        chunk_id=text, doc_id=doc_id or text, source_path="a.md", ordinal=0, text=text, start=0, end=len(text),
        tokens=1, content_hash=text, heading_path=heading,
    )  # fmt: skip


def extracted(*texts):
    return RULES.extract([chunk(text) if isinstance(text, str) else text for text in texts])


def said(*texts):
    """What the last of the texts states."""
    found = extracted(*texts)
    last = texts[-1] if isinstance(texts[-1], str) else texts[-1].text
    return {(s.subject_id, s.relation, s.object_id or s.value) for s in found.statements if s.chunk_id == last}


def test_no_corpus_makes_no_graph():
    for found in (RULES.extract([]), extracted("", "\n \n", "It rains.")):
        assert (found.extractor, found.entities, found.mentions, found.statements) == ("rules", [], [], [])


def test_one_document_is_a_corpus():
    found = extracted("Site: Hexham\nCustomer: Acme Foods\nRobots in service: 1,200 robots")
    assert [entity.entity_id for entity in found.entities] == ["customer:Acme Foods", "site:Hexham"]
    assert [(s.relation, s.object_id, s.value, s.number, s.unit) for s in found.statements] == [
        ("site.customer", "customer:Acme Foods", "Acme Foods", None, ""),
        ("site.robots", "", "1,200 robots", 1200, "robots"),
    ]


def test_a_record_tells_of_what_its_title_names():
    record = chunk(
        "Site: Hexham\nError code: E-417\nDate: 1 March 2025\nDowntime: 35 minutes\nRoot cause: a loose belt\n"
        "Resolved by: Ann Lee", "Incident INC-2031",
    )  # fmt: skip
    assert said(record) == {
        ("incident:INC-2031", "incident.site", "site:Hexham"),
        ("incident:INC-2031", "incident.error", "error:E-417"),
        ("incident:INC-2031", "incident.date", "1 March 2025"),
        ("incident:INC-2031", "incident.downtime", "35 minutes"),
        ("incident:INC-2031", "incident.cause", "a loose belt"),
        ("incident:INC-2031", "incident.resolver", "person:Ann Lee"),
    }


def test_a_field_tells_of_what_its_label_names_in_brackets():
    assert said("Product: Otter shuttle\nTorque (belt tensioner BT-4471): 12 N·m") == {
        ("part:belt tensioner BT-4471", "part.torque", "12 N·m")
    }


def test_rows_tell_each_of_their_own_head():
    text = "Supplier: Kestrel | Country: Norway\nSupplier: Brandt | Country: Chile\nSupplier: Celsa | Country: -"
    assert said(text) == {
        ("supplier:Kestrel", "supplier.country", "Norway"), ("supplier:Brandt", "supplier.country", "Chile"),
    }  # fmt: skip


def test_several_fields_on_a_line_tell_without_bars_too():
    assert said("Supplier: Kestrel Country: Norway Payment terms: 30 days net") == {
        ("supplier:Kestrel", "supplier.country", "Norway"),
        ("supplier:Kestrel", "supplier.payment_terms", "30 days net"),
    }


def test_a_field_alone_tells_of_what_the_fields_before_were_about():
    text = "Supplier: Kestrel\nCountry: Norway\nSupplier: Brandt\nCountry: Chile"
    assert said(text) == {
        ("supplier:Kestrel", "supplier.country", "Norway"), ("supplier:Brandt", "supplier.country", "Chile"),
    }  # fmt: skip


def test_a_field_about_nothing_tells_nothing():
    assert said("Country: Norway") == set()
    assert said("Site: Hexham\nCountry: Norway") == set()


@pytest.mark.parametrize("value", ["Norway", "12 kg", "soon", "-"])
def test_a_value_of_the_wrong_form_is_none(value):
    assert said(f"Site: Hexham | Go-live: {value} | Robots in service: {value} | Customer: {value.lower()}") == set()


def test_the_head_of_a_document_is_about_the_document():
    text = "Document: POL-12\nOwner: Safety Team\n\nAll staff read this.\n\nLimit: two hours"
    assert said(chunk(text, "POL-12")) == {("policy:POL-12", "policy.limit", "two hours")}


def test_a_label_in_a_field_is_no_thing():
    assert said("Site | City\nSite: Site | City: City") == set()


def test_a_sentence_that_names_two_things_relates_them():
    assert said("Team: Shuttle Team | Lead: Ann Lee", "Nobody but Ann Lee leads the Shuttle Team.") == {
        ("team:Shuttle Team", "team.lead", "person:Ann Lee")
    }


def test_a_sentence_relates_a_thing_to_a_quantity_a_day_and_a_phrase_that_is_known():
    known = "Site: Hexham | City: Upper York\nSite: Leeds | City: Selby"
    assert said(known, "Hexham runs 20 robots.") == {("site:Hexham", "site.robots", "20 robots")}
    assert said(known, "Hexham opened on 2 May 2024.") == {("site:Hexham", "site.go_live", "2 May 2024")}
    assert said(known, "They built Hexham near upper york.") == {("site:Hexham", "site.city", "upper york")}
    assert said(known, "They built Hexham near Whitby.") == set()


def test_a_day_since_which_something_else_is_true_is_not_recorded_as_another():
    assert said("Site: Hexham", "Since 2 May 2024 Hexham runs 20 robots.") == {
        ("site:Hexham", "site.robots", "20 robots")
    }


def test_things_of_two_sentences_are_not_related():
    assert said("Team: Shuttle Team | Lead: Ann Lee", "The Shuttle Team rests. Ann Lee does not.") == set()


def test_where_several_are_told_of_each_value_goes_to_the_nearest():
    known = "Site: Hexham\nSite: Leeds"
    assert said(known, "Hexham runs 20 robots while Leeds runs 31 robots.") == {
        ("site:Hexham", "site.robots", "20 robots"), ("site:Leeds", "site.robots", "31 robots"),
    }  # fmt: skip


def test_a_list_of_names_says_nothing_of_each():
    sites = ("Hexham", "Leeds", "Thornaby", "Whitby", "Selby")
    known = "\n".join(f"Site: {site}" for site in sites)
    assert said(known, f"{', '.join(sites)} have 20 robots.") == set()
    assert len(said(known, f"{', '.join(sites[:4])} have 20 robots.")) == 4


def test_who_speaks_is_not_what_is_spoken_of():
    known = "Team: Shuttle Team | Lead: Ann Lee\nTeam: Other Team | Lead: Bob Ray"
    assert said(known, "[2025-01-02 10:11] Bob Ray: the Shuttle Team rests") == set()


def test_what_a_field_says_is_not_read_again_as_a_sentence():
    text = "Site: Hexham | Robots in service: 20 robots"
    assert [s.relation for s in extracted(text).statements] == ["site.robots"]


def test_statements_and_mentions_point_at_their_text():
    text = "Intro.\n\nSite: Hexham | City: York\n\nThe site of Hexham runs 20 robots. More."
    found = extracted(text)
    assert {text[m.start : m.end] for m in found.mentions} == {"Hexham"}
    assert [text[s.start : s.end] for s in found.statements] == ["City: York", "The site of Hexham runs 20 robots."]


def test_a_thing_told_of_by_its_number_alone_is_the_thing():
    assert said("Part: belt tensioner BT-4471", "Order BT-4471 for 12 EUR.") == {
        ("part:belt tensioner BT-4471", "part.price", "12 EUR")
    }


def test_a_thing_told_of_by_its_code_is_the_thing():
    assert said(
        "Supplier: Kestrel Bearings | Country: Norway", "Kestrel Bearings (KB) is old.", "KB sits in Norway."
    ) == {("supplier:Kestrel Bearings", "supplier.country", "Norway")}


def test_who_an_initial_means_is_told_where_one_person_fits():
    team = "Team: Shuttle Team | Lead: H. Zabala"
    assert said("Resolved by: Hiroshi Zabala", "Hiroshi Zabala and Hiroshi Zabala", team) == {
        ("team:Shuttle Team", "team.lead", "person:Hiroshi Zabala")
    }
    assert said("Resolved by: Hiroshi Zabala", "Resolved by: Helen Zabala", team) == {
        ("team:Shuttle Team", "team.lead", "person:H. Zabala")
    }


def test_a_team_called_it_is_not_every_it():
    assert said("Team: IT | Location: York", "It moved to York, and it stays.") == set()
    assert said("Team: IT | Location: York", "The people of IT work in York.") == {("team:IT", "team.location", "York")}


def test_sentences_like_those_whose_values_are_known_tell_of_others():
    texts = ("Site: Hexham | Robots in service: 20 robots", "Site: York", "The headcount of machines at Hexham is 20.",
             "The headcount of machines at York is 44.")  # fmt: skip
    found = extracted(*texts)
    (told,) = [s for s in found.statements if s.subject_id == "site:York"]
    assert (told.relation, told.value, told.number, told.chunk_id) == ("site.robots", "44", 44, texts[-1])


def test_facts_that_contradict_or_go_in_circles_are_recorded_as_they_are_stated():
    schema = Schema.model_validate({
        "kind": {"part": {"labels": ["Part"], "number": r"P-\d+"}},
        "relation": {"part.of": {"subject": "part", "object": "part", "labels": ["Part of"]}},
    })  # fmt: skip
    texts = [chunk("Part of: P-2", "P-1"), chunk("Part of: P-1", "P-2"), chunk("Part of: P-3", "P-1")]
    found = RulesExtractor(schema).extract(texts).statements
    assert [(s.subject_id, s.object_id) for s in found] == [("part:P-1", "part:P-2"), ("part:P-2", "part:P-1"),
                                                            ("part:P-1", "part:P-3")]  # fmt: skip


PIECES = st.sampled_from(
    ["Site: ", "Hexham", "Leeds", " | ", "\n", "City: ", "York", "INC-2031", "E-417", " (", "KB", ")", ". ", "Ann Lee",
     "20 robots", "2 May 2024", " was renamed ", "Torque (", "): ", "12 N·m", " "]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=15).map("".join))


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=4))
def test_any_corpus_makes_a_graph_that_is_whole(texts):
    chunks = [
        chunk(text, heading).model_copy(update={"chunk_id": str(n)}) for n, (text, heading) in enumerate(texts)
    ]  # fmt: skip
    found = RULES.extract(chunks)
    known = {entity.entity_id for entity in found.entities}
    assert len(known) == len(found.entities)
    for mention in found.mentions:
        text = chunks[int(mention.chunk_id)].text
        assert mention.entity_id in known
        assert 0 <= mention.start < mention.end <= len(text)
    for statement in found.statements:
        text = chunks[int(statement.chunk_id)].text
        assert statement.subject_id in known
        assert statement.object_id in known | {""}
        assert statement.relation in RULES.schema.relation
        assert statement.value
        assert 0 <= statement.start < statement.end <= len(text)


def test_a_number_of_a_form_may_lack_its_unit():
    assert said("Site: Hexham | Robots in service: 1,200 | City: 12") == {
        ("site:Hexham", "site.robots", "1,200"), ("site:Hexham", "site.city", "12"),
    }  # fmt: skip


def test_a_name_in_a_form_is_a_person():
    assert said("Name: Ann Lee\nRole: test engineer.") == {("person:Ann Lee", "person.role", "test engineer")}


def test_what_a_document_has_a_field_for_its_sentences_do_not_tell_otherwise():
    record = chunk("Downtime: 35 minutes", "INC-2031", doc_id="d")
    talk = chunk("INC-2031: wait 10 minutes.", doc_id="d")
    again = chunk("INC-2031 took 35 min.", doc_id="d")
    other = chunk("INC-2031 took 12 minutes. INC-8830 took 12 minutes.", doc_id="e")
    found = extracted(record, talk, again, other).statements
    assert [s.number for s in found if s.subject_id == "incident:INC-2031"] == [35, 35]
    assert [s.number for s in found if s.subject_id == "incident:INC-8830"] == [12]


def test_of_what_changes_another_document_may_tell_otherwise_than_a_field():
    found = extracted(chunk("Robots in service (Hexham): 20", doc_id="d"), chunk("Hexham has 30 robots.", doc_id="e"))
    assert {s.number for s in found.statements if s.relation == "site.robots"} == {20, 30}


def test_a_day_in_a_field_may_be_that_of_the_document():
    found = extracted(
        chunk("Date: 2025-03-09", "INC-2031", doc_id="d"), chunk("INC-2031 was on 1 March 2025.", doc_id="d")
    )
    assert [s.value for s in found.statements] == ["2025-03-09", "1 March 2025"]


def test_the_day_since_which_something_is_so_is_kept_with_it():
    (one,) = extracted("Since 2 May 2024 the Shuttle Team is led by Ann Lee.\n\nTeam: Shuttle Team").statements
    assert (one.relation, one.object_id, one.since) == ("team.lead", "person:Ann Lee", date(2024, 5, 2))
    (one,) = extracted("As agreed on 2 May 2024, SLA-HX-4 ends on 3 June 2027.").statements
    assert (one.relation, one.value, one.since) == ("contract.ends", "3 June 2027", date(2024, 5, 2))
    assert extracted("Since 2 May 2024, the text of SLA-HX-4 is in force.").statements == []


def test_the_day_of_what_never_changes_may_be_told_by_since():
    (one,) = extracted("Site: Hexham\n\nHexham has been live since 2 May 2024.").statements
    assert (one.relation, one.value, one.since) == ("site.go_live", "2 May 2024", None)
    found = extracted("CN-77, written on 1 March 2025, is effective 2 May 2025.").statements
    assert [s.value for s in found] == ["2 May 2025"]


def test_a_word_of_the_name_of_a_thing_is_no_value_of_it():
    known = "Site: York Depot | City: Selby\nSite: Leeds | City: York"
    assert said(known, "York Depot is fine.") == set()
    assert said(known, "Leeds is not far from York Depot; York is nearer.") <= {("site:Leeds", "site.city", "York")}


def test_a_list_written_in_one_line_is_several_sentences():
    text = "At Hexham they had INC-2031., Cause, INC-2031 was on 1 July 2025., Remarks, INC-2031 took 12 minutes."
    told = said("Site: Hexham", text)
    assert ("incident:INC-2031", "incident.date", "1 July 2025") in told
    assert ("incident:INC-2031", "incident.downtime", "12 minutes") in told


def test_a_day_in_a_heading_is_that_of_the_document():
    page = chunk("Visit report Hexham, 2 May 2024\n\nIt rains.", "Visit report Hexham, 2 May 2024")
    assert extracted("Site: Hexham", page).statements == []


def test_who_signs_a_letter_is_related_to_nobody():
    assert said("Customer: Acme Foods", "Regards, Ann Lee, Acme Foods") == set()
    assert said("Customer: Acme Foods", "Ann Lee, for and on behalf of Acme Foods.") == set()


def test_the_day_alone_before_all_fields_is_that_of_the_document():
    def ticket(text, day):
        one = chunk(text, "INC-2031")
        return [s.value for s in extracted(one.model_copy(update={"valid_from": day})).statements]

    assert ticket("INC-2031\n\nDate: 2025-03-09", date(2025, 3, 9)) == []
    assert ticket("INC-2031\n\nDate: 2025-03-09", date(2025, 3, 10)) == ["2025-03-09"]
    assert ticket("INC-2031\n\nDate: 2025-03-09\nDowntime: 9 min", date(2025, 3, 9)) == ["2025-03-09", "9 min"]


def test_a_field_of_a_relation_that_has_several_values_holds_all_its_names():
    told = said("Site: Hexham | City: York", "Site: Leeds", "Lot: C-22 | Shipped to: Hexham, Leeds")
    assert told == {("lot:C-22", "lot.site", "site:Hexham"), ("lot:C-22", "lot.site", "site:Leeds")}
