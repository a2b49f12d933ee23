import pytest

from labkit.graph.agreement import agreed
from labkit.graph.schema import Schema
from labkit.graph.tables import Statement
from labkit.schema import Chunk

SCHEMA = Schema.load()


class Documents:
    """Statements, each of a chunk and a document of its own."""

    def __init__(self):
        self.chunks, self.fields, self.prose = [], [], []

    def says(self, text, subject, relation, value, number=None, *, field=False):
        name = f"c{len(self.chunks)}"
        self.chunks.append(
            Chunk(chunk_id=name, doc_id=name, source_path="a.md", ordinal=0, text=text, start=0, end=len(text),
                  tokens=1, content_hash=name)
        )  # fmt: skip
        statement = Statement(
            subject_id=subject, relation=relation, value=value, number=number, chunk_id=name, start=0, end=len(text),
            object_id=value if SCHEMA.relation[relation].object else "",
        )  # fmt: skip
        (self.fields if field else self.prose).append(statement)
        return self

    def standing(self):
        return [s.value for s in agreed(self.fields, self.prose, self.chunks, SCHEMA)]


@pytest.fixture
def go_live():
    """Three sites whose pages tell when they went live, as sentences do, and other sentences that name them."""
    documents = Documents()
    for day, site in enumerate(("Hexham", "Leeds", "Ostby"), 1):
        documents.says(f"Go-live: {day} May", f"site:{site}", "site.go_live", f"{day} May", day, field=True)
        documents.says(f"{site} started work on {day} May.", f"site:{site}", "site.go_live", f"{day} May", day)
        documents.says(f"Photographs from {site} promised 9 June.", f"site:{site}", "site.go_live", "9 June", 40)
    return documents


def test_what_never_changes_no_sentence_tells_otherwise_than_a_field(go_live):
    assert go_live.standing() == ["1 May", "1 May", "2 May", "2 May", "3 May", "3 May"]


def test_a_sentence_worded_like_those_that_fields_contradict_is_doubted(go_live):
    go_live.says("Photographs from Thornaby promised 7 June.", "site:Thornaby", "site.go_live", "7 June", 38)
    assert "7 June" not in go_live.standing()


def test_a_sentence_worded_like_those_that_fields_confirm_or_like_none_is_believed(go_live):
    go_live.says("Thornaby started work on 7 June.", "site:Thornaby", "site.go_live", "7 June", 38)
    go_live.says("Kelsing opened 8 June.", "site:Kelsing", "site.go_live", "8 June", 39)
    assert go_live.standing()[-2:] == ["7 June", "8 June"]


def test_what_changes_may_be_told_otherwise_by_another_document():
    documents = Documents().says("Robots in service: 20", "site:Hexham", "site.robots", "20", 20, field=True)
    assert documents.says("Hexham has 30 robots.", "site:Hexham", "site.robots", "30", 30).standing() == ["20", "30"]


def test_of_what_is_several_a_field_says_nothing_against_a_sentence():
    documents = Documents().says("Shipped to: Hexham", "lot:C-22", "lot.site", "site:Hexham", field=True)
    documents.says("C-22 lies at Leeds.", "lot:C-22", "lot.site", "site:Leeds")
    assert documents.standing() == ["site:Hexham", "site:Leeds"]


def test_a_field_date_may_be_that_of_the_document():
    documents = Documents().says("Date: 9 March", "incident:INC-1", "incident.date", "9 March", 68, field=True)
    documents.says("INC-1 was on 1 March.", "incident:INC-1", "incident.date", "1 March", 60)
    assert documents.standing() == ["9 March", "1 March"]


def test_nothing_said_nothing_stands():
    assert agreed([], [], [], SCHEMA) == []
