from types import SimpleNamespace

import numpy as np
import pytest

from labkit.bench.pagerank import PageRankRetriever
from labkit.graph.graph import Graph
from labkit.graph.schema import Schema
from labkit.graph.tables import Entity, Extraction, Mention, Statement
from labkit.schema import Chunk, Hit, RequestContext

SCHEMA = Schema.model_validate(
    {"kind": {"thing": {}}, "relation": {"thing.near": {"subject": "thing", "object": "thing"}}}
)


def chunk(name, acl=("public",)):
    return Chunk(
        chunk_id=name, doc_id=name, source_path="a.md", ordinal=0, text="x", start=0, end=1, tokens=1,
        content_hash=name, acl=acl,
    )  # fmt: skip


@pytest.fixture
def graph():
    """a names Ann, b names Ann and Bob, c names Bob, d names nobody; only the board reads b."""
    named = {"a": ["Ann"], "b": ["Ann", "Bob"], "c": ["Bob"], "d": []}
    entities = [Entity(entity_id=f"thing:{name}", kind="thing", name=name) for name in ("Ann", "Bob")]
    mentions = [
        Mention(entity_id=f"thing:{name}", chunk_id=where, start=0, end=1) for where, of in named.items() for name in of
    ]
    near = Statement(
        subject_id="thing:Ann", relation="thing.near", object_id="thing:Bob", value="Bob", chunk_id="b", start=0, end=1
    )
    chunks = [chunk(name, ("board",) if name == "b" else ("public",)) for name in named]
    return Graph(Extraction("rules", entities, mentions, [near]), chunks, SCHEMA)


def flat(graph, *names):
    hits = [Hit(chunk=graph.chunks[name], score=1.0) for name in names]
    return SimpleNamespace(search=lambda query, k, ctx: hits)


def test_the_walk_goes_from_the_first_passage_over_things_to_others(graph):
    retriever = PageRankRetriever(flat(graph, "a"), graph)
    both = RequestContext(groups=frozenset({"public", "board"}))
    assert [hit.chunk.chunk_id for hit in retriever.search("who?", 3, both)] == ["a", "b", "c"]


def test_what_the_asker_may_not_read_is_not_among_the_hits(graph):
    hits = PageRankRetriever(flat(graph, "a"), graph).search("who?", 10, RequestContext())
    assert [hit.chunk.chunk_id for hit in hits] == ["a", "c", "d"]


def test_nothing_to_start_at_leaves_flat_retrieval(graph):
    assert PageRankRetriever(flat(graph), graph).search("who?", 10, RequestContext()) == []


def test_ranks_are_a_distribution_as_far_as_every_node_has_a_neighbour(graph):
    retriever = PageRankRetriever(flat(graph, "a"), graph)
    start = np.zeros(6)
    start[retriever._at["a"]] = 1.0
    assert retriever._walked(start).sum() == pytest.approx(1.0)
    assert retriever._walked(start)[retriever._at["d"]] == 0.0
