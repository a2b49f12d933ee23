from datetime import date
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labkit.errors import InputError, StoreError
from labkit.graph.graph import Graph
from labkit.graph.graphrag.extracted import RELATED, extracted
from labkit.graph.schema import Schema
from labkit.schema import Chunk, RequestContext

TEXTS = {
    "c0": "Shift notes. The Heron\npicker stopped at Hexham. Nobody was hurt.",
    "c1": "Hexham has forty Heron pickers.",
    "c2": "A Heron picker costs 9 EUR at Hexham, says the board.",
}
STAFF = RequestContext(groups=frozenset({"staff"}), as_of=date(2025, 6, 1))


def chunks():
    return [
        Chunk(chunk_id=name, doc_id=name, source_path=f"{name}.md", ordinal=0, text=text, start=0, end=len(text),
              tokens=9, content_hash=name, acl=("board",) if name == "c2" else ("staff",))
        for name, text in TEXTS.items()
    ]  # fmt: skip


def entity(title, kind, units):
    return {"title": title, "type": kind, "text_unit_ids": units}


def related(source, target, description, units):
    return {"source": source, "target": target, "description": description, "text_unit_ids": units}


@pytest.fixture
def project(tmp_path):
    entities = [
        entity("HERON PICKER", "PRODUCT", ["c0", "c2"]),
        entity("HEXHAM", "SITE", ["c0", "c1", "c2"]),
        entity("ANN BERG", None, ["c1"]),
    ]
    relations = [
        related("HERON PICKER", "HEXHAM", "It stopped there and costs 9 EUR.", ["c0", "c2"]),
        related("HEXHAM", "ANN BERG", "Ann runs it.", ["c1"]),
        related("HEXHAM", "NOBODY", "?", ["c1"]),
    ]
    for name, rows in (("entities", entities), ("relationships", relations)):
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{name}.parquet")
    return SimpleNamespace(output=tmp_path, name="p", read=lambda: SimpleNamespace(extractor="llm"))


def test_entities_are_named_as_their_passages_write_them(project):
    found = extracted(project, chunks())
    assert found.extractor == "llm"
    assert [(e.entity_id, e.kind, e.name) for e in found.entities] == [
        ("product:heron picker", "product", "Heron picker"), ("site:hexham", "site", "Hexham"),
        (":ann berg", "", "ANN BERG"),
    ]  # fmt: skip
    said = {(m.entity_id, TEXTS[m.chunk_id][m.start : m.end]) for m in found.mentions}
    assert ("product:heron picker", "Heron picker") in said
    assert found.problems["entity that does not stand in its passage"] == 1


def test_every_passage_makes_a_statement_that_quotes_the_sentence_naming_both(project):
    found = extracted(project, chunks())
    quoted = [(s.chunk_id, TEXTS[s.chunk_id][s.start : s.end]) for s in found.statements]
    assert quoted == [
        ("c0", "The Heron\npicker stopped at Hexham."), ("c2", TEXTS["c2"]), ("c1", TEXTS["c1"]),
    ]  # fmt: skip
    assert found.problems["relationship of an entity that was not extracted"] == 1


def test_a_description_of_several_passages_is_not_told_with_one_of_them(project):
    found = extracted(project, chunks())
    assert [s.relation for s in found.statements] == [RELATED, RELATED, "Ann runs it."]
    graph = Graph(found, chunks(), Schema.load())
    told = graph.told("product:heron picker", STAFF)
    assert [[s.chunk_id for s in fact.statements] for fact in told[RELATED]] == [["c0"]]


@pytest.mark.parametrize("name", ["entities", "relationships"])
def test_a_damaged_table_is_named(project, name):
    (project.output / f"{name}.parquet").write_bytes(b"PAR1")
    with pytest.raises(StoreError, match="cannot be read") as refused:
        extracted(project, chunks())
    assert f"{name}.parquet" in refused.value.where


def test_a_project_of_a_graph_of_ours_is_refused(project):
    project.read = lambda: SimpleNamespace(extractor="rules")
    with pytest.raises(InputError, match="'rules' is not graphrag's"):
        extracted(project, chunks())


def test_passages_that_are_not_given_are_an_error(project):
    with pytest.raises(StoreError, match="cites 1 passages"):
        extracted(project, chunks()[:2])
