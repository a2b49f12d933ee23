"""What is sent to Weaviate, and what becomes of its failures, at the wire. The contract runs on a real server."""

import json
import time
from datetime import date

import grpc
import numpy as np
import pytest
from weaviate.proto.v1 import base_pb2

from labkit.errors import (
    Cancelled,
    ConfigError,
    DeadlineExceeded,
    EndpointError,
    IndexMismatch,
    IndexMissing,
    InputError,
    StoreError,
)
from labkit.retrieve.move import move
from labkit.retrieve.stores import weaviate_calls
from labkit.retrieve.stores.weaviate import WeaviateStore
from labkit.retrieve.stores.weaviate_schema import object_id, shard
from labkit.schema import Chunk, Filters, RequestContext
from labkit.settings import Settings

from .weaviate_wire import OP, Wire, values

CTX = RequestContext(as_of=date(2025, 6, 1))
AXES = np.eye(8, dtype=np.float32)


@pytest.fixture
def wire():
    server = Wire().start()
    yield server
    server.stop()


@pytest.fixture
def make(wire):
    """Stores on the wire, closed at the end."""
    opened = []

    def made(name="Chunks", how=WeaviateStore.create, **given):
        settings = Settings(
            weaviate_url=wire.url, weaviate_grpc_port=wire.grpc_port, **{"weaviate_timeout_s": 5.0, **given}
        )
        opened.append(how(settings, name, 8) if how == WeaviateStore.create else how(settings, name))
        return opened[-1]

    yield made
    for store in opened:
        store.close()


def chunk(name, text="the gripper torque", **fields):
    given = {"doc_id": f"doc-{name}", "source_path": f"{name}.md", **fields}
    return Chunk(chunk_id=name, ordinal=0, text=text, start=0, end=len(text), tokens=3, content_hash=name, **given)


def fill(store, *chunks, tokens=None):
    store.upsert(chunks, AXES[: len(chunks)], tokens)


def leaves(filters):
    """The conditions of a filter that joins them with AND."""
    assert filters.operator == OP.OPERATOR_AND
    kinds = ("value_int", "value_text_array")
    return [
        (part.target.property, OP.Name(part.operator)[9:], *(
            list(value.values) if kind == "value_text_array" else value
            for kind in kinds if part.HasField(kind) and (value := getattr(part, kind)) is not None
        ))
        for part in filters.filters
    ]  # fmt: skip


# What is sent


def test_the_collection_is_as_documented(wire, make):
    make(weaviate_replicas=3)
    [sent] = [body for method, path, body in wire.http if (method, path) == ("POST", "/v1/schema")]
    assert sent["class"] == "Chunks"
    assert json.loads(sent["description"])["dimensions"] == 8
    assert sent["vectorConfig"]["passage"] == {
        "vectorizer": {"none": {}},
        "vectorIndexType": "hnsw",
        "vectorIndexConfig": {"distance": "cosine", "filterStrategy": "acorn", "skipDefaultQuantization": True},
    }
    assert sent["multiTenancyConfig"]["enabled"] is True
    assert sent["replicationConfig"]["factor"] == 3
    assert sent["invertedIndexConfig"]["stopwords"]["preset"] == "none"
    named = {each["name"]: each for each in sent["properties"]}
    assert set(named) >= set(Chunk.model_fields) - {"valid_from", "valid_to"}
    assert {name: each["tokenization"] for name, each in named.items() if "tokenization" in each} == {
        "doc_id": "field", "doc_class": "field", "lang": "field", "acl": "field",
        "text_terms": "whitespace", "heading_terms": "whitespace",
    }  # fmt: skip
    assert {name for name, each in named.items() if each.get("indexSearchable")} == {"text_terms", "heading_terms"}
    assert {name for name, each in named.items() if each["indexFilterable"]} == {"doc_id", "doc_class", "lang", "acl"}
    assert {name for name, each in named.items() if each.get("indexRangeFilters")} == {"from_day", "to_day"}
    assert (named["acl"]["dataType"], named["token_vectors"]["dataType"]) == (["text[]"], ["blob"])


@pytest.mark.parametrize("level", ["one", "quorum", "all"])
def test_consistency_is_asked_for_in_reads_and_writes(wire, make, level):
    store = make(weaviate_consistency=level)
    fill(store, chunk("a"))
    store.search_dense(AXES[0], 1, CTX)
    store.delete(["doc-a"])
    wanted = base_pb2.ConsistencyLevel.Value(f"CONSISTENCY_LEVEL_{level.upper()}")
    sent = [request for name in ("BatchObjects", "Search", "BatchDelete") for request in wire.asked(name)]
    assert {request.consistency_level for request in sent} == {wanted}


def test_an_object_carries_the_chunk_its_terms_its_days_and_its_vectors(wire, make):
    store = make()
    rich = chunk(
        "a", "Restarting after E-417", heading_path=("Axis 2",), acl=("x", "y"), valid_from=date(2024, 1, 2), lang="en"
    )
    tokens = np.arange(8, dtype=np.int8).reshape(2, 4)
    fill(store, rich, tokens=[tokens])
    [sent] = wire.asked("BatchObjects")[0].objects
    assert (sent.collection, sent.tenant, sent.uuid) == ("Chunks", "default", object_id("a"))
    assert (sent.vectors[0].name, sent.vectors[0].vector_bytes) == ("passage", AXES[0].tobytes())
    told = values(sent)
    assert told["text_terms"] == "restart after e417 417"
    assert told["heading_terms"].split() == ["a", "axi", "2"]
    assert (told["from_day"], told["to_day"]) == (date(2024, 1, 2).toordinal(), date.max.toordinal() + 1)
    assert (told["acl"], told["heading_path"], told["token_width"]) == (["x", "y"], ["Axis 2"], 4)
    assert not {"page", "doc_class"} & set(told)  # nothing empty is sent
    assert list(store.chunks()) == [rich]
    assert (store.token_vectors(["a"])[0] == tokens).all()


@pytest.mark.parametrize("day", [date.min, date(1600, 1, 1), date(2300, 1, 1), date.max])
def test_days_far_off_are_kept_and_compare(make, day):
    store = make()
    given = chunk("a", valid_from=date.min, valid_to=day) if day > date(2000, 1, 1) else chunk("a", valid_from=day)
    fill(store, given)
    assert list(store.chunks()) == [given]
    assert len(store.search_dense(AXES[0], 1, CTX)) == 1


def test_an_empty_acl_stays_empty(make):
    store = make()
    fill(store, chunk("a", acl=(), text="", heading_path=()))
    assert [c.acl for c in store.chunks()] == [()]
    assert store.search_dense(AXES[0], 1, CTX) == []


def test_a_dense_search_as_sent(wire, make):
    store = make()
    fill(store, chunk("a"))
    store.search_dense(AXES[0], 7, CTX)
    sent = wire.asked("Search")[-1]
    assert (sent.collection, sent.tenant, sent.limit) == ("Chunks", "default", 7)
    assert list(sent.near_vector.targets.target_vectors) == ["passage"]
    assert sent.near_vector.vectors[0].vector_bytes == AXES[0].tobytes()
    assert sent.metadata.distance
    assert "token_vectors" not in sent.properties.non_ref_properties
    assert leaves(sent.filters) == [
        ("acl", "CONTAINS_ANY", ["public"]),
        ("from_day", "LESS_THAN_EQUAL", CTX.as_of.toordinal()),
        ("to_day", "GREATER_THAN", CTX.as_of.toordinal()),
    ]


def test_filters_as_sent(wire, make):
    store = make()
    fill(store, chunk("a"))
    since, until = date(2024, 1, 1), date(2024, 12, 31)
    filters = Filters(doc_classes=("manual", "faq"), languages=("de",), since=since, until=until)
    store.search_lexical("torque", 3, RequestContext(groups=frozenset({"b", "a"}), filters=filters))
    sent = leaves(wire.asked("Search")[-1].filters)
    assert sent[0] == ("acl", "CONTAINS_ANY", ["a", "b"])
    assert sent[3:] == [
        ("doc_class", "CONTAINS_ANY", ["faq", "manual"]),
        ("lang", "CONTAINS_ANY", ["de"]),
        ("from_day", "GREATER_THAN_EQUAL", since.toordinal()),
        ("from_day", "LESS_THAN_EQUAL", until.toordinal()),
        ("from_day", "GREATER_THAN", 0),
    ]


def test_a_lexical_search_as_sent(wire, make):
    store = make()
    fill(store, chunk("a"))
    store.search_lexical("When is restarting E-417 safe?", 5, CTX)
    sent = wire.asked("Search")[-1]
    assert sent.bm25_search.query == "restart e417 417 safe"
    assert list(sent.bm25_search.properties) == ["text_terms", "heading_terms^2"]
    assert sent.metadata.score
    assert sent.limit == 5


def test_a_question_without_terms_is_not_sent(wire, make):
    store = make()
    fill(store, chunk("a"))
    before = len(wire.asked("Search"))
    assert store.search_lexical("?! 🤖", 5, CTX) == []
    assert len(wire.asked("Search")) == before


def test_a_hybrid_search_as_sent_and_explained(wire, make):
    store = make()
    fill(store, chunk("a", "nothing"), chunk("b", "torque of the axis"), chunk("c", "torque"))
    hits = store.search_hybrid("axis torque", AXES[0], 3, CTX, alpha=0.25)
    sent = wire.asked("Search")[-1].hybrid_search
    assert (sent.query, list(sent.properties)) == ("axi torqu", ["text_terms", "heading_terms^2"])
    assert 0.25 in (sent.alpha, sent.alpha_param)
    assert sent.fusion_type == sent.FUSION_TYPE_RELATIVE_SCORE
    assert list(sent.targets.target_vectors) == ["passage"]
    assert [hit.chunk.chunk_id for hit in hits] == ["b", "a", "c"]
    assert {hit.chunk.chunk_id: hit.why for hit in hits} == {
        "a": {"dense": 1}, "b": {"lexical": 1, "dense": 2}, "c": {"lexical": 2, "dense": 2},
    }  # fmt: skip
    with pytest.raises(InputError, match="alpha"):
        store.search_hybrid("torque", AXES[0], 3, CTX, alpha=1.5)


def test_a_tenant_each_and_an_odd_name_is_hashed(wire, make):
    store = make()
    fill(store, chunk("a"), chunk("b", tenant="o'neill"))
    assert wire.tenants["Chunks"] == {"default", shard("o'neill")}
    assert shard("o'neill").startswith("h-")
    assert shard(shard("o'neill")) != shard("o'neill")  # nobody else is called that
    assert [h.chunk.chunk_id for h in store.search_dense(AXES[0], 9, RequestContext(tenant="o'neill"))] == ["b"]
    assert store.search_dense(AXES[0], 9, RequestContext(tenant="nobody")) == []
    assert store.count() == 2


def test_a_chunk_that_changes_tenant_leaves_the_old_one(make):
    store = make()
    fill(store, chunk("a"))
    fill(store, chunk("a", tenant="other"))
    assert store.count() == 1
    assert store.search_dense(AXES[0], 1, CTX) == []


def test_a_group_with_a_space_more_is_another_group(make):
    """Weaviate trims what it matches whole, as the wire does."""
    store = make()
    fill(store, chunk("a", acl=("board",)))
    assert len(store.search_dense(AXES[0], 1, RequestContext(groups=frozenset({"board"})))) == 1
    assert store.search_dense(AXES[0], 1, RequestContext(groups=frozenset({"board "}))) == []


def test_everything_is_read_page_by_page(wire, make):
    store = make()
    names = [f"c{i:03}" for i in range(300)]
    store.upsert([chunk(name) for name in names], np.tile(AXES, (38, 1))[:300])
    assert len(wire.asked("BatchObjects")) == 3
    rows = list(store.rows())
    assert [len(each.chunks) for each in rows] == [128, 128, 44]
    assert sorted(c.chunk_id for each in rows for c in each.chunks) == names
    by_name = {c.chunk_id: v for each in rows for c, v in zip(each.chunks, each.vectors, strict=True)}
    assert all((by_name[name] == AXES[i % 8]).all() for i, name in enumerate(names))


def test_deletion_goes_on_past_the_servers_limit(wire, make):
    store = make()
    wire.delete_at_most = 2
    fill(store, *(chunk(f"c{i}", doc_id="d") for i in range(5)))
    assert store.delete(["d", "unknown"]) == 5
    assert store.count() == 0
    assert leaves_of_one(wire.asked("BatchDelete")[-1]) == ("doc_id", ["d", "unknown"])


def leaves_of_one(request):
    return request.filters.target.property, list(request.filters.value_text_array.values)


def test_from_store_to_store_without_embedding(make):
    source, target = make("First"), make("Second")
    tokens = [np.full((i, 4), i, np.int8) for i in range(3)]
    fill(source, chunk("a"), chunk("b", tenant="x"), chunk("c", valid_to=date.max), tokens=tokens)
    assert move(source, target, progress=False) == 3
    assert sorted(c.model_dump_json() for c in target.chunks()) == sorted(c.model_dump_json() for c in source.chunks())
    assert [each.tolist() for each in target.token_vectors(["a", "b", "c"])] == [each.tolist() for each in tokens]
    assert move(source, target, progress=False) == 3  # again, as after one that broke off


def test_a_move_into_a_store_with_other_chunks_is_noticed(make):
    source, target = make("First"), make("Second")
    fill(source, chunk("a"))
    fill(target, chunk("z"))
    with pytest.raises(StoreError, match="1 chunks were to be moved, the target holds 2"):
        move(source, target, progress=False)


def test_a_move_that_mixes_up_vectors_is_noticed(make):
    source, target = make("First"), make("Second")
    fill(source, chunk("a"), chunk("b"))
    upsert = target.upsert
    target.upsert = lambda chunks, vectors, tokens: upsert(chunks, vectors[::-1], tokens)
    with pytest.raises(StoreError, match="vectors of 2 chunks changed"):
        move(source, target, progress=False)


def test_a_move_that_loses_token_vectors_is_noticed(make):
    source, target = make("First"), make("Second")
    fill(source, chunk("a"), chunk("b"), tokens=[np.ones((0, 4), np.int8), np.ones((2, 4), np.int8)])
    upsert = target.upsert
    target.upsert = lambda chunks, vectors, tokens: upsert(chunks, vectors)
    with pytest.raises(StoreError, match="vectors of 1 chunks changed on the way, the first of b"):
        move(source, target, progress=False)


def test_more_objects_are_read_by_id_than_the_server_gives_unasked(make):
    store = make()
    names = [f"c{i}" for i in range(30)]
    store.upsert([chunk(name) for name in names], np.tile(AXES, (4, 1))[:30], [np.ones((1, 4), np.int8)] * 30)
    assert [len(each) for each in store.token_vectors(names)] == [1] * 30


# Opening


def test_opening_what_is_not_there_or_not_ours(wire, make):
    with pytest.raises(IndexMissing, match="no such collection"):
        make("Nothing", WeaviateStore.open)
    make("Foreign")
    wire.collections["Foreign"]["description"] = "someone's"
    with pytest.raises(IndexMismatch, match="not made by labkit"):
        make("Foreign", WeaviateStore.open)


def test_opened_again_it_holds_the_same(make):
    fill(make(), chunk("a"))
    again = make("Chunks", WeaviateStore.open)
    assert [c.chunk_id for c in again.chunks()] == ["a"]
    with pytest.raises(InputError, match="8 numbers"):
        again.upsert([chunk("b")], np.ones((1, 3), np.float32))
    again.drop()
    with pytest.raises(IndexMissing):
        make("Chunks", WeaviateStore.open)


def test_a_collection_that_exists_is_not_made_again(make):
    make()
    with pytest.raises(StoreError, match="already exists"):
        make()


@pytest.mark.parametrize("name", ["chunks", "With space", "", "Ä"])
def test_a_name_weaviate_would_change_is_refused(make, name):
    with pytest.raises(InputError, match="cannot name"):
        make(name)


def test_a_key_is_sent_and_a_wrong_one_explained(wire, make):
    wire.key = "right"
    store = make(weaviate_api_key="right")
    fill(store, chunk("a"))
    assert {metadata["authorization"] for _, _, metadata in wire.calls} == {"Bearer right"}
    for wrong in ("wrong", None):
        with pytest.raises(EndpointError, match="WEAVIATE_API_KEY"):
            make("Other", weaviate_api_key=wrong)


@pytest.mark.parametrize("url", [None, "localhost:8080", "ftp://x"])
def test_an_address_that_is_none(url):
    with pytest.raises(ConfigError, match="LABKIT_WEAVIATE_URL"):
        WeaviateStore.open(Settings(weaviate_url=url), "Chunks")


def test_a_server_that_is_not_there(wire):
    url, port = wire.url, wire.grpc_port
    wire.released.set()
    silent = Settings(weaviate_url="http://127.0.0.1:9", weaviate_grpc_port=port)
    with pytest.raises(EndpointError, match="does not answer"):
        WeaviateStore.open(silent, "Chunks")
    wrong_port = Settings(weaviate_url=url, weaviate_grpc_port=9, weaviate_timeout_s=0.4)
    with pytest.raises(EndpointError, match="LABKIT_WEAVIATE_GRPC_PORT"):
        WeaviateStore.create(wrong_port, "Chunks", 8)


# What goes wrong


def test_a_node_that_comes_back_is_asked_again(wire, make, monkeypatch):
    store = make()
    fill(store, chunk("a"))
    wire.stop_grpc()
    pause = weaviate_calls._pause

    def restart_then_pause(seconds, asker):
        if not restarted:
            restarted.append(wire.start_grpc())
        pause(seconds, asker)

    restarted = []
    monkeypatch.setattr(weaviate_calls, "_pause", restart_then_pause)
    assert [hit.chunk.chunk_id for hit in store.search_dense(AXES[0], 1, CTX)] == ["a"]
    assert restarted


def test_a_few_refusals_are_survived(wire, make):
    store = make()
    for name in ("TenantsGet", "Search", "BatchObjects", "BatchDelete", "Aggregate"):
        wire.faults[name].append(grpc.StatusCode.UNAVAILABLE)
    fill(store, chunk("a"))
    assert store.count() == 1
    assert store.delete(["doc-a"]) == 1


def test_a_dead_node_is_an_error_with_an_address(wire, make):
    fill(make(), chunk("a"))
    store = make(how=WeaviateStore.open, weaviate_timeout_s=0.5)
    wire.stop_grpc()
    for call in (lambda: store.search_dense(AXES[0], 1, CTX), store.count, lambda: list(store.rows())):
        with pytest.raises(EndpointError, match=r"did not answer in .* tries \(UNAVAILABLE") as caught:
            call()
        assert wire.url in str(caught.value)


def test_a_node_that_hangs_is_given_up(wire, make):
    fill(make(), chunk("a"))
    store = make(how=WeaviateStore.open, weaviate_timeout_s=0.4)
    wire.faults["Search"].extend(["hang"] * 9)
    with pytest.raises(EndpointError, match=r"tries \(DEADLINE_EXCEEDED"):
        store.search_dense(AXES[0], 1, CTX)


def test_a_hanging_try_is_followed_by_another(wire, make):
    store = make(weaviate_timeout_s=2.0)
    fill(store, chunk("a"))
    wire.faults["Search"].append("hang")
    assert len(store.search_dense(AXES[0], 1, CTX)) == 1


def test_the_requests_own_deadline_comes_first(wire, make):
    store = make()
    fill(store, chunk("a"))
    wire.faults["Search"].extend(["hang"] * 9)
    with pytest.raises(DeadlineExceeded):
        store.search_dense(AXES[0], 1, RequestContext(deadline=time.monotonic() + 1))
    assert wire.seconds_left <= 1  # of the 2.5 a try may take


def test_a_cancelled_request_is_not_repeated(wire, make, monkeypatch):
    store = make()
    fill(store, chunk("a"))
    ctx = RequestContext()
    wire.faults["Search"].extend([grpc.StatusCode.UNAVAILABLE] * 9)
    monkeypatch.setattr(weaviate_calls, "_pause", lambda seconds, asker: asker.cancel.set())
    with pytest.raises(Cancelled):
        store.search_dense(AXES[0], 1, ctx)
    assert len(wire.faults["Search"]) == 8


def test_too_few_replicas_are_named(wire, make):
    store = make()
    fill(store, chunk("a"))
    wire.faults["Search"].append((grpc.StatusCode.UNKNOWN, "cannot achieve consistency level: QUORUM"))
    with pytest.raises(EndpointError, match="Too few nodes"):
        store.search_dense(AXES[0], 1, CTX)


def test_what_the_server_says_is_passed_on(wire, make):
    store = make()
    fill(store, chunk("a"))
    wire.faults["Search"].append((grpc.StatusCode.UNKNOWN, "vector lengths don't match"))
    with pytest.raises(StoreError, match="vector lengths don't match"):
        store.search_dense(AXES[0], 1, CTX)
    wire.faults["http"].append((500, {"error": [{"message": "no space left"}]}))
    with pytest.raises(StoreError, match="no space left"):
        fill(store, chunk("b", tenant="new"))


def test_objects_that_are_refused_are_counted_and_nothing_stays(wire, make):
    store = make()
    fill(store, chunk("old", "as it was"))
    wire.refused = {"poison": "invalid text property", "venom": "too long"}
    with pytest.raises(StoreError, match=r"2 of 4 chunks: invalid text property \| too long"):
        fill(store, chunk("old", "new words"), chunk("a", "poison"), chunk("b"), chunk("c", "venom"))
    assert [c.text for c in store.chunks()] == ["as it was"]


def test_all_objects_refused(wire, make):
    store = make()
    wire.refused = {"": "shard is read-only"}
    with pytest.raises(StoreError, match="2 of 2 chunks: shard is read-only"):
        fill(store, chunk("a"), chunk("b"))


def test_a_later_page_refused_takes_the_earlier_back(wire, make):
    store = make()
    wire.refused = {"poison": "no"}
    many = [chunk(f"c{i:03}") for i in range(130)]
    with pytest.raises(StoreError, match="1 of 3"):
        store.upsert([*many, chunk("z", "poison")], np.tile(AXES, (17, 1))[:131])
    assert store.count() == 0


def test_what_cannot_be_taken_back_is_said(wire, make):
    store = make(weaviate_timeout_s=1.0)
    wire.refused = {"poison": "no"}
    wire.faults["BatchDelete"].extend([grpc.StatusCode.UNAVAILABLE] * 9)
    with pytest.raises(StoreError, match=r"could not be taken back.*Repeat the upsert"):
        fill(store, chunk("a"), chunk("b", "poison"))


def test_refused_texts_are_not_logged(wire, make, caplog):
    store = make()
    wire.refused = {"secret": "no"}
    with pytest.raises(StoreError):
        fill(store, chunk("a", "secret words"), chunk("b"))
    assert "secret words" not in caplog.text
