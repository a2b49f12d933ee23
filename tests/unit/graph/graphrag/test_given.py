"""What graphrag is given: only what the audience may read, names included, and nothing merged that differs."""

import json
from datetime import date

import pytest

from labkit.errors import InputError
from labkit.graph.graphrag.given import documents, given
from labkit.graph.graphrag.project import Audience
from labkit.graph.tables import Entity, Extraction, Mention, Statement
from labkit.schema import Chunk

STAFF = Audience(tenant="default", group="staff", as_of=date(2025, 6, 1))


def chunk(name, text, *, acl=("staff",), doc_id=None, heading=()):
    return Chunk(
        chunk_id=name, doc_id=doc_id or name, source_path=f"{doc_id or name}.md", ordinal=0, text=text, start=0,
        end=len(text), tokens=5, content_hash=name, acl=acl, heading_path=heading,
    )  # fmt: skip


class Graph:
    """Chunks and what they state, written down together."""

    def __init__(self):
        self.chunks, self.extraction = [], Extraction("rules")

    def entity(self, entity_id, name, kind="", aliases=()):
        self.extraction.entities.append(Entity(entity_id=entity_id, kind=kind, name=name, aliases=aliases))

    def says(self, chunk_id, text, *facts, acl=("staff",), mentions=()):
        """A chunk whose whole text states (subject, relation, object, value) each."""
        self.chunks.append(chunk(chunk_id, text, acl=acl))
        for subject, relation, target, value in facts:
            self.extraction.statements.append(
                Statement(
                    subject_id=subject, relation=relation, object_id=target, value=value, chunk_id=chunk_id, start=0,
                    end=len(text),
                )
            )  # fmt: skip
        for entity_id, name in mentions:
            at = text.index(name)
            self.extraction.mentions.append(
                Mention(entity_id=entity_id, chunk_id=chunk_id, start=at, end=at + len(name))
            )

    def given(self, audience=STAFF):
        return given(self.extraction, self.chunks, audience)


@pytest.fixture
def graph():
    made = Graph()
    made.entity("a", "Alpha", "product", aliases=("Project Umbra",))
    made.entity("b", "Beta", "supplier")
    made.says("c1", "Beta supplies Alpha.", ("b", "x.supplies", "a", "Alpha"))
    return made


def test_edges_quote_the_sentences_and_count_them(graph):
    graph.says("c2", "Alpha comes\nfrom Beta | since May.", ("a", "x.made_by", "b", "Beta"))
    graph.says("c3", "Alpha weighs 3 kg.", ("a", "x.weight", "", "3 kg"))
    found = graph.given()
    assert found.relationships == [
        {
            "source": "Beta",
            "target": "Alpha",
            "description": "• supplies: Beta supplies Alpha. • made by: Alpha comes from Beta / since May.",
            "text_unit_ids": ["c1", "c2"],
            "weight": 2.0,
        }
    ]
    assert found.entities[0] == {
        "title": "Alpha",
        "type": "product",
        "description": "Alpha, product. • weight: 3 kg",
        "text_unit_ids": ["c1", "c2", "c3"],
        "frequency": 3,
    }
    assert not found.problems


def test_contradicting_and_circular_statements_are_all_kept(graph):
    graph.entity("g", "Gamma")
    graph.says("c2", "Alpha weighs 3 kg.", ("a", "x.weight", "", "3 kg"))
    graph.says("c3", "Alpha weighs 4 kg.", ("a", "x.weight", "", "4 kg"))
    graph.says("c4", "Alpha supplies Gamma.", ("a", "x.supplies", "g", "Gamma"))
    graph.says("c5", "Gamma supplies Beta.", ("g", "x.supplies", "b", "Beta"))
    graph.says("c6", "Alpha replaces Alpha.", ("a", "x.replaces", "a", "Alpha"))
    found = graph.given()
    assert "3 kg" in found.entities[0]["description"]
    assert "4 kg" in found.entities[0]["description"]
    pairs = {(row["source"], row["target"]) for row in found.relationships}
    assert pairs == {("Beta", "Alpha"), ("Alpha", "Gamma"), ("Gamma", "Beta")}
    assert found.problems == {"statement that relates an entity to itself": 1}


def test_what_another_group_reads_is_in_nothing(graph):
    graph.entity("s", "Norrland", "company")
    graph.says(
        "secret", "Project Umbra buys Norrland for 40 million.", ("a", "x.buys", "s", "Norrland"), acl=("board",),
        mentions=[("a", "Project Umbra"), ("s", "Norrland")],
    )  # fmt: skip
    staff = graph.given()
    everything = staff.jsonl() + staff.graph() + str(staff.problems)
    assert not [word for word in ("Umbra", "Norrland", "million", "secret") if word in everything]
    board = graph.given(Audience(tenant="default", group="board", as_of=STAFF.as_of))
    assert [row["title"] for row in board.entities] == ["Norrland", "Project Umbra"]
    assert "Alpha" not in board.graph()


def test_a_name_counts_as_read_where_it_stands_in_a_heading_and_only_as_a_word(graph):
    graph.entity("h", "Hidden", aliases=("Hid",))
    graph.entity("i", "it")
    graph.says("c2", "It is made by Beta. Hiddensee.", ("h", "x.made_by", "b", "Beta"), ("i", "x.made_by", "b", "Beta"))
    found = graph.given()
    assert [row["title"] for row in found.entities] == ["Alpha", "Beta", "it"]  # named like a stop word, still a name
    assert found.problems == {
        "entity that has no readable name": 1,
        "statement about an entity that has no readable name": 1,
    }
    graph.chunks[-1] = graph.chunks[-1].model_copy(update={"heading_path": ("Hidden",)})
    assert "Hidden" in [row["title"] for row in graph.given().entities]


def test_entities_of_one_name_stay_apart(graph):
    graph.entity("p1", "J. Martin", "person")
    graph.entity("p2", "J. Martin", "person")
    graph.entity("p3", "J. Martin", "person")
    for i in (1, 2, 3):
        graph.says(f"m{i}", f"J. Martin {i} knows Beta.", (f"p{i}", "x.knows", "b", "Beta"))
    titles = [row["title"] for row in graph.given().entities]
    assert titles == ["Alpha", "Beta", "J. Martin", "J. Martin (2)", "J. Martin (person)"]


def test_spans_that_do_not_fit_are_counted(graph):
    graph.extraction.statements.append(
        Statement(subject_id="a", relation="x.r", object_id="b", value="Beta", chunk_id="c1", start=5, end=999)
    )
    assert graph.given().problems == {"statement that points outside its chunk": 1}


def test_nothing_to_read_and_nothing_related_are_errors(graph):
    with pytest.raises(InputError, match="nothing that default/legal"):
        graph.given(Audience(tenant="default", group="legal", as_of=STAFF.as_of))
    with pytest.raises(InputError, match="relates two entities"):
        given(Extraction("rules"), graph.chunks, STAFF)


def test_the_input_does_not_depend_on_order_and_survives_any_line_separator(graph):
    graph.says("c2", "one\u2028two\x85three\x1c<|endoftext|>", ("a", "x.likes", "b", "Beta"))
    forwards = graph.given()
    graph.chunks.reverse()
    graph.extraction.statements.reverse()
    graph.extraction.entities.reverse()
    backwards = graph.given()
    assert (forwards.jsonl(), forwards.graph()) == (backwards.jsonl(), backwards.graph())
    rows = [json.loads(line) for line in forwards.jsonl().splitlines()]
    assert [row["text"] for row in rows] == ["Beta supplies Alpha.", "one\u2028two\x85three\x1c<|endoftext|>"]


def test_documents_alone_are_for_graphrags_own_extraction(graph):
    found = documents(graph.chunks, STAFF)
    assert [row["id"] for row in found.documents] == ["c1"]
    assert not found.entities
