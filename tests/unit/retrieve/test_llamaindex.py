"""Retrieval to and from LlamaIndex: nothing is lost on the way, and nothing unreadable gets out."""

import asyncio
from datetime import date

import pytest
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from labkit.errors import Cancelled, InputError
from labkit.retrieve.llamaindex import CHUNK_KEY, FromLlamaIndex, LlamaRetriever, to_node
from labkit.schema import Chunk, Filters, Hit, RequestContext, Retriever


def chunk(name: str, **fields: object) -> Chunk:
    made = {
        "chunk_id": name, "doc_id": f"doc-{name}", "source_path": f"plant/{name}.md", "ordinal": 0,
        "text": f"text of {name}", "start": 3, "end": 3 + len(f"text of {name}"), "tokens": 3, "content_hash": "0",
    }  # fmt: skip
    return Chunk.model_validate({**made, **fields})


class Foreign(BaseRetriever):
    """A LlamaIndex retriever that returns the first n of a fixed ranking, whoever asks."""

    def __init__(self, nodes: list[NodeWithScore], n: int) -> None:
        super().__init__()
        self.nodes = nodes[:n]

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self.nodes


def from_chunks(chunks: list[Chunk], **options: object) -> FromLlamaIndex:
    nodes = [NodeWithScore(node=to_node(c), score=1.0 - i / 100) for i, c in enumerate(chunks)]
    return FromLlamaIndex(lambda n: Foreign(nodes, n), **options)


class Fixed:
    """One of our retrievers that records who asked."""

    def __init__(self, hits: list[Hit]) -> None:
        self.hits, self.asked = hits, []

    def search(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        self.asked.append((query, k, ctx))
        return self.hits[:k]


FULL = chunk("a", page=4, heading_path=("Torque", "Gripper"), lang="de", doc_class="manual", acl=("eng", "ops"),
             valid_from=date(2024, 1, 1), valid_to=date(2030, 1, 1), tenant="linz")  # fmt: skip


def test_a_chunk_survives_the_way_there_and_back():
    ctx = RequestContext(groups=frozenset({"ops"}), tenant="linz", as_of=date(2025, 1, 1))
    (hit,) = from_chunks([FULL]).search("torque", 5, ctx)
    assert hit.chunk == FULL
    assert hit.score == 1.0
    assert hit.why == {"llamaindex": 1}


def test_our_retriever_answers_llamaindex_for_the_bound_asker():
    ctx = RequestContext(principal="ada")
    ours = Fixed([Hit(chunk=FULL, score=0.7), Hit(chunk=chunk("b"), score=0.5)])
    retriever = LlamaRetriever(ours, ctx, k=2)
    nodes = retriever.retrieve("torque?")
    assert [(n.node.node_id, n.score, n.node.get_content()) for n in nodes] == [
        ("a", 0.7, "text of a"), ("b", 0.5, "text of b")]  # fmt: skip
    assert nodes[0].node.metadata["page"] == 4
    assert asyncio.run(retriever.aretrieve("torque?")) == nodes
    assert ours.asked == [("torque?", 2, ctx)] * 2
    assert isinstance(from_chunks([]), Retriever)


def test_metadata_is_neither_embedded_nor_shown_to_a_model():
    from llama_index.core.schema import MetadataMode

    for mode in (MetadataMode.EMBED, MetadataMode.LLM):
        assert to_node(FULL).get_content(metadata_mode=mode) == "text of a"


@pytest.mark.parametrize(
    ("fields", "ctx"),
    [
        ({"acl": ("board",)}, RequestContext()),
        ({"acl": ()}, RequestContext()),
        ({"tenant": "other"}, RequestContext()),
        ({"valid_to": date(2024, 1, 1)}, RequestContext(as_of=date(2024, 1, 1))),
        ({"valid_from": date(2024, 1, 2)}, RequestContext(as_of=date(2024, 1, 1))),
        ({"doc_class": "manual"}, RequestContext(filters=Filters(doc_classes=("contract",)))),
        ({"lang": "de"}, RequestContext(filters=Filters(languages=("en",)))),
        ({}, RequestContext(filters=Filters(since=date(2020, 1, 1)))),
        ({"valid_from": date(2019, 1, 1)}, RequestContext(filters=Filters(since=date(2020, 1, 1)))),
        ({}, RequestContext(filters=Filters(until=date(2020, 1, 1)))),
        ({"valid_from": date(2021, 1, 1)}, RequestContext(filters=Filters(until=date(2020, 1, 1)))),
    ],
)
def test_what_does_not_qualify_never_gets_out(fields, ctx):
    assert from_chunks([chunk("secret", **fields)]).search("anything", 5, ctx) == []


def test_readable_passages_behind_many_unreadable_ones_are_found():
    hidden = [chunk(f"h{i:03}", acl=("board",)) for i in range(90)]
    seen = [chunk(f"s{i}") for i in range(3)]
    hits = from_chunks([*hidden, *seen]).search("anything", 3, RequestContext())
    assert [hit.chunk.chunk_id for hit in hits] == ["s0", "s1", "s2"]
    assert [hit.why["llamaindex"] for hit in hits] == [1, 2, 3]  # the ranks do not tell how many were hidden


def test_a_node_without_access_list_is_refused_unless_a_default_is_stated():
    node = NodeWithScore(node=TextNode(id_="n1", text="the payroll", metadata={"file_path": "hr/pay.txt"}), score=None)
    with pytest.raises(InputError) as refused:
        FromLlamaIndex(lambda n: Foreign([node], n)).search("pay", 1, RequestContext())
    assert "payroll" not in str(refused.value)
    defaulted = FromLlamaIndex(lambda n: Foreign([node], n), default_acl=["hr"])
    assert defaulted.search("pay", 1, RequestContext()) == []
    (hit,) = defaulted.search("pay", 1, RequestContext(groups=frozenset({"hr"})))
    assert (hit.chunk.source_path, hit.chunk.text, hit.chunk.end, hit.score) == ("hr/pay.txt", "the payroll", 11, 1.0)


@pytest.mark.parametrize("damaged", ["{", "[]", '{"acl": ["board"]}', 7])
def test_a_damaged_chunk_is_an_error_that_quotes_nothing(damaged):
    node = NodeWithScore(node=TextNode(id_="n1", text="the payroll", metadata={CHUNK_KEY: damaged}), score=1.0)
    with pytest.raises(InputError) as refused:
        FromLlamaIndex(lambda n: Foreign([node], n), default_acl=["public"]).search("pay", 1, RequestContext())
    assert "payroll" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_cancelled_request_stops():
    ctx = RequestContext()
    ctx.cancel.set()
    with pytest.raises(Cancelled):
        from_chunks([FULL]).search("torque", 1, ctx)
    with pytest.raises(InputError):
        from_chunks([FULL]).search("  ", 1, RequestContext())
