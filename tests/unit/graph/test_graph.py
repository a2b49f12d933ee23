from datetime import date

import pytest

from labkit.errors import InputError
from labkit.graph.graph import Graph, stated_on
from labkit.graph.schema import Schema
from labkit.graph.tables import Entity, Extraction, Mention, Statement
from labkit.schema import Chunk, Filters, RequestContext

SCHEMA = Schema.load()
DAY = date(2025, 6, 1)


class Company:
    """Passages and what they state, written as ``subject relation object`` with entities as ``kind:name``."""

    def __init__(self):
        self.chunks = []
        self.extraction = Extraction("rules")
        self.entities = {}

    def say(self, *facts, since=None, until=None, acl=("public",), true_since=None, number=None, **more):
        name = f"c{len(self.chunks)}"
        self.chunks.append(
            Chunk(
                chunk_id=name, doc_id=name, source_path="a.md", ordinal=0, text=name, start=0, end=2, tokens=1,
                content_hash=name, acl=acl, valid_from=since, valid_to=until, **more,
            )
        )  # fmt: skip
        for subject, relation, target in facts:
            thing = target if target.partition(":")[0] in SCHEMA.kind else ""
            for entity in filter(None, (subject, thing)):
                kind, _, title = entity.partition(":")
                self.entities.setdefault(entity, Entity(entity_id=entity, kind=kind, name=title))
                self.extraction.mentions.append(Mention(entity_id=entity, chunk_id=name, start=0, end=1))
            self.extraction.statements.append(
                Statement(
                    subject_id=subject, relation=relation, object_id=thing, number=number, since=true_since,
                    value=target.partition(":")[2] if thing else target, chunk_id=name, start=0, end=2,
                )
            )  # fmt: skip
        return self

    def graph(self):
        self.extraction.entities = list(self.entities.values())
        return Graph(self.extraction, self.chunks, SCHEMA)


def reader(*groups, as_of=DAY, **more):
    return RequestContext(groups=frozenset(groups or ("public",)), as_of=as_of, **more)


def values(graph, entity_id, relation, ctx=None):
    return [fact.value for fact in graph.told(entity_id, ctx or reader()).get(relation, [])]


def test_a_graph_of_nothing_knows_nothing():
    graph = Graph(Extraction("rules"), [], SCHEMA)
    assert graph.facts == []
    assert graph.linked("Who leads Hexham and INC-2031?", reader()) == []
    assert graph.told("site:Hexham", reader()) == {}
    assert graph.about("site:Hexham", reader()) == graph.pointing_at("site:Hexham", reader()) == []
    assert graph.mentioning("site:Hexham", reader()) == graph.named_in("c0") == []


@pytest.mark.parametrize("table", ["statements", "mentions"])
def test_a_graph_of_other_chunks_is_refused(table):
    company = Company().say(("site:Hexham", "site.city", "York"))
    extraction = Extraction("rules")
    setattr(extraction, table, getattr(company.extraction, table))
    with pytest.raises(InputError, match="c0"):
        Graph(extraction, [], SCHEMA)


def test_what_several_chunks_state_is_one_fact():
    fact = ("site:Hexham", "site.manager", "person:Ann Lee")
    (found,) = Company().say(fact).say(fact).graph().about("site:Hexham", reader())
    assert (found.object_id, found.value) == ("person:Ann Lee", "Ann Lee")
    assert [statement.chunk_id for statement in found.statements] == ["c0", "c1"]


def test_a_value_in_another_case_or_writing_is_the_same_and_told_as_most_write_it():
    company = Company()
    for city in ("york", "York", "York"):
        company.say(("site:Hexham", "site.city", city))
    assert values(company.graph(), "site:Hexham", "site.city") == ["York"]
    company = Company().say(("site:Hexham", "site.robots", "1,200 robots"), number=1200)
    company.say(("site:Hexham", "site.robots", "1200"), number=1200)
    assert len(values(company.graph(), "site:Hexham", "site.robots")) == 1


def test_where_things_change_what_was_stated_last_holds():
    company = Company().say(("site:Hexham", "site.manager", "person:Ann Lee"), since=date(2024, 1, 1))
    company.say(("site:Hexham", "site.manager", "person:Ann Lee"), since=date(2024, 2, 1))
    company.say(("site:Hexham", "site.manager", "person:Bob Ray"), since=date(2025, 1, 1))
    assert values(company.graph(), "site:Hexham", "site.manager") == ["Bob Ray", "Ann Lee"]
    (fact,) = company.graph().about("site:Hexham", reader())
    assert fact.value == "Bob Ray"


def test_what_does_not_change_is_what_most_state_and_among_equals_the_last():
    company = Company().say(("site:Hexham", "site.city", "York"), since=date(2024, 1, 1))
    company.say(("site:Hexham", "site.city", "York"), since=date(2024, 2, 1))
    company.say(("site:Hexham", "site.city", "Selby"), since=date(2025, 1, 1))
    assert values(company.graph(), "site:Hexham", "site.city") == ["York", "Selby"]
    company.say(("site:Hexham", "site.city", "Selby"))
    assert values(company.graph(), "site:Hexham", "site.city") == ["Selby", "York"]


def test_the_day_a_statement_names_counts_before_that_of_its_document():
    company = Company()
    company.say(("site:Hexham", "site.manager", "person:Ann Lee"), since=date(2024, 1, 1), true_since=date(2025, 3, 1))
    company.say(("site:Hexham", "site.manager", "person:Bob Ray"), since=date(2025, 1, 1))
    company.say(("site:Hexham", "site.manager", "person:Cy Dow"))
    graph = company.graph()
    assert values(graph, "site:Hexham", "site.manager") == ["Ann Lee", "Bob Ray", "Cy Dow"]
    assert stated_on(company.extraction.statements[2], graph.chunks) == date.min


def test_of_a_relation_the_dictionary_does_not_know_the_last_statement_holds():
    company = Company().say(("site:Hexham", "near the", "sea"), since=date(2024, 1, 1))
    company.say(("site:Hexham", "near the", "sea"), since=date(2024, 1, 1))
    company.say(("site:Hexham", "near the", "lake"), since=date(2025, 1, 1))
    assert values(company.graph(), "site:Hexham", "near the") == ["lake", "sea"]


def test_a_reader_gets_no_statement_of_a_chunk_he_may_not_read():
    company = Company().say(("site:Hexham", "site.manager", "person:Ann Lee"), since=date(2024, 1, 1))
    company.say(("site:Hexham", "site.manager", "person:Ann Lee"), since=date(2024, 1, 1), acl=("board",))
    company.say(("site:Hexham", "site.manager", "person:Bob Ray"), since=date(2025, 1, 1), acl=("board",))
    company.say(("site:Hexham", "site.wms", "Umbra"), acl=("board", "works"))
    graph = company.graph()
    for ctx in (reader(), reader("staff", "public")):
        (told,) = graph.told("site:Hexham", ctx).values()
        assert [(fact.value, [s.chunk_id for s in fact.statements]) for fact in told] == [("Ann Lee", ["c0"])]
        assert [fact.value for fact in graph.about("site:Hexham", ctx)] == ["Ann Lee"]
        assert [chunk.chunk_id for chunk in graph.mentioning("site:Hexham", ctx)] == ["c0"]
        assert graph.mentioning("person:Bob Ray", ctx) == []
        assert graph.pointing_at("person:Bob Ray", ctx) == []
        assert [s.chunk_id for fact in graph.pointing_at("person:Ann Lee", ctx) for s in fact.statements] == ["c0"]
    board = reader("public", "board")
    assert [fact.value for fact in graph.about("site:Hexham", board)] == ["Bob Ray", "Umbra"]
    assert [fact.subject_id for fact in graph.pointing_at("person:Bob Ray", board)] == ["site:Hexham"]
    assert graph.pointing_at("person:Ann Lee", board) == []  # she was it before


def test_the_majority_is_that_of_what_the_reader_may_see():
    company = Company().say(("site:Hexham", "site.city", "York"))
    for _ in range(2):
        company.say(("site:Hexham", "site.city", "Selby"), acl=("board",))
    company.say(("site:Hexham", "site.city", "York"))
    company.say(("site:Hexham", "site.city", "Selby"), acl=("board",))
    assert values(company.graph(), "site:Hexham", "site.city") == ["York"]
    assert values(company.graph(), "site:Hexham", "site.city", reader("public", "board")) == ["Selby", "York"]


def test_another_tenant_a_filter_and_no_group_see_nothing_of_it():
    graph = Company().say(("site:Hexham", "site.manager", "person:Ann Lee"), doc_class="form").graph()
    narrow = reader(filters=Filters(doc_classes=("letter",)))
    for ctx in (reader(tenant="other"), reader("nobody"), RequestContext(groups=frozenset(), as_of=DAY), narrow):
        assert graph.told("site:Hexham", ctx) == {}
        assert graph.mentioning("site:Hexham", ctx) == graph.pointing_at("person:Ann Lee", ctx) == []


def test_on_an_earlier_day_holds_what_was_in_force_then():
    company = Company().say(("site:Hexham", "site.manager", "person:Ann Lee"), since=date(2024, 1, 1))
    company.say(("site:Hexham", "site.manager", "person:Bob Ray"), since=date(2025, 1, 1), until=date(2025, 5, 1))
    graph = company.graph()
    told = {day: values(graph, "site:Hexham", "site.manager", reader(as_of=day)) for day in (
        date(2023, 12, 31), date(2024, 1, 1), date(2025, 1, 1), date(2025, 4, 30), date(2025, 5, 1))}  # fmt: skip
    assert list(told.values()) == [[], ["Ann Lee"], ["Bob Ray", "Ann Lee"], ["Bob Ray", "Ann Lee"], ["Ann Lee"]]
    assert [fact.subject_id for fact in graph.pointing_at("person:Ann Lee", reader(as_of=date(2024, 6, 1)))] == [
        "site:Hexham"
    ]
    assert graph.pointing_at("person:Ann Lee", reader(as_of=date(2025, 2, 1))) == []
    assert len(graph.mentioning("site:Hexham", reader(as_of=date(2024, 6, 1)))) == 1


def test_facts_that_go_in_a_circle_are_told_from_both_ends():
    company = Company().say(("team:A Team", "part of", "team:B Team"), ("team:B Team", "part of", "team:A Team"))
    company.say(("team:C Team", "part of", "team:C Team"))
    graph = company.graph()
    assert [values(graph, f"team:{one} Team", "part of") for one in "ABC"] == [["B Team"], ["A Team"], ["C Team"]]
    for one, other in ("AB", "BA", "CC"):
        assert [fact.subject_id for fact in graph.pointing_at(f"team:{one} Team", reader())] == [f"team:{other} Team"]


def test_a_text_names_things_by_any_of_their_names_each_once_in_its_order():
    extraction = Extraction("rules", [
        Entity(entity_id="supplier:Kestrel Bearings", kind="supplier", name="Kestrel Bearings", aliases=("KB",)),
        Entity(entity_id="team:IT", kind="team", name="IT"),
        Entity(entity_id="incident:INC-2031", kind="incident", name="INC-2031"),
    ])  # fmt: skip
    text = "KB; Kestrel Bearings; IT; INC-2031"
    chunk = Chunk(
        chunk_id="c", doc_id="c", source_path="a.md", ordinal=0, text=text, start=0, end=len(text), tokens=1,
        content_hash="c",
    )  # fmt: skip
    for entity_id, start, end in (("supplier:Kestrel Bearings", 0, 2), ("supplier:Kestrel Bearings", 4, 20),
                                  ("team:IT", 22, 24), ("incident:INC-2031", 26, 34)):  # fmt: skip
        extraction.mentions.append(Mention(entity_id=entity_id, chunk_id="c", start=start, end=end))
    graph = Graph(extraction, [chunk], SCHEMA)
    asked = "Did INC-2031 reach KB, and did kestrel bearings tell IT of it?"
    linked = [entity.name for entity in graph.linked(asked, reader())]
    assert linked == ["INC-2031", "Kestrel Bearings", "IT"]
    assert graph.linked("Is it INC-2032 or kb?", reader()) == []  # a number nothing has, and a code in the wrong case


def test_what_a_chunk_names_comes_each_once_in_its_order():
    fact = ("site:Hexham", "site.manager", "person:Ann Lee")
    graph = Company().say(fact, fact).graph()
    assert [entity.name for entity in graph.named_in("c0")] == ["Hexham", "Ann Lee"]
    assert [chunk.chunk_id for chunk in graph.mentioning("site:Hexham", reader())] == ["c0"]


def test_a_fact_is_worded_as_what_the_reader_may_see_words_it():
    company = Company().say(("site:Hexham", "site.robots", "20 robots"), number=20)
    for _ in range(2):
        company.say(("site:Hexham", "site.robots", "20 (Umbra)"), number=20, acl=("board",))
    graph = company.graph()
    assert values(graph, "site:Hexham", "site.robots") == ["20 robots"]
    assert values(graph, "site:Hexham", "site.robots", reader("public", "board")) == ["20 (Umbra)"]


def test_what_begins_later_than_the_day_asked_for_does_not_hold_yet():
    company = Company().say(("site:Hexham", "site.manager", "person:Ann Lee"), since=date(2024, 1, 1))
    company.say(("site:Hexham", "site.manager", "person:Bob Ray"), since=date(2025, 1, 1), true_since=date(2025, 7, 1))
    graph = company.graph()
    assert values(graph, "site:Hexham", "site.manager") == ["Ann Lee", "Bob Ray"]
    assert values(graph, "site:Hexham", "site.manager", reader(as_of=date(2025, 7, 1))) == ["Bob Ray", "Ann Lee"]


def renamed():
    """Hexham is Project Umbra: a passage for the board says so, one for all and a heading for the works do not."""

    def chunk(name, text, *heading, acl):
        return Chunk(
            chunk_id=name, doc_id=name, source_path="a.md", ordinal=0, text=text, start=0, end=len(text), tokens=1,
            content_hash=name, acl=acl, heading_path=heading,
        )  # fmt: skip

    chunks = [
        chunk("open", "Hexham and Hexham", acl=("public",)), chunk("new", "now Project\nUmbra", acl=("board",)),
        chunk("title", "It rains.", "Hexham Works", acl=("works",)),
    ]  # fmt: skip
    entity = Entity(entity_id="site:U", kind="site", name="Project Umbra", aliases=("Hexham", "Hexham Works"))
    at = (("open", 0, 6), ("open", 11, 17), ("new", 4, 17))
    mentions = [Mention(entity_id="site:U", chunk_id=name, start=start, end=end) for name, start, end in at]
    return Graph(Extraction("rules", [entity], mentions), chunks, SCHEMA)


def test_a_name_that_stands_only_where_the_reader_may_not_read_links_nothing():
    graph = renamed()
    for text, groups in (("What is Project Umbra?", "board"), ("Where is Hexham?", "public"),
                         ("Open HEXHAM WORKS!", "works")):  # fmt: skip
        assert [e.entity_id for e in graph.linked(text, reader("public", "board", "works"))] == ["site:U"]
        for group in ("public", "board", "works", "nobody"):
            assert bool(graph.linked(text, reader(group))) == (group == groups), (text, group)


def test_a_hidden_longer_name_does_not_cover_one_that_may_be_known():
    assert len(renamed().linked("Open Hexham Works!", reader("public"))) == 1


def test_a_thing_is_called_what_the_reader_may_read():
    graph = renamed()
    called = [graph.name_of("site:U", reader(*groups)) for groups in (
        ("public",), ("board",), ("works",), ("board", "public"), ("nobody",))]  # fmt: skip
    assert called == ["Hexham", "Project Umbra", "Hexham Works", "Hexham", ""]


def test_a_graph_about_entities_it_does_not_have_is_refused():
    company = Company().say(("site:Hexham", "site.manager", "person:Ann Lee"))
    del company.entities["person:Ann Lee"]
    company.extraction.mentions = []
    with pytest.raises(InputError, match="person:Ann Lee"):
        company.graph()


def test_of_a_relation_that_has_several_values_all_hold_in_the_order_of_their_values():
    company = Company()
    for site in ("Ostby", "Hexham", "Leeds", "Hexham"):
        company.say(("lot:C-22", "lot.site", f"site:{site}"))
    graph = company.graph()
    assert [fact.value for fact in graph.holding("lot:C-22", "lot.site", reader())] == ["Hexham", "Leeds", "Ostby"]
    assert [fact.value for fact in graph.about("lot:C-22", reader())] == ["Hexham", "Leeds", "Ostby"]
    for site in ("Hexham", "Leeds", "Ostby"):
        assert [fact.subject_id for fact in graph.pointing_at(f"site:{site}", reader())] == ["lot:C-22"]


def test_of_any_other_relation_one_value_holds_whatever_contradicts_it():
    company = Company()
    for manager in ("Ann Lee", "Bob Ray", "Ann Lee"):
        company.say(("site:Hexham", "site.customer", f"customer:{manager}"))
    graph = company.graph()
    assert [fact.value for fact in graph.holding("site:Hexham", "site.customer", reader())] == ["Ann Lee"]
    assert graph.pointing_at("customer:Bob Ray", reader()) == []
    assert (
        graph.holding("site:Hexham", "site.city", reader()) == graph.holding("site:None", "site.city", reader()) == []
    )


def test_of_several_none_ends_another_but_each_has_its_days_and_its_readers():
    company = Company().say(("lot:C-22", "lot.site", "site:Hexham"), until=date(2025, 5, 31))
    company.say(("lot:C-22", "lot.site", "site:Leeds"), since=date(2025, 1, 1))
    company.say(("lot:C-22", "lot.site", "site:Ostby"), true_since=date(2026, 1, 1))
    company.say(("lot:C-22", "lot.site", "site:Umbra"), acl=("board",))
    graph = company.graph()

    def held(ctx):
        return [fact.value for fact in graph.holding("lot:C-22", "lot.site", ctx)]

    assert held(reader(as_of=date(2025, 5, 1))) == ["Hexham", "Leeds"]
    assert held(reader(as_of=date(2025, 7, 1))) == ["Leeds"]
    assert held(reader(as_of=date(2026, 7, 1))) == ["Leeds", "Ostby"]
    assert held(reader("public", "board", as_of=date(2025, 7, 1))) == ["Leeds", "Umbra"]
    assert graph.pointing_at("site:Ostby", reader()) == []


def test_several_that_go_in_a_circle_are_each_told_once():
    schema = Schema.model_validate(
        {"kind": {"a": {}}, "relation": {"a.next": {"subject": "a", "object": "a", "several": True}}}
    )
    company = Company()
    company.say()
    entities = [Entity(entity_id=f"a:{name}", kind="a", name=name) for name in "xyz"]
    statements = [
        Statement(subject_id=f"a:{one}", relation="a.next", object_id=f"a:{other}", value=other, chunk_id="c0", start=0,
                  end=1)
        for one, other in ("xy", "yz", "zx", "xx", "xz")
    ]  # fmt: skip
    graph = Graph(Extraction("rules", entities, [], statements), company.chunks, schema)
    assert [fact.value for fact in graph.holding("a:x", "a.next", reader())] == ["x", "y", "z"]
    assert [fact.subject_id for fact in graph.pointing_at("a:x", reader())] == ["a:z", "a:x"]
