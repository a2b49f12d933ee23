"""The default retriever on a small corpus, with the real encoder."""

import sys
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labkit.errors import IndexMismatch, InputError, ModelError
from labkit.llm import embedder
from labkit.llm.adapter import Adapter
from labkit.retrieve import Reranker, flat_retriever, index, open_index, plain_retriever
from labkit.retrieve import index as build
from labkit.retrieve.late import LateInteraction
from labkit.schema import Chunk, Filters, RequestContext, arrow_schema
from labkit.settings import get_settings

TEXTS = {
    "manual": "The gripper is fastened with 18 N·m. Check it after every shift.",
    "e417": "E-417 means that the lift carriage LC-3571 lost its reference. Order a new carriage.",
    "e471": "E-471 means that the charger contact CC-2210 is worn. Order a new contact.",
    "team": "Ines Duarte leads Fulfilment Controls since March.",
    "canteen": "The canteen serves soup at noon and coffee until four.",
    "secret": "The contract with Brightmart is worth two million a year.",
}


def chunk(name, text):
    restricted = {"acl": ("finance",)} if name == "secret" else {}
    dated = {"valid_from": date(2025, 1, 1)} if name == "manual" else {}
    return Chunk(
        chunk_id=name, doc_id=name, source_path=f"{name}.md", doc_class="manual" if name == "manual" else "note",
        ordinal=0, text=text, start=0, end=len(text), tokens=20, content_hash=name, page=None, lang="en",
        **restricted, **dated,
    )  # fmt: skip


@pytest.fixture(scope="module")
def encoder():
    return embedder(get_settings())


@pytest.fixture(scope="module")
def folder(tmp_path_factory, encoder):
    folder = tmp_path_factory.mktemp("small")
    rows = [chunk(name, text).model_dump() for name, text in TEXTS.items()]
    pq.write_table(pa.Table.from_pylist(rows, schema=arrow_schema(Chunk)), folder / "chunks.parquet")
    index(folder, folder / "index", encoder)
    return folder


@pytest.fixture(scope="module")
def opened(folder, encoder):
    return open_index(folder / "index", encoder)


@pytest.fixture(scope="module")
def retriever(opened, encoder):
    return flat_retriever(opened, encoder)


def names(hits):
    return [hit.chunk.chunk_id for hit in hits]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("Which part do I order for E-417?", "e417"),
        ("Which part do I order for E 471?", "e471"),
        ("How tight must the griper be?", "manual"),
        ("Who is in charge of Fulfilment Controls?", "team"),
    ],
)
def test_it_finds_what_is_asked(retriever, question, first):
    assert names(retriever.search(question, 3, RequestContext()))[0] == first


def test_every_hit_says_which_paths_found_it(retriever):
    found = retriever.search("Which part do I order for E-417?", 3, RequestContext())
    assert set(found[0].why) == {"dense", "lexical", "late"}
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)


def test_permissions_days_and_filters_hold_on_all_paths(retriever):
    ctx = RequestContext(as_of=date(2024, 6, 1))
    assert not {"secret", "manual"} & set(
        names(retriever.search("What is the contract with Brightmart worth?", 10, ctx))
    )
    narrow = RequestContext(filters=Filters(doc_classes=("manual",)))
    assert names(retriever.search("anything about soup", 10, narrow)) == ["manual"]
    finance = RequestContext(groups=frozenset({"finance"}))
    assert names(retriever.search("contract", 10, finance)) == ["secret"]


@pytest.mark.parametrize("query", ["東京 robot", "🤖", "'; DROP TABLE chunks; --", "a" * 7_000, "what " * 1_500])
def test_any_text_is_searched(retriever, query):
    assert set(names(retriever.search(query, 10_000, RequestContext()))) <= set(TEXTS) - {"secret"}


@pytest.mark.parametrize(("query", "k"), [("", 3), ("x" * 100_000, 3), ("who", 0), ("who", 10_001)])
def test_what_makes_no_sense_is_refused(retriever, query, k):
    with pytest.raises(InputError):
        retriever.search(query, k, RequestContext())


def test_stored_token_vectors_are_those_of_the_shipped_interaction(opened, encoder):
    from labkit.retrieve.store import search_text

    made = encoder.encode_tokens([search_text(chunk("e417", TEXTS["e417"]))])[0]
    stored = opened.store.token_vectors(["e417", "nobody"])
    assert np.abs(stored[0].astype(int) - LateInteraction.shipped().token_vectors(made.states).astype(int)).max() <= 2
    assert len(stored[1]) == 0


def test_an_index_for_another_reranker_is_refused_by_name(folder, encoder, monkeypatch):
    module = sys.modules["labkit.retrieve.index"]  # the package's name for it is the function
    monkeypatch.setattr(module, "late_fingerprint", lambda _: "0123456789ab")
    with pytest.raises(IndexMismatch, match=r"reranker.*0123456789ab"):
        open_index(folder / "index", encoder)


def test_an_older_table_layout_is_refused(folder, encoder, tmp_path):
    text = (folder / "index" / "index.json").read_text(encoding="utf-8")
    (tmp_path / "index.json").write_text(text.replace('"layout": 2', '"layout": 1'), encoding="utf-8")
    with pytest.raises(IndexMismatch, match="table layout 1"):
        open_index(tmp_path, encoder)


class Endpoint:
    """An encoder that shows no tokens, as an embedding endpoint does."""

    name = fingerprint = "endpoint"
    dimensions = 384

    def __init__(self, encoder):
        self.encode, self.count_tokens = encoder.encode, encoder.count_tokens


def test_an_encoder_without_tokens_fuses_both_paths(folder, encoder, tmp_path):
    endpoint = Endpoint(encoder)
    build(folder, tmp_path / "index", endpoint)
    opened = open_index(tmp_path / "index", endpoint)
    assert opened.info.late == ""
    found = flat_retriever(opened, endpoint).search("Which part do I order for E-417?", 3, RequestContext())
    assert names(found)[0] == "e417"
    assert "late" not in found[0].why
    with pytest.raises(InputError, match="does not show its tokens"):
        Reranker(opened.store, endpoint, LateInteraction.shipped())


def test_the_plain_retriever_fuses_by_rank(opened, encoder):
    found = plain_retriever(opened, encoder).search("E-417", 3, RequestContext())
    assert found[0].score == pytest.approx(sum(1 / (60 + rank) for rank in found[0].why.values()))


def test_what_is_not_reranked_keeps_its_order_behind(opened, encoder):
    late = LateInteraction.shipped()
    short = Reranker(opened.store, encoder, late, reranked=2).search("a new part for E-417", 10, RequestContext())
    fused = Reranker(opened.store, encoder, late, reranked=0).search("a new part for E-417", 10, RequestContext())
    assert {*names(short[:2])} == {*names(fused[:2])}
    assert names(short[2:]) == names(fused[2:])
    assert [hit.score for hit in short] == sorted((hit.score for hit in short), reverse=True)
    assert ["late" in hit.why for hit in short] == [True, True, *[False] * (len(short) - 2)]


def test_late_interaction_counts(opened, encoder):
    """Without it other signals decide; what it says best is first among the reranked."""
    late = LateInteraction.shipped()
    mute = replace(late, query=np.zeros_like(late.query))
    question = "Who is in charge of Fulfilment Controls?"
    heard, unheard = (
        Reranker(opened.store, encoder, one).search(question, 5, RequestContext()) for one in (late, mute)
    )
    states = late.asker(encoder).encode_tokens([question])[0].states
    said = late.scores(states, opened.store.token_vectors(names(heard)))
    assert [hit.why["late"] for hit in heard] == (np.argsort(np.argsort(-said)) + 1).tolist()
    assert heard[0].score - unheard[0].score > 0.1


def test_the_question_is_read_by_the_adapted_encoder(opened, encoder):
    late = LateInteraction.shipped()
    question = "Who is in charge of Fulfilment Controls?"
    plain, adapted = (one.encode_tokens([question])[0] for one in (encoder, late.asker(encoder)))
    assert np.abs(plain.states - adapted.states).max() > 0.1
    assert plain.ids.tolist() == adapted.ids.tolist()
    assert late.asker(encoder).fingerprint != encoder.fingerprint
    unadapted = replace(late, adapter=Adapter({}))
    hits = [Reranker(opened.store, encoder, one).search(question, 3, RequestContext()) for one in (late, unadapted)]
    assert [hit.score for hit in hits[0]] != [hit.score for hit in hits[1]]
    with pytest.raises(ModelError, match="does not fit"):
        encoder.adapted(Adapter({"no.such.weight": (np.ones((2, 1), np.float32), np.ones((1, 2), np.float32))}))
